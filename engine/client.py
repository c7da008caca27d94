"""Asking the engine: over its socket, or, where none runs, an engine in this very process."""

import contextlib
import itertools
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from engine import protocol, rendezvous
from vault.errors import DamagedVaultError, LockedError, StrongroomError

OnNotify = Callable[[str, Mapping[str, Any]], None]

_CLASSES: dict[int, type[StrongroomError]] = {3: DamagedVaultError, 4: LockedError}


class EngineGoneError(StrongroomError):
    """The engine ended before it answered."""


class EngineFailedError(StrongroomError):
    """The engine did not understand, or failed by its own fault."""


class Client:
    """A connection to the engine, for any number of threads at once."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._numbers = itertools.count(1)
        self._gone = False
        threading.Thread(target=self._read, name="engine-client", daemon=True).start()

    def call(self, method: str, *, on_notify: OnNotify | None = None, **params: Any) -> Any:
        """Return the result of `method`. `on_notify` hears of progress, in this thread.

        Raises StrongroomError as the engine raised it, EngineGoneError, EngineFailedError.
        """
        number = next(self._numbers)
        answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._waiting[number] = answers
        try:
            self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            while True:
                message = answers.get()
                if message is None:
                    raise EngineGoneError("the engine has ended", "start it with `strongroom open`")
                if "method" not in message:
                    break
                if on_notify:
                    on_notify(message["method"], message["params"])
        finally:
            del self._waiting[number]
        if "error" in message:
            raise _as_raised(message["error"])
        return message["result"]

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, value: Mapping[str, Any]) -> None:
        line = protocol.to_line(value)
        if len(line) > protocol.MAX_REQUEST:
            raise StrongroomError(f"what was typed is too long: {len(line):,} bytes", "shorten it")
        with self._sending:
            try:
                if self._gone:
                    raise BrokenPipeError
                self._socket.sendall(line)
            except OSError as error:
                raise EngineGoneError("the engine has ended", "start it with `strongroom open`") from error

    def _read(self) -> None:
        try:
            for line in protocol.lines(self._socket, protocol.MAX_ANSWER):
                message = json.loads(line or b"{}")
                number = message.get("id", message.get("params", {}).get("request"))
                if waiting := self._waiting.get(number):
                    waiting.put(message)
        except (OSError, ValueError):
            pass  # told below to all who wait
        finally:
            self._gone = True
            for each in list(self._waiting.values()):
                each.put(None)
            self._socket.close()


def _as_raised(error: Mapping[str, Any]) -> StrongroomError:
    code, message = error["code"], error["message"]
    if code < 0:
        return EngineFailedError(message, "this is an error in Strongroom itself")
    data = error.get("data") or {}
    raised = _CLASSES.get(code, StrongroomError)(message, data.get("hint", ""))
    raised.exit_code = data.get("exit_code", raised.exit_code)
    raised.code = code
    return raised


class LocalClient:
    """The same `call`, to an engine in this process."""

    def __init__(self, methods: protocol.Methods, engine: Any) -> None:
        self._methods = methods
        self._engine = engine

    def call(self, method: str, *, on_notify: OnNotify | None = None, **params: Any) -> Any:
        """Return the result of `method`; raises StrongroomError."""
        try:
            return protocol.call(self._methods, self._engine, method, params, on_notify or (lambda *_: None))
        except (protocol.InvalidParamsError, protocol.UnknownMethodError) as error:
            raise EngineFailedError(f"{method}: {error}", "this is an error in Strongroom itself") from error


def connect(vault_folder: Path, state_folder: Path) -> Client | None:
    """Return a client of the engine that runs for this vault, None if none does. Call before this process is locked."""
    connection = rendezvous.connect(vault_folder, state_folder)
    return None if connection is None else Client(connection)


@contextlib.contextmanager
def in_process(
    vault_folder: Path, state_folder: Path, *, writable: Sequence[Path] = (), config_folder: Path | None = None
) -> Iterator[LocalClient]:
    """Run an engine in this process for as long as the context lasts.

    Call it from the main thread, before there are others and before the passphrase is read: a zygote is forked, then
    this process is locked for good, as an engine is. It may then write to the vault, the state folder and
    `writable`, and start nothing. `config_folder` may hold the address of a server of the user's. Raises
    EngineRunningError if one runs meanwhile, LockError.
    """
    from engine import serving
    from engine.methods import METHODS

    with (
        rendezvous.claim(vault_folder, state_folder),
        serving.engine_here(vault_folder, state_folder, writable, config_folder) as engine,
    ):
        yield LocalClient(METHODS, engine)
