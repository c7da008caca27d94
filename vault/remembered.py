"""What the vault remembers of itself: where its backups went, and since when its secrets are what they are.

In the table `meta`, as JSON; nothing here is a secret. A backup does not know of itself: it is remembered once it was
made.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apsw

from vault.errors import StrongroomError
from vault.folder import read_header

_BACKUPS, _SECRETS = "backups", "secrets since"
_MOST_BACKUPS = 100


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup that was made."""

    path: str
    at: float
    """seconds since 1970"""
    generation: int
    """the vault's, so many commits old"""


def add_backup(db: apsw.Connection, made: Backup) -> None:
    """Remember a backup, within the caller's transaction; one made at the same place before is forgotten."""
    kept = [each for each in backups(db) if each.path != made.path]
    _write(db, _BACKUPS, [asdict(each) for each in [*kept, made][-_MOST_BACKUPS:]])


def forget_backup(db: apsw.Connection, path: str) -> bool:
    """Forget the backup at this place, which itself stays as it is; return whether it was known."""
    known = backups(db)
    kept = [each for each in known if each.path != path]
    _write(db, _BACKUPS, [asdict(each) for each in kept])
    return len(kept) < len(known)


def backups(db: apsw.Connection) -> list[Backup]:
    """The backups that were made, oldest first."""
    return [Backup(**each) for each in _read(db, _BACKUPS, [])]


def lies_there(path: str, vault_id: bytes) -> bool:
    """Whether a backup of this vault lies there now."""
    try:
        return read_header(Path(path)).vault_id == vault_id
    except (StrongroomError, OSError):
        return False


class Places:
    """Whether backups lie where they were put, told without waiting for a drive that does not answer.

    A look at a dead network drive can last for ever and cannot be broken off, so each path is looked at by a thread of
    its own, and by one at a time.
    """

    def __init__(self, look: Callable[[str, bytes], bool] = lies_there) -> None:
        self._look = look
        self._lock = threading.Condition()
        self._looking: set[str] = set()
        self._found: dict[str, bool] = {}

    def reachable(self, paths: Sequence[str], vault_id: bytes, *, seconds: float = 1.0) -> dict[str, bool | None]:
        """By path; None where nothing answered within so many seconds, for all of them together."""
        until = time.monotonic() + seconds
        with self._lock:
            for path in set(paths) - self._looking:
                self._looking.add(path)
                self._found.pop(path, None)
                threading.Thread(target=self._run, args=(path, vault_id), name="look-for-backup", daemon=True).start()
            while self._looking & set(paths) and (left := until - time.monotonic()) > 0:
                self._lock.wait(left)
            return {path: None if path in self._looking else self._found.get(path, False) for path in paths}

    def _run(self, path: str, vault_id: bytes) -> None:
        found = False
        try:
            found = self._look(path, vault_id)
        finally:
            with self._lock:
                self._found[path] = found
                self._looking.discard(path)
                self._lock.notify_all()


def set_secret(db: apsw.Connection, kind: str, at: float) -> None:
    """Remember when a secret (`passphrase`, `recovery code`) became what it is, within the caller's transaction."""
    _write(db, _SECRETS, {**secrets(db), kind: at})


def secrets(db: apsw.Connection) -> dict[str, float]:
    """Since when each secret is what it is, seconds since 1970; of a vault made before this was kept, nothing."""
    found: dict[str, float] = _read(db, _SECRETS, {})
    return found


def _read(db: apsw.Connection, key: str, otherwise: Any) -> Any:
    row: Any = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return json.loads(row[0]) if row else otherwise


def _write(db: apsw.Connection, key: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)", (key, json.dumps(value, ensure_ascii=False)))
