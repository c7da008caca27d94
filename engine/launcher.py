"""The launcher: binds the sockets, forks zygote, engine and page, and starts them anew when they end.

It has no key and reads no document, and it is the only process here that may run a program: the browser, or the
program that shows a document's own file. It imports little and has one thread, because everything is forked from it.

A life is one zygote, one engine and one page. `lock` ends the engine, and with it the life: what the three had in
memory is gone, and the next life begins locked on the same sockets, so that no browser is turned away meanwhile. The
next life may be another vault's, if the engine asked for it by name and the name is a vault's beside this one; the
page's socket, its address and its cookies stay, the engine's socket and the claim are each vault's own.
"""

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from engine import lock, places, rendezvous, vaults
from engine.children import REFUSED, fork_child, fork_plainly
from engine.connector import Connector, Elsewhere
from engine.connector import begin as begin_connector
from engine.delivering import Deliveries
from engine.show import Shown, show_file
from engine.zygote import Zygote
from vault.errors import StrongroomError

_END_SECONDS = 8.0  # that an engine has to close its vault before it is killed
_SOON = 60.0  # seconds: a life that is shorter has crashed early
_MOST_CRASHES = 5  # early ones, one after the other, before the launcher gives up


class GaveUpError(StrongroomError):
    """The engine or the page does not stay up."""


@dataclass(slots=True)
class _Life:
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
class _Stand:
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


def launch(
    vault_folder: Path,
    state_folder: Path,
    *,
    page: bool,
    port: int | None = None,
    browser: bool = False,
    on_ready: Callable[[str], None] = lambda _url: None,
    config_folder: Path | None = None,
) -> None:
    """Run engine and, if wanted, page until SIGTERM, SIGINT or SIGHUP.

    `port` None lets the system choose one. `on_ready` is told the one-time address of the page (empty without one)
    once the engine answers; it runs in a process of its own, so that what it knows (a passphrase for an unattended
    start, say) does not stay in this one. `browser` shows the page. `config_folder` may hold the address of a server
    of the user's (engine/server_address.py).

    Raises EngineRunningError, GaveUpError, StrongroomError for a port that is taken.
    """
    vault_folder, state_folder = vault_folder.absolute(), state_folder.absolute()
    with contextlib.ExitStack() as stack:
        wake = stack.enter_context(_signals())
        stand = _Stand(
            place=places.take(vault_folder, state_folder),
            state=state_folder,
            web=None,
            label=secrets.token_hex(8),
            key=secrets.token_bytes(32),
            wake=wake,
            shown=Shown(state_folder),
            config=config_folder,
        )
        stack.callback(stand.leave)
        stand.web = stack.enter_context(rendezvous.listen_for_browsers(port)) if page else None
        stack.callback(stand.shown.remove_redirects, everything=True)
        _live(stand, browser=browser, on_ready=on_ready)


def _live(stand: _Stand, *, browser: bool, on_ready: Callable[[str], None]) -> None:
    """One life after the other."""
    early = 0
    told = False
    while not stand.stopping:
        life = _begin(stand)
        try:
            ended = _follow(stand, life, None if told else (on_ready, browser))
        finally:
            _end(life)
        stand.deliveries.forget()
        told = told or life.ready
        stand.move()
        if stand.stopping or (ended == 0 and life.ending and life.zygote):
            early = 0
            continue
        if ended == REFUSED:
            raise GaveUpError("Strongroom cannot run here", "the reason stands above")
        early = early + 1 if monotonic() - life.began < _SOON else 1
        if early >= _MOST_CRASHES:
            raise GaveUpError(f"the engine ended {early} times shortly after its start", "the reason stands above")
        how = f"by signal {-ended}" if ended < 0 else f"with exit status {ended}"
        print(
            f"strongroom: the engine ended unexpectedly {how}; it is started again, locked", file=sys.stderr, flush=True
        )
        _pause(stand, 0.5 * 2**early)


def _begin(stand: _Stand) -> _Life:
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
    life = _Life(zygote.pid, engine, None, own_line, None, connector)
    if stand.web is not None:
        _begin_page(stand, life)
    return life


def _begin_page(stand: _Stand, life: _Life) -> None:
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


def _engine(stand: _Stand, zygote: Zygote, line: socket.socket, elsewhere: Elsewhere | None) -> None:
    from engine import serving

    serving.run_engine(stand.place.listener, (), zygote, (stand.place.vault, stand.state), line, elsewhere)


def _page(stand: _Stand, web: socket.socket, connection: socket.socket, tokens: socket.socket) -> None:
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


