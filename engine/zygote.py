"""The zygote: a single-threaded process with the parsers in memory, which forks one worker a file.

Forking it costs milliseconds where starting a parser anew costs seconds. The engine, which may not fork,
asks over an inherited socket: each request is a frame (`FRAME`, then the file's name) with three
descriptors: the file, the pipe for records and the pipe on which the zygote tells how the worker ended.
Closing the reading end of that last pipe is the request to kill the worker, so that there is nothing to
number and nothing to mix up.

The engine, not the worker, hashes the file: a worker that a hostile file took over could claim the hash
of another file and so stand in for it.
"""

import array
import contextlib
import fcntl
import hashlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from engine import wire, worker
from engine.zygote_process import ENDED, FRAME, MAX_NAME, become_zygote, load_parsers
from vault.errors import StrongroomError
from vault.records import Document, Problem

_PIPE = 1 << 18  # bytes; a whole mail goes through at once
_NOT_VALID = "the parser's output was not valid"
_AFTER_END = 5.0  # seconds for a worker to end after its last line


class WorkerDiedError(StrongroomError):
    """The worker ended, or was ended, before it had said all. The message is the reason, in words."""


class ZygoteDiedError(StrongroomError):
    """The zygote is gone: no file can be parsed until the engine is started anew."""


class _OtherHashError(Exception):
    """A document that says to be the file itself has another hash: the file changed, or the worker lies."""


def sha256_of(descriptor: int) -> str:
    """Return the SHA-256 of the open file as hex, without moving its position (which a worker shares)."""
    value = hashlib.sha256()
    offset = 0
    while block := os.pread(descriptor, 1 << 20, offset):
        value.update(block)
        offset += len(block)
    return value.hexdigest()


class Zygote:
    """The engine's handle. `parse` may be called from several threads at once."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self._control = control
        self._sending = threading.Lock()
        self._report: dict[str, Any] | None = None
        self._parent = os.getpid()
        self.pid = pid

    @classmethod
    def start(cls, load: "Callable[[], worker.Parse] | None" = None) -> "Zygote":
        """Fork the zygote. Call from the main thread, before there are others and before a key is in memory.

        `load` runs in the zygote and returns what a worker parses with; without it, `ingest.registry.parse`.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()
            become_zygote(parent, theirs.detach(), load or load_parsers)
        theirs.close()
        return cls(ours, pid)

    def report(self) -> dict[str, Any]:
        """Return the zygote's lock report; waits until the parsers are imported."""
        with self._sending:
            if self._report is None:
                self._report = self._read_report()
            return self._report

    def _read_report(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            block = self._control.recv(65536)
            if not block or len(line) > 1 << 20:
                raise ZygoteDiedError("the process that starts the parsers did not start", "see the terminal")
            line += block
        value: dict[str, Any] = json.loads(line)
        return value

    def parse(
        self,
        descriptor: int,
        name: str,
        *,
        wall_seconds: float = 90,
        sha256: str | None = None,
        on_hash: Callable[[str], None] | None = None,
    ) -> Iterator[Document | Problem]:
        """Yield what the open file holds, every field of it checked.

        `wall_seconds` is how long one record may be waited for, and with a second for each MiB of the file,
        all of them together; the time that the caller takes between two records does not count. `sha256` is
        the file's hash, where the caller has it; `on_hash` is told it before the first record. A document
        that is the file itself must carry it. Abandoning the iterator kills the worker. A file that changes
        meanwhile may end the iteration early: compare `fstat` before and after.

        Raises WorkerDiedError with the reason, ZygoteDiedError, and UnreadableError and UnsupportedError of
        `ingest.registry` as the parser raised them.
        """
        self.report()
        before = os.fstat(descriptor)
        expected = sha256 or sha256_of(descriptor)
        if on_hash:
            on_hash(expected)
        os.lseek(descriptor, 0, os.SEEK_SET)
        job = self._begin(descriptor, name)
        try:
            yield from _checked(job, expected, before.st_size, wall_seconds)
        except _OtherHashError as error:
            after = os.fstat(descriptor)
            if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
                raise WorkerDiedError(_NOT_VALID, "a document with another file's hash") from error
        finally:
            job.close()

    def _begin(self, descriptor: int, name: str) -> "_Job":
        records, records_end = os.pipe()
        status, status_end = os.pipe()
        try:
            if hasattr(fcntl, "F_SETPIPE_SZ"):
                with contextlib.suppress(OSError):  # no pipe memory left to this user: slower, no more
                    fcntl.fcntl(records, fcntl.F_SETPIPE_SZ, _PIPE)
            encoded = name.encode("utf-8", "surrogateescape")[-MAX_NAME:]
            passed = array.array("i", [descriptor, records_end, status_end])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed.tobytes())]
            frame = FRAME.pack(len(encoded)) + encoded
            with self._sending:
                sent = self._control.sendmsg([frame], rights)
                self._control.sendall(frame[sent:])
        except OSError as error:
            os.close(records)
            os.close(status)
            raise ZygoteDiedError("the process that starts the parsers has ended") from error
        finally:
            os.close(records_end)
            os.close(status_end)
        return _Job(records, status)

    def close(self) -> None:
        """Let go of the zygote. It ends when all that hold it have let go; its parent waits for that."""
        self._control.close()
        if os.getpid() == self._parent:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    def fileno(self) -> int:
        """Return the descriptor through which the zygote is asked."""
        return self._control.fileno()

    def let_go(self) -> None:
        """Close this process's end only, without waiting: for the launcher, once the engine has its own."""
        self._control.close()


