"""A backup of a live vault opens elsewhere, equals what it was made from, and does not bring back what was purged."""

import os
import shutil
import threading

import pytest

from vault import backup as backups
from vault import documents, keys, purge, rekey, store
from vault.backup import NoSpaceError, NotABackupError, backup, contents, destroy, restore, verify
from vault.errors import DamagedVaultError
from vault.failures import (
    NoVaultError,
    OlderVaultError,
    OpenElsewhereError,
    SyncedFolderError,
    VaultExistsError,
    WrongPassphraseError,
)
from vault.records import Document
from vault.vault import Vault


def ignore_index(db, chunks) -> None:
    assert isinstance(chunks, list)


def add(vault, name: str) -> str:
    document = Document(id=name.encode().hex().ljust(64, "0"), kind="note", title=name, text=f"this is {name} " * 20)
    with vault.write() as db:
        db.execute("INSERT OR IGNORE INTO folder VALUES (1, x'2f', '/', 0, 0, 'watched', '', 0, 0)")
        db.execute(
            "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
            " VALUES (1, ?, ?, 1, 1, 1, 'done', 0)",
            (name.encode(), name),
        )
        file = db.last_insert_rowid()
        number, _ = documents.add(db, document, prefix="", chunks=[], keys=[])
        documents.place(db, file, "", number, None)
    return document.id


def titles(vault) -> set[str]:
    with vault.read() as db:
        return {title for (title,) in db.execute("SELECT title FROM document")}


def restored(place, source, folder, **options):
    done = restore(source, folder, place.code, place.state, remove_from_index=ignore_index, **options)
    done.vault.close()
    return done


def test_a_backup_of_an_open_vault_restores_to_an_equal_one(place, tmp_path):
    vault = place.open()
    for name in ("alpha", "beta"):
        add(vault, name)
    place.put(vault, "NUL and more", "a\0b \ud7ff")
    manifest = backup(vault, tmp_path / "copy")
    with vault.read() as db:
        before = contents(db)
    vault.close()
    assert manifest.tables == before
    shutil.rmtree(place.folder)
    done = restore(tmp_path / "copy", tmp_path / "elsewhere", place.code, tmp_path / "new machine",
                   remove_from_index=ignore_index)  # fmt: skip
    with done.vault.read() as db:
        after = contents(db)
    assert {n for n in before if before[n] != after[n]} <= {"meta"}  # says that it is the newest now
    assert done.purged is None
    assert titles(done.vault) == {"alpha", "beta"}
    done.vault.close()
    place.folder, place.state = tmp_path / "elsewhere", tmp_path / "new machine"
    assert place.settings("correct horse battery") == {"NUL and more": "a\0b \ud7ff"}


def test_a_backup_is_encrypted_and_its_owners_alone(place, tmp_path):
    vault = place.open()
    add(vault, "canary-of-the-backup")
    backup(vault, tmp_path / "copy")
    vault.close()
    files = list((tmp_path / "copy").iterdir())
    assert {f.name for f in files} == {"header", "store-1.db", "backup"}
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"canary-of-the-backup" not in file.read_bytes()
        assert b"document" not in file.read_bytes()


def test_a_backup_has_a_database_key_of_its_own(place, tmp_path):
    """So that the vault's is in no backup when it has been shredded."""
    vault = place.open()
    add(vault, "alpha")
    backup(vault, tmp_path / "copy")
    key = vault.database_key
    vault.close()
    with pytest.raises(DamagedVaultError):
        store.open_readonly(tmp_path / "copy" / "store-1.db", key)
    assert verify(tmp_path / "copy", place.code, place.state)[1].database != key


def test_while_it_is_written_to_a_backup_holds_one_moment(place, tmp_path):
    vault, stop = place.open(), threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with vault.write() as db:
                for key in ("left", "right"):
                    db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, str(number)))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for n in range(3):
            backup(vault, tmp_path / f"copy{n}")
    finally:
        stop.set()
        thread.join()
    vault.close()
    header, opened, _ = verify(tmp_path / "copy2", place.code, place.state)
    db = store.open_readonly(tmp_path / "copy2" / store.name(header.epoch), opened.database)
    values = dict(db.execute("SELECT key, value FROM setting").fetchall())
    db.close()
    assert values["left"] == values["right"]


def test_what_was_purged_since_does_not_come_back(place, tmp_path):
    vault = place.open()
    gone, kept = add(vault, "to be purged"), add(vault, "to stay")
    lifted = add(vault, "purged and lifted")
    backup(vault, tmp_path / "copy")
    purge.purge(vault, [gone, lifted], ignore_index)
    purge.lift(vault, lifted)
    vault.close()
    shutil.rmtree(place.folder)
    done = restore(tmp_path / "copy", place.folder, place.code, place.state, remove_from_index=ignore_index)
    assert done.purged is not None
    assert done.purged.confirmed
    assert done.purged.removed.documents == 1
    assert titles(done.vault) == {"to stay", "purged and lifted"}
    with done.vault.read() as db:
        assert [purge.is_purged(db, i) for i in (gone, kept, lifted)] == [True, False, False]
    done.vault.close()


