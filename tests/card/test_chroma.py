"""Chroma behind the door of the vector index: in the engine's memory, and as a server that the user runs."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from bench.household import Household, questions
from engine import server_address
from engine.server_address import UNDERSTOOD
from retrieval import near_view
from retrieval.chroma import InMemory
from retrieval.embed import Embedder
from retrieval.near import Near
from retrieval.vectors import Exact, Stored
from tests.engine.chroma_like import Authority, Handler, listening
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

    def vectors(self):
        """All of them, as float32, by id."""
        found = {}
        for each in self.collections():
            page = self.ask("POST", f"{COLLECTIONS}/{each['id']}/get", {"include": ["embeddings"], "limit": 5_000})
            found.update({i: np.array(v, dtype="<f4") for i, v in zip(page["ids"], page["embeddings"], strict=True)})
        return found

    def files(self):
        return [each for each in self.folder.rglob("*") if each.is_file()]

    def on_disk(self, vector):
        """The files that hold the beginning of this vector."""
        wanted = vector.tobytes()[:64]
        return [each.name for each in self.files() if wanted in each.read_bytes()]

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


class Proxy(Handler):
    """What stands before a Chroma server that is not to be everybody's: https, and a token."""

    def answer(self, body):
        shown = self.headers.get("Authorization", "")
        self.server.seen.add(shown)
        if shown != f"Bearer {self.server.token}":
            return 401, b'{"error": "Unauthorized"}'
        onwards = http.client.HTTPConnection("127.0.0.1", self.server.onwards, timeout=60)
        onwards.request(self.command, self.path, body or None, {"Content-Type": "application/json"})
        answer = onwards.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            onwards.close()


def behind_a_proxy(server, certificates, token):
    return listening(Proxy, certificates, onwards=server.port, token=token, seen=set())


def chosen(person, address, *more):
    code, screen = person.at_terminal("vectors", "server", address, *more, typed=[UNDERSTOOD])
    assert code == 0, screen


def unchosen(person):
    """Without its being left: what is there goes with the test, and to write over it takes many seconds."""
    assert server_address.remove(person.home / ".config" / "strongroom", person.vault)


def answered(house, question):
    answer = house.ask(question)
    places = [[(c.passage.document, c.start, c.end) for c in each.citations] for each in answer.statements]
    return [each.text for each in answer.statements], places


def wait(done, seconds=120):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def unit(n):
    made = np.random.default_rng(n).standard_normal(384).astype("<f4")
    return made / np.linalg.norm(made)


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
        time.sleep(0.1)
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
    said = person.ok("vectors", "chroma").stdout
    assert "exact search stands in: Chroma in memory is filled while Strongroom is open" in said
    try:
        assert citations(person, ASKED[0]) == exact[0]
        assert person.json("vectors")["serving"] == "exact"
        with serving(person):
            found = until(person, lambda each: each["serving"] == "chroma")
            assert found["there"] == found["vectors"] > 100
            assert [citations(person, each) for each in ASKED] == exact
    finally:
        person.ok("vectors", "exact")


def test_a_server_gives_the_same_citations_and_keeps_nothing_when_it_is_left(filled, server):
    person, exact = filled
    chosen(person, server.address)
    with serving(person):
        found = until(person, lambda each: each["serving"] == "server")
        assert found["there"] == found["vectors"] == server.count() > 100
        assert [citations(person, each) for each in ASKED] == exact
        person.ok("vectors", "exact")
        assert server.collections() == []
    assert person.json("vectors")["chosen"] == "exact"


def test_all_of_the_samples_questions_are_answered_the_same(monkeypatch):
    """With so few neighbours asked for that what is near, and not what there is, decides."""
    house = Household(Embedder())
    exact = [answered(house, each["question"]) for each in questions()]
    monkeypatch.setattr(near_view, "_NEAREST", 40)
    monkeypatch.setattr(near_view, "_ENOUGH", 1)
    house.index.use(lambda model: Near(InMemory(), dimensions=384, key=os.urandom(32), load=house.index.load))
    try:
        wait(lambda: house.index.near.serves)
        for each in (Exact, Stored):
            monkeypatch.setattr(each, "cosines", None)  # nothing is compared with all
        assert [answered(house, each["question"]) for each in questions()] == exact
    finally:
        house.index.use(None)


