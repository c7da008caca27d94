"""One document and its surroundings, files that need attention, and reading again: for the page's library."""

import json
import os
from collections.abc import Collection, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import apsw

from engine import listing
from engine.advice import Advice, advice_for
from engine.engine import Engine, Open
from retrieval import keyword
from vault import documents
from vault.errors import StrongroomError
from vault.failures import UnknownDocumentError
from vault.vault import Vault

MOST_MESSAGES = 100  # of a thread
MOST_TURNS = 50  # that cite a document
_OPENING = 200  # characters of a message
_ATTENTION = ("failed", "partial", "cloud", "unsupported")  # the worst first
_NOT_FOLLOWED = "SELECT id FROM folder WHERE paused OR state IN ('missing', 'kept')"
_ROWS_A_COMMIT = 500  # files to be read again: a question waits for at most one such commit

Grouped = list[tuple[Advice, list[int]]]
_kept: WeakKeyDictionary[Vault, tuple[int, Grouped]] = WeakKeyDictionary()  # of the vault's generation


def document_thread(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """The mails of a mail's conversation, oldest first, itself among them; none for what is no mail."""
    with engine.opened().vault.read() as db:
        (found, *_) = listing.resolve(db, id)
        rows: list[Any] = db.execute(
            "SELECT id, title, sender, date FROM document WHERE thread = (SELECT thread FROM document WHERE id = ?)"
            " ORDER BY time IS NULL, time, number LIMIT ?",
            (found, MOST_MESSAGES),
        ).fetchall()
        return {
            "messages": [
                {"id": i, "title": title, "sender": sender, "date": date, "opening": _opening(db, i)}
                for i, title, sender, date in rows
            ]
        }


def document_cited(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002
    """The questions of which an answer cites the document, newest first."""
    with engine.opened().vault.read() as db:
        rows: list[Any] = db.execute(
            "SELECT conversation, question, asked, answer FROM turn JOIN turn_document ON turn_document.turn = turn.id"
            " WHERE document = ? ORDER BY asked DESC LIMIT ?",
            (id, MOST_TURNS),
        ).fetchall()
    return {
        "turns": [
            {"conversation": conversation, "question": question, "asked": asked}
            for conversation, question, asked, answer in rows
            if any(c["document"] == id for each in json.loads(answer)["statements"] for c in each["citations"])
        ]
    }


def document_again(engine: Engine, name: str) -> dict[str, Any]:
    """Read the files that a document (by id, or a path) lies in anew, although they have not changed.

    What was read from them leaves the index first, so that a newer parser, or OCR, takes effect. Raises
    StrongroomError if none of the files can be read now: then all stays as it is.
    """
    opened = engine.opened()
    with opened.vault.read() as db:
        files = _files_of(db, name)
        followed = [i for (i,) in db.execute(f"SELECT id FROM file WHERE folder NOT IN ({_NOT_FOLLOWED})")]
    if not files:
        raise UnknownDocumentError(name)
    shown = os.fsencode(files[0][1]).decode(errors="replace")
    there = [number for number, path in files if os.access(path, os.R_OK) and os.path.isfile(path)]
    if not there:
        raise StrongroomError(
            f"{shown!r} cannot be read now, so all stays as it is", "is its drive there? its text is still in the vault"
        )
    if not set(there) & set(followed):
        raise StrongroomError(f"the folder of {shown!r} is paused", "resume it under Folders first")
    return {"files": _read_anew(opened, there)}


def files_attention(engine: Engine, *, group: str = "", offset: int = 0, limit: int = 50) -> dict[str, Any]:
    """The files that were not read, or not wholly, grouped by what to do about them; one group's files by page.

    Returns `groups` (key, title, what, again: whether to try again, files); `rows` of `group`, or of all
    in the order of the groups (the worst first); and `total`, how many `rows` there are in all.
    """
    with engine.opened(used=False).vault.read() as db:
        grouped = _grouped(engine.opened(used=False).vault, db)
        rows = [number for each, numbers in grouped if group in {"", each.key} for number in numbers]
        page = rows[max(0, offset) : max(0, offset) + listing.limited(limit)]
        return {
            "groups": [
                {"key": each.key, "title": each.title, "what": each.what, "again": each.again, "files": len(numbers)}
                for each, numbers in grouped
            ],
            "total": len(rows),
            "rows": [_attention_row(db, number) for number in page],
        }


def files_advice(engine: Engine, reason: str) -> dict[str, Any]:
    """What to do about a file whose state has this reason."""
    engine.opened(used=False)
    advice = advice_for(reason)
    return {"key": advice.key, "title": advice.title, "what": advice.what, "again": advice.again}


def files_again(engine: Engine, *, ids: Collection[int] = (), group: str = "") -> dict[str, Any]:
    """Read files anew, by their ids or all of a group of `files_attention`; returns how many."""
    opened = engine.opened()
    with opened.vault.read() as db:
        chosen = {int(i) for i in ids}
        if group:
            chosen |= {
                number for each, numbers in _grouped(opened.vault, db) if each.key == group for number in numbers
            }
        cloud = {i for (i,) in db.execute("SELECT id FROM file WHERE state = 'cloud'")} & chosen
    count = _read_anew(opened, sorted(chosen - cloud))
    if cloud:  # looked at anew, which fetches nothing: a file that has been downloaded meanwhile is read
        opened.follower.read_again()
    return {"files": count + len(cloud)}


def _grouped(vault: Vault, db: apsw.Connection) -> Grouped:
    """Ids of the files that need attention, by advice; kept until the next commit.

    What failed comes before what is not supported, so that ten thousand photographs hide nothing; then by size.
    """
    kept = _kept.get(vault)
    if kept and kept[0] == vault.generation:
        return kept[1]
    groups: dict[Advice, list[int]] = {}
    worst: dict[Advice, int] = {}
    for number, reason, state in db.execute(
        f"SELECT id, reason, state FROM file WHERE state IN ({','.join('?' * len(_ATTENTION))}) AND folder NOT IN"
        " (SELECT id FROM folder WHERE state = 'kept') ORDER BY shown",
        _ATTENTION,
    ):
        advice = advice_for(reason or state)
        groups.setdefault(advice, []).append(number)
        worst[advice] = min(worst.get(advice, len(_ATTENTION)), _ATTENTION.index(state))
    grouped = sorted(groups.items(), key=lambda each: (worst[each[0]], -len(each[1]), each[0].key))
    _kept[vault] = vault.generation, grouped
    return grouped


def _attention_row(db: apsw.Connection, number: int) -> dict[str, Any]:
    row: Any = db.execute(
        "SELECT id, shown, state, reason, size, mtime_ns / 1e9 FROM file WHERE id = ?", (number,)
    ).fetchone()
    found = dict(zip(("id", "path", "state", "reason", "size", "modified"), row, strict=True))
    advice = advice_for(found["reason"] or found["state"])
    first = db.execute(
        "SELECT document.id FROM location JOIN document ON number = location.document WHERE file = ? ORDER BY part",
        (number,),
    ).get
    return {**found, "group": advice.key, "advice": advice.what, "document": first}


def _files_of(db: apsw.Connection, name: str) -> list[tuple[int, bytes]]:
    """(id, path) of the files meant by a document's id or by a path, which may be one that holds no document."""
    raw = name.encode("utf-8", "surrogateescape")
    rows: Any = db.execute(
        "SELECT id, path FROM file WHERE path = ? OR shown = ?", (raw, raw.decode(errors="replace"))
    ).fetchall()
    if not rows:
        rows = db.execute(
            "SELECT DISTINCT file.id, file.path FROM location JOIN document ON number = location.document"
            " JOIN file ON file.id = location.file WHERE document.id IN (SELECT value FROM json_each(?))",
            (json.dumps(listing.resolve(db, name)),),
        ).fetchall()
    return [(number, bytes(path)) for number, path in rows]


def _read_anew(opened: Open, files: Sequence[int]) -> int:
    """Forget what was read from these files and let them wait to be read; returns how many do.

    Files with the same bytes go with them, or what was read from those would be taken for theirs. In folders that are
    not followed now nothing changes: it would be forgotten, and not read.
    """
    count = 0
    for at in range(0, len(files), _ROWS_A_COMMIT):
        with opened.vault.write() as db:
            some = json.dumps(list(files[at : at + _ROWS_A_COMMIT]))
            chosen = [
                int(number)  # type: ignore[arg-type]
                for (number,) in db.execute(
                    "SELECT id FROM file WHERE (id IN (SELECT value FROM json_each(?1)) OR hash IN"
                    " (SELECT hash FROM file WHERE id IN (SELECT value FROM json_each(?1))))"
                    f" AND state NOT IN ('waiting', 'cloud') AND folder NOT IN ({_NOT_FOLLOWED})",
                    (some,),
                ).fetchall()
            ]
            lost = {number for file in chosen for number in documents.remove_locations(db, file)}
            db.executemany(
                "UPDATE file SET state = 'waiting', reason = '', hash = NULL WHERE id = ?", [(i,) for i in chosen]
            )
            gone = documents.unplaced(db, lost)
            removed = documents.remove(db, gone)
            keyword.remove(db, {*removed, *(-number for number in gone)})
            keyword.describe(db, lost - set(gone))
        opened.index.refresh(removed)
        opened.pipeline.wake()
        count += len(chosen)
    return count


def _opening(db: apsw.Connection, document_id: str) -> str:
    """The first words of a message, without the header lines that stand in its text."""
    text = documents.seen_text_of(db, document_id) or ""
    blocks = documents.blocks_of(db, document_id)
    start = blocks[0].end if blocks and blocks[0].kind == "fields" else 0
    return " ".join(text[start : start + 4 * _OPENING].split())[:_OPENING]
