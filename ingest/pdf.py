"""PDF through PDFium: the text layer in its own order, with a box for every line.

PDFium's raw interface is called directly. Asking it for the box of every character costs more than all the
rest; a line's box is therefore taken from its first and last character: 315 pages a second on contracts and annual
reports (one core of a Zen 4 server), of which the boxes take 4 %.
"""

import ctypes
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO

from ingest import kind, scanned
from ingest.pdf_layout import Page, PageLine, arrange
from ingest.pdf_look import unseen
from ingest.registry import Context, UnreadableError, digest
from ingest.seen import note, seen
from vault.records import Document, Problem

_IN_MEMORY = 128 << 20  # bytes; larger files are read piece by piece, which is a fifth slower
_ERRORS = {  # FPDF_GetLastError
    1: "damaged: PDFium cannot say why",
    2: "damaged: the file ended early or could not be read",
    3: "damaged: it is not a PDF or its structure is broken",
    4: "needs a password",
    5: "needs a password: its encryption is not one that is known",
    6: "damaged: a page is missing or its content is broken",
}
_TEXT_OBJECT, _PATH, _IMAGE, _SHADING, _FORM = 1, 2, 3, 4, 5  # FPDF_PAGEOBJ_*
_OBJECTS_LOOKED_AT = 200  # of a page without text, to tell a picture from a blank page
_OUTLINE_ENTRIES = 5000
_TINY = 0.002  # of a page's height: 1.6 points on a sheet of paper, below which nobody reads
_ANNOTATIONS = 5000  # of a page; the longest tax forms have some hundreds


def preload() -> None:
    """Load PDFium, so that the worker finds it ready."""
    import pypdfium2.raw  # noqa: F401


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document; its text is the pages' text layers, joined by empty lines.

    Pages that PDFium cannot load yield one Problem; the others are kept. Raises UnreadableError if none can be.
    """
    import pypdfium2.raw as pdfium

    identity = digest(file)
    opened, keep = open_document(pdfium, file)
    try:
        count = pdfium.FPDF_GetPageCount(opened)
        if count < 1:
            raise UnreadableError("damaged: it has no pages")
        pages: list[Page] = []
        failed: list[int] = []
        for number in range(1, count + 1):
            page = _read_page(pdfium, opened, number)
            if page:
                pages.append(page)
            else:
                failed.append(number)
        if not pages:
            raise UnreadableError(f"damaged: none of its {count} pages can be read")
        outline = _outline(pdfium, opened)
        metadata = _metadata(pdfium, opened)
    finally:
        pdfium.FPDF_CloseDocument(opened)
        del keep
    if failed:
        shown = ", ".join(map(str, failed[:10])) + (", …" if len(failed) > 10 else "")
        reason = f"damaged: {len(failed)} of {count} pages cannot be read: {shown}"
        yield Problem(context.part, reason)
    text, blocks = arrange(pages, outline)
    pictures = sum(page.picture for page in pages)
    notes = [scanned.note(pictures, count)] if pictures else []
    notes += note(blocks)
    if failed:
        notes.append(f"{len(failed)} of {count} pages cannot be read")
    if not text and not pictures:
        notes.append("its pages are blank")
    title = metadata.pop("title", "")
    yield Document(
        id=identity,
        kind=kind.tell("pdf", name, title, seen(text, blocks)),
        title=title,
        text=text,
        blocks=blocks,
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/pdf",
        pages=count,
        picture_pages=pictures,
        note="; ".join(notes),
    )


def is_picture(file: BinaryIO, number: int) -> bool:
    """Whether page `number` (from 1) shows something and has no text. Raises UnreadableError if nothing can be read."""
    import pypdfium2.raw as pdfium

    opened, keep = open_document(pdfium, file)
    try:
        page = _read_page(pdfium, opened, number)
        return page is not None and page.picture
    finally:
        pdfium.FPDF_CloseDocument(opened)
        del keep


def open_document(pdfium: Any, file: BinaryIO) -> tuple[Any, Any]:
    """Return the document's handle, and what must stay alive as long as it."""
    size = file.seek(0, 2)
    file.seek(0)
    if size <= _IN_MEMORY:
        data = file.read()
        opened, keep = pdfium.FPDF_LoadMemDocument64(data, len(data), None), data
    else:

        def read(_: Any, position: int, target: Any, length: int) -> int:
            file.seek(position)
            piece = file.read(length)
            ctypes.memmove(target, piece, len(piece))
            return int(len(piece) == length)

        access = pdfium.FPDF_FILEACCESS(m_FileLen=size)
        access.m_GetBlock = type(access.m_GetBlock)(read)
        opened, keep = pdfium.FPDF_LoadCustomDocument(access, None), access
    if not opened:
        raise UnreadableError(_ERRORS.get(pdfium.FPDF_GetLastError(), _ERRORS[1]))
    return opened, keep


