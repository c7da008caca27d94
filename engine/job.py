"""A worker at its work, seen from the engine: its lines, within limits, and why they stopped."""

import contextlib
import fcntl
import os
import select
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from engine import wire, worker
from engine.request import ENDED
from vault.errors import StrongroomError

PIPE = 1 << 18  # bytes; a whole mail goes through at once
_AFTER_END = 5.0  # seconds for a worker to end after its last line


class WorkerDiedError(StrongroomError):
    """The worker ended, or was ended, before it had said all. The message is the reason, in words."""


class ZygoteDiedError(StrongroomError):
    """The zygote is gone: no file can be parsed until the engine is started anew."""


@dataclass(slots=True)
class Job:
    """The reading ends of a worker's two pipes."""

    records: int
    status: int

    def close(self) -> None:
        """Kill the worker if it still runs: the zygote sees that nobody reads the status any more."""
        for each in (self.records, self.status):
            os.close(each)


def wide_pipe() -> tuple[int, int]:
    """Return a pipe, reading end first, that holds as much as this user may have."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # no pipe memory left to this user: slower, no more
            fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE)
    return reading, writing


def lines(job: Job, size: int, wall_seconds: float) -> Iterator[bytes]:
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
        block = os.read(job.records, PIPE)
        if not block:
            return
        received += len(block)
        buffer += block


def how_it_ended(status: int) -> tuple[int, int] | None:
    """Return a worker's wait status and peak of memory in bytes, or None where it has not ended.

    Waits a few seconds for it. Raises ZygoteDiedError.
    """
    poll = select.poll()
    poll.register(status, select.POLLIN)
    poll.poll(_AFTER_END * 1000)
    os.set_blocking(status, False)
    try:
        told = os.read(status, ENDED.size)
    except BlockingIOError:
        return None
    if len(told) < ENDED.size:
        raise ZygoteDiedError("the process that starts the parsers has ended")
    how, peak = ENDED.unpack(told)
    return how, peak


def why(job: Job, size: int, address_space: int) -> StrongroomError:
    """Return why the lines stopped, from what the zygote tells."""
    try:
        ended = how_it_ended(job.status)
    except ZygoteDiedError as error:
        return error
    if ended is None:
        return WorkerDiedError("closed its output and went on")
    return WorkerDiedError(worker.reason(ended[0], worker.cpu_seconds(size), ended[1], address_space))
