"""Is a file still being written? Then it is worth waiting for its end."""

import errno
import fcntl
import os
import signal
import time

from ingest.scan import Entry

_FRESH_SECONDS = 1.0  # since its last change; older files are taken to be finished


def is_settled(entry: Entry, *, now: float | None = None) -> bool:
    """Whether a file that a scan found looks finished: not changed within the last second, or closed by its writer."""
    age = (time.time() if now is None else now) - entry.mtime_ns / 1e9
    return not 0 <= age < _FRESH_SECONDS or is_being_written(entry.path) is False


def is_being_written(path: bytes) -> bool | None:
    """Whether any process has the file open for writing; None where that cannot be told.

    A read lease is granted only while nobody has (fcntl(2), F_SETLEASE), and is given back at once. Should somebody
    open the file in that moment, they wait for us, and the kernel tells us with a signal that is ignored by default.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        # non-blocking: a pipe that has taken the file's place must not hold us
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOATIME)
    except OSError:
        return None
    try:
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        # EACCES: another user's file; EINVAL: not on this file system
        return True if error.errno == errno.EAGAIN else None
    else:
        return False
    finally:
        os.close(descriptor)


_F_SETSIG = 10  # linux/fcntl.h; Python has no name for it
