"""A file of a watched folder, opened so that nothing can stand in for it, and held so that it cannot change meanwhile.

Whoever can write into a watched folder (a mail client, a synchronised share, an unpacked archive) can put a link where
a file was, between the moment at which it is listed and the one at which it is opened, and again on the way to it. So
the path is walked from the folder's descriptor, one name at a time, through folders only and through no link
(openat(2), O_NOFOLLOW); what is at its end has to be a regular file. A hard link is one, and cannot be told from it:
the kernel lets others' files be linked to only by their owner (proc(5), protected_hardlinks).

What is hashed is what is parsed: up to `HELD` bytes are copied while they are hashed, into memory that the kernel seals
against any further change (memfd_create(2), F_SEAL_WRITE), and the worker is given that copy. A larger file, or one on
a system without sealed memory, is read twice: it is what was hashed if its times have stayed and it has the same hash
afterwards.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from vault.errors import StrongroomError

HELD = 32 << 20  # bytes; two readers hold one each. Of a household's files one in a thousand is larger
_BLOCK = 1 << 20
_STEP = (os.O_PATH if sys.platform == "linux" else os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a pipe that has taken the file's place must not hold us until somebody writes into it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NotRegularError(StrongroomError):
    """not a regular file"""

    def __init__(self) -> None:
        super().__init__("not a regular file")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file at one moment."""

    descriptor: int
    """what a worker is to read, from its start: the sealed copy, or the file itself"""
    status: os.stat_result
    """the file's own, from before it was read"""
    sha256: bytes
    """of what a worker reads"""
    file: int
    """the file's own descriptor"""

    def changed(self) -> bool:
        """Whether what is in the file by now may be something else than what was read; hashes a large one again."""
        if marks(os.fstat(self.file)) != marks(self.status):
            return True
        return self.descriptor == self.file and _hashed(self.file) != self.sha256


@contextlib.contextmanager
def held(file: int) -> Iterator[Opened]:
    """Hash the open file, and hold what was hashed until the block ends. Raises OSError where it cannot be read."""
    status = os.fstat(file)
    copy = _memory() if status.st_size <= HELD else None
    try:
        digest = None if copy is None else _copied(file, copy)
        if copy is None or digest is None:
            yield Opened(file, status, _hashed(file), file)
        else:
            yield Opened(copy, status, digest, file)
    finally:
        if copy is not None:
            os.close(copy)


def open_inside(folder: bytes, path: bytes) -> int:
    """Return a descriptor of the regular file at `path` in `folder`, for reading; no link is followed to it.

    Raises OSError and NotRegularError. Never waits for another program, and opens no device.
    """
    names = _below(folder, path)
    at = os.open(folder, _STEP)
    try:
        for name in names[:-1]:
            below = os.open(name, _STEP, dir_fd=at)
            os.close(at)
            at = below
        # Asked before it is opened: to open a device may already do something.
        if not stat.S_ISREG(_no_link(os.stat(names[-1], dir_fd=at, follow_symlinks=False).st_mode)):
            raise NotRegularError
        file = os.open(names[-1], _FILE, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise NotRegularError
    return file


def marks(status: os.stat_result) -> tuple[int, ...]:
    """What is not the same any more once a file's content is another. The time of change cannot be set by a program."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _no_link(mode: int) -> int:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return mode


def _below(folder: bytes, path: bytes) -> list[bytes]:
    start = folder if folder.endswith(b"/") else folder + b"/"
    names = path[len(start) :].split(b"/")
    if not path.startswith(start) or any(each in (b"", b".", b"..") for each in names):
        raise OSError(errno.EXDEV, "not a place in its folder")
    return names


def _memory() -> int | None:
    if not hasattr(os, "memfd_create"):
        return None
    try:
        # Named for nobody: the name is seen in /proc only.
        return os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:  # no descriptor or no memory left: the file itself will do
        return None


def _copied(file: int, copy: int) -> bytes | None:
    """Return the SHA-256 of what is in `copy` now, and stays in it; None where it is not all of the file."""
    value = hashlib.sha256()
    offset = 0
    while block := os.pread(file, _BLOCK, offset):
        offset += len(block)
        try:
            if offset > HELD or os.write(copy, block) != len(block):
                return None  # it grows while it is read
        except OSError:  # no memory left for it
            return None
        value.update(block)
    fcntl.fcntl(
        copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    )
    os.lseek(copy, 0, os.SEEK_SET)
    return value.digest()


def _hashed(file: int) -> bytes:
    """Return the SHA-256 of the file, without moving its position, which a worker shares."""
    value = hashlib.sha256()
    offset = 0
    while block := os.pread(file, _BLOCK, offset):
        value.update(block)
        offset += len(block)
    return value.digest()
