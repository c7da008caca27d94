"""Trying the protection out on the user's own machine: what must be refused is attempted, what must be noticed is done.

Nothing of the vault is changed: what is tampered with are copies.
"""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ui import shown
from ui.command_session import Given, require_vault, running
from vault.errors import DamagedVaultError, StrongroomError

_MOST_COPIED_BYTES = 1 << 30  # of the database; a larger one is read, but not copied to be tampered with
_IN_USE = "the vault's own checks were left out: it is open"
_THREAD_SECONDS = 5.0
_FLIPS = 64  # bits changed in the header, spread over it


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    name: str
    ok: bool
    detail: str = ""


def run(given: Given) -> list[Check]:
    """Try everything that can be tried here, the vault's part only where there is one. Locks this process for good."""
    found = [_lock(profile) for profile in ("engine", "page", "worker")]
    found += (at_work := _at_work(given))
    if any(each.name == _IN_USE for each in at_work):
        return found
    try:
        require_vault(given)
    except StrongroomError:
        return [*found, Check("the vault's own checks were left out", True, "there is no vault yet")]
    from engine import lock

    given.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.state) as aside:
        lock.limit_files(readable=None, writable=[given.vault, given.state, Path(os.devnull)])
        lock.lock("engine")
        return found + _vault(given, Path(aside))


def _at_work(given: Given) -> list[Check]:
    """What holds the processes that run for this vault."""
    with running(given) as client:
        if client is None:
            return []
        held = client.call("protection")
        opened = client.call("status")["state"] == "open"
    until = time.monotonic() + _THREAD_SECONDS
    while threading.active_count() > 1 and time.monotonic() < until:
        time.sleep(0.01)  # the client's own thread: files can be limited only where there is one
    told = ", ".join(f"{name}: {len(report.get('refused', ()))} ways refused" for name, report in held.items())
    found = [Check("the processes that run now are locked", bool(held), told)]
    return [*found, Check(_IN_USE, True, "`strongroom lock` first")] if opened else found


def _lock(profile: Any) -> Check:
    """In a child, because the lock stays on for good."""
    from engine import lock

    def inside() -> dict[str, Any]:
        if profile != "worker":
            return lock.lock(profile).to_json()
        lock.limit_files(readable=(), writable=())
        report = lock.lock("worker", verify=False)  # it would look at /proc, which a worker may not
        refused = lock.probe()
        with contextlib.suppress(PermissionError):
            os.close(os.open("/etc/passwd", os.O_RDONLY))
            return {"error": "a file could be opened"} if report.landlock else {**report.to_json(), "refused": refused}
        return {**report.to_json(), "refused": (*refused, "open a file")}

    name = f"the lock of the {profile} holds"
    report = _in_child(inside)
    if "error" in report:
        return Check(name, False, report["error"])
    missing = f"; not held here: {', '.join(report['missing'])}" if report["missing"] and profile == "worker" else ""
    return Check(name, bool(report["refused"]), f"refused: {', '.join(report['refused'])}{missing}")


def _in_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            result = work()
        except StrongroomError as error:
            result = {"error": error.message}
        except OSError as error:
            result = {"error": str(error)}
        finally:
            with contextlib.suppress(OSError, NameError):
                os.write(write_end, json.dumps(result).encode())
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    answer: dict[str, Any] = json.loads(told) if told else {"error": "the child ended without an answer"}
    return answer


def _vault(given: Given, aside: Path) -> list[Check]:
    from vault import keys, store
    from vault.failures import WrongPassphraseError
    from vault.vault import HEADER_NAME, Vault

    found = [_modes(given.vault)]
    raw = (given.vault / HEADER_NAME).read_bytes()
    header = keys.Header.from_bytes(raw)
    found.append(_noticed(
        "a wrong passphrase opens nothing",
        lambda: keys.unlock_with_passphrase(header, secrets.token_hex(16)), WrongPassphraseError,
    ))  # fmt: skip
    flips = [(at * len(raw) // _FLIPS, 1 << (at % 8)) for at in range(_FLIPS)]
    missed = [place for place, bit in flips if not _header_refused(raw, place, bit)]
    found.append(
        Check("a changed bit in the header is noticed", not missed, f"{_FLIPS - len(missed)} of {_FLIPS} tried")
    )

    newest = "the database is the newest that this machine has seen"
    try:
        vault = Vault.open(given.vault, given.passphrase.get(), state=given.state, accept_older=given.accept_older)
    except DamagedVaultError as error:
        return [*found, Check(newest, False, error.message)]
    try:
        found.append(Check(newest, not given.accept_older, "not asked" if given.accept_older else ""))
        with vault.read() as db:
            damage = db.execute("PRAGMA integrity_check(1)").get
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        found.append(
            Check("every page of the database is as it was written", damage == "ok", "" if damage == "ok" else damage)
        )
        database = given.vault / store.name(vault.header.epoch)
        found.append(_noticed_plain(database))
        found.append(_tampered(database, aside, vault.database_key))
    finally:
        vault.close()
    return found


def _modes(folder: Path) -> Check:
    loose = [each.name for each in [folder, *folder.iterdir()] if each.stat().st_mode & 0o077]
    return Check("only you can enter the vault's folder", not loose, ", ".join(loose))


def _header_refused(raw: bytes, place: int, bit: int) -> bool:
    from vault import keys

    changed = bytearray(raw)
    changed[place] ^= bit
    try:
        keys.Header.from_bytes(bytes(changed))
    except StrongroomError:
        return True
    return False


def _noticed(name: str, attempt: Callable[[], object], expected: type[StrongroomError]) -> Check:
    try:
        attempt()
    except expected:
        return Check(name, True)
    return Check(name, False)


def _noticed_plain(database: Path) -> Check:
    from vault import store

    name = "the database begins with nothing that SQLite would know"
    try:
        store.check_encrypted(database)
    except StrongroomError as error:
        return Check(name, False, error.message)
    return Check(name, True, shown.size(database.stat().st_size))


def _tampered(database: Path, aside: Path, key: bytes) -> Check:
    """One bit in the middle of a copy."""
    from vault import store
    from vault.failures import explained

    name = "a changed bit in the database is noticed"
    size = database.stat().st_size
    if size > _MOST_COPIED_BYTES:
        return Check(name, True, "not tried: the database is too large to copy")
    copy = aside / database.name
    shutil.copyfile(database, copy)
    with copy.open("r+b") as file:
        file.seek(size // 2)
        byte = file.read(1)[0]
        file.seek(size // 2)
        file.write(bytes([byte ^ 1]))
    try:
        with explained(aside):
            db = store.open_readonly(copy, key)
            try:
                ok = db.execute("PRAGMA integrity_check(1)").get == "ok"
            finally:
                db.close()
    except DamagedVaultError:
        ok = False
    copy.unlink()
    return Check(name, not ok)
