"""Folders: what is read, how far it is, what is being read now; choosing, pausing, moving and removing a folder."""

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look
from ui.shown import count, escape, left, line, size, tag
from vault.errors import StrongroomError

_FREE_FLOOR = 2_000_000_000
"""bytes: with less, a warning; a vault of 20,000 documents takes a tenth of that, and a new key needs as much again"""
_NOW = 4
"""names of files being read that are shown"""
_ATTENTION = ("failed", "partial", "unsupported", "cloud")


def show() -> None:
    """Draw the screen."""
    look.title("Folders", "Read and kept up to date. Strongroom never writes there.")
    status = link.status()
    if status["state"] != "open":
        return
    _receipt()
    if status["folders"]:
        _progress()
    for folder in status["folders"]:
        _folder(folder)
    if not status["folders"]:
        look.hero("Where are your papers?", "Choose the folder with your mail, contracts or finance files.")
    _add(empty=not status["folders"])


def _receipt() -> None:
    from ui import page_purge

    page_purge.receipt()


@st.fragment(run_every=2)
def _progress() -> None:
    status = link.status()
    if status["state"] != "open" or link.is_locked(status):
        return  # the page follows by itself
    files: Mapping[str, int] = status["files"]
    total, to_do = sum(files.values()), int(status.get("to_do") or 0)
    pairs = [
        (f"{total - to_do:,}", f"of {count(total, 'file')} read" if to_do else "file" if total == 1 else "files"),
        (f"{int(status.get('documents') or 0):,}", "documents"),
        (f"{int(status.get('chunks') or 0):,}", "passages"),
    ]
    free = int(status.get("free_bytes") or 0)
    if free:
        pairs.append((size(free), "free on the vault's disk"))
    html = look.facts(pairs)
    if to_do:
        html += _bar(status, total, to_do)
    elif status.get("scanning"):
        html += tag("div.after", "looking through the folders…")
    st.html(html)
    if 0 < free < _FREE_FLOOR:
        look.notice(
            "warn",
            f"the disk of the vault is nearly full: {size(free)} are left",
            "make room, or reading stops when it is full; what was read stays safe",
        )
    if reason := status.get("reason"):
        look.notice(
            "warn", str(reason), "files are found by their words meanwhile" if status["embedding_paused"] else ""
        )
    if problem := status["embedding"]["problem"]:
        look.notice("warn", f"the embedding model that was chosen is not used: {problem}", "see Settings")
    needs = sum(files.get(state, 0) for state in _ATTENTION)
    if needs and not to_do:
        with st.container(horizontal=True, vertical_alignment="center", key="needs"):
            st.html(tag("span.warn", f"{count(needs, 'file')} could not be read, or not wholly."), width="content")
            if st.button("See why, and what to do", key="see-why", type="tertiary", icon=":material/arrow_forward:"):
                _to_attention()


def _bar(status: Mapping[str, Any], total: int, to_do: int) -> str:
    share = 100 * (total - to_do) / max(total, 1)
    words = [f"{share:.0f} %"]
    words += [f"{status['rate_files_s']:.1f} files a second"] if status.get("rate_files_s") else []
    words += [left(status["seconds_left"])] if status.get("seconds_left") is not None else []
    html = tag(
        "div.bar",
        tag("i", style=f"width:{share:.1f}%"),
        role="progressbar",
        aria_valuenow=f"{share:.0f}",
        aria_valuemin="0",
        aria_valuemax="100",
        aria_label="files read",
    ) + tag("div.after", " · ".join(words))
    current = [str(name).rpartition("/")[2] for name in (status.get("current") or ())[:_NOW]]
    if current:
        html += tag("div.after", "now: ", ", ".join(tag("bdi", line(name, 60)) for name in current), data_testid="now")
    return html


def _to_attention() -> None:
    from ui import page_library

    page_library.turn_to_attention()
    st.switch_page(st.Page(page_library.show, title="Library", url_path="library"))


