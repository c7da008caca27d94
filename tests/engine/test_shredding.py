"""The second stage of a purge in a whole engine: by itself, while it is used, after a restart, and not against a wish."""

import shutil
import threading
import time
from pathlib import Path

import pytest

from engine import shredding
from engine.asking import search
from engine.engine import Engine
from engine.erasing import purge, purge_preview, receipts, shred
from engine.keeping import backup, settings_set
from engine.privacy import privacy
from vault import pages, recrypt
from vault.errors import StrongroomError
from vault.keys import FLOOR
from vault.records import Picture

PASSPHRASE = "a passphrase for tests"
SECONDS = 120  # for a machine that has much else to do


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(12):
        (folder / f"paper{number}.txt").write_text(f"The parcel {number} of quince jelly goes to Mill Lane {number}.\n")
    return folder


@pytest.fixture
def start(tmp_path, zygote, embedder, papers, monkeypatch):
    """Start an engine on the test's vault; it waits a tenth of a second for another purge."""
    monkeypatch.setattr(shredding, "QUIET_SECONDS", 0.1)
    running: list[Engine] = []

    def start(*, create: bool = False) -> Engine:
        while running:
            running.pop().close()
        engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
        running.append(engine)
        if create:
            engine.create(PASSPHRASE)
            engine.folders_add(str(papers))
            engine.wait(seconds=SECONDS)
        else:
            engine.unlock(PASSPHRASE)
        return engine

    yield start
    while running:
        running.pop().close()


def until(true, what: str = ""):
    end = time.monotonic() + SECONDS
    while not (found := true()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


def stages(engine) -> list[str]:
    """The newest first."""
    return [row["stage"]["name"] for row in receipts(engine)["rows"]]


def test_it_is_done_by_itself_and_the_receipt_says_so(start, papers, tmp_path):
    engine = start(create=True)
    vault = engine.opened().vault
    old = vault.database_key
    made = backup(engine, str(tmp_path / "before"))
    assert made["generation"]
    assert engine.status()["shredding"]["stage"] == "none"
    receipt = purge(engine, [str(papers / "paper3.txt")], confirm=True)
    assert receipt["confirmed"]
    assert receipt["stage"]["name"] in ("erased", "shredding", "shredded")
    until(lambda: stages(engine) == ["shredded"], "it never came to an end")
    (row,) = receipts(engine)["rows"]
    assert row["stage"]["confirmed"]
    assert row["stage"]["pages"] > 10
    assert {check["what"] for check in row["stage"]["checks"]} >= {"ids", "passages of the text"}
    assert row["backups"] == [{"path": str(tmp_path / "before"), "at": made["at"], "holds": "yes"}]
    status = engine.status()["shredding"]
    assert (status["stage"], status["pending"], status["done_to"]) == ("none", 0, row["id"])
    (shown,) = privacy(engine)["receipts"]
    assert shown["stage"] == row["stage"]
    vault.checkpoint()
    with pytest.raises(StrongroomError):
        list(pages.decrypted(vault.database, old))
    assert search(engine, "quince jelly parcel 7")["hits"]


def test_a_backup_from_before_the_document_came_is_told_from_one_that_has_it(start, papers, tmp_path):
    engine = start(create=True)
    backup(engine, str(tmp_path / "earlier"))
    (papers / "late.txt").write_text("The marmalade of Bergamot Row is sold by the hundredweight.\n")
    engine.opened().follower.read_again()
    until(lambda: engine.status()["documents"] == 13)
    backup(engine, str(tmp_path / "with it"))
    purge(engine, [str(papers / "late.txt")], confirm=True)
    backup(engine, str(tmp_path / "after"))
    (row,) = receipts(engine)["rows"]
    assert [(Path(each["path"]).name, each["holds"]) for each in row["backups"]] == [
        ("with it", "yes"),
        ("earlier", "perhaps"),
    ]


def test_questions_and_new_files_go_on_while_it_is_done(start, papers, monkeypatch):
    engine = start(create=True)
    slow = recrypt.Copy._bring

    def slowly(self, *arguments):
        time.sleep(0.05)
        slow(self, *arguments)

    monkeypatch.setattr(recrypt.Copy, "_bring", slowly)
    monkeypatch.setattr(shredding, "_STEP_PAGES", 4)
    purge(engine, [str(papers / "paper3.txt")], confirm=True)
    until(lambda: engine.status()["shredding"]["stage"] == "copying")
    assert stages(engine) == ["shredding"]
    (papers / "late.txt").write_text("The marmalade of Bergamot Row is sold by the hundredweight.\n")
    engine.opened().follower.read_again()
    until(lambda: search(engine, "marmalade bergamot hundredweight")["hits"][0]["path"].endswith("late.txt"))
    assert stages(engine) == ["shredding"]  # not over yet
    until(lambda: stages(engine) == ["shredded"])
    assert search(engine, "marmalade bergamot hundredweight")["hits"][0]["path"].endswith("late.txt")
    engine = start()
    assert search(engine, "marmalade bergamot hundredweight")["hits"][0]["path"].endswith("late.txt")
    assert not any("Mill Lane 3." in hit["quote"] for hit in search(engine, "quince jelly parcel 3", k=50)["hits"])


def test_it_goes_on_after_the_vault_was_closed(start, papers, tmp_path, monkeypatch):
    engine = start(create=True)
    copy = tmp_path / "vault" / "store-2.db"
    with monkeypatch.context() as patch:
        patch.setattr(shredding, "_STEP_PAGES", 1)
        slow = recrypt.Copy._bring
        patch.setattr(recrypt.Copy, "_bring", lambda *a: (time.sleep(0.05), slow(*a)))
        purge(engine, [str(papers / "paper3.txt")], confirm=True)
        until(lambda: engine.status()["shredding"]["done"] > 5)
        engine.close()
    assert copy.stat().st_size > 5 * 4096
    engine = start()
    until(lambda: stages(engine) == ["shredded"])
    assert engine.opened().vault.database == copy


def test_the_setting_no_leaves_it_erased_and_yes_begins(start, papers, tmp_path):
    engine = start(create=True)
    settings_set(engine, "shred", "no")
    assert purge_preview(engine, str(papers / "paper3.txt"))["shredding"]["wanted"] is False
    receipt = purge(engine, [str(papers / "paper3.txt")], confirm=True)
    assert receipt["stage"] == {"name": "erased", "why": "the setting `shred` is no"}
    assert shred(engine)["stage"] == "off"
    time.sleep(0.5)
    assert stages(engine) == ["erased"]
    assert not (tmp_path / "vault" / "store-2.db").exists()
    settings_set(engine, "shred", "yes")
    until(lambda: stages(engine) == ["shredded"])


def test_too_little_space_is_said_before_and_it_begins_when_there_is_enough(start, papers, monkeypatch):
    engine = start(create=True)
    usage = shutil.disk_usage("/")
    space = [1_000_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=space[0]))
    monkeypatch.setattr(shredding, "_ROOM_SECONDS", 0.1)
    before = purge_preview(engine, str(papers / "paper3.txt"))["shredding"]
    assert before["fits"] is False
    assert before["needed_bytes"] > engine.opened().vault.database.stat().st_size
    assert before["free_bytes"] == 1_000_000
    receipt = purge(engine, [str(papers / "paper3.txt")], confirm=True)
    assert receipt["confirmed"]  # erased all the same
    assert "shredding needs" in receipt["stage"]["why"]
    assert shred(engine)["stage"] == "room"
    assert engine.status()["shredding"]["why"].endswith("1 MiB are free")
    space[0] = usage.total
    until(lambda: stages(engine) == ["shredded"])


