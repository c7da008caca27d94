"""The connector, from the launcher: how it is started, and connected.

It is the one process that speaks to a server of the user's, and it cannot connect by itself: its lock refuses that as
everybody's does. It asks the launcher for a connection, without naming anything; a child of the launcher's, which lives
for that alone, connects to the address that the user wrote down and hands the connected socket over. What the engine
can ask of it is in engine/at_server.py.
"""

import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import server_address
from engine.children import fork_child
from engine.server_address import Address
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from engine.at_server import Elsewhere

DIAL, CONNECTED, NOT_CONNECTED = b"d", b"c", b"n"
"""on the line between connector and launcher: a wish for a connection; with a socket; with the reason why not"""
_DIAL_SECONDS = 5.0
_DIAL_EVERY = 1.0  # seconds between two connections at least


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
) -> tuple[Connector | None, "Elsewhere | None"]:
    """Start a connector if the user chose a server for this vault: its handle, and what the engine gets.

    `writable` are the folders that engines may write to: an address that could be theirs counts for nothing.
    """
    address, problem = None, None
    try:
        address = server_address.read(config, vault_folder, writable) if config else None
    except StrongroomError as error:
        problem = error
    if address is None and problem is None:
        return None, None
    from engine.at_server import Elsewhere, Line  # only now: everything is forked from here, so little is imported

    if address is None:
        return None, Elsewhere(None, "", problem)
    connector, line = Connector.start(address)
    return connector, Elsewhere(Line(line), str(address))


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
