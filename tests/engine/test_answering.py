"""What is in memory while questions are answered, and what of it a lock ends."""

import threading

import pytest

from engine.answering import Answering
from vault.errors import LockedError


class Loaded:
    """A model's process, as far as it is asked for here."""

    used = float("inf")
    alive = True

    def close(self):
        self.alive = False


def test_a_model_that_was_being_loaded_when_the_vault_was_locked_does_not_stay():
    answering = Answering()
    begun, locked = threading.Event(), threading.Event()
    made = Loaded()

    def load():
        begun.set()
        locked.wait(10)
        return made

    def lock():
        begun.wait(10)
        answering.close()
        locked.set()

    locking = threading.Thread(target=lock)
    locking.start()
    with pytest.raises(LockedError):
        answering.writer("ab", load)
    locking.join()
    assert not made.alive
    assert not answering.holds("ab")