def test_what_is_removed_from_memory_is_found_no_more():
    index = InMemory()
    index.open(384)
    ids = [os.urandom(16) for _ in range(2_000)]
    index.add(ids, np.stack([unit(n) for n in range(2_000)]))
    assert index.nearest(unit(700), 1) == [ids[700]]
    gone = [ids[n] for n in (3, 700, 1_500)]
    index.remove(gone)
    index.sweep()
    assert index.held(gone) == 0
    assert index.count() == 1_997
    assert not set(index.nearest(unit(700), 50)) & set(gone)
    assert {each for page in index.ids() for each in page} == set(ids) - set(gone)


def test_a_purge_reaches_the_server_and_its_files(filled, server, tmp_path):
    person, _ = filled
    paper = tmp_path / "papers" / "canary.txt"
    paper.parent.mkdir()
    paper.write_text("The lighthouse keeper's name is Ottoline Vavasour, and her boat is called Periwinkle.\n")
    chosen(person, server.address)
    try:
        with serving(person):
            person.ok("add", paper.parent, "--wait")
            until(person, lambda each: each["serving"] == "server" and not each["to_add"])
            before = server.vectors()
            receipt = person.json("purge", paper, "--yes")
            assert receipt["confirmed"], receipt
            [row] = [each for each in receipt["checks"] if each["where"] == f"the Chroma server at {server.address}"]
            assert row == {"what": "vectors", "where": row["where"], "searched": 1, "found": 0}
            assert any("Chroma server keeps in memory" in each for each in receipt["not_covered"])
            after = server.vectors()
        [purged] = before.keys() - after.keys()
        # Written over in the index; its database may have it in a free page, until that is used or vacuumed.
        assert set(server.on_disk(before[purged])) <= {"chroma.sqlite3"}
        kept = next(iter(after.values()))
        assert "data_level0.bin" in server.on_disk(kept), "the search for vectors finds none"
        server.stop()
        subprocess.run([CHROMA, "vacuum", "--path", server.folder, "--force"], check=True, capture_output=True)
        assert server.on_disk(before[purged]) == []
        server.start()
        text = b"".join(each.read_bytes() for each in server.files())
        assert b"Ottoline" not in text
        assert b"canary" not in text
    finally:
        unchosen(person)


def test_without_a_running_engine_a_purge_reaches_the_server_and_it_can_be_left(filled, server, tmp_path):
    person, _ = filled
    paper = tmp_path / "papers" / "canary.txt"
    paper.parent.mkdir()
    paper.write_text("The ferryman's name is Barnaby Thistlewood, and his dog is called Marmalade.\n")
    chosen(person, server.address)
    try:
        with serving(person):
            person.ok("add", paper.parent, "--wait")
            until(person, lambda each: each["serving"] == "server" and not each["to_add"])
            there = server.count()
        receipt = person.json("purge", paper, "--yes")
        assert receipt["confirmed"], receipt
        assert server.count() == there - 1
        person.ok("vectors", "exact")
        assert server.collections() == []
        assert person.json("vectors")["chosen"] == "exact"
    finally:
        server_address.remove(person.home / ".config" / "strongroom", person.vault)


