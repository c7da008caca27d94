"""The connector's process: locked, with a line to the engine, a line to the launcher, one connection to a server.

It has no key, no document and no text, reads its own program and the system's certificates, and writes no file. What
the engine sends is checked by its form, ids and vectors, before it goes on; what the server sends, likewise.
"""

import contextlib
import os
import re
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from engine import connector, lock
from engine.chroma_http import Server
from engine.connector_frames import receive, send
from engine.server_address import Address
from retrieval.nearest import NearestError
from vault.errors import StrongroomError

_NAME = re.compile(r"[0-9a-f]{16}\Z")
_MOST_DIMENSIONS = 16_384
_MOST_ASKED = 10_000
_DIAL_SECONDS = 15.0


def run(engine: socket.socket, launcher: socket.socket, address: Address) -> None:
    """Be the connector, until the engine's line ends. Raises LockError."""
    from engine import serving

    certificates = ssl.create_default_context() if address.scheme == "https" else None
    lock.limit_files(readable=lock.program_folders(), writable=[Path(os.devnull)])
    serving.hide_messages()
    report = lock.lock("connector")
    server = Server(str(address), address.host, lambda: _connection(launcher, address, certificates))
    with contextlib.suppress(OSError):
        while (frame := receive(engine)) is not None:
            header, ids, body = frame
            number = header.get("n")
            try:
                found, listed = _held(report) if header["do"] == "lock" else _do(server, header, ids, body)
                send(engine, {**found, "n": number, "done": True}, listed)
            except (ValueError, KeyError, TypeError):
                send(engine, {"n": number, "done": False, "message": "that is no request", "hint": ""})
            except StrongroomError as error:
                send(engine, {"n": number, "done": False, "message": error.message, "hint": error.hint})


def _held(report: lock.Report) -> tuple[dict[str, Any], list[bytes]]:
    """What holds this process, tried once more."""
    said = {**report.to_json(), "pid": os.getpid(), "at": time.time(), "failed": ""}
    try:
        said["refused"] = list(lock.probe())
    except lock.LockError as error:
        said["failed"] = error.message
    return {"report": said}, []


def _do(server: Server, header: dict[str, Any], ids: list[bytes], body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """One thing for the engine, which is trusted no further than that. Raises NearestError; ValueError, KeyError or
    TypeError for what is no request."""
    match header["do"]:
        case "open":
            dimensions = _number(header["dimensions"], _MOST_DIMENSIONS)
            count = server.open(_name(header["vault"]), _name(header["model"]), dimensions)
            return {"count": count}, []
        case "count":
            return {"count": server.count()}, []
        case "ids":
            return {}, server.ids(_number(header["offset"], 1 << 32), _number(header["limit"], _MOST_ASKED))
        case "add":
            server.add(ids, _vectors(body, len(ids)))
            return {}, []
        case "remove":
            server.remove(ids)
            return {}, []
        case "sweep":
            server.sweep()
            return {}, []
        case "held":
            return {"count": server.held(ids)}, []
        case "nearest":
            (vector,) = _vectors(body, 1)
            return {}, server.nearest(vector, _number(header["count"], _MOST_ASKED))
        case "drop":
            return {"over": server.drop(_name(header["vault"]))}, []
        case _:
            raise ValueError("no such request")


def _connection(launcher: socket.socket, address: Address, certificates: ssl.SSLContext | None) -> socket.socket:
    """A connection, asked for. Raises NearestError."""
    where = f"the Chroma server at {address}"
    with contextlib.suppress(OSError):
        launcher.settimeout(_DIAL_SECONDS)
        launcher.sendall(connector.DIAL)
        said, descriptors, _, _ = socket.recv_fds(launcher, 256, 1)
        if said[:1] == connector.CONNECTED and descriptors:
            connection = socket.socket(fileno=descriptors[0])
            if certificates is None:
                return connection
            try:
                return certificates.wrap_socket(connection, server_hostname=address.host)
            except (ssl.SSLError, OSError) as error:
                raise NearestError(f"{where} has no certificate that holds: {type(error).__name__}") from error
        if said[:1] == connector.NOT_CONNECTED:
            raise NearestError(f"{where} cannot be reached: {said[1:].decode(errors='replace')}", "is it running?")
    raise NearestError(f"{where} cannot be reached: nobody connects", "`strongroom open` or `serve` does")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError("no name")
    return value


def _number(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError("no number")
    return value


def _vectors(body: bytes, count: int) -> list[bytes]:
    """`count` vectors of one length; ValueError where the bytes are none."""
    if not count or not body or len(body) % (4 * count):
        raise ValueError("no vectors")
    size = len(body) // count
    return [body[at : at + size] for at in range(0, len(body), size)]
