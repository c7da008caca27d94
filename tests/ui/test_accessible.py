"""Contrast, names of controls, visible focus and narrow windows, computed on each screen of the real page."""

import re
from pathlib import Path

import pytest

PASSPHRASE = "seven copper kettles whistle"
STUMBLES = (Path(__file__).parent / "accessible.js").read_text()
SCREENS = ("Ask", "Library", "Folders", "Privacy", "Settings")
NARROW = 380

# What has the focus, and whether that can be seen: an outline, a ring (shadow), or both on what stands around it.
FOCUS = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  let visible = false;
  for (let each = at, depth = 0; each && depth < 5; each = each.parentElement, depth++) {
    const style = getComputedStyle(each);
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    const ring = style.boxShadow !== 'none' && each.matches(':focus, :focus-within');
    const bordered = each.matches('[data-baseweb], [data-testid$=RootElement], [data-testid=stChatInput] *') && each.matches(':focus-within');
    if (outlined || ring || bordered) { visible = true; break; }
  }
  const words = (at.getAttribute('aria-label') || at.textContent || at.id).trim().slice(0, 40);
  return [`${at.tagName.toLowerCase()} “${words}”`, visible];
}"""


@pytest.fixture(scope="module")
def opened(strongroom, tmp_path_factory):
    """A vault with papers of several kinds, one that cannot be read, a purge, a backup and a question."""
    papers = tmp_path_factory.mktemp("papers")
    (papers / "lease.txt").write_text("The lease of the flat in Alder Lane ends on 3 May 2027.\n")
    (papers / "minutes.txt").write_text("Minutes of the garden committee.\n")
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    (papers / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(200))
    (papers / f"{'a-very-long-name-' * 8}.txt").write_text("A note with a long name.\n")
    strongroom.call("create", passphrase=PASSPHRASE)
    strongroom.call("folders.add", path=str(papers))
    strongroom.call("wait", seconds=60)
    strongroom.call("backup", target=str(strongroom.state / "copy"))
    strongroom.call("purge", names=[str(papers / "minutes.txt")], confirm=True)
    strongroom.call("ask", question="When does the lease of the flat end?")
    return strongroom


def settle(page):
    """Wait until nothing is being drawn."""
    page.wait_for_timeout(400)
    until(page, "!document.querySelector('[data-stale=true]')")
    page.wait_for_timeout(400)


def until(page, condition):
    """Wait for it. (Playwright's own waiting evaluates a string in the page, which the page's policy refuses.)"""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def stumbles(page, where):
    return [f"{where}: {each}" for each in page.evaluate(STUMBLES)]


def go(page, name):
    page.get_by_role("link", name=name, exact=True).click()
    until(page, f"document.title.startsWith('{name}')")
    settle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_can_be_read_named_and_used_in_a_narrow_window(opened, watch, scheme):
    with watch(color_scheme=scheme) as seen:
        page = seen.page
        page.goto(opened.another_url())
        page.locator(".st-key-bar").wait_for()
        found = []
        for name in SCREENS:
            go(page, name)
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
            settle(page)
            found += stumbles(page, name)
            page.set_viewport_size({"width": NARROW, "height": 800})
            settle(page)
            found += [each for each in stumbles(page, f"{name}, narrow") if "beyond the window" in each]
            page.set_viewport_size({"width": 1280, "height": 860})
        opened.call("lock", mode="page")
        page.get_by_text("Strongroom is locked").wait_for()
        settle(page)
        found += stumbles(page, "Locked")
        opened.call("unlock", passphrase=PASSPHRASE)
        assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_with_its_source_can_be_read(opened, watch, scheme):
    with watch(color_scheme=scheme) as seen:
        page = seen.page
        page.goto(opened.another_url())
        box = page.get_by_placeholder(re.compile("Ask "))
        box.fill("When does the lease of the flat end?")
        box.press("Enter")
        page.get_by_test_id("statement").first.wait_for()
        page.get_by_role("button", name=re.compile("Open passage 1")).first.click()
        page.get_by_test_id("passage-text").wait_for()
        settle(page)
        assert stumbles(page, "answer") == []


def test_the_first_run_can_be_read_and_used_in_a_narrow_window(launch, watch, tmp_path):
    with launch(tmp_path) as running, watch() as seen:
        page = seen.page
        page.goto(running.url)
        page.get_by_text("Choose a passphrase").wait_for()
        box = page.get_by_label("Passphrase", exact=True)
        box.fill("four")
        box.press("Tab")
        page.locator(".strength").wait_for()
        settle(page)
        found = stumbles(page, "first run")
        page.set_viewport_size({"width": NARROW, "height": 800})
        page.emulate_media(color_scheme="dark")
        settle(page)
        assert found + stumbles(page, "first run, dark, narrow") == []


def test_what_has_the_focus_can_be_seen(opened, watch):
    with watch() as seen:
        page = seen.page
        page.goto(opened.another_url())
        page.locator(".st-key-bar").wait_for()
        unseen, reached = [], set()
        for name in SCREENS:
            go(page, name)
            for _ in range(24):
                page.keyboard.press("Tab")
                focused = page.evaluate(FOCUS)
                if focused:
                    reached.add(focused[0])
                    unseen += [] if focused[1] else [f"{name}: {focused[0]}"]
        assert unseen == []
        assert any("Lock" in each for each in reached)
        assert len(reached) > 25


def test_stumbling_blocks_are_seen(watch):
    """What is looked for can be found: a page that has each of them."""
    with watch() as seen:
        seen.page.set_content(
            "<body style='margin:0;background:#fff'><p style='color:#999'>pale</p><button></button>"
            "<div style='width:3000px'>wide</div><p style='color:#000'>fine</p><button>named</button>"
        )
        found = " ".join(stumbles(seen.page, ""))
        assert "“pale”" in found
        assert "no name: <button></button>" in found
        assert "“wide”" in found
        assert "fine" not in found
        assert "named" not in found
