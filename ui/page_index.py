"""Settings, how near passages are found: exact search or Chroma; a server is named in a terminal only."""

import streamlit as st

from ui import link, look, page_settings
from ui.shown import count
from vault.errors import StrongroomError

_NAMES = {"exact": "Exact search", "chroma": "Chroma, in memory"}
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
            f"Vectors go to the Chroma server at {found['address'] or '(no address)'}, as you chose in a terminal",
            "`strongroom vectors exact` deletes them there and ends that",
        )
    else:
        key = f"set-index-{found['chosen']}"
        st.radio(
            "Index",
            list(_NAMES),
            index=list(_NAMES).index(found["chosen"]),
            format_func=lambda kind: _NAMES[kind],
            key=key,
            horizontal=True,
            on_change=_changed,
            args=(key,),
        )
        page_settings.why(
            "Exact search compares all of them and misses none. Chroma needs its extra, more memory and minutes to "
            "fill, and is of use beyond some hundred thousand passages."
        )
        page_settings.wrong("vector_index")
    if found["serving"] != found["chosen"]:
        there = f"{count(found['there'], 'vector')} of {found['vectors']:,} there"
        look.notice("warn", f"exact search stands in: {found['why']}", f"{there}. {found['hint']}".strip())
    page_settings.why(_SERVER)


def _changed(widget: str) -> None:
    st.session_state.pop("wrong-vector_index", None)
    try:
        link.aside("vectors.use", kind=st.session_state[widget])
    except StrongroomError as error:
        st.session_state["wrong-vector_index"] = error
