"""Work in a process of its own: what it puts on itself (a lock), or learns (a passphrase), ends with it."""

import contextlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from vault.errors import StrongroomError


@dataclass(frozen=True, slots=True)
class Apart:
    """A process that tells JSON values, one a line, and may be told one."""

    pid: int
    hears: BinaryIO
    says: BinaryIO

    def next(self) -> Any:
        """What it tells next; {"error": message, "hint": …} where it failed."""
        line = self.says.readline()
        try:
            return json.loads(line)
        except ValueError:
            return {"error": "it ended without a word", "hint": ""}

    def tell(self, value: Any) -> None:
        """Tell it something."""
        with contextlib.suppress(OSError):
            self.hears.write(json.dumps(value).encode() + b"\n")
            self.hears.flush()

    def end(self, *, now: bool = False) -> None:
        """Wait for its end; `now` interrupts it, as Ctrl-C would."""
        if now:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)
        with contextlib.suppress(OSError):
            self.hears.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.says.close()


@dataclass(frozen=True, slots=True)
class Line:
    """The other end, in that process."""

    hears: BinaryIO
    says: BinaryIO

    def tell(self, value: Any) -> None:
        """Tell something."""
        self.says.write(json.dumps(value).encode() + b"\n")
        self.says.flush()

    def next(self) -> Any:
        """What it was told; None where nothing comes any more."""
        line = self.hears.readline()
        return json.loads(line) if line else None


def start(work: Callable[[Line], Any]) -> Apart:
    """Begin it; what `work` returns is told last. Call while this process has one thread."""
    told, telling = os.pipe()
    heard, hearing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        os.close(hearing)
        line = Line(os.fdopen(heard, "rb"), os.fdopen(telling, "wb"))
        answer: Any = {"error": "it was interrupted", "hint": ""}
        try:
            answer = work(line)
        except (StrongroomError, OSError) as error:
            answer = {"error": getattr(error, "message", str(error)), "hint": getattr(error, "hint", "")}
        except Exception as error:  # noqa: BLE001 - told, without words that may be a document's
            from engine.protocol import place

            answer = {"error": f"it failed: {place(error)}", "hint": "this is an error in Strongroom itself"}
        finally:
            with contextlib.suppress(OSError):
                line.tell(answer)
            os._exit(0)
    os.close(telling)
    os.close(heard)
    return Apart(pid, os.fdopen(hearing, "wb"), os.fdopen(told, "rb"))
