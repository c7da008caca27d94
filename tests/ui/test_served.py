"""The guard in front of the real page: each way in that is not a person's own browser, tried on the running program."""

import http.client
import itertools
import socket

import pytest

HOSTS = {"own": "{host}", "localhost": "localhost:{port}", "number": "127.0.0.1:{port}", "rebound": "evil.example"}
ORIGINS = {
    "own": "http://{host}",
    "none": None,
    "null": "null",
    "other port": "http://localhost:{port}",
    "evil": "https://evil.example",
}
COOKIES = {"own": "{cookie}", "none": None, "made up": "strongroom=abc.{zeros}"}
MATRIX = list(itertools.product(HOSTS, ORIGINS, COOKIES))


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
        for name, value in headers.items():
            if value is not None:
                asked.putheader(name, value)
        asked.endheaders()
        answer = asked.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        asked.close()


def _upgrade(strongroom, headers):
    """The status of a WebSocket's handshake."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: streamlit",
        *(f"{name}: {value}" for name, value in headers.items() if value is not None),
    ]
    with socket.create_connection(("127.0.0.1", strongroom.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(4096).split()[1])


def _headers(strongroom, cookie, combination):
    values = {"host": strongroom.host, "port": strongroom.port, "cookie": cookie, "zeros": "0" * 64}
    kinds = zip(("Host", "Origin", "Cookie"), (HOSTS, ORIGINS, COOKIES), combination, strict=True)
    return {name: kind[key] and kind[key].format(**values) for name, kind, key in kinds}


@pytest.mark.parametrize("combination", MATRIX, ids=" ".join)
def test_a_websocket_is_opened_for_our_own_page_only(strongroom, cookie, combination):
    status = _upgrade(strongroom, _headers(strongroom, cookie, combination))
    assert status == (101 if combination == ("own", "own", "own") else 403)


@pytest.mark.parametrize("combination", MATRIX, ids=" ".join)
def test_the_page_is_shown_to_its_own_browser_only(strongroom, cookie, combination):
    host, origin, sent = combination
    right = host == sent == "own" and origin in {"own", "none"}
    for path in ("/", "/_stcore/health", "/_stcore/host-config"):
        status, headers, body = _get(strongroom, path, _headers(strongroom, cookie, combination))
        assert status == (200 if right else 403)
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert right or b"strongroom open" in body


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
