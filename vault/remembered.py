"""What the vault remembers of itself: where its backups went, and since when its secrets are what they are.

In the table `meta`, as JSON; nothing here is a secret. A backup does not know of itself: it is remembered once it was
made.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import apsw

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
