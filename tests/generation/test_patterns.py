"""No pattern that meets a document's or a model's words takes for ever on some of them.

What a worker reads it may spend its processor seconds on; here the engine itself would stand still.
"""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("generation", "retrieval", "engine", "ui")
LENGTH = 1_500  # characters, more than a passage has
PIECES = ("K", "1", "a.", "a-", "A1", "1,", "1.", "1 ", " ", "\n", "a ", "A ", '"', "'", "(", "[", "£1 ", "x@", "a@b.", "é", "K é")
ENDS = ("", "é", "!", "\x00", "稁", "@")


def _patterns() -> list[tuple[str, str]]:
    found = []
    for package in PACKAGES:
        for each in pkgutil.iter_modules([str(ROOT / package)]):
            if f"{package}.{each.name}" in ("ui.page", "ui.command"):  # they run
                continue
            module = importlib.import_module(f"{package}.{each.name}")
            found += [
                (module.__name__, name)
                for name, value in vars(module).items()
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
            ]
    return sorted(set(found))


@pytest.mark.parametrize("words", ["K" * 26 + "é", "K" * 100_000 + "稁"])
def test_a_long_word_with_a_letter_of_another_script_is_read_at_once(words):
    from generation import held

    assert held._CODE.search(words) is None


def test_every_pattern_ends_on_long_monotonous_texts():
    script = f"""
import importlib, sys, time
for module, name in {_patterns()!r}:
    pattern = getattr(importlib.import_module(module), name)
    for piece in {PIECES!r}:
        for end in {ENDS!r}:
            text = (piece * {LENGTH})[:{LENGTH}] + end
            print(module, name, repr(piece), repr(end), flush=True)
            began = time.process_time()
            for _ in pattern.finditer(text):
                pass
            pattern.match(text), pattern.fullmatch(text)
            assert time.process_time() - began < 5, "took seconds"
"""
    try:
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    except subprocess.TimeoutExpired as stuck:
        pytest.fail(f"stuck at {(stuck.stdout or b'').decode().splitlines()[-1]}")
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]} {done.stderr[-300:]}"
