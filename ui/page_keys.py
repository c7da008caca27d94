"""Passphrase, recovery code, backup: what opens the vault, and its copies."""

import streamlit as st

from ui import delivery, link, look
from ui.page_first_run import grouped, letters, strength_shown
from ui.shown import line, size, tag
from vault.errors import StrongroomError

_SHORTEST = 10
_KEYRING_OFF = (
    "Off. The system's keyring can open this vault when Strongroom starts at login. Then whoever can open your keyring "
    "can open the vault: programs that run as you, and a thief who finds out your login password. To switch it on, in "
    "a terminal:"
)
_KEYRING_ON = (
    "On: the system's keyring opens this vault when Strongroom starts while you are logged in, and so can other "
    "programs that run as you. What you lock, or what locks itself, stays locked."
)


def show() -> None:
    """The sections on keys and backups."""
    st.html(tag("h2.title.small", "Keys"))
    _passphrase()
    _recovery()
    _keyring()
    lead = (
        "An encrypted copy of the vault, compared after it was written. It opens with the passphrase and the recovery "
        "code of now. Your papers themselves are not in it."
    )
    st.html(tag("h2.title.small", "Backup") + tag("p.lead", lead))
    _backup()


def _passphrase() -> None:
    # A form: what is typed into several fields comes at once, with the button. New keys empty the fields afterwards.
    number = int(st.session_state.get("secrets-typed", 0))
    with st.expander("Change the passphrase", icon=":material/password:"), st.form("change-secret", border=False):
        old = st.text_input(
            "Present passphrase or recovery code", type="password", key=f"old-secret-{number}", autocomplete="off"
        )
        first = st.text_input("New passphrase", type="password", key=f"new-secret-{number}", autocomplete="off")
        again = st.text_input(
            "The new one again", type="password", key=f"new-secret-again-{number}", autocomplete="off"
        )
        revoke = st.checkbox(
            "Also make the old one useless on copies made from now on",
            key="revoke",
            help="New keys and a new recovery code; the whole database is written anew, which takes its size in space "
            "and some time. Choose this if somebody may know the old passphrase.",
        )
        if not st.form_submit_button("Change it", type="primary"):
            if st.session_state.pop("secret-changed", False):
                look.notice(
                    "good", "the passphrase is changed", "older backups still open with the one they were made with"
                )
            return
        strength_shown(first)
        if len(first) < _SHORTEST:
            look.notice("warn", f"the passphrase needs {_SHORTEST} characters at least")
        elif first != again:
            look.notice("warn", "the two are not the same; type both again")
        else:
            _change(old, first, revoke=revoke)


def _change(old: str, new: str, *, revoke: bool) -> None:
    try:
        with st.spinner("Making the keys, which takes a second on purpose…"):
            code = link.call("passwd", old=old, new=new, revoke=revoke, to_confirm=True)["recovery_code"]
    except StrongroomError as error:
        look.failure(error)
        return
    _typed()
    st.session_state["secret-changed"] = True
    if code:
        st.session_state["new-code"] = code
    link.rerun()


def _typed() -> None:
    st.session_state["secrets-typed"] = int(st.session_state.get("secrets-typed", 0)) + 1


def _recovery() -> None:
    with st.expander("New recovery code", icon=":material/key:", expanded="new-code" in st.session_state):
        if "new-code" in st.session_state:
            _show_code(st.session_state["new-code"])
            return
        st.html(tag("p.why", "The code that you have on paper ends. The new one is shown once."))
        number = int(st.session_state.get("secrets-typed", 0))
        with st.form("make-code", border=False):
            secret = st.text_input("Passphrase", type="password", key=f"code-secret-{number}", autocomplete="off")
            if st.form_submit_button("Make a new code", type="primary"):
                try:
                    with st.spinner("Making the keys, which takes a second on purpose…"):
                        made = link.call("recovery", passphrase=secret, to_confirm=True)
                        st.session_state["new-code"] = made["recovery_code"]
                except StrongroomError as error:
                    look.failure(error)
                    return
                _typed()
                link.rerun()


def _show_code(code: str) -> None:
    st.html(tag("p.why", "Write it down now: it is shown only here, and the old one opens nothing any more."))
    st.html(tag("div.code", grouped(code), data_testid="new-recovery-code"))
    with st.form("have-code", border=False):
        typed = st.text_input("Type the new code to be sure", key="typed-code", autocomplete="off")
        if st.form_submit_button("I have it on paper", type="primary"):
            if letters(typed) != letters(code):
                look.notice("warn", "that is not the code above; compare it group by group")
                return
            link.call("recovery.confirmed")
            for key in ("new-code", "typed-code"):
                st.session_state.pop(key, None)
            link.rerun()


def _keyring() -> None:
    """Whether the system's keyring opens the vault. Switched on in a terminal only: the page cannot reach a keyring."""
    held = bool(link.call("keyring")["on"])
    with st.expander("Unlock at login", icon=":material/login:"), st.container(key="keyring"):
        if st.session_state.pop("keyring-off", False):
            look.notice(
                "good", "the keyring opens this vault no more", "`strongroom keyring off` deletes its secret too"
            )
        if not held:
            st.html(tag("p.why", _KEYRING_OFF))
            st.code("strongroom keyring on", language=None)
            return
        st.html(tag("p.why", _KEYRING_ON))
        if st.button("Switch it off", key="keyring-end", type="primary"):
            try:
                link.call("keyring.off")
            except StrongroomError as error:
                look.failure(error)
                return
            st.session_state["keyring-off"] = True
            link.rerun()


def _backup() -> None:
    with st.form("backup", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.text_input(
            "Write a backup to",
            key="backup-target",
            placeholder="/media/you/stick/strongroom-backup",
            autocomplete="off",
        )
        go = st.form_submit_button("Back up", icon=":material/save:", type="primary")
    st.html(tag("p.why", "A folder that does not exist yet, or is empty. On another disk, best."))
    if not go:
        return
    if not target.strip():
        look.notice("warn", "type a folder first")
        return
    try:
        with st.spinner("Writing it, and comparing…"):
            made = delivery.backup(target.strip())
    except StrongroomError as error:
        look.failure(error)
        return
    st.html(
        tag("div.notice.good", tag("span", f"{size(int(made['database_bytes']))}, compared with the vault, are in ",
            tag("bdi", line(made["path"], 300)), "."), role="status")
    )  # fmt: skip
