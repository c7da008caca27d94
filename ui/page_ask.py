"""Ask: a question, its answer statement by statement, and the passages that each rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui import link, look, page_passage, page_purge
from ui.page_passage import KINDS
from ui.shown import count, date, escape, line, marked
from vault.errors import StrongroomError

_LONGEST = 4_000
"""characters of a question; the engine has its own limit"""


def show() -> None:
    """Draw the screen."""
    turns = st.session_state.setdefault("turns", [])
    typed = st.chat_input("Ask your papers…", key="question", max_chars=_LONGEST)
    if page_passage.opened() is None:
        _, middle, _ = st.columns([1, 6, 1])
        with middle:
            _conversation(turns, typed)
    else:
        left, right = st.columns([6, 5], gap="medium")
        with right:
            page_passage.show()
        with left:
            _conversation(turns, typed)


def _conversation(turns: list[dict[str, Any]], typed: str | None) -> None:
    page_purge.receipt()
    if not turns and not typed:
        _welcome()
        return
    for number, turn in enumerate(turns):
        _turn(number, turn)
    if typed:
        _ask(turns, typed)
    elif turns and st.button("New conversation", key="anew", icon=":material/add_comment:", type="tertiary"):
        for key in ("turns", "conversation", "opened"):
            st.session_state.pop(key, None)
        st.rerun()


def _welcome() -> None:
    status = link.status()
    documents = int(status.get("documents") or 0)
    if not status["folders"]:
        st.html(
            f'<div class="hero"><h1 class="title">Nothing to read yet</h1><p class="lead">Add a folder under <b>Folders</b>, and ask about '
            "what is in it a moment later.</p></div>"
        )
        return
    st.html(
        '<div class="hero"><h1 class="title">What would you like to know?</h1>'
        f'<p class="lead">{count(documents, "document")} can be asked. Every sentence of an answer shows the passage it comes from.</p>'
        '<div class="hints"><span>narrow a question:</span><span><code>kind:mail</code></span><span><code>from:name</code></span>'
        "<span><code>after:2025-01</code></span><span><code>folder:contracts</code></span></div></div>"
    )


def _ask(turns: list[dict[str, Any]], typed: str) -> None:
    st.html(f'<div class="question" dir="auto">{escape(typed)}</div>')
    try:
        with st.spinner("Searching, then reading the best passages…"):
            answer = link.call("ask", question=typed, **_conversation_of())
    except StrongroomError as error:
        look.failure(error)
        return
    st.session_state["conversation"] = answer.get("conversation")
    turns.append(answer)
    page_passage.close()
    st.rerun()


def _conversation_of() -> dict[str, Any]:
    found = st.session_state.get("conversation")
    return {"conversation": found} if found else {}


def _turn(number: int, turn: Mapping[str, Any]) -> None:
    st.html(f'<div class="question" dir="auto">{escape(turn["question"])}</div>')
    full = turn.get("full_question")
    if full and full != turn["question"]:
        st.html(f'<div class="readas">understood as: {line(full, 300)}</div>')
    if turn["abstained"]:
        _abstention(number, turn)
        return
    sources, numbers = _sources(turn)
    for n, statement in enumerate(turn["statements"]):
        _statement(number, n, statement, sources, numbers)
    _cards(number, sources)
    st.html(f'<div class="after">{escape(_how(turn))}</div>')


def _abstention(number: int, turn: Mapping[str, Any]) -> None:
    missing = turn.get("missing") or ""
    if not isinstance(missing, str):
        missing = ", ".join(map(str, missing))
    st.html(
        '<div class="abstain" data-testid="abstained">I found nothing in your papers that answers this.</div>'
        + (f'<div class="lead">{escape(missing[:1].upper() + missing[1:])}</div>' if missing else "")
    )
    nearest = turn.get("nearest") or []
    if nearest:
        st.html(f'<div class="after">The nearest {count(len(nearest), "passage")}:</div>')
        _cards(number, nearest[:5])


def _sources(turn: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], dict[tuple[str, int, int], int]]:
    """The citations of all statements, each once, and the number of each by document and range."""
    sources: list[Mapping[str, Any]] = []
    numbers: dict[tuple[str, int, int], int] = {}
    for statement in turn["statements"]:
        for citation in statement["citations"]:
            if _place(citation) not in numbers:
                sources.append(citation)
                numbers[_place(citation)] = len(sources)
    return sources, numbers


def _place(citation: Mapping[str, Any]) -> tuple[str, int, int]:
    return citation["document"], citation["start"], citation["end"]


def _statement(
    turn: int, n: int, statement: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], numbers: Mapping[tuple[str, int, int], int]
) -> None:
    cited = [numbers[_place(citation)] for citation in statement["citations"]]
    body = marked(statement["text"].strip(), statement.get("marks") or ())
    marks = "".join(f"<sup>{number}</sup>" for number in cited)
    doubt = "" if statement["supported"] else '<span class="unsupported">not supported by its passage</span>'
    html = f'<div class="say" dir="auto" data-testid="statement">{body}{marks}{doubt}</div>'
    if cited and look.pick(f"say-{turn}-{n}", html, f"Open passage {cited[0]}"):
        page_passage.open_source(sources, cited[0] - 1)
        st.rerun()


def _cards(turn: int, sources: Sequence[Mapping[str, Any]]) -> None:
    state = page_passage.opened() or {}
    for n, source in enumerate(sources):
        chosen = bool(state) and bool(state["sources"]) and _place(state["sources"][state["at"]]) == _place(source)
        if look.pick(f"source-{turn}-{n}", card(source, n + 1), f"Open passage {n + 1}", chosen=chosen):
            page_passage.open_source(sources, n)
            st.rerun()


def card(hit: Mapping[str, Any], number: int) -> str:
    """A passage in short, as HTML: number, document, where it is from, and its words."""
    about = [KINDS.get(hit.get("kind") or "", "Document"), hit.get("sender") or "", date(hit.get("date"))]
    if hit.get("page"):
        about.append(f"page {int(hit['page'])}")
    folder, _, name = str(hit["path"]).rpartition("/")
    about.append(name if hit.get("title") else folder)
    meta = " · ".join(line(word, 80) for word in about if word)
    return (
        f'<div class="card" data-testid="source"><div class="top"><span class="n">{number}</span>'
        f'<span class="name" dir="auto">{line(page_passage.title(hit))}</span></div><div class="meta">{meta}</div>'
        f'<div class="quote" dir="auto">{marked(hit["quote"][:600], _relative(hit))}</div></div>'
    )


def _relative(hit: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(start - hit["start"], end - hit["start"]) for start, end in hit.get("marks") or ()]


def _how(turn: Mapping[str, Any]) -> str:
    seconds = turn.get("seconds") or {}
    spent = sum(value for value in seconds.values() if isinstance(value, int | float)) if isinstance(seconds, dict) else seconds
    mode = "verbatim from your papers" if turn.get("mode") == "extractive" else f"written by {turn.get('mode')}"
    return f"{mode} · {spent:.2f} s"
