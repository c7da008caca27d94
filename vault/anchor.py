"""The anchor: what the database last was, kept outside of it, so that an older copy is noticed.

Every page of the database is authenticated, but so was every page of last week's copy, and a log that was cut short
is a valid shorter log. So each commit draws a random tip and counts the generation up; both are written here and
fsynced before the commit is acknowledged: once beside the database, once in the user's state folder.
"""

import os
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path

from vault.failures import ForkedVaultError, OlderVaultError, UnanchoredVaultError
from vault.files import read_small, system_errors, write_atomically

FILE_NAME = "anchor"
_MAGIC = b"stranchr"
_VERSION = 2
_PREFIX = struct.Struct(">8sHxx16s")  # magic, version, vault id
_RECORD = struct.Struct(">QQ16s16sd")  # generation, revision, tip, previous tip, seconds since 1970
_PAGES_BYTES = 32
_SEALED_BYTES = {1: _RECORD.size, 2: _RECORD.size + _PAGES_BYTES}  # by version; 1 is read, never written
_PLACE_BYTES = 512  # a disk sector: one that is torn by a power cut does not touch the other


@dataclass(frozen=True, slots=True)
class State:
    """Where the database is in its history. Stored in the database itself, and in the anchor's two copies."""

    generation: int
    revision: int
    """of the header"""
    tip: bytes
    """16 random bytes, drawn at this generation's commit"""
    previous: bytes
    """the tip of the generation before"""
    at: float
    """seconds since 1970"""

    def to_bytes(self) -> bytes:
        """56 bytes: generation 8, revision 8, tip 16, previous tip 16, time 8 (IEEE double), big-endian."""
        return _RECORD.pack(self.generation, self.revision, self.tip, self.previous, self.at)

    @classmethod
    def from_bytes(cls, data: bytes) -> "State":
        """The reverse; struct.error for another length."""
        return cls(*_RECORD.unpack(data))


@dataclass(frozen=True, slots=True)
class Record:
    """What one copy of the anchor says."""

    state: State
    pages: bytes | None
    """of the database at rest: see vault/resting.py. None while it may change, and of an anchor of version 1"""


