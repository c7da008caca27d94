"""Files of a watched folder: what can stand in for one while it is opened, and what it can become while it is read."""

import hashlib
import mmap
import os
import socket
import stat
import threading
import time

import pytest

from ingest import opening
from ingest.opening import NotRegularError, held, open_inside


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "watched"
    (found / "a" / "b").mkdir(parents=True)
    (found / "a" / "b" / "paper.txt").write_bytes(b"the paper")
    (tmp_path / "secret.txt").write_bytes(b"not in the folder")
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    (tmp_path / "elsewhere" / "b" / "paper.txt").write_bytes(b"another's paper")
    return found


def content(folder, name):
    descriptor = open_inside(os.fsencode(folder), os.fsencode(folder / name))
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_a_file_in_its_folder_is_opened(folder):
    assert content(folder, "a/b/paper.txt") == b"the paper"


def test_no_link_is_followed_wherever_it_lies_on_the_way(folder, tmp_path):
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "inside.txt").symlink_to(folder / "a" / "b" / "paper.txt")
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "dangling").symlink_to("nowhere")
    for name in ("link.txt", "inside.txt", "out/b/paper.txt", "dangling"):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
            content(folder, name)
    tmp_path.joinpath("by a link").symlink_to(folder)
    with pytest.raises(OSError, match="Not a directory"):  # the folder itself was replaced by one
        content(tmp_path / "by a link", "a/b/paper.txt")


@pytest.mark.parametrize("name", ["../secret.txt", "a/../../secret.txt", "a//b/paper.txt", "a/./b/paper.txt", "", "a/b/"])
def test_a_path_that_climbs_is_no_place_in_the_folder(folder, name):
    with pytest.raises(OSError, match="not a place in its folder"):
        open_inside(os.fsencode(folder), os.fsencode(folder) + b"/" + name.encode())


def test_a_folder_whose_name_only_begins_like_it_is_another(folder, tmp_path):
    (tmp_path / "watched too").mkdir()
    (tmp_path / "watched too" / "x").write_bytes(b"x")
    with pytest.raises(OSError, match="not a place in its folder"):
        open_inside(os.fsencode(folder), os.fsencode(tmp_path / "watched too" / "x"))


def test_what_is_no_regular_file_is_refused_without_waiting_for_anybody(folder):
    os.mkfifo(folder / "pipe")
    (folder / "folder.txt").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path may have 107 bytes
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for name in ("pipe", "folder.txt", "socket"):
            with pytest.raises(NotRegularError):
                content(folder, name)


def test_a_device_is_not_even_opened(monkeypatch):
    real, names = os.open, []
    monkeypatch.setattr(os, "open", lambda name, *rest, **more: names.append(name) or real(name, *rest, **more))
    with pytest.raises(NotRegularError):
        open_inside(b"/dev", b"/dev/null")
    assert names == [b"/dev"]


@pytest.mark.parametrize("swapped", ["file", "folder", "pipe"])
def test_whoever_swaps_as_fast_as_they_can_gets_nothing_else_read(folder, tmp_path, swapped):
    """A thread exchanges the file (or a folder above it) for a link to another's, over and over, atomically."""
    place = folder / "a" if swapped == "folder" else folder / "a" / "b" / "paper.txt"
    bait = tmp_path / "bait"
    if swapped == "pipe":
        os.mkfifo(bait)
    else:
        bait.symlink_to(tmp_path / ("elsewhere" if swapped == "folder" else "secret.txt"))
    aside, stop, swaps = tmp_path / "aside", threading.Event(), [0]

    def swap():
        while not stop.is_set():
            place.rename(aside)
            bait.rename(place)
            swaps[0] += 1
            place.rename(bait)
            aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    read, refused = set(), 0
    until = time.monotonic() + 60
    try:
        while (len(read) + bool(refused) < 2 or swaps[0] < 2000) and time.monotonic() < until:
            try:
                read.add(content(folder, "a/b/paper.txt"))
            except (OSError, NotRegularError):
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert read == {b"the paper"}
    assert refused


def test_bytes_that_were_hashed_are_the_bytes_that_are_read_whatever_becomes_of_the_file(folder):
    path = folder / "a" / "b" / "paper.txt"
    file = open_inside(os.fsencode(folder), os.fsencode(path))
    before = os.stat(path)
    with held(file) as found:
        path.write_bytes(b"new paper")  # as long as it was
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and its dates set back
        read = os.pread(found.descriptor, 100, 0)
        assert (read, hashlib.sha256(read).digest()) == (b"the paper", found.sha256)
        assert found.changed()
    os.close(file)


def test_not_even_whoever_has_the_copy_can_change_it(folder):
    file = open_inside(os.fsencode(folder), os.fsencode(folder / "a/b/paper.txt"))
    with held(file) as found:
        for attempt in (
            lambda: os.pwrite(found.descriptor, b"x", 0),
            lambda: os.ftruncate(found.descriptor, 0),
            lambda: os.ftruncate(found.descriptor, 100),
            lambda: mmap.mmap(found.descriptor, 9),
        ):
            with pytest.raises(OSError, match=r"not permitted|Permission denied"):
                attempt()
        assert not found.changed()
        copy = found.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copy)  # nothing is left of it
    assert stat.S_ISREG(os.fstat(file).st_mode)
    os.close(file)


