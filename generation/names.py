"""Names in a statement, as far as capitals tell: people, firms, places, things that a contract defines.

A sentence's first word has its capital anyway. It is taken for a name where another capital follows, or where nothing
says that it is an ordinary word: it stands nowhere in small letters, is none of the everyday words and has no ending
that ordinary words have.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from generation import words
from retrieval import terms

_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪĶĹĽŁŃŇŌŐŒŔŘŚŞŠŢŤŪŮŰŹŻŽ]"
_RUN = re.compile(
    rf"(?<![\w’'])(?:[a-z]{{1,2}}(?={_CAPITAL}))?{_CAPITAL}[\w&]*(?:['’.-](?=\w)\w+)*(?:\.(?=\s{_CAPITAL}))?"
    rf"(?:(?:\s+(?:(?:of|de|van|von|der|den|del|di|la|le|&)\s+)*|-){_CAPITAL}[\w&]*(?:['’.-](?=\w)\w+)*(?:\.(?=\s{_CAPITAL}))?)*"
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_OPENS = re.compile(r"(?:^|[.!?:;•*]|\n)[\s\"'“”‘’(\[–—-]*$")
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "lady", "lord", "rev", "hon", "madam"})
_TIMES = frozenset(
    """
    january february march april may june july august september october november december jan feb mar apr jun jul aug
    sept sep oct nov dec monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays
    fridays saturdays sundays christmas easter am pm
    """.split()  # noqa: SIM905 - read as text
)
_ORDINARY = re.compile(
    r"(?:ing|ed|tion|sion|ment|ments|ness|ance|ence|ity|ities|ship|ures?|als?|ions|ers|ees|ly|ive|ous|able|ible|ry|ies)$"
)
_OPENERS = frozenset(
    """
    rent rents notice tenant tenants landlord landlords fee fees tax taxes half party parties buyer seller employee
    employer insurer client customer supplier damage cover theft breach title goods delivery access use repair rate
    interest money invoice receipt bill letter contract agreement lease deposit balance salary wages leave sick pay
    cash bank account card school class work staff children child parents doctor patient treatment medicine dose
    policy claim loss water heat gas electricity power fuel car van bike bicycle roof boiler house flat garden keys
    email mail message report minutes meeting form page table clause section annex schedule appendix appeal court
    law laws data records sales profit revenue costs cost expenses income loan debt credit shares stock dividends
    today tomorrow yesterday nobody everyone several twice once instead otherwise moreover furthermore therefore hence
    additionally finally thereafter meanwhile
    """.split()  # noqa: SIM905 - read as text
)
_LONGEST = 4  # words in capitals that may be one name
_DEMONYM = re.compile(r"(?:n|an|ian|ish|ese|s|i|ic|er|es|ean)$")


@dataclass(frozen=True, slots=True)
class Name:
    """A run of capitalised words at its place."""

    start: int
    end: int
    parts: tuple[tuple[int, int, str], ...]
    """its words as (start, end, normal form), titles left out"""
    opens: bool
    """its first word opens a sentence, so that it may be no part of the name"""


def names(text: str, taken: bytearray, ordinary: Collection[str] = ()) -> list[Name]:
    """Every name of `text`, in order, but those where `taken` (a byte a character) says something else stands.

    `ordinary` are words known to be written small elsewhere, in normal form.
    """
    found = []
    for match in _RUN.finditer(text):
        opens = bool(_OPENS.search(text[: match.start()]))
        parts = []
        for n, word in enumerate(_WORD.finditer(text, *match.span())):
            plain = normal(word.group())
            first = n == 0 and opens
            if any(taken[word.start() : word.end()]) or plain in _TITLES or plain in _TIMES or plain == "i":
                continue
            small = not word.group()[0].isupper() and not any(c.isupper() for c in word.group()[1:])
            if small or not words.tells(plain) or (first and _is_ordinary(plain, ordinary)):
                continue
            parts.append((word.start(), word.end(), plain))
        # A sentence in capitals names nothing in particular: its words are compared as words are.
        shouted = len(parts) > _LONGEST and match.group().isupper()
        if parts and not shouted:
            found.append(Name(parts[0][0], parts[-1][1], tuple(parts), opens and parts[0][0] == match.start()))
    return found


def normal(word: str) -> str:
    """Small letters, no accents, no possessive."""
    plain = terms.normal(word).replace("’", "'")
    return plain.removesuffix("'s").rstrip("'")


def alike(name: str, word: str) -> bool:
    """Whether a name's word is `word` in another form: a plural, an initial, a people for their country."""
    if name == word or words.stem(name) == words.stem(word):
        return True
    if len(name) == 1 or len(word) == 1:
        return name[:1] == word[:1] and name.isalpha()
    short, long = sorted((name, word), key=len)
    return len(short) >= 4 and long.startswith(short) and bool(_DEMONYM.fullmatch(long[len(short) :]))


def _is_ordinary(plain: str, ordinary: Collection[str]) -> bool:
    return (
        words.tells(plain, opens=True) < 1
        or plain in ordinary
        or plain in _OPENERS
        or (bool(_ORDINARY.search(plain)) and len(plain) > 5)
    )
