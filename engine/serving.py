"""An engine at work in this process: its files limited, its lock on, its methods offered.

The lock is put on before anything of the engine is imported: the embedding model and its threads load under it, and
the vault is opened long after.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import card, lock, protocol, rendezvous, vaults
from engine.connector import begin as begin_connector
from engine.zygote import Zygote
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from engine.at_server import Elsewhere
    from engine.engine import Engine

_LOOK_SECONDS = 0.1  # between two looks at whether a backup has been put in its place


class Line:
    """The engine's line to the launcher: what only a process that may run programs can do. Thread-safe.

    One JSON object a line each way, each answered in turn: {"ready": true}, {"ending": true} before it ends as asked,
    {"page": browser wanted} which makes a new one-time address, {"open": path of a document's file}, and, before it
    ends for another vault, {"vault": name}. The launcher answers {"done": bool, "url": …}; where it refuses a vault,
    with message and hint. {"deliver": …, "to": …} and {"delivered": true} are for backups, see engine/delivering.py.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = protocol.lines(connection, 1 << 16)
        self._asking = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the launcher's answer. Raises StrongroomError if it has gone."""
        with self._asking:
            try:
                self._socket.sendall(protocol.to_line(request))
                line = next(iter(self._lines), None)
            except OSError:
                line = None
        if line is None:
            raise StrongroomError("the process that opens files and pages has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def run_engine(  # noqa: PLR0917 - what one process is given
    listener: socket.socket,
    connections: Sequence[socket.socket],
    zygote: Zygote,
    folders: tuple[Path, Path],
    launcher: socket.socket,
    elsewhere: "Elsewhere | None" = None,
) -> None:
    """Be the engine's process: serve until `lock`, or until SIGTERM.

    `listener` is the Unix socket, `connections` are served from the start, `folders` are the vault's and the user's
    state folder, `launcher` is this end of its line, `elsewhere` a server of the user's.
    Raises LockError, and StrongroomError where the zygote did not start.
    """
    line = Line(launcher)
    hide_messages()
    with _locked(zygote, *folders, (), elsewhere) as engine:
        signal.signal(signal.SIGTERM, lambda *_: engine.ended.set())
        for left in folders[1].glob(f"*{_staged(*folders)}*"):  # by an engine of this vault that was killed at it
            shutil.rmtree(left, ignore_errors=True)
        engine.held["zygote"] = {**zygote.report(), "pid": zygote.pid, "at": time.time()}
        from engine.methods import METHODS

        try:
            line.ask({"ready": True})
        except StrongroomError:  # the launcher ends this life, or has ended, before it began
            return
        protocol.serve(listener, connections, {**METHODS, **_more(line)}, engine, engine.ended)
        with contextlib.suppress(StrongroomError):  # it may be the launcher who ends us
            line.ask({"ending": True})


@contextlib.contextmanager
def engine_here(
    vault_folder: Path, state_folder: Path, writable: Sequence[Path], config_folder: Path | None = None
) -> Iterator["Engine"]:
    """Fork a zygote, and a connector where the user chose a server, lock this process as an engine is, and have an
    engine for as long as the context lasts."""
    zygote = Zygote.start()
    own = [*(each.path for each in vaults.beside(vault_folder)), state_folder, *writable]
    connector, elsewhere = begin_connector(config_folder, vault_folder, own)
    if connector:
        connector.dial_apart()  # a process that is locked can have nobody connect
    try:
        with _locked(zygote, vault_folder, state_folder, writable, elsewhere) as engine:
            engine.lasts = False
            yield engine
    finally:
        if elsewhere and elsewhere.line:
            elsewhere.line.close()
        zygote.close()


@contextlib.contextmanager
def _locked(
    zygote: Zygote, vault_folder: Path, state_folder: Path, writable: Sequence[Path], elsewhere: "Elsewhere | None"
) -> Iterator["Engine"]:
    folders = [vault_folder, state_folder, *writable]
    if not vault_folder.exists():  # Landlock's rules are for folders that are there
        vault_folder.mkdir(parents=True, mode=0o700)
    graphics = card.allowed(state_folder)
    devices = lock.graphics_devices() if graphics else ()
    lock.limit_files(readable=None, writable=[*folders, Path(os.devnull)], devices=devices)
    report = lock.lock("engine")
    if graphics:
        report = replace(report, missing=(*report.missing, "what the engine does with the graphics card, as you chose"))
    from engine import privacy
    from engine.engine import Engine

    engine = Engine(vault_folder, state_folder, zygote)
    engine.held["engine"] = privacy.held(report)
    engine.elsewhere = elsewhere
    try:
        yield engine
    finally:
        engine.close()


def _staged(vault_folder: Path, state_folder: Path) -> str:
    """What the names of this vault's backups begin with while they are in the state folder: see delivering.STAGED."""
    return f"backup-{rendezvous.socket_path(vault_folder, state_folder).stem.removeprefix('engine-')[:8]}"


def _more(line: Line) -> dict[str, Callable[..., Any]]:
    """Return the methods that need the launcher."""

    def page_open(_: Any, *, browser: bool = False) -> dict[str, Any]:
        """A new address that opens the page once; `browser` also shows it there."""
        return line.ask({"page": browser})

    def document_open(engine: Any, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
        """Show a document's own file in the program that the desktop has for it."""
        from engine import reading

        paths = [Path(each["path"]) for each in reading.document(engine, id)["places"]]
        path = next((each for each in paths if each.is_file()), None)
        if path is None:
            raise StrongroomError("the document's file is not there any more", "its text is still in the vault")
        return line.ask({"open": str(path)})

    def backup_make(engine: Any, target: str) -> dict[str, Any]:
        """Write a backup to a folder that the page's user typed; it is the page that tells the launcher which."""
        from engine import keeping

        staged = engine.state / f"{_staged(engine.folder, engine.state)}{secrets.token_hex(4)}"

        def deliver() -> None:
            answer = line.ask({"deliver": staged.name, "to": target})
            while answer["done"] or "message" not in answer:
                answer = line.ask({"delivered": True})
                if answer["done"]:
                    return
                engine.ended.wait(_LOOK_SECONDS)
            raise StrongroomError(answer["message"], answer["hint"])

        try:
            return keeping.back_up(engine, str(staged), target, deliver)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def vaults_switch(engine: Any, name: str) -> dict[str, Any]:
        """End, as `lock` does; the next engine is that of the vault of this name beside this one, locked, or of a new
        one."""
        answer = line.ask({"vault": name})
        if not answer["done"]:
            raise StrongroomError(answer["message"], answer["hint"])
        return dict(engine.lock(mode="all"))

    return {
        "page.open": page_open,
        "document.open": document_open,
        "backup.make": backup_make,
        "vaults.switch": vaults_switch,
    }


def hide_messages() -> None:
    """Of an exception that nobody caught, and of a warning, print class and place, not its message, which may name a
    file: a log may be kept in the clear."""

    def shown(_kind: object, error: BaseException, _traceback: object) -> None:
        print(f"strongroom: failed: {protocol.place(error)}", file=sys.stderr, flush=True)

    def shown_in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            print(f"strongroom: a thread failed: {protocol.place(failed.exc_value)}", file=sys.stderr, flush=True)

    def warned(
        _message: Warning | str, kind: type[Warning], filename: str, line: int, _file: Any = None, _text: Any = None
    ) -> None:
        print(f"strongroom: {kind.__name__} at {os.path.basename(filename)}:{line}", file=sys.stderr, flush=True)

    sys.excepthook = shown
    threading.excepthook = shown_in_thread
    warnings.showwarning = warned  # type: ignore[assignment]  # Python calls it by position
