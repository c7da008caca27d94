"""Whether the passages that a statement cites say it: not by a model, but by what must stand there and where.

Four things are asked of a statement. What is exact in it (numbers, dates, amounts, names, codes, quoted phrases) must
stand in one of its passages, however it is written. Its other words must be those of the passages for the most part. A
number must stand there beside the words that it stands beside here, not only somewhere. And what the passage denies it
may not assert, nor the other way round, as far as a negation's neighbours tell. docs/decisions/checking.md says what
this catches, what it cannot, and with what figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from generation import addressed, context, polarity, words
from generation.held import Held, Value, quotes, values
from generation.names import Name, names
from generation.sentences import LONGEST, sentences, window

if TYPE_CHECKING:
    from retrieval.passage import Passage

LEAST_WORDS = 0.4
"""share of a statement's words, by weight, that its passages must hold; people's own rewording has .6 and more"""
_FULL = 2 * LONGEST  # characters of a citation; a longer sentence is cut around what matters
_MOST_SENTENCES = 3
_PER_SENTENCE = 0.12  # what a further sentence must add to a citation, as a share of the statement
_EXACT = 2.0  # weight of an exact value, and of a name's word, where a plain word has 1
_LEAST_SHARE = 0.15  # of the statement in a passage, below which it is no citation of it as long as another is


@dataclass(frozen=True, slots=True)
class Support:
    """Where one of the cited passages says it best."""

    passage: int
    """its place among those given"""
    start: int
    end: int
    """in the passage's text"""
    marks: tuple[tuple[int, int], ...]
    """of what was checked, in the passage's text, inside start and end"""
    share: float
    """of the statement that this place holds, 0 to 1"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found."""

    supported: bool
    note: str
    """what does not stand in the passages; empty when supported"""
    supports: tuple[Support, ...]
    """one for each passage that bears on it; when none does, for the one that is nearest to it"""
    marks: tuple[tuple[int, int], ...]
    """of the exact values, in the statement's text"""


def check(text: str, passages: Sequence["Passage"]) -> Checked:
    """Check a statement (its text without the numbers of its passages) against the passages it cites."""
    held = [_held(passage) for passage in passages]
    exact, taken = values(text)
    quoted = quotes(text)
    named = names(text, taken, frozenset().union(*(each.small for each in held)) if held else ())
    plain = _plain_words(text, taken, named)
    places = [_places(each, exact, named, quoted) for each in held]
    marks = tuple(sorted({(v.start, v.end) for v in (*exact, *quoted)} | {(n.start, n.end) for n in named}))
    supports = _supports(held, places, plain)
    reasons = _absent(text, [*exact, *named, *quoted], places)
    if not reasons:
        reasons = _unlike(plain, held, len(exact) + len(named) + len(quoted))
    if not reasons:
        reasons = context.misplaced(text, [v for v in exact if v.kind in ("number", "date")], held)
    rests = [(held[each.passage], each.start, each.end) for each in supports]
    if not reasons:
        reasons = polarity.contradicted(text, rests) or addressed.obeyed(text, rests)
    return Checked(not reasons, "; ".join(reasons), supports, marks)


_Places = dict[int, list[tuple[int, int]] | None]


@lru_cache(maxsize=64)
def _held(passage: "Passage") -> Held:
    return Held.of(passage)


def forget() -> None:
    """Drop what is in memory of the passages that were compared last."""
    _held.cache_clear()


def _plain_words(text: str, taken: bytearray, named: Sequence[Name]) -> list[tuple[str, float]]:
    """The statement's telling words that are nothing exact, as (stem, weight)."""
    inside = bytearray(taken)
    for name in named:
        inside[name.start : name.end] = b"\1" * (name.end - name.start)
    found: dict[str, float] = {}
    for start, end, stem in words.spans(text):
        weight = words.tells(text[start:end].lower())
        if weight and not any(inside[start:end]):
            found[stem] = weight
    return list(found.items())


