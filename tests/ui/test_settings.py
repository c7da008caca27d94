"""The settings in a real browser: kept at once, wrong ones named where they were typed."""

import contextlib
import json
import re
import time

import pytest
import streamlit as st
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from engine import client
from tests.ui.forms import enter
from ui import link, page_settings

PASSPHRASE = "seven copper kettles whistle"
ANOTHER = "nine patient herons wait"


@pytest.fixture(scope="module")
def opened(strongroom):
    strongroom.call("create", passphrase=PASSPHRASE)
    return strongroom


@pytest.fixture
def screen(opened, watch):
    with watch() as seen:
        seen.page.goto(opened.another_url())
        seen.page.get_by_role("link", name="Settings").click()
        seen.page.get_by_test_id("embedding").wait_for()
        yield seen.page
        assert seen.elsewhere(opened.host) == []


def eventually(screen, look):
    for _ in range(400):  # waits are generous: a machine that has much to do is slow, and not wrong
        if look():
            return
        screen.wait_for_timeout(100)
    raise AssertionError("it did not happen")


def test_a_switch_is_kept_at_once_and_shows_what_is_set_elsewhere(screen, opened):
    screen.get_by_text("Keep questions and answers").click()
    eventually(screen, lambda: opened.call("settings.get")["history"] is False)
    opened.call("settings.set", key="history", value=True)
    opened.call("settings.set", key="lock_ends_engine", value=True)
    screen.reload()
    expect(screen.get_by_label("Keep questions and answers")).to_be_checked()
    expect(screen.get_by_label("End the engine when it locks by itself")).to_be_checked()
    screen.get_by_text("End the engine when it locks by itself").click()
    eventually(screen, lambda: opened.call("settings.get")["lock_ends_engine"] is False)


def test_the_minutes_until_the_lock_are_chosen(screen, opened):
    option = screen.get_by_role("option", name="30 minutes")
    for _ in range(5):  # what is drawn anew closes a list that was opened a moment before
        screen.get_by_label("Ask for the passphrase again after").click()
        with contextlib.suppress(PlaywrightTimeoutError):
            option.click(timeout=3000)
            break
    eventually(screen, lambda: opened.call("settings.get")["auto_lock_minutes"] == 30)
    opened.call("settings.set", key="auto_lock_minutes", value=7)
    screen.reload()
    expect(screen.get_by_placeholder("7 minutes").or_(screen.get_by_text("7 minutes"))).to_be_visible()


def test_a_click_that_is_told_twice_does_not_take_back_what_was_set_since(opened, monkeypatch):
    """As Streamlit does where a run for something else comes between."""
    with client.connect(opened.vault, opened.state) as asked:
        monkeypatch.setattr(link, "_line", [asked])
        asked.call("settings.set", key="auto_lock_minutes", value=(was := 11.0))
        st.session_state["widget"] = "1 hour"
        page_settings.changed("auto_lock_minutes", "widget", was)
        assert asked.call("settings.get")["auto_lock_minutes"] == 60
        asked.call("settings.set", key="auto_lock_minutes", value=7)
        page_settings.changed("auto_lock_minutes", "widget", was)
        assert asked.call("settings.get")["auto_lock_minutes"] == 7
        st.session_state["widget"] = "30 minutes"  # another click on it, before it was drawn anew
        page_settings.changed("auto_lock_minutes", "widget", was)
        assert asked.call("settings.get")["auto_lock_minutes"] == 30
        asked.call("settings.set", key="auto_lock_minutes", value=was)
        page_settings.changed("auto_lock_minutes", "widget", was)  # the same again, from where it was
        assert asked.call("settings.get")["auto_lock_minutes"] == 30


def colours(screen):
    """Of Streamlit's own background, and of a card of ours."""
    return screen.evaluate(
        "[getComputedStyle(document.querySelector('.stApp')).backgroundColor,"
        " getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()]"
    )


@pytest.mark.parametrize(("system", "choice", "expected"), [
    ("light", "Dark", ["rgb(23, 25, 23)", "#1c1f1c"]),
    ("dark", "Light", ["rgb(251, 250, 247)", "#fffefb"]),
    ("dark", "As the system", ["rgb(23, 25, 23)", "#1c1f1c"]),
    ("light", "As the system", ["rgb(251, 250, 247)", "#fffefb"]),
])  # fmt: skip
def test_the_appearance_holds_whatever_the_system_says_and_at_the_door_too(opened, watch, system, choice, expected):
    with watch(color_scheme=system) as seen:
        screen = seen.page
        screen.goto(opened.another_url())
        screen.get_by_role("link", name="Settings").click()
        screen.get_by_text(choice, exact=True).click()
        eventually(screen, lambda: colours(screen) == expected)
        opened.call("lock", mode="page")
        screen.get_by_text("Strongroom is locked").wait_for()
        eventually(screen, lambda: colours(screen) == expected)
        opened.call("unlock", passphrase=PASSPHRASE)
        screen.get_by_test_id("embedding").wait_for()
        assert colours(screen) == expected


