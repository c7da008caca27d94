"""Where a question looks: its filters as chips, to take back, change or add."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from ui import link, look
from ui.named import KINDS
from ui.shown import date, escape, line, neutral, tag

NAMES = {"kind": "kind", "from": "from", "after": "since", "before": "before", "folder": "folder", "path": "path"}
"""what a chip calls a filter"""

Filters = dict[str, Any]


def chips(filters: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each filter that holds, as name, value and what to show for the value."""
    found: list[tuple[str, str, str]] = []
    for name in NAMES:
        given = filters.get(name)
        values = [given] if isinstance(given, str) else given or ()
        found += [(name, str(value), _shown(name, str(value))) for value in values]
    return found


def _shown(name: str, value: str) -> str:
    if name == "kind":
        return KINDS.get(value, value)
    return date(value) if name in ("after", "before") else value


def without(filters: Mapping[str, Any], name: str, value: str) -> Filters:
    """The filters less one value."""
    kept: Filters = {}
    for key, given in filters.items():
        values = [each for each in ([given] if isinstance(given, str) else given or ()) if (key, each) != (name, value)]
        if values:
            kept[key] = values if key not in ("after", "before") else values[0]
    return kept


def with_(filters: Mapping[str, Any], name: str, value: str) -> Filters:
    """The filters and one value more."""
    changed = without(filters, name, value)
    changed[name] = value if name in ("after", "before") else [*changed.get(name, ()), value]
    return changed


def row(
    key: str, filters: Mapping[str, Any], read: Sequence[Mapping[str, Any]], on_choose: Callable[[Filters], None]
) -> None:
    """Draw the chips of `filters`, those of `read` that could be added, and the button for more.

    `on_choose` is told the filters that are wanted instead. `key` tells rows apart.
    """
    with st.container(key=f"chips-{key}", horizontal=True, vertical_alignment="center"):
        held = chips(filters)
        for n, (name, value, shown) in enumerate(held):
            html = tag(
                "div.chip",
                tag("span.faint", NAMES[name]),
                tag("b", line(shown, 40), dir="auto"),
                tag("i.x", "×", aria_hidden="true"),
                data_testid="chip",
            )
            fewer = (without(filters, name, value),)
            look.pick(f"chip-{key}-{n}", html, "Remove filter", n + 1, on_click=on_choose, args=fewer)
        for n, each in enumerate(offered(filters, read)):
            words = _shown(each["filter"], str(each["value"]))
            html = tag(
                "div.chip.offered",
                tag("span.faint", f"only {NAMES[each['filter']]}"),
                tag("b", line(words, 40), dir="auto"),
                data_testid="offered",
            )
            more = (with_(filters, each["filter"], str(each["value"])),)
            look.pick(f"offer-{key}-{n}", html, "Add filter", n + 1, on_click=on_choose, args=more)
        if st.button(
            "Change filters" if held else "Filter", key=f"narrow-{key}", icon=":material/tune:", type="tertiary"
        ):
            _narrow(key, filters, on_choose)


def offered(filters: Mapping[str, Any], read: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What of `read` was taken for a filter but does not hold."""
    held = {(name, value) for name, value, _ in chips(filters)}
    return [
        each
        for each in read
        if not each.get("applied") and each.get("filter") in NAMES and (each["filter"], str(each["value"])) not in held
    ][:3]


@st.dialog("Where to look", icon=":material/tune:")
def _narrow(key: str, filters: Mapping[str, Any], on_choose: Callable[[Filters], None]) -> None:
    """Change all filters at once."""
    held: dict[str, list[str]] = {}
    for name, value, _ in chips(filters):
        held.setdefault(name, []).append(value)
    with st.form(f"narrow-form-{key}", border=False):
        kinds = st.multiselect(
            "Kind", list(KINDS), [each for each in held.get("kind", ()) if each in KINDS], format_func=KINDS.__getitem__
        )
        person = st.text_input(
            "From (part of a name or an address)", ", ".join(held.get("from", ())), autocomplete="off"
        )
        with st.container(horizontal=True):
            after = st.date_input("Since", _day(held.get("after")), format="YYYY-MM-DD", min_value=dt.date(1970, 1, 1))
            before = st.date_input(
                "Before", _day(held.get("before")), format="YYYY-MM-DD", min_value=dt.date(1970, 1, 1)
            )
        folder = st.text_input(
            "Folder or file (part of its path)",
            ", ".join([*held.get("folder", ()), *held.get("path", ())]),
            autocomplete="off",
        )
        st.html(_folders())
        go = st.form_submit_button("Use these", type="primary", icon=":material/check:")
    if go:
        folders = set(held.get("folder", ()))
        parts = _parts(folder)
        made: Filters = {
            "kind": kinds,
            "from": _parts(person),
            "after": str(after) if after else None,
            "before": str(before) if before else None,
            "folder": [each for each in parts if each in folders],
            "path": [each for each in parts if each not in folders],
        }
        on_choose({name: value for name, value in made.items() if value})
        st.rerun()


def _folders() -> str:
    names = [str(each["path"]) for each in link.status().get("folders") or ()][:6]
    shown = " · ".join(tag("bdi", line(neutral(each), 60)) for each in names)
    return tag("div.after", f"{escape('watched')}: {shown}") if names else ""


def _parts(typed: str) -> list[str]:
    return [each.strip() for each in typed.split(",") if each.strip()]


def _day(values: Sequence[str] | None) -> dt.date | None:
    with suppress(ValueError):
        return dt.date.fromisoformat(values[0]) if values else None
    return None
