"""Library: the documents, narrowed, sorted and paged by the engine; the files they came from; what needs attention.

A click on a document opens its own page (`page_document`) in this one's place; going back finds the list as it was.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from ui import link, look, page_attention, page_document, page_passage, page_purge
from ui.named import KINDS, people, title
from ui.shown import count, line, neutral, size, tag
from ui.shown import date as day

ROWS = 15
"""a screenful"""

STATES = {
    "done": ("good", "ready"),
    "embedding": ("good", "found by words, meaning follows"),
    "waiting": ("faint", "waiting"),
    "partial": ("warn", "partly read"),
    "failed": ("bad", "could not be read"),
    "unsupported": ("faint", "format not supported"),
    "cloud": ("faint", "only in the cloud"),
    "missing": ("warn", "not there at present"),
}
"""colour and words of a state"""

_VIEWS = ("Documents", "Files", "Needs attention")
_ORDERS = {
    "Newest first": ("date", True),
    "Oldest first": ("date", False),
    "Title": ("title", False),
    "People": ("sender", False),
    "Kind": ("kind", False),
    "Folder": ("path", False),
    "Last added": ("added", True),
}
_FILE_ORDERS = {
    "Name": ("path", False),
    "Newest first": ("modified", True),
    "Largest first": ("size", True),
    "Last read": ("changed", True),
}
_NOTHING: dict[str, Any] = {
    "find": "", "kind": "", "state": "", "folder": 0, "person": None, "after": None, "before": None, "inside": None
}  # fmt: skip
"""what each filter has that narrows nothing"""
_DOCUMENT_STATES = ("done", "embedding", "partial", "waiting", "missing")
_FILE_STATES = ("done", "embedding", "waiting", "partial", "failed", "unsupported", "cloud")
_ATTENTION = ("failed", "partial", "unsupported", "cloud")


def show() -> None:
    """Draw the screen."""
    with st.container(key="library"):
        page_purge.receipt()
        if page_document.is_open():
            page_document.show()
            return
        status = link.status()
        files: Mapping[str, int] = status.get("files") or {}
        if not sum(files.values()):
            _nothing_yet(status)
            return
        needs = sum(files.get(state, 0) for state in _ATTENTION)
        view = st.segmented_control(
            "What to list",
            _VIEWS,
            default=_VIEWS[0],
            required=True,
            key="library-view",
            format_func=lambda each: f"{each} ({needs:,})" if each == _VIEWS[2] and needs else each,
            label_visibility="collapsed",
            persist_state="session",
        )
        if view == _VIEWS[2]:
            page_attention.show()
        elif view == _VIEWS[1]:
            _files()
        else:
            _documents(status)


def turn_to_attention() -> None:
    """Have the next drawing show what needs attention."""
    page_passage.close()
    st.session_state["library-view"] = _VIEWS[2]


def _nothing_yet(status: Mapping[str, Any]) -> None:
    if status.get("folders"):
        working = status.get("scanning") or status.get("to_do")
        look.hero(
            "Looking through your folders…" if working else "The folders are empty",
            "What is found appears here by itself."
            if working
            else "Put documents into a watched folder, or watch another one under Folders.",
        )
    else:
        look.hero("No documents yet", "Choose a folder: what lies in it appears here as it is read.")
        with st.container(horizontal=True, horizontal_alignment="center"):
            if st.button("Choose a folder", key="to-folders", icon=":material/folder_open:", type="primary"):
                from ui import page_folders

                st.switch_page(st.Page(page_folders.show, title="Folders", url_path="folders"))


# --- documents ------------------------------------------------------------------------------------------------------


def _documents(status: Mapping[str, Any]) -> None:
    facets = _facets(status)
    wanted = _filters(facets)
    _chips(facets)
    offset = _offset("documents", wanted)
    found = link.call("documents", **wanted, inside=True, offset=offset, limit=ROWS)
    if not found["rows"]:
        look.hero(
            "Nothing fits", "Fewer words or filters find more. Words are looked for in titles, people, paths, text."
        )
        return
    with st.container(key="rows"):
        st.html(
            tag(
                "div.shelf.header",
                *(tag("div", each) for each in ("Kind", "Title", "People", "Date", "State")),
                aria_hidden="true",
            )
        )
        for n, row in enumerate(found["rows"]):
            place = (wanted, offset + n, found["total"])
            look.pick(
                f"document-{n}", document_row(row), "Open document", n + 1, on_click=page_document.open_from,
                args=(row["id"], place),
            )  # fmt: skip
    _pager(found["total"], offset, "documents", "document")


def document_row(row: Mapping[str, Any]) -> str:
    """A document in the list, as HTML: kind, title, where it lies, people, date, state and why."""
    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    path = str((row["paths"] or [""])[0])
    folder, _, file = path.rpartition("/")
    where = f"{folder.rpartition('/')[2]}/{file}" + (f" › {row['part']}" if row.get("part") else "")
    more = len(row["paths"]) - 1
    who, address = people(row.get("sender") or "")
    return tag(
        "div.shelf",
        tag("div.kind", KINDS.get(row["kind"], "Document")),
        tag(
            "div.what",
            tag("div.name", line(title(row), 200), dir="auto"),
            tag("div.meta", tag("bdi", line(where, 200)), f" and {count(more, 'other place')}" if more > 0 else ""),
        ),
        tag(
            "div.people",
            tag("div", tag("bdi", line(who or row.get("author") or "", 80))) if who or not address else "",
            tag("div.meta", tag("bdi", line(address, 80))) if address else "",
            title=neutral(str(row.get("sender") or "")),
        ),
        tag("div.day", line(day(row.get("date")))),
        tag(f"div.is.{colour}", tag("span", tag("i.dot"), " ", line(words))),
        tag(f"div.why.{colour}", line(row["reason"], 300)) if row.get("reason") else "",
        data_testid="document",
        title=neutral(path),
    )


def _facets(status: Mapping[str, Any]) -> dict[str, Any]:
    """From the engine when the number of documents or folders has changed, else as the session has them."""
    now = (status.get("documents"), [each["id"] for each in status["folders"]], status.get("to_do"))
    kept = st.session_state.get("facets")
    if kept is None or kept[0] != now:
        kept = (now, link.call("documents.facets"))
        st.session_state["facets"] = kept
    return dict(kept[1])


def _filters(facets: Mapping[str, Any]) -> dict[str, Any]:
    """The controls, and what they ask the engine for."""
    kinds = {each["kind"]: each["documents"] for each in facets["kinds"]}
    folders = {each["id"]: each for each in facets["folders"]}
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
        text = st.text_input(
            "Find",
            key="find",
            placeholder="words of a title, person, path or text",
            autocomplete="off",
            icon=":material/search:",
            persist_state="session",
        )
        kind = st.selectbox(
            "Kind",
            ["", *kinds],
            key="kind",
            format_func=lambda each: f"{KINDS.get(each, each)} ({kinds.get(each, 0):,})" if each else "All kinds",
            width=170,
            persist_state="session",
        )
        order = st.selectbox("Order", list(_ORDERS), key="order", width=160, persist_state="session")
        with st.popover("More", icon=":material/tune:", help="Folder, person, date, state"):
            folder = st.selectbox(
                "Folder",
                [0, *folders],
                key="folder",
                format_func=lambda each: _short(folders[each]["path"]) if each in folders else "All folders",
                persist_state="session",
            )
            person = st.selectbox(
                "Person",
                facets["people"],
                index=None,
                key="person",
                format_func=neutral,
                placeholder="anyone; type a part of a name",
                accept_new_options=True,
                persist_state="session",
            )
            state = st.selectbox(
                "State",
                ["", *_DOCUMENT_STATES],
                key="state",
                format_func=lambda each: STATES[each][1].capitalize() if each else "All states",
                persist_state="session",
            )
            dates: dict[str, Any] = {"min_value": date(1900, 1, 1), "format": "YYYY-MM-DD", "persist_state": "session"}
            after = st.date_input("Not before", value=None, key="after", **dates)
            before = st.date_input("Not after", value=None, key="before", **dates)
    sort, descending = _ORDERS[order]
    file = st.session_state.get("inside") or {}
    return {
        "text": text or "",
        "kind": kind or "",
        "folder": folder if folder in folders else None,
        "file": file.get("id"),
        "person": person or "",
        "state": state or "",
        "after": after.isoformat() if after else "",
        "before": before.isoformat() if before else "",
        "sort": sort,
        "descending": descending,
    }


def _short(path: str) -> str:
    """The last two parts of a path: what tells folders apart."""
    return neutral("/".join(path.rstrip("/").split("/")[-2:]))


def _chips(facets: Mapping[str, Any]) -> None:
    """What the list is narrowed by behind the button, each to take away with a click."""
    folders = {each["id"]: each["path"] for each in facets["folders"]}
    told = {
        "inside": ((st.session_state.get("inside") or {}).get("path", "").rpartition("/")[2], "in"),
        "folder": (_short(folders.get(st.session_state.get("folder") or 0, "")), "in"),
        "person": (st.session_state.get("person"), "with"),
        "state": ((STATES.get(st.session_state.get("state") or "") or ("", ""))[1], ""),
        "after": (st.session_state.get("after"), "from"),
        "before": (st.session_state.get("before"), "until"),
    }
    there = {key: (word, value) for key, (value, word) in told.items() if value}
    if not there:
        return
    with st.container(horizontal=True, key="chips", vertical_alignment="center"):
        for key, (word, value) in there.items():
            # What others wrote is HTML here, never a button's label, which Streamlit takes for Markdown.
            with st.container(key=f"chip-{key}", horizontal=True, vertical_alignment="center", width="content"):
                st.html(tag("span.narrowed", escape_word(word), line(value, 60)), width="content")
                words, icon = f"Take away: {key}", ":material/close:"
                st.button(words, key=f"away-{key}", icon=icon, type="tertiary", on_click=_take_away, args=(key,))
        if len(there) > 1:
            st.button("Take all away", key="away-all", type="tertiary", on_click=_take_away, args=tuple(there))


def escape_word(word: str) -> str:
    """The word before a filter's value, as HTML."""
    return tag("span.faint", f"{word} ") if word else ""


