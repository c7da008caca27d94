"""Folders: what is read, how far it is, what failed and why; and when Strongroom locks itself."""

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look
from ui.page_library import STATES
from ui.shown import count, left, line, size, tag
from vault.errors import StrongroomError

_MINUTES = {"5 minutes": 5, "10 minutes": 10, "30 minutes": 30, "1 hour": 60, "4 hours": 240, "never": 0}
_FAILED = 10


def show() -> None:
    """Draw the screen."""
    look.title("Folders", "Read and kept up to date. Strongroom never writes there.")
    _progress()
    status = link.status()
    if status["state"] != "open":
        return
    for folder in status["folders"]:
        _folder(folder)
    _add()
    _failed(status)
    st.divider()
    _locking(status)


@st.fragment(run_every=2)
def _progress() -> None:
    status = link.status()
    if status["state"] != "open" or link.is_locked(status):
        return  # the page follows by itself
    files: Mapping[str, int] = status["files"]
    total, to_do = sum(files.values()), int(status.get("to_do") or 0)
    failed = files.get("failed", 0)
    pairs = [
        (f"{total - to_do:,}", f"of {count(total, 'file')} read"),
        (f"{int(status.get('documents') or 0):,}", "documents"),
        (f"{int(status.get('chunks') or 0):,}", "passages"),
    ]
    if failed:
        pairs.append((f"{failed:,}", "could not be read"))
    if status.get("free_bytes"):
        pairs.append((size(int(status["free_bytes"])), "free on the disk"))
    html = look.facts(pairs)
    if to_do:
        share = 100 * (total - to_do) / max(total, 1)
        words = [f"{status['rate_files_s']:.1f} files a second"] if status.get("rate_files_s") else []
        words += [left(status["seconds_left"])] if status.get("seconds_left") is not None else []
        words += [line(name, 60) for name in list(status.get("current") or ())[:2]]
        html += tag("div.bar", tag("i", style=f"width:{share:.1f}%")) + tag("div.after", " · ".join(words))
    st.html(html)
    if status.get("embedding_paused"):
        look.notice(
            "warn",
            status.get("reason")
            or "on battery: files are found by their words now, by their meaning once there is power",
        )


def _folder(folder: Mapping[str, Any]) -> None:
    colour, words = {
        "watched": ("good", "watched"),
        "polled": ("good", "looked at every minute"),
        "missing": ("warn", "not there"),
    }.get(folder["state"], ("faint", str(folder["state"])))
    if folder["paused"]:
        colour, words = "warn", "paused"
    state = tag(f"span.{colour}", tag("i.dot"), " ", line(words))
    holds = count(int(folder.get("files") or 0), "file")
    with st.container(key=f"folder-{folder['id']}", border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            tag(
                "div.folder",
                tag("b", tag("bdi", line(folder["path"], 400))),
                tag("div.state", state, tag("span", holds)),
                tag("div.meta", line(folder["reason"], 300)) if folder.get("reason") else "",
                data_testid="folder",
            )
        )
        paused = bool(folder["paused"])
        # One button with one key: were they two that take turns, a click while they change places would reach neither.
        icon = ":material/play_arrow:" if paused else ":material/pause:"
        if st.button("Resume" if paused else "Pause", key=f"pause-{folder['id']}", icon=icon, type="tertiary"):
            _do("folders.resume" if paused else "folders.pause", folder)
        if st.button("Remove", key=f"remove-{folder['id']}", icon=":material/delete:", type="tertiary"):
            _remove(folder)


@st.dialog("Remove this folder?")
def _remove(folder: Mapping[str, Any]) -> None:
    st.html(
        f"<p><b><bdi>{line(folder['path'], 400)}</bdi></b></p><p>Strongroom stops reading it. What it read from its "
        f"{count(int(folder.get('files') or 0), 'file')} leaves the vault. The files themselves stay as they are.</p>"
    )
    keep = st.checkbox("Keep what was read so far", key="keep-read")
    with st.container(horizontal=True):
        if st.button("Remove", type="primary", key="remove-now"):
            _do("folders.remove", folder, keep=keep)
        if st.button("Keep it", type="tertiary", key="keep-folder"):
            st.rerun()


def _do(method: str, folder: Mapping[str, Any], **more: Any) -> None:
    try:
        link.call(method, path=folder["path"], **more)
    except StrongroomError as error:
        look.failure(error)
        return
    link.rerun()


def _add() -> None:
    with st.form("add", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input("Add a folder", key="new-folder", placeholder="/home/you/Documents", autocomplete="off")
        go = st.form_submit_button("Add", icon=":material/add:", type="primary")
    if go:
        try:
            link.call("folders.add", path=path)
        except StrongroomError as error:
            look.failure(error)
            return
        del st.session_state["new-folder"]
        link.rerun()


def _failed(status: Mapping[str, Any]) -> None:
    number = status["files"].get("failed", 0)
    if not number:
        return
    with st.expander("What could not be read, and why", icon=":material/error:"):
        for row in link.call("files", state="failed", limit=_FAILED)["rows"]:
            name = str(row["path"]).rpartition("/")[2]
            st.html(
                tag(
                    "div.row",
                    tag("div.name", tag("bdi", line(name))),
                    tag("div.right.bad", STATES["failed"][1]),
                    tag("div.why.faint", line(row["reason"], 300)),
                )
            )
        if number > _FAILED:
            st.html(tag("p.after", f"and {number - _FAILED:,} more: see the Library, state “Failed”"))


def _locking(status: Mapping[str, Any]) -> None:
    st.html(tag("h2.title.small", "Locking"))
    minutes = status.get("auto_lock_minutes") or 0
    names = list(_MINUTES)
    now = next((name for name, value in _MINUTES.items() if value == minutes), None)
    chosen = st.selectbox(
        "Ask for the passphrase again after",
        names,
        index=names.index(now) if now else None,
        # The key holds what is set: set elsewhere, the widget shows that, and does not set it back.
        key=f"minutes-{minutes:g}",
        width=240,
        placeholder=f"{minutes:g} minutes",
    )
    if chosen is not None and _MINUTES[chosen] != minutes:
        link.call("settings.set", key="auto_lock_minutes", value=_MINUTES[chosen])
        link.rerun()
    ends = bool(status.get("lock_ends_engine"))
    choice = st.radio(
        "When it locks by itself",
        ["watch", "end"],
        index=int(ends),
        key=f"lock-mode-{ends}",
        format_func={"watch": "Go on watching the folders", "end": "End the engine too"}.get,
        captions=[
            "New and changed files are read meanwhile. The page shows nothing; the keys stay in the engine's memory.",
            "Nothing is read, and the keys leave the memory with the process. Unlocking catches up with what changed.",
        ],
    )
    if (choice == "end") != ends:
        link.call("settings.set", key="lock_ends_engine", value=choice == "end")
        link.rerun()
    if st.button("Lock now", key="lock-here", icon=":material/lock:"):
        lock()
    st.html(tag("p.after", "Locking by hand always ends the engine: no key stays in memory."))


def lock() -> None:
    """Lock at once, as the user wished: the engine ends, and its memory with it. The page's process follows."""
    with contextlib.suppress(StrongroomError):  # it may be gone before it has answered
        link.call("lock", mode="all")
    link.forget()
    st.session_state["locking"] = True
    link.rerun()
