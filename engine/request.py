"""What the zygote can be asked for, and how: a frame over its socket, with descriptors.

A frame is `FRAME`, the name, the options. With its first byte come the descriptors: the file, the pipe for what the
worker says, the pipe on which the zygote tells how the worker ended, and for `write` the pipe on which the worker is
asked. Closing the reading end of the third is the request to kill the worker, so that there is nothing to number and
nothing to mix up.
"""

import array
import os
import socket
import struct
from dataclasses import dataclass

from vault.errors import StrongroomError

KINDS = ("parse", "picture", "ocr", "write")
"""What a worker is forked for; in a frame, the place in this list."""

FRAME = struct.Struct("=BII")  # kind, bytes of the name, bytes of the options
ENDED = struct.Struct("=iQ")  # wait status, peak of its own resident bytes
MAX_NAME = 4096  # bytes; NAME_MAX is 255
MAX_OPTIONS = 1 << 16  # bytes
_MOST_DESCRIPTORS = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One worker to be forked."""

    kind: str
    """one of KINDS"""
    name: str
    """of the file, for a parser that goes by it"""
    options: bytes
    """JSON, as the kind of worker reads it; empty for none"""
    descriptors: tuple[int, ...]
    """file, out, status, and for `write` the pipe with what is asked"""


def send(control: socket.socket, request: Request) -> None:
    """Ask the zygote; the descriptors stay the caller's. Raises OSError."""
    name = request.name.encode("utf-8", "surrogateescape")[-MAX_NAME:]
    frame = FRAME.pack(KINDS.index(request.kind), len(name), len(request.options)) + name + request.options
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", request.descriptors).tobytes())]
    sent = control.sendmsg([frame], rights)
    control.sendall(frame[sent:])


def receive(control: socket.socket) -> Request | None:
    """Return the next request, or None when nobody is left to ask. Its descriptors are then the caller's."""
    head, ancillary, flags, _ = control.recvmsg(FRAME.size, socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4))
    if not head:
        return None
    if flags & socket.MSG_CTRUNC or len(ancillary) != 1:
        raise StrongroomError("a request to the zygote came without its descriptors")
    descriptors = array.array("i")
    descriptors.frombytes(ancillary[0][2])
    head += _exactly(control, FRAME.size - len(head))
    kind, name_size, options_size = FRAME.unpack(head)
    name = _exactly(control, min(name_size, MAX_NAME))
    options = _exactly(control, min(options_size, MAX_OPTIONS))
    found = Request(KINDS[kind], name.decode("utf-8", "surrogateescape"), options, tuple(descriptors))
    if len(descriptors) != (4 if found.kind == "write" else 3):
        for each in descriptors:
            os.close(each)
        raise StrongroomError("a request to the zygote came without its descriptors")
    return found


def _exactly(control: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        block = control.recv(count - len(found))
        if not block:
            raise StrongroomError("a request to the zygote broke off")
        found += block
    return found
