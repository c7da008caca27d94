"""The connector, from outside: how it is started and connected, and what the engine says to it.

It is the one process that speaks to a server of the user's, and it cannot connect by itself: its lock refuses that as
everybody's does. It asks the launcher for a connection, without naming anything; a child of the launcher's, which lives
for that alone, connects to the address that the user wrote down and hands the connected socket over. The engine cannot
ask for a connection and never sees one; it can have ids and vectors carried to that one server, and nothing else.

Between engine and connector: a frame is 4 bytes (big-endian) with the length of a JSON object, the object, and what it
says follows: `ids` × 16 bytes, then `vectors` × 4 × `dimensions` bytes (float32, little-endian). A request has a number
`n` and `do`; the answer has the same `n`, and `done`, with `count` or ids, or with `message` and `hint`.
"""

import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import server_address
from engine.children import fork_child
from engine.server_address import Address
from retrieval.nearest import ID_BYTES, BusyError, NearestError
from vault.errors import StrongroomError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DIAL, CONNECTED, NOT_CONNECTED = b"d", b"c", b"n"
"""on the line between connector and launcher: a wish for a connection; with a socket; with the reason why not"""
_MOST_HEADER, _MOST_BODY = 1 << 16, 128 << 20
_DIAL_SECONDS = 5.0
_DIAL_EVERY = 1.0  # seconds between two connections at least
_QUERY_SECONDS = 4.0
_SECONDS = 150.0
_DROP_SECONDS = 600.0
_PAGE = 5_000


# --- frames ---------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What an engine has of a server."""

    line: socket.socket | None
    """to the connector; None where there is none"""
    where: str
    """the address"""
    problem: StrongroomError | None = None
    """why there is no connector, though the user chose a server"""


