"""Folders in a real browser: choosing one, pausing it, saying where it lies now, and the three ways of removing it."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

PASSPHRASE = "seven copper kettles whistle"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name, words in (
        ("letters", "The fence on Tern Street costs 300 pounds."),
        ("bills", "The heating bill of Plover House is 812 pounds."),
        ("clients", "The client Quillfeather pays 95 pounds an hour."),
    ):
        (folder / name / "inner").mkdir(parents=True)
        (folder / name / f"{name}.txt").write_text(words)
    (folder / ".hidden").mkdir()
    return folder


@pytest.fixture(scope="module")
def running(strongroom):
    strongroom.call("create", passphrase=PASSPHRASE)
    return strongroom


@pytest.fixture
def folders(watch, running):
    with watch() as seen:
        seen.page.goto(running.another_url())
        seen.page.get_by_role("link", name="Folders").click()
        seen.page.get_by_role("heading", name="Folders").wait_for()
        yield seen.page
        assert seen.elsewhere(running.host) == []
        assert seen.errors == []


def card(page, path):
    """The folder's box with its buttons."""
    return page.locator("[class*='st-key-folder-']").filter(has=page.get_by_text(str(path), exact=True))


def add(page, path):
    page.get_by_label("Add a folder").fill(str(path))
    page.get_by_role("button", name="Add", exact=True).click()
    card(page, path).wait_for()
    expect(page.get_by_label("Add a folder")).to_have_value("")


def choose(page, path):
    """Click from the root of the machine down to a folder."""
    page.get_by_role("button", name="Choose…").click()
    page.get_by_role("button", name="Whole machine").click()
    here = page.get_by_test_id("here")
    expect(here).to_have_text("/")
    for part in path.parts[1:]:
        names = page.get_by_test_id("choice").locator(".name")
        names.get_by_text(part, exact=True).wait_for()
        assert ".hidden" not in names.all_inner_texts()
        number = names.all_inner_texts().index(part) + 1
        page.get_by_role("button", name=f"Go into folder {number}", exact=True).click()
        expect(here).to_contain_text(part)


def documents(running, words) -> int:
    return running.call("documents", text=words, inside=True)["total"]


def test_an_empty_vault_asks_for_a_folder(folders):
    folders.get_by_role("link", name="Library").click()
    folders.get_by_role("button", name="Choose a folder").click()
    folders.get_by_text("Where are your papers?").wait_for()
    folders.get_by_role("button", name="Add", exact=True).click()
    folders.get_by_text("Type a folder's path first").wait_for()
    folders.get_by_label("Add a folder").fill("/no/such/folder")
    folders.get_by_role("button", name="Add", exact=True).click()
    folders.get_by_text("There is no folder /no/such/folder").wait_for()


def test_a_folder_is_chosen_by_clicking_through_the_machine(folders, running, home):
    choose(folders, home / "letters")
    folders.get_by_text("1 file and 1 folder in it").wait_for()
    folders.get_by_role("button", name="Add this folder").click()
    card(folders, home / "letters").wait_for()
    running.call("wait", seconds=60)
    assert documents(running, "Tern Street") == 1
    # Neither it again, nor one inside it.
    choose(folders, home / "letters")
    folders.get_by_text("It cannot be added: watched already").wait_for()
    expect(folders.get_by_role("button", name="Add this folder")).to_be_disabled()


def test_a_paused_folder_is_not_followed_until_it_is_resumed(folders, running, home):
    add(folders, home / "bills")
    running.call("wait", seconds=60)
    mine = card(folders, home / "bills")
    mine.get_by_role("button", name="Pause").click()
    expect(mine).to_contain_text("paused")
    (home / "bills" / "later.txt").write_text("The water bill of Plover House is 77 pounds.")
    folders.wait_for_timeout(1500)
    assert documents(running, "water bill") == 0
    mine.get_by_role("button", name="Resume").click()
    expect(mine).to_contain_text("watched")
    mine.get_by_role("button", name="Pause").wait_for()
    running.call("wait", seconds=60)
    assert documents(running, "water bill") == 1


def test_a_card_follows_what_is_read_and_an_open_dialog_stays(folders, home):
    mine = card(folders, home / "bills")
    expect(mine).to_contain_text("2 files")
    folders.get_by_role("button", name="Choose…").click()
    (home / "bills" / "gas.txt").write_text("The gas bill of Plover House is 55 pounds.")
    expect(mine).to_contain_text("3 files")
    expect(mine).not_to_contain_text("to read")
    expect(folders.get_by_role("dialog")).to_be_visible()


def test_a_folder_that_moved_is_read_no_second_time(folders, running, home):
    before = running.call("documents", text="Plover", inside=True)["rows"]
    (home / "bills").rename(home / "invoices")
    mine = card(folders, home / "bills")
    mine.get_by_role("button", name="Moved…").click()
    folders.get_by_label("It lies at").fill(str(home / "invoices"))
    folders.get_by_role("button", name="It lies there now").click()
    card(folders, home / "invoices").wait_for()
    running.call("wait", seconds=60)
    after = running.call("documents", text="Plover", inside=True)["rows"]
    assert {row["id"] for row in after} == {row["id"] for row in before}
    assert all(row["paths"][0].startswith(str(home / "invoices")) for row in after)


def test_what_was_read_is_kept_taken_out_or_purged_as_one_says(folders, running, home):
    add(folders, home / "clients")
    running.call("wait", seconds=60)
    # Kept: still found, and can be watched again.
    mine = card(folders, home / "letters")
    mine.get_by_role("button", name="Remove…").click()
    folders.get_by_text("Keep what was read so far").click()
    folders.get_by_role("button", name="Remove", exact=True).click()
    expect(mine).to_contain_text("kept, no longer watched")
    assert documents(running, "Tern Street") == 1
    mine.get_by_role("button", name="Watch again").click()
    expect(mine).to_contain_text("watched")
    # Taken out: gone from the vault, and read again when it is added again.
    mine = card(folders, home / "invoices")
    mine.get_by_role("button", name="Remove…").click()
    folders.get_by_role("button", name="Remove", exact=True).click()
    expect(mine).to_have_count(0)
    assert documents(running, "Plover") == 0
    add(folders, home / "invoices")
    running.call("wait", seconds=60)
    assert documents(running, "Plover") == 3
    # Purged: a receipt, and not read again.
    mine = card(folders, home / "clients")
    mine.get_by_role("button", name="Remove…").click()
    folders.get_by_text("Purge what was read, with a receipt").click()
    remove = folders.get_by_role("button", name="Remove", exact=True)
    expect(remove).to_be_disabled()
    folders.get_by_text("Yes, remove it from the vault for good").click()
    remove.click()
    folders.get_by_test_id("receipt").wait_for()
    expect(mine).to_have_count(0)
    add(folders, home / "clients")
    running.call("wait", seconds=60)
    assert documents(running, "Quillfeather") == 0
