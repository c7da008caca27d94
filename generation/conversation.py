"""Questions that lean on the one before: "and when does it end?", "what about the car?", "and last year?".

By rule, on the words alone: what is not understood is left as typed. The user is shown what comes out, so a wrong guess
is seen and can be typed anew.
"""

import re
from collections.abc import Sequence

from generation import cues, times, words

_LEAD = re.compile(r"^(?:(?:and|but|or|so|also|ok(?:ay)?|then)\b[,\s]*)+", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:(?:what|how) about|what of|same for|the same for)\s+", re.IGNORECASE)
_THING = re.compile(
    r"\b(?:it|they|them|(?:this|that|these|those)(?=\s*$|\s+(?:is|was|were|are|be|in|on|at|by|to|for|end|and|still|true|also)\b))\b",
    re.IGNORECASE,
)
_THINGS = re.compile(r"\b(?:its|their)\b(?=\s+\w)", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:he|she|him|his|her)\b", re.IGNORECASE)
_THERE = re.compile(r"\bthere\b(?=\s*[?.!]?$)", re.IGNORECASE)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|does|did|will)\s+it\s+(?:true|possible|necessary|rain|mean|take)\b|\b(?:this|that|these|those|last|next)\s+(?:week|month|year|spring|summer|autumn|winter)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:(?:by |since |until |for |on |at |in )?(?:what|when|who|whom|whose|where|which|why|how)"
    r"(?: (?:much|many|long|often|far|late))?\b\s*"
    r"|(?:is|are|was|were|do|does|did|can|may|must|has|have|will)\b\s+)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:(?:in|on|since|until|by|during|for|before|after)\s+)?"
    r"(?:(?:last|this|next|the following|the previous)\s+"
    r"(?:week|month|year|quarter|spring|summer|autumn|winter|christmas|easter)|today|yesterday|tomorrow|now"
    rf"|{cues.PATTERNS['date'].pattern}|(?:spring|summer|autumn|winter)(?:\s+\d{{4}})?)",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^(?:for|with|in|at|of|from|by|to|on|about)\b", re.IGNORECASE)
_ARTICLE = r"(?:the|our|my|your|his|her|their|its|a|an)"
# A noun phrase, as far as one can tell without a grammar: an article or a possessive and the words up to the next word
# that cannot belong to it.
_STOPS = (
    r"(?:is|are|was|were|be|been|do|does|did|has|have|had|can|could|may|might|must|shall|should|will|would|and|or|but|for|with|in"
    r"|at|from|by|to|on|about|since|until|before|after|during|when|where|who|which|that|we|i|you|he|she|it|they|last|next"
    r"|cost|costs|end|ends|begin|begins|start|starts|last|lasts|run|runs|take|takes|pay|pays|leave|leaves|arrive|arrives|expire"
    r"|expires|go|goes|come|comes|say|says|agree|guarantee|guarantees|charge|charges|ask|asked|repaired|finished|signed|get|allow"
    r"|now|still|first|give|include|includes|cover|covers|renew|renews|open|close|happen|happened|mean|means|promise|fix|due|paid)"
)
_NOUN = re.compile(
    rf"\b(?:{_ARTICLE}\s+|[A-Z]\w+['’]s\s+)(?!{_STOPS}\b)[\w&'’.-]+(?:\s+(?!{_STOPS}\b)[\w&'’.-]+){{0,4}}",
    re.IGNORECASE,
)
_OBJECT = re.compile(
    rf"(?<=\bfor )(?!{_ARTICLE}\b)(?!{_STOPS}\b)[\w'’-]+(?:\s+(?!{_STOPS}\b)[\w'’-]+){{0,4}}$", re.IGNORECASE
)
_MOST = 300
"""characters of an answer that names are looked for in"""


def full_question(question: str, earlier: Sequence[tuple[str, str]]) -> str:
    """Return `question` so that it stands alone. `earlier` has (question as understood, answer's text), oldest first.

    Left alone where nothing came before and where it names its own subject.
    """
    typed = question.strip()
    if not earlier or not typed:
        return typed
    before, said = earlier[-1]
    before = before.strip().rstrip("?!. ")
    asked = _LEAD.sub("", typed).strip().rstrip("?!. ")
    about = _ABOUT.match(asked)
    if about:
        return _closed(_exchanged(before, asked[about.end() :]))
    if asked != typed.rstrip("?!. ") and not _OPENING.match(asked) and len(asked.split()) <= 6:
        return _closed(_exchanged(before, asked))
    if not _content(asked) and not _TIME.fullmatch(asked):
        return _closed(_lent(asked, before, said))
    if _TIME.fullmatch(asked):
        return _closed(_exchanged(before, asked))
    if _leans(asked):
        return _closed(_filled(asked, before, said))
    topic = _topic(before)
    if asked != typed.rstrip("?!. ") and topic and len(asked.split()) <= 6:
        return _closed(f"{asked} ({topic})")
    return typed


