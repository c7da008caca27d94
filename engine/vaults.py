"""Several vaults, side by side in one folder: their names, and which folder a name means.

The launcher asks here before it goes to another vault, so this imports little. The engine, which asks the launcher for
that, reads documents: what it sends is a plain name, and the only folders that a name can mean are siblings of the
vault that is in use: a vault, or one that is not there yet.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from vault.errors import StrongroomError

HEADER, MAGIC = "header", b"strongrm"
"""the file that makes a folder a vault, and how it begins, as vault/folder.py and vault/keys.py have it"""
BACKUP = "backup"  # the file that says that it is a copy: vault/manifest.py
_BUILDING = ".new"  # where a vault is made before it is one; a crash may leave it behind

_LONGEST = 60  # characters; a name of a file has 255 bytes
_NAME = re.compile(r"[^\W_](?:[\w .&,-]*[\w])?\Z")  # letters and digits of any script; no slash, no dot in front


class NotAVaultError(StrongroomError):
    """The name means a folder that is something else."""


@dataclass(frozen=True, slots=True)
class Named:
    """A vault beside others."""

    name: str
    path: Path


def checked(name: str) -> str:
    """The name of a vault as its folder has it. Raises StrongroomError for one that is none."""
    plain = unicodedata.normalize("NFC", name.strip())
    if not _NAME.match(plain) or len(plain) > _LONGEST:
        raise StrongroomError(
            f"a vault cannot be called {name[:_LONGEST]!r}",
            f"letters, digits, spaces and . & , - between them, {_LONGEST} characters at most",
        )
    return plain


def sibling(folder: Path, name: str) -> Path:
    """The folder of the vault that lies beside `folder` under this name, or could.

    Raises StrongroomError for a name that is none, and NotAVaultError where something else lies there: a link, a file,
    a folder with other things in it.
    """
    path = folder.parent / checked(name)
    if os.path.islink(path):
        raise NotAVaultError(f"{path} is a link", "a vault is opened by its own folder's name only")
    if not path.exists() or _is_vault(path):
        return path
    if not path.is_dir() or set(os.listdir(path)) - {_BUILDING}:
        raise NotAVaultError(f"{path} is there, and is no vault", "choose another name")
    return path


def beside(folder: Path) -> list[Named]:
    """The vaults that lie in the same folder, by name, the one at `folder` always among them.

    A vault whose folder's name is none that could be typed here (`--vault` takes any) is left out.
    """
    found = {folder.name: folder}
    try:
        entries = sorted(os.scandir(folder.parent), key=lambda entry: entry.name)
    except OSError:  # a folder that may be entered but not listed
        entries = []
    for entry in entries:
        plain = _NAME.match(entry.name) and len(entry.name) <= _LONGEST
        if plain and entry.is_dir(follow_symlinks=False) and _is_vault(Path(entry.path)):
            found[entry.name] = Path(entry.path)
    return [Named(name, found[name]) for name in sorted(found, key=str.casefold)]


def _is_vault(path: Path) -> bool:
    if os.path.lexists(path / BACKUP):
        return False  # it has a vault's header, and is restored, not opened
    try:
        with open(path / HEADER, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
