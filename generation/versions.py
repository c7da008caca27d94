"""Where documents say different things at different times: the newer one first, and the reader told."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from generation import times
from generation.question import Question
from generation.ranking import Candidate, alike, subject
from generation.sentences import is_row

if TYPE_CHECKING:
    from retrieval.passage import Passage

_RIVAL = 2.5  # log odds that a rival may score below the best
_ALIKE = 0.55  # cosine from which two sentences, below their titles, are taken to be about the same thing
_SAME = 0.7  # the same, where nothing but the words says that they differ
_HEAD = 800  # characters of a document in which its own date is looked for
_GRACE = dt.timedelta(days=1)  # where a document was written it may be tomorrow already
_VALUES = frozenset({"amount", "date", "duration", "number", "percent", "time"})


def newest_first(
    question: Question, candidates: Sequence[Candidate], text_of: Callable[[str], str]
) -> tuple[list[Candidate], dict[int, str]]:
    """`candidates` (best first), the newest of those that contradict the best moved before it, and notes by position.

    A question that names a time itself is left alone. What counts as a contradiction: another document, about as good,
    about the same thing, with as much of the question's subject in it, with other values of the kind asked for.
    """
    if question.dated or question.several or not candidates:
        return list(candidates), {}
    best = candidates[0]
    rivals = [each for each in candidates if each is best or _contradicts(question, best, each)]
    if len(rivals) == 1:
        return list(candidates), {}
    dated = {id(each): date_of(each.passage, text_of, row=each.text) for each in rivals}
    known = sorted((each for each in rivals if dated[id(each)]), key=lambda each: dated[id(each)] or "", reverse=True)
    if len(known) < 2 or dated[id(known[0])] == dated[id(known[-1])]:
        return list(candidates), {}
    newest = known[0]
    older = next(each for each in known if dated[id(each)] != dated[id(newest)])
    rest = [each for each in candidates if each is not newest and each is not older]
    return [newest, older, *rest], {
        0: f"the newest: of {_said(dated[id(newest)])}",
        1: f"older: of {_said(dated[id(older)])}",
    }


def date_of(passage: "Passage", text_of: Callable[[str], str], row: str = "") -> str | None:
    """The day a passage speaks of as its own, ISO 8601: a table row's, else its document's, else the first it names.

    A day that is still to come is none of these: nothing was written then, and who writes it would be the newest.
    """
    latest = (dt.datetime.now().astimezone().date() + _GRACE).isoformat()
    if row and is_row(row):
        own = _first(row, latest)
        if own:
            return own
    if passage.date and passage.date[:10] <= latest:
        return passage.date[:10]
    return _first(text_of(passage.document)[:_HEAD], latest)


def _first(text: str, latest: str) -> str | None:
    return next((day for day in map(dt.date.isoformat, times.days(text)) if day <= latest), None)


def _contradicts(question: Question, best: Candidate, other: Candidate) -> bool:
    if other.passage.document == best.passage.document or other.score < best.score - _RIVAL:
        return False
    if best.vector is None or other.vector is None:
        return False
    if subject(question, other.around) < subject(question, best.around):
        return False  # it does not mention what the question is about: another contract
    near = alike(best, other)
    if question.kind in _VALUES:
        return near >= _ALIKE and bool(best.answers and other.answers) and not _values(best) & _values(other)
    return near >= _SAME and best.text.casefold() != other.text.casefold()


def _values(each: Candidate) -> set[str]:
    return {" ".join(each.text[a:b].casefold().split()) for a, b in each.answers}


def _said(date: str | None) -> str:
    if not date:
        return "an unknown day"
    day = dt.date.fromisoformat(date)
    return f"{day.day} {day:%B %Y}"
