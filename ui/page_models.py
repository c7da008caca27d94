"""Models that can write answers."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_settings
from ui.shown import escape, line, size, tag
from vault.errors import StrongroomError

_STATES = {
    "ready": ("good", "ready"),
    "missing": ("warn", "its file is not there"),
    "changed": ("bad", "its file was changed since it was added: it is not used"),
}


def show() -> None:
    """The section on models that write."""
    lead = (
        "Without a model, an answer is made of sentences of your papers, word for word. A model writes it in its own "
        "words, on this machine; each statement is then checked against the passages it cites."
    )
    st.html(tag("h2.title.small", "Answers") + tag("p.lead", lead))
    found = link.call("models")
    rows = found["rows"]
    _extractive(used=not any(each["used"] for each in rows))
    for each in rows:
        _model(each)
    if "model-failed" in st.session_state:
        look.failure(st.session_state["model-failed"])
    if found["available"]:
        _add()
        _graphics(found["gpu"])
    elif found["why"]:
        look.notice("faint", found["why"])
    _how_to_get_one()


def _extractive(*, used: bool) -> None:
    with st.container(key="model-none", border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            tag(
                "div.model",
                tag("b", "Your papers' own sentences"),
                tag("div.meta", "no model; every answer is a quotation"),
                tag("div.state.good", tag("i.dot"), "in use") if used else "",
            )
        )
        if not used:
            st.button("Use", key="use-none", on_click=_do, args=("models.use", ""))


def _model(each: Mapping[str, Any]) -> None:
    colour, words = _STATES.get(each["state"], ("faint", str(each["state"])))
    if each["used"] and each["state"] == "ready":
        words = "in use"
    facts = [
        size(int(each["size"])) if each.get("size") else "",
        str(each.get("quantisation") or ""),
        f"licence {each['licence']}" if each.get("licence") else "no licence named in the file",
        f"reads {int(each['context']):,} tokens" if each.get("context") else "",
        f"needs {size(int(each['memory']))} of memory" if each.get("memory") else "",
    ]
    with st.container(key=f"model-{each['id'][:16]}", border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            tag(
                "div.model",
                tag("b", tag("bdi", line(each["name"]))),
                tag("div.meta", line(" · ".join(each for each in facts if each), 300)),
                tag("div.meta", tag("bdi", line(each["path"], 300))),
                tag("div.meta", "SHA-256 ", tag("code", line(each["id"], 70))),
                tag(f"div.state.{colour}", tag("i.dot"), escape(words)),
                data_testid="model",
            )
        )
        if not each["used"] and each["state"] == "ready":
            st.button("Use", key=f"use-{each['id'][:16]}", on_click=_do, args=("models.use", each["id"]))
        st.button(
            "Remove",
            key=f"remove-model-{each['id'][:16]}",
            type="tertiary",
            icon=":material/delete:",
            on_click=_do,
            args=("models.remove", each["id"]),
            help="Forgets it. The file stays where it is.",
        )


def _do(method: str, name: str) -> None:
    st.session_state.pop("model-failed", None)
    try:
        link.aside(method, id=name)
    except StrongroomError as error:
        st.session_state["model-failed"] = error


def _add() -> None:
    with st.form("add-model", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Add a model by its file", key="model-path", placeholder="/home/you/models/name.gguf", autocomplete="off"
        )
        go = st.form_submit_button("Add", icon=":material/add:", type="primary")
    if not go:
        return
    st.session_state.pop("model-failed", None)
    if not path.strip():
        look.notice("warn", "type the path of a .gguf file first")
        return
    bar = st.progress(0.0, "Reading it whole, to know it again…")

    def heard(_method: str, params: Mapping[str, Any]) -> None:
        bar.progress(
            min(1.0, int(params.get("read", 0)) / max(1, int(params.get("of", 1)))),
            "Reading it whole, to know it again…",
        )

    try:
        link.call("models.add", on_notify=heard, path=path.strip())
    except StrongroomError as error:
        look.failure(error)
        return
    finally:
        bar.empty()
    st.session_state.pop("model-path", None)
    link.rerun()


def _graphics(gpu: Mapping[str, Any]) -> None:
    chosen = bool(gpu["chosen"])
    key = f"set-gpu-{chosen}"  # set elsewhere, it shows that
    if not gpu["built"] and not chosen:  # nothing to choose
        st.html(tag("p.why", escape(f"Graphics card: {gpu['words']}."), data_testid="graphics"))
        return
    st.toggle(
        "The model may use the graphics card",
        value=chosen,
        key=key,
        on_change=page_settings.changed,
        args=("model_gpu", key, chosen),
    )
    opens = (
        "Faster with a card. On Linux the model's process can then open the card's device files and read the files of "
        "programs, which it otherwise cannot; never tried on a card by its makers."
    )
    built = f" ({', '.join(gpu['built'])})" if gpu["built"] else ""
    st.html(tag("p.why", escape(opens)) + tag("p.why", escape(f"Now: {gpu['words']}{built}."), data_testid="graphics"))
    page_settings.wrong("model_gpu")


def _how_to_get_one() -> None:
    with st.expander("How to get a model", icon=":material/help:"):
        get = (
            " yourself, check it, and name it here. Qwen3 1.7B or 4B in Q4_K_M (1.1 and 2.5 GB, Apache-2.0) serve well "
            "on a laptop; 0.6B where memory is short."
        )
        st.html(
            tag("p", "Strongroom downloads nothing. You fetch one file that ends in ", tag("code", ".gguf"), get)
            + tag(
                "p",
                "Which ones, their licences and sums to check: ",
                tag("code", "docs/how-to/choose-a-model.md"),
                " in the folder where you cloned Strongroom.",
            )
        )
