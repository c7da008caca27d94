"""Wrong passphrases slow down."""

import json
import time

import pytest

from vault import attempts
from vault.failures import TooManyAttemptsError


def test_the_wait_doubles_up_to_a_minute():
    assert [attempts.delay_seconds(n) for n in range(10)] == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60]


def test_three_are_free_the_fourth_waits_and_waiting_does_not_count(tmp_path):
    path = tmp_path / "attempts"
    for _ in range(3):
        attempts.begin(path)
    for _ in range(5):
        with pytest.raises(TooManyAttemptsError, match="wait 2 s"):
            attempts.begin(path)
    late = json.loads(path.read_text()) | {"last": time.time() - 2}
    path.write_text(json.dumps(late))
    attempts.begin(path)
    with pytest.raises(TooManyAttemptsError, match="4 wrong passphrases in a row: wait 4 s"):
        attempts.begin(path)


def test_a_success_forgets_them(tmp_path):
    path = tmp_path / "attempts"
    for _ in range(3):
        attempts.begin(path)
    attempts.succeeded(path)
    attempts.succeeded(path)
    attempts.begin(path)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"failed": "x"}', '{"failed": 9, "last": 9e99}', "\xff", '{"failed": 1e999}']
)
def test_a_damaged_count_or_a_clock_that_was_set_back_locks_no_one_out(tmp_path, content):
    path = tmp_path / "attempts"
    path.write_bytes(content.encode("latin-1"))
    attempts.begin(path)
