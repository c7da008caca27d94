"""What there is only while questions are answered: answers under way, what was said to a model, the model itself."""

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from vault.errors import LockedError, StrongroomError

if TYPE_CHECKING:
    from engine.writer import ModelWriter
    from generation.prompt import Dialogue

_MOST_TICKETS = 64  # answers being made at once; more are a mistake in the caller
_LONGEST_TICKET = 100  # characters
_MOST_DIALOGUES = 4  # conversations kept in memory; a model holds the evaluated prompt of the last one only
_LOOK_SECONDS = 2.0  # between two looks at whether the model is idle


class Answering:
    """What the engine has in memory for its answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, threading.Event] = {}
        self._dialogues: OrderedDict[str, tuple[Dialogue, threading.Lock]] = OrderedDict()
        self._making = threading.Lock()
        self._writer: tuple[str, ModelWriter] | None = None
        self._closings = 0
        self.idle_seconds = 600.0
        """without a question, until the model's process is ended; 0 never"""
        self.verified: dict[str, tuple[int, int, int, int]] = {}
        """of a model's SHA-256: device, inode, size and time of change of the file that was hashed to it"""
        self.suggested: tuple[object, tuple[str, ...]] = (None, ())
        """questions to begin with, and for which documents they were made"""

    # --- cancelling -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def ticket(self, name: str | None) -> Iterator[threading.Event]:
        """An event that is set when whoever has the ticket cancels, or the vault is locked."""
        stop = threading.Event()
        key = name if name is not None else f"\0{id(stop)}"
        with self._lock:
            if not key or len(key) > _LONGEST_TICKET or key in self._tickets or len(self._tickets) >= _MOST_TICKETS:
                raise StrongroomError("the ticket is in use, or is none", "a ticket is a new random word")
            self._tickets[key] = stop
        try:
            yield stop
        finally:
            with self._lock:
                del self._tickets[key]

    def cancel(self, name: str) -> None:
        """Stop the answer of this ticket; nothing happens where it is made already."""
        with self._lock:
            if stop := self._tickets.get(name):
                stop.set()

    # --- what was said ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def dialogue(self, conversation: str) -> Iterator["Dialogue"]:
        """What was said to a model in a conversation, for one question at a time; new where it was long ago."""
        from generation.prompt import Dialogue

        with self._lock:
            entry = self._dialogues.pop(conversation, None) or (Dialogue(), threading.Lock())
            self._dialogues[conversation] = entry
            while len(self._dialogues) > _MOST_DIALOGUES:
                self._dialogues.popitem(last=False)
        said, turn = entry
        with turn:
            yield said

    def forget(self, conversation: str) -> None:
        """Drop what is in memory of a conversation."""
        with self._lock:
            known = self._dialogues.pop(conversation, None)
        if known:
            self._end_writer()

    def forget_all(self) -> None:
        """Drop every conversation, and the model's process, which has read their passages: documents were purged."""
        with self._lock:
            self._dialogues.clear()
            self.suggested = (None, ())
        self._end_writer()

    # --- the model --------------------------------------------------------------------------------------------------

    def writer(self, sha256: str, make: Callable[[], "ModelWriter"]) -> "ModelWriter":
        """The model with this hash; made where it is not the one that is there. Raises what `make` raises, and
        LockedError where the vault was locked meanwhile."""
        with self._making:
            if self._writer and self._writer[0] == sha256:
                return self._writer[1]
            self._end_writer()
            closings = self._closings
            made = make()
            with self._lock:
                if in_time := closings == self._closings:
                    self._writer = (sha256, made)
            if not in_time:
                made.close()
                raise LockedError(
                    "the vault was locked while the model was being loaded", "`strongroom unlock` opens it"
                )
        threading.Thread(target=self._watch, args=(made,), name="model-idle", daemon=True).start()
        return made

    def holds(self, sha256: str) -> bool:
        """Whether this model's process is there, so that it needs no more memory."""
        kept = self._writer
        return kept is not None and kept[0] == sha256 and kept[1].alive

    def held(self) -> dict[str, Any] | None:
        """The lock report of the model's process, None where there is none."""
        kept = self._writer
        return kept[1].report if kept is not None and kept[1].alive else None

    def gpu(self) -> bool | None:
        """Whether the model is on a graphics card; None where none is loaded."""
        kept = self._writer
        ready = kept[1].ready if kept is not None and kept[1].alive else None
        return ready.gpu if ready else None

    def end(self, sha256: str | None = None) -> None:
        """End the model's process, if it is this one's; None: whichever it is, also one that is just being made."""
        if sha256 is None:
            with self._making:
                self._end_writer()
        elif self._writer and self._writer[0] == sha256:
            self._end_writer()

    def close(self) -> None:
        """Cancel everything and end the model's process: the vault is being locked."""
        with self._lock:
            for stop in self._tickets.values():
                stop.set()
            self._dialogues.clear()
            self._closings += 1
        self._end_writer()

    def _end_writer(self) -> None:
        with self._lock:
            kept, self._writer = self._writer, None
        if kept:
            kept[1].close()

    def _watch(self, writer: "ModelWriter") -> None:
        """End the process when it was not asked for a while: it holds gigabytes."""
        while (kept := self._writer) and kept[1] is writer:
            if self.idle_seconds and time.monotonic() - writer.used > self.idle_seconds:
                # One that writes is not idle, however long it takes: `close` would wait for it, and lose its answer.
                with self._lock:
                    busy = bool(self._tickets)
                if not busy:
                    self._end_writer()
                    return
            time.sleep(_LOOK_SECONDS)
