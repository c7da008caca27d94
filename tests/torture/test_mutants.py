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
FAILED, INTERRUPTED = 1, 2
"""pytest's exit codes for a failed test, and for one whose modules could not even be imported"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The whole project once more, with the public files beside it where they are here."""
    place = tmp_path_factory.mktemp("mutants")
    shutil.copytree(ROOT, place / "main", ignore=LEFT_OUT, symlinks=True)
    if (ROOT.parent / "shared").is_dir():
        (place / "shared").symlink_to(ROOT.parent / "shared")
    return place / "main"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_promise_that_is_broken_on_purpose_makes_its_test_fail(copy, mutant, size):
    code = (ROOT / mutant.file).read_text()
    assert code.count(mutant.before) == 1, f"{mutant.file} has changed: mend the mutant"
    name, _, case = mutant.test.partition("::")
    assert case.partition("[")[0] in (ROOT / name).read_text()
    if not size(False, True):
        return
    changed = copy / mutant.file
    changed.write_text(code.replace(mutant.before, mutant.after))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant.test],
            cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
    finally:
        changed.write_text(code)
    assert done.returncode == FAILED, done.stdout[-2000:]


def test_what_broke_is_listed(size, result):
    if size(False, True):
        result("mutants", f"{len(MUTANTS)} changes that break a promise, each with the test that has to notice it")
