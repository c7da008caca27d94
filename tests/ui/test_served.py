"""The guard in front of the real page: each way in that is not a person's own browser, tried on the running program."""

import hashlib
import hmac
import http.client
import itertools
import socket

import pytest

# Every combination of these is tried. A value in braces is filled in; None: the header is not sent.
HOSTS = {
    "own": "{host}",
    "none": None,
    "twice": ["{host}", "evil.example"],
    "localhost": "localhost:{port}",
    "number": "127.0.0.1:{port}",
    "other label": "0123456789abcdef.localhost:{port}",
    "no port": "{label}.localhost",
    "rebound": "evil.example:{port}",
    "longer": "{label}.localhost.evil.example:{port}",
}
ORIGINS = {
    "own": "http://{host}",
    "none": None,
    "null": "null",
    "other port": "http://{label}.localhost:1",
    "number": "http://127.0.0.1:{port}",
    "evil": "https://evil.example",
    "twice": ["http://{host}", "https://evil.example"],
}
COOKIES = {
    "own": "{cookie}",
    "none": None,
    "made up": "strongroom=abc.{zeros}",
    "of another start": "{foreign}",
    "its beginning": "{beginning}",
}
TOKENS = {"none": "", "fresh": "?token={fresh}", "used": "?token={used}", "made up": "?token={zeros}"}
MATRIX = list(itertools.product(HOSTS, ORIGINS, COOKIES, TOKENS))


@pytest.fixture(scope="module")
def cookie(strongroom):
    """A cookie, got with a token as a browser gets it."""
    status, headers, _ = _get(strongroom, "/?" + strongroom.url.partition("?")[2], {"Host": strongroom.host})
    assert status == 200
    return headers["Set-Cookie"].partition(";")[0]


def _get(strongroom, path, headers, method="GET"):
    asked = http.client.HTTPConnection("127.0.0.1", strongroom.port, timeout=20)
    try:
        asked.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, values in headers.items():
            for value in [values] if isinstance(values, str) else values:
                asked.putheader(name, value)
        asked.endheaders()
        answer = asked.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        asked.close()


