"""Forking from the launcher: what reaches a child stays the child's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A process that hears signals through a pipe, as the launcher does, and whose children get one as soon as they exist.
FORK = """
import os, signal, sys
from engine import children
wake, wake_end = os.pipe()
for each in (wake, wake_end):
    os.set_blocking(each, False)
for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
    signal.signal(each, lambda *_: None)
signal.set_wakeup_fd(wake_end)
sent = signal.Signals[sys.argv[2]]
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), sent))
fork = {"child": lambda main: children.fork_child(main, keep=[]), "plainly": children.fork_plainly}[sys.argv[1]]
fork(lambda: os._exit(7))
_, status = os.waitpid(-1, 0)
heard = set(os.read(wake, 100)) - {signal.SIGCHLD}
assert not heard, f"heard here: {heard}"
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set(), "signals are still held back here"
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(
    ("how", "sent", "ended"),
    [
        ("child", "SIGTERM", "-15"),
        ("child", "SIGHUP", "-1"),
        ("child", "SIGINT", "7"),  # the launcher decides
        ("plainly", "SIGTERM", "-15"),
        ("plainly", "SIGINT", "-2"),
    ],
)
def test_a_signal_to_a_child_that_has_just_been_forked_is_not_heard_by_the_launcher(how, sent, ended):
    done = subprocess.run(
        [sys.executable, "-c", FORK, how, sent], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (ended, "")
