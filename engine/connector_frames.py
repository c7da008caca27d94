"""What goes between engine and connector: frames of ids and vectors, and nothing else.

A frame is 4 bytes (big-endian) with the length of a JSON object, the object, and what it says follows: `ids` × 16
bytes, then `bytes` bytes of vectors (float32, little-endian). A request has a number `n` and `do`; the answer has the
same `n`, and `done`, with `count` or ids, or with `message` and `hint`.
"""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from retrieval.nearest import ID_BYTES

_MOST_HEADER, _MOST_BODY = 1 << 16, 128 << 20


def send(line: socket.socket, header: dict[str, Any], ids: Sequence[bytes] = (), vectors: bytes = b"") -> None:
    """Write one frame."""
    encoded = json.dumps({**header, "ids": len(ids), "bytes": len(vectors)}).encode()
    line.sendall(b"".join([struct.pack(">I", len(encoded)), encoded, *ids, vectors]))


def receive(line: socket.socket) -> tuple[dict[str, Any], list[bytes], bytes] | None:
    """Read one frame: header, ids, vectors; None at the end. Raises ValueError for one that is none."""
    start = _read(line, 4)
    if start is None:
        return None
    (size,) = struct.unpack(">I", start)
    if size > _MOST_HEADER:
        raise ValueError("header too long")
    encoded = _read(line, size)
    header = json.loads(encoded or b"")
    match header:
        case {"ids": int(number), "bytes": int(length)} if min(number, length) >= 0:
            pass
        case _:
            raise ValueError("no header")
    if number * ID_BYTES + length > _MOST_BODY:
        raise ValueError("body too long")
    body = _read(line, number * ID_BYTES + length) or b""
    ids = [body[at : at + ID_BYTES] for at in range(0, number * ID_BYTES, ID_BYTES)]
    return header, ids, body[number * ID_BYTES :]


def _read(line: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = line.recv(min(size, 1 << 20))
        if not part:
            if parts:
                raise ValueError("ended within a frame")
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
