"""The encrypted database file: opened with its key and the pragmas that the promises rest on, and checked."""

import contextlib
import os
from pathlib import Path
from urllib.parse import quote

import apsw

from vault.errors import DamagedVaultError
from vault.failures import explained
from vault.files import system_errors

_PLAIN = b"SQLite format 3\0"
_CACHE_KIB = 64 * 1024  # decrypted pages kept in memory
CHECKPOINT_PAGES = 4000  # 16 MiB of log before it is moved into the database

_STRICT = (
    (
        "locking_mode",
        "EXCLUSIVE",
        "exclusive",
    ),  # before the log is opened: then there is no shared-memory file
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),  # what was acknowledged survives a power cut
    ("secure_delete", "ON", 1),  # deleted rows are overwritten, not only unlinked
    ("temp_store", "MEMORY", 2),  # sorting spills nowhere
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
)


def name(epoch: int) -> str:
    """The file name of a database."""
    return f"store-{epoch}.db"


def create(path: Path, key: bytes) -> apsw.Connection:
    """Make an empty encrypted database, 0600. The file must not exist."""
    check_key(key)
    with system_errors(path, "make"):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return _connect(path, key)


def open_existing(path: Path, key: bytes) -> apsw.Connection:
    """Open the database for this process alone, and check that it is encrypted and under this key.

    Raises DamagedVaultError where it is missing, not encrypted, or does not open with the key; VaultPermissionError.
    """
    try:
        with system_errors(path, "read"), path.open("rb") as file:
            start = file.read(len(_PLAIN))
    except FileNotFoundError:
        raise DamagedVaultError(
            f"the database {path} is missing", "put it back, or restore a backup with `strongroom restore`"
        ) from None
    if len(start) < len(_PLAIN):
        raise DamagedVaultError(f"the database {path} is empty", "restore a backup with `strongroom restore`")
    if start == _PLAIN:
        raise DamagedVaultError(f"the database {path} is not encrypted", "someone has replaced it: restore a backup")
    return _connect(path, key)


def open_readonly(path: Path, key: bytes) -> apsw.Connection:
    """Open a database that nothing else has open, changing not a byte of it: for comparing copies."""
    with explained(path.parent):
        uri = f"file:{quote(os.fsencode(path))}?immutable=1"
        db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            _unlock(db, key)
            db.pragma("temp_store", "MEMORY")
        except BaseException:
            db.close()
            raise
    return db


def copy_into(db: apsw.Connection, target: Path, key: bytes) -> None:
    """Write a compact copy of the open database under `key` (the same or another), and fsync it.

    VACUUM INTO reads one consistent state; its address carries the copy's cipher and key. Memory stays at the page
    caches; the disk has to hold one more database. The file must not exist.
    """
    check_key(key)
    with explained(target.parent):
        address = f"file:{quote(os.fsencode(target))}?cipher=chacha20&key=raw:{key.hex()}"
        with system_errors(target, "make"):
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        db.execute("VACUUM INTO ?", (address,))
    with system_errors(target, "write"):
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    check_encrypted(target)


def check_encrypted(path: Path) -> None:
    """Raises DamagedVaultError if the file starts like a plain SQLite database."""
    with path.open("rb") as file:
        if file.read(len(_PLAIN)) == _PLAIN:
            raise DamagedVaultError(f"{path} was written without encryption", "remove it at once and report this")


def close_unchanged(db: apsw.Connection) -> None:
    """Close a database that was refused, without moving its log into it: then what was refused stays as it was."""
    with contextlib.suppress(apsw.Error):
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.close()


def _connect(path: Path, key: bytes) -> apsw.Connection:
    with explained(path.parent):
        # Without SQLITE_OPEN_CREATE: a file that vanished in between is an error, not a new vault. With
        # SQLITE_OPEN_URI, because the copies that VACUUM INTO writes are named by an address.
        db = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI)
        try:
            # Before the first read, which would open the log: then there is no shared-memory file.
            db.pragma("locking_mode", "EXCLUSIVE")
            _unlock(db, key)
            for pragma, value, expected in _STRICT:
                _insist(db, pragma, value, expected)
            db.pragma("cache_size", -_CACHE_KIB)
            db.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        except BaseException:
            close_unchanged(db)
            raise
    check_encrypted_or_new(path)
    return db


def _insist(db: apsw.Connection, pragma: str, value: str, expected: object) -> None:
    """SQLite ignores what it does not know or cannot do; a promise must not rest on that."""
    db.pragma(pragma, value)
    if db.pragma(pragma) != expected:
        raise DamagedVaultError(f"the database does not accept {pragma} {value}", "restore a backup")


def check_encrypted_or_new(path: Path) -> None:
    """A database that was just made is still empty; any other is checked."""
    if path.stat().st_size:
        check_encrypted(path)


def _unlock(db: apsw.Connection, key: bytes) -> None:
    check_key(key)
    db.pragma("cipher", "chacha20")
    # `raw:` says that these are the key's bytes; any other form runs a second, slow derivation.
    db.pragma("key", f"raw:{key.hex()}")
    db.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # a wrong key fails here, not at the first question


def check_key(key: bytes) -> None:
    """Raises ValueError for what is no key: an empty one would silently mean a plain database."""
    if not isinstance(key, bytes) or len(key) != 32 or not any(key):
        raise ValueError("a database key is 32 bytes")
