"""A machine that slept is locked when it wakes: with clocks of the test, and with the system's own, moved."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import sleeping
from engine.asking import search
from engine.client import EngineGoneError, connect
from engine.engine import Engine
from engine.keeping import settings_get, settings_set
from engine.sleeping import Sleep
from engine.suggesting import suggestions
from generation import check
from vault.errors import LockedError, StrongroomError
from vault.keys import FLOOR

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase for tests"


class Clocks:
    """The two clocks, as a test moves them on."""

    def __init__(self) -> None:
        self.boot = self.awake = 1000.0

    def wait(self, seconds: float) -> None:
        self.boot += seconds
        self.awake += seconds

    def sleep(self, seconds: float) -> None:
        self.boot += seconds

    def watch(self) -> Sleep:
        return Sleep(lambda: self.boot, lambda: self.awake)


def test_only_what_the_one_clock_counts_and_the_other_does_not_is_sleep():
    clocks = Clocks()
    watch = clocks.watch()
    clocks.wait(86_400)
    assert watch.slept() == 0
    clocks.sleep(40)
    assert watch.slept() == 40
    assert watch.slept() == 0  # told once


def test_short_sleeps_add_up():
    clocks = Clocks()
    watch = clocks.watch()
    for _ in range(2):
        clocks.sleep(1.4)
        clocks.wait(300)
        assert watch.slept() == 0
    clocks.sleep(1.4)
    assert watch.slept() == pytest.approx(4.2)


def test_clocks_that_move_together_again_are_no_sleep():
    clocks = Clocks()
    watch = clocks.watch()
    clocks.sleep(-500)
    assert watch.slept() == 0
    clocks.sleep(10)
    assert watch.slept() == 10


def test_a_wait_between_the_two_readings_is_no_sleep():
    clocks = Clocks()
    waits = iter([0, 0, 9, 0, 9, 0])

    def boot() -> float:
        clocks.wait(next(waits, 0))  # as when the process had to wait after it read the one and before the other
        return clocks.boot

    watch = Sleep(boot, lambda: clocks.awake)
    assert watch.slept() == 0
    assert watch.slept() == 0


def test_the_systems_clocks_say_that_this_test_was_awake():
    watch = Sleep()
    time.sleep(0.05)
    assert watch.slept() == 0
    assert sleeping.boot_seconds() >= sleeping.awake_seconds() - 1


# --- the engine -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def engine(tmp_path, zygote, embedder, clocks):
    made = Engine(
        tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder,
        now=lambda: clocks.boot, sleep=clocks.watch(),
    )  # fmt: skip
    made.create(PASSPHRASE)
    yield made
    made.close()


def test_after_sleep_the_first_request_is_refused_and_the_passphrase_opens_it_again(engine, clocks):
    search(engine, "garage")
    clocks.sleep(30)
    with pytest.raises(LockedError, match="the machine was asleep"):
        search(engine, "garage")
    assert engine.status()["locked_by"] == "sleep"
    assert "folders" not in engine.status()
    with pytest.raises(LockedError):
        settings_get(engine)
    with pytest.raises(StrongroomError, match="the passphrase is wrong"):
        engine.unlock("another passphrase")
    engine.unlock(PASSPHRASE)
    search(engine, "garage")
    assert engine.status()["locked_by"] == ""
    assert not engine.ended.is_set()


def test_nobody_has_to_ask_for_it_to_lock(engine, clocks):
    """What is in memory of answers goes at once, not when somebody looks."""
    clocks.sleep(30)
    end = time.monotonic() + 300
    while not engine._page_locked:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["asleep", "unused"])
def test_what_was_made_of_documents_for_answers_goes_from_memory_when_it_locks_by_itself(engine, clocks, tmp_path, way):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "garage.txt").write_text("The rent of the garage in Mill Lane is 85 pounds a month.\n")
    engine.folders_add(str(tmp_path / "papers"))
    engine.wait(seconds=60)
    check.check("The rent is 85 pounds.", engine.opened().index.search("rent of the garage"))
    suggestions(engine)
    assert check._held.cache_info().currsize
    assert engine.answering.suggested[0] is not None
    clocks.sleep(30) if way == "asleep" else clocks.wait(3600)
    end = time.monotonic() + 30
    while check._held.cache_info().currsize or engine.answering.suggested != (None, ()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert engine.status()["idle_locked"]


def test_sleep_ends_the_engine_where_locking_does(engine, clocks):
    settings_set(engine, "lock_ends_engine", value=True)
    clocks.sleep(30)
    assert engine.ended.wait(300)


def test_sleep_is_slept_through_where_the_user_wants_that_but_counts_as_time_without_use(engine, clocks):
    settings_set(engine, "lock_on_sleep", value="no")
    clocks.sleep(60)
    search(engine, "garage")
    settings_set(engine, "auto_lock_minutes", value=5)
    clocks.sleep(6 * 60)
    with pytest.raises(LockedError, match="not used for a while"):
        search(engine, "garage")
    engine.unlock(PASSPHRASE)
    settings_set(engine, "auto_lock_minutes", value=0)
    settings_set(engine, "lock_on_sleep", value="yes")
    clocks.sleep(60)
    with pytest.raises(LockedError, match="asleep"):
        search(engine, "garage")


def test_who_unlocks_right_after_the_sleep_is_not_locked_out_again(engine, clocks):
    clocks.sleep(30)
    engine.unlock(PASSPHRASE)
    search(engine, "garage")
    engine.lock(mode="page")
    assert engine.status()["locked_by"] == "hand"
    clocks.sleep(30)
    engine.unlock(PASSPHRASE)
    search(engine, "garage")


def test_whoever_waits_for_the_files_hears_no_name_after_the_lock(engine, clocks, monkeypatch):
    to_do = iter([1, 1, 1, 0])
    pipeline = engine.opened().pipeline
    monkeypatch.setattr(pipeline, "to_do", lambda: next(to_do))
    pipeline.progress.current["read-0"] = "a name"
    heard = []

    def hear(_, told):
        heard.append(told["current"])
        if len(heard) == 2:
            clocks.sleep(30)
            engine.status()

    engine.wait(seconds=60, notify=hear)
    assert heard == [["a name"], ["a name"], [], []]


# --- the system's own clocks ----------------------------------------------------------------------------------------

_CLOCKS_OF_ONES_OWN = """
import ctypes, os
from engine.sleeping import Sleep
NEW_TIME, NEW_USER = 0x80, 0x10000000
libc = ctypes.CDLL(None, use_errno=True)
watch = Sleep()
assert watch.slept() == 0
if libc.unshare(NEW_TIME) and libc.unshare(NEW_USER | NEW_TIME):
    raise SystemExit(77)
