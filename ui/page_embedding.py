"""Settings, the model that finds: which it is, how far the next one's vectors are, choosing another by its folder."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_settings
from ui.shown import count, escape, line, tag
from vault.errors import StrongroomError

_REFRESH_S = 2
_LEAD = "The model that turns passages into vectors. The one that comes with Strongroom knows English."
_STATES = {
    "serving": "answers now",
    "coming": "follows: its vectors are being made, the old ones serve",
    "standing in": "stands in for the one that was chosen",
    "leaving": "its vectors are being deleted",
    "waiting": "follows when the vectors of the one before are deleted",
}


def show(settings: Mapping[str, Any]) -> None:
    """Draw the section."""
    found = link.call("embedding")
    page_settings.head("Finding by meaning", _LEAD)
    _serving(found)
    if found["problem"]:
        look.notice("warn", f"the model that was chosen is not used: {found['problem']}", "no vector was deleted")
    if any(each["state"] != "serving" for each in found["models"]):
        _changing(_arrangement(found))
    else:
        _way_back(found["models"])
    if "embedding-failed" in st.session_state:
        look.failure(st.session_state["embedding-failed"])
    if not found["available"]:
        page_settings.why(f"Another model, from a folder of yours: {found['why']}.")
        return
    _choose()
    _graphics(settings, found["device"])


def _serving(found: Mapping[str, Any]) -> None:
    """The facts of the model that questions go through now."""
    pairs = [
        ("Name", found["name"]),
        ("Vectors", f"{found['dimensions']} dimensions, from {found['window']} tokens at once"),
        ("Languages", ", ".join(found["languages"])),
        ("Licence", found["licence"]),
        ("Folder", next((each["path"] for each in found["models"] if each["used"]), "")),
        ("SHA-256", found["sha256"]),
    ]
    rows = (tag("tr", tag("td", name), tag("td", line(value, 300))) for name, value in pairs if value)
    st.html(tag("table.checks.pairs", *rows, data_testid="embedding"))


def _arrangement(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which models there are and what each is there for: when this changes, the whole section does."""
    return [(each["sha256"], each["state"]) for each in found["models"]] + [("", found["problem"])]


@st.fragment(run_every=_REFRESH_S)
def _changing(drawn: list[tuple[str, str]]) -> None:
    """Every model that there are vectors of, and how many, for as long as one follows another."""
    found = link.call("embedding")
    if _arrangement(found) != drawn:
        link.rerun()
    for each in found["models"]:
        st.html(
            tag(
                "div.model",
                tag("b", tag("bdi", line(each["name"]))),
                tag("div.meta", tag("bdi", line(each["path"] or "comes with Strongroom", 300))),
                tag("div.meta", escape(_STATES.get(each["state"], each["state"]))),
                data_testid="embedding-model",
            )
        )
        if each["state"] == "coming":
            made, of = each["vectors"], max(1, each["chunks"])
            st.html(tag("p.why", f"{made:,} of {count(each['chunks'], 'passage')}"))
            st.progress(min(1.0, made / of))
    _way_back(found["models"])


def _way_back(models: list[Mapping[str, Any]]) -> None:
    """The button that gives up what was chosen, where something was."""
    order = ("waiting", "coming", "serving")
    chosen = min((each for each in models if each["state"] in order), key=lambda each: order.index(each["state"]))
    if not chosen["own"]:
        st.button("Use the one that comes with Strongroom", key="embed-default", on_click=_use_default)


def _use_default() -> None:
    st.session_state.pop("embedding-failed", None)
    try:
        link.aside("embedding.use", path="default")
    except StrongroomError as error:
        st.session_state["embedding-failed"] = error


def _choose() -> None:
    used = st.session_state.setdefault("embed-used", 0)  # a field of another key is an empty one
    with st.form("embed-with", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Another model, by its folder", key=f"embed-path-{used}", placeholder="/home/you/models/name",
            autocomplete="off",
        )  # fmt: skip
        go = st.form_submit_button("Use", icon=":material/travel_explore:")
    page_settings.why(
        "A sentence-transformers folder: the one with modules.json in it. All passages are embedded anew, in the "
        "background; until that is done the vectors of before serve."
    )
    if not go:
        return
    if not path.strip():
        look.notice("warn", "type the path of a model's folder first")
        return
    bar = st.progress(0.0, "Reading it whole, to know it again…")

    def heard(_method: str, params: Mapping[str, Any]) -> None:
        done = min(1.0, int(params.get("read", 0)) / max(1, int(params.get("of", 1))))
        bar.progress(done, "Reading it whole, to know it again…" if done < 1 else "Loading it…")

    try:
        link.call("embedding.use", on_notify=heard, path=path.strip())
    except StrongroomError as error:
        look.failure(error)
        return
    finally:
        bar.empty()
    st.session_state["embed-used"] = used + 1
    link.rerun()


def _graphics(settings: Mapping[str, Any], device: str) -> None:
    key = f"set-embedding-gpu-{settings['embedding_gpu']}"
    st.toggle(
        "It may use the graphics card",
        value=settings["embedding_gpu"],
        key=key,
        on_change=page_settings.changed,
        args=("embedding_gpu", key, settings["embedding_gpu"]),
    )
    now = {"cuda": "a graphics card computes", "cpu": "the processor computes"}.get(device, "it is being loaded")
    page_settings.why(
        "From the next start on, the engine, which has your papers in memory, can then open the card's device files. "
        f"Never tried on a card by its makers. Now: {now}."
    )
    page_settings.wrong("embedding_gpu")
