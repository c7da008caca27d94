"""First questions to ask, from the user's own documents. Each was asked, and answered from the document it is about."""

import re
import time
from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Any

import apsw

from engine import asking
from engine.engine import Engine, Open
from generation import extractive

_MOST = 6
_TRIED = 30  # questions, of which the answerable ones are kept
_SECONDS = 3.0  # for all of them; fewer are suggested on a slow machine
_OF_A_KIND = 4  # documents of each kind that are looked at
_LONGEST = 60  # characters of a title that still reads as part of a question
_PATTERNS = {
    "contract": (
        "When does the {title} end?",
        "How much notice does the {title} ask for?",
        "What does the {title} cost?",
    ),
    "invoice": ("How much is the {title}?", "When is the {title} due?"),
    "statement": ("What is the closing balance of the {title}?",),
    "mail": ("What did {sender} write about {title}?",),
}
_HEADED = "What does {title} say about {heading}?"
_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg|tr|sv|antw)\s*:\s*)+", re.IGNORECASE)
_DULL = re.compile(
    r"introduction|contents|summary|general|definitions|annex.*|appendix.*|schedule.*|page .*|[\W\d_]*", re.IGNORECASE
)


def suggestions(engine: Engine) -> dict[str, Any]:
    """Up to six questions that the documents answer; kept until other documents are there."""
    opened = engine.opened(used=False)
    with opened.vault.read() as db:
        now = db.execute("SELECT count(*), max(number) FROM document").fetchone()
        if engine.answering.suggested[0] == now and opened.pipeline.to_do() == 0:
            return {"questions": list(engine.answering.suggested[1])}
        candidates = list(_candidates(db))
    questions = _answered(engine, opened, candidates)
    engine.answering.suggested = (now, questions)
    return {"questions": list(questions)}


def _answered(engine: Engine, opened: Open, candidates: list[tuple[str, str, str]]) -> tuple[str, ...]:
    """The first few that are answered, from their own document: of several kinds, and never two about one document."""
    kept: list[tuple[str, str]] = []
    until = time.monotonic() + _SECONDS
    for question, document, _ in candidates[:_TRIED]:
        if len(kept) == _MOST or time.monotonic() > until:
            break
        if any(document == other for _, other in kept):
            continue
        with opened.pipeline.asking():
            passages = opened.index.search(question, k=asking.PASSAGES)
            answer = extractive.answer(question, passages, engine.embedder(), asking.texts(opened.vault))
        if not answer.abstained and answer.statements[0].citations[0].passage.document == document:
            kept.append((question, document))
    return tuple(question for question, _ in kept)


def _candidates(db: apsw.Connection) -> Iterator[tuple[str, str, str]]:
    """Questions with their documents' ids and kinds: first one of each kind, then another of each."""
    by_kind: dict[str, list[tuple[str, str, str]]] = {}
    for kind in [str(kind) for (kind,) in db.execute("SELECT DISTINCT kind FROM document ORDER BY kind")]:
        rows: list[Any] = db.execute(
            "SELECT number, id, title, sender FROM document WHERE kind = ? AND title != ''"
            " ORDER BY time IS NULL, time DESC, number DESC LIMIT ?",
            (kind, _OF_A_KIND),
        ).fetchall()
        asked: list[list[tuple[str, str, str]]] = []
        for number, document, title, sender in rows:
            name = " ".join(_REPLY.sub("", title).split())
            if 3 < len(name) <= _LONGEST:
                asked.append([(each, document, kind) for each in _questions(db, number, kind, name, sender)])
        by_kind[kind] = [each for each in chain.from_iterable(zip_longest(*asked)) if each]
    first = ("contract", "mail", "invoice", "letter")
    order = sorted(by_kind, key=lambda kind: (first.index(kind) if kind in first else len(first), kind))
    turns = zip_longest(*(by_kind[kind] for kind in order))
    return (each for each in chain.from_iterable(turns) if each)


def _questions(db: apsw.Connection, number: int, kind: str, title: str, sender: str | None) -> Iterator[str]:
    person = re.sub(r"\s*<[^>]*>|[\"']", "", sender or "").strip()
    for pattern in _PATTERNS.get(kind, ()):
        if "{sender}" not in pattern or (person and "@" not in person):
            yield pattern.format(title=_plain(title), sender=person)
    if kind in ("mail", "statement", "table"):
        return
    headings: list[Any] = db.execute(
        "SELECT DISTINCT heading FROM chunk WHERE document = ? AND heading != '' LIMIT 12", (number,)
    ).fetchall()
    for (heading,) in headings:
        last = re.sub(r"^[\W\d_]*(?:(?:clause|section|article|part)\s+[\dIVX.]+\W*)?", "", _last(str(heading)))
        if 3 < len(last) <= 40 and not _DULL.fullmatch(last) and last.casefold() not in title.casefold():
            yield _HEADED.format(title=_plain(title), heading=last if last.isupper() else last[0].lower() + last[1:])


def _plain(title: str) -> str:
    """A title inside a sentence: without an article of its own, nor a full stop."""
    return re.sub(r"^(?:the|a|an|your|our)\s+", "", title, flags=re.IGNORECASE).rstrip(".!?: ")


def _last(heading: str) -> str:
    """The innermost heading of a heading path."""
    return heading.rsplit(" › ", 1)[-1]
