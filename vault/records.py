"""The values that cross stages: what parsing yields, what the vault keeps, what a citation rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page: `text[start:end]` stands inside the box (points, origin at the page's top left)."""

    start: int
    end: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Block:
    """A run of a document's text that belongs together, half-open, in code points. Blocks are in order, do not overlap,
    and need not cover the text (what no block covers is separators)."""

    start: int
    end: int
    kind: str = "paragraph"
    """paragraph, heading, item, row, header (a table's header row), fields (a mail's own headers), quote (a quoted
    reply, not indexed), signature (not indexed), furniture (running heads, feet, page numbers; not indexed), hidden
    (what the document keeps from its reader's eyes: shown as that, not indexed, never quoted in an answer)"""
    level: int = 0
    """of a heading, from 1"""
    page: int | None = None
    """from 1; None where the format has no pages"""
    lines: tuple[Line, ...] = ()
    """where the format has a layout"""


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed document. `text` is never altered after parsing."""

    id: str
    """SHA-256 of its bytes, hex"""
    kind: str
    """mail, contract, invoice, statement, letter, table, slides, book, web, note or document"""
    title: str
    """its own title or subject, or empty"""
    text: str
    blocks: tuple[Block, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    """message_id, in_reply_to, references (space-separated), thread, sender, recipients, date (ISO 8601 in its own
    zone), author, sheet names, …; all values are strings"""
    part: str = ""
    """where it lies inside its file: empty for the file itself, `3` for the third message of an mbox,
    `3/contract.pdf` for that message's attachment"""
    parent: str = ""
    """id of the document it is an attachment of, or empty"""
    media_type: str = ""
    pages: int | None = None
    picture_pages: int = 0
    """pages that hold no text, only pictures"""
    note: str = ""
    """what the user should know of it, such as `3 of 12 pages are pictures`"""


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a file that could not be read. The rest of the file goes on."""

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is retrieved: `text[start:end]` of a document, half-open, in code points."""

    start: int
    end: int
    heading: str = ""
    """heading path, joined with ` › `"""


MIN_PICTURE_WIDTH, MAX_PICTURE_WIDTH = 200, 2000  # pixels
MAX_PICTURE_HEIGHT = 6000  # pixels; a till receipt a metre long is narrower rather than higher
MAX_PICTURE_BYTES = 1_500_000
MAX_LETTERS = 20_000  # of a page whose places are told; a page of a telephone book has 15,000


@dataclass(frozen=True, slots=True)
class Letters:
    """Where the characters of a line stand in it: what `Line` does not keep, as only a picture needs it."""

    box: tuple[float, float, float, float]
    """the line's, as `Line` has it: by this it is recognised"""
    upright: bool
    """the line runs up or down, and `places` are heights"""
    places: tuple[float, ...]
    """start and end of each character, one after the other; equal where a character takes no room"""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page as it is shown, turned the right way up."""

    data: bytes
    media_type: str
    """image/png or image/jpeg"""
    page: int
    """from 1"""
    pages: int
    width: int
    """pixels; at most what was asked for"""
    height: int
    shown_width: float
    """of the whole page in the unit of `Line`'s boxes: points for a PDF, its own pixels for a picture"""
    shown_height: float
    letters: tuple[Letters, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What was read of one page."""

    page: int
    confidence: float
    """0 to 1: how sure the model is, mean over lines weighted by their length; 0 where there are no words"""
    text: str
    blocks: tuple[Block, ...] = ()
    """of `text`; lines with boxes in points for a PDF, in its own pixels for a picture"""
