"""Hearing of changes in the watched folders, soon and without losing any.

Where the system tells of changes it is believed (`ingest/events.py`); what it cannot tell is looked at from time to
time: folders on network and FUSE file systems, and all of a folder once the system's limit of watches is reached.

A report says where to look, never what happened: the disk is the truth by then. So events may come late, twice or out
of order.
"""

import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ingest import events, filesystem, scan
from ingest.events import QUIET_SECONDS, SETTLE_SECONDS
from ingest.settled import is_being_written

MOST_WAIT_SECONDS = 30.0  # for a writer to close a file; then it is read as it is, and again when it is closed
CHECK_SECONDS = 2.0  # between looks at whether the folders themselves are there
POLL_SECONDS = 10.0  # between looks at a folder without events; at least POLL_SHARE times what the last look took
POLL_SHARE = 20
# A file that is saved all the time (a log, a mailbox during a download) is read every few seconds, not each time.
BUSY_SAVES, BUSY_WITHIN_SECONDS, BUSY_WAIT_SECONDS = 3, 10.0, 5.0
MOST_PATHS = 5_000  # in one report; with more, the whole folder is looked at

NO_EVENTS = "polled: on this file system ({kind}) changes made elsewhere cause no events"

Report = Mapping[bytes, frozenset[bytes]]
"""watched folder → paths in it at and below which something may have changed (the folder itself: anywhere)"""


@dataclass
class _Root:
    """A folder that is to be watched."""

    identity: tuple[int, int] | None = None
    """device and inode when its watches were set; None where it is not there"""
    has_events: bool = False
    reason: str = ""
    """why it is polled, or empty"""
    next_poll: float = 0.0


@dataclass
class _Pending:
    """A path that something happened to."""

    due: float
    first: float
    is_open: bool
    """changed and not closed since, as far as was told"""


