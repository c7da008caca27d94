"""`strongroom model` and `strongroom history`, and asking with a model, run as a person runs them."""

import hashlib
import importlib.util
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 400  # for a command on a machine that is busy: random weights go on to the last token they may write
RENT = "The rent of the boat house is 140 pounds a month.\n"


class Person:
    def __init__(self, home: Path):
        self.home = home
        self.secret = home / "passphrase"
        self.secret.write_text("eleven herons over the weir\n")
        self.secret.chmod(0o600)

    def environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept, "HOME": str(self.home), "STRONGROOM_PASSPHRASE_FILE": str(self.secret), "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
        }  # fmt: skip

    def run(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "ui.command", *map(str, words)], capture_output=True, cwd=self.home, text=True,
            env=self.environment(), timeout=SECONDS, check=False, start_new_session=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ok(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("tiny_gguf", ROOT / "tests" / "tiny_gguf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(tmp_path_factory.mktemp("model") / "tiny.gguf", context=2048)


@pytest.fixture(scope="module")
def person(tmp_path_factory, tiny):
    ada = Person(tmp_path_factory.mktemp("home"))
    (ada.home / "papers").mkdir()
    (ada.home / "papers" / "boat.txt").write_text(RENT)
    ada.ok("init")
    ada.ok("add", "papers", "--wait")
    ada.added = ada.ok("model", "add", tiny)
    return ada


def test_adding_a_model_shows_what_it_is_and_its_sha256(person, tiny):
    assert hashlib.sha256(tiny.read_bytes()).hexdigest() in person.added
    header, row = person.added.splitlines()[:2]
    assert header.split() == ["name", "size", "quantisation", "licence", "context", "memory"]
    assert row.split()[:2] == ["*", "Tiny"]
    assert "apache-2.0" in row
    # The tests' llama.cpp computes on processors alone, and says so.
    assert "graphics card: the installed llama.cpp is not built for one" in person.added


def test_the_graphics_card_is_a_setting_of_its_own(person):
    assert json.loads(person.ok("model", "--json"))["gpu"]["chosen"] is False
    person.ok("settings", "model-gpu", "yes")
    assert json.loads(person.ok("model", "--json"))["gpu"]["chosen"] is True
    person.ok("settings", "model-gpu", "no")


def test_an_answer_with_a_model_that_talks_nonsense_shows_nothing_unsupported(person):
    told = person.ok("ask", "How much is the rent of the boat house?")
    # Random weights: either nothing of theirs stands and the papers' sentence does, or the model found no answer
    assert "140 pounds" in told
    assert "the passages cited do not say this" not in told
    assert "140 pounds a month. [1]" in person.ok("ask", "--mode", "extractive", "How much is the rent of the boat house?")


def test_a_model_is_put_aside_and_taken_up_again(person):
    assert "  Tiny" in person.ok("model", "use", "none")
    assert "* Tiny" in person.ok("model", "use", "tiny.gguf")
    done = person.run("model", "use", "other")
    assert (done.returncode, "no model is called 'other'" in done.stderr) == (1, True)
    done = person.run("model", "add")
    assert (done.returncode, "needs one FILE" in done.stderr) == (1, True)


def test_the_history_is_listed_searched_shown_exported_and_removed(person):
    person.ok("ask", "--mode", "extractive", "What does the boat house cost?")
    [line] = [each for each in person.ok("history", "search", "boat", "cost").splitlines() if "cost?" in each]
    name = line.split()[0]
    assert RENT.strip() in person.ok("history", "show", name)
    told = person.ok("history", "export", name, "--format", "text")
    assert f"[1] {person.home}/papers/boat.txt" in told
    assert f'"{RENT.strip()}"' in told
    assert person.ok("history", "export", name).startswith("## What does the boat house cost?")
    person.ok("history", "remove", name)
    assert person.run("history", "show", name).returncode == 1
    assert "cost?" not in person.ok("history")


def test_ctrl_c_stops_the_answer_and_not_the_command(person):
    """It reaches every process of the command: the model's must not die of it."""
    controller, terminal = pty.openpty()

    child = subprocess.Popen(
        [sys.executable, "-m", "ui.command", "ask", "How much is the rent of the boat house?"], stdin=terminal,
        stdout=terminal, stderr=terminal, cwd=person.home, env=person.environment(), start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    screen, pressed, until = b"", False, time.monotonic() + SECONDS
    while time.monotonic() < until:
        if select.select([controller], [], [], 0.1)[0]:
            try:
                block = os.read(controller, 65536)
            except OSError:
                break
            screen += block
        if not pressed and (b"loading the model" in screen or b"reading " in screen):
            os.killpg(child.pid, signal.SIGINT)  # as a terminal does: all of them
            pressed = True
    os.close(controller)
    code = child.wait(timeout=20)
    assert pressed, screen
    assert b"stopping the answer" in screen
    assert code == 0, (code, screen)  # the first one ends the answer only
