"""Rich Text Format 1.9: text, headings by style or outline level, table rows, list labels as Word wrote them.

One pass over the bytes. Each group inherits its parent's state; a group that begins with a destination of no text is
skipped whole. Bytes beyond ASCII are in the code page of the current font.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from ingest import kind
from ingest.ooxml import Writer
from ingest.registry import Context, UnreadableError, digest
from vault.records import Document, Problem

_LIMIT = 256 << 20  # bytes; pictures in hexadecimal make files long
_DEPTH = 2000  # groups inside groups
_CELL = 300  # characters: a table with longer cells is laid-out text, not data
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+", re.DOTALL
)
_CHARSETS = {  # of a font (fcharset), as Windows' code pages
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_SIGNS = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "tab": "\t", "emdash": "—", "endash": "–", "bullet": "•",
    "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "emspace": "\u2003", "enspace": "\u2002",
    "qmspace": "\u2005", "nestcell": "\t", "nestrow": "\n",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"-": "\xad", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_SKIPPED = frozenset(
    b"""colortbl filetbl listtable listoverridetable revtbl rsidtbl generator pict objdata objclass objname
    themedata colorschememapping datastore latentstyles fldinst nonshppict shprslt sn sv xmlnstbl pgptbl bkmkstart
    bkmkend ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn pnseclvl datafield formfield template operator comment
    doccomm keywords category manager company hlinkbase mmathPr wgrffmtfilter passwordhash userprops xe tc""".split()
)
_ASIDES = frozenset(b"header headerl headerr headerf footer footerl footerr footerf footnote annotation".split())
# Destinations marked as ignorable (`\*`) that hold text all the same.
_STARRED = frozenset((b"shpinst", b"shptxt", b"footnote", b"annotation", b"listtext"))


@dataclass(slots=True)
class _State:
    skipped: bool = False
    aside: str = ""
    """header, footer, footnote, …: not part of the running text"""
    table: str = ""
    """font, style or info: what is read of it goes into a table"""
    encoding: str = ""
    fallback: int = 1
    """characters after a \\u that stand in for it"""
    hidden: bool = False
    level: int = 0
    """of the heading that the paragraph is, from 1"""
    in_table: bool = False


@dataclass(slots=True)
class _Made:
    out: Writer = field(default_factory=Writer)
    asides: dict[str, list[str]] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    paragraph: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError if it is no RTF or too large."""
    identity = digest(file)
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UnreadableError(f"larger than {_LIMIT >> 20} MiB")
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableError("damaged: it does not begin as RTF does")
    made = _Reader(data).read()
    text = made.out.text()
    title = kind.own_title(made.info.get("title", ""))
    yield Document(
        id=identity,
        kind=kind.tell("rtf", name, title, text),
        title=title,
        text=text,
        blocks=tuple(made.out.blocks),
        metadata={"author": made.info["author"][:300]} if made.info.get("author") else {},
        part=context.part,
        parent=context.parent,
        media_type="application/rtf",
        note="" if text else "it holds no text",
    )


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.made = _Made()
        self.state = _State()
        self.page = "cp1252"
        self.fonts: dict[int, str] = {}
        self.styles: dict[int, int] = {}
        self.number = 0  # of the font or style that a table's entry is about
        self.waiting = 0  # stand-ins to be skipped
        self.raw = b""
        self.high = 0  # first half of a surrogate pair

    def read(self) -> _Made:
        stack: list[_State] = []
        position, starred, opened = 0, False, False
        while match := _TOKEN.match(self.data, position):
            position = match.end()
            word, number, code, symbol, brace, plain = match.groups()
            if brace == b"{":
                self._flush()
                if len(stack) >= _DEPTH:
                    raise UnreadableError("damaged: groups lie too deep inside each other")
                stack.append(self.state)
                self.state = replace(self.state)
                starred, opened, self.waiting = False, True, 0
                continue
            if brace == b"}":
                self._flush()
                if not stack:
                    break
                if self.state.aside and self.state.aside != stack[-1].aside:
                    self._write("\n")
                self.state = stack.pop()
                opened, self.waiting = False, 0
                continue
            if symbol == b"*":
                starred = True
                continue
            if word:
                if word == b"bin":
                    position += max(0, int(number or 0))
                elif opened and self._destination(word, starred=starred):
                    starred = opened = False
                elif starred:
                    self.state.skipped = True
                else:
                    self._word(word.decode(), int(number) if number else None)
                starred = opened = False
            elif not self.state.skipped:
                opened = False
                if code:
                    self._bytes(bytes.fromhex(code.decode()))
                elif symbol:
                    self._write(_SYMBOLS.get(symbol, ""))
                elif plain:
                    self._bytes(plain)
        self._flush()
        if self.made.cells:  # a row that was cut off
            self.made.rows.append(self.made.cells)
        self._paragraph()
        self._end_table()
        for each in ("footnote", "annotation", "footer"):
            for line in dict.fromkeys("".join(self.made.asides.get(each, ())).split("\n")):
                self.made.out.add(line)
        return self.made

    def _destination(self, word: bytes, *, starred: bool) -> bool:
        """Take a group's first word; return whether it was a destination."""
        state = self.state
        if word in (b"fonttbl", b"stylesheet", b"info") or (state.table == "info" and word in (b"title", b"author")):
            state.table = word.decode()
        elif word in _SKIPPED or (starred and word not in _STARRED):
            state.skipped = True
        elif word in _ASIDES:
            state.aside = re.sub("(header|footer).", r"\1", word.decode())
        else:
            return word in _STARRED
        return True

    def _word(self, word: str, number: int | None) -> None:
        state = self.state
        if word == "ansicpg" and number:
            self.page = f"cp{number}" if number != 10000 else "mac_roman"
        elif word in ("mac", "pc", "pca"):
            self.page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif state.table == "fonttbl":
            if word == "f":
                self.number = number or 0
            elif word == "fcharset" and number in _CHARSETS:
                self.fonts[self.number] = _CHARSETS[number]
        elif state.table == "stylesheet":
            if word == "s":
                self.number = number or 0
            elif word == "outlinelevel" and number is not None and 0 <= number < 9:
                self.styles[self.number] = number + 1
        elif word == "u" and number is not None:
            self._flush()
            self._unit(number & 0xFFFF)
            self.waiting = state.fallback
        elif state.skipped:
            return
        elif word == "uc":
            state.fallback = max(0, min(number or 0, 20))
        elif word == "f":
            self._flush()
            state.encoding = self.fonts.get(number or 0, "")
        elif word in ("v", "deleted"):
            self._flush()
            state.hidden = number != 0
        elif word == "plain":
            self._flush()
            state.hidden, state.encoding = False, ""
        else:
            self._layout(word, number)

    def _layout(self, word: str, number: int | None) -> None:
        if word in ("pard", "s", "outlinelevel", "intbl", "trowd", "cell", "row") and self.state.aside:
            return
        if word == "pard":
            self.state.level, self.state.in_table = 0, False
        elif word == "s":
            self.state.level = self.styles.get(number or 0, 0)
        elif word == "outlinelevel" and number is not None and 0 <= number < 9:
            self.state.level = number + 1
        elif word == "intbl":
            self.state.in_table = True
        elif word == "cell":
            self._flush()
            self.made.cells.append("".join(self.made.paragraph).strip())
            self.made.paragraph.clear()
        elif word == "row":
            self._flush()
            self.made.rows.append(self.made.cells)
            self.made.cells = []
            self.made.paragraph.clear()
        elif word in _SIGNS:
            self._flush()
            self._write(_SIGNS[word], ends=word in ("par", "sect", "page"))

    def _bytes(self, raw: bytes) -> None:
        if self.state.skipped:
            return
        if self.waiting:
            taken = min(self.waiting, len(raw))
            self.waiting -= taken
            raw = raw[taken:]
        self.raw += raw

    def _flush(self) -> None:
        raw, self.raw = self.raw, b""
        if not raw:
            return
        try:
            text = raw.decode(self.state.encoding or self.page, "replace")
        except LookupError:
            text = raw.decode("cp1252", "replace")
        self._write(text)

    def _unit(self, code: int) -> None:
        """Write one UTF-16 unit; pairs arrive as two."""
        if 0xD800 <= code < 0xDC00:
            self.high = code
        elif 0xDC00 <= code < 0xE000:
            if self.high:
                self._write(chr(0x10000 + ((self.high - 0xD800) << 10) + code - 0xDC00))
            self.high = 0
        else:
            self.high = 0
            self._write(chr(code) if code > 31 else "")

    def _write(self, text: str, *, ends: bool = False) -> None:
        self._flush()
        state = self.state
        if state.skipped or state.hidden or not text:
            return
        if state.table in ("title", "author"):
            self.made.info[state.table] = self.made.info.get(state.table, "") + text
        elif state.table == "stylesheet":
            heading = re.match(r"heading (\d)", text, re.IGNORECASE)
            if heading:
                self.styles.setdefault(self.number, max(1, int(heading[1])))
        elif state.table:
            return
        elif state.aside == "header" and not self.made.out.blocks:
            self.made.paragraph.append(text)  # a letterhead stands above the letter
            if ends:
                self._paragraph()
        elif state.aside:
            self.made.asides.setdefault(state.aside, []).append(text)
        elif ends and not state.in_table:
            self._end_table()
            self._paragraph()
        else:
            self.made.paragraph.append(" " if ends else text)

    def _paragraph(self) -> None:
        text = "".join(self.made.paragraph)
        self.made.paragraph.clear()
        if not text.strip():
            return
        self._end_table()
        item = re.match(r"\s*(?:[•·▪◦o-]|\(?\w{1,4}[.)])\t", text)
        if item:
            text = text.replace("\t", " ", 1)
        level = self.state.level
        self.made.out.add(text, "heading" if level else "item" if item else "paragraph", level)

    def _end_table(self) -> None:
        rows, self.made.rows = self.made.rows, []
        if any(len(cell) > _CELL for row in rows for cell in row):
            for cell in (cell for row in rows for cell in row):
                for line in cell.split("\n"):
                    self.made.out.add(line)
        else:
            self.made.out.table([[" ".join(cell.split()) for cell in row] for row in rows])
