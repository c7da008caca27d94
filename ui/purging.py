"""A purge's stages in words, the same on the page and in a terminal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ui.shown import count, size


def stage(found: Mapping[str, Any]) -> tuple[str, str]:
    """The stage of a receipt: its tone (`good`, `warn` or `bad`) and a sentence without a full stop."""
    now = found["stage"]
    if now["name"] == "shredding":
        return "warn", f"erased; being shredded, {now['percent']} % of the database is under a new key"
    if now["name"] == "erased":
        return "warn", f"erased; not yet shredded: {now['why']}"
    words = f"shredded {moment(now['at'])}: the database is under a new key, and the vault has the old one no more"
    if not now["pages"]:
        return "good", words
    read = f"{words}; {count(now['pages'], 'page')} read back"
    if now["confirmed"]:
        return "good", read + ", nothing was found"
    return "bad", read + ", and something was found"


def backups(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Of each known backup that is older than the purge: its tone, its path as it is, and what to know of it."""
    return [
        ("bad", each["path"], f"made {moment(each['at'])}, while it was in the vault: it still holds it")
        if each["holds"] == "yes"
        else (
            "warn",
            each["path"],
            f"made {moment(each['at'])}, before it came in: it holds it only if the vault had it earlier, too",
        )
        for each in found["backups"]
    ]


NO_BACKUPS = "no known backup is older than this purge"


def space(shredding: Mapping[str, Any]) -> str:
    """What shredding will need, said before a purge."""
    if not shredding["wanted"]:
        return (
            "it is erased, but not shredded, because the setting `shred` is no: the database keeps its key, and the "
            "disk may still have old blocks under it"
        )
    words = (
        f"afterwards the database is copied to a new key, which needs {size(shredding['needed_bytes'])} at "
        f"{shredding['folder']} for a while; {size(shredding['free_bytes'])} are free"
    )
    return words if shredding["fits"] else words + ": it is erased at once, and shredded when there is room"


def under_way(shredding: Mapping[str, Any]) -> str:
    """What the engine shreds now, or why it does not; empty if there is nothing to say."""
    if shredding["stage"] == "none":
        return ""
    waiting = count(shredding["pending"], "purge")
    if shredding["stage"] == "copying":
        return f"shredding {waiting}: {shredding['percent']} %"
    if shredding["stage"] == "soon":
        return f"{waiting} erased, shredded in a moment"
    return f"{waiting} erased and not shredded: {shredding['why']}"


def moment(at: float) -> str:
    """A time in the reader's own zone, to the minute."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
