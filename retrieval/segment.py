"""One segment of the keyword index: an inverted file in one blob.

Layout, little-endian; n chunks, t terms, p postings:

    bytes   what
    4       `SRK1`
    4 × 4   n, t, p, b (bytes of all terms together), uint32
    4       zeros, so that every number below stands at a multiple of its size: NumPy is slow on others
    8 n     chunk ids, int64, ascending
    4 (t+1) where each term's bytes begin, uint32; the last is b
    4 (t+1) where each term's postings begin, uint32; the last is p
    2 n     chunk lengths in terms, uint16, cut off at 65,535
    2 p     postings: the chunk's place in the list of ids, uint16, ascending within a term
    p       how often the term stands in that chunk, uint8, cut off at 255
    b       the terms, UTF-8, sorted by their bytes

A chunk stands in exactly one segment, and a term that no chunk has stands in none: what is removed leaves no word.
"""

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from retrieval.terms import terms
from vault.errors import DamagedVaultError

if TYPE_CHECKING:
    import apsw
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_CHUNKS = 1 << 16
_MAGIC = b"SRK1"
_HEAD = struct.Struct("<4s4I4x")


@dataclass(frozen=True, eq=False)
class Segment:
    """The arrays of a segment, views of its blob."""

    ids: "Array"
    lengths: "Array"
    term_starts: "Array"
    posting_starts: "Array"
    places: "Array"
    counts: "Array"
    terms: bytes

    def term(self, number: int) -> bytes:
        """A term by its number."""
        return self.terms[self.term_starts[number] : self.term_starts[number + 1]]

    def signatures(self) -> "tuple[Array, Array]":
        """For each term the set of its bytes' last five bits, uint32, and its length in bytes, int64."""
        return self._signatures

    @cached_property
    def _term_starts(self) -> memoryview:
        return memoryview(self.term_starts)  # type: ignore[arg-type]  # an array is a buffer

    @cached_property
    def _signatures(self) -> "tuple[Array, Array]":
        import numpy as np

        starts = self.term_starts.astype(np.int64)
        if not self.terms:
            return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int64)
        bits = np.uint32(1) << (np.frombuffer(self.terms, dtype=np.uint8) & 31).astype(np.uint32)
        return np.bitwise_or.reduceat(bits, starts[:-1]), np.diff(starts)

    def find(self, term: bytes) -> int:
        """The number of `term`, or -1."""
        low, high = 0, len(self.term_starts) - 2
        starts, body = self._term_starts, self.terms  # gives plain numbers, which NumPy does slowly
        while low <= high:
            middle = (low + high) // 2
            there = body[starts[middle] : starts[middle + 1]]
            if there == term:
                return middle
            if there < term:
                low = middle + 1
            else:
                high = middle - 1
        return -1

    def postings(self, number: int) -> "tuple[Array, Array]":
        """Places and counts of a term."""
        a, b = self.posting_starts[number], self.posting_starts[number + 1]
        return self.places[a:b], self.counts[a:b]

    def all_terms(self) -> list[bytes]:
        """The terms in order."""
        return [self.terms[a:b] for a, b in pairwise(self.term_starts.tolist())]


def from_texts(chunks: Iterable[tuple[int, str]]) -> bytes:
    """The blob of up to 65,536 chunks, given as (id, text)."""
    import numpy as np

    rows = sorted(chunks)
    postings: dict[str, list[int]] = {}
    lengths = []
    for place, (_, text) in enumerate(rows):
        words = terms(text)
        lengths.append(min(len(words), 0xFFFF))
        for word, count in Counter(words).items():
            postings.setdefault(word, []).append(place << 8 | min(count, 0xFF))
    ordered = sorted((word.encode(), entries) for word, entries in postings.items())
    flat = np.fromiter((entry for _, entries in ordered for entry in entries), dtype=np.uint32)
    return _pack(
        np.array([number for number, _ in rows], dtype=np.int64),
        np.array(lengths, dtype=np.uint16),
        [word for word, _ in ordered],
        np.cumsum([0, *(len(entries) for _, entries in ordered)]),
        flat >> 8,
        flat & 0xFF,
    )