def _places(held: Held, exact: Sequence[Value], named: Sequence[Name], quoted: Sequence[Value]) -> _Places:
    """Where in a passage each exact thing stands, by the place in the statement at which it begins."""
    found: _Places = {value.start: held.places(value) for value in exact}
    found.update({name.start: held.name_places(name) for name in named})
    # A quoted phrase may begin with a name: it decides.
    found.update({-1 - value.start: held.quote_places(value.text) for value in quoted})
    return found


def _absent(text: str, things: Sequence[Value | Name], places: Sequence[_Places]) -> list[str]:
    """What stands in none of the passages, in words."""
    absent = []
    for thing in things:
        key = -1 - thing.start if isinstance(thing, Value) and thing.kind == "quote" else thing.start
        if all(each[key] is None for each in places):
            absent.append(f"“{text[thing.start : thing.end]}”")
    if not absent:
        return []
    listed = absent[0] if len(absent) == 1 else f"{', '.join(absent[:-1])} and {absent[-1]}"
    return [f"{listed} {'does' if len(absent) == 1 else 'do'} not stand in the passage cited"]


def _unlike(plain: Sequence[tuple[str, float]], held: Sequence[Held], exact: int) -> list[str]:
    """Whether the passages have too few of the statement's words, the `exact` things counted in, which they have."""
    whole = _EXACT * exact + sum(weight for _, weight in plain)
    if not whole:
        return ["it says nothing that could be compared"]
    met = _EXACT * exact + sum(
        weight * max((_meets(stem, each) for each in held), default=0.0) for stem, weight in plain
    )
    if met < LEAST_WORDS * whole:
        return ["the passage cited speaks in other words, or of something else"]
    return []


def _meets(stem: str, held: Held) -> float:
    """1 where a passage has the word, .8 where one that begins alike: `insured` for `insurance`."""
    if stem in held.stems:
        return 1.0
    if len(stem) < 5 or not stem.isalpha():
        return 0.0
    return 0.8 if any(other.startswith(stem[:5]) for other in held.stems) else 0.0


def _supports(
    held: Sequence[Held], places: Sequence[_Places], plain: Sequence[tuple[str, float]]
) -> tuple[Support, ...]:
    found = [_support(n, each, placed, plain) for n, (each, placed) in enumerate(zip(held, places, strict=True))]
    kept = [each for each in found if each.share >= _LEAST_SHARE]
    return tuple(kept or sorted(found, key=lambda each: -each.share)[:1])


def _support(number: int, held: Held, places: _Places, plain: Sequence[tuple[str, float]]) -> Support:
    """The one to three neighbouring sentences that hold most of the statement."""
    whole = (sum(weight for _, weight in plain) + _EXACT * len(places)) or 1.0
    weights = dict(plain)
    spots: list[tuple[int, int, object, float]] = []  # start, end, what of the statement, its weight
    for key, found in places.items():
        spots += [(start, end, key, _EXACT) for start, end in found or ()]
    spots += [(start, end, stem, weights[stem]) for start, end, stem in held.spans if stem in weights]
    cut = sentences(held.text) or [(0, len(held.text))]
    best, at = -1.0, cut[0]
    for first in range(len(cut)):
        for last in range(first, min(len(cut), first + _MOST_SENTENCES)):
            start, end = cut[first][0], cut[last][1]
            if last > first and end - start > _FULL:
                break
            inside = {what: weight for a, b, what, weight in spots if start <= a and b <= end}
            share = sum(inside.values()) / whole
            worth = share - _PER_SENTENCE * (last - first)
            if worth > best + 1e-9:
                best, at = worth, (start, end)
    start, end = at
    wanted = sorted((a, b) for a, b, _, _ in spots if start <= a and b <= end)
    if end - start > _FULL:
        start, end = window(held.text, start, end, wanted)
    share = sum({what: weight for a, b, what, weight in spots if start <= a and b <= end}.values()) / whole
    marks = {(a, b) for a, b, what, _ in spots if isinstance(what, int) and start <= a and b <= end}
    return Support(number, start, end, tuple(sorted(marks)), share)
