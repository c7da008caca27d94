"""Where an engine and those who ask it meet: one Unix socket a vault in the user's state folder, and who may own it."""

import contextlib
import fcntl
import hashlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.vaults import HEADER as _HEADER
from vault.errors import StrongroomError


class EngineRunningError(StrongroomError):
    """An engine, or a command with one inside, runs for this vault already."""

    def __init__(self, vault_folder: Path) -> None:
        super().__init__(
            f"Strongroom is already at work on the vault at {vault_folder}",
            "wait until that is done; Ctrl-C ends `strongroom open` or `serve` in its terminal",
        )


def _name(vault_folder: Path) -> str:
    path = os.fsencode(os.path.realpath(vault_folder))
    return hashlib.sha256(path).hexdigest()[:16]


def socket_path(vault_folder: Path, state_folder: Path) -> Path:
    """Return where the engine for this vault listens."""
    return state_folder / f"engine-{_name(vault_folder)}.sock"


@contextlib.contextmanager
def claim(vault_folder: Path, state_folder: Path) -> Iterator[int]:
    """Hold, as the only process, the right to run an engine for this vault. Raises EngineRunningError.

    Yields the descriptor of the lock: a process forked meanwhile holds it too for as long as it keeps that open.
    """
    private_folder(state_folder)
    path = state_folder / f"engine-{_name(vault_folder)}.lock"
    descriptor = _locked(path)
    if descriptor is None:
        raise EngineRunningError(vault_folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            _tidy(vault_folder, path)


def _locked(path: Path) -> int | None:
    """Open the file and lock it; None where another process has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # removed between the two calls: what is locked keeps nobody out


def _tidy(vault_folder: Path, path: Path) -> None:
    """Remove the lock's file where no vault came to be.

    It is locked anew for that, which fails where anybody holds it, a process forked from its holder too. Whoever opened
    it before it went, and locks it then, finds that it has no name any more, and begins again.
    """
    if (vault_folder / _HEADER).exists():
        return
    descriptor = _locked(path)
    if descriptor is None:
        return
    try:
        if not (vault_folder / _HEADER).exists():
            path.unlink()
    finally:
        os.close(descriptor)


def listen(vault_folder: Path, state_folder: Path) -> socket.socket:
    """Bind the engine's socket, 0600. Only who holds the claim may: it removes what an engine left that was killed."""
    path = socket_path(vault_folder, state_folder)
    private_folder(state_folder)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short(path) as short:
            listener.bind(short)
    finally:
        os.umask(before)
    listener.listen(16)
    return listener


def connect(vault_folder: Path, state_folder: Path) -> socket.socket | None:
    """Return a connection to the engine, None if there is none."""
    path = socket_path(vault_folder, state_folder)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as short:
            connection.connect(short)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    return connection


def listen_for_browsers(port: int | None) -> socket.socket:
    """Bind the page's socket on 127.0.0.1; None lets the system choose the port. Raises StrongroomError."""
    web = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        web.bind(("127.0.0.1", port or 0))
    except OSError as error:
        web.close()
        raise StrongroomError(
            f"port {port} cannot be used: {(error.strerror or str(error)).lower()}",
            "choose another one, or none to have one chosen",
        ) from error
    web.listen(128)
    return web


def private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, if it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of the socket that fits the 108 bytes (macOS: 104) of its address, however deep its folder lies."""
    if len(os.fsencode(path)) < 104 or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
