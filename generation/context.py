"""Whether a number stands in the passage beside the words that it stands beside in the statement.

Each number's neighbours in the statement are compared with the neighbours of each place where the passage has a number
of the same kind. Where another number's neighbours agree far better, the statement has the wrong one of the two.
"""

from collections.abc import Sequence

from generation import words
from generation.held import Held, Value

REACH = 12
"""words on each side that are a number's neighbours"""
MARGIN = 1.6
"""how many times better another number's neighbours must agree"""
LEAST = 0.5
"""agreement of another number's neighbours below which nothing is concluded"""

_Neighbours = dict[tuple[str, bool], float]


def misplaced(text: str, exact: Sequence[Value], held: Sequence[Held]) -> list[str]:
    """In words, which of the statement's numbers and dates stand in the passages beside other words."""
    here = words.spans(text)
    wrong = []
    mine = [(each, _neighbours(here, each.start, each.end)) for each in exact]
    for value, around in mine:
        own, other = 0.0, 0.0
        for passage in held:
            for theirs in passage.values:
                if not _comparable(value, theirs):
                    continue
                agree = _agreement(around, _neighbours(passage.spans, theirs.start, theirs.end))
                if passage.same(theirs, value):
                    own = max(own, agree)
                else:
                    other = max(other, agree)
        if other >= LEAST and other > MARGIN * own:
            wrong.append(f"“{text[value.start : value.end]}” stands in the passage cited, but beside other words")
    return wrong


def _comparable(one: Value, other: Value) -> bool:
    if one.kind != other.kind:
        return False
    if one.number and other.number:
        return one.number.unit == other.number.unit
    return True


def _neighbours(spans: Sequence[tuple[int, int, str]], start: int, end: int) -> _Neighbours:
    """Telling words near a place, by stem and side, nearer ones counting more."""
    found: _Neighbours = {}
    after = next((n for n, (a, _, _) in enumerate(spans) if a >= end), len(spans))
    before = next((n for n in range(after - 1, -1, -1) if spans[n][1] <= start), -1)
    for step in range(REACH):
        for n, side in ((before - step, False), (after + step, True)):
            if 0 <= n < len(spans):
                stem = spans[n][2]
                weight = words.tells(stem) / (1 + step)
                if weight and not stem.isdigit():
                    found[stem, side] = max(weight, found.get((stem, side), 0.0))
    return found


def _agreement(one: _Neighbours, other: _Neighbours) -> float:
    """How well two places' neighbours agree; on the other side a word counts a third."""
    total = sum(one.values()) or 1.0
    met = 0.0
    for (stem, side), weight in one.items():
        if (stem, side) in other:
            met += min(weight, other[stem, side])
        elif (stem, not side) in other:
            met += min(weight, other[stem, not side]) / 3
    return met / total