def _follow(stand: _Stand, life: _Life, to_tell: tuple[Callable[[str], None], bool] | None) -> int:
    """Do what the processes of this life need until the engine has ended; return its exit status, or minus a signal.

    A page that ends is started anew. `to_tell` is who wants to hear when the engine answers, and whether to show
    the page then.
    """
    poll = select.poll()
    poll.register(stand.wake, select.POLLIN)
    poll.register(life.line, select.POLLIN)
    if life.connector:
        poll.register(life.connector.line, select.POLLIN)
    page_ends = 0
    while True:
        for descriptor, _ in poll.poll(1000):
            if descriptor == stand.wake:
                _read_signals(stand)
            elif life.connector and descriptor == life.connector.line.fileno():
                if not life.connector.heard():
                    poll.unregister(life.connector.line)
            elif not _listen(stand, life):
                poll.unregister(life.line)
        stand.shown.remove_redirects()
        if life.ready and to_tell is not None:
            _tell(stand, life, *to_tell)
            to_tell = None
        for pid, status in _ended():
            if life.connector:
                life.connector.ended(pid)
            if pid == life.engine:
                life.engine = 0
                return os.waitstatus_to_exitcode(status)
            if pid == life.zygote and not life.ending:
                # Without it no file can be read: a new life, and the engine closes its vault before.
                life.zygote = 0
                print("strongroom: the process that starts the parsers ended unexpectedly", file=sys.stderr, flush=True)
                os.kill(life.engine, signal.SIGTERM)
            if pid == life.page:
                life.page = None
                page_ends += 1
                if status == REFUSED << 8 or page_ends >= _MOST_CRASHES:
                    raise GaveUpError("the page does not stay up", "the reason stands above")
                if not stand.stopping:
                    print("strongroom: the page ended unexpectedly; it is started again", file=sys.stderr, flush=True)
                    _begin_page(stand, life)
        if stand.stopping:
            return 0


def _end(life: _Life) -> None:
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


def _ended() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, status


def _tell(stand: _Stand, life: _Life, on_ready: Callable[[str], None], browser: bool) -> None:
    url = _address(stand, life) if life.tokens else ""
    if browser and url:
        stand.shown.page(_address(stand, life))
    fork_plainly(lambda: on_ready(url))


# ---- what the engine asks for ----


def _listen(stand: _Stand, life: _Life) -> bool:
    """Take what the engine says; return whether it still may say more."""
    try:
        block = life.line.recv(1 << 16)
    except OSError:
        block = b""
    life.heard += block
    while b"\n" in life.heard:
        line, _, life.heard = life.heard.partition(b"\n")
        answer = _answer(stand, life, line)
        with contextlib.suppress(OSError):
            # Never waiting: an engine that does not listen would keep this process from hearing its user's signals.
            life.line.sendall(json.dumps(answer).encode() + b"\n", socket.MSG_DONTWAIT)
    return bool(block) and len(life.heard) < 1 << 16


def _answer(stand: _Stand, life: _Life, line: bytes) -> dict[str, Any]:
    """Do one thing for the engine. It is trusted no further than that: it reads documents."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return {"done": False}
    match request:
        case {"ready": True}:
            life.ready = True
            return {"done": True}
        case {"ending": True}:
            life.ending = True
            return {"done": True}
        case {"page": bool(browser)} if life.tokens is not None:
            return {"done": browser and stand.shown.page(_address(stand, life)), "url": _address(stand, life)}
        case {"open": str(path)}:
            return {"done": show_file(path, kept_out=stand.own_folders())}
        case {"deliver": str(name), "to": str(target)}:
            stand.deliveries.hear(life.tokens)
            return stand.deliveries.begin(name, target, stand.state, stand.own_folders())
        case {"delivered": True}:
            return stand.deliveries.outcome()
        case {"vault": str(name)}:
            return _go_to(stand, name)
        case _:
            return {"done": False}


def _go_to(stand: _Stand, name: str) -> dict[str, Any]:
    """Make ready for the next life to be another vault's; nothing else changes until the engine ends."""
    try:
        going_to = places.take_beside(stand.place.vault, name, stand.state)
    except StrongroomError as error:
        return {"done": False, "message": error.message, "hint": error.hint}
    if stand.going_to is not None:  # asked twice: the last counts
        stand.going_to.leave()
    stand.going_to = going_to
    return {"done": True}


def _address(stand: _Stand, life: _Life) -> str:
    """Return an address that opens the page once."""
    if stand.web is None or life.tokens is None:
        return ""
    token = secrets.token_urlsafe(32)
    with contextlib.suppress(OSError):  # a page that ended is started anew and asked again
        life.tokens.sendall(f"{token}\n".encode(), socket.MSG_DONTWAIT)
    return f"http://{stand.label}.localhost:{stand.web.getsockname()[1]}/?token={token}"


# ---- signals ----


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Yield a descriptor from which each signal that comes in can be read as a byte."""
    wake, wake_end = os.pipe()
    for each in (wake, wake_end):
        os.set_blocking(each, False)
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    before = {each: signal.signal(each, lambda *_: None) for each in handled}
    previous = signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(wake_end)


def _read_signals(stand: _Stand) -> None:
    with contextlib.suppress(BlockingIOError):
        numbers = os.read(stand.wake, 4096)
        stand.stopping |= bool({signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & set(numbers))


def _pause(stand: _Stand, seconds: float) -> None:
    """Wait before the next life, unless a signal comes."""
    until = monotonic() + seconds
    while not stand.stopping and (left := until - monotonic()) > 0:
        if select.select([stand.wake], [], [], left)[0]:
            _read_signals(stand)
