"""Looking for what was purged: in every table and column, and in every page of the file."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import apsw

from vault import log, pages
from vault.needles import Needles
from vault.shelves import SHELVES

if TYPE_CHECKING:
    from vault.vault import Vault

_PASSAGE_BYTES = 48
_PASSAGES = 4  # of each document
_PLAIN = {
    shortest: re.compile(rb'[^\x00-\x1f\x7f"\\]{%d,%d}' % (shortest, 2 * shortest))
    for shortest in (_PASSAGE_BYTES // 2, _PASSAGE_BYTES // 4)
}
_WORDS = 4
_RUN_PAGES = 256  # 1 MiB
_MOST_SOUGHT = 4_000  # of purges that wait to be shredded
_IDS, _PASSAGES_OF, _NAMES = "ids", "passages of the text", "titles, names and message ids"
_ID_DIGITS = 64
_NEEDLES = 400  # for many documents at once: fewer passages of each, then of some only
_OF_DOCUMENTS = ("document", "content", "chunk", "location", "file")
"""tables whose rows speak of one document or file: a hit there is another document that holds the same"""


@dataclass(frozen=True, slots=True)
class Trace:
    """What to look for when a document is gone. Lives in memory only while it is purged."""

    id: str
    number: int
    title: str
    message_id: str
    names: tuple[str, ...]
    """paths and part names under which it lay"""
    chunks: tuple[int, ...]
    passages: tuple[bytes, ...]
    """pieces of its text, UTF-8, up to 48 bytes"""
    words: tuple[bytes, ...]
    """what its longest words begin with, lower case"""

    def needles(self) -> tuple[bytes, ...]:
        """What names this document and nothing else, or is long enough not to be found by chance."""
        own = (self.id.encode(), bytes.fromhex(self.id), *self.passages)
        return (*own, self.message_id.encode()) if len(self.message_id) >= 8 else own


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for after a purge."""

    what: str
    where: str
    searched: int
    """how many such things were looked for"""
    found: int
    """how often they were found where nothing may be left"""


def trace(db: apsw.Connection, number: int) -> Trace:
    """Collect what to look for, before the document goes."""
    document_id, title, message_id, text = db.execute(
        "SELECT id, title, coalesce(message_id, ''), coalesce(text, x'')"
        " FROM document LEFT JOIN content ON document = number WHERE number = ?",
        (number,),
    ).fetchall()[0]
    names: list[str] = []
    for part, shown in db.execute(
        "SELECT part, shown FROM location JOIN file ON file.id = location.file WHERE document = ?", (number,)
    ):
        names += [str(part).rpartition("/")[2]] if "/" in str(part) else [] if part else [str(shown)]
    chunks = tuple(int(i) for (i,) in db.execute("SELECT id FROM chunk WHERE document = ?", (number,)))
    assert isinstance(text, bytes)
    return Trace(
        str(document_id),
        number,
        str(title),
        str(message_id),
        tuple(dict.fromkeys(names)),
        chunks,
        passages(text),
        words(text),
    )


def absent(document_id: str, number: int) -> Trace:
    """What to look for of a document of which the vault has no more than its id."""
    return Trace(document_id, number, "", "", (), (), (), ())


