"""Choosing a folder: what lies below one, as the engine sees it."""

import os
import pwd
import stat
from typing import Any

from engine.engine import Engine
from ingest import scan
from vault.errors import StrongroomError

MOST_FOLDERS = 500  # shown of one folder
_MOST_COUNTED = 2_000  # entries looked at to say how many files lie in a folder


def folders_browse(engine: Engine, path: str = "") -> dict[str, Any]:
    """The folders in a folder (empty: the user's home), without hidden ones and links, and whether it can be watched.

    `why` says why not: it is the vault's, lies in a watched one, holds one, or may not be read. `files` are those that
    lie in the folder itself, hidden ones left out; None where they were not counted.
    """
    opened = engine.opened()
    if not is_path(path):
        raise StrongroomError(f"{path!r} is no path", "it holds a character that no file name can have")
    wanted = os.path.abspath(os.path.expanduser(path)) if path.startswith("/") else _home()
    with opened.vault.read() as db:
        watched = [bytes(p) for (p,) in db.execute("SELECT path FROM folder WHERE state != 'kept'")]
    real = os.fsencode(os.path.realpath(wanted))
    kept_out = [os.fsencode(os.path.realpath(each)) for each in (engine.folder, engine.state)]
    folders, files, why = _look(real)
    return {
        "path": _shown(real),
        "parent": _shown(os.path.dirname(real)) if real != b"/" else None,
        "home": _home(),
        "files": files,
        "folders": [
            {"name": _shown(name), "path": _shown(os.path.join(real, name)), "why": _why(each, watched, kept_out)}
            for name in folders
            if _is_text(each := os.path.join(real, name))
        ],
        "why": why or _why(real, watched, kept_out),
    }


def is_path(text: str) -> bool:
    """Whether the system can be asked for a file of this name: no NUL in it, no half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _look(folder: bytes) -> tuple[list[bytes], int | None, str]:
    """Names of the folders in a folder, how many files it holds, and why it cannot be read."""
    names: list[bytes] = []
    files = looked = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                looked += 1
                if entry.name.startswith(b"."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
                elif entry.is_file():
                    files += 1
                if looked >= 10 * _MOST_COUNTED:
                    break
    except FileNotFoundError:
        return [], None, "there is no such folder"
    except NotADirectoryError:
        return [], None, "this is a file: choose the folder that it lies in"
    except PermissionError:
        return [], None, "no permission to read it"
    except OSError as error:
        return [], None, f"it cannot be read: {(error.strerror or str(error)).lower()}"
    names.sort(key=lambda name: (name.lower(), name))
    return names[:MOST_FOLDERS], files, ""


def _why(folder: bytes, watched: list[bytes], kept_out: list[bytes]) -> str:
    """Why a folder cannot be watched, or an empty string."""
    for own in kept_out:
        if folder == own or scan.is_below(folder, own):
            return "Strongroom's own folder"
    for each in watched:
        if folder == each:
            return "watched already"
        if scan.is_below(folder, each):
            return f"lies in {_shown(each)}, which is watched already"
    for each in watched:
        if scan.is_below(each, folder):
            return f"holds {_shown(each)}, which is watched already"
    return ""


def _home() -> str:
    """The user's home; the root, where there is none."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
        return home if stat.S_ISDIR(os.stat(home).st_mode) else "/"
    except (KeyError, OSError):
        return "/"


def _is_text(path: bytes) -> bool:
    """Whether a path can be sent back as it was shown."""
    return _shown(path).encode() == path


def _shown(path: bytes) -> str:
    return os.fsdecode(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
