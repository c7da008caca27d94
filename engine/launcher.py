"""The launcher: binds the sockets, forks zygote, engine and page, and starts them anew when they end.

It has no key and reads no document, and it is the only process here that may run a program: the browser, or the
program that shows a document's own file. It imports little and has one thread, because everything is forked from it.

A life is one zygote, one engine and one page. `lock` ends the engine, and with it the life: what the three had in
memory is gone, and the next life begins locked on the same sockets, so that no browser is turned away meanwhile. The
next life may be another vault's, if the engine asked for it by name and the name is a vault's beside this one; the
page's socket, its address and its cookies stay, the engine's socket and the claim are each vault's own.
"""

import contextlib
import os
import secrets
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from engine import life as lives
from engine import places, rendezvous, wishes
from engine.children import REFUSED, fork_plainly
from engine.life import Life, Stand
from engine.show import Shown
from vault.errors import StrongroomError

_SOON = 60.0  # seconds: a life that is shorter has crashed early
_MOST_CRASHES = 5  # early ones, one after the other, before the launcher gives up


class GaveUpError(StrongroomError):
    """The engine or the page does not stay up."""


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
        stand = Stand(
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


def _live(stand: Stand, *, browser: bool, on_ready: Callable[[str], None]) -> None:
    """One life after the other."""
    early = 0
    told = False
    while not stand.stopping:
        life = lives.begin(stand)
        try:
            ended = _follow(stand, life, None if told else (on_ready, browser))
        finally:
            lives.end(life)
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


def _follow(stand: Stand, life: Life, to_tell: tuple[Callable[[str], None], bool] | None) -> int:
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
            elif not wishes.listen(stand, life):
                poll.unregister(life.line)
        stand.shown.remove_redirects()
        if life.ready and to_tell is not None:
            _tell(stand, life, *to_tell)
            to_tell = None
        for pid, status in lives.ended():
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
                    lives.begin_page(stand, life)
        if stand.stopping:
            return 0


def _tell(stand: Stand, life: Life, on_ready: Callable[[str], None], browser: bool) -> None:
    url = wishes.address(stand, life) if life.tokens else ""
    if browser and url:
        stand.shown.page(wishes.address(stand, life))
    fork_plainly(lambda: on_ready(url))


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


def _read_signals(stand: Stand) -> None:
    with contextlib.suppress(BlockingIOError):
        numbers = os.read(stand.wake, 4096)
        stand.stopping |= bool({signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & set(numbers))


def _pause(stand: Stand, seconds: float) -> None:
    """Wait before the next life, unless a signal comes."""
    until = monotonic() + seconds
    while not stand.stopping and (left := until - monotonic()) > 0:
        if select.select([stand.wake], [], [], left)[0]:
            _read_signals(stand)
