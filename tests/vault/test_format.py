"""A reader that follows docs/vault-format.md and nothing else opens a vault."""

import hashlib
import hmac
import json
import struct
import unicodedata

import apsw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault import backup as backups
from vault import purge_list


def hkdf(key: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def code_bytes(code: str) -> bytes:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = 0
    for group in code.split("-")[:7]:
        for character in group[:4]:
            number = number * 32 + alphabet.index(character)
    return number.to_bytes(18, "big")


def opened(header: bytes, *, passphrase: str = "", code: str = "") -> tuple[bytes, bytes, int]:
    """Database key, lasting key, epoch."""
    n = int.from_bytes(header[10:12], "big")
    assert header[:10] == b"strongrm\0\1"
    assert len(header) == 172 + 104 * n
    assert hashlib.sha256(header[:-8]).digest()[:8] == header[-8:]
    slots = [header[40 + 104 * i : 144 + 104 * i] for i in range(n)]
    slot = next(s for s in slots if s[0] == (1 if passphrase else 2))
    memory, passes = struct.unpack(">II", slot[4:12])
    if passphrase:
        kdf = Argon2id(salt=slot[12:44], length=32, iterations=passes, lanes=slot[2], memory_cost=memory)
        key = kdf.derive(unicodedata.normalize("NFC", passphrase).encode())
    else:
        key = hkdf(code_bytes(code), b"strongroom slot", slot[12:44])
    root = AESGCM(key).decrypt(slot[44:56], slot[56:], header[:10] + header[16:32] + slot[:56])
    at = 40 + 104 * n
    assert hmac.digest(hkdf(root, b"strongroom seal"), header[: at + 92], "sha256") == header[at + 92 : at + 124]
    keys = AESGCM(hkdf(root, b"strongroom wrap")).decrypt(
        header[at : at + 12], header[at + 12 : at + 92], header[:10] + header[16:32] + header[12:16]
    )
    return keys[:32], keys[32:], int.from_bytes(header[12:16], "big")


def unsealed(data: bytes, prefix: int, end: int | None, lasting: bytes, purpose: bytes) -> bytes:
    key = AESGCM(hkdf(lasting, purpose))
    return key.decrypt(data[prefix : prefix + 12], data[prefix + 12 : end], data[:prefix])


def at_rest(database: bytes) -> bytes:
    found = hashlib.blake2b(len(database).to_bytes(8, "big"), digest_size=32)
    for end in range(4096, len(database) + 1, 4096):
        found.update(database[end - 32 : end])
    return found.digest()


def test_the_documented_format_is_the_one_that_is_written(place, tmp_path):
    vault = place.open()
    place.put(vault, "a", "value")
    with vault.write() as db:
        tag = vault.purge_tag("ab" * 32)
        db.execute("INSERT INTO purged VALUES (?, 12.5)", (tag,))
        purge_list.advance(db)
    purge_list.publish(vault)
    backups.backup(vault, tmp_path / "copy")
    vault.close()

    header = (place.folder / "header").read_bytes()
    database_key, lasting, epoch = opened(header, passphrase="correct horse battery")
    assert (database_key, lasting, epoch) == opened(header, code=place.code)

    db = apsw.Connection(str(place.folder / f"store-{epoch}.db"))
    db.pragma("cipher", "chacha20")
    db.pragma("key", f"raw:{database_key.hex()}")
    assert db.execute("SELECT value FROM setting WHERE key = 'a'").get == "value"
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    db.close()
    assert meta["vault"] == header[16:32]
    assert meta["purges"] == 1

    own = place.state / header[16:32].hex()
    generation, revision, _, _, _ = struct.unpack(">QQ16s16sd", meta["state"])
    assert (generation, revision) == (3, 0)
    for file in (place.folder / "anchor", own / "anchor"):
        data = file.read_bytes()
        assert len(data) == 1024
        where = data[generation % 2 * 512 :][:512]
        assert where[:12] == b"stranchr\0\2\0\0"
        sealed = unsealed(where, 28, 144, lasting, b"strongroom anchor")
        assert sealed[:56] == meta["state"]
        assert sealed[56:] == at_rest((place.folder / f"store-{epoch}.db").read_bytes())

    listed = (own / "purged").read_bytes()
    plain = unsealed(listed, 32, None, lasting, b"strongroom purge list")
    assert listed[:16] == b"strpurge\0\1" + bytes(6)
    assert struct.unpack_from(">QI32sd", plain) == (1, 1, tag, 12.5)
    assert tag == hmac.digest(hkdf(lasting, b"strongroom purge tag"), bytes.fromhex("ab" * 32), "sha256")

    manifest = json.loads(unsealed((tmp_path / "copy/backup").read_bytes(), 32, None, lasting, b"strongroom backup"))
    file = (tmp_path / "copy" / f"store-{manifest['epoch']}.db").read_bytes()
    assert manifest["database_bytes"] == len(file)
    assert manifest["database_digest"] == hashlib.blake2b(file, digest_size=32).hexdigest()
    assert manifest["tables"]["setting"].startswith("1 ")
