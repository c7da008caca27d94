"""What takes bytes that others wrote, against bytes that nobody would write.

In the suite: each input that was ever found to be wrong, and some hundred damaged ones for each target. In the long form:
coverage-guided fuzzing of each, by atheris, in a process of its own; `pip install atheris==3.0.0` has to come before.
"""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture import targets
from tests.torture.mutate_bytes import BYTES
from tests.torture.mutate_text import MAIL, MARKUP, RTF, TEXT

FOUND = Path(__file__).parent / "found"
ROOT = Path(__file__).parents[2]
SEED = 20261122
RUNS, SECONDS = 20_000, 60  # of each target in the long form, whichever comes first
_LARGEST = 1 << 14  # bytes of an input that is damaged
_LONGEST = 1 << 16  # bytes of one that coverage leads: Outlook's and old Office's smallest files have 20 KiB


def damaged(name, inputs, number):
    """Input `number` for a target: a sound one, damaged."""
    chance = random.Random(f"{SEED}/{name}/{number}")
    data = chance.choice(inputs)
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice((*BYTES, *TEXT, *MARKUP, *RTF, *MAIL))(chance, data, chance.choice(inputs))[
            : 64 * _LARGEST
        ]
    return data


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_damage_ends_in_a_record_or_a_reason(name, shared_data):
    target, _ = targets.TARGETS[name]
    inputs = targets.sound_inputs(name, shared_data, 8, _LARGEST)
    assert inputs
    for each in inputs:
        target(each)
    for number in range(25):
        data = damaged(name, inputs, number)
        try:
            target(data)
        except BaseException:
            print(f"{name}: input {number} of seed {SEED}, {len(data)} bytes")
            raise


@pytest.mark.parametrize("path", sorted(FOUND.iterdir()), ids=lambda path: path.name)
def test_what_was_once_found_is_mended(path):
    """A file's name is the target's, `--`, and what was wrong."""
    target, _ = targets.TARGETS[path.name.partition("--")[0].replace("_", " ")]
    target(path.read_bytes())


def test_a_target_notices_what_must_not_be(monkeypatch):
    class Odd:
        @staticmethod
        def parse(file, name, context):
            match file.read():
                case b"surprised":
                    raise targets.UnreadableError("damaged: KeyError: 'x'")
                case b"error":
                    raise KeyError("x")
                case b"order":
                    blocks = (targets.chunk.Block(1, 2), targets.chunk.Block(0, 1))
                    yield targets.Document("a" * 64, "note", "", "ab", blocks)
                case b"none":
                    yield targets.registry.Problem("", "")
                case b"refused":
                    raise targets.UnreadableError("needs a password")

    monkeypatch.setattr(targets.importlib, "import_module", lambda _: Odd)
    target = targets.parsed("odd", "x")
    for data in (b"surprised", b"error", b"order", b"none"):
        with pytest.raises((AssertionError, KeyError, targets.wire.InvalidRecordError)):
            target(data)
    target(b"refused")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "artifacts").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_coverage_leads_to_nothing_wrong(name, shared_data, folder, size, request):
    if not size(0, 1):
        return  # the short form is above: what it takes has been made by damage alone
    for number, each in enumerate(targets.sound_inputs(name, shared_data, 60, _LONGEST)):
        (folder / "corpus" / f"{number:04}").write_bytes(each)
    options = [f"-runs={RUNS}", f"-max_total_time={SECONDS}", f"-seed={SEED}", f"-max_len={_LONGEST}"]
    options += ["-timeout=60", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={folder}/artifacts/", "-print_final_stats=1", "-verbosity=1"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.fuzz", name, str(folder / "corpus"), *options],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False,
    )  # fmt: skip
    told = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)
    ran = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    units = sorted((folder / "artifacts").iterdir())
    for each in units:
        print(f"{name}: {each.name}: {each.read_bytes()[:4000]!r}")
    request.config.stash.setdefault(_TALLY, {})[name] = (int(ran[-1]) if ran else 0, int(told[-1][0]) if told else 0, len(units))
    assert told and ran, done.stderr[-3000:]
    assert done.returncode == 0, done.stderr[-6000:]
    assert not units


_TALLY = pytest.StashKey()


def test_the_fuzzing_is_told(size, result, request):
    if not size(0, 1):
        return
    tally = request.config.stash.get(_TALLY, {})
    runs, reached, wrong = (sum(each[part] for each in tally.values()) for part in range(3))
    result(
        "coverage-guided fuzzing",
        f"{runs:,} inputs for {len(tally)} targets, by atheris 3.0.0 (seed {SEED}), {reached:,} edges reached in all: {wrong} wrong",
    )
    assert len(tally) == len(targets.TARGETS)
