"""Ask: a question, its answer statement by statement, and the passages that each rests on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from ui import link, look, page_answer, page_asking, page_filters, page_history, page_passage, page_purge
from ui.shown import count, line, tag
from vault.errors import StrongroomError

_LONGEST = 4_000
"""characters of a question; the engine has its own limit"""
_TURNS = 40
"""questions with their answers that are shown at once"""
_STOPS_WITHIN_S = 3.0
_MODES = {"extractive": "Verbatim", "model": "Written by the model"}


def ask(question: str, **params: Any) -> None:
    """Ask `question` in the conversation that is shown, with the next drawing of the screen. `params` are those of the
    engine's method. For a button's `on_click`, on this screen or another."""
    page_passage.close()
    st.session_state["to_ask"] = (question, params)


def show() -> None:
    """Draw the screen."""
    turns = st.session_state.setdefault("turns", [])
    _begin(turns)
    # Always the same columns, of which the styles hide the empty one: the box must stay the same element wherever the
    # passage is, or what is being typed would be lost.
    with st.container(key="desk"):
        left, right = st.columns([6, 5], gap="medium")
    with right:
        page_passage.show()
    with left:
        _conversation(turns)


def _begin(turns: list[dict[str, Any]]) -> None:
    """Ask what was typed or clicked; take in an answer that is there."""
    if waiting := st.session_state.pop("to_ask", None):
        if (before := st.session_state.get("asking")) is not None:
            before.stop()
            before.done.wait(_STOPS_WITHIN_S)
            _take_in(turns)
        question, params = waiting
        given = {
            "conversation": st.session_state.get("conversation"),
            "filters": st.session_state.pop("filters", None),
            "mode": st.session_state.get("mode") if st.session_state.get("has_model") else None,
            **params,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        st.session_state["asking"] = page_asking.begin(question, **wanted)
    _take_in(turns)


def _take_in(turns: list[dict[str, Any]]) -> None:
    """Put an answer that has come to the others."""
    asking = st.session_state.get("asking")
    if asking is None or not asking.done.is_set():
        return
    del st.session_state["asking"]
    if asking.answer is not None:
        st.session_state["conversation"] = asking.answer["conversation"]
        turns.append(asking.answer)
    elif asking.error is not None:
        if link.locked_out(asking.error):
            link.forget()
            link.rerun()
        st.session_state["failed"] = asking.error


def _stop() -> None:
    """Give up a question that is under way: another conversation is opened."""
    if (asking := st.session_state.pop("asking", None)) is not None:
        asking.stop()


def _typed() -> None:
    ask(st.session_state["question"])


def _narrow(filters: page_filters.Filters) -> None:
    """For the next question; none are as if there had never been any."""
    st.session_state["filters"] = filters or None


def _again(turn: Mapping[str, Any], filters: page_filters.Filters) -> None:
    """Ask the same with exactly these filters."""
    ask(turn.get("full_question") or turn["question"], filters=filters)


def _conversation(turns: list[dict[str, Any]]) -> None:
    """The box, and below it the answers, newest first: the one just asked for is always where the eye is."""
    asking = st.session_state.get("asking")
    empty = not turns and asking is None
    status = link.status()
    with st.container():
        page_purge.receipt()
        if empty and not _welcome(status):
            return
    st.chat_input("Ask your papers…" if empty else "Ask on…", key="question", max_chars=_LONGEST, on_submit=_typed)
    _tools(empty=empty)
    if isinstance(failed := st.session_state.pop("failed", None), StrongroomError):
        look.failure(failed)
    if empty:
        _beginnings(status)
        return
    # Each turn keeps its place on the page, or for a moment a click on the new answer would reach the old one there.
    places = [st.container() for _ in range(_TURNS)]
    number = len(turns) + (asking is not None)
    first = (number - 1) // _TURNS * _TURNS
    if asking is not None:
        with places[first - number], st.container(key=f"turn-{number - 1}"):
            page_asking.show(asking, number - 1)
    for n, turn in reversed(list(enumerate(turns[first:], start=first))):  # what was asked last is drawn first
        with places[first - n - 1], st.container(key=f"turn-{n}"):
            _turn(n, turn, newest=n == len(turns) - 1 and asking is None)


def _tools(*, empty: bool) -> None:
    """What stands below the box: how to answer, where to look, other conversations."""
    with st.container(key="tools", horizontal=True, vertical_alignment="center"):
        if not empty:
            st.button("New conversation", key="anew", icon=":material/add_comment:", type="tertiary", on_click=anew)
        if st.button("History", key="history", icon=":material/history:", type="tertiary"):
            page_history.drawer()
        page_filters.row("next", st.session_state.get("filters") or {}, (), _narrow)
        st.space("stretch")
        _mode()


def _mode() -> None:
    """The switch between the papers' own words and the model's, where there is a model."""
    used = model()
    st.session_state["has_model"] = bool(used)
    if not used:
        return
    usual = str(link.call("settings.get")["answer_mode"])
    st.segmented_control(
        "How to answer",
        list(_MODES),
        default=usual if usual in _MODES else "model",
        required=True,
        format_func=_MODES.__getitem__,
        key="mode",
        label_visibility="collapsed",
    )
    st.html(tag("span.state", line(used, 40)), width="content")


def model() -> str:
    """The name of the model that writes, empty if there is none."""
    found = link.call("models")
    if not found["available"]:
        return ""
    return next((str(each["name"]) for each in found["rows"] if each["used"] and each["state"] == "ready"), "")


def anew() -> None:
    """Begin a conversation."""
    _stop()
    for key in ("turns", "conversation", "opened", "filters"):
        st.session_state.pop(key, None)


def resume(conversation: str) -> None:
    """Go on with a conversation that the vault keeps."""
    anew()
    st.session_state["turns"] = link.call("conversation", id=conversation)["answers"]
    st.session_state["conversation"] = conversation


def _welcome(status: Mapping[str, Any]) -> bool:
    """Say what can be asked; whether there is anything."""
    documents = int(status.get("documents") or 0)
    if not status.get("folders"):
        look.hero("Nothing to read yet", "Add a folder under Folders, and ask about what is in it a moment later.")
        return False
    look.hero(
        "What would you like to know?",
        f"{count(documents, 'document')} can be asked. Every sentence of an answer shows the passage it comes from.",
    )
    return True


def _beginnings(status: Mapping[str, Any]) -> None:
    """What to ask first: questions that the user's own documents answer, and what was asked earlier."""
    # While documents come in, the engine would look for questions with every drawing.
    suggested = [] if status.get("to_do") else link.call("suggestions")["questions"]
    if suggested:
        with st.container(key="suggested"):
            for n, question in enumerate(suggested[:6]):
                html = tag("div.suggestion", line(question, 160), dir="auto", data_testid="suggestion")
                look.pick(f"suggestion-{n}", html, "Ask this", n + 1, on_click=ask, args=(question,))
    else:
        examples = [tag("code", each) for each in ("kind:mail", "from:name", "after:2025-01", "folder:contracts")]
        st.html(tag("div.hints", tag("span", "Narrow a question with"), *examples))
    page_history.recent()


