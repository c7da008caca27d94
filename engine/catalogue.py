"""The documents as a list: found, filtered, sorted, and a screenful of them at a time.

Measured at 20,000 documents: a scan takes 1 to 10 ms, a sorted screenful 5 to 30, so there is no index to keep, and
totals are counted each time. What costs is joining the places of every document, so only the shown rows' are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import apsw

from engine.listing import limited, order, state_of
from engine.wire import KINDS
from vault.errors import StrongroomError

_PLACES = 20  # of one document, in a list
_PEOPLE = 80  # senders offered to choose from
_MOST_WORDS = 12  # of a search; more narrow nothing further

_ORDER = {
    "title": "title = '', title COLLATE NOCASE",
    "kind": "kind",
    "sender": "sender IS NULL, sender COLLATE NOCASE",
    "date": "time IS NULL, time",
    "added": "added",
    "path": "(SELECT min(shown) FROM location JOIN file ON file.id = location.file WHERE location.document = number)",
}
# CROSS JOIN: from the few files of that state or folder to their documents, not the other way round.
_OF_FILES = "number IN (SELECT location.document FROM file CROSS JOIN location ON location.file = file.id WHERE {})"
_STATES = {
    "done": "note = '' AND NOT " + _OF_FILES.format("file.state = 'embedding'"),
    "embedding": _OF_FILES.format("file.state = 'embedding'"),
    "partial": "note != ''",
    "waiting": _OF_FILES.format("file.state = 'waiting'"),
    "missing": _OF_FILES.format("file.folder IN (SELECT id FROM folder WHERE state = 'missing')"),
}
"""what a document's state rests on"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents; what is empty or None narrows nothing."""

    text: str = ""
    """each word of it has to stand in title, people or path, unless the document is one of `holding`"""
    holding: Sequence[int] = ()
    """numbers of the documents that have the words in their text"""
    kind: str = ""
    """one, or several with commas; so is `state`"""
    state: str = ""
    folder: int | None = None
    """a watched folder's id"""
    file: int | None = None
    person: str = ""
    """part of a sender or recipient"""
    after: str = ""
    """a day, month or year (ISO), itself included; so is `before`"""
    before: str = ""


