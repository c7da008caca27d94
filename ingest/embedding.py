"""Vectors for the chunks that have none yet, oldest first; with its last one a file is final."""

import heapq
import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from ingest import chunk as chunking
from ingest.work import Work
from vault import documents

EMBED_CHUNKS = 64  # a commit
EMBED_AT_ONCE = 16  # a question waits for at most these: a seventh of a second on two cores, and both have work


class Embedding:
    """The thread that embeds, and the files that wait for it."""

    def __init__(self, work: Work, idle: Callable[[], None]) -> None:
        """`idle` is told when every chunk has its vector."""
        self._work = work
        self._idle = idle
        self.files: dict[int, int] = {}
        """file id → its last chunk; final once the embedder has passed it"""
        self._order: list[tuple[int, int]] = []  # the same as a heap, the other way round
        self._cursor = 0

    def resume(self, db: apsw.Connection) -> None:
        """Follow the files that an earlier run left unfinished."""
        for file, last in db.execute(
            "SELECT file.id, coalesce(max(chunk.id), 0) FROM file LEFT JOIN location ON location.file = file.id"
            " LEFT JOIN chunk ON chunk.document = location.document WHERE file.state = 'embedding' GROUP BY file.id"
        ):
            self.follow(file, last)

    def follow(self, file: int, last: int) -> None:
        """Remember that a file is final once the chunk `last` has its vector."""
        self.files[file] = last
        heapq.heappush(self._order, (last, file))

    def forget(self, file: int) -> None:
        """The file is gone."""
        self.files.pop(file, None)

    def run(self) -> None:
        """Embed until the work is stopped."""
        work = self._work
        while not work.stop.is_set():
            work.progress.paused = work.pause()
            if work.progress.paused:
                work.stop.wait(1.0)
            elif not self._batch():
                work.rest()

    def _batch(self) -> bool:
        """Give the next chunks their vectors; False when every chunk has one."""
        work = self._work
        with work.vault.read() as db:
            rows: list[Any] = db.execute(
                "SELECT chunk.id, chunk.key, document.id, document.prefix, chunk.start, chunk.end, chunk.heading"
                " FROM chunk JOIN document ON number = chunk.document WHERE chunk.id > ?"
                " AND NOT EXISTS (SELECT 1 FROM vector WHERE vector.chunk = chunk.id) ORDER BY chunk.id LIMIT ?",
                (self._cursor, EMBED_CHUNKS),
            ).fetchall()
            # in the same look: a chunk that is stored in between must not be passed over
            last: int = rows[-1][0] if rows else db.execute("SELECT coalesce(max(id), 0) FROM chunk").get
            inputs = _inputs(db, rows)
        if not rows:
            self._store([], last)
            self._idle()
            return False
        values: dict[bytes, bytes] = {}
        # By length, so that what is embedded at once is of like length and little of it is padding.
        order = sorted(inputs, key=lambda key: len(inputs[key]))
        for at in range(0, len(order), EMBED_AT_ONCE):
            work.give_way()
            some = order[at : at + EMBED_AT_ONCE]
            vectors = work.embedder.embed([inputs[key] for key in some])
            values.update((key, vector.astype("<f2").tobytes()) for key, vector in zip(some, vectors, strict=True))
        self._store([(values[row[1]], row[0]) for row in rows], last)
        return True

    def _store(self, vectors: Sequence[tuple[bytes, int]], cursor: int) -> None:
        """Store (value, chunk) pairs; files of which the last chunk is at or before the cursor are final with that."""
        work = self._work
        ready: list[tuple[int, int]] = []
        while self._order and self._order[0][0] <= cursor:
            last, file = heapq.heappop(self._order)
            if self.files.get(file) == last:  # not read again meanwhile, nor gone
                ready.append((file, last))
        if not (vectors or ready):
            self._cursor = max(self._cursor, cursor)
            return
        try:
            with work.writing() as (db, _):
                # the chunk may have been removed since
                db.executemany(
                    "INSERT OR IGNORE INTO vector (chunk, value) SELECT id, ? FROM chunk WHERE id = ?", vectors
                )
                db.executemany(
                    "UPDATE file SET state = outcome, changed = ? WHERE id = ? AND state = 'embedding'",
                    [(time.time(), file) for file, _ in ready],
                )
        except BaseException:
            for file, last in ready:
                self.follow(file, last)
            raise
        for file, _ in ready:
            self.files.pop(file, None)
            work.progress.finished += 1
        self._cursor = max(self._cursor, cursor)


def _inputs(db: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> dict[bytes, str]:
    inputs: dict[bytes, str] = {}
    texts: dict[str, str] = {}
    for _, key, document_id, prefix, start, end, heading in rows:
        if key in inputs:
            continue
        if document_id not in texts:
            texts[document_id] = documents.text_of(db, document_id) or ""
        inputs[key] = chunking.embedded(prefix, heading, texts[document_id][start:end])
    return inputs
