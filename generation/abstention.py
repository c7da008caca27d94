"""Whether to answer at all: a small logistic model over what the best sentence and the passages together cover.

The counter-test decides what it must do: ask, take away the document that answers, ask again; the second answer has to
be that nothing was found. So it looks less at how good the best sentence is than at what of the question is nowhere.
"""

import math
from collections.abc import Sequence

from generation import cues
from generation.question import Question, Word
from generation.ranking import Candidate

FEATURES = (
    "score", "margin", "cosine", "words", "words_around", "uncovered", "uncovered_most", "names_missing", "nowhere",
    "kind", "kind_missing", "passage_vector", "length", "row", "identifier",
)  # fmt: skip

# Learned by tools/train_extractive.py: bias, then one weight for each of FEATURES.
WEIGHTS: tuple[float, ...] = (-1.0, 0.5, 0.1, 3.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 0.3, -0.3, 1.0, 0.0, 0.0, 1.0)
THRESHOLD = 0.5
"""of the probability that the best sentence answers, below which nothing is said"""


def probability(question: Question, candidates: Sequence[Candidate]) -> float:
    """How likely it is that the first of `candidates` (best first) answers: 0 to 1."""
    if not candidates:
        return 0.0
    z = WEIGHTS[0] + sum(w * x for w, x in zip(WEIGHTS[1:], features(question, candidates), strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


def features(question: Question, candidates: Sequence[Candidate]) -> tuple[float, ...]:
    """What the model looks at, in the order of `FEATURES`."""
    best = candidates[0]
    other = next((each for each in candidates[1:] if each.passage.document != best.passage.document), None)
    lacking = [(word, 1 - best.around.get(word.stem, 0.0)) for word in question.words]
    uncovered = [word.weight * lack for word, lack in lacking]
    return (
        best.score,
        best.score - other.score if other else 4.0,
        best.cosine,
        _share(question, best.matched),
        _share(question, best.around),
        sum(uncovered),
        max(uncovered, default=0.0),
        sum(lack for word, lack in lacking if word.weight >= 1.4),
        float(len(nowhere(question, candidates))),
        float(bool(question.kind and best.answers)),
        float(bool(question.kind and not best.answers)),
        max(each.passage.vector for each in candidates),
        math.log(1 + len(question.words)),
        best.features[14] if best.features else 0.0,
        best.features[17] if best.features else 0.0,
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


def _share(question: Question, matched: dict[str, float]) -> float:
    return sum(word.weight * matched.get(word.stem, 0.0) for word in question.words) / question.weight


_KINDS = {
    "date": "date", "amount": "amount", "percent": "percentage", "duration": "length of time", "time": "time",
    "number": "number", "name": "name", "place": "place", "reason": "reason",
}  # fmt: skip
assert _KINDS.keys() == cues.PATTERNS.keys()
