"""Where the watcher hears of changes: the kernel's events on Linux, watchdog's observer elsewhere.

watchdog's own observer is not used on Linux, only its reader of the kernel's events: the observer passes over folders
that it could not watch and events that the kernel dropped without saying so, and it watches hidden folders too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, Protocol

from ingest import names, scan

if TYPE_CHECKING:
    from collections.abc import Collection

    from watchdog.observers.inotify_c import InotifyEvent

SETTLE_SECONDS = 0.05  # after a file was closed: joins the events of one action
PAIR_SECONDS = 0.3  # after a file went away: it may turn up elsewhere, and is then moved, not deleted
QUIET_SECONDS = 1.0  # without a change, for a file that nobody has closed

LIMIT_REACHED = "polled: the system's limit of watches is reached (fs.inotify.max_user_watches)"


class Listener(Protocol):
    """Who is told: `watch.Watcher`. Called from the source's own thread."""

    def happened(self, *paths: bytes, seconds: float, is_open: bool = False) -> None:
        """Something happened to these paths, all in one moment; look in so many seconds."""

    def overflowed(self) -> None:
        """Events were lost."""

    def check(self) -> None:
        """Something happened to a watched folder itself."""

    def root_of(self, path: bytes) -> bytes | None:
        """The watched folder that a path lies in."""

    def kept_out(self, root: bytes) -> Collection[bytes]:
        """The folders below `root` that are none of its."""


class Source(Protocol):
    """Where events come from: calls its listener from its own thread."""

    def watch(self, folder: bytes) -> str:
        """Watch a folder and all below it, again if need be. Returns why that is incomplete, or an empty string."""

    def forget(self, folder: bytes) -> None:
        """Stop watching a folder and all below it."""

    def close(self) -> None:
        """Stop."""


class Inotify:
    """The kernel's events on Linux, one watch a folder (inotify(7))."""

    def __init__(self, listener: Listener) -> None:
        from watchdog.observers.inotify_c import InotifyConstants, InotifyFD

        self._flags = InotifyConstants
        self._mask: Any = (
            InotifyConstants.IN_CREATE
            | InotifyConstants.IN_MODIFY
            | InotifyConstants.IN_CLOSE_WRITE
            | InotifyConstants.IN_ATTRIB  # permission that was missing may have been given
            | InotifyConstants.IN_MOVE
            | InotifyConstants.IN_DELETE
            | InotifyConstants.IN_DELETE_SELF
            | InotifyConstants.IN_MOVE_SELF
            | InotifyConstants.IN_ONLYDIR
            | InotifyConstants.IN_DONT_FOLLOW
            | InotifyConstants.IN_EXCL_UNLINK
        )
        self._listener = listener
        self._paths: dict[int, bytes] = {}  # watch → folder
        self._left: dict[int, bytes] = {}  # cookie of a move → where it began
        self._lock = threading.Lock()
        # A folder that was moved keeps its watch, which is then set again under its new path: as it should be.
        warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)
        self._reader = InotifyFD()
        self._reader.start()

    def watch(self, folder: bytes) -> str:
        """One watch for each folder that a scan would list."""
        self.forget(folder)  # what happens in between is seen by the look that follows
        root = self._listener.root_of(folder) or folder
        for path in scan.folders(folder, leave_out=self._listener.kept_out(root)):
            try:
                number = self._reader.add_callback(path, self._mask, self, _ID)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    return LIMIT_REACHED
                continue  # vanished or not permitted: whoever looks says so
            if number >= 0:  # the reader passes over a refusal, with -1
                with self._lock:
                    self._paths[number] = path
        return ""

    def forget(self, folder: bytes) -> None:
        """Give the watches back."""
        with self._lock:
            gone = [n for n, path in self._paths.items() if path == folder or scan.is_below(path, folder)]
            for number in gone:
                del self._paths[number]
        self._reader.remove_callbacks([(number, _ID) for number in gone])  # type: ignore[misc]

    def close(self) -> None:
        """End the reader's thread."""
        self._reader.stop()

    # called by the reader's thread

    def on_event(self, event: InotifyEvent) -> None:
        """Called for each event."""
        with self._lock:
            folder = self._paths.get(event.wd)
        if folder is None:
            return
        if not event.name:  # the folder itself
            if event.mask & (self._flags.IN_DELETE_SELF | self._flags.IN_MOVE_SELF | _IN_UNMOUNT):
                self._listener.check()
            elif event.is_attrib:
                self._listener.happened(folder, seconds=PAIR_SECONDS)
            return
        path = os.path.join(folder, event.name)
        if event.mask & self._flags.IN_ISDIR:
            self._folder_event(event, path)
            return
        if event.is_moved_from:
            self._left[event.cookie] = path
            self._listener.happened(path, seconds=PAIR_SECONDS)
        elif event.is_moved_to:
            # Both ends at one time: they have to come in one report, or a move looks like a deletion
            self._listener.happened(path, *self._began(event.cookie), seconds=SETTLE_SECONDS)
        elif not names.is_document_name(event.name):
            return
        elif event.is_close_write or event.is_attrib:
            self._listener.happened(path, seconds=SETTLE_SECONDS)
        elif event.is_delete:
            self._listener.happened(path, seconds=PAIR_SECONDS)
        else:  # made or changed, and still open
            self._listener.happened(path, seconds=QUIET_SECONDS, is_open=True)

    def _folder_event(self, event: InotifyEvent, path: bytes) -> None:
        if event.is_moved_from:
            self._left[event.cookie] = path
            self.forget(path)  # its watches tell of a place that is no more; they are set anew where it turns up
            self._listener.happened(path, seconds=PAIR_SECONDS)
        elif event.is_moved_to:
            self._listener.happened(path, *self._began(event.cookie), seconds=SETTLE_SECONDS)
        else:
            self._listener.happened(path, seconds=PAIR_SECONDS if event.is_delete else 0.0)

    def _began(self, cookie: int) -> list[bytes]:
        began = self._left.pop(cookie, None)
        self._left.clear()  # the two ends of a move come one after the other (inotify(7)); the rest went elsewhere
        return [] if began is None else [began]

    def on_watch_deleted(self, wd: int) -> None:
        """Called when the kernel gave up a watch: its folder is gone."""
        with self._lock:
            self._paths.pop(wd, None)

    def on_queue_overflow(self) -> None:
        """Called when the kernel dropped events."""
        self._listener.overflowed()


