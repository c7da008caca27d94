"""Every question of the sample, through each engine, on the page and on the command line: the same citations."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from engine.export import sources_of
from tests.card import default_folder
from tests.card.test_chroma import Server, chosen, serving
from tests.card.test_page import choose_reader, use
from tests.ui.conftest import browser, watch  # noqa: F401 - fixtures
from tests.ui.test_command import ROOT, Person

PAPERS = ROOT / "sample_corpus" / "papers"
QUESTIONS = {
    each["id"]: each["question"]
    for each in json.loads((ROOT / "sample_corpus" / "questions.json").read_text(encoding="utf-8"))
}
SECONDS = 240
# The command, once for each question that comes in; a process for each would spend most of its time with starting.
ASK = """
import json, sys
from ui.command import main
for line in sys.stdin:
    assert main(["ask", json.loads(line), "--json"]) == 0, line
"""


class Household(Person):
    """Somebody who asks everything, in a terminal and on the page."""

    def asked(self):
        """Each question's answer, as `strongroom ask --json` gives it."""
        given = "".join(json.dumps(each) + "\n" for each in QUESTIONS.values())
        done = subprocess.run(
            [sys.executable, "-c", ASK], input=given, capture_output=True, text=True, cwd=self.home, check=False,
            env=self.environment(), timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(zip(QUESTIONS, map(json.loads, done.stdout.splitlines()), strict=True))

    def way_in(self):
        """An address that opens the page once."""
        return self.ok("serve").stdout.strip()

    @contextlib.contextmanager
    def page(self, watch) -> Iterator[object]:  # noqa: F811
        """The page in a browser; nothing that is done there leaves its own origin."""
        with watch() as seen:
            address = self.way_in()
            seen.page.goto(address)
            seen.page.get_by_placeholder(re.compile("^Ask")).wait_for()
            yield seen.page
            assert seen.errors == []
            assert seen.elsewhere(re.search("//([^/]+)/", address)[1]) == []


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Household:
    """A household whose vault has the sample's papers, and `own`: its answers as Strongroom comes."""
    one = Household(tmp_path_factory.mktemp("sample"))
    one.ok("init")
    one.ok("add", PAPERS, "--wait")
    with serving(one):
        one.own = one.asked()
    return one


def cited(answers, *, in_order=True):
    """File, place and words of every citation, by question."""
    found = {}
    for name, answer in answers.items():
        places = [(c["path"], c["start"], c["end"], c["quote"]) for s in answer["statements"] for c in s["citations"]]
        found[name] = places if in_order else sorted(places)
    return found


def words(text):
    return " ".join(text.split())


def quoted(answers):
    """File and words of every citation, by question."""
    return {name: [(path, words(quote)) for path, _, _, quote in places] for name, places in cited(answers).items()}


def asked_on(page):
    """What the page shows of each question's answer: its statements, and the passages below them."""
    page.get_by_role("link", name="Ask").click()
    box = page.get_by_placeholder("Ask your papers…")
    turn = page.locator(".st-key-turn-0")
    shown = {}
    for name, question in QUESTIONS.items():
        box.wait_for()
        expect(turn).to_have_count(0)  # or the answer before would be read
        box.fill(question)
        box.press("Enter")
        turn.locator(".how").wait_for()
        shown[name] = turn.evaluate(
            """turn => ["[data-testid=statement]", "[data-testid=source] .quote"].map(
                kind => [...turn.querySelectorAll(kind)].map(each => each.textContent.split(/\\s+/).join(" ").trim()))"""
        )
        page.get_by_role("button", name="New conversation").click()
    return shown


def on_page(answers):
    """What the page is to show of answers that the command gave; without an answer, of the five nearest passages."""
    return {
        name: [
            [words(each["text"]) for each in answer["statements"]],
            [words(each["quote"][:600]) for each in sources_of(answer["statements"])[0] or answer["nearest"][:5]],
        ]
        for name, answer in answers.items()
    }


def settings(page):
    page.get_by_role("link", name="Settings").click()
    page.get_by_test_id("embedding").wait_for()


def until(true):
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_as_it_comes_page_and_command_answer_the_same(house, watch):  # noqa: F811
    with serving(house), house.page(watch) as page:
        assert asked_on(page) == on_page(house.own)
    answered = [name for name, answer in house.own.items() if answer["statements"]]
    assert len(answered) >= 28


def test_the_default_model_through_sentence_transformers(house, watch, tmp_path):  # noqa: F811
    """Its vectors are near to the default's and not the same, so that two sentences of one answer may change places."""
    folder = default_folder.make(tmp_path / "minilm")
    with serving(house), house.page(watch) as page:
        settings(page)
        use(page, folder)
        expect(page.get_by_test_id("embedding")).to_contain_text(str(folder), timeout=SECONDS * 1000)
        answers = house.asked()
        assert asked_on(page) == on_page(answers)
        assert cited(answers, in_order=False) == cited(house.own, in_order=False)
        house.ok("model", "embed", "default", "--wait")
        assert cited(house.asked()) == cited(house.own)


def test_chroma_in_memory(house, watch):  # noqa: F811
    with serving(house), house.page(watch) as page:
        settings(page)
        page.get_by_text("Chroma, in memory").click()
        page.get_by_text("It answers, and has").wait_for(timeout=SECONDS * 1000)
        answers = house.asked()
        assert asked_on(page) == on_page(answers)
        assert cited(answers) == cited(house.own)
        house.ok("vectors", "exact")


def test_a_chroma_server(house, watch, tmp_path):  # noqa: F811
    server = Server(tmp_path / "server").start()
    try:
        chosen(house, server.address)
        with serving(house), house.page(watch) as page:
            settings(page)
            page.get_by_text(f"Vectors go to the Chroma server at {server.address}").wait_for()
            page.get_by_text("It answers, and has").wait_for(timeout=SECONDS * 1000)
            answers = house.asked()
            assert asked_on(page) == on_page(answers)
            assert cited(answers) == cited(house.own)
            settings(page)
            server.stop()
            page.get_by_text("Exact search stands in:").wait_for(timeout=SECONDS * 1000)
            assert cited(house.asked()) == cited(house.own)
            server.start()
            page.get_by_text("It answers, and has").wait_for(timeout=SECONDS * 1000)
            house.ok("vectors", "exact")
            expect(page.get_by_text("It answers, and has")).to_have_count(0)
    finally:
        server.stop()


def test_unstructured(house, watch):  # noqa: F811
    """The same files and words; only the space between words, and with it where they stand, may be another."""
    with serving(house), house.page(watch) as page:
        settings(page)
        for name in ("Mail", "Word documents"):
            choose_reader(page, name, "unstructured")
            page.get_by_test_id(f"read-{'mail' if name == 'Mail' else 'docx'}").filter(
                has_text=", read by unstructured."
            ).wait_for(timeout=SECONDS * 1000)
        house.ok("reader", "mail", "unstructured", "--wait")
        answers = house.asked()
        assert asked_on(page) == on_page(answers)
        assert quoted(answers) == quoted(house.own)
        for name in ("mail", "docx"):
            house.ok("reader", name, "default", "--wait")
        assert cited(house.asked()) == cited(house.own)