def _read_page(pdfium: Any, opened: Any, number: int) -> Page | None:
    handle = pdfium.FPDF_LoadPage(opened, number - 1)
    if not handle:
        return None
    try:
        place = Place(pdfium, handle)
        layer = pdfium.FPDFText_LoadPage(handle)
        if not layer:
            return Page(number, place.width, place.height, (), picture=False)
        try:
            concealed = unseen(pdfium, handle, (place.left, place.bottom, place.right, place.top))
            lines = (*_lines(pdfium, layer, place, concealed), *_written_in(pdfium, handle, place))
        finally:
            pdfium.FPDFText_ClosePage(layer)
        picture = all(line.hidden for line in lines) and _has_picture(pdfium, handle)
        return Page(number, place.width, place.height, lines, picture)
    finally:
        pdfium.FPDF_ClosePage(handle)


class Place:
    """Turns PDF coordinates (origin bottom left, before rotation) into those of the page as it is shown."""

    def __init__(self, pdfium: Any, handle: Any) -> None:
        box = pdfium.FS_RECTF()
        self.turned = pdfium.FPDFPage_GetRotation(handle)
        self.width = pdfium.FPDF_GetPageWidthF(handle)
        self.height = pdfium.FPDF_GetPageHeightF(handle)
        if pdfium.FPDF_GetPageBoundingBox(handle, box):
            self.left, self.bottom, self.right, self.top = box.left, box.bottom, box.right, box.top
        else:
            self.left, self.bottom, self.right, self.top = 0.0, 0.0, self.width, self.height

    def __call__(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom in points from the shown page's top left."""
        if self.turned == 1:  # a quarter clockwise: the bottom left corner comes to the top left
            box = y0 - self.bottom, x0 - self.left, y1 - self.bottom, x1 - self.left
        elif self.turned == 2:
            box = self.right - x1, y0 - self.bottom, self.right - x0, y1 - self.bottom
        elif self.turned == 3:
            box = self.top - y1, self.right - x1, self.top - y0, self.right - x0
        else:
            box = x0 - self.left, self.top - y1, x1 - self.left, self.top - y0
        left, top, right, bottom = box
        return round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)


def _lines(pdfium: Any, layer: Any, place: Place, concealed: frozenset[int]) -> Iterator[PageLine]:
    """Yield a page's lines. PDFium ends each with CR LF; a character's index in its text is that of its box. A line of
    which a part is hidden (`concealed` holds the addresses of its objects) is several.
    """
    first, last = pdfium.FS_RECTF(), pdfium.FS_RECTF()
    font = ctypes.create_string_buffer(64)
    lines = ((start, shown, False) for start, shown in line_starts(pdfium, layer))
    for start, shown, hidden in _parted(pdfium, layer, concealed) if concealed else lines:
        pdfium.FPDFText_GetLooseCharBox(layer, start, first)
        pdfium.FPDFText_GetLooseCharBox(layer, start + len(shown) - 1, last)
        box = place(
            min(first.left, last.left),
            min(first.bottom, last.bottom),
            max(first.right, last.right),
            max(first.top, last.top),
        )
        bold = pdfium.FPDFText_GetFontWeight(layer, start) >= 600
        if not bold:  # many files state the weight in the font's name alone
            pdfium.FPDFText_GetFontInfo(layer, start, font, len(font), None)
            bold = b"bold" in font.value.lower()
        high = abs(first.top - first.bottom)
        # Letters of a line on its side are measured across: what is tiny is so both ways.
        tiny = max(high, abs(first.right - first.left)) < _TINY * place.height and any(map(str.isalnum, shown))
        off = box[2] <= 0 or box[3] <= 0 or box[0] >= place.width or box[1] >= place.height
        yield PageLine(shown, *box, size=high, bold=bold, hidden=hidden or tiny or off)


def _parted(pdfium: Any, layer: Any, concealed: frozenset[int]) -> Iterator[tuple[int, str, bool]]:
    """Yield a page's lines in pieces that are seen, and pieces that are not."""
    for start, shown in line_starts(pdfium, layer):
        runs: list[tuple[int, bool]] = []
        for at, character in enumerate(shown):
            if character.isspace() and runs:
                continue  # most are PDFium's own, of no object
            drawn = pdfium.FPDFText_GetTextObject(layer, start + at)
            hides = (ctypes.cast(drawn, ctypes.c_void_p).value or 0) in concealed
            if not runs or runs[-1][1] != hides:
                runs.append((at, hides))
        for (at, hides), (end, _) in pairwise([*runs, (len(shown), False)]):
            piece = shown[at:end].rstrip()
            if piece:
                yield start + at, piece, hides


