"""The whole journey in a real browser, from the first run to a purge and a lock, and no request that leaves."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.ui.forms import enter

PASSPHRASE = "seven copper kettles whistle"

HOSTILE = """Minutes of the garden committee, 4 March 2025

The greenhouse on Alder Lane is rented to Mr Pembroke for 85 euros a month.

![picture](http://evil.example/markdown.png) [link](http://evil.example/link) ![ref][r]

[r]: http://evil.example/reference.png

<img src="http://evil.example/img.png" onerror="document.title='owned'">
<script>document.title='owned';fetch('http://evil.example/script')</script>
<style>@import url(http://evil.example/style.css); body { background: url(http://evil.example/body.png) }</style>
<iframe src="http://evil.example/frame"></iframe> <svg onload="document.title='owned'"></svg>
$\\href{javascript:alert(1)}{x}$ :red[colour] :material/lock: http://evil.example/auto www.evil.example me@evil.example
data:text/html,<script>document.title='owned'</script> \u202egnp.exe
"""
MAIL = """From: Harold Bligh <harold@bligh-lettings.example>
To: Nora Weiss <nora@weiss.example>
Date: Sat, 3 May 2025 10:12:00 +0200
Subject: Tenancy at 14 Quay Street
Message-ID: <quay-14@bligh-lettings.example>
Content-Type: text/plain; charset=utf-8

Dear Ms Weiss,

as we agreed, the tenancy of the flat at 14 Quay Street begins on 1 June 2025.
The deposit of 2,480 euros is held with Harbour Savings Bank.

Kind regards
Harold Bligh
"""
LEASE = """# Bicycle storage agreement

## 1. Fee

The annual fee for the bicycle storage is 96 euros, due on 15 January.

## 2. Notice

Either side may end the agreement with six weeks' notice to the end of a quarter.
"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    (folder / "2025-05-03 tenancy.eml").write_text(MAIL)
    (folder / "bicycle storage.md").write_text(LEASE)
    (folder / "minutes ![x](http:__evil.example_name.png) <img src=x>.txt").write_text(HOSTILE)
    (folder / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(200))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    return folder


def _say(page, label, words):
    enter(page.get_by_label(label), words)


def _ask(page, words):
    """Ask, and return the newest answer's element."""
    page.get_by_role("link", name="Ask").click()
    before = page.locator("[class*='st-key-turn-']").count()
    box = page.get_by_placeholder(re.compile("Ask "))
    box.fill(words)
    box.press("Enter")
    newest = page.locator(f".st-key-turn-{before}")
    newest.get_by_test_id("statement").or_(newest.get_by_test_id("abstained")).first.wait_for()
    return newest


def _settled(page, host):
    """Wait until no file is being read."""
    page.get_by_text(re.compile(r"\d files?, up to date")).wait_for(timeout=60_000)


def test_from_the_first_run_to_a_purge_and_a_lock(watch, strongroom, papers):
    with watch() as seen:
        page = seen.page
        page.goto(strongroom.url)

        # First run: passphrase, recovery code with a confirmation, folder.
        page.get_by_text("Choose a passphrase").wait_for()
        assert "token" not in page.url
        first = page.get_by_label("Passphrase", exact=True)
        first.fill(PASSPHRASE)
        first.press("Tab")
        page.locator(".strength").wait_for()
        again = page.get_by_label("The same again")
        again.fill("something else")
        page.get_by_role("button", name="Create the vault").click()
        page.get_by_text("The two are not the same").wait_for()
        again.fill(PASSPHRASE)
        page.get_by_role("button", name="Create the vault").click()
        code = page.get_by_test_id("recovery-code").inner_text()
        _say(page, "Type the code", "something else")
        page.get_by_role("button", name="I have it on paper").click()
        page.get_by_text("That is not the code above").wait_for()
        _say(page, "Type the code", code.lower())
        page.get_by_role("button", name="I have it on paper").click()
        page.get_by_text("Where are your papers?").wait_for()
        _say(page, "Folder", "/no/such/folder")
        page.get_by_role("button", name="Add and begin").click()
        page.get_by_text("There is no folder /no/such/folder").wait_for()
        expect(page.get_by_role("button", name="Later")).to_be_visible()
        below = page.get_by_role("button", name="Add and begin").bounding_box()
        assert page.locator(".notice.bad").bounding_box()["y"] >= below["y"] + below["height"]
        _say(page, "Folder", str(papers))
        page.get_by_role("button", name="Add and begin").click()
        page.locator(".st-key-bar").wait_for()
        assert code not in page.content()
        _settled(page, strongroom.host)

        # Ask, and open the citation in its text.
        answer = _ask(page, "How much is the deposit for the flat?")
        expect(answer.get_by_test_id("statement").first).to_contain_text("2,480 euros", use_inner_text=True)
        source = answer.get_by_test_id("source").first
        expect(source).to_contain_text("Harold Bligh", use_inner_text=True)
        expect(source).to_contain_text("3 May 2025", use_inner_text=True)
        answer.get_by_role("button", name="Open passage 1").first.click()
        passage = page.get_by_test_id("passage-text")
        passage.wait_for()
        expect(passage.locator("mark").first).to_contain_text("2,480 euros", use_inner_text=True)
        expect(passage).to_contain_text("Dear Ms Weiss", use_inner_text=True)
        expect(page.locator(".st-key-passage")).to_contain_text(str(papers / "2025-05-03 tenancy.eml"), use_inner_text=True)
        page.get_by_role("button", name="Close").click()

        # A document that tries everything is shown as text.
        answer = _ask(page, "Who rents the greenhouse on Alder Lane?")
        expect(answer.get_by_test_id("statement").first).to_contain_text("Mr Pembroke", use_inner_text=True)
        answer.get_by_role("button", name="Open passage 1").first.click()
        passage.wait_for()
        shown = passage.inner_text()
        for piece in (
            "![picture](http://evil.example/markdown.png)",
            "<script>",
            "<iframe src=",
            ":red[colour]",
            "⟨RLO⟩gnp.exe",
        ):
            assert piece in shown
        inside = page.locator(".st-key-passage")
        assert inside.locator("img, script, iframe, a[href], form, object, link, svg:not(button svg)").count() == 0
        assert page.title() == "Ask · Strongroom"
        page.get_by_role("button", name="Close").click()

        # Library: every file with its state and reason.
        page.get_by_role("link", name="Library").click()
        page.get_by_test_id("document").nth(2).wait_for()
        page.get_by_text("Files", exact=True).click()
        page.get_by_test_id("file").nth(4).wait_for()
        listed = page.locator(".st-key-rows").inner_text()
        assert "could not be read" in listed
        assert "format not supported" in listed
        assert "minutes ![x](http:__evil.example_name.png) <img src=x>.txt" in listed
        page.get_by_text("Documents", exact=True).click()
        page.get_by_test_id("document").first.wait_for()
        _say(page, "Find", "tenancy")
        expect(page.get_by_test_id("document")).to_have_count(1)

        # Purge, with a deliberate yes and a receipt.
        page.get_by_role("button", name="Open document").click()
        passage.wait_for()
        page.get_by_role("button", name="Purge…").click()
        purge = page.get_by_role("button", name="Purge", exact=True)
        purge.wait_for()
        expect(purge).to_be_disabled()
        page.get_by_text("Yes, remove it from the vault").click()
        purge.click()
        page.get_by_test_id("receipt").wait_for()
        expect(page.get_by_test_id("receipt")).to_contain_text("read back", use_inner_text=True)

        # Asked again it is not there, nor in the history.
        answer = _ask(page, "How much is the deposit for the flat?")
        expect(answer.get_by_test_id("abstained")).to_have_count(1)
        assert "2,480" not in answer.inner_text()
        page.get_by_role("button", name="New conversation").click()
        page.get_by_text("What would you like to know?").wait_for()
        assert "2,480" not in page.content()

        # Folders: what is watched, what failed and why.
        page.get_by_role("link", name="Folders").click()
        page.get_by_test_id("folder").wait_for()
        expect(page.get_by_test_id("folder")).to_contain_text(str(papers), use_inner_text=True)
        page.get_by_role("button", name="See why, and what to do").click()
        page.get_by_text("broken.pdf").wait_for()
        page.get_by_role("link", name="Folders").click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Pause").wait_for()

        # Lock: the page shows nothing any more, and the passphrase opens it again.
        page.get_by_role("button", name="Lock", exact=True).click()
        page.get_by_text("Strongroom is locked").wait_for(timeout=40_000)
        assert "Alder Lane" not in page.content()
        _say(page, "Passphrase or recovery code", "not the passphrase")
        page.locator(".notice.bad").wait_for()
        _say(page, "Passphrase or recovery code", PASSPHRASE)
        page.locator(".st-key-bar").wait_for()
        page.get_by_role("link", name="Library").click()
        page.get_by_test_id("document").first.wait_for()

        # Nothing of it is kept by the browser where it would last, and nothing went elsewhere.
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        for secret in ("Alder", "deposit", PASSPHRASE, str(papers)):
            assert secret not in kept
        assert page.evaluate("indexedDB.databases().then(found => found.length)") == 0
        assert seen.elsewhere(strongroom.host) == []
        assert any(address.startswith("ws://") for address in seen.addresses)
        assert seen.errors == []


def test_a_reload_at_the_recovery_code_is_said_until_another_is_confirmed(watch, launch, tmp_path):
    with launch(tmp_path) as running, watch() as seen:
        page = seen.page
        page.goto(running.url)
        page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
        page.get_by_label("The same again").fill(PASSPHRASE)
        page.get_by_role("button", name="Create the vault").click()
        page.get_by_test_id("recovery-code").wait_for()
        page.reload()
        said = page.get_by_text("The recovery code was shown, and not typed to confirm it")
        said.wait_for()
        page.get_by_role("link", name="Settings").click()
        page.get_by_text("New recovery code", exact=True).click()
        page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
        page.get_by_role("button", name="Make a new code").click()
        code = page.get_by_test_id("new-recovery-code").inner_text()
        expect(said).to_have_count(0)
        page.get_by_label("Type the new code to be sure").fill(code)
        page.get_by_role("button", name="I have it on paper").click()
        expect(page.get_by_test_id("new-recovery-code")).to_have_count(0)
        page.reload()
        page.get_by_test_id("embedding").wait_for()
        expect(said).to_have_count(0)


def test_the_question_box_is_not_spell_checked_nor_translated(watch, strongroom):
    with watch() as seen:
        seen.page.goto(strongroom.another_url())
        box = seen.page.get_by_placeholder(re.compile("Ask ")).or_(
            seen.page.get_by_label("Passphrase or recovery code")
        )
        box.wait_for()
        assert seen.page.evaluate("document.documentElement.translate") is False
        assert box.evaluate("box => box.spellcheck") is False


def test_the_watch_on_requests_sees_one_that_leaves(watch, strongroom):
    """The journey's last assertions can fail: a page without our policy that asks elsewhere is noticed."""
    with watch() as seen:
        seen.page.set_content("<img src='http://127.0.0.1:9/elsewhere.png'>")
        seen.page.wait_for_timeout(500)
        assert seen.elsewhere(strongroom.host) == ["http://127.0.0.1:9/elsewhere.png"]


def test_an_idle_vault_locks_itself_while_the_page_is_open(watch, launch, tmp_path, papers):
    with launch(tmp_path) as running, watch() as seen:
        running.call("create", passphrase=PASSPHRASE)
        running.call("folders.add", path=str(papers))
        running.call("wait")
        seen.page.goto(running.url)
        answer = _ask(seen.page, "What is the annual fee for the bicycle storage?")
        expect(answer).to_contain_text("96 euros", use_inner_text=True)
        running.call("settings.set", key="auto_lock_minutes", value=0.05)
        # The status line asks every two seconds; if asking counted as use, this would never come.
        seen.page.get_by_text("It locked itself").wait_for(timeout=20_000)
        expect(seen.page.locator("body")).not_to_contain_text("96 euros")
        assert "bicycle" not in seen.page.content()
        assert seen.elsewhere(running.host) == []


def test_what_is_purged_in_a_terminal_leaves_a_tab_that_shows_it(watch, launch, tmp_path, papers):
    with launch(tmp_path) as running, watch() as seen:
        running.call("create", passphrase=PASSPHRASE)
        running.call("folders.add", path=str(papers))
        running.call("wait")
        seen.page.goto(running.url)
        answer = _ask(seen.page, "What is the annual fee for the bicycle storage?")
        expect(answer).to_contain_text("96 euros", use_inner_text=True)
        answer.get_by_role("button", name="Open passage 1").first.click()
        seen.page.get_by_test_id("passage-text").wait_for()
        running.call("purge", names=[str(papers / "bicycle storage.md")], confirm=True)
        expect(seen.page.locator("body")).not_to_contain_text("96 euros", timeout=20_000)
        seen.page.get_by_text("What would you like to know?").wait_for()
        assert "bicycle" not in seen.page.content()
