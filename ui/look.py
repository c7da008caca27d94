"""How the page looks: a little CSS on top of Streamlit's theme, and the few HTML pieces that all screens share.

The styles are in assets/page.css, those of one screen in assets/page_SCREEN.css. There, the markup that Streamlit makes
is addressed through `key=` (class `st-key-…`) and `data-testid`, its stable names.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ui import appearance
from ui.shown import escape, line, tag, with_code

_ASSETS = Path(__file__).with_name("assets")

MARK = '<div class="mark" aria-hidden="true"></div>'


def apply(choice: str = "system") -> None:
    """Put the styles on the page, light or dark as chosen; the first thing that every run draws."""
    import streamlit as st

    st.html(f"<style>{appearance.styles(_styles(), choice)}</style>")


@cache
def _styles() -> str:
    sheets = [_ASSETS / "page.css", *sorted(_ASSETS.glob("page_*.css"))]  # a screen's own styles stand in its own sheet
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets).replace("MARK", mark_url())


@cache
def mark_url() -> str:
    """Strongroom's mark as a data URL."""
    plain = re.sub(r"\s+", " ", (_ASSETS / "mark.svg").read_text(encoding="utf-8")).strip()
    return "data:image/svg+xml," + plain.replace('"', "'").replace("#", "%23").replace("<", "%3C").replace(">", "%3E")


def title(words: str, lead: str = "") -> None:
    """A screen's title and, below it, a sentence."""
    import streamlit as st

    st.html(tag("h1.title", escape(words)) + (tag("p.lead", escape(lead)) if lead else ""))


def hero(words: str, lead: str = "") -> None:
    """What an otherwise empty screen says."""
    import streamlit as st

    st.html(tag("div.hero", tag("h1.title", escape(words)), tag("p.lead", escape(lead))))


def notice(kind: str, what: str, hint: str = "") -> None:
    """A framed sentence; `kind` is good, warn, bad or faint."""
    import streamlit as st

    more = "<br>" + tag("span", with_code(sentence(hint))) if hint else ""
    st.html(tag(f"div.notice.{kind}", tag("span", with_code(sentence(what))), more, role="status"))


def failure(error: Exception) -> None:
    """What went wrong and what to do about it."""
    notice("bad", getattr(error, "message", "") or "something went wrong", getattr(error, "hint", ""))


def pick(
    key: str,
    html: str,
    label: str,
    number: int | None = None,
    *,
    chosen: bool = False,
    on_click: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
) -> bool:
    """Something that is clicked as a whole. `html` is already escaped; `label` is ours, and read out by screen readers
    with `number`.

    True in the run that follows the click; before that run `on_click` is called with `args`.
    """
    import streamlit as st

    with st.container(key=f"pick-{key}"):
        st.html(tag("div.chosen" if chosen else "div", html))
        return st.button(
            label if number is None else f"{label} {number}", key=f"go-{key}", on_click=on_click, args=args
        )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Numbers with what they count below them, as HTML."""
    return tag("div.facts", *(tag("div", tag("b", line(value)), tag("span", escape(name))) for value, name in pairs))


def sentence(words: str) -> str:
    """A message, which has no capital and no full stop, as a sentence."""
    words = words.strip()
    return words if not words else words[0].upper() + words[1:] + ("" if words[-1] in ".?!" else ".")
