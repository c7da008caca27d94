"""Changes to the code that break a promise, each with a test that must fail when it is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`before` stands exactly once in `file`; with `after` in its place, `test` has to fail."""

    breaks: str
    file: str
    before: str
    after: str
    test: str


MUTANTS = [
    Mutant(
        breaks="the filter holds threads that are older than it",
        file="engine/seccomp.py",
        before="ctypes.byref(argument))\n    if result > 0:",
        after="ctypes.byref(argument)) * 0 + libc.prctl(22, 2, ctypes.byref(argument), 0, 0)\n    if result > 0:",
        test="tests/engine/test_lock.py",
    ),
]
