"""The whole engine on real files: parse workers, vault, indexes, watcher; without a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.asking import ask, search
from engine.engine import Engine
from engine.erasing import purge, purge_lift
from engine.history import conversation, conversations, remove
from engine.keeping import backup, keyring_off, keyring_on, passwd, settings_set
from engine.reading import files
from vault.errors import LockedError, StrongroomError
from vault.failures import OlderVaultError
from vault.keys import FLOOR

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a passphrase for tests"
LEASE = """# Lease of the garage in Mill Lane

## Term

The lease begins on 1 March 2024 and ends on 28 February 2026.

## Rent

The rent is 85 pounds a month, paid on the first of each month.

## Notice

Either side may end the lease with six weeks' notice in writing.
"""
ROOFER = """Dear Ms Ames,

the roofer Hallam & Sons will replace the ridge tiles on 12 May for 2,340 pounds.

Best wishes
Pat
"""


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "garage.md").write_text(LEASE)
    (folder / "roof.txt").write_text(ROOFER)
    return folder


@pytest.fixture
def start(tmp_path: Path, zygote, embedder) -> Iterator[Callable[..., Engine]]:
    """Start an engine on the test's vault; the one before is closed first, as only one can have it."""
    running: list[Engine] = []

    def start(*, create: bool = False, accept_older: bool = False, **options) -> Engine:
        while running:
            running.pop().close()
        engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder, **options)
        running.append(engine)
        if create:
            engine.create(PASSPHRASE)
        else:
            engine.unlock(PASSPHRASE, accept_older=accept_older)
        return engine

    yield start
    while running:
        running.pop().close()


@pytest.fixture
def engine(start, papers: Path) -> Engine:
    """An engine that has read the papers."""
    started = start(create=True)
    started.folders_add(str(papers))
    finish(started)
    return started


def finish(engine: Engine) -> None:
    engine.wait(seconds=60)
    assert engine.status()["to_do"] == 0, engine.status()


def paths(engine: Engine, words: str) -> list[str]:
    return [Path(hit["path"]).name for hit in search(engine, words)["hits"]]


def first(engine: Engine, words: str) -> str:
    """The name of the file that is found first."""
    return next(iter(paths(engine, words)), "")


