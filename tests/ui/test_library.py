"""The Library in a real browser: finding a document, its own page, reading it again, purging it, and what failed."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
PASSPHRASE = "seven copper kettles whistle"
ZOO = "Minutes of the allotment society\n\nThe padlock of shed nine opens with the number 4711, said Odalys.\n"


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "papers"
    shutil.copytree(ROOT / "sample_corpus/papers", folder)
    (folder / "allotment minutes.txt").write_text(ZOO)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    (folder / "letters.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    return folder


@pytest.fixture(scope="module")
def running(strongroom, papers):
    """Strongroom with the sample's papers read."""
    strongroom.call("create", passphrase=PASSPHRASE)
    strongroom.call("folders.add", path=str(papers))
    strongroom.call("wait", seconds=120)
    return strongroom


@pytest.fixture
def library(watch, running):
    """The Library, just opened, and nothing that leaves while it is used."""
    with watch() as seen:
        seen.page.goto(running.another_url())
        seen.page.get_by_role("link", name="Library").click()
        seen.page.get_by_test_id("document").first.wait_for()
        yield seen.page
        assert seen.elsewhere(running.host) == []
        assert seen.errors == []


def find(page, words, *, label="Find"):
    """Look for words."""
    box = page.get_by_label(label)
    box.fill(words)
    box.press("Enter")


def only(page, title):
    """Wait until the list holds just this document; return its row."""
    row = page.get_by_test_id("document")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(title)
    return row


def open_first(page):
    page.get_by_role("button", name="Open document 1", exact=True).click()
    page.get_by_test_id("document-head").wait_for()


def total(page) -> int:
    words = page.get_by_test_id("total").inner_text()
    return int(re.search(r"([\d,]+) document", words)[1].replace(",", ""))


def test_the_list_is_searched_by_names_and_by_words_of_the_text(library, running):
    assert total(library) == running.call("status")["documents"]
    find(library, "allotment")
    only(library, "allotment minutes.txt")
    find(library, "padlock odalys")  # stands in its text only
    only(library, "allotment minutes.txt")
    find(library, "no such words zzz")
    library.get_by_text("Nothing fits").wait_for()


def test_the_list_is_narrowed_and_each_filter_can_be_taken_away(library, running):
    everything = total(library)
    library.get_by_role("button", name="More").click()
    library.get_by_label("Person").fill("whitcombe")
    library.get_by_label("Person").press("Enter")
    chip = library.locator(".narrowed")
    chip.wait_for()
    expect(library.get_by_test_id("document").first).to_contain_text("Whitcombe")
    hers = running.call("documents", person="whitcombe")["total"]
    assert hers < everything
    expect(library.get_by_test_id("total")).to_contain_text(f"{hers} document")
    library.keyboard.press("Escape")
    library.get_by_role("button", name="Take away: person").click()
    expect(chip).to_have_count(0)
    expect(library.get_by_test_id("total")).to_contain_text(f"of {everything} documents")


def test_pages_of_the_list_follow_each_other_and_stay_when_one_comes_back(library):
    first = library.get_by_test_id("document").first.inner_text()
    library.get_by_role("button", name="Next").click()
    expect(library.get_by_test_id("total")).to_contain_text("16 to 30")
    second = library.get_by_test_id("document").first.inner_text()
    assert second != first
    open_first(library)
    library.get_by_text(re.compile(r"^16 of \d+$")).wait_for()
    library.locator(".st-key-document-buttons").get_by_role("button", name="Next").click()
    library.get_by_text(re.compile(r"^17 of \d+$")).wait_for()
    library.get_by_role("button", name="Back to the list").click()
    expect(library.get_by_test_id("document").first).to_have_text(re.compile(re.escape(second.split("\n")[1])))


def test_a_document_has_a_page_with_its_text_its_facts_and_its_file(library, papers):
    find(library, "allotment")
    only(library, "allotment")
    open_first(library)
    expect(library.get_by_test_id("passage-text")).to_contain_text("The padlock of shed nine")
    facts = library.locator(".st-key-about")
    for fact in (str(papers), "text/plain", f"{len(ZOO)} characters"):
        expect(facts).to_contain_text(fact, use_inner_text=True)


def test_the_pages_of_a_pdf_are_turned_as_pictures(library, running):
    pdfs = [row for row in running.call("documents", text=".pdf")["rows"] if (row["pages"] or 0) > 1]
    find(library, Path(pdfs[0]["paths"][0]).name)
    open_first(library)
    picture = library.locator(".st-key-document img")
    picture.wait_for()
    before = picture.get_attribute("src")
    assert before.startswith("data:image/")
    library.get_by_role("button", name="Page on").click()
    library.get_by_text(f"page 2 of {pdfs[0]['pages']}", exact=True).wait_for()
    expect(picture).not_to_have_attribute("src", before)
    library.get_by_role("button", name="Page back").click()
    library.get_by_text(f"page 1 of {pdfs[0]['pages']}", exact=True).wait_for()
    library.get_by_text("Text", exact=True).click()
    library.get_by_test_id("passage-text").wait_for()


