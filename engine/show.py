"""Showing things to the user with the desktop's own programs: the page in the browser, a document's own file."""

import contextlib
import os
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from engine import delivering

_REDIRECT_SECONDS = 60.0  # that a browser has to read the file that hands it the token


class Shown:
    """Shows pages and files. Keeps account of the files that hand a token to the browser, to remove them."""

    def __init__(self, state_folder: Path) -> None:
        # Beside the state folder, not in it: an engine may write there, and one that was taken over would put a page
        # of its own making in the place of this file before the browser has read it.
        self._folder = state_folder.with_name(f"{state_folder.name}-page")
        self._redirects: dict[Path, float] = {}

    def page(self, url: str) -> bool:
        """Show the page; return whether there is a program for it.

        The token goes by a file that only this user can read: everybody sees a program's arguments.
        """
        path = self._folder / f"page-{secrets.token_hex(8)}.html"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:  # the address can still be copied from the terminal
            return False
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={url}">')
            file.write('<meta name="referrer" content="no-referrer"><title>Strongroom</title>\n')
        self._redirects[path] = monotonic() + _REDIRECT_SECONDS
        return _run_opener(str(path))

    def remove_redirects(self, *, everything: bool = False) -> None:
        """Remove the files that have had their time."""
        for path, until in list(self._redirects.items()):
            if everything or until < monotonic():
                path.unlink(missing_ok=True)
                del self._redirects[path]
        if everything:
            with contextlib.suppress(OSError):  # never made, or another launcher's file is in it
                self._folder.rmdir()


def show_file(path: str, *, kept_out: Sequence[Path]) -> bool:
    """Open a document's file with the desktop's program for it: an existing file, and none that is itself a program.

    Nor one in the folders `kept_out`, where the engine may write, or one that is called as a backup's files are, which
    it has filled: a web page that it put there, shown in the browser, would be its way out.
    """
    try:
        status = os.stat(path)
        real = Path(os.path.realpath(path, strict=True))
    except (OSError, ValueError):
        return False
    if delivering.FILES.match(real.name) or any(real.is_relative_to(os.path.realpath(folder)) for folder in kept_out):
        return False
    harmless = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o111 and not path.endswith(".desktop")
    return os.path.isabs(path) and harmless and _run_opener(path)


def _run_opener(path: str) -> bool:
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return False
    null = subprocess.DEVNULL
    # The launcher takes note of its end, as of that of all children.
    subprocess.Popen([opener, path], stdin=null, stdout=null, stderr=null, start_new_session=True)
    return True
