"""Files that are there whole or not at all, and that only their owner can read."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from vault.failures import FailingDiskError, VaultFullError, VaultPermissionError


@contextlib.contextmanager
def system_errors(path: Path, what: str) -> Iterator[None]:
    """Say what the system's refusal means: `what` is the verb, such as `read`."""
    try:
        yield
    except PermissionError as error:
        raise VaultPermissionError(path, what) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise VaultFullError(path.parent) from error
        if error.errno == errno.EROFS:
            raise VaultPermissionError(path, what) from error
        if error.errno == errno.EIO:
            raise FailingDiskError(path, what, error) from error
        raise


def make_private_folder(folder: Path) -> None:
    """Make the folder (and its parents), 0700. One that is there is narrowed, never widened.

    Those that are made survive a power cut: what is later synced in them would be lost with their names.
    """
    with system_errors(folder, "make"):
        _make_kept(folder.parent, 0o777)
        _make_kept(folder, 0o700)
        mode = folder.stat().st_mode & 0o777
        if mode & 0o077:
            folder.chmod(mode & 0o700)


def _make_kept(folder: Path, mode: int) -> None:
    if folder.is_dir():
        return
    _make_kept(folder.parent, 0o777)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were added, renamed or removed in the folder survive a power cut."""
    with system_errors(folder, "write"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file: after a crash at any moment it holds the old bytes or the new ones, never a mixture.

    Write aside, fsync, rename over, fsync the folder; mode 0600 from its first byte on.
    """
    aside = path.with_name(path.name + ".new")
    with system_errors(path, "write"):
        try:
            write_new(aside, data)
            os.rename(aside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        sync_folder(path.parent)


def replace_and_erase(path: Path, data: bytes) -> None:
    """The same, and then overwrite the bytes that the file had before, where no other name leads to them.

    On a disk that writes in place they are gone then; on one that does not (flash, a file system that copies on write)
    they may be there still.
    """
    with system_errors(path, "write"):
        before = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            write_atomically(path, data)
            if os.fstat(before).st_nlink == 0:
                os.pwrite(before, bytes(os.fstat(before).st_size), 0)
                os.fsync(before)
        finally:
            os.close(before)


def write_new(path: Path, data: bytes) -> None:
    """Write a file of 0600 and fsync it. What a crash left under that name is replaced."""
    with system_errors(path, "write"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_small(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a regular file, at most `limit_bytes` + 1 of them (so that a caller sees that there are more).

    Raises FileNotFoundError where there is none; links are not followed.
    """
    with system_errors(path, "read"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit_bytes + 1)
