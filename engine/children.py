"""Forking from the launcher: processes with the descriptors that they need and no others, which do not outlive it."""

import os
import signal
import sys
from collections.abc import Callable

from engine import lock
from vault.errors import StrongroomError

REFUSED = 78  # exit status of a child that cannot start at all: to start it again is of no use


def fork_child(main: Callable[[], None], *, keep: list[int]) -> int:
    """Fork a child that runs `main` with these descriptors and no others, and dies with this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = _fork(interrupt=signal.SIG_IGN)  # what an interrupt ends, the launcher decides
    if pid:
        return pid
    status = 1
    try:
        _be_child(parent, keep)
        main()
        status = 0
    except (StrongroomError, ImportError) as error:
        print(f"strongroom: {error}", file=sys.stderr, flush=True)
        status = REFUSED
    except BaseException as error:  # noqa: BLE001 - a child must not go on as the launcher
        from engine.protocol import place

        print(f"strongroom: failed: {place(error)}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def _fork(*, interrupt: signal.Handlers) -> int:
    """Fork a child in which signals do what they do by default, but for an interrupt.

    They wait until that is so: one that found this process's handlers in the child would be written to the pipe that
    both have, and be heard here as if it had come here.
    """
    handled = (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGINT)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    try:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for each in handled:
                signal.signal(each, interrupt if each == signal.SIGINT else signal.SIG_DFL)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _be_child(parent: int, keep: list[int]) -> None:
    lock.die_with_parent(parent)
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


def fork_plainly(main: Callable[[], None]) -> None:
    """Run `main` in a child with this process's terminal and descriptors."""
    sys.stdout.flush()
    parent = os.getpid()
    if _fork(interrupt=signal.SIG_DFL):
        return
    status = 1
    try:
        lock.die_with_parent(parent)
        main()
        sys.stdout.flush()
        status = 0
    except StrongroomError as error:
        print(f"strongroom: {error}" + (f"; {error.hint}" if error.hint else ""), file=sys.stderr, flush=True)
    finally:
        os._exit(status)
