"""The connector's process: locked, with a line to the engine, a line to the launcher, one connection to a server.

It has no key, no document and no text, reads its own program, the certificates and the server's token, and writes no
file. What the engine sends is checked by its form, ids and vectors, before it goes on; what the server sends, likewise.
"""

import contextlib
import os
import re
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from engine import connector, lock, server_access
from engine.chroma_http import Server
from engine.connector_frames import receive, send
from engine.server_access import Access
from engine.server_address import Address
from retrieval.nearest import NearestError
from vault.errors import StrongroomError

_NAME = re.compile(r"[0-9a-f]{16}\Z")
_MOST_DIMENSIONS = 16_384
_MOST_ASKED = 10_000
_DIAL_SECONDS = 15.0
_GREET_SECONDS = 10.0  # for the beginning of an encrypted connection


def run(engine: socket.socket, launcher: socket.socket, address: Address) -> None:
    """Be the connector, until the engine's line ends. Raises LockError."""
    from engine import serving

    access = _access(address)
    lock.limit_files(readable=lock.program_folders(), writable=[Path(os.devnull)])
    serving.hide_messages()
    report = lock.lock("connector")
    token = access.token if isinstance(access, Access) else ""
    server = Server(str(address), address.host, lambda: _connection(launcher, address, access), token)
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


def _access(address: Address) -> Access | StrongroomError:
    """What the server wants and has to show, or why it cannot be asked: the engine is told, at its first request."""
    try:
        return server_access.look(address)
    except StrongroomError as error:
        return error


def _connection(launcher: socket.socket, address: Address, access: Access | StrongroomError) -> socket.socket:
    """A connection, asked for. Raises NearestError."""
    where = f"the Chroma server at {address}"
    if isinstance(access, StrongroomError):
        raise NearestError(f"{where} is not asked: {access.message}", access.hint)
    with contextlib.suppress(OSError):
        launcher.settimeout(_DIAL_SECONDS)
        launcher.sendall(connector.DIAL)
        said, descriptors, _, _ = socket.recv_fds(launcher, 256, 1)
        if said[:1] == connector.CONNECTED and descriptors:
            return _secured(socket.socket(fileno=descriptors[0]), where, address.host, access.certificates)
        if said[:1] == connector.NOT_CONNECTED:
            raise NearestError(f"{where} cannot be reached: {said[1:].decode(errors='replace')}", "is it running?")
    raise NearestError(f"{where} cannot be reached: nobody connects", "`strongroom open` or `serve` does")


def _secured(connection: socket.socket, where: str, host: str, certificates: ssl.SSLContext | None) -> socket.socket:
    """The connection, encrypted where it is https. Raises NearestError."""
    if certificates is None:
        return connection
    connection.settimeout(_GREET_SECONDS)
    try:
        return certificates.wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        reason, hint = f"its certificate does not hold: {error.verify_message}", "`--ca FILE` names who signed it"
    except TimeoutError:
        reason, hint = f"it did not greet within {_GREET_SECONDS:.0f} s", "is it an https server?"
    except (ssl.SSLError, OSError) as error:
        reason, hint = f"it does not speak https: {type(error).__name__}", "http://HOST:PORT, if it speaks that"
    connection.close()
    raise NearestError(f"{where} is not used: {reason}", hint)


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
