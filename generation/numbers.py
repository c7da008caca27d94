"""Numbers as they are written, in figures and in words, with their units, so that two ways of writing one are one.

`1,200.00`, `1.200,00`, `1 200` and `twelve hundred` are one number; `£5`, `GBP 5` and `five pounds` one amount; twelve
months a year, and a fortnight two weeks. A figure that can be read in two ways (`1.200`) has both readings.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal

_ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
    """.split()  # noqa: SIM905 - read as text
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - read as text
_WORDS = {name: n for n, name in enumerate(_ONES)} | {name: 10 * n for n, name in enumerate(_TENS, start=2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SHORT_SCALES = {"k": 1_000, "m": 10**6, "mn": 10**6, "mio": 10**6, "bn": 10**9, "b": 10**9} | _SCALES
# `first` and `second` as words are said of too much.
_ORDINAL_WORDS = """
    third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
    seventeenth eighteenth nineteenth twentieth
    """.split()  # noqa: SIM905 - read as text
_ORDINALS = {name: n for n, name in enumerate(_ORDINAL_WORDS, start=3)} | {"thirtieth": 30}
_FRACTIONS = {"½": "0.5", "¼": "0.25", "¾": "0.75", "⅓": "0.333", "⅔": "0.667"}

CURRENCIES = {
    "£": "£", "gbp": "£", "pound": "£", "pounds": "£", "sterling": "£", "€": "€", "eur": "€", "euro": "€", "euros": "€",
    "$": "$", "us$": "$",
    "usd": "$", "dollar": "$", "dollars": "$", "chf": "chf", "francs": "chf", "¥": "¥", "jpy": "¥",
    "yen": "¥", "rmb": "rmb", "cny": "rmb", "yuan": "rmb", "pence": "p", "cent": "ct", "cents": "ct",
}  # fmt: skip
# Each as a multiple of its family's smallest: what can be turned into each other without asking which month it is.
_UNITS: dict[str, tuple[str, str]] = {
    "second": ("time", "1"), "sec": ("time", "1"), "minute": ("time", "60"), "min": ("time", "60"),
    "hour": ("time", "3600"), "hr": ("time", "3600"), "day": ("time", "86400"), "night": ("night", "1"),
    "week": ("time", "604800"), "fortnight": ("time", "1209600"), "month": ("months", "1"), "quarter": ("months", "3"),
    "year": ("months", "12"), "decade": ("months", "120"), "century": ("months", "1200"), "annum": ("months", "12"),
    "mm": ("length", "1"), "millimetre": ("length", "1"), "millimeter": ("length", "1"), "cm": ("length", "10"),
    "centimetre": ("length", "10"), "centimeter": ("length", "10"),
    "m": ("length", "1000"), "metre": ("length", "1000"),
    "meter": ("length", "1000"), "km": ("length", "1000000"), "kilometre": ("length", "1000000"),
    "kilometer": ("length", "1000000"), "mile": ("mile", "1"), "inch": ("inch", "1"), "foot": ("inch", "12"),
    "feet": ("inch", "12"), "ft": ("inch", "12"), "yard": ("inch", "36"), "acre": ("acre", "1"),
    "mg": ("mass", "1"), "milligram": ("mass", "1"), "g": ("mass", "1000"), "gram": ("mass", "1000"),
    "kg": ("mass", "1000000"), "kilo": ("mass", "1000000"), "kilogram": ("mass", "1000000"),
    "tonne": ("mass", "1000000000"), "ton": ("ton", "1"), "lb": ("pound-mass", "1"), "oz": ("ounce", "1"),
    "ounce": ("ounce", "1"), "ml": ("volume", "1"), "millilitre": ("volume", "1"), "l": ("volume", "1000"),
    "litre": ("volume", "1000"), "liter": ("volume", "1000"), "gallon": ("gallon", "1"), "kwh": ("energy", "1"),
    "mwh": ("energy", "1000"), "kw": ("power", "1"), "mw": ("power", "1000"), "mb": ("bytes", "1"),
    "gb": ("bytes", "1000"), "tb": ("bytes", "1000000"), "time": ("times", "1"), "%": ("%", "1"),
}  # fmt: skip
_QUALIFIERS = {"business": "business", "working": "business", "trading": "business", "calendar": "calendar"}

_GROUPED = (
    "\\d{1,3}(?:[,.'’\u00a0\u202f]\\d{3})+(?:[.,]\\d{1,2})?(?!\\d)"
    r"|\d{1,3}(?: \d{3})+(?![\d,]|\.\d{3})(?:[.,]\d{1,2})?"
)
_FIGURE = re.compile(
    rf"(?<![\w])(?P<sign>(?:US|CA|AU)?[£€$¥]|\b(?:USD|EUR|GBP|CHF|RMB|JPY|CNY)\b)?\s?"
    rf"(?P<figures>{_GROUPED}|\d+(?:[.,]\d+)*|\d*[½¼¾⅓⅔])(?P<half>[½¼¾])?",
    re.IGNORECASE,
)
_NUMBER_WORD = "|".join(sorted([*_WORDS, *_SCALES], key=len, reverse=True))
_IN_WORDS = re.compile(
    rf"\b(?:an?\s+(?=(?:hundred|thousand|million|billion|dozen)\b))?(?:{_NUMBER_WORD})"
    rf"(?:(?:[\s-]+(?:and\s+)?)(?:{_NUMBER_WORD}))*\b(?P<half>\s+and\s+a\s+half\b)?",
    re.IGNORECASE,
)
_ORDINAL = re.compile(rf"\b(?:(?P<figures>\d{{1,4}})(?:st|nd|rd|th)|(?P<word>{'|'.join(_ORDINALS)}))\b", re.IGNORECASE)
_SCALE = re.compile(r"\s?(?P<scale>hundred|thousand|million|billion|trillion|mn|mio|bn|k|m|b)\b\.?", re.IGNORECASE)
_AFTER = re.compile(
    r"\s*+\)?\s*+(?:\((?:[^()]{1,14})\)\s*+)?-?\s?(?:of\s++)?"
    r"(?:(?P<qualifier>business|working|trading|calendar)[\s-]++|(?:consecutive|full|successive|whole|additional|further|more)\s++){0,2}"
    r"(?P<unit>%|per\s?cent\b|percentage\b|[£€$]|[A-Za-z]+)",
    re.IGNORECASE,
)
_SINGLE = re.compile(
    r"\b(?:an?|each|per|every)\s+(?P<unit>second|minute|hour|day|week|fortnight|month|quarter|year)\b", re.IGNORECASE
)
_BETWEEN = re.compile(r"\s*(?:,|and|or|to|through|–|—|-|/|&|%|,\s*and|,\s*or)?\s*", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?<![\d.,:£$€])(?P<h>[01]?\d|2[0-4])(?:[.:](?P<m>[0-5]\d))?(?:[.:][0-5]\d)?\s?(?P<half>[ap]\.?\s?m\b\.?|o['’]clock|hrs\b|h\b)?(?![\d%]|[.,]\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number at its place."""

    start: int
    end: int
    values: frozenset[Decimal]
    """its readings, in the smallest unit of its family"""
    unit: str = ""
    """a currency, `%`, a family of units, `th` for ordinals; empty where none is known"""
    word: str = ""
    """the unit as it is written"""
    qualifier: str = ""
    """business or calendar, of days"""
    minutes: frozenset[int] = frozenset()
    """since midnight, where it may be a time of day"""
    plain: frozenset[Decimal] = frozenset()
    """without what the unit multiplies"""


def numbers(text: str, taken: bytearray | None = None) -> list[Number]:
    """Every number of `text` in order, but those where `taken` (a byte a character, not 0) says something else stands.

    `one` by itself is a number only before a unit.
    """
    taken = bytearray(len(text)) if taken is None else bytearray(taken)
    found: list[Number] = []

    def keep(number: Number) -> None:
        if not any(taken[number.start : number.end]):
            taken[number.start : number.end] = b"\1" * (number.end - number.start)
            found.append(number)

    for match in _CLOCK.finditer(text):
        sure = match["half"] and (match["m"] or match["half"].lower() not in ("h", "hrs"))
        if sure or (match["m"] and ":" in match.group()):
            keep(Number(*match.span(), frozenset(), "clock", minutes=_minutes(match)))
    for match in _ORDINAL.finditer(text):
        n = Decimal(match["figures"] or _ORDINALS[match["word"].lower()])
        keep(Number(*match.span(), frozenset({n}), "th", plain=frozenset({n})))
    for match in _FIGURE.finditer(text):
        keep(_figure(text, match))
    for match in _IN_WORDS.finditer(text):
        number = _in_words(text, match)
        if number.unit or match.group().lower() not in ("one", "zero"):
            keep(number)
    for match in _SINGLE.finditer(text):
        family, factor = _UNITS[match["unit"].lower()]
        keep(Number(*match.span(), frozenset({Decimal(factor)}), family, match["unit"], plain=frozenset({Decimal(1)})))
    return _shared_units(text, sorted(found, key=lambda each: each.start))


def readings(figures: str) -> frozenset[Decimal]:
    """What a figure may mean: `1,200` is 1200, `1.200` is 1200 or 1.2, `1.200,50` is 1200.5.

    A comma before three figures parts thousands; a point does so in half of Europe.
    """
    plain = re.sub("[ '’\u00a0\u202f]", "", figures)
    marks = re.findall("[.,]", plain)
    if not marks:
        return frozenset({Decimal(plain)})
    last = max(plain.rfind("."), plain.rfind(","))
    whole, rest = re.sub("[.,]", "", plain[:last]), plain[last + 1 :]
    grouped = Decimal(whole + rest)
    parted = Decimal(f"{whole or 0}.{rest or 0}")
    if len(set(marks)) == 2:
        return frozenset({parted})
    if len(marks) > 1:
        return frozenset({grouped})
    if len(rest) == 3 and whole.strip("0") and len(whole) <= 3:
        return frozenset({grouped}) if marks[0] == "," else frozenset({grouped, parted})
    return frozenset({parted})


def unit_of(word: str) -> tuple[str, Decimal]:
    """The family and the factor of a unit's name; an empty family where it is none."""
    low = word.lower().rstrip(".")
    if low in CURRENCIES:
        return CURRENCIES[low], Decimal(1)
    if low.startswith("per") and "cent" in low:
        return "%", Decimal(1)
    for each in (low, low.removesuffix("s"), low.removesuffix("es"), low[:-3] + "y" if low.endswith("ies") else low):
        if each in _UNITS:
            return _UNITS[each][0], Decimal(_UNITS[each][1])
    return "", Decimal(1)


def _figure(text: str, match: re.Match[str]) -> Number:
    start, end = match.span()
    figures = match["figures"]
    half = Decimal(0)
    if figures[-1] in _FRACTIONS:
        half, figures = Decimal(_FRACTIONS[figures[-1]]), figures[:-1] or "0"
    if match["half"]:
        half = Decimal(_FRACTIONS[match["half"]])
    values = frozenset(value + half for value in readings(figures))
    sign = CURRENCIES.get((match["sign"] or "").lower().removeprefix("ca").removeprefix("au"), "")
    if start < end and text[start].isspace():
        start = match.start("figures")
    scale = _SCALE.match(text, end)
    # `m` is metres unless money stands before it, and `b` hardly ever anything
    if scale and (
        len(scale["scale"]) > 2
        or scale["scale"].lower() in ("bn", "mn")
        or sign
        or (scale["scale"] == "k" and text[end : end + 1] == "k")
    ):
        values = frozenset(value * _SHORT_SCALES[scale["scale"].lower()] for value in values)
        end = scale.end()
    clock = _CLOCK.fullmatch(text, *match.span("figures"))
    minutes = _minutes(clock) if clock and clock["m"] and not sign else frozenset[int]()
    return _with_unit(text, Number(start, end, values, sign, match["sign"] or "", minutes=minutes, plain=values))


def _in_words(text: str, match: re.Match[str]) -> Number:
    total, part = Decimal(0), Decimal(0)
    for word in re.findall("[a-z]+", match.group().lower()):
        if word in _WORDS:
            part += _WORDS[word]
        elif word in {"hundred", "dozen"}:
            part = (part or Decimal(1)) * _SCALES[word]
        elif word in _SCALES:
            total += (part or Decimal(1)) * _SCALES[word]
            part = Decimal(0)
    value = total + part + (Decimal("0.5") if match["half"] else 0)
    return _with_unit(text, Number(*match.span(), frozenset({value}), plain=frozenset({value})))


def _with_unit(text: str, number: Number) -> Number:
    after = None if number.unit else _AFTER.match(text, number.end)
    if not after:
        return number
    family, factor = unit_of(after["unit"])
    if not family or after["unit"] == "time":
        return number
    qualifier = _QUALIFIERS.get((after["qualifier"] or "").lower(), "")
    return replace(
        number,
        values=frozenset(v * factor for v in number.values),
        unit=family,
        word=after["unit"],
        qualifier=qualifier,
    )


def _shared_units(text: str, found: list[Number]) -> list[Number]:
    """`10 to 15 days` and `£5 and 10 million`: a number without a unit has that of its neighbour."""
    for n in range(len(found) - 2, -1, -1):
        this, following = found[n], found[n + 1]
        if (
            not this.unit
            and following.unit not in ("", "th", "clock")
            and _BETWEEN.fullmatch(text[this.end : following.start])
        ):
            family, factor = unit_of(following.word)
            if family == following.unit:
                found[n] = replace(
                    this, values=frozenset(v * factor for v in this.plain), unit=family, word=following.word,
                    qualifier=following.qualifier,
                )  # fmt: skip
    return found


def _minutes(match: re.Match[str]) -> frozenset[int]:
    hour, minute = int(match["h"]), int(match["m"] or 0)
    half = (match["half"] or "").lower()[:1]
    if half in ("a", "p"):
        return frozenset({(hour % 12 + (12 if half == "p" else 0)) * 60 + minute})
    at = hour % 24 * 60 + minute
    return frozenset({at} if hour > 12 or hour == 0 else {at, (at + 720) % 1440})
