"""Who may speak to the page: a pure ASGI guard in front of Streamlit.

Any program, and any web site open in the same browser, can reach a port on 127.0.0.1. What is let through:

- the connection's other end belongs to this user (on Linux: the socket's owner in `/proc/net/tcp`);
- `Host` is the page's own name, a random label under `.localhost`, so that a rebound DNS name gets nowhere;
- `Origin` is the page's own for a WebSocket and wherever else a browser sends one, and a browser that says that
  another site started the request (`Sec-Fetch-Site`) is refused unless a person navigated here;
- a cookie, which a browser gets once in exchange for a one-time token. The token comes from a file that only this user
  can read, not from an argument, which everybody on the machine could;
- the paths that the page needs, read only.

Everything else is answered 403 with one sentence. Every answer carries the content security policy, and all but the
page's own hashed assets `no-store`: a browser's cache lies on the disk, unencrypted.
"""

import hashlib
import hmac
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "strongroom"
REFUSED = "this page is private; open Strongroom with `strongroom open`\n"

_TOKEN_LIFETIME_S = 600
"""A token that nobody used is worthless after ten minutes, as long as a browser may take to start."""

_ASSET = re.compile(r"/static/[\w./-]+\.[\w-]{8,}\.(?:js|css|woff2|ttf|wasm|svg|png)\Z")
"""Names that carry a hash of what they hold; nothing of the user's is in them."""

_PATHS = re.compile(r"/(?:static/.+|media/.+|favicon\.png|_stcore/(?:health|host-config))\Z")
_SOCKET = "/_stcore/stream"

_PERMISSIONS = (
    *("accelerometer", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid"),
    *(
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "usb",
    ),
    "xr-spatial-tracking",
)

_ONWARD = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    b'<link rel="icon" href="data:,"><title>Strongroom</title></head><body></body></html>'
)
"""Goes to the clean address. It names an icon, so that the browser does not ask for one."""


def content_security_policy(host: str) -> str:
    """The policy: nothing but the page's own files, no inline script, no `eval`, its own WebSocket only."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self' data:; connect-src 'self' ws://{host}; worker-src 'self' blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


class Tokens:
    """One-time tokens, kept as hashes. They come in over `line`, one a line, or by `add`. Thread-safe."""

    def __init__(self, line: socket.socket | None = None) -> None:
        self._lock = threading.Lock()
        self._line = line
        self._begun = b""
        self._waiting: list[tuple[bytes, float]] = []

    def add(self, token: str) -> None:
        """Accept `token` once, within ten minutes."""
        with self._lock:
            self._accept(token)

    def spend(self, token: str) -> bool:
        """Whether `token` was waiting; it is not afterwards."""
        digest = _digest(token)
        with self._lock:
            # Read only now: who was told the token was told after it had been sent, so it is there.
            self._receive()
            now = time.monotonic()
            waiting = [(each, until) for each, until in self._waiting if until > now]
            self._waiting = [(each, until) for each, until in waiting if not hmac.compare_digest(each, digest)]
            return len(self._waiting) < len(waiting)

    def _accept(self, token: str) -> None:
        self._waiting.append((_digest(token), time.monotonic() + _TOKEN_LIFETIME_S))

    def _receive(self) -> None:
        while self._line is not None:
            try:
                block = self._line.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                block = b""
            if not block:
                self._line = None
            *lines, self._begun = (self._begun + block).split(b"\n")
            for line in lines:
                self._accept(line.decode("ascii", "replace"))


class Guard:
    """The ASGI application in front of `app`.

    `key` (32 bytes) makes and checks cookies: a page that is started anew with the same key goes on with the same
    browsers. `uid` is the only user who may connect, None for no check. `index` is the page's HTML, served at each of
    `screens`.
    """

    def __init__(
        self,
        app: App,
        *,
        label: str,
        port: int,
        key: bytes,
        tokens: Tokens,
        uid: int | None,
        index: bytes,
        screens: tuple[str, ...],
    ) -> None:
        self._app = app
        self._host = f"{label}.localhost:{port}"
        self._port = port
        self._key = key
        self._tokens = tokens
        self._uid = uid if sys.platform == "linux" else None
        self._index = index
        self._screens = frozenset(screens)
        self._headers = _headers(self._host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        websocket = scope["type"] == "websocket"
        headers = _Headers(scope["headers"])
        if not self._is_ours(scope, headers):
            await (_close(send) if websocket else self._refuse(send))
            return
        if websocket:
            if scope["path"] == _SOCKET and self._has_cookie(headers):
                await self._app(scope, receive, send)
            else:
                await _close(send)
            return
        path: str = scope["path"]
        if scope["method"] not in {"GET", "HEAD"}:
            await self._refuse(send)
        elif path == "/" and (token := _token(scope)) is not None:
            await self._exchange(token, headers, send)
        elif not self._has_cookie(headers):
            await self._refuse(send)
        elif path in self._screens:
            await self._answer(send, 200, b"text/html; charset=utf-8", self._index)
        elif _PATHS.match(path):
            await self._app(scope, receive, self._hardened(path, send))
        else:
            await self._refuse(send)

    def _is_ours(self, scope: Scope, headers: "_Headers") -> bool:
        if self._uid is not None:
            client = scope.get("client")
            if client is None or peer_uid(client[0], client[1], self._port) != self._uid:
                return False
        if headers.only("host") != self._host:
            return False
        origin = f"http://{self._host}"
        if headers.all("origin"):
            if headers.only("origin") != origin:
                return False
        elif scope["type"] == "websocket" or scope["method"] not in {"GET", "HEAD"}:
            return False
        # `none`: typed by a person. `cross-site`: the file that hands over the token, so a navigation may be that.
        site = headers.only("sec-fetch-site")
        return site in {None, "same-origin", "none"} or (
            scope["type"] == "http"
            and headers.only("sec-fetch-mode") == "navigate"
            and headers.only("sec-fetch-dest") == "document"
        )

    def _has_cookie(self, headers: "_Headers") -> bool:
        for header in headers.all("cookie"):
            for pair in header.split(";"):
                name, _, value = pair.strip().partition("=")
                nonce, _, proof = value.partition(".")
                if name == COOKIE and hmac.compare_digest(proof.encode(), self._proof(nonce).encode()):
                    return True
        return False

    def _proof(self, nonce: str) -> str:
        return hmac.new(self._key, b"cookie " + nonce.encode(), hashlib.sha256).hexdigest()

    async def _exchange(self, token: str, headers: "_Headers", send: Send) -> None:
        """Trade a token for a cookie.

        The answer is a page that goes to the clean address, not a redirect: a redirect would still count as started by
        the file that handed over the token, and a browser would not send a `SameSite=Strict` cookie with it.
        """
        cookie: tuple[tuple[bytes, bytes], ...] = ()
        if self._tokens.spend(token):
            nonce = secrets.token_urlsafe(16)
            value = f"{COOKIE}={nonce}.{self._proof(nonce)}; HttpOnly; SameSite=Strict; Path=/"
            cookie = ((b"set-cookie", value.encode()),)
        elif not self._has_cookie(headers):
            await self._refuse(send)
            return
        await self._answer(send, 200, b"text/html; charset=utf-8", _ONWARD, cookie)

    async def _refuse(self, send: Send) -> None:
        await self._answer(send, 403, b"text/plain; charset=utf-8", REFUSED.encode())

    async def _answer(
        self, send: Send, status: int, kind: bytes, body: bytes, more: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        own = (
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        )
        await send({"type": "http.response.start", "status": status, "headers": [*own, *self._headers, *more]})
        await send({"type": "http.response.body", "body": body})

    def _hardened(self, path: str, send: Send) -> Send:
        replaced = {name for name, _ in self._headers} | {b"cache-control"}

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                lasting = message["status"] in {200, 206, 304} and _ASSET.match(path)
                cache = b"private, max-age=31536000, immutable" if lasting else b"no-store"
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in replaced]
                message = {**message, "headers": [*kept, (b"cache-control", cache), *self._headers]}
            await send(message)

        return hardened


class _Headers:
    """A request's headers, by lower-case name, without folding repeated ones into one value."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self._raw if key.lower() == name.encode()]

    def only(self, name: str) -> str | None:
        """The header's value, None if it is not there, empty (which matches nothing) if it is there twice."""
        values = self.all(name)
        return None if not values else values[0] if len(values) == 1 else ""