class Watcher:
    """Tells of changes in folders. Thread-safe; `on_change` is called from one thread, one report after the other."""

    def __init__(
        self,
        on_change: Callable[[Report], None],
        *,
        leave_out: Collection[bytes] = (),
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`leave_out` are folders whose content is never looked at: the vault's own."""
        self._on_change = on_change
        self._leave_out = frozenset(leave_out)
        self._poll_seconds = poll_seconds
        self._roots: dict[bytes, _Root] = {}
        self._pending: dict[bytes, _Pending] = {}
        self._saves: dict[bytes, tuple[float, int]] = {}  # path → when it was last reported, and how often in a row
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._ended = False
        self._check_now = False
        self._source: events.Source | None = None
        self._why_no_source = ""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    # --- for those who follow the folders -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Folders may be added before or after."""
        try:
            self._source = events.Inotify(self) if sys.platform == "linux" else events.Observer(self)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENOSPC, errno.ENOSYS, errno.EPERM):
                raise
            self._why_no_source = f"polled: the system has no room for another watcher ({error.strerror})"
        with self._lock:
            for folder in self._roots:
                self._set(folder)
        self._thread.start()

    def stop(self) -> None:
        """End; no report comes after this."""
        with self._lock:
            self._ended = True
            self._news.notify_all()
        if self._source is not None:
            self._source.close()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def add(self, folder: bytes) -> str:
        """Watch a folder (absolute, without links). Returns why it is polled, or an empty string where it is watched.

        What it holds is not reported: scan it after this returns, and nothing is missed in between. One that is not
        there is reported as soon as it is.
        """
        with self._lock:
            self._roots.setdefault(folder, _Root())
            if self._thread.ident is not None:
                self._set(folder)
            self._news.notify_all()
            return self._roots[folder].reason

    def remove(self, folder: bytes) -> None:
        """Stop watching a folder."""
        with self._lock:
            if self._roots.pop(folder, None) is None:
                return
            for path in [each for each in self._pending if each == folder or scan.is_below(each, folder)]:
                del self._pending[path]
            if self._source is not None:
                self._source.forget(folder)

    def reason(self, folder: bytes) -> str:
        """Why a folder is polled, or an empty string where the kernel tells of its changes."""
        with self._lock:
            root = self._roots.get(folder)
            return root.reason if root else ""

    def later(self, paths: Iterable[bytes], seconds: float = QUIET_SECONDS) -> None:
        """Report these paths again in a while: for a file that `is_settled` says is still being written."""
        now = time.monotonic()
        with self._lock:
            for path in paths:
                pending = self._pending.get(path)
                self._pending[path] = _Pending(now + seconds, pending.first if pending else now, is_open=True)
            self._news.notify_all()

    # --- for the source of events -----------------------------------------------------------------------------------

    def happened(self, *paths: bytes, seconds: float, is_open: bool = False) -> None:
        """Something happened to these paths, all in one moment; look in so many seconds."""
        now = time.monotonic()
        with self._lock:
            for path in paths:
                wait = seconds
                at, times = self._saves.get(path, (0.0, 0))
                if times >= BUSY_SAVES and now - at < BUSY_WITHIN_SECONDS:
                    wait = max(wait, BUSY_WAIT_SECONDS)
                known = self._pending.get(path)
                first = known.first if known else now
                # what changes all the time is looked at nevertheless
                self._pending[path] = _Pending(min(now + wait, first + MOST_WAIT_SECONDS), first, is_open)
            self._news.notify_all()

    def overflowed(self) -> None:
        """Events were lost: every folder has to be looked at."""
        with self._lock:
            for root in self._roots.values():
                root.identity = None  # its watches are set anew: folders made meanwhile have none
            self.check()

    def check(self) -> None:
        """Something happened to a watched folder itself."""
        with self._lock:
            self._check_now = True
            self._news.notify_all()

    def root_of(self, path: bytes) -> bytes | None:
        """The watched folder that a path lies in: the innermost, should one lie in another."""
        with self._lock:
            inside = [each for each in self._roots if each == path or scan.is_below(path, each)]
        return max(inside, key=len, default=None)

    def kept_out(self, root: bytes) -> frozenset[bytes]:
        """The folders below `root` that are none of its: the vault's, and other watched ones."""
        with self._lock:
            return self._leave_out | {each for each in self._roots if each != root}

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        next_check = 0.0
        while True:
            with self._lock:
                if self._ended:
                    return
                now = time.monotonic()
                if self._check_now or now >= next_check:
                    self._check_now = False
                    next_check = now + CHECK_SECONDS
                    self._check_roots(now)
                due = self._take_due(now)
                if not due:
                    soonest = min((each.due for each in self._pending.values()), default=next_check)
                    self._news.wait(timeout=max(0.0, min(soonest, next_check) - time.monotonic()))
                    continue
            self._report(due)

    def _check_roots(self, now: float) -> None:
        for folder, root in self._roots.items():
            if _identity(folder) != root.identity:
                self._set(folder)
                self._pending[folder] = _Pending(now, now, is_open=False)
            elif root.reason and root.identity and now >= root.next_poll:
                self._pending.setdefault(folder, _Pending(now, now, is_open=False))

    def _set(self, folder: bytes) -> None:
        root = self._roots[folder]
        root.identity = _identity(folder)
        if root.identity is None:
            return
        lies_on = filesystem.of(folder)
        root.reason = self._why_no_source
        if self._source is not None:
            root.reason = self._source.watch(folder)
            root.has_events = not root.reason
            if root.reason:
                self._source.forget(folder)  # leaves the watches it took to those who can use them
            elif not lies_on.events_complete:
                root.reason = NO_EVENTS.format(kind=lies_on.kind)
        root.next_poll = time.monotonic() + self._poll_seconds

    def _take_due(self, now: float) -> list[bytes]:
        soon = now + SETTLE_SECONDS  # what belongs together falls due almost together
        due: list[bytes] = []
        for path, pending in list(self._pending.items()):
            if pending.due > (soon if due else now):
                continue
            if pending.is_open and now - pending.first < MOST_WAIT_SECONDS and is_being_written(path):
                pending.due = now + QUIET_SECONDS
                continue
            due.append(path)
            del self._pending[path]
            at, times = self._saves.get(path, (0.0, 0))
            self._saves[path] = (now, times + 1 if now - at < BUSY_WITHIN_SECONDS else 1)
        if len(self._saves) > MOST_PATHS:
            self._saves = {path: (at, n) for path, (at, n) in self._saves.items() if now - at < BUSY_WITHIN_SECONDS}
        return due

    def _report(self, due: list[bytes]) -> None:
        places: dict[bytes, set[bytes]] = {}
        for path in scan.places(due):
            root = self.root_of(path)
            if root is None:
                continue
            if path != root and self._source is not None and _is_folder(path):
                # Watched first and looked at afterwards: what comes into it in between is then seen either way
                self._watch_more(root, path)
            places.setdefault(root, set()).add(path)
        report = {
            root: frozenset(paths if len(paths) <= MOST_PATHS and root not in paths else {root})
            for root, paths in places.items()
        }
        if not report:
            return
        started = time.monotonic()
        self._on_change(report)
        took = time.monotonic() - started
        with self._lock:
            for root in report:
                if root in self._roots:
                    wait = max(self._poll_seconds, POLL_SHARE * took)
                    self._roots[root].next_poll = time.monotonic() + wait

    def _watch_more(self, root: bytes, folder: bytes) -> None:
        with self._lock:
            known = self._roots.get(root)
            if known is None or self._source is None or not known.has_events:
                return
            if reason := self._source.watch(folder):
                self._source.forget(root)
                known.has_events, known.reason = False, reason


def _identity(folder: bytes) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
