"""What the engines would reach, start and write without the lock, once Strongroom has prepared them: nothing."""

import pytest

from bench import calls
from tests.card import tiny_models

NOTHING = f"{0:>9}{0:>10}{'0 of 0':>10}  none"


@pytest.mark.parametrize("package", calls.CODE)
def test_as_it_is_prepared_here_it_reaches_starts_and_writes_nothing(package, tmp_path):
    folder = tiny_models.make(tmp_path / "tiny", more_words=calls.SENTENCE)
    assert calls.told(calls.traced(calls.CODE[package]["as Strongroom prepares it"], str(folder))) == NOTHING


def test_what_is_reached_started_and_written_is_counted(tmp_path):
    code = f"""
import contextlib, os, socket, subprocess
with contextlib.suppress(OSError):
    socket.create_connection(("127.0.0.1", 9), timeout=1)
subprocess.run(["true"])
open({str(tmp_path / "left")!r}, "w").close()
"""
    addresses, look_ups, programs, _of, tried, name = calls.told(calls.traced(code, "")).split()
    assert (int(addresses), int(look_ups), int(programs), name) == (1, 0, 1, str(tmp_path / "left"))
    assert int(tried) >= 1
