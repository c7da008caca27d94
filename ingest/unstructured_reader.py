"""unstructured as the reader of web pages, mails, Word documents and XML, in a worker like every other.

Its elements become the document's text, one after the other, and its blocks, so that a citation's offsets are exact.
What it does not tell comes from the default reader, which goes through the same bytes: title, dates, sort, what is
quoted in a mail, and what is hidden from a reader's eyes. Where one of the two fails, the other stands, and the
document's note says so.

What it would do by itself, and does not here:
- report its import and each document to packages.unstructured.io: not asked to (`DO_NOT_TRACK`), and no process that
  imports this can reach anything;
- fetch a language model for spaCy from github.com and install it beside the program, at the first sentence
  (unstructured/nlp/tokenize.py): it is handed a blank English pipeline that parts sentences at their full stops. What
  it loses is the tagger, by which it tells prose from titles: headings are taken from the format instead.
"""

import functools
import io
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest import carried, html, kind, quotes, registry
from ingest.carried import Range
from ingest.decode import LIMIT, decode
from ingest.mail_document import MAX_BODY, Body
from ingest.ooxml import Writer
from ingest.readers import MARK
from ingest.registry import Context, UnreadableError
from ingest.seen import seen
from vault.records import Block, Document, Problem

if TYPE_CHECKING:
    from unstructured.documents.elements import Element

NAME = "unstructured"
_QUIET = {"DO_NOT_TRACK": "1", "SCARF_NO_ANALYTICS": "1", "UNSTRUCTURED_DISABLE_NOTICE": "1"}
_ITEMS = frozenset(("ListItem",))
_LEFT_OUT = frozenset(("Image", "PageBreak"))  # a picture's name is no text of the page
_COMMON: dict[str, Any] = {"languages": [""]}  # its guess of a language reads files that a worker cannot open
_HIDDEN = ("hidden",)
_MARKS = ("hidden", "quote", "signature")
_CELL = 300  # characters of a Word document's cell, as in ingest/docx.py
_NOT_TOLD = "what it hides from its reader is not told apart"
_WORD = re.compile(r"\w+")
_WORTH_SAYING = 20  # words
_EXAMPLE = b"<html><body><h1>A</h1><p>One sentence. Another one, which is longer.</p><table><tr><td>1</td></tr></table>"
_MAIL = b"From: a@example.org\nTo: b@example.org\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nSubject: s\n\nYes, at ten.\n"


def prepare() -> None:
    """Import it and read an example of each format. Raises ImportError where it is not installed."""
    os.environ.update(_QUIET)
    before = tempfile.tempdir
    tempfile.tempdir = before or "/nonexistent"  # it names a lock file there when imported; nothing may be written
    try:
        import spacy
        from unstructured.nlp import tokenize
    finally:
        tempfile.tempdir = before
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    tokenize._get_nlp = lambda: pipeline  # noqa: SLF001 - what would fetch a model; there is no public way
    _keep_templates()
    for example in (_html(_EXAMPLE.decode()), _mail(_MAIL, "text/plain"), _xml(b"<a><b>One.</b></a>"), _docx(_word())):
        _written(example)


