"""What the page and the terminal list: files, documents, a document's text. Never more than a screenful at a time."""

import json
from typing import Any

import apsw

from vault import documents
from vault.errors import StrongroomError
from vault.failures import UnknownDocumentError

MOST_ROWS = 200
MOST_CHARACTERS = 20_000

_FILE_ORDER = {"path": "shown", "state": "state", "size": "size", "modified": "mtime_ns", "changed": "changed"}
_DOCUMENT_ORDER = {"title": "title", "kind": "kind", "sender": "sender", "date": "time", "added": "added"}


def states(db: apsw.Connection) -> dict[str, int]:
    """How many files are in each state."""
    rows: list[Any] = db.execute("SELECT state, count(*) FROM file GROUP BY state").fetchall()
    return dict(rows)


def files(
    db: apsw.Connection,
    *,
    state: str = "",
    text: str = "",
    folder: int | None = None,
    sort: str = "path",
    descending: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    """A page of the files with their states and what was found in each; `text` is searched for in the path."""
    where, values = ["1"], list[Any]()
    if state:
        where.append(f"state IN ({','.join('?' * len(state.split(',')))})")
        values += state.split(",")
    if text:
        where.append("instr(lower(shown), lower(?))")
        values.append(text)
    if folder is not None:
        where.append("folder = ?")
        values.append(folder)
    clause = " AND ".join(where)
    order = _order(_FILE_ORDER, sort, descending=descending)
    total = db.execute(f"SELECT count(*) FROM file WHERE {clause}", values).get
    rows = [
        {
            "id": i,
            "path": shown,
            "state": st,
            "reason": reason,
            "size": size,
            "modified": mtime / 1e9,
            "documents": [],
            "document_count": 0,
        }
        for i, shown, st, reason, size, mtime in db.execute(
            f"SELECT id, shown, state, reason, size, mtime_ns FROM file WHERE {clause} ORDER BY {order}, id"
            " LIMIT ? OFFSET ?",
            (*values, _limit(limit), max(0, offset)),
        )
    ]
    for row in rows:
        row["document_count"] = db.execute("SELECT count(*) FROM location WHERE file = ?", (row["id"],)).get
        row["documents"] = [
            {"id": i, "title": title, "kind": kind, "part": part}
            for i, title, kind, part in db.execute(
                "SELECT document.id, title, kind, part FROM location JOIN document ON number = location.document"
                " WHERE file = ? ORDER BY part LIMIT 20",
                (row["id"],),
            )
        ]
    return {"total": total, "rows": rows}


def list_documents(
    db: apsw.Connection,
    *,
    text: str = "",
    kind: str = "",
    sort: str = "title",
    descending: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    """A page of the documents; `text` is searched for in title, sender and path."""
    where, values = ["1"], list[Any]()
    if text:
        where.append(
            "(instr(lower(title), lower(?1)) OR instr(lower(coalesce(sender, '')), lower(?1)) OR EXISTS (SELECT 1 FROM"
            " location JOIN file ON file.id = location.file WHERE location.document = number"
            " AND instr(lower(file.shown), lower(?1))))".replace("?1", "?")
        )
        values += [text] * 3
    if kind:
        where.append("kind = ?")
        values.append(kind)
    clause = " AND ".join(where)
    order = _order(_DOCUMENT_ORDER, sort, descending=descending)
    total = db.execute(f"SELECT count(*) FROM document WHERE {clause}", values).get
    found: list[Any] = db.execute(
        f"SELECT number, id, kind, title, sender, date, pages, note FROM document WHERE {clause}"
        f" ORDER BY {order}, number LIMIT ? OFFSET ?",
        (*values, _limit(limit), max(0, offset)),
    ).fetchall()
    return {
        "total": total,
        "rows": [
            {
                "id": i,
                "kind": k,
                "title": title,
                "sender": sender,
                "date": date,
                "pages": pages,
                "note": note,
                "paths": [place["path"] for place in places(db, number)],
            }
            for number, i, k, title, sender, date, pages, note in found
        ],
    }


def document(db: apsw.Connection, document_id: str) -> dict[str, Any]:
    """One document's properties, where it lies, and what lies under it."""
    row = db.execute(
        "SELECT number, kind, title, sender, recipients, date, message_id, thread, language, media_type, pages,"
        " picture_pages, note, metadata, characters FROM document WHERE id = ?",
        (document_id,),
    ).fetchone()
    if row is None:
        raise UnknownDocumentError(document_id)
    names = (
        "number",
        "kind",
        "title",
        "sender",
        "recipients",
        "date",
        "message_id",
        "thread",
        "language",
        "media_type",
        "pages",
        "picture_pages",
        "note",
        "metadata",
        "characters",
    )
    found = dict(zip(names, row, strict=True))
    number = found.pop("number")
    found["metadata"] = json.loads(found["metadata"])
    attachments = [
        {"id": i, "title": title, "kind": kind, "part": part}
        for i, title, kind, part in db.execute(
            "SELECT DISTINCT document.id, title, kind, part FROM location JOIN document ON number = location.document"
            " WHERE parent = ? ORDER BY part LIMIT 200",
            (number,),
        )
    ]
    return {"id": document_id, **found, "places": places(db, number), "attachments": attachments}


def document_text(db: apsw.Connection, document_id: str, *, start: int = 0, end: int | None = None) -> dict[str, Any]:
    """A stretch of a document's text (code points, at most `MOST_CHARACTERS`) and the blocks that touch it."""
    text = documents.text_of(db, document_id)
    if text is None:
        raise UnknownDocumentError(document_id)
    start = min(max(0, start), len(text))
    end = min(len(text), start + MOST_CHARACTERS, len(text) if end is None else max(start, end))
    blocks = [
        {"start": b.start, "end": b.end, "kind": b.kind, "level": b.level, "page": b.page}
        for b in documents.blocks_of(db, document_id)
        if b.start < end and b.end > start
    ]
    return {"text": text[start:end], "start": start, "end": end, "total": len(text), "blocks": blocks}


def places(db: apsw.Connection, number: int) -> list[dict[str, str]]:
    """Where a document lies: file and part."""
    return [
        {"path": shown, "part": part}
        for shown, part in db.execute(
            "SELECT shown, part FROM location JOIN file ON file.id = location.file WHERE location.document = ?"
            " ORDER BY shown, part LIMIT 100",
            (number,),
        )
    ]


def resolve(db: apsw.Connection, name: str) -> list[str]:
    """Ids of the documents meant by an id, the start of one (eight digits at least), or a file's path as shown."""
    raw = name.encode("utf-8", "surrogateescape")  # a file's name need not be text
    name = raw.decode(errors="replace")
    found = [i for (i,) in db.execute("SELECT id FROM document WHERE id = ?", (name,))]
    if not found and len(name) >= 8 and set(name) <= set("0123456789abcdef"):
        found = [i for (i,) in db.execute("SELECT id FROM document WHERE id BETWEEN ? AND ? || 'g'", (name, name))]
        if len(found) > 1:
            raise StrongroomError(f"{name!r} is the start of {len(found)} documents' ids", "give more digits")
    if not found:
        found = [
            i
            for (i,) in db.execute(
                "SELECT DISTINCT document.id FROM document JOIN location ON location.document = number"
                " JOIN file ON file.id = location.file WHERE file.shown = ?1 OR file.path = ?2",
                (name, raw),
            )
        ]
    if not found:
        raise UnknownDocumentError(name)
    return found


def _order(columns: dict[str, str], sort: str, *, descending: bool) -> str:
    if sort not in columns:
        raise StrongroomError(f"cannot sort by {sort!r}", f"sort by {', '.join(columns)}")
    return f"{columns[sort]} {'DESC' if descending else 'ASC'}"


def _limit(limit: int) -> int:
    return max(1, min(MOST_ROWS, limit))
