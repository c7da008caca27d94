"""What there is only while questions are answered: answers that can be cancelled."""

import contextlib
import threading
from collections.abc import Iterator

from vault.errors import StrongroomError

_MOST_TICKETS = 64  # answers being made at once; more are a mistake in the caller
_LONGEST_TICKET = 100  # characters


class Answering:
    """What the engine has in memory for answers under way. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, threading.Event] = {}
        self.suggested: tuple[object, tuple[str, ...]] = (None, ())
        """questions to begin with, and for which documents they were made"""

    @contextlib.contextmanager
    def ticket(self, name: str | None) -> Iterator[threading.Event]:
        """An event that is set when whoever has the ticket cancels."""
        stop = threading.Event()
        if name is None:
            yield stop
            return
        with self._lock:
            if not name or len(name) > _LONGEST_TICKET or name in self._tickets or len(self._tickets) >= _MOST_TICKETS:
                raise StrongroomError("the ticket is in use, or is none", "a ticket is a new random word")
            self._tickets[name] = stop
        try:
            yield stop
        finally:
            with self._lock:
                del self._tickets[name]

    def cancel(self, name: str) -> None:
        """Stop the answer of this ticket; nothing happens where it is made already."""
        with self._lock:
            if stop := self._tickets.get(name):
                stop.set()

    def forget(self, conversation: str) -> None:
        """Drop what is in memory of a conversation."""

    def close(self) -> None:
        """Cancel everything: the vault is being locked."""
        with self._lock:
            for stop in self._tickets.values():
                stop.set()
