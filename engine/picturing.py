"""Pictures of a document's pages, with the lines of a passage marked: from the document's own file, drawn by a worker.

The engine opens the file by the path that the vault knows, compares its bytes with what was read once, and has a parse
worker draw the page. What comes back is checked like every other record (`engine.wire`).
"""

import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from engine import listing, wire
from engine.drawn import Drawn
from engine.engine import Engine
from engine.zygote import WorkerDiedError, Zygote
from ingest import opening
from ingest.registry import UnreadableError, UnsupportedError
from vault import documents
from vault.errors import StrongroomError
from vault.records import MAX_PICTURE_WIDTH, MIN_PICTURE_WIDTH, Block, Letters, Line, Picture

Box = tuple[float, float, float, float]

SECONDS = 20.0  # for one page; the slowest of the public files takes 4
_MOST_BOXES = 400  # a page has some sixty lines
_DRAWN = ("application/pdf", "image/")  # how media types of documents with pages begin
_NARROW, _WIDE = frozenset("ijlftrI.,;:'|!()[]{} -"), frozenset("mwMW@%&—")


class NoPictureError(StrongroomError):
    """A page cannot be shown: its file is gone or another one, or it has no pages."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One of the files that hold the document."""

    path: bytes
    shown: str
    hash: str
    """SHA-256 of the file when it was read, hex"""
    part: str
    folder: bytes
    """the watched folder that it lies in"""


def document_picture(
    engine: Engine,
    id: str,  # noqa: A002 - the protocol's word
    *,
    page: int = 1,
    width: int = 1000,
    start: int | None = None,
    end: int | None = None,
) -> dict[str, Any]:
    """A page of a PDF or of a picture as a PNG or JPEG (base64), and where the text from `start` to `end` stands on it.

    `page` is from 1, `width` in pixels (200 to 2000; the answer's may be less). `boxes` are [x0, y0, x1, y1] as
    fractions of the picture's width and height from its top left, one for each line. Raises NoPictureError where the
    file is gone or another one by now, UnreadableError for a page that is not there.
    """
    opened = engine.opened()
    forgotten = engine.drawn.forgotten
    width = max(MIN_PICTURE_WIDTH, min(MAX_PICTURE_WIDTH, width))
    with opened.vault.read() as db:
        document = listing.resolve(db, id)[0]
        media_type, places = _places(db, document)
        marked = start is not None and end is not None and start < end
        blocks = documents.blocks_of(db, document) if marked else ()
        text = (documents.text_of(db, document) or "") if marked else ""
    if not media_type.startswith(_DRAWN):
        raise NoPictureError("this document has no pages that could be shown", "its text can be")
    kept = engine.drawn
    key = (document, page, width)
    picture = kept.get(key)
    if picture is None:
        with opened.pipeline.asking():
            picture = _drawn(opened.pipeline.zygote, kept, places, page, width)
        kept.keep(key, picture, since=forgotten)
    return {
        "page": picture.page,
        "pages": picture.pages,
        "width": picture.width,
        "height": picture.height,
        "media_type": picture.media_type,
        "data": base64.b64encode(picture.data).decode(),
        "boxes": boxes(blocks, text, start or 0, end or 0, picture),
    }


def boxes(blocks: Iterable[Block], text: str, start: int, end: int, picture: Picture) -> list[list[float]]:
    """Return where `text[start:end]` stands on the picture's page: a box for each line, as fractions from its top left.

    A box holds the part of its line that is asked for: as the page's own characters stand, or where they are not known
    (a page read by OCR), as nearly as their widths can be guessed.
    """
    known = {(each.box, len(each.places)): each for each in picture.letters}
    found = []
    for line in _lines(blocks, start, end, picture.page):
        first, last = max(start, line.start), min(end, line.end)
        letters = known.get(((line.x0, line.y0, line.x1, line.y1), 2 * (line.end - line.start)))
        x0, y0, x1, y1 = _placed(letters, line, first, last) if letters else cut(line, text, first, last)
        across = [min(1.0, max(0.0, each / picture.shown_width)) for each in (x0, x1)]
        down = [min(1.0, max(0.0, each / picture.shown_height)) for each in (y0, y1)]
        if across[0] < across[1] and down[0] < down[1]:
            found.append([round(each, 5) for each in (across[0], down[0], across[1], down[1])])
    return found[:_MOST_BOXES]


def _lines(blocks: Iterable[Block], start: int, end: int, page: int) -> Iterator[Line]:
    for block in blocks:
        if block.page == page and block.start < end and block.end > start:
            yield from (line for line in block.lines if line.start < end and line.end > start)


