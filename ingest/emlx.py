"""Apple Mail's `.emlx`: the message's length in bytes on a line, the message, and a property list with its state."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from ingest import mail, registry
from ingest.registry import Context
from vault.records import Document, Problem

_LENGTH = re.compile(rb"\s*(\d{1,12})[ \t]*\r?\n")
_RECEIVED = re.compile(rb"<key>date-received</key>\s*<(?:real|integer)>(\d{9,11})")


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the message and its attachments. Its id is the hash of the message, not of the state kept behind it.

    Raises UnreadableError where there is no message. The attachments of a `.partial.emlx` lie in files of their
    own, which is said.
    """
    data = file.read(mail.MAX_MESSAGE + 1)
    if len(data) > mail.MAX_MESSAGE:
        yield Problem(context.part, "only the first 128 MiB of the message were read")
    message, state = _split(data[: mail.MAX_MESSAGE])
    if not message.strip():
        raise registry.UnreadableError("empty: there is no message in it")
    found = _RECEIVED.search(state)
    received = datetime.fromtimestamp(int(found[1]), UTC).isoformat() if found else ""
    if name.lower().endswith(".partial.emlx"):
        yield Problem(context.part, "its attachments are kept by Apple Mail in files of their own")
    yield from mail.message(message, hashlib.sha256(message).hexdigest(), context, received=received)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Return message and property list. A length that does not lead to a property list is not believed."""
    length = _LENGTH.match(data)
    if not length:
        return data, b""
    start, end = length.end(), length.end() + int(length[1])
    if end >= len(data) or data[end : end + 200].lstrip().startswith(b"<?xml"):
        return data[start:end], data[end:]
    listed = data.rfind(b"<?xml", start)
    if listed >= 0 and b"<plist" in data[listed : listed + 1000]:
        return data[start:listed], data[listed:]
    return data[start:], b""
