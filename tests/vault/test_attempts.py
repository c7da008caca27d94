"""Wrong passphrases slow down."""

import json
import os
from dataclasses import dataclass

import pytest

from vault import attempts, keys
from vault.attempts import Clock
from vault.failures import TooManyAttemptsError, WrongPassphraseError


@dataclass
class Times:
    """What a test's clocks say."""

    day: float = 1_000_000.0
    up: float = 500.0
    boot: str = "this run"

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.day, lambda: self.up, lambda: self.boot)

    def wait(self, seconds):
        self.day += seconds
        self.up += seconds


@pytest.fixture
def times():
    return Times()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "attempts"


def fail(path, times, count):
    for _ in range(count):
        times.wait(60)
        attempts.begin(path, times.clock)


def test_the_wait_doubles_up_to_a_minute():
    assert [attempts.delay_seconds(n) for n in range(10)] == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60]


def test_three_are_free_the_fourth_waits_and_waiting_does_not_count(path, times):
    for _ in range(3):
        attempts.begin(path, times.clock)
    for _ in range(5):
        with pytest.raises(TooManyAttemptsError, match="wait 2 s"):
            attempts.begin(path, times.clock)
    times.wait(1.9)
    with pytest.raises(TooManyAttemptsError, match="wait 1 s"):
        attempts.begin(path, times.clock)
    times.wait(0.1)
    attempts.begin(path, times.clock)
    with pytest.raises(TooManyAttemptsError, match="4 wrong passphrases in a row: wait 4 s"):
        attempts.begin(path, times.clock)


def test_a_success_forgets_them(path):
    for _ in range(3):
        attempts.begin(path)
    attempts.succeeded(path)
    attempts.succeeded(path)
    attempts.begin(path)


def test_the_systems_own_clock_slows_down_too(path):
    for _ in range(3):
        attempts.begin(path)
    with pytest.raises(TooManyAttemptsError, match="wait 2 s"):
        attempts.begin(path)
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"up": told["up"] - 2}))
    attempts.begin(path)


@pytest.mark.parametrize("seconds", [-3600, -1, 30, 86_400 * 365])
def test_setting_the_time_of_day_changes_nothing(path, times, seconds):
    fail(path, times, 8)
    times.day += seconds
    with pytest.raises(TooManyAttemptsError, match="wait 60 s"):
        attempts.begin(path, times.clock)
    times.day -= seconds
    times.wait(59)
    with pytest.raises(TooManyAttemptsError, match="wait 1 s"):
        attempts.begin(path, times.clock)
    times.wait(1)
    attempts.begin(path, times.clock)


def test_the_count_outlasts_the_machines_end(path, times):
    fail(path, times, 8)
    times.boot, times.up = "the next run", 3.0
    times.day += 20
    with pytest.raises(TooManyAttemptsError, match="wait 40 s"):
        attempts.begin(path, times.clock)
    times.wait(40)
    attempts.begin(path, times.clock)


def test_a_clock_that_went_back_while_the_machine_was_off_costs_one_wait_and_no_more(path, times):
    fail(path, times, 8)
    times.boot, times.up, times.day = "the next run", 3.0, 0.0
    for _ in range(2):
        with pytest.raises(TooManyAttemptsError, match="wait 60 s"):
            attempts.begin(path, times.clock)
    times.wait(60)
    attempts.begin(path, times.clock)


def test_where_the_system_names_no_run_the_time_of_day_counts(path, times):
    times.boot = ""
    fail(path, times, 8)
    times.up += 1000
    with pytest.raises(TooManyAttemptsError, match="wait 60 s"):
        attempts.begin(path, times.clock)
    times.day += 60
    attempts.begin(path, times.clock)


@pytest.mark.parametrize("content", ["", "[]", '{"failed": "x"}', "\xff", '{"failed": 1e999}', '{"failed": 9}'])
def test_a_damaged_count_locks_no_one_out(path, content):
    path.write_bytes(content.encode("latin-1"))
    attempts.begin(path)


@pytest.mark.parametrize(
    "content", ['{"failed": 9, "last": 9e99}', '{"failed": 9, "day": 9e99, "boot": "x", "up": 9e99}']
)
def test_a_count_from_the_future_costs_one_wait_and_no_more(path, times, content):
    path.write_text(content)
    with pytest.raises(TooManyAttemptsError, match="wait 60 s"):
        attempts.begin(path, times.clock)
    times.wait(60)
    attempts.begin(path, times.clock)


def test_what_an_earlier_version_counted_counts(path, times):
    path.write_text(json.dumps({"failed": 8, "last": times.day - 10}))
    with pytest.raises(TooManyAttemptsError, match="wait 50 s"):
        attempts.begin(path, times.clock)


def test_of_many_processes_at_once_three_get_through(path, in_child):
    def attempt():
        try:
            attempts.begin(path)
        except TooManyAttemptsError:
            return 1
        return 0

    for _ in range(3):
        path.unlink(missing_ok=True)
        ready, go = os.pipe()
        children = []
        for _ in range(12):
            if (pid := os.fork()) == 0:
                os.close(go)
                os.read(ready, 1)  # all begin when the test closes its end
                os._exit(attempt())
            children.append(pid)
        os.close(ready)
        os.close(go)
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        assert ended.count(0) == 3
        assert json.loads(path.read_text())["failed"] == 3
    assert in_child(attempt) == 1


def test_every_way_to_give_a_passphrase_counts_and_waits(place, monkeypatch, passphrase):
    """Opening, changing the passphrase, the recovery code, revoking, the keyring, restoring a backup: one count."""
    from retrieval import keyword
    from vault import backup, rekey

    derived = []
    real = keys.derive
    monkeypatch.setattr(keys, "derive", lambda *given: derived.append(given) or real(*given))
    vault = place.open()
    target = place.folder.parent / "backup"
    backup.backup(vault, target)
    new = "another passphrase"
    ways = {
        "passwd": lambda secret: rekey.change_passphrase(vault, secret, new, cost=keys.FLOOR),
        "recovery": lambda secret: rekey.new_recovery_code(vault, secret),
        "revoke": lambda secret: rekey.revoke(vault, secret, new, cost=keys.FLOOR),
        "keyring": lambda secret: rekey.keyring_on(vault, secret),
        "restore": lambda secret: backup.restore(
            target, place.folder.parent / "elsewhere", secret, place.state, remove_from_index=keyword.remove
        ),
    }
    for name, way in ways.items():
        attempts.succeeded(vault.state / "attempts")
        for _ in range(3):
            with pytest.raises(WrongPassphraseError):
                way("wrong passphrase")
        derived.clear()
        for other in ways.values():
            with pytest.raises(TooManyAttemptsError):
                other(passphrase)
        assert derived == [], name
    vault.close()
    with pytest.raises(TooManyAttemptsError):
        place.open(passphrase)
    assert derived == []
    place.open().close()  # the code needs no wait: nobody guesses 140 bits