def read(kind_of: str, file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the document in `file`, of the format `kind_of`, and what the default reader complains of.

    Raises UnreadableError where neither can read it.
    """
    own, failure = _by_default(kind_of, file, name, context)
    first = next((each for each in own if isinstance(each, Document)), None)
    file.seek(0)
    data = file.read()
    try:
        elements = _READ[kind_of](data)
        text, blocks = _written(elements, first, cells=kind_of == "docx")
        why_not = "" if text else "it found no text"
    except Exception as error:  # noqa: BLE001 - it is said, and the default stands in
        why_not = _why(error)
    if why_not:
        if first is None:
            raise failure or UnreadableError(why_not)
        note = _joined(first.note, f"read by the default reader instead of {NAME}: {why_not}")
        yield from (replace(each, note=note) if each is first else each for each in own)
        return
    if first is None:
        yield _alone(kind_of, data, name, context, text=text, blocks=blocks, failure=failure)
        return
    known = [Range(each.start, each.end, each.kind if each.kind in _HIDDEN else "") for each in first.blocks]
    cut, _ = carried.split(text, blocks, carried.carry(text, first.text, known, _HIDDEN))
    marked = {**first.metadata, MARK: NAME}
    note = _joined(first.note, _missing(seen(first.text, first.blocks), text))
    made = replace(first, text=text, blocks=cut, metadata=marked, note=note)
    yield from (made if each is first else each for each in own)


def bodies(data: bytes, found: Sequence[Body], subject: str, *, answers: bool) -> tuple[Sequence[Body], str]:
    """Return the bodies of the message in `data` with unstructured's words for the first of them, and a note where the
    default's stand. `found` are the default's; of `subject` and `answers` see `quotes.mark`."""
    if not found:
        return found, ""
    own = found[0]
    try:
        elements = _mail(data, "text/html" if own.marks else "text/plain")
        text, blocks = _written(elements, own) if own.marks else _lines(elements, own.text)
    except Exception as error:  # noqa: BLE001 - it is said, and the default stands in
        return found, f"read by the default reader instead of {NAME}: {_why(error)}"
    if not text:
        return found, f"read by the default reader instead of {NAME}: it found no text"
    told = quotes.mark(own.text, own.blocks, own.marks, subject, answers=answers)
    known = [Range(each.start, each.end, each.kind if each.kind in _MARKS else "") for each in told]
    cut, marks = carried.split(text, blocks, carried.carry(text, own.text, known, _MARKS))
    hidden = sum(each.end - each.start for each in cut if each.kind == "hidden")
    return (replace(own, text=text, blocks=cut, marks=marks, hidden=hidden), *found[1:]), ""


# --- what unstructured is asked -------------------------------------------------------------------------------------


def _html(markup: str) -> "list[Element]":
    from unstructured.partition.html import partition_html

    found: list[Element] = partition_html(file=io.BytesIO(markup.encode()), encoding="utf-8", **_COMMON)
    return found


def _web(data: bytes) -> "list[Element]":
    return _html(decode(data[:LIMIT])[0])


def _mail(data: bytes, preferred: str) -> "list[Element]":
    from unstructured.partition.email import partition_email

    found: list[Element] = partition_email(
        file=io.BytesIO(data),
        content_source=preferred,
        process_attachments=False,  # each goes through the registry
        paragraph_grouper=False,  # a mail's own lines tell who said what
        **_COMMON,
    )
    return found


def _docx(data: bytes) -> "list[Element]":
    from unstructured.partition.docx import partition_docx

    found: list[Element] = partition_docx(file=io.BytesIO(data), **_COMMON)
    return found


def _xml(data: bytes) -> "list[Element]":
    from unstructured.partition.xml import partition_xml

    found: list[Element] = partition_xml(file=io.BytesIO(data), **_COMMON)
    return found


_READ: "dict[str, Callable[[bytes], list[Element]]]" = {"html": _web, "docx": _docx, "xml": _xml}


# --- from elements to text and blocks -------------------------------------------------------------------------------


def _written(
    elements: "Sequence[Element]", known: Document | Body | None = None, *, cells: bool = False
) -> tuple[str, tuple[Block, ...]]:
    """Return the elements as text and blocks. `known` is the default's reading: by it a title is a heading, and pages
    count where its do. `cells`: a table's cells are parted as in a Word document, not as on a web page."""
    levels = {" ".join(known.text[b.start : b.end].split()): b.level for b in known.blocks if b.level} if known else {}
    pages = known.pages if isinstance(known, Document) else None
    out = Writer()
    for each in elements:
        sort = type(each).__name__
        if sort in _LEFT_OUT:
            continue
        text = each.text.replace("\r\n", "\n").replace("\r", "\n")
        number = each.metadata.page_number
        page = number if pages and number and number <= pages else None
        if sort == "Table" and each.metadata.text_as_html:
            _add_table(out, each.metadata.text_as_html, page, cells=cells)
            continue
        level = levels.get(" ".join(text.split()), 0) if sort == "Title" else 0
        out.add(text, "heading" if level else "item" if sort in _ITEMS else "paragraph", level, page)
    return out.text(), tuple(out.blocks)


def _add_table(out: Writer, markup: str, page: int | None, *, cells: bool) -> None:
    """Append a table's rows as the default reader writes them."""
    if not cells:
        table = html.read(markup)
        for block in table.blocks:
            out.add(table.text[block.start : block.end], block.kind, block.level, page)
        return
    from lxml import etree

    rows = [
        [" ".join("".join(cell.itertext()).split()) for cell in row if cell.tag in ("td", "th")]
        for row in etree.fromstring(markup, etree.HTMLParser()).iter("tr")
    ]
    if any(len(cell) > _CELL for row in rows for cell in row):  # laid-out text, not data
        for cell in (cell for row in rows for cell in row):
            out.add(cell, page=page)
    else:
        out.table(rows, page)


def _lines(elements: "Sequence[Element]", original: str) -> tuple[str, tuple[Block, ...]]:
    """Return the lines of a plain message, parted as in `original`, the default's reading of it: unstructured gives
    each line by itself and drops what stood between."""
    lines = [each.text for each in elements]
    places = carried.places(original, lines)
    pieces: list[str] = []
    blocks: list[Block] = []
    length, before = 0, 0
    for element, line, place in zip(elements, lines, places, strict=True):
        gap = original[before : place[0]] if place else "\n\n"
        breaks = gap.count("\n")
        between = ("\n\n" if breaks > 1 else "\n" if breaks else " ") if blocks else ""
        pieces += (between, line)
        start = length + len(between)
        length = start + len(line)
        item = type(element).__name__ in _ITEMS
        if blocks and between != "\n\n" and not item:
            blocks[-1] = replace(blocks[-1], end=length)
        else:
            blocks.append(Block(start, length, "item" if item else "paragraph"))
        before = place[1] if place else before
    return "".join(pieces)[:MAX_BODY], tuple(each for each in blocks if each.end <= MAX_BODY)


# --- where one of the two readers fails -----------------------------------------------------------------------------


def _by_default(
    kind_of: str, file: BinaryIO, name: str, context: Context
) -> tuple[list[Document | Problem], UnreadableError | None]:
    """Return what the default reader finds, or why it finds nothing."""
    parser = registry.own_parser(kind_of)
    if parser is None:
        return [], None
    try:
        return list(parser.parse(file, name, context)), None
    except UnreadableError as error:
        return [], error
    except Exception as error:  # noqa: BLE001 - it is said where unstructured cannot read it either
        return [], UnreadableError(registry.reason_of(error))


def _alone(
    kind_of: str,
    data: bytes,
    name: str,
    context: Context,
    *,
    text: str,
    blocks: tuple[Block, ...],
    failure: UnreadableError | None,
) -> Document:
    """Return the document that the default reader cannot read, or has no parser for."""
    note = f"the default reader cannot read it ({failure.message}); {_NOT_TOLD}" if failure else ""
    left = _behind(data) if kind_of == "xml" else 0
    if left:
        note = _joined(note, f"{left} characters that stand behind an element are not read by {NAME}")
    return Document(
        id=registry.digest(io.BytesIO(data)),
        kind=kind.tell(kind_of, name, "", text),
        title="",
        text=text,
        blocks=blocks,
        metadata={MARK: NAME},
        part=context.part,
        parent=context.parent,
        media_type=registry.media_type(kind_of),
        note=note,
    )


def _behind(data: bytes) -> int:
    """Return how many characters of XML stand behind an element, as in `<p>one <b>two</b> three</p>`: unstructured
    reads what an element begins with, and not what follows its children."""
    from lxml import etree

    count = 0
    for _, element in etree.iterparse(io.BytesIO(data), events=("end",), resolve_entities=False):
        count += sum(len("".join((child.tail or "").split())) for child in element)
        for child in element:
            child.clear()
    return count


def _missing(own: str, text: str) -> str:
    """Return what is to be said where words that the default reader sees are not in unstructured's text: notes at a
    page's foot, text in boxes, comments."""
    words = Counter(_WORD.findall(own.casefold()))
    lost = (words - Counter(_WORD.findall(text.casefold()))).total()
    if lost < _WORTH_SAYING or lost < words.total() / 20:
        return ""
    share = round(100 * lost / words.total())
    return f"{lost} words ({share} %) that the default reader finds are not in what {NAME} reads"


def _why(error: Exception) -> str:
    """Return why unstructured could not read a document."""
    if isinstance(error, ImportError):
        return f"it is not installed, `make install EXTRAS={NAME}` installs it"
    if isinstance(error, MemoryError | RecursionError):
        return registry.reason_of(error)
    return f"it gave it up: {type(error).__name__}: {str(error)[:200]}".rstrip(": ")


def _joined(note: str, more: str) -> str:
    return "; ".join(filter(None, (note, more)))


# --- files that it would open while it reads -------------------------------------------------------------------------


def _keep_templates() -> None:
    """Read python-docx's templates now: it opens one for each document that has no settings, styles or comments."""
    from docx.parts.comments import CommentsPart
    from docx.parts.hdrftr import FooterPart, HeaderPart
    from docx.parts.settings import SettingsPart
    from docx.parts.styles import StylesPart

    for part, method in (
        (SettingsPart, "_default_settings_xml"),
        (StylesPart, "_default_styles_xml"),
        (CommentsPart, "_default_comments_xml"),
        (HeaderPart, "_default_header_xml"),
        (FooterPart, "_default_footer_xml"),
    ):
        kept = getattr(part, method)()
        setattr(part, method, classmethod(functools.partial(_given, kept)))


def _given(kept: bytes, _part: type) -> bytes:
    return kept


def _word() -> bytes:
    """Return a small Word document, python-docx's own."""
    import docx

    made = docx.Document()
    made.add_heading("A", 1)
    made.add_paragraph("One sentence. Another one, which is longer.")
    made.add_table(1, 1)
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()