def _folder(folder: Mapping[str, Any]) -> None:
    with st.container(key=f"folder-{folder['id']}", border=True, horizontal=True, vertical_alignment="center"):
        _told(folder)
        paused = bool(folder["paused"])
        # One button with one key: were they two that take turns, a click while they change places would reach neither.
        icon = ":material/play_arrow:" if paused else ":material/pause:"
        kept = folder["state"] == "kept"
        if st.button(
            "Pause" if not paused else "Watch again" if kept else "Resume",
            key=f"pause-{folder['id']}",
            icon=icon,
            type="tertiary",
        ):
            _do("folders.resume" if paused else "folders.pause", folder)
        if st.button(
            "Moved…", key=f"moved-{folder['id']}", icon=":material/drive_file_move:", type="tertiary",
            help="Say where this folder lies now",
        ):  # fmt: skip
            _moved(folder)
        if st.button("Remove…", key=f"remove-{folder['id']}", icon=":material/delete:", type="tertiary"):
            _remove(folder)


@st.fragment(run_every=2)
def _told(folder: Mapping[str, Any]) -> None:
    """What the card says, as it goes on: of itself alone, because drawing the screen anew would close a dialog."""
    status = link.status()
    if status["state"] != "open" or link.is_locked(status):
        return  # the page follows by itself
    folder = next((each for each in status["folders"] if each["id"] == folder["id"]), folder)
    colour, words = {
        "watched": ("good", "watched"),
        "polled": ("good", "looked at from time to time"),
        "missing": ("warn", "not there"),
        "kept": ("faint", "kept, no longer watched"),
    }.get(folder["state"], ("faint", str(folder["state"])))
    if folder["paused"] and folder["state"] != "kept":
        colour, words = "warn", "paused"
    told = [count(int(folder.get("files") or 0), "file")]
    told += [f"{folder['to_do']:,} to read"] if folder.get("to_do") else []
    told += [f"{folder['failed']:,} could not be read"] if folder.get("failed") else []
    reason = "" if folder["state"] == "kept" else folder.get("reason") or ""
    st.html(
        tag(
            "div.folder",
            tag("b", tag("bdi", line(folder["path"], 400))),
            tag(
                "div.state",
                tag(f"span.{colour}", tag("i.dot"), " ", line(words)),
                *(tag("span", each) for each in told),
            ),
            tag("div.meta", line(reason, 300)) if reason else "",
            data_testid="folder",
        )
    )


_WAYS = {
    "take": "Take out what was read",
    "keep": "Keep what was read so far",
    "purge": "Purge what was read, with a receipt",
}
_EXPLAINED = (
    "Its documents leave the vault. Add the folder again, and they are read again.",
    "They can be found and asked as they are now. Changes in the folder are not followed any more.",
    (
        "As taking out, and the vault is read back to prove that none of it is left. Answers that show it go too. It "
        "is not read again until you allow it. What lies in another watched folder too stays. It cannot be undone."
    ),
)


@st.dialog("Remove this folder?")
def _remove(folder: Mapping[str, Any]) -> None:
    st.html(
        f"<p><b><bdi>{line(folder['path'], 400)}</bdi></b></p><p>Strongroom stops reading it. The "
        f"{count(int(folder.get('files') or 0), 'file')} in it stay as they are.</p>"
    )
    way = st.radio(
        "What was read from it", list(_WAYS), format_func=_WAYS.__getitem__, captions=_EXPLAINED, key="remove-way"
    )
    sure = way != "purge" or st.checkbox("Yes, remove it from the vault for good", key="sure-folder")
    with st.container(horizontal=True):
        if st.button("Remove", type="primary", key="remove-now", disabled=not sure):
            with st.spinner("Removing, and reading back…" if way == "purge" else "Removing…"):
                if way == "purge":
                    _purge(folder)
                else:
                    _do("folders.remove", folder, keep=way == "keep")
        if st.button("Leave it", type="tertiary", key="leave-folder"):
            st.rerun()


def _purge(folder: Mapping[str, Any]) -> None:
    try:
        receipt = link.call("folders.purge", path=folder["path"], confirm=True)
    except StrongroomError as error:
        look.failure(error)
        return
    # Answers that showed its documents are gone from the vault; what the page still holds of them goes too.
    for key in ("opened", "turns", "conversation", "pictures"):
        st.session_state.pop(key, None)
    st.session_state["receipt"] = receipt
    link.rerun()


@st.dialog("Where does it lie now?")
def _moved(folder: Mapping[str, Any]) -> None:
    st.html(
        f"<p><b><bdi>{line(folder['path'], 400)}</bdi></b></p><p>If you moved or renamed the folder, or brought the "
        "vault to another machine, say where it lies now. What was read stays; nothing is read twice.</p>"
    )
    to = st.text_input("It lies at", key="moved-to", placeholder=line(folder["path"], 200), autocomplete="off")
    if st.button("It lies there now", type="primary", key="moved-now"):
        if not to.strip():
            look.notice("warn", "type the path first", "for example /media/you/disk/Documents")
            return
        _do("folders.relocate", folder, to=to.strip())


