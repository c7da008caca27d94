"""Several vaults in a real browser: the same tab goes from one to another, and nothing goes with it."""

import re

import pytest
from playwright.sync_api import expect

PASSPHRASE = "seven copper kettles whistle"
ANOTHER = "nine patient herons wait"
SECRET = "The tenancy in Alder Lane ends on 3 May 2027."


def fill(page, label, words):
    box = page.get_by_label(label, exact=True)
    box.fill(words)
    box.press("Tab")


@pytest.fixture(scope="module")
def opened(strongroom, tmp_path_factory):
    papers = tmp_path_factory.mktemp("papers")
    (papers / "lease.txt").write_text(SECRET + "\n")
    strongroom.call("create", passphrase=PASSPHRASE)
    strongroom.call("folders.add", path=str(papers))
    strongroom.call("wait", seconds=60)
    return strongroom


def test_from_one_vault_to_a_new_one_and_back_in_the_same_tab(opened, watch):
    with watch() as seen:
        page = seen.page
        page.goto(opened.url)
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("button", name="Vaults")).to_have_count(0)  # there is only one
        fill(page, "Name of the new vault", "../elsewhere")
        page.get_by_role("button", name="Lock this one and go there").click()
        page.get_by_text("A vault cannot be called").wait_for()
        fill(page, "Name of the new vault", "Client B")
        page.get_by_role("button", name="Lock this one and go there").click()

        # The first run of the new one, in the same tab, with no new address.
        page.get_by_text("Choose a passphrase").wait_for(timeout=40_000)
        expect(page.locator(".which")).to_have_text("Client B")
        assert "Alder" not in page.content()
        fill(page, "Passphrase", ANOTHER)
        fill(page, "The same again", ANOTHER)
        page.get_by_role("button", name="Create the vault").click()
        code = page.get_by_test_id("recovery-code").inner_text()
        fill(page, "Type the code here to go on", code)
        page.get_by_role("button", name="I have it on paper").click()
        page.get_by_role("button", name="Later").click()
        page.locator(".st-key-bar").wait_for()
        expect(page.locator(".state.vault")).to_have_text("Client B")
        page.get_by_text("no files yet").wait_for()
        page.get_by_role("link", name="Library").click()
        expect(page.get_by_test_id("file")).to_have_count(0)

        # Back, by the chooser in the bar: locked, and only its own passphrase opens it.
        page.get_by_role("button", name="Vaults").click()
        page.get_by_role("dialog").get_by_role("button", name="Lock this one and go there").click()
        page.get_by_text("Strongroom is locked").wait_for(timeout=40_000)
        expect(page.locator(".which")).to_have_text("vault")
        fill(page, "Passphrase or recovery code", ANOTHER)
        page.get_by_role("button", name="Unlock").click()
        page.locator(".notice.bad").wait_for()
        fill(page, "Passphrase or recovery code", PASSPHRASE)
        page.get_by_role("button", name="Unlock").click()
        page.locator(".st-key-bar").wait_for()
        page.get_by_text(re.compile("1 file, up to date")).wait_for()
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "Client B" not in kept
        assert seen.elsewhere(opened.host) == []
        assert seen.errors == []


def test_another_vault_is_chosen_at_the_door(opened, watch):
    with watch() as seen:
        page = seen.page
        page.goto(opened.another_url())
        page.locator(".st-key-bar").wait_for()
        page.get_by_role("button", name="Lock", exact=True).click()
        page.get_by_text("Strongroom is locked").wait_for(timeout=40_000)
        expect(page.get_by_label("Passphrase or recovery code")).to_be_enabled()  # connected to the new process
        page.wait_for_timeout(1000)
        page.get_by_text("Another vault").click()
        expect(page.get_by_text("The names are folder names")).to_be_visible()
        page.get_by_role("button", name="Go there").click()
        expect(page.locator(".which")).to_have_text("Client B", timeout=40_000)
        fill(page, "Passphrase or recovery code", ANOTHER)
        page.get_by_role("button", name="Unlock").click()
        page.locator(".st-key-bar").wait_for()
