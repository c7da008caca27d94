"""Light or dark, where the user does not leave that to the system: one word in a file of the state folder.

Not a setting of the vault: the page that asks for the passphrase shows it too, and all vaults share it. It says nothing
about anybody's papers.
"""

from pathlib import Path

from vault.errors import StrongroomError
from vault.files import write_atomically

CHOICES = ("system", "light", "dark")
_FILE = "appearance"


def read(state: Path) -> str:
    """One of CHOICES."""
    try:
        with open(state / _FILE, encoding="ascii") as file:
            word = file.read(16).strip()
    except (OSError, UnicodeDecodeError):
        return CHOICES[0]
    return word if word in CHOICES else CHOICES[0]


def write(state: Path, value: str) -> None:
    """Keep a choice. Raises StrongroomError for a word that is none of the three."""
    if value not in CHOICES:
        raise StrongroomError(f"appearance cannot be {value!r}", f"it is {', '.join(CHOICES)}")
    write_atomically(state / _FILE, value.encode() + b"\n")
