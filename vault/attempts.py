"""Wrong passphrases slow down: the count is kept in the user's state folder, beside the anchor."""

import contextlib
import json
import time
from pathlib import Path

from vault.failures import TooManyAttemptsError
from vault.files import read_small, write_atomically

FILE_NAME = "attempts"
FREE = 3  # typing errors
LONGEST_SECONDS = 60.0


def begin(path: Path) -> None:
    """Count an attempt before it is made, so that attempts side by side count too.

    Raises TooManyAttemptsError while the wait after the last one is not over. This slows down someone at the
    keyboard; whoever can run programs as the user could remove the file, and is held up by the key derivation alone.
    """
    failed, last = _read(path)
    now = time.time()
    wait = delay_seconds(failed) - (now - last)
    if 0 < wait <= LONGEST_SECONDS:  # more than that: the clock was set back
        raise TooManyAttemptsError(failed, wait)
    write_atomically(path, json.dumps({"failed": failed + 1, "last": now}).encode())


def succeeded(path: Path) -> None:
    """Forget the failures."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def delay_seconds(failed: int) -> float:
    """How long to wait after that many wrong passphrases in a row: 0, 0, 0, then 2, 4, 8, … 60 s."""
    return 0.0 if failed < FREE else min(2.0 ** (failed - FREE + 1), LONGEST_SECONDS)


def _read(path: Path) -> tuple[int, float]:
    try:
        found = json.loads(read_small(path, 1000))
        return min(max(int(found["failed"]), 0), 1000), float(found["last"])
    except (FileNotFoundError, ArithmeticError, ValueError, KeyError, TypeError):
        return 0, 0.0
