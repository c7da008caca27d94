"""A document's own page: its text or the pictures of its pages, and beside it all that is known of it.

Where it lies, what it hangs on and what hangs on it, its conversation, the questions that it answered; reading it
again, and purging it. It stands in the Library's place until one goes back.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from ui import link, look, page_mail, page_passage, page_picture, page_purge, page_reading
from ui.named import KINDS, sender, title
from ui.shown import count, date, escape, line, size, tag
from vault.errors import StrongroomError

_PLACES = 5
_CITED = 8
_RELATED = 20
_VIEWS = {"page": "Pages", "text": "Text"}

Place = tuple[Mapping[str, Any], int, int]
"""what the list was asked for, the document's place in it from 0, and how many there are"""


def is_open() -> bool:
    """Whether a document was opened on its own page."""
    return bool((page_passage.opened() or {}).get("own"))


def open_from(document: str, place: Place | None) -> None:
    """Open a document on its own page; `place` is where it stands in the list it was chosen from."""
    page_passage.open_document(document)
    page_passage.opened().update(own=True, place=place, back=[])  # type: ignore[union-attr]  # it was just opened


def open_beside(document: str) -> None:
    """Open a document that belongs to the open one; one can go back to that."""
    before = page_passage.opened() or {}
    page_passage.open_document(document)
    opened = page_passage.opened() or {}
    opened.update(own=True, place=None, back=[*before.get("back", ()), before])


def _go_back() -> None:
    trail: list[dict[str, Any]] = (page_passage.opened() or {}).get("back") or []
    if trail:
        st.session_state["opened"] = trail[-1]
    else:
        page_passage.close()


def _turn(place: Place, to: int) -> None:
    asked, _, total = place
    rows = link.call("documents", **asked, inside=True, offset=to, limit=1)["rows"]
    if rows:
        open_from(rows[0]["id"], (asked, to, total))


def show() -> None:
    """Draw it."""
    state = page_passage.opened()
    if state is None:
        return
    with st.container(key="document"):
        _buttons(state)
        try:
            document = link.call("document", id=state["document"])
        except StrongroomError as error:
            _gone(state["document"], error)
            return
        st.session_state.pop("read-again", None)
        st.html(_head(document))
        left, right = st.columns([7, 4], gap="large")
        with left:
            _content(document, state)
        with right, st.container(key="about"):
            _about(document)


def _buttons(state: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, key="document-buttons", vertical_alignment="center"):
        st.button(
            "Back" if state.get("back") else "Back to the list",
            key="to-list",
            icon=":material/arrow_back:",
            type="tertiary",
            on_click=_go_back,
            shortcut="Esc",
        )
        st.space("stretch")
        place: Place | None = state.get("place")
        if place is None or place[2] < 2:
            return
        _, at, total = place
        back, on = ":material/chevron_left:", ":material/chevron_right:"
        st.button(
            "Previous", "before", icon=back, type="tertiary", disabled=at <= 0, on_click=_turn, args=(place, at - 1)
        )
        st.html(tag("span.state", f"{at + 1:,} of {total:,}"), width="content")
        st.button(
            "Next", "after-it", icon=on, type="tertiary", disabled=at + 1 >= total, on_click=_turn, args=(place, at + 1)
        )


def _head(document: Mapping[str, Any]) -> str:
    from ui.page_library import STATES

    colour, words = STATES.get(document["state"], ("faint", str(document["state"])))
    about = [
        KINDS.get(document["kind"], "Document"),
        date(document.get("date")),
        count(document["pages"], "page") if document.get("pages") else "",
    ]
    return tag(
        "div.head",
        tag("div.kind", " · ".join(escape(each) for each in about if each), " · ", tag(f"span.{colour}", line(words))),
        tag("h1.title", line(title(document), 300), dir="auto"),
        tag(f"div.why.{colour}", line(document["reason"], 400)) if document.get("reason") else "",
        data_testid="document-head",
    )


# --- what it says ---------------------------------------------------------------------------------------------------


def _content(document: Mapping[str, Any], state: dict[str, Any]) -> None:
    views = ["page", "text"] if page_picture.possible(document) else ["text"]
    view = views[0]
    if len(views) > 1:
        view = st.segmented_control(
            "How to show it",
            views,
            default=views[0],
            required=True,
            format_func=_VIEWS.__getitem__,
            key="document-view",
            label_visibility="collapsed",
            persist_state="session",
        )
    try:
        if view == "page" and page_picture.show(document, state):
            return
        page_reading.show(state)
    except StrongroomError as error:
        look.failure(error)


# --- what is known of it --------------------------------------------------------------------------------------------


def _about(document: Mapping[str, Any]) -> None:
    _actions(document)
    st.html(tag("h2.title.small", "About") + _facts(document))
    st.html(tag("h2.title.small", "Where it lies") + "".join(_place(each) for each in document["places"][:_PLACES]))
    if (more := len(document["places"]) - _PLACES) > 0:
        st.html(tag("p.after", f"and {count(more, 'other place')}"))
    _related("Hangs on", "Open the mail", "parent", document["parents"])
    _related(f"Attachments ({len(document['attachments'])})", "Open attachment", "attached", document["attachments"])
    if document["kind"] == "mail":
        page_mail.thread(document, open_beside)
    _cited(document)


