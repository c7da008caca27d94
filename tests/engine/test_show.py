"""What the launcher shows for the engine, and what it refuses to."""

import os
import stat
import time

import pytest

from engine.show import show_file


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A desktop with a program that writes down what it is asked to open."""
    log = tmp_path / "opened"
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {log}.part && mv {log}.part {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def what() -> str:
        until = time.monotonic() + 10
        while not log.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return log.read_text()

    return what


def test_a_documents_file_is_opened_by_the_desktop(tmp_path, opened):
    letter = tmp_path / "a letter; with $(odd) name.txt"
    letter.write_text("Dear all")
    assert show_file(str(letter), kept_out=[])
    assert opened() == str(letter)


@pytest.mark.parametrize("way", ["straight", "link"])
def test_nothing_the_engine_can_have_written_is_opened(tmp_path, opened, way):
    vault = tmp_path / "vault"
    vault.mkdir()
    page = vault / "page.html"
    page.write_text("<img src=http://example.org/secret>")
    (tmp_path / "link.html").symlink_to(page)
    path = page if way == "straight" else tmp_path / "link.html"
    assert not show_file(str(path), kept_out=[vault])


@pytest.mark.parametrize("name", ["header", "backup", "store-7.db"])
@pytest.mark.parametrize("way", ["straight", "link"])
def test_a_backups_files_which_the_engine_filled_are_not_opened_wherever_they_lie(tmp_path, opened, name, way):
    (tmp_path / name).write_text("<!doctype html><img src=http://example.org/secret>")
    (tmp_path / "page.html").symlink_to(tmp_path / name)
    assert not show_file(str(tmp_path / (name if way == "straight" else "page.html")), kept_out=[])


def test_a_program_a_folder_and_a_relative_path_are_not_opened(tmp_path, opened, monkeypatch):
    program = tmp_path / "run.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "note.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    for path in (program, tmp_path, "note.txt", tmp_path / "nowhere", "a\0b"):
        assert not show_file(str(path), kept_out=[])
