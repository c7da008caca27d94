"""How text that others wrote is shown: as text, never as markup, with what cannot be seen made visible.

Everything from a document, a file's name or the engine's messages goes through here before the page gets it. The
result is HTML in which every character of the source is escaped, so that no image, link, style or script of a document
comes to life; the page's content security policy is the second line. Streamlit's Markdown elements are never given
such text.
"""

import calendar
import html
import re
import unicodedata
from collections.abc import Iterable

_BIDI = {
    "\u061c": "ALM",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
}
"""Characters that turn the direction of what follows (Unicode Standard Annex 9), by their usual abbreviation."""

# Runs of: controls other than tab and newline; directional characters; characters that show nothing (zero-width
# spaces and joiners, fillers, invisible operators, variation selectors beyond the emoji ones, tags); private use; what
# is no character at all. The two emoji selectors are not among them, and a single joiner is left by `_symbol`.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]+"
)
_QUIET = frozenset("\u00ad\u200c\u200d")
"""Soft hyphen and the two joiners: alone they are ordinary typography, in a row they hide something."""


def neutral(text: str) -> str:
    """`text` with newlines as the page breaks them, and every run of unseen characters as a visible sign."""
    return _UNSEEN.sub(_symbol, text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


def _symbol(found: re.Match[str]) -> str:
    run = found.group()
    if len(run) == 1:
        return _one(run)
    if all(character in _BIDI for character in run) and len(run) <= 3:
        return "".join(_one(character) for character in run)
    return f"⟨{len(run)} hidden characters⟩"


def _one(character: str) -> str:
    if character in _QUIET:
        return character
    if character in _BIDI:
        return f"⟨{_BIDI[character]}⟩"
    if character in "\u2028\u2029":
        return "\n"
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"⟨{unicodedata.name(character, f'U+{code:04X}').lower()}⟩"


def escape(text: object) -> str:
    """`text` as HTML that shows exactly its characters."""
    return html.escape(neutral(str(text)), quote=True)


def line(text: object, limit: int = 200) -> str:
    """`text` as HTML on one line: white space folded, and cut after `limit` characters with an ellipsis."""
    folded = " ".join(str(text).split())
    return escape(folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…")


def with_code(text: object) -> str:
    """`text` as HTML, in which what stands between backticks is set as what is to be typed."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def tag(what: str, *inner: str, **attributes: str) -> str:
    """An HTML element around `inner`, which is HTML already. `what` is its name and classes, as in `div.card.wide`; the
    values of `attributes` are escaped here, an underscore in a name stands for a hyphen.
    """
    name, *classes = what.split(".")
    if classes:
        attributes = {"class": " ".join(classes), **attributes}
    listed = "".join(f' {key.replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{listed}>{''.join(inner)}</{name}>"


def marked(text: str, marks: Iterable[tuple[int, int]]) -> str:
    """`text` as HTML with `<mark>` around each range of `marks`, half-open, in code points of `text`.

    Ranges may overlap, touch and reach beyond the text; they are merged and clipped first.
    """
    pieces: list[str] = []
    at = 0
    for start, end in _merged(marks, len(text)):
        pieces.append(escape(text[at:start]))
        pieces.append(f"<mark>{escape(text[start:end])}</mark>")
        at = end
    pieces.append(escape(text[at:]))
    return "".join(pieces)


def _merged(marks: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in marks):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `1,204 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(octets: int) -> str:
    """`812 B`, `3.4 MB`: powers of ten, as file managers show them."""
    value = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def left(seconds: float) -> str:
    """What is left of the work, as people say it: `a few seconds left`, `12 min left`, `3 h left`."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"{round(seconds / 10) * 10} s left"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min left"
    return f"{round(seconds / 3600)} h left"


def date(written: str | None) -> str:
    """`2025-05-03T10:00:00+02:00` as `3 May 2025`; anything else as it is."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)", written or "")
    if found is None or not 1 <= int(found[2]) <= 12:
        return written or ""
    return f"{int(found[3])} {calendar.month_name[int(found[2])]} {found[1]}"
