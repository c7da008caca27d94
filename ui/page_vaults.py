"""Several vaults: which one this is, and the way to another. A vault's name is its folder's name."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look
from ui.shown import line, tag
from vault.errors import StrongroomError

_NEW = "+ another vault…"
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
    chosen_key, name_key = f"{place}-vault-{len(others)}", f"{place}-new-vault"
    chosen = st.selectbox(
        "Vault",
        [*others, _NEW],
        key=chosen_key,
        help="Each has its own passphrase, folders and history. Opening another locks this one.",
    )
    if chosen == _NEW:
        st.text_input("Name of the new vault", key=name_key, placeholder="the client's name, say", autocomplete="off")
    st.html(tag("p.after", _READABLE))
    st.button(
        "Go there" if place == "door" else "Lock this one and go there",
        key=f"{place}-go",
        icon=":material/arrow_forward:",
        on_click=_go,
        args=(chosen_key, name_key),
    )
    if "vault-failed" in st.session_state:
        look.failure(st.session_state["vault-failed"])
    if "locking" in st.session_state:  # from inside a dialog, the page behind it is drawn anew too
        link.rerun()


def _go(chosen_key: str, name_key: str) -> None:
    """End this vault's engine; the next one is the other vault's, and the browser comes back at its door."""
    name = str(st.session_state.get(chosen_key) or "")
    if name == _NEW:
        name = str(st.session_state.get(name_key) or "")
    if not name.strip():
        st.session_state["vault-failed"] = StrongroomError(
            "the new vault has no name yet", "type one, the client's, say"
        )
        return
    try:
        link.aside("vaults.switch", name=name)
    except StrongroomError as error:
        from engine.client import EngineGoneError

        if not isinstance(error, EngineGoneError):  # it may be gone before it has answered
            st.session_state["vault-failed"] = error
            return
    link.forget()
    st.session_state["locking"] = True


def _known() -> dict[str, Any]:
    try:
        found: dict[str, Any] = link.call("vaults")
    except StrongroomError:  # the engine is ending
        found = {"current": "", "rows": []}
    return found