def test_exact_search_stands_in_for_a_server_that_is_down_and_a_purge_is_not_confirmed(filled, server, tmp_path):
    person, exact = filled
    paper = tmp_path / "papers" / "canary.txt"
    paper.parent.mkdir()
    paper.write_text("The organist's name is Philippa Gooseberry, and she plays on Thursdays.\n")
    chosen(person, server.address)
    try:
        with serving(person):
            person.ok("add", paper.parent, "--wait")
            until(person, lambda each: each["serving"] == "server" and not each["to_add"])
            there = server.count()
            server.stop()
            assert [citations(person, each) for each in ASKED] == exact
            found = until(person, lambda each: each["serving"] == "exact")
            assert "cannot be reached: connection refused" in found["why"]
            done = person.run("purge", paper, "--yes", "--json")
            receipt = json.loads(done.stdout)
            assert done.returncode == 3
            assert not receipt["confirmed"]
            assert [each["found"] for each in receipt["checks"] if "cannot be asked now" in each["where"]] == [1]
            server.start()
            until(person, lambda each: each["serving"] == "server")
            assert server.count() == there - 1
            assert [citations(person, each) for each in ASKED] == exact
    finally:
        unchosen(person)


def test_a_server_that_lost_everything_is_filled_again_and_one_of_other_vectors_is_not_used(filled, server):
    person, exact = filled
    chosen(person, server.address)
    try:
        with serving(person):
            there = until(person, lambda each: each["serving"] == "server")["there"]
            [collection] = server.collections()
            server.ask("DELETE", f"{COLLECTIONS}/{collection['name']}")
            assert citations(person, ASKED[0]) == exact[0]  # which finds it out at once
            until(person, lambda each: each["lost"] and each["serving"] == "server")
            assert server.count() == there
            server.ask("DELETE", f"{COLLECTIONS}/{collection['name']}")
            made = server.ask("POST", COLLECTIONS, {"name": collection["name"]})
            server.ask("POST", f"{COLLECTIONS}/{made['id']}/add", {"ids": ["a"], "embeddings": [[1.0, 0.0, 0.0]]})
            assert citations(person, ASKED[0]) == exact[0]
            found = until(person, lambda each: "with vectors of 3, not 384" in each["why"])
            assert found["serving"] == "exact"
            assert [citations(person, each) for each in ASKED] == exact
    finally:
        assert "its files still hold" in person.run("vectors", "exact").stderr  # it was never opened to be written over
        assert server.collections() == []


def test_a_server_behind_https_that_wants_a_token_is_reached_with_it_and_not_without(filled, server, tmp_path):
    person, exact = filled
    token, authority = tmp_path / "token", Authority(tmp_path)
    token.write_text("one-of-two\n")
    token.chmod(0o600)
    with behind_a_proxy(server, authority.server(), "two-of-two") as proxy:
        address, files = f"https://localhost:{proxy.server_port}", ["--token-file", token, "--ca", authority.path]
        chosen(person, address, *files)
        try:
            with serving(person):
                found = until(person, lambda each: "does not accept the token" in each["why"])
                assert found["serving"] == "exact"
                assert "one-of-two" not in str(found)
                assert citations(person, ASKED[0]) == exact[0]
                assert server.collections() == []
                proxy.token = "one-of-two"
                found = until(person, lambda each: each["serving"] == "server")
                assert found["address"] == address
                assert found["there"] == found["vectors"] == server.count() > 100
                assert [citations(person, each) for each in ASKED] == exact
            assert proxy.seen == {"Bearer one-of-two"}
        finally:
            unchosen(person)
        other = Authority(tmp_path, "somebody else")
        chosen(person, address, "--token-file", token, "--ca", other.path)
        try:
            proxy.seen.clear()
            with serving(person):
                found = until(person, lambda each: "its certificate does not hold" in each["why"])
                assert "--ca FILE" in found["hint"]
                assert citations(person, ASKED[0]) == exact[0]
            assert proxy.seen == set()
        finally:
            unchosen(person)
    assert b"one-of-two" not in b"".join(each.read_bytes() for each in person.home.rglob("*") if each.is_file())


def test_nothing_goes_anywhere_without_the_sentence(filled, server):
    person, _ = filled
    for typed in ("yes", "y", "", "vectors leave"):
        code, screen = person.at_terminal("vectors", "server", server.address, typed=[typed])
        assert code == 1, screen
        assert "nothing was changed" in screen
    assert person.run("vectors", "server", server.address).returncode == 1
    assert list((person.home / ".config" / "strongroom").glob("*")) == []
    assert person.json("vectors")["chosen"] == "exact"
