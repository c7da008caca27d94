"""Searching a lot of bytes for hundreds of pieces at once."""

from collections.abc import Iterable, Iterator
from typing import Any

_HEAD_BYTES = 8
_TABLE_BITS = 18  # a table of 256 KiB stays in a processor's cache
_FACTOR = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd: Fibonacci hashing (Knuth, vol. 3, 6.4)
_FEW = 6  # below, one pass for each is faster


class Needles:
    """A set of pieces of at least 8 bytes; shorter ones are not allowed.

    Eight bytes from the middle of each piece are looked up in a hash table for every position of the data at once
    (Rabin and Karp's idea with NumPy), and what the table lets through is compared in full.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        import numpy as np

        self.pieces = tuple(dict.fromkeys(pieces))
        if any(len(piece) < _HEAD_BYTES for piece in self.pieces):
            raise ValueError("a piece is shorter than 8 bytes")
        self._heads: dict[int, list[tuple[bytes, int]]] = {}
        for piece in self.pieces:
            offset = (len(piece) - _HEAD_BYTES) // 2
            head = int.from_bytes(piece[offset : offset + _HEAD_BYTES], "little")
            self._heads.setdefault(head, []).append((piece, offset))
        self._table: np.ndarray[Any, Any] = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[_places(np.array(list(self._heads), dtype=np.uint64))] = True

    def found_in(self, data: bytes) -> set[bytes]:
        """The pieces that stand in `data`."""
        if len(self.pieces) <= _FEW:
            return {piece for piece in self.pieces if piece in data}
        return {piece for position, head in self._candidates(data) for piece in self._at(data, position, head)}

    def _candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        import numpy as np

        for shift in range(_HEAD_BYTES):
            count = (len(data) - shift) // _HEAD_BYTES
            if count <= 0:
                return
            words = np.frombuffer(data, dtype="<u8", count=count, offset=shift)
            for place in np.flatnonzero(self._table[_places(words)]).tolist():
                yield shift + place * _HEAD_BYTES, int(words[place])

    def _at(self, data: bytes, position: int, head: int) -> Iterator[bytes]:
        for piece, offset in self._heads.get(head, ()):
            if position >= offset and data.startswith(piece, position - offset):
                yield piece


def _places(words: Any) -> Any:
    """Places in the table; the product wraps around on purpose."""
    import numpy as np

    return (words * np.uint64(_FACTOR)) >> np.uint64(64 - _TABLE_BITS)
