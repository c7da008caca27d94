"""What the page and the terminal list: files, documents, a document's text. Never more than a screenful at a time."""

import json
from typing import Any

import apsw

from vault import documents
from vault.errors import StrongroomError
from vault.failures import UnknownDocumentError

MOST_ROWS = 200
MOST_CHARACTERS = 20_000
_PLACES_SEEN = 20  # of a document, to tell its state

_FILE_ORDER = {"path": "shown", "state": "state", "size": "size", "modified": "mtime_ns", "changed": "changed"}
_FILE_STATES = ("waiting", "embedding", "done", "partial", "failed", "unsupported", "cloud")


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
        if unknown := [each for each in state.split(",") if each not in _FILE_STATES]:
            raise StrongroomError(f"no file is in the state {unknown[0]!r}", f"there are {', '.join(_FILE_STATES)}")
        where.append(f"state IN ({','.join('?' * len(state.split(',')))})")
        values += state.split(",")
    if text:
        where.append("instr(lower(shown), lower(?))")
        values.append(text)
    if folder is not None:
        where.append("folder = ?")
        values.append(folder)
    clause = " AND ".join(where)
    ordered = order(_FILE_ORDER, sort, descending=descending)
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
            f"SELECT id, shown, state, reason, size, mtime_ns FROM file WHERE {clause} ORDER BY {ordered}, id"
            " LIMIT ? OFFSET ?",
            (*values, limited(limit), max(0, offset)),
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


def document(db: apsw.Connection, document_id: str) -> dict[str, Any]:
    """One document's properties, where it lies, and what lies under it."""
    row = db.execute(
        "SELECT number, kind, title, sender, recipients, date, message_id, thread, language, media_type, pages,"
        " picture_pages, note, metadata, characters, added FROM document WHERE id = ?",
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
        "added",
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
    parents = [
        {"id": i, "title": title, "kind": kind, "sender": sender, "date": date}
        for i, title, kind, sender, date in db.execute(
            "SELECT DISTINCT document.id, title, kind, sender, date FROM location JOIN document ON number = parent"
            " WHERE location.document = ? ORDER BY time DESC LIMIT 50",
            (number,),
        )
    ]
    state, reason = state_of(db, number, found["note"])
    return {
        "id": document_id,
        **found,
        "state": state,
        "reason": reason,
        "places": _places(db, number),
        "attachments": attachments,
        "parents": parents,
    }


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


def _places(db: apsw.Connection, number: int) -> list[dict[str, Any]]:
    """Where a document lies: file and part, and what is known of the file."""
    names = ("path", "part", "size", "modified", "file_state", "file_reason", "folder")
    return [
        dict(zip(names, row, strict=True))
        for row in db.execute(
            "SELECT file.shown, part, size, mtime_ns / 1e9, file.state, file.reason, folder.shown FROM location"
            " JOIN file ON file.id = location.file JOIN folder ON folder.id = file.folder WHERE location.document = ?"
            " ORDER BY file.shown, part LIMIT 100",
            (number,),
        )
    ]


def state_of(db: apsw.Connection, number: int, note: str) -> tuple[str, str]:
    """A document's state, and the reason of it: that of the best of its places."""
    found = {
        (str(state), bool(missing))
        for state, missing in db.execute(
            "SELECT file.state, folder.state = 'missing' FROM location JOIN file ON file.id = location.file"
            " JOIN folder ON folder.id = file.folder WHERE location.document = ? LIMIT ?",
            (number, _PLACES_SEEN),
        )
    }
    if found and all(missing for _, missing in found):
        return "missing", "its folder is not there at present"
    states = {state for state, _ in found}
    if "embedding" in states:
        return "embedding", note
    if states == {"waiting"}:
        return "waiting", note or "its file is being read again"
    return ("partial", note) if note else ("done", "")


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


def order(columns: dict[str, str], sort: str, *, descending: bool) -> str:
    """What stands after ORDER BY. Raises StrongroomError for a column that is none."""
    if sort not in columns:
        raise StrongroomError(f"cannot sort by {sort!r}", f"sort by {', '.join(columns)}")
    return f"{columns[sort]} {'DESC' if descending else 'ASC'}"  # what is before a comma stays ascending: empty last


def limited(limit: int) -> int:
    """So many rows at least one and at most a screenful."""
    return max(1, min(MOST_ROWS, limit))
