"""What one reading of a document knows of its text, carried onto another reading of the same document.

A reader that knows nothing of looks gives hidden text as if it were seen. The default reader tells it apart; here its
ranges are found again in the other's text. Readers differ in white space, so both are compared without any, and both
go through the document from the beginning to the end, so that of two equal passages the right one is found.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vault.records import Block

_INVISIBLE = frozenset("\xad\u034f\u200b\u200c\u200d\u2060\ufeff")
_LEAST = 12  # characters of a piece that is looked for by itself: a shorter one may stand elsewhere, meant and seen
_NEAR = 50_000  # characters within which what comes next is expected
_BUDGET = 2_000_000_000  # characters gone through for one document: about a second


@dataclass(frozen=True, slots=True)
class Range:
    """A half-open range of the text, and what is known of it."""

    start: int
    end: int
    label: str


class _Squeezed:
    """A text without white space, and where each of its characters stood."""

    def __init__(self, text: str) -> None:
        self.places = array("I", (at for at, each in enumerate(text) if not each.isspace() and each not in _INVISIBLE))
        self.text = _squeeze(text)

    def range(self, start: int, end: int, label: str) -> Range:
        return Range(self.places[start], self.places[end - 1] + 1, label)


def _squeeze(text: str) -> str:
    return "".join(each for each in text if not each.isspace() and each not in _INVISIBLE)


def carry(text: str, known_text: str, known: Iterable[Range], labels: Sequence[str]) -> list[Range]:
    """Return the ranges of `text` that have one of `labels` in the other reading of the document, in order and apart.

    `known` are ranges of `known_text`, in order, those without such a label too: by these the place is kept. What is
    not in `text` is passed over, and so are pieces of fewer than 12 characters that do not stand there as a whole.
    """
    whole = _Squeezed(text)
    found: list[Range] = []
    last = cursor = 0  # where the last range that is not looked for begins and ends
    budget = _BUDGET
    for each in known:
        piece = known_text[each.start : each.end]
        needle = _squeeze(piece)
        if not needle:
            continue
        if each.label not in labels:
            at = whole.text.find(needle, cursor, cursor + len(needle) + _NEAR)
            if at >= 0:
                last, cursor = at, at + len(needle)
            continue
        if budget < 0:
            break
        budget -= len(whole.text)
        at = _find(whole.text, needle, last, cursor)
        if at >= 0:
            found.append(whole.range(at, at + len(needle), each.label))
            cursor = max(cursor, at + len(needle))
            continue
        found += _pieces(whole, piece.split(), last, each.label)
    return _apart(found)


def places(text: str, pieces: Iterable[str]) -> list[tuple[int, int] | None]:
    """Return where each of the pieces stands in `text`, which holds them in this order; None where it does not."""
    whole = _Squeezed(text)
    found: list[tuple[int, int] | None] = []
    cursor = 0
    for each in pieces:
        needle = _squeeze(each)
        at = whole.text.find(needle, cursor, cursor + len(needle) + _NEAR) if needle else -1
        if at < 0:
            found.append(None)
            continue
        cursor = at + len(needle)
        found.append((whole.places[at], whole.places[cursor - 1] + 1))
    return found


def _find(text: str, needle: str, last: int, cursor: int) -> int:
    """Return where `needle` stands: behind what was passed, else inside of it, else anywhere; -1 for nowhere."""
    for start in (cursor, last, 0):
        at = text.find(needle, start)
        if at >= 0:
            return at
    return -1


def _pieces(whole: _Squeezed, words: Sequence[str], last: int, label: str) -> Iterable[Range]:
    """Yield what stands of `words`, in as long pieces as there are: something was put between them."""
    at = 0
    while at < len(words):
        piece, after = "", at
        while after < len(words) and len(piece) < _LEAST:
            piece += _squeeze(words[after])
            after += 1
        if len(piece) < _LEAST:
            return
        start = whole.text.find(piece, last, last + _NEAR)
        if start < 0:
            at += 1
            continue
        end = start + len(piece)
        while after < len(words) and whole.text.startswith(word := _squeeze(words[after]), end):
            end += len(word)
            after += 1
        yield whole.range(start, end, label)
        last, at = end, after


def _apart(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges in order; of two that overlap, the second begins where the first ends."""
    found: list[Range] = []
    for each in sorted(ranges, key=lambda one: (one.start, -one.end)):
        start = max(each.start, found[-1].end) if found else each.start
        if start < each.end:
            found.append(Range(start, each.end, each.label))
    return found


def split(text: str, blocks: Iterable[Block], ranges: Sequence[Range]) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    """Return `blocks` cut at the ranges, and the label of each: empty outside of them. White space at a cut is in no
    block; a block of the label `hidden` is of that kind."""
    cut: list[Block] = []
    labels: list[str] = []
    first = 0
    for block in blocks:
        while first < len(ranges) and ranges[first].end <= block.start:
            first += 1
        for piece in _cuts(block, ranges, first):
            start, end = _trimmed(text, piece.start, piece.end)
            if start < end:
                kind, level = ("hidden", 0) if piece.label == "hidden" else (block.kind, block.level)
                cut.append(replace(block, start=start, end=end, kind=kind, level=level))
                labels.append(piece.label)
    return tuple(cut), tuple(labels)


def _cuts(block: Block, ranges: Sequence[Range], first: int) -> Iterable[Range]:
    """Yield the block's pieces, in and outside of the ranges from the first on."""
    at = block.start
    while first < len(ranges) and ranges[first].start < block.end:
        each = ranges[first]
        yield Range(at, each.start, "")
        yield Range(max(at, each.start), min(each.end, block.end), each.label)
        at = max(at, each.end)
        first += 1
    yield Range(at, block.end, "")


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
