"""Chroma behind the door of the vector index: in the engine's memory, and as a server that the user runs."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from engine.server_address import UNDERSTOOD
from tests.ui.test_command import ROOT, Person

PAPERS = ROOT / "sample_corpus" / "papers"
CHROMA = Path(sys.executable).with_name("chroma")
ASKED = ("When does the car insurance end?", "How much is the rent?", "Who repairs the boiler?")


class Server:
    """`chroma run`, as a user starts it."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        command = [CHROMA, "run", "--path", self.folder, "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                self.ask("GET", "/api/v2/heartbeat")
                return self
            time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.address + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def collections(self):
        return self.ask("GET", COLLECTIONS)

    def count(self):
        return sum(self.ask("GET", f"{COLLECTIONS}/{each['id']}/count") for each in self.collections())


COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "server").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Somebody whose vault has the sample's papers, and the citations that exact search gives."""
    person = Person(tmp_path_factory.mktemp("filled"))
    person.ok("init")
    person.ok("add", PAPERS, "--wait")
    return person, [citations(person, each) for each in ASKED]


def citations(person, question):
    answer = person.json("ask", question)
    found = [(c["path"], c["start"], c["end"]) for s in answer["statements"] for c in s["citations"]]
    assert found, question
    return found


def until(person, wanted, seconds=90):
    """The index's state once it is as wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = person.json("vectors")
        if wanted(found):
            return found
        time.sleep(0.5)
    raise AssertionError(found)


@contextlib.contextmanager
def serving(person):
    running = person.start("serve")
    try:
        assert "Strongroom is at" in running.stdout.readline()
        yield running
    finally:
        running.terminate()
        running.wait(30)


def test_chroma_in_memory_gives_the_same_citations(filled):
    person, exact = filled
    person.ok("vectors", "chroma")
    try:
        with serving(person):
            found = until(person, lambda each: each["serving"] == "chroma")
            assert found["there"] == found["vectors"] > 100
            assert [citations(person, each) for each in ASKED] == exact
    finally:
        person.ok("vectors", "exact")


def test_a_server_gives_the_same_citations_and_keeps_nothing_when_it_is_left(filled, server):
    person, exact = filled
    code, screen = person.at_terminal("vectors", "server", server.address, typed=[UNDERSTOOD])
    assert code == 0, screen
    with serving(person):
        found = until(person, lambda each: each["serving"] == "server")
        assert found["there"] == found["vectors"] == server.count() > 100
        assert [citations(person, each) for each in ASKED] == exact
        person.ok("vectors", "exact")
        assert server.collections() == []
    assert person.json("vectors")["chosen"] == "exact"
