"""The pictures of pages that were drawn last, in memory only."""

import os
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from engine.zygote import sha256_of
from vault.records import Picture

_KEPT = 16  # pictures, so that going back and forth is instant
_KEPT_BYTES = 8 << 20


@dataclass
class Drawn:
    """Thread-safe. What it keeps is forgotten when the vault is locked, and when a document is purged."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: "OrderedDict[tuple[str, int, int], Picture]" = field(default_factory=OrderedDict)
    checked: dict[tuple[int, int, int, int], str] = field(default_factory=dict)
    """SHA-256 by device, inode, size and time of change: a mailbox of gigabytes is hashed once"""
    forgotten: int = 0
    """how often all of it was dropped"""

    def get(self, key: tuple[str, int, int]) -> Picture | None:
        """The picture of a document, page and width, if it is kept."""
        with self.lock:
            found = self.kept.get(key)
            if found:
                self.kept.move_to_end(key)
            return found

    def keep(self, key: tuple[str, int, int], picture: Picture, *, since: int) -> None:
        """Keep it, and let go of those that were not looked at for longest.

        `since` is what `forgotten` was when drawing began: one that was on its way when all were dropped is not kept.
        """
        with self.lock:
            if self.forgotten != since:
                return
            self.kept[key] = picture
            self.kept.move_to_end(key)
            while len(self.kept) > 1 and (
                len(self.kept) > _KEPT or sum(len(each.data) for each in self.kept.values()) > _KEPT_BYTES
            ):
                self.kept.popitem(last=False)

    def holds(self, documents: Collection[str]) -> int:
        """How many pictures of these documents are kept."""
        wanted = set(documents)
        with self.lock:
            return sum(document in wanted for document, *_ in self.kept)

    def hash_of(self, descriptor: int) -> str:
        """The SHA-256 of the open file, hex; computed once for a file that does not change."""
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)
        with self.lock:
            found = self.checked.get(key)
        if found is None:
            found = sha256_of(descriptor)
            with self.lock:
                if len(self.checked) > 1000:
                    self.checked.clear()
                self.checked[key] = found
        return found

    def forget(self) -> None:
        """Drop all of it."""
        with self.lock:
            self.forgotten += 1
            self.kept.clear()
            self.checked.clear()
