"""Settings, how near passages are found: exact search or Chroma; a server is named in a terminal only."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import streamlit as st

from ui import link, look, page_settings
from ui.shown import count, tag, with_code

_REFRESH_S = 2
_NAMES = {"exact": "Exact search", "chroma": "Chroma, in memory"}
_EACH = (
    "Exact search compares all of them and misses none. Chroma needs more memory, takes minutes to fill and misses "
    "some; with 100,000 passages it is still the slower one."
)
_TO_GET = "Exact search compares all of them and misses none. Chroma can be added: `make install EXTRAS=chroma`."
_SERVER = (
    "A Chroma server that you run is named in a terminal: `strongroom vectors server ADDRESS`. Vectors then leave this "
    "machine, so it asks whether you understand; nothing on this page can do it."
)


def show() -> None:
    """Draw the section."""
    found = link.call("vectors")
    page_settings.head("How near passages are found", "By comparing vectors: the meaning of your question and theirs.")
    if found["chosen"] == "server":
        look.notice(
            "warn",
            f"vectors go to the Chroma server at {found['address'] or '(no address)'}, as you chose in a terminal",
            "`strongroom vectors exact` deletes them there and ends that",
        )
    elif find_spec("chromadb") is None and found["chosen"] == "exact":
        _why(_TO_GET)
    else:
        _choice(found["chosen"])
    if found["chosen"] != "exact":
        _filling(found["serving"])
    if found["chosen"] != "server":
        _why(_SERVER)


def _choice(now: str) -> None:
    key = f"set-index-{now}"
    st.radio(
        "Index",
        list(_NAMES),
        index=list(_NAMES).index(now),
        format_func=lambda kind: _NAMES[kind],
        key=key,
        horizontal=True,
        on_change=_changed,
        args=(key, now),
    )
    _why(_EACH)
    page_settings.wrong("vector_index")


@st.fragment(run_every=_REFRESH_S)
def _filling(drawn: str) -> None:
    """What the other index has, and why it is not asked where exact search stands in for it."""
    found = link.call("vectors")
    if found["chosen"] == "exact" or found["serving"] != drawn:
        link.rerun()
    has = f"{found['there']:,} of {count(found['vectors'], 'vector')}"
    if found["serving"] == found["chosen"]:
        _why(f"It answers, and has {has}.{_lost(found)}")
        return
    # In memory there is nothing to be out of reach: that it is not full yet is no reason for worry.
    kind = "faint" if found["chosen"] == "chroma" and found["to_add"] else "warn"
    look.notice(kind, f"exact search stands in: {found['why']}", found["hint"])
    _why(has)
    st.progress(min(1.0, found["there"] / max(1, found["vectors"])))


def _lost(found: Mapping[str, Any]) -> str:
    return f" It had lost {found['lost']:,}, which were put there again." if found["lost"] else ""


def _why(words: str) -> None:
    """A line on what is chosen, with commands set as such."""
    st.html(tag("p.why", with_code(words)))


def _changed(widget: str, was: str) -> None:
    page_settings.keep(
        "vector_index",
        widget,
        was,
        same=lambda: bool(link.aside("vectors")["chosen"] == was),
        use=lambda kind: link.aside("vectors.use", kind=kind),
    )
