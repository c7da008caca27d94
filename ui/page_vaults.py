"""Several vaults: which one this is, and the way to another. A vault's name is its folder's name."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look
from ui.shown import line, tag
from vault.errors import StrongroomError

_NEW = "＋ another vault…"
_READABLE = "The names are folder names: whoever can read this disk can read them, without a passphrase."


def in_the_bar(status: Mapping[str, Any]) -> None:
    """In the bar, once there are several: which vault is open, and the way to another."""
    found = _known()
    if len(found["rows"]) < 2:
        return
    del status
    st.html(tag("span.state.vault", tag("bdi", line(found["current"], 24))), width="content")
    if st.button("Vaults", key="open-vaults", icon=":material/unfold_more:", type="tertiary", help="Another vault"):
        _dialog()


@st.dialog("Vaults")
def _dialog() -> None:
    chooser("dialog")


def name_at_the_door() -> None:
    """Above the passphrase: which vault it opens, where there are several."""
    found = _known()
    if len(found["rows"]) > 1:
        st.html(tag("p.which", tag("bdi", line(found["current"]))))


def at_the_door() -> None:
    """Below the passphrase: the way to another vault, folded away."""
    with st.expander("Another vault", icon=":material/unfold_more:"):
        chooser("door")


def chooser(place: str) -> None:
    """Choose another vault or begin one. `place` keeps the widgets of two choosers apart."""
    found = _known()
    others = [each["name"] for each in found["rows"] if each["name"] != found["current"]]
    # The key holds the list: made elsewhere meanwhile, a vault is in it.
    chosen = st.selectbox(
        "Vault",
        [*others, _NEW],
        key=f"{place}-vault-{len(others)}",
        help="Each has its own passphrase, folders and history. Opening another locks this one.",
    )
    name = chosen
    if chosen == _NEW:
        name = st.text_input(
            "Name of the new vault", key=f"{place}-new-vault", placeholder="the client's name, say", autocomplete="off"
        )
    st.html(tag("p.after", _READABLE))
    at_door = place == "door"
    if st.button(
        "Go there" if at_door else "Lock this one and go there", key=f"{place}-go", icon=":material/arrow_forward:"
    ):
        go(name or "")


def go(name: str) -> None:
    """End this vault's engine; the next one is the other vault's, and the browser comes back at its door."""
    if not name.strip():
        look.notice("warn", "type a name for the vault first")
        return
    try:
        link.call("vaults.switch", name=name)
    except StrongroomError as error:
        from engine.client import EngineGoneError

        if not isinstance(error, EngineGoneError):  # it may be gone before it has answered
            look.failure(error)
            return
    link.forget()
    st.session_state["locking"] = True
    link.rerun()


def _known() -> dict[str, Any]:
    try:
        found: dict[str, Any] = link.call("vaults")
    except StrongroomError:  # the engine is ending
        found = {"current": "", "rows": []}
    return found
