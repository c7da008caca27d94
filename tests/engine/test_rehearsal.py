"""A throwaway Strongroom that leaks: `verify` says so, and where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import rehearsal
from engine.canaries import PLACES, Searched

ROOT = Path(__file__).parents[2]

# In a process of its own, because the launcher forks: an engine that writes down what it is asked, in its state folder,
# where the lock lets it, and a purge that leaves the paper.
LEAKING = """
import json, sys
from pathlib import Path
from engine import asking, erasing, methods, rehearsal
from vault import purge
def ask(engine, question, **more):
    (engine.state / "questions.log").open("a").write(question)
    return asking.ask(engine, question, **more)
methods.METHODS["ask"] = ask
def kept(engine, names, *, confirm=False):
    return {"confirmed": True, "checks": []}
methods.METHODS["purge"] = kept
methods.METHODS["shred"] = lambda engine, **more: {"stage": "none"}
folder = Path(sys.argv[1])
print(json.dumps([each.to_json() for each in rehearsal.rehearse(folder, [])]))
"""


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaking")
    done = subprocess.run(
        [sys.executable, "-c", LEAKING, str(folder)], capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {each["id"]: each for each in json.loads(done.stdout)}


def test_words_that_an_engine_wrote_down_are_found(leaking):
    for moment in ("kill", "lock"):
        row = leaking[f"canaries.{moment}"]
        assert row["result"] == "not held"
        assert "question in " in row["found"]
        assert "questions.log" in row["found"]


def test_a_purge_that_only_says_so_is_found_out(leaking):
    assert leaking["purge.shredded"]["result"] == "not held"
    assert leaking["purge.found"]["result"] == "not held"
    assert leaking["purge.pages"]["result"] == "not held"


def test_all_the_rest_of_it_is_held(leaking):
    broken = ("canaries.kill", "canaries.lock", "purge.found", "purge.pages", "purge.shredded")
    rest = {name: each["result"] for name, each in leaking.items() if name not in broken}
    assert {
        "processes.inside", "processes.outside", "processes.memory", "unlock.wrong", "crash.survives", "lock.ends",
        "tamper.bits", "tamper.older",
    } == set(rest)  # fmt: skip
    rest.pop("processes.memory")  # as root nothing is refused
    assert set(rest.values()) == {"held"}, rest


def searched(hits=(), *, whole=True):
    return Searched(3, 1000, tuple(hits), whole)


def test_a_search_that_finds_nothing_anywhere_proves_nothing():
    control = searched([f"{place} in x" for place in PLACES if place not in ("question", "passphrase")])
    assert rehearsal._canaries("c", "locked", searched(), control).result == "held"
    assert rehearsal._canaries("c", "locked", searched(), searched()).result == "unknown"
    assert rehearsal._canaries("c", "locked", searched(whole=False), control).result == "unknown"
    assert rehearsal._canaries("c", "locked", searched(["text in y"]), searched()).result == "not held"


def test_a_strongroom_that_does_not_start_says_why(tmp_path, monkeypatch):
    from engine import launcher
    from vault.errors import StrongroomError

    def refused(*_args, **_more):
        raise StrongroomError("the kernel refused the lock")

    monkeypatch.setattr(launcher, "launch", refused)
    with pytest.raises(StrongroomError, match="did not start: the kernel refused the lock"):
        rehearsal.rehearse(tmp_path, [])


def test_what_can_be_read_of_another_process_is_told():
    if os.geteuid() == 0:
        assert rehearsal._memory(os.getpid()).result == "unknown"
    else:
        assert rehearsal._memory(os.getpid()).result == "not held"  # its own


def test_an_engine_that_takes_any_passphrase_is_told():
    class Open:
        def call(self, _method, **_params):
            return {}

    assert rehearsal._wrong(Open()).result == "not held"
