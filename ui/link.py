"""The page's line to the engine: one client for all sessions, and what to do when the engine says that it is locked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from vault.errors import LockedError, StrongroomError

if TYPE_CHECKING:
    from engine.client import Client, LocalClient, OnNotify

_line: list["Client | LocalClient"] = []


def connect(engine: "Client | LocalClient") -> None:
    """Use `engine` from now on; called once, before the first session."""
    _line[:] = [engine]


def call(method: str, *, on_notify: "OnNotify | None" = None, **params: Any) -> Any:
    """Ask the engine. If it is locked, forget what the session has and show the lock instead: does not return then.

    `on_notify` hears of progress, in this thread.
    """
    try:
        return aside(method, on_notify=on_notify, **params)
    except StrongroomError as error:
        if not locked_out(error):
            raise
    forget()
    return rerun()


def aside(method: str, *, on_notify: "OnNotify | None" = None, **params: Any) -> Any:
    """Ask the engine from a thread that is no session's: whatever goes wrong, being locked too, is raised."""
    return _line[0].call(method, on_notify=on_notify, **params)


def locked_out(error: StrongroomError) -> bool:
    """Whether the engine refused because it is locked."""
    return bool(getattr(error, "code", 0) == LockedError.code)


def status() -> dict[str, Any]:
    """The engine's state. The one call that is no user action, so it may be repeated by itself.

    Its `state` is none, locked, open or ending, as the engine says, or gone if there is no engine, with `message` and
    `hint`.
    """
    try:
        found: dict[str, Any] = _line[0].call("status")
    except StrongroomError as error:
        return {"state": "gone", "message": error.message, "hint": error.hint}
    return found


def is_locked(status: Mapping[str, Any]) -> bool:
    """Whether the passphrase has to be given: the vault is closed, or open and out of its user's sight."""
    return bool(status["state"] == "locked" or status.get("idle_locked"))


def forget() -> None:
    """Drop everything that this session holds: questions, answers, passages, what was typed."""
    import streamlit as st

    for key in list(st.session_state):
        del st.session_state[key]


def rerun() -> NoReturn:
    """Draw the whole page anew, also from inside a fragment. For what a click changes, `on_click` is better: it needs
    no second run, during which a click on something else could be lost."""
    import streamlit as st

    st.rerun(scope="app")
    raise AssertionError("st.rerun does not return")
