"""A parse worker: one file, then the end. What a hostile file takes over here has nothing: no key, no
other file.

It begins as a fork of the zygote with the parsers in memory, gives up what it holds, and parses.
"""

import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from engine import lock, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.registry import Context
    from vault.records import Document, Problem

    Parse = Callable[[BinaryIO, str, Context], Iterator[Document | Problem]]

ADDRESS_SPACE = 1 << 30  # bytes; most documents need 200 MiB, a long spreadsheet the rest
CPU_SECONDS = 120  # and more for large files, see `cpu_seconds`
NICE = 10  # behind everything that a person waits for
_FILE, _OUT = 3, 4

# Exit statuses, beside 0.
_REFUSED_LOCK = 70  # the worker's lock could not be put on
_OUT_OF_MEMORY = 71
_FAILED = 72  # an exception that the registry should have turned into a reason


def cpu_seconds(size: int) -> int:
    """Return the processor seconds granted to a file of `size` bytes: a 10 GB mailbox is one file."""
    return CPU_SECONDS + size // (1 << 20)


def become_worker(zygote: int, file: int, out: int, name: str, parse: "Parse") -> NoReturn:
    """Turn this fork of the process `zygote` into a locked worker, `parse` the file, write to `out`, end."""
    try:
        _give_up(zygote, file, out)
    except (OSError, ValueError, lock.LockError):
        os._exit(_REFUSED_LOCK)
    try:
        _parse(name, parse)
        os._exit(0)
    except BrokenPipeError:  # the engine lost interest
        os._exit(0)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    finally:
        os._exit(_FAILED)


def reason(status: int, granted_cpu: int, peak_bytes: int) -> str:
    """Return why a worker with this wait status ended before it had said all, in words for the file's row."""
    if os.WIFEXITED(status):
        match os.WEXITSTATUS(status):
            case code if code == _OUT_OF_MEMORY:
                return "ran out of memory"
            case code if code == _REFUSED_LOCK:
                return "was not read: the lock could not be put on its reader"
            case code if code == _FAILED:
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
    if number in memory_signals and peak_bytes > ADDRESS_SPACE // 2:
        return f"ran out of memory (signal {number})"
    if number == signal.SIGKILL:
        return "was killed, probably for want of memory"
    return f"crashed (signal {number})"


def _give_up(zygote: int, file: int, out: int) -> None:
    lock.die_with_parent(zygote)
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    # Both descriptors may lie where the other has to go: move them out of the way first.
    high_file, high_out = os.dup(file), os.dup(out)
    os.dup2(high_file, _FILE, inheritable=False)
    os.dup2(high_out, _OUT, inheritable=False)
    os.closerange(_OUT + 1, 1 << 20)
    os.dup2(0, 2)  # /dev/null: what a library complains of may be the document's words
    granted = cpu_seconds(os.fstat(_FILE).st_size)
    resource.setrlimit(resource.RLIMIT_CPU, (granted, granted + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS has the name and no limit behind it
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    os.nice(NICE)
    lock.limit_files(readable=(), writable=())
    lock.lock("worker", verify=False)


def _parse(name: str, parse: "Parse") -> None:
    from ingest import registry

    count = 0
    with open(_FILE, "rb", closefd=False) as file:
        try:
            for each in parse(file, name, registry.Context(name=name)):
                _write(wire.encode(each))
                count += 1
            last: wire.Failed | wire.End = wire.End(count)
        except registry.UnsupportedError as error:
            last = wire.Failed("unsupported", error.message, error.hint)
        except registry.UnreadableError as error:
            last = wire.Failed("unreadable", error.message, error.hint)
    _write(wire.encode(last))


def _write(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(_OUT, rest) :]
