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
        breaks="what was acknowledged survives a power cut",
        file="vault/store.py",
        before='("synchronous", "FULL", 2)',
        after='("synchronous", "OFF", 0)',
        test="tests/vault/test_vault.py::test_the_promised_pragmas_are_on",
    ),
]
