"""Ask: a question, its answer statement by statement, and the passages that each rests on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from ui import link, look, page_passage, page_purge
from ui.page_passage import KINDS
from ui.shown import count, date, escape, line, marked, tag
from vault.errors import StrongroomError

_LONGEST = 4_000
"""characters of a question; the engine has its own limit"""
_TURNS = 40
"""questions with their answers that are shown at once"""
_EARLIER = 6
_NEAREST = 5
_QUOTED = 600
"""characters of a passage on its card, of which three lines are shown"""


def show() -> None:
    """Draw the screen."""
    turns = st.session_state.setdefault("turns", [])
    # Always the same columns, of which the styles hide the empty one: the box must stay the same element wherever the
    # passage is, or what is being typed would be lost.
    with st.container(key="desk"):
        left, right = st.columns([6, 5], gap="medium")
    with right:
        page_passage.show()
    with left:
        _conversation(turns)


def _conversation(turns: list[dict[str, Any]]) -> None:
    """The box, and below it the answers, newest first: the one just asked for is always where the eye is."""
    with st.container():
        page_purge.receipt()
        if not turns and not _welcome():
            return
    typed = st.chat_input(
        "Ask on…" if turns else "Ask your papers…", key="question", max_chars=_LONGEST, on_submit=page_passage.close
    )
    if typed:
        _ask(turns, typed)
    if not turns:
        _hints()
        return
    st.button("New conversation", key="anew", icon=":material/add_comment:", type="tertiary", on_click=_anew)
    # Each turn keeps its place on the page, or for a moment a click on the new answer would reach the old one there.
    places = [st.container() for _ in range(_TURNS)]
    first = (len(turns) - 1) // _TURNS * _TURNS
    for number, turn in enumerate(turns[first:], start=first):
        with places[first - number - 1], st.container(key=f"turn-{number}"):
            _turn(number, turn)


def _anew() -> None:
    for key in ("turns", "conversation", "opened"):
        st.session_state.pop(key, None)


def _welcome() -> bool:
    """Say what can be asked; whether there is anything."""
    status = link.status()
    documents = int(status.get("documents") or 0)
    if not status.get("folders"):
        look.hero("Nothing to read yet", "Add a folder under Folders, and ask about what is in it a moment later.")
        return False
    look.hero(
        "What would you like to know?",
        f"{count(documents, 'document')} can be asked. Every sentence of an answer shows the passage it comes from.",
    )
    return True


def _hints() -> None:
    examples = [tag("code", each) for each in ("kind:mail", "from:name", "after:2025-01", "folder:contracts")]
    st.html(tag("div.hints", tag("span", "Narrow a question with"), *examples))
    _earlier()


def _earlier() -> None:
    """The conversations that the vault keeps, to go on with."""
    found = link.call("conversations", limit=_EARLIER)["rows"]
    if not found:
        return
    st.html(tag("h2.title.small", "Asked earlier"))
    for row in found:
        when = datetime.fromtimestamp(row["started"], UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        html = tag(
            "div.row", tag("div.name.plain", line(row["question"], 160), dir="auto"), tag("div.right.faint", when)
        )
        if look.pick(f"earlier-{row['id']}", html, "Open conversation"):
            st.session_state["turns"] = link.call("conversation", id=row["id"])["answers"]
            st.session_state["conversation"] = row["id"]
            st.rerun()


def _ask(turns: list[dict[str, Any]], typed: str) -> None:
    st.html(tag("div.question", escape(typed), dir="auto"))
    try:
        with st.spinner("Searching…"):
            reading = st.empty()

            def stage(_method: str, params: Mapping[str, Any]) -> None:
                names = " · ".join(line(page_passage.title(hit), 60) for hit in params.get("hits", ())[:3])
                reading.html(tag("div.after", f"reading {names}"))

            answer = link.call("ask", on_notify=stage, question=typed, **_conversation_of())
            # At once: with the next thing that is drawn, a click meanwhile would end this run.
            st.session_state["conversation"] = answer["conversation"]
            turns.append(answer)
    except StrongroomError as error:
        look.failure(error)
        return
    st.rerun()


def _conversation_of() -> dict[str, Any]:
    found = st.session_state.get("conversation")
    return {"conversation": found} if found else {}


def _turn(number: int, turn: Mapping[str, Any]) -> None:
    st.html(tag("div.question", escape(turn["question"]), dir="auto"))
    full = turn.get("full_question")
    if full and full != turn["question"]:
        st.html(tag("div.readas", f"understood as: {line(full, 300)}"))
    if turn["abstained"]:
        _abstention(number, turn)
        return
    sources, numbers = _sources(turn)
    for n, statement in enumerate(turn["statements"]):
        _statement(number, n, statement, sources, numbers)
    _cards(number, sources)
    st.html(tag("div.after", escape(_how(turn))))


def _abstention(number: int, turn: Mapping[str, Any]) -> None:
    st.html(
        tag("div.abstain", "I found nothing in your papers that answers this.", data_testid="abstained")
        + (tag("div.lead", escape(look.sentence(turn["missing"]))) if turn["missing"] else "")
    )
    nearest = turn["nearest"][:_NEAREST]
    if nearest:
        st.html(tag("div.after", "What comes nearest:"))
        _cards(number, nearest)


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
    turn: int,
    n: int,
    statement: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    numbers: Mapping[tuple[str, int, int], int],
) -> None:
    cited = [numbers[_place(citation)] for citation in statement["citations"]]
    html = tag(
        "div.say",
        marked(statement["text"], statement.get("marks") or ()),
        *(tag("sup", str(number)) for number in cited),
        "" if statement["supported"] else tag("span.unsupported", "not supported by its passage"),
        tag("div.after", escape(look.sentence(statement["note"]))) if statement.get("note") else "",
        dir="auto",
        data_testid="statement",
    )
    if not cited:
        st.html(html)
    else:
        opening = (sources, cited[0] - 1)
        look.pick(f"say-{turn}-{n}", html, "Open passage", cited[0], on_click=page_passage.open_source, args=opening)


def _cards(turn: int, sources: Sequence[Mapping[str, Any]]) -> None:
    state = page_passage.opened() or {}
    for n, source in enumerate(sources):
        chosen = bool(state) and bool(state["sources"]) and _place(state["sources"][state["at"]]) == _place(source)
        look.pick(
            f"source-{turn}-{n}",
            card(source, n + 1),
            "Open passage",
            n + 1,
            chosen=chosen,
            on_click=page_passage.open_source,
            args=(sources, n),
        )


def card(hit: Mapping[str, Any], number: int) -> str:
    """A passage in short, as HTML: number, document, where it is from, and its words."""
    about = [KINDS.get(hit.get("kind") or "", "Document"), _name(hit.get("sender") or ""), date(hit.get("date"))]
    if hit.get("page"):
        about.append(f"page {int(hit['page'])}")
    folder, _, name = str(hit["path"]).rpartition("/")
    about.append(name if hit.get("title") else folder)
    meta = " · ".join(line(word, 80) for word in about if word)
    name = tag("span.name", line(page_passage.title(hit)), dir="auto")
    return tag(
        "div.card",
        tag("div.top", tag("span.n", str(number)), name),
        tag("div.meta", meta),
        tag("div.quote", marked(hit["quote"][:_QUOTED], _relative(hit)), dir="auto"),
        data_testid="source",
    )


def _name(sender: str) -> str:
    """`Anna Whitcombe` of `Anna Whitcombe <anna@whitcombe.example>`."""
    return sender.partition(" <")[0].strip('" ') or sender


def _relative(hit: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(start - hit["start"], end - hit["start"]) for start, end in hit.get("marks") or ()]


def _how(turn: Mapping[str, Any]) -> str:
    mode = "verbatim from your papers" if turn["mode"] == "extractive" else f"written by {turn['mode']}"
    return f"{mode} · {turn['seconds'].get('total', 0):.2f} s"
