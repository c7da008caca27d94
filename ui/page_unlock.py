"""The lock: asks for the passphrase."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_vaults
from ui.shown import tag
from vault.errors import DamagedVaultError, StrongroomError

_WHY = {
    "idle": "It locked itself because nobody used it for a while. It goes on watching your folders.",
    "sleep": "It locked itself because the machine was asleep. It goes on watching your folders.",
    "hand": "It asks for the passphrase again. It goes on watching your folders.",
    "": "Your index, questions and answers are encrypted until you open it.",
}


def show(status: dict[str, Any]) -> None:
    """Ask for the passphrase and open the vault with it. What the session held before is dropped first."""
    if not st.session_state.get("at_the_door"):
        link.forget()
        st.session_state["at_the_door"] = True
    with st.container(key="door"):
        st.html(tag("div.door", look.MARK))
        look.title(
            "Strongroom is locked",
            _WHY.get(str(status.get("locked_by")), _WHY[""]),
        )
        page_vaults.name_at_the_door()
        with st.form("unlock", border=False):
            passphrase = st.text_input(
                "Passphrase or recovery code",
                type="password",
                autocomplete="off",
                key="passphrase",
                placeholder="Passphrase",
            )
            older = st.session_state.get("older", False) and st.checkbox(
                "Open it although it is older than it should be"
            )
            if st.form_submit_button("Unlock", type="primary", width="stretch"):
                _unlock(passphrase, accept_older=older)
        page_vaults.at_the_door()


def gone(status: Mapping[str, Any]) -> None:
    """What stands here while there is no engine: until locking has put new processes in the place of the old ones."""
    with st.container(key="door"):
        st.html(tag("div.door", look.MARK))
        if "locking" in st.session_state or status["state"] == "ending":
            look.title("Locking…", "The processes that held your papers and keys are ending.")
        else:
            look.notice("bad", status["message"], status["hint"])


def _unlock(passphrase: str, *, accept_older: bool) -> None:
    if not passphrase:
        look.notice("warn", "type the passphrase first")
        return
    try:
        with st.spinner("Opening…"):
            link.call("unlock", passphrase=passphrase, accept_older=accept_older)
    except StrongroomError as error:
        look.failure(error)
        # What is older than its anchor may be opened all the same, but only by somebody who has read that it is.
        if getattr(error, "code", 0) == DamagedVaultError.code and not accept_older:
            st.session_state["older"] = True
            look.notice("warn", "if you know why it is older, press Unlock once more, tick the box, and unlock")
        return
    link.forget()
    link.rerun()
