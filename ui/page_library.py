"""Library: every file with its state and the reason, paged by the engine; a document beside the list; purge and lift."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from ui import link, look, page_passage, page_purge
from ui.shown import count, line, size
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

_FILTERS = {"All files": "", "Ready": "done,embedding", "Waiting": "waiting", "Partly read": "partial", "Failed": "failed"} | {
    "Not supported": "unsupported", "In the cloud": "cloud", "Not there": "missing", "Purged": "purged"
}
_SORTS = {"Name": ("path", False), "Newest first": ("modified", True), "Largest first": ("size", True), "Last read": ("changed", True)}


def show() -> None:
    """Draw the screen."""
    if page_passage.opened() is None and st.session_state.get("file") is None:
        _list()
        return
    left, right = st.columns([6, 5], gap="medium")
    with right:
        if page_passage.opened() is not None:
            page_passage.show()
        else:
            _file(st.session_state["file"])
    with left:
        _list()


def _list() -> None:
    page_purge.receipt()
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
        text = st.text_input("Find", key="find", placeholder="part of a name or folder", autocomplete="off", icon=":material/search:")
        shown = st.selectbox("State", list(_FILTERS), key="state", width=170)
        order = st.selectbox("Order", list(_SORTS), key="order", width=170)
    asked = (text, shown, order)
    if st.session_state.get("asked") != asked:
        st.session_state["asked"], st.session_state["offset"] = asked, 0
    sort, descending = _SORTS[order]
    offset = st.session_state.get("offset", 0)
    found = link.call("files", text=text, state=_FILTERS[shown], sort=sort, descending=descending, offset=offset, limit=_ROWS)
    if not found["rows"]:
        st.html('<div class="hero"><p class="lead">No file fits.</p></div>' if any(asked[:1]) or _FILTERS[shown] else
                '<div class="hero"><h1 class="title">No files yet</h1><p class="lead">Add a folder under <b>Folders</b>.</p></div>')
        return
    with st.container(key="rows"):
        for row in found["rows"]:
            if look.pick(f"file-{row['id']}", _row(row), "Open file", chosen=_is_open(row)):
                _open(row)
                st.rerun()
    _pager(found["total"], offset)


def _row(row: Mapping[str, Any]) -> str:
    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    folder, _, name = str(row["path"]).rpartition("/")
    when = datetime.fromtimestamp(row["modified"]).astimezone().strftime("%Y-%m-%d") if row.get("modified") else ""
    inside = int(row.get("document_count") or len(row["documents"]))
    holds = f" · {count(inside, 'document')}" if inside > 1 else ""
    reason = f'<div class="why {colour}">{line(row["reason"], 300)}</div>' if row.get("reason") else ""
    return (
        f'<div class="row" data-testid="file"><div class="name" title="{line(row["path"], 400)}"><bdi>{line(name, 160)}</bdi></div>'
        f'<div class="right"><span class="{colour}"><i class="dot"></i> {line(words)}</span></div>'
        f'<div class="meta"><bdi>{line(folder, 300)}</bdi></div><div class="right faint">{size(row["size"])} · {when}{holds}</div>{reason}</div>'
    )


def _is_open(row: Mapping[str, Any]) -> bool:
    file = st.session_state.get("file")
    return file is not None and bool(file["id"] == row["id"])


def _open(row: dict[str, Any]) -> None:
    st.session_state["file"] = row
    page_passage.close()
    if len(row["documents"]) == 1:
        page_passage.open_document(row["documents"][0]["id"])
        st.session_state["file"] = None


def _file(row: Mapping[str, Any]) -> None:
    """A file that holds no document, or more than one."""
    with st.container(key="passage"):
        with st.container(horizontal=True):
            st.space("stretch")
            if st.button("Close", key="close", icon=":material/close:", type="tertiary"):
                st.session_state["file"] = None
                st.rerun()
        colour, words = STATES.get(row["state"], ("faint", row["state"]))
        name = str(row["path"]).rpartition("/")[2]
        st.html(
            f'<div class="head"><div class="kind">File</div><div class="name"><bdi>{line(name)}</bdi></div><dl><dt>Where</dt>'
            f'<dd><bdi>{line(row["path"], 400)}</bdi></dd><dt>State</dt><dd class="{colour}">{line(words)}</dd></dl></div>'
        )
        if row.get("reason"):
            look.notice(colour if colour != "good" else "faint", row["reason"])
        for number, document in enumerate(row["documents"]):
            html = (
                f'<div class="card"><div class="name" dir="auto">{line(document["title"] or document.get("part") or "without a title")}</div>'
                f'<div class="meta">{page_passage.KINDS.get(document["kind"], "Document")} {line(document.get("part") or "")}</div></div>'
            )
            if look.pick(f"document-{number}", html, f"Open document {number + 1}"):
                page_passage.open_document(document["id"])
                st.rerun()
        more = int(row.get("document_count") or 0) - len(row["documents"])
        if more > 0:
            st.html(f'<p class="after">and {count(more, "more document", "more documents")}, found by asking or by search</p>')
        if row["state"] == "purged" and st.button("Allow it again", key="lift", help="The file is read and indexed again"):
            try:
                link.call("purge.lift", path=row["path"])
            except StrongroomError as error:
                look.failure(error)
                return
            st.session_state["file"] = None
            st.rerun()


def _pager(total: int, offset: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        last = min(offset + _ROWS, total)
        st.html(f'<span class="state">{offset + 1:,} to {last:,} of {total:,}</span>', width="content")
        st.space("stretch")
        if st.button("Previous", key="page-back", icon=":material/chevron_left:", type="tertiary", disabled=offset == 0):
            st.session_state["offset"] = max(0, offset - _ROWS)
            st.rerun()
        if st.button("Next", key="page-on", icon=":material/chevron_right:", type="tertiary", disabled=last >= total):
            st.session_state["offset"] = offset + _ROWS
            st.rerun()
