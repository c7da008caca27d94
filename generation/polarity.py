"""Whether a statement denies what its passage asserts, or asserts what it denies, as far as single words tell.

A negation is taken to bear on the words that follow it, up to the next comma or the like. Opposites ("at least" and
"at most") are compared where the passage has only the other one.
"""

import re
from collections.abc import Sequence

from generation import words
from generation.held import Held

_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|cannot|without|no|none|nothing|nobody|\w+n['’]t|non(?=-)|prohibit(?:s|ed)?|forbid(?:s|den)?)\b",
    re.IGNORECASE,
)
# "no later than" and the like deny nothing of what follows.
_NO_NEGATION = re.compile(
    r"\b(?:not only|not limited to|whether or not|no (?:later|earlier|less|more|fewer|greater) than"
    r"|not (?:less|more|later|earlier|fewer|greater) than|not to exceed|not exceed\w*|not yet|if not|or not)\b",
    re.IGNORECASE,
)
_STOP = re.compile(r"[,;:.!?()\n]|\b(?:but|unless|except|although|however|provided)\b", re.IGNORECASE)
_DENIES = {True: "denies", False: "does not deny"}
_ASSERTS = {True: "denies", False: "asserts"}
_REACH = 3  # telling words that a negation bears on
_OPPOSITES = tuple(
    (re.compile(rf"\b(?:{one})\b", re.IGNORECASE), re.compile(rf"\b(?:{other})\b", re.IGNORECASE))
    for one, other in (
        (
            r"at least|minimum|not less than|no less than",
            r"at most|maximum|not more than|no more than|up to|not exceed\w*|not to exceed",
        ),
        (r"before|prior to|no later than|not later than", r"after|following|no earlier than"),
        (r"increas\w+|rises?|rose|raised", r"decreas\w+|falls?|fell|reduc\w+|lowered"),
        (r"exclusive", r"non-?exclusive"),
        (r"includ\w+", r"exclud\w+"),
        (r"more than|over|above|exceed\w*|greater than", r"less than|under|below|fewer than"),
    )
)  # fmt: skip


def contradicted(text: str, supports: Sequence[tuple[Held, int, int]]) -> list[str]:
    """In words, where the statement and the places that support it (passage, start, end) differ in a negation."""
    said = _negated(text)
    here: dict[str, set[bool]] = {}
    quoted = []
    for held, start, end in supports:
        quoted.append(held.text[start:end])
        for stem, denied in _negated(held.text[start:end]).items():
            here.setdefault(stem, set()).update(denied)
    against = [stem for stem, denied in said.items() if stem in here and not denied & here[stem]]
    # A single word may be denied elsewhere in a long sentence; two neighbours are not by accident.
    common = [stem for stem in said if stem in here]
    negations = sum(True in denied for denied in said.values())
    if against and (len(against) >= 2 or (len(common) <= 4 and negations <= 1)):
        denies = any(True in said[stem] for stem in against)
        return [f"the passage cited {_DENIES[not denies]} what the statement {_ASSERTS[denies]}"]
    passage = "\n".join(quoted)
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            word = one.search(text)
            if word and not other.search(text) and other.search(passage) and not one.search(passage):
                return [f"“{word.group()}” does not stand in the passage cited, but its opposite"]
    return []


def _negated(text: str) -> dict[str, set[bool]]:
    """For each telling word whether it stands after a negation: both, where it stands twice."""
    quiet = [match.span() for match in _NO_NEGATION.finditer(text)]
    reaches = []
    for match in _NEGATION.finditer(text):
        if any(a <= match.start() < b for a, b in quiet):
            continue
        stop = _STOP.search(text, match.end())
        reaches.append((match.end(), stop.start() if stop else len(text)))
    found: dict[str, set[bool]] = {}
    left = [_REACH] * len(reaches)
    for start, end, stem in words.spans(text):
        if words.tells(text[start:end].lower()) < 0.5 or any(c.isdigit() for c in stem):
            continue
        denied = False
        for n, (a, b) in enumerate(reaches):
            if a <= start < b and left[n]:
                left[n] -= 1
                denied = True
        found.setdefault(stem, set()).add(denied)
    return found
