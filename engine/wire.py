"""What a parse worker writes: one JSON object a line, and what the engine takes for granted of it: nothing.

A line is one of
    {"document": {...}}, with blocks as [start, end, kind, level, page, lines] and each of these lines as
        [start, end, x0, y0, x1, y1]
    {"problem": [part, reason]}
    {"failed": [kind, message, hint]}, kind one of unreadable, unsupported: nothing of the file can be read
    {"end": number of lines before}
and from a worker that was asked for a picture, once
    {"picture": [page, pages, width, height, shown_width, shown_height, media_type, base64, letters]}, and each of these
        [[x0, y0, x1, y1], upright, places]; see `ingest.picture`
and from one that reads pictures, for each page
    {"read": [page, confidence, text, blocks]}, see `ingest.ocr`
Arrays instead of objects, because a long PDF has ten thousand lines.
"""

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vault.records import (
    MAX_LETTERS,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_HEIGHT,
    MAX_PICTURE_WIDTH,
    Block,
    Document,
    Letters,
    Line,
    Picture,
    Problem,
    ReadPage,
)

MAX_TEXT = 64 << 20  # code points of one document
MAX_LINE = 320 << 20  # bytes of one record: text of three-byte characters, its blocks and their boxes
MAX_BLOCKS = 2_000_000
MAX_PAGE = 1_000_000  # code points read of one picture
KINDS = frozenset(
    "mail contract invoice statement letter table slides book web note document".split()  # noqa: SIM905
)
BLOCK_KINDS = frozenset("paragraph heading item row header fields furniture hidden quote signature".split())  # noqa: SIM905

# A worker cuts what is longer; an engine refuses it. In characters.
_TITLE, _PART, _REASON, _NOTE, _VALUE, _KEYS = 4_000, 4_000, 2_000, 4_000, 1 << 20, 200
_FARTHEST = 1e7  # points from a page's corner
_HEX = re.compile("[0-9a-f]{64}")


class InvalidRecordError(ValueError):
    """A line that no sound worker writes."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing of the file can be read."""

    kind: str
    """unreadable or unsupported"""
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class End:
    """The worker has said all."""

    count: int


def encode(record: Document | Problem | Failed | End) -> bytes:
    """Return the record as a line. Half surrogate pairs, which are no characters, become U+FFFD."""
    match record:
        case Problem():
            value: dict[str, Any] = {"problem": [record.part[:_PART], record.reason[:_REASON]]}
        case Failed():
            value = {"failed": [record.kind, record.message[:_REASON], record.hint[:_REASON]]}
        case End():
            value = {"end": record.count}
        case Document():
            value = {"document": _fields(record)}
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        # Pairs become the character that they mean, single ones one replacement: offsets of `text` stay,
        # since the registry lets no document's text come here with a surrogate.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode() + b"\n"


def _block_values(blocks: Sequence[Block]) -> list[Any]:
    return [
        [
            block.start,
            block.end,
            block.kind,
            block.level,
            block.page,
            # A damaged page can put a line anywhere; what lies nowhere is found as any other, and not marked.
            [
                [each.start, each.end, each.x0, each.y0, each.x1, each.y1]
                for each in block.lines
                if _near((each.x0, each.y0, each.x1, each.y1))
            ],
        ]
        for block in blocks
    ]


def _near(places: Iterable[float]) -> bool:
    # Written so that it does not hold for what is no number.
    return all(-_FARTHEST <= each <= _FARTHEST for each in places)


