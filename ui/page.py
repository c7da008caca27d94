"""The page's entry: what Streamlit runs for each session and after each click.

Which screen is shown follows from what the engine says: no vault yet, locked, or open. Nothing is decided here that the
engine does not check again.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import (
    appearance,
    link,
    look,
    page_ask,
    page_first_run,
    page_folders,
    page_library,
    page_privacy,
    page_purge,
    page_settings,
    page_unlock,
    page_vaults,
)
from ui.shown import count, left, tag
from vault.errors import StrongroomError

_REFRESH_S = 2
"""how often the status line asks; asking is no user action and does not keep the vault open"""

_WITHOUT_A_BAR = {"none": "First run", "gone": "One moment", "ending": "One moment", "locked": "Locked"}
"""what the browser's tab says while there is no vault open, by the engine's state"""


def main() -> None:
    """Draw the page."""
    screens = [
        st.Page(page_ask.show, title="Ask", url_path="ask", default=True),
        st.Page(page_library.show, title="Library", url_path="library"),
        st.Page(page_folders.show, title="Folders", url_path="folders"),
        st.Page(page_privacy.show, title="Privacy", url_path="privacy"),
        st.Page(page_settings.show, title="Settings", url_path="settings"),
    ]
    current = st.navigation(screens, position="hidden")
    status = link.status()
    screen = _screen(status)
    first_run = page_first_run.unfinished() or screen == "none"
    name = _WITHOUT_A_BAR["none"] if first_run else _WITHOUT_A_BAR.get(screen, current.title)
    st.set_page_config(page_title=f"{name} · Strongroom", layout="wide", initial_sidebar_state="collapsed")
    chosen = str(status.get("appearance") or st.session_state.get("appearance", "system"))
    st.session_state["appearance"] = chosen
    if appearance.dress(chosen):
        link.rerun()
    look.apply(chosen)
    try:
        if first_run:
            page_first_run.show()
        elif screen in ("gone", "ending"):
            page_unlock.gone(status)
        elif screen == "locked":
            page_unlock.show(status)
        else:
            _bar(screens, status)
            page_first_run.unconfirmed(status)
            current.run()
    except StrongroomError as error:
        look.failure(error)
    _follow(screen, status.get("purges"))


def _screen(status: Mapping[str, Any]) -> str:
    """What the engine's state calls for: gone, ending, none (no vault yet), locked or open."""
    return "locked" if link.is_locked(status) else str(status["state"])


@st.fragment(run_every=_REFRESH_S)
def _follow(shown: str, purges: int | None) -> None:
    """Look whether the screen that is shown is still the right one, and draw the page anew if not; so too where
    something was purged meanwhile, in another tab or a terminal, without what this session holds of answers.

    It is on every screen for another reason too: a browser whose page's process was ended and started anew, as
    locking does, asks for the page again only if something on it repeats itself.
    """
    status = link.status()
    due = _screen(status)
    if due == shown and status.get("purges") != purges:
        page_purge.forget()
        link.rerun()
    if due != shown and not page_first_run.unfinished():
        if "locking" not in st.session_state:
            link.forget()
        link.rerun()


def _bar(screens: list[Any], status: Mapping[str, Any]) -> None:
    with st.container(key="bar", horizontal=True, vertical_alignment="center"):
        st.html(tag("div.brand", look.MARK, "Strongroom"), width="content")
        for screen in screens:
            st.page_link(screen, width="content")
        st.space("stretch")
        _state()
        page_vaults.in_the_bar(status)
        if st.button(
            "Lock",
            key="lock-now",
            icon=":material/lock:",
            type="tertiary",
            help="Ends the engine, keys and all. Privacy has a lock that goes on reading your folders.",
        ):
            page_folders.lock()


@st.fragment(run_every=_REFRESH_S)
def _state() -> None:
    status = link.status()
    if _screen(status) != "open":
        return  # `_follow` takes care of that
    st.html(progress(status), width="content")


def progress(status: Mapping[str, Any]) -> str:
    """The status line: `1,204 of 3,000 files · 12 min left`, or how much there is to ask."""
    files = status["files"]
    total = sum(files.values())
    to_do = int(status.get("to_do") or 0)
    if to_do:
        words = f"{total - to_do:,} of {count(total, 'file')}"
        seconds = status.get("seconds_left")
        if isinstance(seconds, int | float):
            words += f" · {left(seconds)}"
    elif status.get("scanning"):
        words = "looking through the folders"
    else:
        words = f"{count(total, 'file')}, up to date" if total else "no files yet"
    colour = ".good" if total or to_do else ""
    working = ".working" if to_do or status.get("scanning") else ""
    return tag(f"div.state{colour}{working}", tag("i.dot"), tag("span.faint", words))


if __name__ == "__main__":
    main()
