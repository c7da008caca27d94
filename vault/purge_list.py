"""What has been purged, as keyed hashes: in the database, and sealed in the user's state folder for backups made
before.

A restored backup holds what was purged since it was made. The list in the state folder is what tells: it lies outside
of the vault's folder, so that replacing that folder leaves it, and is sealed under a key derived from the lasting
key, which every header of the vault has held since the vault was made. So the newest list opens with the header of an
old backup, and still opens after `passwd --revoke`. The price: whoever has an old header and its secret can read the
list, too. What it tells them is whether a file that they have themselves was purged.
"""

import contextlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from vault.errors import DamagedVaultError
from vault.files import read_small, write_atomically

if TYPE_CHECKING:
    from vault.vault import Vault

FILE_NAME = "purged"
_PREFIX = struct.Struct(">8sHxxxxxx16s")  # magic, version, vault id
_START = struct.Struct(">QI")  # serial, number of entries
_ENTRY = struct.Struct(">32sd")  # tag, seconds since 1970
_PAD_BYTES = 4096  # the length tells the number of purges only roughly
_LIMIT_BYTES = 64 * 1024 * 1024


class PurgeList:
    """The file `purged` in the vault's part of the state folder (numbers big-endian):

        offset  bytes
             0      8  "strpurge"
             8      2  format version, 1
            10      6  0
            16     16  vault id
            32     12  nonce, random
            44      …  under AES-256-GCM, tag (16) last; associated data: bytes 0–31
                       0   8  serial: one more at every purge or lift
                       8   4  n, number of entries
                      12  n×40  tag (32), time (IEEE double)
                       …      zeros up to a multiple of 4096 bytes

    The key is HKDF(lasting key, "strongroom purge list"). A tag is HMAC-SHA256 of the document's id (32 bytes) under
    HKDF(lasting key, "strongroom purge tag").
    """

    def __init__(self, path: Path, vault_id: bytes, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._aead = AESGCM(key)
        self._prefix = _PREFIX.pack(b"strpurge", 1, vault_id)

    def read(self) -> tuple[int, dict[bytes, float]] | None:
        """Serial, and time by tag; None if there is no list. Raises DamagedVaultError."""
        from cryptography.exceptions import InvalidTag

        try:
            data = read_small(self.path, _LIMIT_BYTES)
        except FileNotFoundError:
            return None
        size = len(self._prefix)
        try:
            plain = self._aead.decrypt(data[size : size + 12], data[size + 12 :], data[:size])
        except (InvalidTag, ValueError):
            plain = b""
        if data[:size] != self._prefix or not plain:
            raise DamagedVaultError(
                f"the list of what was purged, {self.path}, is damaged",
                "remove it to go on without: a restored backup then brings purged documents back",
            )
        serial, count = _START.unpack_from(plain)
        end = _START.size + count * _ENTRY.size
        return serial, dict(_ENTRY.iter_unpack(plain[_START.size : end]))

    def write(self, serial: int, entries: Mapping[bytes, float]) -> None:
        """Replace the list, atomically."""
        plain = _START.pack(serial, len(entries))
        plain += b"".join(_ENTRY.pack(tag, at) for tag, at in sorted(entries.items()))
        plain += bytes(-len(plain) % _PAD_BYTES)
        nonce = secrets.token_bytes(12)
        sealed = self._aead.encrypt(nonce, plain, self._prefix)
        write_atomically(self.path, self._prefix + nonce + sealed)


def tag(key: bytes, document_id: str) -> bytes:
    """What stays of a purged document. `key` is the vault's for "strongroom purge tag"."""
    return hmac.digest(key, bytes.fromhex(document_id), "sha256")


def stored(db: apsw.Connection) -> tuple[int, dict[bytes, float]]:
    """The same as `PurgeList.read`, as the database has it."""
    return serial(db), dict(db.execute("SELECT tag, at FROM purged").fetchall())  # type: ignore[arg-type]


def serial(db: apsw.Connection) -> int:
    """One more at every purge or lift."""
    return int(db.execute("SELECT value FROM meta WHERE key = 'purges'").get or 0)


def advance(db: apsw.Connection, to: int | None = None) -> None:
    """Count a change of the list (to this number where one is given), within the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES ('purges', ?)", (serial(db) + 1 if to is None else to,))


def publish(vault: "Vault") -> None:
    """Write what the database has to the state folder."""
    with vault.read() as db:
        vault.purge_list.write(*stored(db))


def reconcile(vault: "Vault") -> bool:
    """Bring database and list together when a vault is opened; whether documents may be there that the list names.

    The database is written first, so a list that is behind is what a crash left. One that is ahead, or differs, means
    that the database is an older copy which was accepted, or restored: then nothing that either has purged comes
    back.
    """
    kept: tuple[int, dict[bytes, float]] | None = None
    with contextlib.suppress(DamagedVaultError):  # the database knows it all, unless it is older, which was said
        kept = vault.purge_list.read()
    with vault.read() as db:
        serial, tags = stored(db)
    if kept == (serial, tags):
        return False
    if kept is None or kept[0] < serial:
        vault.purge_list.write(serial, tags)
        return False
    merge(vault, *kept)
    return True


def merge(vault: "Vault", serial: int, tags: Mapping[bytes, float]) -> None:
    """Take over what a list names, and write the union back to the state folder."""
    with vault.write() as db:
        own, _ = stored(db)
        db.executemany("INSERT OR IGNORE INTO purged VALUES (?, ?)", tags.items())
        advance(db, max(own, serial) + 1)
    publish(vault)
