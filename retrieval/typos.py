"""Words of a question that stand nowhere, replaced by the index's own words one or two letters away."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from retrieval import rank
from retrieval.segment import Segment

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_UNKNOWN = 4  # words of a question that are looked at; each costs some milliseconds at 100,000 chunks
_MOST_SPELLINGS = 3  # equally near words that are searched for in place of one


def corrected(parts: Sequence[rank.Part], words: Iterable[str]) -> list[tuple[str, float]]:
    """(term, weight) pairs to search for: known words as they are, unknown ones as the nearest words there are.

    A word of 4 to 7 letters may be one edit away (a letter more, less, other, or two swapped: Damerau 1964), a longer
    one two. A word with a digit is never replaced: another number is another thing.
    """
    found: list[tuple[str, float]] = []
    looked = 0
    for word in words:
        if len(word) < 4 or not word.isalpha() or looked >= _MOST_UNKNOWN or rank.frequency(parts, word):
            found.append((word, 1.0))
            continue
        looked += 1
        spellings = _nearest(parts, word, 1 if len(word) < 8 else 2)
        # Rarer than it seems: each spelling may be the wrong one.
        found += [(spelling, 0.8 / len(spellings)) for spelling in spellings]
    return found


def _nearest(parts: Sequence[rank.Part], word: str, most: int) -> list[str]:
    """The indexed words at the least distance from `word`, the most frequent first."""
    distances: dict[str, int] = {}
    for part in parts:
        for number in _candidates(part.segment, word, most).tolist():
            term = part.segment.term(number).decode()
            if term not in distances:
                distances[term] = distance(word, term, most)
    least = min(distances.values(), default=most + 1)
    if least > most:
        return []
    nearest = [term for term, edits in distances.items() if edits == least]
    return sorted(nearest, key=lambda term: (-rank.frequency(parts, term), term))[:_MOST_SPELLINGS]


def _candidates(segment: Segment, word: str, most: int) -> "Array":
    """Numbers of the terms whose length and set of letters allow `most` edits: an edit changes at most two members."""
    import numpy as np

    letters, lengths = segment.signatures()
    query = sum(1 << bit for bit in {_bit(letter) for letter in word.encode()})
    near = np.abs(lengths - len(word.encode())) <= most
    near &= np.bitwise_count(letters ^ np.uint32(query)) <= 2 * most
    return np.flatnonzero(near)


def _bit(letter: int) -> int:
    return letter & 31


def distance(a: str, b: str, most: int) -> int:
    """Edits from `a` to `b` (restricted Damerau-Levenshtein distance); any number above `most` where it is more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        last, row, older = row, [i], before
        for j, y in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = last
    return row[-1]
