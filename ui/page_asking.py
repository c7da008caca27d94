"""A question on its way: its sources at once, its answer statement by statement, and a button that stops it.

In Streamlit a click ends the run that is under way. An answer that takes a minute must outlive that, because its
reader opens passages meanwhile: so a thread of its own waits for the engine and writes down what it hears, and a
fragment draws that four times a second. A page that nobody looks at any more stops its question.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from engine.export import sources_of
from ui import link, look, page_answer, page_passage
from ui.named import title
from ui.shown import count, escape, tag
from vault.errors import StrongroomError

_REDRAW_S = 0.25
_AT_ONCE_S = 0.4
"""An answer that comes within this time is drawn without anything before it."""
_LEFT_ALONE_S = 30.0
"""without a browser at the other end: its tab was closed"""


@dataclass
class Asking:
    """What is known so far. Written by its thread, read by the session; each field is replaced, never changed."""

    question: str
    watched: Callable[[], bool]
    """whether a browser is there to see it"""
    ticket: str = field(default_factory=lambda: secrets.token_hex(12))
    full_question: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    hits: tuple[Mapping[str, Any], ...] = ()
    statements: tuple[Mapping[str, Any], ...] = ()
    left_out: int = 0
    stage: Mapping[str, Any] = field(default_factory=dict)
    stopping: bool = False
    answer: dict[str, Any] | None = None
    error: StrongroomError | None = None
    done: threading.Event = field(default_factory=threading.Event)
    seen_at: float = field(default_factory=time.monotonic)
    moved: bool = False
    """whether a click changed what the rest of the page shows"""

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        """Take a notification of the engine."""
        match method:
            case "passages":
                self.hits = tuple(params.get("hits", ()))
                self.full_question = str(params.get("full_question") or "")
                self.filters = params.get("filters") or {}
            case "statement" if params.get("left_out"):
                self.left_out += 1
            case "statement":
                self.statements = (*self.statements, params["statement"])
            case "stage":
                self.stage = params
        if self.watched():
            self.seen_at = time.monotonic()
        elif time.monotonic() - self.seen_at > _LEFT_ALONE_S:
            self.stop()

    def stop(self) -> None:
        """Ask the engine for no more of it. What there is by then is the answer."""
        if not self.stopping:
            self.stopping = True
            with suppress(StrongroomError):  # it has just ended by itself
                link.aside("ask.cancel", ticket=self.ticket)

    def run(self, params: Mapping[str, Any]) -> None:
        """Ask, in a thread of its own."""
        try:
            self.answer = link.aside("ask", on_notify=self.hear, question=self.question, ticket=self.ticket, **params)
        except StrongroomError as error:
            self.error = error
        finally:
            self.done.set()


def begin(question: str, **params: Any) -> Asking:
    """Ask the engine; wait for a moment, in which most answers without a model are there."""
    asking = Asking(question, watched=_browser())
    threading.Thread(target=asking.run, args=(params,), name="asking", daemon=True).start()
    asking.done.wait(_AT_ONCE_S)
    return asking


def _browser() -> Callable[[], bool]:
    """Tells whether the browser of this session is connected."""
    from streamlit.runtime import get_instance
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    session = context.session_id if context else ""
    return lambda: get_instance().is_active_session(session)


@st.fragment(run_every=_REDRAW_S)
def show(asking: Asking, number: int) -> None:
    """Draw how far it is, as turn `number`, until it is done; then draw the whole page anew."""
    if asking.moved or asking.done.is_set():
        asking.moved = False
        link.rerun()
    page_answer.question(asking.question, asking.full_question)
    with st.container(key="under-way", horizontal=True, vertical_alignment="center"):
        st.html(tag("div.stage", tag("i.dot"), tag("span", escape(stage(asking))), role="status"), width="content")
        st.button(
            "Stop",
            key="stop",
            icon=":material/stop_circle:",
            on_click=asking.stop,
            disabled=asking.stopping,
            shortcut=None if page_passage.opened() else "Esc",
        )
    sources, numbers = sources_of(asking.statements)
    for n, statement in enumerate(asking.statements):
        page_answer.statement(number, n, statement, sources, numbers, moved=asking)
    st.html(tag("div.after", words) if (words := _left_out(asking.left_out)) else "<div></div>")
    if asking.hits:
        st.html(tag("div.label", "Sources"))
    with st.container(key="sources-found"):
        for n, hit in enumerate(asking.hits):
            look.pick(
                f"hit-{n}",
                page_answer.source_line(hit),
                "Open source",
                n + 1,
                on_click=_open,
                args=(asking, n),
            )


def _open(asking: Asking, at: int) -> None:
    asking.moved = True
    page_passage.open_source(asking.hits, at)


def _left_out(number: int) -> str:
    return f"{count(number, 'statement')} left out so far: not in the passages" if number else ""


def stage(asking: Asking) -> str:
    """What goes on, in words: `reading 2,100 tokens`, `writing · 8 tokens/s`."""
    if asking.stopping:
        return "stopping"
    told = asking.stage
    tokens, of = int(told.get("tokens") or 0), int(told.get("of") or 0)
    match told.get("stage"):
        case "loading":
            return "loading the model"
        case "reading" if of:
            done = f" · {min(100, 100 * tokens // of)} %" if tokens else ""
            return f"reading {count(of, 'token')}{done}"
        case "reading":
            return "reading the passages"
        case "writing":
            seconds = float(told.get("seconds") or 0)
            rate = f" · {tokens / seconds:.0f} tokens/s" if seconds > 0.5 and tokens else ""
            return f"writing{rate}"
    if asking.hits:
        return f"reading {' '.join(title(asking.hits[0]).split())[:60]}"
    return "searching"
