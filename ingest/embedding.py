"""Vectors for the chunks that have none yet, oldest first; with its last one a file is final.

New chunks get the vector of the model that serves first. When all have theirs, those of a model that was chosen to
follow are made; when those are complete, `Work.all_there` is told. Then what a former model left is deleted.
"""

import heapq
import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from ingest import chunk as chunking
from ingest.work import Making, Work
from retrieval.embedder import ModelError
from vault import documents, shelves

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
        self._of: Making | None = None  # the model that `_cursor` is about
        self._coming: Making | None = None
        self._coming_cursor = 0

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
            elif not self._batch() and not self._next_model() and not self._swept():
                work.rest()

    def _batch(self) -> bool:
        """Give the next chunks their vectors; False when every chunk has one, or their model is not there yet."""
        serving = self._work.serving
        if serving is not self._of:
            self._of, self._cursor = serving, 0
        if not serving.ready():
            return False
        rows, last, inputs = self._lacking(serving.shelf, self._cursor)
        if not rows:
            self._store(serving.shelf, [], last)
            self._idle()
            return False
        values = self._embedded(serving, inputs)
        self._store(serving.shelf, [(values[row[1]], row[0]) for row in rows], last)
        return True

    def _next_model(self) -> bool:
        """Give chunks their vectors of the model that is to follow; False when there is nothing to do for it."""
        work, coming = self._work, self._work.coming
        if coming is not self._coming:
            self._coming, self._coming_cursor = coming, 0
        if coming is None or not coming.ready():
            return False
        rows, last, inputs = self._lacking(coming.shelf, self._coming_cursor)
        if not rows:
            self._coming_cursor = last
            work.all_there()
            return work.coming is not coming
        try:
            values = self._embedded(coming, inputs)
        except ModelError:  # its status says so; the old vectors go on serving
            return False
        with work.vault.write() as db:  # no search shows these yet, so that no index has to follow
            db.executemany(
                f"INSERT OR IGNORE INTO {coming.shelf} (chunk, value) SELECT id, ? FROM chunk WHERE id = ?",
                [(values[row[1]], row[0]) for row in rows],
            )
        self._coming_cursor = last
        return True

    def _swept(self) -> bool:
        """Delete some vectors of a model that has left; False when there are none."""
        work = self._work
        with work.vault.read() as db:
            if all(each.state != "leaving" for each in shelves.all_kept(db)):
                return False
        work.give_way()
        with work.vault.write() as db:
            shelves.sweep(db)
        work.left()
        return True

    def _lacking(self, shelf: str, cursor: int) -> tuple[list[Any], int, dict[bytes, str]]:
        """The next chunks without a vector on this shelf, how far that looked, and what is embedded of them by key."""
        with self._work.vault.read() as db:
            rows: list[Any] = db.execute(
                "SELECT chunk.id, chunk.key, document.id, document.prefix, chunk.start, chunk.end, chunk.heading"
                " FROM chunk JOIN document ON number = chunk.document WHERE chunk.id > ?"
                f" AND NOT EXISTS (SELECT 1 FROM {shelf} AS v WHERE v.chunk = chunk.id) ORDER BY chunk.id LIMIT ?",
                (cursor, EMBED_CHUNKS),
            ).fetchall()
            # in the same look: a chunk that is stored in between must not be passed over
            last: int = rows[-1][0] if rows else db.execute("SELECT coalesce(max(id), 0) FROM chunk").get
            return rows, last, _inputs(db, rows)

    def _embedded(self, making: Making, inputs: dict[bytes, str]) -> dict[bytes, bytes]:
        """What is embedded, by key → its vector as the vault keeps it."""
        values: dict[bytes, bytes] = {}
        # By length, so that what is embedded at once is of like length and little of it is padding.
        order = sorted(inputs, key=lambda key: len(inputs[key]))
        for at in range(0, len(order), EMBED_AT_ONCE):
            self._work.give_way()
            some = order[at : at + EMBED_AT_ONCE]
            vectors = making.embedder.embed([inputs[key] for key in some])
            values.update((key, vector.astype("<f2").tobytes()) for key, vector in zip(some, vectors, strict=True))
        return values

    def _store(self, shelf: str, vectors: Sequence[tuple[bytes, int]], cursor: int) -> None:
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
                    f"INSERT OR IGNORE INTO {shelf} (chunk, value) SELECT id, ? FROM chunk WHERE id = ?", vectors
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
