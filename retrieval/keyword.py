"""The keyword index: inverted segments in the vault, ranked by BM25.

Each commit adds one small segment; when eight of like size have come together they are merged into one (a
log-structured merge, as in Lucene), so that a chunk is rewritten a handful of times and a search reads a few dozen
segments at most.

Two kinds of text are indexed, in segments of their own: chunks (ids from 1) and documents (their numbers as negative
ids: title, path, people), so that a rename rewrites one small entry and a question that names its document finds it.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from retrieval import segment

if TYPE_CHECKING:
    import apsw

_FAN = 8  # segments of one level that are merged into one of the next

_INSERT = "INSERT INTO segment (chunks, body) VALUES (?, ?)"


def add(db: "apsw.Connection", chunks: Iterable[tuple[int, str]]) -> None:
    """Index the text of each (id, text), inside the caller's transaction, after the rows of document, location and
    chunk are there: the documents of new chunks are indexed with them, by `describe` or by a text given under their
    negative number. What is added must not be in the index yet.
    """
    rows = list(chunks)
    _insert(db, [row for row in rows if row[0] > 0], 1)
    _insert(db, [row for row in rows if row[0] < 0], -1)
    owners = _owners(db, [number for number, _ in rows])
    described = {-number for number in held(db, [-number for number in owners])}
    _insert(db, _descriptions(db, owners - described), -1)


def describe(db: "apsw.Connection", documents: Collection[int]) -> None:
    """Index title, paths and people of `documents` (their numbers) anew: after a move, a rename or one more path."""
    _rewrite(db, {-number for number in documents})
    _insert(db, _descriptions(db, documents), -1)


def _descriptions(db: "apsw.Connection", documents: Collection[int]) -> list[tuple[int, str]]:
    rows = []
    for number in sorted(documents):
        for title, prefix, sender, recipients in db.execute(
            "SELECT title, prefix, sender, recipients FROM document WHERE number = ?", (number,)
        ):
            paths = db.execute(
                "SELECT file.shown || ' ' || location.part FROM location JOIN file ON file.id = location.file"
                " WHERE location.document = ?",
                (number,),
            )
            # The last folders of a path say what a file is; the first are the same for all of them.
            names = [" ".join(path.split("/")[-3:]) for (path,) in paths]
            head = prefix if prefix.startswith(title) else f"{title}\n{prefix}"
            rows.append((-number, "\n".join([head, sender or "", recipients or "", *names])))
    return rows


def remove(db: "apsw.Connection", chunk_ids: Collection[int]) -> None:
    """Take chunks out, inside the caller's transaction, before or after their rows are deleted; documents of which no
    chunk is left go with them. Every segment that holds one is written anew without its words: nothing stays in a blob.
    """
    gone = set(chunk_ids)
    if not gone:
        return
    left = {number for (number,) in db.execute("SELECT DISTINCT document FROM chunk")}
    for number in _owners(db, gone) & left:
        if all(chunk in gone for (chunk,) in db.execute("SELECT id FROM chunk WHERE document = ?", (number,))):
            left.discard(number)
    _rewrite(db, gone | {-number for number in _described(db) - left})


def held(db: "apsw.Connection", ids: Collection[int]) -> list[int]:
    """Those of `ids` (chunks, or documents as negative numbers) that a segment still holds: what purge reads back."""
    import numpy as np

    wanted: Any = np.fromiter(ids, dtype=np.int64, count=len(ids))
    found: list[int] = []
    for (number,) in list(db.execute("SELECT id FROM segment")):
        found += wanted[_among(_ids(db, number), wanted)].tolist()
    return sorted(set(found))


def _insert(db: "apsw.Connection", rows: list[tuple[int, str]], sign: int) -> None:
    """New segments of `rows`; `chunks` of a segment of documents is negative."""
    size = segment.MOST_CHUNKS // _FAN
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        db.execute(_INSERT, (sign * len(some), segment.from_texts(some)))
    if rows:
        _merge(db)


def _rewrite(db: "apsw.Connection", gone: set[int]) -> None:
    """Write the segments that hold one of `gone` anew without it."""
    import numpy as np

    wanted: Any = np.fromiter(gone, dtype=np.int64, count=len(gone))
    for number, chunks in list(db.execute("SELECT id, chunks FROM segment")):
        if not _among(_ids(db, number), wanted).any():
            continue
        blob = db.execute("SELECT body FROM segment WHERE id = ?", (number,)).get
        body = segment.merged([segment.read(blob)], gone)
        db.execute("DELETE FROM segment WHERE id = ?", (number,))
        if body:
            left = len(segment.read(body).ids)
            db.execute(_INSERT, (left if chunks > 0 else -left, body))


def _ids(db: "apsw.Connection", number: int) -> "segment.Array":
    """The ids that a segment holds, read without the rest of it."""
    # Not closed by hand: apsw 3.54 keeps what was closed so for ever. It is closed when the name goes.
    blob = db.blob_open("main", "segment", "body", number, writeable=False)
    return segment.read_ids(blob)


def _among(ids: "segment.Array", wanted: "segment.Array") -> "segment.Array":
    """Which of `wanted` stand in the ascending `ids`, bool."""
    at = ids.searchsorted(wanted)
    at[at == len(ids)] = 0
    there: segment.Array = ids[at] == wanted
    return there


def _owners(db: "apsw.Connection", chunk_ids: Collection[int]) -> set[int]:
    """The documents of those chunks that have a row."""
    found: set[int] = set()
    for chunk in chunk_ids:
        found.update(number for (number,) in db.execute("SELECT document FROM chunk WHERE id = ?", (chunk,)))
    return found


def _described(db: "apsw.Connection") -> set[int]:
    numbers = [number for (number,) in db.execute("SELECT id FROM segment WHERE chunks < 0")]
    return {-entry for number in numbers for entry in _ids(db, number).tolist()}


def _merge(db: "apsw.Connection") -> None:
    """Merge eight segments of a level, until no level has eight. A segment's level is the octave of its size."""
    while True:
        levels: dict[tuple[bool, int], list[tuple[int, int]]] = {}
        for number, chunks in db.execute("SELECT id, chunks FROM segment ORDER BY id"):
            level = (abs(chunks).bit_length() - 1) // 3
            levels.setdefault((chunks > 0, level), []).append((number, abs(chunks)))
        for entries in levels.values():
            some = entries[:_FAN]
            if len(some) == _FAN and sum(size for _, size in some) <= segment.MOST_CHUNKS:
                break
        else:
            return
        numbers = [number for number, _ in some]
        marks = ",".join("?" * len(numbers))
        bodies: Any = db.execute(f"SELECT body FROM segment WHERE id IN ({marks})", numbers).fetchall()
        parts = [segment.read(body) for (body,) in bodies]
        body = segment.merged(parts)
        sign = 1 if parts[0].ids[0] > 0 else -1
        db.execute(f"DELETE FROM segment WHERE id IN ({marks})", numbers)
        db.execute(_INSERT, (sign * sum(size for _, size in some), body))