def passages(text: bytes) -> tuple[bytes, ...]:
    """Up to four pieces of 24 to 48 bytes (12 to 24 in a text of short lines), spread over the text.

    None holds a line break, a quotation mark or a backslash, which a JSON text has otherwise; all are cut at the ends
    of characters. A text of less has none: it is found by its id only.
    """
    found: list[bytes] = []
    for shortest in (_PASSAGE_BYTES // 2, _PASSAGE_BYTES // 4):
        for place in range(_PASSAGES):
            start = max(0, len(text) - _PASSAGE_BYTES) * place // max(_PASSAGES - 1, 1)
            for piece in _PLAIN[shortest].finditer(text, start, start + _PASSAGE_BYTES * 50):
                clean = piece.group().decode("utf-8", "ignore").strip().encode()
                if len(clean) >= shortest - 3 and len(set(clean)) >= 8:
                    found.append(clean)
                    break
        if found:
            break
    return tuple(dict.fromkeys(found))


def words(text: bytes) -> tuple[bytes, ...]:
    """The beginnings of its longest words (12 letters or more, less the last four), in lower case.

    The keyword index takes endings off. ASCII only, so that lower case is the same there and in the search.
    """
    candidates = {word[:-4] for word in re.findall(rb"[a-z0-9]{12,40}", text[:1_000_000].lower())}
    return tuple(sorted(candidates, key=lambda word: (-len(word), word))[:_WORDS])


def ids_in(content: bytes) -> set[bytes]:
    """What looks like a document's id there: 64 hex digits by themselves.

    With NumPy, because every page of the database goes through here: a regular expression takes ten times as long.
    """
    import numpy as np

    digits = np.zeros(256, dtype=np.int8)
    digits[list(b"0123456789abcdef")] = 1
    inside = digits[np.frombuffer(content, dtype=np.uint8)]
    edges = np.flatnonzero(np.diff(inside, prepend=np.int8(0), append=np.int8(0)))
    starts, ends = edges[::2], edges[1::2]
    return {content[start : start + _ID_DIGITS] for start in starts[ends - starts == _ID_DIGITS].tolist()}


def search(
    vault: "Vault",
    db: apsw.Connection,
    traces: Sequence[Trace],
    index_holds: Callable[[apsw.Connection, Collection[int]], Collection[int]] | None = None,
) -> tuple[list[Check], int]:
    """Empty the log, then look for the traces everywhere.

    Returns what was looked for and what was found, and how many other documents hold some of it: a reply that quotes
    the text, a mail that names the message id. What those hold is not looked for further, because it is theirs. The
    vault keeps the pieces in memory (`sought`), to look for them again in the copy that shreds.
    """
    vault.checkpoint()
    log_path = log.path_of(vault.database)
    log_bytes = log_path.stat().st_size if log_path.exists() else 0

    ids = [needle for t in traces for needle in (t.id.encode(), bytes.fromhex(t.id))][: 2 * _NEEDLES]
    passages_each = max(1, min(_PASSAGES, _NEEDLES // max(len(traces), 1)))
    texts = [passage for t in traces for passage in t.passages[:passages_each]][:_NEEDLES]
    names = [name.encode() for t in traces for name in (t.message_id, t.title, *t.names) if len(name.encode()) >= 12][
        :_NEEDLES
    ]
    index_words = [word for t in traces for word in t.words][:_NEEDLES]

    others, shared = in_other_documents(db, [*ids, *texts, *names], index_words)
    ids, texts, names, index_words = ([n for n in part if n not in shared] for part in (ids, texts, names, index_words))
    for what, needles in ((_IDS, ids), (_PASSAGES_OF, texts), (_NAMES, names)):
        vault.sought |= dict.fromkeys(needles[: max(0, _MOST_SOUGHT - len(vault.sought))], what)
    rows = _in_rows(db, [*ids, *texts, *names])
    in_pages = _in_pages(vault, [*ids, *texts, *names])
    every_table = "every column of every table but the vectors' numbers"
    every_page = "every page of the database file, unused ones too"
    checks = [
        Check("rows that refer to a document or chunk", "every table", len(traces), _references(db, traces)),
        *(
            Check(what, where, len(needles), sum(found[needle] for needle in needles))
            for what, needles in (
                (_IDS, ids),
                (_PASSAGES_OF, texts),
                (_NAMES, names),
            )
            for where, found in ((every_table, rows), (every_page, in_pages))
        ),
        Check("rare words", "the stored keyword index", len(index_words), _in_segments(db, index_words)),
        Check("bytes", "the write-ahead log", 1, log_bytes),
    ]
    if index_holds:
        entries = [chunk for t in traces for chunk in t.chunks] + [-t.number for t in traces if t.number > 0]
        held = len(index_holds(db, entries))
        checks.append(Check("chunks and documents", "the stored keyword index", len(entries), held))
    return checks, others


def in_other_documents(
    db: apsw.Connection, needles: Sequence[bytes], lower_case: Sequence[bytes]
) -> tuple[int, set[bytes]]:
    """How many documents that stay hold one of the needles, and which needles those are."""
    exact, lowered = Needles(needles), Needles(lower_case)
    numbers: set[object] = set()
    shared: set[bytes] = set()
    for table in _OF_DOCUMENTS:
        key = {"document": "number", "content": "document"}.get(table, "NULL")
        for rows in _batches(db, f"SELECT {key}, * FROM {table}"):
            whole = b"\0".join(value for _, *values in rows for value in _texts(values))
            if exact.found_in(whole):
                for number, *values in rows:
                    if held := exact.found_in(b"\0".join(_texts(values))):
                        numbers.add(number)
                        shared.update(held)
            if lower_case:
                shared.update(lowered.found_in(whole.lower()))
    return len(numbers - {None}), shared


def _in_rows(db: apsw.Connection, needles: Sequence[bytes]) -> Counter[bytes]:
    """In how many rows of the remaining tables each needle stands."""
    wanted, found = Needles(needles), Counter[bytes]()
    for table in _tables(db):
        if table in _OF_DOCUMENTS or table in SHELVES:
            continue
        for rows in _batches(db, f'SELECT * FROM "{table}"'):
            if wanted.found_in(b"\0".join(value for row in rows for value in _texts(row))):
                for row in rows:
                    found.update(wanted.found_in(b"\0".join(_texts(row))))
    return found


def _in_pages(vault: "Vault", needles: Sequence[bytes]) -> Counter[bytes]:
    """In how many runs of 256 pages each needle stands.

    One that straddles two pages that do not follow each other is missed: hence several of each text.
    """
    wanted, found = Needles(needles), Counter[bytes]()
    contents = pages.decrypted(vault.database, vault.database_key)
    while run := b"".join(islice(contents, _RUN_PAGES)):
        found.update(wanted.found_in(run))
    return found


def _in_segments(db: apsw.Connection, needles: Sequence[bytes]) -> int:
    wanted = Needles(needles)
    bodies = (body for (body,) in db.execute("SELECT body FROM segment") if isinstance(body, bytes))
    return sum(len(wanted.found_in(body)) for body in bodies)


def _batches(db: apsw.Connection, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """Rows, some hundred at a time or as many as make a megabyte: searching a few bytes costs as much as many."""
    batch: list[tuple[Any, ...]] = []
    size = 0
    for row in db.execute(query):
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > 1_000_000 or len(batch) >= 500:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _references(db: apsw.Connection, traces: Sequence[Trace]) -> int:
    """Rows of any table that are, or refer to, one of the documents or chunks: by the tables' own foreign keys."""
    targets = {"document": [t.number for t in traces], "chunk": [c for t in traces for c in t.chunks]}
    columns = [("document", "number", "document"), ("chunk", "id", "chunk")]
    for table in _tables(db):
        for row in db.execute(f'PRAGMA foreign_key_list("{table}")'):
            target, column = str(row[2]), str(row[3])
            if target in targets:
                columns.append((table, column, target))
    found = 0
    for table, column, target in columns:
        numbers = targets[target]
        for start in range(0, len(numbers), 5_000):  # SQLite allows 32,766 parameters
            part = numbers[start : start + 5_000]
            marks = ",".join("?" * len(part))
            found += int(db.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}" IN ({marks})', part).get)
    return found


def _tables(db: apsw.Connection) -> list[str]:
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [str(name) for (name,) in rows]


def _texts(values: Sequence[object]) -> list[bytes]:
    return [value.encode() if isinstance(value, str) else value for value in values if isinstance(value, str | bytes)]
