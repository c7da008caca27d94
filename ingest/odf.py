"""OpenDocument text and presentations (OASIS OpenDocument 1.3), in a zip or as one flat XML file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO
from xml.etree import ElementTree as ET

from ingest import kind
from ingest.ooxml import BROKEN, Package, Writer, below, child, local, value
from ingest.registry import Context, UnreadableError, digest, recognise
from vault.records import Document, Problem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LIMIT = 256 << 20  # bytes of a flat file
_CELL = 300  # characters: a table with longer cells is laid-out text, not data
_REPEATED = 100  # a row or cell may say that it stands a million times
_ASIDE = ("note", "annotation", "frame", "custom-shape", "text-box")


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document; of a presentation the pages are its slides. Raises UnreadableError."""
    found = recognise(file, name)
    identity = digest(file)
    try:
        content, styles, meta = _flat(file) if file.read(2) != b"PK" else _zipped(file)
    except BROKEN as error:
        raise UnreadableError(f"damaged: {error}") from error
    body = child(content, "body")
    if body is None or not len(body):
        raise UnreadableError("damaged: it has no content")
    reader = _Reader(body[0])
    out = reader.read(styles)
    metadata = _metadata(meta)
    title = metadata.pop("title", "")
    yield Document(
        id=identity,
        kind=kind.tell(found.name, name, title, out.text()),
        title=title,
        text=out.text(),
        blocks=tuple(out.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type=found.media_type,
        pages=reader.pages,
        note="" if out.blocks else "it holds no text",
    )


def _zipped(file: BinaryIO) -> tuple["Element | None", "Element | None", "Element | None"]:
    package = Package(file)
    manifest = package.xml("META-INF/manifest.xml")
    if manifest is not None and any(True for _ in below(manifest, "encryption-data")):
        raise UnreadableError("needs a password", "save a copy without one into a watched folder")
    return package.xml("content.xml"), package.xml("styles.xml"), package.xml("meta.xml")


def _flat(file: BinaryIO) -> tuple["Element | None", "Element | None", "Element | None"]:
    file.seek(0)
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UnreadableError(f"larger than {_LIMIT >> 20} MiB")
    root = ET.fromstring(data)  # noqa: S314 - nothing is fetched, and expat refuses entities that multiply
    return root, root, root


def _metadata(root: "Element | None") -> dict[str, str]:
    found: dict[str, str] = {}
    names = {"title": "title", "creator": "author", "initial-creator": "author", "creation-date": "created",
             "date": "modified"}  # fmt: skip
    meta = child(root, "meta")
    for each in meta if meta is not None else ():
        words = " ".join((each.text or "").split())
        if words and local(each) in names:
            found[names[local(each)]] = words[:300]
    found["title"] = kind.own_title(found.get("title", ""))
    return {key: words for key, words in found.items() if words}


class _Reader:
    def __init__(self, body: "Element") -> None:
        self.body = body
        self.out = Writer()
        self.pages: int | None = None
        self.page: int | None = None
        self.notes: list[str] = []
        self.aside: list[Element] = []

    def read(self, styles: "Element | None") -> Writer:
        slides = [each for each in self.body if local(each) == "page"]
        if slides:
            self.pages = len(slides)
            for self.page, slide in enumerate(slides, start=1):
                self._slide(slide)
            return self.out
        masters = child(styles, "master-styles")
        edges = list(below(masters, "header", "footer")) if masters is not None else []
        for each in (each for each in edges if local(each) == "header"):
            self._edge(each)
        self._story(self.body)
        for note in self.notes:
            self.out.add(note)
        for each in (each for each in edges if local(each) == "footer"):
            self._edge(each)
        return self.out

    def _edge(self, edge: "Element") -> None:
        """Add a header or footer: letterheads have an address and a bank account there; page numbers alone go."""
        text = "\n".join(line for line in self._lines(edge) if line)
        if sum(map(str.isalpha, text)) > 3:
            self.out.add(text)

    def _slide(self, slide: "Element") -> None:
        frames = [each for each in slide if local(each) != "notes"]
        for frame in frames:
            if value(frame, "class") == "title":
                self.out.add(" ".join(self._lines(frame)), "heading", 1, self.page)
        for frame in frames:
            if value(frame, "class") not in ("title", "page-number", "footer", "date-time", "header"):
                self._story(frame)
        for notes in below(slide, "notes"):
            for frame in below(notes, "frame"):
                if value(frame, "class") == "notes":
                    self.out.add("\n".join(self._lines(frame)), page=self.page)

    def _story(self, parent: "Element", *, item: bool = False) -> None:
        for each in parent:
            name = local(each)
            if name == "h":
                level = value(each, "outline-level")
                self._add(each, "heading", int(level) if level.isdecimal() else 1)
            elif name == "p":
                self._add(each, "item" if item else "paragraph")
            elif name == "table":
                self._table(each)
            elif name in ("list", "list-item", "list-header"):
                self._story(each, item=True)
            elif name not in ("tracked-changes", "notes", "sequence-decls", "forms", "variable-decls"):
                self._story(each, item=item)

    def _add(self, paragraph: "Element", block_kind: str, level: int = 0) -> None:
        self.out.add(self._plain(paragraph), block_kind, level, self.page)
        aside, self.aside = self.aside, []
        for each in aside:
            self._story(each)

    def _lines(self, parent: "Element") -> list[str]:
        return [" ".join(self._plain(each).split()) for each in below(parent, "p", "h")]

    def _plain(self, element: "Element") -> str:
        pieces: list[str] = []
        self._gather(element, pieces)
        return "".join(pieces)

    def _gather(self, element: "Element", pieces: list[str]) -> None:
        # White space is collapsed as in HTML; what is meant stands in elements of its own (6.1.2).
        pieces.append(_collapsed(element.text))
        for each in element:
            name = local(each)
            if name == "s":
                count = value(each, "c")
                pieces.append(" " * min(int(count) if count.isdecimal() else 1, 200))
            elif name == "tab":
                pieces.append("\t")
            elif name == "line-break":
                pieces.append("\n")
            elif name in ("note", "annotation"):
                words = "\n".join(filter(None, self._lines(each)))
                author = child(each, "creator")
                self.notes.append(f"{author.text}: {words}" if author is not None and author.text else words)
            elif name in _ASIDE:
                self.aside.append(each)
            else:
                self._gather(each, pieces)
            pieces.append(_collapsed(each.tail))

    def _table(self, table: "Element") -> None:
        rows: list[list[str]] = []
        cells: list[Element] = []
        for row in below(table, "table-row"):
            texts: list[str] = []
            for cell in (each for each in row if local(each) in ("table-cell", "covered-table-cell")):
                cells.append(cell)
                repeated = value(cell, "number-columns-repeated")
                words = " ".join(line for line in self._lines(cell) if line)
                texts += [words] * min(int(repeated) if repeated.isdecimal() else 1, _REPEATED)
            rows.append(texts)
        nested = any(local(each) == "table" for each in table.iter() if each is not table)
        if nested or any(len(words) > _CELL for row in rows for words in row):
            self.aside = []
            for cell in cells:
                self._story(cell)
        else:
            self.out.table(rows, self.page)


def _collapsed(text: str | None) -> str:
    if not text:
        return ""
    words = " ".join(text.split())
    return (" " if text[0].isspace() else "") + words + (" " if words and text[-1].isspace() else "")
