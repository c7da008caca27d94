"""Commands on the vault itself: init, passwd, recovery, backup, restore, settings, lock, unlock, destroy."""

import argparse
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ui import shown
from ui.command_session import Given, engine, require_vault, running
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError

_END_SECONDS = 20.0  # that an engine may take to close its vault and end
_IF_BOTH_ARE_LOST = (
    "Whoever has neither the passphrase nor this code cannot open the vault, you included, and nobody can help then.",
    "Lost would be the index, the history and the settings; never your documents, which stay where they are.",
)


def init(given: Given, options: argparse.Namespace) -> int:
    """Make a vault and print its recovery code."""
    from engine import client

    del options
    given.vault.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        found = client.connect(given.vault, given.state)
        if found is None:
            _refuse_used(given.vault)
            asked: Any = stack.enter_context(client.in_process(given.vault, given.state))
        else:
            asked = stack.enter_context(found)
            if asked.call("status")["state"] != "none":
                _refuse_used(given.vault)
        code = asked.call("create", passphrase=given.passphrase.new(given.passphrase.file))["recovery_code"]
    if given.json:
        say_json({"vault": str(given.vault), "recovery_code": code})
        return 0
    say(
        f"the vault is in {plain(given.vault)}",
        "",
        f"recovery code: {given.style.strong(code)}",
        "",
        "It opens the vault when the passphrase is forgotten. It is shown only now: write it on paper.",
        *_IF_BOTH_ARE_LOST,
        "",
        "next: `strongroom add FOLDER`, then `strongroom open` or `strongroom ask`",
    )
    return 0


def _refuse_used(folder: Path) -> None:
    from vault.failures import VaultExistsError
    from vault.vault import HEADER_NAME

    if (folder / HEADER_NAME).exists():
        raise VaultExistsError(folder, "already holds a vault")


def passwd(given: Given, options: argparse.Namespace) -> int:
    """Change the passphrase."""
    with engine(given) as client:
        old = given.passphrase.get()
        new = given.passphrase.new(options.new_from)
        code = client.call("passwd", old=old, new=new, revoke=options.revoke)["recovery_code"]
    if given.json:
        say_json({"recovery_code": code})
        return 0
    say("the passphrase is changed")
    if code:
        say(f"new recovery code, the old one ends: {given.style.strong(code)}")
    else:
        say("a copy of the vault from before still opens with the old one; see --revoke")
    return 0


def recovery(given: Given, options: argparse.Namespace) -> int:
    """Make a new recovery code."""
    del options
    with engine(given) as client:
        code = client.call("recovery", passphrase=given.passphrase.get())["recovery_code"]
    if given.json:
        say_json({"recovery_code": code})
    else:
        say(f"recovery code, the one before ends: {given.style.strong(code)}", *_IF_BOTH_ARE_LOST)
    return 0


def backup(given: Given, options: argparse.Namespace) -> int:
    """Write an encrypted copy of the vault, compared with it."""
    target = Path(os.path.abspath(options.target))
    if not target.parent.is_dir():
        raise StrongroomError(f"there is no folder {target.parent}", "is the drive mounted?")
    with running(given) as found:
        by_another = found is not None
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(engine(given, writable=[target.parent]))
        # A running engine may write to its own folders only: it puts the backup there, and this process moves it.
        staged = Path(stack.enter_context(_staging(given))) / "backup" if by_another else target
        if by_another and (target.exists() and (not target.is_dir() or any(target.iterdir()))):
            raise StrongroomError(f"{target} is not empty", "name a folder that does not exist yet")
        manifest = client.call("backup", target=str(staged), lies=str(target))
        if by_another:
            _move(staged, target)
    if given.json:
        say_json({"target": str(target), **manifest})
        return 0
    size = sum(each.stat().st_size for each in target.iterdir())
    tables = shown.count(len(manifest["tables"]), "table")
    say(
        f"the backup is in {plain(target)} ({shown.size(size)}), compared with the vault in {tables}",
        "it opens with the passphrase and the recovery code of today; `strongroom restore` puts it back",
    )
    return 0


@contextlib.contextmanager
def _staging(given: Given) -> Iterator[str]:
    given.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="backup-", dir=given.state) as folder:
        yield folder


