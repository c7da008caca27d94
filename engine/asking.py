"""Questions: understood, found, answered, remembered."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine import history, narrowing
from engine.engine import Engine, Notify, Open, silent
from generation import conversation as follow_up
from generation import extractive
from generation.answer import Answer
from retrieval import query as queries
from retrieval.passage import Passage, hit
from retrieval.query import Filters
from vault import documents
from vault.errors import StrongroomError
from vault.vault import Vault

MOST_QUESTION = 10_000  # characters; a longer one is a document pasted by mistake
PASSAGES = 20  # that an answer is made from
_SHOWN = 8  # passages that are shown while the answer is being made


def search(engine: Engine, query: str, *, k: int = 10, filters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The passages nearest to a query, best first."""
    opened = engine.opened()
    started = time.perf_counter()
    with opened.pipeline.asking():
        passages = opened.index.search(_question(query), k=max(1, min(int(k), 200)), filters=_filters(filters))
    return {
        "hits": [hit(passage, rank) for rank, passage in enumerate(passages, start=1)],
        "seconds": time.perf_counter() - started,
    }


def understand(engine: Engine, question: str, *, filters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a question says about where to look: its filters, typed or in plain words, and what is left of it.

    `filters` given are joined with those that were typed; what plain words say is then only offered.
    """
    with engine.opened().vault.read() as db:
        found = _understood(db, _question(question), filters)
    return {
        "text": found.text,
        "filters": narrowing.to_json(found.filters),
        "read": [each.to_json() for each in found.read],
    }


def ask(
    engine: Engine,
    question: str,
    *,
    conversation: str | None = None,
    filters: Mapping[str, Any] | None = None,
    mode: str | None = None,
    ticket: str | None = None,
    notify: Notify = silent,
) -> dict[str, Any]:
    """Answer a question from the passages that bear on it, or abstain.

    `conversation` is an earlier answer's. Without `filters` they are read from the question; with them (an empty object
    too) exactly these hold. `mode` is `extractive`, `model`, or the setting's. Whoever gives a `ticket` can cancel with
    it. Notifications: `passages`, as soon as they are found; `statement` for each that is made.
    """
    opened = engine.opened()
    typed = _question(question)
    if mode not in (None, "extractive", "model"):
        raise StrongroomError(f"no way of answering is called {mode!r}", "it is extractive or model")
    if mode == "model":
        raise StrongroomError("no model is chosen", "`strongroom model add FILE` adds one")
    with engine.answering.ticket(ticket):
        asked = _asked(opened.vault, typed, conversation, filters)
        with opened.pipeline.asking():
            started = time.perf_counter()
            asked, _, answer = _extract(engine, opened, asked, notify)
            for index, statement in enumerate(answer.to_json()["statements"]):
                notify("statement", {"index": index, "statement": statement, "left_out": False})
            total = time.perf_counter() - started
        shown = answer.to_json()
        shown |= {
            "question": typed,
            "full_question": asked.whole,
            "filters": narrowing.to_json(asked.filters),
            "read": [each.to_json() for each in asked.read],
            "seconds": {**shown.get("seconds", {}), "total": round(total, 4)},
        }
        history.remember(engine, shown, conversation=conversation)
        return shown


def cancel(engine: Engine, ticket: str) -> dict[str, Any]:
    """Stop an answer that is being made; `ask` returns what there is of it."""
    engine.opened()
    engine.answering.cancel(ticket)
    return {}


def _extract(
    engine: Engine, opened: Open, asked: narrowing.Understood, notify: Notify
) -> tuple[narrowing.Understood, list[Passage], Answer]:
    """The answer in the documents' own words, from where the question says; from everywhere, where plain words were
    taken for a filter and nothing was found there."""
    passages, answer = _extracted(engine, opened, asked, notify)
    if answer.abstained and asked.filters != asked.typed and asked.asks():
        wider = replace(
            asked,
            text=asked.whole,
            filters=asked.typed,
            read=tuple(replace(each, applied=False) for each in asked.read),
        )
        more, second = _extracted(engine, opened, wider, notify)
        if not second.abstained:
            return wider, more, second
    return asked, passages, answer


def _extracted(
    engine: Engine, opened: Open, asked: narrowing.Understood, notify: Notify
) -> tuple[list[Passage], Answer]:
    started = time.perf_counter()
    passages = opened.index.search(asked.text, k=PASSAGES, filters=asked.filters)
    found = time.perf_counter() - started
    notify(
        "passages",
        {
            "hits": [hit(each, rank) for rank, each in enumerate(passages[:_SHOWN], start=1)],
            "full_question": asked.whole,
            "filters": narrowing.to_json(asked.filters),
        },
    )
    answer = extractive.answer(asked.text, passages, engine.embedder(), texts(opened.vault))
    return passages, replace(answer, seconds={**answer.seconds, "search": found})


def _asked(
    vault: Vault, typed: str, conversation: str | None, filters: Mapping[str, Any] | None
) -> narrowing.Understood:
    """The question so that it stands alone, and where it is to be looked for.

    One that leans on the question before it is looked for where that one was, unless it says otherwise.
    """
    before = history.earlier(vault, conversation) if conversation else []
    with vault.read() as db:
        if not before:
            return _exactly(_understood(db, typed, filters), filters)
        bare = queries.parse(typed)
        full = follow_up.full_question(bare.text, [(each.question, each.said) for each in before])
        found = _exactly(narrowing.understand(db, full, _filters(filters), today=_today()), filters)
        if filters is not None:
            return found
        own = narrowing.joined(bare.filters, found.filters)
        if full == bare.text:
            return replace(found, typed=bare.filters, filters=own)
        inherited = _over(before[-1].filters, own)
        return replace(found, typed=_over(before[-1].filters, bare.filters), filters=inherited)


def _over(old: Filters, new: Filters) -> Filters:
    """The new filters, and those of the old that the new ones say nothing about."""
    a, b = narrowing.to_json(old), narrowing.to_json(new)
    return queries.filters({name: b[name] or a[name] or () for name in narrowing.NAMES})


def _exactly(found: narrowing.Understood, filters: Mapping[str, Any] | None) -> narrowing.Understood:
    """Filters that were given hold as they are: the user may have taken one back that is typed in the question."""
    if filters is None:
        return found
    given = _filters(filters)
    offered = tuple(replace(each, applied=False) for each in found.read)
    return replace(found, text=found.whole, typed=given, filters=given, read=offered)


def _understood(db: Any, question: str, filters: Mapping[str, Any] | None) -> narrowing.Understood:
    return narrowing.understand(db, question, _filters(filters) if filters else None, today=_today())


def _today() -> dt.date:
    return dt.datetime.now().astimezone().date()


def _question(typed: str) -> str:
    if not isinstance(typed, str) or not typed.strip():
        raise StrongroomError("there is no question", "type one, such as: when does the lease end?")
    if len(typed) > MOST_QUESTION:
        raise StrongroomError(
            f"the question has {len(typed):,} characters", f"it may have {MOST_QUESTION:,}; ask for what matters in it"
        )
    return typed.strip()


def _filters(given: Mapping[str, Any] | None) -> Filters:
    return Filters() if not given else queries.filters({name: value for name, value in given.items() if value})


def texts(vault: Vault) -> Callable[[str], str]:
    """What gives a document's whole text by its id, empty where it is gone."""

    def text_of(document_id: str) -> str:
        with vault.read() as db:
            return documents.text_of(db, document_id) or ""

    return text_of