def fill(screen, label, words):
    box = screen.get_by_label(label, exact=True)
    box.fill(words)
    box.press("Tab")


def test_the_passphrase_is_changed_after_what_was_wrong_was_said(screen, opened):
    screen.get_by_text("Change the passphrase").click()
    fill(screen, "Present passphrase or recovery code", "not the passphrase")
    fill(screen, "New passphrase", ANOTHER)
    fill(screen, "The new one again", "another")
    screen.get_by_role("button", name="Change it").click()
    screen.get_by_text("The two are not the same").wait_for()
    fill(screen, "The new one again", ANOTHER)
    screen.get_by_role("button", name="Change it").click()
    screen.locator(".notice.bad").wait_for()
    fill(screen, "Present passphrase or recovery code", PASSPHRASE)
    screen.get_by_role("button", name="Change it").click()
    screen.get_by_text("The passphrase is changed").wait_for()
    assert ANOTHER not in screen.content()
    assert opened.call("unlock", passphrase=ANOTHER)["state"] == "open"
    opened.call("passwd", old=ANOTHER, new=PASSPHRASE)


def test_a_new_recovery_code_is_shown_once_and_typed_again(screen, opened):
    screen.get_by_text("New recovery code").click()
    fill(screen, "Passphrase", PASSPHRASE)
    screen.get_by_role("button", name="Make a new code").click()
    code = screen.get_by_test_id("new-recovery-code").inner_text()
    fill(screen, "Type the new code to be sure", "something else")
    screen.get_by_role("button", name="I have it on paper").click()
    screen.get_by_text("That is not the code above").wait_for()
    fill(screen, "Type the new code to be sure", code.lower())
    screen.get_by_role("button", name="I have it on paper").click()
    expect(screen.get_by_test_id("new-recovery-code")).to_have_count(0)
    assert code not in screen.content()
    assert opened.call("unlock", passphrase=code)["state"] == "open"


def test_the_keyring_is_switched_off_here_and_on_only_in_a_terminal(screen, opened):
    screen.get_by_text("Unlock at login").click()
    screen.get_by_text("strongroom keyring on").wait_for()
    expect(screen.get_by_role("button", name="Switch it off")).to_have_count(0)
    secret = opened.call("keyring.on", passphrase=PASSPHRASE)["secret"]
    screen.reload()
    screen.get_by_text("Unlock at login").click()
    off = screen.get_by_role("button", name="Switch it off")
    off.wait_for()
    expect(screen.locator(".st-key-keyring")).to_contain_text("programs that run as you", use_inner_text=True)
    assert secret not in screen.content()
    off.click()
    eventually(screen, lambda: opened.call("keyring") == {"on": False})


def test_locking_after_sleep_is_switched_and_the_door_says_why_it_is_locked(screen, opened):
    for wanted in (False, True):
        screen.get_by_text("Lock when the machine was asleep").click()
        eventually(screen, lambda: opened.call("settings.get")["lock_on_sleep"] is wanted)  # noqa: B023
        # Drawn anew, and nothing else: for a moment the old switch and the new one stand beside each other.
        shown = screen.get_by_label("Lock when the machine was asleep")
        eventually(screen, lambda: shown.evaluate_all("all => all.map(each => each.checked)") == [wanted])  # noqa: B023
    opened.call("lock", mode="page")
    screen.get_by_text("It asks for the passphrase again").wait_for()
    (header,) = opened.state.glob("*/anchor")
    count = header.with_name("attempts")
    count.write_text(json.dumps({"failed": 9, "day": time.time() + 40}))  # as after nine wrong ones: a minute's wait
    # The right one has to wait, too: it is not even looked at.
    enter(screen.get_by_label("Passphrase or recovery code"), PASSPHRASE)
    screen.get_by_text(re.compile("9 wrong passphrases in a row: wait")).wait_for()
    count.unlink()
    assert opened.call("unlock", passphrase=PASSPHRASE)["state"] == "open"


