"""Purging a document from the page: what would go, a deliberate yes, and the receipt."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, purging
from ui.shown import count, escape, line, tag, with_code
from vault.errors import StrongroomError

_NAMES = {
    "documents": ("document", "documents"),
    "attachments": ("attachment", "attachments"),
    "chunks": ("passage", "passages"),
    "vectors": ("vector", "vectors"),
    "paths": ("place", "places"),
    "files": ("file name", "file names"),
    "turns": ("question with its answer", "questions with their answers"),
}
"""what a receipt counts"""


@st.dialog("Purge for good?", icon=":material/delete_forever:")
def ask_first(document: Mapping[str, Any]) -> None:
    """Say what would go and purge after an explicit yes."""
    from ui.page_passage import title

    try:
        preview = link.call("purge.preview", name=document["id"])
    except StrongroomError as error:
        look.failure(error)
        return
    told = _counted(preview["removed"])
    st.html(
        f"<p><b>{line(title(document))}</b> will leave the vault: {escape(told)}.</p><p>The file on your disk stays "
        "where it is. It is not read again unless you allow it. Afterwards the vault is read back, and a receipt says "
        "what was looked for.</p>" + tag("p", with_code(look.sentence(purging.space(preview["shredding"]))))
    )
    sure = st.checkbox("Yes, remove it from the vault for good", key="sure")
    with st.container(horizontal=True):
        if st.button("Purge", type="primary", disabled=not sure, key="purge-now"):
            _purge(document)
        if st.button("Keep it", type="tertiary", key="keep"):
            st.rerun()


def _purge(document: Mapping[str, Any]) -> None:
    try:
        with st.spinner("Removing, and reading back…"):
            receipt = link.call("purge", names=[document["id"]], confirm=True)
    except StrongroomError as error:
        look.failure(error)
        return
    forget()
    st.session_state["receipt"] = receipt
    link.rerun()


def forget() -> None:
    """Drop what this session holds of documents: answers that show a purged one are gone from the vault, and what the
    page still has of them goes too. An answer that is being made is stopped."""
    if (asking := st.session_state.pop("asking", None)) is not None:
        asking.stop()
    for key in ("opened", "pictures", "inside", "about-file", "facets", "turns", "conversation"):
        st.session_state.pop(key, None)


def receipt() -> None:
    """Show the last receipt until it is put away."""
    found = st.session_state.get("receipt")
    if found is None:
        return
    with st.container(key="receipt", border=True):
        st.html(_summary(found))
        _stage()
        with st.expander("What was looked for, and what a purge cannot reach"):
            st.html(_details(found))
        st.button("Put away", type="tertiary", key="put-away", on_click=_put_away)


@st.fragment(run_every=2)
def _stage() -> None:
    """The second stage, as it goes on. To ask for the engine's state is no use of it: the vault still locks itself."""
    found = st.session_state.get("receipt")
    if found is None:
        return
    if found["stage"]["name"] != "shredded":
        found = {**found, "stage": _stage_now(found)}
        if found["stage"]["name"] == "shredded":
            st.session_state["receipt"] = found
    st.html(stage(found))


def _stage_now(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The stage of the receipt that is shown, as far as the engine's state tells."""
    now = link.status().get("shredding")
    stage: Mapping[str, Any] = found["stage"]
    if now is None:  # locked meanwhile, or gone
        return stage
    if now["done_to"] < found["id"]:
        return {"name": "shredding", "percent": now["percent"]} if now["covers"] >= found["id"] else stage
    try:
        rows = link.call("receipts")["rows"]
    except StrongroomError:
        return stage
    return next((row["stage"] for row in rows if row["id"] == found["id"]), stage)


def stage(found: Mapping[str, Any]) -> str:
    """A receipt's stage, and the backups that still hold what it took, as HTML."""
    tone, words = purging.stage(found)
    held = [
        tag(f"li.{each}", tag("bdi", line(path, 400)), " ", escape(told)) for each, path, told in purging.backups(found)
    ]
    holders = tag("ul", *held, data_testid="holders") if held else escape(look.sentence(purging.NO_BACKUPS))
    return tag(
        "div.stages",
        tag(f"div.{tone}", tag("i.dot"), " ", with_code(look.sentence(words)), data_testid="stage"),
        tag("div.after", holders),
    )


def _put_away() -> None:
    del st.session_state["receipt"]


def _summary(found: Mapping[str, Any]) -> str:
    if found["confirmed"]:
        head = tag("b", "Purged. Nothing of it was found when the vault was read back.")
        colour = "good"
    else:
        head = tag("b", "Removed, but something was still found when the vault was read back.")
        colour = "bad"
    return tag(f"div.{colour}", head, data_testid="receipt") + tag(
        "div.after", escape(_counted(found["removed"], " · "))
    )


def _counted(removed: Mapping[str, Any], between: str = ", ") -> str:
    """`1 document, 3 passages, 3 vectors`."""
    return between.join(count(removed[key], *names) for key, names in _NAMES.items() if removed.get(key))


def _details(found: Mapping[str, Any]) -> str:
    rows = [
        tag(
            "tr",
            tag("td", line(check["what"])),
            tag("td", line(check["where"])),
            tag("td", f"found {check['found']:,}"),
        )
        for check in found.get("checks", ())
    ]
    elsewhere = int(found.get("elsewhere") or 0)
    others = tag("p", f"Other documents in the vault that hold the same text: {elsewhere:,}. They stay.")
    left = [tag("li", escape(each)) for each in found.get("not_covered", ())]
    return (
        tag("table.checks", *rows) + (others if elsewhere else "") + "<p>Not reached by a purge:</p>" + tag("ul", *left)
    )
