"""Questions: understood, found, answered, remembered."""

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine import history, models, narrowing
from engine.engine import Engine, Notify, Open, silent
from engine.protocol import HungUpError
from generation import conversation as follow_up
from generation import extractive
from generation.answer import Answer, Statement, statements_json
from generation.writing import Heard
from ingest.work import HISTORY
from retrieval import query as queries
from retrieval.passage import Passage, hit
from retrieval.query import Filters
from vault import documents
from vault.errors import StrongroomError
from vault.failures import VaultFullError
from vault.vault import Vault

MOST_QUESTION = 10_000  # characters; a longer one is a document pasted by mistake
PASSAGES = 20  # that an answer is made from
_SHOWN = 8  # passages that are shown while the answer is being made
_STAGE_SECONDS = 0.25  # between two notifications of how far a model is


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
    too) exactly these hold. `mode` is `extractive`, `model`, or the settings'. Whoever gives a `ticket` can cancel with
    it. Notifications: `passages`, as soon as they are found; `statement`, for each that is made; `stage`, how far a
    model is.
    """
    opened = engine.opened()
    typed = _question(question)
    model = models.chosen(engine, mode)
    started = conversation or secrets.token_hex(8)
    with engine.answering.ticket(ticket) as stop, opened.pipeline.asking():
        began = time.perf_counter()
        told = _Told(notify, stop)
        before = history.before(opened.vault, started)
        asked = _asked(opened.vault, typed, conversation, filters)
        asked, passages, answer = _extract(engine, opened, asked, told)
        offered: set[str] = set()
        if model and not answer.abstained:
            answer, offered = _written(
                engine,
                opened,
                model=model,
                conversation=started,
                asked=asked,
                passages=passages,
                verbatim=answer,
                told=told,
            )
        shown = answer.to_json()
        if answer.mode == extractive.MODE and not answer.fell_back:
            for index, statement in enumerate(shown["statements"]):
                told("statement", {"index": index, "statement": statement, "left_out": False})
        shown |= {
            "question": typed,
            "full_question": asked.whole,
            "filters": narrowing.to_json(asked.filters),
            "read": [each.to_json() for each in asked.read],
            "seconds": {**shown["seconds"], "total": round(time.perf_counter() - began, 4)},
        }
        try:
            history.remember(engine, shown, conversation=started, since=before, offered=offered)
            opened.pipeline.work.went_well(HISTORY)
        except VaultFullError as error:  # the answer is none the worse; the status says that the disk is full
            opened.pipeline.work.failed(error, HISTORY)
        if history.before(opened.vault, started).purges != before.purges:
            engine.forget()  # after that purge's own forgetting, the model may have read on
    return shown


def cancel(engine: Engine, ticket: str) -> dict[str, Any]:
    """Stop an answer that is being made; `ask` returns what there is of it."""
    engine.opened()
    engine.answering.cancel(ticket)
    return {}


class _Told:
    """Notifications, which must not end a model's answer halfway when whoever asked has gone: it is cancelled then."""

    def __init__(self, notify: Notify, stop: threading.Event) -> None:
        self._notify = notify
        self._stage = ("", 0.0, 0.0)
        self.stop = stop

    def __call__(self, method: str, params: Mapping[str, Any]) -> None:
        try:
            self._notify(method, params)
        except HungUpError:
            self.stop.set()

    def stage(self, heard: Heard) -> None:
        """Tell how far the model is, a few times a second."""
        now = time.monotonic()
        stage, since, told = self._stage
        if heard.stage != stage:
            since, told = now, 0.0
        if now - told >= _STAGE_SECONDS:
            told = now
            seconds = round(now - since, 2)
            self("stage", {"stage": heard.stage, "tokens": heard.tokens, "of": heard.of, "seconds": seconds})
        self._stage = (heard.stage, since, told)


def _written(
    engine: Engine,
    opened: Open,
    *,
    model: models.Model,
    conversation: str,
    asked: narrowing.Understood,
    passages: Sequence[Passage],
    verbatim: Answer,
    told: _Told,
) -> tuple[Answer, set[str]]:
    """The answer that the model writes, and the documents that it was given to read. Where it cannot, the verbatim
    one stands, with the reason."""
    from generation import written
    from generation.prompt import MOST_OFFERED

    counts = {False: 0, True: 0}

    def on_statement(statement: Statement, left_out: bool) -> None:
        [shown] = statements_json([statement])
        told("statement", {"index": counts[left_out], "statement": shown, "left_out": left_out})
        counts[left_out] += 1

    if not engine.answering.holds(model.sha256):
        told.stage(Heard("loading", 0, 0))  # its file is hashed first
    try:
        writer = models.writer(engine, model)
    except StrongroomError as error:
        return replace(verbatim, fell_back=error.message), set()
    with engine.answering.dialogue(conversation) as dialogue:
        answer = written.answer(
            asked.whole,
            passages,
            writer,
            dialogue,
            extractive=verbatim,
            text_of=texts(opened.vault),
            heard=told.stage,
            cancelled=told.stop.is_set,
            on_statement=on_statement,
        )
        read = [*passages[:MOST_OFFERED], *dialogue.numbered().values()]
    return answer, {each.document for each in read}


def _extract(
    engine: Engine, opened: Open, asked: narrowing.Understood, told: _Told
) -> tuple[narrowing.Understood, list[Passage], Answer]:
    """The answer in the documents' own words, from where the question says; from everywhere, where plain words were
    taken for a filter and nothing was found there."""
    passages, answer = _extracted(engine, opened, asked, told)
    if answer.abstained and asked.filters != asked.typed and asked.asks():
        wider = replace(
            asked,
            text=asked.whole,
            filters=asked.typed,
            read=tuple(replace(each, applied=False) for each in asked.read),
        )
        more, second = _extracted(engine, opened, wider, told)
        if not second.abstained:
            return wider, more, second
    return asked, passages, answer


def _extracted(engine: Engine, opened: Open, asked: narrowing.Understood, told: _Told) -> tuple[list[Passage], Answer]:
    started = time.perf_counter()
    passages = opened.index.search(asked.text, k=PASSAGES, filters=asked.filters)
    found = time.perf_counter() - started
    told(
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
    """What gives a document's whole text by its id, blank where it is hidden, empty where it is gone."""

    def text_of(document_id: str) -> str:
        with vault.read() as db:
            return documents.seen_text_of(db, document_id) or ""

    return text_of
