"""Scores of chunks for a query: BM25 over segments, cosine over vectors, and their mix. All arrays run over places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrieval.segment import Segment

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True)
class Part:
    """A segment in memory: where its chunks stand among all places (-1: removed), and its chunks' lengths."""

    segment: Segment
    places: "Array"
    total_length: int


def bm25(parts: Sequence[Part], words: Iterable[tuple[str, float]], size: int) -> "Array":
    """float32 scores (size,) of all places for (term, weight) pairs; idf and mean length over all parts together."""
    import numpy as np

    scores = np.zeros(size + 1, dtype=np.float32)  # the last row takes what was removed
    chunks = sum(len(part.places) for part in parts)
    if not chunks:
        return scores[:size]
    mean = max(1.0, sum(part.total_length for part in parts) / chunks)
    for word, weight in words:
        found = []
        for part in parts:
            number = part.segment.find(word.encode())
            if number >= 0:
                found.append((part, *part.segment.postings(number)))
        frequency = sum(len(local) for _, local, _ in found)
        if not frequency:
            continue
        idf = weight * float(np.log(1 + (chunks - frequency + 0.5) / (frequency + 0.5)))
        for part, local, count in found:
            tf = count.astype(np.float32)
            norm = part.segment.lengths[local] * np.float32(K1 * B / mean) + np.float32(K1 * (1 - B))
            # A term stands once in a chunk's postings, so the fancy addition meets each place once.
            scores[part.places[local]] += np.float32(idf * (K1 + 1)) * (tf / (tf + norm))
    return scores[:size]


def frequency(parts: Sequence[Part], word: str) -> int:
    """In how many chunks a term stands."""
    term = word.encode()
    total = 0
    for part in parts:
        number = part.segment.find(term)
        if number >= 0:
            total += len(part.segment.postings(number)[0])
    return total
