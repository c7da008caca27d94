"""What was asked before: to search, open, delete; and an answer as text, to copy or to keep elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from engine import export as as_file
from ui import link, look
from ui.shown import count, date, escape, line, neutral, tag
from vault.errors import StrongroomError

_EARLIER = 4
_PAGE = 20


def recent() -> None:
    """The newest conversations, on the screen that is otherwise empty."""
    found = link.call("conversations", limit=_EARLIER)
    if not found["rows"]:
        return
    st.html(tag("h2.title.small", "Asked earlier"))
    with st.container(key="earlier"):
        for row in found["rows"]:
            look.pick(f"earlier-{row['id']}", _row(row), "Open conversation", on_click=_resume, args=(row["id"],))


@st.dialog("History", width="small", position="left", icon=":material/history:", on_dismiss="rerun")
def drawer() -> None:
    """All conversations, newest first, in a drawer beside the screen."""
    with st.container(key="drawer"):
        text = st.text_input("Search questions and answers", key="history-text", autocomplete="off")
        offset = st.session_state.get("history-offset", 0) if st.session_state.get("history-for") == text else 0
        try:
            found = link.call("conversations", text=text, offset=offset, limit=_PAGE)
        except StrongroomError as error:
            look.failure(error)
            return
        if not found["rows"]:
            st.html(tag("p.lead", "Nothing was asked with these words." if text else "Nothing was asked yet."))
        day = ""
        for row in found["rows"]:
            if (due := _day(row["started"])) != day:
                day = due
                st.html(tag("div.label", escape(day)))
            _entry(row)
        if found["total"] > _PAGE:
            _pager(found["total"], offset, text)


def _entry(row: Mapping[str, Any]) -> None:
    key = row["id"]
    with st.container(key=f"entry-{key}", horizontal=True, vertical_alignment="center"):
        if look.pick(f"asked-{key}", _row(row), "Open conversation"):
            _resume(key)
            st.rerun()
        with st.popover("Delete…", icon=":material/delete:", type="tertiary"):
            st.button("Delete for good", key=f"sure-{key}", type="primary", on_click=_remove, args=(key,))


def _remove(key: str) -> None:
    from ui import page_ask

    link.call("conversation.remove", id=key)
    if st.session_state.get("conversation") == key:
        page_ask.anew()


def _resume(key: str) -> None:
    from ui import page_ask

    page_ask.resume(key)


def _pager(total: int, offset: int, text: str) -> None:
    def turn(by: int) -> None:
        st.session_state["history-for"] = text
        st.session_state["history-offset"] = max(0, offset + by)

    with st.container(horizontal=True, vertical_alignment="center", key="history-pager"):
        last = min(offset + _PAGE, total)
        st.html(tag("span.state", f"{offset + 1:,} to {last:,} of {total:,}"), width="content")
        st.space("stretch")
        st.button("Newer", "history-newer", type="tertiary", disabled=not offset, on_click=turn, args=(-_PAGE,))
        st.button("Older", "history-older", type="tertiary", disabled=last >= total, on_click=turn, args=(_PAGE,))


def _row(row: Mapping[str, Any]) -> str:
    when = datetime.fromtimestamp(row["started"], UTC).astimezone()
    turns = int(row.get("turns") or 1)
    more = f"{count(turns, 'question')} · " if turns > 1 else ""
    return tag(
        "div.row",
        tag("div.name.asked", line(row["question"], 160), dir="auto"),
        tag("div.right.faint", f"{more}{escape(_when(when))}"),
        data_testid="conversation",
    )


def _when(when: datetime) -> str:
    today = datetime.now().astimezone()
    return f"{when:%H:%M}" if when.date() == today.date() else date(when.date().isoformat())


def _day(started: float) -> str:
    when = datetime.fromtimestamp(started, UTC).astimezone().date()
    today = datetime.now().astimezone().date()
    if when == today:
        return "Today"
    return "Yesterday" if when == today - timedelta(days=1) else date(when.isoformat())


@st.dialog("Copy or export", width="medium", icon=":material/ios_share:")
def export(turns: Sequence[Mapping[str, Any]], number: int) -> None:
    """Answer `number`, or the whole conversation, as text with its citations: to copy, to save, to print."""
    whole = len(turns) > 1 and st.toggle("The whole conversation", key="export-whole")
    chosen = list(turns) if whole else [turns[number]]
    text = neutral(as_file.text(chosen))
    st.html(tag("div.after", "The button in the corner copies it."))
    # No highlighting, so no language: the text is shown as it is.
    st.code(text, language=None, wrap_lines=True, height=320)
    with st.container(horizontal=True):
        st.download_button(
            "Save as Markdown",
            as_file.markdown(chosen),
            file_name="answers.md",
            mime="text/markdown",
            key="save-markdown",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Save as text",
            text,
            file_name="answers.txt",
            mime="text/plain",
            key="save-text",
            icon=":material/download:",
            on_click="ignore",
        )
    st.html(
        tag(
            "p.after",
            "As PDF: close this and print the page (Ctrl+P, on a Mac ⌘P) to a file; questions, answers and sources are "
            "printed, nothing else. A file that you save is not encrypted.",
        )
    )
