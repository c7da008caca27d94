"""Privacy: what is protected and by what, as it is now, and how to see it without trusting us."""

import contextlib
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from ui import link, look, page_folders, page_purge, page_verify, protection
from ui.shown import count, escape, line, size, tag
from vault.errors import StrongroomError

_PROCESSES = {
    "engine": ("Engine", "Holds the keys while the vault is open; searches and answers. Opens your files for reading."),
    "page": ("Page", "Draws what you see. Reads no file of yours, and talks to your browser on this machine."),
    "zygote": ("Parsers' starter", "Starts one process for each file that is read. Opens nothing of yours itself."),
    "worker": ("Parser", "One for each file, then gone. Has that one open file, no key and no other file."),
    "writer": ("Model", "Writes answers. Has the model's file and what is asked of it, nothing else."),
    "connector": (
        "Connector",
        "Carries vectors to the server that you named. Has no key, no text and no file of yours.",
    ),
}
"""in the order in which they are shown"""
_RECEIPTS = 5
_COUNTED = (("documents", "document"), ("chunks", "passage"), ("turns", "question"))


def show() -> None:
    """Draw the screen."""
    look.title("Privacy", "What is protected now, by what, and how to see it from outside, without trusting us.")
    own = protection.own()
    found = link.call("privacy", page=int(own.get("pid", 0)), port=int(own.get("port", 0)))
    held = {**found["protection"], **({"page": own} if own else {})}
    commands = found["commands"]
    _summary(held, found)
    _leaving(found["index"])
    _processes(held, commands)
    page_verify.show(lambda at: f"{day(at)}, {moment(at)}")
    _keys(found)
    _vault(found, commands)
    _backups(found["backups"])
    _receipts(found)
    _components(found)
    _not_protected(found["not_protected"])


