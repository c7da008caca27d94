"""Shared fixtures."""

import signal
from pathlib import Path

import pytest

# A shell that starts this in the background has interrupts ignored, here and in every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the tests of tests/torture in their long form")
    parser.addoption("--record", action="store_true", help="and what they found, dated, into docs/threat-model.md")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public files, beside the checkout; what it holds is listed in its README."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the public files, which are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def zygote():
    """The process that forks parse workers, as every engine has one.

    Forked before anything heavy is in this process: a worker's limit on address space counts what it was born with.
    """
    from engine.zygote import Zygote

    started = Zygote.start()
    yield started
    started.close()


@pytest.fixture(scope="session")
def embedder():
    """The embedding model, loaded once."""
    from retrieval.embed import Embedder

    return Embedder()
