"""The terminal: what documents say is printed, never obeyed; secrets are read without an echo; progress is drawn.

A terminal obeys escape sequences, so a document, a file's name or a sender could retitle the window, hide what
follows, or turn a line around. Everything that was not written here goes through `plain` first.
"""

import contextlib
import json
import os
import sys
import termios
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from ui import shown
from vault.errors import StrongroomError

WIDTH = 100  # columns at most: longer lines are hard to read
_LINES_SECONDS = 5.0  # between two lines of progress where there is no terminal
_DRAW_SECONDS = 0.1
_NAMES_FOR_BREAKS = str.maketrans({"\n": "␊", "\t": "␉"})


class NoTerminalError(StrongroomError):
    """Something has to be typed, and there is nobody to type it."""


# --- text -----------------------------------------------------------------------------------------------------------


def plain(text: object) -> str:
    """`text` on one line, with every control and directional character made visible: for names, titles, messages."""
    return shown.neutral(str(text)).translate(_NAMES_FOR_BREAKS)


def prose(text: str) -> str:
    """`text` over several lines, otherwise like `plain`: for what a document says."""
    return shown.neutral(text).replace("\t", "    ")


def columns(text: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis where something is left out."""
    if columns(text) <= width:
        return text
    kept = ""
    taken = 0
    for each in text:
        taken += columns(each)
        if taken > width - 1:
            break
        kept += each
    return kept + "…"


def wrapped(text: str, marks: Iterable[tuple[int, int]] = (), *, style: "Style", indent: str = "") -> str:
    """`text` with white space folded, broken between words, and its marked ranges (half-open, in code points of `text`)
    in bold."""
    flags = bytearray(len(text))
    for start, end in marks:
        for at in range(max(0, start), min(end, len(text))):
            flags[at] = 1
    words: list[list[tuple[str, int]]] = [[]]
    for each, flag in zip(text, flags, strict=True):
        if each.isspace():
            if words[-1]:
                words.append([])
        else:
            words[-1].append((plain(each), flag))
    lines: list[list[list[tuple[str, int]]]] = [[]]
    taken = 0
    for word in filter(None, words):
        width = columns("".join(each for each, _ in word))
        if lines[-1] and taken + 1 + width > WIDTH - len(indent):
            lines.append([])
            taken = 0
        lines[-1].append(word)
        taken += width + 1
    return "\n".join(indent + " ".join(_styled(word, style) for word in line) for line in lines)


def _styled(word: Sequence[tuple[str, int]], style: "Style") -> str:
    pieces: list[str] = []
    at = 0
    while at < len(word):
        flag = word[at][1]
        run = ""
        while at < len(word) and word[at][1] == flag:
            run += word[at][0]
            at += 1
        pieces.append(style.mark(run) if flag else run)
    return "".join(pieces)


class Style:
    """Colours, where they are wanted: on a terminal, unless NO_COLOR is set (no-color.org)."""

    def __init__(self, *, colours: bool) -> None:
        self.colours = colours

    def mark(self, text: str) -> str:
        """The words that matter."""
        return self._in("1;33", text)

    def strong(self, text: str) -> str:
        """A heading."""
        return self._in("1", text)

    def faint(self, text: str) -> str:
        """What matters less."""
        return self._in("2", text)

    def good(self, text: str) -> str:
        """It is as it should be."""
        return self._in("32", text)

    def bad(self, text: str) -> str:
        """It is not."""
        return self._in("31", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text


def say(*lines: str) -> None:
    """Print to standard output."""
    for line in lines:
        print(line)


def tell(line: str) -> None:
    """Print what is not the result: to standard error."""
    print(line, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """One line of JSON, in ASCII: every other character is escaped, so no document can reach the terminal with it."""
    print(json.dumps(value), flush=True)


# --- what is typed --------------------------------------------------------------------------------------------------


class Keyboard:
    """Where the user types: standard input if that is a terminal, else the terminal that the command was started from.

    It is opened before the process is locked, because afterwards it could not be.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._own = False
        if sys.stdin is not None and sys.stdin.isatty():
            self._descriptor = sys.stdin.fileno()
            return
        with contextlib.suppress(OSError):
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            self._own = True

    def __bool__(self) -> bool:
        return self._descriptor >= 0

    def secret(self, prompt: str) -> str:
        """A line that is not shown while it is typed. Raises NoTerminalError."""
        with self._echo(on=False):
            return self._line(prompt)

    def line(self, prompt: str) -> str:
        """A line. Raises NoTerminalError; EOFError at the end of input."""
        with self._echo(on=True):
            return self._line(prompt)

    def confirmed(self, question: str) -> bool:
        """Whether the user typed yes."""
        return self.line(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    @contextlib.contextmanager
    def _echo(self, *, on: bool) -> Iterator[None]:
        if not self:
            raise NoTerminalError(
                "there is no terminal to ask at",
                "in a script, give words as arguments, the passphrase by STRONGROOM_PASSPHRASE_FILE, and --yes where "
                "that is offered",
            )
        before = termios.tcgetattr(self._descriptor)
        wanted = termios.tcgetattr(self._descriptor)
        wanted[3] = wanted[3] | termios.ICANON | termios.ISIG | termios.ECHO
        if not on:
            wanted[3] &= ~termios.ECHO
        # Drained, not flushed: what was typed ahead counts
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, wanted)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
            if not on:
                self._show("\n")

    def _line(self, prompt: str) -> str:
        self._show(prompt)
        typed = b""
        while not typed.endswith(b"\n"):
            block = os.read(self._descriptor, 4096)
            if not block:
                if typed:
                    break
                raise EOFError
            typed += block
        try:
            return typed.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise StrongroomError("what was typed is not UTF-8", "set the terminal to UTF-8") from error

    def _show(self, text: str) -> None:
        if self._own:
            os.write(self._descriptor, text.encode())
        else:
            print(text, end="", file=sys.stderr, flush=True)


# --- progress -------------------------------------------------------------------------------------------------------


class Progress:
    """How far the files are: a bar that is drawn over on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._bar = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._quiet = quiet
        self._drawn = 0.0
        self._started = time.monotonic()
        self._last = ""

    def heard(self, _method: str, params: Any) -> None:
        """Take a notification of the engine's method `wait`."""
        total, to_do = int(params["files"]), int(params["to_do"])
        self.show(total - to_do, total, params.get("current") or [], str(params.get("reason") or ""))

    def show(
        self, done: int, total: int, current: Sequence[str] = (), reason: str = "", *, what: str = "files"
    ) -> None:
        """Draw, if it is time."""
        now = time.monotonic()
        if self._quiet or now - self._drawn < (_DRAW_SECONDS if self._bar else _LINES_SECONDS):
            return
        self._drawn = now
        if not self._bar:
            line = f"{done:,} of {total:,} {what}" + (f", {plain(reason)}" if reason else "")
            if line != self._last and now - self._started > _DRAW_SECONDS:
                print(line, file=self._stream, flush=True)
            self._last = line
            return
        filled = 24 * done // total if total else 0
        name = plain(os.path.basename(current[0])) if current else plain(reason)
        head = f"{'━' * filled}{'─' * (24 - filled)} {done:,} of {total:,} "
        line = head + cut(name, max(0, _columns(self._stream) - columns(head) - 1))
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line free for what comes."""
        if self._bar and not self._quiet and self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80
