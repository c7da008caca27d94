"""The process of a model that writes: locked, long-lived, with one open file, which is the model.

It begins as a fork of the zygote, imports llama.cpp while the program's files can be read, gives up what it holds, and
only then looks into the model's file: what a hostile one takes over here has no key, no file, no socket, and sees the
passages of the questions that are asked of it, which it cannot tell to anybody but the engine. Where the user chose
that a graphics card may be used, it can open the card's device files too, and read the files of programs.
"""

import json
import os
import select
import signal
import sys
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NoReturn

from engine import lock, worker, writer_wire
from engine.request import Request as Asked
from engine.worker import FAILED, FILE, OUT, OUT_OF_MEMORY, REFUSED_LOCK
from generation import gguf
from generation.writing import Heard, WriterDiedError

if TYPE_CHECKING:
    from generation.llama import Library
    from generation.writing import Request

_IN = OUT + 1


def become_writer(zygote: int, asked: Asked) -> NoReturn:
    """Turn this fork of the process `zygote` into a locked writer; serve requests until nobody asks any more.

    Options: `describe` (true: say what the model is, then end), `context` (tokens), `threads` (0: as many as there are
    cores), `memory` (bytes that it may have besides the model's file; 0: as many as the machine has), `gpu` (whether it
    may use a graphics card).
    """
    try:
        file, out, _status, *requests = asked.descriptors
        worker.take(zygote, [file, out, *requests])
        options = worker.options(asked)
        _hold(graphics=options["gpu"])  # before llama.cpp is loaded, which looks for graphics cards at once
        library, unavailable = (None, ()) if options["describe"] else _library()
        options["threads"] = options["threads"] or _cores()
        report = _give_up(options["memory"] or _physical_memory(), graphics=options["gpu"])
    except (OSError, ValueError, lock.LockError):
        os._exit(REFUSED_LOCK)
    try:
        _serve(report, options, library, unavailable)
        os._exit(0)
    except (BrokenPipeError, EOFError):  # the engine lost interest
        os._exit(0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(FAILED)


def reason(status: int, peak_bytes: int) -> str:
    """Return why a writer with this wait status ended, in words."""
    if os.WIFEXITED(status):
        match os.WEXITSTATUS(status):
            case code if code == OUT_OF_MEMORY:
                return "the model's process ran out of memory"
            case code if code == REFUSED_LOCK:
                return "the model was not loaded: the lock could not be put on its process"
            case code if code == FAILED:
                return "the model's process stopped on an error"
            case code:
                return f"the model's process ended early (exit status {code})"
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL:
        return "the model's process was killed, probably for want of memory"
    # llama.cpp ends itself where it gets no memory, and where it finds what it does not expect.
    had = f"having used {peak_bytes >> 20} MB of memory"
    return f"the model's process crashed (signal {number}), {had}"


def _library() -> "tuple[Library | None, tuple[str, ...]]":
    """Return llama.cpp, loaded, or why it is not there."""
    os.environ["GGML_NO_BACKTRACE"] = "1"  # it would start a debugger where it fails
    from generation.llama import Library, UnavailableError

    try:
        library = Library()
    except UnavailableError as error:
        return None, (error.message, error.hint)
    # Imports that would come too late.
    import generation.decode
    from generation.template import Template

    assert generation.decode
    Template("{% for each in messages %}{{ each.content | trim | tojson }}{% endfor %}")
    return library, ()


def _cores() -> int:
    from generation.llama import physical_cores

    return physical_cores()


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _hold(*, graphics: bool) -> None:
    """Give up what only others of the zygote's forks may have: without the user's choice, the graphics card."""
    if graphics:
        lock.limit_files(readable=lock.graphics_folders(), writable=(), devices=lock.graphics_devices())
    else:
        lock.limit_files(readable=lock.program_folders(), writable=())


def _give_up(memory: int, *, graphics: bool) -> dict[str, Any]:
    # The file is mapped, which the limit counts, and some builds keep the weights again in an order of their own.
    worker.limit_memory(memory + 2 * os.fstat(FILE).st_size, graphics=graphics)
    if not graphics:
        _alone()
        lock.limit_files(readable=(), writable=())
    # With a graphics card, `_hold` was the last word on files: parts of its driver are loaded when the model is, and
    # threads of it, which have that hold, may run already.
    report = lock.lock("writer", verify=False).to_json()
    if graphics:
        report["missing"].append(
            "what the model's process does with the graphics card and reads of programs, as you chose"
        )
    return report


def _alone() -> None:
    """Wait until there is one thread. Raises LockError."""
    until = monotonic() + 5
    while sys.platform == "linux" and len(os.listdir("/proc/self/task")) != 1:
        # Landlock holds the thread that sets it. The one that watches over a template may be about to end.
        if monotonic() > until:
            raise lock.LockError("other threads are running where Landlock has to be set")
        sleep(0.001)


def _serve(
    report: dict[str, Any], options: dict[str, Any], library: "Library | None", unavailable: tuple[str, ...]
) -> None:
    worker.write(writer_wire.encode(writer_wire.Locked(report)))
    try:
        with open(FILE, "rb", closefd=False) as file:
            header = gguf.read_header(file)
        worker.write(writer_wire.encode(gguf.facts(header)))
        if options["describe"]:
            return
        if library is None:
            worker.write(writer_wire.encode(writer_wire.Failed("unavailable", *unavailable)))
            return
        _write(header, options, library)
    except gguf.UnreadableModelError as error:
        worker.write(writer_wire.encode(writer_wire.Failed("unreadable", error.message, error.hint)))
    except WriterDiedError as error:
        worker.write(writer_wire.encode(writer_wire.Failed("died", error.message, error.hint)))


def _write(header: gguf.Header, options: dict[str, Any], library: "Library") -> None:
    from generation.decode import Teller
    from generation.llama import Model

    def loading(percent: int) -> None:
        worker.write(writer_wire.encode(Heard("loading", percent, 100)))

    context, threads, gpu = options["context"], options["threads"], options["gpu"]
    model = Model(library, FILE, context=context, threads=threads, told=loading, gpu=gpu)
    teller = Teller(model, header.text("tokenizer.chat_template"))
    worker.write(writer_wire.encode(writer_wire.Ready(model.context, model.threads, model.gpu, teller.note)))
    asked = _Requests()
    while True:
        number, request = asked.next()
        written = teller.answer(
            request,
            lambda heard: worker.write(writer_wire.encode(heard)),
            lambda: asked.cancelled(number),  # noqa: B023 - of this turn of the loop
        )
        worker.write(writer_wire.encode(written))


class _Requests:
    """What the engine asks: one request at a time, and meanwhile perhaps to end it."""

    def __init__(self) -> None:
        self._buffer = b""
        self._poll = select.poll()
        self._poll.register(_IN, select.POLLIN)

    def next(self) -> "tuple[int, Request]":
        """Wait for a request; return its number with it. Raises EOFError when nobody asks any more."""
        while True:
            while b"\n" not in self._buffer:
                self._read()
            value = self._take()
            if "write" in value:
                return value["write"], writer_wire.decode_request(value)

    def cancelled(self, number: int) -> bool:
        """Whether the request is wanted no more."""
        if not self._poll.poll(0):
            return False
        try:
            self._read()
        except EOFError:  # the next thing that is told finds nobody
            return True
        while b"\n" in self._buffer:
            if self._take().get("cancel") == number:
                return True
        return False

    def _read(self) -> None:
        block = os.read(_IN, 1 << 16)
        if not block:
            raise EOFError
        self._buffer += block

    def _take(self) -> dict[str, Any]:
        line, _, self._buffer = self._buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value