def _do(method: str, folder: Mapping[str, Any], **more: Any) -> None:
    try:
        link.call(method, path=folder["path"], **more)
    except StrongroomError as error:
        look.failure(error)
        return
    link.rerun()


def _add(*, empty: bool) -> None:
    st.html(tag("h2.title.small", "Add a folder"))
    number = int(st.session_state.get("folders-added", 0))  # a new key empties the field
    with st.container(horizontal=True, vertical_alignment="bottom", key="adding"):
        with st.form("add", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            path = st.text_input(
                "Add a folder",
                key=f"new-folder-{number}",
                placeholder="/home/you/Documents",
                autocomplete="off",
                label_visibility="collapsed",
            )
            go = st.form_submit_button("Add", icon=":material/add:", type="secondary")
        if st.button(
            "Choose…", key="choose", icon=":material/folder_open:", type="primary" if empty else "secondary",
            help="Look through the folders of this machine",
        ):  # fmt: skip
            st.session_state["browse"] = ""
            choose()
    if go:
        if not path.strip():
            look.notice("warn", "type a folder's path first, or press “Choose…”")
            return
        try:
            link.call("folders.add", path=path.strip())
        except StrongroomError as error:
            look.failure(error)
            return
        st.session_state["folders-added"] = number + 1
        link.rerun()


def _into(path: str) -> None:
    st.session_state["browse"] = path


@st.dialog("Choose a folder", width="medium")
def choose() -> None:
    """Look through the folders of this machine; a click goes in, the button adds."""
    try:
        found = link.call("folders.browse", path=st.session_state.get("browse") or "")
    except StrongroomError as error:
        look.failure(error)
        return
    _crumbs(found)
    with st.container(key="browse", height=320):
        if not found["folders"]:
            st.html(tag("p.faint", "There are no folders in it." if found["files"] is not None else ""))
        for n, each in enumerate(found["folders"]):
            html = tag(
                "div.row",
                tag("div.name.plain", tag("bdi", line(each["name"], 120))),
                tag("div.right.faint", escape(_short(each["why"]))),
                data_testid="choice",
            )
            look.pick(f"into-{n}", html, "Go into folder", n + 1, on_click=_into, args=(each["path"],))
    holds = [] if found["files"] is None else [count(found["files"], "file")]
    holds += [count(len(found["folders"]), "folder")] if found["folders"] else []
    if found["why"]:
        look.notice("warn", f"it cannot be added: {found['why']}")
    else:
        st.html(tag("div.after", escape(" and ".join(holds)), " in it; folders inside are read too"))
    if st.button("Add this folder", type="primary", key="add-chosen", disabled=bool(found["why"])):
        try:
            link.call("folders.add", path=found["path"])
        except StrongroomError as error:
            look.failure(error)
            return
        st.session_state.pop("browse", None)
        link.rerun()


def _short(why: str) -> str:
    """Why a folder cannot be added, in few words."""
    return {"holds": "holds a watched folder", "lies": "in a watched folder"}.get(why.partition(" ")[0], why)


def _crumbs(found: Mapping[str, Any]) -> None:
    """Where one is, each part to go back to; and the home."""
    parts = [part for part in str(found["path"]).split("/") if part]
    st.html(tag("div.path", "/", *(tag("span", tag("bdi", line(part, 60))) for part in parts), data_testid="here"))
    with st.container(horizontal=True, key="crumbs"):
        st.button(
            "Up", key="up", icon=":material/arrow_upward:", type="tertiary", disabled=found["parent"] is None,
            on_click=_into, args=(found["parent"] or "/",),
        )  # fmt: skip
        st.button("Home", key="home", icon=":material/home:", type="tertiary", on_click=_into, args=(found["home"],))
        st.button("Whole machine", key="root", icon=":material/computer:", type="tertiary", on_click=_into, args=("/",))


def lock() -> None:
    """Lock at once, as the user wished: the engine ends, and its memory with it. The page's process follows."""
    with contextlib.suppress(StrongroomError):  # it may be gone before it has answered
        link.call("lock", mode="all")
    link.forget()
    st.session_state["locking"] = True
    link.rerun()
