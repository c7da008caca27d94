"""The launcher: binds the sockets, forks zygote, engine and page, and starts them anew when they end.

It has no key and reads no document, and it is the only process here that may run a program: the browser, or the
program that shows a document's own file. It imports little and has one thread, because everything is forked from it.

A life is one zygote, one engine and one page. `lock` ends the engine, and with it the life: what the three had in
memory is gone, and the next life begins locked on the same sockets, so that no browser is turned away meanwhile.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from engine import lock, rendezvous
from engine.seccomp import libc_handle
from engine.zygote import Zygote
from vault.errors import StrongroomError

_END_SECONDS = 8.0  # that an engine has to close its vault before it is killed
_REDIRECT_SECONDS = 60.0  # that a browser has to read the file that hands it the token
_SOON = 60.0  # seconds: a life that is shorter has crashed early
_MOST_CRASHES = 5  # early ones, one after the other, before the launcher gives up
_REFUSED = 78  # a child that cannot start at all, see serving.REFUSED


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
    """to the page: one-time tokens, one a line"""
    began: float = field(default_factory=monotonic)
    ready: bool = False
    ending: bool = False
    """the engine said that it ends as it was asked to"""
    heard: bytes = b""


@dataclass(slots=True)
class _Stand:
    """What stays from life to life."""

    vault: Path
    state: Path
    claim: int
    listener: socket.socket
    web: socket.socket | None
    label: str
    key: bytes
    """makes the browsers' cookies, so that a page that was started anew knows them"""
    wake: int
    stopping: bool = False
    redirects: dict[Path, float] = field(default_factory=dict)
    """files that hand a token to the browser, and when to remove them"""


