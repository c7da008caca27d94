"""Vaults and backups that earlier Strongrooms made (tests/vault/formats, by the database's version) open and work."""

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.asking import ask, search
from engine.engine import Engine
from engine.erasing import purge, receipts
from engine.history import conversations
from engine.reading import documents
from retrieval import keyword
from tests.counting import Counting
from vault.anchor import Anchor
from vault.backup import restore
from vault.errors import DamagedVaultError
from vault.schema import MIGRATIONS
from vault.vault import Vault

FORMATS = Path(__file__).with_name("formats")
PASSPHRASE = "nine quiet otters downstream"
MADE = sorted(folder.name for folder in FORMATS.iterdir() if folder.name.isdigit())
COPIES = [name for version in MADE for name in (version, f"{version}/killed") if (FORMATS / name).is_dir()]


@pytest.fixture
def copied(tmp_path):
    """A golden folder's copy, with the rights that a vault has."""

    def copy(name: str) -> Path:
        for each in ("vault", "state", "backup"):
            if (FORMATS / name / each).is_dir():
                shutil.copytree(FORMATS / name / each, tmp_path / each)
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chmod(path, 0o700 if path.is_dir() else 0o600)
        return tmp_path

    return copy


def test_every_earlier_version_is_kept_here():
    assert [int(version) for version in MADE] == list(range(1, int(MADE[-1]) + 1))
    assert int(MADE[-1]) >= len(MIGRATIONS) - 1, "keep a vault of the version before (tests/vault/formats/make.py)"


@pytest.fixture
def opened(zygote, embedder):
    """Engines on folders, and what each embedded; closed in the end."""
    started = []

    def open_(folder: Path) -> tuple[Engine, list[str]]:
        counting = Counting(embedder)
        started.append(Engine(folder / "vault", folder / "state", zygote, load=lambda: counting))
        started[-1].unlock(PASSPHRASE)
        return started[-1], counting.embedded

    yield open_
    for engine in started:
        engine.close()


@pytest.mark.parametrize("name", COPIES)
def test_a_vault_of_an_earlier_version_opens_answers_and_is_purged(copied, opened, name):
    folder = copied(name)
    engine, embedded = opened(folder)
    engine.wait(seconds=60)
    assert embedded == []
    assert engine.status()["documents"] == 2
    assert engine.status()["chunks"] == engine.status()["vectors"] > 0
    answer = ask(engine, "When does the lease end?")
    [cited] = answer["statements"][0]["citations"]
    assert cited["quote"] == "The lease begins on 1 March 2024 and ends on 28 February 2026."
    assert search(engine, "Hallam ridge tiles")["hits"][0]["sender"] == "Pat <pat@roof.example>"
    assert len(conversations(engine)["rows"]) == 3
    assert receipts(engine)["rows"][0]["confirmed"]
    rows = documents(engine)["rows"]
    assert {row["title"] for row in rows} == {"Lease of the garage in Mill Lane", "The roof"}
    assert purge(engine, [row["id"] for row in rows if row["title"] == "The roof"], confirm=True)["confirmed"]
    engine.close()
    vault = Vault.open(folder / "vault", json.loads((FORMATS / name.split("/")[0] / "made.json").read_text())
                       ["recovery_code"], state=folder / "state")  # fmt: skip
    with vault.read() as db:
        assert db.pragma("user_version") == len(MIGRATIONS)
        assert db.pragma("integrity_check") == "ok"
        assert db.execute("SELECT title FROM document").fetchall() == [("Lease of the garage in Mill Lane",)]
    vault.close()
    record = Anchor(folder / "vault" / "anchor", bytes.fromhex(vault.id), vault.derived_key("strongroom anchor"))
    assert record.newest().pages  # its anchor is of today's version


@pytest.mark.parametrize("name", MADE)
def test_a_backup_of_an_earlier_version_is_restored_without_what_was_purged_since(copied, name):
    folder = copied(name)
    shutil.rmtree(folder / "vault")
    done = restore(folder / "backup", folder / "vault", PASSPHRASE, folder / "state", remove_from_index=keyword.remove)
    with done.vault.read() as db:
        titles = {title for (title,) in db.execute("SELECT title FROM document")}
    done.vault.close()
    assert done.purged.confirmed
    assert titles == {"Lease of the garage in Mill Lane", "The roof"}


@pytest.mark.parametrize("name", MADE)
def test_a_vault_of_an_earlier_version_put_back_over_its_successor_is_refused(copied, name):
    folder = copied(name)
    kept = (folder / "vault" / "store-1.db").read_bytes()
    Vault.open(folder / "vault", PASSPHRASE, state=folder / "state").close()
    (folder / "vault" / "store-1.db").write_bytes(kept)
    with pytest.raises(DamagedVaultError):
        Vault.open(folder / "vault", PASSPHRASE, state=folder / "state")
