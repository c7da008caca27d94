"""Putting a backup where the user typed: what the engine may not write to, and must not choose.

The engine writes the backup in the state folder. The folder for it was typed into the page, and the page tells the
launcher which one, over the line that it has with it; the engine only says that the backup is ready. A process of its
own then copies the files, and no others, compares them, and gives the folder its name. It may write nowhere else. So an
engine that a document took over cannot have anything written where its user did not want a backup.
"""

import contextlib
import filecmp
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine import lock
from engine.children import fork_child
from vault.errors import StrongroomError

STAGED = re.compile(r"backup-[0-9a-f]{16}\Z")
"""the folder in the state folder where the engine writes it"""
FILES = re.compile(r"(?:header|backup|store-\d{1,9}\.db)\Z")
"""what it is made of; what is in them, the engine alone knows"""

_MOST_SAID = 1 << 16  # bytes that a page may have waiting


class Deliveries:
    """What the launcher knows of backups on their way: the folders that were typed, and the copy that runs."""

    def __init__(self) -> None:
        self._typed: list[str] = []
        self._outcome: int | None = None

    def hear(self, page: socket.socket | None) -> None:
        """Take what the page has said: one JSON object a line, {"backup": folder}."""
        said = b""
        with contextlib.suppress(OSError):  # nothing (more), or no page
            while page is not None and len(said) < _MOST_SAID:
                block = page.recv(4096, socket.MSG_DONTWAIT)
                if not block:
                    break
                said += block
        for each in said.split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                match json.loads(each):
                    case {"backup": str(folder)}:
                        self._typed = [*self._typed[-7:], folder]

    def forget(self) -> None:
        """Know nothing any more: the engine that would have asked has ended. A copy that runs goes on."""
        self._typed.clear()
        if self._outcome is not None:
            os.close(self._outcome)
            self._outcome = None

    def begin(self, name: str, target: str, state: Path, kept_out: Iterable[Path]) -> dict[str, Any]:
        """Start copying what the engine has written, if the user typed this folder; each typed one counts once."""
        if self._outcome is not None or target not in self._typed or not STAGED.match(name):
            return {"done": False, "message": f"nobody typed {target} as the place of a backup", "hint": ""}
        self._typed.remove(target)
        try:
            place = _checked(Path(target), kept_out)
        except StrongroomError as error:
            return {"done": False, "message": error.message, "hint": error.hint}
        except (OSError, ValueError):  # not to be looked into, or no path at all: this process must not fall over it
            return {"done": False, "message": f"{target!r} cannot be looked at", "hint": "name another folder"}
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        fork_child(lambda: _carry(state / name, place, theirs), keep=[theirs])
        os.close(theirs)
        self._outcome = ours
        return {"done": True}

    def outcome(self) -> dict[str, Any]:
        """`done` when the copy is done, the message of what went wrong where something did, neither while it runs."""
        if self._outcome is None:
            return {"done": False, "message": "no backup is on its way", "hint": ""}
        try:
            told = os.read(self._outcome, 1 << 16)
        except BlockingIOError:
            return {"done": False}
        os.close(self._outcome)
        self._outcome = None
        try:
            answer: dict[str, Any] = json.loads(told)
        except ValueError:
            answer = {"done": False, "message": "the backup could not be put there", "hint": "see the terminal"}
        return answer


def _checked(target: Path, kept_out: Iterable[Path]) -> Path:
    if "\0" in str(target):
        raise StrongroomError(f"{str(target)!r} is no path", "it holds a character that no file name can have")
    if not target.is_absolute():
        raise StrongroomError(f"{target} is no full path", "it begins with a slash: /media/you/stick/backup")
    parent = Path(os.path.realpath(target.parent))
    if not parent.is_dir():
        raise StrongroomError(f"there is no folder {target.parent}", "is the drive mounted?")
    place = parent / target.name
    if any(place.is_relative_to(os.path.realpath(each)) for each in kept_out):
        raise StrongroomError(f"{target} lies in Strongroom's own folders", "name one on another disk, best")
    if os.path.islink(place) or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
        raise StrongroomError(f"{target} is not empty", "name a folder that does not exist yet")
    return place


def _carry(staged: Path, target: Path, tell: int) -> None:
    """In a process of its own: copy, compare, name."""
    try:
        lock.limit_files(readable=[*lock.program_folders(), staged, target.parent], writable=[target.parent])
        lock.lock("engine")
        carry(staged, target)
        answer: dict[str, Any] = {"done": True}
    except StrongroomError as error:
        answer = {"done": False, "message": error.message, "hint": error.hint}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        answer = {"done": False, "message": f"{target} cannot be written: {reason}", "hint": "name another folder"}
    with contextlib.suppress(BrokenPipeError):  # the engine that asked for it has ended
        os.write(tell, json.dumps(answer).encode())


def carry(staged: Path, target: Path) -> None:
    """Copy a backup to another file system: on the disk, and compared, before it gets its name."""
    names = sorted(os.listdir(staged))
    # All three: a header alone beside other vaults would be taken for a vault, whose key its maker knows.
    if names[:2] != ["backup", "header"] or len(names) != 3 or not FILES.match(names[2]):
        raise StrongroomError("what was to be copied is no backup")
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    aside.mkdir(mode=0o700)
    try:
        for name in names:
            source = os.open(staged / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            copy = os.open(aside / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(source, "rb") as read, open(copy, "wb") as written:
                shutil.copyfileobj(read, written, 1 << 20)
                written.flush()
                os.fsync(written.fileno())
        _compare(staged, aside, names)
        if target.exists():
            target.rmdir()  # an empty one
        aside.rename(target)
        _sync(target)
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _compare(staged: Path, aside: Path, names: list[str]) -> None:
    _, differ, failed = filecmp.cmpfiles(staged, aside, names, shallow=False)
    if differ or failed:
        raise StrongroomError(f"the copy in {aside.parent} differs from what was written", "check that disk")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
