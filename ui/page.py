"""The page's entry: what Streamlit runs for each session and after each click.

Which screen is shown follows from what the engine says: no vault yet, locked, or open. Nothing is decided here that the
engine does not check again.
"""

from typing import Any

import streamlit as st

from ui import link, look, page_ask, page_first_run, page_folders, page_library, page_unlock
from ui.shown import count, left, tag
from vault.errors import StrongroomError

_REFRESH_S = 2
"""how often the status line asks; asking is no user action and does not keep the vault open"""


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Strongroom", layout="wide", initial_sidebar_state="collapsed")
    look.apply()
    ask = st.Page(page_ask.show, title="Ask", url_path="ask", default=True)
    library = st.Page(page_library.show, title="Library", url_path="library")
    folders = st.Page(page_folders.show, title="Folders", url_path="folders")
    current = st.navigation([ask, library, folders], position="hidden")
    try:
        status = link.status()
        if status["state"] == "none" or (page_first_run.unfinished() and not link.is_locked(status)):
            page_first_run.show()
            return
        if link.is_locked(status):
            page_unlock.show(status)
            return
        _bar([ask, library, folders])
        current.run()
    except StrongroomError as error:
        look.failure(error)


def _bar(screens: list[Any]) -> None:
    with st.container(key="bar", horizontal=True, vertical_alignment="center"):
        st.html(tag("div.brand", look.MARK, "Strongroom"), width="content")
        for screen in screens:
            st.page_link(screen, width="content")
        st.space("stretch")
        _state()
        if st.button(
            "Lock",
            key="lock-now",
            icon=":material/lock:",
            type="tertiary",
            help="Ask for the passphrase again",
        ):
            page_folders.lock()


@st.fragment(run_every=_REFRESH_S)
def _state() -> None:
    try:
        status = link.status()
    except StrongroomError:
        # Nothing stays on the screen that the engine would not show now; the whole page says what is wrong.
        status = {"state": "none"}
    if status["state"] == "none" or link.is_locked(status):
        link.forget()
        link.rerun()
    st.html(progress(status), width="content")


def progress(status: dict[str, object]) -> str:
    """The status line: `1,204 of 3,000 files · 12 min left`, or how much there is to ask."""
    files = status["files"]
    assert isinstance(files, dict)
    total = sum(files.values())
    to_do = int(str(status.get("to_do") or 0))
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