@dataclass(slots=True)
class _Job:
    records: int
    status: int

    def close(self) -> None:
        """Kill the worker if it still runs: the zygote sees that nobody reads the status any more."""
        for each in (self.records, self.status):
            os.close(each)


def _checked(job: _Job, expected: str, size: int, wall_seconds: float) -> Iterator[Document | Problem]:
    parts: set[str] = set()
    try:
        for line in _lines(job, size, wall_seconds):
            record = wire.decode(line)
            match record:
                case wire.End():
                    return  # closing the job kills what the worker may still be at
                case wire.Failed():
                    raise _as_raised(record)
                case Document():
                    _check_place(record, parts, expected)
                    yield record
                case Problem():
                    yield record
    except wire.InvalidRecordError as error:
        raise WorkerDiedError(_NOT_VALID, str(error)) from error
    raise _why(job, size)


def _check_place(document: Document, parts: set[str], expected: str) -> None:
    if document.part in parts:
        raise wire.InvalidRecordError("a part twice")
    if document.part == "" and document.id != expected:
        raise _OtherHashError
    parts.add(document.part)


def _lines(job: _Job, size: int, wall_seconds: float) -> Iterator[bytes]:
    """Yield the worker's lines, within the limits on time, on one line and on all of them."""
    buffer = bytearray()
    searched = received = count = 0
    waited_for_all = 0.0
    waited = 0.0
    most_bytes = (512 << 20) + 8 * size  # of a spreadsheet's XML only a part comes packed
    most_lines = 200_000 + size // 64
    poll = select.poll()
    poll.register(job.records, select.POLLIN)
    while True:
        end = buffer.find(b"\n", searched)
        if end >= 0:
            line = bytes(memoryview(buffer)[:end])
            del buffer[: end + 1]
            searched, waited = 0, 0.0
            count += 1
            if count > most_lines:
                raise WorkerDiedError(f"held more than {most_lines} parts")
            yield line
            continue
        searched = len(buffer)
        if searched > wire.MAX_LINE or received > most_bytes:
            raise WorkerDiedError("the parser's output was too large")
        left = min(wall_seconds - waited, wall_seconds + size / (1 << 20) - waited_for_all)
        before = monotonic()
        ready = poll.poll(max(0.0, left) * 1000)
        took = monotonic() - before
        waited, waited_for_all = waited + took, waited_for_all + took
        if not ready:
            raise WorkerDiedError(f"took longer than {wall_seconds:.0f} s")
        block = os.read(job.records, _PIPE)
        if not block:
            return
        received += len(block)
        buffer += block


def _await_end(job: _Job) -> None:
    poll = select.poll()
    poll.register(job.status, select.POLLIN)
    poll.poll(_AFTER_END * 1000)


def _why(job: _Job, size: int) -> StrongroomError:
    """Return why the records stopped, from what the zygote tells."""
    _await_end(job)
    os.set_blocking(job.status, False)
    try:
        told = os.read(job.status, ENDED.size)
    except BlockingIOError:
        return WorkerDiedError("closed its output and went on")
    if len(told) < ENDED.size:
        return ZygoteDiedError("the process that starts the parsers has ended")
    status, peak = ENDED.unpack(told)
    return WorkerDiedError(worker.reason(status, worker.cpu_seconds(size), peak))


def _as_raised(failed: wire.Failed) -> StrongroomError:
    from ingest.registry import UnreadableError, UnsupportedError

    error = UnsupportedError if failed.kind == "unsupported" else UnreadableError
    return error(failed.message, failed.hint)