def read(blob: bytes) -> Segment:
    """The segment of a blob. Raises DamagedVaultError where the sizes do not fit together."""
    import numpy as np

    try:
        magic, n, t, p, b = _HEAD.unpack_from(blob)
        sizes = ((n, np.int64), (t + 1, np.uint32), (t + 1, np.uint32), (n, np.uint16), (p, np.uint16), (p, np.uint8))
        at, arrays = _HEAD.size, []
        for count, kind in sizes:
            arrays.append(np.frombuffer(blob, dtype=kind, count=count, offset=at))
            at += arrays[-1].nbytes
    except (struct.error, ValueError) as error:
        raise DamagedVaultError("the keyword index is damaged", "restore a backup, or add the folders again") from error
    if magic != _MAGIC or at + b != len(blob):
        raise DamagedVaultError("the keyword index is damaged", "restore a backup, or add the folders again")
    ids, term_starts, posting_starts, lengths, places, counts = arrays
    return Segment(ids, lengths, term_starts, posting_starts, places, counts, blob[at:])


def read_ids(blob: "apsw.Blob") -> "Array":
    """The ids of a stored segment, without reading the rest."""
    import numpy as np

    _, n, _, _, _ = _HEAD.unpack(blob.read(_HEAD.size))
    return np.frombuffer(blob.read(8 * n), dtype=np.int64)


def merged(segments: Sequence[Segment], removed: Collection[int] = ()) -> bytes:
    """The blob of all chunks of `segments` but the `removed` ones; empty if none is left."""
    import numpy as np

    ids = np.concatenate([segment.ids for segment in segments])
    keep = ~np.isin(ids, np.fromiter(removed, dtype=np.int64, count=len(removed)))
    order = np.argsort(ids, kind="stable")
    order = order[keep[order]]
    if not len(order):
        return b""
    place = np.full(len(ids), -1, dtype=np.int64)  # of each chunk in the new segment
    place[order] = np.arange(len(order))

    words = sorted(set().union(*(segment.all_terms() for segment in segments)))
    number = {word: i for i, word in enumerate(words)}
    term_of, place_of, count_of = [], [], []
    first = 0
    for segment in segments:
        numbers = np.array([number[word] for word in segment.all_terms()], dtype=np.int64)
        term_of.append(np.repeat(numbers, np.diff(segment.posting_starts)))
        place_of.append(place[first : first + len(segment.ids)][segment.places])
        count_of.append(segment.counts)
        first += len(segment.ids)
    term, where, count = np.concatenate(term_of), np.concatenate(place_of), np.concatenate(count_of)
    if removed:
        stays = where >= 0
        term, where, count = term[stays], where[stays], count[stays]
    by_term = np.argsort(term * MOST_CHUNKS + where)
    frequency = np.bincount(term, minlength=len(words))
    used = np.flatnonzero(frequency)
    return _pack(
        ids[order],
        np.concatenate([segment.lengths for segment in segments])[order],
        [words[i] for i in used.tolist()],
        np.concatenate([[0], np.cumsum(frequency[used])]),
        where[by_term],
        count[by_term],
    )


def _pack(  # noqa: PLR0917 - the blob's parts in their order
    ids: "Array", lengths: "Array", words: list[bytes], starts: "Array", places: "Array", counts: "Array"
) -> bytes:
    import numpy as np

    body = b"".join(words)
    word_starts = np.cumsum([0, *map(len, words)])
    return b"".join(
        (
            _HEAD.pack(_MAGIC, len(ids), len(words), len(places), len(body)),
            ids.astype("<i8").tobytes(),
            word_starts.astype("<u4").tobytes(),
            np.asarray(starts).astype("<u4").tobytes(),
            lengths.astype("<u2").tobytes(),
            places.astype("<u2").tobytes(),
            counts.astype("u1").tobytes(),
            body,
        )
    )
