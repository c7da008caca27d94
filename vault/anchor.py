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
_PREFIX = struct.Struct(">8sHxx16s")  # magic, version, vault id
_RECORD = struct.Struct(">QQ16s16sd")  # generation, revision, tip, previous tip, seconds since 1970
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


class Anchor:
    """One copy of the anchor: a file of 1,024 bytes with two places of 512, written in turn.

        offset  bytes
             0      8  "stranchr"
             8      2  format version, 1
            10      2  0
            12     16  vault id
            28     12  nonce, random
            40     72  State (56 bytes) under AES-256-GCM with its tag (16); associated data: bytes 0–27
           112    400  0

    and the same again at 512. Generation g goes to place g mod 2, in place and followed by fdatasync: one write to
    the disk instead of the two and a rename of an atomic replacement, and still never without a whole record, because
    the place with the newest one is left alone. The key is HKDF(lasting key, "strongroom anchor").
    """

    def __init__(self, path: Path, vault_id: bytes, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._aead = AESGCM(key)
        self._prefix = _PREFIX.pack(_MAGIC, 1, vault_id)

    def read(self) -> State | None:
        """The newest whole record; None if there is no such file. Raises UnanchoredVaultError if no record is whole."""
        try:
            data = read_small(self.path, 2 * _PLACE_BYTES)
        except FileNotFoundError:
            return None
        places = (data[:_PLACE_BYTES], data[_PLACE_BYTES : 2 * _PLACE_BYTES])
        whole = [state for place in places if (state := self._opened(place))]
        if not whole:
            raise UnanchoredVaultError(f"{self.path} is damaged")
        return max(whole, key=lambda state: (state.generation, state.revision))

    def write(self, state: State) -> None:
        """Record the state; on the disk when this returns."""
        try:
            with system_errors(self.path, "write"):
                descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self.replace(state)
            return
        try:
            with system_errors(self.path, "write"):
                os.pwrite(descriptor, self._closed(state), state.generation % 2 * _PLACE_BYTES)
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, state: State) -> None:
        """Write the file anew with this state in both places, atomically."""
        write_atomically(self.path, self._closed(state) + self._closed(state))

    def _closed(self, state: State) -> bytes:
        nonce = secrets.token_bytes(12)
        sealed = self._aead.encrypt(nonce, state.to_bytes(), self._prefix)
        return (self._prefix + nonce + sealed).ljust(_PLACE_BYTES, b"\0")

    def _opened(self, place: bytes) -> State | None:
        from cryptography.exceptions import InvalidTag

        size = len(self._prefix)
        end = size + 12 + _RECORD.size + 16
        if len(place) != _PLACE_BYTES or place[:size] != self._prefix or any(place[end:]):
            return None
        try:
            return State.from_bytes(self._aead.decrypt(place[size : size + 12], place[size + 12 : end], self._prefix))
        except InvalidTag:
            return None


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
