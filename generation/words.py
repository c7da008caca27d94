"""Words as they are compared: lower-case stems, and a guess at how much each tells.

The guess needs no corpus: function words tell nothing, words of asking and of everyday paperwork a little, names and
numbers most. What a rare word adds beyond that, search has already weighed by ranking the passages.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from retrieval import terms

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?", re.UNICODE)

_FUNCTION = frozenset(
    """
    a about above after again against all also although am among an and any anybody anyone anything are aren't
    around as at back be because been before being below between both but by can cannot can't could couldn't did
    didn't do does doesn't doing don't down during each either else ever every everyone for from further get
    gets getting give given had hadn't has hasn't have haven't having he her here hers herself him himself his
    how however i if in into is isn't it its itself just least less let like may me might more most much must my
    myself neither no nor not now of off on once one ones only onto or other others ought our ours ourselves out
    over own per perhaps please rather really same shall she should shouldn't since so some somebody someone
    something still such than that the their theirs them themselves then there these they this those though
    through thus to too toward towards under unless until up upon us very via was wasn't we were weren't what
    what's whatever when where whether which while who whom whose why will with within without won't would
    wouldn't yes yet you your yours yourself
    """.split()  # noqa: SIM905 - read as text
)
_ASKING = frozenset(
    """
    amount ask call come consider cost day date document exactly find go happen indicate kind know list look
    make mean mention month much name need number pay people person place price say show take tell thing time
    total type use want way week year agree many long allow latest current currently recent first last new old
    state provide set
    """.split()  # noqa: SIM905 - read as text
)
_COMMON = frozenset(
    """
    able accept actual add affect alone answer apply arrive available bad become begin behave believe best
    better big bring care carry case cause certain change choice choose clear close color colour complete
    concern contain continue correct decide describe difference different difficult doing early easy end enough
    ensure entire exact example expect explain extra fact fall far fast feel final finish fit follow free full
    going good great handle hear help high hold idea important include involve issue keep last late lead learn
    leave left let live look lose low main major matter maximum meet minimum miss move necessary next normal
    offer open order original own part plan possible present problem promise proper question raise reach read
    reason receive refer regard remain request require rest result return right rise run second see seem send
    separate serious set short side similar simple single size small soon sort special start state stay step
    stop suggest sure talk think tie top try turn understand used various view visit wait whole win wish word
    work worth write wrong
    """.split()  # noqa: SIM905 - read as text
)
_IRREGULAR = {
    "paid": "pay", "pays": "pay", "bought": "buy", "sold": "sell", "sent": "send", "said": "say", "says": "say",
    "told": "tell", "left": "leave", "began": "begin", "begun": "begin", "went": "go", "gone": "go", "goes": "go",
    "held": "hold", "kept": "keep", "made": "make", "met": "meet", "wrote": "write", "written": "write",
    "took": "take", "taken": "take", "given": "give", "gave": "give", "came": "come", "found": "find",
    "lent": "lend", "lost": "lose", "meant": "mean", "ran": "run", "spent": "spend", "stole": "steal",
    "stolen": "steal", "theft": "steal", "thought": "think", "won": "win", "broke": "break", "broken": "break",
    "chose": "choose", "chosen": "choose", "drove": "drive", "driven": "drive", "fell": "fall", "fallen": "fall",
    "flew": "fly", "got": "get", "grew": "grow", "knew": "know", "known": "know", "led": "lead", "rose": "rise",
    "risen": "rise", "saw": "see", "seen": "see", "spoke": "speak", "spoken": "speak", "taught": "teach",
    "children": "child", "men": "man", "women": "woman", "people": "person", "feet": "foot", "teeth": "tooth",
    "lives": "life", "wives": "wife", "bike": "bicycle", "bikes": "bicycle", "phone": "telephone",
    "phones": "telephone", "email": "mail", "emails": "mail", "e-mail": "mail", "died": "die", "tied": "tie",
}  # fmt: skip


@lru_cache(maxsize=1 << 15)
def stem(word: str) -> str:
    """Return `word` as it is compared: the keyword index's stem, without a possessive, irregular forms unified."""
    word = terms.normal(word).replace("’", "'")
    word = word.removesuffix("'s").rstrip("'")
    return terms.stem(_IRREGULAR.get(word, word))


def spans(text: str) -> list[tuple[int, int, str]]:
    """Every word of `text` as (start, end, stem). `KB-558120-7` gives its parts."""
    return [(found.start(), found.end(), stem(found.group())) for found in _WORD.finditer(text)]


def stems(text: str) -> set[str]:
    """The distinct stems of `text`."""
    return {stem(word) for word in _WORD.findall(text)}


def tells(word: str, *, opens: bool = False) -> float:
    """How much a question's word tells: 0 for a function word, 0.35 for one of asking, 0.6 for a common one, 1 for
    others, up to 1.8 for names and numbers. `opens`: it stands first, so that its capital says nothing."""
    low = word.lower().replace("’", "'").removesuffix("'s")
    if (low in _FUNCTION and not (low == "may" and word[0].isupper())) or (len(low) == 1 and not low.isdigit()):
        return 0.0
    if any(letter.isdigit() for letter in word):
        return 1.8 if len(word) > 4 else 1.4
    if low in _ASKING or _IRREGULAR.get(low) in _ASKING or stem(low) in _ASKING_STEMS:
        return 0.35
    if low in _COMMON or stem(low) in _COMMON_STEMS:
        return 0.6
    return 1.5 if word[0].isupper() and not opens else 1.0


_ASKING_STEMS = frozenset(stem(word) for word in _ASKING)
_COMMON_STEMS = frozenset(stem(word) for word in _COMMON)


def near(word: str, others: Collection[str]) -> str:
    """The one of `others` that `word` may be a slip for, or empty: one edit from five letters on, two from eight on,
    the same first letter. Edits are those of Levenshtein, and neighbours swapped."""
    if len(word) < 5 or not word.isalpha():
        return ""
    most = 2 if len(word) >= 8 else 1
    best, least = "", most + 1
    for other in others:
        if abs(len(other) - len(word)) <= most and other[:1] == word[:1] and other.isalpha():
            edits = _edits(word, other, least)
            if edits < least:
                best, least = other, edits
    return best


def _edits(a: str, b: str, most: int) -> int:
    """Edit distance of `a` and `b`, or `most` where it is no less."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row = row, [i]
        for j, y in enumerate(b, start=1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) >= most:
            return most
        before = previous
    return min(row[-1], most)
