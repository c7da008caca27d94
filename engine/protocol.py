"""JSON-RPC 2.0 over Unix sockets, one object a line. Source: jsonrpc.org/specification.

A request is {"jsonrpc": "2.0", "id": …, "method": …, "params": {…}}; parameters go by name, and there are no
batches. Before its answer a request may get notifications, whose params carry its id as `request`. What a user
can cause is an error with a small positive code (`StrongroomError.code`) and a hint in `data`; the specification's
own codes are negative. Each request has a thread, so that a long one delays no other.
"""

import contextlib
import inspect
import json
import os
import select
import socket
import struct
import sys
import threading
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from vault.errors import StrongroomError

MAX_REQUEST = 4 << 20  # bytes of a line: a question of 100,000 characters, or a purge of 10,000 documents
MAX_ANSWER = 256 << 20  # bytes of a line that a client takes
MAX_CONNECTIONS = 64
MAX_AT_ONCE = 32  # requests of one connection that are being answered
_SEND_SECONDS = 30  # that a client may leave an answer unread
_LOOK_MS = 200  # milliseconds between two looks at whether it is time to end
_GRACE = 2.0  # seconds for answers under way when the engine ends

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603

Notify = Callable[[str, Mapping[str, Any]], None]
Methods = Mapping[str, Callable[..., Any]]
"""By the name on the wire: what is called with the target, the parameters by name, and `notify` if it takes one."""


class HungUpError(Exception):
    """The client has gone; whoever works for it may stop."""


class UnknownMethodError(Exception):
    """No method has this name."""


class InvalidParamsError(Exception):
    """The parameters do not fit the method."""


