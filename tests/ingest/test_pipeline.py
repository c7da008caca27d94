"""What lay in a file before it was changed leaves the vault when the file has been read again."""

import os
import time

import pytest

from engine.asking import search
from engine.engine import Engine
from engine.erasing import purge
from vault.keys import FLOOR

MAIL = "From x@y.example Thu Jan  1 00:00:00 2026\nSubject: {0}\nMessage-ID: <{0}@y.example>\n\nThe {0} is sold.\n\n"


WITH_ATTACHMENT = """From: x@y.example
Subject: {0}
Message-ID: <{0}@y.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain

The {0} is attached.
--x
Content-Type: text/markdown; name=boiler.md
Content-Disposition: attachment; filename=boiler.md

# Boiler

The boiler was serviced by the plumber Vandersteen.
--x--
"""


@pytest.fixture
def engine(tmp_path, zygote, embedder):
    started = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    started.create("a passphrase for the pipeline")
    yield started
    started.close()


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    return folder


def written(path, text: str) -> None:
    """Write so that the file counts as finished at once: its last change lies a while back."""
    aside = path.with_name(".aside")
    aside.write_text(text)
    os.utime(aside, (time.time() - 60 + len(text) / 1000,) * 2)
    aside.replace(path)


def placed(engine: Engine) -> dict[str, int]:
    """Every document of the vault by its title, and at how many places it lies."""
    with engine.opened().vault.read() as db:
        return dict(
            db.execute("SELECT title, (SELECT count(*) FROM location WHERE document = number) FROM document").fetchall()
        )


def until(engine: Engine, wanted: dict[str, int]) -> None:
    for _ in range(600):
        engine.wait(seconds=60)
        if placed(engine) == wanted:
            return
        time.sleep(0.05)
    assert placed(engine) == wanted


def test_the_version_before_an_edit_leaves_the_vault(engine, papers):
    written(papers / "a.md", "# First\n\nThe boiler was serviced.\n")
    engine.folders_add(str(papers))
    until(engine, {"First": 1})
    for n in range(3):
        written(papers / "a.md", f"# Second {n}\n\nThe piano was tuned {n} times.\n")
        until(engine, {f"Second {n}": 1})
    assert not [hit for hit in search(engine, "boiler serviced")["hits"] if "boiler" in hit["quote"]]


def test_a_mail_that_changes_its_place_in_an_mbox_stays_and_one_that_went_leaves(engine, papers):
    written(papers / "a.mbox", MAIL.format("sloop") + MAIL.format("barge"))
    engine.folders_add(str(papers))
    until(engine, {"sloop": 1, "barge": 1})
    with engine.opened().vault.read() as db:
        before = dict(db.execute("SELECT title, number FROM document").fetchall())
    written(papers / "a.mbox", MAIL.format("ketch") + MAIL.format("barge") + MAIL.format("sloop"))
    until(engine, {"ketch": 1, "barge": 1, "sloop": 1})
    written(papers / "a.mbox", MAIL.format("ketch") + MAIL.format("sloop"))
    until(engine, {"ketch": 1, "sloop": 1})
    with engine.opened().vault.read() as db:
        assert db.execute("SELECT number FROM document WHERE title = 'sloop'").get == before["sloop"]


def test_what_another_file_holds_stays_when_one_of_them_is_edited(engine, papers):
    for name in ("a.md", "b.md"):
        written(papers / name, "# Twice\n\nThe boiler was serviced.\n")
    engine.folders_add(str(papers))
    until(engine, {"Twice": 2})
    written(papers / "b.md", "# Once\n\nThe piano was tuned.\n")
    until(engine, {"Twice": 1, "Once": 1})


def test_a_file_with_two_names_is_read_again_under_both(engine, papers, tmp_path):
    """The system tells of a change by the name that was written to, and of that one only."""
    (papers / "one").mkdir()
    written(papers / "one" / "a.md", "# First\n\nThe boiler was serviced.\n")
    os.link(papers / "one" / "a.md", papers / "b.md")
    engine.folders_add(str(papers))
    until(engine, {"First": 2})
    time.sleep(1.1)
    (papers / "b.md").write_text("# Second\n\nThe piano was tuned.\n")
    until(engine, {"Second": 2})


def test_a_purged_document_does_not_come_in_again_with_another_mail_that_it_hangs_on(engine, papers):
    written(papers / "1.eml", WITH_ATTACHMENT.format("sloop"))
    engine.folders_add(str(papers))
    until(engine, {"sloop": 1, "Boiler": 1})
    with engine.opened().vault.read() as db:
        attached = db.execute("SELECT id FROM document WHERE title = 'Boiler'").get
    assert purge(engine, [attached], confirm=True)["confirmed"]
    written(papers / "2.eml", WITH_ATTACHMENT.format("barge"))
    until(engine, {"sloop": 1, "barge": 1})
    assert "Vandersteen" not in str(search(engine, "plumber Vandersteen")["hits"])
