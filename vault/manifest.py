"""What a backup is compared with: a sealed manifest, digests of tables, the digest of the file."""

import hashlib
import json
import marshal
import secrets
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from vault import store
from vault.errors import DamagedVaultError

FILE_NAME = "backup"
LIMIT_BYTES = 1024 * 1024
_PREFIX = struct.Struct(">8sHxxxxxx16s")  # magic, version, vault id


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself: the file `backup`, sealed.

        offset  bytes
             0      8  "strbackp"
             8      2  format version, 1
            10      6  0
            16     16  vault id
            32     12  nonce, random
            44      …  this class as JSON under AES-256-GCM, tag (16) last; associated data: bytes 0–31

    The key is HKDF(lasting key, "strongroom backup").
    """

    at: float
    """when it was made, seconds since 1970"""
    generation: int
    revision: int
    epoch: int
    database_bytes: int
    database_digest: str
    """BLAKE2b-256 of the database file, hex: also an old page with a valid tag is noticed"""
    tables: Mapping[str, str]
    """number of rows and BLAKE2b-256 of the content, by table"""


def seal(manifest: Manifest, vault_id: bytes, key: bytes) -> bytes:
    """The file's bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    prefix = _PREFIX.pack(b"strbackp", 1, vault_id)
    nonce = secrets.token_bytes(12)
    return prefix + nonce + AESGCM(key).encrypt(nonce, json.dumps(asdict(manifest)).encode(), prefix)


def unseal(data: bytes, vault_id: bytes, key: bytes) -> Manifest:
    """The reverse of `seal`. Raises DamagedVaultError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    prefix = _PREFIX.pack(b"strbackp", 1, vault_id)
    size = len(prefix)
    try:
        plain = AESGCM(key).decrypt(data[size : size + 12], data[size + 12 :], prefix)
    except (InvalidTag, ValueError):
        plain = b""
    if data[:size] != prefix or not plain:
        raise DamagedVaultError("the backup's manifest is damaged or of another vault", "use another backup")
    return Manifest(**json.loads(plain))


def contents(db: apsw.Connection) -> dict[str, str]:
    """For every table, the number of its rows and a digest of its content in the order of its key; and its
    definition's.
    """
    found = {}
    definitions = hashlib.blake2b(digest_size=32)
    for name, sql in db.execute("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").fetchall():
        definitions.update(marshal.dumps((name, sql), 2))
    found["(definitions)"] = definitions.hexdigest()
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
        columns = db.execute(f'PRAGMA table_info("{name}")').fetchall()
        key = [str(row[1]) for row in sorted(columns, key=lambda row: int(row[5] or 0)) if row[5]]
        order = ", ".join(f'"{column}"' for column in key) or "rowid"
        digest, rows = hashlib.blake2b(digest_size=32), 0
        for row in db.execute(f'SELECT * FROM "{name}" ORDER BY {order}'):
            # Version 2 of marshal writes equal rows of numbers, texts and bytes as equal bytes, with type and length.
            digest.update(marshal.dumps(row, 2))
            rows += 1
        found[str(name)] = f"{rows} {digest.hexdigest()}"
    return found


def compare(path: Path, key: bytes, expected: Mapping[str, str]) -> None:
    """Raises DamagedVaultError if the database at `path`, which nothing has open, has other contents."""
    db = store.open_readonly(path, key)
    try:
        found = contents(db)
    finally:
        db.close()
    different = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if different:
        raise DamagedVaultError(
            f"the copy {path} differs from its original in {', '.join(different)}", "check the disk, then try again"
        )


def digest(path: Path) -> str:
    """BLAKE2b-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