def _facts(document: Mapping[str, Any]) -> str:
    meta: Mapping[str, str] = document.get("metadata") or {}
    told = {
        "From": line(document.get("sender") or "", 300),
        "To": line(document.get("recipients") or "", 300),
        "Author": line(meta.get("author") or "", 200),
        "Date": escape(date(document.get("date"))),
        "Format": line(document.get("media_type") or "", 100),
        "Length": escape(count(int(document["characters"]), "character")),
        "Language": line(document.get("language") or "", 60),
        "Taken in": escape(_when(document["added"], "%Y-%m-%d %H:%M:%S")),
    }
    if document.get("picture_pages"):
        told["Pictures"] = escape(f"{count(int(document['picture_pages']), 'page')} without text of its own")
    shown_already = {"sender", "recipients", "author", "date", "message_id", "thread", "references", "in_reply_to"}
    told |= {
        line(key.replace("_", " ").capitalize(), 40): line(value, 200)
        for key, value in list(meta.items())[:20]
        if key not in shown_already and value
    }
    return tag(
        "dl.known", *(tag("dt", key) + tag("dd", tag("bdi", value)) for key, value in told.items() if value),
        data_testid="facts",
    )  # fmt: skip


def _place(place: Mapping[str, Any]) -> str:
    folder, _, file = str(place["path"]).rpartition("/")
    part = f" › {line(place['part'], 120)}" if place.get("part") else ""
    return tag(
        "div.place",
        tag("div.name", tag("bdi", line(file, 200)), part),
        tag("div.meta", tag("bdi", line(folder, 400))),
        tag("div.meta", f"{size(int(place['size']))} · {escape(_when(place['modified']))}"),
        tag("div.why.warn", line(place["file_reason"], 300)) if place.get("file_reason") else "",
    )


def _when(seconds: float, form: str = "%Y-%m-%d %H:%M") -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime(form)


def _related(heading: str, label: str, key: str, found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        return
    st.html(tag("h2.title.small", escape(heading)))
    for n, each in enumerate(found[:_RELATED]):
        about = [KINDS.get(each["kind"], "Document"), line(sender(each.get("sender") or "", 60), 60)]
        about += [escape(date(each.get("date"))), line(each.get("part") or "", 80)]
        html = tag(
            "div.card",
            tag("div.name", line(each["title"] or each.get("part") or "without a title", 120), dir="auto"),
            tag("div.meta", " · ".join(tag("bdi", word) for word in about if word)),
        )
        look.pick(f"{key}-{n}", html, label, n + 1, on_click=open_beside, args=(each["id"],))


def _cited(document: Mapping[str, Any]) -> None:
    turns = link.call("document.cited", id=document["id"])["turns"]
    if not turns:
        return
    st.html(tag("h2.title.small", "Cited in answers to"))
    for n, each in enumerate(turns[:_CITED]):
        html = tag(
            "div.row",
            tag("div.name.plain", line(each["question"], 160), dir="auto"),
            tag("div.right.faint", _when(each["asked"])[:10]),
            data_testid="cited",
        )
        if look.pick(f"cited-{n}", html, "Open conversation", n + 1):
            from ui import page_ask

            page_ask.resume(each["conversation"])
            st.switch_page(st.Page(page_ask.show, title="Ask", url_path="ask", default=True))


# --- what can be done with it ---------------------------------------------------------------------------------------


def _actions(document: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, key="document-actions"):
        if st.button("Open the file", key="open-file", icon=":material/open_in_new:"):
            _open_file(document)
        if st.button(
            "Read again",
            key="read-anew",
            icon=":material/refresh:",
            help="Read the file anew although it has not changed: after an update, or once `ocr` is installed",
        ):
            _again(document)
        if st.button("Purge…", key="purge", icon=":material/delete_forever:", help="Take it out of the vault for good"):
            page_purge.ask_first(document)


def _open_file(document: Mapping[str, Any]) -> None:
    try:
        shown = link.call("document.open", id=document["id"])["done"]
    except StrongroomError as error:
        look.failure(error)
        return
    if not shown:
        look.notice("warn", "the desktop has no program to show it with, or the file may not be opened")


def _again(document: Mapping[str, Any]) -> None:
    try:
        link.call("document.again", name=document["id"])
    except StrongroomError as error:
        look.failure(error)
        return
    st.session_state["read-again"] = document["id"]
    st.session_state.pop("pictures", None)
    st.rerun()


def _gone(document: str, error: Exception) -> None:
    """It is not in the vault now: because it is being read again, or for good."""
    if st.session_state.get("read-again") != document:
        look.failure(error)
        return
    look.notice("faint", "it is being read again", "it comes back by itself, usually within seconds")
    _wait_for(document)


@st.fragment(run_every=0.5)
def _wait_for(document: str) -> None:
    try:
        link.call("document", id=document)
    except StrongroomError:
        if not link.status().get("to_do"):
            look.notice(
                "warn",
                "the file was read, and is another document now, or could not be read",
                "see the list for what it is now, and “Needs attention” for what could not be read",
            )
        return
    st.session_state.pop("read-again", None)
    link.rerun()
