"""Others at the door of the running page: another user, a site that collects cookies, a rebound name, a second tab."""

import http.client
import json
import os
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import expect

CHROMIUM = "/usr/bin/chromium"
PASSPHRASE = "nine slow barges at the lock"
PAPER = "The mooring fee of the barge Halcyon is 312 euros a year.\n"
NOBODY = 65534
SLOW_MS = 120_000  # a machine with much to do


@contextmanager
def collecting():
    """A server of somebody else on this machine; yields its port, and what came in: host, path and cookies."""
    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_GET(self):
            got.append((self.headers["Host"], self.path, self.headers["Cookie"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>collector</title>")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, got
    finally:
        server.shutdown()
        server.server_close()


def as_nobody(work):
    """What `work` returns in a child of another user, or of this one where only root could be another."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        found = json.loads(answer.read() or b"null")
    os.waitpid(child, 0)
    return found


def status(port, headers, path="/", source=("127.0.0.1", 0)):
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=120, source_address=source)
    try:
        asked.request("GET", path, headers=headers)
        return asked.getresponse().status
    finally:
        asked.close()


def cookie_of(strongroom):
    asked = http.client.HTTPConnection("127.0.0.1", strongroom.port, timeout=120)
    asked.request("GET", "/?" + strongroom.another_url().partition("?")[2], headers={"Host": strongroom.host})
    found = asked.getresponse().headers["Set-Cookie"].partition(";")[0]
    asked.close()
    return found


def test_another_user_is_refused_with_everything_right_and_with_the_browsers_own_port(strongroom):
    right = {"Host": strongroom.host, "Cookie": cookie_of(strongroom)}
    assert status(strongroom.port, right) == 200
    token = strongroom.another_url().partition("?")[2]
    other = 403 if os.getuid() == 0 else 200  # nobody but root can be somebody else here
    assert as_nobody(lambda: status(strongroom.port, right)) == other
    if os.getuid() == 0:
        assert as_nobody(lambda: status(strongroom.port, {"Host": strongroom.host}, f"/?{token}")) == 403
        # A browser of ours is connected; the other comes from another address of this machine, with the same port.
        with socket.create_connection(("127.0.0.1", strongroom.port)) as browser:
            at = ("127.0.0.2", browser.getsockname()[1])
            assert as_nobody(lambda: status(strongroom.port, right, source=at)) == 403
    assert status(strongroom.port, {"Host": strongroom.host}, f"/?{token}") == 200  # nobody spent the token


def test_no_server_on_another_port_is_sent_our_cookie(strongroom, watch):
    with collecting() as (port, got), watch() as seen:
        seen.page.context.set_default_timeout(SLOW_MS)
        seen.page.goto(strongroom.another_url())
        seen.page.get_by_text("Choose a passphrase").or_(seen.page.get_by_text("locked")).first.wait_for()
        [cookie] = [each for each in seen.page.context.cookies() if each["name"] == "strongroom"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert "strongroom" not in seen.page.evaluate("document.cookie")
        for host in ("localhost", "127.0.0.1", "abc.localhost"):
            seen.page.goto(f"http://{host}:{port}/visit")  # led there
            for path in ("image", "fetch"):
                seen.page.evaluate(
                    """([path, port]) => path === 'image' ? (new Image().src = `/${path}`) :
                       fetch(`http://localhost:${port}/${path}`, {credentials: 'include', mode: 'no-cors'})""",
                    [path, port],
                )
        seen.page.wait_for_timeout(300)
        assert len({host for host, path, _ in got if path == "/visit"}) == 3
        assert {sent for _, _, sent in got} == {None}
        # What this does not say: a server that was told our random name is of the same site to a browser.
        seen.page.goto(f"http://{strongroom.host.partition(':')[0]}:{port}/told")
        assert "strongroom=" in got[-1][2]


def test_a_name_that_was_rebound_to_this_machine_opens_nothing(strongroom, browser):
    """A site's own name that now leads to our port: to the browser we are that site, and it may read our answers."""
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP *.evil.example 127.0.0.1"
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", rules]
    deceived = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    try:
        page = deceived.new_page()
        page.set_default_timeout(SLOW_MS)
        page.goto(strongroom.another_url())
        page.get_by_text("Choose a passphrase").or_(page.get_by_text("locked")).first.wait_for()
        label = strongroom.host.partition(".")[0]
        for host in ("evil.example", f"{label}.localhost.evil.example"):
            answer = page.goto(f"http://{host}:{strongroom.port}/")
            assert answer.status == 403
            assert "private" in answer.text()
            found = page.evaluate(
                """async port => [
                    await fetch('/_stcore/health').then(answer => answer.status),
                    await new Promise(done => {
                        const socket = new WebSocket(`ws://${location.host}/_stcore/stream`, ['streamlit']);
                        socket.onopen = () => done(true); socket.onerror = () => done(false);
                    })]""",
                strongroom.port,
            )
            assert found == [403, False]
    finally:
        deceived.close()


def test_a_tab_that_stayed_open_shows_and_learns_nothing_after_another_locked(watch, launch, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "barge.txt").write_text(PAPER)
    with launch(tmp_path) as running, watch() as seen:
        seen.page.context.set_default_timeout(SLOW_MS)
        running.call("create", passphrase=PASSPHRASE)
        running.call("folders.add", path=str(papers))
        running.call("wait", seconds=300)
        one, two = seen.page, seen.page.context.new_page()
        one.goto(running.url)
        one.get_by_role("link", name="Library").wait_for()
        two.goto(f"http://{running.host}/library")  # the cookie is enough
        two.get_by_test_id("document").first.wait_for()
        assert "barge" in two.content()
        one.get_by_role("button", name="Lock", exact=True).click()
        for page in (one, two):
            page.get_by_text("Strongroom is locked").wait_for()
            expect(page.locator("body")).not_to_contain_text("barge", timeout=SLOW_MS)
            assert "barge" not in page.content()
        # What it had before does not help: going back, its old address, a new tab with the cookie.
        two.go_back()
        three = seen.page.context.new_page()
        three.goto(f"http://{running.host}/library")
        three.get_by_text("Strongroom is locked").wait_for()
        assert "barge" not in three.content()
        assert seen.elsewhere(running.host) == []


def test_the_address_that_opens_the_page_is_in_no_process_list(strongroom):
    label, token = strongroom.host.partition(".")[0], strongroom.another_url().partition("token=")[2]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert token not in line
        assert label not in line
