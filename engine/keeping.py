"""Keys, settings and backups."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import card, code_kept, looks, settings
from engine.engine import Engine
from vault import backup as copies
from vault import keys, rekey, remembered
from vault.errors import StrongroomError

KEYRING_NAME = "system's keyring"
"""as its secret's day is remembered and shown"""


def settings_get(engine: Engine) -> dict[str, Any]:
    """All settings."""
    engine.opened()
    return asdict(engine.settings)


def settings_set(engine: Engine, key: str, value: Any) -> dict[str, Any]:
    """Change one setting."""
    with engine.opened().vault.write() as db:
        engine.settings = settings.change(db, engine.settings, key, value)
    if key == "embedding_gpu":
        card.allow(engine.state, may=engine.settings.embedding_gpu)
    if key == "model_gpu":
        engine.answering.end()  # what its process may open is decided when it begins
    return asdict(engine.settings)


def passwd(engine: Engine, old: str, new: str, *, revoke: bool = False, to_confirm: bool = False) -> dict[str, Any]:
    """Change the passphrase; `revoke` also makes the old one and the old recovery code useless on copies made from now
    on. The answer holds the new recovery code then; `to_confirm` as in `recovery`."""
    vault = engine.opened().vault
    code = None
    if revoke:
        code = rekey.revoke(vault, old, new)
    else:
        rekey.change_passphrase(vault, old, new)
    with vault.write() as db:
        for kind in ("passphrase", "recovery code") if revoke else ("passphrase",):
            remembered.set_secret(db, kind, time.time())
        if revoke:
            code_kept.remember(db, confirmed=not to_confirm)
    return {"recovery_code": code}


def recovery(engine: Engine, passphrase: str, *, to_confirm: bool = False) -> dict[str, Any]:
    """Make a new recovery code; the old one ends. `to_confirm` if `recovery.confirmed` is to follow."""
    vault = engine.opened().vault
    code = rekey.new_recovery_code(vault, passphrase)
    with vault.write() as db:
        remembered.set_secret(db, "recovery code", time.time())
        code_kept.remember(db, confirmed=not to_confirm)
    return {"recovery_code": code}


def recovery_confirmed(engine: Engine) -> dict[str, Any]:
    """The user has the recovery code: it was typed as it was shown."""
    with engine.opened().vault.write() as db:
        code_kept.remember(db, confirmed=True)
    return {}


def keyring(engine: Engine) -> dict[str, Any]:
    """Whether the system's keyring opens the vault."""
    return {"on": engine.opened().vault.header.has(keys.KEYRING)}


def keyring_on(engine: Engine, passphrase: str) -> dict[str, Any]:
    """Let the system's keyring open the vault; the answer holds the secret that it is to keep."""
    vault = engine.opened().vault
    secret = rekey.keyring_on(vault, passphrase)
    with vault.write() as db:
        remembered.set_secret(db, KEYRING_NAME, time.time())
    return {"secret": secret}


def keyring_off(engine: Engine) -> dict[str, Any]:
    """End that; `was` says whether it did."""
    return {"was": rekey.keyring_off(engine.opened().vault)}


def backup(engine: Engine, target: str, *, lies: str | None = None) -> dict[str, Any]:
    """Write an encrypted copy of the open vault, and compare it. `lies` is where it will be found, if whoever asks
    moves it there."""
    return back_up(engine, target, lies or target, lambda: None)


def back_up(engine: Engine, target: str, lies: str, then: Callable[[], None]) -> dict[str, Any]:
    """As `backup`; `then` moves it to where it lies, and it is remembered only if that succeeds."""
    vault = engine.opened().vault
    made = copies.backup(vault, Path(target))
    then()
    path = str(Path(lies).absolute())
    with vault.write() as db:
        remembered.add_backup(db, remembered.Backup(path, made.at, made.generation))
    return asdict(made)


def backup_forget(engine: Engine, path: str) -> dict[str, Any]:
    """Leave a backup out of the list; it stays where it is."""
    with engine.opened().vault.write() as db:
        if not remembered.forget_backup(db, path):
            raise StrongroomError(f"no backup at {path} is remembered")
    return {}


def appearance(engine: Engine, value: str | None = None) -> dict[str, Any]:
    """How the page looks, light or dark or as the system has it; a `value` changes it, for all vaults."""
    if value is not None:
        engine.opened()
        looks.write(engine.state, value)
    return {"appearance": looks.read(engine.state)}
