"""Whether the engine may use a graphics card: a file of the state folder, empty, there or not.

Which device files a process may open is decided before it sees a vault, and the setting `embedding_gpu` lies in one: so
this is written when the setting is changed, and read when the next engine begins. It holds for all vaults.
"""

from pathlib import Path

from vault.files import write_atomically

_FILE = "graphics-card"


def allowed(state: Path) -> bool:
    """Whether the next engine may."""
    return (state / _FILE).is_file()


def allow(state: Path, *, may: bool) -> None:
    """Let the next engine, or not."""
    if may:
        write_atomically(state / _FILE, b"")
    else:
        (state / _FILE).unlink(missing_ok=True)
