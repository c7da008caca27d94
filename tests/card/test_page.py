"""The three engines chosen by click: in a real browser, from the settings to a cited answer and back."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from tests.card import tiny_models
from tests.ui.conftest import Running, browser, launched, watch  # noqa: F401 - fixtures

PASSPHRASE = "seven copper kettles whistle"
PAPERS = {
    "boat.html": "<html><body><h1>Boat</h1><p>The rent of the boat is 140 pounds a month.</p></body></html>",
    "dog.md": "# Dog\n\nThe insurance of the dog costs 90 pounds a month.\n",
    "heizung.md": "# Notiz\n\nDie Heizung im Haus wird im Winter neu gemacht, und das kostet viel.\n",
    "garden.html": "<html><body><p>The new garden of the house is for the summer.</p></body></html>",
    "vet.eml": "From: Vet <vet@example.org>\nTo: Ada <ada@example.org>\nSubject: Repair of the kennel\n"
    "Date: Mon, 2 Mar 2026 10:00:00 +0100\nMessage-ID: <kennel@example.org>\n\nDear Ada,\n\n"
    "the repair of the kennel costs 310 pounds.\n\nVet\n",
}
QUESTIONS = {
    "How much is the rent of the boat?": "140 pounds",
    "What does the insurance of the dog cost?": "90 pounds",
    "What does the repair of the kennel cost?": "310 pounds",
}
# A model of the user's embeds two passages; then, while the file HOLD lies there, it waits.
HELD = """
import os, time
import ingest.embedding
from retrieval import scale
from retrieval.sentence_transformers_model import Model
ingest.embedding.EMBED_CHUNKS = 1
own, done = Model.embed, []
def embed(self, texts):
    vectors = own(self, texts)
    if tuple(texts) != tuple(passage for _, passage in scale.PAIRS) and texts != ["one text"]:
        done.append(1)
        while len(done) > 2 and os.path.exists(HOLD):
            time.sleep(0.05)
    return vectors
Model.embed = embed
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    words = " ".join(re.sub(r"<[^>]*>", " ", each) for each in PAPERS.values())
    return tiny_models.make(
        tmp_path_factory.mktemp("models") / "four-languages", more_words=f"{words} {' '.join(QUESTIONS)}"
    )


@contextlib.contextmanager
def household(folder: Path, before: str = "") -> Iterator[Running]:
    """Strongroom with a vault that has read PAPERS; a vault that is there already is opened."""
    papers = folder / "papers"
    papers.mkdir(parents=True, exist_ok=True)
    for name, text in PAPERS.items():
        (papers / name).write_text(text)
    with launched(folder, before) as running:
        if running.call("status")["state"] == "none":
            running.call("create", passphrase=PASSPHRASE)
            running.call("folders.add", path=str(papers))
        else:
            running.call("unlock", passphrase=PASSPHRASE)
        running.call("wait")
        yield running


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[Running]:
    with household(tmp_path_factory.mktemp("household")) as running:
        yield running


@pytest.fixture
def screen(opened, watch):  # noqa: F811
    with watch() as seen:
        settings(seen.page, opened)
        yield seen.page
        assert seen.elsewhere(opened.host) == []
        assert seen.errors == []


def settings(page, running):
    page.goto(running.another_url())
    page.get_by_role("link", name="Settings").click()
    page.get_by_test_id("embedding").wait_for()


def eventually(screen, true):
    for _ in range(600):
        if true():
            return
        screen.wait_for_timeout(100)
    raise AssertionError("it did not happen")


def use(screen, path):
    box = screen.get_by_label("Another model, by its folder")
    box.fill(str(path))
    box.press("Enter")


def table(screen):
    """The facts of the model in use, as on the page."""
    return screen.get_by_test_id("embedding")


