"""What `strongroom verify` found the last time, on the Privacy screen; a button tries what the engine itself can."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from engine.verdict import GROUPS, Row, counts, from_json
from ui import link, look, protection
from ui.shown import count, escape, tag, with_code

_WORDS = {"held": "held", "not held": "not held", "unknown": "cannot be told here", "yours": "up to you"}
_COLOURS = {"held": "good", "not held": "bad", "unknown": "faint", "yours": "warn"}


def show(when: Callable[[float], str]) -> None:
    """Draw the section. `when` says a time, seconds since 1970, in words."""
    with st.container(horizontal=True, vertical_alignment="center", key="verify-head"):
        st.html(tag("h2.title.small", "Tried out"), width="content")
        st.space("stretch")
        if st.button(
            "Try it now",
            icon=":material/rule:",
            key="verify-now",
            help="Tries what can be tried inside the locked engine: some seconds, in which questions may wait.",
        ):
            with st.spinner("Trying the lock, the vault, the parts and the machine…"):
                link.call("verify", page=protection.own(check=True))
            link.rerun()
    reports = link.call("verify.last")["reports"]
    if reports:
        _report(reports[0], reports[1:], when)
    st.html(
        tag(
            "p.lead",
            "" if reports else "Nothing was tried on this vault yet. ",
            "In a terminal, ",
            tag("code", "strongroom verify"),
            " tries more: it makes a throwaway Strongroom, kills it, searches the disk for words that it was given,"
            " and tampers with copies. What it finds is shown here.",
        )
    )


def _report(report: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], when: Callable[[float], str]) -> None:
    """The newest report, and from earlier ones what it did not try."""
    rows = from_json(report["rows"])
    own = len(rows)
    for each in earlier:
        known = {row.id for row in rows}
        at = when(float(each["at"]))
        rows += [replace(row, found=f"{row.found} ({at})") for row in from_json(each["rows"]) if row.id not in known]
    found = counts(rows)
    pairs = [(str(found[result]), _WORDS[result]) for result in _WORDS]
    st.html(tag("div", look.facts(pairs), data_testid="verify-facts"))
    by = "strongroom verify, in a terminal" if report["by"] == "command" else "this page, in the engine"
    words = f"{when(float(report['at']))}, by {by}, in {float(report['seconds']):.0f} seconds"
    if len(rows) > own:
        words += f": {count(own, 'row')}; {len(rows) - own} more were tried earlier, and say when"
    st.html(tag("p.after", escape(words)))
    if found["not held"]:
        look.notice("bad", f"{count(found['not held'], 'promise')} not held here", "SECURITY.md says how to report it")
    st.html(tag("div.verified", *(_group(group, [each for each in rows if each.group == group]) for group in GROUPS)))


def _group(name: str, rows: Sequence[Row]) -> str:
    return tag("section", tag("h3", escape(name)), *map(_row, rows), data_testid="verify-group") if rows else ""


def _row(row: Row) -> str:
    """A row, opened by itself where there is something to see."""
    facts = [("Tried", escape(row.tried)), ("Found", with_code(row.found[:1000]))]
    if row.command:
        facts.append(("See it yourself", tag("code", escape(row.command), tabindex="0") + escape(row.shows)))
    inside = tag("dl.outside", *(tag("dt", escape(name)) + tag("dd", html) for name, html in facts if html))
    verdict = tag(f"span.{_COLOURS[row.result]}", tag("i.dot"), " ", escape(_WORDS[row.result]))
    opened = {"open": ""} if row.result == "not held" else {}
    summary = tag("summary", tag("span", escape(row.claim)), verdict)
    return tag("details", summary, inside, data_testid=f"verify-{row.id}", **opened)
