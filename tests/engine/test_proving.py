"""The vault's own promises, tried: what is not so is told, on vaults that were spoilt for it."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import proving, verifying
from engine.engine import Engine
from engine.verdict import from_json
from vault import store
from vault.errors import StrongroomError
from vault.keys import FLOOR
from vault.vault import Vault

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a passphrase for tests"


@pytest.fixture(scope="module")
def made(tmp_path_factory, zygote, embedder):
    """A closed vault with two papers, one of them purged."""
    folder = tmp_path_factory.mktemp("proving")
    papers = folder / "papers"
    papers.mkdir()
    (papers / "roof.txt").write_text("The roofer Hallam replaces the ridge tiles on 12 May.\n" * 200)
    (papers / "gone.txt").write_text("The garage in Mill Lane is let for 85 pounds a month.\n")
    engine = Engine(folder / "vault", folder / "state", zygote, cost=FLOOR, load=lambda: embedder)
    engine.create(PASSPHRASE)
    engine.folders_add(str(papers))
    engine.wait(seconds=60)
    from engine.erasing import purge

    purge(engine, [str(papers / "gone.txt")], confirm=True)
    engine.close()
    return folder


@pytest.fixture
def place(made, tmp_path):
    """A copy of it that may be spoilt."""
    for each in ("vault", "state"):
        shutil.copytree(made / each, tmp_path / each, ignore=shutil.ignore_patterns("*.sock"))
    (tmp_path / "aside").mkdir()
    return tmp_path


def opened(place):
    return Vault.open(place / "vault", PASSPHRASE, state=place / "state")


def tried(place, *, most_copied=1 << 30, seconds=60):
    vault = opened(place)
    try:
        rows = proving.opened(vault, place / "aside", most_copied=most_copied, seconds=seconds)
    finally:
        vault.close()
    assert list((place / "aside").iterdir()) == []  # no copy stays
    return {each.id: each for each in rows}


def results(rows):
    return {each.id: each.result for each in rows}


def test_of_a_whole_vault_everything_is_held(place):
    assert set(results(proving.closed(place / "vault")).values()) == {"held"}
    assert {name: each.result for name, each in tried(place).items()} == {
        "vault.wrong": "held", "vault.whole": "held", "vault.tampered": "held", "purge.stays": "held",
    }  # fmt: skip
    row = proving.purged_on_a_copy(place / "vault", PASSPHRASE, place / "aside", most=1 << 30)
    assert (row.result, row.found) == ("held", "found nowhere")
    assert list((place / "aside").iterdir()) == []
    with opened(place).read() as db:
        assert db.execute("SELECT count(*) FROM document").get == 1  # it was a copy that lost it


def test_rights_for_others_are_told(place):
    (place / "vault" / "header").chmod(0o640)
    [row] = [each for each in proving.closed(place / "vault") if each.id == "vault.modes"]
    assert (row.result, row.found) == ("not held", "others may reach header")


def test_a_database_in_the_clear_is_told_whatever_it_begins_with(place):
    [database] = (place / "vault").glob("store-*.db")
    words = b"The roofer Hallam replaces the ridge tiles on 12 May. " * 2000
    for content in (b"SQLite format 3\0" + os.urandom(40_000), os.urandom(16_384) + words):
        database.write_bytes(content)
        assert results(proving.closed(place / "vault"))["vault.noise"] == "not held"


def test_a_header_whose_bits_are_not_looked_at_is_told(place, monkeypatch):
    whole = proving.keys.Header.from_bytes((place / "vault" / "header").read_bytes())
    monkeypatch.setattr(proving.keys.Header, "from_bytes", lambda _raw: whole)
    assert results(proving.closed(place / "vault"))["vault.header"] == "not held"


def test_a_vault_that_opens_with_anything_is_told(place, monkeypatch):
    vault = opened(place)
    try:
        monkeypatch.setattr(proving.keys, "unlock_with_passphrase", lambda _header, _passphrase: None)
        rows = proving.opened(vault, place / "aside", most_copied=0, seconds=60)
    finally:
        vault.close()
    assert results(rows)["vault.wrong"] == "not held"


def test_a_damaged_page_is_told(place):
    vault = opened(place)
    try:
        database = place / "vault" / store.name(vault.header.epoch)
        vault.read().__enter__().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        data = bytearray(database.read_bytes())
        data[len(data) - 2000] ^= 1
        database.write_bytes(data)
        with vault.read() as db:
            db.execute("PRAGMA cache_size=0")
            db.execute("PRAGMA shrink_memory")
        rows = results(proving.opened(vault, place / "aside", most_copied=1 << 30, seconds=60))
    finally:
        vault.close()
    assert rows["vault.whole"] == "not held"
    assert rows["vault.tampered"] == "not held"  # the copy was not whole before


def test_a_copy_that_is_read_without_its_tags_is_told(place, monkeypatch):
    monkeypatch.setattr(proving, "_intact", lambda _path, _key: True)
    assert tried(place)["vault.tampered"].result == "not held"


def test_a_purged_document_that_is_there_again_is_told(place):
    vault = opened(place)
    try:
        with vault.write() as db:
            [there] = db.execute("SELECT id FROM document").fetchone()
            db.execute("INSERT INTO purged (tag, at) VALUES (?, 0)", (vault.purge_tag(there),))
        rows = proving.opened(vault, place / "aside", most_copied=0, seconds=60)
    finally:
        vault.close()
    assert results(rows)["purge.stays"] == "not held"


def test_what_is_too_large_is_not_tried_and_not_called_held(place, monkeypatch):
    monkeypatch.setattr(proving, "_PROGRESS_STEPS", 1)
    rows = tried(place, most_copied=10, seconds=-1)
    assert (rows["vault.whole"].result, rows["vault.tampered"].result) == ("unknown", "unknown")
    row = proving.purged_on_a_copy(place / "vault", PASSPHRASE, place / "aside", most=10)
    assert row.result == "unknown"


def test_the_command_beside_a_row_shows_the_same_and_leaves_the_vault_as_it_is(place):
    """A byte of a copy is changed and opened by hand, as it stands there, but for where the copy lies."""
    before = {each: each.read_bytes() for each in (place / "state").rglob("anchor")}
    row = next(each for each in proving.closed(place / "vault") if each.id == "vault.header")
    command = row.command.replace("/tmp/copy", shlex.quote(str(place / "copy"))).replace(
        "strongroom --vault", f"{sys.executable} -m ui.command --vault"
    ).replace("verify --short", "list")  # fmt: skip
    (place / "secret").write_text(PASSPHRASE)
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=90, check=False, cwd=place,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(place / "usual"),
            "STRONGROOM_PASSPHRASE_FILE": str(place / "secret"),
        },
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert {each: each.read_bytes() for each in (place / "state").rglob("anchor")} == before
    assert not (place / "usual").exists()


# --- what is kept -----------------------------------------------------------------------------------------------------


def report(by="command", at=1.0, rows=()):
    return {"at": at, "seconds": 2.0, "version": "1", "system": "Linux", "by": by, "rows": [each.to_json() for each in rows]}


def test_the_last_report_of_each_is_kept_newest_first(place):
    vault = opened(place)
    rows = proving.closed(place / "vault")
    try:
        assert proving.kept(vault) == []
        for each in (report(at=1.0), report("page", 2.0), report(at=3.0, rows=rows)):
            proving.keep(vault, each)
        assert [(each["by"], each["at"]) for each in proving.kept(vault)] == [("command", 3.0), ("page", 2.0)]
        assert from_json(proving.kept(vault)[0]["rows"]) == rows
        with pytest.raises(StrongroomError, match="too long"):
            proving.keep(vault, report() | {"system": "x" * 300_000})
    finally:
        vault.close()


def test_the_engine_tries_itself_keeps_it_and_refuses_what_is_no_report(made, tmp_path, zygote, embedder):
    shutil.copytree(made / "vault", tmp_path / "vault")
    engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    engine.unlock(PASSPHRASE, accept_older=True)
    try:
        found = verifying.verify(engine, page={"refused": ["internet socket"], "failed": ""})
        there = results(from_json(found["rows"]))
        assert {"lock.page", "vault.whole", "vault.tampered", "program.versions", "machine.disk"} <= set(there)
        assert "not held" not in there.values(), there
        assert verifying.last(engine)["reports"][0]["rows"] == found["rows"]
        verifying.keep(engine, report(at=5.0))
        assert [each["by"] for each in verifying.last(engine)["reports"]] == ["command", "page"]
        for wrong in ({}, {"rows": 7}, report() | {"at": "now"}):
            with pytest.raises(StrongroomError, match="no report"):
                verifying.keep(engine, wrong)
        assert list(engine.state.glob("verify-*")) == []
    finally:
        engine.close()
