"""The zygote: a single-threaded process with the parsers in memory, which forks one worker a file.

Forking it costs milliseconds where starting a parser anew costs seconds. The engine, which may not fork,
asks over an inherited socket: each request is a frame (`_FRAME`, then the file's name) with three
descriptors: the file, the pipe for records and the pipe on which the zygote tells how the worker ended.
Closing the reading end of that last pipe is the request to kill the worker, so that there is nothing to
number and nothing to mix up.

The engine, not the worker, hashes the file: a worker that a hostile file took over could claim the hash
of another file and so stand in for it.
"""

import array
import contextlib
import fcntl
import gc
import hashlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, NoReturn

from engine import lock, wire, worker
from engine.seccomp import libc_handle
from vault.errors import StrongroomError
from vault.records import Document, Problem

_FRAME = struct.Struct("=I")  # bytes of the name that follows
_ENDED = struct.Struct("=iQ")  # wait status, peak resident bytes
_MAX_NAME = 4096  # bytes; NAME_MAX is 255
_PIPE = 1 << 18  # bytes; a whole mail goes through at once
_MAIL = b"""From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>, c@example.org\r
Subject: =?utf-8?q?caf=C3=A9?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\nMessage-ID: <1@example.org>\r\nIn-Reply-To: <0@example.org>\r
MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r
Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nYes, at =\r
ten.\r\n\r\nBob wrote:\r\n> At ten?\r\n\r\n-- \r\nAda\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>Yes, <b>at ten</b>.</p>\r
--x--\r\n"""
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
        pid = os.fork()
        if pid == 0:
            ours.close()
            become_zygote(theirs.detach(), load or _load)
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
            encoded = name.encode("utf-8", "surrogateescape")[-_MAX_NAME:]
            passed = array.array("i", [descriptor, records_end, status_end])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed.tobytes())]
            frame = _FRAME.pack(len(encoded)) + encoded
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
                    _await_end(job)
                    return
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
        told = os.read(job.status, _ENDED.size)
    except BlockingIOError:
        return WorkerDiedError("closed its output and went on")
    if len(told) < _ENDED.size:
        return ZygoteDiedError("the process that starts the parsers has ended")
    status, peak = _ENDED.unpack(told)
    return WorkerDiedError(worker.reason(status, worker.cpu_seconds(size), peak))


def _as_raised(failed: wire.Failed) -> StrongroomError:
    from ingest.registry import UnreadableError, UnsupportedError

    error = UnsupportedError if failed.kind == "unsupported" else UnreadableError
    return error(failed.message, failed.hint)


# ---- the zygote's own side ----


def become_zygote(control: int, load: "Callable[[], worker.Parse]") -> NoReturn:
    """Turn this fork into the zygote: import the parsers, lock, serve until the control socket is closed."""
    code = 1
    try:
        parse = _prepare(control, load)
        _serve(socket.socket(fileno=control), parse)
        code = 0
    except (StrongroomError, OSError, ImportError) as error:
        os.write(2, f"strongroom: the parsers do not start: {error}\n".encode())
    finally:
        os._exit(code)


def _prepare(control: int, load: "Callable[[], worker.Parse]") -> "worker.Parse":
    libc_handle().prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides; Ctrl-C reaches the whole group
    _keep_only(control)
    for each in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[each] = "1"  # a fork takes only one thread along
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # where memory ends, a worker goes before the engine
    lock.limit_files(readable=lock.program_folders(), writable=[])
    parse = load()
    _load_codecs()
    report = lock.lock("zygote")
    lock.prepare("worker")
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector does not write to what was there before the fork
    line = json.dumps(report.to_json()).encode() + b"\n"
    os.write(control, line)
    return parse


def _keep_only(control: int) -> None:
    """Close all other descriptors; what a parser writes to its standard output is nobody's business."""
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for low, high in ((3, control), (control + 1, 1 << 20)):
        os.closerange(low, high)


def _load() -> "worker.Parse":
    import io

    from ingest import registry

    registry.preload()
    # What runs for the first time writes to memory that was shared: caches, and the interpreter's own notes in the
    # code. Mails are small and many, so that this would be a third of the time that each takes.
    for _ in range(12):  # CPython 3.11 adapts code at its eighth run
        for each in registry.parse(io.BytesIO(_MAIL), "1.eml", registry.Context("1.eml")):
            wire.encode(each)
    return registry.parse


def _load_codecs() -> None:
    """Import what a worker, which can open no file, would import later."""
    import encodings
    import importlib
    import pkgutil
    import time

    for each in pkgutil.iter_modules(encodings.__path__):
        if each.name not in ("mbcs", "oem", "cp65001"):  # Windows only
            importlib.import_module(f"encodings.{each.name}")
    time.localtime()  # reads the time zone once


def _serve(control: socket.socket, parse: "worker.Parse") -> None:
    """Fork a worker for each request, tell how each ended, kill the one that nobody waits for any more."""
    wake, wake_end = os.pipe()
    for each in (wake, wake_end):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    running: dict[int, int] = {}  # status pipe → worker
    while True:
        for descriptor, _event in poll.poll():
            if descriptor == control.fileno():
                request = _receive(control)
                if request is None:
                    return  # PR_SET_PDEATHSIG takes the workers along
                file, out, status, name = request
                pid = os.fork()
                if pid == 0:
                    worker.become_worker(file, out, name, parse)
                os.close(file)
                os.close(out)
                running[status] = pid
                poll.register(status, 0)  # POLLERR comes unasked: the reader has gone
            elif descriptor == wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
            elif descriptor in running:
                os.kill(running[descriptor], signal.SIGKILL)
                poll.unregister(descriptor)
        _reap(running, poll)


def _reap(running: dict[int, int], poll: "select.poll") -> None:
    for status, pid in list(running.items()):
        ended, how, usage = os.wait4(pid, os.WNOHANG)
        if ended == 0:
            continue
        unit = 1 if sys.platform == "darwin" else 1024
        with contextlib.suppress(OSError):  # the reader may have gone
            os.write(status, _ENDED.pack(how, usage.ru_maxrss * unit))
        with contextlib.suppress(KeyError):
            poll.unregister(status)
        os.close(status)
        del running[status]


def _receive(control: socket.socket) -> tuple[int, int, int, str] | None:
    """Return the next request, or None when nobody is left to ask."""
    head, ancillary, flags, _ = control.recvmsg(_FRAME.size, socket.CMSG_SPACE(3 * 4))
    if not head:
        return None
    if flags & socket.MSG_CTRUNC or len(ancillary) != 1:
        raise StrongroomError("a request to the zygote came without its three descriptors")
    descriptors = array.array("i")
    descriptors.frombytes(ancillary[0][2])
    head += _exactly(control, _FRAME.size - len(head))
    name = _exactly(control, min(_FRAME.unpack(head)[0], _MAX_NAME))
    file, out, status = descriptors
    return file, out, status, name.decode("utf-8", "surrogateescape")


def _exactly(control: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        block = control.recv(count - len(found))
        if not block:
            raise StrongroomError("a request to the zygote broke off")
        found += block
    return found
