"""Cutover: the vault goes over to a copy of its database under another key, in one rename of the header.

`vault/recrypt.py` makes the copy while the vault is in use. Here nobody else may use it, for some ten milliseconds: the
last pages are copied, the copy is held against the original, the header that names it and holds its key replaces the
old one, and the old database is removed.
"""

from typing import TYPE_CHECKING, Any

import apsw

from vault import store
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import explained
from vault.files import replace_and_erase, sync_folder
from vault.folder import HEADER_NAME, remove_database, stored_state
from vault.keys import Header, Keys
from vault.recrypt import Copy

if TYPE_CHECKING:
    from vault.vault import Vault


def switch(vault: "Vault", copy: Copy, header: Header, fresh: Keys) -> bool:
    """Go over to the copy, for good. False if the copy has to go on first.

    The header's rename is the moment. What fails before it leaves everything as it was; what fails after it is
    raised when the vault has gone over.
    """
    with vault.read() as db:
        if db.in_transaction:
            raise RuntimeError("a write is going on in this thread")
        if not copy.finish():
            return False
        new = store.open_existing(copy.path, fresh.database)
        try:
            _insist_on_same(vault, new, db)
            sync_folder(vault.folder)
            failed = _put_header(vault, header)
        except BaseException:
            new.close()
            raise
        copy.close()
        old = vault.database
        vault.go_over(header, fresh, new)
        remove_database(old)
        sync_folder(vault.folder)
        if failed:
            raise failed
        vault.anchor()
        return True


def _insist_on_same(vault: "Vault", new: apsw.Connection, old: apsw.Connection) -> None:
    """Every page was compared already; this is that SQLite, too, reads it as the same database."""
    with explained(vault.folder):
        states = [stored_state(db, vault.header.vault_id) for db in (new, old)]
        if states[0] != states[1] or _tables(new) != _tables(old):
            raise DamagedVaultError("the copy of the database is not what was copied", "check the disk")


def _tables(db: apsw.Connection) -> list[Any]:
    """What SQLite knows of its tables, and that each can be read."""
    found: list[Any] = db.execute("SELECT name, rootpage, sql FROM sqlite_schema ORDER BY name").fetchall()
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    return [*found, *(db.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchall() for name in names)]


def _put_header(vault: "Vault", header: Header) -> Exception | None:
    """Replace the header; what failed after it was in its place. Raises what failed before."""
    path = vault.folder / HEADER_NAME
    try:
        replace_and_erase(path, header.to_bytes())
    except (StrongroomError, OSError) as error:
        if path.read_bytes() != header.to_bytes():
            raise
        return error
    return None