def list_documents(
    db: apsw.Connection,
    wanted: Wanted,
    *,
    sort: str = "title",
    descending: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    """A page of the documents, and how many there are in all.

    Raises StrongroomError for a state, day or order that is none.
    """
    where, values = _conditions(wanted)
    clause = " AND ".join(where) or "1"
    ordered = order(_ORDER, sort, descending=descending)
    # Numbers alone are sorted: with all columns in the sorter, the last screen took twice as long.
    query = f"SELECT number FROM document WHERE {clause} ORDER BY {ordered}, number"
    first, most = max(0, offset), limited(limit)
    numbers: list[Any]
    if wanted.text:  # all of them, because counting apart would search for the words twice
        found: list[Any] = db.execute(query, values).fetchall()
        total, numbers = len(found), found[first : first + most]
    else:
        total = int(db.execute(f"SELECT count(*) FROM document WHERE {clause}", values).get)
        numbers = list(db.execute(f"{query} LIMIT ? OFFSET ?", (*values, most, min(first, total))))
    return {"total": total, "rows": [_row(db, number) for (number,) in numbers]}


def facets(db: apsw.Connection) -> dict[str, Any]:
    """What the documents can be narrowed by: kinds and folders with how many there are, the commonest senders."""
    return {
        "kinds": [
            {"kind": kind, "documents": number}
            for kind, number in db.execute("SELECT kind, count(*) FROM document GROUP BY kind ORDER BY 2 DESC, 1")
        ],
        "folders": [
            {"id": i, "path": shown, "documents": number}
            for i, shown, number in db.execute(
                "SELECT folder.id, folder.shown, count(DISTINCT location.document) FROM folder"
                " LEFT JOIN file ON file.folder = folder.id LEFT JOIN location ON location.file = file.id"
                " GROUP BY folder.id ORDER BY folder.shown"
            )
        ],
        "people": [
            sender
            for (sender,) in db.execute(
                "SELECT sender FROM document WHERE sender IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ?",
                (_PEOPLE,),
            )
        ],
    }


def _row(db: apsw.Connection, number: int) -> dict[str, Any]:
    found: Any = db.execute(
        "SELECT id, kind, title, sender, recipients, date, pages, note, metadata FROM document WHERE number = ?",
        (number,),
    ).fetchone()
    document, kind, title, sender, recipients, day, pages, note, metadata = found
    places: list[Any] = db.execute(
        "SELECT file.shown, part, folder.shown FROM location JOIN file ON file.id = location.file"
        " JOIN folder ON folder.id = file.folder WHERE location.document = ? ORDER BY file.shown, part LIMIT ?",
        (number, _PLACES),
    ).fetchall()
    state, reason = state_of(db, number, note)
    return {
        "id": document,
        "kind": kind,
        "title": title,
        "sender": sender,
        "recipients": recipients,
        "author": json.loads(metadata).get("author") or None,
        "date": day,
        "pages": pages,
        "note": note,
        "state": state,
        "reason": reason,
        "paths": [path for path, _, _ in places],
        "part": places[0][1] if places else "",
        "folder": places[0][2] if places else "",
    }


def _conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    where, values = list[str](), list[Any]()
    if words := wanted.text.split()[:_MOST_WORDS]:
        named = " AND ".join(f"({_contains('title', 'sender', 'recipients')} OR {_IN_PATH})" for _ in words)
        where.append(f"({named} OR number IN (SELECT value FROM json_each(?)))")
        values += [_like(word) for word in words for _ in range(4)]
        values.append(json.dumps(list(wanted.holding)))
    if wanted.kind:
        if unknown := [each for each in wanted.kind.split(",") if each not in KINDS]:
            raise StrongroomError(f"no document is of the kind {unknown[0]!r}", f"there are {', '.join(sorted(KINDS))}")
        where.append(f"kind IN ({','.join('?' * len(wanted.kind.split(',')))})")
        values += wanted.kind.split(",")
    if wanted.state:
        if unknown := [each for each in wanted.state.split(",") if each not in _STATES]:
            raise StrongroomError(f"no document is in the state {unknown[0]!r}", f"there are {', '.join(_STATES)}")
        where.append("(" + " OR ".join(f"({_STATES[each]})" for each in wanted.state.split(",")) + ")")
    if wanted.folder is not None:
        where.append(_OF_FILES.format("file.folder = ?"))
        values.append(wanted.folder)
    if wanted.file is not None:
        where.append("number IN (SELECT document FROM location WHERE file = ?)")
        values.append(wanted.file)
    if wanted.person:
        where.append(_contains("sender", "recipients"))
        values += [_like(wanted.person)] * 2
    if wanted.after:
        where.append("time >= unixepoch(?)")
        values.append(_day(wanted.after).isoformat())
    if wanted.before:
        where.append("time < unixepoch(?)")
        values.append(_day(wanted.before, last=True).isoformat())
    return where, values


_IN_PATH = _OF_FILES.format("file.shown || '/' || location.part LIKE ? ESCAPE '\\'")


def _contains(*columns: str) -> str:
    return "(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns) + ")"


def _like(word: str) -> str:
    """A LIKE pattern for text that contains `word`. SQLite knows the case of A to Z only: any other letter that has one
    stands for any character, which finds a little too much rather than too little."""
    pattern = ""
    for letter in word:
        if letter in "\\%_":
            pattern += f"\\{letter}"
        else:
            pattern += letter if letter.isascii() or letter.lower() == letter.upper() else "_"
    return f"%{pattern}%"


def _day(written: str, *, last: bool = False) -> date:
    """The first day of `2024`, `2024-05` or `2024-05-03`; with `last` the day after its last one."""
    try:
        parts = [int(part) for part in written.split("-")]
        first = date(*[*parts, 1, 1][:3])
        if not last:
            return first
        if len(parts) == 1:
            return date(first.year + 1, 1, 1)
        if len(parts) == 2:
            return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return first + timedelta(days=1)
    except (ValueError, TypeError, OverflowError):
        raise StrongroomError(f"{written!r} is no day", "write it as 2024-05-03, 2024-05 or 2024") from None