def test_an_attachment_leads_to_its_mail_and_back(library, running):
    mails = running.call("documents", kind="mail", limit=200)["rows"]
    mail = next(row for row in mails if running.call("document", id=row["id"])["attachments"])
    find(library, mail["title"])
    listed = running.call("documents", text=mail["title"], inside=True, sort="date", descending=True)["rows"]
    expect(library.get_by_test_id("document")).to_have_count(len(listed))
    at = [row["id"] for row in listed].index(mail["id"])
    library.get_by_role("button", name=f"Open document {at + 1}", exact=True).click()
    library.get_by_text("Attachments (", exact=False).wait_for()
    library.get_by_role("button", name="Open attachment 1", exact=True).click()
    library.get_by_text("Hangs on").wait_for()
    library.locator(".st-key-to-list button").click()  # its name ends in the key that does the same
    library.get_by_text("Attachments (", exact=False).wait_for()


def test_a_document_is_read_again_and_what_a_better_reader_finds_shows(library, running, papers):
    find(library, "allotment")
    only(library, "allotment")
    added = running.call("documents", text="allotment")["rows"][0]["id"]
    before = running.call("document", id=added)["added"]
    open_first(library)
    library.get_by_role("button", name="Read again").click()
    facts = library.get_by_test_id("facts")
    expect(facts).not_to_contain_text(datetime.fromtimestamp(before, UTC).astimezone().strftime("%H:%M:%S"))
    expect(library.get_by_test_id("passage-text")).to_contain_text("The padlock of shed nine")
    assert running.call("document", id=added)["added"] > before


def test_a_failed_file_has_advice_and_is_tried_again(library, running, papers):
    library.get_by_text("Needs attention (").click()
    group = library.get_by_test_id("group").filter(has_text="Damaged")
    expect(group).to_contain_text("take it from a backup")
    library.locator(".st-key-group-damaged").get_by_role("button", name="Show files").click()
    row = library.get_by_test_id("attention").filter(has_text="broken.pdf")
    row.wait_for()
    shutil.copy(next((papers / "Contracts").glob("*.pdf")), papers / "mended.tmp")
    (papers / "mended.tmp").rename(papers / "broken.pdf")  # mended: now it only has to be read
    library.locator(".st-key-group-damaged").get_by_role("button", name="Read", exact=False).first.click()
    expect(row).to_have_count(0, timeout=30_000)
    library.get_by_test_id("group").filter(has_text="Archives").wait_for()


def test_a_purged_document_is_gone_with_a_receipt_that_says_what_was_checked(library, running):
    find(library, "allotment")
    only(library, "allotment")
    open_first(library)
    library.get_by_role("button", name="Purge…").click()
    purge = library.get_by_role("button", name="Purge", exact=True)
    purge.wait_for()
    expect(purge).to_be_disabled()
    expect(library.get_by_role("dialog")).to_contain_text("1 passage")
    expect(library.get_by_role("dialog")).to_contain_text("copied to a new key, which needs")
    library.get_by_text("Yes, remove it from the vault").click()
    purge.click()
    receipt = library.get_by_test_id("receipt")
    receipt.wait_for()
    expect(receipt).to_contain_text("read back")
    library.get_by_text("What was looked for").click()
    expect(library.locator(".checks tr").first).to_contain_text("found 0")
    stage = library.get_by_test_id("stage")
    assert running.call("shred")["stage"] == "none"
    expect(stage).to_contain_text("read back, nothing was found")
    library.get_by_role("button", name="Put away").click()
    expect(receipt).to_have_count(0)
    find(library, "padlock odalys")
    expect(library.get_by_role("heading", name="Nothing fits")).to_have_count(1)  # what a run draws anew, is there twice
    assert running.call("search", query="padlock of shed nine", k=1)["hits"][0]["title"] != "allotment minutes.txt"
    assert "4711" not in library.content()


def test_a_mailbox_opens_the_list_of_its_messages_and_a_file_without_text_says_why(library, running, papers):
    library.get_by_text("Files", exact=True).click()
    library.get_by_test_id("file").first.wait_for()
    find(library, "Neighbours.mbox", label="Name or folder")
    row = library.get_by_test_id("file")
    expect(row).to_have_count(1)
    library.get_by_role("button", name="Open file 1", exact=True).click()
    library.locator(".narrowed").filter(has_text="Neighbours.mbox").wait_for()
    (mailbox,) = running.call("files", text="Neighbours.mbox")["rows"]
    expect(library.get_by_test_id("document")).to_have_count(mailbox["document_count"])
    library.get_by_role("button", name="Take away: inside").click()
    library.get_by_text("Files", exact=True).click()
    library.get_by_test_id("file").first.wait_for()
    find(library, "letters.zip", label="Name or folder")
    expect(row).to_contain_text(["letters.zip"])
    library.get_by_role("button", name="Open file 1", exact=True).click()
    expect(library.get_by_role("dialog")).to_contain_text("Unpack it into a watched folder")
