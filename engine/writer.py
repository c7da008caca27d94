"""A model that writes, as the engine has it: a locked process that is forked when it is first needed.

Only the process looks into the model's file. What it says is checked field by field; where it dies, one answer is lost,
and the next request gets a new one.
"""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Collection
from time import monotonic
from typing import Any

from engine import job, writer_process, writer_wire
from engine.wire import InvalidRecordError
from engine.writer_wire import Answer, Failed, Locked, Ready
from engine.zygote import Zygote
from generation.gguf import ModelFacts, UnreadableModelError
from generation.llama import UnavailableError, graphics, missing
from generation.writing import Heard, Request, WriterDiedError, Written

__all__ = ["ModelFacts", "ModelWriter", "UnavailableError", "UnreadableModelError", "describe", "graphics", "missing"]

_TURN = 0.05  # seconds between two looks at whether the answer is still wanted
_DESCRIBING = 30.0  # seconds until the facts are there
_LOADING = 900.0  # seconds between two percent of a large model on a slow disk
_SILENCE = 300.0  # seconds between two signs of life; 512 tokens on a slow machine take 60
_ENDING = 20.0  # seconds until a request that is not wanted any more has ended


class ModelWriter:
    """A model that writes. Thread-safe: one request at a time, others wait."""

    def __init__(
        self, zygote: Zygote, descriptor: int, *, name: str, context: int, threads: int, memory: int, gpu: bool
    ) -> None:
        self._zygote = zygote
        self._descriptor = os.dup(descriptor)
        self._name = name
        self._options = {"describe": False, "context": context, "threads": threads, "memory": memory, "gpu": gpu}
        self._turn = threading.Lock()
        self._process: _Process | None = None
        self._closed = False
        self._count = 0
        self.used = monotonic()
        """when it was last asked, by the clock of `time.monotonic`"""

    @classmethod
    def start(
        cls,
        zygote: Zygote,
        descriptor: int,
        *,
        name: str,
        context: int = 8192,
        threads: int = 0,
        memory: int = 0,
        gpu: bool = False,
    ) -> "ModelWriter":
        """Begin to load the model from its open file, of which the descriptor stays the caller's; return at once.

        `context` is in tokens, prompt and answer together, and at most what the model was trained for; `threads` 0 are
        as many as there are cores; `memory` is how many bytes it may have besides its file, 0 as many as the machine
        has. `gpu` lets it use a graphics card, and opens that one's device files to its process.
        """
        writer = cls(zygote, descriptor, name=name, context=context, threads=threads, memory=memory, gpu=gpu)
        with contextlib.suppress(WriterDiedError):  # the first request will say so
            writer._process = writer._begin()
        return writer

    @property
    def name(self) -> str:
        """The model's name, for people."""
        return self._name

    @property
    def alive(self) -> bool:
        """Whether its process is there (it may still be loading)."""
        process = self._process
        return process is not None and process.alive()

    @property
    def ready(self) -> Ready | None:
        """What the process said when the model was loaded; None before."""
        return self._process.ready if self._process else None

    @property
    def report(self) -> dict[str, Any] | None:
        """The lock report of its process, for the page on privacy; None before it came."""
        return self._process.report if self._process else None

    def write(self, request: Request, heard: Callable[[Heard], None], cancelled: Callable[[], bool]) -> Written:
        """Write an answer; see `generation.writing.Writer`. `cancelled` is asked at every token, and while waiting.

        Raises WriterDiedError, of which UnavailableError (llama.cpp is not installed) and UnreadableModelError (the
        file is no model for it) are kinds that the next request will meet too.
        """
        began = monotonic()
        while not self._turn.acquire(timeout=_TURN):
            if cancelled():
                return _cancelled(began)
        try:
            self.used = monotonic()
            process = self._running()
            if not self._load(process, heard, cancelled):
                return _cancelled(began)
            self._count += 1
            return self._ask(process, request, heard, cancelled)
        except BaseException:  # also of `heard`: what the process still says would be taken for the next answer's
            self._drop()
            raise
        finally:
            self.used = monotonic()
            self._turn.release()

    def close(self) -> None:
        """End the process, and with it what it knows of passages and questions. An answer being written is lost."""
        self._closed = True
        with self._turn:  # whoever writes looks at `_closed` all the while
            self._drop()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _running(self) -> "_Process":
        self._still_open()
        if self._process is None or not self._process.alive():
            self._drop()
            self._process = self._begin()
        return self._process

    def _still_open(self) -> None:
        if self._closed:
            raise WriterDiedError("the model was closed", "ask again")

    def _begin(self) -> "_Process":
        return _Process(self._zygote, self._descriptor, self._options)

    def _drop(self) -> None:
        if self._process:
            self._process.close()
            self._process = None

    def _load(self, process: "_Process", heard: Callable[[Heard], None], cancelled: Callable[[], bool]) -> bool:
        """Wait until the model is there; return False where that is not wanted any more. It goes on loading then."""
        silent = monotonic()
        while process.ready is None:
            if cancelled():
                return False
            for answer in self._answers(process, ()):
                silent = monotonic()
                if isinstance(answer, Heard):
                    heard(answer)
            if monotonic() - silent > _LOADING:
                raise WriterDiedError(f"the model said nothing for {_LOADING:.0f} s while loading")
        return True

    def _ask(
        self, process: "_Process", request: Request, heard: Callable[[Heard], None], cancelled: Callable[[], bool]
    ) -> Written:
        offered = frozenset((*request.numbers, *request.earlier))
        self._send(process, writer_wire.encode_request(self._count, request))
        silent = monotonic()
        ending = 0.0  # when the process was told that the answer is not wanted
        said: list[Any] = []
        while True:
            for answer in self._answers(process, offered):
                silent = monotonic()
                match answer:
                    case Written():
                        if list(answer.lines) != said:
                            raise WriterDiedError("the model's output was not valid")
                        return answer
                    case Heard():
                        said += [answer.line] if answer.line else []
                        heard(answer)
                    case _:
                        raise WriterDiedError("the model's output was not valid")
                if not ending and cancelled():
                    ending = monotonic()
                    self._send(process, writer_wire.encode_cancel(self._count))
            if not ending and cancelled():
                ending = monotonic()
                self._send(process, writer_wire.encode_cancel(self._count))
            if monotonic() - silent > _SILENCE or (ending and monotonic() - ending > _ENDING):
                raise WriterDiedError(f"the model said nothing for {monotonic() - silent:.0f} s")

    def _answers(self, process: "_Process", offered: Collection[int]) -> list[Answer]:
        self._still_open()
        return process.answers(offered)

    def _send(self, process: "_Process", line: bytes) -> None:
        """Send the line; the pipe may take it slowly, but not without end."""
        rest = memoryview(line)
        until = monotonic() + _SILENCE
        while rest:
            self._still_open()
            if monotonic() > until:
                raise WriterDiedError("the model's process does not listen")
            rest = rest[process.send(rest) :]


