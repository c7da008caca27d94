"""A document, opened at a passage: its header, and the passage in its place.

In its place is the picture of its page, its row in the table, or its own text with what stands around it. Only a
stretch of a document is fetched and shown; it grows on request. Both the Ask and the Library screen show it beside
what was clicked, and over it in a narrow window.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from ui import link, look, named, page_mail, page_picture, page_purge, page_reading, page_table
from ui.shown import date, escape, line, tag
from vault.errors import StrongroomError

KINDS, title = named.KINDS, named.title
_VIEWS = {"page": "Page", "table": "Table", "text": "Text"}
_LOW_CONFIDENCE = 0.85
"""of text recognised in a picture; below it the reader is told to look at the picture"""


def open_source(sources: Sequence[Mapping[str, Any]], at: int) -> None:
    """Open the passage of `sources[at]`; the others are next and previous."""
    hit = sources[at]
    start, end = int(hit["start"]), int(hit["end"])
    st.session_state["opened"] = {
        "document": hit["document"],
        "sources": list(sources),
        "at": at,
        "start": start,
        "end": end,
        "page": int(hit.get("page") or 1),
        **page_reading.around(start, end),
    }


def open_document(document: str) -> None:
    """Open a document at its beginning."""
    st.session_state["opened"] = {
        "document": document,
        "sources": [],
        "at": 0,
        "start": 0,
        "end": 0,
        "page": 1,
        **page_reading.opening(),
    }


def open_beside(document: str) -> None:
    """Open a document that belongs to the one that is open: another message of its thread, an attachment."""
    before = opened()
    open_document(document)
    st.session_state["opened"]["back"] = before


def opened() -> dict[str, Any] | None:
    """What is open, or None."""
    found: dict[str, Any] | None = st.session_state.get("opened")
    return found


def close() -> None:
    """Close it."""
    st.session_state.pop("opened", None)


def _back(state: dict[str, Any]) -> None:
    st.session_state["opened"] = state


def show() -> None:
    """Draw what is open."""
    state = opened()
    if state is None:
        return
    with st.container(key="passage"):
        _buttons(state)
        try:
            document = link.call("document", id=state["document"])
            st.html(_header(document, state))
            with st.container(key="passage-views", horizontal=True, vertical_alignment="center"):
                view = _view(document, state)
                st.space("stretch")
                _open_file(document)
            _confidence(document, state)
            drawn = (view == "page" and page_picture.show(document, state)) or (
                view == "table" and page_table.show(document, state)
            )
            if not drawn:
                page_reading.show(state)
            if document["kind"] == "mail":
                page_mail.thread(document, open_beside)
        except StrongroomError as error:
            look.failure(error)
            return
        for number, part in enumerate(document.get("attachments", ())[:20]):
            name = tag("div.name", line(part["title"] or part["part"]), dir="auto")
            html = tag("div.card", name, tag("div.meta", "Attachment"))
            look.pick(f"part-{number}", html, "Open attachment", number + 1, on_click=open_beside, args=(part["id"],))
        _actions(document)


def _view(document: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """How the passage is shown: as the reader chose, else as its document shows it best."""
    views = [name for name in _VIEWS if name == "text" or _has(name, document, state)]
    if len(views) == 1:
        return views[0]
    chosen: str = st.segmented_control(
        "How to show it",
        views,
        default=views[0],
        required=True,
        format_func=_VIEWS.__getitem__,
        key=f"view-{'-'.join(views)}",
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen or views[0]


def _has(view: str, document: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    return page_picture.possible(document) if view == "page" else page_table.possible(document, state)


def _confidence(document: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Say that the text was recognised in a picture, and how surely."""
    sure = recognised(document.get("metadata") or {}, int(state.get("page") or 1))
    if sure is None:
        return
    if sure < _LOW_CONFIDENCE:
        what = f"the text of this page was recognised in a picture, with {sure:.0%} confidence"
        look.notice("warn", what, "compare it with the picture")
    else:
        st.html(tag("div.after", f"recognised in a picture, with {sure:.0%} confidence"))


def recognised(metadata: Mapping[str, Any], page: int) -> float | None:
    """How surely a page's text was recognised in its picture, from 0 to 1; None if it was not, or there is none."""
    try:
        found = json.loads(metadata.get("ocr_pages") or "{}").get(str(page))
    except (ValueError, AttributeError):
        return None
    return float(found) if isinstance(found, int | float) and found else None


def _open_file(document: Mapping[str, Any]) -> None:
    if st.button("Open the file", key="open-file", icon=":material/open_in_new:", type="tertiary"):
        try:
            shown = link.call("document.open", id=document["id"])["done"]
        except StrongroomError as error:
            look.failure(error)
        else:
            if not shown:
                look.notice("warn", "the desktop has no program to show it with, or the file may not be opened")


def _actions(document: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, key="passage-actions"):
        if st.button(
            "Purge…",
            key="purge",
            icon=":material/delete_forever:",
            type="tertiary",
            help="Remove this document from the vault for good",
        ):
            page_purge.ask_first(document)


def _buttons(state: dict[str, Any]) -> None:
    sources, at = state["sources"], state["at"]
    with st.container(horizontal=True, key="passage-buttons", vertical_alignment="center"):
        if state.get("back"):
            st.button(
                "Back", key="back", icon=":material/arrow_back:", type="tertiary", on_click=_back, args=(state["back"],)
            )
        if len(sources) > 1:
            _turn("Previous", ":material/chevron_left:", sources, at - 1)
            st.html(tag("span.state", f"{at + 1} of {len(sources)}"), width="content")
            _turn("Next", ":material/chevron_right:", sources, at + 1)
        st.space("stretch")
        st.button("Close", key="close", icon=":material/close:", type="tertiary", on_click=close, shortcut="Esc")


def _turn(words: Literal["Previous", "Next"], icon: str, sources: Sequence[Mapping[str, Any]], to: int) -> None:
    there = 0 <= to < len(sources)
    st.button(words, words, icon=icon, type="tertiary", disabled=not there, on_click=open_source, args=(sources, to))


def _header(document: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    places = document.get("places", ())
    hit = state["sources"][state["at"]] if state["sources"] else {}
    kind = KINDS.get(document["kind"], "Document")
    page = hit.get("page")
    if page:
        kind += f" · page {int(page)}" + (f" of {int(document['pages'])}" if document.get("pages") else "")
    rows = [
        ("From", line(document.get("sender") or "", 160)),
        ("To", line(document.get("recipients") or "", 160)),
        ("Date", escape(date(document.get("date")))),
    ]
    for place in list(places)[:3]:
        part = f" › {line(place['part'], 120)}" if place.get("part") else ""
        rows.append(("File", f"{line(place['path'], 400)}{part}"))
    if len(places) > 3:
        rows.append(("", f"and {len(places) - 3} other places"))
    rows.append(("Note", escape(document.get("note") or "")))
    listed = [tag("dt", name) + tag("dd", tag("bdi", value)) for name, value in rows if value]
    name = tag("div.name", line(title(document), 300), dir="auto")
    return tag("div.head", tag("div.kind", escape(kind)), name, tag("dl", *listed))