@pytest.mark.parametrize("how", ["grows", "in place", "in place, dates set back", "by a mapping", "replaced"])
def test_a_large_file_that_changes_is_noticed_afterwards(folder, monkeypatch, how):
    monkeypatch.setattr(opening, "HELD", 4)
    path = folder / "a" / "b" / "paper.txt"
    with path.open("r+b") as writer, mmap.mmap(writer.fileno(), 0) as mapped:
        mapped[0] = mapped[0]
        file = open_inside(os.fsencode(folder), os.fsencode(path))
        with held(file) as found:
            assert found.descriptor == file
            assert found.sha256 == hashlib.sha256(b"the paper").digest()
            assert not found.changed()
            before = os.stat(path)
            match how:
                case "grows":
                    os.write(os.open(path, os.O_WRONLY | os.O_APPEND), b"!")
                case "by a mapping":
                    mapped[0] = ord("T")
                case "replaced":  # the file that is open stays what it was; that there is another is for the watcher
                    path.unlink()
                    path.write_bytes(b"another")
                    assert os.pread(file, 100, 0) == b"the paper"
                    os.close(file)
                    return
                case _:
                    os.pwrite(writer.fileno(), b"T", 0)
            if "set back" in how:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert found.changed()
    os.close(file)


def test_a_file_that_outgrows_what_is_held_while_it_is_copied_is_read_itself(folder, monkeypatch):
    monkeypatch.setattr(opening, "HELD", 9)
    monkeypatch.setattr(opening, "_BLOCK", 4)
    path = folder / "a" / "b" / "paper.txt"
    file = open_inside(os.fsencode(folder), os.fsencode(path))
    real = os.pread

    def growing(descriptor, size, offset):
        if offset == 4:
            with path.open("ab") as more:
                more.write(b" and more")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", growing)
    with held(file) as found:
        assert found.descriptor == file
        assert found.changed()
    os.close(file)


def test_without_sealed_memory_the_file_itself_is_read_and_hashed_again(folder, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    file = open_inside(os.fsencode(folder), os.fsencode(folder / "a/b/paper.txt"))
    with held(file) as found:
        assert found.descriptor == file
        assert not found.changed()
    os.close(file)


def test_a_worker_reads_what_was_hashed_though_the_file_is_another_by_then(folder, zygote):
    path = folder / "a" / "b" / "paper.txt"
    file = open_inside(os.fsencode(folder), os.fsencode(path))
    with held(file) as found:
        path.write_bytes(b"something else that was put there since")
        (document,) = zygote.parse(found.descriptor, "paper.txt", sha256=found.sha256.hex())
    os.close(file)
    assert document.text == "the paper"
    assert document.id == hashlib.sha256(b"the paper").hexdigest()


@pytest.fixture
def engine(tmp_path, zygote, embedder):
    from engine.engine import Engine
    from vault.keys import FLOOR

    started = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    started.create("a passphrase for tests")
    yield started
    started.close()


def test_an_engine_reads_nothing_that_was_put_in_a_files_place_after_it_was_listed(engine, folder, tmp_path, monkeypatch):
    from engine.asking import search
    from engine.reading import files

    real, asked = opening.open_inside, []

    def after_a_swap(watched, path):
        if not asked:
            (folder / "a").rename(tmp_path / "aside")
            (folder / "a").symlink_to(tmp_path / "elsewhere")
        asked.append((watched, path))
        return real(watched, path)

    monkeypatch.setattr(opening, "open_inside", after_a_swap)
    engine.folders_add(str(folder))
    engine.wait(seconds=60)
    assert asked[0] == (os.fsencode(folder), os.fsencode(folder / "a" / "b" / "paper.txt"))
    assert search(engine, "another's paper")["hits"] == []
    for row in files(engine, limit=10)["rows"]:
        assert row["state"] == "failed"
        assert row["reason"].startswith("cannot be opened: ")


def test_what_an_engine_keeps_of_a_file_that_changes_while_it_is_read_is_what_is_in_it_at_the_end(
    engine, folder, zygote, monkeypatch
):
    from engine.asking import search

    path = folder / "a" / "b" / "paper.txt"
    real, turns = zygote.parse, []

    def after_a_change(descriptor, name, **more):
        if not turns:  # in place, as long as it was, with its dates set back
            before = os.stat(path)
            with path.open("r+b") as file:
                file.write(b"The PAPER")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        turns.append(more["sha256"])
        return real(descriptor, name, **more)

    monkeypatch.setattr(zygote, "parse", after_a_change)
    engine.folders_add(str(folder))
    engine.wait(seconds=60)
    assert turns == [hashlib.sha256(each).hexdigest() for each in (b"the paper", b"The PAPER")]
    assert [each["quote"] for each in search(engine, "paper")["hits"]] == ["The PAPER"]
