"""A vault that was closed is held against the pages that it was closed with."""

import apsw
import pytest

from vault import resting, store
from vault.errors import DamagedVaultError
from vault.failures import NoVaultError, OldPagesError
from vault.vault import Vault

PAGE = 4096


def filled(place, value: str) -> bytes:
    """Write a row over many pages, close, and return the database."""
    vault = place.open()
    with vault.write() as db:
        db.executemany(
            "INSERT OR REPLACE INTO setting VALUES (?, ?)", ((f"key {n}", f"{value} {n} " * 300) for n in range(40))
        )
    vault.close()
    return (place.folder / "store-1.db").read_bytes()


def mixed(old: bytes, new: bytes) -> bytes:
    """The newer database with the older's content pages: not its first, which says how large it is, nor its last."""
    middle = len(new) // PAGE // 2 * PAGE
    assert old[middle : middle + PAGE] != new[middle : middle + PAGE]
    return new[:middle] + old[middle : middle + PAGE] + new[middle + PAGE :]


def test_one_old_page_put_back_is_refused_until_it_is_accepted(place):
    old, new = filled(place, "old"), filled(place, "new")
    (place.folder / "store-1.db").write_bytes(mixed(old, new))
    for _ in range(2):
        with pytest.raises(OldPagesError, match="old pages were put back") as raised:
            place.open()
        assert raised.value.exit_code == 3
        assert (place.folder / "store-1.db").read_bytes() == mixed(old, new)
    (place.folder / "store-1.db").write_bytes(new)
    assert place.settings()["key 1"].startswith("new")
    (place.folder / "store-1.db").write_bytes(mixed(old, filled(place, "newest")))
    place.open(accept_older=True).close()
    place.open().close()


@pytest.mark.parametrize("how", ["cut", "longer", "a byte more"])
def test_a_database_of_another_length_is_refused(place, how):
    whole = filled(place, "x")
    changed = {"cut": whole[:-PAGE], "longer": whole + whole[-PAGE:], "a byte more": whole + b"\0"}[how]
    (place.folder / "store-1.db").write_bytes(changed)
    with pytest.raises(DamagedVaultError):
        place.open()


def test_a_log_put_beside_a_closed_vault_is_not_read(place, in_child, die):
    filled(place, "x")

    def work() -> None:
        vault = place.open()
        place.put(vault, "key 1", "from the log")
        die()

    kept = {
        path: path.read_bytes() for root in (place.folder, place.state) for path in root.rglob("*") if path.is_file()
    }
    assert in_child(work) == -9
    log = (place.folder / "store-1.db-wal").read_bytes()
    for path, data in kept.items():
        path.write_bytes(data)
    (place.folder / "store-1.db-wal").write_bytes(log)
    assert place.settings()["key 1"].startswith("x")


def test_the_anchor_says_that_the_database_may_change_before_it_does(place, monkeypatch):
    filled(place, "x")
    vault = place.open()
    assert vault._anchors[0].newest().pages == resting.digest(vault.database)
    with vault.read() as db:
        db.execute("SELECT count(*) FROM setting").fetchall()
    assert vault._anchors[0].newest().pages
    with vault.write() as db:
        db.execute("UPDATE setting SET value = 'y'")
        before = vault.generation
    assert vault.generation == before + 1
    assert [each.newest().pages for each in vault._anchors] == [None, None]
    vault.close()
    assert [each.newest().pages for each in vault._anchors] == [resting.digest(vault.database)] * 2


def test_a_killed_vault_opens_without_the_digest(place, in_child, die):
    filled(place, "x")

    def work() -> None:
        vault = place.open()
        place.put(vault, "key 1", "y")
        with vault.read() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        die()

    assert in_child(work) == -9
    assert place.settings()["key 1"] == "y"


def test_a_vault_closed_here_opens_on_a_machine_that_has_not_seen_it_with_its_pages_known(place, tmp_path):
    old, new = filled(place, "old"), filled(place, "new")
    place.state = tmp_path / "there"
    (place.folder / "store-1.db").write_bytes(mixed(old, new))
    with pytest.raises(OldPagesError):
        place.open()
    (place.folder / "store-1.db").write_bytes(new)
    place.open().close()
    (place.folder / "store-1.db").write_bytes(mixed(old, new))
    with pytest.raises(OldPagesError):
        place.open()


def test_what_is_refused_keeps_its_log(place):
    vault = place.open()
    place.put(vault, "a", "1")
    log = (place.folder / "store-1.db-wal").read_bytes()
    database = (place.folder / "store-1.db").read_bytes()
    vault.close()
    (place.folder / "store-1.db").write_bytes(database[:-PAGE] + bytes(PAGE))
    (place.folder / "store-1.db-wal").write_bytes(log)
    with pytest.raises(DamagedVaultError):
        place.open()
    assert (place.folder / "store-1.db-wal").read_bytes() == log


def test_an_anchor_without_header_and_database_is_no_missing_vault(place):
    for name in ("header", "store-1.db"):
        (place.folder / name).unlink()
    with pytest.raises(DamagedVaultError, match="lost its header"):
        place.open()
    (place.folder / "anchor").unlink()
    with pytest.raises(NoVaultError):
        Vault.open(place.folder, place.code, state=place.state)


def test_a_connection_that_was_refused_leaves_the_database_as_it_is(place):
    filled(place, "x")
    vault = place.open()
    place.put(vault, "a", "1")
    with vault.read() as db:
        before = vault.database.read_bytes()
        store.close_unchanged(db)
        with pytest.raises(apsw.ConnectionClosedError):
            db.execute("SELECT 1")
    assert vault.database.read_bytes() == before
    vault.close()
