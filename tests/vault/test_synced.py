"""Folders that a cloud client synchronises are told from others."""

import pytest

from vault.synced import synchronised_by


@pytest.mark.parametrize(
    ("marker", "client"),
    [
        (".dropbox", "Dropbox"), (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
        (".tmp.driveupload", "Google Drive"),
        (".nextcloudsync.log", "Nextcloud"), ("._sync_0a1b.db", "Nextcloud"), (".sync_0a1b.db", "Nextcloud"),
        (".stfolder", "Syncthing"),
    ],
)  # fmt: skip
def test_a_mark_in_a_folder_above_gives_the_client_away(tmp_path, marker, client):
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    assert synchronised_by(folder) is None
    (tmp_path / "a" / marker).touch()
    assert synchronised_by(folder) == (client, tmp_path / "a" / marker)
    assert synchronised_by(tmp_path / "a" / "not" / "there" / "yet") == (client, tmp_path / "a" / marker)


@pytest.mark.parametrize(
    ("name", "client"),
    [
        ("Dropbox", "Dropbox"), ("Dropbox (Personal)", "Dropbox"), ("OneDrive", "OneDrive"),
        ("OneDrive - A Company", "OneDrive"), ("OneDrive-Personal", "OneDrive"), ("iCloud Drive", "iCloud"),
        ("Mobile Documents", "iCloud"), ("GoogleDrive-me@example.org", "Google Drive"), ("My Drive", None),
        ("Nextcloud", "Nextcloud"), ("CloudStorage", "a cloud client"), ("Dropboxes", None), ("nextcloud-notes", None),
    ],
)  # fmt: skip
def test_a_name_that_clients_give_is_known(tmp_path, name, client):
    found = synchronised_by(tmp_path / name / "vault")
    assert (found[0] if found else None) == client


def test_a_link_into_such_a_folder_is_seen_through(tmp_path):
    (tmp_path / "Nextcloud" / "inner").mkdir(parents=True)
    (tmp_path / "innocent").symlink_to(tmp_path / "Nextcloud" / "inner")
    assert synchronised_by(tmp_path / "innocent" / "vault") == ("Nextcloud", tmp_path / "Nextcloud")
