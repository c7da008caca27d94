"""What a question asks for, as far as its words say: no model, no guess about the documents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from generation import cues, times, words

_PART = re.compile(
    r"(?:[,;]?\s+and\s+(?:also\s+)?|[?;]\s+|,\s+)"
    r"(?=(?:what|when|who|whom|whose|where|which|why|how|for how|by when|until when)\b)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\b(?:list|all(?: of)? the|every|name the|enumerate)\b|^(?:what|which|who) (?:all )?(?:are|were)\b"
    r"|^(?:on |at |in |from |to |for )?(?:which|what) (?!is\b|was\b|does\b)(?:[\w-]+ ){0,2}[\w-]+s "
    r"(?:are|were|have|do|did|must|can|may|has|does)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    rf"\b(?:1[0-9]|20)\d\d\b|{cues.PATTERNS['date'].pattern}|\b(?:spring|summer|autumn|winter|last|previous(?:ly)?|first|before|originally"
    r"|original|initial(?:ly)?|old|former(?:ly)?|earlier|used to|back then|yesterday)\b",
    re.IGNORECASE,
)
_FILTER = re.compile(r"(?<!\S)(?:folder|kind|from|to|after|before|path):(?:\"[^\"]*\"|\S+)", re.IGNORECASE)

# What the question is about, as far as small words tell: "the notice period of the gym", "Marta's contract".
_SUBJECT = re.compile(
    r"\b(?:of|for|in|at|with|from|by|on|about|under)\s+(?:(?:the|our|my|your|his|her|their|its|an?|this|that)\s+)?"
    r"((?:(?!(?:is|are|was|were|be|do|does|did|has|have|had|can|may|must|shall|should|will|would|and|or|but|for|with|in|at|from|by"
    r"|to|on|of|about|since|until|before|after|during|when|where|who|which|that|we|i|you|he|she|it|they|per|each|a|the)(?![\w-]))"
    r"[\w'’-]+\s*){1,3})"
    r"|\b([\w-]+)['’]s\s+(?=\w)",
    re.IGNORECASE,
)

_NAMED = 1.5  # weight of the words of a time that is named: as telling as a name
_LENT = 0.3  # of its weight a word keeps in the parts that only lean on it


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the question that tells something."""

    stem: str
    shown: str
    """as typed"""
    weight: float
    """see `words.tells`"""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, or one part of a question that asks for two things."""

    text: str
    words: tuple[Word, ...]
    """distinct, in order"""
    kind: str
    """the kind of expression that would answer it, a key of `cues.PATTERNS`, or empty"""
    several: bool
    """asks for a list"""
    dated: bool
    """names a time itself, so that newer is not better"""
    period: times.Period | None
    """that time, where the calendar has it"""
    subject: frozenset[str]
    """stems of the words that say what it is about: names, what stands behind `of` and the like, owners"""

    @property
    def content(self) -> bool:
        """Whether any of its words is about something."""
        return any(word.weight >= 1 for word in self.words)

    @property
    def weight(self) -> float:
        """Of all its words; never 0."""
        return sum(word.weight for word in self.words) or 1.0


def understand(text: str) -> list[Question]:
    """Return the question, or its two or three parts where it asks for that many things.

    Each part keeps the words of the first that say what it is about: "what did the roofer ask, and when was it paid?".
    """
    text = " ".join(_FILTER.sub(" ", text).split())
    parts = [part for part in _PART.split(text) if part.strip()]
    if not 2 <= len(parts) <= 3:
        return [_one(text, text)]
    asked = [_one(part, text) for part in parts]
    kind = next((each.kind for each in asked if each.kind), "")
    if not asked[0].content or any(not each.content and not each.kind for each in asked):
        return [_one(text, text)]
    topic = tuple(replace(word, weight=word.weight * _LENT) for word in asked[0].words)
    return [
        asked[0] if asked[0].kind else replace(asked[0], kind=kind),
        *(replace(each, kind=each.kind or kind, words=_distinct(each.words + topic)) for each in asked[1:]),
    ]


def _distinct(found: tuple[Word, ...]) -> tuple[Word, ...]:
    return tuple({word.stem: word for word in reversed(found)}.values())[::-1]


def _one(part: str, whole: str) -> Question:
    found: dict[str, Word] = {}
    period = times.asked(part) or times.asked(whole)
    for n, match in enumerate(re.finditer(r"[^\W_]+(?:['’][^\W\d_]+)?", part)):
        weight = words.tells(match.group(), opens=n == 0)
        stem = words.stem(match.group())
        if period and stem in period.stems:
            weight = _NAMED
        if weight and (stem not in found or found[stem].weight < weight):
            found[stem] = Word(stem, match.group(), weight)
    return Question(
        text=part,
        words=tuple(found.values()),
        kind=cues.expected(part),
        several=bool(_LIST.search(part)),
        dated=bool(_DATED.search(whole)),
        period=period,
        subject=_subject(part, found, period),
    )


def _subject(part: str, found: Mapping[str, Word], period: times.Period | None) -> frozenset[str]:
    placed = {stem for match in _SUBJECT.finditer(part) for stem in words.stems(match[1] or match[2])}
    named = {word.stem for word in found.values() if word.weight >= _NAMED}
    telling = {word.stem for word in found.values() if word.weight >= 1}
    return frozenset(((placed & telling) | named) - (period.stems if period else frozenset()))
