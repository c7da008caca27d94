"""Word: text as a reader sees it, with the numbers that Word computes, headings, tables, notes and comments.

Word keeps a list's rules, not its numbers; they are counted here as Word counts them, because a citation has to say
`4.2` where the page does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ingest import kind
from ingest.docx_look import Looks
from ingest.docx_numbers import Level, Numbers, levels_of
from ingest.ooxml import BROKEN, Package, Writer, below, child, local, value
from ingest.registry import Context, UnreadableError, digest
from ingest.seen import note, seen
from vault.records import Document, Problem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from ingest.html_look import Colour

_MAIN = "word/document.xml"
_CELL = 300  # characters: a table with longer cells is laid-out text, not data
# Content that stands in for itself: gone through as if it were not there.
_THROUGH = frozenset(
    ("ins", "moveTo", "sdt", "sdtContent", "hyperlink", "smartTag", "fldSimple", "customXml", "AlternateContent",
     "Choice", "dir", "bdo", "oMath", "oMathPara", "ruby", "rubyBase")
)  # fmt: skip
_MARKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "\xad"}


@dataclass(slots=True)
class _Style:
    name: str = ""
    based_on: str = ""
    outline: int | None = None
    number: str = ""
    """numId"""
    depth: str = ""
    """ilvl"""


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError if its main part cannot be read."""
    identity = digest(file)
    package = Package(file)
    main = package.main(_MAIN)
    try:
        root = package.xml(main)
    except BROKEN as error:
        raise UnreadableError(f"damaged: {error}") from error
    body = child(root, "body")
    if root is None or body is None:
        raise UnreadableError("damaged: it has no text part")
    reader = _Reader(package, main, body)
    reader.looks.background(root)
    reader.paper = reader.looks.page
    reader.read()
    metadata = package.properties()
    title = metadata.pop("title", "")
    text = reader.out.text()
    words = seen(text, reader.out.blocks)
    if reader.failed:
        yield Problem(context.part, "damaged: " + ", ".join(reader.failed) + " cannot be read")
    yield Document(
        id=identity,
        kind=kind.tell("docx", name, title, words),
        title=title,
        text=text,
        blocks=tuple(reader.out.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        pages=reader.pages,
        note="; ".join(note(reader.out.blocks)) if words else "it holds no text",
    )


class _Reader:
    def __init__(self, package: Package, main: str, body: "Element") -> None:
        self.package = package
        self.body = body
        self.out = Writer()
        self.failed: list[str] = []
        self.related: dict[str, list[str]] = {}
        for _, kind_of, target in package.related(main):
            self.related.setdefault(kind_of, []).append(target)
        self.looks = Looks()
        self.styles = self._read_styles()
        self.numbers = self._read_numbers()
        self.pages = self._trusted_pages()
        self.page = 1
        self.boxes: list[Element] = []
        self.asides: set[str] = set()
        self.paper: Colour | None = None
        self.concealed: list[str] = []  # what was hidden since the last block

    def read(self) -> None:
        for part in self.related.get("header", ()):
            self._aside(part)
        self._story(self.body)
        for kind_of, name in (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment")):
            for part in self.related.get(kind_of, ()):
                for each in below(root, name) if (root := self._part(part)) is not None else ():
                    if value(each, "type") in ("separator", "continuationSeparator", "continuationNotice"):
                        continue
                    text = "\n".join(filter(None, (self._plain(inner).strip() for inner in below(each, "p"))))
                    author = value(each, "author")
                    self.out.add(f"{author}: {text}" if author and text else text)
                    self._reveal(None)
        for part in self.related.get("footer", ()):
            self._aside(part)

    def _part(self, name: str) -> "Element | None":
        try:
            return self.package.xml(name)
        except BROKEN:
            self.failed.append(name)
            return None

    def _aside(self, part: str) -> None:
        """Add a header or footer once: letterheads have an address and a bank account there."""
        root = self._part(part)
        lines = [self._plain(each).strip() for each in below(root, "p")] if root is not None else []
        text = "\n".join(each for each in lines if each)
        if sum(each.isalpha() for each in text) > 3 and text not in self.asides:
            self.asides.add(text)
            self.out.add(text)
            self._reveal(None)
        self.concealed = []

    def _reveal(self, page: int | None) -> None:
        """Put what was hidden since the last block into one of its own."""
        if any(each.strip() for each in self.concealed):
            self.out.add(" ".join("".join(self.concealed).split()), "hidden", 0, page)
        self.concealed = []

    def _trusted_pages(self) -> int | None:
        """Return the number of pages if the breaks that Word noted when it last saved agree with its count."""
        try:
            root = self.package.xml("docProps/app.xml")
        except BROKEN:
            return None
        stated = child(root, "Pages")
        count = int(stated.text) if stated is not None and (stated.text or "").isdecimal() and stated.text else 0
        return count if count and count == 1 + sum(1 for _ in below(self.body, "lastRenderedPageBreak")) else None

    def _story(self, parent: "Element") -> None:
        for each in parent:
            name = local(each)
            if name == "p":
                self._paragraph(each)
            elif name == "tbl":
                self._table(each)
            elif name in _THROUGH:
                self._story(each)

    def _paragraph(self, paragraph: "Element") -> None:
        text = self._plain(paragraph)
        before, breaks = _breaks(paragraph)
        page = self.page + before if self.pages else None
        self.page += breaks
        label, numbered = "", False
        if text.strip():
            label = self._label(paragraph)
            numbered = bool(label)
        level = self._heading(paragraph, text)
        shown = f"{label} {text.strip()}" if label else text
        self.out.add(shown, "heading" if level else "item" if numbered else "paragraph", level, page)
        self._reveal(page)
        boxes, self.boxes = self.boxes, []
        paper, self.paper = self.paper, None  # a box has a colour of its own
        for box in boxes:
            self._story(box)
        self.paper = paper

    def _plain(self, paragraph: "Element") -> str:
        """Return what is seen of a paragraph; text boxes in it, and what is hidden, are put by for afterwards."""
        pieces: list[str] = []
        self._gather(paragraph, pieces, paragraph)
        self.concealed += ["\n"] if self.concealed else []
        return "".join(pieces)

    def _gather(self, element: "Element", pieces: list[str], paragraph: "Element") -> None:
        for each in element:
            name = local(each)
            if name == "t":
                pieces.append(each.text or "")
            elif name in ("r", "rPr") or name in _THROUGH:
                if name != "rPr":
                    hides = name == "r" and self.looks.hides(each, paragraph, self.paper)
                    self._gather(each, self.concealed if hides else pieces, paragraph)
            elif name in _MARKS:
                if value(each, "type") != "page":
                    pieces.append(_MARKS[name])
            elif name == "sym":
                pieces.append(_symbol(value(each, "char")))
            elif name in ("drawing", "pict", "object"):
                self.boxes += list(below(each, "txbxContent"))
            elif name == "Fallback":
                continue

    def _label(self, paragraph: "Element") -> str:
        properties = child(paragraph, "pPr")
        numbering = child(properties, "numPr")
        number, depth = value(child(numbering, "numId")), value(child(numbering, "ilvl"))
        seen = set()
        name = value(child(properties, "pStyle"))
        while not number and name in self.styles and name not in seen:
            seen.add(name)
            style = self.styles[name]
            number, depth, name = style.number, depth or style.depth, style.based_on
        if not number or number == "0":
            return ""
        return self.numbers.next(number, int(depth) if depth.isdecimal() else 0)

    def _heading(self, paragraph: "Element", text: str) -> int:
        """Return the level from 1, or 0: by outline level, by the style's name, by being short and all bold."""
        properties = child(paragraph, "pPr")
        stated = value(child(properties, "outlineLvl"))
        if stated.isdecimal() and int(stated) < 9:
            return int(stated) + 1
        name, seen = value(child(properties, "pStyle")), set()
        while name in self.styles and name not in seen:
            seen.add(name)
            style = self.styles[name]
            if style.outline is not None and style.outline < 9:
                return style.outline + 1
            words = style.name.casefold().split()
            if words and words[0] in ("heading", "überschrift", "titre") and words[-1].isdecimal():
                return min(int(words[-1]), 9)
            if words == ["title"]:
                return 1
            name = style.based_on
        shown = text.strip()
        if not 3 < len(shown) <= 120 or shown.endswith((".", ",", ";")) or "\n" in shown:
            return 0
        runs = [each for each in below(paragraph, "r") if any((part.text or "").strip() for part in below(each, "t"))]
        bold = runs and all(
            (mark := child(each, "rPr", "b")) is not None and value(mark) not in ("0", "false", "off") for each in runs
        )
        return 4 if bold else 0

    def _table(self, table: "Element") -> None:
        behind, before = self.paper, list(self.concealed)
        rows = [list(self._cells(row)) for row in self._rows(table)]
        texts = [[self._cell(table, cell) for cell in row] for row in rows]
        nested = any(True for row in rows for cell in row for _ in below(cell, "tbl"))
        if nested or any(len(text) > _CELL for row in texts for text in row):
            self.concealed = before
            for cell in (cell for row in rows for cell in row):
                self.paper = self.looks.paper(table, cell, behind)
                self._story(cell)
            self.paper = behind
            return
        self.boxes = []
        self.out.table(texts, self.page if self.pages else None)
        self._reveal(self.page if self.pages else None)
        self.page += sum(1 for _ in below(table, "lastRenderedPageBreak"))

    def _rows(self, table: "Element") -> Iterator["Element"]:
        for each in table:
            if local(each) == "tr":
                yield each
            elif local(each) in _THROUGH:
                yield from self._rows(each)

    def _cells(self, row: "Element") -> Iterator["Element"]:
        for each in row:
            if local(each) == "tc":
                yield each
            elif local(each) in _THROUGH:
                yield from self._cells(each)

    def _cell(self, table: "Element", cell: "Element") -> str:
        behind, self.paper = self.paper, self.looks.paper(table, cell, self.paper)
        words = " ".join(word for each in below(cell, "p") for word in self._plain(each).split())
        self.paper = behind
        return words

    def _read_styles(self) -> dict[str, _Style]:
        found: dict[str, _Style] = {}
        for part in self.related.get("styles", ()):
            root = self._part(part)
            if root is not None:
                self.looks.read(root)
            for each in below(root, "style") if root is not None else ():
                properties = child(each, "pPr")
                outline = value(child(properties, "outlineLvl"))
                found[value(each, "styleId")] = _Style(
                    value(child(each, "name")),
                    value(child(each, "basedOn")),
                    int(outline) if outline.isdecimal() else None,
                    value(child(properties, "numPr", "numId")),
                    value(child(properties, "numPr", "ilvl")),
                )
        return found

    def _read_numbers(self) -> Numbers:
        numbers = Numbers()
        for part in self.related.get("numbering", ()):
            root = self._part(part)
            if root is None:
                continue
            lists = {value(each, "abstractNumId"): levels_of(each) for each in below(root, "abstractNum")}
            for each in below(root, "num"):
                identity, abstract = value(each, "numId"), value(child(each, "abstractNumId"))
                levels = dict(lists.get(abstract, {}))
                for override in below(each, "lvlOverride"):
                    at = value(override, "ilvl")
                    depth = int(at) if at.isdecimal() else 0
                    levels.update(levels_of(override))
                    start = value(child(override, "startOverride"))
                    if start.isdecimal():
                        numbers.overridden.add(identity)
                        old = levels.get(depth, Level())
                        levels[depth] = Level(int(start), old.form, old.pattern, old.legal)
                numbers.levels[identity] = levels
                numbers.abstract[identity] = abstract
        return numbers


def _breaks(paragraph: "Element") -> tuple[int, int]:
    """Return how many page breaks stand before a paragraph's first text, and how many in all of it."""
    before = breaks = 0
    begun = False
    for each in below(paragraph, "lastRenderedPageBreak", "t"):
        if local(each) == "t":
            begun = begun or bool((each.text or "").strip())
        else:
            breaks += 1
            before += not begun
    return before, breaks


def _symbol(code: str) -> str:
    """Return the character of a `sym`; symbol fonts' private codes are no text, but ticked boxes are worth keeping."""
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    if 0xF000 <= number <= 0xF0FF:
        return {0xF0FE: "☒", 0xF0A8: "☐", 0xF06F: "☐", 0xF0FD: "☒", 0xF0FC: "✓", 0xF0B7: "•"}.get(number, "")
    return chr(number) if 31 < number < 0xD800 else ""
