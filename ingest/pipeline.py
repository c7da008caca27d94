"""From a file on disk to chunks that can be found: parse, chunk, store, embed.

`Pipeline` keeps the vault in step with the files that `ingest/follow.py` says are there. Four kinds of threads
work on it: readers take waiting files through a parse worker, one writer stores what they read (so that many small
files share a commit), one embedder follows with the vectors (`ingest/embedding.py`), and when nothing else is to do one
reads pages that are pictures (`ingest/pictures.py`). The vault's rows are the only queue: killed at any moment, it goes
on from them.
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import apsw

from engine.zygote import WorkerDiedError, Zygote
from ingest import chunk as chunking
from ingest import opening, scanned
from ingest.embedding import Embedding
from ingest.outcome import Finished, Read, summary
from ingest.pictures import FOREIGN, PictureReader
from ingest.prepare import Prepared, language, prepared
from ingest.readers import MARK
from ingest.registry import UnreadableError, UnsupportedError
from ingest.work import Work
from retrieval import keyword
from retrieval.embed import Embedder
from retrieval.index import Index
from vault import cited, documents, purge
from vault.errors import StrongroomError
from vault.records import Document, Problem
from vault.vault import Vault

READERS = 2  # one a core of the smallest machine; parsing hides behind embedding
COMMIT_DOCUMENTS = 256  # documents a commit at most: bounds both what a crash repeats and how long a question waits
COMMIT_SECONDS = 0.25  # and this long at most, so that a saved file is found within a second


class Pipeline:
    """The work between the folders and the indexes."""

    def __init__(
        self, vault: Vault, index: Index, embedder: Embedder, zygote: Zygote, *, pause: Callable[[], str] = lambda: ""
    ) -> None:
        """`pause` says why embedding should wait (on battery, say), or returns an empty string."""
        self.work = Work(vault, index, embedder, zygote, pause)
        self.vault = vault
        self.index = index
        self.embedder = embedder
        self.zygote = zygote
        self.progress = self.work.progress
        self.asking = self.work.asking
        self.wake = self.work.wake
        self._claimed: set[int] = set()
        self._read: queue.Queue[Read | Finished] = queue.Queue(maxsize=COMMIT_DOCUMENTS)
        self._seen: dict[int, set[str]] = {}
        self._unstored: list[Read | Finished] = []
        self._renamed: dict[int, set[int]] = {}  # file id → documents in it that lay elsewhere, or lay there before
        # What the present commit leads to, once it has been kept:
        self._followed: list[tuple[int, int]] = []  # files that wait for this chunk's vector
        self._settled: list[int] = []  # files of which what was renamed is dealt with
        self._scans: list[int] = []  # documents of the present commit that have pages to be read by OCR
        self._again: set[int] = set()  # files to be read once more
        self._embedding = Embedding(self.work, self._all_embedded)
        self._pictures = PictureReader(self.work, self._embedding)
        loops = [(f"read-{n}", self._read_files) for n in range(READERS)]
        loops += [("store", self._store_documents), ("embed", self._embedding.run), ("pictures", self._pictures.run)]
        self._threads = [threading.Thread(target=self.work.guarded, args=(loop,), name=name) for name, loop in loops]

    @property
    def failure(self) -> str:
        """Why the work does not go on, in words."""
        return self.work.failure

    @property
    def broken(self) -> bool:
        """Whether it cannot go on until the engine is started anew."""
        return self.work.broken

    # --- what others call -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with what an earlier run left unfinished."""
        with self.work.writing() as (db, removed):
            removed.update(_let_go(db, documents.unplaced(db)))
            self._embedding.resume(db)
            self._pictures.resume(db)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the file in hand; what is waiting stays waiting."""
        self.work.stop.set()
        self.wake()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=10)

    def to_do(self) -> int:
        """Files that have not reached their final state, or that the indexes do not show yet."""
        with self.vault.read() as db:
            waiting = db.execute(
                "SELECT count(*) FROM file JOIN folder ON folder.id = file.folder"
                " WHERE file.state IN ('waiting', 'embedding') AND NOT folder.paused AND folder.state != 'missing'"
            ).get
        # looked at last: by then the commit's rows are seen
        return int(waiting) + self._pictures.to_do() or int(self.work.publishing > 0)

    def forget(self, files: Sequence[int]) -> None:
        """Take files out of the vault, and what lies nowhere else with them."""
        with self.work.writing() as (db, removed):
            lost: set[int] = set()
            for file in files:
                lost |= documents.remove_locations(db, file) | self._renamed.get(file, set())
                db.execute("DELETE FROM file WHERE id = ?", (file,))
            removed.update(_let_go(db, lost))
        for file in files:
            self._renamed.pop(file, None)
            self._embedding.forget(file)

    # --- readers ----------------------------------------------------------------------------------------------------

    def _read_files(self) -> None:
        while not self.work.stop.is_set():
            claimed = self._claim()
            if claimed is None:
                self.work.rest()
                continue
            file, path, shown, folder = claimed
            self.progress.current[file] = shown
            try:
                finished = self._read_file(file, path, folder)
            except StrongroomError:
                with self.work.changed:
                    self._claimed.discard(file)
                raise
            except Exception as error:  # noqa: BLE001 - the file's state tells it, and the other files go on
                finished = Finished(file, path, 0, 0, None, "failed", f"an error in Strongroom: {type(error).__name__}")
            finally:
                self.progress.current.pop(file, None)
            self._put(finished)

    def _claim(self) -> tuple[int, bytes, str, bytes] | None:
        # The newest first: what was saved a moment ago is what is asked for next.
        with self.work.changed, self.vault.read() as db:
            for file, path, shown, folder in db.execute(
                # CROSS JOIN: the files by their index, so that only as many are looked at as are wanted
                "SELECT file.id, file.path, file.shown, folder.path"
                " FROM file CROSS JOIN folder ON folder.id = file.folder"
                " WHERE file.state = 'waiting' AND NOT folder.paused AND folder.state != 'missing'"
                " ORDER BY file.changed DESC, file.id DESC LIMIT ?",
                (len(self._claimed) + 1,),
            ):
                if file not in self._claimed:
                    if not self._claimed and not self.progress.started:
                        self.progress.started = time.monotonic()
                    self._claimed.add(file)
                    return int(file), bytes(path), str(shown), bytes(folder)
        return None

    def _read_file(self, file: int, path: bytes, folder: bytes) -> Finished:
        try:
            descriptor = opening.open_inside(folder, path)
        except opening.NotRegularError as error:
            return Finished(file, path, 0, 0, None, "unsupported", error.message)
        except OSError as error:
            return Finished(
                file, path, 0, 0, None, "failed", f"cannot be opened: {(error.strerror or str(error)).lower()}"
            )
        try:
            with opening.held(descriptor) as held:
                return self._read_held(file, held, path)
        except OSError as error:
            return Finished(
                file, path, 0, 0, None, "failed", f"cannot be read: {(error.strerror or str(error)).lower()}"
            )
        finally:
            os.close(descriptor)

    def _read_held(self, file: int, held: opening.Opened, path: bytes) -> Finished:
        status, digest = held.status, held.sha256
        done = Finished(file, path, status.st_size, status.st_mtime_ns, None, "failed", "")
        if status.st_size == 0:
            return replace(done, state="done", reason="empty: 0 bytes")
        done = replace(done, hash=digest, state="done")
        with self.vault.read() as db:
            if purge.is_purged(db, digest.hex()):
                return replace(done, state="purged", reason="")
            twin = db.execute(
                "SELECT id, state, outcome, reason FROM file WHERE hash = ? AND id != ? AND state IN"
                " ('done', 'partial', 'embedding', 'unsupported', 'failed')",
                (digest, file),
            ).fetchone()
        if twin is not None and _same_format(self.vault, twin[0], path):
            state = twin[2] if twin[1] == "embedding" else twin[1]
            return Finished(file, path, status.st_size, status.st_mtime_ns, digest, state, twin[3], copy_of=twin[0])
        problems: list[Problem] = []
        notes: list[str] = []
        count = pictures = 0
        foreign = False
        name = os.path.basename(path).decode(errors="replace")  # a name need not be text; what is embedded must
        try:
            for each in self.zygote.parse(held.descriptor, name, sha256=digest.hex()):
                if self.work.stop.is_set():
                    return replace(done, state="waiting", reason="")
                if isinstance(each, Problem):
                    problems.append(each)
                    continue
                if each.part == "" and each.id != digest.hex():
                    return replace(done, state="waiting", reason="")  # it changed while it was read: once more
                count += 1
                pictures += each.picture_pages
                if note := scanned.without_note(each.note):
                    notes.append(f"{each.part}: {note}" if each.part else note)
                self.work.give_way()
                read = self._prepare(file, each, name)
                foreign = foreign or bool(read.ready.language)
                self._put(read)
        except UnsupportedError as error:
            return replace(done, state="unsupported", reason=error.message)
        except (UnreadableError, WorkerDiedError) as error:
            problems.append(Problem("", error.message))
            if not count:
                return replace(done, state="failed", reason=error.message)
        if held.changed():
            return replace(done, state="waiting", reason="")
        reason = summary(problems, notes)
        if not count:
            return replace(done, state="failed", reason=reason or "nothing readable in it")
        state = "partial" if problems or notes or pictures else "done"
        reason = "; ".join(filter(None, [reason, scanned.reason(pictures, self._pictures.what_helps())]))
        if foreign:
            reason = "; ".join(filter(None, [reason, FOREIGN]))
        return replace(done, state=state, reason=reason)

    def _prepare(self, file: int, document: Document, name: str) -> Read:
        with self.vault.read() as db:
            known = documents.find(db, document.id)
            same = known is not None and _reader(db, known) == document.metadata.get(MARK, "")
            before = db.execute("SELECT prefix FROM document WHERE number = ?", (known,)).get
            frozen = (
                before
                or db.execute(
                    "SELECT prefix FROM document JOIN location ON location.document = number"
                    " WHERE file = ? AND part = ? AND document.message_id IS NULL",
                    (file, document.part),
                ).get
            )
        if same:  # only its place is new
            return Read(file, document, Prepared("", language=language(self.work.serving.embedder, document)))
        prefix = frozen or chunking.prefix(document, name)
        return Read(file, document, prepared(self.embedder, self.work.serving.embedder, document, prefix))

    def _put(self, each: Read | Finished) -> None:
        while not self.work.stop.is_set():
            with contextlib.suppress(queue.Full):
                self._read.put(each, timeout=0.5)
                return

    # --- the writer -------------------------------------------------------------------------------------------------

    def _store_documents(self) -> None:
        while not self.work.stop.is_set():
            if self._unstored:  # the disk was full, say
                self._store(self._unstored)
                self._unstored = []
            try:
                batch = [self._read.get(timeout=0.5)]
            except queue.Empty:
                continue
            until = time.monotonic() + COMMIT_SECONDS
            while len(batch) < COMMIT_DOCUMENTS and (left := until - time.monotonic()) > 0:
                try:
                    batch.append(self._read.get(timeout=min(left, 0.02)))
                except queue.Empty:
                    break  # the readers are slower than this: whoever waits for these files should not
            self.work.give_way()
            self._unstored = batch
            self._store(batch)
            self._unstored = []

    def _store(self, batch: Sequence[Read | Finished]) -> None:
        """Put all of it into the vault, or none: then it can be tried again, nothing here having changed."""
        indexed: list[tuple[int, str]] = []
        for of_this_commit in (self._scans, self._followed, self._settled):
            of_this_commit.clear()
        with self.work.writing() as (db, removed):
            for each in batch:
                if isinstance(each, Read):
                    indexed += self._store_document(db, each, removed)
                else:
                    removed.update(self._store_outcome(db, each))
            keyword.add(db, [(number, words) for number, words in indexed if number not in removed])
        self._pictures.add(self._scans)
        for file, last in self._followed:
            self._embedding.follow(file, last)
        for file in self._settled:
            self._renamed.pop(file, None)
        with self.work.changed:
            for each in batch:
                if isinstance(each, Finished):
                    self._again.discard(each.file)
                    self._claimed.discard(each.file)
                    self._seen.pop(each.file, None)
                    self.progress.finished += each.file not in self._embedding.files
            self.work.changed.notify_all()

    def _store_document(self, db: apsw.Connection, read: Read, removed: set[int]) -> list[tuple[int, str]]:
        document = read.document
        if db.execute("SELECT 1 FROM file WHERE id = ?", (read.file,)).get is None:
            return []  # its folder was removed meanwhile
        if purge.is_purged(db, document.id):
            return []
        number = documents.find(db, document.id)
        if number is not None:
            self._renamed.setdefault(read.file, set()).add(number)
        indexed: list[tuple[int, str]] = []
        if number is None:
            if not read.ready.prefix:  # known when it was prepared, gone since
                self._again.add(read.file)
                return []
            ready = read.ready
            number, ids = documents.add(
                db, document, prefix=ready.prefix, chunks=ready.chunks, keys=ready.keys, language=ready.language
            )
            indexed = list(zip(ids, ready.words, strict=True))
            if document.picture_pages:
                self._scans.append(number)
        elif read.ready.prefix and _reader(db, number) != document.metadata.get(MARK, ""):
            ready = read.ready  # another reader's words take the place of those that are there
            gone, ids = documents.rewrite(
                db, number, document, prefix=ready.prefix, chunks=ready.chunks, keys=ready.keys, language=ready.language
            )
            cited.follow(db, document.id, document.text)
            keyword.remove(db, {*gone, -number})
            removed.update(gone)
            indexed = list(zip(ids, ready.words, strict=True))
        parent = documents.find(db, document.parent) if document.parent else None
        if displaced := documents.place(db, read.file, document.part, number, parent):
            # An mbox's mail may only have changed its part: it is let go when the whole file has been read.
            self._renamed.setdefault(read.file, set()).add(displaced)
        self._seen.setdefault(read.file, set()).add(document.part)
        return indexed

    def _store_outcome(self, db: apsw.Connection, done: Finished) -> set[int]:
        row = db.execute("SELECT path, size, mtime_ns FROM file WHERE id = ?", (done.file,)).fetchone()
        if row is None:
            self._settled.append(done.file)
            return _let_go(db, self._renamed.get(done.file, set()))
        moved = bytes(row[0]) != done.path and done.hash is None  # renamed before it was opened
        changed = done.hash is not None and tuple(row[1:]) != (done.size, done.mtime_ns)  # since it was opened, perhaps
        if done.state == "waiting" or done.file in self._again or changed:
            db.execute("UPDATE file SET size = ?, mtime_ns = ? WHERE id = ?", (done.size, done.mtime_ns, done.file))
            return set()
        if moved:
            return set()
        if done.copy_of is not None:
            lost = documents.remove_locations(db, done.file)
            lost |= documents.copy_locations(db, done.copy_of, done.file)
        else:
            lost = documents.remove_locations(db, done.file, keep=self._seen.get(done.file, set()))
        removed = _let_go(db, lost | self._renamed.get(done.file, set()))
        self._settled.append(done.file)
        if done.state == "purged":
            db.execute("DELETE FROM file WHERE id = ?", (done.file,))
            return removed
        last = db.execute(
            "SELECT max(chunk.id) FROM location JOIN chunk ON chunk.document = location.document"
            f" LEFT JOIN {self.work.serving.shelf} AS vector ON vector.chunk = chunk.id WHERE location.file = ?"
            " AND vector.chunk IS NULL",
            (done.file,),
        ).get
        if last is not None:
            self._followed.append((done.file, last))
        db.execute(
            "UPDATE file SET size = ?, mtime_ns = ?, hash = ?, state = ?, outcome = ?, reason = ?, changed = ?"
            " WHERE id = ?",
            (
                done.size,
                done.mtime_ns,
                done.hash,
                "embedding" if last is not None else done.state,
                done.state,
                done.reason,
                time.time(),
                done.file,
            ),
        )
        return removed

    def _all_embedded(self) -> None:
        if not self._claimed and not self._embedding.files:
            self.progress.started, self.progress.finished = 0.0, 0


def _let_go(db: apsw.Connection, numbers: Collection[int]) -> set[int]:
    """Remove those of the documents that lie nowhere any more; the others are found by where they lie now.

    Returns the ids of the chunks that went with them.
    """
    gone = documents.unplaced(db, numbers)
    removed = documents.remove(db, gone)
    keyword.remove(db, {*removed, *(-number for number in gone)})
    keyword.describe(db, set(numbers) - set(gone))
    return removed


def _reader(db: apsw.Connection, number: int) -> str:
    """The reader that a document's text is of; empty for the default."""
    return str(
        db.execute(f"SELECT json_extract(metadata, '$.{MARK}') FROM document WHERE number = ?", (number,)).get or ""
    )


def _same_format(vault: Vault, twin: int, path: bytes) -> bool:
    """Whether the same bytes were read under a name that means the same parser: `a.txt` is no twin of `a.csv`."""
    with vault.read() as db:
        other = db.execute("SELECT path FROM file WHERE id = ?", (twin,)).get
    return other is not None and Path(os.fsdecode(other)).suffix.lower() == Path(os.fsdecode(path)).suffix.lower()