def call(methods: Methods, target: Any, method: str, params: Mapping[str, Any], notify: Notify) -> Any:
    """Call a method as a client names it. Raises UnknownMethodError, InvalidParamsError and what it raises."""
    function = methods.get(method)
    if function is None:
        raise UnknownMethodError(f"there is no method {method!r}")
    signature = inspect.signature(function)
    given = dict(params)
    if "notify" in given:
        raise InvalidParamsError("notify is not a parameter")
    hints = typing.get_type_hints(function)
    for name, value in given.items():
        if name in hints and not _fits(value, hints[name]):
            raise InvalidParamsError(f"{name} is of the wrong type")
    if "notify" in signature.parameters:
        given["notify"] = notify
    try:
        signature.bind(target, **given)
    except TypeError as error:
        raise InvalidParamsError(str(error)) from error
    return function(target, **given)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of the type that a parameter is annotated with."""
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(hint))
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, dict)
    if origin is not None and issubclass(origin, Iterable):
        (inner, *_) = typing.get_args(hint)
        return isinstance(value, list) and all(_fits(each, inner) for each in value)
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint  # exactly: true is no number


def serve(
    listener: socket.socket,
    connections: Iterable[socket.socket],
    methods: Methods,
    target: Any,
    ended: threading.Event,
) -> None:
    """Answer on `connections`, and on what `listener` (a Unix socket) accepts from this user, until `ended` is set."""
    open_now: set[_Connection] = set()
    for each in connections:
        open_now.add(_Connection(each, methods, target))
    listener.setblocking(False)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while not ended.is_set():
        if not poll.poll(_LOOK_MS):
            continue
        try:
            accepted, _ = listener.accept()
        except OSError:  # the client has gone again
            continue
        open_now = {each for each in open_now if each.alive()}
        if peer_uid(accepted) != os.getuid() or len(open_now) >= MAX_CONNECTIONS:
            accepted.close()
            continue
        accepted.setblocking(True)
        open_now.add(_Connection(accepted, methods, target))
    until = monotonic() + _GRACE
    for connection in open_now:
        connection.finish(until)


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end of a Unix socket, as the kernel knows it."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("=iII", credentials)[1])
    # struct xucred of macOS: version, uid, …; SOL_LOCAL 0, LOCAL_PEERCRED 1
    return int(struct.unpack_from("=II", connection.getsockopt(0, 1, 76))[1])


class _Connection:
    """One client: a thread that reads requests, one for each that is being answered."""

    def __init__(self, connection: socket.socket, methods: Methods, target: Any) -> None:
        self._socket = connection
        self._methods = methods
        self._target = target
        self._sending = threading.Lock()
        self._answering: set[threading.Thread] = set()
        self._gone = False
        # A client that does not read must not hold a thread for ever.
        timeout = struct.pack("ll", _SEND_SECONDS, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        self._reader = threading.Thread(target=self._read, name="rpc-read", daemon=True)
        self._reader.start()

    def alive(self) -> bool:
        return self._reader.is_alive()

    def finish(self, until: float) -> None:
        """Let what is being answered come to its end, no later than `until` (monotonic), and hang up."""
        for each in list(self._answering):
            each.join(max(0.0, until - monotonic()))
        self._hang_up()

    def _hang_up(self) -> None:
        self._gone = True
        with contextlib.suppress(OSError):  # it was the client who hung up
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        try:
            for line in lines(self._socket, MAX_REQUEST):
                self._take(line)
        except OSError:
            pass  # the client has gone
        finally:
            self._hang_up()
            for each in list(self._answering):
                each.join()
            self._socket.close()

    def _take(self, line: bytes | None) -> None:
        if line is None:
            self._error(None, INVALID_REQUEST, f"a request has at most {MAX_REQUEST} bytes")
            return
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            self._error(None, PARSE_ERROR, "not JSON")
            return
        number, method, params = _parts(request)
        if method is None:
            self._error(number, INVALID_REQUEST, "not a request of JSON-RPC 2.0")
        elif len(self._answering) >= MAX_AT_ONCE:
            self._error(number, INVALID_REQUEST, f"more than {MAX_AT_ONCE} requests at once")
        else:
            thread = threading.Thread(
                target=self._answer, args=(number, "id" in request, method, params), name="rpc-answer", daemon=True
            )
            self._answering.add(thread)
            thread.start()

    def _answer(self, number: Any, wanted: bool, method: str, params: dict[str, Any]) -> None:
        def notify(name: str, value: Mapping[str, Any]) -> None:
            if self._gone:
                raise HungUpError
            if wanted:
                self._send({"jsonrpc": "2.0", "method": name, "params": {**value, "request": number}})

        try:
            result = call(self._methods, self._target, method, params, notify)
            if wanted:
                self._send({"jsonrpc": "2.0", "id": number, "result": result})
        except HungUpError:
            pass
        except StrongroomError as error:
            data = {"hint": error.hint, "exit_code": error.exit_code}
            self._error(number, error.code, error.message, data)
        except InvalidParamsError as error:
            self._error(number, INVALID_PARAMS, f"{method}: {error}")
        except UnknownMethodError as error:
            self._error(number, METHOD_NOT_FOUND, str(error))
        except Exception as error:  # noqa: BLE001 - the client is told, and the place is printed
            self._error(number, INTERNAL_ERROR, f"{method} failed: {place(error)}")
            print(f"strongroom: {method} failed: {place(error)}", file=sys.stderr, flush=True)
        finally:
            self._answering.discard(threading.current_thread())

    def _error(self, number: Any, code: int, message: str, data: Any = None) -> None:
        error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            error["data"] = data
        self._send({"jsonrpc": "2.0", "id": number, "error": error})

    def _send(self, value: Mapping[str, Any]) -> None:
        line = to_line(value)
        with self._sending:
            if self._gone:
                return
            try:
                self._socket.sendall(line)
            except OSError:  # it has gone, or did not read for too long: half a line may be out, so no other follows
                self._hang_up()


def _parts(request: Any) -> tuple[Any, str | None, dict[str, Any]]:
    """Return id, method (None if this is no request) and parameters."""
    if type(request) is not dict:
        return None, None, {}
    number, method, params = request.get("id"), request.get("method"), request.get("params", {})
    if type(number) not in (str, int, float, type(None)):
        return None, None, {}
    if request.get("jsonrpc") != "2.0" or type(method) is not str or type(params) is not dict:
        return number, None, {}
    return number, method, params


def lines(connection: socket.socket, longest: int) -> Iterable[bytes | None]:
    """Yield the lines that come in, without their end; None for one that is longer, which is skipped."""
    buffer = bytearray()
    searched = 0
    skipping = False
    while block := connection.recv(1 << 16):
        buffer += block
        while (end := buffer.find(b"\n", searched)) >= 0:
            line = bytes(memoryview(buffer)[:end])
            del buffer[: end + 1]
            searched = 0
            if skipping or len(line) > longest:
                skipping = False
                yield None
            else:
                yield line
        searched = len(buffer)
        if searched > longest:
            skipping = True
        if skipping:
            buffer.clear()
            searched = 0


def to_line(value: Any) -> bytes:
    """Return a JSON value as one line. Half a surrogate pair in a file's name becomes an escape of ASCII."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def place(error: BaseException) -> str:
    """Return an exception's class and where it was raised, not its message, which may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown place"
    return f"{type(error).__name__} at {where}"
