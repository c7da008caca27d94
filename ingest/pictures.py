"""Pages that are pictures, read by OCR: last of all work, a document at a time, in workers of their own.

The queue is the vault's rows: documents with `picture_pages`. What was read of a document replaces its text, blocks and
chunks in one transaction, so that killed at any moment it is as before or as after.
"""

import json
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from engine import wire
from engine.zygote import WorkerDiedError, sha256_of
from ingest import chunk as chunking
from ingest import kind, ocr, opening, scanned
from ingest.embedding import Embedding
from ingest.prepare import prepared
from ingest.registry import UnreadableError, UnsupportedError
from ingest.work import Work
from retrieval import keyword
from vault import cited, documents
from vault.errors import StrongroomError
from vault.records import Block, Document, ReadPage

SECONDS = 120.0  # for one page, on a machine that has other things to do
_STORED_AT_ONCE = 64  # pages: what a crash repeats; a book is chunked anew each time
_NOT_VALID = "the reader's output was not valid"
_FAILURES = 3  # pages of one document, before the rest is left
FOREIGN = "in a language that the embedding model does not know: found by its words"


@dataclass(frozen=True, slots=True)
class _Scan:
    """A document that has pages to be read."""

    number: int
    document: Document
    prefix: str
    places: tuple[tuple[bytes, str, str, bytes], ...]
    """path, SHA-256 (hex) and part of each file that it lies in"""


