"""What documents say reaches the terminal as text, and what is typed is not shown."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.terminal import Keyboard, NoTerminalError, Progress, Style, columns, cut, plain, prose, say_json, wrapped

ROOT = Path(__file__).resolve().parents[2]
PLAIN = Style(colours=False)
LIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")

HOSTILE = [
    "\x1b]0;owned\x07",  # sets the window's title
    "\x1b[2J\x1b[H",  # clears the screen
    "\x9b31m",  # the same introducer as one byte
    "invoice\u202efdp.exe",  # turns the line around
    "over\rwritten",
    "back\x08\x08space",
    "\x1bP+q544e\x1b\\",  # asks the terminal to answer into the shell
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_escape_sequence_stays_live(text):
    assert not LIVE.search(plain(text))
    assert not LIVE.search(prose(text).replace("\n", ""))
    assert not LIVE.search(wrapped(text, [(0, 3)], style=PLAIN).replace("\n", ""))


@given(st.text())
def test_whatever_a_name_holds_it_is_one_harmless_line(text):
    shown = plain(text)
    assert not LIVE.search(shown)
    assert "\n" not in shown


@pytest.mark.parametrize("text", [*HOSTILE, "a\u2028b", "\ud800", "café"])
def test_json_is_ascii_so_that_nothing_of_a_document_acts_in_a_terminal(capsys, text):
    say_json({text: [text]})
    printed = capsys.readouterr().out
    assert printed.removesuffix("\n").isascii()
    assert printed.removesuffix("\n").isprintable()
    assert json.loads(printed) == {text: [text]}


@given(
    st.text(alphabet="ab \n\té漢\u0301", max_size=200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)))
)
def test_wrapping_keeps_every_word_and_fits(text, marks):
    lines = wrapped(text, marks, style=PLAIN, indent="  ").split("\n")
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert all(columns(line) <= 100 or " " not in line.strip() for line in lines)


def test_marked_words_are_bold_and_nothing_else_is():
    style = Style(colours=True)
    assert wrapped("the rent is due", [(4, 8)], style=style) == "the \x1b[1;33mrent\x1b[0m is due"
    assert wrapped("rents", [(0, 4)], style=style) == "\x1b[1;33mrent\x1b[0ms"


def test_cutting_counts_columns():
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"


def _typed(code, typed):
    """Run `code` on a terminal of its own and type; returns all that the terminal showed."""
    controller, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    shown = b""

    def read():
        nonlocal shown
        try:
            while block := os.read(controller, 4096):
                shown += block
                if shown.endswith(b": "):
                    os.write(controller, typed.pop(0) if typed else b"\x04")
        except OSError:  # the child has closed its end
            pass

    thread = threading.Thread(target=read)
    thread.start()
    code = child.wait(timeout=60)
    thread.join(timeout=10)
    os.close(controller)
    return code, shown.decode()


def test_a_secret_is_read_and_not_shown():
    code, shown = _typed(
        "from ui.terminal import Keyboard\nprint('read', len(Keyboard().secret('passphrase: ')))", [b"grundgesetz\n"]
    )
    assert code == 0
    assert "read 11" in shown
    assert "grundgesetz" not in shown


def test_a_line_is_read_and_shown():
    code, shown = _typed("from ui.terminal import Keyboard\nprint(repr(Keyboard().line('question: ')))", [b"why?\n"])
    assert code == 0
    assert "why?" in shown.split("'why?'")[0]


def test_without_a_terminal_nothing_is_waited_for():
    code = "from ui.terminal import Keyboard\nKeyboard().secret('x: ')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert NoTerminalError.__name__ in done.stderr


def test_progress_is_a_few_plain_lines_where_nobody_watches(monkeypatch):
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr("ui.terminal.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    progress = Progress(stream)
    for done in range(10):
        progress.heard("progress", {"files": 10, "to_do": 10 - done, "current": ["/a/\x1b[2Jb.txt"], "reason": ""})
    progress.end()
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 6
    assert all(re.fullmatch(r"\d of 10 files", line) for line in lines)


def test_the_bar_shows_names_harmlessly_and_leaves_the_line_free(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            raise OSError

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = Progress(stream)
    progress.heard("progress", {"files": 10, "to_do": 5, "current": ["/a/\x1b[2J\u202eb.txt"], "reason": ""})
    progress.end()
    shown = stream.getvalue()
    assert "5 of 10" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert shown.endswith("\r\x1b[K")


def test_the_keyboard_is_there_only_with_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError))
    assert not Keyboard()