def answered(page, question):
    """Ask on the page, in a conversation of its own: statements and the words that each source shows."""
    page.get_by_role("link", name="Ask").click()
    any_box = page.get_by_placeholder(re.compile("^Ask (on|your papers)…$"))
    any_box.wait_for()
    if any_box.get_attribute("placeholder") == "Ask on…":
        page.get_by_role("button", name="New conversation").click()
    turn = page.locator(".st-key-turn-0")
    expect(turn).to_have_count(0)  # or the answer before would be read
    box = page.get_by_placeholder("Ask your papers…")
    box.fill(question)
    box.press("Enter")
    turn.locator(".how").wait_for()
    return (
        turn.get_by_test_id("statement").all_inner_texts(),
        [each.split("\n") for each in turn.get_by_test_id("source").all_inner_texts()],
    )


def all_answers(page):
    found = {question: answered(page, question) for question in QUESTIONS}
    page.get_by_role("link", name="Settings").click()
    page.get_by_test_id("embedding").wait_for()
    return found


# --- the model that finds -------------------------------------------------------------------------------------------


def test_a_model_is_chosen_by_its_folder_answers_the_same_and_is_given_up(screen, opened, model):
    before = all_answers(screen)
    for question, said in QUESTIONS.items():
        assert any(said in each for each in before[question][0]), question
    use(screen, model)
    expect(table(screen)).to_contain_text("four-languages")
    expect(table(screen)).to_contain_text("64 dimensions, from 128 tokens at once")
    expect(table(screen)).to_contain_text("en, de, fr, es")
    expect(table(screen)).to_contain_text(str(model))
    expect(screen.get_by_text("in the languages that your model knows only")).to_be_visible()
    assert opened.call("embedding")["dimensions"] == 64
    assert all_answers(screen) == before
    screen.get_by_role("button", name="Use the one that comes with Strongroom").click()
    expect(table(screen)).to_contain_text("all-MiniLM-L6-v2")
    expect(screen.get_by_role("button", name="Use the one that comes with Strongroom")).to_have_count(0)
    expect(screen.get_by_test_id("embedding-model")).to_have_count(0)
    assert all_answers(screen) == before


def test_how_far_the_new_vectors_are_is_shown_and_the_change_can_be_given_up(watch, tmp_path, model):  # noqa: F811
    (tmp_path / "hold").touch()
    with household(tmp_path, f"HOLD = {str(tmp_path / 'hold')!r}\n{HELD}") as running, watch() as seen:
        screen = seen.page
        settings(screen, running)
        use(screen, model)
        follows = screen.get_by_test_id("embedding-model").filter(has_text="follows: its vectors are being made")
        expect(follows).to_contain_text(str(model))
        passages = running.call("status")["chunks"]
        expect(screen.get_by_text(re.compile(rf"^[23] of {passages} passages$"))).to_be_visible()
        expect(table(screen)).to_contain_text("all-MiniLM-L6-v2")  # it serves until then
        screen.get_by_role("button", name="Use the one that comes with Strongroom").click()
        expect(follows).to_have_count(0)
        (tmp_path / "hold").unlink()
        expect(screen.get_by_test_id("embedding-model")).to_have_count(0)
        (tmp_path / "hold").touch()
        use(screen, model)
        expect(follows).to_be_visible()
        (tmp_path / "hold").unlink()
        expect(table(screen)).to_contain_text("four-languages")  # without a click
        expect(screen.get_by_test_id("embedding-model")).to_have_count(0)
        assert seen.errors == []


def test_a_folder_that_is_no_model_is_said_and_nothing_changes(screen, opened, tmp_path, model):
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    (damaged / "model.safetensors").write_bytes(b"\0" * 64)
    before = opened.call("embedding")
    for typed, said in (
        ("", "Type the path of a model's folder first"),
        ("models/name", "'models/name' is not a whole path"),
        ("/no/such/folder", "There is no folder /no/such/folder"),
        (opened.vault.parent / "papers", "lacks modules.json"),
        (damaged, "cannot be loaded"),
    ):
        use(screen, typed)
        expect(screen.locator(".notice.bad, .notice.warn").filter(has_text=said)).to_be_visible()
        # It can be mended where it stands.
        expect(screen.get_by_label("Another model, by its folder")).to_have_value(str(typed))
    assert opened.call("embedding") == before


