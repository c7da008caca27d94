"""The page's line to the engine: one client for all sessions, and what to do when the engine says that it is locked."""

from typing import Any, Protocol

from vault.errors import LockedError, StrongroomError


class Caller(Protocol):
    """The engine's client over a socket, or the engine in the same process."""

    def call(self, method: str, **params: Any) -> Any:
        """The result of `method`; raises StrongroomError."""


_line: list[Caller] = []


def connect(engine: Caller) -> None:
    """Use `engine` from now on; called once, before the first session."""
    _line[:] = [engine]


def call(method: str, **params: Any) -> Any:
    """Ask the engine. If it is locked, forget what the session has and show the lock instead: does not return then."""
    try:
        return _line[0].call(method, **params)
    except StrongroomError as error:
        if getattr(error, "code", 0) != LockedError.code:
            raise
    forget()
    rerun()


def status() -> dict[str, Any]:
    """The engine's state. The one call that is no user action, so it may be repeated by itself."""
    found: dict[str, Any] = _line[0].call("status")
    return found


def forget() -> None:
    """Drop everything that this session holds: questions, answers, passages, what was typed."""
    import streamlit as st

    for key in list(st.session_state):
        del st.session_state[key]


def rerun() -> None:
    """Draw the whole page anew, also from inside a fragment."""
    import streamlit as st

    st.rerun(scope="app")