with open("/proc/self/timens_offsets", "w") as offsets:
    offsets.write("boottime 7200 0")
if libc.setns(os.open("/proc/self/ns/time_for_children", os.O_RDONLY), NEW_TIME):
    raise SystemExit(77)
assert 7199 < watch.slept() < 7300
assert watch.slept() == 0
print("moved")
"""

_JUMP = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
/* CLOCK_BOOTTIME ahead by as many seconds as the file has bytes. */
int clock_gettime(clockid_t id, struct timespec *now) {
    static const char *path;
    struct stat status;
    long failed = syscall(SYS_clock_gettime, id, now);
    if (!path) path = getenv("AHEAD");
    if (!failed && id == CLOCK_BOOTTIME && path && !stat(path, &status)) now->tv_sec += status.st_size;
    return failed;
}
"""
_LAUNCH = """
import sys
from pathlib import Path
from engine.launcher import launch
launch(Path(sys.argv[1]), Path(sys.argv[2]), page=False, on_ready=lambda url: print("ready", flush=True))
"""


def test_the_systems_clock_is_read_and_its_jump_is_noticed(jump, tmp_path):
    """In a time namespace of its own, where CLOCK_BOOTTIME really moves; where the system makes none, by a library that
    answers in the system's place."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _CLOCKS_OF_ONES_OWN], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 77:
        assert done.stdout == "moved\n", done.stderr
        return
    ahead = tmp_path / "ahead"
    ahead.touch()
    moved = "import os, sys; from engine.sleeping import Sleep; s = Sleep(); os.truncate(sys.argv[1], 7200)"
    subprocess.run(
        [sys.executable, "-c", f"{moved}; assert s.slept() > 7000", str(ahead)],
        env={**environment, "LD_PRELOAD": str(jump), "AHEAD": str(ahead)},
        check=True,
    )


@pytest.fixture(scope="module")
def jump(tmp_path_factory) -> Path:
    """A library that moves a program's CLOCK_BOOTTIME."""
    folder = tmp_path_factory.mktemp("jump")
    (folder / "jump.c").write_text(_JUMP)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "jump.so", folder / "jump.c"], check=True)
    return folder / "jump.so"


@pytest.fixture
def launched(tmp_path, jump):
    (tmp_path / "ahead").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(tmp_path / "vault"), str(tmp_path / "state")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(jump), "AHEAD": str(tmp_path / "ahead")},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    process.stdout.close()


def test_the_launched_program_locks_when_the_clock_of_the_machine_jumps(launched, tmp_path):
    def call(method, **params):
        with connect(tmp_path / "vault", tmp_path / "state") as client:
            return client.call(method, **params)

    def sleep(seconds: int) -> None:
        os.truncate(tmp_path / "ahead", (tmp_path / "ahead").stat().st_size + seconds)

    call("create", passphrase=PASSPHRASE)
    call("search", query="garage")
    sleep(20)
    with pytest.raises(LockedError, match="asleep"):
        call("search", query="garage")
    assert call("unlock", passphrase=PASSPHRASE)["state"] == "open"
    call("settings.set", key="lock_on_sleep", value=False)
    sleep(20)
    call("search", query="garage")
    call("settings.set", key="lock_on_sleep", value=True)
    call("settings.set", key="lock_ends_engine", value=True)
    engine = int(Path(f"/proc/{launched.pid}/task/{launched.pid}/children").read_text().split()[1])
    sleep(20)
    end = time.monotonic() + 300
    while Path(f"/proc/{engine}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    state = ""
    while state != "locked":
        assert time.monotonic() < end
        with contextlib.suppress(EngineGoneError, AttributeError):
            state = call("status")["state"]
        time.sleep(0.05)