def _leans(asked: str) -> bool:
    bare = _EXPLETIVE.sub(" ", asked)
    if _names(_OPENING.sub("", bare)) and not _THING.search(bare):
        # "Does Marta have her contract?": the pronoun has its name beside it.
        return False
    return bool(_THING.search(bare) or _THINGS.search(bare) or _PERSON.search(bare) or _THERE.search(bare))


def _content(text: str) -> bool:
    return any(words.tells(each, opens=n == 0) >= 1 for n, each in enumerate(re.findall(r"[\w'’]+", text)))


def _exchanged(before: str, wanted: str) -> str:
    """The earlier question with `wanted` in the place of what it corresponds to: a time, a phrase with its preposition,
    a noun."""
    if _TIME.fullmatch(wanted) or (times.asked(wanted) and len(wanted.split()) <= 4):
        old = _last(_TIME, before)
        return before[: old.start()] + wanted + before[old.end() :] if old else f"{before} {wanted}"
    preposition = _PREPOSITION.match(wanted)
    if preposition:
        old = _last(re.compile(rf"\b{preposition.group()}\b", re.IGNORECASE), before)
        return (before[: old.start()] if old else before + " ") + wanted
    if re.fullmatch(r"[A-Z]\w+['’]s", wanted):
        whose = _last(re.compile(r"\b[A-Z]\w+['’]s\b|\b(?:my|our|his|her|their)\b"), before)
        if whose:
            return before[: whose.start()] + wanted + before[whose.end() :]
    nouns = sorted([*_NOUN.finditer(before), *_OBJECT.finditer(before)], key=lambda old: old.start())
    shared = [old for old in nouns if words.stems(old.group()) & words.stems(wanted) and _content(old.group())]
    chosen = shared or nouns
    if not chosen:
        proper = [old for old in re.finditer(r"\b[A-Z][\w'’-]*\b", before) if old.start()]
        chosen = proper[-1:]
    if not chosen:
        return f"{before} {wanted}"
    old = chosen[-1]
    return before[: old.start()] + wanted + before[old.end() :]


def _lent(asked: str, before: str, said: str) -> str:
    """A question of hardly a word ("since when?", "who signed it?"), with the earlier one's subject."""
    filled = _filled(asked, before, said)
    if filled != asked:
        return filled
    return f"{asked} {_OPENING.sub('', _OPENING.sub('', before))}"


def _filled(asked: str, before: str, said: str) -> str:
    """Pronouns exchanged for what they most likely stand for."""
    thing = _topic(before)
    person = next(iter(_names(_OPENING.sub("", _TIME.sub("", before))) + _names(said[:_MOST], whole=True)), thing)
    out = asked
    if thing:
        out = _THINGS.sub(f"{thing}'s", out, count=1)
        if not _EXPLETIVE.search(out):
            out = _THING.sub(lambda _: thing, out, count=1)
        out = _THERE.sub(lambda _: f"in {thing}", out, count=1)
    if person:
        out = _PERSON.sub(
            lambda old: person + ("'s" if old.group().lower() in ("his", "her") and old.end() < len(asked) else ""), out
        )
    if out == asked:
        return f"{asked} ({before})"
    return out


def _topic(before: str) -> str:
    """What the earlier question is about: its last noun with an article, else its last name, else nothing."""
    nouns = [each.group() for each in _NOUN.finditer(before) if _content(each.group())]
    if nouns:
        return nouns[-1]
    names = _names(_OPENING.sub("", _TIME.sub("", before)))
    return names[0] if names else ""


def _names(text: str, *, whole: bool = False) -> list[str]:
    """Runs of capitalised words; `whole`: of at least two, because a sentence's first word has a capital too."""
    found = [match.group() for match in re.finditer(r"\b[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)*", text)]
    return [
        re.sub(r"['’]s$", "", name)
        for name in found
        if words.tells(name.split()[0]) > 0 and (not whole or " " in name) and name != "I"
    ]


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return found[-1] if found else None


def _closed(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + "?"
