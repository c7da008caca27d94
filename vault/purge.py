"""Purge: what comes from a document leaves the vault, is looked for afterwards, and a receipt says what was found."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import apsw

from vault import purge_list, readback
from vault.failures import UnknownDocumentError
from vault.needles import Needles
from vault.readback import Check, Trace
from vault.shelves import SHELVES
from vault.vault import Vault

RemoveFromIndex = Callable[[apsw.Connection, list[int]], object]
"""takes chunk ids out of the keyword index, within the transaction"""
IndexHolds = Callable[[apsw.Connection, Collection[int]], Collection[int]]
"""those of the ids (chunks, and documents as negative numbers) that the stored keyword index still holds"""

NOT_COVERED = (
    "the file itself, wherever it lies: delete it too if it is to be gone",
    "backups made before now: restoring one with this state folder purges the document again",
    "an old header kept together with an old copy of the database",
    "snapshots of the file system, and old blocks of a flash disk: encrypted; until it is shredded, the key is there",
    "swap and hibernation images, if the system wrote memory there",
    "other documents that quote the same text: their number is given, they stay",
)


@dataclass(frozen=True, slots=True)
class Removal:
    """How much a purge removes."""

    documents: int
    attachments: int
    """of the documents, those that go with the document they hang on"""
    chunks: int
    vectors: int
    paths: int
    """places in files that were forgotten"""
    files: int
    """files of which nothing is left, so that their names are gone too"""
    turns: int
    """questions and answers that showed a document"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a purge removed and what was found afterwards. Names no document."""

    at: float
    """seconds since 1970"""
    removed: Removal
    checks: tuple[Check, ...]
    """what was looked for afterwards, and how often it was found"""
    confirmed: bool
    """nothing was found where nothing may be"""
    elsewhere: int
    """other documents in the vault that hold a text or an identifier that was looked for"""
    not_covered: tuple[str, ...] = NOT_COVERED

    def to_json(self) -> str:
        """The receipt as a JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)


def purge(
    vault: Vault,
    document_ids: Sequence[str],
    remove_from_index: RemoveFromIndex,
    *,
    index_holds: IndexHolds | None = None,
) -> Receipt:
    """Remove documents by content, with the attachments that lie nowhere else, from every table; then look for them.

    Goes: text, blocks, metadata, chunks, vectors, keyword postings, places in files, the rows of files of which
    nothing is left, questions and answers that showed them. Stays: a keyed hash, so that they are not taken in again.
    The log is emptied before the search. All in one transaction: after a crash either all is there or all is gone
    (then without a receipt). A document that the vault has only in its history, because its file is gone, may be named
    too. Raises UnknownDocumentError before anything is removed.
    """
    with vault.read() as db:
        asked, traces = _traces(db, document_ids)
        since = _since(db, traces)
        with vault.write():
            removed = _remove(db, vault, asked, traces, remove_from_index)
        purge_list.publish(vault)
        checks, elsewhere = readback.search(vault, db, traces, index_holds)
        receipt = Receipt(
            at=time.time(),
            removed=removed,
            checks=tuple(checks),
            confirmed=not any(check.found for check in checks),
            elsewhere=elsewhere,
        )
        with vault.write():
            db.execute("INSERT INTO receipt (at, body, since) VALUES (?, ?, ?)", (receipt.at, receipt.to_json(), since))
    return receipt


def preview(vault: Vault, document_ids: Sequence[str]) -> Removal:
    """What a purge would remove, without removing it. Raises UnknownDocumentError."""
    with vault.read() as db:
        asked, traces = _traces(db, document_ids)
        db.execute("SAVEPOINT preview")
        try:
            return _remove_rows(db, asked, traces)
        finally:
            db.execute("ROLLBACK TO preview")
            db.execute("RELEASE preview")


def reapply(
    vault: Vault, remove_from_index: RemoveFromIndex, *, index_holds: IndexHolds | None = None
) -> Receipt | None:
    """Purge again what is listed as purged and is there all the same, as in a restored backup; None if nothing is."""
    with vault.read() as db:
        _, tags = purge_list.stored(db)
        if not tags:
            return None
        ids = [str(i) for (i,) in db.execute("SELECT id FROM document") if vault.purge_tag(str(i)) in tags]
        if not ids:
            return None
        return purge(vault, ids, remove_from_index, index_holds=index_holds)


def is_purged(db: apsw.Connection, document_id: str) -> bool:
    """Whether a document of this id was purged, so that it is not to be taken in again."""
    return db.execute("SELECT 1 FROM purged WHERE tag = purge_tag(?)", (document_id,)).get is not None


def lift(vault: Vault, document_id: str | bytes) -> bool:
    """Allow a document again, by its id or the hash of its bytes; whether it was purged."""
    name = document_id.hex() if isinstance(document_id, bytes) else document_id
    try:
        tag = vault.purge_tag(name)
    except ValueError:  # not the digits of a hash
        raise UnknownDocumentError(name) from None
    with vault.write() as db:
        db.execute("DELETE FROM purged WHERE tag = ?", (tag,))
        if lifted := bool(db.changes()):
            purge_list.advance(db)
    if lifted:
        purge_list.publish(vault)
    return lifted


def with_attachments(db: apsw.Connection, numbers: Iterable[int]) -> list[int]:
    """The documents, and after them every attachment that is found nowhere but under them, at any depth."""
    gone = list(dict.fromkeys(numbers))
    seen = set(gone)
    for number in gone:  # grows while it is walked through
        for (child,) in db.execute("SELECT DISTINCT document FROM location WHERE parent = ?", (number,)):
            parents = {parent for (parent,) in db.execute("SELECT parent FROM location WHERE document = ?", (child,))}
            if child not in seen and parents <= seen:
                seen.add(child)
                gone.append(child)
    return gone


def with_attachments_ids(db: apsw.Connection, document_ids: Sequence[str]) -> list[str]:
    """The same by their ids; those that are in the history only are among them."""
    numbers = [db.execute("SELECT number FROM document WHERE id = ?", (each,)).get for each in document_ids]
    along = with_attachments(db, (int(number) for number in numbers if number is not None))
    ids = [str(db.execute("SELECT id FROM document WHERE number = ?", (number,)).get) for number in along]
    return list(dict.fromkeys([*document_ids, *ids]))


def _traces(db: apsw.Connection, document_ids: Sequence[str]) -> tuple[int, list[Trace]]:
    """How many documents are asked for, and the traces of all that go with them."""
    numbers, absent = [], []
    for document_id in dict.fromkeys(document_ids):
        number = db.execute("SELECT number FROM document WHERE id = ?", (document_id,)).get
        if number is not None:
            numbers.append(int(number))
        elif _count(db, "turn_document WHERE document = ?", document_id):
            absent.append(document_id)
        else:
            raise UnknownDocumentError(document_id)
    traces = [readback.trace(db, number) for number in with_attachments(db, numbers)]
    # No document has a negative number, so no row of another one is taken for theirs.
    traces += [readback.absent(document_id, -place) for place, document_id in enumerate(absent, start=1)]
    return len(numbers) + len(absent), traces


def _since(db: apsw.Connection, traces: Sequence[Trace]) -> float | None:
    """When the first of them came into the vault, so that a backup of before cannot have got it then; None: unknown."""
    added = [db.execute("SELECT added FROM document WHERE number = ?", (each.number,)).get for each in traces]
    return None if None in added else min(map(float, added), default=None)


def _remove(
    db: apsw.Connection,
    vault: Vault,
    asked: int,
    traces: Sequence[Trace],
    remove_from_index: RemoveFromIndex,
) -> Removal:
    remove_from_index(db, [chunk for found in traces for chunk in found.chunks])
    removed = _remove_rows(db, asked, traces)
    now = time.time()
    db.executemany("INSERT OR REPLACE INTO purged VALUES (?, ?)", ((vault.purge_tag(t.id), now) for t in traces))
    purge_list.advance(db)
    return removed


def _remove_rows(db: apsw.Connection, asked: int, traces: Sequence[Trace]) -> Removal:
    """Delete the rows. Which documents, stands in a temporary table, which is in memory."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS gone (number INTEGER PRIMARY KEY, id TEXT NOT NULL)")
    db.execute("DELETE FROM temp.gone")
    db.executemany("INSERT INTO temp.gone VALUES (?, ?)", ((t.number, t.id) for t in traces))
    of_them = "SELECT number FROM temp.gone"
    files = [f for (f,) in db.execute(f"SELECT DISTINCT file FROM location WHERE document IN ({of_them})")]
    chunks = _count(db, f"chunk WHERE document IN ({of_them})")
    of_chunks = f"WHERE chunk IN (SELECT id FROM chunk WHERE document IN ({of_them}))"
    vectors = sum(_count(db, f"{shelf} {of_chunks}") for shelf in SHELVES)
    # Also the places of attachments that stay because they lie elsewhere too: those under a purged document name it.
    db.execute(f"DELETE FROM location WHERE document IN ({of_them}) OR parent IN ({of_them})")
    paths = db.changes()
    turns = _forget_turns(db, traces)
    db.execute(f"DELETE FROM document WHERE number IN ({of_them})")
    _reword_reasons(db, files, traces)
    db.executemany(
        "DELETE FROM file WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM location WHERE file = ?1)",
        ((file,) for file in files),
    )
    forgotten = len(files) - sum(_count(db, "file WHERE id = ?", file) for file in files)
    db.execute("DELETE FROM temp.gone")
    return Removal(len(traces), len(traces) - asked, chunks, vectors, paths, forgotten, turns)


