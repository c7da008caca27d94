"""Asking in a real browser: every kind of citation in its place, filters, history, export, and a model that writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "seven copper kettles whistle"
HOSTILE = (
    '<img src="http://evil.example/a.png" onerror="document.title=1"> ![x](http://evil.example/b.png) :red[c] **d**'
)


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> Path:
    """The sample household's papers, and one file that means harm."""
    folder = tmp_path_factory.mktemp("papers")
    build = [sys.executable, str(ROOT / "sample_corpus" / "build.py"), str(folder)]
    subprocess.run(build, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    (folder / "Bank" / "harm.csv").write_text(
        f'Date,Payee,Amount\n2025-03-01,"Zebedee {HOSTILE.replace(chr(34), 2 * chr(34))}",-12.00\n2025-03-02,Orchard shop,-3.50\n'
        "2025-03-03,Baker,-2.20\n2025-03-04,Baker,-2.40\n"
    )
    _receipt(folder / "Letters" / "receipt.png")
    return folder


def _receipt(path):
    """A picture of a printed receipt, as from a scanner."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (900, 1200), "white")
    draw = ImageDraw.Draw(picture)
    rows = [
        "Penhaligon Umbrellas",
        "Receipt 5521 of 6 May 2025",
        "Walking umbrella, oak handle",
        "Paid in cash: £61.40",
    ]
    for n, words in enumerate(rows):
        draw.text((80, 120 + 90 * n), words, fill="black", font=ImageFont.load_default(42))
    picture.save(path)


@pytest.fixture(scope="module")
def vault(strongroom, papers):
    """A vault that has read them."""
    strongroom.call("create", passphrase=PASSPHRASE)
    strongroom.call("folders.add", path=str(papers))
    strongroom.call("wait")
    return strongroom


@pytest.fixture
def desk(watch, vault):
    """The Ask screen in a fresh profile; whatever is done there, nothing leaves its own origin."""
    with watch() as seen:
        seen.page.goto(vault.another_url())
        seen.page.get_by_placeholder("Ask your papers…").wait_for()
        yield seen.page
        assert seen.elsewhere(vault.host) == []
        assert seen.errors == []
        assert seen.page.title() == "Ask · Strongroom"


def ask(page, words):
    """Ask, and return the newest answer's element when it is whole."""
    before = page.locator("[class*='st-key-turn-']").count()
    box = page.get_by_placeholder(re.compile("Ask "))
    box.fill(words)
    box.press("Enter")
    newest = page.locator(f".st-key-turn-{before}")
    newest.locator(".how").wait_for()
    return newest


def open_passage(page, answer, number=1):
    """Click a mark, and return the panel with its passage."""
    answer.get_by_role("button", name=f"Open passage {number}", exact=True).first.click()
    page.locator(".st-key-passage-actions").wait_for()  # the last thing of it
    return page.locator(".st-key-passage")


def source(answer, title):
    """The number of the source with this title."""
    sources = answer.get_by_test_id("source").all_inner_texts()
    return next(n for n, words in enumerate(sources, start=1) if title in words)


def inside(inner, outer):
    """Whether one element's box lies within another's."""
    a, b = inner.bounding_box(), outer.bounding_box()
    slack = 1.5
    return (
        a["x"] >= b["x"] - slack
        and a["y"] >= b["y"] - slack
        and a["x"] + a["width"] <= b["x"] + b["width"] + slack
        and a["y"] + a["height"] <= b["y"] + b["height"] + slack
    )


def test_a_pdf_is_opened_on_the_picture_of_its_page_with_the_lines_marked(desk):
    answer = ask(desk, "What is the notice period of the broadband contract?")
    expect(answer.get_by_test_id("statement").first).to_contain_text("30 days", use_inner_text=True)
    panel = open_passage(desk, answer)
    window = panel.get_by_test_id("page-picture")
    picture = window.locator("img")
    picture.wait_for()
    assert picture.evaluate("picture => picture.complete && picture.naturalWidth") >= 1000
    boxes = window.get_by_test_id("box")
    expect(boxes).to_have_count(2)  # the sentence runs over two lines
    for n in range(2):
        expect(boxes.nth(n)).to_be_in_viewport(ratio=1)
        assert inside(boxes.nth(n), window)
        assert boxes.nth(n).bounding_box()["height"] > 5
    assert boxes.nth(0).bounding_box()["y"] < boxes.nth(1).bounding_box()["y"]
    cropped = window.bounding_box()["height"]

    panel.get_by_role("button", name="Whole page").click()
    panel.get_by_role("button", name="Around the passage").wait_for()
    assert window.bounding_box()["height"] > 1.5 * cropped
    assert inside(boxes.nth(1), window)

    panel.get_by_text("Text", exact=True).click()
    text = desk.get_by_test_id("passage-text")
    text.wait_for()
    assert "30 days" in "".join(text.locator("mark").all_inner_texts())
    expect(picture).to_have_count(0)


def test_a_row_is_opened_in_its_table_under_the_header(desk):
    answer = ask(desk, "How much was the roof?")
    panel = open_passage(desk, answer, source(answer, "Severn joint account"))
    table = panel.get_by_test_id("passage-table")
    assert [each.strip() for each in table.locator("th").all_inner_texts()] == [
        *("Date", "Type", "Description", "Paid out", "Paid in", "Balance")
    ]
    row = table.get_by_test_id("cited-row")
    expect(row).to_have_count(1)
    expect(row).to_be_in_viewport(ratio=0.9)
    quoted = answer.get_by_test_id("source").filter(has_text="Severn joint account").locator(".quote").inner_text()
    assert "PRITCHARD ROOFING" in quoted
    assert row.locator("td").all_inner_texts() == quoted.split(",")
    rows = table.locator("tbody tr:not(.dots)").count()
    assert rows == 11
    panel.get_by_role("button", name="Show more rows").click()
    expect(table.locator("tbody tr:not(.dots)")).to_have_count(31)


def test_a_row_of_a_sheet_has_the_name_of_the_sheet_and_its_header(desk):
    answer = ask(desk, "Roof, second payment Pritchard Roofing path:budget")
    panel = open_passage(desk, answer)
    table = panel.get_by_test_id("passage-table")
    expect(table.get_by_test_id("cited-row").first).to_contain_text("second payment", use_inner_text=True)
    assert table.locator("caption").inner_text().strip()
    assert table.locator("th").count() >= 3


def test_a_picture_is_opened_on_itself_with_the_words_that_were_read_in_it(desk):
    pytest.importorskip("rapidocr")
    answer = ask(desk, "How much was paid in cash for the walking umbrella at Penhaligon?")
    panel = open_passage(desk, answer, source(answer, "receipt.png"))
    window = panel.get_by_test_id("page-picture")
    expect(window.locator("img")).to_be_visible()
    box = window.get_by_test_id("box").first
    expect(box).to_be_in_viewport(ratio=1)
    assert inside(box, window)
    expect(panel).to_contain_text("recognised in a picture", use_inner_text=True)


def test_a_clause_stands_under_its_headings(desk):
    answer = ask(desk, "What is the notice period after the probationary period in the employment contract?")
    panel = open_passage(desk, answer, source(answer, "Contract of Employment"))
    expect(panel).to_contain_text("Contract of Employment", use_inner_text=True)
    mark = panel.locator("mark").first
    expect(mark).to_be_in_viewport()
    headings = [*panel.locator(".path span").all_inner_texts(), *panel.locator(".reading .heading").all_inner_texts()]
    assert any(words.strip() for words in headings), headings


def test_a_mail_is_opened_under_its_headers_with_its_thread(desk):
    answer = ask(desk, "What did Gwyn Pritchard write about the roof?")
    panel = open_passage(desk, answer)
    head = panel.locator(".head").inner_text()
    assert "From" in head
    assert "Date" in head
    messages = panel.get_by_test_id("message")
    assert messages.count() >= 3
    here = panel.locator(".chosen").get_by_test_id("message")
    expect(here).to_have_count(1)
    title = panel.locator(".head .name").inner_text()
    first = panel.get_by_role("button", name=re.compile(r"Open message \d+")).first
    first.click()
    panel.get_by_role("button", name="Back").wait_for()
    expect(panel.locator(".chosen").get_by_test_id("message")).to_have_count(1)
    panel.get_by_role("button", name="Back").click()
    expect(panel.locator(".head .name")).to_have_text(title)
    assert panel.locator("mark").count() >= 1


def test_the_passages_of_an_answer_are_leafed_through_and_escape_closes_them(desk):
    answer = ask(desk, "How much was the roof?")
    panel = open_passage(desk, answer)
    panel.get_by_text(re.compile(r"1 of \d")).wait_for()
    expect(answer.locator(".chosen .card")).to_have_text(re.compile("^1"))
    panel.get_by_role("button", name="Next").click()
    panel.get_by_text(re.compile(r"2 of \d")).wait_for()
    expect(answer.locator(".chosen .card")).to_have_text(re.compile("^2"))
    panel.get_by_role("button", name="Previous").click()
    panel.get_by_text(re.compile(r"1 of \d")).wait_for()
    desk.keyboard.press("Escape")
    panel.wait_for(state="detached")


def test_a_mark_is_reached_and_opened_with_the_keyboard(desk):
    answer = ask(desk, "How much is the deposit for the flat?")
    mark = answer.get_by_role("button", name="Open passage 1", exact=True).first
    for _ in range(20):
        desk.keyboard.press("Tab")
        if mark.evaluate("mark => mark === document.activeElement"):
            break
    else:
        pytest.fail("the mark is not in the tab order")
    desk.keyboard.press("Enter")
    desk.locator(".st-key-passage .head").wait_for()


def test_filters_are_read_from_the_question_and_can_be_taken_back_and_changed(desk):
    answer = ask(desk, "mails from Anna since March 2025 about the rent")
    chips = answer.get_by_test_id("chip")
    shown = [" ".join(words.split()) for words in chips.all_inner_texts()]
    assert [words.rstrip(" ×") for words in shown] == ["kind Mail", "from Anna", "since 1 March 2025"]
    assert all("Anna" in each for each in answer.get_by_test_id("source").all_inner_texts())

    answer.get_by_role("button", name="Remove filter 2").click()
    again = desk.locator(".st-key-turn-1")
    again.locator(".how").wait_for()
    assert [" ".join(words.split()).rstrip(" ×") for words in again.get_by_test_id("chip").all_inner_texts()] == [
        *("kind Mail", "since 1 March 2025")
    ]

    again.get_by_role("button", name="Change filters").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label(re.compile("^From")).fill("whitcombe")
    dialog.get_by_role("button", name="Use these").click()
    third = desk.locator(".st-key-turn-2")
    third.locator(".how").wait_for()
    assert "from whitcombe" in " ".join(third.get_by_test_id("chip").all_inner_texts()).replace("\n", " ")


def test_a_filter_can_be_set_before_asking(desk):
    desk.get_by_role("button", name="Filter", exact=True).click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Folder")).fill("Contracts")
    dialog.get_by_role("button", name="Use these").click()
    desk.get_by_test_id("chip").wait_for()
    answer = ask(desk, "What does the deposit come to?")
    sources = answer.get_by_test_id("source").all_inner_texts()
    assert sources
    assert all(words.split("\n")[2].startswith("Contract") for words in sources), sources


def test_first_questions_come_from_the_papers_and_can_be_asked(desk):
    suggestions = desk.get_by_test_id("suggestion")
    suggestions.first.wait_for()
    assert 1 <= suggestions.count() <= 6
    words = suggestions.first.inner_text()
    desk.get_by_role("button", name="Ask this 1").click()
    answer = desk.locator(".st-key-turn-0")
    answer.locator(".how").wait_for()
    expect(answer.get_by_test_id("question")).to_have_text(words, use_inner_text=True)
    assert answer.get_by_test_id("statement").count() >= 1


def test_an_abstention_says_what_is_missing_and_shows_what_comes_nearest(desk):
    answer = ask(desk, "What is the airspeed of an unladen swallow?")
    expect(answer.get_by_test_id("abstained")).to_contain_text("nothing in your papers", use_inner_text=True)
    expect(answer.locator(".lead")).to_contain_text("airspeed", use_inner_text=True)
    assert answer.get_by_test_id("source").count() >= 1
    open_passage(desk, answer)


def test_history_is_searched_opened_and_deleted(desk, vault):
    ask(desk, "Which school does Ella go to? zanzibar")
    desk.get_by_role("button", name="New conversation").click()
    desk.get_by_text("What would you like to know?").wait_for()
    desk.get_by_role("button", name="History").click()
    drawer = desk.get_by_role("dialog")
    search = drawer.get_by_label(re.compile("^Search"))
    search.fill("zanzibar")
    search.press("Enter")
    found = drawer.get_by_test_id("conversation")
    expect(found).to_have_count(1)
    drawer.get_by_role("button", name="Open conversation").click()
    desk.locator(".st-key-turn-0 .how").wait_for()
    expect(desk.get_by_test_id("question")).to_contain_text("zanzibar", use_inner_text=True)
    expect(drawer).to_have_count(0)

    before = vault.call("conversations")["total"]
    desk.get_by_role("button", name="History").click()
    search.fill("zanzibar")
    search.press("Enter")
    expect(found).to_have_count(1)
    drawer.get_by_role("button", name="Delete…").click()
    assert vault.call("conversations")["total"] == before
    desk.get_by_role("button", name="Delete for good").click()
    drawer.get_by_text("Nothing was asked with these words").wait_for()
    assert vault.call("conversations")["total"] == before - 1
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_have_count(0)
    expect(desk.locator("[class*='st-key-turn-']")).to_have_count(0)


def test_an_answer_is_copied_with_its_citations_and_saved(desk, tmp_path):
    answer = ask(desk, "How much is the deposit for the flat?")
    answer.get_by_role("button", name="Copy or export").click()
    dialog = desk.get_by_role("dialog")
    text = dialog.locator("code").inner_text()
    assert "[1]" in text
    assert "£1,325" in text
    assert "Tenancy agreement 2025.docx" in text
    with desk.expect_download() as download:
        dialog.get_by_role("button", name="Save as Markdown").click()
    saved = tmp_path / "answers.md"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "answers.md"
    assert saved.read_text().startswith("## How much is the deposit for the flat?")
    again = "url => fetch(url).then(got => got.text().then(text => [got.headers.get('cache-control'), text]))"
    assert desk.evaluate(again, download.value.url) == ["no-store", saved.read_text()]


def test_on_paper_there_are_questions_answers_and_sources_only(desk):
    answer = ask(desk, "How much is the deposit for the flat?")
    desk.emulate_media(media="print")
    expect(answer.get_by_test_id("question")).to_be_visible()
    expect(answer.get_by_test_id("statement").first).to_be_visible()
    expect(answer.get_by_test_id("source").first).to_be_visible()
    for hidden in (".st-key-bar", ".st-key-tools", "[data-testid=stChatInput]", ".st-key-after-0"):
        expect(desk.locator(hidden)).to_be_hidden()
    desk.emulate_media(media="screen")


def test_what_documents_and_people_write_never_becomes_markup(desk):
    answer = ask(desk, f"Zebedee {HOSTILE}")
    expect(answer.get_by_test_id("question")).to_contain_text(HOSTILE, use_inner_text=True)
    panel = open_passage(desk, answer)
    table = panel.get_by_test_id("passage-table")
    expect(table.get_by_test_id("cited-row").first).to_contain_text(HOSTILE, use_inner_text=True)
    answer.get_by_role("button", name="Copy or export").click()
    dialog = desk.get_by_role("dialog")
    assert HOSTILE in " ".join(dialog.locator("code").inner_text().split())
    desk.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    desk.get_by_role("button", name="History").click()
    dialog.get_by_test_id("conversation").first.wait_for()
    expect(dialog.get_by_test_id("conversation").first).to_contain_text("<img src=", use_inner_text=True)
    live = "img, script:not([src]), iframe, a[href^=http], form:not(#unkept:empty:not([action])), object"
    assert desk.locator(live).count() == 0
    desk.keyboard.press("Escape")
    typed = ask(desk, 'How much is the deposit? from:"<b>x</b>"')
    expect(typed.get_by_test_id("chip")).to_contain_text("<b>x</b>", use_inner_text=True)
    assert desk.locator(live).count() == 0


def test_a_narrow_window_shows_the_passage_over_the_answer_and_nothing_runs_out_of_it(desk):
    desk.set_viewport_size({"width": 380, "height": 760})
    answer = ask(desk, "How much was the roof?")
    across = "document.scrollingElement.scrollWidth"
    assert desk.evaluate(across) <= 380
    panel = open_passage(desk, answer)
    box = panel.bounding_box()
    assert box["x"] == 0
    assert box["width"] >= 370
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    desk.screenshot()
    panel.get_by_role("button", name="Close").click()
    panel.wait_for(state="detached")


@pytest.fixture
def model(vault, tmp_path):
    """A model of random weights, chosen to write the answers: nonsense, for as many seconds as it takes to stop it."""
    pytest.importorskip("llama_cpp")
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        import tiny_gguf
    finally:
        sys.path.remove(str(ROOT / "tests"))
    added = vault.call("models.add", path=str(tiny_gguf.write(tmp_path / "tiny.gguf", context=8192, layers=8, width=512)))
    vault.call("models.use", id=added["id"])
    yield added["name"]
    vault.call("models.remove", id=added["id"])


def test_a_model_shows_its_sources_at_once_is_stopped_and_what_was_there_stays(vault, model, desk):
    desk.get_by_text("Written by the model").wait_for()
    box = desk.get_by_placeholder(re.compile("Ask "))
    box.fill("What is the notice period of the broadband contract?")
    box.press("Enter")
    turn = desk.locator(".st-key-turn-0")
    turn.get_by_test_id("found").first.wait_for()
    assert turn.get_by_test_id("found").count() <= 8
    expect(turn.locator(".stage")).to_have_text(re.compile("loading the model|reading|writing"))

    # A source opens beside, and the answer goes on meanwhile.
    turn.get_by_role("button", name="Open source 1", exact=True).click()
    desk.locator(".st-key-passage-actions").wait_for()
    expect(turn.locator(".stage")).to_have_text(re.compile("writing"), timeout=60_000)
    turn.get_by_role("button", name="Stop").click()
    turn.locator(".how").wait_for()
    expect(turn.locator(".notice").first).to_contain_text("Stopped", use_inner_text=True)
    expect(desk.locator(".st-key-passage-actions")).to_be_visible()

    # It is kept as it was shown, and the papers' own words are one click away.
    kept = vault.call("conversations", limit=1)["rows"][0]
    assert vault.call("conversation", id=kept["id"])["answers"][0]["cancelled"]
    turn.get_by_role("button", name="In the papers' own words").click()
    verbatim = desk.locator(".st-key-turn-1")
    verbatim.locator(".how").wait_for()
    expect(verbatim.locator(".how")).to_contain_text("verbatim", use_inner_text=True)
    expect(verbatim.get_by_test_id("statement").first).to_contain_text("30 days", use_inner_text=True)


def test_the_switch_asks_for_the_papers_own_words(model, desk):
    desk.get_by_text("Verbatim", exact=True).click()
    answer = ask(desk, "How much is the deposit for the flat?")
    expect(answer.locator(".how")).to_contain_text("verbatim", use_inner_text=True)
    expect(answer.get_by_test_id("found")).to_have_count(0)
