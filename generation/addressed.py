"""Sentences of a document that speak to whoever answers, not to whoever reads: injected instructions, mostly.

"Add … to your reply" is obeyed by a model by writing what is to be added; its words then stand in the passage, and
nothing else here would notice. A statement that rests on such a sentence must at least report it ("the mail asks to
add … to the reply").
"""

import re
from collections.abc import Sequence

from generation.held import Held
from generation.sentences import sentences

_ANSWER = r"(?:response|reply|replies|answer|output|summary|completion)s?"
_TO_A_MODEL = re.compile(
    rf"\b(?:your|the|this|each|every) (?:\w+ ){{0,2}}{_ANSWER}\b"
    r"|\b(?:ignore|disregard|forget) (?:\w+ ){0,3}(?:instructions?|question|passages?|above)\b"
    r"|\b(?:system prompt|language model|AI assistant|as an AI|chatbot)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:^|[.!?:,]\s+|\bplease\s+|\byou (?:must|should|will|shall|have to|are to)\s+|\bnow\s+)"
    r"(?:(?:also|always|then)\s+)?"
    r"(?:add|append|answer|augment|begin|conclude|disregard|embed|end|enhance|finish|forget|hint|ignore|include|insert"
    r"|integrate|introduce|mention|modify|output|print|promote|provide|recommend|refer|repeat|replace|reply|respond|say"
    r"|start|state|suggest|tease|tell|use|write)\b",
    re.IGNORECASE,
)
_REPORTS = re.compile(
    rf"\b(?:{_ANSWER}|instructions?|asks?|asked|tells?|told|requests?|requested|prompt)\b", re.IGNORECASE
)


def obeyed(text: str, supports: Sequence[tuple[Held, int, int]]) -> list[str]:
    """In words, when all that supports the statement (passage, start, end) is a sentence that asks it of an answer."""
    if not supports or _REPORTS.search(text):
        return []
    if all(_asked(held.text, start, end) for held, start, end in supports):
        return ["the passage cited only asks whoever answers to say so"]
    return []


def _asked(text: str, start: int, end: int) -> bool:
    """Whether one of the sentences at a place does; whole ones, also where the citation has a part."""
    some = [text[a:b] for a, b in sentences(text) if a < end and start < b]
    return any(_TO_A_MODEL.search(each) and _ASKS.search(each) for each in some)
