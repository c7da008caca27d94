"""The privacy screen in a real browser, and each command that it shows run as it stands there."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.ui.forms import enter
from ui import verify

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "seven copper kettles whistle"


@pytest.fixture(scope="module")
def opened(strongroom, tmp_path_factory):
    """An open vault with a paper, a purge and two backups."""
    papers = tmp_path_factory.mktemp("papers")
    (papers / "lease.txt").write_text("The lease of the flat in Alder Lane ends on 3 May 2027.\n")
    (papers / "minutes.txt").write_text("Minutes of the garden committee.\n")
    strongroom.call("create", passphrase=PASSPHRASE)
    strongroom.call("folders.add", path=str(papers))
    strongroom.call("wait", seconds=60)
    strongroom.call("backup", target=str(strongroom.state / "older"))
    strongroom.call("settings.set", key="shred", value="no")  # the file keeps the name that the screen shows
    strongroom.call("purge", names=[str(papers / "minutes.txt")], confirm=True)
    strongroom.call("backup", target=str(strongroom.state / "newer"))
    return strongroom


@pytest.fixture
def screen(opened, watch):
    """The screen, as a person sees it."""
    with watch() as seen:
        seen.page.goto(opened.another_url())
        seen.page.get_by_role("link", name="Privacy").click()
        seen.page.get_by_test_id("process-engine").wait_for()
        yield seen.page


def pid_of(screen, name):
    return int(re.search(r"process (\d+)", screen.get_by_test_id(f"process-{name}").inner_text())[1])


def test_each_process_is_shown_with_what_it_was_refused_and_its_real_number(screen, opened):
    for name in ("engine", "page", "zygote"):
        card = screen.get_by_test_id(f"process-{name}")
        expect(card).to_contain_text("locked", use_inner_text=True)
        assert re.search(r"\d+ ways out tried and refused", card.inner_text())
        children = Path(f"/proc/{opened.process.pid}/task/{opened.process.pid}/children").read_text().split()
        assert str(pid_of(screen, name)) in children
    card.get_by_text("ways out").click()
    expect(card.get_by_text("internet socket")).to_be_visible()
    expect(screen.get_by_test_id("slots")).to_contain_text("Argon2id", use_inner_text=True)
    assert screen.title() == "Privacy · Strongroom"


def test_check_again_tries_anew_in_engine_page_and_a_fresh_parser(screen):
    def times():
        cards = [
            screen.get_by_test_id(f"process-{name}").inner_text() for name in ("engine", "page", "zygote", "worker")
        ]
        return [re.search(r"checked (\S+)", card)[1] for card in cards]

    before = times()
    time.sleep(1.1)
    screen.get_by_role("button", name="Check again now").click()
    expect(screen.get_by_test_id("process-page")).not_to_contain_text(f"checked {before[1]}")
    expect(screen.get_by_test_id("process-engine")).not_to_contain_text(f"checked {before[0]}")
    assert all(new > old for new, old in zip(times(), before, strict=True))


def test_backups_say_whether_they_hold_what_was_purged(screen, opened):
    expect(screen.get_by_test_id("backup")).to_have_count(2)
    expect(screen.get_by_test_id("purge-receipt")).to_have_count(1)
    told = {each.split("\n")[0].rsplit("/")[-1]: each for each in screen.get_by_test_id("backup").all_inner_texts()}
    assert "still holds what was purged" in told["older"]
    assert "still holds" not in told["newer"]
    receipt = screen.get_by_test_id("purge-receipt").inner_text()
    assert "nothing found" in receipt
    assert str(opened.state / "older") in receipt
    assert str(opened.state / "newer") not in receipt


def test_the_age_of_what_reads_papers_is_shown(screen):
    told = screen.get_by_test_id("components").inner_text()
    assert re.search(r"pypdfium2 \d.*\n.*PDF.*\n?.*\d days? old", told)
    expect(screen.get_by_text("git pull")).to_be_visible()


def test_what_was_tried_is_shown_with_the_verdict_and_the_outside_command(screen, opened):
    expect(screen.get_by_text("Nothing was tried on this vault yet")).to_be_visible()
    screen.get_by_role("button", name="Try it now").click()
    screen.get_by_test_id("verify-facts").wait_for(timeout=90_000)
    facts = screen.get_by_test_id("verify-facts").inner_text()
    assert re.search(r"\n?0\s+not held", facts), facts
    row = screen.get_by_test_id("verify-machine.disk")
    expect(row.locator("code")).to_be_hidden()
    row.locator("summary").click()
    expect(row.locator("code")).to_have_text(re.compile("lsblk|fdesetup"))
    expect(screen.get_by_test_id("verify-lock.page")).to_contain_text("held")
    # A terminal's report, with a row that is not held and words that must not act, comes before the page's own.
    broken = {
        "id": "x.y", "group": "Nothing is sent", "claim": "<b>bold</b> claim", "result": "not held", "tried": "a",
        "found": "<img src=x onerror=alert(1)>\u202e", "command": "true", "shows": "nothing", "linux_only": False,
    }  # fmt: skip
    report = {"at": time.time(), "seconds": 3, "version": "1", "system": "Linux", "by": "command", "rows": [broken]}
    opened.call("verify.keep", report=report)
    screen.get_by_role("button", name="Check again now").click()
    row = screen.get_by_test_id("verify-x.y")
    expect(row).to_contain_text("<b>bold</b> claim")
    expect(row).to_contain_text("<img src=x onerror=alert(1)>")  # it is open by itself
    expect(screen.get_by_text("1 promise not held here")).to_be_visible()
    assert screen.locator("[data-testid='verify-x.y'] img").count() == 0
    expect(screen.get_by_test_id("verify-machine.disk")).to_be_visible()  # what the newer report did not try stays


def commands(screen):
    """Every command on the screen, in order."""
    for summary in screen.get_by_text("See it from outside").all():
        summary.click()
    return [each.inner_text() for each in screen.locator(".guards dl.outside code, .guard dl.outside code").all()]


def looks_right(command, output, port):
    """Whether the output of a command that is shown says what is claimed beside it."""
    lines = output.splitlines()
    if command.startswith("grep -hE"):
        return [line.split()[1:] for line in lines] == [["NoNewPrivs:", "1"], ["Seccomp:", "2"]]
    if command.startswith("lsof"):
        connected = [line for line in lines if "TCP" in line or "UDP" in line]
        return all(
            re.search(rf"127\.0\.0\.1:{port}(->127\.0\.0\.1:\d+)? \((LISTEN|ESTABLISHED)\)", each) for each in connected
        )
    if command.startswith("ss "):
        return len(lines) == 1 and f"127.0.0.1:{port}" in lines[0]
    if command.startswith("strace"):
        return any("attached" in line for line in lines) and not any(
            re.search(r"(socket|connect|bind|execve)\(", e) for e in lines
        )
    if command.startswith("xxd"):
        return len(lines) == 2 and "SQLite" not in output
    if command.startswith("grep -rac"):
        return len(lines) >= 3 and all(line.endswith(":0") for line in lines)
    if command.startswith("stat"):
        return len(lines) >= 3 and all(line.split()[0].endswith("------") for line in lines)
    if "verify" in command:
        return re.search(r"\d+ held, 0 not held", output) is not None
    return False


def run(command, opened):
    command = command.removeprefix("sudo ")
    if command.startswith("strace"):
        command = f"timeout 3 {command}"
    command = command.replace("a word from your papers", "Alder Lane").replace(
        "strongroom --vault", f"{sys.executable} -m ui.command --vault"
    )
    usual = opened.state.parent / "usual"  # the command looks for its state folder by the name that it has there
    usual.mkdir(exist_ok=True)
    if not (usual / "strongroom").exists():
        (usual / "strongroom").symlink_to(opened.state)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(usual), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=300, env=environment, cwd=ROOT, check=False
    )
    return done.stdout + done.stderr


def test_every_command_that_is_shown_runs_and_shows_what_is_claimed(screen, opened):
    shown = commands(screen)
    assert len(shown) >= 12
    tried = set()
    for each in shown:
        tool = each.removeprefix("sudo ").split()[0]
        if (tool != "strongroom" and not shutil.which(tool)) or (each.startswith("sudo ") and os.getuid() != 0):
            continue  # this machine cannot run it
        output = run(each, opened)
        assert looks_right(each.removeprefix("sudo "), output, opened.port), (each, output)
        tried.add(tool)
    assert {"grep", "stat", "strongroom"} <= tried
    assert opened.call("verify.last")["reports"][0]["by"] == "command"  # the vault is open: its engine has kept it
    numbers = {pid_of(screen, name) for name in ("engine", "page", "zygote")}
    assert {int(number) for each in shown for number in re.findall(r"(?:/proc/|-p )(\d+)", each)} <= numbers


def test_the_commands_would_show_a_process_that_is_not_locked(opened):
    """What is looked for can be missing: this very process opens sockets and has no filter."""
    import socket

    with socket.create_server(("127.0.0.1", 0)):
        filters = run(f"grep -hE '^(NoNewPrivs|Seccomp):' /proc/{os.getpid()}/task/*/status | sort | uniq -c", opened)
        assert not looks_right("grep -hE", filters, opened.port)
        if shutil.which("lsof"):
            assert not looks_right("lsof", run(f"lsof -nP -a -p {os.getpid()} -i", opened), opened.port)


def at_work(opened):
    """What `strongroom verify` is told by the engine that runs, before it asks for anything."""
    told = verify._at_work(SimpleNamespace(vault=opened.vault, state=opened.state))
    return {"state": told["state"], "rows": {each["id"]: each for each in told["rows"]}}


def test_lock_now_asks_again_and_lock_everything_ends_the_engine(screen, opened):
    engine = pid_of(screen, "engine")
    screen.get_by_role("button", name="Lock now").click()
    screen.get_by_text("Strongroom is locked").wait_for()
    assert Path(f"/proc/{engine}").exists()
    told = at_work(opened)
    assert told["state"] == "waits"
    assert told["rows"]["vault"]["result"] == "unknown"
    assert "strongroom unlock" in told["rows"]["vault"]["found"]
    assert told["rows"]["lock.engine"]["result"] == told["rows"]["vault.header"]["result"] == "held"
    enter(screen.get_by_label("Passphrase or recovery code"), PASSPHRASE)
    screen.get_by_test_id("process-engine").wait_for()
    screen.get_by_role("button", name="Lock everything").click()
    screen.get_by_text("Strongroom is locked").wait_for(timeout=40_000)
    assert not Path(f"/proc/{engine}").exists()
    told = at_work(opened)
    assert told["state"] == "locked"
    assert "vault" not in told["rows"]  # it is tried apart, with the passphrase
    opened.call("unlock", passphrase=PASSPHRASE)
