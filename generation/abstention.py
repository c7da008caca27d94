"""Whether to answer at all: a small logistic model over what the best sentence and the passages together cover.

The counter-test decides what it must do: ask, take away the document that answers, ask again; the second answer has to
be that nothing was found. So it looks less at how good the best sentence is than at what of the question is nowhere.
"""

import math
import statistics
from collections.abc import Sequence

from generation import cues
from generation.question import Question, Word
from generation.ranking import NAME, Candidate, identified, share, subject

FEATURES = ("names_missing", "kind_missing", "identifier", "words_around", "stands_out")

# Learned by tools/train_extractive.py: bias, then one weight for each of FEATURES. Left out because they did not carry
# over from encyclopedia and contracts to household papers: plain cosines (mails and tables have lower ones throughout),
# the candidate's score, the lead over the second document (papers often say a thing twice).
WEIGHTS: tuple[float, ...] = (-2.9441, -0.4669, -1.9918, 3.7286, 4.3083, 2.1395)
NOWHERE = -1.2
"""for each telling word that no passage holds. Set by hand: the sets' articles hold nearly every word asked for"""
NOT_ITS_SUBJECT = -2.0
"""when the best sentence's document holds nothing of what the question is about. Set by hand, for the same reason:
"the notice period of the gym" is not what an employment contract says"""
THRESHOLD = 0.45
"""of the probability that the best sentence answers, below which nothing is said"""


def probability(question: Question, candidates: Sequence[Candidate]) -> float:
    """How likely it is that the first of `candidates` (best first) answers: 0 to 1."""
    if not candidates:
        return 0.0
    z = WEIGHTS[0] + sum(w * x for w, x in zip(WEIGHTS[1:], features(question, candidates), strict=True))
    z += NOWHERE * len(nowhere(question, candidates))
    z += NOT_ITS_SUBJECT * (1 - subject(question, candidates[0].around))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


def features(question: Question, candidates: Sequence[Candidate]) -> tuple[float, ...]:
    """What the model looks at, in the order of `FEATURES`, the best candidate first."""
    best = candidates[0]
    lacking = sum(1 - best.around.get(word.stem, 0.0) for word in question.words if word.weight >= NAME)
    return (
        lacking,
        float(bool(question.kind and not best.answers)),
        float(identified(question, best.text)),
        share(question, best.around),
        best.cosine - statistics.median(each.cosine for each in candidates),
    )


def nowhere(question: Question, candidates: Sequence[Candidate]) -> list[Word]:
    """The question's telling words that none of the passages holds."""
    return [
        word
        for word in question.words
        if word.weight >= 1 and all(not each.around.get(word.stem) for each in candidates)
    ]


def missing(question: Question, candidates: Sequence[Candidate]) -> str:
    """In words, what was not found."""
    absent = nowhere(question, candidates)
    kind = _KINDS.get(question.kind, "")
    if not candidates:
        return "no passage has anything to do with the question"
    if absent:
        return f"no passage mentions {_listed([word.shown for word in absent])}"
    best = candidates[0]
    apart = [word.shown for word in question.words if word.weight >= 1 and not best.around.get(word.stem)]
    if apart:
        return f"no passage mentions {_listed([w.shown for w in question.words if w.weight >= 1])} together"
    if kind and not best.answers:
        return f"the nearest passages name no {kind}"
    return "the nearest passages are about it, but no sentence was found that answers"


def _listed(shown: list[str]) -> str:
    quoted = [f"“{word}”" for word in shown[:4]]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


_KINDS = {
    "date": "date", "amount": "amount", "percent": "percentage", "duration": "length of time", "time": "time",
    "number": "number", "name": "name", "place": "place", "reason": "reason",
}  # fmt: skip
assert _KINDS.keys() == cues.PATTERNS.keys()
