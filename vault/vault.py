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

from vault import anchor, attempts, keys, purge_list, recrypt, resting, schema, shred, store
from vault.anchor import Anchor, State
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import (
    ForkedVaultError,
    KeyringAloneError,
    NewerVaultError,
    OlderVaultError,
    OldPagesError,
    UnanchoredVaultError,
    VaultExistsError,
    VaultUnusableError,
    explained,
)
from vault.files import make_private_folder, replace_and_erase, sync_folder, system_errors, write_atomically
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
from vault.sought import Sought

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
                self._anchor()

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

    def change_passphrase(self, secret: str, passphrase: str, *, cost: KdfCost | None = None) -> None:
        """Replace the passphrase; `secret` is the present one or the recovery code, which stays as it is.

        An old header, if someone kept one, still opens with the old passphrase: `revoke` is against that.
        """
        with self._lock:
            opened = self._shown(secret)
            self._replace_header(keys.with_passphrase(self.header, opened, passphrase, cost))

    def new_recovery_code(self, secret: str) -> str:
        """Replace the recovery code and return the new one; the passphrase stays."""
        with self._lock:
            opened = self._shown(secret)
            header, code = keys.with_recovery_code(self.header, opened)
            self._replace_header(header)
        return code

    def keyring_on(self, secret: str) -> str:
        """Add a slot for the system's keyring; return what that is to keep. `secret` is the passphrase or the code."""
        with self._lock:
            header, kept = keys.with_keyring(self.header, self._shown(secret))
            self._replace_header(header)
        return kept

    def keyring_off(self) -> bool:
        """Remove that slot; return whether there was one. What the keyring keeps opens nothing any more, but an old
        header, in a backup say: `revoke` is against that."""
        with self._lock:
            if not self.header.has(keys.KEYRING):
                return False
            self._replace_header(keys.without_keyring(self.header, self._keys))
        return True

    def _shown(self, secret: str) -> Keys:
        """The keys, for somebody who shows anew that they know a secret. Raises KeyringAloneError for the keyring's."""
        if keys.as_keyring(secret):
            raise KeyringAloneError("cannot change what opens the vault")
        return unlock(self.header, secret, self.state)

    def revoke(self, secret: str, passphrase: str, *, cost: KdfCost | None = None) -> str:
        """New passphrase, recovery code, root key and database key; returns the recovery code.

        The database is copied under the new key, so that old secrets with an old header open nothing that is written
        from now on; that shreds what was purged before, too. It takes as much space again as the database while it
        runs; others may use the vault meanwhile. The new header takes effect in one rename: a crash before it leaves
        the vault as it was, one after it as it is to be.
        """
        with self.copying:
            opened = self._shown(secret)
            shred.abandon(self)
            epoch = self.header.epoch + 1
            path = self.folder / store.name(epoch)
            with self.read() as db:
                covers = shred.newest(db)
                header, fresh, code = keys.renewed(self.header, opened, passphrase, epoch, cost)
            copy = recrypt.Copy(self, path, fresh.database, Sought(self, self.sought))
            try:
                while not (copy.step() and self._renew(copy, header, fresh)):
                    pass
            except BaseException:
                copy.close()
                if self.header.epoch != epoch:
                    remove_database(path)
                raise
            shred.finished(self, copy, covers)
        return code

    def _renew(self, copy: recrypt.Copy, header: Header, fresh: Keys) -> bool:
        with self.read():
            revision = self.header.revision + 1  # perhaps another secret was changed meanwhile
            return self.switch(copy, keys.with_database(header, fresh, epoch=header.epoch, revision=revision)[0], fresh)

    def switch(self, copy: recrypt.Copy, header: Header, fresh: Keys) -> bool:
        """Go over to a copy of the database under another key, for good. False if the copy has to go on first.

        The header's rename is the moment. What fails before it leaves everything as it was; what fails after it is
        raised when the vault has gone over.
        """
        with self._lock, self.read() as db:
            if self._writing:
                raise RuntimeError("a write is going on in this thread")
            if not copy.finish():
                return False
            new = store.open_existing(copy.path, fresh.database)
            try:
                self._insist_on_same(new, db)
                sync_folder(self.folder)
                failed = self._put_header(header)
            except BaseException:
                new.close()
                raise
            copy.close()
            old = self.database
            self.header, self._keys, self._pages = header, fresh, None
            self._current, self._anchored = replace(self._current, revision=header.revision), False
            self._take(new)
            db.close()
            remove_database(old)
            with system_errors(self.folder, "write"):
                sync_folder(self.folder)
            if failed:
                raise failed
            self._anchor()
            return True

    def _insist_on_same(self, new: apsw.Connection, old: apsw.Connection) -> None:
        """Every page was compared already; this is that SQLite, too, reads it as the same database."""
        with explained(self.folder):
            if self._stored_state(new) != self._stored_state(old) or _tables(new) != _tables(old):
                raise DamagedVaultError("the copy of the database is not what was copied", "check the disk")

    def _put_header(self, header: Header) -> Exception | None:
        """Replace the header; what failed after it was in its place. Raises what failed before."""
        path = self.folder / HEADER_NAME
        try:
            replace_and_erase(path, header.to_bytes())
        except (StrongroomError, OSError) as error:
            if path.read_bytes() != header.to_bytes():
                raise
            return error
        return None

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

    def _take(self, db: apsw.Connection) -> None:
        """Use this connection from now on."""
        db.create_scalar_function("purge_tag", lambda *a: self.purge_tag(a[0]), 1, deterministic=True)
        self._db = db

    def _replace_header(self, header: Header) -> None:
        if self._db is None:
            raise VaultUnusableError
        write_atomically(self.folder / HEADER_NAME, header.to_bytes())
        self.header, self._pages = header, None
        self._current, self._anchored = replace(self._current, revision=header.revision), False
        self._anchor()

    def _following(self) -> State:
        now = self._current
        return State(now.generation + 1, now.revision, secrets.token_bytes(16), now.tip, time.time())

    def _anchor(self) -> None:
        for copy in self._anchors:
            copy.write(self._current, self._pages)
        self._anchored = True

    def _leave_rest(self) -> None:
        """From here on the database file may change: the anchor says so before it does."""
        if self._pages:
            self._pages = None
            self._anchor()

    def _check_and_anchor(self, db: apsw.Connection, accept_older: bool, *, changed: bool) -> None:
        """Hold the database against the anchor, and bring the anchor up to it."""
        database = self._stored_state(db)
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
            self._anchor()
        self._remove_leftovers(shred.kept_copy(self, db))

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
        if version < known:
            self._leave_rest()
            schema.migrate(db)
            following = self._following()  # a commit like others: where it was not made, the database is older
            db.execute("BEGIN IMMEDIATE")
            put_state(db, following)
            db.execute("COMMIT")
            self._current, self._anchored = following, False
            self._anchor()

    def _remove_leftovers(self, kept: str) -> None:
        """What a crash left of a copy that was not taken over, or of one that was replaced. `kept` goes on."""
        for path in self.folder.glob("store-*.db"):
            if path.name not in (store.name(self.header.epoch), kept):
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
    if kept := keys.as_keyring(secret):
        return keys.unlock_with_keyring(header, kept)
    counter = own_state / attempts.FILE_NAME
    attempts.begin(counter)
    opened = keys.unlock_with_passphrase(header, secret)
    attempts.succeeded(counter)
    return opened


def _tables(db: apsw.Connection) -> list[Any]:
    """What SQLite knows of its tables, and that each can be read."""
    found: list[Any] = db.execute("SELECT name, rootpage, sql FROM sqlite_schema ORDER BY name").fetchall()
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    return [*found, *(db.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchall() for name in names)]


def _changes(db: apsw.Connection) -> tuple[int, int]:
    """Rows changed since the connection was opened, and the tables' version: equal if nothing was written."""
    return db.total_changes(), db.pragma("schema_version")
