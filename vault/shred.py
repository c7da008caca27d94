"""Shredding: after a purge the database goes to a new key, and the old one is forgotten.

A purge takes the rows away at once (*erased*). What the disk still has of them, in blocks that a flash disk replaced
and in snapshots, is encrypted under the database's key; once the database is under another key and the header holds
that alone, the vault's passphrase opens those no more (*shredded*).

One shred serves all purges that were made before its key was drawn. A purge that comes later is served by the next,
because the copy held its pages already. The key of a copy in the making stands in the table `shred`, so that a copy
goes on after a crash or a restart; the new header's rename is what makes it the vault's.
"""

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from vault import keys, store
from vault.cutover import switch
from vault.errors import StrongroomError
from vault.failures import VaultUnusableError
from vault.folder import remove_database
from vault.pages import PAGE_BYTES
from vault.readback import Check
from vault.recrypt import BLOCK_PAGES, LOG_LIMIT_BYTES, Copy
from vault.sought import Sought

if TYPE_CHECKING:
    from vault.vault import Vault

SPARE_BYTES = 2 * LOG_LIMIT_BYTES
"""beside the copy: for the log, which grows while the last pages are copied"""
_LEAST_FREE_BYTES = LOG_LIMIT_BYTES // 2
"""below that while it copies, it gives the space back: the vault's own work comes first"""


_SINCE_VERSION = 3  # of the tables


