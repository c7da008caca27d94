"""Backups of a live vault: encrypted, compared after writing, verified before restoring, compared after that."""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vault import anchor, attempts, keys, purge, purge_list, store
from vault import manifest as manifests
from vault.anchor import Anchor, State
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import UnanchoredVaultError, VaultExistsError, explained
from vault.files import make_private_folder, read_small, sync_folder, system_errors, write_atomically, write_new
from vault.folder import (
    HEADER_NAME,
    LOCK_NAME,
    read_header,
    refuse_synced,
    remove_database,
    state_folder,
    take_lock,
)
from vault.keys import Header, Keys
from vault.manifest import Manifest, compare, contents, digest
from vault.purge_list import PurgeList
from vault.vault import Vault

_COPY_BYTES = 1024 * 1024
_SPARE_BYTES = 16 * 1024 * 1024


class NotABackupError(StrongroomError):
    """The folder was not written by `strongroom backup`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is not a backup", "name the folder that `strongroom backup` has written")


class NoSpaceError(StrongroomError):
    """Said before anything is written."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{folder} has {free // 2**20} MiB free, and {needed // 2**20} MiB are needed",
            "free some space, or name a folder on another disk",
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored vault, open, and what was done to it."""

    vault: Vault
    made: float
    """when the backup was made, seconds since 1970"""
    purged: purge.Receipt | None
    """of documents that came back with the backup and had been purged since"""


def backup(vault: Vault, target: Path) -> Manifest:
    """Write a copy of an open vault, encrypted under a key of its own, into a folder that does not exist or is empty.

    It opens with the passphrase and the recovery code that the vault has now. Changes wait while it runs; it needs as
    much space as the database. After writing, every table of the copy is compared with the vault's. A backup may lie
    in a folder that a cloud client synchronises. Raises VaultExistsError, NoSpaceError, DamagedVaultError where the
    copy differs.
    """
    target = target.absolute()
    _refuse_used(target)
    with vault.read() as db, _built_aside(target) as aside:
        _refuse_small(target.parent, int(db.pragma("page_count")) * int(db.pragma("page_size")))
        copy = aside / store.name(vault.header.epoch)
        # A key of its own: once the vault's is shredded, no backup's header may still hold it.
        own = vault.header
        header, opened = keys.with_database(
            own, vault.secret_keys, epoch=own.epoch, revision=own.revision, database=secrets.token_bytes(32)
        )
        store.copy_into(db, copy, opened.database)
        tables = contents(db)
        manifest = Manifest(
            at=time.time(),
            generation=vault.generation,
            revision=vault.header.revision,
            epoch=vault.header.epoch,
            database_bytes=copy.stat().st_size,
            database_digest=digest(copy),
            tables=tables,
        )
        compare(copy, opened.database, tables)
        key = vault.derived_key("strongroom backup")
        write_new(aside / manifests.FILE_NAME, manifests.seal(manifest, vault.header.vault_id, key))
        write_new(aside / HEADER_NAME, header.to_bytes())
    return manifest


def verify(source: Path, secret: str, state: Path) -> tuple[Header, Keys, Manifest]:
    """Read a backup whole: header, seal, every byte of the database, every table. Changes nothing in it.

    Raises NotABackupError, DamagedVaultError, and what unlocking raises.
    """
    source = source.absolute()
    try:
        with system_errors(source, "read"):
            sealed = read_small(source / manifests.FILE_NAME, manifests.LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise NotABackupError(source) from None
    header = read_header(source)
    opened = attempts.unlock(header, secret, state_folder(state, header.vault_id))
    manifest = manifests.unseal(sealed, header.vault_id, opened.derived("strongroom backup"))
    database = source / store.name(manifest.epoch)
    if manifest.epoch != header.epoch or manifest.revision != header.revision:
        raise _damaged(source, "its header is of another time than its database")
    with contextlib.suppress(FileNotFoundError), system_errors(database, "read"):
        if database.stat().st_size == manifest.database_bytes and digest(database) == manifest.database_digest:
            compare(database, opened.database, manifest.tables)
            return header, opened, manifest
    raise _damaged(source, "its database is not the one that was written")


def restore(
    source: Path,
    folder: Path,
    secret: str,
    state: Path,
    *,
    remove_from_index: purge.RemoveFromIndex,
    replace: bool = False,
) -> Restored:
    """Verify a backup, copy it, compare the copy, purge what was purged since it was made, and open it.

    `secret` is the backup's passphrase or recovery code, as it was then. `folder` must not exist or be empty; with
    `replace` it may hold the same vault, which stays as it was until the copy has been compared. Where this user's
    state folder knows the vault, the restored one becomes its newest. Raises VaultExistsError, NoSpaceError,
    OpenElsewhereError, and what `verify` raises.
    """
    folder, source = folder.absolute(), source.absolute()
    refuse_synced(folder)
    replacing = replace and (folder / HEADER_NAME).exists()
    if not replacing:
        _refuse_used(folder)
    header, opened, manifest = verify(source, secret, state)
    own_state = state_folder(state, header.vault_id)
    PurgeList(
        own_state / purge_list.FILE_NAME, header.vault_id, opened.derived("strongroom purge list")
    ).read()  # if it is damaged, say so now
    original = source / store.name(manifest.epoch)
    if replacing:
        lock = take_lock(folder)
        try:
            _refuse_other(folder, header)
            _refuse_small(folder, manifest.database_bytes)
            newest = _newest((folder, own_state), header, opened)
            epoch = max(_epochs(folder, header.epoch)) + 1
            header, first = _as_newest(header, opened, newest, epoch, manifest)
            copy = folder / store.name(epoch)
            remove_database(copy)
            _place(original, copy, opened, manifest, first)
            write_atomically(folder / HEADER_NAME, header.to_bytes())  # from here on it is the restored one
            _anchor((folder, own_state), header, opened, first)
        finally:
            os.close(lock)
    else:
        newest = _newest((own_state,), header, opened)
        header, first = _as_newest(header, opened, newest, header.epoch + 1, manifest)
        with _built_aside(folder) as aside:
            _refuse_small(folder.parent, manifest.database_bytes)
            _place(original, aside / store.name(header.epoch), opened, manifest, first)
            write_new(aside / HEADER_NAME, header.to_bytes())
            _anchor((aside,), header, opened, first)
        _anchor((own_state,), header, opened, first)
    vault = Vault.open_with_keys(folder, header, opened, state=state)
    try:
        purged = purge.reapply(vault, remove_from_index)
    except BaseException:
        vault.close()
        raise
    return Restored(vault, manifest.at, purged)


def destroy(folder: Path, state: Path) -> None:
    """Remove a vault for good: its keys first, so that a crash leaves nothing that opens, then the rest.

    Files in the folder that are not the vault's stay. Backups are not touched: they still open. Raises NoVaultError,
    OpenElsewhereError.
    """
    folder = folder.absolute()
    with contextlib.suppress(DamagedVaultError):
        read_header(folder)
    lock = take_lock(folder)
    try:
        own_state = None
        with contextlib.suppress(DamagedVaultError):
            own_state = state / read_header(folder).vault_id.hex()
        path = folder / HEADER_NAME
        with system_errors(folder, "remove"):
            if path.exists():
                with path.open("r+b") as file:  # in place: a disk that writes in place then holds it no longer
                    file.write(secrets.token_bytes(path.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
                sync_folder(folder)
            if own_state and own_state.exists():
                shutil.rmtree(own_state, ignore_errors=True)
                sync_folder(state)
            # The databases last, and only when the rest is gone for good: by them what a crash has left is known.
            for name in (anchor.FILE_NAME, manifests.FILE_NAME, LOCK_NAME):
                (folder / name).unlink(missing_ok=True)
            for left in folder.glob("*.new"):
                left.unlink()
            sync_folder(folder)
            for database in folder.glob("store-*.db"):
                remove_database(database)
            sync_folder(folder)
            with contextlib.suppress(OSError):  # not empty: something of the user's lies there
                folder.rmdir()
                sync_folder(folder.parent)
    finally:
        os.close(lock)


def _place(original: Path, copy: Path, opened: Keys, manifest: Manifest, first: State) -> None:
    """Copy the database, compare the copy, and say in it that it is now the newest."""
    copied = hashlib.blake2b(digest_size=32)
    with system_errors(copy, "write"), original.open("rb") as source:
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(target, "wb") as file:
            while block := source.read(_COPY_BYTES):
                copied.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    if copied.hexdigest() != manifest.database_digest or digest(copy) != manifest.database_digest:
        raise _damaged(original.parent, "it changed while it was copied")
    compare(copy, opened.database, manifest.tables)
    db = store.open_existing(copy, opened.database)
    with explained(copy.parent):
        try:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (first.to_bytes(),))
        finally:
            db.close()


def _newest(folders: tuple[Path, ...], header: Header, opened: Keys) -> State | None:
    """The newest state that the anchors in these folders know. A damaged one is left out: it is replaced now."""
    found = []
    for place in folders:
        with contextlib.suppress(UnanchoredVaultError):
            found.append(_anchor_in(place, header, opened).read())
    return max((state for state in found if state), key=lambda state: state.generation, default=None)


def _as_newest(
    header: Header, opened: Keys, newest: State | None, epoch: int, manifest: Manifest
) -> tuple[Header, State]:
    """The header for `epoch`, and a state one above all that is known and grown from it: what a crash leaves then
    opens.
    """
    known = max(manifest.generation, newest.generation if newest else 0)
    revision = max(header.revision, newest.revision if newest else 0) + 1
    header, _ = keys.with_database(header, opened, epoch=epoch, revision=revision)
    tip = newest.tip if newest else bytes(16)
    return header, State(known + 1, revision, secrets.token_bytes(16), tip, time.time())


def _anchor(folders: tuple[Path, ...], header: Header, opened: Keys, state: State) -> None:
    for place in folders:
        _anchor_in(place, header, opened).replace(state)


def _anchor_in(folder: Path, header: Header, opened: Keys) -> Anchor:
    return Anchor(folder / anchor.FILE_NAME, header.vault_id, opened.derived("strongroom anchor"))


@contextlib.contextmanager
def _built_aside(target: Path) -> Iterator[Path]:
    """A private folder beside the target that becomes the target when the block ends, and vanishes if it raises."""
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    make_private_folder(aside)
    try:
        yield aside
        with system_errors(target, "make"):
            sync_folder(aside)
            os.rename(aside, target)
            sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _refuse_used(folder: Path) -> None:
    with system_errors(folder, "read"):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "already holds a vault" if (folder / HEADER_NAME).exists() else "is not empty"
            raise VaultExistsError(folder, what)


def _refuse_other(folder: Path, header: Header) -> None:
    with contextlib.suppress(DamagedVaultError):  # what cannot be read any more may be replaced
        if read_header(folder).vault_id != header.vault_id:
            raise VaultExistsError(folder, "holds another vault than the backup")


def _refuse_small(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise NoSpaceError(folder, needed + _SPARE_BYTES, free)


def _epochs(folder: Path, *others: int) -> list[int]:
    numbers = [path.stem.removeprefix("store-") for path in folder.glob("store-*.db")]
    return [*others, *(int(number) for number in numbers if number.isdigit())]


def _damaged(folder: Path, what: str) -> DamagedVaultError:
    return DamagedVaultError(f"the backup at {folder} is damaged: {what}", "use another backup")
