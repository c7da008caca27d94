"""The zygote's own process: single-threaded, with the parsers in memory; it forks one worker for each request.

See `engine.zygote` for the other end, and for what a request is.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from engine import lock, request, wire, worker, writer_process
from engine.request import ENDED
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable

_MAIL = b"""From: Ada <ada@example.org>
To: Bob <bob@example.org>, c@example.org
Subject: =?utf-8?q?caf=C3=A9?=
Date: Mon, 2 Mar 2026 10:00:00 +0100
Message-ID: <1@example.org>
In-Reply-To: <0@example.org>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=x

--x
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Yes, at=20ten.

Bob wrote:
> At ten?
--=20
Ada
--x
Content-Type: text/html

<p>Yes, <b>at ten</b>.</p>
--x--
"""


_loaded: set[str] = set()
"""readers that were imported, or could not be"""


def become_zygote(parent: int, control: int, load: "Callable[[], worker.Parse]") -> NoReturn:
    """Turn this fork into the zygote: import the parsers, lock, serve until the control socket is closed."""
    code = 1
    try:
        parse = _prepare(parent, control, load)
        _serve(socket.socket(fileno=control), parse)
        code = 0
    except ConnectionError:
        code = 0  # whoever started it has ended already: a command that parsed nothing
    except (StrongroomError, OSError, ImportError) as error:
        os.write(2, f"strongroom: the parsers do not start: {error}\n".encode())
    finally:
        os._exit(code)


def _prepare(parent: int, control: int, load: "Callable[[], worker.Parse]") -> "worker.Parse":
    lock.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides; Ctrl-C reaches the whole group
    _keep_only(control)
    for each in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[each] = "1"  # a fork takes only one thread along
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # where memory ends, a worker goes before the engine
    # Its forks take away from this before anything of a stranger's runs in them: see `worker` and `writer_process`. The
    # graphics card is for a writer alone, where the user chose it, which cannot be known here yet.
    readable = [*lock.program_folders(), *lock.graphics_folders()]
    lock.limit_files(readable=readable, writable=[], devices=lock.graphics_devices())
    parse = load()
    _load_codecs()
    report = lock.lock("zygote")
    lock.prepare("worker")
    lock.prepare("writer")
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector does not write to what was there before the fork
    line = json.dumps(report.to_json()).encode() + b"\n"
    os.write(control, line)
    return parse


def _keep_only(control: int) -> None:
    """Close all other descriptors; what a parser writes to its standard output is nobody's business."""
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for low, high in ((3, control), (control + 1, 1 << 20)):
        os.closerange(low, high)


def load_parsers() -> "worker.Parse":
    """Import the parsers and run what most files need; return what a worker parses with."""
    import io

    from ingest import registry

    registry.preload()
    # What runs for the first time writes to memory that was shared: caches, and the interpreter's own notes in the
    # code. Mails are small and many, so that this would be a third of the time that each takes.
    for _ in range(12):  # CPython 3.11 adapts code at its eighth run
        for each in registry.parse(io.BytesIO(_MAIL), "1.eml", registry.Context("1.eml")):
            wire.encode(each)
    return registry.parse


def load_readers(asked: request.Request) -> None:
    """Import the readers that the request names, the first time that one does, so that no worker has to.

    The process is locked by now, and may still read its own program: a library that would report its import cannot. One
    that is not installed, or fails, is left to the worker, which says so of its file.
    """
    from ingest import readers

    for name in set(readers.chosen(worker.options(asked).get("readers", {})).values()) - _loaded:
        _loaded.add(name)
        with contextlib.suppress(Exception):
            readers.module(name).prepare()
        gc.collect()
        gc.freeze()


def _load_codecs() -> None:
    """Import what a worker, which can open no file, would import later."""
    import encodings
    import importlib
    import pkgutil
    import time

    for each in pkgutil.iter_modules(encodings.__path__):
        if each.name not in ("mbcs", "oem", "cp65001"):  # Windows only
            importlib.import_module(f"encodings.{each.name}")
    time.localtime()  # reads the time zone once


def _serve(control: socket.socket, parse: "worker.Parse") -> None:
    """Fork a worker for each request, tell how each ended, kill the one that nobody waits for any more."""
    wake, wake_end = os.pipe()
    for each in (wake, wake_end):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    own = os.getpid()
    running: dict[int, int] = {}  # status pipe → worker
    while True:
        for descriptor, _event in poll.poll():
            if descriptor == control.fileno():
                asked = request.receive(control)
                if asked is None:
                    for pid in running.values():
                        os.kill(pid, signal.SIGKILL)
                    return
                if asked.kind == "parse":
                    load_readers(asked)
                pid = os.fork()
                if pid == 0:
                    if asked.kind == "write":
                        writer_process.become_writer(own, asked)
                    worker.become_worker(own, asked, parse)
                file, out, status, *more = asked.descriptors
                for each in (file, out, *more):
                    os.close(each)
                running[status] = pid
                poll.register(status, 0)  # POLLERR comes unasked: the reader has gone
            elif descriptor == wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
            elif descriptor in running:
                os.kill(running[descriptor], signal.SIGKILL)
                poll.unregister(descriptor)
        _reap(running, poll)


def _reap(running: dict[int, int], poll: "select.poll") -> None:
    for status, pid in list(running.items()):
        ended, how, usage = os.wait4(pid, os.WNOHANG)
        if ended == 0:
            continue
        unit = 1 if sys.platform == "darwin" else 1024
        inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a fork's peak begins with its parent's pages
        with contextlib.suppress(OSError):  # the reader may have gone
            os.write(status, ENDED.pack(how, max(0, usage.ru_maxrss - inherited) * unit))
        with contextlib.suppress(KeyError):
            poll.unregister(status)
        os.close(status)
        del running[status]
