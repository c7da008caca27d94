"""What is concluded from figures of exact search and others; and that exact search's are measured."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.vector_index import conclusions, crossed, made, rounded

ROOT = Path(__file__).resolve().parents[2]


def test_the_size_from_which_another_is_faster_lies_between_two_that_were_measured():
    exact = {10_000: 1.0, 100_000: 10.0, 1_000_000: 100.0}
    assert crossed(exact, dict.fromkeys(exact, 10**1.5)) == pytest.approx(10**5.5, rel=0.01)
    assert crossed(exact, dict.fromkeys(exact, 0.5)) == 10_000  # it was faster at the smallest already
    assert crossed(exact, dict.fromkeys(exact, 500.0)) == 0
    assert crossed(exact, {10_000: 0.5, 100_000: 20.0, 1_000_000: 200.0}) == 0  # not where it is slower above


def test_exact_search_suffices_up_to_what_a_whole_search_may_take():
    row = {"load": 1.0, "here": 150.0, "recall 10": 1.0, "some": 2.0, "all": 0.5}
    told = list(conclusions({"exact": {100_000: {**row, "query": 10.0}}, "chroma": {100_000: {**row, "query": 5.0}}}))
    assert told[0] == "exact search: 10.0 ms and 150 MB"
    assert told[1].endswith("at 500,000 vectors, by the growth that was measured")
    assert told[2] == "from the database, of 100,000: 256 vectors in 2.0 ms, all of them in 0.50 s"
    assert "answers sooner from about 100,000 vectors on" in told[3]
    assert told[-1].startswith("to move, from about 500,000 vectors on")


def test_the_vectors_are_what_a_vault_holds():
    vectors = made(300, 2)
    assert (vectors == made(300, 2)).all()
    assert (vectors == vectors.astype("<f2")).all()
    assert abs((vectors**2).sum(axis=1) - 1).max() < 0.01


def test_it_measures_and_draws(tmp_path):
    words = ["300", "--only", "exact", "--plot", tmp_path / "drawn.svg"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.vector_index", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    row = done.stdout.splitlines()[1].split()
    assert row[:2] == ["300", "exact"]
    assert row[7] == "1.000"
    assert "<svg" in (tmp_path / "drawn.svg").read_text()
    assert rounded(333_333) == "330,000"
