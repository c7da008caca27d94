"""A picture file: a document of its pages, without text until OCR has read it."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest import kind, ocr, picture, scanned
from ingest.registry import Context, UnsupportedError, digest, recognise
from vault.records import Document, Problem

_SMALL = 300  # pixels of an attached picture's shorter side: below are logos, signatures and marks of being read
MOST_PAGES = 2000


def preload() -> None:
    """Import what reading a picture's size needs, and look whether there is OCR: a locked worker cannot."""
    picture.preload()
    ocr.available()


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document, with no text and the number of its pages.

    An attached picture that is too small for a paper is passed over. Raises UnsupportedError without the extra.
    """
    if not ocr.available() and not context.depth:
        raise UnsupportedError("a picture; install the extra ocr to have it read")
    identity = digest(file)
    pages, (width, height) = picture.pages_and_size(file)
    if context.depth and min(width, height) < _SMALL:
        return
    if not ocr.available():
        raise UnsupportedError("a picture; install the extra ocr to have it read")
    pages = min(pages, MOST_PAGES)
    yield Document(
        id=identity,
        kind=kind.tell("picture", name, "", ""),
        title="",
        text="",
        part=context.part,
        parent=context.parent,
        media_type=recognise(file, name).media_type,
        pages=pages,
        picture_pages=pages,
        note=scanned.note(pages, pages),
    )
