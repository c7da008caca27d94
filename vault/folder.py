"""The vault's folder: what lies in it, who may write to it, and the files of a new one."""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

import apsw

from vault import anchor, keys, schema, store, synced
from vault.anchor import Anchor, State
from vault.errors import DamagedVaultError
from vault.failures import NoVaultError, OpenElsewhereError, SyncedFolderError, VaultExistsError, explained
from vault.files import make_private_folder, read_small, sync_folder, system_errors, write_atomically
from vault.keys import Header, Keys

HEADER_NAME = "header"
BUILD_NAME = ".new"  # where a vault is made before it is one
LOCK_NAME = "lock"


def refuse_used(folder: Path) -> None:
    """Raises VaultExistsError where there is a vault already, or anything else; what a crash has left of making one
    goes."""
    with system_errors(folder, "make"):
        if (folder / HEADER_NAME).exists():
            raise VaultExistsError(folder, "already holds a vault")
        if (folder / BUILD_NAME).is_dir():
            _remove_half_made(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise VaultExistsError(folder, "is not empty")


def make_files(folder: Path, header: Header, secret_keys: Keys) -> None:
    """Make the files of an empty vault: all of them, or, where it fails or is killed, none that is a vault.

    They are built in a folder inside and moved out one by one, the header last: until that is there, there is no vault.
    """
    aside = folder / BUILD_NAME
    make_private_folder(folder)
    make_private_folder(aside)
    try:
        build(aside, header, secret_keys)
        with system_errors(folder, "make"):
            for name in sorted(os.listdir(aside), key=lambda name: name == HEADER_NAME):
                if name == HEADER_NAME:
                    sync_folder(folder)  # a power cut must not keep the header's name without the others'
                os.rename(aside / name, folder / name)
            sync_folder(folder)
            aside.rmdir()
    except BaseException:
        with contextlib.suppress(OSError):  # what is wrong was said already
            (folder / HEADER_NAME).unlink(missing_ok=True)  # nobody has seen its recovery code
            _remove_half_made(folder)
        raise


def _remove_half_made(folder: Path) -> None:
    if not (folder / HEADER_NAME).exists():
        for path in (*folder.glob("store-*.db*"), folder / anchor.FILE_NAME):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / BUILD_NAME, ignore_errors=True)


def build(folder: Path, header: Header, secret_keys: Keys) -> None:
    """Write the files of an empty vault into a folder: database, anchor, header."""
    first = State(1, header.revision, secrets.token_bytes(16), bytes(16), time.time())
    db = store.create(folder / store.name(header.epoch), secret_keys.database)
    try:
        with explained(folder):
            schema.migrate(db)
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO meta VALUES ('vault', ?)", (header.vault_id,))
            put_state(db, first)
            db.execute("COMMIT")
    finally:
        db.close()
    store.check_encrypted(folder / store.name(header.epoch))
    key = secret_keys.derived("strongroom anchor")
    Anchor(folder / anchor.FILE_NAME, header.vault_id, key).replace(first)
    write_atomically(folder / HEADER_NAME, header.to_bytes())


def put_state(db: apsw.Connection, state: State) -> None:
    """Say in the database where it is in its history, within the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (state.to_bytes(),))


def stored_state(db: apsw.Connection, vault_id: bytes) -> State:
    """What `put_state` has said. Raises DamagedVaultError where the database is another vault's."""
    rows = db.execute("SELECT key, value FROM meta WHERE key IN ('vault', 'state')")
    found: dict[Any, Any] = dict(rows.fetchall())  # type: ignore[arg-type]  # rows of two columns
    if found.get("vault") != vault_id:
        raise DamagedVaultError(
            "the database belongs to another vault than the header", "put back the files that belong together"
        )
    return State.from_bytes(found["state"])


def state_folder(state: Path, vault_id: bytes) -> Path:
    """The folder of one vault in the user's state folder; made if it is not there."""
    own = state.absolute() / vault_id.hex()
    make_private_folder(own.parent)
    make_private_folder(own)
    return own


def read_header(folder: Path) -> Header:
    """Raises NoVaultError, DamagedVaultError, NewerVaultError, VaultPermissionError."""
    try:
        return Header.from_bytes(read_small(folder / HEADER_NAME, keys.MAXIMUM_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        with system_errors(folder, "read"):
            left = [*folder.glob("store-*.db*"), *folder.glob(anchor.FILE_NAME)]
            if left and not (folder / BUILD_NAME).exists():
                raise DamagedVaultError(
                    f"the vault at {folder} has lost its header", "put `header` back, or restore a backup"
                ) from None
        raise NoVaultError(folder) from None


def take_lock(folder: Path) -> int:
    """Hold the vault for this process; returns the descriptor that holds it. Raises OpenElsewhereError."""
    path = folder / LOCK_NAME
    with system_errors(path, "write"):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(OSError):  # on a full disk it is held all the same, without saying by whom
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).strip()
        os.close(lock)
        raise OpenElsewhereError(folder, int(pid) if pid.isdigit() else None) from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def refuse_synced(folder: Path) -> None:
    """Raises SyncedFolderError."""
    if found := synced.synchronised_by(folder):
        raise SyncedFolderError(folder, *found)


def remove_leftovers(folder: Path, *databases: str) -> None:
    """Remove what a crash left of a copy that was not taken over, or of one that was replaced, but for these."""
    for path in folder.glob("store-*.db"):
        if path.name not in databases:
            remove_database(path)
    shutil.rmtree(folder / BUILD_NAME, ignore_errors=True)
    for path in folder.glob("*.new"):
        path.unlink(missing_ok=True)


def remove_database(path: Path) -> None:
    """Remove a database and its log, if they are there; the database last, so that a crash leaves no log alone."""
    with system_errors(path, "remove"):
        logs = [log for log in (path.with_name(f"{path.name}-{kind}") for kind in ("wal", "journal")) if log.exists()]
        for log in logs:
            log.unlink(missing_ok=True)
        if logs:
            sync_folder(path.parent)
        path.unlink(missing_ok=True)
