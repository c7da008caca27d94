"""What a passage holds that a statement may be checked against: its numbers, dates, names and words, by place.

Made of the passage's text and of what stands beside it when it is offered to a model: title, file name, heading,
sender and date.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from generation import dates, words
from generation.dates import Reading
from generation.names import Name, alike, normal
from generation.numbers import Number, numbers

if TYPE_CHECKING:
    from retrieval.passage import Passage

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
# Possessive, and what joins two parts is no option: else a long word before a letter of another script takes for ever.
_CODE = re.compile(r"(?<![\w@])[A-Za-z0-9]++(?:[-/_.@#:][A-Za-z0-9]++)*(?![\w])")
_FIGURES_AND_UNIT = re.compile(
    r"[\d.,]+-?(?:st|nd|rd|th|k|m|bn|mn|s|[ap]m|[A-Za-z]{3,}|mg|kg|km|cm|mm|ml|gb|mb|kw|kwh|g|l|h|p)"
)
_LONG_FIGURES = re.compile(r"(?<![\w.,/-])\+?\(?\d[\d()\s./-]{5,}\d(?![\w])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,3})?\b")
_LINK = re.compile(
    r"\b(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|co|xyz|info|biz|uk|de|eu)\b(?:/\S*)?",
    re.IGNORECASE,
)
_APART = 3  # words between two parts of one name, such as a second first name
_LONGEST_NAME = 5  # words; a longer run of capitals is a heading


@dataclass(frozen=True, slots=True)
class Value:
    """What a statement says exactly, and a passage has to hold."""

    start: int
    end: int
    kind: str
    """number, date, weekday, code, name or quote"""
    number: Number | None = None
    dates: frozenset[Reading] = frozenset()
    weekday: int = 0
    text: str = ""
    """of a code: letters and figures alone; of a quote: its words"""


def values(text: str) -> tuple[list[Value], bytearray]:
    """Everything exact in `text` but names, in order, and which of its characters that took (a byte for each)."""
    taken = bytearray(len(text))
    found: list[Value] = []

    def keep(value: Value) -> None:
        if not any(taken[value.start : value.end]):
            taken[value.start : value.end] = b"\1" * (value.end - value.start)
            found.append(value)

    for match in _LINK.finditer(text):
        shown = match.group().rstrip(".,;:)\"'”’")
        keep(Value(match.start(), match.start() + len(shown), "code", text=_bare(shown)))
    for match in _IBAN.finditer(text):
        keep(Value(*match.span(), "code", text=_bare(match.group())))
    for start, end, readings in dates.dates(text):
        keep(Value(start, end, "date", dates=readings))
    for start, end, weekday in dates.weekdays(text):
        keep(Value(start, end, "weekday", weekday=weekday))
    for match in _LONG_FIGURES.finditer(text):
        if sum(c.isdigit() for c in match.group()) >= 7 and not _amount_like(match.group()):
            keep(Value(*match.span(), "code", text=_bare(match.group())))
    for match in _CODE.finditer(text):
        token = match.group()
        mixed = any(c.isdigit() for c in token) and any(c.isalpha() for c in token)
        dotted = token.count(".") >= 2 and token.replace(".", "").isdigit()
        if (mixed and not _FIGURES_AND_UNIT.fullmatch(token.lower())) or dotted:
            keep(Value(*match.span(), "code", text=_bare(token)))
    for number in numbers(text, taken):
        keep(Value(number.start, number.end, "number", number=number))
    return sorted(found, key=lambda value: value.start), taken


@dataclass(frozen=True, slots=True)
class Held:
    """A passage, taken apart once."""

    text: str
    beside: str
    """what stands beside it: title, file name, heading, sender"""
    values: tuple[Value, ...]
    beside_values: tuple[Value, ...]
    years: frozenset[int]
    squeezed: str
    """letters and figures of everything, small, without anything between"""
    spans: tuple[tuple[int, int, str], ...]
    """the words of the text as (start, end, stem)"""
    plain: tuple[tuple[int, int, str], ...]
    """the same in normal form, not stemmed"""
    beside_plain: tuple[str, ...]
    stems: frozenset[str]
    """of text and what stands beside it"""
    small: frozenset[str]
    """normal forms of words that are written small in the text"""

    @classmethod
    def of(cls, passage: "Passage") -> "Held":
        """Take a passage apart."""
        text = passage.text
        name = str(passage.path).rsplit("/", 1)[-1]
        beside = "\n".join(filter(None, (passage.title, name, passage.part, passage.heading, passage.sender)))
        own, _ = values(text)
        others = values(beside)[0] + (values(passage.date[:10])[0] if passage.date else [])
        years = {y for value in (*own, *others) for y, _, _ in value.dates if y}
        years |= {
            int(n) for v in (*own, *others) if v.number for n in v.number.plain if n == int(n) and 1500 < n < 2100
        }
        plain = tuple((m.start(), m.end(), normal(m.group())) for m in _WORD.finditer(text))
        return cls(
            text=text,
            beside=beside,
            values=tuple(own),
            beside_values=tuple(others),
            years=frozenset(years),
            squeezed=_bare(text + "\n" + beside),
            spans=tuple(words.spans(text)),
            plain=plain,
            beside_plain=tuple(normal(each) for each in _WORD.findall(beside)),
            stems=frozenset(words.stems(text) | words.stems(beside)),
            small=frozenset(normal(m.group()) for m in _WORD.finditer(text) if m.group().islower()),
        )

    def places(self, value: Value) -> list[tuple[int, int]] | None:
        """Where in the text `value` stands; empty where only beside it; None where it does not stand."""
        found = [(own.start, own.end) for own in self.values if self.same(own, value)]
        if found or any(self.same(own, value) for own in self.beside_values):
            return found
        number = value.number
        if value.kind == "code" or (number and number.plain and min(number.plain) >= 10**6 and not number.unit):
            return self._spelt(value.text or str(int(min(number.plain)) if number else ""))
        return None

    def name_places(self, name: Name) -> list[tuple[int, int]] | None:
        """The same for a name; all its words, and neighbours not far from each other."""
        placed = [[n for n, (_, _, word) in enumerate(self.plain) if alike(part, word)] for _, _, part in name.parts]
        for (_, _, part), places in zip(name.parts, placed, strict=True):
            if not places and not any(alike(part, word) for word in self.beside_plain) and not self._acronym(part):
                return None
        for n in range(len(name.parts) - 1 if len(name.parts) <= _LONGEST_NAME else 0):
            one, other = name.parts[n][2], name.parts[n + 1][2]
            if not placed[n] or not placed[n + 1] or {one, other} & self.small:
                continue  # one of them stands beside the passage, or is a word like others there
            if not any(abs(a - b) <= _APART for a in placed[n] for b in placed[n + 1]):
                return None
        return [self.plain[n][:2] for places in placed for n in places]

    def quote_places(self, quote: str) -> list[tuple[int, int]] | None:
        """Where a quoted phrase stands, compared by its words."""
        wanted = [normal(word) for word in _WORD.findall(quote)]
        here = [word for _, _, word in self.plain]
        for n in range(len(here) - len(wanted) + 1):
            if here[n : n + len(wanted)] == wanted:
                return [(self.plain[n][0], self.plain[n + len(wanted) - 1][1])]
        return [] if " ".join(wanted) in " ".join(self.beside_plain) else None

    def same(self, own: Value, value: Value) -> bool:
        """Whether the passage's `own` is the statement's `value`."""
        if value.kind == "date":
            return any(dates.says(said, asked, self.years) for said in own.dates for asked in value.dates)
        if value.kind == "weekday":
            return (own.kind == "weekday" and own.weekday == value.weekday) or dates.falls_on(own.dates, value.weekday)
        if value.kind == "code":
            return own.kind == "code" and own.text == value.text
        number = value.number
        if not number:
            return False
        if own.number:
            return self._same_number(own.number, number)
        # A year by itself may be that of a date.
        return not number.unit and any(Decimal(y) in number.plain for y, _, _ in own.dates if y)

    def _same_number(self, own: Number, asked: Number) -> bool:
        if asked.minutes & own.minutes:
            return True
        if "th" in (own.unit, asked.unit) or "clock" in (own.unit, asked.unit):
            return own.unit == asked.unit and bool(own.values & asked.values)
        if asked.unit and own.unit:
            if asked.qualifier and own.qualifier != asked.qualifier:
                return False
            return own.unit == asked.unit and bool(own.values & asked.values)
        if not own.plain & asked.plain:
            return False
        # A table's figure has its unit in a heading, if anywhere; a currency often nowhere.
        return not asked.unit or len(asked.unit) == 1 or asked.unit == "chf" or words.stem(asked.word) in self.stems

    def _spelt(self, code: str) -> list[tuple[int, int]] | None:
        """Where the letters and figures of a code stand, whatever stands between them."""
        if len(code) < 5:
            return None
        # A country's code before a telephone number may be a 0 instead.
        wanted = code if code in self.squeezed else code[-9:] if code.isdigit() and len(code) >= 10 else ""
        if not wanted or wanted not in self.squeezed:
            return None
        at = re.search(r"[\W_]{0,3}".join(map(re.escape, wanted)), self.text, re.IGNORECASE)
        return [at.span()] if at else []

    def _acronym(self, part: str) -> bool:
        """Whether `part` is made of the first letters of neighbouring words, as BBC is."""
        if not 2 <= len(part) <= 6 or not part.isalpha():
            return False
        initials = "".join(self.text[start] for start, _, _ in self.plain if self.text[start].isupper())
        return part in initials.lower()


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _amount_like(figures: str) -> bool:
    """Whether figures with spaces between are a grouped number or several of them, not one code."""
    plain = figures.strip("+() ")
    return (
        bool(re.fullmatch(r"\d{1,3}(?: \d{3})+", plain))
        or bool(re.search(r"\s{2,}|\n", plain))
        or (" " not in plain and not re.search(r"[-/()]", plain))
    )


_QUOTED = re.compile(r"“([^“”]{3,300})”|\"([^\"]{3,300})\"|«([^«»]{3,300})»|(?<!\w)‘([^‘’]{3,300})’(?!\w)")


def quotes(text: str) -> list[Value]:
    """The phrases that a statement quotes."""
    return [Value(*match.span(), "quote", text=next(filter(None, match.groups()))) for match in _QUOTED.finditer(text)]
