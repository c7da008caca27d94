"""A life: the processes that one passphrase serves, and what stays while they come and go.

A life is one zygote, one engine and one page, and a connector where the user chose a server. They are forked in an
order in which none has what the next one gets.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from engine import lock, places, rendezvous, vaults
from engine.children import fork_child
from engine.connector import Connector
from engine.connector import begin as begin_connector
from engine.delivering import Deliveries
from engine.show import Shown
from engine.zygote import Zygote

if TYPE_CHECKING:
    from engine.at_server import Elsewhere

_END_SECONDS = 8.0  # that an engine has to close its vault before it is killed


@dataclass(slots=True)
class Life:
    """The processes of one life."""

    zygote: int
    engine: int
    page: int | None
    line: socket.socket
    """to the engine: see serving.Line"""
    tokens: socket.socket | None
    """to the page: one-time tokens, one a line; from it: see engine/delivering.py"""
    connector: Connector | None
    began: float = field(default_factory=monotonic)
    ready: bool = False
    ending: bool = False
    """the engine said that it ends as it was asked to"""
    heard: bytes = b""


@dataclass(slots=True)
class Stand:
    """What stays from life to life."""

    place: places.Place
    state: Path
    web: socket.socket | None
    label: str
    key: bytes
    """makes the browsers' cookies, so that a page that was started anew knows them"""
    wake: int
    shown: Shown
    config: Path | None
    going_to: places.Place | None = None
    """where the next life is another vault's"""
    deliveries: Deliveries = field(default_factory=Deliveries)
    been: list[Path] = field(default_factory=list)
    """vaults that engines of this launcher could write to"""
    stopping: bool = False

    def own_folders(self) -> list[Path]:
        """Where engines may write, this one and those of the vaults beside it."""
        return [*(each.path for each in vaults.beside(self.place.vault)), *self.been, self.state]

    def move(self) -> None:
        """Leave this vault for the one that was asked for, if one was."""
        if self.going_to is not None:
            self.been.append(self.place.vault)
            self.place.leave()
            self.place, self.going_to = self.going_to, None

    def leave(self) -> None:
        """Let go of everything."""
        self.move()
        self.place.leave()


def begin(stand: Stand) -> Life:
    """Fork zygote, engine and page, in this order: none has what the next one gets."""
    own_line, engine_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    zygote = Zygote.start()
    connector, elsewhere = begin_connector(stand.config, stand.place.vault, stand.own_folders())
    kept = [stand.place.claim, stand.place.listener.fileno(), engine_line.fileno(), zygote.fileno()]
    engine = fork_child(
        lambda: _engine(stand, zygote, engine_line, elsewhere),
        keep=[*kept, *([elsewhere.line.fileno()] if elsewhere and elsewhere.line else [])],
    )
    zygote.let_go()
    engine_line.close()
    if elsewhere and elsewhere.line:
        elsewhere.line.close()
    life = Life(zygote.pid, engine, None, own_line, None, connector)
    if stand.web is not None:
        begin_page(stand, life)
    return life


def begin_page(stand: Stand, life: Life) -> None:
    """Fork the page of a life, where there is one; also anew, when it has ended."""
    web = stand.web
    connection = rendezvous.connect(stand.place.vault, stand.state)
    if web is None or connection is None:
        return
    own_tokens, page_tokens = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    life.page = fork_child(
        lambda: _page(stand, web, connection, page_tokens),
        keep=[web.fileno(), connection.fileno(), page_tokens.fileno()],
    )
    connection.close()
    page_tokens.close()
    life.tokens = own_tokens


def _engine(stand: Stand, zygote: Zygote, line: socket.socket, elsewhere: "Elsewhere | None") -> None:
    from engine import serving

    serving.run_engine(stand.place.listener, (), zygote, (stand.place.vault, stand.state), line, elsewhere)


def _page(stand: Stand, web: socket.socket, connection: socket.socket, tokens: socket.socket) -> None:
    os.environ["HOME"] = "/nonexistent"  # Streamlit looks there for settings, which may not be read
    lock.limit_files(readable=lock.program_folders(), writable=[Path(os.devnull)])
    from engine import serving
    from ui import serve

    serving.hide_messages()
    serve.run(
        web,
        connection,
        token="",
        label=stand.label,
        port=web.getsockname()[1],
        session_key=stand.key,
        open_requests=tokens,
    )


def end(life: Life) -> None:
    """End the processes of this life, the page first, and wait for them."""
    until = monotonic() + _END_SECONDS
    life.line.close()
    if life.tokens is not None:
        life.tokens.close()
    others = life.connector.close() if life.connector else ()
    for pid in (life.page, life.engine):
        if pid:
            os.kill(pid, signal.SIGTERM)
    for pid in (life.page, life.engine, *others, life.zygote):  # the zygote ends when the engine has let go of it
        if pid:
            _await_end(pid, until)


def _await_end(pid: int, until: float) -> None:
    while True:
        with contextlib.suppress(ChildProcessError):
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if ended == 0 and monotonic() < until:
                select.select([], [], [], 0.02)
                continue
            if ended == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        return


def ended() -> Iterator[tuple[int, int]]:
    """The children that have ended, with their status."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, status
