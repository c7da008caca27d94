"""Purging a document from the page: what would go, a deliberate yes, and the receipt."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look
from ui.shown import count, escape, line
from vault.errors import StrongroomError

_NAMES = {
    "documents": "documents",
    "chunks": "passages",
    "vectors": "vectors",
    "turns": "questions and answers",
    "locations": "places",
}


@st.dialog("Purge for good?", icon=":material/delete_forever:")
def ask_first(document: Mapping[str, Any]) -> None:
    """Say what would go and purge after an explicit yes."""
    from ui.page_passage import title

    try:
        preview = link.call("purge.preview", id=document["id"])
    except StrongroomError as error:
        look.failure(error)
        return
    st.html(
        f'<p><b>{line(title(document))}</b> is removed from the vault: its text, its entries in both indexes, and the questions '
        "and answers that quote it. The file on your disk stays, and is not read again unless you allow it.</p>"
        + figures(preview)
    )
    sure = st.checkbox("Yes, remove it from the vault for good", key="sure")
    with st.container(horizontal=True):
        if st.button("Purge", type="primary", disabled=not sure, key="purge-now"):
            _purge(document)
        if st.button("Keep it", type="tertiary", key="keep"):
            st.rerun()


def _purge(document: Mapping[str, Any]) -> None:
    try:
        with st.spinner("Removing, and reading back…"):
            receipt = link.call("purge", documents=[document["id"]], confirm=True)
    except StrongroomError as error:
        look.failure(error)
        return
    # Answers that quote the document are gone from the vault; what the page still holds of them goes too.
    for key in ("opened", "turns", "conversation"):
        st.session_state.pop(key, None)
    st.session_state["receipt"] = receipt
    link.rerun()


def receipt() -> None:
    """Show the last receipt until it is put away."""
    found = st.session_state.get("receipt")
    if found is None:
        return
    with st.container(key="receipt", border=True):
        st.html('<p class="good"><b>Purged, and read back to make sure.</b></p>' + figures(found))
        if st.button("Put away", type="tertiary", key="put-away"):
            del st.session_state["receipt"]
            st.rerun()


def figures(found: Mapping[str, Any]) -> str:
    """The counts of a preview or receipt as HTML; each other entry on a line of its own."""
    counted = [(key, value) for key, value in found.items() if isinstance(value, int) and not isinstance(value, bool) and key in _NAMES]
    told = [count(value, _NAMES[key].removesuffix("s"), _NAMES[key]) for key, value in counted]
    return f'<p class="after">{escape(" · ".join(told))}</p>' if told else ""
