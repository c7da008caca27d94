"""Text to the words it is found by.

Words are compared without case, accents and hidden characters. English endings are taken off (plural, -ing, -ed),
which is all the grammar there is. What looks like an identifier (an invoice number, an IBAN, an amount, a date, an
address) is kept whole, without its separators, beside its parts, so that it is found however it is typed.
"""

import re
import unicodedata
from functools import lru_cache

MOST = 40
"""Characters of a term; longer ones are cut. Base64 and the like would fill the index otherwise."""

# Zero-width and directional characters, soft hyphens, variation selectors, tags: shown as nothing, so a word with one
# inside must be found by the word without.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_TOKEN = re.compile(r"[^\W_]+(?:[-./,:@_'’+&#]+[^\W_]+)*")
_JOINERS = re.compile(r"[-./,:@_'’+&#]+")
# Numbers that are written in groups of four: IBANs, card numbers.
_GROUPED = re.compile(
    r"\b(?:[a-z]{2}\d{2}(?: [a-z0-9]{4}){3,7}(?: [a-z0-9]{1,3})?|\d{4}(?: \d{4}){2,4}(?: \d{1,3})?)\b"
)
_AMOUNT = re.compile(r"\d{1,3}(?:(?P<group>[,.'’])\d{3})(?:(?P=group)\d{3})*(?:[.,]\d{1,2})?|\d+[.,]\d{1,2}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    re.compile(r"\b(?P<day>\d{1,2})(?:st|nd|rd|th|\.)? (?:of )?" + _MONTH + r",? (?P<year>(?:19|20)\d\d)\b"),
    re.compile(r"\b" + _MONTH + r" (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>(?:19|20)\d\d)\b"),
)
_SHORT_DATE = re.compile(r"\b(\d{1,2})([./])(\d{1,2})\2((?:19|20)\d\d)\b")
_DIGIT = re.compile(r"\d")
_DAY = re.compile(r"\d{1,2}[-./]\d{1,2}[-./]\d{2}(?:\d\d)?|(?:19|20)\d\d[-./]\d{1,2}(?:[-./]\d{1,2})?")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


def normal(text: str) -> str:
    """Lower-case, compatibility forms unified (NFKC), accents and hidden characters gone. Offsets are not kept."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", _HIDDEN.sub("", text)).casefold()
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def terms(text: str) -> list[str]:
    """The terms of `text`, one for each occurrence, in its order; whole identifiers before their parts."""
    text = normal(text)
    found: list[str] = []
    for token in _TOKEN.findall(text):
        if token.isascii() and token.isalnum():
            found.append(stem(token))
        else:
            found += _joined(token)
    if _DIGIT.search(text):
        found += [match.group().replace(" ", "")[:MOST] for match in _GROUPED.finditer(text)]
        found += [_date(match) for pattern in _DATES for match in pattern.finditer(text)]
        for match in _SHORT_DATE.finditer(text):
            found += _readings(match)
    return found


def identifiers(text: str) -> list[str]:
    """Terms of `text` that may name one thing: invoice numbers, IBANs, addresses; no amounts and no dates."""
    text = normal(text)
    found = [match.group().replace(" ", "")[:MOST] for match in _GROUPED.finditer(text)]
    for token in _TOKEN.findall(text):
        digits = len(_DIGIT.findall(token))
        if token.isalnum():
            if digits >= 5 or (digits and digits < len(token) >= 5):
                found.append(stem(token))
        elif "@" in token or (digits and not _AMOUNT.fullmatch(token) and not _DAY.fullmatch(token)):
            found.append(_joined(token)[0])
    return found


def joined_neighbours(text: str) -> list[str]:
    """Up to four neighbouring words as one, where one has a digit: `inv 2024 0031` may mean INV-2024-0031.

    They are guesses: only those that the index has mean anything. The first 100 words are looked at.
    """
    tokens = _TOKEN.findall(normal(text))[:100]
    found: list[str] = []
    for length in (2, 3, 4):
        groups = zip(*(tokens[at:] for at in range(length)), strict=False)
        joined = ("".join(group) for group in groups if all(map(str.isalnum, group)))
        found += [one[:MOST] for one in joined if _DIGIT.search(one) and len(one) > 5]
    return found


def _joined(token: str) -> list[str]:
    """The terms of a token with separators inside: the whole, if it is an identifier or hyphenated, then the parts."""
    if not token.isascii() and _UNSPACED.search(token):
        # No spaces between words: pairs of letters stand for them.
        letters = _JOINERS.sub("", token)
        return [letters[at : at + 2] for at in range(max(1, len(letters) - 1))]
    parts = _JOINERS.split(token)
    if parts[-1] == "s" and token[-2] in "'’":  # a possessive
        parts.pop()
    out: list[str] = []
    if _DIGIT.search(token):
        out.append(_amount(token) if _AMOUNT.fullmatch(token) else "".join(parts)[:MOST])
    elif "@" in token or (len(parts) == 2 and len(token) <= MOST):
        out.append("".join(parts)[:MOST])
    if len(parts) == 1 and not _DIGIT.search(token):
        return [stem(parts[0])]
    return out + [stem(part) for part in parts]


def _amount(token: str) -> str:
    """`1,200.00`, `1.200,00` and `1'200` as `1200`; `12,5` as `12.5`."""
    token = token.replace("'", ",").replace("’", ",")
    at = max(token.rfind("."), token.rfind(","))
    whole, rest = re.sub("[.,]", "", token[:at]), token[at + 1 :]
    if len(rest) == 3:
        return whole + rest
    rest = rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole


def _date(match: re.Match[str]) -> str:
    month = _MONTHS.index(match["month"]) + 1
    return f"{match['year']}{month:02}{int(match['day']):02}"  # as `2024-03-05` is indexed


def _readings(match: re.Match[str]) -> list[str]:
    """`31.3.2024` as 20240331; with slashes both orders of day and month, where both are possible."""
    first, second, year = int(match[1]), int(match[3]), match[4]
    orders = {(first, second)} if match[2] == "." else {(first, second), (second, first)}
    return sorted(f"{year}{month:02}{day:02}" for day, month in orders if 1 <= month <= 12 and 1 <= day <= 31)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """An English word without its plural, -ing or -ed; anything else as it is, cut at 40 characters."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word[:MOST]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and re.search("[aeiouy]", base):
            if base[-1] == base[-2] and base[-1] not in "lsz":
                return base[:-1]
            return base[:MOST]
    return (word[:-1] if word.endswith("e") and len(word) > 4 else word)[:MOST]


STOP = frozenset(
    stem(word)
    for word in """
    a about after all also am an and any are as at be because been before being but by can could did do does doing
    done for from had has have having he her here hers him his how i if in into is it its itself just me more most
    my no nor not of on or our ours out over own same she should so some such than that the their theirs them then
    there these they this those through to too under until up very was we were what when where which while who whom
    whose why will with would you your yours please tell show find give consider
    """.split()  # noqa: SIM905 - a word list reads better as text
)
"""Words that say nothing about which passage answers; left out of a question as long as another word is left."""
