"""A passage on the picture of its page: its lines marked, cropped to their neighbourhood, or the whole page.

Where the lines are comes with the picture, as fractions of the page; everything is placed by styles alone, because the
page's policy lets no script of ours run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui import link, look
from ui.named import title
from ui.shown import tag
from vault.errors import StrongroomError

_WIDTH = 1_200
"""pixels: twice what the panel is wide, for sharp screens"""
_ROUND, _LEAST_HIGH = 0.1, 0.34
"""of the page's height: what is shown above and below the marked lines, and at least in all"""
_BESIDE, _LEAST_WIDE = 0.05, 0.7
"""the same of its width"""
_KEPT = 6
"""pictures of what is open"""


def possible(document: Mapping[str, Any]) -> bool:
    """Whether a document's pages can be shown as pictures."""
    media_type = str(document.get("media_type") or "")
    return media_type == "application/pdf" or media_type.startswith("image/")


def show(document: Mapping[str, Any], state: dict[str, Any]) -> bool:
    """Draw the page of `state` with the passage's lines; False, after saying why, if it cannot be had."""
    page = int(state.get("page") or 1)
    try:
        found = _picture(document["id"], page, state)
    except StrongroomError as error:
        look.notice("faint", getattr(error, "message", "") or "the page cannot be shown", getattr(error, "hint", ""))
        return False
    boxes = found.get("boxes") or []
    whole = bool(state.get("whole")) or not boxes
    with st.container(key="page-buttons", horizontal=True, vertical_alignment="center"):
        pages = int(found.get("pages") or 1)
        if pages > 1:
            back, on = ":material/chevron_left:", ":material/chevron_right:"
            st.button("Page back", "page-back", icon=back, type="tertiary", disabled=page <= 1,
                      on_click=_turn, args=(page - 1,))  # fmt: skip
            st.html(tag("span.state", f"page {page} of {pages}"), width="content")
            st.button("Page on", "page-on", icon=on, type="tertiary", disabled=page >= pages,
                      on_click=_turn, args=(page + 1,))  # fmt: skip
        st.space("stretch")
        if boxes:
            st.button(
                "Around the passage" if whole else "Whole page",
                key="whole",
                icon=":material/zoom_in:" if whole else ":material/zoom_out:",
                type="tertiary",
                on_click=_whole,
                args=(not whole,),
            )
    st.html(html(found, f"page {page} of {title(document)}", whole=whole))
    return True


def _turn(page: int) -> None:
    st.session_state["opened"] |= {"page": page}


def _whole(whole: bool) -> None:
    st.session_state["opened"] |= {"whole": whole}


def _picture(document: str, page: int, state: dict[str, Any]) -> Mapping[str, Any]:
    """From the engine, or from the few that are kept with what is open, and go with it."""
    kept: dict[int, Mapping[str, Any]] = state.setdefault("pictures", {})
    if page not in kept:
        asked = {"start": state["start"], "end": state["end"]} if state["end"] > state["start"] else {}
        kept[page] = link.call("document.picture", id=document, page=page, width=_WIDTH, **asked)
        for old in list(kept)[:-_KEPT]:
            del kept[old]
    return kept[page]


def html(found: Mapping[str, Any], words: str, *, whole: bool) -> str:
    """The picture as HTML, its boxes over it. `words` say what it is to those who do not see it."""
    boxes = [_inside(box) for box in found.get("boxes") or ()]
    left, right = (0.0, 1.0) if whole else window([(box[0], box[2]) for box in boxes], _BESIDE, _LEAST_WIDE)
    top, bottom = (0.0, 1.0) if whole else window([(box[1], box[3]) for box in boxes], _ROUND, _LEAST_HIGH)
    wide, high = right - left, bottom - top
    placed = [
        tag("i.box", style=f"left:{x0:.3%};top:{y0:.3%};width:{x1 - x0:.3%};height:{y1 - y0:.3%}", data_testid="box")
        for x0, y0, x1, y1 in boxes
    ]
    source = f"data:{_media_type(found)};base64,{found['data']}"
    # A sheet as large as the page, pushed up and to the left inside a window as large as the crop. In per cent, `left`
    # and `top` are of the window.
    place = f"width:{1 / wide:.3%};left:{-left / wide:.3%};top:{-top / high:.3%}"
    sheet = tag("div.sheet", tag("img", alt=words, src=source).removesuffix("</img>"), *placed, style=place)
    ratio = f"{int(found['width']) * wide:.1f} / {int(found['height']) * high:.1f}"
    cut = ".above" * (top > 0) + ".below" * (bottom < 1)
    return tag(f"div.leafpage{cut}", sheet, style=f"aspect-ratio:{ratio}", data_testid="page-picture")


def window(ranges: Sequence[tuple[float, float]], around: float, least: float) -> tuple[float, float]:
    """The part of 0 to 1 that shows all `ranges` with `around` on both sides, `least` long at least."""
    if not ranges:
        return 0.0, 1.0
    low = min(start for start, _ in ranges) - around
    high = max(end for _, end in ranges) + around
    if (missing := least - (high - low)) > 0:
        low, high = low - missing / 2, high + missing / 2
    length = min(1.0, high - low)
    low = min(max(0.0, low), 1.0 - length)
    return low, low + length


def _inside(box: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (min(1.0, max(0.0, float(each))) for each in box)
    return x0, y0, max(x0, x1), max(y0, y1)


def _media_type(found: Mapping[str, Any]) -> str:
    """The type of the picture, of the few that a worker makes."""
    told = str(found.get("media_type"))
    return told if told in {"image/png", "image/jpeg", "image/webp"} else "image/png"
