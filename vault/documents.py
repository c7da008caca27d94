"""Documents, the files they lie in, and their chunks as rows. The caller holds the transaction."""

import json
import re
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import apsw

from vault.records import Block, Chunk, Document, Line
from vault.shelves import SHELVES

# SQLite allows 32,766 parameters a statement; lists are cut well below that.
_PARAMETERS = 5_000

_HIDDEN = re.compile(rb'\[(\d+),(\d+),"hidden",')  # as `encode_blocks` writes it


def add(
    db: apsw.Connection,
    document: Document,
    *,
    prefix: str,
    chunks: Sequence[Chunk],
    keys: Sequence[bytes],
    language: str = "",
) -> tuple[int, list[int]]:
    """Insert a document with its text and chunks; `keys[i]` says what `chunks[i]` is embedded as.

    A chunk whose key is known gets the vector that is there already. Returns the document's number and its chunks' ids.
    """
    meta = document.metadata
    date = meta.get("date") or None
    db.execute(
        "INSERT INTO document (id, kind, title, prefix, message_id, thread, sender, recipients, date, time, language,"
        " media_type, pages, picture_pages, note, metadata, characters, added)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            document.id,
            document.kind,
            document.title,
            prefix,
            meta.get("message_id") or None,
            meta.get("thread") or None,
            meta.get("sender") or None,
            meta.get("recipients") or None,
            date,
            timestamp(date),
            language,
            document.media_type,
            document.pages,
            document.picture_pages,
            document.note,
            json.dumps(dict(meta), ensure_ascii=False),
            len(document.text),
            time.time(),
        ),
    )
    number = db.last_insert_rowid()
    db.execute(
        "INSERT INTO content (document, text, blocks) VALUES (?,?,?)",
        (number, document.text.encode(), encode_blocks(document.blocks)),
    )
    return number, _add_chunks(db, number, chunks, keys)


def rewrite(
    db: apsw.Connection,
    number: int,
    document: Document,
    *,
    prefix: str,
    chunks: Sequence[Chunk],
    keys: Sequence[bytes],
    language: str = "",
) -> tuple[set[int], list[int]]:
    """Put a document's new text, and what was told by it, in the place of the old: its pictures have been read.

    Its id, which is that of its bytes, and its places stay. Returns the ids of the chunks that went and of the new
    ones; where what is embedded is the same, so is the vector.
    """
    gone = {i for (i,) in db.execute("SELECT id FROM chunk WHERE document = ?", (number,))}
    db.execute(
        "UPDATE document SET kind = ?, prefix = ?, language = ?, picture_pages = ?, note = ?, metadata = ?,"
        " characters = ? WHERE number = ?",
        (
            document.kind,
            prefix,
            language,
            document.picture_pages,
            document.note,
            json.dumps(dict(document.metadata), ensure_ascii=False),
            len(document.text),
            number,
        ),
    )
    db.execute(
        "UPDATE content SET text = ?, blocks = ? WHERE document = ?",
        (document.text.encode(), encode_blocks(document.blocks), number),
    )
    ids = _add_chunks(db, number, chunks, keys)  # before the old ones go, so that their vectors can be taken
    for part in _parts(sorted(gone)):
        db.execute(f"DELETE FROM chunk WHERE id IN ({_marks(part)})", part)
    return gone, ids


def _add_chunks(db: apsw.Connection, number: int, chunks: Sequence[Chunk], keys: Sequence[bytes]) -> list[int]:
    """Insert a document's chunks; one whose key is known gets the vectors that are there, of each model."""
    ids = []
    for piece, key in zip(chunks, keys, strict=True):
        db.execute(
            "INSERT INTO chunk (document, start, end, heading, key) VALUES (?,?,?,?,?)",
            (number, piece.start, piece.end, piece.heading, key),
        )
        ids.append(db.last_insert_rowid())
    for shelf in SHELVES:
        db.execute(
            f"INSERT OR IGNORE INTO {shelf} (chunk, value) SELECT new.id, there.value FROM chunk AS new"
            f" JOIN chunk AS old ON old.id = (SELECT min(o.id) FROM chunk AS o JOIN {shelf} AS v ON v.chunk = o.id"
            "                               WHERE o.key = new.key)"
            f" JOIN {shelf} AS there ON there.chunk = old.id WHERE new.document = ?",
            (number,),
        )
    return ids


def find(db: apsw.Connection, document_id: str) -> int | None:
    """The number of the document with this id, or None."""
    row = db.execute("SELECT number FROM document WHERE id = ?", (document_id,)).get
    return None if row is None else int(row)


def place(db: apsw.Connection, file: int, part: str, number: int, parent: int | None) -> int | None:
    """Say that a document lies at this part of this file; returns the number of the one that lay there before."""
    before = db.execute("SELECT document FROM location WHERE file = ? AND part = ?", (file, part)).get
    db.execute(
        "INSERT INTO location (file, part, document, parent) VALUES (?,?,?,?)"
        " ON CONFLICT (file, part) DO UPDATE SET document = excluded.document, parent = excluded.parent",
        (file, part, number, parent),
    )
    return None if before in {None, number} else int(before)


