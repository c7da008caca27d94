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
    reply, not indexed), signature (not indexed), furniture (running heads, feet, page numbers; not indexed)"""
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