class _Process:
    """A writer's process, and the three pipes to it."""

    def __init__(self, zygote: Zygote, descriptor: int, options: dict[str, Any]) -> None:
        """Fork it. Raises WriterDiedError."""
        zygote.report()
        requests_end, self._requests = os.pipe()
        os.set_blocking(self._requests, False)
        try:
            self._job = zygote.begin("write", descriptor, "", options, requests_end)
        except job.ZygoteDiedError as error:
            os.close(self._requests)
            raise WriterDiedError(error.message, error.hint) from error
        finally:
            os.close(requests_end)
        self._buffer = bytearray()
        self._ended = False
        self.report: dict[str, Any] | None = None
        self.facts: ModelFacts | None = None
        self.ready: Ready | None = None

    def alive(self) -> bool:
        if self._ended:
            return False
        poll = select.poll()
        poll.register(self._job.status, select.POLLIN)
        return not poll.poll(0)

    def answers(self, offered: Collection[int]) -> list[Answer]:
        """Return what has come, waiting a moment where nothing has. Raises WriterDiedError."""
        poll = select.poll()
        poll.register(self._job.records, select.POLLIN)
        if not poll.poll(_TURN * 1000):
            return []
        block = os.read(self._job.records, 1 << 16)
        if not block:
            raise self._why()
        self._buffer += block
        *lines, rest = bytes(self._buffer).split(b"\n")
        if len(rest) > writer_wire.MAX_LINE:
            raise WriterDiedError("the model's output was too large")
        self._buffer = bytearray(rest)
        try:
            return [self._noted(writer_wire.decode(line, offered)) for line in lines]
        except InvalidRecordError as error:
            raise WriterDiedError("the model's output was not valid", str(error)) from error

    def _noted(self, answer: Answer) -> Answer:
        match answer:
            case Locked():
                self.report = answer.report
            case ModelFacts():
                self.facts = answer
            case Ready():
                self.ready = answer
            case Failed(kind, message, hint):
                kinds = {"unavailable": UnavailableError, "unreadable": UnreadableModelError}
                raise kinds.get(kind, WriterDiedError)(message, hint)
        return answer

    def send(self, line: memoryview) -> int:
        """Return how many bytes of the line were taken."""
        poll = select.poll()
        poll.register(self._requests, select.POLLOUT)
        poll.poll(_TURN * 1000)
        try:
            return os.write(self._requests, line)
        except BlockingIOError:
            return 0
        except BrokenPipeError as error:
            raise self._why() from error

    def _why(self) -> WriterDiedError:
        self._ended = True
        try:
            ended = job.how_it_ended(self._job.status)
        except job.ZygoteDiedError as error:
            return WriterDiedError(error.message, error.hint)
        if ended is None:
            return WriterDiedError("the model's process closed its output and went on")
        return WriterDiedError(
            writer_process.reason(*ended), "a smaller model, or a smaller context, needs less memory"
        )

    def close(self) -> None:
        """End the process."""
        os.close(self._requests)
        self._job.close()


def describe(zygote: Zygote, descriptor: int) -> ModelFacts:
    """Return what the open file says of its model, read in a locked process. Needs no extra.

    Raises UnreadableModelError, which names what is wrong with the file, and WriterDiedError.
    """
    process = _Process(zygote, descriptor, {"describe": True, "threads": 1, "memory": 1 << 30, "gpu": False})
    try:
        until = monotonic() + _DESCRIBING
        while process.facts is None:
            process.answers(())
            if monotonic() > until:
                raise UnreadableModelError(f"the file could not be read in {_DESCRIBING:.0f} s")
        return process.facts
    finally:
        process.close()


def _cancelled(began: float) -> Written:
    return Written((), False, "cancelled", 0, 0, 0, 0, 0.0, monotonic() - began)
