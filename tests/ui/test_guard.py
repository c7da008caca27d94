"""Who may speak to the page, tried without Streamlit: the guard around a small application."""

import asyncio
import http.client
import itertools
import os
import socket
import threading
import time

import pytest

from ui.guard import REFUSED, Guard, Tokens, peer_uid

PORT = 4711
HOST = f"a1b2.localhost:{PORT}"
ORIGIN = f"http://{HOST}"
KEY = b"k" * 32


async def inside(scope, receive, send):
    """What lies behind the guard: says that it was reached."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"public"), (b"x-frame-options", b"ALLOWALL")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"inside"})


class Door:
    """The guard, asked one request at a time."""

    def __init__(self, app=inside, key=KEY, uid=None):
        self.tokens = Tokens()
        self.guard = Guard(
            app,
            label="a1b2",
            port=PORT,
            key=key,
            tokens=self.tokens,
            uid=uid,
            index=b"index",
            screens=("/", "/library"),
        )

    def ask(self, path="/", *, kind="http", method="GET", query=b"", **headers):
        """Status, headers and body; for a WebSocket whether it was accepted."""
        sent = []
        given = {"host": HOST, **headers}
        raw = [
            (name.replace("_", "-").encode(), value.encode())
            for name, values in given.items()
            for value in ([values] if isinstance(values, str) else values or [])
        ]
        scope = {
            "type": kind,
            "path": path,
            "method": method,
            "query_string": query,
            "headers": raw,
            "client": ("127.0.0.1", 1),
        }

        async def send(message):
            sent.append(message)

        asyncio.run(self.guard(scope, None, send))
        if kind == "websocket":
            return sent[0]["type"] == "websocket.accept"
        start, body = sent
        return start["status"], dict(start["headers"]), body["body"]

    def cookie(self):
        """A cookie, got as a browser gets it."""
        self.tokens.add("once")
        status, headers, _ = self.ask(query=b"token=once")
        assert status == 200
        return headers[b"set-cookie"].decode()


@pytest.fixture
def door():
    return Door()


def test_a_token_is_traded_for_a_cookie_once(door):
    door.tokens.add("t")
    status, headers, body = door.ask(query=b"token=t")
    assert status == 200
    assert headers[b"set-cookie"].endswith(b"; HttpOnly; SameSite=Strict; Path=/")
    assert b"Domain" not in headers[b"set-cookie"]
    assert b'content="0;url=/"' in body
    assert b"token" not in body
    status, headers, body = door.ask(query=b"token=t")
    assert status == 403
    assert b"set-cookie" not in headers


def test_a_token_that_waited_too_long_is_worthless(door, monkeypatch):
    door.tokens.add("t")
    later = time.monotonic() + 601
    monkeypatch.setattr("ui.guard.time.monotonic", lambda: later)
    assert door.ask(query=b"token=t")[0] == 403


def test_going_back_to_the_used_address_with_the_cookie_is_harmless(door):
    cookie = door.cookie().partition(";")[0]
    assert door.ask(query=b"token=once", cookie=cookie)[0] == 200


def test_a_token_that_has_just_been_sent_is_known():
    here, there = socket.socketpair()
    with here, there:
        tokens = Tokens(there)
        here.sendall(b"one\ntwo\nthr")
        assert [tokens.spend(each) for each in ("two", "two", "thr", "one")] == [True, False, False, True]
        here.sendall(b"ee\n")
        assert tokens.spend("three")
        here.close()
        assert not tokens.spend("")


HOSTS = {
    "own": HOST,
    "port only": f"localhost:{PORT}",
    "number": f"127.0.0.1:{PORT}",
    "rebound": "evil.example",
    "none": None,
}
HOSTS |= {"twice": [HOST, HOST], "other port": "a1b2.localhost:1", "other label": f"ffff.localhost:{PORT}"}
ORIGINS = {
    "own": ORIGIN,
    "none": None,
    "null": "null",
    "other port": "http://localhost:8080",
    "evil": "https://evil.example",
}
ORIGINS |= {"https": f"https://{HOST}", "twice": [ORIGIN, "https://evil.example"]}
COOKIES = {"own": "own", "none": None, "made up": "strongroom=abc.def", "empty": "strongroom=.", "other key": "other"}


@pytest.mark.parametrize(("host", "origin", "cookie"), list(itertools.product(HOSTS, ORIGINS, COOKIES)))
def test_a_websocket_needs_host_and_origin_and_cookie(host, origin, cookie):
    door = Door()
    jar = {"own": door, "other": Door(key=b"o" * 32)}.get(COOKIES[cookie])
    sent = jar.cookie().partition(";")[0] if jar else COOKIES[cookie]
    let_in = door.ask("/_stcore/stream", kind="websocket", host=HOSTS[host], origin=ORIGINS[origin], cookie=sent)
    assert let_in == (host == origin == cookie == "own")


@pytest.mark.parametrize(("host", "origin", "cookie"), list(itertools.product(HOSTS, ORIGINS, COOKIES)))
def test_a_page_needs_host_and_cookie_and_no_foreign_origin(host, origin, cookie):
    door = Door()
    jar = {"own": door, "other": Door(key=b"o" * 32)}.get(COOKIES[cookie])
    sent = jar.cookie().partition(";")[0] if jar else COOKIES[cookie]
    for path in ("/", "/_stcore/health", "/static/js/index.AbCd1234.js"):
        status, headers, body = door.ask(path, host=HOSTS[host], origin=ORIGINS[origin], cookie=sent)
        if host == cookie == "own" and origin in {"own", "none"}:
            assert status == 200
        else:
            assert (status, body) == (403, REFUSED.encode())
        assert b"content-security-policy" in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/_stcore/upload_file/a/b", "/_stcore/agent/interact", "/_stcore/health"])
def test_nothing_can_be_sent_in_even_with_everything_right(door, method, path):
    cookie = door.cookie().partition(";")[0]
    assert door.ask(path, method=method, cookie=cookie, origin=ORIGIN)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/agent/openapi.json",
        "/_stcore/message",
        "/other",
        "/component/x/y",
        "/app/static/a",
    ],
)
def test_only_what_the_page_needs_can_be_read(door, path):
    cookie = door.cookie().partition(";")[0]
    assert door.ask(path, cookie=cookie)[0] == 403


def test_a_token_is_not_spent_by_somebody_at_another_name(door):
    door.tokens.add("t")
    assert door.ask(query=b"token=t", host=f"localhost:{PORT}")[0] == 403
    assert door.ask(query=b"token=t")[0] == 200


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
        ("cross-site", "navigate", "document", 200),
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "script", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("same-site", "cors", "empty", 403),
    ],
)
def test_another_site_may_lead_here_but_not_load_from_here(door, site, mode, dest, status):
    cookie = door.cookie().partition(";")[0]
    asked = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
    assert door.ask("/", cookie=cookie, **asked)[0] == status


def test_only_hashed_assets_may_stay_in_a_cache(door):
    cookie = door.cookie().partition(";")[0]
    kept = {
        path: door.ask(path, cookie=cookie)[1][b"cache-control"]
        for path in ("/static/js/a.AbCd1234.js", "/media/abc.pdf", "/")
    }
    assert kept == {
        "/static/js/a.AbCd1234.js": b"private, max-age=31536000, immutable",
        "/media/abc.pdf": b"no-store",
        "/": b"no-store",
    }


def test_the_policy_is_on_every_answer_and_cannot_be_loosened_from_inside(door):
    cookie = door.cookie().partition(";")[0]
    for headers in (door.ask("/")[1], door.ask("/media/x", cookie=cookie)[1], door.ask("/", cookie=cookie)[1]):
        policy = headers[b"content-security-policy"].decode()
        assert policy == (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            f"font-src 'self' data:; connect-src 'self' ws://{HOST}; worker-src 'self' blob:; frame-ancestors 'none'; "
            "base-uri 'none'; form-action 'none'"
        )
        assert headers[b"x-frame-options"] == b"DENY"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"referrer-policy"] == b"no-referrer"
        assert headers[b"cross-origin-opener-policy"] == headers[b"cross-origin-resource-policy"] == b"same-origin"


def test_the_same_key_lets_the_same_browser_in_again(door):
    cookie = door.cookie().partition(";")[0]
    assert Door().ask("/", cookie=cookie)[0] == 200
    assert Door(key=b"x" * 32).ask("/", cookie=cookie)[0] == 403


def test_the_owner_of_a_connection_is_found():
    with socket.socket() as server:
        server.settimeout(10)
        server.bind(("127.0.0.1", 0))
        server.listen()
        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:  # as root the client is somebody else; an ordinary user cannot be anybody else
                    os.setuid(65534)
                client = socket.socket()
                client.connect(server.getsockname())
                client.recv(1)
            finally:
                os._exit(0)
        connection, (_, port) = server.accept()
        try:
            assert peer_uid("127.0.0.1", port, server.getsockname()[1]) == (os.getuid() or 65534)
            assert peer_uid("127.0.0.1", port, 1) is None
            assert peer_uid("127.0.0.2", port, server.getsockname()[1]) is None
            assert peer_uid("not an address", port, server.getsockname()[1]) is None
        finally:
            connection.close()
            os.waitpid(child, 0)


def test_a_client_at_another_address_of_this_machine_does_not_pass_for_the_one_that_has_its_port():
    """Somebody may come from 127.0.0.2 with the very port number that the browser has at 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as browser, socket.socket() as other:
        browser.connect(server.getsockname())
        server.accept()[0].close()
        port = browser.getsockname()[1]
        other.bind(("127.0.0.2", port))
        other.connect(server.getsockname())
        _, client = server.accept()
        assert client == ("127.0.0.2", port)
        assert peer_uid(*client, server.getsockname()[1]) == os.getuid()
        other.close()  # its row has no inode any more, and is said to be root's
        assert peer_uid(*client, server.getsockname()[1]) is None


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_connection_whose_owner_the_kernel_does_not_name_is_refused_with_everything_right(door, kind):
    cookie = door.cookie().partition(";")[0]
    path = {"http": "/", "websocket": "/_stcore/stream"}[kind]
    asked = {"path": path, "kind": kind, "cookie": cookie, "origin": ORIGIN}
    assert peer_uid("127.0.0.1", 1, PORT) is None  # nobody is at the other end of what a door is asked over
    assert door.ask(**asked) is True if kind == "websocket" else door.ask(**asked)[0] == 200
    answer = Door(uid=os.getuid()).ask(**asked)
    assert answer is False if kind == "websocket" else answer[0] == 403


@pytest.mark.parametrize(("allowed", "status"), [(0, 403), (1, 200)])
def test_another_user_on_this_machine_is_refused(allowed, status):
    import uvicorn

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        tokens = Tokens()
        tokens.add("t")
        uid = os.getuid() if allowed else os.getuid() + 1
        guard = Guard(inside, label="a", port=port, key=KEY, tokens=tokens, uid=uid, index=b"", screens=("/",))
        server = uvicorn.Server(uvicorn.Config(guard, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            asked.request("GET", "/?token=t", headers={"Host": f"a.localhost:{port}"})
            assert asked.getresponse().status == status
            asked.close()
        finally:
            server.should_exit = True
            thread.join(10)
