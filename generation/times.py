"""Days and the times that a question names, compared as ranges of the calendar."""

import datetime as dt
import re
from dataclasses import dataclass

from generation import words

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = "|".join(_MONTHS)
_SEASONS = {
    "spring": frozenset({3, 4, 5}),
    "summer": frozenset({6, 7, 8}),
    "autumn": frozenset({9, 10, 11}),
    "winter": frozenset({12, 1, 2}),
}

_DATE = re.compile(
    rf"\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m1>{_NAMES})[a-z]*\.?,? (?P<y1>\d{{4}})\b"
    rf"|\b(?P<m2>{_NAMES})[a-z]*\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})\b"
    r"|\b(?P<y3>\d{4})-(?P<n3>\d\d)-(?P<d3>\d\d)\b|\b(?P<d4>\d\d)[./-](?P<n4>\d\d)[./-](?P<y4>\d{4})\b",
    re.IGNORECASE,
)
# Months by name count with a capital, or beside a number: `may` is mostly no month, nor is `march`.
_LONG = "January|February|March|April|May|June|July|August|September|October|November|December"
_ASKED = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?"
    rf"(?P<month>{_LONG}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
    r"(?: (?P<after>\d{1,2})(?:st|nd|rd|th)?\b)?,?(?: (?:of )?(?P<year>\d{4}))?"
    r"|\b(?P<season>spring|summer|autumn|winter)\b(?:(?: of)? (?P<of>\d{4}))?"
    r"|\b(?P<iso>\d{4}-\d\d-\d\d)\b|\b(?P<alone>(?:19|20)\d\d)\b"
)


@dataclass(frozen=True, slots=True)
class Period:
    """A time that a question names: a day, a month, a season or a year, of a known year or of any."""

    year: int | None
    months: frozenset[int]
    """empty: any"""
    day: int | None
    stems: frozenset[str]
    """the question's words that say it"""

    def holds(self, date: dt.date) -> bool:
        """Whether `date` lies in it. A winter goes by the year asked for: 2025 holds its January and December."""
        return (
            (self.year is None or self.year == date.year)
            and (not self.months or date.month in self.months)
            and (self.day is None or self.day == date.day)
        )


def asked(question: str) -> Period | None:
    """Return the first time that `question` names, or None. Which spring "last spring" is, the documents decide."""
    found = _ASKED.search(question)
    if not found:
        return None
    part = found.groupdict()
    if found.start() == 0 and found.group() in ("May", "March"):
        return None  # "May we keep a cat?"
    stems = words.stems(found.group())
    if part["iso"]:
        day = _day(*part["iso"].split("-"))
        return Period(day.year, frozenset({day.month}), day.day, frozenset(stems)) if day else None
    months: frozenset[int] = frozenset()
    if part["month"]:
        months = frozenset({_MONTHS.index(part["month"][:3].lower()) + 1})
    elif part["season"]:
        months = _SEASONS[part["season"]]
    year = part["year"] or part["of"] or part["alone"]
    date = part["day"] or part["after"]
    return Period(int(year) if year else None, months, int(date) if date else None, frozenset(stems))


def days(text: str) -> list[dt.date]:
    """Every whole date in `text`, in order; days before months where only digits are given."""
    found = []
    for match in _DATE.finditer(text):
        part = {name[0]: value for name, value in match.groupdict().items() if value}
        month = part.get("n") or str(_MONTHS.index(part["m"][:3].lower()) + 1)
        day = _day(part["y"], month, part["d"])
        if day:
            found.append(day)
    return found


def _day(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None
