"""Plain text and Markdown: the text is exactly the decoded file; blocks mark headings, items, rows and paragraphs."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from ingest import kind
from ingest.decode import read_text
from ingest.registry import Context, digest, recognise
from vault.records import Block, Document, Problem

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")  # CommonMark 0.31, 4.2; for its end see `_heading`
_UNDERLINE = re.compile(r" {0,3}(=+|-+|~+)[ \t]*$")  # 4.3; `~` is reStructuredText's
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]+\S")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_RULE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINE = re.compile(r"[^\n\r]*(?:\r\n|\n|\r|\Z)")


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document."""
    found = recognise(file, name)
    identity = digest(file)
    text, encoding, note = read_text(file)
    markdown = found.name == "markdown"
    parts = tuple(blocks(text, markdown=markdown))
    title = next((text[each.start : each.end] for each in parts if each.kind == "heading"), "")
    title = title if markdown else ""
    yield Document(
        id=identity,
        kind=kind.tell(found.name, name, title, text),
        title=title[:300],
        text=text,
        blocks=parts,
        metadata={"encoding": encoding},
        part=context.part,
        parent=context.parent,
        media_type=found.media_type,
        note=note or ("it holds no text" if not text.strip() else ""),
    )


def blocks(text: str, *, markdown: bool) -> Iterator[Block]:
    """Yield the blocks of a text: what empty lines part, and Markdown's headings, items and table rows."""
    start = end = -1  # of the paragraph that is being gathered
    opened = "paragraph"
    fence = ""
    position = 0
    lines = 0
    rows = 0
    while position < len(text):
        match = _LINE.match(text, position)
        if not match or match.end() == position:
            break
        here, position = position, match.end()
        line = match[0].rstrip("\r\n")
        stop = here + len(line)
        if fence:
            end = stop
            if line.strip().startswith(fence):
                fence = ""
                yield Block(start, end)
                start, lines = -1, 0
            continue
        underlined = _UNDERLINE.match(line) if start >= 0 and lines == 1 and opened == "paragraph" else None
        if underlined and abs(len(line.strip()) - (end - start)) <= max(3, (end - start) // 3):
            yield Block(start, end, "heading", 1 if "=" in line else 2)
            start, lines = -1, 0
            continue
        heading = _heading(line) if markdown else None
        row = markdown and _ROW.match(line) is not None
        item = _ITEM.match(line) is not None
        fenced = _FENCE.match(line) if markdown else None
        if start >= 0 and (not line.strip() or heading or row or item or fenced):
            yield Block(start, end, opened)
            start, lines = -1, 0
        if not row:
            rows = 0
        if not line.strip():
            continue
        if heading:
            level, begins, ends = heading
            if begins < ends:
                yield Block(here + begins, here + ends, "heading", level)
        elif row:
            if not _RULE.match(line):
                rows += 1
                yield Block(here, stop, "header" if rows == 1 else "row")
        else:
            if start < 0:
                start, opened = here, "item" if item else "paragraph"
            end = stop
            lines += 1
            fence = fenced[1] if fenced else ""
    if start >= 0:
        yield Block(start, end, opened)


def _heading(line: str) -> tuple[int, int, int] | None:
    """Return a heading's level, and where its words begin and end in the line; closing `#` stand apart from them."""
    found = _HEADING.match(line)
    if found is None:
        return None
    words = found[2].rstrip(" \t")
    without = words.rstrip("#")
    if without.endswith((" ", "\t")):
        words = without.rstrip(" \t")
    return len(found[1]), found.start(2), found.start(2) + len(words)
