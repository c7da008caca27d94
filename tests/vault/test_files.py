"""Files are there whole or not at all, and are their owner's alone."""

import errno
import os

import pytest

from vault import files
from vault import folder as folders
from vault.failures import FailingDiskError, OpenElsewhereError, VaultFullError, VaultPermissionError


def test_a_file_is_replaced_whole_and_private(tmp_path):
    path = tmp_path / "file"
    os.umask(0o000)
    try:
        for data in (b"first", b"x" * 3_000_000, b""):
            files.write_atomically(path, data)
            assert path.read_bytes() == data
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(0o022)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultFullError, match="is full"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_a_crash_left_aside_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "file.new").symlink_to(tmp_path / "mine")
    files.write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (tmp_path / "file").is_symlink()


def test_another_users_folder_is_refused_with_its_name(tmp_path, in_child):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)

    def other() -> int:
        for action in (
            lambda: files.write_atomically(tmp_path / "file", b"x"),
            lambda: files.make_private_folder(tmp_path / "folder"),
        ):
            with pytest.raises(VaultPermissionError, match=f"no permission to (write|make) {tmp_path}"):
                action()
        return 0

    assert in_child(other, uid=65534) == 0


def test_a_small_file_is_read_up_to_the_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert len(files.read_small(tmp_path / "file", 10)) == 11
    with pytest.raises(FileNotFoundError):
        files.read_small(tmp_path / "nothing", 10)


def test_a_folder_that_is_made_is_synced_into_its_parents(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    files.make_private_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    files.make_private_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


def test_a_disk_that_fails_is_said_with_the_way_out(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(FailingDiskError, match=f"cannot write {tmp_path}/file.new: input/output error") as raised:
        files.write_new(tmp_path / "file.new", b"new")
    assert raised.value.hint == "look whether its disk is failing, and make a backup"


def test_a_folder_that_cannot_be_synced_is_said_too(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultFullError):
        files.sync_folder(tmp_path)


def test_the_lock_is_held_although_the_disk_has_no_room_for_the_process_id(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock = folders.take_lock(tmp_path)
    with pytest.raises(OpenElsewhereError, match="is open in another process"):
        folders.take_lock(tmp_path)
    os.close(lock)
