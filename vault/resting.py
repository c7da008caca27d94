"""The database at rest: one digest over its pages, by which a single old page is noticed that was put back.

Each page of the file ends in its nonce and tag (vault/pages.py), drawn and computed anew at every write, and a page
reads only if they are its own. So a digest over them all says which version of every page the file holds, without
reading a key or a word: at 616 MB the digest is over 4.8 MB. It is taken when the vault is closed, which leaves no
log, and sealed in the anchor; it is compared when the vault is opened, before SQLite looks at the file. From just
before the first commit until the next closing there is none, because the file changes.
"""

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from vault.anchor import Anchor, State, pages_at_rest
from vault.errors import StrongroomError
from vault.failures import UnanchoredVaultError
from vault.files import system_errors

PAGE_BYTES = 4096
_TRAILER = 32  # nonce 16, tag 16
_READ_BYTES = 1024 * PAGE_BYTES


def digest(path: Path) -> bytes:
    """BLAKE2b-256 of the file's length (8 bytes, big-endian), then of the last 32 bytes of each page and of what
    follows the last whole page. Raises FileNotFoundError, VaultPermissionError.
    """
    found = hashlib.blake2b(digest_size=32)
    with system_errors(path, "read"), path.open("rb", buffering=0) as file:
        found.update(path.stat().st_size.to_bytes(8, "big"))
        while block := file.read(_READ_BYTES):
            view = memoryview(block)
            whole = len(block) - len(block) % PAGE_BYTES
            found.update(b"".join(view[at - _TRAILER : at] for at in range(PAGE_BYTES, whole + 1, PAGE_BYTES)))
            found.update(view[whole:])
    return found.digest()


def look(database: Path, revision: int, anchors: Iterable[Anchor]) -> tuple[bytes | None, bool]:
    """Compare the database with what the anchor says of it at rest: the digest where it holds, and whether it differs.

    (None, False) where the vault was not closed since its last commit. A log beside a database that is at rest is of a
    transaction that was never committed, or somebody else's work: it goes.
    """
    copies = []
    for each in anchors:
        with contextlib.suppress(UnanchoredVaultError):  # said in a moment
            copies.append(each.newest())
    wanted = pages_at_rest(revision, *copies)
    if not wanted or not database.exists():
        return None, False
    found = digest(database)
    if wanted != {found}:
        return None, True
    log = database.with_name(database.name + "-wal")
    with system_errors(log, "remove"):
        log.unlink(missing_ok=True)
    return found, False


def come_to_rest(database: Path, state: State, anchors: Iterable[Anchor]) -> None:
    """Seal the digest of a database that was just closed. Where that fails, the next opening does without."""
    log = database.with_name(database.name + "-wal")
    with contextlib.suppress(OSError, StrongroomError):
        if not log.exists():
            pages = digest(database)
            for each in anchors:
                each.write(state, pages)
