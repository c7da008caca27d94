"""A copy of the open database under another key, made page by page while the vault is in use.

The database file changes only when the log is moved into it, so between two such moments its pages can be read at
leisure. What the log held when it was moved is what has to be copied again. The vault is held only for reading a
block, not for decrypting and encrypting it.

**Taking up.** A page of the copy has the nonce HMAC-SHA256(HMAC-SHA256(new key, "strongroom page nonce"), page number
(8 bytes, big-endian) + the original page's last 32 bytes), cut to 16. The original's last bytes are a random nonce
and a tag, new at every write; so a page of the copy tells by its nonce which writing of the original it was made of,
nothing else has to be remembered, and no nonce serves for two contents. A copy that a crash has left is gone through
again: pages whose nonce fits are not written again, but they are decrypted and compared like the others, because a
power cut may have torn them.
"""

import hmac
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vault import log, pages, store
from vault.errors import DamagedVaultError
from vault.failures import VaultUnusableError
from vault.files import sync_folder, system_errors
from vault.pages import LOCK_PAGE, PAGE_BYTES, SALT_BYTES, TRAILER_BYTES

if TYPE_CHECKING:
    from vault.sought import Sought
    from vault.vault import Vault

LOG_LIMIT_BYTES = 16 * 1024 * 1024
"""a longer log is moved into the database, as SQLite would do it by itself"""
BLOCK_PAGES = 256  # 1 MiB
_FEW_PAGES = 256  # so many may be left for when nobody else may use the vault: some ten milliseconds
_MOST_ROUNDS = 16  # whoever writes faster than this copies has to wait a little longer at the end


