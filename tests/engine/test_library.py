"""The library's methods on the whole engine: lists narrowed, threads, what cites, reading again, what needs attention."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.asking import ask
from engine.choosing import folders_browse
from engine.engine import Engine
from engine.erasing import folders_purge, purge_preview
from engine.library import document_again, document_cited, document_thread, files_again, files_attention
from engine.reading import document, documents, documents_facets, files
from vault.errors import StrongroomError
from vault.failures import UnknownDocumentError
from vault.keys import FLOOR

LEASE = "# Lease of the garage in Mill Lane\n\nThe rent is 85 pounds a month, paid on the first of each month.\n"
FIRST = """From: Anna Müller <anna@müller.example>
To: me@home.example
Date: Mon, 3 Mar 2025 10:00:00 +0000
Subject: The greenhouse
Message-ID: <a1@x.example>

Shall we repaint the greenhouse in May?
"""
SECOND = """From: Bert Hale <bert@hale.example>
To: Anna Müller <anna@müller.example>
Date: Tue, 4 Mar 2025 10:00:00 +0000
Subject: Re: The greenhouse
Message-ID: <a2@x.example>
In-Reply-To: <a1@x.example>
References: <a1@x.example>

Yes, and the colour will be periwinkle.
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "papers"
    (folder / "mail").mkdir(parents=True)
    (folder / "garage.md").write_text(LEASE)
    (folder / "mail/1.eml").write_text(FIRST)
    (folder / "mail/2.eml").write_text(SECOND)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    (folder / "photo.xyz").write_bytes(bytes(range(256)))
    (folder / "older.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    return folder


@pytest.fixture(scope="module")
def engine(home: Path, tmp_path_factory, zygote, embedder) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("vault")
    made = Engine(folder / "vault", folder / "state", zygote, cost=FLOOR, load=lambda: embedder)
    made.create("a passphrase for tests")
    made.folders_add(str(home))
    made.wait(seconds=60)
    yield made
    made.close()


@pytest.fixture
def own(tmp_path: Path, zygote, embedder) -> Iterator[Callable[[Path], Engine]]:
    """An engine on a folder of one's own."""
    running: list[Engine] = []

    def start(folder: Path) -> Engine:
        made = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
        running.append(made)
        made.create("a passphrase for tests")
        made.folders_add(str(folder))
        made.wait(seconds=60)
        return made

    yield start
    for made in running:
        made.close()


def titles(found) -> list[str]:
    return [row["title"] for row in found["rows"]]


def one(engine: Engine, **wanted) -> str:
    (row,) = documents(engine, **wanted)["rows"]
    return row["id"]


def test_documents_are_narrowed_by_what_people_know_of_them(engine):
    everything = documents(engine, sort="date")
    assert everything["total"] == 3
    assert titles(everything)[:2] == ["The greenhouse", "Re: The greenhouse"]
    assert titles(documents(engine, kind="mail", sort="date", descending=True))[0] == "Re: The greenhouse"
    assert titles(documents(engine, person="bert")) == ["Re: The greenhouse"]
    assert documents(engine, person="MÜLLER")["total"] == 2
    assert titles(documents(engine, after="2025-03-04")) == ["Re: The greenhouse"]
    assert titles(documents(engine, before="2025-03-03")) == ["The greenhouse"]
    assert documents(engine, after="2025", before="2025-03")["total"] == 2
    assert documents(engine, state="done")["total"] == 3
    assert documents(engine, state="partial,embedding")["total"] == 0


def test_every_word_searched_for_counts_and_words_of_the_text_only_if_wished(engine):
    assert titles(documents(engine, text="greenhouse hale")) == ["Re: The greenhouse"]
    assert documents(engine, text="greenhouse garage")["total"] == 0
    assert titles(documents(engine, text="garage.MD")) == ["Lease of the garage in Mill Lane"]
    assert documents(engine, text="periwinkle")["total"] == 0
    assert titles(documents(engine, text="periwinkle colour", inside=True)) == ["Re: The greenhouse"]
    assert documents(engine, text="periwinkle rent", inside=True)["total"] == 0
    assert documents(engine, text="100%")["total"] == 0


def test_a_page_of_documents_is_the_next_part_of_the_same_list(engine):
    pages = [documents(engine, sort="path", offset=n, limit=1)["rows"][0]["id"] for n in range(3)]
    assert pages == [row["id"] for row in documents(engine, sort="path")["rows"]]
    assert documents(engine, offset=50)["rows"] == []


def test_a_day_or_an_order_that_is_none_is_refused_by_its_name(engine):
    with pytest.raises(StrongroomError, match="'yesterday' is no day"):
        documents(engine, after="yesterday")
    with pytest.raises(StrongroomError, match="cannot sort by 'colour'"):
        documents(engine, sort="colour")
    with pytest.raises(StrongroomError, match="no document is in the state 'lost'"):
        documents(engine, state="lost")


def test_a_kind_or_a_files_state_that_is_none_is_refused_with_those_that_are(engine):
    with pytest.raises(StrongroomError, match="no document is of the kind 'nothing'") as caught:
        documents(engine, kind="mail,nothing")
    assert caught.value.hint.startswith("there are book, contract, ")
    with pytest.raises(StrongroomError, match="no file is in the state 'wrong'") as caught:
        files(engine, state="failed,wrong")
    assert caught.value.hint == "there are waiting, embedding, done, partial, failed, unsupported, cloud"


def test_facets_count_kinds_and_folders(engine, home):
    found = documents_facets(engine)
    assert {each["kind"]: each["documents"] for each in found["kinds"]}["mail"] == 2
    assert [(each["path"], each["documents"]) for each in found["folders"]] == [(str(home), 3)]
    assert any("Anna" in each for each in found["people"])


def test_a_thread_is_told_oldest_first_without_header_lines(engine):
    reply = one(engine, text="Re: greenhouse hale")
    messages = document_thread(engine, reply)["messages"]
    assert [each["title"] for each in messages] == ["The greenhouse", "Re: The greenhouse"]
    assert messages[0]["opening"] == "Shall we repaint the greenhouse in May?"
    assert document_thread(engine, one(engine, text="garage"))["messages"] == []


def test_what_cites_a_document_is_the_questions_it_answered(engine):
    garage, greenhouse = one(engine, text="garage"), one(engine, person="bert")
    asked = ask(engine, "How much is the rent of the garage?")
    assert not asked["abstained"]
    (turn,) = document_cited(engine, garage)["turns"]
    assert turn["question"] == "How much is the rent of the garage?"
    assert turn["conversation"] == asked["conversation"]
    assert document_cited(engine, greenhouse)["turns"] == []


def test_a_document_says_its_state_and_its_files(engine, home):
    found = document(engine, one(engine, text="garage"))
    assert found["state"] == "done"
    (place,) = found["places"]
    assert place["path"] == str(home / "garage.md")
    assert place["file_state"] == "done"
    assert place["size"] == len(LEASE)


def test_files_that_need_attention_are_grouped_by_what_to_do(engine):
    found = files_attention(engine)
    groups = {each["key"]: each for each in found["groups"]}
    assert list(groups) == ["damaged", "archive", "format"]  # what failed first, then what is not supported
    assert found["total"] == 3
    (row,) = files_attention(engine, group="damaged")["rows"]
    assert row["path"].endswith("broken.pdf")
    assert "backup" in row["advice"]
    assert files_attention(engine, offset=2, limit=5)["rows"][0]["id"] == found["rows"][2]["id"]


def test_reading_again_takes_effect_although_nothing_changed(own, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "garage.md").write_text(LEASE)
    (papers / "copy.md").write_text(LEASE)
    engine = own(papers)
    name = one(engine, text="garage")
    with engine.opened().vault.write() as db:  # as a lesser parser would have read it
        db.execute("UPDATE document SET title = 'unreadable'")
    assert document_again(engine, name) == {"files": 2}
    engine.wait(seconds=60)
    (row,) = documents(engine)["rows"]
    assert row["title"] == "Lease of the garage in Mill Lane"
    assert row["id"] == name
    assert len(row["paths"]) == 2
    assert not ask(engine, "How much is the rent of the garage?")["abstained"]


def test_what_cannot_be_read_now_stays_as_it_is(own, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "garage.md").write_text(LEASE)
    engine = own(papers)
    name = one(engine, text="garage")
    engine.folders_pause(str(papers))
    with pytest.raises(StrongroomError, match="is paused"):
        document_again(engine, name)
    (papers / "garage.md").rename(tmp_path / "garage.md")
    with pytest.raises(StrongroomError, match="cannot be read now"):
        document_again(engine, name)
    assert one(engine, text="garage") == name
    with pytest.raises(UnknownDocumentError):
        document_again(engine, "no such thing")


def test_a_failed_file_that_was_mended_is_read_when_tried_again(own, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "garage.md").write_text(LEASE)
    (papers / "bad.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    engine = own(papers)
    (row,) = files_attention(engine)["rows"]
    before = files(engine, state="failed")["rows"][0]
    assert files_again(engine, ids=[row["id"]]) == {"files": 1}
    engine.wait(seconds=60)
    after = files(engine, state="failed")["rows"][0]
    assert after["reason"] == before["reason"]
    assert files_again(engine, group="damaged") == {"files": 1}
    assert files_again(engine, group="password") == {"files": 0}
    engine.wait(seconds=60)
    (papers / "bad.pdf").unlink()
    deadline = time.monotonic() + 20
    while files_attention(engine)["total"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert files_attention(engine) == {"groups": [], "total": 0, "rows": []}


@pytest.mark.parametrize("path", ["/home/\0", "/\ud800"])
def test_what_no_path_can_be_is_said_to_be_none(engine, path):
    with pytest.raises(StrongroomError, match="is no path"):
        folders_browse(engine, path)


def test_choosing_a_folder_shows_what_can_be_watched(engine, home):
    above = folders_browse(engine, str(home.parent))
    (papers,) = above["folders"]
    assert (papers["name"], papers["why"]) == ("papers", "watched already")
    assert above["why"].startswith("holds ")
    inside = folders_browse(engine, str(home))
    assert [each["name"] for each in inside["folders"]] == ["mail"]
    assert "lies in" in inside["folders"][0]["why"]
    assert inside["files"] == 4
    assert inside["parent"] == str(home.parent)
    assert folders_browse(engine, str(engine.folder))["why"] == "Strongroom's own folder"
    assert folders_browse(engine, str(home / "garage.md"))["why"].startswith("this is a file")
    assert folders_browse(engine, str(home / "nowhere"))["why"] == "there is no such folder"
    assert folders_browse(engine)["path"] == folders_browse(engine)["home"]


def test_hidden_folders_and_links_are_not_offered(engine, tmp_path):
    for name in ("b", "A", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert [each["name"] for each in folders_browse(engine, str(tmp_path))["folders"]] == ["A", "b"]


def test_purging_a_folder_leaves_what_lies_elsewhere_too(own, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "garage.md").write_text(LEASE)
    (first / "secret.txt").write_text("The gate code of the villa is quincunx.\n")
    engine = own(first)
    engine.folders_add(str(second))
    engine.wait(seconds=60)
    assert purge_preview(engine, one(engine, text="secret"))["removed"]["documents"] == 1
    with pytest.raises(StrongroomError, match="confirmed"):
        folders_purge(engine, str(first))
    receipt = folders_purge(engine, str(first), confirm=True)
    assert receipt["confirmed"]
    assert receipt["removed"]["documents"] == 1
    assert [each["path"] for each in engine.folders()["rows"]] == [str(second)]
    assert documents(engine, text="quincunx", inside=True)["total"] == 0
    assert [row["paths"] for row in documents(engine)["rows"]] == [[str(second / "garage.md")]]
