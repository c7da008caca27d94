"""Questions: found, answered, remembered."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from engine import history
from engine.engine import Engine, Notify, silent
from generation import conversation as follow_up
from generation import extractive
from retrieval import query as queries
from retrieval.passage import hit
from vault import documents
from vault.errors import StrongroomError
from vault.vault import Vault

MOST_QUESTION = 10_000  # characters; a longer one is a document pasted by mistake
PASSAGES = 20  # that an answer is made from
_STAGES_SHOWN = 3


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


def ask(
    engine: Engine,
    question: str,
    *,
    conversation: str | None = None,
    filters: Mapping[str, Any] | None = None,
    notify: Notify = silent,
) -> dict[str, Any]:
    """Answer a question from the passages that bear on it, or abstain. `conversation` is an earlier answer's."""
    opened = engine.opened()
    typed = _question(question)
    full = _in_conversation(opened.vault, typed, conversation)
    with opened.pipeline.asking():
        started = time.perf_counter()
        passages = opened.index.search(full, k=PASSAGES, filters=_filters(filters))
        found = time.perf_counter() - started
        notify("passages", {"hits": [hit(p, rank) for rank, p in enumerate(passages[:_STAGES_SHOWN], start=1)]})
        answer = extractive.answer(full, passages, engine.embedder(), _texts(opened.vault))
        total = time.perf_counter() - started
    shown = answer.to_json()
    shown["question"] = typed
    shown["full_question"] = full
    shown["seconds"] = {**shown.get("seconds", {}), "search": found, "total": total}
    shown["conversation"] = history.remember(engine, conversation, shown)
    return shown


def _question(typed: str) -> str:
    if not isinstance(typed, str) or not typed.strip():
        raise StrongroomError("there is no question", "type one, such as: when does the lease end?")
    if len(typed) > MOST_QUESTION:
        raise StrongroomError(
            f"the question has {len(typed):,} characters", f"it may have {MOST_QUESTION:,}; ask for what matters in it"
        )
    return typed.strip()


def _filters(given: Mapping[str, Any] | None) -> queries.Filters:
    return queries.Filters() if not given else queries.filters(given)


def _in_conversation(vault: Vault, typed: str, conversation: str | None) -> str:
    return follow_up.full_question(typed, history.earlier(vault, conversation)) if conversation else typed


def _texts(vault: Vault) -> Callable[[str], str]:
    def text_of(document_id: str) -> str:
        with vault.read() as db:
            return documents.text_of(db, document_id) or ""

    return text_of