class Copy:
    """One copy in the making. One thread at a time may call it; the vault may be used by others meanwhile."""

    def __init__(self, vault: "Vault", path: Path, key: bytes, sought: "Sought | None" = None) -> None:
        """`sought` gets the content of every page of the copy, read back and decrypted, a block at a time.

        Begins to follow the database's changes. A file at `path` is taken up.
        """
        store.check_key(key)
        self.path = path
        self._vault, self._key = vault, key
        self.sought = sought
        self._source_key = vault.database_key
        self._source = vault.database
        self._nonce_key = hmac.digest(key, b"strongroom page nonce", "sha256")
        self._salt = hmac.digest(self._nonce_key, b"salt", "sha256")[:SALT_BYTES]
        self._changed = bytearray()  # a bit for each page: has to be copied again
        self._salts = b""  # of the log that is followed; empty: it is not known any more
        self._at = 0  # pages gone through in order
        self._rounds = 0
        self.total = 0
        """pages of the original when it was last looked at"""
        self.written = 0
        """pages that this object has encrypted"""
        with system_errors(path, "make"):
            made = not path.exists()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
            os.fchmod(self._file, 0o600)
            if made:
                sync_folder(path.parent)
        try:
            with system_errors(self._source, "read"):
                self._original = os.open(self._source, os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            os.close(self._file)
            raise
        vault.follow(self)

    @property
    def done(self) -> int:
        """Pages gone through so far."""
        return min(self._at, self.total)

    def step(self, count: int = BLOCK_PAGES) -> bool:
        """Copy and compare up to `count` pages; whether no more than a few remain, for `finish`.

        Raises DamagedVaultError where a page of the original is damaged, or the copy does not hold what was written
        to it; VaultFullError.
        """
        self._follow()
        while count > 0:
            if self._vault.closing:
                raise VaultUnusableError
            with self._vault.read():
                numbers = self._next(min(count, BLOCK_PAGES))
                block = self._read(numbers)
            if not numbers:
                break
            self._bring(numbers, block)
            count -= len(numbers)
        with self._vault.read():
            if self._at < self.total or any(self._changed):
                return False
            if self._note():
                return False
            self._rounds += 1
            return self._left() <= _FEW_PAGES or self._rounds > _MOST_ROUNDS

    def finish(self) -> bool:
        """Make it the original's exact copy, and put it on the disk. The caller holds the vault until it has switched.

        False where the original's changes were lost sight of: then `step` has to go on.
        """
        self._vault.checkpoint()
        if not self._salts:
            return False
        self._look_at_size()
        while numbers := self._next(BLOCK_PAGES):
            self._bring(numbers, self._read(numbers))
        with system_errors(self.path, "write"):
            os.ftruncate(self._file, self.total * PAGE_BYTES)
            os.fsync(self._file)
        return True

    def before_checkpoint(self) -> None:
        """The vault is about to move its log into the database: see first what is in it."""
        log_path = log.path_of(self._source)
        if not self._salts or log.salts(log_path) != self._salts:
            self._lose()
            return
        for number in log.written(log_path):
            self._mark(number)

    def close(self) -> None:
        """Follow no more. The copy stays where it is."""
        if self._file < 0:
            return
        self._vault.follow(None)
        os.close(self._file)
        os.close(self._original)
        self._file = -1

    # --- what changes meanwhile -------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """See that the log is being followed, and that it does not grow without end."""
        with self._vault.read():
            path = log.path_of(self._source)
            if not self._salts or log.salts(path) != self._salts or path.stat().st_size > LOG_LIMIT_BYTES:
                self._note()

    def _note(self) -> bool:
        """Empty the log after seeing what is in it, and follow the next. Whether that was lost sight of.

        A log that is empty has no salts to know it again by: so something is committed to it at once.
        """
        lost = not self._salts
        self._vault.checkpoint()
        lost = lost or not self._salts
        with self._vault.write() as db:
            db.execute("UPDATE meta SET value = value WHERE key = 'vault'")
        self._salts = log.salts(log.path_of(self._source))
        self._look_at_size()
        return lost

    def _lose(self) -> None:
        """Something else has emptied the log: which pages it changed is not known, so look at each again."""
        self._salts = b""
        self._at = 0
        self._rounds = 0
        self._changed = bytearray()
        if self.sought:
            self.sought.begin_again()

    def _look_at_size(self) -> None:
        self.total = self._source.stat().st_size // PAGE_BYTES
        self._changed = self._changed.ljust(self.total // 8 + 1, b"\0")

    def _mark(self, number: int) -> None:
        byte = number >> 3
        if byte >= len(self._changed):
            self._changed.extend(bytes(byte + 1 - len(self._changed)))
        self._changed[byte] |= 1 << (number & 7)

    def _left(self) -> int:
        """Pages that are known to have changed; those that are still in the log are not among them."""
        return sum(byte.bit_count() for byte in self._changed)

    # --- copying ----------------------------------------------------------------------------------------------------

    def _next(self, count: int) -> list[int]:
        """The numbers of the pages to copy next, without gaps in the first pass; they are no longer marked."""
        if self._at < self.total:
            first = self._at + 1
            self._at = min(self._at + count, self.total)
            numbers = list(range(first, self._at + 1))
        else:
            numbers = []
            for byte, bits in enumerate(self._changed):
                if bits:
                    numbers += [byte * 8 + bit for bit in range(8) if bits >> bit & 1]
                    if len(numbers) >= count:
                        break
        for number in numbers:
            if number >> 3 < len(self._changed):
                self._changed[number >> 3] &= ~(1 << (number & 7))
        # The database may have become shorter since a page was written to the log.
        return [number for number in numbers if 0 < number <= self.total and number != LOCK_PAGE]

    def _read(self, numbers: list[int]) -> list[bytes]:
        """These pages of the original, as they are in its file. The vault is held."""
        with system_errors(self._source, "read"):
            return _pages(self._original, numbers)

    def _bring(self, numbers: list[int], originals: list[bytes]) -> None:
        """Encrypt what the copy does not have, then read these pages of it back and compare."""
        plain = [self._content(page, number) for number, page in zip(numbers, originals, strict=True)]
        nonces = [self._nonce(page, number) for number, page in zip(numbers, originals, strict=True)]
        with system_errors(self.path, "write"):
            there = _pages(self._file, numbers)
            good = [
                nonce == page[-TRAILER_BYTES:-16] and pages.opened(page, number, self._key) == content
                for number, page, nonce, content in zip(numbers, there, nonces, plain, strict=True)
            ]
            for number, content, nonce, fits in zip(numbers, plain, nonces, good, strict=True):
                if not fits:
                    _write(self._file, pages.sealed(content, number, self._key, nonce), (number - 1) * PAGE_BYTES)
                    self.written += 1
            if not all(good):
                for number, page, content, fits in zip(numbers, _pages(self._file, numbers), plain, good, strict=True):
                    if not fits and pages.opened(page, number, self._key) != content:
                        raise DamagedVaultError(
                            f"page {number} of {self.path} is not what was written to it", "check the disk"
                        )
        if self.sought:
            self.sought.look(b"".join(plain))

    def _content(self, page: bytes, number: int) -> bytes:
        """What the original's page holds; with the copy's salt in place of the original's."""
        content = pages.opened(page, number, self._source_key) if len(page) == PAGE_BYTES else None
        if content is None:
            raise pages.damaged(self._source, number)
        return self._salt + content[SALT_BYTES:] if number == 1 else content

    def _nonce(self, page: bytes, number: int) -> bytes:
        made_of = number.to_bytes(8, "big") + page[-TRAILER_BYTES:]
        return hmac.digest(self._nonce_key, made_of, "sha256")[:16]


def _pages(descriptor: int, numbers: Iterable[int]) -> list[bytes]:
    """Pages of a file; runs of them in one read. Empty or short where the file ends before."""
    found: list[bytes] = []
    for first, count in _runs(numbers):
        run = os.pread(descriptor, count * PAGE_BYTES, (first - 1) * PAGE_BYTES)
        found += [run[at : at + PAGE_BYTES] for at in range(0, count * PAGE_BYTES, PAGE_BYTES)]
    return found


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers in order, as runs: the first of each and how many."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, at)
        view, at = view[done:], at + done