def line_starts(pdfium: Any, layer: Any) -> Iterator[tuple[int, str]]:
    """Yield a page's lines, each with the index of its first character."""
    position = 0
    for line in _text(pdfium, layer).split("\r\n"):
        plain = _plain(line)
        shown = plain.strip()
        if shown:
            yield position + len(plain) - len(plain.lstrip()), shown
        position += len(line) + 2


def _written_in(pdfium: Any, handle: Any, place: Place) -> Iterator[PageLine]:
    """Yield what was typed into a page: values of form fields (`name: value`) and notes. The text layer lacks them."""
    box = pdfium.FS_RECTF()
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(handle), _ANNOTATIONS)):
        note = pdfium.FPDFPage_GetAnnot(handle, index)
        if not note:
            continue
        try:
            found = pdfium.FPDFAnnot_GetSubtype(note)
            if found == pdfium.FPDF_ANNOT_WIDGET:
                value = _string(pdfium.FPDFAnnot_GetStringValue, note, b"V")
                name = _string(pdfium.FPDFAnnot_GetStringValue, note, b"TU")
                name = name or _string(pdfium.FPDFAnnot_GetStringValue, note, b"T")
                text = f"{name}: {value}" if name and value else value
            elif found in (pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_TEXT):
                text = _string(pdfium.FPDFAnnot_GetStringValue, note, b"Contents")
            else:
                continue
            text = " ".join(_plain(text).split())
            if text and pdfium.FPDFAnnot_GetRect(note, box):
                left, right = sorted((box.left, box.right))
                bottom, top = sorted((box.bottom, box.top))
                yield PageLine(text, *place(left, bottom, right, top), size=0.0, bold=False)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _text(pdfium: Any, layer: Any) -> str:
    count = pdfium.FPDFText_CountChars(layer)
    if count < 1:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(layer, 0, count, buffer)
    if written == count + 1:
        text = bytes(buffer)[: 2 * count].decode("utf-16-le", "replace")
        if len(text) == count:
            return text
    # Characters beyond 16 bits, or some that PDFium leaves out: one by one, so that indexes stay the boxes'.
    codes = (pdfium.FPDFText_GetUnicode(layer, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "�" for code in codes)


def _plain(line: str) -> str:
    """Return the line with control characters as spaces, one for one."""
    return line if line.isprintable() else re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", line)


def _has_picture(pdfium: Any, handle: Any) -> bool:
    """Tell a page that shows something from a blank one: an image, a form, or a drawing of many strokes."""
    paths = 0
    for index in range(min(pdfium.FPDFPage_CountObjects(handle), _OBJECTS_LOOKED_AT)):
        found = pdfium.FPDFPageObj_GetType(pdfium.FPDFPage_GetObject(handle, index))
        if found in (_IMAGE, _FORM):
            return True
        paths += found == _PATH
    return paths > 20  # letters drawn as outlines; fewer are rules and frames


def _outline(pdfium: Any, opened: Any) -> list[tuple[int, int, str]]:
    """Return the outline as (level from 1, page from 1, title), in order. A loop in a broken one is cut off."""
    found: list[tuple[int, int, str]] = []
    stack = [(pdfium.FPDFBookmark_GetFirstChild(opened, None), 1)]
    seen = 0
    while stack and seen < _OUTLINE_ENTRIES:
        entry, level = stack.pop()
        if not entry or level > 8:
            continue
        seen += 1
        target = pdfium.FPDFBookmark_GetDest(opened, entry)
        page = pdfium.FPDFDest_GetDestPageIndex(opened, target) if target else -1
        title = _string(pdfium.FPDFBookmark_GetTitle, entry)
        if page >= 0 and title:
            found.append((level, page + 1, title))
        stack.append((pdfium.FPDFBookmark_GetNextSibling(opened, entry), level))
        stack.append((pdfium.FPDFBookmark_GetFirstChild(opened, entry), level + 1))
    return found


def _metadata(pdfium: Any, opened: Any) -> dict[str, str]:
    found = {}
    for key in ("Title", "Author", "Subject", "CreationDate"):
        value = " ".join(_string(pdfium.FPDF_GetMetaText, opened, key.encode()).split())
        if value:
            found[key.lower()] = value[:300]
    title = kind.own_title(found.pop("title", ""))
    if title:
        found["title"] = title
    date = re.match(r"(?:D:)?(\d{4})(\d\d)(\d\d)", found.pop("creationdate", ""))
    if date:
        found["created"] = "-".join(date.groups())
    return found


def _string(function: Any, *arguments: Any) -> str:
    """Call one of PDFium's functions that fill a buffer with UTF-16 and return its length in bytes."""
    length = function(*arguments, None, 0)
    if length < 4 or length > 1 << 20:
        return ""
    buffer = (ctypes.c_ushort * (length // 2))()  # some ask for bytes, some for UTF-16 units: this converts to either
    function(*arguments, buffer, length)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0").strip()