class Anchor:
    """One copy of the anchor: a file of 1,024 bytes with two places of 512, written in turn.

        offset  bytes
             0      8  "stranchr"
             8      2  format version, 2
            10      2  0
            12     16  vault id
            28     12  nonce, random
            40    104  under AES-256-GCM, tag (16) last; associated data: bytes 0–27
                        0  56  State
                       56  32  digest over the pages of the database at rest; zeros while it may change
           144    368  0

    In version 1 there was no digest, and zeros from 112 on.

    and the same again at 512. Generation g goes to place g mod 2, in place and followed by fdatasync: one write to
    the disk instead of the two and a rename of an atomic replacement, and still never without a whole record, because
    the place with the newest one is left alone. The key is HKDF(lasting key, "strongroom anchor").
    """

    def __init__(self, path: Path, vault_id: bytes, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._aead = AESGCM(key)
        self._prefixes = {version: _PREFIX.pack(_MAGIC, version, vault_id) for version in _SEALED_BYTES}

    def read(self) -> State | None:
        """The newest state recorded; None if there is no file. Raises UnanchoredVaultError if no record is whole."""
        record = self.newest()
        return record.state if record else None

    def newest(self) -> Record | None:
        """The newest whole record, as `read`."""
        try:
            data = read_small(self.path, 2 * _PLACE_BYTES)
        except FileNotFoundError:
            return None
        places = (data[:_PLACE_BYTES], data[_PLACE_BYTES : 2 * _PLACE_BYTES])
        whole = [(record, n) for n, place in enumerate(places) if (record := self._opened(place))]
        if not whole:
            raise UnanchoredVaultError(f"{self.path} is damaged")
        # Of two of one generation, the one in that generation's place is the later: `replace` writes both places.
        return max(whole, key=lambda each: (each[0].state.generation, each[0].state.revision, _is_own_place(*each)))[0]

    def write(self, state: State, pages: bytes | None = None) -> None:
        """Record the state, and the digest of the database at rest; on the disk when this returns."""
        try:
            with system_errors(self.path, "write"):
                descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self.replace(state, pages)
            return
        try:
            with system_errors(self.path, "write"):
                place, at = memoryview(self._closed(state, pages)), state.generation % 2 * _PLACE_BYTES
                while place:  # a disk that fills up takes what it can
                    written = os.pwrite(descriptor, place, at)
                    place, at = place[written:], at + written
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, state: State, pages: bytes | None = None) -> None:
        """Write the file anew with this state in both places, atomically."""
        write_atomically(self.path, self._closed(state, pages) + self._closed(state, pages))

    def _closed(self, state: State, pages: bytes | None) -> bytes:
        nonce, prefix = secrets.token_bytes(12), self._prefixes[_VERSION]
        sealed = self._aead.encrypt(nonce, state.to_bytes() + (pages or bytes(_PAGES_BYTES)), prefix)
        return (prefix + nonce + sealed).ljust(_PLACE_BYTES, b"\0")

    def _opened(self, place: bytes) -> Record | None:
        from cryptography.exceptions import InvalidTag

        version = next((v for v, prefix in self._prefixes.items() if place.startswith(prefix)), None)
        if version is None or len(place) != _PLACE_BYTES:
            return None
        start = len(self._prefixes[version])
        end = start + 12 + _SEALED_BYTES[version] + 16
        if any(place[end:]):
            return None
        try:
            plain = self._aead.decrypt(place[start : start + 12], place[start + 12 : end], place[:start])
        except InvalidTag:
            return None
        pages = plain[_RECORD.size :]
        return Record(State.from_bytes(plain[: _RECORD.size]), pages if any(pages) else None)


def _is_own_place(record: Record, place: int) -> bool:
    return record.state.generation % 2 == place


def pages_at_rest(revision: int, *copies: Record | None) -> set[bytes]:
    """What the copies of the anchor say of the database at rest: of those with the newest state, if that is of the
    header's revision; nothing where it was not closed since. One that was closed has one digest.
    """
    known = [record for record in copies if record]
    newest = max(((r.state.generation, r.state.revision) for r in known), default=None)
    return {
        record.pages
        for record in known
        if record.pages and record.state.revision == revision
        and (record.state.generation, record.state.revision) == newest
    }  # fmt: skip


def check(database: State, revision: int, beside: State | None, apart: State | None) -> None:
    """Hold a database and its header's revision against the two copies of its anchor; return if they belong together.

    `beside` lies in the vault's folder, `apart` in the user's state folder (None on a machine that has not seen this
    vault, or not since). Ahead by one, and grown from what the anchor knows, is what a crash between commit and
    anchor leaves. Raises OlderVaultError, ForkedVaultError, UnanchoredVaultError.
    """
    known = max((state for state in (beside, apart) if state), key=lambda s: s.generation, default=None)
    if known is None:
        raise UnanchoredVaultError("the anchor is missing, in the vault's folder and in the state folder")
    ahead = database.generation - known.generation
    if ahead < 0:
        raise OlderVaultError("database", database.at, known.at, lost=-ahead)
    if (ahead == 0 and database.tip != known.tip) or (ahead == 1 and database.previous != known.tip):
        raise ForkedVaultError(known.at)
    if ahead > 1:
        raise UnanchoredVaultError("the anchor is older than the database, so an old one was put back")
    newest = max(state.revision for state in (database, beside, apart) if state)
    if revision < newest:
        raise OlderVaultError("header", None, known.at, lost=newest - revision)
    if beside and apart and beside.generation == apart.generation and beside.tip != apart.tip:
        raise ForkedVaultError(known.at)
