"""A worker for one file, then the end. What a hostile file takes over here has nothing: no key, no other file.

It begins as a fork of the zygote with the parsers in memory, gives up what it holds, and does what it was forked for.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from engine import lock, wire
from engine.request import Request

if TYPE_CHECKING:
    from ingest.registry import Context
    from vault.records import Document, Problem

    Parse = Callable[[BinaryIO, str, Context], Iterator[Document | Problem]]

CPU_SECONDS = 120  # and more for large files, see `cpu_seconds`
NICE = 10  # behind everything that a person waits for
FILE, OUT = 3, 4  # a worker's descriptors, beside /dev/null three times

# Exit statuses, beside 0.
REFUSED_LOCK = 70  # the worker's lock could not be put on
OUT_OF_MEMORY = 71
FAILED = 72  # an exception that the registry should have turned into a reason


@dataclass(frozen=True, slots=True)
class Work:
    """What a kind of worker with one file does."""

    lines: "Callable[[BinaryIO, Request, Parse], Iterator[bytes]]"
    """from the open file to the lines that the engine gets; raises UnreadableError and UnsupportedError"""
    prepare: Callable[[], None] | None = None
    """imports what is too heavy for every worker; runs before the lock, while the program's files can be read"""
    address_space: int = 1 << 30
    """bytes; most documents need 200 MiB, a long spreadsheet the rest"""


def _parsed(file: BinaryIO, asked: Request, parse: "Parse") -> "Iterator[bytes]":
    from ingest import readers, registry

    chosen = options(asked).get("readers", {})
    for each in parse(file, asked.name, registry.Context(name=asked.name, readers=readers.chosen(chosen))):
        yield wire.encode(each)


def _pictured(file: BinaryIO, asked: Request, _parse: "Parse") -> "Iterator[bytes]":
    from ingest import picture

    wanted = options(asked)
    yield wire.encode_picture(
        picture.picture(file, asked.name, wanted["part"], page=wanted["page"], width=wanted["width"])
    )


def _prepare_ocr() -> None:
    from ingest import ocr

    ocr.prepare()


def _read(file: BinaryIO, asked: Request, _parse: "Parse") -> "Iterator[bytes]":
    from ingest import ocr

    wanted = options(asked)
    for each in ocr.read(file, asked.name, wanted["part"], wanted["pages"]):
        yield wire.encode_read(each)


WORK: dict[str, Work] = {
    "parse": Work(_parsed),
    "picture": Work(_pictured),
    "ocr": Work(_read, _prepare_ocr, address_space=6 << 30),  # OpenVINO reserves three times what it uses
}


def options(asked: Request) -> dict[str, Any]:
    """Return the options that came with the request."""
    found: dict[str, Any] = json.loads(asked.options or b"{}")
    return found


def cpu_seconds(size: int) -> int:
    """Return the processor seconds granted to a file of `size` bytes: a 10 GB mailbox is one file."""
    return CPU_SECONDS + size // (1 << 20)


def become_worker(zygote: int, asked: Request, parse: "Parse") -> NoReturn:
    """Turn this fork of the process `zygote` into a locked worker, do what was asked, end."""
    try:
        take(zygote, asked.descriptors[:2])
        work = WORK[asked.kind]
        if work.prepare:
            # Threads of its libraries keep what they are held to when they begin: no graphics card is among it.
            lock.limit_files(readable=lock.program_folders(), writable=())
            work.prepare()
        _give_up(work)
    except (OSError, ValueError, lock.LockError):
        os._exit(REFUSED_LOCK)
    try:
        _run(asked, work, parse)
        os._exit(0)
    except BrokenPipeError:  # the engine lost interest
        os._exit(0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(FAILED)


def reason(status: int, granted_cpu: int, peak_bytes: int, address_space: int) -> str:
    """Return why a worker with this wait status ended before it had said all, in words for the file's row."""
    if os.WIFEXITED(status):
        match os.WEXITSTATUS(status):
            case code if code == OUT_OF_MEMORY:
                return "ran out of memory"
            case code if code == REFUSED_LOCK:
                return "was not read: the lock could not be put on its reader"
            case code if code == FAILED:
                return "stopped on an error in its parser"
            case code:
                return f"ended early (exit status {code})"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return f"took longer than {granted_cpu} s of processor time"
    if number == signal.SIGSYS:
        return "tried a system call of another architecture"
    # A library that gets no memory often aborts, or writes to what it was not given.
    memory_signals = (signal.SIGABRT, signal.SIGSEGV, signal.SIGTRAP, signal.SIGBUS)
    if number in memory_signals and peak_bytes > 2 * address_space // 5:
        return f"ran out of memory (signal {number})"
    if number == signal.SIGKILL:
        return "was killed, probably for want of memory"
    return f"crashed (signal {number})"


def take(zygote: int, descriptors: Sequence[int]) -> None:
    """Keep these descriptors, as FILE and those that follow it, and no other; end when the zygote does."""
    lock.die_with_parent(zygote)
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGCHLD, signal.SIGTERM, signal.SIGXCPU):
        signal.signal(each, signal.SIG_DFL)
    # Each may lie where another has to go: move them out of the way first.
    high = [os.dup(each) for each in descriptors]
    for place, held in enumerate(high, FILE):
        os.dup2(held, place, inheritable=False)
    os.closerange(FILE + len(high), 1 << 20)
    os.dup2(0, 2)  # /dev/null: what a library complains of may be the document's words


def limit_memory(size: int, *, graphics: bool = False) -> None:
    """Limit this process to so many bytes, and to few descriptors; let it write no file.

    Drivers of graphics cards reserve addresses without end, and open a descriptor for each of many things. With
    `graphics`, only memory that may be written to counts, and descriptors do not.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if not graphics:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    if sys.platform == "linux":  # macOS has the name and no limit behind it
        resource.setrlimit(resource.RLIMIT_DATA if graphics else resource.RLIMIT_AS, (size, size))


def _give_up(work: Work) -> None:
    granted = cpu_seconds(os.fstat(FILE).st_size)
    resource.setrlimit(resource.RLIMIT_CPU, (granted, granted + 5))
    limit_memory(work.address_space)
    os.nice(NICE)
    lock.limit_files(readable=(), writable=())
    lock.lock("worker", verify=False)


def _run(asked: Request, work: Work, parse: "Parse") -> None:
    from ingest import registry

    count = 0
    with open(FILE, "rb", closefd=False) as file:
        try:
            for each in work.lines(file, asked, parse):
                write(each)
                count += 1
            last: wire.Failed | wire.End = wire.End(count)
        except registry.UnsupportedError as error:
            last = wire.Failed("unsupported", error.message, error.hint)
        except registry.UnreadableError as error:
            last = wire.Failed("unreadable", error.message, error.hint)
    write(wire.encode(last))


def write(line: bytes) -> None:
    """Write the line to the engine, all of it."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(OUT, rest) :]
