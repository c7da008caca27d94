"""Settings: each explained in a line, kept at once, and what was wrong said where it was typed."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_embedding, page_index, page_keys, page_models, page_readers, page_vaults
from ui.shown import escape, line, tag
from vault.errors import StrongroomError

_MINUTES = {"5 minutes": 5, "10 minutes": 10, "30 minutes": 30, "1 hour": 60, "4 hours": 240, "never": 0}
_MEANS: Mapping[str, Mapping[Any, Any]] = {
    "auto_lock_minutes": _MINUTES,
    "answer_mode": {True: "model", False: "extractive"},
}
"""what a widget's value stands for, by setting, where it is not the setting's own"""
_LOOKS = {"system": "As the system", "light": "Light", "dark": "Dark"}


def show() -> None:
    """Draw the screen."""
    with st.container(key="settings"):
        look.title("Settings", "Each is kept at once.")
        settings: Mapping[str, Any] = link.call("settings.get")
        page_models.show()
        _answering(settings)
        page_embedding.show(settings)
        page_readers.show()
        _reading(settings)
        page_index.show()
        _locking(settings)
        page_keys.show()
        _appearance()
        _language()
        _vaults()


def head(words: str, lead: str = "") -> None:
    """A section's heading, and a sentence below it."""
    st.html(tag("h2.title.small", escape(words)) + (tag("p.lead", escape(lead)) if lead else ""))


def why(words: str) -> None:
    """One line on what a setting does, below it."""
    st.html(tag("p.why", escape(words)))


def changed(name: str, widget: str, was: Any) -> None:
    """Keep what a setting's widget was set to: its `on_change`. `was` is the setting that it was drawn with."""
    means = _MEANS.get(name, {})
    drawn = next((each for each, value in means.items() if value == was), None) if means else was
    keep(
        name,
        widget,
        drawn,
        same=lambda: bool(link.aside("settings.get")[name] == was),
        use=lambda chosen: link.aside("settings.set", key=name, value=means.get(chosen, chosen)),
    )


def keep(name: str, widget: str, drawn: Any, *, same: Callable[[], bool], use: Callable[[Any], object]) -> None:
    """`use` what a widget was set to. What goes wrong is shown by `wrong`, and the widget shows again what it was
    `drawn` with.

    Streamlit tells of one click twice if a run for something else comes between: what was heard before changes nothing
    unless what is set is still the `same` as when it was drawn, whoever set it since.
    """
    chosen = st.session_state[widget]
    heard = st.session_state.get("heard") == (widget, chosen)
    st.session_state["heard"] = (widget, chosen)
    st.session_state.pop(f"wrong-{name}", None)
    try:
        if not heard or same():
            use(chosen)
    except StrongroomError as error:
        st.session_state[f"wrong-{name}"] = error
        st.session_state[widget] = drawn


def wrong(name: str) -> None:
    """What went wrong when this setting was changed."""
    error = st.session_state.get(f"wrong-{name}")
    if error is not None:
        look.failure(error)


def _switch(settings: Mapping[str, Any], name: str, label: str, explained: str) -> None:
    """A setting that is on or off. The widget's key holds what is set: set elsewhere, it shows that, and does not set
    it back."""
    key = f"set-{name}-{settings[name]}"
    st.toggle(label, value=bool(settings[name]), key=key, on_change=changed, args=(name, key, settings[name]))
    why(explained)
    wrong(name)


def _answering(settings: Mapping[str, Any]) -> None:
    """What to do with the chosen model."""
    if not settings.get("model"):
        return
    written = settings["answer_mode"] == "model"
    key = f"set-mode-{written}"
    st.toggle(
        "The chosen model writes answers",
        value=written,
        key=key,
        on_change=changed,
        args=("answer_mode", key, settings["answer_mode"]),
    )
    why("Off: answers are your papers' own sentences, unless you ask for the model at the question.")
    wrong("answer_mode")
    minutes = float(settings["model_idle_minutes"])
    key = f"set-idle-{minutes:g}"
    st.number_input(
        "Minutes until its memory is given back",
        min_value=0.0,
        max_value=1440.0,
        value=minutes,
        step=5.0,
        format="%g",
        key=key,
        width=300,
        on_change=changed,
        args=("model_idle_minutes", key, settings["model_idle_minutes"]),
    )
    why("Without a question; the next one then waits until it is loaded again. 0: it stays loaded.")
    wrong("model_idle_minutes")


def _reading(settings: Mapping[str, Any]) -> None:
    head("Reading and remembering")
    _switch(
        settings,
        "history",
        "Keep questions and answers",
        "Encrypted in the vault, and purged with the documents they show. Off: an answer is gone when you leave it.",
    )
    _switch(
        settings,
        "embed_on_battery",
        "Work at full strength on battery",
        "Off: on battery, new files are found by their words at once, by their meaning when there is power again.",
    )


def _locking(settings: Mapping[str, Any]) -> None:
    head("Locking")
    minutes = float(settings["auto_lock_minutes"])
    names = list(_MINUTES)
    now = next((name for name, value in _MINUTES.items() if value == minutes), None)
    key = f"set-minutes-{minutes:g}"
    st.selectbox(
        "Ask for the passphrase again after",
        names,
        index=names.index(now) if now else None,
        key=key,
        width=300,
        placeholder=f"{minutes:g} minutes",
        on_change=changed,
        args=("auto_lock_minutes", key, settings["auto_lock_minutes"]),
    )
    why("Without a click or a question from you. Looking on does not count.")
    wrong("auto_lock_minutes")
    _switch(
        settings,
        "lock_on_sleep",
        "Lock when the machine was asleep",
        "A laptop that was closed asks for the passphrase when it is opened, however short it slept.",
    )
    _switch(
        settings,
        "lock_ends_engine",
        "End the engine when it locks by itself",
        "On: the keys leave the memory, nothing is read until you unlock. Off: your folders are followed meanwhile, "
        "with the keys in the engine's memory. Lock, in the bar, always ends it.",
    )


def _appearance() -> None:
    head("Appearance")
    now = link.call("appearance")["appearance"]
    key = f"set-appearance-{now}"
    st.radio(
        "Light or dark",
        list(_LOOKS),
        index=list(_LOOKS).index(now),
        format_func=lambda choice: _LOOKS[choice],
        key=key,
        horizontal=True,
        on_change=_look_changed,
        args=(key, now),
    )
    why("For all vaults, and for the page that asks for the passphrase too.")
    wrong("appearance")


def _look_changed(widget: str, was: str) -> None:
    keep(
        "appearance",
        widget,
        was,
        same=lambda: bool(link.aside("appearance")["appearance"] == was),
        use=lambda chosen: link.aside("appearance", value=chosen),
    )


def _language() -> None:
    head("Language", "The page is in English. Your papers may be in any language:")
    model = link.call("embedding")
    several = model["languages"] not in (["English"], ["en"])
    known = "the languages that your model knows" if several else "English"
    told = [
        tag("li", "they are found by their words in every language that has words between spaces;"),
        tag(
            "li",
            f"by their meaning, in other words than you used, in {line(known)} only, which is what the model knows.",
        ),
    ]
    st.html(tag("ul.plain", *told))


def _vaults() -> None:
    head(
        "Vaults",
        "One for each client, say. Each has its own passphrase, folders and history. Opening one locks the other.",
    )
    with st.container(border=True, key="settings-vaults"):
        page_vaults.chooser("settings")
