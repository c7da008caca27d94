"""Keeping the vault's list of files equal to what lies in the folders: at the start by comparing, then by watching.

`Follower` turns what `ingest/scan.py` finds and `ingest/watch.py` reports into rows, which the pipeline reads.
"""

import os
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from ingest import filesystem, scan
from ingest.pipeline import Pipeline
from ingest.scan import Changes, Entry, Known, Unread
from ingest.settled import is_settled
from ingest.watch import Report, Watcher
from retrieval import keyword
from vault import documents
from vault.errors import StrongroomError
from vault.vault import Vault

ROWS_A_COMMIT = 5_000  # new files; a question waits for at most one such commit
_KNOWN = "SELECT id, path, size, mtime_ns, inode, state = 'cloud', reason LIKE 'cannot be %' FROM file"
_SAMPLE = 200  # known files that tell a folder from an empty mount point


@dataclass(frozen=True, slots=True)
class Folder:
    """A row of the table `folder`."""

    id: int
    path: bytes
    paused: bool
    state: str
    device: int
    inode: int


class FolderError(StrongroomError):
    """A folder that cannot be watched, and why."""


class Follower:
    """Watches the folders of one vault."""

    def __init__(self, vault: Vault, pipeline: Pipeline, *, kept_out: Sequence[Path]) -> None:
        """`kept_out` are the program's own folders, which are never read."""
        self._vault = vault
        self._pipeline = pipeline
        self._kept_out = [os.fsencode(os.path.realpath(path)) for path in kept_out]
        self._turn = threading.Lock()  # one comparison at a time
        self._scans = 0
        self._stop = threading.Event()
        self._watcher = Watcher(self._changed, leave_out=self._kept_out)

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare all folders with the vault in the background, and watch them from now on."""
        # Watching first: what changes during the comparison is then seen twice rather than never.
        for folder in self._folders():
            self._watch(folder)
        self._watcher.start()
        self._in_background(None)

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._watcher.stop()

    def scanning(self) -> bool:
        """Whether a comparison is going on, so that there may be more to do than the rows say."""
        return self._scans > 0

    # --- what the user does -----------------------------------------------------------------------------------------

    def add(self, path: Path) -> int:
        """Watch a folder from now on; returns its id. Raises FolderError where that cannot be."""
        real = _existing_folder(path)
        for own in self._kept_out:
            if real == own or scan.is_below(real, own):
                raise FolderError(f"{_shown(real)} is Strongroom's own folder", "add the folder with your documents")
        for folder in self._folders():
            if folder.path == real:
                self._in_background([folder.id])
                return folder.id
            if scan.is_below(real, folder.path):
                raise FolderError(f"{_shown(real)} lies in {_shown(folder.path)}, which is watched already")
            if scan.is_below(folder.path, real):
                raise FolderError(
                    f"{_shown(real)} holds {_shown(folder.path)}, which is watched already",
                    f"`strongroom remove --keep {_shown(folder.path)}` first; nothing is read twice",
                )
        status = os.stat(real)
        with self._vault.write() as db:
            db.execute(
                "INSERT INTO folder (path, shown, added, device, inode) VALUES (?,?,?,?,?)",
                (real, _shown(real), time.time(), status.st_dev, status.st_ino),
            )
            number = db.last_insert_rowid()
        self._watch(self._folder(number))
        self._in_background([number])
        return number

    def remove(self, path: Path, *, keep: bool) -> int:
        """Stop watching a folder; returns how many files left the vault with it (none, if they are to be kept)."""
        folder = self._known(path)
        self._watcher.remove(folder.path)
        with self._turn:
            if keep:
                with self._vault.write() as db:
                    db.execute(
                        "UPDATE folder SET state = 'kept', reason = 'no longer watched', paused = 1 WHERE id = ?",
                        (folder.id,),
                    )
                return 0
            with self._vault.read() as db:
                files = [i for (i,) in db.execute("SELECT id FROM file WHERE folder = ?", (folder.id,))]
            for at in range(0, len(files), ROWS_A_COMMIT):
                self._pipeline.forget(files[at : at + ROWS_A_COMMIT])
            with self._vault.write() as db:
                db.execute("DELETE FROM folder WHERE id = ?", (folder.id,))
        return len(files)

    def pause(self, path: Path, *, paused: bool) -> int:
        """Leave a folder as it is for a while, or follow it again; returns its id."""
        folder = self._known(path)
        with self._vault.write() as db:
            db.execute("UPDATE folder SET paused = ?, state = 'watched', reason = '' WHERE id = ?", (paused, folder.id))
        if not paused:
            self._watch(self._folder(folder.id))
            self._in_background([folder.id])
        return folder.id

    def relocate(self, path: Path, to: Path) -> int:
        """The folder lies elsewhere now (on another machine, say): the same files at new paths. Returns its id."""
        folder = self._known(path)
        real = _existing_folder(to)
        status = os.stat(real)
        self._watcher.remove(folder.path)
        with self._turn, self._vault.write() as db:
            rows: list[Any] = db.execute("SELECT id, path FROM file WHERE folder = ?", (folder.id,)).fetchall()
            moved = [(real + bytes(old)[len(folder.path) :], number) for number, old in rows]
            db.executemany(
                "UPDATE file SET path = ?, shown = ? WHERE id = ?",
                [(new, _shown(new), number) for new, number in moved],
            )
            db.execute(
                "UPDATE folder SET path = ?, shown = ?, state = 'watched', reason = '', device = ?, inode = ?"
                " WHERE id = ?",
                (real, _shown(real), status.st_dev, status.st_ino, folder.id),
            )
        self._watch(self._folder(folder.id))
        self._in_background([folder.id])
        return folder.id

    def read_again(self, *, containers: bool = False) -> None:
        """Compare everything once more; with `containers`, also read again the files that hold several documents."""
        if containers:
            with self._vault.write() as db:
                db.execute(
                    "UPDATE file SET state = 'waiting' WHERE state IN ('done', 'partial') AND id IN"
                    " (SELECT file FROM location WHERE part != '')"
                )
        self._in_background(None)

    # --- comparing --------------------------------------------------------------------------------------------------

    def _in_background(self, folders: Collection[int] | None) -> None:
        self._scans += 1

        def compare() -> None:
            try:
                self._pipeline.work.guarded(lambda: self._compare(folders, None))
            finally:
                self._scans -= 1

        threading.Thread(target=compare, name="compare", daemon=True).start()

    def _changed(self, report: Report) -> None:
        """The watcher's news: something happened at these paths."""
        paths = frozenset().union(*report.values())
        # Tried until it is written down: the watcher does not tell of it again.
        self._pipeline.work.guarded(lambda: self._compare(None, paths))

    def _compare(self, only: Collection[int] | None, paths: Collection[bytes] | None) -> None:
        """Compare disk and vault: in the given folders (None: all), at the given paths (None: everywhere in them).

        All folders are compared in one go, so that a file moved from one to another is the same file.
        """
        with self._turn:
            if self._stop.is_set():
                return
            found: list[Entry | Unread] = []
            known: list[Known] = []
            inodes_stay = True
            here: list[Folder] = []
            folders = [folder for folder in self._folders() if only is None or folder.id in only]
            for folder in folders:
                if folder.paused or not self._present(folder):
                    continue
                here.append(folder)
                inodes_stay = inodes_stay and filesystem.of(folder.path).inodes_stay
                if paths is None:
                    found += scan.scan(folder.path, leave_out=self._kept_out)
                    known += self._files(folder)
                elif inside := [p for p in paths if p == folder.path or scan.is_below(p, folder.path)]:
                    places = scan.outermost(inside)
                    found += scan.look(folder.path, places, leave_out=self._kept_out)
                    known += self._files(folder, places)
            if paths is not None:
                for row, folder in self._linked(found, known, here):
                    found += scan.look(folder.path, [row.path], leave_out=self._kept_out)
                    known.append(row)
                known += self._left(found, known)
            # A file that is still being written is looked at again when it is not.
            open_still = {e.path for e in found if isinstance(e, Entry) and not e.reason and not is_settled(e)}
            self._watcher.later(open_still)
            found = [each for each in found if each.path not in open_still]
            known = [row for row in known if row.path not in open_still]
            changes = scan.compare(found, known, inodes_stay=inodes_stay)
            if changes.gone and not all(self._present(folder) for folder in here):
                return  # its drive was pulled while it was looked at
            self._apply(changes, folders)

    def _present(self, folder: Folder) -> bool:
        """Whether the folder is there; a drive that is not mounted is no deletion."""
        with self._vault.read() as db:
            sample = [
                bytes(p) for (p,) in db.execute("SELECT path FROM file WHERE folder = ? LIMIT ?", (folder.id, _SAMPLE))
            ]
        why = scan.missing(folder.path, folder.device, folder.inode, sample)
        if why and folder.state != "missing":
            with self._vault.write() as db:
                db.execute("UPDATE folder SET state = 'missing', reason = ? WHERE id = ?", (why, folder.id))
        elif not why and folder.state == "missing":
            with self._vault.write() as db:
                db.execute("UPDATE folder SET state = 'watched', reason = '' WHERE id = ?", (folder.id,))
            self._watch(folder)
        return not why

    def _apply(self, changes: Changes, folders: Sequence[Folder]) -> None:
        reasons: dict[int, list[str]] = {}
        for each in changes.unread:
            reasons.setdefault(_owner(each.path, folders), []).append(f"{_shown(each.path)}: {each.reason}")
        if changes.moved or changes.changed or reasons:
            with self._vault.write() as db:
                self._move(db, changes.moved, folders)
                keyword.describe(db, documents.documents_in(db, [row.id for row, _ in changes.moved]))
                db.executemany(
                    "UPDATE file SET size = ?, mtime_ns = ?, inode = ?, state = ?, reason = ?, changed = ?"
                    " WHERE id = ?",
                    [(e.size, e.mtime_ns, e.inode, *_state(e), time.time(), row.id) for row, e in changes.changed],
                )
                for folder, said in reasons.items():
                    more = f"; and {len(said) - 3} more" if len(said) > 3 else ""
                    db.execute("UPDATE folder SET reason = ? WHERE id = ?", ("; ".join(said[:3]) + more, folder))
        for at in range(0, len(changes.new), ROWS_A_COMMIT):
            with self._vault.write() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO file (folder, path, shown, size, mtime_ns, inode, state, reason, changed)"
                    " SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9 WHERE EXISTS (SELECT 1 FROM folder WHERE id = ?1)",
                    [
                        (
                            _owner(e.path, folders),
                            e.path,
                            _shown(e.path),
                            e.size,
                            e.mtime_ns,
                            e.inode,
                            *_state(e),
                            e.mtime_ns / 1e9,
                        )
                        for e in changes.new[at : at + ROWS_A_COMMIT]
                    ],
                )
            self._pipeline.wake()
        for at in range(0, len(changes.gone), ROWS_A_COMMIT):
            self._pipeline.forget([row.id for row in changes.gone[at : at + ROWS_A_COMMIT]])
        if changes:
            self._pipeline.wake()

    @staticmethod
    def _move(db: apsw.Connection, moved: Iterable[tuple[Known, Entry]], folders: Sequence[Folder]) -> None:
        pairs = list(moved)
        # Two files may have swapped names, and paths are unique: all leave their old ones first.
        db.executemany("UPDATE file SET path = ? WHERE id = ?", [(b"\0%d" % row.id, row.id) for row, _ in pairs])
        for row, entry in pairs:
            # What lay there before is among those that are gone, and is forgotten with its documents in a moment.
            db.execute("UPDATE file SET path = CAST(x'00' || CAST(id AS TEXT) AS BLOB) WHERE path = ?", (entry.path,))
            db.execute(
                "UPDATE file SET path = ?, shown = ?, folder = ?, inode = ? WHERE id = ?",
                (entry.path, _shown(entry.path), _owner(entry.path, folders), entry.inode, row.id),
            )

    # --- rows -------------------------------------------------------------------------------------------------------

    def _watch(self, folder: Folder) -> None:
        if folder.paused:
            return
        reason = self._watcher.add(folder.path)
        with self._vault.write() as db:
            db.execute(
                "UPDATE folder SET state = ?, reason = ?"
                " WHERE id = ? AND state != 'missing' AND (state, reason) != (?, ?)",
                (*(seen := ("polled" if reason else "watched", reason)), folder.id, *seen),
            )

    def _folders(self) -> list[Folder]:
        with self._vault.read() as db:
            return [
                Folder(i, bytes(path), bool(paused), state, device, inode)
                for i, path, paused, state, device, inode in db.execute(
                    "SELECT id, path, paused, state, device, inode FROM folder ORDER BY id"
                )
            ]

    def _folder(self, number: int) -> Folder:
        return next(folder for folder in self._folders() if folder.id == number)

    def _known(self, path: Path) -> Folder:
        wanted = {os.fsencode(os.path.abspath(path)), os.fsencode(os.path.realpath(path))}
        for folder in self._folders():
            if folder.path in wanted:
                return folder
        raise FolderError(f"{path} is not one of the folders", "`strongroom folders` lists them")

    def _linked(
        self, found: Iterable[Entry | Unread], known: Iterable[Known], folders: Sequence[Folder]
    ) -> list[tuple[Known, Folder]]:
        """Other names that the vault has for the files found: of hard links, the system tells the name written to."""
        there = {row.id for row in known}
        numbers = {each.inode for each in found if isinstance(each, Entry)}
        linked: dict[int, tuple[Known, Folder]] = {}
        with self._vault.read() as db:
            for number in numbers:
                for row in map(_known, db.execute(f"{_KNOWN} WHERE inode = ?", (number,)).fetchall()):
                    folder = next((each for each in folders if scan.is_below(row.path, each.path)), None)
                    if folder and row.id not in there and _inode(row.path) == number:
                        linked[row.id] = row, folder
        return list(linked.values())

    def _left(self, found: Iterable[Entry | Unread], known: Iterable[Known]) -> list[Known]:
        """Files that lie at one of these places now, and not any more where the vault has them: a folder's new name may
        be reported before its old one."""
        there = {row.id for row in known}
        left: dict[int, Known] = {}
        with self._vault.read() as db:
            for each in found:
                if isinstance(each, Entry):
                    rows: list[Any] = db.execute(
                        f"{_KNOWN} WHERE inode = ? AND size = ? AND mtime_ns = ?",
                        (each.inode, each.size, each.mtime_ns),
                    ).fetchall()
                    left.update((row[0], _known(row)) for row in rows if row[0] not in there)
        return [row for row in left.values() if not os.path.lexists(row.path)]

    def _files(self, folder: Folder, places: Sequence[bytes] | None = None) -> list[Known]:
        with self._vault.read() as db:
            if places is None or folder.path in places:
                rows: list[Any] = db.execute(f"{_KNOWN} WHERE folder = ?", (folder.id,)).fetchall()
            else:
                rows = []
                for place in places:  # the file itself, and all below it: `0` is the byte after `/`
                    rows += db.execute(
                        f"{_KNOWN} WHERE path = ?1 OR (path >= ?2 AND path < ?3)", (place, place + b"/", place + b"0")
                    ).fetchall()
        return [_known(row) for row in rows]


def _inode(path: bytes) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def _known(row: Sequence[Any]) -> Known:
    number, path, size, mtime_ns, inode, cloud, again = row
    return Known(number, bytes(path), size, mtime_ns, inode, bool(cloud), bool(again))


def _existing_folder(path: Path) -> bytes:
    real = os.path.realpath(path)
    if not os.path.exists(real):
        raise FolderError(f"there is no folder {path}", "check the spelling; is its drive mounted?")
    if not os.path.isdir(real):
        raise FolderError(f"{path} is a file", f"add the folder that it lies in: {os.path.dirname(real)}")
    if not os.access(real, os.R_OK | os.X_OK):
        raise FolderError(f"no permission to read {path}", "run Strongroom as the user to whom the folder belongs")
    return os.fsencode(real)


def _state(entry: Entry) -> tuple[str, str]:
    return ("cloud", entry.reason) if entry.reason else ("waiting", "")


def _owner(path: bytes, folders: Sequence[Folder]) -> int:
    return next((f.id for f in folders if path == f.path or scan.is_below(path, f.path)), 0)


def _shown(path: bytes) -> str:
    return os.fsdecode(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