def test_a_model_whose_folder_is_gone_is_named_and_its_stand_in_too(watch, tmp_path, model):  # noqa: F811
    folder = tmp_path / "mine"
    shutil.copytree(model, folder)
    with household(tmp_path / "house") as running, watch() as seen:
        settings(seen.page, running)
        use(seen.page, folder)
        expect(table(seen.page)).to_contain_text("64 dimensions")
    folder.rename(tmp_path / "elsewhere")
    with household(tmp_path / "house") as running, watch() as seen:
        screen = seen.page
        settings(screen, running)
        expect(screen.locator(".notice.warn")).to_contain_text(f"there is no folder {folder}")
        expect(screen.locator(".notice.warn")).to_contain_text("No vector was deleted")
        expect(screen.get_by_test_id("embedding-model").filter(has_text="stands in")).to_be_visible()
        expect(table(screen)).to_contain_text("all-MiniLM-L6-v2")
        assert any("140 pounds" in each for each in answered(screen, next(iter(QUESTIONS)))[0])
        screen.get_by_role("link", name="Settings").click()
        screen.get_by_role("button", name="Use the one that comes with Strongroom").click()
        expect(screen.locator(".notice.warn")).to_have_count(0)
        expect(screen.get_by_test_id("embedding-model")).to_have_count(0)


# --- readers --------------------------------------------------------------------------------------------------------


def choose_reader(screen, name, reader):
    option = screen.get_by_role("option", name=reader, exact=True)
    for _ in range(5):  # what is drawn anew closes a list that was opened a moment before
        screen.get_by_role("combobox", name=name).click()
        with contextlib.suppress(PlaywrightTimeoutError):
            option.click(timeout=3000)
            return
    raise AssertionError(f"{reader} cannot be chosen for {name}")


def test_a_reader_is_chosen_for_web_pages_and_mail_and_given_up(screen, opened):
    before = all_answers(screen)
    for name, format_, said in (("Web pages", "html", "2 papers"), ("Mail", "mail", "1 paper")):
        told = screen.get_by_test_id(f"read-{format_}")
        expect(told).to_have_text(f"{said}, read by Strongroom's own.")
        choose_reader(screen, name, "unstructured")
        expect(told).to_have_text(f"{said}, read by unstructured.", timeout=60_000)
    assert all_answers(screen) == before
    for name, format_ in (("Web pages", "html"), ("Mail", "mail")):
        choose_reader(screen, name, "Strongroom's own")
        expect(screen.get_by_test_id(f"read-{format_}")).to_contain_text(", read by Strongroom's own.", timeout=60_000)
    assert all_answers(screen) == before


def test_a_reader_that_was_chosen_and_is_not_installed_any_more_is_named(watch, tmp_path):  # noqa: F811
    with household(tmp_path) as running:
        running.call("readers.use", format="html", reader="unstructured")
        running.call("wait")
    gone = "import sys; sys.modules['unstructured'] = None\n"
    with household(tmp_path, gone) as running, watch() as seen:
        settings(seen.page, running)
        expect(seen.page.get_by_text("Unstructured was chosen and is not installed")).to_be_visible()
        choose_reader(seen.page, "Web pages", "Strongroom's own")
        expect(seen.page.get_by_text("Unstructured was chosen and is not installed")).to_have_count(0)
        expect(seen.page.get_by_text("unstructured can be added")).to_be_visible()
        running.call("wait")
        (html,) = [each for each in running.call("readers")["rows"] if each["format"] == "html"]
        assert html["documents"] == {"default": 2}


# --- the index ------------------------------------------------------------------------------------------------------


def test_chroma_in_memory_is_chosen_fills_answers_the_same_and_is_given_up(screen, opened):
    before = all_answers(screen)
    screen.get_by_text("Chroma, in memory").click()
    vectors = opened.call("status")["vectors"]
    expect(screen.get_by_text(f"It answers, and has {vectors} of {vectors} vectors.")).to_be_visible(timeout=60_000)
    assert opened.call("vectors")["serving"] == "chroma"
    assert all_answers(screen) == before
    screen.get_by_text("Exact search", exact=True).click()
    eventually(screen, lambda: opened.call("vectors")["chosen"] == "exact")
    expect(screen.get_by_text("It answers, and has")).to_have_count(0)
    assert all_answers(screen) == before