def copy_locations(db: apsw.Connection, source: int, target: int) -> set[int]:
    """Give a file with the same bytes the same documents; returns their numbers."""
    db.execute(
        "INSERT OR REPLACE INTO location (file, part, document, parent)"
        " SELECT ?, part, document, parent FROM location WHERE file = ?",
        (target, source),
    )
    return documents_in(db, [target])


def documents_in(db: apsw.Connection, files: Iterable[int]) -> set[int]:
    """The numbers of the documents that lie in these files."""
    return {
        number for file in files for (number,) in db.execute("SELECT document FROM location WHERE file = ?", (file,))
    }


def remove_locations(db: apsw.Connection, file: int, *, keep: Collection[str] = ()) -> set[int]:
    """Forget that documents lie in this file, but for the parts to keep; returns the numbers that lost a place."""
    gone = [
        (part, number)
        for part, number in db.execute("SELECT part, document FROM location WHERE file = ?", (file,))
        if part not in keep
    ]
    db.executemany("DELETE FROM location WHERE file = ? AND part = ?", [(file, part) for part, _ in gone])
    return {number for _, number in gone}


def unplaced(db: apsw.Connection, among: Iterable[int] | None = None) -> list[int]:
    """Numbers of the documents that lie nowhere any more (among those given, or at all)."""
    absent = "NOT EXISTS (SELECT 1 FROM location WHERE location.document = document.number)"
    if among is None:
        return [number for (number,) in db.execute(f"SELECT number FROM document WHERE {absent}")]
    return [
        number
        for part in _parts(sorted(among))
        for (number,) in db.execute(f"SELECT number FROM document WHERE number IN ({_marks(part)}) AND {absent}", part)
    ]


def remove(db: apsw.Connection, numbers: Iterable[int]) -> set[int]:
    """Delete documents with their texts, chunks and vectors; returns the chunks' ids, for the indexes to follow.

    Answers kept in the history stay: they are what was said, and purge takes them out.
    """
    chunks: set[int] = set()
    for part in _parts(sorted(numbers)):
        marks = _marks(part)
        chunks.update(i for (i,) in db.execute(f"SELECT id FROM chunk WHERE document IN ({marks})", part))
        db.execute(f"DELETE FROM document WHERE number IN ({marks})", part)
    return chunks


def text_of(db: apsw.Connection, document_id: str) -> str | None:
    """A document's whole text."""
    row = db.execute(
        "SELECT text FROM content JOIN document ON document.number = content.document WHERE id = ?", (document_id,)
    ).get
    return None if row is None else str(row, "utf-8")


def seen_text_of(db: apsw.Connection, document_id: str) -> str | None:
    """A document's whole text, blank where it is hidden, so that every offset stays: what answers are made of and
    compared with."""
    row: Any = db.execute(
        "SELECT text, blocks FROM content JOIN document ON document.number = content.document WHERE id = ?",
        (document_id,),
    ).fetchone()
    if row is None:
        return None
    text = str(row[0], "utf-8")
    for start, end in hidden_ranges(row[1]):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def hidden_ranges(blocks: bytes) -> list[tuple[int, int]]:
    """Start and end of the blocks of kind `hidden`, straight from the JSON: decoding a long document's lines would take
    longer than what asks for it."""
    return [(int(found[1]), int(found[2])) for found in _HIDDEN.finditer(blocks)]


def blocks_of(db: apsw.Connection, document_id: str) -> tuple[Block, ...]:
    """A document's blocks, in order."""
    row = db.execute(
        "SELECT blocks FROM content JOIN document ON document.number = content.document WHERE id = ?", (document_id,)
    ).get
    return () if row is None else decode_blocks(row)


def encode_blocks(blocks: Sequence[Block]) -> bytes:
    """JSON, `[start, end, kind, level, page, [[start, end, x0, y0, x1, y1], …]]` a block."""
    return json.dumps(
        [
            [b.start, b.end, b.kind, b.level, b.page, [[x.start, x.end, x.x0, x.y0, x.x1, x.y1] for x in b.lines]]
            for b in blocks
        ],
        separators=(",", ":"),
    ).encode()


def decode_blocks(data: bytes) -> tuple[Block, ...]:
    """The reverse of `encode_blocks`."""
    return tuple(
        Block(start, end, kind, level, page, tuple(Line(*line) for line in lines))
        for start, end, kind, level, page, lines in json.loads(data)
    )


def timestamp(date: str | None) -> float | None:
    """Seconds since 1970 of an ISO 8601 date; one without a zone counts as UTC. None for what is no date."""
    if not date:
        return None
    try:
        moment = datetime.fromisoformat(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _parts(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[i : i + _PARAMETERS] for i in range(0, len(values), _PARAMETERS))


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))
