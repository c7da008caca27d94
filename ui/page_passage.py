"""A document, opened at a passage: its header, and the passage marked in its own text, with what stands around it.

Only a stretch of the text is fetched and shown; it grows on request. Both the Ask and the Library screen show it beside
what was clicked, and over it in a narrow window.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from ui import link, look, page_purge
from ui.shown import date, escape, line, marked, tag
from vault.errors import StrongroomError

_BEFORE, _AFTER = 320, 1_500
"""characters of context around a passage: it is seen at once, without scrolling"""
_OPENING = 3_000
_MORE = 4_000
_MOST = 20_000

KINDS = {
    "mail": "Mail",
    "contract": "Contract",
    "invoice": "Invoice",
    "statement": "Statement",
    "letter": "Letter",
    "table": "Table",
    "slides": "Slides",
    "book": "Book",
    "web": "Web page",
    "note": "Note",
    "document": "Document",
}


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
        "from": max(0, start - _BEFORE),
        "to": end + _AFTER,
    }


def open_document(document: str) -> None:
    """Open a document at its beginning."""
    st.session_state["opened"] = {
        "document": document,
        "sources": [],
        "at": 0,
        "start": 0,
        "end": 0,
        "from": 0,
        "to": _OPENING,
    }


def opened() -> dict[str, Any] | None:
    """What is open, or None."""
    found: dict[str, Any] | None = st.session_state.get("opened")
    return found


def close() -> None:
    """Close it."""
    st.session_state.pop("opened", None)


def _look_at(low: int, high: int) -> None:
    st.session_state["opened"] |= {"from": low, "to": high}


def show() -> None:
    """Draw what is open."""
    state = opened()
    if state is None:
        return
    with st.container(key="passage"):
        _buttons(state)
        try:
            document = link.call("document", id=state["document"])
            stretch = link.call("document.text", id=state["document"], start=state["from"], end=state["to"])
        except StrongroomError as error:
            look.failure(error)
            return
        stretch = _from_a_beginning(_without_fields(stretch, state), state["start"])
        st.html(_header(document, state))
        if stretch["cut"]:
            low = max(0, stretch["start"] - _MORE)
            more = (low, min(state["to"], low + _MOST))
            up = ":material/expand_less:"
            st.button("Show what comes before", "earlier", icon=up, type="tertiary", on_click=_look_at, args=more)
        body = reading(stretch, state["start"], state["end"])
        st.html(tag("div.reading", body, dir="auto", data_testid="passage-text"))
        if stretch["end"] < stretch["total"]:
            # The engine gives so much at a time; beyond it the window moves on instead of growing.
            high = stretch["end"] + _MORE
            more = (max(state["from"], high - _MOST), high)
            down = ":material/expand_more:"
            st.button("Show what comes after", "later", icon=down, type="tertiary", on_click=_look_at, args=more)
        for number, part in enumerate(document.get("attachments", ())[:20]):
            name = tag("div.name", line(part["title"] or part["part"]), dir="auto")
            html = tag("div.card", name, tag("div.meta", "Attachment"))
            opening = (part["id"],)
            look.pick(f"part-{number}", html, "Open attachment", number + 1, on_click=open_document, args=opening)
        _actions(document)


def _actions(document: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, key="passage-actions"):
        if st.button("Open the file", key="open-file", icon=":material/open_in_new:", type="tertiary"):
            try:
                shown = link.call("document.open", id=document["id"])["done"]
            except StrongroomError as error:
                look.failure(error)
            else:
                if not shown:
                    look.notice("warn", "the desktop has no program to show it with, or the file may not be opened")
        if st.button(
            "Purge…",
            key="purge",
            icon=":material/delete_forever:",
            type="tertiary",
            help="Remove this document from the vault for good",
        ):
            page_purge.ask_first(document)


def _without_fields(stretch: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The stretch without a mail's own header lines, which stand above it already, unless they are what is cited."""
    stretch = {**stretch, "cut": stretch["start"] > 0}
    first = stretch["blocks"][0] if stretch["blocks"] else {"kind": ""}
    if first["kind"] != "fields" or (state["end"] and state["start"] < first["end"]):
        return stretch
    rest = stretch["text"][first["end"] - stretch["start"] :].lstrip()
    start = stretch["start"] + len(stretch["text"]) - len(rest)
    return {**stretch, "text": rest, "start": start, "blocks": stretch["blocks"][1:], "cut": False}


def _from_a_beginning(stretch: dict[str, Any], start: int) -> dict[str, Any]:
    """The stretch from where a block or a word begins, but with all of the passage at `start`."""
    if not stretch["cut"]:
        return stretch
    base, text = stretch["start"], stretch["text"]
    blocks = [block["start"] for block in stretch["blocks"] if base <= block["start"] <= start]
    words = [base + found.end() for found in re.finditer(r"\s+", text[:_BEFORE]) if base + found.end() <= start]
    first = blocks[0] if blocks and blocks[0] - base < _BEFORE // 2 else words[0] if words else base
    return {**stretch, "text": text[first - base :], "start": first}


def _buttons(state: dict[str, Any]) -> None:
    sources, at = state["sources"], state["at"]
    with st.container(horizontal=True, key="passage-buttons", vertical_alignment="center"):
        if len(sources) > 1:
            _turn("Previous", ":material/chevron_left:", sources, at - 1)
            st.html(tag("span.state", f"{at + 1} of {len(sources)}"), width="content")
            _turn("Next", ":material/chevron_right:", sources, at + 1)
        st.space("stretch")
        st.button("Close", key="close", icon=":material/close:", type="tertiary", on_click=close)


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


def title(document: Mapping[str, Any]) -> str:
    """A document's title, else its file's name."""
    if document.get("title"):
        return str(document["title"])
    places = (
        document.get("places")
        or [{"path": path} for path in document.get("paths", ())]
        or [{"path": document.get("path") or ""}]
    )
    return str(places[0]["path"]).rstrip("/").rpartition("/")[2] or "without a title"


def reading(stretch: Mapping[str, Any], start: int, end: int) -> str:
    """A stretch of a document as HTML: headings, quoted and header parts set apart, page breaks drawn, and `start` to
    `end` marked. Offsets are those of the document's text; every character of the stretch appears, escaped.
    """
    text, base = stretch["text"], stretch["start"]

    def piece(low: int, high: int) -> str:
        return marked(text[low - base : high - base], [(start - low, end - low)])

    out = [tag("span.cut", "… ")] if stretch.get("cut") else []
    at, page = base, None
    for block in stretch["blocks"]:
        low, high = max(base, block["start"]), min(base + len(text), block["end"])
        if high <= at:
            continue
        low = max(low, at)
        if block.get("page") and block["page"] != page:
            out.append(piece(at, low))
            at = low
            if page is not None or block["page"] > 1:
                out.append(tag("span.leaf", f"— page {int(block['page'])} —"))
            page = block["page"]
        kind = (
            block["kind"] if block["kind"] in {"heading", "fields", "quote", "signature", "row", "header"} else "plain"
        )
        out.append(piece(at, low))
        out.append(tag(f"span.{kind}", piece(low, high)))
        at = high
    out.append(piece(at, base + len(text)))
    if stretch["end"] < stretch["total"]:
        out.append(tag("span.cut", " …"))
    return "".join(out)
