"""Folders that a cloud client synchronises: told by the files such clients leave, and by the names they give."""

import fnmatch
from pathlib import Path

MARKERS = (
    (".dropbox", "Dropbox"),
    (".dropbox.cache", "Dropbox"),
    (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
    (".tmp.drivedownload", "Google Drive"),
    (".tmp.driveupload", "Google Drive"),
    (".nextcloudsync.log", "Nextcloud"),
    (".owncloudsync.log", "ownCloud"),
    ("._sync_*.db", "Nextcloud"),
    (".sync_*.db", "Nextcloud"),
    (".csync_journal.db", "ownCloud"),
    (".stfolder", "Syncthing"),
    (".SynologyWorkingDirectory", "Synology Drive"),
    (".pcloud", "pCloud"),
)
NAMES = (
    ("dropbox", "Dropbox"),
    ("dropbox (*)", "Dropbox"),
    ("onedrive", "OneDrive"),
    ("onedrive - *", "OneDrive"),
    ("onedrive-*", "OneDrive"),
    ("icloud drive", "iCloud"),
    ("iclouddrive", "iCloud"),
    ("mobile documents", "iCloud"),
    ("cloudstorage", "a cloud client"),  # ~/Library/CloudStorage, where macOS puts them all
    ("google drive", "Google Drive"),
    ("googledrive*", "Google Drive"),
    ("nextcloud", "Nextcloud"),
    ("owncloud", "ownCloud"),
    ("synologydrive", "Synology Drive"),
)


def synchronised_by(folder: Path) -> tuple[str, Path] | None:
    """The client that synchronises the folder or one above it, and what gives it away; None if nothing does.

    The folder need not exist. A client that leaves no mark in a folder of an ordinary name is not noticed.
    """
    resolved = folder.resolve()
    for place in (resolved, *resolved.parents):
        for pattern, client in NAMES:
            if fnmatch.fnmatchcase(place.name.lower(), pattern):
                return client, place
        if place == Path(place.anchor):
            continue  # a marker at the root would be a mistake, and a listing of it is no one's business
        for pattern, client in MARKERS:
            if found := next(iter(_matching(place, pattern)), None):
                return client, found
    return None


def _matching(place: Path, pattern: str) -> list[Path]:
    try:
        if "*" in pattern:
            return [path for path in place.glob(pattern) if path.is_file()]
        return [place / pattern] if (place / pattern).exists() else []
    except OSError:  # a folder above that may not be listed
        return []