class PictureReader:
    """The thread that reads pictures."""

    def __init__(self, work: Work, embedding: Embedding) -> None:
        self._work = work
        self._embedding = embedding
        self._lock = threading.Lock()
        self._waiting: list[int] = []  # numbers of documents, the next one last
        self.available = ocr.available()

    def resume(self, db: apsw.Connection) -> None:
        """Take up what an earlier run left, and what could not be read then because the extra was missing."""
        rows = db.execute(
            "SELECT number FROM document WHERE picture_pages > 0"
            f" AND json_extract(metadata, '$.{scanned.WHY_NOT}') IS NULL ORDER BY number"
        )
        self.add([number for (number,) in rows])
        before, now = (scanned.INSTALL, scanned.WAITING) if self.available else (scanned.WAITING, scanned.INSTALL)
        db.execute("UPDATE file SET reason = replace(reason, ?, ?) WHERE instr(reason, ?)", (before, now, before))
        if self.available:
            db.execute(
                "UPDATE file SET state = 'waiting' WHERE state = 'unsupported' AND reason LIKE 'a picture; %ocr%'"
            )

    def add(self, numbers: Collection[int]) -> None:
        """Have these documents read, the last one first."""
        if self.available and numbers:
            with self._lock:
                self._waiting += numbers

    def to_do(self) -> int:
        """How many documents wait."""
        return len(self._waiting)

    def what_helps(self) -> str:
        """What a file's reason says of pages that are pictures."""
        return scanned.WAITING if self.available else scanned.INSTALL

    def run(self) -> None:
        """Read until the work is stopped."""
        work = self._work
        while not work.stop.is_set():
            if not self._waiting or work.pause() or self._others_first():
                work.rest()
                continue
            with self._lock:
                number = self._waiting[-1]
            try:
                self._read(number)
            except StrongroomError:  # the disk is full, say: tried again
                raise
            except Exception as error:  # noqa: BLE001 - its document tells it, and the others are read
                self._give_up(number, f"an error in Strongroom: {type(error).__name__}")
            with self._lock:
                self._waiting.remove(number)

    def _others_first(self) -> bool:
        with self._work.vault.read() as db:
            return bool(
                db.execute(
                    "SELECT EXISTS (SELECT 1 FROM file JOIN folder ON folder.id = file.folder WHERE file.state IN"
                    " ('waiting', 'embedding') AND NOT folder.paused AND folder.state != 'missing')"
                ).get
            )

    def _read(self, number: int) -> None:
        with self._work.vault.read() as db:
            scan = _scan(db, number)
        if scan is None:
            return  # purged, or gone with its file
        for path, digest, part, folder in scan.places:
            try:
                descriptor = opening.open_inside(folder, path)
            except (OSError, opening.NotRegularError):
                continue
            try:
                before = os.fstat(descriptor)
                if sha256_of(descriptor) != digest:
                    continue  # another file by now: it is on its way into the vault by itself
                name = os.path.basename(path).decode(errors="replace")
                self._work.progress.current[-number] = f"{name} (pictures)"
                self._read_from(scan, descriptor, before, name, part)
            except OSError:
                continue  # its disk is gone
            finally:
                self._work.progress.current.pop(-number, None)
                os.close(descriptor)
            return

    def _read_from(self, scan: _Scan, descriptor: int, before: os.stat_result, name: str, part: str) -> None:
        document = scan.document
        left = scanned.unread(document.blocks, document.pages or 0, document.metadata)
        failed: list[int] = []
        why_not = ""
        while True:
            read: list[ReadPage] = []
            while left and len(read) < _STORED_AT_ONCE and len(failed) < _FAILURES:
                batch = left[: ocr.PAGES_AT_ONCE]
                done = 0
                try:
                    for page in self._pages(descriptor, name, part, batch):
                        read.append(page)
                        done += 1
                        if self._work.stop.is_set():
                            return
                        self._work.give_way()
                except (UnreadableError, UnsupportedError, WorkerDiedError) as error:
                    why_not = f"page {batch[done]}: {error.message}"
                    failed.append(batch[done])
                    done += 1
                left = left[done:]
            if opening.marks(os.fstat(descriptor)) != opening.marks(before):
                return  # what was read may be another document's
            ended = not left or len(failed) >= _FAILURES
            if not self._store(scan, name, read, len(left) + len(failed), why_not if ended else "") or ended:
                return
            with self._work.vault.read() as db:
                fresh = _scan(db, scan.number)
            if fresh is None:
                return
            scan = fresh

    def _pages(self, descriptor: int, name: str, part: str, batch: Sequence[int]) -> Iterator[ReadPage]:
        expected = iter(batch)
        options = {"part": part, "pages": list(batch)}
        try:
            for line in self._work.zygote.run("ocr", descriptor, name, options, wall_seconds=SECONDS):
                page = wire.decode_read(line)
                if page.page != next(expected, None):
                    raise WorkerDiedError(_NOT_VALID, "another page than was asked for")
                yield page
        except wire.InvalidRecordError as error:
            raise WorkerDiedError(_NOT_VALID, str(error)) from error
        if next(expected, None) is not None:
            raise WorkerDiedError(_NOT_VALID, "a page is missing")

    def _store(self, scan: _Scan, name: str, read: Sequence[ReadPage], pictures: int, why_not: str) -> bool:
        """Put the new text in the place of the old; False where the document is no longer there."""
        old = scan.document
        text, blocks = scanned.merged(old.text, old.blocks, read)
        note = "; ".join(filter(None, [scanned.note(pictures, old.pages or 1), scanned.without_note(old.note)]))
        document = Document(
            id=old.id,
            kind=old.kind if old.text else kind.tell("pdf", name, old.title, text),
            title=old.title,
            text=text,
            blocks=blocks,
            metadata=scanned.told(old.metadata, read, why_not),
            media_type=old.media_type,
            pages=old.pages,
            picture_pages=pictures,
            note=note,
        )
        prefix = scan.prefix if old.text else chunking.prefix(document, name)
        ready = prepared(self._work.embedder, self._work.serving.embedder, document, prefix)
        self._work.give_way()
        with self._work.writing() as (db, removed):
            if documents.find(db, old.id) != scan.number:
                return False
            gone, ids = documents.rewrite(
                db, scan.number, document, prefix=prefix, chunks=ready.chunks, keys=ready.keys, language=ready.language
            )
            cited.move(db, old.id, scanned.moved(old.blocks, blocks))
            keyword.remove(db, {*gone, -scan.number})
            removed.update(gone)
            keyword.add(db, list(zip(ids, ready.words, strict=True)))
            followed = self._tell_files(db, scan.number, foreign=bool(ready.language))
        for file, last in followed:
            self._embedding.follow(file, last)
        self._work.wake()
        return True

    def _give_up(self, number: int, why_not: str) -> None:
        """Leave a document as it is, and say why."""
        with self._work.writing() as (db, _):
            metadata = db.execute("SELECT metadata FROM document WHERE number = ?", (number,)).get
            if metadata is None:
                return
            told = scanned.told(json.loads(metadata), (), why_not)
            db.execute(
                "UPDATE document SET metadata = ? WHERE number = ?", (json.dumps(told, ensure_ascii=False), number)
            )
            followed = self._tell_files(db, number, foreign=False)
        for file, last in followed:
            self._embedding.follow(file, last)
        self._work.wake()

    def _tell_files(self, db: apsw.Connection, number: int, *, foreign: bool) -> list[tuple[int, int]]:
        """Bring state and reason of the files in which the document lies up to date; returns those to be embedded."""
        followed = []
        rows: list[Any] = db.execute(
            "SELECT DISTINCT file.id, reason FROM file JOIN location ON location.file = file.id"
            " WHERE location.document = ? AND file.state IN ('done', 'partial', 'embedding')",
            (number,),
        ).fetchall()
        for file, reason in rows:
            sums: Any = db.execute(
                f"SELECT coalesce(sum(picture_pages) FILTER (WHERE json_extract(metadata, '$.{scanned.WHY_NOT}')"
                " IS NULL), 0), coalesce(sum(picture_pages), 0) FROM document WHERE number IN"
                " (SELECT document FROM location WHERE file = ?)",
                (file,),
            ).fetchone()
            waiting, stuck = sums[0], sums[1] - sums[0]
            base = scanned.without_reason(reason)
            parts = [base, scanned.reason(waiting, self.what_helps()), scanned.reason(stuck, scanned.FAILED)]
            outcome = "done" if base in ("", FOREIGN) and not waiting and not stuck else "partial"
            if foreign and FOREIGN not in base:
                parts.append(FOREIGN)
            last = db.execute(
                "SELECT max(chunk.id) FROM location JOIN chunk ON chunk.document = location.document"
                f" LEFT JOIN {self._work.serving.shelf} AS vector ON vector.chunk = chunk.id WHERE location.file = ?"
                " AND vector.chunk IS NULL",
                (file,),
            ).get
            if last is not None:
                followed.append((file, last))
            db.execute(
                "UPDATE file SET state = ?, outcome = ?, reason = ?, changed = ? WHERE id = ?",
                (
                    "embedding" if last is not None else outcome,
                    outcome,
                    "; ".join(filter(None, parts)),
                    time.time(),
                    file,
                ),
            )
        return followed


def _scan(db: apsw.Connection, number: int) -> _Scan | None:
    row = db.execute(
        "SELECT id, kind, title, prefix, media_type, pages, picture_pages, note, metadata FROM document"
        " WHERE number = ? AND picture_pages > 0",
        (number,),
    ).fetchone()
    if row is None:
        return None
    id_, sort, title, prefix, media_type, pages, pictures, note, metadata = row
    blocks: tuple[Block, ...] = documents.blocks_of(db, id_)
    document = Document(
        id=id_,
        kind=sort,
        title=title,
        text=documents.text_of(db, id_) or "",
        blocks=blocks,
        metadata=json.loads(metadata),
        media_type=media_type,
        pages=pages,
        picture_pages=pictures,
        note=note,
    )
    places = tuple(
        (bytes(path), bytes(digest).hex(), part, bytes(folder))
        for path, digest, part, folder in db.execute(
            "SELECT file.path, hash, part, folder.path FROM location JOIN file ON file.id = location.file"
            " JOIN folder ON folder.id = file.folder"
            " WHERE location.document = ? AND hash IS NOT NULL ORDER BY part != '', size LIMIT 20",
            (number,),
        )
    )
    return _Scan(number, document, prefix, places)
