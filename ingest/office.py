"""Formats that are read with kreuzberg (Rust): old Word and PowerPoint, OpenDocument, RTF, EPUB.

Measured with 4.10: it starts four threads of its own, reads from memory, and with `use_cache=False` opens no file and
no socket. Its plain text loses headings and cells; its document structure, nodes in reading order, keeps both, and the
text here is made from those nodes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from ingest import kind
from ingest.ooxml import Writer
from ingest.registry import Context, UnreadableError, UnsupportedError, digest, recognise
from ingest.tables import header_row
from vault.records import Document, Problem

_LIMIT = 256 << 20  # bytes; kreuzberg takes the whole file, and works in several times its size
# Markup that kreuzberg writes into cells, where it says nothing else of their looks.
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_LINK = re.compile(r"\[([^\]\n]+)\]\((?:https?:|mailto:)[^)\s]*\)")


def preload() -> None:
    """Load kreuzberg, but start nothing: its threads would not survive the fork."""
    import kreuzberg  # noqa: F401


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError with kreuzberg's reason."""
    found = recognise(file, name)
    identity = digest(file)
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UnreadableError(f"larger than {_LIMIT >> 20} MiB, which is too much for this format's reader")
    result = _extract(data, found.name, found.media_type)
    metadata = result.metadata
    nodes = (result.document or {}).get("nodes", [])
    out = _written(nodes)
    text = out.text()
    # What its structure leaves out by mistake is still in its plain text: take that where it has much more.
    plain = (result.content or "").strip()
    if _letters(text) < 0.8 * _letters(plain):
        out = Writer()
        for piece in re.split(r"\n\s*\n", plain):
            out.add(piece)
        text = out.text()
    title = kind.own_title(str(metadata.get("title") or ""))
    slides = metadata.get("slide_count")
    if found.name == "ppt":
        slides = max((each.page or 0 for each in out.blocks), default=0) or slides
    yield Document(
        id=identity,
        kind=kind.tell(found.name, name, title, text),
        title=title,
        text=text,
        blocks=tuple(out.blocks),
        metadata=_kept(metadata),
        part=context.part,
        parent=context.parent,
        media_type=found.media_type,
        pages=slides if isinstance(slides, int) and slides > 0 else None,
        note="" if text else "it holds no text",
    )


def _extract(data: bytes, format_name: str, media_type: str) -> Any:
    import kreuzberg

    options: Any = kreuzberg.ExtractionConfig  # its stub does not know `disable_ocr`
    config = options(
        use_cache=False,
        include_document_structure=True,
        disable_ocr=True,
        enable_quality_processing=False,  # it would alter the text
        postprocessor=kreuzberg.PostProcessorConfig(enabled=False),
    )
    try:
        return kreuzberg.extract_bytes_sync(data, media_type, config)
    except (kreuzberg.KreuzbergError, ValueError, RuntimeError, OSError) as error:
        reason = re.sub(r"^\w+Error: ", "", " ".join(str(error).split()))[:200]
        if "0xA5DC" in reason:
            raise UnsupportedError("written by Word 95 or older", "save it as .docx or PDF") from error
        if re.search(r"encrypt|password", reason, re.IGNORECASE) or _encrypted(data, format_name):
            raise UnreadableError("needs a password", "save a copy without one into a watched folder") from error
        raise UnreadableError(f"damaged: {reason}") from error


def _encrypted(data: bytes, format_name: str) -> bool:
    """Tell whether an OpenDocument file's manifest says that its parts are encrypted."""
    return format_name.startswith("od") and b"encryption-data" in data[-65536:]


def _written(nodes: Sequence[Mapping[str, Any]]) -> Writer:
    """Return the nodes' text in their order."""
    out = Writer()
    page: int | None = None
    footers: list[str] = []
    for node in nodes:
        content = node.get("content", {})
        form = content.get("node_type", "")
        text = str(content.get("text") or "")
        page = node.get("page") or page
        layer = node.get("content_layer")
        if layer in ("header", "footer"):
            footers.append(text)  # once, after the rest: letterheads hold an address and a bank account
        elif form == "slide":
            page = content.get("number") or page
            out.add(str(content.get("title") or ""), "heading", 1, page)
        elif form in ("title", "heading"):
            out.add(text, "heading", int(content.get("level") or 1), page)
        elif form == "list_item":
            out.add(text, "item", 0, page)
        elif form == "table":
            _table(content.get("grid", {}), page, out)
        elif form not in ("group", "list", "image", "page_break", "quote"):
            out.add(text, "paragraph", 0, page)
    for text in dict.fromkeys(footers):
        if sum(each.isalpha() for each in text) > 3:
            out.add(text)
    return out


def _table(grid: Mapping[str, Any], page: int | None, out: Writer) -> None:
    rows: dict[int, dict[int, str]] = {}
    for cell in grid.get("cells", ()):
        text = _LINK.sub(r"\1", _BOLD.sub(r"\1", str(cell.get("content") or "")))
        rows.setdefault(int(cell.get("row", 0)), {})[int(cell.get("col", 0))] = " ".join(text.split())
    lines = [[row.get(column, "") for column in range(max(row) + 1)] for _, row in sorted(rows.items())]
    lines = [line for line in lines if any(line)]
    header = header_row(lines) if len(lines) > 1 else -1
    for index, line in enumerate(lines):
        out.add("\t".join(line), "header" if index == header == 0 else "row", 0, page)


def _kept(metadata: Mapping[str, Any]) -> dict[str, str]:
    found = {"created": metadata.get("created_at"), "modified": metadata.get("modified_at")}
    authors = metadata.get("authors") or ()
    found["author"] = ", ".join(map(str, authors)) if isinstance(authors, list | tuple) else str(authors)
    return {key: str(text)[:300] for key, text in found.items() if text}


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