def _summary(held: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    apart = {name: each for name, each in held.items() if name != "connector"}  # which has one connection, as chosen
    failed = [each for each in apart.values() if each.get("failed")]
    last = min((float(each["at"]) for each in held.values() if each.get("at")), default=0.0)
    minutes = float(found["auto_lock_minutes"])
    pairs = [
        (f"{len(apart) - len(failed)} of {len(apart)}", "processes kept from every network"),
        (moment(last), "last check of all"),
        (f"{minutes:g} min" if minutes else "never", "unused, until it locks itself"),
        (str(len(found["backups"])), "backup known" if len(found["backups"]) == 1 else "backups known"),
    ]
    st.html(tag("div", look.facts(pairs), data_testid="privacy-facts"))
    for name, each in held.items():
        if each.get("failed"):
            look.notice("bad", f"{_PROCESSES[name][0]}: {each['failed']}", "close Strongroom and report this")
    missing = sorted({words for each in held.values() for words in each.get("missing", ())})
    for words in missing:
        look.notice("warn", f"not held on this system: {words}")


def _leaving(index: Mapping[str, Any]) -> None:
    """That vectors leave this machine, where the user chose that."""
    if index["chosen"] != "server":
        return
    look.notice(
        "warn",
        f"The vectors of your passages and questions go to {index['address'] or 'a server'}, as you chose",
        "A vector can be turned back into much of the text that it was made from. Text, names and keys do not go there,"
        " and no process that reads your papers has the connection. `strongroom vectors exact` deletes them there.",
    )
    if index["serving"] != "server":
        look.notice("warn", f"exact search stands in: {index['why']}", index["hint"])


def _processes(held: Mapping[str, Any], commands: Iterable[Mapping[str, str]]) -> None:
    commands = list(commands)
    with st.container(horizontal=True, vertical_alignment="center", key="processes-head"):
        st.html(tag("h2.title.small", "Processes"), width="content")
        st.space("stretch")
        if st.button("Check again now", icon=":material/refresh:", key="check-again"):
            with st.spinner("Trying every way out…"):
                _check()
            link.rerun()
    cards = [
        _process(name, held[name], [each for each in commands if each["about"] == name])
        for name in _PROCESSES
        if name in held
    ]
    st.html(tag("div.guards", *cards))


def _check() -> None:
    protection.own(check=True)
    link.call("protection", check=True)


def _process(name: str, report: Mapping[str, Any], commands: list[Mapping[str, str]]) -> str:
    title, does = _PROCESSES[name]
    failed = bool(report.get("failed"))
    refused = list(report.get("refused", ()))
    state = tag("span.bad", tag("i.dot"), " not held") if failed else tag("span.good", tag("i.dot"), " locked")
    gone = "ended after its check" if name == "worker" else "a process"
    facts = [f"process {report['pid']}"] if report.get("pid") else [gone]
    landlock = int(report.get("landlock") or 0)
    facts.append(f"files held by Landlock {landlock}" if landlock else "no Landlock here")
    facts.append(f"checked {moment(float(report['at']))}" if report.get("at") else "checked when it was started")
    chips = tag("div.chips", *(tag("span", escape(each)) for each in refused))
    return tag(
        "section.guard",
        tag("div.top", tag("h3", escape(title)), state),
        tag("p", escape(does)),
        tag("div.meta", escape(" · ".join(facts))),
        _fold(f"{count(len(refused), 'way out', 'ways out')} tried and refused", chips),
        _fold("See it from outside", outside(commands)) if commands else "",
        data_testid=f"process-{name}",
    )


def outside(commands: Iterable[Mapping[str, str]]) -> str:
    """Claims with the commands that show them, as HTML."""
    return tag(
        "dl.outside",
        *(
            tag("dt", escape(look.sentence(each["claim"])))
            + tag("dd", tag("code", escape(each["command"]), tabindex="0"), tag("span", "shows: ", line(each["shows"])))
            for each in commands
        ),
    )


def _fold(summary: str, inner: str) -> str:
    return tag("details", tag("summary", escape(summary)), inner)


def _keys(found: Mapping[str, Any]) -> None:
    st.html(tag("h2.title.small", "Keys and locking"))
    rows = []
    for slot in found["slots"]:
        since = f"since {day(slot['since'])}" if slot.get("since") else "from when the vault was made"
        rows.append((escape(look.sentence(slot["kind"]).rstrip(".")), f"{since} · {slot['derivation']}", ""))
    st.html(_table(rows, "slots"))
    minutes = float(found["auto_lock_minutes"])
    ends = bool(found["lock_ends_engine"])
    words = (
        f"After {minutes:g} minutes without you it "
        + (
            "ends, keys and all."
            if ends
            else "asks for the passphrase again; it goes on reading folders, keys in memory."
        )
        if minutes
        else "It does not lock by itself."
    )
    st.html(tag("p.lead", escape(words), " Change this in Settings."))
    with st.container(horizontal=True, key="locks"):
        if st.button(
            "Lock now",
            key="lock-page",
            icon=":material/lock:",
            help="Asks for the passphrase again. The engine goes on reading your folders, with the keys in its memory.",
        ):
            _lock_page()
        if st.button(
            "Lock everything",
            key="lock-everything",
            icon=":material/power_settings_new:",
            help="Ends the engine: no key and no text stays in memory.",
        ):
            page_folders.lock()


def _lock_page() -> None:
    with contextlib.suppress(StrongroomError):
        link.call("lock", mode="page")
    link.forget()
    link.rerun()


def _vault(found: Mapping[str, Any], commands: Iterable[Mapping[str, str]]) -> None:
    st.html(tag("h2.title.small", "The vault's files"))
    vault = found["vault"]
    row = (tag("bdi", line(vault["folder"], 400)), f"{size(vault['bytes'])}, encrypted with ChaCha20-Poly1305", "")
    seen = _fold("See it from outside", outside(each for each in commands if each["about"] == "vault"))
    st.html(tag("div.guard", _table([row], "files"), seen, data_testid="vault-files"))


def _backups(backups: list[Mapping[str, Any]]) -> None:
    st.html(tag("h2.title.small", "Backups"))
    if not backups:
        st.html(
            tag(
                "p.lead",
                "None is known. Settings makes one, and so does ",
                tag("code", "strongroom backup FOLDER"),
                ".",
            )
        )
        return
    for number, each in enumerate(backups):
        with st.container(key=f"backup-{number}", horizontal=True, vertical_alignment="center", border=True):
            holds = int(each["holds_purged"])
            state = (
                tag("span.good", tag("i.dot"), " there")
                if each["reachable"]
                else tag("span.warn", tag("i.dot"), " not reachable now")
            )
            words = tag(
                "span", f"made {day(each['at'])}, {moment(each['at'])} · generation {int(each['generation']):,}"
            )
            warning = (
                tag("div.warn", f"made before {count(holds, 'purge')}: it still holds what was purged since")
                if holds
                else ""
            )
            st.html(
                tag(
                    "div.folder",
                    tag("b", tag("bdi", line(each["path"], 400))),
                    tag("div.state", state, words),
                    warning,
                    data_testid="backup",
                )
            )
            st.button(
                "Forget",
                key=f"forget-{number}-{each['at']}",
                type="tertiary",
                on_click=_forget,
                args=(each["path"],),
                help="Leaves it out of this list. The backup itself stays where it is.",
            )


def _forget(path: str) -> None:
    with contextlib.suppress(StrongroomError):  # another tab was first
        link.call("backup.forget", path=path)


def _receipts(found: Mapping[str, Any]) -> None:
    st.html(tag("h2.title.small", "Purge receipts"))
    if not found["purges"]:
        st.html(tag("p.lead", "Nothing was purged from this vault."))
        return
    shown = [_receipt(each) for each in found["receipts"][:_RECEIPTS]]
    more = found["purges"] - len(shown)
    rest = tag("p.after", f"and {more:,} older") if more > 0 else ""
    st.html(tag("div.guards.wide", *shown) + rest)


def _receipt(found: Mapping[str, Any]) -> str:
    removed = found["removed"]
    told = " · ".join(count(int(removed[key]), one) for key, one in _COUNTED if removed.get(key))
    good = bool(found["confirmed"])
    head = tag(
        "span.good" if good else "span.bad",
        tag("i.dot"),
        " read back: nothing found" if good else " something was still found",
    )
    checks = tag(
        "table.checks",
        *(
            tag("tr", tag("td", line(c["what"])), tag("td", line(c["where"])), tag("td", f"found {int(c['found']):,}"))
            for c in found.get("checks", ())
        ),
    )
    return tag(
        "section.guard",
        tag("div.top", tag("h3", f"{day(found['at'])}, {moment(found['at'])}"), head),
        tag("div.meta", escape(told)),
        page_purge.stage(found),
        _fold("What was checked", checks),
        data_testid="purge-receipt",
    )


def _components(found: Mapping[str, Any]) -> None:
    st.html(tag("h2.title.small", "Age of the parts that touch your papers"))
    old_days = int(found["old_days"])
    rows, old = [], []
    for each in found["components"]:
        age = each["age_days"]
        if age is None:
            told, colour = "not the version that was pinned; its age is not known", "warn"
        else:
            told, colour = f"{each['released']} · {count(int(age), 'day')} old", "warn" if age > old_days else ""
        if age is not None and age > old_days:
            old.append(each["name"])
        name = tag("b", line(each["name"])) + " " + line(each["version"]) + tag("div.meta", line(each["does"]))
        rows.append((name, told, colour))
    if old:
        look.notice(
            "warn",
            f"older than {old_days} days: {', '.join(old)}",
            "flaws that were found since are not mended here; update as below",
        )
    st.html(_table(rows, "components"))
    st.html(
        tag(
            "p.lead",
            "To update: in the folder where you cloned Strongroom, ",
            tag("code", "git pull"),
            " and ",
            tag("code", "make install"),
            ". Strongroom itself never looks for updates.",
        )
    )


def _not_protected(rows: Iterable[Mapping[str, str]]) -> None:
    st.html(tag("h2.title.small", "What is not protected"))
    told = [tag("li", tag("b", escape(each["what"])), " ", escape(each["why"])) for each in rows]
    st.html(tag("ul.plain", *told) + tag("p.after", "More in docs/threat-model.md, with the test behind each claim."))


def _table(rows: Iterable[tuple[str, str, str]], name: str) -> str:
    """Two columns; the first is HTML, the second text, the third the second's colour."""
    return tag(
        "table.checks.pairs",
        *(
            tag("tr", tag("td", first), tag(f"td.{colour}" if colour else "td", escape(second)))
            for first, second, colour in rows
        ),
        data_testid=name,
    )


def moment(at: float) -> str:
    """A time of today as `14:05:12`."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S") if at else "never"


def day(at: float) -> str:
    """A day as `3 May 2026`, or `today`."""
    local = time.localtime(at)
    if local[:3] == time.localtime()[:3]:
        return "today"
    return f"{local.tm_mday} {time.strftime('%B %Y', local)}"
