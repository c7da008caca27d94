"""A passage in its document's own text: the heading it stands under, what is around it, and the passage marked."""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link
from ui.shown import line, marked, tag

_BEFORE, _AFTER = 320, 1_500
"""characters of context around a passage: it is seen at once, without scrolling"""
_OPENING = 3_000
_MORE = 4_000
_MOST = 20_000

_SET_APART = {"heading", "fields", "quote", "signature", "row", "header", "hidden"}
_HIDDEN = "hidden in the document"


def around(start: int, end: int) -> dict[str, int]:
    """The stretch that is shown first of a passage."""
    return {"from": max(0, start - _BEFORE), "to": end + _AFTER}


def opening() -> dict[str, int]:
    """The stretch that is shown first of a document."""
    return {"from": 0, "to": _OPENING}


def _look_at(low: int, high: int) -> None:
    st.session_state["opened"] |= {"from": low, "to": high}


def show(state: Mapping[str, Any]) -> None:
    """Draw the text around the passage of `state`."""
    stretch = link.call("document.text", id=state["document"], start=state["from"], end=state["to"])
    stretch = from_a_beginning(_without_fields(stretch, state), state["start"])
    if stretch["cut"]:
        if path := headings(state["document"], stretch["start"]):
            st.html(tag("div.path", *(tag("span", line(each, 120), dir="auto") for each in path)))
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


def headings(document: str, at: int) -> list[str]:
    """The headings that the text at `at` stands under, outermost first, as far as they are within reach."""
    before = link.call("document.text", id=document, start=max(0, at - _MOST), end=at)
    path: list[tuple[int, str]] = []
    for block in before["blocks"]:
        if block["kind"] == "heading" and block["end"] <= before["end"] and block["start"] >= before["start"]:
            level = block.get("level") or 1
            words = before["text"][block["start"] - before["start"] : block["end"] - before["start"]]
            path = [each for each in path if each[0] < level] + [(level, words)]
    return [words for _, words in path]


def _without_fields(stretch: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The stretch without a mail's own header lines, which stand above it already, unless they are what is cited."""
    stretch = {**stretch, "cut": stretch["start"] > 0}
    first = stretch["blocks"][0] if stretch["blocks"] else {"kind": ""}
    if first["kind"] != "fields" or (state["end"] and state["start"] < first["end"]):
        return stretch
    rest = stretch["text"][first["end"] - stretch["start"] :].lstrip()
    start = stretch["start"] + len(stretch["text"]) - len(rest)
    return {**stretch, "text": rest, "start": start, "blocks": stretch["blocks"][1:], "cut": False}


def from_a_beginning(stretch: dict[str, Any], start: int) -> dict[str, Any]:
    """The stretch from where a block or a word begins, but with all of the passage at `start`."""
    if not stretch["cut"]:
        return stretch
    base, text = stretch["start"], stretch["text"]
    blocks = [block["start"] for block in stretch["blocks"] if base <= block["start"] <= start]
    words = [base + found.end() for found in re.finditer(r"\s+", text[:_BEFORE]) if base + found.end() <= start]
    first = blocks[0] if blocks and blocks[0] - base < _BEFORE // 2 else words[0] if words else base
    return {**stretch, "text": text[first - base :], "start": first}


def reading(stretch: Mapping[str, Any], start: int, end: int) -> str:
    """A stretch of a document as HTML: headings, quoted and header parts set apart, what the document hides from its
    reader's eyes named as that, page breaks drawn, and `start` to `end` marked. Offsets are those of the document's
    text; every character of the stretch appears, escaped.
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
        kind = block["kind"] if block["kind"] in _SET_APART else "plain"
        out.append(piece(at, low))
        said = tag("span.told", _HIDDEN) if kind == "hidden" else ""
        more = {"data_testid": "hidden-text"} if said else {}
        out.append(tag(f"span.{kind}", said, piece(low, high), **more))
        at = high
    out.append(piece(at, base + len(text)))
    if stretch["end"] < stretch["total"]:
        out.append(tag("span.cut", " …"))
    return "".join(out)
