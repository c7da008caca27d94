"""Which files and folders are documents by their names, and which are hidden, temporary, partial, or a system's own."""

import os
from collections.abc import Collection

# What programs leave beside documents while they write or fetch them, or keep of earlier versions; in lower case.
_TEMPORARY_ENDINGS = (
    b".part", b".partial", b".crdownload", b".download", b".opdownload", b".filepart", b".aria2", b".!ut", b".!qb",
    b".tmp", b".temp", b".swp", b".swo", b".swx", b".lck", b".lock", b"~", b".kate-swp",
)  # fmt: skip
_TEMPORARY_BEGINNINGS = (b"~$", b"~wrl", b"~wrd", b"~wra", b"#recycle", b"@eadir")
# What systems keep in every folder or at the root of every drive.
_SYSTEM_NAMES = frozenset(
    {
        b"thumbs.db",
        b"desktop.ini",
        b"icon\r",
        b"lost+found",
        b"$recycle.bin",
        b"system volume information",
        b"__macosx",
    }
)
# Stand-ins that cloud clients put where a file is only in the cloud (Nextcloud and ownCloud; see `stands_for`).
_STUB_ENDINGS = (b".nextcloud", b".owncloud")


def is_document_name(name: bytes) -> bool:
    """Whether a file of this name is looked at: not hidden, not temporary; or a stand-in for one that is."""
    return stands_for(name) is not None or not (name.startswith(b".") or _is_temporary(name))


def stands_for(name: bytes) -> bytes | None:
    """The name of the file that `.Letter.pdf.icloud` or `Letter.pdf.nextcloud` stands for; None for any other file."""
    lower = name.lower()
    if lower.startswith(b".") and lower.endswith(b".icloud") and len(name) > len(b"..icloud"):
        return name[1 : -len(b".icloud")]
    for ending in _STUB_ENDINGS:
        if lower.endswith(ending) and not lower.startswith(b"."):
            return name[: -len(ending)]
    return None


def stand_ins(name: bytes) -> list[bytes]:
    """The names of which `stands_for` is `name`."""
    return [b"." + name + b".icloud", *(name + ending for ending in _STUB_ENDINGS)]


def _is_temporary(name: bytes) -> bool:
    lower = name.lower()
    return (
        lower.endswith(_TEMPORARY_ENDINGS)
        or lower.startswith(_TEMPORARY_BEGINNINGS)
        or lower in _SYSTEM_NAMES
        or (lower.startswith(b"#") and lower.endswith(b"#"))  # Emacs while a file is edited
    )


def is_folder_left_out(parent: bytes, name: bytes, *, in_maildir: bool) -> bool:
    """Whether the folder `name` in `parent` is not entered. `in_maildir`: whether `parent` is a Maildir."""
    if in_maildir and name == b"tmp":
        return True  # messages still being delivered
    if name.startswith(b"."):
        # Maildir++ keeps its subfolders as `.Sent` inside the mailbox
        return not (in_maildir and os.path.isdir(os.path.join(parent, name, b"cur")))
    return _is_temporary(name)


def is_maildir(folder: bytes, folders_in_it: Collection[bytes] | None = None) -> bool:
    """Whether a folder holds mail in the way of maildir(5); `folders_in_it` where they are known already."""
    wanted = (b"cur", b"new", b"tmp")
    if folders_in_it is not None:
        return all(name in folders_in_it for name in wanted)
    return all(os.path.isdir(os.path.join(folder, name)) for name in wanted)
