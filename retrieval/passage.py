"""What a search gives: a chunk, where it stands and why it was found."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Passage:
    """`text` is `document.text[start:end]`, exactly."""

    chunk: int
    document: str
    """SHA-256 of the document's bytes, hex"""
    number: int
    """the document's row in this vault"""
    kind: str
    title: str
    path: str
    """as shown, absolute; of the containing file for an attachment or a message of an mbox"""
    raw_path: bytes
    part: str
    other_paths: tuple[str, ...]
    """where else the same text lies: other files of the same document, and documents folded into this one"""
    page: int | None
    start: int
    end: int
    text: str
    heading: str
    message_id: str | None
    sender: str | None
    date: str | None
    thread: str | None
    score: float
    """0 to 1; comparable within one search only"""
    keyword: float
    """share of the best keyword score of this search"""
    vector: float
    """cosine between question and chunk; 0 where the chunk has no vector yet"""
    why: str
    """`identifier`, `words`, `meaning`, `words and meaning`, `name` (its document is named) or `thread`"""
    confidence: float | None = None
    """how sure the reading of its page is (0 to 1), where it was read from a picture; of several the least sure"""


def hit(passage: Passage, rank: int) -> dict[str, Any]:
    """The published form of a search result; `rank` from 1. See docs/reference."""
    read = {} if passage.confidence is None else {"confidence": passage.confidence}
    return {
        "rank": rank,
        "score": round(passage.score, 4),
        "document": passage.document,
        "path": passage.path,
        "part": passage.part or None,
        "other_paths": list(passage.other_paths),
        "kind": passage.kind,
        "title": passage.title,
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
        "quote": passage.text,
        "message_id": passage.message_id,
        "sender": passage.sender,
        "date": passage.date,
        **read,
    }
