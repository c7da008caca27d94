"""A mail's thread: the messages before and after it, each to open."""

from collections.abc import Callable, Mapping
from typing import Any

from ui import link, look
from ui.named import sender
from ui.shown import count, date, line, tag

_MOST = 40
"""messages of a thread that are listed, those nearest to the open one"""


def thread(document: Mapping[str, Any], on_open: Callable[[str], None]) -> None:
    """Draw the list of messages that `document` belongs to, if it is not the only one."""
    import streamlit as st

    messages = link.call("document.thread", id=document["id"])["messages"]
    if len(messages) < 2:
        return
    at = next((n for n, each in enumerate(messages) if each["id"] == document["id"]), 0)
    first = max(0, min(at - _MOST // 2, len(messages) - _MOST))
    st.html(tag("div.label", f"In this conversation: {count(len(messages), 'message')}"))
    with st.container(key="thread"):
        for n, each in enumerate(messages[first : first + _MOST], start=first):
            html = tag(
                "div.row",
                tag("div.name", line(sender(each.get("sender") or "", 80) or "unknown", 80), dir="auto"),
                tag("div.right.faint", line(date(each.get("date")))),
                tag("div.why.faint", line(each.get("opening") or each.get("title") or "", 160), dir="auto"),
                data_testid="message",
            )
            if n == at:
                st.html(tag("div.chosen", html, aria_current="true"))
            else:
                look.pick(f"message-{n}", html, "Open message", n + 1, on_click=on_open, args=(each["id"],))
