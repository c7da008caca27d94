"""The write-ahead log, read without SQLite: which pages were written since it was last emptied.

The format is SQLite's (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): a header of 32 bytes, then
frames of 24 bytes and a page each. The pages in it are encrypted, the frames' own 24 bytes are not.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from vault.pages import PAGE_BYTES

_HEADER = struct.Struct(">4I8s8s")  # magic, version, page size, checkpoints so far, salts, checksums
_FRAME = struct.Struct(">II8s8s")  # page number, pages after a commit, salts, checksums


def path_of(database: Path) -> Path:
    """Where a database's log lies."""
    return database.with_name(database.name + "-wal")


def salts(log: Path) -> bytes:
    """The eight bytes that are drawn anew whenever the log begins anew; empty while nothing is in it."""
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
    except FileNotFoundError:
        return b""
    return bytes(_HEADER.unpack(header)[4]) if len(header) == _HEADER.size else b""


def written(log: Path) -> Iterator[int]:
    """The numbers of the pages that are in the log, in order and as often as they were written.

    Also those of a transaction that was undone: more than were changed, never fewer. The log must be at rest.
    """
    own = salts(log)
    if not own:
        return
    with log.open("rb") as file:
        descriptor, at = file.fileno(), _HEADER.size
        while len(head := os.pread(descriptor, _FRAME.size, at)) == _FRAME.size:
            number, _, frame_salts, _ = _FRAME.unpack(head)
            if frame_salts != own:
                return  # from here on it is what an earlier, longer log has left
            yield number
            at += _FRAME.size + PAGE_BYTES