def _move(staged: Path, target: Path) -> None:
    """Copy to the target's file system what a backup is made of, and nothing else that an engine may have put there."""
    from engine import delivering

    try:
        delivering.carry(staged, target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StrongroomError(f"the backup could not be written to {target}: {reason}") from error


def restore(given: Given, options: argparse.Namespace) -> int:
    """Make a vault from a backup, where there is none."""
    from vault import manifest
    from vault.vault import HEADER_NAME

    source = Path(os.path.abspath(options.source))
    if not source.is_dir():
        raise StrongroomError(f"there is no folder {source}", "name the folder that `strongroom backup` has written")
    if not os.path.lexists(source / manifest.FILE_NAME):
        from vault.backup import NotABackupError

        raise NotABackupError(source)
    if not options.replace and (given.vault / HEADER_NAME).exists():
        raise StrongroomError(
            f"{given.vault} already holds a vault",
            "--replace puts the backup there instead; `--vault DIR` names another folder",
        )
    given.vault.parent.mkdir(parents=True, exist_ok=True)
    with _locked_here(given, [given.vault.parent, source]):
        from retrieval import keyword
        from vault import backup as backups

        restored = backups.restore(
            source, given.vault, given.passphrase.get(), given.state,
            remove_from_index=keyword.remove, replace=options.replace,
        )  # fmt: skip
        restored.vault.close()
    made = datetime.fromtimestamp(restored.made).astimezone()
    purged = restored.purged.removed.documents if restored.purged else 0
    if given.json:
        say_json({"vault": str(given.vault), "made": restored.made, "purged": purged})
        return 0
    say(f"restored the vault of {made:%Y-%m-%d %H:%M} to {plain(given.vault)}, and compared it")
    if purged:
        say(f"{shown.count(purged, 'document')} that were purged since then were purged again")
    return 0


@contextlib.contextmanager
def _locked_here(given: Given, writable: Sequence[Path]) -> Iterator[None]:
    """Hold the right to this vault, with this process locked as an engine is."""
    from engine import lock, rendezvous

    with rendezvous.claim(given.vault, given.state):
        lock.limit_files(readable=None, writable=[*writable, given.state, Path(os.devnull)])
        lock.lock("engine")
        yield


def settings(given: Given, options: argparse.Namespace) -> int:
    """Print the settings, or change one."""
    if options.name and options.value is None:
        raise StrongroomError(
            f"no value for {options.name} was given",
            "`strongroom settings` prints all of them, `strongroom settings NAME VALUE` changes one",
        )
    with engine(given) as client:
        if options.name:
            found = client.call("settings.set", key=options.name.replace("-", "_"), value=options.value)
        else:
            found = client.call("settings.get")
    if given.json:
        say_json(found)
        return 0
    for name, value in found.items():
        told = (
            ("yes" if value else "no")
            if isinstance(value, bool)
            else f"{value:g}"
            if isinstance(value, float)
            else value
        )
        say(f"{name:18} {told}")
    return 0


def lock(given: Given, options: argparse.Namespace) -> int:
    """End the engine, and with it what it has in memory."""
    with running(given) as client:
        if client is None:
            require_vault(given)
            tell("no engine runs: the vault is locked")
            return 0
        client.call("lock", mode="page" if options.page else "all")
    if not options.page:
        _await_end(given)
    say("locked" if not options.page else "the page is locked; the folders are watched further")
    return 0


def _await_end(given: Given) -> None:
    """Until the engine that was open has ended, and another one answers, locked, or none."""
    from engine.client import EngineGoneError

    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(EngineGoneError), running(given) as client:
            if client is None or client.call("status")["state"] != "open":
                return
        time.sleep(0.05)
    raise StrongroomError("the engine has not ended yet", "`strongroom status` says when it has")


def unlock(given: Given, options: argparse.Namespace) -> int:
    """Open the vault of the engine that runs."""
    del options
    with running(given) as client:
        if client is None:
            raise StrongroomError(
                "no engine runs", "`strongroom open` starts one; other commands open the vault themselves"
            )
        if client.call("status")["state"] == "none":
            require_vault(given)
    with engine(given) as opened:
        state = opened.call("status")["state"]
    say(f"the vault is {state}")
    return 0


def destroy(given: Given, options: argparse.Namespace) -> int:
    """Delete the vault with all that belongs to it."""
    from engine import rendezvous
    from vault.vault import read_header, state_folder

    require_vault(given)
    with rendezvous.claim(given.vault, given.state):  # no engine may be at work on it
        if not options.yes:
            tell(f"this deletes the vault in {plain(given.vault)}: index, history, settings; never your documents")
            if given.keyboard.line("type destroy to go on: ").strip() != "destroy":
                tell("nothing was deleted")
                return 1
        beside: Path | None = None
        with contextlib.suppress(StrongroomError):  # a damaged header names no state
            beside = state_folder(given.state, read_header(given.vault).vault_id)
        # Its keys first: what a crash leaves after that opens for nobody.
        for name in ("header", *(each.name for each in given.vault.iterdir() if each.name.startswith("header"))):
            (given.vault / name).unlink(missing_ok=True)
        shutil.rmtree(given.vault)
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
    if given.json:
        say_json({"destroyed": str(given.vault)})
    else:
        say(f"deleted {plain(given.vault)}; backups of it still open with its passphrase")
    return 0