def test_what_the_last_purge_took_does_not_come_back_though_the_vault_is_lost_at_once(place, tmp_path):
    """A disk that died right after it: the list in the state folder is all that tells of the purge."""
    vault = place.open()
    gone = add(vault, "to be purged")
    backup(vault, tmp_path / "copy")
    purge.purge(vault, [gone], ignore_index)
    vault.close()
    shutil.rmtree(place.folder)
    done = restore(tmp_path / "copy", place.folder, place.code, place.state, remove_from_index=ignore_index)
    assert done.purged is not None
    assert titles(done.vault) == set()
    done.vault.close()


def test_an_older_backup_keeps_to_the_purges_made_after_revoking(place, tmp_path):
    vault = place.open()
    gone = add(vault, "to be purged")
    backup(vault, tmp_path / "copy")
    new_code = rekey.revoke(vault, place.code, "another passphrase")
    purge.purge(vault, [gone], ignore_index)
    vault.close()
    with pytest.raises(backups.StrongroomError):
        restore(tmp_path / "copy", place.folder, new_code, place.state, remove_from_index=ignore_index, replace=True)
    done = restored(place, tmp_path / "copy", place.folder, replace=True)
    assert done.purged is not None
    vault = place.open()  # with the secrets of the backup
    assert titles(vault) == set()
    vault.close()


def test_restoring_over_a_vault_replaces_it_and_leaves_one_database(place, tmp_path):
    vault = place.open()
    place.put(vault, "a", "then")
    backup(vault, tmp_path / "copy")
    for value in ("later", "much later"):
        place.put(vault, "a", value)
    vault.close()
    with pytest.raises(VaultExistsError, match="already holds a vault"):
        restored(place, tmp_path / "copy", place.folder)
    restored(place, tmp_path / "copy", place.folder, replace=True)
    assert place.settings() == {"a": "then"}
    assert len(list(place.folder.glob("store-*"))) == 1
    restored(place, tmp_path / "copy", place.folder, replace=True)
    assert place.settings() == {"a": "then"}


def test_a_backup_that_is_put_in_place_by_hand_is_refused_as_older(place, tmp_path):
    vault = place.open()
    backup(vault, tmp_path / "copy")
    place.put(vault, "a", "later")
    vault.close()
    shutil.rmtree(place.folder)
    shutil.copytree(tmp_path / "copy", place.folder)
    with pytest.raises(OlderVaultError, match="missing"):
        place.open()


def test_a_restore_over_an_open_vault_or_another_one_is_refused(place, tmp_path, passphrase):
    vault = place.open()
    backup(vault, tmp_path / "copy")
    with pytest.raises(OpenElsewhereError):
        restored(place, tmp_path / "copy", place.folder, replace=True)
    vault.close()
    other, _ = Vault.create(tmp_path / "other", passphrase, state=place.state, cost=keys.FLOOR)
    other.close()
    with pytest.raises(VaultExistsError, match="holds another vault"):
        restored(place, tmp_path / "copy", tmp_path / "other", replace=True)


