"""Compound files, the small file system inside a file that Outlook and old Office use (MS-CFB): read, from memory.

```
header   512 bytes: signature (8), class id (16), minor, major version, byte order, sector shift, mini sector shift
         (5 × u16), reserved (6), …, first directory sector (u32 at 48), …, mini cutoff (u32 at 56), first mini FAT
         sector (60), its count (64), first DIFAT sector (68), its count (72), 109 FAT sectors (76)
sector   number n lies at (n + 1) << shift; the FAT gives for each its successor, or 0xFFFFFFFE at the end
entry    128 bytes: name (64, UTF-16), its length in bytes with the final zero (u16), type (u8: 1 storage, 2 stream,
         5 root), colour (u8), left, right, child (3 × u32), …, first sector (u32 at 116), size (u64 at 120)
```
Streams below the cutoff lie in mini sectors of 64 bytes inside the root entry's own stream. Chains may loop and
entries point anywhere in a hostile file: a chain ends where the size of its stream or of the file is reached, and each
entry is visited once.
"""

import struct
from dataclasses import dataclass, field

from ingest.registry import UnreadableError

_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_SECTOR = 0xFFFFFFFA  # this and above are marks, not sectors
_MAX_ENTRIES = 100_000
_STORAGE, _STREAM, _ROOT = 1, 2, 5


@dataclass(slots=True)
class Entry:
    """A storage (folder) or stream (file)."""

    name: str
    is_storage: bool
    first: int
    """sector"""
    size: int
    children: dict[str, "Entry"] = field(default_factory=dict)


class Compound:
    """A compound file. Raises UnreadableError when its header or directory cannot be followed."""

    root: Entry
    claimed: int
    """bytes that the longest of its entries says it has, whether anything leads to it or not"""

    def __init__(self, data: bytes) -> None:
        if len(data) < 512 or not data.startswith(_SIGNATURE):
            raise UnreadableError("damaged: not a compound file")
        self._data = data
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise UnreadableError("damaged: a compound file with sectors of an impossible size")
        self._shift = shift
        self._budget = 8 * len(data) + (1 << 20)  # bytes that may be read in all: streams can share sectors
        directory, self._cutoff, mini, mini_count, difat, difat_count = struct.unpack_from("<I4x5I", data, 48)
        self._fat = self._table(self._fat_sectors(difat, difat_count))
        self._mini_fat: tuple[int, ...] = ()
        self._mini = b""
        entries = self._entries(directory)
        if not entries or entries[0][1] != _ROOT:
            raise UnreadableError("damaged: a compound file without a directory")
        self._mini_fat = _words(self._chain(mini, mini_count << shift))
        self.claimed = max((each[6] for each in entries if each[0]), default=0)
        long = [each[5] for each in entries if each[6] >= self._cutoff or each[1] == _ROOT]
        self._starts = [directory, mini, *long], [each[5] for each in entries if each[6] < self._cutoff]
        self.root = Entry("", is_storage=True, first=entries[0][5], size=entries[0][6])
        self._mini = self._chain(self.root.first, self.root.size)
        self._link(entries)

    def loops(self) -> bool:
        """Whether a chain of sectors leads back into itself. Here it ends where its stream does; others follow it."""
        return _loops(self._fat, self._starts[0]) or _loops(self._mini_fat, self._starts[1])

    def read(self, entry: Entry) -> bytes:
        """Return a stream's content, as much of it as its chain leads to."""
        if entry.size > self._budget:
            raise UnreadableError("damaged: streams that claim more than the file holds")
        if entry.size < self._cutoff:
            content = self._mini_chain(entry.first, entry.size)
        else:
            content = self._chain(entry.first, entry.size)
        self._budget -= len(content)
        return content

    def _fat_sectors(self, difat: int, difat_count: int) -> list[int]:
        sectors = list(struct.unpack_from("<109I", self._data, 76))
        most = len(self._data) >> self._shift
        for _ in range(min(difat_count, most)):
            words = _words(self._sector(difat))
            if not words:
                break
            sectors.extend(words[:-1])
            difat = words[-1]
        return [each for each in sectors[: most + 1] if each < _NO_SECTOR]

    def _table(self, sectors: list[int]) -> tuple[int, ...]:
        return _words(b"".join(self._sector(each) for each in sectors))

    def _sector(self, number: int) -> bytes:
        if number >= _NO_SECTOR:
            return b""
        start = (number + 1) << self._shift
        return self._data[start : start + (1 << self._shift)]

    def _chain(self, first: int, size: int) -> bytes:
        """Return up to `size` bytes of the chain that begins at sector `first`."""
        size = min(size, len(self._data))
        parts, left, sector = [], size, first
        while left > 0 and sector < len(self._fat):
            part = self._sector(sector)
            parts.append(part[:left])
            left -= 1 << self._shift
            sector = self._fat[sector]
        return b"".join(parts)

    def _mini_chain(self, first: int, size: int) -> bytes:
        parts, left, sector = [], min(size, len(self._mini)), first
        while left > 0 and sector < len(self._mini_fat):
            parts.append(self._mini[sector << 6 : (sector << 6) + min(left, 64)])
            left -= 64
            sector = self._mini_fat[sector]
        return b"".join(parts)

    def _entries(self, first: int) -> list[tuple[str, int, int, int, int, int, int]]:
        """Return name, type, left, right, child, first sector and size of every directory entry."""
        raw = self._chain(first, _MAX_ENTRIES * 128)
        entries = []
        for at in range(0, len(raw) - 127, 128):
            length, kind = struct.unpack_from("<HB", raw, at + 64)
            left, right, child = struct.unpack_from("<3I", raw, at + 68)
            sector, size = struct.unpack_from("<IQ", raw, at + 116)
            if self._shift == 9:
                size &= 0xFFFFFFFF  # MS-CFB, 2.6.1: old writers leave the upper half undefined
            name = raw[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            entries.append((name, kind, left, right, child, sector, size))
        return entries

    def _link(self, entries: list[tuple[str, int, int, int, int, int, int]]) -> None:
        """Hang every entry under its storage. Siblings form a binary tree of which the storage names the root."""
        seen = {0}
        waiting = [(self.root, entries[0][4])]
        while waiting:
            parent, number = waiting.pop()
            if number >= len(entries) or number in seen:
                continue
            seen.add(number)
            name, kind, left, right, child, sector, size = entries[number]
            waiting += [(parent, left), (parent, right)]
            if kind not in (_STORAGE, _STREAM):
                continue
            entry = Entry(name, kind == _STORAGE, sector, size)
            parent.children.setdefault(name, entry)
            if entry.is_storage:
                waiting.append((entry, child))


def _loops(table: tuple[int, ...], starts: list[int]) -> bool:
    walks = [0] * len(table)  # in which walk a sector was come by
    for walk, start in enumerate(starts, 1):
        at = start
        while at < len(table) and not walks[at]:
            walks[at] = walk
            at = table[at]
        if at < len(table) and walks[at] == walk:
            return True
    return False


def _words(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4])