def test_several_purges_in_a_row_cost_one_copy(start, papers, monkeypatch):
    monkeypatch.setattr(shredding, "QUIET_SECONDS", 3600.0)
    engine = start(create=True)
    for number in (1, 2, 3):
        purge(engine, [str(papers / f"paper{number}.txt")], confirm=True)
    assert stages(engine) == ["erased"] * 3
    heard = []
    assert shred(engine, notify=lambda method, found: heard.append((method, found["stage"])))["stage"] == "none"
    assert {method for method, _ in heard} == {"shredding"}
    assert stages(engine) == ["shredded"] * 3
    assert engine.opened().vault.header.epoch == 2


def test_what_stays_in_the_engines_memory_is_on_the_receipt(start, papers, monkeypatch):
    engine = start(create=True)
    name = search(engine, "quince jelly parcel 3")["hits"][0]["document"]
    receipt = purge(engine, [str(papers / "paper3.txt")], confirm=True)
    told = {(check["what"], check["where"]): (check["searched"], check["found"]) for check in receipt["checks"]}
    assert told["passages", "the indexes in the engine's memory"] == (1, 0)
    assert told["pictures of its pages", "the engine's memory"] == (1, 0)
    assert receipt["confirmed"]
    assert name not in str(receipt)
    # what a mistake would leave there is seen
    name = search(engine, "quince jelly parcel 4")["hits"][0]["document"]
    engine.drawn.keep((name, 1, 800), Picture(b"x", "image/png", 1, 1, 9, 9, 9.0, 9.0), since=engine.drawn.forgotten)
    monkeypatch.setattr(engine, "forget", lambda: None)
    monkeypatch.setattr(engine.opened().index, "refresh", lambda removed: None)
    receipt = purge(engine, [str(papers / "paper4.txt")], confirm=True)
    assert not receipt["confirmed"]
    assert {check["where"] for check in receipt["checks"] if check["found"]} == {
        "the indexes in the engine's memory",
        "the engine's memory",
    }
    assert receipts(engine)["rows"][0]["confirmed"] is False


def test_a_damaged_page_is_said_and_the_vault_goes_on(start, papers):
    engine = start(create=True)
    vault = engine.opened().vault
    settings_set(engine, "shred", "no")
    purge(engine, [str(papers / "paper3.txt")], confirm=True)
    vault.checkpoint()
    with vault.database.open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"x")
    settings_set(engine, "shred", "yes")
    status = until(lambda: (found := engine.status()["shredding"])["stage"] == "failed" and found)
    assert "is damaged" in status["why"]
    assert stages(engine) == ["erased"]
    assert vault.header.epoch == 1


def test_locking_while_it_is_done_ends_it_in_time(start, papers, monkeypatch):
    engine = start(create=True)
    monkeypatch.setattr(shredding, "_STEP_PAGES", 1)
    purge(engine, [str(papers / "paper3.txt")], confirm=True)
    until(lambda: engine.status()["shredding"]["stage"] != "soon")
    engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "shred"]
