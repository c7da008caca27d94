"""Where an operation is crashed, what its recording says of the vault's states, and what must be so afterwards."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vault import folder, keys, manifest, shred, store
from vault.errors import StrongroomError
from vault.vault import Vault

CANARY = "zanzibarville"


class WrongError(AssertionError):
    """What was found afterwards breaks a promise."""


@dataclass
class Place:
    """Where an operation works."""

    root: Path
    code: str = ""
    mark: Callable[[str], None] = lambda _: None
    mended: Callable[[], None] = lambda: None
    """makes the disk work again"""
    faulty: bool = False
    vault: Vault | None = None
    engine: Any = None
    zygote: Any = None
    embedder: Any = None

    @property
    def folder(self) -> Path:
        return self.root / "vault"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def papers(self) -> Path:
        return self.root.parent / "papers"

    def open(self, secret: str = "") -> Vault:
        self.vault = Vault.open(self.folder, secret or self.code, state=self.state)
        return self.vault


@dataclass(frozen=True)
class Known:
    """What the recording says of the vault's states: digest of all tables, and the tip before, by tip."""

    digests: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    kept: str = ""
    """tip of the newest that was acknowledged"""
    said: tuple[str, ...] = ()
    """the other marks"""


# --- the states of a vault, as it goes through them ---------------------------------------------------------------


def watch(mark: Callable[[str], None]) -> None:
    """Have every commit of this process say what it is about to make of the tables, and then that it is anchored."""
    put_state, anchor = folder.put_state, Vault.anchor

    def about(db: Any, state: Any) -> None:
        put_state(db, state)
        mark(f"about {state.tip.hex()} {state.previous.hex()} {digest(db)}")

    def kept(self: Vault) -> None:
        anchor(self)
        mark(f"kept {self._current.tip.hex()}")

    replace_everywhere(put_state, about)
    Vault.anchor = kept  # type: ignore[method-assign]


def replace_everywhere(function: Any, other: Any) -> None:
    """In each module that imported it by its name."""
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()) if hasattr(module, "__dict__") else ():
            if value is function:
                setattr(module, name, other)


def known(start: Known, said: list[str]) -> Known:
    """The states that `start` and these marks tell of."""
    digests, before, kept, rest = dict(start.digests), dict(start.before), start.kept, list(start.said)
    for each in said:
        word, *values = each.split(" ")
        if word == "about":
            tip, previous, made = values
            digests[tip], before[tip] = made, previous
        elif word == "kept":
            kept = values[0]
        else:
            rest.append(each)
    return Known(digests, before, kept, tuple(rest))


def digest(db: Any) -> str:
    """Of every table's content."""
    return hashlib.blake2b(json.dumps(manifest.contents(db), sort_keys=True).encode(), digest_size=12).hexdigest()


def state_now(vault: Vault) -> Known:
    """The state of an open vault, as a beginning."""
    with vault.read() as db:
        tip = vault._current.tip.hex()
        return Known({tip: digest(db)}, {}, tip)


# --- what must be so afterwards -----------------------------------------------------------------------------------


def secret_of(place: Place, *secrets: str) -> str:
    """The first of these that opens the header; without counting attempts."""
    header = folder.read_header(place.folder)
    for secret in secrets:
        code = keys.as_code(secret)
        with contextlib.suppress(StrongroomError):
            if code:
                keys.unlock_with_code(header, code)
            else:
                keys.unlock_with_passphrase(header, secret)
            return secret
    raise WrongError("neither the old secrets nor the new ones open the vault")


def look(place: Place, told: Known, secret: str = "") -> str:
    """Open the vault and hold it against what is known; returns `as acknowledged` or `one commit more`."""
    opening: list[str] = []
    place.mark, mark = opening.append, place.mark
    try:
        vault = place.open(secret)
    except StrongroomError as error:
        raise WrongError(f"it does not open: {error.message}") from error
    finally:
        place.mark = mark
    try:
        with vault.read() as db:
            found = digest(db)
            check = db.execute("PRAGMA integrity_check").fetchall()
            strays = db.execute("PRAGMA foreign_key_check").fetchall()
        if check != [("ok",)] or strays:
            raise WrongError(f"the database is not sound: {check[:3]} {strays[:3]}")
        tip = vault._current.tip.hex()
        since = known(told, opening)
        while tip not in told.digests and tip in since.before:  # opening itself went on
            tip = since.before[tip]
        if told.kept != tip and told.before.get(tip) != told.kept:
            raise WrongError(f"its state is {tip[:8]}, acknowledged was {told.kept[:8]}")
        if tip == vault._current.tip.hex() and told.digests[tip] != found:
            raise WrongError("its state has the name of one that was written, and another content")
        epoch = vault.header.epoch
        databases = [store.name(epoch), *([store.name(epoch + 1)] if shred.state(vault).begun else [])]
        left = [
            path.name
            for path in place.folder.iterdir()
            if path.name.endswith(".new")
            or (path.name.startswith("store-") and not path.name.startswith(tuple(databases)))
        ]
        if left:
            raise WrongError(f"left over: {left}")
    finally:
        vault.close()
    nothing_readable(place.root)
    return "as acknowledged" if tip == told.kept else "one commit more"


def nothing_readable(root: Path) -> None:
    """No file holds the documents' words, or is a plain database."""
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if CANARY.encode() in data or data.startswith(b"SQLite format 3") or b"CREATE TABLE" in data:
                raise WrongError(f"{path.name} can be read without a key")
