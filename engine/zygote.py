"""The zygote: a single-threaded process with the parsers in memory, which forks one worker a file.

Forking it costs milliseconds where starting a parser anew costs seconds. The engine, which may not fork,
asks over an inherited socket (`engine.request`).

The engine, not the worker, hashes the file: a worker that a hostile file took over could claim the hash
of another file and so stand in for it.
"""

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine import job as jobs
from engine import request, wire, worker
from engine.job import Job, WorkerDiedError, ZygoteDiedError
from engine.zygote_process import become_zygote, load_parsers
from vault.errors import StrongroomError
from vault.records import Document, Problem

__all__ = ["WorkerDiedError", "Zygote", "ZygoteDiedError", "sha256_of"]

_NOT_VALID = "the parser's output was not valid"


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
        self.readers: Mapping[str, str] = {}
        """which reader reads a format where it is not the default, for every file that is parsed from now on"""

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
        from ingest.opening import marks  # not above: the launcher has this module, and nothing that reads papers

        self.report()
        before = os.fstat(descriptor)
        expected = sha256 or sha256_of(descriptor)
        if on_hash:
            on_hash(expected)
        os.lseek(descriptor, 0, os.SEEK_SET)
        job = self.begin("parse", descriptor, name, {"readers": dict(self.readers)} if self.readers else None)
        try:
            yield from _checked(job, expected, before.st_size, wall_seconds)
        except _OtherHashError as error:
            if marks(os.fstat(descriptor)) == marks(before):
                raise WorkerDiedError(_NOT_VALID, "a document with another file's hash") from error
        finally:
            job.close()

    def run(
        self, kind: str, descriptor: int, name: str, options: dict[str, Any], *, wall_seconds: float = 90
    ) -> Iterator[bytes]:
        """Yield the lines of a worker of this kind (see `worker.WORK`) as they are, for the caller to check.

        Limits on time, abandoning and errors are as with `parse`.
        """
        self.report()
        size = os.fstat(descriptor).st_size
        os.lseek(descriptor, 0, os.SEEK_SET)
        job = self.begin(kind, descriptor, name, options)
        try:
            for line in jobs.lines(job, size, wall_seconds):
                if not line.startswith((b'{"end":', b'{"failed":')):
                    yield line
                    continue
                match wire.decode(line):
                    case wire.End():
                        return
                    case wire.Failed() as failed:
                        raise _as_raised(failed)
            raise jobs.why(job, size, worker.WORK[kind].address_space)
        except wire.InvalidRecordError as error:
            raise WorkerDiedError(_NOT_VALID, str(error)) from error
        finally:
            job.close()

    def begin(self, kind: str, descriptor: int, name: str, options: dict[str, Any] | None = None, *more: int) -> Job:
        """Have a worker forked for the open file; `more` are the descriptors that its kind takes besides.

        Raises ZygoteDiedError.
        """
        records, records_end = jobs.wide_pipe()
        status, status_end = os.pipe()
        encoded = b"" if options is None else json.dumps(options).encode()
        try:
            with self._sending:
                descriptors = (descriptor, records_end, status_end, *more)
                request.send(self._control, request.Request(kind, name, encoded, descriptors))
        except OSError as error:
            os.close(records)
            os.close(status)
            raise ZygoteDiedError("the process that starts the parsers has ended") from error
        finally:
            os.close(records_end)
            os.close(status_end)
        return Job(records, status)

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


def _checked(job: Job, expected: str, size: int, wall_seconds: float) -> Iterator[Document | Problem]:
    parts: set[str] = set()
    try:
        for line in jobs.lines(job, size, wall_seconds):
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
    raise jobs.why(job, size, worker.WORK["parse"].address_space)


def _check_place(document: Document, parts: set[str], expected: str) -> None:
    if document.part in parts:
        raise wire.InvalidRecordError("a part twice")
    if document.part == "" and document.id != expected:
        raise _OtherHashError
    parts.add(document.part)


def _as_raised(failed: wire.Failed) -> StrongroomError:
    from ingest.registry import UnreadableError, UnsupportedError

    error = UnsupportedError if failed.kind == "unsupported" else UnreadableError
    return error(failed.message, failed.hint)
