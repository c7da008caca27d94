"""The vault: one encrypted database, its header, its anchor, and the one connection that every thread shares."""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw

from vault import anchor, attempts, keys, purge_list, recrypt, resting, schema, shred, store
from vault.anchor import Anchor, State
from vault.errors import StrongroomError
from vault.failures import (
    ForkedVaultError,
    NewerVaultError,
    OlderVaultError,
    OldPagesError,
    UnanchoredVaultError,
    VaultUnusableError,
    explained,
)
from vault.files import make_private_folder
from vault.folder import (
    HEADER_NAME,
    make_files,
    put_state,
    read_header,
    refuse_synced,
    refuse_used,
    remove_leftovers,
    state_folder,
    stored_state,
    take_lock,
)
from vault.keys import Header, KdfCost, Keys
from vault.purge_list import PurgeList

__all__ = ["HEADER_NAME", "Vault", "read_header", "state_folder"]


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
        self._pages: bytes | None = None  # the database's digest while it is as it was closed: see vault/resting.py
        self.copying = threading.RLock()
        """held by who copies the database to another key; taken before the vault, never after"""
        self.copy: recrypt.Copy | None = None
        """the copy that follows the database now"""
        self.closing = False
        """whether a copy in the making has to end at its next block"""
        self.sought: dict[bytes, str] = {}
        """pieces of what was purged since the vault was opened, and what they are: looked for when it is shredded"""
        self.was_behind = False
        """whether the list of purges was ahead of the database when it was opened: `purge.reapply` is due"""

    @property
    def id(self) -> str:
        """32 hex digits, drawn when the vault was made."""
        return self.header.vault_id.hex()

    @classmethod
    def create(cls, folder: Path, passphrase: str, *, state: Path, cost: KdfCost | None = None) -> tuple["Vault", str]:
        """Make a vault in a folder that does not exist or is empty, open it, and return it with its recovery code.

        `state` is the user's state folder. `cost` None: measured, about a second. What a crash has left of making one
        goes first. Raises VaultExistsError, SyncedFolderError, WeakPassphraseError, VaultPermissionError,
        VaultFullError.
        """
        folder = folder.absolute()
        keys.check_passphrase(passphrase)
        refuse_synced(folder)
        refuse_used(folder)
        header, secret_keys, code = keys.new(secrets.token_bytes(16), passphrase, cost or keys.calibrated())
        make_files(folder, header, secret_keys)
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
            secret_keys = attempts.unlock(header, secret, state_folder(state, header.vault_id))
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
        database = folder / store.name(header.epoch)
        vault._pages, changed = resting.look(database, header.revision, vault._anchors)
        db = store.open_existing(database, secret_keys.database)
        try:
            with explained(folder):
                vault._check_and_anchor(db, accept_older, changed=changed)
                vault._migrate(db)
            vault._take(db)
            vault.was_behind = purge_list.reconcile(vault)
            shred.settle(vault)
        except BaseException:
            vault._db = None
            store.close_unchanged(db)
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
                self.anchor()
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
                        self._leave_rest()
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:  # a full disk may have ended it already
                        db.execute("ROLLBACK")
                    raise
            finally:
                self._writing = False
            if following:
                self._current, self._anchored = following, False
                self.anchor()

    def close(self) -> None:
        """Move the log into the database, close it and let others have the vault. Closing twice is allowed."""
        self.closing = True
        with self.copying, self._lock:  # nobody may be writing to a copy whose descriptor is closed
            if self._db is None:
                return
            if self.copy is not None:
                self.copy.close()
            db, self._db = self._db, None
            try:
                with explained(self.folder):
                    db.close()
                if self._pages is None:
                    resting.come_to_rest(self.folder / store.name(self.header.epoch), self._current, self._anchors)
            finally:
                os.close(self._lock_file)

    def follow(self, copy: recrypt.Copy | None) -> None:
        """Tell this copy before the log is moved into the database, which is left to it from now on; None: no more."""
        with self._lock:
            self.copy = copy
            if self._db is not None:
                self._db.pragma("wal_autocheckpoint", 0 if copy else store.CHECKPOINT_PAGES)

    def checkpoint(self) -> None:
        """Move the log into the database, and empty it."""
        with self.read() as db:
            if self.copy is not None:
                self.copy.before_checkpoint()
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() != [(0, 0, 0)]:
                raise StrongroomError("the log cannot be emptied while something is read", "try again")

    @property
    def generation(self) -> int:
        """How many commits this vault has seen."""
        return self._current.generation

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / store.name(self.header.epoch)

    @property
    def secret_keys(self) -> Keys:
        """For what makes another header."""
        return self._keys

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

    def go_over(self, header: Header, secret_keys: Keys, db: apsw.Connection | None = None) -> None:
        """Use from now on what was put in place: this header with its keys, and where one is given, another database.

        The caller holds the vault, and calls `anchor` when it is sure to stay; at the latest the next commit does.
        """
        self.header, self._keys, self._pages = header, secret_keys, None
        self._current, self._anchored = replace(self._current, revision=header.revision), False
        if db is not None:
            old = self._db
            self._take(db)
            if old is not None:
                old.close()

    def anchor(self) -> None:
        """Write where the database is into both copies of the anchor; on the disk when this returns."""
        for copy in self._anchors:
            copy.write(self._current, self._pages)
        self._anchored = True

    def _take(self, db: apsw.Connection) -> None:
        """Use this connection from now on."""
        db.create_scalar_function("purge_tag", lambda *a: self.purge_tag(a[0]), 1, deterministic=True)
        self._db = db

    def _following(self) -> State:
        now = self._current
        return State(now.generation + 1, now.revision, secrets.token_bytes(16), now.tip, time.time())

    def _leave_rest(self) -> None:
        """From here on the database file may change: the anchor says so before it does."""
        if self._pages:
            self._pages = None
            self.anchor()

    def _check_and_anchor(self, db: apsw.Connection, accept_older: bool, *, changed: bool) -> None:
        """Hold the database against the anchor, and bring the anchor up to it."""
        database = stored_state(db, self.header.vault_id)
        try:
            beside, apart = (copy.read() for copy in self._anchors)
            anchor.check(database, self.header.revision, beside, apart)
            self._refuse_changed(database, changed=changed)
        except (OlderVaultError, ForkedVaultError, UnanchoredVaultError, OldPagesError):
            if not accept_older:
                raise
            self._adopt(db, database)
            return
        self._current = replace(database, revision=self.header.revision)
        if not beside == apart == self._current:
            # What a killed process committed may only be in the system's memory: on the disk with it before it is
            # anchored.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self.anchor()
        remove_leftovers(self.folder, self.database.name, shred.kept_copy(self, db))

    def _refuse_changed(self, database: State, *, changed: bool) -> None:
        if changed:
            raise OldPagesError(self.database, database.at)

    def _adopt(self, db: apsw.Connection, database: State) -> None:
        """Make this database the newest: a generation above all that is known, grown from what the anchor has."""
        known, self._pages = [database], None
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

    def _migrate(self, db: apsw.Connection) -> None:
        version, known = db.pragma("user_version"), len(schema.MIGRATIONS)
        if version > known:
            raise NewerVaultError("database", version, known)
        if version < known:
            self._leave_rest()
            schema.migrate(db)
            following = self._following()  # a commit like others: where it was not made, the database is older
            db.execute("BEGIN IMMEDIATE")
            put_state(db, following)
            db.execute("COMMIT")
            self._current, self._anchored = following, False
            self.anchor()


def _changes(db: apsw.Connection) -> tuple[int, int]:
    """Rows changed since the connection was opened, and the tables' version: equal if nothing was written."""
    return db.total_changes(), db.pragma("schema_version")