def _take_away(*keys: str) -> None:
    for key in keys:
        st.session_state[key] = _NOTHING.get(key)


def _offset(which: str, asked: object) -> int:
    """Where the list stands; at its beginning when something else is asked for."""
    if st.session_state.get(f"{which}-asked") != asked:
        st.session_state[f"{which}-asked"], st.session_state[f"{which}-offset"] = asked, 0
    return int(st.session_state.get(f"{which}-offset", 0))


def _pager(total: int, offset: int, which: str, what: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"{which}-pager"):
        last = min(offset + ROWS, total)
        words = count(total, what) if total <= ROWS else f"{offset + 1:,} to {last:,} of {count(total, what)}"
        st.html(tag("span.state", words, data_testid="total"), width="content")
        if total <= ROWS:
            return
        st.space("stretch")

        def turn(to: int) -> None:
            st.session_state[f"{which}-offset"] = max(0, to)

        begun, ended = offset == 0, last >= total
        end = (total - 1) // ROWS * ROWS
        for words, icon, off, to in (
            ("First", "first_page", begun, 0),
            ("Previous", "chevron_left", begun, offset - ROWS),
            ("Next", "chevron_right", ended, offset + ROWS),
            ("Last", "last_page", ended, end),
        ):
            st.button(
                words,
                f"{which}-{words}",
                icon=f":material/{icon}:",
                type="tertiary",
                disabled=off,
                on_click=turn,
                args=(to,),
            )