def encode_read(page: ReadPage) -> bytes:
    """Return the page as a line."""
    value = [page.page, page.confidence, page.text, _block_values(page.blocks)]
    return json.dumps({"read": value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode_read(line: bytes) -> ReadPage:
    """Return the page; its blocks are checked as a document's are. Raises InvalidRecordError."""
    body = _only(line, "read", 4)
    page, confidence, text, blocks = body
    _integer(page, 1, 10_000_000)
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        raise InvalidRecordError("a confidence that is none")
    text = _text(text, MAX_PAGE)
    if type(blocks) is not list or len(blocks) > MAX_PAGE:
        raise InvalidRecordError("blocks is not a list of bounded length")
    found = _blocks(blocks, len(text))
    if any(each.page != page for each in found):
        raise InvalidRecordError("a block of another page")
    return ReadPage(page, float(confidence), text, found)


def _only(line: bytes, key: str, length: int) -> list[Any]:
    """Return the list of this length that is the one value of the line's object."""
    try:
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError(f"not JSON: {type(error).__name__}") from error
    if type(value) is not dict or list(value) != [key]:
        raise InvalidRecordError(f"not a {key}")
    body = value[key]
    if type(body) is not list or len(body) != length:
        raise InvalidRecordError(f"a {key} is not a list of {length}")
    return body


def encode_picture(picture: Picture) -> bytes:
    """Return the picture as a line."""
    data = base64.b64encode(picture.data).decode()
    value = [
        picture.page,
        picture.pages,
        picture.width,
        picture.height,
        picture.shown_width,
        picture.shown_height,
        picture.media_type,
        data,
        [[each.box, each.upright, each.places] for each in picture.letters if _near((*each.box, *each.places))],
    ]
    return json.dumps({"picture": value}, separators=(",", ":")).encode() + b"\n"


def decode_picture(line: bytes) -> Picture:
    """Return the picture; that it is a PNG or JPEG of the size that is said, and no larger than it may be, is checked.

    What the pixels show cannot be. Raises InvalidRecordError.
    """
    body = _only(line, "picture", 9)
    page, pages, width, height, shown_width, shown_height, media_type, encoded, letters = body
    _integer(page, 1, _integer(pages, 1, 10_000_000))
    _integer(width, 1, MAX_PICTURE_WIDTH)
    _integer(height, 1, MAX_PICTURE_HEIGHT)
    for each in (shown_width, shown_height):
        if type(each) not in (int, float) or not 0 < each < 1e7:
            raise InvalidRecordError("a page without a size")
    try:
        data = base64.b64decode(_text(encoded, MAX_PICTURE_BYTES * 4 // 3 + 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRecordError("not base64") from error
    if len(data) > MAX_PICTURE_BYTES or _measured(data, media_type) != (width, height):
        raise InvalidRecordError("not a picture of the size and kind that is said")
    size = float(shown_width), float(shown_height)
    return Picture(data, media_type, page, pages, width, height, *size, _letters(letters))


def _letters(lines: Any) -> tuple[Letters, ...]:
    if type(lines) is not list or len(lines) > MAX_LETTERS:
        raise InvalidRecordError("letters is not a list of bounded length")
    found: list[Letters] = []
    left = 2 * MAX_LETTERS
    for each in lines:
        if type(each) is not list or len(each) != 3 or type(each[0]) is not list or type(each[2]) is not list:
            raise InvalidRecordError("a line of letters is not a list of three")
        box, upright, places = each
        left -= len(places)
        if len(box) != 4 or type(upright) is not bool or len(places) % 2 or left < 0:
            raise InvalidRecordError("a line of letters without its box, or too long")
        x0, y0, x1, y1 = map(_number, box)
        found.append(Letters((x0, y0, x1, y1), upright, tuple(map(_number, places))))
    return tuple(found)


def _measured(data: bytes, media_type: Any) -> tuple[int, int] | None:
    """Return width and height as the picture's own header says, or None if it is not of this kind."""
    if media_type == "image/png":
        # The first chunk is IHDR, 13 bytes long (PNG specification, 11.2.2).
        if not data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or len(data) < 33:
            return None
        width, height = struct.unpack_from(">II", data, 16)
        return int(width), int(height)
    if media_type != "image/jpeg" or not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker in (0xC0, 0xC1, 0xC2):  # a frame's start (ITU T.81, B.2.2): baseline, extended, progressive
            height, width = struct.unpack_from(">HH", data, at + 5)
            return int(width), int(height)
        if not 0xC4 <= marker <= 0xFE or length < 2:  # tables and notes may come before
            return None
        at += 2 + length
    return None


def _fields(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "kind": document.kind,
        "title": document.title[:_TITLE],
        "text": document.text,
        "blocks": _block_values(document.blocks),
        "metadata": {key[:_KEYS]: value[:_VALUE] for key, value in list(document.metadata.items())[:_KEYS]},
        "part": document.part[:_PART],
        "parent": document.parent,
        "media_type": document.media_type[:_KEYS],
        "pages": document.pages,
        "picture_pages": document.picture_pages,
        "note": document.note[:_NOTE],
    }


def decode(line: bytes) -> Document | Problem | Failed | End:
    """Return the record; type, range, order, size and Unicode are checked. Raises InvalidRecordError."""
    try:
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError(f"not JSON: {type(error).__name__}") from error
    if type(value) is not dict or len(value) != 1:
        raise InvalidRecordError("not an object with one key")
    ((key, body),) = value.items()
    if key == "document" and type(body) is dict:
        return _document(body)
    if key == "problem" and type(body) is list and len(body) == 2:
        return Problem(_text(body[0], _PART), _text(body[1], _REASON))
    if key == "failed" and type(body) is list and len(body) == 3 and body[0] in ("unreadable", "unsupported"):
        return Failed(body[0], _text(body[1], _REASON), _text(body[2], _REASON))
    if key == "end":
        return End(_integer(body, 0, 1 << 40))
    raise InvalidRecordError("no known record")


def _document(body: dict[str, Any]) -> Document:
    expected = {
        "id", "kind", "title", "text", "blocks", "metadata", "part", "parent", "media_type", "pages",
        "picture_pages", "note",
    }  # fmt: skip
    if set(body) != expected:
        raise InvalidRecordError("fields missing or unknown")
    text = _text(body["text"], MAX_TEXT)
    pages = None if body["pages"] is None else _integer(body["pages"], 0, 10_000_000)
    metadata, blocks = body["metadata"], body["blocks"]
    if type(metadata) is not dict or len(metadata) > _KEYS:
        raise InvalidRecordError("metadata is not a small object")
    if type(blocks) is not list or len(blocks) > MAX_BLOCKS:
        raise InvalidRecordError("blocks is not a list of bounded length")
    if body["kind"] not in KINDS:
        raise InvalidRecordError("unknown kind")
    return Document(
        id=_digest(body["id"]),
        kind=body["kind"],
        title=_text(body["title"], _TITLE),
        text=text,
        blocks=_blocks(blocks, len(text)),
        metadata={_text(key, _KEYS): _text(value, _VALUE) for key, value in metadata.items()},
        part=_text(body["part"], _PART),
        parent=body["parent"] if body["parent"] == "" else _digest(body["parent"]),
        media_type=_text(body["media_type"], _KEYS),
        pages=pages,
        picture_pages=_integer(body["picture_pages"], 0, 10_000_000),
        note=_text(body["note"], _NOTE),
    )


def _blocks(blocks: list[Any], length: int) -> tuple[Block, ...]:
    """Return the blocks: in order, apart from each other, inside the text; their lines inside them."""
    found: list[Block] = []
    before = 0
    for each in blocks:
        if type(each) is not list or len(each) != 6:
            raise InvalidRecordError("a block is not a list of six")
        start, end, kind, level, page, lines = each
        _integer(start, before, length)
        before = _integer(end, start, length)
        if kind not in BLOCK_KINDS or type(lines) is not list:
            raise InvalidRecordError("a block of unknown kind, or without a list of lines")
        if page is not None:
            _integer(page, 1, 10_000_000)
        _integer(level, 0, 99)
        found.append(Block(start, end, kind, level, page, tuple(_line(line, start, end) for line in lines)))
    return tuple(found)


def _line(line: Any, start: int, end: int) -> Line:
    if type(line) is not list or len(line) != 6:
        raise InvalidRecordError("a line is not a list of six")
    _integer(line[1], _integer(line[0], start, end), end)
    for each in line[2:]:
        _number(each)
    return Line(*line)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > _FARTHEST:
        raise InvalidRecordError("a box is not made of numbers")
    return value  # type: ignore[no-any-return]  # checked just now


def _integer(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:  # not bool, which is an int
        raise InvalidRecordError(f"not a whole number from {low} to {high}")
    return value


def _text(value: Any, longest: int) -> str:
    if type(value) is not str or len(value) > longest:
        raise InvalidRecordError(f"not a text of at most {longest} characters")
    if not value.isascii():
        try:
            value.encode()  # JSON's escapes can say half a surrogate pair
        except UnicodeEncodeError as error:
            raise InvalidRecordError("half a surrogate pair") from error
    return value


def _digest(value: Any) -> str:
    if type(value) is not str or not _HEX.fullmatch(value):
        raise InvalidRecordError("not a SHA-256 in hex")
    return value


def _no_constant(name: str) -> Any:
    raise InvalidRecordError(f"{name} is not JSON")
