"""Settings: which reader reads a format."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import link, look, page_settings
from ui.shown import count, escape, line, tag, with_code

_REFRESH_S = 2
_WORDS = {"default": "Strongroom's own", "unstructured": "unstructured"}
_NAMES = {"html": "Web pages", "mail": "Mail", "docx": "Word documents", "xml": "XML"}


def show() -> None:
    """The section; where no other reader is installed, a sentence that says how to get one."""
    st.html(
        tag("h2.title.small", "Readers")
        + tag(
            "p.lead",
            "What takes your papers apart, each in a process that can open, send and start nothing. Another reader may "
            "find other words in them; when you choose it, the papers of that format are read again.",
        )
    )
    listed = link.call("readers")
    there = [each["name"] for each in listed["readers"] if each["installed"]]
    chosen = {each["reader"] for each in listed["rows"]} - {"default"}
    for missing in sorted(chosen - set(there)):
        look.notice("warn", f"{missing} was chosen and is not installed: Strongroom's own reader stands in")
    if not there and not chosen:
        names = ", ".join(each["name"] for each in listed["readers"])
        st.html(
            tag(
                "p.why",
                escape(f"Strongroom's own read everything. {names} can be added: "),
                tag("code", "make install EXTRAS=unstructured"),
            )
        )
        return
    with st.container(key="settings-readers"):
        for each in listed["rows"]:
            if each["choices"]:
                _choice(each, there)
        st.html(
            tag(
                "p.why",
                "unstructured does not tell what a paper hides from its reader's eyes: Strongroom's own goes through "
                "the same paper and tells it. Where one of the two fails, the other stands in, and the paper says so.",
            )
        )
        _others(listed["rows"])


def _choice(row: Mapping[str, Any], there: list[str]) -> None:
    name, now = str(row["format"]), str(row["reader"])
    choices = [each for each in row["choices"] if each == "default" or each in there or each == now]
    key = f"reader-{name}-{now}"
    words = {**_WORDS, **({} if row["default"] else {"default": "not read"})}
    st.selectbox(
        _NAMES[name],
        choices,
        index=choices.index(now),
        format_func=lambda each: words.get(each, each),
        key=key,
        width=300,
        on_change=_changed,
        args=(name, key, now),
    )
    page_settings.wrong(f"reader-{name}")
    others = row["documents"].keys() - {now}
    if others or (now != "default" and not row["documents"]):
        _following(name, words)
    else:
        _counted(row, words, busy=False)


@st.fragment(run_every=_REFRESH_S)
def _following(name: str, words: Mapping[str, str]) -> None:
    """How far it is with a format's papers, where not all of them were read by the reader that is chosen."""
    row = next(each for each in link.call("readers")["rows"] if each["format"] == name)
    _counted(row, words, busy=bool(link.status().get("to_do")))


def _counted(row: Mapping[str, Any], words: Mapping[str, str], *, busy: bool) -> None:
    """Whose text the format's papers have now."""
    total = sum(row["documents"].values())
    if not total:
        return
    done = int(row["documents"].get(row["reader"], 0))
    reader = words.get(row["reader"], row["reader"])
    if done == total:
        told = f"{count(total, 'paper')}, read by {reader}"
    elif busy:
        so_far = f"{done:,} of {count(total, 'paper')} read by {reader} so far"
        told = f"{so_far}; the others are found as they were read before"
    else:
        by = (f"{number:,} by {words.get(each, each)}" for each, number in sorted(row["documents"].items()))
        told = f"{count(total, 'paper')}, read {' and '.join(by)}"
    st.html(tag("p.why", escape(look.sentence(told)), data_testid=f"read-{row['format']}"))


def _changed(name: str, widget: str, was: str) -> None:
    page_settings.keep(
        f"reader-{name}",
        widget,
        was,
        same=lambda: any(each["format"] == name and each["reader"] == was for each in link.aside("readers")["rows"]),
        use=lambda chosen: link.aside("readers.use", format=name, reader=chosen),
    )


def _others(rows: list[Mapping[str, Any]]) -> None:
    """Why the other formats have no choice, each reason once."""
    reasons: dict[str, list[str]] = {}
    for each in rows:
        if not each["choices"]:
            reasons.setdefault("; ".join(each["why"].values()), []).append(each["format"])
    with st.expander("Formats that stay with Strongroom's own reader"):
        told = [tag("li", tag("b", line(", ".join(names))), ": ", with_code(why)) for why, names in reasons.items()]
        st.html(tag("p.why", "Of unstructured, format by format:") + tag("ul.plain", *told))