def _headers(host: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-security-policy", content_security_policy(host).encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", ", ".join(f"{name}=()" for name in _PERMISSIONS).encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-dns-prefetch-control", b"off"),
        (b"x-frame-options", b"DENY"),
    ]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _token(scope: Scope) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token")
    return values[0] if values else None


async def _close(send: Send) -> None:
    """Refuse a WebSocket before it is accepted; the server answers 403."""
    await send({"type": "websocket.close", "code": 1008, "reason": ""})


def peer_uid(client: str, client_port: int, server_port: int) -> int | None:
    """The owner of the socket at the other end of a connection from `client`:`client_port` to 127.0.0.1:`server_port`.

    None if there is none, or if it was closed already: the kernel then gives it to root. All of 127.0.0.0/8 is this
    machine, so that the number alone would let somebody at 127.0.0.2 pass for the browser at 127.0.0.1.

    From `/proc/net/tcp` and, for a client that speaks IPv4 through an IPv6 socket, `/proc/net/tcp6` (proc(5)):
    addresses are hexadecimal in the machine's byte order, the eighth column is the owner, the tenth the inode.
    """
    mapped = "0000000000000000" + ("FFFF0000" if sys.byteorder == "little" else "0000FFFF")
    try:
        there, here = _in_proc(client), _in_proc("127.0.0.1")
    except OSError:  # no IPv4 address
        return None
    for table, prefix in (("/proc/net/tcp", ""), ("/proc/net/tcp6", mapped)):
        ends = [f"{prefix}{there}:{client_port:04X}", f"{prefix}{here}:{server_port:04X}"]
        try:
            with open(table, encoding="ascii") as rows:
                for row in rows:
                    columns = row.split()
                    if columns[1:3] == ends:
                        return int(columns[7]) if columns[9] != "0" else None
        except FileNotFoundError:
            continue
    return None


def _in_proc(address: str) -> str:
    """An IPv4 address as /proc writes it. Raises OSError."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"
