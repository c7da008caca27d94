"""Pages are decrypted without SQLite, so that what it does not show is seen as well."""

import os

import pytest

from vault import pages, store
from vault.errors import DamagedVaultError

KEY = bytes(range(1, 33))


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "store-1.db"
    db = store.create(path, KEY)
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    with db:
        db.executemany("INSERT INTO t (b) VALUES (?)", ((b"row %05d " % n * 40,) for n in range(2000)))
    db.close()
    return path


def test_every_row_is_found_in_the_decrypted_pages(database):
    found = list(pages.decrypted(database, KEY))
    assert len(found) == os.path.getsize(database) // 4096 > 100
    assert {len(page) for page in found} == {4064}
    whole = b"".join(found)
    assert all(b"row %05d " % n in whole for n in range(2000))
    assert b"CREATE TABLE t" in found[0]
    assert b"row 00001" not in database.read_bytes()


def test_a_free_page_that_was_not_overwritten_shows(database):
    db = store.open_existing(database, KEY)
    db.pragma("secure_delete", "OFF")
    db.execute("DELETE FROM t")
    db.close()
    assert b"row 00999 " in b"".join(pages.decrypted(database, KEY))
    db = store.open_existing(database, KEY)
    assert db.execute("SELECT count(*) FROM t").get == 0
    db.close()


def test_with_secure_delete_nothing_shows(database):
    db = store.open_existing(database, KEY)
    db.execute("DELETE FROM t")
    db.close()
    assert b"row 0" not in b"".join(pages.decrypted(database, KEY))


def test_a_wrong_key_a_flipped_bit_a_swap_and_a_cut_are_refused(database):
    whole = database.read_bytes()
    with pytest.raises(DamagedVaultError, match="page 1 of"):
        list(pages.decrypted(database, bytes(32)))
    for number, place in ((1, 3), (1, 20), (1, 500), (3, 4096 * 2 + 9), (3, 4096 * 3 - 20), (3, 4096 * 3 - 1)):
        database.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedVaultError, match=f"page {number} of"):
            list(pages.decrypted(database, KEY))
    database.write_bytes(whole[:4096] + whole[8192:12288] + whole[4096:8192] + whole[12288:])
    with pytest.raises(DamagedVaultError, match="page 2 of"):
        list(pages.decrypted(database, KEY))
    database.write_bytes(whole[:-100])
    with pytest.raises(DamagedVaultError, match="is damaged"):
        list(pages.decrypted(database, KEY))


def test_a_copy_under_another_key_opens_with_that_alone(database, tmp_path):
    other = bytes(range(2, 34))
    db = store.open_existing(database, KEY)
    store.copy_into(db, tmp_path / "a copy?#%.db", other)
    db.close()
    copy = tmp_path / "a copy?#%.db"
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == ["a copy?#%.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(DamagedVaultError):
        store.open_readonly(copy, KEY)
    db = store.open_readonly(copy, other)
    assert db.execute("SELECT count(*) FROM t").get == 2000
    db.close()
    assert b"row 00001 " in b"".join(pages.decrypted(copy, other))