# --- the launcher's side --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Connector:
    """A connector that was started."""

    pid: int
    address: Address
    line: socket.socket
    """to it, from the launcher"""
    dialing: int = 0
    """the child that connects now"""
    dialed: float = -_DIAL_EVERY

    @classmethod
    def start(cls, address: Address) -> "tuple[Connector, socket.socket]":
        """Fork it; returns with it the line to it that is the engine's."""
        own, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for_engine, to_engine = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

        def run() -> None:
            from engine import connector_process

            connector_process.run(to_engine, line, address)

        pid = fork_child(run, keep=[line.fileno(), to_engine.fileno()])
        line.close()
        to_engine.close()
        return cls(pid, address, own), for_engine

    def heard(self) -> bool:
        """Take what it says, and connect if it asks for that; whether it may say more."""
        try:
            asked = self.line.recv(16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if DIAL in asked and not self.dialing:
            self.dial(wait=max(0.0, self.dialed + _DIAL_EVERY - time.monotonic()))
        return bool(asked)

    def dial(self, *, wait: float = 0.0) -> None:
        """Have a child connect to the address, and hand the connection over."""
        self.dialed = time.monotonic() + wait
        self.dialing = fork_child(lambda: _dial(self.line, self.address, wait), keep=[self.line.fileno()])

    def dial_apart(self) -> None:
        """Have a child connect whenever it asks, where no launcher does: for a command that locks itself. It holds
        nothing but the line, and ends with the connector."""
        fork_child(lambda: _dial_each(self.line, self.address), keep=[self.line.fileno()])
        self.line.close()

    def ended(self, pid: int) -> None:
        """Some child has ended."""
        if pid == self.dialing:
            self.dialing = 0
        if pid == self.pid:
            self.pid = 0

    def close(self) -> tuple[int, ...]:
        """End it; returns the processes that are to be waited for."""
        self.line.close()
        left = tuple(each for each in (self.pid, self.dialing) if each)
        for each in left:  # it may be waiting for the server, and has nothing to finish
            os.kill(each, signal.SIGKILL)
        return left


def begin(
    config: Path | None, vault_folder: Path, writable: Sequence[Path]
) -> tuple[Connector | None, Elsewhere | None]:
    """Start a connector if the user chose a server for this vault: its handle, and what the engine gets.

    `writable` are the folders that engines may write to: an address that could be theirs counts for nothing.
    """
    try:
        address = server_address.read(config, vault_folder, writable) if config else None
    except StrongroomError as error:
        return None, Elsewhere(None, "", error)
    if address is None:
        return None, None
    connector, line = Connector.start(address)
    return connector, Elsewhere(line, str(address))


def _dial_each(line: socket.socket, address: Address) -> None:
    while DIAL in line.recv(16):
        _dial(line, address, 0.0)
        time.sleep(_DIAL_EVERY)


def _dial(line: socket.socket, address: Address, wait: float) -> None:
    """Connect to the one address and pass the connection on. This process is not locked; it reads nothing that anybody
    sends, and ends."""
    time.sleep(wait)
    try:
        connection = socket.create_connection((address.host, address.port), timeout=_DIAL_SECONDS)
    except OSError as error:
        reason = "did not answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        line.sendall(NOT_CONNECTED + reason.encode()[:200])
        return
    connection.setblocking(True)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    socket.send_fds(line, [CONNECTED], [connection.fileno()])
    os.close(connection.detach())


# --- the engine's side ----------------------------------------------------------------------------------------------


class AtServer:
    """The index on the user's server (retrieval.nearest.Nearest), through the connector. Thread-safe."""

    kind = "server"

    def __init__(self, line: socket.socket, where: str, vault: str, model: str) -> None:
        """`where` is the address in words; `vault` and `model`: 16 hexadecimal digits that name the collection and tell
        nothing."""
        self.where = f"the Chroma server at {where}"
        self._line = line
        self._vault, self._model = vault, model
        self._asking = threading.Lock()
        self._number = 0

    def open(self, dimensions: int) -> None:
        """Have the collection."""
        self._dimensions = dimensions
        self._ask("open", model=self._model, dimensions=dimensions)

    def ids(self) -> Iterator[list[bytes]]:
        """All ids."""
        offset = 0
        while page := self._ask("ids", offset=offset, limit=_PAGE)[1]:
            yield page
            offset += len(page)

    def count(self) -> int:
        """How many it has."""
        return int(self._ask("count")[0]["count"])

    def add(self, ids: Sequence[bytes], vectors: "Array") -> None:
        """Take in vectors."""
        self._ask("add", ids, vectors.astype("<f4").tobytes())

    def remove(self, ids: Sequence[bytes]) -> None:
        """Remove these."""
        self._ask("remove", ids)

    def nearest(self, vector: "Array", count: int) -> list[bytes]:
        """The nearest ids."""
        return self._ask("nearest", (), vector.astype("<f4").tobytes(), seconds=_QUERY_SECONDS, count=count)[1]

    def held(self, ids: Sequence[bytes]) -> int:
        """How many of these it has."""
        return int(self._ask("held", ids)[0]["count"])

    def sweep(self) -> None:
        """Have what was removed written over."""
        self._ask("sweep")

    def drop(self) -> bool:
        """Remove everything of this vault's; whether it was written over there before."""
        return self._ask("drop", seconds=_DROP_SECONDS)[0].get("over") is True

    def close(self) -> None:
        """Nothing: the line is the engine's for its whole life."""

    def _ask(
        self, do: str, ids: Sequence[bytes] = (), vectors: bytes = b"", *, seconds: float = _SECONDS, **more: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        until = time.monotonic() + seconds
        if not self._asking.acquire(timeout=seconds):
            raise BusyError(f"{self.where} is busy taking in vectors")
        try:
            self._number += 1
            send(self._line, {"n": self._number, "do": do, "vault": self._vault, **more}, ids, vectors)
            while True:
                left = until - time.monotonic()
                if left <= 0 or not select.select([self._line], [], [], left)[0]:
                    raise NearestError(f"{self.where} did not answer within {seconds:.0f} s")
                frame = receive(self._line)
                if frame is None:
                    raise NearestError("the connector has ended", "`strongroom lock` starts it anew")
                header, found, _ = frame
                if header.get("n") == self._number:  # not the late answer to what was given up
                    break
        except (OSError, ValueError) as error:
            raise NearestError("the connector has ended", "`strongroom lock` starts it anew") from error
        finally:
            self._asking.release()
        if header.get("done") is not True:
            raise NearestError(str(header.get("message"))[:300], str(header.get("hint", ""))[:300])
        return header, found