def _forget_turns(db: apsw.Connection, traces: Sequence[Trace]) -> int:
    """Questions and answers that showed a document, or that repeat its words because they follow one that did."""
    needles = Needles(needle for found in traces for needle in found.needles())
    gone = {
        turn for (turn,) in db.execute("SELECT turn FROM turn_document WHERE document IN (SELECT id FROM temp.gone)")
    }
    for turn, *texts in db.execute("SELECT id, question, full_question, answer FROM turn"):
        whole = "\0".join(map(str, texts)).encode()
        if needles.found_in(whole):
            gone.add(turn)
    for turn in gone:
        conversation = db.execute("SELECT conversation FROM turn WHERE id = ?", (turn,)).get
        db.execute("DELETE FROM turn WHERE id = ?", (turn,))
        if not _count(db, "turn WHERE conversation = ?", conversation):
            db.execute("DELETE FROM conversation WHERE id = ?", (conversation,))
    return len(gone)


def _reword_reasons(db: apsw.Connection, files: Iterable[object], traces: Sequence[Trace]) -> None:
    """A file that stays because of its other parts must not name the purged ones in the reason of its state."""
    names = [name.encode() for found in traces for name in (found.title, *found.names) if len(name) >= 4]
    for file in files:
        reason = db.execute("SELECT reason FROM file WHERE id = ?", (file,)).get
        if reason and any(name in str(reason).encode() for name in names):
            db.execute("UPDATE file SET reason = 'parts of it were purged' WHERE id = ?", (file,))


def _count(db: apsw.Connection, rows: str, *parameters: object) -> int:
    return int(db.execute(f"SELECT count(*) FROM {rows}", parameters).get)


def add_checks(vault: Vault, receipt: Receipt, checks: Iterable[Check], not_covered: Sequence[str] = ()) -> Receipt:
    """What was looked for outside of the vault's files afterwards, on the receipt, and what that says nothing about."""
    told = (*receipt.checks, *checks)
    confirmed = not any(check.found for check in told)
    whole = replace(receipt, checks=told, confirmed=confirmed, not_covered=(*receipt.not_covered, *not_covered))
    with vault.write() as db:
        db.execute("UPDATE receipt SET body = ? WHERE at = ?", (whole.to_json(), receipt.at))
    return whole


def receipts(vault: Vault) -> Iterator[dict[str, object]]:
    """The receipts of all purges, newest first."""
    with vault.read() as db:
        bodies = [str(body) for (body,) in db.execute("SELECT body FROM receipt ORDER BY id DESC")]
    return (json.loads(body) for body in bodies)
