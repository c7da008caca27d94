"""Needs attention: the files that were not read, or not wholly, by what to do about them; and trying again."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_document
from ui.shown import count, escape, line, tag, with_code
from vault.errors import StrongroomError

_ROWS = 6


def show() -> None:
    """Draw the groups, and the files of the one that is open."""
    found = link.call("files.attention", limit=1)
    groups = found["groups"]
    if not groups:
        look.hero("Nothing needs attention", "Every file was read, from its beginning to its end.")
        return
    chosen = st.session_state.get("attention")
    if chosen not in {each["key"] for each in groups}:
        chosen = groups[0]["key"]
    _said()
    for each in groups:
        with st.container(key=f"group-{each['key']}"):
            here = each["key"] == chosen
            html = tag(
                "div.card",
                tag("div.top", tag("div.name", escape(each["title"])), tag("span.n", f"{each['files']:,}")),
                tag("div.advice", with_code(each["what"])),
                data_testid="group",
            )
            look.pick(f"group-{each['key']}", html, "Show files", chosen=here, on_click=_choose, args=(each["key"],))
            if here:
                _group(each)


def _choose(key: str) -> None:
    st.session_state["attention"], st.session_state["attention-offset"] = key, 0


def _group(group: Mapping[str, Any]) -> None:
    offset = int(st.session_state.get("attention-offset", 0))
    found = link.call("files.attention", group=group["key"], offset=offset, limit=_ROWS)
    if group["again"]:
        one = found["total"] == 1
        if st.button("Read it again" if one else "Read all of them again", key="again-all", icon=":material/refresh:"):
            _again(group=group["key"])
    with st.container(key="attention-rows"):
        for n, row in enumerate(found["rows"]):
            _row(n, row)
    if found["total"] > _ROWS:
        _pager(found["total"], offset)


def _row(n: int, row: Mapping[str, Any]) -> None:
    from ui.page_library import STATES

    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    folder, _, file = str(row["path"]).rpartition("/")
    with st.container(horizontal=True, vertical_alignment="center", key=f"attention-{n}"):
        st.html(
            tag(
                "div.file",
                tag("div.name", tag("bdi", line(file, 160))),
                tag("div.meta", tag("bdi", line(folder, 300))),
                tag(f"div.why.{colour}", tag("i.dot"), " ", line(row["reason"] or words, 300)),
                data_testid="attention",
            )
        )
        if row.get("document"):
            st.button(
                "Open",
                key=f"open-{n}",
                icon=":material/article:",
                type="tertiary",
                help="What was read of it",
                on_click=page_document.open_from,
                args=(row["document"], None),
            )
        icon = ":material/refresh:"
        if st.button("Read again", key=f"again-{n}", icon=icon, type="tertiary", help="Read this file again"):
            _again(ids=[row["id"]])


def _pager(total: int, offset: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="attention-pager"):
        last = min(offset + _ROWS, total)
        st.html(tag("span.state", f"{offset + 1:,} to {last:,} of {count(total, 'file')}"), width="content")
        st.space("stretch")

        def turn(to: int) -> None:
            st.session_state["attention-offset"] = max(0, to)

        back, on = ":material/chevron_left:", ":material/chevron_right:"
        begun, ended = offset == 0, last >= total
        st.button("Previous", "attention-back", icon=back, type="tertiary", disabled=begun, on_click=turn,
                  args=(offset - _ROWS,))  # fmt: skip
        st.button("Next", "attention-on", icon=on, type="tertiary", disabled=ended, on_click=turn,
                  args=(offset + _ROWS,))  # fmt: skip


def _again(**which: Any) -> None:
    try:
        number = link.call("files.again", **which)["files"]
    except StrongroomError as error:
        look.failure(error)
        return
    st.session_state["attention-said"] = number
    st.rerun()


@st.fragment(run_every=1)
def _said() -> None:
    """Say that files are being read again, until they are; then draw the list anew."""
    number = st.session_state.get("attention-said")
    if number is None:
        return
    if number == 0:
        look.notice("warn", "nothing to read again", "their folder is paused or not there; see Folders")
        return
    status = link.status()
    if status.get("to_do") or status.get("scanning"):
        look.notice("faint", f"{count(number, 'file')} {'is' if number == 1 else 'are'} being read again")
        return
    st.session_state["attention-said"] = None
    link.rerun()


@st.dialog("About this file")
def about(row: Mapping[str, Any]) -> None:
    """Why a file has no document, and what to do."""
    from ui.page_library import STATES

    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    st.html(
        tag("div.name", tag("bdi", line(str(row["path"]).rpartition("/")[2], 200)))
        + tag("div.meta", tag("bdi", line(row["path"], 400)))
        + tag(f"p.{colour}", line(words), ": " if row.get("reason") else "", line(row.get("reason") or "", 400))
    )
    if row["state"] in {"failed", "partial", "unsupported", "cloud"}:
        advice = link.call("files.advice", reason=row.get("reason") or row["state"])
        st.html(tag("p.advice", with_code(advice["what"])))
        if st.button("Read again", key="again-one", icon=":material/refresh:"):
            _again(ids=[row["id"]])
