"""A backup goes where the page's user typed, and nothing else goes anywhere."""

import json
import os
import socket
import time

import pytest

from engine import delivering
from engine.delivering import Deliveries, carry
from vault.errors import StrongroomError

STAGED = "backup-0123456789abcdef"


@pytest.fixture
def staged(tmp_path):
    folder = tmp_path / "state" / STAGED
    folder.mkdir(parents=True)
    for name in ("header", "backup", "store-1.db"):
        (folder / name).write_bytes(os.urandom(5000))
    return folder


@pytest.fixture
def page():
    """The page's end of its line, and the launcher's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def say(page, *folders):
    for each in folders:
        page[0].sendall(json.dumps({"backup": str(each)}).encode() + b"\n")


def wait(deliveries):
    until = time.monotonic() + 20
    while "message" not in (found := deliveries.outcome()) and not found["done"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def begin(deliveries, staged, target, kept_out=()):
    return deliveries.begin(staged.name, str(target), staged.parent, kept_out)


def test_what_was_typed_is_where_it_goes(staged, page, tmp_path):
    deliveries = Deliveries()
    say(page, tmp_path / "stick" / "copy")
    (tmp_path / "stick").mkdir()
    deliveries.hear(page[1])
    assert begin(deliveries, staged, tmp_path / "stick" / "copy") == {"done": True}
    assert wait(deliveries) == {"done": True}
    copy = tmp_path / "stick" / "copy"
    assert {each.name: each.read_bytes() for each in copy.iterdir()} == {
        each.name: each.read_bytes() for each in staged.iterdir()
    }
    assert copy.stat().st_mode & 0o777 == 0o700
    assert all(each.stat().st_mode & 0o777 == 0o600 for each in copy.iterdir())
    assert [each.name for each in copy.parent.iterdir()] == ["copy"]


def test_the_engine_alone_can_send_it_nowhere(staged, page, tmp_path):
    deliveries = Deliveries()
    deliveries.hear(None)
    deliveries.hear(page[1])
    assert "nobody typed" in begin(deliveries, staged, tmp_path / "copy")["message"]
    say(page, tmp_path / "other")
    page[0].sendall(b'not json\n[1]\n{"backup": 5}\n')
    deliveries.hear(page[1])
    assert "nobody typed" in begin(deliveries, staged, tmp_path / "copy")["message"]
    assert not (tmp_path / "copy").exists()


def test_what_was_typed_counts_once(staged, page, tmp_path):
    deliveries = Deliveries()
    say(page, tmp_path / "copy")
    deliveries.hear(page[1])
    assert begin(deliveries, staged, tmp_path / "copy")["done"]
    assert wait(deliveries)["done"]
    (tmp_path / "copy").rename(tmp_path / "put away")  # so that nothing but the count stands in the way
    assert "nobody typed" in begin(deliveries, staged, tmp_path / "copy")["message"]
    assert not (tmp_path / "copy").exists()


def test_what_was_typed_for_one_engine_does_not_count_for_the_next_nor_does_its_copy_stand_in_the_way(
    staged, page, tmp_path
):
    deliveries = Deliveries()
    say(page, tmp_path / "copy", tmp_path / "second")
    deliveries.hear(page[1])
    assert begin(deliveries, staged, tmp_path / "copy")["done"]
    deliveries.forget()
    assert "nobody typed" in begin(deliveries, staged, tmp_path / "second")["message"]
    say(page, tmp_path / "second")
    deliveries.hear(page[1])
    assert begin(deliveries, staged, tmp_path / "second")["done"]
    assert wait(deliveries) == {"done": True}


@pytest.mark.parametrize("name", ["..", "backup-x", f"../state/{STAGED}", "vault", f"{STAGED}/x"])
def test_only_what_was_staged_for_that_is_copied(staged, page, tmp_path, name):
    deliveries = Deliveries()
    say(page, tmp_path / "copy")
    deliveries.hear(page[1])
    assert not deliveries.begin(name, str(tmp_path / "copy"), staged.parent, ())["done"]


@pytest.mark.parametrize("place", ["full", "file", "link", "inside", "nowhere/copy"])
def test_a_place_that_is_none_is_refused_with_the_reason(staged, page, tmp_path, place):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    target = tmp_path / "state" / "copy" if place == "inside" else tmp_path / place
    deliveries = Deliveries()
    say(page, target)
    deliveries.hear(page[1])
    found = begin(deliveries, staged, target, kept_out=[tmp_path / "state"])
    assert not found["done"]
    assert found["message"]


@pytest.mark.parametrize("target", ["/copy\0", "/media/\0/copy", "/media/\ud800/copy"])
def test_what_no_path_can_be_is_refused_and_the_launcher_goes_on(staged, page, target):
    deliveries = Deliveries()
    say(page, target)
    deliveries.hear(page[1])
    found = begin(deliveries, staged, target)
    assert not found["done"]
    assert found["message"]


@pytest.mark.parametrize("name", [".bashrc", "autostart.desktop", "store-1.db.html", "header.exe", ""])
def test_a_file_that_no_backup_has_is_not_carried(staged, tmp_path, name):
    if name:
        (staged / name).write_text("x")
    else:
        for each in list(staged.iterdir()):
            each.unlink()
    with pytest.raises(StrongroomError, match="no backup"):
        carry(staged, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("missing", ["header", "backup", "store-1.db"])
def test_a_part_of_a_backup_is_not_carried(staged, tmp_path, missing):
    (staged / missing).unlink()
    with pytest.raises(StrongroomError, match="no backup"):
        carry(staged, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_link_among_the_files_is_not_followed(staged, tmp_path):
    (tmp_path / "secret").write_text("x")
    (staged / "backup").unlink()
    (staged / "backup").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"[Ss]ymbolic"):
        carry(staged, tmp_path / "copy")
    assert [each.name for each in tmp_path.iterdir() if "copy" in each.name] == []


def test_a_copy_that_differs_gets_no_name(staged, tmp_path, monkeypatch):
    monkeypatch.setattr(delivering.shutil, "copyfileobj", lambda _read, written, _size: written.write(b"x"))
    with pytest.raises(StrongroomError, match="differs"):
        carry(staged, tmp_path / "copy")
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_the_copying_process_can_write_to_no_other_folder(staged, page, tmp_path, monkeypatch):
    (tmp_path / "stick").mkdir()

    def elsewhere(_staged, _target):
        (tmp_path / "elsewhere").write_text("x")

    monkeypatch.setattr(delivering, "carry", elsewhere)
    deliveries = Deliveries()
    say(page, tmp_path / "stick" / "copy")
    deliveries.hear(page[1])
    assert begin(deliveries, staged, tmp_path / "stick" / "copy")["done"]
    assert "permission denied" in wait(deliveries)["message"]
    assert not (tmp_path / "elsewhere").exists()
