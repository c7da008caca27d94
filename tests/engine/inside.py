"""Run by test_lock.py in a process of its own: put on a lock, try to get out, say how that went.

Arguments: JSON with `profile` (empty: no lock), `escape`, `without` (lines of the filter to leave out), `old` (try it
also from a thread that was there before the lock), `writable`/`readable` (folders for Landlock, null: none), and what
the escape needs (see escapes.GIVEN). Prints a line for each try: `through`, or `refused ERRNO`.
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path

from engine import lock
from tests.engine import escapes

GIVEN = json.loads(sys.argv[1])


def leave_out(names):
    """Take these lines out of the filter, so that it shows that each of them is what refuses."""
    for name in names:
        for constant in ("_REFUSED", "_MISSING", "_ATTRIBUTES", "_NO_SOCKETS"):
            setattr(lock, constant, tuple(each for each in getattr(lock, constant) if each != name))
    original = lock._profile

    def profile(wanted):
        refused, rules = original(wanted)
        left = {name: rule for name, rule in rules.items() if name not in names}
        return tuple(each for each in refused if each not in names), left

    lock._profile = profile
    lock._probe_quickly = tuple  # it would notice


def main():
    escapes.GIVEN.update(GIVEN)
    orders, answers = queue.Queue(), queue.Queue()

    def older():
        orders.get()
        answers.put(escapes.attempt(GIVEN["escape"]))

    if GIVEN.get("writable") is not None:
        readable = GIVEN.get("readable")
        lock.limit_files(
            readable=None if readable is None else [Path(each) for each in readable],
            writable=[Path(each) for each in GIVEN["writable"]],
        )
    if GIVEN.get("old"):
        threading.Thread(target=older, daemon=True).start()
    leave_out(GIVEN.get("without", []))
    if GIVEN["profile"]:
        lock.lock(GIVEN["profile"], verify=False)
    print(escapes.attempt(GIVEN["escape"]), flush=True)
    if GIVEN.get("old"):
        orders.put(None)
        print(answers.get(), flush=True)
    os._exit(0)


main()
