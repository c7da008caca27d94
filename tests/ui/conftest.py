"""The whole program with its page, and a browser that writes down every request it makes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine import client

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"

_LAUNCH = """
import sys
from pathlib import Path
from engine.launcher import launch
launch(Path(sys.argv[1]), Path(sys.argv[2]), page=True, on_ready=lambda url: print(url, flush=True))
"""
# Without what Chromium itself sends home: updates, synchronisation, safe browsing, and the like.
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@dataclass
class Running:
    """A launched Strongroom."""

    vault: Path
    state: Path
    process: subprocess.Popen[str]
    url: str
    """opens the page once"""

    @property
    def host(self) -> str:
        """Name and port that the page answers to."""
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port

    def call(self, method, **params):
        """Ask the engine as a command would."""
        with client.connect(self.vault, self.state) as asked:
            return asked.call(method, **params)

    def another_url(self) -> str:
        """A fresh address that opens the page once."""
        return self.call("page.open", browser=False)["url"]


@contextmanager
def launched(folder: Path, before: str = "") -> Iterator[Running]:
    """Strongroom with its page in `folder`, until the context ends; `before` is run in it first, as Python."""
    vault, state = folder / "vault", folder / "state"
    state.mkdir(parents=True, mode=0o700, exist_ok=True)  # a second time on the same vault
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(ROOT)}
    with open(folder / "messages", "w+", encoding="utf-8") as messages:
        process = subprocess.Popen(
            [sys.executable, "-c", before + _LAUNCH, str(vault), str(state)],
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            cwd=folder,
            env=environment,
        )
        try:
            url = process.stdout.readline().strip()
            assert url, (folder / "messages").read_text()
            yield Running(vault, state, process, url)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            process.stdout.close()


@pytest.fixture(scope="module")
def strongroom(tmp_path_factory) -> Iterator[Running]:
    """Strongroom with its page and no vault yet."""
    with launched(tmp_path_factory.mktemp("strongroom")) as running:
        yield running


@pytest.fixture
def launch():
    """`with launch(folder) as running:` for a Strongroom of one's own."""
    return launched


@pytest.fixture(scope="module")
def launch_module():
    """The same for one that a whole module shares."""
    return launched


@dataclass
class Watched:
    """A browser's page, and every address it asked for."""

    page: object
    addresses: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def elsewhere(self, host: str) -> list[str]:
        """Addresses that are not the page's own."""
        own = (f"http://{host}/", f"ws://{host}/", "data:", "blob:")
        return [address for address in self.addresses if not address.startswith(own)]


@contextmanager
def watched(browser, **options) -> Iterator[Watched]:
    """A fresh profile of the browser, watched."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
    context.set_default_timeout(60_000)
    found = Watched(context.new_page())
    # On the context, so that other tabs, workers and frames are seen too.
    context.on("request", lambda request: found.addresses.append(request.url))
    found.page.on("websocket", lambda opened: found.addresses.append(opened.url))
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    try:
        yield found
    finally:
        context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Debian's Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a machine that has much to do is slow, and not wrong
    assert Path(CHROMIUM).exists(), "the tests of the page need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def watch(browser):
    """`with watch() as seen:` for a fresh profile of the browser, whose requests are written down."""
    return lambda **options: watched(browser, **options)
