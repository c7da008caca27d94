"""Saved web pages: the encoding as browsers find it, the text as ingest/html.py reads it. Nothing is fetched."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from ingest import html, kind
from ingest.decode import LIMIT, decode
from ingest.registry import Context, digest
from ingest.seen import note, seen
from vault.records import Document, Problem

# WHATWG HTML, 13.2.3.2: a declaration counts in the first 1024 bytes.
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{2,40})",
    re.IGNORECASE,
)


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document."""
    identity = digest(file)
    data = file.read(LIMIT + 1)
    notes = [f"only its first {LIMIT >> 20} MiB are read"] if len(data) > LIMIT else []
    found = _DECLARED.search(data[:1024])
    declared = (found[1] or found[2]).decode("ascii", "replace") if found else ""
    markup, encoding = decode(data[:LIMIT], declared)
    page = html.read(markup)
    title = kind.own_title(page.title)
    words = seen(page.text, page.blocks)
    notes += note(page.blocks)
    if page.unveiled:
        notes.append("all of it is hidden until a script has run, which none does here")
    yield Document(
        id=identity,
        kind=kind.tell("html", name, title, words),
        title=title,
        text=page.text,
        blocks=page.blocks,
        metadata={"encoding": encoding},
        part=context.part,
        parent=context.parent,
        media_type="text/html",
        note="; ".join(notes) or ("" if words.strip() else "it holds no text"),
    )