# --- files ----------------------------------------------------------------------------------------------------------


def _files() -> None:
    with st.container(horizontal=True, key="file-filters", vertical_alignment="bottom"):
        text = st.text_input(
            "Name or folder",
            key="find-file",
            placeholder="any part of it",
            autocomplete="off",
            icon=":material/search:",
            persist_state="session",
        )
        state = st.selectbox(
            "State",
            ["", *_FILE_STATES],
            key="file-state",
            format_func=lambda each: STATES[each][1].capitalize() if each else "All states",
            width=220,
            persist_state="session",
        )
        order = st.selectbox("Order", list(_FILE_ORDERS), key="file-order", width=170, persist_state="session")
    sort, descending = _FILE_ORDERS[order]
    asked: dict[str, Any] = {"text": text or "", "state": state or "", "sort": sort, "descending": descending}
    offset = _offset("files", asked)
    found = link.call("files", **asked, offset=offset, limit=ROWS)
    if not found["rows"]:
        look.hero("Nothing fits", "Fewer words or filters find more.")
        return
    with st.container(key="rows"):
        for n, row in enumerate(found["rows"]):
            look.pick(f"file-{n}", file_row(row), "Open file", n + 1, on_click=_open, args=(row,))
    _pager(found["total"], offset, "files", "file")
    if row := st.session_state.pop("about-file", None):
        page_attention.about(row)


def file_row(row: Mapping[str, Any]) -> str:
    """A file in a list, as HTML."""
    colour, words = STATES.get(row["state"], ("faint", row["state"]))
    folder, _, file = str(row["path"]).rpartition("/")
    facts = [size(row["size"]), datetime.fromtimestamp(row["modified"], UTC).astimezone().strftime("%Y-%m-%d")]
    if row.get("document_count", 0) > 1:
        facts.append(count(row["document_count"], "document"))
    return tag(
        "div.row",
        tag("div.name", tag("bdi", line(file, 160)), title=neutral(str(row["path"]))),
        tag("div.right", tag(f"span.{colour}", tag("i.dot"), " ", line(words))),
        tag("div.meta", tag("bdi", line(folder, 300))),
        tag("div.right.faint", " · ".join(facts)),
        tag(f"div.why.{'faint' if colour == 'good' else colour}", line(row["reason"], 300))
        if row.get("reason")
        else "",
        data_testid="file",
    )


def _open(row: dict[str, Any]) -> None:
    """A file's one document, the list of its documents, or why it has none."""
    if row["document_count"] == 1:
        page_document.open_from(row["documents"][0]["id"], None)
    elif row["document_count"]:
        _take_away(*_NOTHING)
        st.session_state["inside"] = {"id": row["id"], "path": row["path"]}
        st.session_state["library-view"] = _VIEWS[0]
    else:
        st.session_state["about-file"] = row
