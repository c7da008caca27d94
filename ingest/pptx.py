"""PowerPoint: slide by slide, the title as heading, then the shapes in their order, tables as rows, speaker's notes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from ingest import kind
from ingest.ooxml import BROKEN, Package, Writer, below, child, local, value
from ingest.registry import Context, UnreadableError, digest
from vault.records import Document, Problem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_TITLES = ("title", "ctrTitle")
_ASIDE = ("dt", "ftr", "sldNum", "hdr")  # placeholders for date, footer, number, header


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document; its pages are the slides. Raises UnreadableError if there is no list of slides."""
    identity = digest(file)
    package = Package(file)
    main = package.main("ppt/presentation.xml")
    try:
        root = package.xml(main)
    except BROKEN as error:
        raise UnreadableError(f"damaged: {error}") from error
    if root is None:
        raise UnreadableError("damaged: it has no list of slides")
    targets = {identity_: target for identity_, _, target in package.related(main)}
    slides = [targets.get(_relation(each), "") for each in below(root, "sldId")]
    out = Writer()
    failed: list[int] = []
    pictures = 0
    for number, part in enumerate(slides, start=1):
        before = len(out.blocks)
        try:
            slide = package.xml(part)
            if slide is None:
                failed.append(number)
                continue
            _slide(slide, number, out)
            pictures += len(out.blocks) == before and any(True for _ in below(slide, "pic"))
            for _, kind_of, target in package.related(part):
                if kind_of not in ("notesSlide", "diagramData", "chart") or (other := package.xml(target)) is None:
                    continue
                if kind_of == "notesSlide":
                    _notes(other, number, out)
                elif kind_of == "chart":
                    _chart(other, number, out)
                else:
                    for line in _paragraphs(other):
                        out.add(line, "item", 0, number)
        except BROKEN:
            failed.append(number)
    if failed and not out.blocks:
        raise UnreadableError(f"damaged: none of its {len(slides)} slides can be read")
    if failed:
        shown = ", ".join(map(str, failed[:10]))
        yield Problem(context.part, f"damaged: {len(failed)} of {len(slides)} slides cannot be read: {shown}")
    metadata = package.properties()
    title = metadata.pop("title", "")
    yield Document(
        id=identity,
        kind=kind.tell("pptx", name, title, out.text()),
        title=title,
        text=out.text(),
        blocks=tuple(out.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/vnd.openxmlformats-officedocument.presentationml.presentation",
        pages=len(slides),
        picture_pages=pictures,
        note=f"{pictures} of {len(slides)} slides are pictures" if pictures else "",
    )


def _relation(entry: "Element") -> str:
    return next((content for key, content in entry.attrib.items() if key.endswith("}id")), "")


def _slide(slide: "Element", number: int, out: Writer) -> None:
    shapes = list(_shapes(child(slide, "cSld", "spTree")))
    for shape in shapes:
        if _placeholder(shape) in _TITLES:
            out.add(" ".join(" ".join(_paragraphs(shape)).split()), "heading", 1, number)
    for shape in shapes:
        if _placeholder(shape) in (*_TITLES, *_ASIDE):
            continue
        tables = list(below(shape, "tbl"))
        for table in tables:
            rows = [
                [" ".join(" ".join(_paragraphs(cell)).split()) for cell in row if local(cell) == "tc"]
                for row in below(table, "tr")
            ]
            out.table(rows, number)
        if not tables:
            lines = [line.strip() for line in _paragraphs(shape) if line.strip()]
            for line in lines:
                out.add(line, "item" if len(lines) > 1 else "paragraph", 0, number)


def _notes(notes: "Element", number: int, out: Writer) -> None:
    for shape in _shapes(child(notes, "cSld", "spTree")):
        if _placeholder(shape) == "body":
            out.add("\n".join(line.strip() for line in _paragraphs(shape) if line.strip()), page=number)


def _chart(chart: "Element", number: int, out: Writer) -> None:
    """Add a chart's words, and each series as a row: its name, then its values."""
    for line in _paragraphs(chart):
        out.add(line, "paragraph", 0, number)
    for series in below(chart, "ser"):
        out.add("\t".join((each.text or "").strip() for each in below(series, "v")), "row", 0, number)


def _shapes(tree: "Element | None") -> Iterator["Element"]:
    """Yield shapes, frames and connectors, those in groups too; of alternatives only the first."""
    for each in tree if tree is not None else ():
        name = local(each)
        if name in ("sp", "graphicFrame", "cxnSp"):
            yield each
        elif name in ("grpSp", "Choice"):
            yield from _shapes(each)
        elif name == "AlternateContent":
            yield from _shapes(each[:1])  # type: ignore[arg-type]


def _placeholder(shape: "Element") -> str:
    """Return what the shape holds the place of, `body` where that is not said, or empty."""
    found = next(below(shape, "ph"), None)
    return "" if found is None else value(found, "type") or "body"


def _paragraphs(parent: "Element") -> Iterator[str]:
    for paragraph in below(parent, "p"):
        marks = {"br": "\n", "tab": "\t"}
        yield "".join(marks.get(local(each), each.text or "") for each in below(paragraph, "t", "br", "tab"))
