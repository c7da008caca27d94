"""The tests are held to fail: each promise is broken in a copy of the code, and the test named for it must notice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build")
PASSED, FAILED = 0, 1
"""pytest's exit codes; a module that cannot even be imported has another"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The whole project once more, with the public files beside it where they are here."""
    place = tmp_path_factory.mktemp("mutants")
    shutil.copytree(ROOT, place / "main", ignore=LEFT_OUT, symlinks=True)
    if (ROOT.parent / "shared").is_dir():
        (place / "shared").symlink_to(ROOT.parent / "shared")
    return place / "main"


def run(copy, test):
    """Run one test in the copy; return what pytest's exit code was, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout[-2000:]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_promise_that_is_broken_on_purpose_makes_its_test_fail(copy, mutant, size):
    code = (ROOT / mutant.file).read_text()
    assert code.count(mutant.before) == 1, f"{mutant.file} has changed: mend the mutant"
    name, _, case = mutant.test.partition("::")
    assert case.partition("[")[0] in (ROOT / name).read_text()
    if not size(False, True):
        return
    assert run(copy, mutant.test)[0] == PASSED  # it is the change that makes it fail
    changed = copy / mutant.file
    changed.write_text(code.replace(mutant.before, mutant.after))
    try:
        outcome, said = run(copy, mutant.test)
    finally:
        changed.write_text(code)
    assert outcome == FAILED, said


def test_the_list_of_what_was_broken_is_in_the_documentation(size, result):
    rows = [f"| {each.breaks} | `{each.file}` | `{each.test}` |" for each in MUTANTS]
    table = "\n".join(["| what no longer holds | changed in | noticed by |", "| --- | --- | --- |", *rows])
    assert table in (ROOT / "docs/broken-on-purpose.md").read_text()
    if size(False, True):
        result("broken promises", f"{len(MUTANTS)} changes of the code, each noticed by the test that is named for it")
