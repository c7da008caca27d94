"""The first run: a passphrase, the recovery code, the first folder."""

import math
import os
import pwd
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_vaults
from ui.shown import escape, tag
from vault.errors import StrongroomError

_SHORTEST = 10
_COMMON = ("password", "passwort", "passphrase", "strongroom", "letmein", "qwertyuiop", "1234567890", "iloveyou")


def unfinished() -> bool:
    """Whether this session has begun the first run and not yet ended it."""
    return st.session_state.get("first_run") in {"code", "folders"}


def show() -> None:
    """Show the step that is due."""
    with st.container(key="door"):
        step = st.session_state.get("first_run", "passphrase")
        {"passphrase": _passphrase, "code": _code, "folders": _folders}[step]()


def _passphrase() -> None:
    st.html(tag("div.door", look.MARK))
    look.title(
        "Choose a passphrase",
        "Everything Strongroom writes is encrypted with it. It stays on this machine and is sent nowhere.",
    )
    page_vaults.name_at_the_door()
    first = st.text_input(
        "Passphrase",
        type="password",
        autocomplete="off",
        key="first",
        placeholder="four or five unrelated words are strong",
    )
    strength_shown(first)
    again = st.text_input("The same again", type="password", autocomplete="off", key="again")
    look.notice(
        "faint",
        "If you lose both the passphrase and the recovery code that comes next, the index and your questions are lost "
        "for good. Your own files are not touched: they stay as they are.",
    )
    if st.button("Create the vault", type="primary", width="stretch"):
        if len(first) < _SHORTEST:
            look.notice("warn", f"the passphrase needs {_SHORTEST} characters at least")
        elif first != again:
            look.notice("warn", "the two are not the same; type both again")
        else:
            _create(first)
    page_vaults.at_the_door()


def _create(passphrase: str) -> None:
    try:
        with st.spinner("Making the keys, which takes a second on purpose…"):
            made = link.call("create", passphrase=passphrase, to_confirm=True)
    except StrongroomError as error:
        look.failure(error)
        return
    for key in ("first", "again"):
        st.session_state.pop(key, None)
    st.session_state["recovery_code"] = made["recovery_code"]
    st.session_state["first_run"] = "code"
    link.rerun()


def _code() -> None:
    code = st.session_state["recovery_code"]
    look.title(
        "Write down the recovery code",
        "It opens the vault if you forget the passphrase. It is shown only now: a page loaded anew has it no more. "
        "Settings makes another. Paper in a drawer is a good place.",
    )
    st.html(tag("div.code", grouped(code), data_testid="recovery-code"))
    typed = st.text_input(
        "Type the code here to go on", autocomplete="off", key="typed", placeholder="as you wrote it down"
    )
    if st.button("I have it on paper", type="primary", width="stretch"):
        if letters(typed) != letters(code):
            look.notice("warn", "that is not the code above; compare it group by group")
            return
        link.call("recovery.confirmed")
        for key in ("recovery_code", "typed"):
            st.session_state.pop(key, None)
        st.session_state["first_run"] = "folders"
        link.rerun()


def unconfirmed(status: Mapping[str, Any]) -> None:
    """Say, on every screen, that the code was shown and nobody may have it, as where the page was loaded anew."""
    if not status.get("code_confirmed", True) and "new-code" not in st.session_state:
        look.notice(
            "warn",
            "the recovery code was shown, and not typed to confirm it; without it, a forgotten passphrase loses "
            "this vault",
            "make another: Settings, New recovery code",
        )


def grouped(code: str) -> str:
    """The code as HTML that breaks only between its groups."""
    return "-<wbr>".join(tag("span", escape(group)) for group in code.split("-"))


def _folders() -> None:
    look.title(
        "Where are your papers?",
        "Strongroom reads what lies in these folders and keeps up with changes. It never writes there.",
    )
    path = st.text_input("Folder", autocomplete="off", key="first_folder", value=_documents())
    with st.container(horizontal=True):
        add = st.button("Add and begin", type="primary")
        later = st.button("Later", type="tertiary")
    if add:
        try:
            link.call("folders.add", path=path)
        except StrongroomError as error:
            look.failure(error)
            return
    if add or later:
        _finish()


def _documents() -> str:
    """The usual folder. The process has no home of its own, and may not look whether the folder is there."""
    try:
        return f"{pwd.getpwuid(os.getuid()).pw_dir}/Documents"
    except KeyError:
        return ""


def _finish() -> None:
    link.forget()
    link.rerun()


def letters(code: str) -> str:
    """What is compared of a code: its letters and digits, not how they are grouped."""
    return "".join(character for character in code.upper() if character.isalnum())


def strength(passphrase: str) -> tuple[int, str]:
    """How hard to guess, from 0 to 4, and what to say about it.

    A rough upper bound: for each character the bits that its kinds allow, less a fifth, repeated ones left out; for
    several words at most eleven bits each (a list of 2,048). What is on everybody's list is weak.
    """
    if not passphrase:
        return 0, ""
    plain = passphrase.lower()
    if any(word in plain for word in _COMMON) and len(plain) < 24:
        return 1, "too well known"
    kinds = sum(
        size
        for size, has in (
            (26, any(c.islower() for c in passphrase)),
            (26, any(c.isupper() for c in passphrase)),
            (10, any(c.isdigit() for c in passphrase)),
            (33, any(not c.isalnum() for c in passphrase)),
        )
        if has
    )
    bits = min(len(passphrase), 2 * len(set(passphrase))) * math.log2(max(kinds, 2)) * 0.8
    words = passphrase.split()
    if len(words) >= 3:
        bits = min(bits, 11.0 * len({word.lower() for word in words}) + 6)
    level = 0 if len(passphrase) < _SHORTEST else 1 + sum(bits >= least for least in (45, 55, 70))
    return level, ("too short", "weak: add a word or two", "fair", "good", "strong")[level]


def strength_shown(passphrase: str) -> None:
    """Draw how strong a passphrase is."""
    level, words = strength(passphrase)
    if words:
        kind = ("bad", "bad", "warn", "good", "good")[level]
        bars = [tag("i.on" if n < level else "i") for n in range(4)]
        st.html(tag(f"div.{kind}", tag("div.strength", *bars), tag("div.after", words)))
