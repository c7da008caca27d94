"""What a command does with what a running engine hands it."""

import argparse

import pytest

from ui.command_keys import _move, restore
from ui.command_session import given
from vault.errors import StrongroomError


def test_a_folder_that_is_no_backup_is_said_first_also_over_a_vault(tmp_path):
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "header").touch()
    (tmp_path / "papers").mkdir()
    here = given({"HOME": str(tmp_path)}, vault=str(tmp_path / "vault"), accept_older=False, json=False)
    with pytest.raises(StrongroomError, match="papers is not a backup"):
        restore(here, argparse.Namespace(source=str(tmp_path / "papers"), replace=False))


def test_nothing_but_a_backups_files_is_moved_where_the_user_wanted_the_backup(tmp_path):
    staged = tmp_path / "staged"
    staged.mkdir()
    for name in ("header", "backup", "store-1.db"):
        (staged / name).write_text(name)
    _move(staged, tmp_path / "copy")
    assert sorted(each.name for each in (tmp_path / "copy").iterdir()) == ["backup", "header", "store-1.db"]
    (staged / "page.html").write_text("<!doctype html>")
    with pytest.raises(StrongroomError, match="no backup"):
        _move(staged, tmp_path / "second")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "staged"]
