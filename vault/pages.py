"""The database file's pages, decrypted and encrypted without SQLite: free pages and leftovers between rows included.

SQLite shows rows; a purge also has to know what lies in pages that no row uses. The format is that of SQLite3
Multiple Ciphers' `chacha20` cipher in its present form
(https://utelle.github.io/SQLite3MultipleCiphers/docs/ciphers/cipher_chacha20/), with the raw key. A page of P bytes
with number p:

    offset   bytes
         0  P − 32  content, encrypted (page 1: bytes 0–15 hold the salt, 16–23 stay in the clear)
    P − 32      16  nonce, random at every write
    P − 16      16  tag: Poly1305 over everything before it

    counter        last four bytes of the nonce, little-endian, XOR p
    n              first twelve bytes of the nonce
    one-time keys  64 bytes of the ChaCha20 stream of the database key from `counter` with n:
                   32 for Poly1305, 32 for the page
    content        ChaCha20 under the page's key from `counter` + 1 with n
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vault.errors import DamagedVaultError

PAGE_BYTES = 4096
TRAILER_BYTES = 32  # nonce and tag
SALT_BYTES = 16  # of page 1; nothing is derived from it, because the key is a raw one
LOCK_PAGE = 0x4000_0000 // PAGE_BYTES + 1
"""the page that holds byte 2^30, where SQLite puts its file locks: it is never written, in a longer file it is a hole
(https://www.sqlite.org/fileformat2.html#the_lock_byte_page)"""
_FIRST_PAGE_CLEAR = 24
_READ_PAGES = 256  # 1 MiB at a time


def decrypted(path: Path, key: bytes) -> Iterator[bytes]:
    """Every page in order, as PAGE_BYTES − 32 bytes of content. Raises DamagedVaultError for one that fails its tag.

    The database must be at rest: nothing in its log. The page that SQLite never writes comes as it is on the disk.
    """
    with path.open("rb") as file:
        number = 0
        for block in _blocks(file):
            for start in range(0, len(block), PAGE_BYTES):
                number += 1
                page = block[start : start + PAGE_BYTES]
                whole = len(page) == PAGE_BYTES
                if whole and number == LOCK_PAGE:
                    yield page[:-TRAILER_BYTES]
                    continue
                content = opened(page, number, key) if whole else None
                if content is None:
                    raise damaged(path, number)
                yield content


def opened(page: bytes, number: int, key: bytes) -> bytes | None:
    """What a page of PAGE_BYTES holds, without its last 32; None if it fails its tag."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    end = PAGE_BYTES - TRAILER_BYTES
    nonce = page[end : end + 16]
    counter, one_time = _one_time(number, key, nonce)
    try:
        Poly1305.verify_tag(one_time[:32], page[: end + 16], page[end + 16 :])
    except InvalidSignature:
        return None
    clear = _FIRST_PAGE_CLEAR if number == 1 else 0
    return page[:clear] + _chacha20(page[clear:end], one_time[32:], counter + 1, nonce[:12])


def sealed(plain: bytes, number: int, key: bytes, nonce: bytes) -> bytes:
    """The page of PAGE_BYTES that holds this content. `nonce` (16 bytes) must not have served for another content
    under this key."""
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    counter, one_time = _one_time(number, key, nonce)
    clear = _FIRST_PAGE_CLEAR if number == 1 else 0
    page = plain[:clear] + _chacha20(plain[clear:], one_time[32:], counter + 1, nonce[:12]) + nonce
    return page + Poly1305.generate_tag(one_time[:32], page)


def damaged(path: Path, number: int) -> DamagedVaultError:
    """What to say of a page that is not as it was written."""
    return DamagedVaultError(f"page {number} of {path} is damaged", "restore a backup with `strongroom restore`")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(PAGE_BYTES * _READ_PAGES):
        yield block


def _one_time(number: int, key: bytes, nonce: bytes) -> tuple[int, bytes]:
    """Where the page's stream begins, and its two keys of 32 bytes."""
    counter = int.from_bytes(nonce[12:], "little") ^ number
    return counter, _chacha20(bytes(64), key, counter, nonce[:12])


def _chacha20(data: bytes, key: bytes, counter: int, nonce: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    start = (counter & 0xFFFFFFFF).to_bytes(4, "little") + nonce
    return Cipher(ChaCha20(key, start), None).encryptor().update(data)
