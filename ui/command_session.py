"""What every command has in common: where the vault is, the passphrase, and an engine to ask."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ui.terminal import Keyboard, Style, plain, tell
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from engine.client import Client, LocalClient

Caller: TypeAlias = "Client | LocalClient"
"""whoever answers: a running engine, or one in this process"""

_TRIES = 3  # for somebody who mistypes; the vault itself slows down those who guess
_MISTYPED = ("the passphrase is wrong", "the recovery code was mistyped")  # over a socket, messages are all there is
_MOST_PASSPHRASE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Given:
    """What the environment and the options before the command's own say. Made once, passed down."""

    vault: Path
    state: Path
    config: Path
    keyboard: Keyboard
    style: Style
    passphrase: "Passphrase"
    accept_older: bool = False
    json: bool = False


def given(environment: Mapping[str, str], *, vault: str | None, accept_older: bool, json: bool) -> Given:
    """The one place where the environment is read: `STRONGROOM_VAULT`, `STRONGROOM_PASSPHRASE_FILE`, the XDG folders
    (XDG Base Directory Specification 0.8), `NO_COLOR`, `TERM`."""
    where = vault or environment.get("STRONGROOM_VAULT")
    data, state, config = _folders(environment)
    secret = environment.get("STRONGROOM_PASSPHRASE_FILE")
    colours = sys.stdout.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    keyboard = Keyboard()
    return Given(
        vault=Path(where).expanduser().absolute() if where else data,
        state=state,
        config=config,
        keyboard=keyboard,
        style=Style(colours=colours),
        passphrase=Passphrase(keyboard, Path(secret).expanduser() if secret else None),
        accept_older=accept_older,
        json=json,
    )


def _folders(environment: Mapping[str, str]) -> tuple[Path, Path, Path]:
    """The vault's folder, the state folder and the configuration folder where nothing else is said."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))

    def base(name: str, otherwise: Path) -> Path:
        value = environment.get(name, "")
        return Path(value) if os.path.isabs(value) else otherwise  # the specification: relative ones are ignored

    if sys.platform == "darwin":
        library = home / "Library" / "Application Support"
        data, state = base("XDG_DATA_HOME", library), base("XDG_STATE_HOME", library / "Strongroom State")
        return _usual(data / "Strongroom"), state / "strongroom", base("XDG_CONFIG_HOME", library) / "Strongroom Config"
    return (
        _usual(base("XDG_DATA_HOME", home / ".local" / "share") / "strongroom"),
        base("XDG_STATE_HOME", home / ".local" / "state") / "strongroom",
        base("XDG_CONFIG_HOME", home / ".config") / "strongroom",
    )


def _usual(vaults: Path) -> Path:
    """The vault that is meant where none is named: `vault` in the folder of all vaults, or that folder itself, where a
    vault lies directly in it, as the first ones did."""
    from engine.vaults import HEADER

    return vaults if (vaults / HEADER).exists() else vaults / "vault"


# --- the passphrase -------------------------------------------------------------------------------------------------


class Passphrase:
    """The vault's passphrase (or recovery code): read or asked for when it is first needed, which is after this process
    was locked, and only once."""

    def __init__(self, keyboard: Keyboard, file: Path | None) -> None:
        self._keyboard = keyboard
        self._secret: str | None = None
        self.file = file

    def get(self) -> str:
        """The passphrase. Raises StrongroomError where it cannot be had."""
        if self._secret is None:
            self._secret = read_secret(self.file) if self.file else self._keyboard.secret("passphrase: ")
        return self._secret

    def forget(self) -> None:
        """It was mistyped."""
        self._secret = None

    def new(self, file: Path | None = None) -> str:
        """A passphrase to be set: from `file`, or typed twice."""
        if file:
            return read_secret(file)
        while True:
            typed = self._keyboard.secret("new passphrase: ")
            if typed == self._keyboard.secret("once more: "):
                return typed
            tell("they differ; type both again")


def read_secret(file: Path) -> str:
    """The first line of a file. Raises StrongroomError where there is none to read."""
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            content = opened.read(_MOST_PASSPHRASE_BYTES)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StrongroomError(
            f"the passphrase file {file} cannot be read: {reason}", "STRONGROOM_PASSPHRASE_FILE names it"
        ) from error
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        tell(f"strongroom: others on this machine may read {plain(file)} (chmod 600 keeps them out)")
    try:
        secret = content.split(b"\n", 1)[0].rstrip(b"\r").decode()
    except UnicodeDecodeError as error:
        raise StrongroomError(f"the passphrase file {file} is not UTF-8") from error
    if not secret:
        raise StrongroomError(f"the passphrase file {file} is empty", "its first line is the passphrase")
    return secret


# --- the engine -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def engine(given: Given, *, writable: Sequence[Path] = ()) -> Iterator[Caller]:
    """An open vault's engine: the one that runs, else one in this process, which is locked for good by this.

    Asks for the passphrase where it is needed. `writable` are folders that the command writes to besides its own.
    """
    from engine import client

    running = client.connect(given.vault, given.state)
    if running is not None:
        with running:
            status = running.call("status")
            if status["state"] == "none":
                raise no_vault(given)
            if status["state"] == "locked" or status.get("idle_locked"):
                unlock(given, running)
            yield running
        return
    require_vault(given)
    with client.in_process(given.vault, given.state, writable=writable, config_folder=given.config) as local:
        unlock(given, local)
        yield local


@contextlib.contextmanager
def running(given: Given) -> Iterator["Caller | None"]:
    """The engine that runs for this vault, open or locked; None where none does."""
    from engine import client

    found = client.connect(given.vault, given.state)
    if found is None:
        yield None
        return
    with found:
        yield found


def unlock(given: Given, client: Caller) -> dict[str, Any]:
    """Open the vault, asking again where the passphrase was mistyped."""
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            status: dict[str, Any] = client.call(
                "unlock", passphrase=given.passphrase.get(), accept_older=given.accept_older
            )
        except StrongroomError as error:
            given.passphrase.forget()
            if given.passphrase.file or not tries_left or not error.message.startswith(_MISTYPED):
                raise
            tell(f"strongroom: {plain(error.message)}")
        else:
            return status
    raise AssertionError("the last try returns or raises")


def require_vault(given: Given) -> None:
    """Raise StrongroomError unless there is a vault."""
    from vault.vault import HEADER_NAME

    if not (given.vault / HEADER_NAME).exists():
        raise no_vault(given)


def no_vault(given: Given) -> StrongroomError:
    """That there is no vault, and what to do."""
    from vault.failures import NoVaultError

    return NoVaultError(given.vault)