@pytest.mark.parametrize("name", ["header", "store-1.db", "backup"])
@pytest.mark.parametrize("how", ["missing", "flipped", "cut"])
def test_a_damaged_backup_is_refused_and_what_is_there_stays(place, tmp_path, name, how):
    vault = place.open()
    add(vault, "alpha")
    backup(vault, tmp_path / "copy")
    vault.close()
    file = tmp_path / "copy" / name
    data = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "flipped":
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        file.write_bytes(data[: len(data) // 2])
    before = {p: p.read_bytes() for p in place.folder.iterdir() if p.name != "lock"}
    with pytest.raises((DamagedVaultError, NotABackupError)):
        restored(place, tmp_path / "copy", place.folder, replace=True)
    assert {p: p.read_bytes() for p in place.folder.iterdir() if p.name != "lock"} == before
    with pytest.raises((DamagedVaultError, NotABackupError)):
        restored(place, tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_older_database_in_a_newer_backup_is_noticed(place, tmp_path):
    """Every page of it is authentic: what notices is the digest in the sealed manifest."""
    vault = place.open()
    backup(vault, tmp_path / "old")
    add(vault, "alpha")
    backup(vault, tmp_path / "new")
    vault.close()
    shutil.copy(tmp_path / "old" / "store-1.db", tmp_path / "new" / "store-1.db")
    with pytest.raises(DamagedVaultError, match="not the one that was written"):
        verify(tmp_path / "new", place.code, place.state)


def test_a_wrong_passphrase_restores_nothing(place, tmp_path):
    vault = place.open()
    backup(vault, tmp_path / "copy")
    vault.close()
    with pytest.raises(WrongPassphraseError):
        restore(tmp_path / "copy", tmp_path / "new", "wrong passphrase", place.state, remove_from_index=ignore_index)
    assert not (tmp_path / "new").exists()


def test_a_vault_or_any_folder_is_not_taken_for_a_backup(place, tmp_path):
    for folder in (place.folder, tmp_path, tmp_path / "nothing"):
        with pytest.raises(NotABackupError, match="is not a backup"):
            verify(folder, place.code, place.state)


def test_a_damaged_list_of_purges_is_said_before_anything_is_restored(place, tmp_path):
    vault = place.open()
    backup(vault, tmp_path / "copy")
    path = vault.purge_list.path
    vault.close()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DamagedVaultError, match="list of what was purged"):
        restored(place, tmp_path / "copy", tmp_path / "new")
    path.unlink()
    restored(place, tmp_path / "copy", tmp_path / "new")


def test_too_little_space_is_said_beforehand(place, tmp_path, monkeypatch):
    vault = place.open()
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NoSpaceError, match="0 MiB free"):
        backup(vault, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    vault.close()


def test_a_copy_that_differs_is_refused(place, tmp_path, monkeypatch):
    vault = place.open()
    place.put(vault, "a", "1")
    real = store.copy_into

    def careless(db, target, key) -> None:
        real(db, target, key)
        copy = store.open_existing(target, key)
        copy.execute("UPDATE setting SET value = '2'")
        copy.close()

    monkeypatch.setattr(store, "copy_into", careless)
    with pytest.raises(DamagedVaultError, match="differs from its original in setting"):
        backup(vault, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    vault.close()


def test_a_backup_may_lie_in_a_synchronised_folder_and_a_vault_may_not(place, tmp_path):
    (tmp_path / "cloud" / ".stfolder").mkdir(parents=True)
    vault = place.open()
    backup(vault, tmp_path / "cloud" / "copy")
    vault.close()
    with pytest.raises(SyncedFolderError):
        restored(place, tmp_path / "cloud" / "copy", tmp_path / "cloud" / "vault")


def test_killed_while_restoring_over_a_vault_it_is_the_old_or_the_restored(place, tmp_path, in_child, die):
    vault = place.open()
    place.put(vault, "a", "then")
    backup(vault, tmp_path / "copy")
    place.put(vault, "a", "now")
    vault.close()
    roots = {root: {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
             for root in (place.folder, place.state)}  # fmt: skip

    def work(dies_at: int) -> int:
        calls = iter(range(1000))

        def dying(real):
            def call(*arguments, **options):
                if next(calls) == dies_at:
                    die()
                return real(*arguments, **options)

            return call

        for name in ("rename", "fsync", "unlink", "open", "fdatasync"):
            setattr(os, name, dying(getattr(os, name)))
        restored(place, tmp_path / "copy", place.folder, replace=True)
        return 0

    seen = set()
    for dies_at in range(100):
        for root, kept in roots.items():
            shutil.rmtree(root)
            for name, data in kept.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
        status = in_child(lambda at=dies_at: work(at))
        seen.add(place.settings()["a"])
        assert len(list(place.folder.glob("store-*.db"))) == 1
        if status == 0:
            break
        assert status == -9
    assert status == 0
    assert seen == {"then", "now"}


def test_destroying_removes_every_file_and_nothing_of_the_users(place, tmp_path):
    vault = place.open()
    with pytest.raises(OpenElsewhereError):
        destroy(place.folder, place.state)
    backup(vault, tmp_path / "copy")
    vault.close()
    (place.folder / "mine.txt").write_text("mine")
    destroy(place.folder, place.state)
    assert [p.name for p in place.folder.iterdir()] == ["mine.txt"]
    assert list(place.state.iterdir()) == []
    with pytest.raises(NoVaultError):
        destroy(place.folder, place.state)
    (place.folder / "mine.txt").unlink()
    restored(place, tmp_path / "copy", place.folder)  # backups still open
    destroy(place.folder, place.state)
    assert not place.folder.exists()


def test_a_crash_while_destroying_leaves_nothing_that_opens(place, in_child, die, monkeypatch):
    copy = (place.folder / "header").read_bytes()
    real = os.fsync

    def work() -> None:
        monkeypatch.setattr(os, "fsync", lambda fd: (real(fd), die()))
        destroy(place.folder, place.state)

    assert in_child(work) == -9
    assert (place.folder / "header").read_bytes() != copy
    with pytest.raises(DamagedVaultError):
        place.open()
    destroy(place.folder, place.state)
    assert not place.folder.exists()
