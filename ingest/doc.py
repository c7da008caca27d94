"""Word 97 to 2003 (MS-DOC): the text by its piece table, headings and table rows by the paragraphs' properties.

A file's text lies in pieces, each in Windows-1252 or UTF-16, in the stream `WordDocument`; the table stream says
where (2.4.1). Each paragraph's style lies in pages of 512 bytes that are found by its place in the stream (2.4.6).
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest import kind, ole
from ingest.compound import Compound
from ingest.ooxml import Writer
from ingest.registry import Context, UnreadableError, UnsupportedError, digest
from vault.records import Document, Problem

_LIMIT = 256 << 20  # bytes
_CELL = 300  # characters: a table with longer cells is laid-out text, not data
_CLX, _PAPX = 33, 13  # of the pairs (offset, length) in the header's table (2.5.6)
# Special characters of the text (2.8.25 and Word's own): what stands for them.
_SIGNS = {"\x0b": "\n", "\x0e": "\n", "\x1e": "\u2011", "\x1f": "\xad"}
_NO_TEXT = re.compile("[\x00-\x06\x08\x0f-\x12\x16-\x1d]")
_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x15]*))?\x15")  # instruction, result


@dataclass(slots=True)
class _Piece:
    start: int
    """its first character"""
    end: int
    offset: int
    """where it lies in the stream, in bytes"""
    wide: bool


@dataclass(slots=True)
class _Paragraph:
    level: int = 0
    """of a heading, from 1"""
    in_table: bool = False
    ends_row: bool = False


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError, and UnsupportedError for Word 95 and older."""
    identity = digest(file)
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UnreadableError(f"larger than {_LIMIT >> 20} MiB")
    compound = Compound(data)
    main = _stream(compound, "WordDocument")
    try:
        out = _read(compound, main)
    except (struct.error, IndexError) as error:
        raise UnreadableError(f"damaged: {error}") from error
    metadata = ole.properties(compound)
    title = metadata.pop("title", "")
    yield Document(
        id=identity,
        kind=kind.tell("doc", name, title, out.text()),
        title=title,
        text=out.text(),
        blocks=tuple(out.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/msword",
        note="" if out.blocks else "it holds no text",
    )


def _stream(compound: Compound, name: str) -> bytes:
    streams = {each.casefold(): entry for each, entry in compound.root.children.items()}
    entry = streams.get(name.casefold())
    if entry is None or entry.is_storage:
        raise UnreadableError(f"damaged: it has no part {name!r}")
    return compound.read(entry)


def _read(compound: Compound, main: bytes) -> Writer:
    magic, version = struct.unpack_from("<HH", main)
    flags = struct.unpack_from("<H", main, 10)[0]
    if magic != 0xA5EC or version < 0xC1:
        raise UnsupportedError("written by Word 95 or older", "save it as .docx or PDF")
    if flags & 0x0100:
        raise UnreadableError("needs a password", "save a copy without one into a watched folder")
    table = _stream(compound, "1Table" if flags & 0x0200 else "0Table")
    pieces = list(_pieces(table, *struct.unpack_from("<II", main, 0x9A + 8 * _CLX)))
    styles = _Styles(main, table)
    # Main text, footnotes, headers, (macros,) comments, endnotes, text boxes: lengths in characters (2.5.4).
    lengths = struct.unpack_from("<8i", main, 0x4C)
    out = Writer()
    start = 0
    asides = []
    for index, length in enumerate(lengths):
        end = start + max(0, length)
        if index == 0:
            _story(_characters(main, pieces, start, end), styles, out)
        elif index != 3:
            asides.append(_plain("".join(text for text, _ in _characters(main, pieces, start, end))))
        start = end
    for aside in asides:
        for line in dict.fromkeys(each.strip() for each in aside.split("\r")):
            if sum(map(str.isalpha, line)) > 3:
                out.add(line)
    return out


def _pieces(table: bytes, offset: int, length: int) -> Iterator[_Piece]:
    """Yield the pieces of text (Clx, 2.9.38)."""
    at, end = offset, min(offset + length, len(table))
    while at < end and table[at] == 1:  # changes of properties
        at += 3 + struct.unpack_from("<H", table, at + 1)[0]
    if at >= end or table[at] != 2:
        raise UnreadableError("damaged: it has no list of its pieces of text")
    size = min(struct.unpack_from("<I", table, at + 1)[0], end - at - 5)
    count = (size - 4) // 12
    places = struct.unpack_from(f"<{count + 1}I", table, at + 5)
    for index in range(count):
        raw = struct.unpack_from("<I", table, at + 5 + 4 * (count + 1) + 8 * index + 2)[0]
        wide = not raw & 0x40000000
        place = raw & 0x3FFFFFFF
        yield _Piece(places[index], places[index + 1], place if wide else place // 2, wide)


def _characters(main: bytes, pieces: list[_Piece], start: int, end: int) -> Iterator[tuple[str, int]]:
    """Yield the text in runs that end where a paragraph or cell ends, each with the place of its last byte."""
    for piece in pieces:
        first, last = max(piece.start, start), min(piece.end, end)
        if first >= last:
            continue
        width = 2 if piece.wide else 1
        at = piece.offset + (first - piece.start) * width
        raw = main[at : at + (last - first) * width]
        text = raw.decode("utf-16-le", "surrogatepass") if piece.wide else _windows(raw)
        position = 0
        for match in re.finditer("[\r\x07\x0c]", text):
            yield text[position : match.end()], at + (match.end() - 1) * width
            position = match.end()
        if position < len(text):
            yield text[position:], at + (len(text) - 1) * width


def _windows(raw: bytes) -> str:
    """Return one character a byte: only 82–8C, 91–9C, 9F differ from Latin-1 (2.9.73)."""
    return raw.decode("cp1252", "replace") if raw.isascii() else "".join(_BYTES[each] for each in raw)


_BYTES = [bytes((each,)).decode("cp1252", "ignore") or chr(each) for each in range(256)]


def _story(characters: Iterable[tuple[str, int]], styles: "_Styles", out: Writer) -> None:
    gathered: list[str] = []
    cells: list[str] = []
    begun: list[str] = []
    rows: list[list[str]] = []

    def end_table() -> None:
        nonlocal rows
        if any(len(cell) > _CELL for row in rows for cell in row):
            for cell in (cell for row in rows for cell in row):
                for line in cell.split("\r"):
                    out.add(line)
        else:
            out.table([[" ".join(cell.split()) for cell in row] for row in rows])
        rows = []

    open_fields = 0
    for text, place in characters:
        gathered.append(text)
        open_fields += text.count("\x13") - text.count("\x15")
        if text[-1] not in "\r\x07\x0c" or open_fields > 0:
            continue  # a table of contents is one field over many paragraphs
        open_fields = 0
        words = _plain("".join(gathered)).strip("\r\x07\x0c")
        gathered.clear()
        found = styles.of(place)
        if found.ends_row:
            rows.append(cells)
            cells = []
        elif text[-1] == "\x07":
            cells.append("\r".join((*begun, words)))
            begun.clear()
        elif found.in_table:
            begun.append(words)  # a cell of several paragraphs; its mark is still to come
        else:
            end_table()
            for line in words.split("\r"):
                out.add(line, "heading" if found.level else "paragraph", found.level)
    if cells or begun:
        rows.append([*cells, *begun])
    end_table()
    out.add(_plain("".join(gathered)))


def _plain(text: str) -> str:
    """Return the text with the results of its fields instead of their instructions."""
    for _ in range(8):  # fields inside fields
        text, changed = _FIELD.subn(lambda match: match[1] or "", text)
        if not changed:
            break
    for sign, shown in _SIGNS.items():
        text = text.replace(sign, shown)
    text = _NO_TEXT.sub("", text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Styles:
    """Says of the paragraph that ends at a byte of the stream what it is."""

    def __init__(self, main: bytes, table: bytes) -> None:
        self.main = main
        offset, length = struct.unpack_from("<II", main, 0x9A + 8 * _PAPX)
        count = max(0, (length - 4) // 8)
        if offset + length > len(table):
            count = 0
        self.starts = struct.unpack_from(f"<{count + 1}I", table, offset) if count else ()
        self.pages = struct.unpack_from(f"<{count}I", table, offset + 4 * (count + 1)) if count else ()

    def of(self, place: int) -> _Paragraph:
        index = bisect_right(self.starts, place) - 1
        if not 0 <= index < len(self.pages):
            return _Paragraph()
        page = self.main[(self.pages[index] & 0x3FFFFF) * 512 :][:512]
        if len(page) < 512:
            return _Paragraph()
        runs = page[511]
        if 4 * (runs + 1) + 13 * runs > 511:
            return _Paragraph()
        starts = struct.unpack_from(f"<{runs + 1}I", page)
        run = bisect_right(starts, place) - 1
        if not 0 <= run < runs:
            return _Paragraph()
        at = 2 * page[4 * (runs + 1) + 13 * run]
        if not at or at >= 510:
            return _Paragraph()
        size = 2 * page[at] - 1
        if size < 0:  # a zero says that the length is the next byte, in words
            size, at = 2 * page[at + 1], at + 1
        body = page[at + 1 : at + 1 + size]
        return _paragraph(body)


def _paragraph(body: bytes) -> _Paragraph:
    """Read style and single properties (PapxInFkp, 2.9.175; Prl, 2.6.2)."""
    if len(body) < 2:
        return _Paragraph()
    style = struct.unpack_from("<H", body)[0]
    found = _Paragraph(level=style if 1 <= style <= 9 else 0)  # the first nine built-in styles are Heading 1 to 9
    at = 2
    while at + 3 <= len(body):
        sprm = struct.unpack_from("<H", body, at)[0]
        at += 2
        if sprm == 0x2416:
            found.in_table = bool(body[at])
        elif sprm == 0x2417:
            found.ends_row = bool(body[at])
        elif sprm == 0x2640 and body[at] < 9:
            found.level = body[at] + 1
        at += (1, 1, 2, 4, 2, 2, 1 + body[at], 3)[sprm >> 13]
    return found