_ID: Any = 1  # of the one callback on each watch
_IN_UNMOUNT = 0x2000


class Observer:
    """watchdog's observer for this system (FSEvents on macOS)."""

    def __init__(self, listener: Listener) -> None:
        import watchdog.observers

        self._listener = listener
        self._observer = watchdog.observers.Observer()
        self._watches: dict[bytes, Any] = {}
        self._observer.start()

    def watch(self, folder: bytes) -> str:
        """One watch for all of a watched folder."""
        if self._listener.root_of(folder) != folder or folder in self._watches:
            return ""  # what lies below is watched with it
        try:
            self._watches[folder] = self._observer.schedule(self, os.fsdecode(folder), recursive=True)  # type: ignore[arg-type]
        except OSError as error:
            return f"polled: it cannot be watched ({error.strerror})"
        return ""

    def forget(self, folder: bytes) -> None:
        """End the watches of folders that are no longer watched."""
        for path in [each for each in self._watches if each == folder or scan.is_below(each, folder)]:
            with contextlib.suppress(KeyError, OSError):
                self._observer.unschedule(self._watches.pop(path))

    def close(self) -> None:
        """End the observer's thread."""
        self._observer.stop()

    def dispatch(self, event: Any) -> None:
        """Called by the observer's thread."""
        if event.event_type in ("opened", "closed_no_write"):
            return
        paths = [os.fsencode(each) for each in (event.src_path, event.dest_path) if each]
        gone = event.event_type in ("deleted", "moved")
        is_open = event.event_type in ("created", "modified") and not event.is_directory
        seconds = PAIR_SECONDS if gone or event.event_type == "closed" else QUIET_SECONDS
        self._listener.happened(*paths, seconds=seconds, is_open=is_open)
        if event.is_directory and any(self._listener.root_of(path) == path for path in paths):
            self._listener.check()
