"""A disk that is full while documents are read: reading pauses, says so everywhere, and goes on when there is room.

The disk is the layer of tests/torture/disk.c, preloaded into the whole program: below the vault's folder nothing can be
written while a certain file is there.
"""

import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ui import render
from ui.terminal import Style

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "seven copper kettles whistle"


@pytest.fixture
def full(tmp_path, monkeypatch) -> Path:
    """The file that fills the disk of everything launched from now on."""
    library, full = tmp_path / "disk.so", tmp_path / "full"
    source = ROOT / "tests" / "torture" / "disk.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"], check=True)
    for name, value in (("LD_PRELOAD", library), ("DISK_FOLDER", tmp_path / "run" / "vault"), ("DISK_FULL", full)):
        monkeypatch.setenv(name, str(value))
    return full


def until(what, seconds: float = 120):
    """Wait until it is so, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    pytest.fail("it never was so")


def paper(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def found(running, words: str) -> list[str]:
    hits = running.call("search", query=words, k=5)["hits"]
    return [hit["path"] for hit in hits if words in hit["quote"]]


def test_a_full_disk_pauses_reading_and_says_so_and_it_goes_on_by_itself(launch, full, tmp_path, watch, monkeypatch):
    papers = tmp_path / "papers"
    papers.mkdir()
    paper(papers, "fence.txt", "The fence on Tern Street costs 300 pounds.")
    with launch(tmp_path / "run") as running:
        monkeypatch.delenv("LD_PRELOAD")
        running.call("create", passphrase=PASSPHRASE)
        running.call("folders.add", path=str(papers))
        running.call("wait")
        assert found(running, "Tern Street")

        full.touch()
        for number in range(3):
            paper(
                papers, f"late-{number}.txt", f"The heating bill number {number} of Plover House is 81{number} pounds."
            )
        status = until(lambda: (told := running.call("status"))["disk_full"] and told)
        assert f"the disk of {running.vault} is full; it goes on by itself when there is room" in status["reason"]
        assert found(running, "Tern Street"), "what was read before is still found"
        answer = running.call("ask", question="What does the fence on Tern Street cost?")
        assert "300 pounds" in answer["statements"][0]["text"]
        assert any("is full; it goes on by itself" in line for line in render.status(status, Style(colours=False)))
        with watch() as seen:
            seen.page.goto(running.another_url())
            seen.page.get_by_role("link", name="Folders").click()
            expect(seen.page.get_by_text("is full; it goes on by itself")).to_be_visible()

        paper(papers, "later.txt", "The client Quillfeather pays 95 pounds an hour.")
        time.sleep(1)  # seen while nothing can be written down
        full.unlink()
        until(lambda: len(found(running, "Plover House")) == 3 and found(running, "Quillfeather"))
        running.call("wait")
        status = running.call("status")
        assert not status["disk_full"]
        assert status["reason"] == ""
        assert status["files"] == {"done": 5}