def _upgrade(strongroom, headers, query=""):
    """The status of a WebSocket's handshake."""
    lines = [
        f"GET /_stcore/stream{query} HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: streamlit",
        *(f"{name}: {value}" for name, values in headers.items() for value in values),
    ]
    with socket.create_connection(("127.0.0.1", strongroom.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(4096).split()[1])


@pytest.fixture(scope="module")
def values(strongroom, cookie):
    """What the names in braces stand for."""
    nonce, _, proof = cookie.partition("=")[2].partition(".")
    foreign = hmac.new(b"k" * 32, b"cookie " + nonce.encode(), hashlib.sha256).hexdigest()
    return {
        "host": strongroom.host, "port": strongroom.port, "label": strongroom.host.partition(".")[0], "cookie": cookie,
        "foreign": f"strongroom={nonce}.{foreign}", "beginning": f"strongroom={nonce}.{proof[:32]}", "zeros": "0" * 64,
        "used": strongroom.url.partition("token=")[2], "fresh": _token(strongroom),
    }  # fmt: skip


def _token(strongroom):
    return strongroom.another_url().partition("token=")[2]


def _headers(values, combination):
    found = {}
    for name, kind, key in zip(("Host", "Origin", "Cookie"), (HOSTS, ORIGINS, COOKIES), combination, strict=False):
        sent = kind[key] if isinstance(kind[key], list) else [kind[key]]
        found[name] = [each.format(**values) for each in sent if each is not None]
    return found


def test_of_all_combinations_a_websocket_is_opened_for_our_own_page_only(strongroom, values):
    let_in = {
        each
        for each in MATRIX
        if _upgrade(strongroom, _headers(values, each), TOKENS[each[3]].format(**values)) == 101
    }
    # A token is worth nothing there: it is for the one address that trades it for a cookie.
    assert let_in == {("own", "own", "own", token) for token in TOKENS}
    assert _get(strongroom, f"/?token={values['fresh']}", {"Host": [strongroom.host]})[0] == 200  # nobody spent it
    values["fresh"] = _token(strongroom)


def test_of_all_combinations_the_page_is_shown_to_its_own_browser_only(strongroom, values):
    wrong = []
    for combination in MATRIX:
        host, origin, sent, token = combination
        right_place = host == "own" and origin in {"own", "none"}
        for path in ("/", "/_stcore/health") if token == "none" else ("/",):
            address = path + TOKENS[token].format(**values)
            status, headers, body = _get(strongroom, address, _headers(values, combination))
            right = right_place and (sent == "own" or (path == "/" and token == "fresh"))
            # Whoever has the cookie gets no new one by a token that is used or made up.
            given = right_place and path == "/" and token == "fresh"
            as_it_should = (
                status == (200 if right else 400 if host in {"none", "twice"} and status == 400 else 403)
                and ((headers["Set-Cookie"] or "").startswith("strongroom=")) == given
                and (status == 400 or headers["Cache-Control"] == "no-store")
                and (status == 400 or "default-src 'none'" in headers["Content-Security-Policy"])
                and (right or status == 400 or b"strongroom open" in body)
            )
            if not as_it_should:
                wrong.append((combination, path, status))
            if given:
                values["fresh"] = _token(strongroom)
    assert wrong == []


@pytest.mark.parametrize("token", ["", "abc", "{old}"])
def test_a_token_that_is_wrong_or_used_opens_nothing(strongroom, cookie, token):
    old = strongroom.url.partition("token=")[2]
    status, headers, _ = _get(strongroom, f"/?token={token.format(old=old)}", {"Host": strongroom.host})
    assert status == 403
    assert headers["Set-Cookie"] is None
    assert cookie


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/_stcore/upload_file/a/b", "/_stcore/agent/interact", "/_stcore/agent/mcp"])
def test_nothing_is_taken_in(strongroom, cookie, method, path):
    own = {"Host": strongroom.host, "Origin": f"http://{strongroom.host}", "Cookie": cookie}
    assert _get(strongroom, path, own, method)[0] == 403


def test_the_pages_own_assets_are_found_and_may_be_cached(strongroom, cookie):
    own = {"Host": strongroom.host, "Cookie": cookie}
    _, _, index = _get(strongroom, "/", own)
    script = index.decode().partition('src="./static/js/')[2].partition('"')[0]
    status, headers, _ = _get(strongroom, f"/static/js/{script}", own)
    assert (status, headers["Cache-Control"]) == (200, "private, max-age=31536000, immutable")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_of_a_path_climbs_out_of_the_assets(strongroom, cookie):
    own = {"Host": strongroom.host, "Cookie": cookie}
    for path in (
        "/static/../../../__init__.py",
        "/static/%2e%2e/%2e%2e/__init__.py",
        "/media/../etc/passwd",
        "//etc/passwd",
    ):
        status, _, body = _get(strongroom, path, own)
        assert status in {400, 403, 404} or body.lstrip().startswith((b"<!doctype", b"<!DOCTYPE", b"<!--"))


def test_another_page_on_this_machine_cannot_speak_to_ours(strongroom, watch):
    """In a real browser: a site on another localhost port tries, with the browser that has the cookie."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title>")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with watch() as seen:
            seen.page.set_default_timeout(120_000)  # a machine with much to do
            seen.page.goto(strongroom.another_url())
            seen.page.get_by_text("Choose a passphrase").wait_for()
            seen.page.goto(f"http://localhost:{server.server_port}/")
            script = """async host => {
                const opened = await new Promise(done => {
                    const socket = new WebSocket(`ws://${host}/_stcore/stream`, ['streamlit']);
                    socket.onopen = () => done(true); socket.onerror = () => done(false);
                });
                const image = await new Promise(done => {
                    const img = new Image(); img.onload = () => done(true); img.onerror = () => done(false);
                    img.src = `http://${host}/favicon.png`;
                });
                const fetched = await fetch(`http://${host}/_stcore/health`, {credentials: 'include'})
                    .then(answer => answer.status, () => 'refused');
                return [opened, image, fetched];
            }"""
            assert seen.page.evaluate(script, strongroom.host) == [False, False, "refused"]
    finally:
        server.shutdown()
        server.server_close()
