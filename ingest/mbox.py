"""Mailboxes in one file (RFC 4155 and its older kin), read as a stream: never more than one message is in memory.

A message begins at a `From ` line. Its length is never believed (`Content-Length` is wrong wherever a file was edited),
and a `From ` in prose is told from it by an empty line above, a date at its end and a header below.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from ingest import mail, mail_headers, registry
from ingest.registry import Context
from vault.records import Document, Problem

_READ = 1 << 20  # bytes at a time
_AHEAD = 4096  # bytes behind a `From ` that decide about it: its line and the next
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# `From name Thu Jan  1 00:00:00 2004`, also with a zone, or the weekday behind a comma.
_STRICT = re.compile(
    rb"From [^\r\n]{0,500}?\b" + _DAY + rb",? (?:" + _MONTH + rb" {1,2}\d{1,2}|\d{1,2} " + _MONTH + rb")"
    rb"[^\r\n]{0,20}?\d{1,2}:\d\d[^\r\n]{0,40}\r?\n"
)  # fmt: skip
_DATED = re.compile(rb"From [^\r\n]{0,500}?\d{1,2}:\d\d[^\r\n]{0,100}?\b(?:19|20)\d\d\b[^\r\n]{0,40}\r?\n")
_ANY = re.compile(rb"From [^\r\n]{1,500}\r?\n")
_FIELD = re.compile(rb"(?:[!-9;-~]{1,100}[ \t]*:|>?From )")
# Fields that no one types: below them even a `From ` line without a date begins a message.
_MACHINE = re.compile(
    rb"(?:return-path|received|message-id|delivered-to|mime-version|content-[a-z-]+|x-[a-z-]+|status)[ \t]*:",
    re.IGNORECASE,
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
# What mail programs keep of a message's state in its header: without these a message is the same read or unread.
_STATE = re.compile(
    rb"^(?:status|x-status|x-keywords|x-uid|x-imap(?:base)?|x-mozilla-(?:status2?|keys)|content-length|lines)[ \t]*:"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_EXPUNGED = re.compile(rb"^x-mozilla-status[ \t]*:[ \t]*[0-9a-f]{3}[89a-f]\b", re.IGNORECASE | re.MULTILINE)
_INTERNAL = b"DON'T DELETE THIS MESSAGE"  # what IMAP servers keep in the first message for themselves


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as the mailbox keeps it."""

    envelope: bytes
    """its `From ` line"""
    data: bytes
    """up to 128 MiB of it, quoted `From ` lines restored"""
    cut: bool
    """there was more"""


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield every message in `file` with its attachments; `part` is the message's number, from 1.

    A message's id is the hash of its bytes less what mail programs note of its state, so that marking one as read
    does not make it another. Raises UnreadableError when there is no message.
    """
    del name
    found = 0
    for number, stored in enumerate(messages(file), 1):
        found = number
        part = f"{context.part}/{number}" if context.part else str(number)
        inside = replace(context, part=part)
        if inside.passed_over():
            continue
        if stored.cut:
            yield Problem(part, "only the first 128 MiB of the message were read")
        head = stored.data[: _header_end(stored.data)]
        if _EXPUNGED.search(head) or (number == 1 and _INTERNAL in head):
            continue  # deleted by its owner, and only not yet swept out of the file
        received = mail_headers.date(_date(stored.envelope))
        yield from _message(stored.data, received, inside)
    if not found:
        raise registry.UnreadableError("damaged: no message in this mailbox")


def _message(data: bytes, received: str, context: Context) -> Iterator[Document | Problem]:
    try:
        yield from mail.message(data, identity(data), context, received=received)
    except Exception as error:  # noqa: BLE001  one message must not take the others with it; what was wrong is said
        yield Problem(context.part, f"damaged: {type(error).__name__}: {str(error)[:200]}".rstrip(": "))


def identity(data: bytes) -> str:
    """Return the id of a message: SHA-256 of its bytes without the fields that hold a mailbox's own state."""
    end = _header_end(data)
    value = hashlib.sha256(_STATE.sub(b"", data[:end]))
    value.update(memoryview(data)[end:])
    return value.hexdigest()


def _header_end(data: bytes) -> int:
    ends = [at + 1 for at in (data.find(b"\n\n"), data.find(b"\n\r\n")) if at >= 0]
    return min(ends, default=len(data))


def _date(envelope: bytes) -> str:
    """Return the date at the end of a `From ` line: from the weekday on, or the last five words."""
    text = envelope.decode("ascii", "replace").strip()
    found = re.search(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.*", text)
    return found[0] if found else " ".join(text.split()[-5:])


def messages(file: BinaryIO) -> Iterator[Stored]:
    """Yield the messages of a mailbox in order. What stands before the first `From ` line is left out."""
    buffer = bytearray()
    start = -1  # of the message being read, behind its `From ` line; -1 before the first
    envelope = b""
    scanned = 0  # no separator begins before
    kept: bytes | None = None  # of a message too large to hold: its beginning
    done = False
    file.seek(0)
    while not done:
        block = file.read(_READ)
        done = not block
        buffer += block
        limit = len(buffer) if done else len(buffer) - _AHEAD
        while (at := _next(buffer, scanned, limit)) >= 0:
            line_end = buffer.find(b"\n", at) + 1
            if start >= 0:
                yield _stored(envelope, kept if kept is not None else bytes(buffer[start:at]), cut=kept is not None)
            envelope, start, scanned, kept = bytes(buffer[at:line_end]), line_end, line_end, None
        scanned = max(scanned, limit - 8)
        if start < 0 or kept is not None:
            drop = max(0, scanned - 8)
            del buffer[:drop]
            scanned -= drop
            start = 0 if kept is not None else -1
        elif len(buffer) - start > mail.MAX_MESSAGE:
            kept = bytes(buffer[start : start + mail.MAX_MESSAGE])
        elif start:
            keep_from = max(0, start - 8)
            del buffer[:keep_from]
            start, scanned = start - keep_from, max(0, scanned - keep_from)
    if start >= 0:
        yield _stored(envelope, kept if kept is not None else bytes(buffer[start:]), cut=kept is not None)


def _next(buffer: bytearray, scanned: int, limit: int) -> int:
    """Return where the next separator in `buffer[scanned:limit]` begins, or -1."""
    at = buffer.find(b"From ", scanned)
    while 0 <= at < limit:
        if (at == 0 or buffer[at - 1] == 10) and _separates(buffer, at):
            return at
        at = buffer.find(b"From ", at + 5)
    return -1


def _separates(buffer: bytearray, at: int) -> bool:
    """Tell whether the `From ` line at `at` begins a message."""
    blank = at < 2 or buffer[at - 2] == 10 or (buffer[at - 2] == 13 and (at < 3 or buffer[at - 3] == 10))
    line = _STRICT.match(buffer, at)
    if line:
        return blank or _FIELD.match(buffer, line.end()) is not None
    if not blank:
        return False
    line = _DATED.match(buffer, at)
    if line:
        return _FIELD.match(buffer, line.end()) is not None
    line = _ANY.match(buffer, at)
    return line is not None and _MACHINE.match(buffer, line.end()) is not None


def _stored(envelope: bytes, data: bytes, *, cut: bool) -> Stored:
    # The writer of the mailbox added an empty line; it is none of the message's.
    if data.endswith(b"\r\n\r\n"):
        data = data[:-2]
    elif data.endswith(b"\n\n"):
        data = data[:-1]
    if b">From " in data:
        data = _QUOTED.sub(rb"\1", data)
    return Stored(envelope, data, cut)
