"""The vault: one encrypted database, its header, its anchor, and the one connection that every thread shares."""

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw

from vault import anchor, attempts, keys, purge_list, schema, store
from vault.anchor import Anchor, State
from vault.errors import DamagedVaultError
from vault.failures import (
    ForkedVaultError,
    NewerVaultError,
    OlderVaultError,
    UnanchoredVaultError,
    VaultExistsError,
    VaultUnusableError,
    explained,
)
from vault.files import make_private_folder, sync_folder, system_errors, write_atomically
from vault.folder import (
    BUILD_NAME,
    HEADER_NAME,
    build,
    put_state,
    read_header,
    refuse_synced,
    remove_database,
    state_folder,
    take_lock,
)
from vault.keys import Header, KdfCost, Keys
from vault.purge_list import PurgeList

__all__ = ["HEADER_NAME", "Vault", "read_header", "state_folder", "unlock"]


class Vault:
    """An open vault. Its files, in a folder of 0700:

    `header` (vault/keys.py), `store-<epoch>.db` and its `-wal` (vault/store.py), `anchor` (vault/anchor.py), `lock`
    (flock, the holder's process id). In the state folder, under the vault's id: `anchor`, `purged`
    (vault/purge_list.py), `attempts` (vault/attempts.py).

    One connection serves every thread, one at a time: `read()` and `write()` hold the one lock. Nothing may keep the
    connection, or a cursor of it, beyond their block.
    """

    def __init__(self, folder: Path, state: Path, header: Header, secret_keys: Keys, lock: int) -> None:
        """Takes over `lock`, the descriptor that holds the lock file. Use `create` or `open`."""
        self.folder = folder
        self.state = state
        """this vault's own folder in the user's state folder"""
        self.header = header
        self._keys = secret_keys
        self._lock = threading.RLock()
        self._lock_file = lock
        self._db: apsw.Connection | None = None
        self._writing = False
        anchor_key = secret_keys.derived("strongroom anchor")
        self._anchors = tuple(
            Anchor(place / anchor.FILE_NAME, header.vault_id, anchor_key) for place in (folder, state)
        )
        self.purge_list = PurgeList(
            state / purge_list.FILE_NAME, header.vault_id, secret_keys.derived("strongroom purge list")
        )
        self._purge_tag_key = secret_keys.derived("strongroom purge tag")
        self._current = State(0, header.revision, bytes(16), bytes(16), 0.0)
        self._anchored = True

    @property
    def id(self) -> str:
        """32 hex digits, drawn when the vault was made."""
        return self.header.vault_id.hex()

    @classmethod
    def create(cls, folder: Path, passphrase: str, *, state: Path, cost: KdfCost | None = None) -> tuple["Vault", str]:
        """Make a vault in a folder that does not exist or is empty, open it, and return it with its recovery code.

        `state` is the user's state folder. `cost` None: measured, about a second. It is built in a folder inside and
        moved out file by file, the header last: until that is there, there is no vault, and the next call removes what
        a crash has left. Raises VaultExistsError, SyncedFolderError, WeakPassphraseError,
        VaultPermissionError, VaultFullError.
        """
        folder = folder.absolute()
        keys.check_passphrase(passphrase)
        refuse_synced(folder)
        aside = folder / BUILD_NAME
        with system_errors(folder, "make"):
            if (folder / HEADER_NAME).exists():
                raise VaultExistsError(folder, "already holds a vault")
            if aside.is_dir():
                _remove_half_made(folder)
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise VaultExistsError(folder, "is not empty")
        header, secret_keys, code = keys.new(secrets.token_bytes(16), passphrase, cost or keys.calibrated())
        make_private_folder(folder)
        make_private_folder(aside)
        try:
            build(aside, header, secret_keys)
            with system_errors(folder, "make"):
                for name in sorted(os.listdir(aside), key=lambda name: name == HEADER_NAME):
                    os.rename(aside / name, folder / name)
                aside.rmdir()
                sync_folder(folder)
                sync_folder(folder.parent)
        except BaseException:
            _remove_half_made(folder)
            raise
        return cls.open_with_keys(folder, header, secret_keys, state=state), code

    @classmethod
    def open(cls, folder: Path, secret: str, *, state: Path, accept_older: bool = False) -> "Vault":
        """Open with the passphrase or the recovery code.

        `accept_older` goes on where the anchor says that this is not the newest database; from then on it is. Raises
        NoVaultError, OpenElsewhereError, WrongPassphraseError, WrongRecoveryCodeError, RecoveryCodeTypingError,
        TooManyAttemptsError, OlderVaultError, ForkedVaultError, UnanchoredVaultError, DamagedVaultError,
        NewerVaultError, SyncedFolderError, VaultPermissionError.
        """
        folder = folder.absolute()
        refuse_synced(folder)
        read_header(folder)  # before a lock file is put where there is no vault
        make_private_folder(folder)
        lock = take_lock(folder)
        try:
            header = read_header(folder)
            secret_keys = unlock(header, secret, state_folder(state, header.vault_id))
            return cls._opened(folder, state, header, secret_keys, lock, accept_older=accept_older)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def open_with_keys(cls, folder: Path, header: Header, secret_keys: Keys, *, state: Path) -> "Vault":
        """Open what was just written, without deriving its keys again."""
        lock = take_lock(folder)
        try:
            return cls._opened(folder, state, header, secret_keys, lock, accept_older=False)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def _opened(
        cls, folder: Path, state: Path, header: Header, secret_keys: Keys, lock: int, *, accept_older: bool
    ) -> "Vault":
        vault = cls(folder, state_folder(state, header.vault_id), header, secret_keys, lock)
        db = store.open_existing(folder / store.name(header.epoch), secret_keys.database)
        try:
            with explained(folder):
                vault._check_and_anchor(db, accept_older)
                vault._migrate(db)
            vault._take(db)
            purge_list.reconcile(vault)
        except BaseException:
            vault._db = None
            db.close()
            raise
        return vault

    @contextlib.contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """The connection, for this thread alone until the block ends. Raises VaultUnusableError once closed."""
        with self._lock:
            if self._db is None:
                raise VaultUnusableError
            with explained(self.folder):
                yield self._db

    @contextlib.contextmanager
    def write(self) -> Iterator[apsw.Connection]:
        """The same in a transaction: committed, on the disk and anchored when the block ends; undone if it raises.

        A block that changes nothing costs nothing. It cannot be nested. Raises VaultFullError, with nothing kept.
        """
        with self.read() as db:
            if self._writing:
                raise RuntimeError("a write is already going on in this thread")
            if not self._anchored:  # the disk was full then; the database must never get ahead by two
                self._anchor()
            self._writing = True
            following = None
            try:
                before = _changes(db)
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    if _changes(db) != before:
                        following = self._following()
                        put_state(db, following)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:  # a full disk may have ended it already
                        db.execute("ROLLBACK")
                    raise
            finally:
                self._writing = False
            if following:
                self._current, self._anchored = following, False
                self._anchor()

    def close(self) -> None:
        """Move the log into the database, close it and let others have the vault. Closing twice is allowed."""
        with self._lock:
            if self._db is None:
                return
            db, self._db = self._db, None
            try:
                with explained(self.folder):
                    db.close()
            finally:
                os.close(self._lock_file)

    def change_passphrase(self, secret: str, passphrase: str, *, cost: KdfCost | None = None) -> None:
        """Replace the passphrase; `secret` is the present one or the recovery code, which stays as it is.

        An old header, if someone kept one, still opens with the old passphrase: `revoke` is against that.
        """
        with self._lock:
            opened = unlock(self.header, secret, self.state)
            self._replace_header(keys.with_passphrase(self.header, opened, passphrase, cost))

    def new_recovery_code(self, secret: str) -> str:
        """Replace the recovery code and return the new one; the passphrase stays."""
        with self._lock:
            opened = unlock(self.header, secret, self.state)
            header, code = keys.with_recovery_code(self.header, opened)
            self._replace_header(header)
        return code

    def revoke(self, secret: str, passphrase: str, *, cost: KdfCost | None = None) -> str:
        """New passphrase, recovery code, root key and database key; returns the recovery code.

        The database is copied under the new key, so that old secrets with an old header open nothing that is written
        from now on. It takes as much space again as the database while it runs. The new header takes effect in one
        rename: a crash before it leaves the vault as it was, one after it as it is to be.
        """
        with self._lock, self.read() as db:
            opened = unlock(self.header, secret, self.state)
            epoch = self.header.epoch + 1
            header, fresh, code = keys.renewed(self.header, opened, passphrase, epoch, cost)
            copy = self.folder / store.name(epoch)
            remove_database(copy)
            try:
                store.copy_into(db, copy, fresh.database)
                connection = store.open_existing(copy, fresh.database)
            except BaseException:
                remove_database(copy)
                raise
            try:
                self._replace_header(header)
            except BaseException:
                connection.close()
                raise
            self._take(connection)
            self._keys = fresh
            db.close()
            remove_database(self.folder / store.name(epoch - 1))
        return code

    @property
    def generation(self) -> int:
        """How many commits this vault has seen."""
        return self._current.generation

    @property
    def database_key(self) -> bytes:
        """32 bytes, for what reads the database file without SQLite, or copies it."""
        return self._keys.database

    def purge_tag(self, document_id: object) -> bytes:
        """What stays of a purged document, by its id: see vault/purge_list.py. In SQL: `purge_tag(id)`."""
        return purge_list.tag(self._purge_tag_key, str(document_id))

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose, the same for the vault's whole life."""
        return self._keys.derived(purpose)

    def _take(self, db: apsw.Connection) -> None:
        """Use this connection from now on."""
        db.create_scalar_function("purge_tag", lambda *a: self.purge_tag(a[0]), 1, deterministic=True)
        self._db = db

    def _replace_header(self, header: Header) -> None:
        if self._db is None:
            raise VaultUnusableError
        write_atomically(self.folder / HEADER_NAME, header.to_bytes())
        self.header = header
        self._current, self._anchored = replace(self._current, revision=header.revision), False
        self._anchor()

    def _following(self) -> State:
        now = self._current
        return State(now.generation + 1, now.revision, secrets.token_bytes(16), now.tip, time.time())

    def _anchor(self) -> None:
        for copy in self._anchors:
            copy.write(self._current)
        self._anchored = True

    def _check_and_anchor(self, db: apsw.Connection, accept_older: bool) -> None:
        """Hold the database against the anchor, and bring the anchor up to it."""
        database = self._stored_state(db)
        try:
            beside, apart = (copy.read() for copy in self._anchors)
            anchor.check(database, self.header.revision, beside, apart)
        except (OlderVaultError, ForkedVaultError, UnanchoredVaultError):
            if not accept_older:
                raise
            self._adopt(db, database)
            return
        self._current = replace(database, revision=self.header.revision)
        if not beside == apart == self._current:
            # What a killed process committed may only be in the system's memory: on the disk with it before it is
            # anchored.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._anchor()
        self._remove_leftovers()

    def _adopt(self, db: apsw.Connection, database: State) -> None:
        """Make this database the newest: a generation above all that is known, grown from what the anchor has."""
        known = [database]
        for copy in self._anchors:
            with contextlib.suppress(UnanchoredVaultError):
                known += filter(None, [copy.read()])
        newest = max(known, key=lambda state: state.generation)
        self._current = replace(
            newest,
            generation=newest.generation + 1,
            revision=self.header.revision,
            tip=secrets.token_bytes(16),
            previous=newest.tip,
            at=time.time(),
        )
        db.execute("BEGIN IMMEDIATE")
        put_state(db, self._current)
        db.execute("COMMIT")
        for copy in self._anchors:
            copy.replace(self._current)

    def _stored_state(self, db: apsw.Connection) -> State:
        rows = db.execute("SELECT key, value FROM meta WHERE key IN ('vault', 'state')")
        found: dict[Any, Any] = dict(rows.fetchall())  # type: ignore[arg-type]  # rows of two columns
        if found.get("vault") != self.header.vault_id:
            raise DamagedVaultError(
                "the database belongs to another vault than the header",
                "put back the files that belong together",
            )
        return State.from_bytes(found["state"])

    def _migrate(self, db: apsw.Connection) -> None:
        version, known = db.pragma("user_version"), len(schema.MIGRATIONS)
        if version > known:
            raise NewerVaultError("database", version, known)
        schema.migrate(db)

    def _remove_leftovers(self) -> None:
        """What a crash left of a copy that was not taken over, or of one that was replaced."""
        for path in self.folder.glob("store-*.db"):
            if path.name != store.name(self.header.epoch):
                remove_database(path)
        shutil.rmtree(self.folder / BUILD_NAME, ignore_errors=True)
        for path in self.folder.glob("*.new"):
            path.unlink(missing_ok=True)


def _remove_half_made(folder: Path) -> None:
    """Remove what `create` had made of a vault before it failed or was killed."""
    if not (folder / HEADER_NAME).exists():
        for path in (*folder.glob("store-*.db*"), folder / anchor.FILE_NAME):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / BUILD_NAME, ignore_errors=True)


def unlock(header: Header, secret: str, own_state: Path) -> Keys:
    """The keys, with wrong attempts counted and slowed down in this vault's state folder."""
    if code := keys.as_code(secret):  # 140 random bits: guessing them needs no slowing down
        return keys.unlock_with_code(header, code)
    counter = own_state / attempts.FILE_NAME
    attempts.begin(counter)
    opened = keys.unlock_with_passphrase(header, secret)
    attempts.succeeded(counter)
    return opened


def _changes(db: apsw.Connection) -> tuple[int, int]:
    """Rows changed since the connection was opened, and the tables' version: equal if nothing was written."""
    return db.total_changes(), db.pragma("schema_version")
