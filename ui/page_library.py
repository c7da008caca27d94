"""Library: every file with its state and reason, paged by the engine; a document beside the list; purge and lift."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from ui import link, look, page_passage, page_purge
from ui.shown import count, date, line, size, tag
from vault.errors import StrongroomError

_ROWS = 25

STATES = {
    "done": ("good", "ready"),
    "embedding": ("good", "found by words, meaning follows"),
    "waiting": ("faint", "waiting"),
    "partial": ("warn", "partly read"),
    "failed": ("bad", "could not be read"),
    "unsupported": ("faint", "format not supported"),
    "cloud": ("faint", "only in the cloud"),
    "missing": ("warn", "not there at present"),
    "purged": ("faint", "purged"),
}
"""colour and words of a file's state"""

_FILTERS = {
    "All files": "",
    "Ready": "done,embedding",
    "Waiting": "waiting",
    "Partly read": "partial",
    "Failed": "failed",
} | {"Not supported": "unsupported", "In the cloud": "cloud", "Not there": "missing", "Purged": "purged"}
_SORTS = {
    "Name": ("path", False),
    "Newest first": ("modified", True),
    "Largest first": ("size", True),
    "Last read": ("changed", True),
}


def show() -> None:
    """Draw the screen."""
    if page_passage.opened() is None and (st.session_state.get("file") or {}).get("document_count") == 1:
        st.session_state["file"] = None  # its one document was closed
    with st.container(key="shelf"):
        left, right = st.columns([6, 5], gap="medium")
    with right:
        if page_passage.opened() is not None:
            page_passage.show()
        elif st.session_state.get("file") is not None:
            _file(st.session_state["file"])
    with left:
        _list()


def _list() -> None:
    with st.container():
        page_purge.receipt()
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
        text = st.text_input(
            "Find",
            key="find",
            placeholder="part of a name or folder",
            autocomplete="off",
            icon=":material/search:",
        )
        shown = st.selectbox("State", list(_FILTERS), key="state", width=170)
        order = st.selectbox("Order", list(_SORTS), key="order", width=170)
    asked = (text, shown, order)
    if st.session_state.get("asked") != asked:
        st.session_state["asked"], st.session_state["offset"] = asked, 0
    sort, descending = _SORTS[order]
    offset = st.session_state.get("offset", 0)
    found = link.call(
        "files",
        text=text,
        state=_FILTERS[shown],
        sort=sort,
        descending=descending,
        offset=offset,
        limit=_ROWS,
    )
    if not found["rows"]:
        look.hero(
            *(("Nothing fits", "") if text or _FILTERS[shown] else ("No files yet", "Add a folder under Folders."))
        )
        return
    with st.container(key="rows"):
        for row in found["rows"]:
            look.pick(f"file-{row['id']}", _row(row), "Open file", chosen=_is_open(row), on_click=_open, args=(row,))
    _pager(found["total"], offset, "offset")


def _row(row: Mapping[str, Any]) -> str:
    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    folder, _, name = str(row["path"]).rpartition("/")
    facts = [size(row["size"]), datetime.fromtimestamp(row["modified"], UTC).astimezone().strftime("%Y-%m-%d")]
    if row["document_count"] > 1:
        facts.append(count(row["document_count"], "document"))
    return tag(
        "div.row",
        tag("div.name", tag("bdi", line(name, 160)), title=str(row["path"])),
        tag("div.right", tag(f"span.{colour}", tag("i.dot"), " ", line(words))),
        tag("div.meta", tag("bdi", line(folder, 300))),
        tag("div.right.faint", " · ".join(facts)),
        tag(f"div.why.{'faint' if colour == 'good' else colour}", line(row["reason"], 300))
        if row.get("reason")
        else "",
        data_testid="file",
    )


def _is_open(row: Mapping[str, Any]) -> bool:
    file = st.session_state.get("file")
    return file is not None and bool(file["id"] == row["id"])


def _open(row: dict[str, Any]) -> None:
    st.session_state["file"] = row
    st.session_state["inside"] = 0
    page_passage.close()
    if len(row["documents"]) == 1:
        page_passage.open_document(row["documents"][0]["id"])


def _put_away() -> None:
    st.session_state["file"] = None


def _file(row: Mapping[str, Any]) -> None:
    """A file that holds no document, or more than one."""
    with st.container(key="passage"):
        with st.container(horizontal=True):
            st.space("stretch")
            st.button("Close", key="close", icon=":material/close:", type="tertiary", on_click=_put_away)
        colour, words = STATES.get(row["state"], ("faint", row["state"]))
        name = str(row["path"]).rpartition("/")[2]
        st.html(
            tag(
                "div.head",
                tag("div.kind", "File"),
                tag("div.name", tag("bdi", line(name))),
                tag(
                    "dl",
                    *(tag("dt", "Where"), tag("dd", tag("bdi", line(row["path"], 400)))),
                    *(tag("dt", "State"), tag(f"dd.{colour}", line(words))),
                ),
            )
        )
        if row.get("reason"):
            look.notice(colour if colour != "good" else "faint", row["reason"])
        if row["state"] == "purged" and st.button("Allow it again", key="lift", help="The file is read anew"):
            try:
                link.call("purge.lift", name=row["path"])
            except StrongroomError as error:
                look.failure(error)
                return
            st.session_state["file"] = None
            st.rerun()
        _inside(row)


def _inside(row: Mapping[str, Any]) -> None:
    """The documents of a file: a mailbox's messages, a message's attachments."""
    documents, total = row["documents"], row["document_count"]
    offset = st.session_state.get("inside", 0)
    if total > len(documents):
        found = link.call("documents", text=row["path"], sort="date", descending=True, offset=offset, limit=_ROWS)
        documents, total = found["rows"], found["total"]
    for number, document in enumerate(documents):
        about = [page_passage.KINDS.get(document["kind"], "Document"), line(document.get("sender") or "", 60)]
        about += [date(document.get("date")), line(document.get("part") or "", 60)]
        html = tag(
            "div.card",
            tag("div.name", line(document["title"] or document.get("part") or "without a title"), dir="auto"),
            tag("div.meta", " · ".join(each for each in about if each)),
        )
        opening = page_passage.open_document
        look.pick(f"document-{number}", html, "Open document", number + 1, on_click=opening, args=(document["id"],))
    if total > len(documents):
        _pager(total, offset, "inside")


def _pager(total: int, offset: int, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"{name}-pager"):
        last = min(offset + _ROWS, total)
        st.html(tag("span.state", f"{offset + 1:,} to {last:,} of {total:,}"), width="content")
        st.space("stretch")

        def turn(by: int) -> None:
            st.session_state[name] = max(0, offset + by)

        back, on = ":material/chevron_left:", ":material/chevron_right:"
        begun, ended = offset == 0, last >= total
        st.button("Previous", f"{name}-back", icon=back, type="tertiary", disabled=begun, on_click=turn, args=(-_ROWS,))
        st.button("Next", f"{name}-on", icon=on, type="tertiary", disabled=ended, on_click=turn, args=(_ROWS,))
