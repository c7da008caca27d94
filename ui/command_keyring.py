"""The system's keyring: strongroom keyring, on, off; and what `serve` and `open` fetch from it at login."""

import argparse
import contextlib

from ui.command_session import Given, engine, require_vault
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError

_WEAKENS = (
    "From now on whoever can open your keyring can open this vault: programs that run as you while you are logged in,",
    "and a thief who has both and finds out your login password, which protects a keyring less well than your",
    "passphrase protects the vault. docs/how-to/run-at-login.md says more; `strongroom keyring off` ends it.",
)


def keyring(given: Given, options: argparse.Namespace) -> int:
    """Say whether the system's keyring opens the vault, or change it."""
    from vault.keys import KEYRING
    from vault.vault import read_header

    require_vault(given)
    header = read_header(given.vault)
    held = header.has(KEYRING)
    if options.action == "on":
        _on(given, header.vault_id.hex())
        held = True
    elif options.action == "off":
        _off(given, header.vault_id.hex())
        held = False
    if given.json:
        say_json({"keyring": held})
    elif options.action is None:
        say(f"the system's keyring {'opens this vault at login' if held else 'does not open this vault'}")
    return 0


def _on(given: Given, vault_id: str) -> None:
    from engine.keyring import Keyring, NoKeyringError

    with Keyring() as kept:
        if kept.fetch(vault_id):  # also: is there a keyring at all, before anything is changed
            tell("the keyring had a secret for this vault; it gets a new one")
        with engine(given) as client:
            secret = client.call("keyring.on", passphrase=given.passphrase.get())["secret"]
            try:
                kept.keep(vault_id, secret)
            except NoKeyringError:
                client.call("keyring.off")
                raise
    if not given.json:
        say("the system's keyring opens this vault now, when `strongroom serve` or `open` starts", *_WEAKENS)


def _off(given: Given, vault_id: str) -> None:
    from engine.keyring import Keyring, NoKeyringError

    with Keyring() as kept:
        with engine(given) as client:
            was = client.call("keyring.off")["was"]
        left: StrongroomError | None = None
        try:
            kept.forget(vault_id)
        except NoKeyringError as error:
            left = error
    if given.json:
        return
    say("the keyring opens this vault no more" if was else "the keyring did not open this vault")
    if left:  # worth a word, and no failure: what it keeps opens nothing
        tell(f"its secret is still kept, and opens nothing: {plain(left.message)}")
    elif was:
        say("backups from meanwhile still open with the secret that the keyring had; it is deleted there")


def fetch(given: Given) -> str:
    """What the keyring keeps for this vault; empty where it keeps nothing, or the vault has no slot for it."""
    from engine.keyring import Keyring, NoKeyringError
    from vault.keys import KEYRING
    from vault.vault import read_header

    with contextlib.suppress(StrongroomError):
        header = read_header(given.vault)
        if not header.has(KEYRING):
            return ""
        try:
            with Keyring() as kept:
                found = kept.fetch(header.vault_id.hex())
        except NoKeyringError as error:
            tell(f"strongroom: the vault stays locked: {plain(error.message)}")
            return ""
        if not found:
            tell("strongroom: the vault stays locked: the keyring is locked, or keeps no secret for it")
        return found
    return ""