def states(engine: Engine) -> dict[str, tuple[str, str]]:
    return {Path(row["path"]).name: (row["state"], row["reason"]) for row in files(engine, limit=200)["rows"]}


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def counted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many files are parsed and how many passages embedded from now on, searches left out."""
    counts = {"parsed": 0, "embedded": 0}
    opened = engine.opened()
    parse, embed = opened.pipeline.zygote.parse, opened.pipeline.embedder.embed

    def parse_counted(*args, **kwargs):
        counts["parsed"] += 1
        return parse(*args, **kwargs)

    def embed_counted(texts):
        counts["embedded"] += len(texts)
        return embed(texts)

    monkeypatch.setattr(opened.pipeline.zygote, "parse", parse_counted)
    monkeypatch.setattr(opened.pipeline.embedder, "embed", embed_counted)
    return counts


def test_a_question_is_answered_with_the_passage_it_rests_on(engine, papers):
    answer = ask(engine, "When does the lease of the garage end?")
    assert not answer["abstained"]
    citation = answer["statements"][0]["citations"][0]
    assert citation["path"] == str(papers / "garage.md")
    assert "28 February 2026" in citation["quote"]
    assert LEASE[citation["start"] : citation["end"]] == citation["quote"]


def test_a_question_nobody_answers_is_abstained_from_and_says_what_is_missing(engine):
    answer = ask(engine, "What is the name of the cat's veterinary surgeon?")
    assert answer["abstained"]
    assert answer["missing"]
    assert not answer["statements"]


def test_a_follow_up_is_understood_in_its_conversation(engine):
    first = ask(engine, "How much is the rent of the garage in Mill Lane?")
    second = ask(engine, "and when does it end?", conversation=first["conversation"])
    assert second["conversation"] == first["conversation"]
    assert second["question"] == "and when does it end?"
    assert "garage" in second["full_question"].lower()
    assert [each["question"] for each in conversation(engine, first["conversation"])["answers"]] == [
        "How much is the rent of the garage in Mill Lane?",
        "and when does it end?",
    ]


def test_a_saved_file_is_found_without_being_asked_for(engine, papers):
    (papers / "dentist.txt").write_text("The dentist Dr Okafor charges 120 pounds for the crown.")
    assert eventually(lambda: "dentist.txt" in paths(engine, "Okafor crown"))


def test_a_deleted_file_is_found_no_more(engine, papers):
    (papers / "roof.txt").unlink()
    assert eventually(lambda: "roof.txt" not in states(engine))
    assert "roof.txt" not in paths(engine, "roofer Hallam ridge tiles")


def test_a_moved_file_costs_neither_parsing_nor_embedding(engine, papers, monkeypatch):
    counts = counted(engine, monkeypatch)
    (papers / "old").mkdir()
    (papers / "garage.md").rename(papers / "old" / "parking.md")
    assert eventually(lambda: "parking.md" in states(engine))
    finish(engine)
    assert counts == {"parsed": 0, "embedded": 0}
    assert eventually(lambda: first(engine, "six weeks' notice") == "parking.md")
    assert counts["parsed"] == 0


def test_an_edit_embeds_only_what_changed(engine, papers, monkeypatch):
    paragraphs = [f"## Part {n}\n\n" + f"This is clause {n} about subject number {n}. " * 20 for n in range(20)]
    (papers / "long.md").write_text("# A long agreement\n\n" + "\n\n".join(paragraphs))
    assert eventually(lambda: states(engine).get("long.md", ("",))[0] == "done")
    counts = counted(engine, monkeypatch)
    paragraphs[7] = paragraphs[7].replace("subject number 7", "the aardvark's burrow")
    (papers / "long.md").write_text("# A long agreement\n\n" + "\n\n".join(paragraphs))
    assert eventually(lambda: counts["parsed"] == 1)
    finish(engine)
    assert 1 <= counts["embedded"] <= 2
    assert first(engine, "aardvark burrow") == "long.md"


def test_the_same_bytes_at_two_paths_are_read_once_and_both_are_listed(engine, papers, monkeypatch):
    counts = counted(engine, monkeypatch)
    (papers / "copy of garage.md").write_text(LEASE)
    assert eventually(lambda: states(engine).get("copy of garage.md", ("",))[0] == "done")
    assert counts == {"parsed": 0, "embedded": 0}
    hit = search(engine, "six weeks' notice")["hits"][0]
    assert {hit["path"], *hit["other_paths"]} == {str(papers / "garage.md"), str(papers / "copy of garage.md")}
    (papers / "garage.md").unlink()
    assert eventually(lambda: "garage.md" not in states(engine))
    assert search(engine, "six weeks' notice")["hits"][0]["path"] == str(papers / "copy of garage.md")


def test_what_happened_while_nothing_ran_is_made_up_for(engine, start, papers, monkeypatch):
    engine.close()
    (papers / "garage.md").rename(papers / "parking.md")
    (papers / "roof.txt").unlink()
    (papers / "new.txt").write_text("A letter about the hedge between the gardens.")
    again = start()
    counts = counted(again, monkeypatch)
    finish(again)
    assert {name: state for name, (state, _) in states(again).items()} == {"parking.md": "done", "new.txt": "done"}
    assert counts["parsed"] <= 1


def test_a_folder_that_vanished_is_not_a_deletion(engine, start, papers, tmp_path):
    engine.close()
    papers.rename(tmp_path / "unplugged")
    away = start()
    finish(away)
    assert away.folders()["rows"][0]["state"] == "missing"
    assert first(away, "six weeks' notice") == "garage.md"
    (tmp_path / "unplugged").rename(papers)
    assert eventually(lambda: away.folders()["rows"][0]["state"] == "watched")


def test_a_relocated_folder_is_not_read_again(engine, start, papers, tmp_path, monkeypatch):
    engine.close()
    papers.rename(tmp_path / "elsewhere")
    again = start()
    finish(again)
    counts = counted(again, monkeypatch)
    again.folders_relocate(str(papers), str(tmp_path / "elsewhere"))
    finish(again)
    assert counts == {"parsed": 0, "embedded": 0}
    assert search(again, "six weeks' notice")["hits"][0]["path"] == str(tmp_path / "elsewhere" / "garage.md")


def test_a_removed_folder_takes_its_documents_along(engine, papers):
    assert engine.folders_remove(str(papers))["removed"] == 2
    assert search(engine, "garage")["hits"] == []
    assert engine.status()["documents"] == 0


def test_a_purged_document_is_gone_stays_away_and_comes_back_when_allowed(engine, papers):
    ask(engine, "How much does the roofer charge for the ridge tiles?")
    receipt = purge(engine, [str(papers / "roof.txt")], confirm=True)
    assert receipt["confirmed"]
    assert "roof.txt" not in paths(engine, "roofer Hallam ridge tiles")
    assert (
        conversations(engine)["total"] == 0
        or not conversation(engine, conversations(engine)["rows"][0]["id"])["answers"]
    )
    (papers / "copy.txt").write_text(ROOFER)
    engine.opened().follower.read_again()
    finish(engine)
    assert "Hallam" not in str(search(engine, "Hallam")["hits"])
    assert purge_lift(engine, str(papers / "roof.txt"))["lifted"]
    finish(engine)
    assert "Hallam" in str(search(engine, "Hallam")["hits"])


# Secrets are changed to what they were, so that each of the copies opens with the same.
CHANGES: dict[str, Callable[[Engine, Path], object]] = {
    "folder added": lambda engine, papers: engine.folders_add(str(papers)),
    "setting": lambda engine, _: settings_set(engine, "shred", "no"),
    "question asked": lambda engine, _: ask(engine, "What is the rent of the garage?"),
    "question forgotten": lambda engine, _: remove(engine, conversations(engine)["rows"][0]["id"]),
    "purge": lambda engine, papers: purge(engine, [str(papers / "roof.txt")], confirm=True),
    "purge lifted": lambda engine, papers: purge_lift(engine, str(papers / "roof.txt")),
    "keyring on": lambda engine, _: keyring_on(engine, PASSPHRASE),
    "keyring off": lambda engine, _: keyring_off(engine),
    "backup": lambda engine, papers: backup(engine, str(papers.with_name("backup"))),
    "passphrase": lambda engine, _: passwd(engine, PASSPHRASE, PASSPHRASE),
    "new keys": lambda engine, _: passwd(engine, PASSPHRASE, PASSPHRASE, revoke=True),
    "folder removed": lambda engine, papers: engine.folders_remove(str(papers)),
}


def test_after_each_change_that_was_acknowledged_an_older_vault_folder_is_refused(start, papers, tmp_path):
    """The files are copied while the engine runs, as a kill would leave them: closing, too, writes the anchor."""
    places = (tmp_path / "vault", tmp_path / "state")
    engine = start(create=True)

    def copied(name: str) -> None:
        with engine.opened().vault.read():  # nothing is written meanwhile
            for place in places:
                shutil.copytree(place, tmp_path / name / place.name)

    def put_back(*names: str) -> None:
        for place, name in zip(places, names, strict=True):
            shutil.rmtree(place)
            shutil.copytree(tmp_path / name / place.name, place)

    for name, change in CHANGES.items():
        finish(engine)
        copied(f"before {name}")
        change(engine, papers)
        copied(f"after {name}")
    engine.close()

    refused = {}
    for name in CHANGES:
        put_back(f"before {name}", f"after {name}")
        try:
            start()
        except OlderVaultError as error:
            refused[name] = (error.exit_code, "--accept-older" in error.hint)
    assert refused == dict.fromkeys(CHANGES, (3, True))
    put_back(f"after {name}", f"after {name}")
    start()


def test_what_was_purged_since_is_in_no_answer_of_an_older_copy_that_was_accepted(engine, start, papers, tmp_path):
    engine.close()
    shutil.copytree(tmp_path / "vault", tmp_path / "older")
    assert purge(start(), [str(papers / "roof.txt")], confirm=True)["confirmed"]
    start().close()
    shutil.rmtree(tmp_path / "vault")
    shutil.copytree(tmp_path / "older", tmp_path / "vault")
    with pytest.raises(OlderVaultError):
        start()
    accepted = start(accept_older=True)
    assert "Hallam" not in str(search(accepted, "Hallam")["hits"])
    assert first(accepted, "rent of the garage") == "garage.md"
    finish(accepted)  # nor is it read again
    assert "Hallam" not in str(search(accepted, "Hallam")["hits"])


def test_a_purge_has_to_be_confirmed(engine, papers):
    with pytest.raises(StrongroomError, match="confirmed"):
        purge(engine, [str(papers / "roof.txt")])
    assert first(engine, "Hallam") == "roof.txt"


def test_each_bad_file_has_a_reason_and_the_rest_goes_on(engine, papers, shared_data):
    (papers / "empty.txt").write_bytes(b"")
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no PDF")
    (papers / "program.bin").write_bytes(bytes(range(256)) * 40)
    (papers / "line\nbreak \u202efdp.txt").write_text("The mole catcher comes on Tuesday.")
    os.mkfifo(papers / "pipe.txt")
    with (papers / "huge.txt").open("wb") as huge:
        huge.truncate(2 << 30)
    locked = shared_data / "parsers/pypdf/resources/encryption/r4-user-password.pdf"
    (papers / "locked.pdf").write_bytes(locked.read_bytes())
    assert eventually(lambda: "line\nbreak \u202efdp.txt" in states(engine))
    finish(engine)
    found = states(engine)
    assert found["empty.txt"] == ("done", "empty: 0 bytes")
    assert found["broken.pdf"][0] == "failed"
    assert found["broken.pdf"][1]
    assert found["program.bin"][0] == "unsupported"
    assert found["huge.txt"][0] in ("failed", "unsupported", "partial")
    assert found["huge.txt"][1]
    assert "password" in found["locked.pdf"][1]
    assert "pipe.txt" not in found
    assert found["line\nbreak \u202efdp.txt"][0] == "done"
    assert first(engine, "mole catcher") == "line\nbreak \u202efdp.txt"


def test_a_question_of_a_hundred_thousand_characters_is_refused_with_its_length(engine):
    with pytest.raises(StrongroomError, match="100,000 characters"):
        ask(engine, "why " * 25_000)


def test_an_empty_question_is_refused(engine):
    with pytest.raises(StrongroomError, match="no question"):
        ask(engine, "  \n ")


def test_after_ten_minutes_without_use_the_passphrase_is_asked_for_again(start, papers):
    clock = Clock()
    engine = start(create=True, now=clock)
    engine.folders_add(str(papers))
    finish(engine)
    clock.now += 9 * 60
    search(engine, "garage")
    clock.now += 9 * 60
    engine.status()
    search(engine, "garage")
    clock.now += 11 * 60
    with pytest.raises(LockedError):
        search(engine, "garage")
    assert "folders" not in engine.status()
    (papers / "later.txt").write_text("The chimney sweep was here.")  # it goes on watching
    with pytest.raises(StrongroomError, match="passphrase"):
        engine.unlock("not the passphrase")
    with pytest.raises(LockedError):
        search(engine, "garage")
    engine.unlock(PASSPHRASE)
    assert eventually(lambda: first(engine, "chimney sweep") == "later.txt")
    assert not engine.ended.is_set()


def test_the_engine_ends_with_the_lock_where_the_user_wants_that(start):
    clock = Clock()
    engine = start(create=True, now=clock)
    settings_set(engine, "lock_ends_engine", value="yes")
    clock.now += 11 * 60
    assert eventually(engine.ended.is_set)


def test_an_engine_that_was_told_to_end_says_so_and_takes_no_passphrase_any_more(start):
    """What is typed at it would be lost with it: the page must not show a lock that this engine cannot open."""
    engine = start(create=True)
    engine.lock(mode="all")
    for _ in range(2):
        assert engine.status()["state"] == "ending"
        assert "folders" not in engine.status()
        with pytest.raises(StrongroomError, match="is ending"):
            engine.unlock(PASSPHRASE)
        engine.close()


def test_a_status_does_not_count_as_use(start):
    clock = Clock()
    engine = start(create=True, now=clock)
    for _ in range(12):
        clock.now += 60
        engine.status()
    assert engine.status()["idle_locked"]


def test_an_unknown_setting_or_value_is_named(engine):
    with pytest.raises(StrongroomError, match="'colour'"):
        settings_set(engine, "colour", value="red")
    with pytest.raises(StrongroomError, match="'soon'"):
        settings_set(engine, "auto_lock_minutes", value="soon")
    assert settings_set(engine, "auto_lock_minutes", value="3")["auto_lock_minutes"] == 3


def test_a_folder_inside_a_watched_one_or_around_it_is_refused(engine, papers):
    (papers / "inner").mkdir()
    with pytest.raises(StrongroomError, match="watched already"):
        engine.folders_add(str(papers / "inner"))
    with pytest.raises(StrongroomError, match="watched already"):
        engine.folders_add(str(papers.parent))


def test_a_folder_that_is_not_there_or_is_a_file_is_named(engine, papers):
    with pytest.raises(StrongroomError, match=r"no folder .*nowhere"):
        engine.folders_add(str(papers / "nowhere"))
    with pytest.raises(StrongroomError, match="is a file"):
        engine.folders_add(str(papers / "roof.txt"))


def test_the_vaults_own_folder_is_never_read(engine, tmp_path):
    with pytest.raises(StrongroomError, match="own folder"):
        engine.folders_add(str(tmp_path / "vault"))


def test_unfinished_work_is_taken_up_again(engine, start):
    with engine.opened().vault.write() as db:
        db.execute("DELETE FROM vector")
        db.execute("UPDATE file SET state = 'embedding' WHERE shown LIKE '%garage.md'")
        db.execute("UPDATE file SET state = 'waiting' WHERE shown LIKE '%roof.txt'")
    again = start()
    finish(again)
    assert {state for state, _ in states(again).values()} == {"done"}
    status = again.status()
    assert status["vectors"] == status["chunks"] > 0


def test_a_file_with_a_name_that_is_no_text_is_read(engine, papers):
    with open(os.fsencode(papers) + b"/jam\xff.txt", "w") as file:
        file.write("The jam of the damson tree keeps for two years.")
    assert eventually(lambda: "damson" in str(search(engine, "damson jam")["hits"]))


def test_a_file_that_is_still_being_written_is_waited_for(engine, papers):
    with (papers / "growing.txt").open("w") as file:
        file.write("The first half is about otters. ")
        file.flush()
        engine.opened().follower.read_again()
        finish(engine)
        assert "growing.txt" not in states(engine)
        file.write("The second half is about ospreys.")
    assert eventually(lambda: first(engine, "ospreys") == "growing.txt")


def test_an_error_of_ours_costs_one_file_and_is_said(engine, papers, monkeypatch):
    from ingest import chunk

    cut = chunk.chunk

    def failing(document, *rest):
        if "pelican" in document.text:
            raise ZeroDivisionError
        return cut(document, *rest)

    monkeypatch.setattr(chunk, "chunk", failing)
    (papers / "odd.txt").write_text("A pelican.")
    assert eventually(lambda: states(engine).get("odd.txt", ("",))[0] == "failed")
    assert "ZeroDivisionError" in states(engine)["odd.txt"][1]
    (papers / "plain.txt").write_text("A cormorant on the pier.")
    assert eventually(lambda: first(engine, "cormorant pier") == "plain.txt")


def test_waiting_ends_where_the_work_cannot_go_on(engine, papers, monkeypatch):
    def failing(_batch):
        raise ZeroDivisionError

    monkeypatch.setattr(engine.opened().pipeline, "_store", failing)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    (papers / "more.txt").write_text("More.")
    assert eventually(lambda: engine.opened().pipeline.broken)
    with pytest.raises(StrongroomError, match="ZeroDivisionError"):
        engine.wait(seconds=30)


def test_on_battery_embedding_waits_and_words_find_all_the_same(start, papers, monkeypatch):
    monkeypatch.setattr("engine.engine.on_battery", lambda: True)
    engine = start(create=True)
    engine.folders_add(str(papers))
    assert eventually(lambda: first(engine, "six weeks' notice") == "garage.md")
    assert {state for state, _ in states(engine).values()} == {"embedding"}
    status = engine.status()
    assert status["vectors"] == 0
    assert "battery" in status["reason"]
    monkeypatch.setattr("engine.engine.on_battery", lambda: False)
    finish(engine)
    assert engine.status()["vectors"] == engine.status()["chunks"] > 0


def test_a_full_disk_is_said_loses_nothing_and_the_work_goes_on_when_there_is_room(engine, papers):
    vault = engine.opened().vault
    with vault.read() as db:
        room = db.pragma("max_page_count")
        db.pragma("max_page_count", db.pragma("page_count"))
    (papers / "long.txt").write_text("\n\n".join(f"Paragraph {n} tells of the heron {n * n}." * 9 for n in range(900)))
    assert eventually(lambda: "full" in engine.status()["reason"], seconds=40), engine.status()
    assert first(engine, "six weeks' notice") == "garage.md"
    with vault.read() as db:
        db.pragma("max_page_count", room)
    assert eventually(lambda: first(engine, "heron 810000 808201") == "long.txt", seconds=40)
    finish(engine)
    assert engine.status()["reason"] == ""


KILLED = """
import sys
from pathlib import Path
from engine import client
root = Path(sys.argv[1])
with client.in_process(root / "vault", root / "state") as engine:
    engine.call("unlock", passphrase=sys.argv[2])
    print("begun", flush=True)
    engine.call("wait")
"""


def test_killed_at_any_moment_it_goes_on_where_it_was(start, papers, tmp_path, shared_data):
    mails = sorted(each for each in (shared_data / "emails/enron_maildir/maildir").rglob("*") if each.is_file())[:150]
    for number, mail in enumerate(mails):
        (papers / f"{number}.eml").write_bytes(mail.read_bytes())
    engine = start(create=True)
    settings_set(engine, "embed_on_battery", value=True)
    engine.folders_add(str(papers))
    engine.close()
    for seconds in (0.2, 0.7, 1.3):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, tmp_path, PASSPHRASE], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert child.stdout.readline() == "begun\n"
        time.sleep(seconds)
        child.kill()
        child.wait()
    again = start()
    finish(again)
    assert {state for state, _ in states(again).values()} == {"done"}
    status = again.status()
    assert status["vectors"] == status["chunks"] > 100
    with again.opened().vault.read() as db:
        assert db.execute("SELECT count(DISTINCT file) FROM location").get == len(mails) + 2
        assert db.execute("SELECT count(*) FROM chunk").get == status["chunks"]
    assert first(again, "six weeks' notice") == "garage.md"
