"""HTML to text and blocks: what a reader would see, in order, and nothing fetched."""

import re
from dataclasses import dataclass

from ingest.html_look import Look, Sheet, attributes_of, look
from ingest.markup import tokens
from vault.records import Block

MAX_OPEN = 2000  # elements open at once; deeper ones are read as if they were closed at once
_DROPPED = frozenset(("template", "svg", "select", "datalist", "canvas", "audio", "video", "map", "applet"))
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
_PARAGRAPHS = frozenset(
    ("p", "table", "ul", "ol", "dl", "pre", "blockquote", "hr", "article", "section", "header", "footer", "main", "nav",
     "aside", "form", "fieldset", "figure", "figcaption", "address", "caption", "details", "summary", "body", "dialog",
     "center", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd")
)  # fmt: skip
_LINES = frozenset(("div", "option", "legend", "thead", "tbody", "tfoot"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# An element whose start ends an open one of these (HTML, 13.1.2.4, optional tags), searched up to one of the bounds.
_IMPLIED = {
    "li": (("li",), ("ul", "ol")), "dt": (("dt", "dd"), ("dl",)), "dd": (("dt", "dd"), ("dl",)),
    "td": (("td", "th"), ("tr", "table")), "th": (("td", "th"), ("tr", "table")),
    "tr": (("tr",), ("table",)), "tbody": (("tr", "thead", "tbody"), ("table",)),
    "option": (("option",), ("select",)),
}  # fmt: skip
# Characters that mailers put into otherwise empty lines to keep a preview short.
_FILLERS = (
    " \t\n\r\xa0\xad\u034f\u061c\u115f\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u200e\u200f\u202f\u2060\u2800\u3164\ufeff"
)
# How mail programs mark what they quote: class or id, as they write it.
_QUOTE_MARKS = re.compile(
    r"\b(?:gmail_quote\w*|gmail_attr|yahoo_quoted|yahoo-quoted-begin|moz-cite-prefix|protonmail_quote|tutanota_quote|"
    r"zmail_extra|OutlookMessageHeader|divRplyFwdMsg|appendonsend|mail-editor-reference-message-container|"
    r"ms-outlook-mobile-reference-message|oriMsgHtmlSeparator|isReplyContent|hmquote)\b"
)
_SIGNATURE_MARKS = re.compile(
    r"\b(?:gmail_signature\w*|moz-signature|AppleMailSignature|ms-outlook-mobile-signature|protonmail_signature\w*|"
    r"yahoo-signature|x_Signature|Signature)\b"
)
_TO_THE_END = ("divRplyFwdMsg", "appendonsend", "oriMsgHtmlSeparator")  # stand before the quoted message, not round it
_ARRANGED = frozenset((*_HEADINGS, "ul", "ol", "dl", "pre", "blockquote"))  # no cell of a table of data holds these
_PLAIN = Look()
_SOFT = "\x0b"  # where a `div` begins or ends: a new line, unless one has just begun
_CELL = 400  # characters; a longer cell is prose that a table lays out
_ADDED_ALT = 3  # words from which on a picture's description is more than a label


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text and its blocks."""

    text: str
    blocks: tuple[Block, ...]
    marks: tuple[str, ...]
    """what the markup says of each block: `quote`, `blockquote` (a quotation of some sort), `signature`, `hidden`, or
    empty"""
    title: str
    hidden: int
    """characters in blocks of kind `hidden`: what the page keeps from its reader's eyes"""
    unveiled: bool = False
    """all of it is hidden until a script has run, which none does here"""


def read(markup: str, *, scripts: bool = True) -> Page:
    """Return what a reader of the page would see, and what it hides as blocks of kind `hidden`, each behind the block
    that it was found in.

    A page whose `html` or `body` hides all of it, as some do until a script has run, is read as if they did not, where
    scripts may run at all: in no mail, which shows no background pictures either.
    """
    reader = _Reader(scripts=scripts)
    for kind, value, attributes in tokens(markup):
        if kind == "text":
            reader.write(value)
        elif kind == "start":
            reader.start(value, attributes)
        elif kind == "end":
            reader.end(value)
        elif kind == "style":
            reader.sheet.add(value)
        else:
            reader.title = reader.title or " ".join(value.split())
    return reader.page()


@dataclass(slots=True)
class _Open:
    """An element that has not been closed."""

    name: str
    look: Look
    hides: bool
    dropped: bool
    """its content is no text"""
    mark: str


@dataclass(slots=True)
class _Table:
    """A table being read. `cells` are those of the current row, each the pieces of its text."""

    cells: list[list[str]]
    heading: bool = True
    """all cells of the row so far are `th`"""
    layout: bool = False
    """a cell of this row holds blocks of its own: the table arranges the page"""


class _Reader:
    """Collects text into blocks. What is written goes to the innermost table's cell, or to the current paragraph."""

    def __init__(self, *, scripts: bool) -> None:
        self.scripts = scripts
        self.unveiled = False
        self.sheet = Sheet(pictures=scripts)
        self.title = ""
        self.hidden = 0
        self._out: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._marks: list[str] = []
        self._current: list[str] = []
        self._stack: list[_Open] = []
        self._count: dict[str, int] = {}  # how many elements of a name are open: end tags without a start cost nothing
        self._dropping = 0
        self._concealed: list[str] = []  # what was hidden since the last block
        self._marked = {"quote": 0, "blockquote": 0, "signature": 0}
        self._tables: list[_Table] = []
        self._kind, self._level = "paragraph", 0
        self._pre = 0
        self._quote_on = False

    def page(self) -> Page:
        while self._tables:
            self._end_table()
        self._flush()
        self._reveal()
        return Page("".join(self._out), tuple(self._blocks), tuple(self._marks), self.title, self.hidden, self.unveiled)

    def write(self, text: str) -> None:
        if self._dropping:
            return
        text = text.replace(_SOFT, " ")
        if self._hiding():
            self._concealed.append(text)
            return
        target = self._tables[-1].cells[-1] if self._in_cell() else self._current
        target.append(text if self._pre else text.replace("\n", " "))

    def start(self, name: str, attributes: str) -> None:
        if name in _IMPLIED:
            self._imply(*_IMPLIED[name])
        elif name in _PARAGRAPHS or name in ("div", "table"):
            self._imply(("p",), ("table", "td", "th", "li", "blockquote", "div"))
        self._break(name)
        if name == "table" and len(self._stack) < MAX_OPEN:
            self._start_table()
        elif name == "tr" and self._tables:
            self._end_row()
        elif name in ("td", "th") and self._tables:
            self._start_cell(heading=name == "th")
        elif name == "img":
            self._picture(attributes)
        elif name in _ARRANGED:
            self._as_layout()
        if name in _VOID:
            return
        self._push(name, attributes)
        if name in _HEADINGS:
            self._kind, self._level = "heading", _HEADINGS[name]
        elif name in ("li", "dd"):
            self._kind, self._level = "item", 0

    def end(self, name: str) -> None:
        if name == "p" and not self._count.get("p"):
            self._break("p")  # `</p>` alone is an empty paragraph
        if not self._count.get(name):
            return
        while self._stack:
            closed = self._pop()
            if closed == name:
                return

    def _push(self, name: str, attributes: str) -> None:
        if len(self._stack) >= MAX_OPEN:
            return
        mark = ""
        if name == "blockquote":
            mark = "quote" if "cite" in attributes.lower() else "blockquote"
        said = attributes_of(attributes)
        for key in ("class", "id"):
            if key in said:
                mark = self._marked_as(said[key]) or mark
        before = self._stack[-1].look if self._stack else _PLAIN
        shown = look(before, name, said, self.sheet) if said or self.sheet.rules else before
        if self.scripts and name in ("html", "body") and shown.hidden:
            shown, self.unveiled = Look(colour=shown.colour, paper=None), True
        self._stack.append(_Open(name, shown, shown.hidden, name in _DROPPED, mark))
        self._count[name] = self._count.get(name, 0) + 1
        self._dropping += name in _DROPPED
        self._pre += name == "pre"
        if mark:
            self._as_layout()
            self._flush()
            self._marked[mark] += 1

    def _marked_as(self, value: str) -> str:
        found = _QUOTE_MARKS.search(value)
        if found:
            if found[0] in _TO_THE_END:
                self._flush()
                self._quote_on = True
            return "quote"
        return "signature" if _SIGNATURE_MARKS.search(value) else ""

    def _pop(self) -> str:
        closed = self._stack[-1]
        self._break(closed.name)
        if closed.name == "table":
            self._end_table()
        elif closed.name == "tr" and self._tables:
            self._end_row()
        elif closed.name in ("td", "th") and self._tables and self._tables[-1].layout:
            self._flush()
        if closed.mark:
            self._flush()
            self._marked[closed.mark] -= 1
        self._stack.pop()
        self._count[closed.name] -= 1
        self._dropping -= closed.dropped
        self._pre -= closed.name == "pre"
        if closed.name in _HEADINGS or closed.name in ("li", "dd"):
            self._kind, self._level = ("item", 0) if self._count.get("li") else ("paragraph", 0)
        return closed.name

    def _imply(self, names: tuple[str, ...], bounds: tuple[str, ...]) -> None:
        """Close an open element of `names` unless one of `bounds` lies between; looks at a few elements only."""
        if not any(self._count.get(name) for name in names):
            return
        for above in range(len(self._stack) - 1, max(-1, len(self._stack) - 20), -1):
            if self._stack[above].name in names:
                while len(self._stack) > above:
                    self._pop()
                return
            if self._stack[above].name in bounds:
                return

    def _break(self, name: str) -> None:
        """Begin a new line or paragraph where the element asks for one."""
        if self._dropping:
            return
        if self._hiding():
            self._concealed.append("\n" if name == "br" or name in _LINES or name in _PARAGRAPHS else "")
            return
        target = self._tables[-1].cells[-1] if self._in_cell() else self._current
        if name == "br":
            target.append("\n")
        elif name in _LINES:
            target.append(_SOFT)
        elif name in _PARAGRAPHS and name != "table":
            if self._in_cell():
                target.append(f"{_SOFT}\n{_SOFT}")
            else:
                self._flush()

    def _picture(self, attributes: str) -> None:
        said = attributes_of(attributes)
        words = said.get("alt", "")
        if len(words.split()) < _ADDED_ALT:
            return
        before = self._stack[-1].look if self._stack else _PLAIN
        speck = any(said.get(side, "").removesuffix("px") in ("0", "1", "2") for side in ("width", "height"))
        if (speck or look(before, "img", said, self.sheet).hidden) and not self._dropping:
            self._concealed.append(f" {words} ")
        else:
            self.write(f" {words} ")

    def _hiding(self) -> bool:
        return bool(self._stack) and self._stack[-1].hides

    def _in_cell(self) -> bool:
        return bool(self._tables) and not self._tables[-1].layout and bool(self._tables[-1].cells)

    def _start_table(self) -> None:
        self._as_layout()
        self._flush()
        self._tables.append(_Table([]))

    def _as_layout(self) -> None:
        """Take the table that is open for mere arrangement: what its cells hold are blocks of the page."""
        if self._in_cell():  # the tables around this one have been found to be layout when it began
            table = self._tables[-1]
            table.layout = True
            cells, table.cells = table.cells, []
            self._paragraphs(cells)

    def _start_cell(self, *, heading: bool) -> None:
        table = self._tables[-1]
        self._flush()
        if table.layout:
            return
        table.heading = heading and (table.heading or not table.cells)
        table.cells.append([])

    def _end_row(self) -> None:
        table = self._tables[-1]
        if table.layout:
            self._flush()
            table.layout, table.cells, table.heading = False, [], True
            return
        cells, heading = table.cells, table.heading
        table.cells, table.heading = [], True
        self._row(cells, heading=heading)
        self._reveal()

    def _row(self, cells: list[list[str]], *, heading: bool) -> None:
        texts = [_lines("".join(cell)) for cell in cells]
        filled = [each for each in texts if each]
        if len(filled) < 2 or any(len(each) > _CELL or "\n\n" in each for each in filled):
            self._paragraphs(cells)
            return
        while texts and not texts[-1]:
            texts.pop()
        row = " | ".join(" ".join(each.split()) for each in texts)
        self._emit(row, "header" if heading else "row", 0)

    def _end_table(self) -> None:
        self._end_row()
        self._tables.pop()
        self._flush()

    def _paragraphs(self, cells: list[list[str]]) -> None:
        for cell in cells:
            for paragraph in _lines("".join(cell)).split("\n\n"):
                if paragraph:
                    self._emit(paragraph, self._kind if self._kind != "heading" else "paragraph", 0)

    def _flush(self) -> None:
        """End the current paragraph; empty lines within it (two `<br>`) end paragraphs too."""
        if not self._current:
            self._reveal()
            return
        raw = "".join(self._current)
        self._current = []
        text = raw.replace(_SOFT, "\n").strip("\n") if self._pre else _lines(raw)
        for paragraph in [text] if self._pre else text.split("\n\n"):
            if paragraph.strip(_FILLERS):
                self._emit(paragraph, self._kind, self._level)
        self._reveal()

    def _reveal(self) -> None:
        """Put what was hidden since the last block into one of its own."""
        if not self._concealed or self._in_cell():
            return
        text = _lines("".join(self._concealed)).replace("\n\n", "\n")
        self._concealed = []
        if text.strip(_FILLERS):
            self.hidden += len(text)
            self._emit(text, "hidden", 0)

    def _emit(self, text: str, kind: str, level: int) -> None:
        if self._blocks:
            close = kind in ("row", "item") and self._blocks[-1].kind in ("row", "header", "item")
            separator = "\n" if close else "\n\n"
            self._out.append(separator)
            self._length += len(separator)
        self._out.append(text)
        self._blocks.append(Block(self._length, self._length + len(text), kind, level))
        self._length += len(text)
        marked = "hidden" if kind == "hidden" else "quote" if self._quote_on else ""
        self._marks.append(marked or next((name for name, depth in self._marked.items() if depth), ""))


def _lines(raw: str) -> str:
    """Collapse white space within lines; drop lines of fillers; keep one empty line where there were any."""
    lines: list[str] = []
    for boxed in raw.split(_SOFT):
        broken = [" ".join(line.split()) for line in boxed.split("\n")]
        if not broken[-1]:
            broken.pop()  # nothing in the box, or a `<br>` that ends its last line
        lines += broken
    kept: list[str] = []
    for line in lines:
        if line.strip(_FILLERS):
            kept.append(line)
        elif kept and kept[-1]:
            kept.append("")
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept)