def _turn(number: int, turn: Mapping[str, Any], *, newest: bool) -> None:
    page_answer.question(turn["question"], turn.get("full_question") or "")
    filters = turn.get("filters") or {}
    read = turn.get("read") or ()
    if newest and (page_filters.chips(filters) or page_filters.offered(filters, read)):
        page_filters.row(f"turn{number}", filters, read, partial(_again, turn))
    elif page_filters.chips(filters):
        shown = [tag("div.chip", tag("span.faint", page_filters.NAMES[name]), tag("b", line(words, 40)))
                 for name, _, words in page_filters.chips(filters)]  # fmt: skip
        st.html(tag("div.held", *shown))
    page_answer.show(number, turn)
    with st.container(key=f"after-{number}", horizontal=True, vertical_alignment="center"):
        if st.button("Copy or export", key=f"export-{number}", icon=":material/ios_share:", type="tertiary"):
            page_history.export(st.session_state["turns"], number)
        other = "extractive" if turn["mode"] != "extractive" else "model"
        if newest and st.session_state.get("has_model"):
            st.button(
                "In the papers' own words" if other == "extractive" else "Let the model write it",
                key=f"again-{number}",
                icon=":material/refresh:",
                type="tertiary",
                on_click=ask,
                args=(turn.get("full_question") or turn["question"],),
                kwargs={"mode": other, "filters": filters},
            )
