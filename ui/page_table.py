"""A passage as rows of its table: under the header, the cited rows marked, their neighbours around them."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ui import link
from ui.shown import line, marked, tag

_ROWS = 5
"""shown above and below the cited ones at first"""
_MOST_ROWS = 60
_REACH = 9_000
"""characters around the passage in which rows are looked for"""
_BACK = 20_000
_STEPS = 5
"""how often `_BACK` is gone back for a sheet's name and header"""
_DELIMITERS = "\t;,|"
_MOST_COLUMNS = 24
_LONGEST_CELL = 300


@dataclass(frozen=True, slots=True)
class Table:
    """Rows around a passage, as cells."""

    name: str
    """of the sheet or the account, or empty"""
    header: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], bool], ...]
    """cells, and whether the passage stands there"""
    before: bool
    """whether there are more rows above"""
    after: bool


def possible(document: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether the passage, or a table opened at its beginning, is made of rows."""
    if state["end"] <= state["start"]:
        return bool(document["kind"] == "table")
    found = link.call("document.text", id=document["id"], start=state["start"], end=state["end"])
    return any(block["kind"] in ("row", "header") for block in found["blocks"])


def show(document: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Draw the rows around the passage of `state`; False if there are none."""
    around = int(state.get("around") or _ROWS)
    table = find(document["id"], state["start"], state["end"], around)
    if not table.rows:
        return False
    hit = state["sources"][state["at"]] if state["sources"] else {}
    words = [
        hit["quote"][low - hit["start"] : high - hit["start"]]
        for low, high in hit.get("marks") or ()
        if hit["start"] <= low < high
    ]
    st.html(html(table, words))
    if (table.before or table.after) and around < _MOST_ROWS:
        st.button(
            "Show more rows", key="rows", icon=":material/unfold_more:", type="tertiary", on_click=_more, args=(around,)
        )
    return True


def _more(around: int) -> None:
    st.session_state["opened"] |= {"around": min(_MOST_ROWS, around * 3)}


def find(document: str, start: int, end: int, around: int) -> Table:
    """The rows that the range touches and `around` rows on each side, of the same sheet."""
    stretch = link.call("document.text", id=document, start=max(0, start - _REACH), end=max(end, start) + _REACH)
    whole = [
        block for block in stretch["blocks"] if block["start"] >= stretch["start"] and block["end"] <= stretch["end"]
    ]
    cited = [n for n, block in enumerate(whole) if block["start"] < max(end, start + 1) and block["end"] > start]
    first = cited[0] if cited else 0
    last = cited[-1] if cited else 0
    low, high = first, last
    while low > 0 and whole[low - 1]["kind"] == "row" and first - low < around:
        low -= 1
    while high + 1 < len(whole) and whole[high + 1]["kind"] in ("row", "header") and high - last < around:
        high += 1
    shown = [n for n in range(low, high + 1) if whole[n]["kind"] == "row"]
    texts = {n: _text(stretch, whole[n]) for n in shown}
    name, header = _above(document, whole[low]["start"] if whole else 0)
    if whole and whole[low]["kind"] == "header":
        header = _text(stretch, whole[low])
    delimiter = _delimiter([*texts.values(), *([header] if header else [])])
    return Table(
        name,
        tuple(_cells(header, delimiter)) if header else (),
        tuple((tuple(_cells(texts[n], delimiter)), n in cited and end > start) for n in shown),
        before=low > 0 and whole[low - 1]["kind"] == "row",
        after=high + 1 < len(whole) and whole[high + 1]["kind"] == "row",
    )


def _above(document: str, at: int) -> tuple[str, str]:
    """The sheet's name and its header, found above `at`; either may be empty."""
    header, high = "", at
    for _ in range(_STEPS):
        low = max(0, high - _BACK)
        stretch = link.call("document.text", id=document, start=low, end=high)
        for block in reversed(stretch["blocks"]):
            if block["start"] < stretch["start"] or block["end"] > stretch["end"]:
                continue
            if block["kind"] == "header" and not header:
                header = _text(stretch, block)
            elif block["kind"] == "heading":
                return _text(stretch, block), header
        if not low:
            break
        high = low
    return "", header


def _text(stretch: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    base = stretch["start"]
    return str(stretch["text"][block["start"] - base : block["end"] - base])


def _delimiter(records: Sequence[str]) -> str:
    """What parts the cells: the sign that most records have equally often, tabs first."""
    best, found = 0, "\t"
    for delimiter in _DELIMITERS:
        widths = Counter(len(_cells(record, delimiter)) for record in records)
        widths.pop(1, None)
        agreeing = max(widths.values(), default=0)
        if agreeing > best:
            best, found = agreeing, delimiter
    return found


def _cells(record: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        return record.split("\t")
    try:
        return next(csv.reader([record.replace("\0", " ")], delimiter=delimiter), [])
    except csv.Error:
        return record.split(delimiter)


def html(table: Table, words: Sequence[str]) -> str:
    """The rows as an HTML table; `words` are marked in the cited ones."""
    width = min(_MOST_COLUMNS, max(map(len, [table.header, *(cells for cells, _ in table.rows)])))
    numeric = [all(_is_number(_at(cells, n)) for cells, _ in table.rows) for n in range(width)]
    head = [tag("th.number" if numeric[n] else "th", line(_at(table.header, n), 80), scope="col") for n in range(width)]
    body = []
    for cells, cited in table.rows:
        cut = [_at(cells, n)[:_LONGEST_CELL] for n in range(width)]
        inner = [
            tag("td.number" if numeric[n] else "td", marked(each, _places(each, words) if cited else ()), dir="auto")
            for n, each in enumerate(cut)
        ]
        body.append(tag("tr.cited", *inner, data_testid="cited-row") if cited else tag("tr", *inner))
    name = tag("caption", line(table.name, 120)) if table.name else ""
    dots = tag("tr.dots", tag("td", "⋯", colspan=str(width)))
    return tag(
        "div.grid",
        tag(
            "table",
            name,
            tag("thead", tag("tr", *head)) if table.header else "",
            tag("tbody", dots if table.before else "", *body, dots if table.after else ""),
        ),
        data_testid="passage-table",
    )


def _at(cells: Sequence[str], n: int) -> str:
    return cells[n] if n < len(cells) else ""


def _is_number(cell: str) -> bool:
    bare = cell.strip().strip("-+()€$£%").replace(",", "").replace(".", "").replace(" ", "")
    return not bare or bare.isdigit()


def _places(cell: str, words: Sequence[str]) -> list[tuple[int, int]]:
    found = []
    for word in words:
        at = cell.find(word.strip())
        if word.strip() and at >= 0:
            found.append((at, at + len(word.strip())))
    return found
