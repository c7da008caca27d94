"""What a command does with what a running engine hands it."""

import pytest

from ui.command_keys import _move
from vault.errors import StrongroomError


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