def launch(
    vault_folder: Path,
    state_folder: Path,
    *,
    page: bool,
    port: int | None = None,
    browser: bool = False,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Run engine and, if wanted, page until SIGTERM, SIGINT or SIGHUP.

    `port` None lets the system choose one. `on_ready` is told the one-time address of the page (empty without one)
    once the engine answers; it runs in a process of its own, so that what it knows (a passphrase for an unattended
    start, say) does not stay in this one. `browser` shows the page.

    Raises EngineRunningError, GaveUpError, StrongroomError for a port that is taken.
    """
    vault_folder, state_folder = vault_folder.absolute(), state_folder.absolute()
    with contextlib.ExitStack() as stack:
        claim = stack.enter_context(rendezvous.claim(vault_folder, state_folder))
        listener = stack.enter_context(rendezvous.listen(vault_folder, state_folder))
        stack.callback(rendezvous.socket_path(vault_folder, state_folder).unlink, missing_ok=True)
        web = stack.enter_context(_bind(port)) if page else None
        wake = stack.enter_context(_signals())
        stand = _Stand(
            vault_folder, state_folder, claim, listener, web, secrets.token_hex(8), secrets.token_bytes(32), wake
        )
        stack.callback(_remove_redirects, stand, everything=True)
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
        told = told or life.ready
        if stand.stopping or (ended == 0 and life.ending and life.zygote):
            early = 0
            continue
        if ended == _REFUSED:
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
    engine = _fork(
        lambda: _engine(stand, zygote, engine_line),
        keep=[stand.claim, stand.listener.fileno(), engine_line.fileno(), zygote.fileno()],
    )
    zygote.let_go()
    engine_line.close()
    life = _Life(zygote.pid, engine, None, own_line, None)
    if stand.web is not None:
        _begin_page(stand, life)
    return life


def _begin_page(stand: _Stand, life: _Life) -> None:
    web = stand.web
    connection = rendezvous.connect(stand.vault, stand.state)
    if web is None or connection is None:
        return
    own_tokens, page_tokens = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    life.page = _fork(
        lambda: _page(stand, web, connection, page_tokens),
        keep=[web.fileno(), connection.fileno(), page_tokens.fileno()],
    )
    connection.close()
    page_tokens.close()
    life.tokens = own_tokens


def _engine(stand: _Stand, zygote: Zygote, line: socket.socket) -> None:
    from engine import serving

    serving.run_engine(stand.listener, (), zygote, (stand.vault, stand.state), line)


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


def _fork(main: Callable[[], None], *, keep: list[int]) -> int:
    """Fork a child that runs `main` with these descriptors and no others, and dies with this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _be_child(parent, keep)
        main()
        status = 0
    except (StrongroomError, ImportError) as error:
        print(f"strongroom: {error}", file=sys.stderr, flush=True)
        status = _REFUSED
    except BaseException as error:  # noqa: BLE001 - a child must not go on as the launcher
        from engine.protocol import place

        print(f"strongroom: failed: {place(error)}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def _be_child(parent: int, keep: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides
    die_with_parent(parent)
    os.setsid()  # no terminal: nothing can be typed into it
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    low = 3
    for kept in [*sorted(keep), 1 << 20]:
        os.closerange(low, kept)
        low = kept + 1
    os.chdir("/")
    os.umask(0o077)
    sys.dont_write_bytecode = True
    os.environ.update(DO_NOT_TRACK="1", ORT_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, so that no orphan keeps a vault open."""
    if sys.platform == "linux":
        libc_handle().prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before that
            os._exit(1)


def _follow(stand: _Stand, life: _Life, to_tell: tuple[Callable[[str], None], bool] | None) -> int:
    """Do what the processes of this life need until the engine has ended; return its exit status, or minus a signal.

    A page that ends is started anew. `to_tell` is who wants to hear when the engine answers, and whether to show
    the page then.
    """
    poll = select.poll()
    poll.register(stand.wake, select.POLLIN)
    poll.register(life.line, select.POLLIN)
    page_ends = 0
    while True:
        for descriptor, _ in poll.poll(1000):
            if descriptor == stand.wake:
                _read_signals(stand)
            elif not _listen(stand, life):
                poll.unregister(life.line)
        _remove_redirects(stand)
        if life.ready and to_tell is not None:
            _tell(stand, life, *to_tell)
            to_tell = None
        for pid, status in _ended():
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
                if status == _REFUSED << 8 or page_ends >= _MOST_CRASHES:
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
    for pid in (life.page, life.engine):
        if pid:
            os.kill(pid, signal.SIGTERM)
    for pid in (life.page, life.engine, life.zygote):  # the zygote ends when the engine has let go of it
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
        _show_page(stand, _address(stand, life))
    _fork_plainly(lambda: on_ready(url))


def _fork_plainly(main: Callable[[], None]) -> None:
    """Run `main` in a child with this process's terminal and descriptors."""
    sys.stdout.flush()
    parent = os.getpid()
    if os.fork():
        return
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        die_with_parent(parent)
        main()
        sys.stdout.flush()
        status = 0
    except StrongroomError as error:
        print(f"strongroom: {error}" + (f"; {error.hint}" if error.hint else ""), file=sys.stderr, flush=True)
    finally:
        os._exit(status)


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
            life.line.sendall(json.dumps(answer).encode() + b"\n")
    return bool(block) and len(life.heard) < 1 << 16


def _answer(stand: _Stand, life: _Life, line: bytes) -> dict[str, Any]:
    """Do one thing for the engine. It is trusted no further than that: it reads documents."""
    try:
        request = json.loads(line)
    except ValueError:
        return {"done": False}
    match request:
        case {"ready": True}:
            life.ready = True
            return {"done": True}
        case {"ending": True}:
            life.ending = True
            return {"done": True}
        case {"page": bool(browser)} if life.tokens is not None:
            return {"done": browser and _show_page(stand, _address(stand, life)), "url": _address(stand, life)}
        case {"open": str(path)}:
            return {"done": _show_file(path)}
        case _:
            return {"done": False}


def _address(stand: _Stand, life: _Life) -> str:
    """Return an address that opens the page once."""
    if stand.web is None or life.tokens is None:
        return ""
    token = secrets.token_urlsafe(32)
    with contextlib.suppress(OSError):  # a page that ended is started anew and asked again
        life.tokens.sendall(f"{token}\n".encode())
    return f"http://{stand.label}.localhost:{stand.web.getsockname()[1]}/?token={token}"


def _show_page(stand: _Stand, url: str) -> bool:
    """Show the page. The token goes by a file that only this user can read: everybody sees a program's arguments."""
    path = stand.state / f"page-{secrets.token_hex(8)}.html"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={url}">')
        file.write('<meta name="referrer" content="no-referrer"><title>Strongroom</title>\n')
    stand.redirects[path] = monotonic() + _REDIRECT_SECONDS
    return _run_opener(str(path))


def _remove_redirects(stand: _Stand, *, everything: bool = False) -> None:
    for path, until in list(stand.redirects.items()):
        if everything or until < monotonic():
            path.unlink(missing_ok=True)
            del stand.redirects[path]


def _show_file(path: str) -> bool:
    """Open a document's file with the desktop's program for it: an existing file, and none that is itself a program."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    harmless = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o111 and not path.endswith(".desktop")
    return os.path.isabs(path) and harmless and _run_opener(path)


def _run_opener(path: str) -> bool:
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return False
    null = subprocess.DEVNULL
    # Its end is taken note of in `_ended`, with that of all children.
    subprocess.Popen([opener, path], stdin=null, stdout=null, stderr=null, start_new_session=True)
    return True


# ---- sockets and signals ----


def _bind(port: int | None) -> socket.socket:
    web = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        web.bind(("127.0.0.1", port or 0))
    except OSError as error:
        web.close()
        raise StrongroomError(
            f"port {port} cannot be used: {(error.strerror or str(error)).lower()}",
            "choose another one, or none to have one chosen",
        ) from error
    web.listen(128)
    return web


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