class NoRoomError(StrongroomError):
    """Said before anything is copied, and when others have taken the space meanwhile."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"shredding needs {needed / 2**20:,.0f} MiB at {folder} for a while, {free / 2**20:,.0f} MiB are free",
            "free some space, it goes on by itself; `strongroom settings shred no` does without",
        )
        self.needed, self.free = needed, free


@dataclass(frozen=True, slots=True)
class State:
    """Where shredding is."""

    pending: int
    """purges that are erased and not shredded"""
    done_to: int
    """the last receipt that is shredded, and with it those before; 0 if there is none"""
    newest: float
    """when the last of them was, seconds since 1970; 0 if there is none"""
    covers: int
    """the last receipt that the copy in the making serves; 0 while none is made"""
    begun: float
    """when its key was drawn"""
    pages: int
    done: int
    """pages that were copied and compared since the vault was opened"""
    needed_bytes: int
    """that have to be free beside the vault, for what is still to be copied; 0 if nothing is pending"""
    free_bytes: int


@dataclass(frozen=True, slots=True)
class _Row:
    epoch: int
    key: bytes
    begun: float
    covers: int


def pending(vault: "Vault") -> int:
    """How many purges are erased and not yet shredded."""
    with vault.read() as db:
        return _count(db)


def needed(vault: "Vault") -> tuple[int, int]:
    """Bytes that have to be free beside the vault before a shred begins (or goes on), and bytes that are."""
    with vault.read():
        total = vault.database.stat().st_size
        copy = _copy_path(vault)
    there = 0
    with contextlib.suppress(FileNotFoundError):
        there = min(copy.stat().st_blocks * 512, total)
    return total - there + SPARE_BYTES, shutil.disk_usage(vault.folder).free


def state(vault: "Vault") -> State:
    """What is to be done and how far it is."""
    with vault.read() as db:
        count, row, copy = _count(db), _row(db), vault.copy
        newest = float(db.execute("SELECT max(at) FROM receipt WHERE shredded IS NULL").get or 0.0)
        done_to = int(db.execute("SELECT max(id) FROM receipt WHERE shredded IS NOT NULL").get or 0)
        total = vault.database.stat().st_size // PAGE_BYTES
        ours = copy is not None and row is not None and copy.path == _copy_path(vault)
    room, free = needed(vault)
    return State(
        pending=count,
        done_to=done_to,
        newest=newest,
        covers=row.covers if row else 0,
        begun=row.begun if row else 0.0,
        pages=copy.total if copy and ours else total,
        done=copy.done if copy and ours else 0,
        needed_bytes=room if count else 0,
        free_bytes=free,
    )


def begin(vault: "Vault") -> bool:
    """Begin a shred, or take up the one that was begun; False if no purge waits for it. Raises NoRoomError."""
    with vault.copying:
        if vault.copy is not None:
            return True
        with vault.read() as db:
            if not _count(db):
                return False
            row = _row(db)
        room, free = needed(vault)
        if free < room:
            raise NoRoomError(vault.folder, room, free)
        if row is None:
            with vault.write() as db:
                row = _Row(vault.header.epoch + 1, secrets.token_bytes(32), time.time(), newest(db))
                remove_database(_copy_path(vault))
                db.execute("INSERT INTO shred VALUES (?, ?, ?, ?)", (row.epoch, row.key, row.begun, row.covers))
        sought = Sought(vault, vault.sought)
        Copy(vault, _copy_path(vault), row.key, sought)
        return True


def step(vault: "Vault", pages: int = BLOCK_PAGES) -> bool:
    """Copy and compare up to `pages` pages of what `begin` has begun; True once the vault is under the new key.

    Holds the vault for a millisecond at a time, and at the end for some ten. Raises NoRoomError and VaultFullError,
    after giving the space back; DamagedVaultError where a page cannot be read, with nothing changed.
    """
    with vault.copying:
        copy = vault.copy
        if vault.closing:
            raise VaultUnusableError
        if copy is None:
            raise RuntimeError("no shred was begun")
        try:
            free = shutil.disk_usage(vault.folder).free
            if free < _LEAST_FREE_BYTES:
                raise NoRoomError(vault.folder, needed(vault)[0], free)
            if not copy.step(pages):
                return False
            return _switch(vault, copy)
        except VaultUnusableError:  # it was closed: the copy stays, for the next time
            raise
        except (StrongroomError, OSError):
            with contextlib.suppress(StrongroomError, OSError):
                abandon(vault)
            raise


def run(vault: "Vault", progress: Callable[[State], object] = lambda _: None) -> bool:
    """Shred from beginning to end; False if nothing was to be done."""
    if not begin(vault):
        return False
    while not step(vault):
        progress(state(vault))
    return True


def abandon(vault: "Vault") -> None:
    """Give up the copy in the making and its key; the purges stay erased, and wait for another."""
    with vault.copying:
        if vault.copy is not None:
            vault.copy.close()
        with vault.read():
            remove_database(_copy_path(vault))
        with vault.read() as db:
            waiting = _row(db) is not None
        if waiting:
            with vault.write() as db:
                db.execute("DELETE FROM shred")


def settle(vault: "Vault") -> None:
    """After opening: write down what a crash after the switch has left unwritten, and forget a copy that is not there.

    A backup that was made during a shred has its row, too; its key is not the restored vault's, and its copy is not
    there.
    """
    with vault.read() as db:
        row = _row(db)
    if row is None:
        return
    if row.key == vault.database_key:
        with vault.write() as db:
            _done(db, row.covers, [], 0)
    elif row.epoch != vault.header.epoch + 1 or not _copy_path(vault).exists():
        with vault.write() as db:
            db.execute("DELETE FROM shred")


def kept_copy(vault: "Vault", db: apsw.Connection) -> str:
    """The file name of the copy in the making, which opening must not remove; empty if there is none."""
    if db.pragma("user_version") < _SINCE_VERSION:
        return ""
    row = _row(db)
    return store.name(row.epoch) if row and row.epoch == vault.header.epoch + 1 else ""


def newest(db: apsw.Connection) -> int:
    """The number of the last receipt; 0 if there is none."""
    return int(db.execute("SELECT max(id) FROM receipt").get or 0)


def finished(vault: "Vault", copy: Copy, covers: int) -> None:
    """Write down that the vault has gone over to this copy, whose key was drawn after the receipt `covers`."""
    sought = copy.sought
    with vault.write() as db:
        _done(db, covers, sought.checks(db) if sought else [], copy.total)
    # What purges made since then have looked for stays, for their own shred.
    vault.sought = {piece: what for piece, what in vault.sought.items() if sought and not sought.knows(piece)}


def _switch(vault: "Vault", copy: Copy) -> bool:
    """From here on the vault is the copy, in one rename of the header."""
    with vault.read() as db:
        row = _row(db)
        if row is None:
            raise RuntimeError("the copy's key is not written down")
        header, fresh = keys.with_database(
            vault.header, vault.secret_keys, epoch=row.epoch, revision=vault.header.revision + 1, database=row.key
        )
        try:
            if not switch(vault, copy, header, fresh):
                return False
        except BaseException:
            if vault.database_key == row.key:  # what failed, failed afterwards
                settle(vault)
            raise
        finished(vault, copy, row.covers)
    return True


def _done(db: apsw.Connection, covers: int, checks: list[Check], total: int) -> None:
    looked = json.dumps({"pages": total, "checks": [asdict(each) for each in checks]}, ensure_ascii=False)
    db.execute(
        "UPDATE receipt SET shredded = ?, looked = ? WHERE shredded IS NULL AND id <= ?", (time.time(), looked, covers)
    )
    db.execute("DELETE FROM shred")


def _row(db: apsw.Connection) -> _Row | None:
    rows: list[Any] = db.execute("SELECT epoch, key, begun, covers FROM shred").fetchall()
    return _Row(*rows[0]) if rows else None


def _count(db: apsw.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM receipt WHERE shredded IS NULL").get)


def _copy_path(vault: "Vault") -> Path:
    return vault.folder / store.name(vault.header.epoch + 1)