def test_a_backup_is_written_where_it_was_typed(screen, opened, tmp_path):
    def back_up(words):
        box = screen.get_by_label("Write a backup to")
        box.fill(str(words))
        box.press("Enter")

    back_up("no/full/path")
    screen.get_by_text("is no full path").wait_for()
    back_up(tmp_path / "nowhere" / "copy")
    screen.get_by_text("There is no folder").wait_for()
    back_up(opened.vault / "copy")
    screen.get_by_text("own folders").wait_for()
    back_up(tmp_path / "copy")
    screen.locator(".notice.good").wait_for()
    assert {each.name for each in (tmp_path / "copy").iterdir()} == {"header", "backup", "store-1.db"}
    assert list(opened.state.glob("backup-*")) == []
    known = [each["path"] for each in opened.call("privacy")["backups"] if each["reachable"]]
    assert known == [str(tmp_path / "copy")]  # the ones that failed are not remembered


def test_the_engine_alone_has_no_backup_written_outside(opened, tmp_path):
    from vault.errors import StrongroomError

    with pytest.raises(StrongroomError, match="nobody typed"):
        opened.call("backup.make", target=str(tmp_path / "copy"))
    with pytest.raises(StrongroomError):
        opened.call("backup", target=str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []


def test_the_embedding_model_and_its_language_are_said_plainly(screen):
    told = screen.get_by_test_id("embedding").inner_text()
    assert re.search(r"384 dimensions", told)
    assert re.search(r"[0-9a-f]{64}", told)
    expect(screen.get_by_text("in English only")).to_be_visible()


def test_no_menu_of_streamlits_is_there(screen):
    for words in ("Deploy", "Made with Streamlit", "Manage app", "Rerun"):
        expect(screen.get_by_text(words)).to_have_count(0)
    for part in ("stToolbar", "stMainMenu", "stAppDeployButton", "stDecoration", "stStatusWidget"):
        for each in screen.get_by_test_id(part).all():
            assert not each.is_visible(), part
    icon = screen.evaluate("[...document.querySelectorAll('link[rel~=icon]')].map(each => each.href)")
    assert len(icon) >= 1
    assert all(each.startswith("data:image/svg+xml") for each in icon), icon


def tiny_model(folder):
    """A model of random weights, made by tests/tiny_gguf.py."""
    import subprocess
    import sys
    from pathlib import Path

    made = folder / "tiny.gguf"
    maker = Path(__file__).resolve().parents[1] / "tiny_gguf.py"
    subprocess.run([sys.executable, str(maker), str(made)], check=True, capture_output=True)
    return made


def test_a_model_is_added_by_its_file_shown_with_its_facts_and_removed(screen, opened, tmp_path):
    def add(path):
        box = screen.get_by_label("Add a model by its file")
        box.fill(str(path))
        box.press("Enter")

    (tmp_path / "note.gguf").write_text("no model at all")
    add(tmp_path / "note.gguf")
    screen.locator(".notice.bad").wait_for()
    made = tiny_model(tmp_path)
    add(made)
    shown = screen.get_by_test_id("model")
    shown.wait_for()
    row = opened.call("models")["rows"][0]
    expect(shown).to_contain_text(row["id"], use_inner_text=True)
    expect(shown).to_contain_text(str(made), use_inner_text=True)
    expect(screen.get_by_label("The model may use the graphics card")).to_have_count(0)  # built for the processor alone
    expect(screen.get_by_test_id("graphics")).to_have_text(
        "Graphics card: the installed llama.cpp is not built for one."
    )
    opened.call("settings.set", key="model_gpu", value=True)  # and yet it can be switched off
    screen.reload()
    expect(screen.get_by_label("The model may use the graphics card")).to_be_checked()
    screen.get_by_text("The model may use the graphics card").click()
    eventually(screen, lambda: opened.call("settings.get")["model_gpu"] is False)
    expect(screen.get_by_label("The chosen model writes answers")).to_be_checked()
    screen.get_by_text("The chosen model writes answers").click()
    eventually(screen, lambda: opened.call("settings.get")["answer_mode"] == "extractive")
    screen.get_by_role("button", name="Remove").click()
    expect(screen.get_by_test_id("model")).to_have_count(0)
    assert opened.call("models")["rows"] == []
    assert made.exists()


def test_another_reader_is_offered_and_how_to_get_one_is_said(screen, opened):
    """Without an extra there is nothing to choose, and the page says what could be."""
    expect(screen.get_by_role("heading", name="Readers")).to_be_visible()
    if not any(each["installed"] for each in opened.call("readers")["readers"]):
        expect(screen.get_by_text("make install EXTRAS=unstructured")).to_be_visible()
    else:
        expect(screen.get_by_label("Word documents")).to_be_visible()
