"""EPUB: the chapters in the order of its spine, each read as the web page that it is (EPUB 3.3)."""

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from ingest import html, kind
from ingest.decode import decode
from ingest.ooxml import BROKEN, Package, below, child, local, value
from ingest.registry import MAX_TEXT, Context, UnreadableError, digest
from vault.records import Block, Document, Problem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError if it has no list of chapters or a seller's lock on them."""
    identity = digest(file)
    package = Package(file)
    try:
        container = package.xml("META-INF/container.xml")
        paths = [value(each, "full-path") for each in below(container, "rootfile")] if container is not None else []
        path = paths[0] if paths else next((each for each in package.names if each.endswith(".opf")), "")
        root = package.xml(path)
        locked = package.xml("META-INF/encryption.xml")
    except BROKEN as error:
        raise UnreadableError(f"damaged: {error}") from error
    if root is None:
        raise UnreadableError("damaged: it has no list of chapters")
    if locked is not None and any(value(each, "URI").endswith("html") for each in below(locked, "CipherReference")):
        raise UnreadableError("locked by its seller (DRM)")
    chapters = _chapters(root, path)
    text: list[str] = []
    blocks: list[Block] = []
    position = 0
    failed = []
    for chapter in chapters:
        try:
            markup, _ = decode(package.read(package.names[chapter.lower()]))
        except (KeyError, *BROKEN):
            failed.append(chapter)
            continue
        page = html.read(markup)
        blocks += [replace(each, start=each.start + position, end=each.end + position) for each in page.blocks]
        text.append(page.text)
        position += len(page.text) + 2
        if position > MAX_TEXT:
            break
    if failed and not blocks:
        raise UnreadableError(f"damaged: none of its {len(chapters)} chapters can be read")
    if failed:
        yield Problem(context.part, f"damaged: {len(failed)} of {len(chapters)} chapters cannot be read")
    metadata = _metadata(root)
    title = metadata.pop("title", "")
    joined = "\n\n".join(text)
    yield Document(
        id=identity,
        kind=kind.tell("epub", name, title, joined),
        title=title,
        text=joined,
        blocks=tuple(blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/epub+zip",
        note="" if blocks else "it holds no text",
    )


def _chapters(root: "Element", path: str) -> list[str]:
    items = {value(each, "id"): value(each, "href") for each in below(root, "item")}
    places = (items.get(value(each, "idref"), "") for each in below(root, "itemref"))
    folder = posixpath.dirname(path)
    return [posixpath.normpath(posixpath.join(folder, unquote(each.partition("#")[0]))) for each in places if each]


def _metadata(root: "Element") -> dict[str, str]:
    found: dict[str, str] = {}
    meta = child(root, "metadata")
    for each in meta if meta is not None else ():
        key = {"title": "title", "creator": "author", "date": "created", "language": "language"}.get(local(each))
        words = " ".join((each.text or "").split())
        if key and words:
            found.setdefault(key, words[:300])
    return found
