"""What the user can set, kept in the vault."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import apsw

from vault.errors import StrongroomError


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once, changed by `change`, passed down."""

    auto_lock_minutes: float = 10.0
    """without user action, until the passphrase is asked for again; 0 never"""
    lock_ends_engine: bool = False
    """whether locking by itself ends the engine too, or it goes on watching the folders"""
    lock_on_sleep: bool = True
    """whether it locks when the machine was asleep"""
    embed_on_battery: bool = False
    history: bool = True
    """whether questions and answers are kept (encrypted)"""
    shred: bool = True
    """whether the database goes to a new key after a purge, which needs as much free space again for a while"""
    vector_index: str = "exact"
    """exact or chroma: which index is asked for near vectors, where no server is"""
    model: str = ""
    """SHA-256 of the model that writes answers; empty: none, answers are the documents' own sentences"""
    answer_mode: str = "model"
    """model: the chosen one writes, where there is one; extractive: it writes only when asked to"""
    model_idle_minutes: float = 10.0
    """without a question, until a model's memory is given back; 0 never"""
    embedding_gpu: bool = False
    """whether an embedding model of the user's choice may be computed on a graphics card: from the next start on, the
    engine can open the card's device files"""
    model_gpu: bool = False
    """whether the model's process may use a graphics card: on Linux that opens the card's device files to it, and the
    files of programs for reading"""
    readers: dict[str, str] = field(default_factory=dict)
    """which reader reads a format, by name, where it is not the default: see ingest/readers.py"""


def load(db: apsw.Connection) -> Settings:
    """The settings as the vault has them."""
    known = {each.name for each in fields(Settings)}
    return Settings(
        **{key: json.loads(value) for key, value in db.execute("SELECT key, value FROM setting") if key in known}
    )


def change(db: apsw.Connection, settings: Settings, key: str, value: Any) -> Settings:
    """Set one, within the caller's transaction. Raises StrongroomError for a name or value that is none."""
    current = asdict(settings)
    if key not in current:
        raise StrongroomError(f"no setting is called {key!r}", f"there are {', '.join(current)}")
    checked = _checked(key, value, type(current[key]))
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?,?)", (key, json.dumps(checked)))
    return replace(settings, **{key: checked})


_CHOICES = {"answer_mode": ("model", "extractive")}


def choose_index(db: apsw.Connection, settings: Settings, kind: str) -> Settings:
    """Set the vector index, within the caller's transaction, which has made sure that there is one."""
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES ('vector_index', ?)", (json.dumps(kind),))
    return replace(settings, vector_index=kind)


def choose_model(db: apsw.Connection, settings: Settings, sha256: str) -> Settings:
    """Set the model, within the caller's transaction, which has made sure that it is one of those that were added."""
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES ('model', ?)", (json.dumps(sha256),))
    return replace(settings, model=sha256)


def choose_reader(db: apsw.Connection, settings: Settings, kind: str, reader: str) -> Settings:
    """Set the reader of a format, within the caller's transaction, which has made sure that there is one; empty for the
    default."""
    readers = {
        **{each: name for each, name in settings.readers.items() if each != kind},
        **({kind: reader} if reader else {}),
    }
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES ('readers', ?)", (json.dumps(readers),))
    return replace(settings, readers=readers)


def _checked(key: str, value: Any, kind: type) -> Any:
    if kind is dict:
        raise StrongroomError(f"{key} cannot be set by itself", "`strongroom reader FORMAT NAME` chooses a reader")
    if kind is str:
        if key not in _CHOICES:
            how = {
                "model": "`strongroom model use NAME` chooses a model",
                "vector_index": "`strongroom vectors exact` or `chroma` chooses one",
            }
            raise StrongroomError(f"{key} cannot be set by itself", how[key])
        if value not in _CHOICES[key]:
            raise StrongroomError(f"{key} cannot be {value!r}", f"it is {' or '.join(_CHOICES[key])}")
        return value
    if kind is bool:
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        if isinstance(value, bool):
            return value
        raise StrongroomError(f"{key} cannot be {value!r}", "it is yes or no")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 24 * 60:
        raise StrongroomError(f"{key} cannot be {value!r}", "it is a number of minutes from 0 (never) to 1440")
    return number
