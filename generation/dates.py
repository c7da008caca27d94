"""Dates as they are written, each with every reading it has: `05/03/2025` is 5 March or May 3.

A reading is (year, month, day), 0 for what is not said. Nothing is guessed beyond the two orders of day and month.
"""

import datetime as dt
import re
from collections.abc import Iterable

Reading = tuple[int, int, int]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_NTH = r"(?:st|nd|rd|th)?"
_YEAR = r"(?:1[5-9]|20)\d\d"
_AND = r"(?:\s*(?:,|&|–|—|-|/)\s*|\s*,?\s+(?:and|or|to|until|through)\s+(?:the\s+)?)"

# 3 May 2025; 3rd day of May, 2025; 3-May-25; 2, 9 and 30 October
_DAY_FIRST = re.compile(
    rf"(?<![\d.,/£$€])(?P<days>\d{{1,2}}{_NTH}(?:{_AND}\d{{1,2}}{_NTH})*)(?:\s+day)?(?:\s+of)?[\s-]+(?P<month>{_MONTH})\b\.?"
    rf"(?:(?:,?\s+(?:of\s+)?|-|/)(?P<year>{_YEAR}|(?<=-)\d\d|['’]\d\d)\b)?",
    re.IGNORECASE,
)
# May 3, 2025; May 3rd; May 3 and 10, 2025
_MONTH_FIRST = re.compile(
    rf"\b(?P<month>{_MONTH})\b\.?\s+(?P<days>\d{{1,2}}{_NTH}(?:{_AND}\d{{1,2}}{_NTH}(?![\d.:]))*)(?!\d|[.:]\d|\s*(?:%|per\b))"
    rf"(?:,?\s+(?P<year>{_YEAR})\b)?",
    re.IGNORECASE,
)
_MONTH_YEAR = re.compile(rf"\b(?P<month>{_MONTH})\b\.?,?(?:\s+(?:of\s+)?|-|/)(?P<year>{_YEAR})\b", re.IGNORECASE)
_ISO = re.compile(rf"(?<!\d)(?P<year>{_YEAR})(?P<sep>[-/.])(?P<month>\d\d)(?P=sep)(?P<day>\d\d)(?!\d)")
_COMPACT = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>[0-2]\d|3[01])(?!\d)")
_FIGURES = re.compile(
    r"(?<![\d./-])(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<year>\d{4}|\d\d)(?![\d/-]|\.\d)"
)
# A month by itself: `may` and `march` are mostly none, so a capital and a word before it that goes with times.
_ALONE = re.compile(
    r"\b(?:January|February|April|June|July|August|September|October|November|December)\b"
    r"|(?<=\b[Ii]n )(?:May|March)\b|(?<=\b(?:of|by) )(?:May|March)\b|(?<=\bsince )(?:May|March)\b"
    r"|(?<=\b(?:until|every) )(?:May|March)\b|(?<=\b(?:from|each|late) )(?:May|March)\b"
)
_WEEKDAY = re.compile(r"\b(?:(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)\b")
_WEEKDAYS = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")


def dates(text: str) -> list[tuple[int, int, frozenset[Reading]]]:
    """Every date of `text` as (start, end, readings), in order; of several days of one month each by itself."""
    found: list[tuple[int, int, frozenset[Reading]]] = []
    taken = bytearray(len(text))
    for pattern in (_ISO, _COMPACT, _FIGURES, _DAY_FIRST, _MONTH_FIRST, _MONTH_YEAR, _ALONE):
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            some = list(_read(match))
            if some:
                taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                found += some
    return sorted(found, key=lambda each: each[:2])


def weekdays(text: str) -> list[tuple[int, int, int]]:
    """Every weekday named in `text` as (start, end, 0 for Monday)."""
    return [(*match.span(), _WEEKDAYS.index(match[1].lower())) for match in _WEEKDAY.finditer(text)]


def falls_on(readings: Iterable[Reading], weekday: int) -> bool:
    """Whether one of `readings` is a whole date on that day of the week."""
    return any(all(each) and dt.date(*each).weekday() == weekday for each in readings)


def says(said: Reading, asked: Reading, years: frozenset[int]) -> bool:
    """Whether a date that a passage has is the one that a statement has, or a more exact one.

    A passage that leaves out the year may name it elsewhere: `years` are those it names.
    """
    year, month, day = asked
    if (month and month != said[1]) or (day and day != said[2]):
        return False
    return not year or year == said[0] or (not said[0] and year in years)


def _read(match: re.Match[str]) -> Iterable[tuple[int, int, frozenset[Reading]]]:
    part = match.groupdict()
    start, end = match.span()
    if match.re is _ALONE:
        yield start, end, frozenset({(0, _month(match.group()), 0)})
        return
    years = _years(part["year"]) if part.get("year") else (0,)
    if match.re is _FIGURES:
        a, b = int(part["a"]), int(part["b"])
        orders = {(a, b)} if part["sep"] == "." else {(a, b), (b, a)}
        readings = {(y, m, d) for y in years for d, m in orders if _is_day(y, m, d)}
        if readings:
            yield start, end, frozenset(readings)
        return
    month = int(part["month"]) if part["month"].isdigit() else _month(part["month"])
    if part.get("days"):
        # In a list each day stands at its own place; the last takes the month and the year.
        days = list(re.finditer(r"\d{1,2}", part["days"]))
        offset = match.start("days")
        lone = match.re is _MONTH_FIRST and not part["year"] and part["month"].lower() in ("may", "mar", "march")
        if lone and not part["month"][0].isupper():
            return  # "it may 3 times"
        for n, day in enumerate(days):
            readings = {(y, month, int(day.group())) for y in years if _is_day(y, month, int(day.group()))}
            a = start if n == 0 and match.re is _MONTH_FIRST else offset + day.start()
            b = end if n == len(days) - 1 else offset + day.end()
            if readings:
                yield a, b, frozenset(readings)
        return
    day_number = int(part["day"]) if part.get("day") else 0
    if match.re is _MONTH_YEAR and not part["month"][0].isupper():
        return
    readings = {(y, month, day_number) for y in years if _is_day(y, month, day_number or 1)}
    if readings:
        yield start, end, frozenset(readings)


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _years(written: str) -> tuple[int, ...]:
    figures = written.strip("'’")
    return (int(figures),) if len(figures) == 4 else (1900 + int(figures), 2000 + int(figures))


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year or 2000, month, day)
    except ValueError:
        return False
    return True
