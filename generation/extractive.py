"""Answers in the documents' own words: the sentences that answer, verbatim, or an abstention.

One mode of answering. Another (a model that writes) is a module of its own with the same `answer`, and falls back on
this one when its worker dies.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generation import abstention, cues, ranking, versions, words
from generation.answer import Answer, Citation, Statement
from generation.question import Question, understand
from generation.ranking import Candidate
from generation.sentences import LONGEST, is_row, sentences, window

if TYPE_CHECKING:
    from retrieval.passage import Passage

MODE = "extractive"
_MOST = 3  # statements of an answer
_NEAREST = 5  # passages shown with an abstention
_WORSE = 1.2  # log odds that a further statement may score below the first
_WORSE_IN_LIST = 2.5
_SAME = 0.8  # share of common words from which two statements are one

TextOf = Callable[[str], str]


@dataclass(slots=True)
class _Said:
    """A statement in the making."""

    question: Question
    candidate: Candidate
    start: int
    end: int
    """in the passage's text"""
    note: str = ""


def answer(question: str, passages: Sequence["Passage"], embedder: ranking.Embedder, text_of: TextOf) -> Answer:
    """Answer `question` from `passages` (best first) with one to three statements, or abstain.

    `text_of` gives a document's whole text by its id, empty where it is gone. For every citation of the answer
    `text_of(document)[start:end] == quote` was checked.
    """
    began = time.perf_counter()
    ranks = []
    for part in understand(question):
        candidates = ranking.ranked(part, passages, embedder)
        ranks.append((part, candidates, abstention.probability(part, candidates)))
    ranked_at = time.perf_counter()
    answered = [(part, candidates) for part, candidates, p in ranks if p >= abstention.THRESHOLD]
    silent = [(part, candidates) for part, candidates, p in ranks if p < abstention.THRESHOLD]
    missing = "; ".join(abstention.missing(part, candidates) for part, candidates in silent)
    each_said = [_said(part, candidates, text_of) for part, candidates in answered]
    statements = _statements(_in_turn(each_said), text_of)
    seconds = {"rank": ranked_at - began, "choose": time.perf_counter() - ranked_at}
    if not statements:
        return Answer(question, MODE, True, missing or _GONE, (), tuple(passages[:_NEAREST]), seconds)
    return Answer(question, MODE, False, missing, statements, (), seconds)


_GONE = "the documents that answered are no longer there"


def _said(question: Question, candidates: Sequence[Candidate], text_of: TextOf) -> list[_Said]:
    """What is said to one part of the question, best first."""
    ordered, notes = versions.newest_first(question, candidates, text_of)
    worse = _WORSE_IN_LIST if question.several else _WORSE
    floor = candidates[0].score - worse
    said = []
    for n, each in enumerate(ordered):
        if n and n not in notes and (each.score < floor or each.text.endswith("?")):
            continue
        start, end = _widened(question, each)
        said.append(_Said(question, each, start, end, notes.get(n, "")))
        said += [_Said(question, twin, *_widened(question, twin)) for twin in each.twins]
    return said


def _in_turn(parts: Sequence[Sequence[_Said]]) -> list[_Said]:
    """The first of each part, then the second of each, and so on."""
    return [said[n] for n in range(max(map(len, parts), default=0)) for said in parts if n < len(said)]


def _widened(question: Question, each: Candidate) -> tuple[int, int]:
    """The candidate's place, with the lines that belong to it: what a heading or colon announces, a list's items."""
    text = each.passage.text
    announces = each.text.endswith(":") or (
        len(each.text.split()) <= 6 and each.text[-1:] not in ".!?" and not each.answers
    )
    if not announces and not question.several:
        return window(text, each.start, each.end, _wanted(question, each))
    places = sentences(text)
    at = next(n for n, place in enumerate(places) if place == (each.start, each.end))
    first = last = at
    if question.several and not announces and _is_item(text, places[at]):
        while first and _is_item(text, places[first - 1]) and places[last][1] - places[first - 1][0] <= LONGEST:
            first -= 1
    elif not announces:
        return window(text, each.start, each.end, _wanted(question, each))
    while last + 1 < len(places) and places[last + 1][1] - places[first][0] <= LONGEST:
        if last > at and not _is_item(text, places[last + 1]):
            break
        last += 1
    return window(text, places[first][0], places[last][1], _wanted(question, each))


def _is_item(text: str, place: tuple[int, int]) -> bool:
    """Whether a line is one of a list: a row, a bullet, a label with its value, a short line without a full stop."""
    line = text[place[0] : place[1]]
    return is_row(line) or line[:1] in "-*•–|" or (line[-1:] not in ".!?:" and len(line) <= 120)


def _wanted(question: Question, each: Candidate) -> list[tuple[int, int]]:
    """Places in the passage's text that a window should keep: typed expressions and the question's words."""
    stems = {word.stem for word in question.words}
    placed = [(a, b) for a, b, stem in words.spans(each.text) if stem in stems]
    return [(each.start + a, each.start + b) for a, b in sorted([*each.answers, *placed])]


def _statements(said: Sequence[_Said], text_of: TextOf) -> tuple[Statement, ...]:
    """The first three different ones; what says the same becomes a further citation of the first that said it."""
    kept: list[tuple[_Said, list[Citation]]] = []
    for each in said:
        citation = _citation(each, text_of)
        if citation is None:
            continue
        same = next((entry for entry in kept if _same(entry[1][0].quote, citation.quote)), None)
        if same:
            if all(citation.passage.document != other.passage.document for other in same[1]):
                same[1].append(citation)
        elif len(kept) < _MOST and not any(_overlap(citation, other) for _, others in kept for other in others):
            kept.append((each, [citation]))
    return tuple(
        Statement(
            text=citations[0].quote,
            supported=True,
            citations=tuple(citations),
            marks=tuple((a - citations[0].start, b - citations[0].start) for a, b in citations[0].marks),
            note=each.note,
        )
        for each, citations in kept
    )


def _citation(said: _Said, text_of: TextOf) -> Citation | None:
    """The citation, or None where the document is gone or no longer says it: nothing is shown that was not compared."""
    passage = said.candidate.passage
    quote = passage.text[said.start : said.end]
    start, end = passage.start + said.start, passage.start + said.end
    if not quote or text_of(passage.document)[start:end] != quote:
        return None
    marks = tuple((start + a, start + b) for a, b in _marks(said.question, quote))
    return Citation(passage, start, end, quote, marks)


def _marks(question: Question, quote: str) -> list[tuple[int, int]]:
    """Places of the words that matter: expressions of the kind asked for, else the question's own words."""
    asked = question.text.casefold()
    typed = [(a, b) for a, b in cues.found(question.kind, quote) if quote[a:b].casefold() not in asked]
    if typed and question.kind not in ("reason", "place"):
        return typed
    stems = {word.stem for word in question.words}
    return [(a, b) for a, b, stem in words.spans(quote) if stem in stems]


def _same(one: str, other: str) -> bool:
    """Whether two quotes say the same: the same figures, and nearly the same words."""
    a, b = words.stems(one), words.stems(other)
    figures = {word for word in a ^ b if any(c.isdigit() for c in word)}
    return not figures and len(a & b) >= _SAME * max(1, len(a | b))


def _overlap(one: Citation, other: Citation) -> bool:
    return one.passage.document == other.passage.document and one.start < other.end and other.start < one.end