def _placed(letters: Letters, line: Line, start: int, end: int) -> Box:
    """Return the part of the line's box in which the characters stand."""
    places = letters.places[2 * (start - line.start) : 2 * (end - line.start)]
    taken = [
        each for one, other in zip(places[::2], places[1::2], strict=True) if one != other for each in (one, other)
    ]
    if not taken:
        return (line.x0, line.y0, line.x1, line.y1)
    low, high = min(taken), max(taken)
    return (line.x0, low, line.x1, high) if letters.upright else (low, line.y0, high, line.y1)


def cut(line: Line, text: str, start: int, end: int) -> Box:
    """Return the part of the line's box in which `text[start:end]` stands.

    Where a character stands in its line was not kept; it is told by the usual widths of letters, and a little is added
    on either side. Text that runs upwards or downwards gets the whole line.
    """
    whole = (line.x0, line.y0, line.x1, line.y1)
    if (start <= line.start and end >= line.end) or line.y1 - line.y0 > line.x1 - line.x0:
        return whole
    sums = list(accumulate((_width(each) for each in text[line.start : line.end]), initial=0.0))
    if not sums[-1]:
        return whole
    unit = (line.x1 - line.x0) / sums[-1]
    x0 = line.x0 + unit * (sums[start - line.start] - 0.4)
    x1 = line.x0 + unit * (sums[end - line.start] + 0.4)
    return max(line.x0, x0), line.y0, min(line.x1, x1), line.y1


def _width(character: str) -> float:
    """Return a letter's usual width in half ems, by Helvetica's and Times's metrics."""
    if character in _NARROW:
        return 0.56
    if character in _WIDE:
        return 1.6
    if character == "\xad" or not character.isprintable():
        return 0.0
    return 1.35 if character.isupper() else 1.04


def _places(db: Any, document: str) -> tuple[str, list[_Place]]:
    row = db.execute("SELECT number, media_type FROM document WHERE id = ?", (document,)).fetchone()
    found = [
        _Place(bytes(path), shown, bytes(digest).hex(), part, bytes(folder))
        for path, shown, digest, part, folder in db.execute(
            "SELECT file.path, file.shown, hash, part, folder.path FROM location JOIN file ON file.id = location.file"
            " JOIN folder ON folder.id = file.folder"
            " WHERE location.document = ? AND hash IS NOT NULL ORDER BY part != '', size, file.shown LIMIT 20",
            (row[0],),
        )
    ]
    return row[1], found


def _drawn(zygote: Zygote, kept: Drawn, places: list[_Place], page: int, width: int) -> Picture:
    """Return the picture from the first of the files that is still what was read."""
    failure: StrongroomError = NoPictureError("the document's file is no longer in a watched folder")
    for place in places:
        try:
            return _from(zygote, kept, place, page, width)
        except NoPictureError as error:
            failure = error
    raise failure


def _from(zygote: Zygote, kept: Drawn, place: _Place, page: int, width: int) -> Picture:
    changed = NoPictureError(f"{place.shown} has changed since it was read", "ask again once it is read anew")
    try:
        descriptor = opening.open_inside(place.folder, place.path)  # as when it was read
    except FileNotFoundError:
        raise NoPictureError(f"{place.shown} is gone", "put it back to see its pages; its text is kept") from None
    except OSError as error:
        raise NoPictureError(f"{place.shown} cannot be opened: {(error.strerror or str(error)).lower()}") from error
    except opening.NotRegularError:
        raise changed from None
    try:
        before = os.fstat(descriptor)
        if kept.hash_of(descriptor) != place.hash:
            raise changed
        name = os.path.basename(place.path).decode(errors="replace")
        options = {"part": place.part, "page": page, "width": width}
        picture: Picture | None = None
        try:
            for line in zygote.run("picture", descriptor, name, options, wall_seconds=SECONDS):
                picture = wire.decode_picture(line)
                break
        except wire.InvalidRecordError as error:
            raise WorkerDiedError("the picture was not valid", str(error)) from error
        except (UnreadableError, UnsupportedError, WorkerDiedError) as error:
            raise type(error)(f"page {page} cannot be shown: {error.message}", error.hint) from error
        if opening.marks(os.fstat(descriptor)) != opening.marks(before):
            raise changed
    except OSError as error:
        raise NoPictureError(f"{place.shown} cannot be read: {(error.strerror or str(error)).lower()}") from error
    finally:
        os.close(descriptor)
    if picture is None or picture.page != page or picture.width > width:
        raise WorkerDiedError("the picture was not valid", "another page or size than was asked for")
    return picture
