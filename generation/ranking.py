"""Which sentences of the passages answer: each gets features, and a learned weighing makes a score of them.

Two stages, because embedding is what costs: all sentences are compared by their words, and the best of them by meaning.
"""

import datetime as dt
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from generation import cues, times, words
from generation.question import Question, Word
from generation.sentences import is_row, sentences

if TYPE_CHECKING:
    import numpy as np

    from retrieval.passage import Passage

EMBEDDED = 16
"""sentences that are compared by meaning: some 30 tokens each, 2 ms a sentence on one core"""
_MOST_PASSAGES = 20
_MOST_SENTENCES = 60  # of one passage; a chunk has some ten

NAME = 1.4  # weight of a question's word from which it is a name or a number
_NO_NAME = -0.3
_NO_FIGURE = -2.0
_NO_SUBJECT = -1.0  # where nothing of a passage and its document is what the question is about
_PARTLY = 0.7  # what a word counts that is only the same at its beginning: roof and roofer, insurance and insured
_ELSEWHERE = 0.6  # what a word counts that another passage of the same document holds
_NEARLY = 0.8  # what a word counts that is taken for a slip of the question's


class Embedder(Protocol):
    """What is needed of a `retrieval.embedder.Embedder`."""

    def embed(self, texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Unit vectors, float32 of shape (len(texts), dimensions)."""

    def embed_question(self, text: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """The unit vector of a question, float32 (dimensions,)."""

    def on_scale(self, cosines: "np.ndarray[Any, np.dtype[np.float32]]") -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Cosines on the scale that the weights were learned with."""


@dataclass(slots=True)
class Candidate:
    """One sentence of one passage."""

    passage: "Passage"
    rank: int
    """of its passage, from 1"""
    start: int
    end: int
    """in the passage's text"""
    text: str
    matched: dict[str, float]
    """question's stems that it holds, and how much each counts (1: the word itself)"""
    around: dict[str, float]
    """the same of its passage with title, heading, path and sender"""
    near: dict[str, float]
    """the same of its neighbours"""
    answers: list[tuple[int, int]]
    """where expressions of the kind asked for stand in `text`, those of the question itself left out"""
    when: float = 0.0
    """1 where it is of the time that the question names, -1 where it is of another, 0 where neither is known"""
    twins: "list[Candidate]" = field(default_factory=list)
    """the same text in other documents"""
    lexical: float = 0.0
    cosine: float = 0.0
    vector: "np.ndarray[Any, np.dtype[np.float32]] | None" = None
    embedder: Embedder | None = None
    """what made `vector`"""
    score: float = -math.inf
    """log odds that it answers"""
    features: tuple[float, ...] = field(default=())


FEATURES = (
    "cosine", "cosine_relative", "words", "words_around", "words_near", "pair", "kind", "kind_missing", "first_passage",
    "rank", "relative", "asks", "heading", "short", "row", "fields", "local", "identifier", "when",
)  # fmt: skip

# Learned by tools/train_extractive.py: bias, then one weight for each of FEATURES.
WEIGHTS: tuple[float, ...] = (
    -7.8084,
    -0.4724,
    6.1348,
    -1.8065,
    1.0218,
    -0.829,
    0.6519,
    -0.0025,
    -1.2069,
    -0.1599,
    0.7522,
    1.8659,
    -4.0079,
    -2.6478,
    -2.4039,
    -0.5756,
    0.0,
    3.9669,
    0.8797,
    1.8542,
)


def ranked(question: Question, passages: Sequence["Passage"], embedder: Embedder) -> list[Candidate]:
    """The sentences of `passages` that may answer, best first, with their scores. At most `EMBEDDED` of them."""
    found = _all(question, passages[:_MOST_PASSAGES])
    found.sort(key=lambda each: -each.lexical)
    kept = _leading(found)
    if not kept:
        return []
    _measure(question, kept, embedder)
    best = max(each.cosine for each in kept)
    local = _local_weights(question, kept)
    top = max((each.passage.score for each in kept), default=0.0)
    for each in kept:
        each.features = _features(question, each, best, local, top)
        each.score = scored(question, each)
    return sorted(kept, key=lambda each: -each.score)


def scored(question: Question, each: Candidate) -> float:
    """Log odds that the candidate answers: what was learned, and four terms set by hand.

    The sets it was learned from ask for no lists, seldom for money, and mostly of one article that holds every name. A
    list holds several of what is asked for; "how much" is answered by a figure; a passage that lacks a name or number
    of the question is seldom about it.
    """
    listed = math.log(max(1, len(each.answers))) if question.several else 0.0
    figure = _NO_FIGURE if question.kind in ("amount", "percent") and not each.answers else 0.0
    named = _NO_NAME * sum(1 - each.around.get(word.stem, 0.0) for word in question.words if word.weight >= NAME)
    about = _NO_SUBJECT * (1 - subject(question, each.around))
    learned = WEIGHTS[0] + sum(w * x for w, x in zip(WEIGHTS[1:], each.features, strict=True))
    return learned + listed + figure + named + about


def matching(question: Question, vocabulary: set[str]) -> dict[str, list[tuple[Word, float]]]:
    """Which of the question's words each stem of `vocabulary` stands for, and how much that counts."""
    found: dict[str, list[tuple[Word, float]]] = {}
    beginning: dict[str, list[str]] = {}
    for stem in vocabulary:
        beginning.setdefault(stem[:4], []).append(stem)
    for word in question.words:
        if word.stem in vocabulary:
            found.setdefault(word.stem, []).append((word, 1.0))
        alike = [other for other in beginning.get(word.stem[:4], ()) if _begins_alike(word.stem, other)]
        for other in alike:
            found.setdefault(other, []).append((word, _PARTLY))
        if not alike and word.stem not in vocabulary:
            slip = words.near(word.stem, vocabulary)
            if slip:
                found.setdefault(slip, []).append((word, _NEARLY))
    return found


def _begins_alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if short == long or not one.isalpha() or not other.isalpha():
        return False
    if len(short) >= 4 and long.startswith(short):
        return len(long) - len(short) <= 3
    common = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return common >= 6 and len(long) - common <= 4


def _all(question: Question, passages: Sequence["Passage"]) -> list[Candidate]:
    split = []
    vocabulary: set[str] = set()
    for passage in passages:
        places = sentences(passage.text)[:_MOST_SENTENCES]
        stems = [words.stems(passage.text[start:end]) for start, end in places]
        about = words.stems(" ".join(filter(None, (passage.title, passage.heading, _name(passage), passage.sender))))
        split.append((passage, places, stems, about))
        vocabulary = vocabulary.union(about, *stems)
    stands_for = matching(question, vocabulary)
    # What a document says in one passage is known in its others, if less surely.
    elsewhere: dict[str, dict[str, float]] = {}
    for passage, _, stems, _ in split:
        held = _matched(set().union(*stems), stands_for)
        elsewhere[passage.document] = _joined(elsewhere.get(passage.document, {}), held)
    found = []
    for rank, (passage, places, stems, about) in enumerate(split, start=1):
        each_matched = [_matched(one, stands_for) for one in stems]
        around = {stem: counts * _ELSEWHERE for stem, counts in elsewhere[passage.document].items()}
        around = _joined(around, _matched(about, stands_for))
        for one in each_matched:
            around = _joined(around, one)
        days = _days(passage) if question.period else []
        for n, (start, end) in enumerate(places):
            text = passage.text[start:end]
            near = _joined(each_matched[n - 1] if n else {}, each_matched[n + 1] if n + 1 < len(places) else {})
            each = Candidate(
                passage,
                rank,
                start,
                end,
                text,
                each_matched[n],
                around,
                near,
                _answers(question, text),
                _when(question, text, days),
            )
            if each.when > 0 and question.period:
                said = dict.fromkeys(question.period.stems, 1.0)
                each.matched, each.around = _joined(each.matched, said), _joined(around, said)
            each.lexical = (
                2 * share(question, each.matched)
                + share(question, each.around)
                + 0.5 * share(question, near)
                + 0.6 * bool(each.answers)
                + 0.5 * each.when
                + 0.8 / (rank + 1)
                - 0.5 * (text.endswith("?"))
            )
            found.append(each)
    return found


def _answers(question: Question, text: str) -> list[tuple[int, int]]:
    asked = question.text.casefold()
    found = [(a, b) for a, b in cues.found(question.kind, text) if text[a:b].casefold() not in asked]
    if question.kind == "amount" and not found and is_row(text):
        return cues.cells(text)
    return found


def _days(passage: "Passage") -> list[dt.date]:
    """The days a passage may be of: its message's, else those in its file's name and its text."""
    return times.days(passage.date[:10]) if passage.date else times.days(f"{_name(passage)} {passage.text}")


def _when(question: Question, text: str, days: list[dt.date]) -> float:
    if not question.period:
        return 0.0
    own = times.days(text) or days
    if any(question.period.holds(day) for day in own):
        return 1.0
    return -1.0 if own else 0.0


def _name(passage: "Passage") -> str:
    """The words of file and folder names: the last three parts of the path."""
    return " ".join(str(passage.path).split("/")[-3:]) + " " + (passage.part or "")


def _matched(stems: set[str], stands_for: dict[str, list[tuple[Word, float]]]) -> dict[str, float]:
    out: dict[str, float] = {}
    for stem in stems & stands_for.keys():
        for word, counts in stands_for[stem]:
            out[word.stem] = max(counts, out.get(word.stem, 0.0))
    return out


def _joined(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {stem: max(one.get(stem, 0.0), other.get(stem, 0.0)) for stem in one.keys() | other.keys()}


def share(question: Question, matched: dict[str, float]) -> float:
    """The share of the question's weight that `matched` covers, 0 to 1."""
    return sum(word.weight * matched.get(word.stem, 0.0) for word in question.words) / question.weight


def _leading(found: list[Candidate]) -> list[Candidate]:
    """The best by words, each text once; the same text of another document becomes a twin."""
    first: dict[str, Candidate] = {}
    kept: list[Candidate] = []
    for each in found:
        plain = " ".join(each.text.split()).casefold()
        if plain in first:
            if each.passage.document != first[plain].passage.document:
                first[plain].twins.append(each)
        elif len(kept) < EMBEDDED:
            first[plain] = each
            kept.append(each)
    return kept


def _measure(question: Question, kept: list[Candidate], embedder: Embedder) -> None:
    """Set `cosine` and `vector`. A sentence is embedded below its document's title: it seldom says what it is about."""
    texts = [f"{each.passage.title}: {each.text[:400]}" if each.passage.title else each.text[:400] for each in kept]
    vectors = embedder.embed(texts)
    cosines = embedder.on_scale(vectors @ embedder.embed_question(question.text))
    for each, vector, cosine in zip(kept, vectors, cosines, strict=True):
        each.vector, each.embedder = vector, embedder
        each.cosine = float(cosine)


def alike(one: Candidate, other: Candidate) -> float:
    """The cosine of two sentences, below their titles; 0 where one was not measured."""
    if one.vector is None or other.vector is None or one.embedder is None:
        return 0.0
    return float(one.embedder.on_scale((one.vector @ other.vector).reshape(1))[0])


def _local_weights(question: Question, kept: list[Candidate]) -> Callable[[Candidate], float]:
    """Share of matched weight where a word counts more the fewer of the candidates hold it."""
    count = {word.stem: sum(word.stem in each.matched for each in kept) for word in question.words}
    weight = {
        word.stem: word.weight * math.log(1 + len(kept) / count[word.stem])
        for word in question.words
        if count[word.stem]
    }
    total = sum(weight.values()) or 1.0
    return lambda each: sum(weight.get(stem, 0.0) * counts for stem, counts in each.matched.items()) / total


def _features(
    question: Question, each: Candidate, best: float, local: Callable[[Candidate], float], top: float
) -> tuple[float, ...]:
    count = len(each.text.split())
    return (
        each.cosine,
        each.cosine - best,
        share(question, each.matched),
        share(question, each.around),
        share(question, each.near),
        _pairs(question, each.text),
        float(bool(question.kind and each.answers)),
        float(bool(question.kind and not each.answers)),
        float(each.rank == 1),
        1.0 / each.rank,
        each.passage.score / top if top > 0 else 1.0,
        float(each.text.endswith("?")),
        float(count <= 5 and not each.text.endswith((".", "!")) and not any(c.isdigit() for c in each.text)),
        float(count <= 3 and not each.answers and not is_row(each.text)),
        float(is_row(each.text)),
        float(each.passage.kind == "mail" and each.text.startswith(("From:", "To:", "Cc:", "Date:", "Subject:"))),
        local(each),
        float(identified(question, each.text)),
        each.when,
    )


def subject(question: Question, around: dict[str, float]) -> float:
    """The share of the question's subject that a passage's document holds, wherever; 1 where none was made out."""
    if not question.subject:
        return 1.0
    return sum(around.get(stem, 0.0) > 0 for stem in question.subject) / len(question.subject)


def _pairs(question: Question, text: str) -> float:
    """The share of the question's neighbouring words that are neighbours, at most one word apart, in `text` too."""
    asked = [word.stem for word in question.words]
    pairs = list(itertools.pairwise(asked))
    if not pairs:
        return 0.0
    order = [stem for _, _, stem in words.spans(text)]
    places: dict[str, list[int]] = {}
    for n, stem in enumerate(order):
        places.setdefault(stem, []).append(n)
    met = sum(any(0 < b - a <= 2 for a in places.get(x, ()) for b in places.get(y, ())) for x, y in pairs)
    return met / len(pairs)


def identified(question: Question, text: str) -> bool:
    """Whether `text` holds an identifier (an invoice number, an IBAN) that the question names."""
    from retrieval import terms

    wanted = terms.identifiers(question.text)
    return bool(wanted) and bool(set(wanted) & set(terms.identifiers(text)))
