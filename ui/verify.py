"""Trying the protection out on the user's own machine: what must be refused is attempted, what must be noticed is done.

Each part runs in a process of its own (`ui/apart.py`): the lock stays on for good, and the part that has the passphrase
has nothing else. Nothing of the vault is changed, but the note of what came out; what is tampered with are copies, and
a throwaway vault.
"""

import contextlib
import os
import resource
import shlex
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.verdict import CHANGED, PROGRAM, READABLE, SENT, Row, from_json, judged
from ui import apart
from ui.apart import Apart, Line
from ui.command_session import Given, running
from vault.errors import DamagedVaultError, StrongroomError

_MOST_COPIED_BYTES = 1 << 28  # of the database, to be tampered with; a larger one is read, but not copied
_READ_SECONDS = 60.0  # of the vault, while the rest goes on
_PROFILES = ("engine", "page", "zygote", "worker", "writer", "connector")
_TRIES = 3  # for somebody who mistypes
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - looked through, not written to

_OWN = Row("vault", CHANGED, "Your own vault is whole", "unknown", "")
_REHEARSAL = Row("rehearsal", READABLE, "A throwaway Strongroom keeps its promises", "unknown", "tried to start one")
_CORE = Row("lock.core", READABLE, "A process that crashes leaves no picture of its memory", "unknown", "")
_PROGRAM = Row("program", PROGRAM, "The parts are what was pinned", "unknown", "")


def run(given: Given, say: Callable[[str], None] = lambda _words: None) -> dict[str, Any]:
    """Try everything that can be tried here, and return the report; `say` hears what goes on. It is kept in the vault
    where one could be opened."""
    from engine import looking, verifying

    began = time.time()
    given.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    parts: list[Apart] = []

    def begin(work: Callable[[Line], Any]) -> Apart:
        parts.append(apart.start(work))
        return parts[-1]

    with tempfile.TemporaryDirectory(dir=given.state, prefix="verify-") as aside:
        try:
            at_work = begin(lambda _: _at_work(given)).next()
            rows, state = _rows(at_work, _OWN), at_work.get("state", "unknown")
            own = begin(lambda line: _own_vault(given, Path(aside), line)) if state == "locked" else None
            opened = own.next() if own else {}  # it may ask for the passphrase: nothing else is told meanwhile
            say("making a throwaway Strongroom and trying it out: about half a minute")
            program = begin(lambda _: _as_rows(looking.program()))
            rehearsal = begin(lambda _: _rehearse(Path(aside)))
            known = {row.id for row in rows}
            fresh = [each for each in _PROFILES if f"lock.{each}" not in known]
            rows += [row for each in fresh for row in _rows(begin(_lock(each)).next(), _no_lock(each))]
            rows.append(_vectors(given))
            rows += _rows(begin(lambda _: _as_rows([_core_dump(Path(aside))])).next(), _CORE)
            rows += _rows(rehearsal.next(), _REHEARSAL) + _rows(program.next(), _PROGRAM)
            rows += looking.this_machine(given.vault)
            if own:
                rows += _rows(own.next() if "error" not in opened else opened, _OWN)
            report = verifying.report(rows, began, "command")
            if own:
                own.tell(report)
            elif state == "open":
                begin(lambda _: _keep(given, report)).next()
        except BaseException:
            for part in parts:
                part.end(now=True)
            raise
        for part in parts:
            part.end()
    return report


def _as_rows(rows: list[Row], **more: Any) -> dict[str, Any]:
    return {"rows": [each.to_json() for each in rows], **more}


def _rows(told: Any, otherwise: Row) -> list[Row]:
    """The rows of a part. Where it failed, `otherwise` says what was not tried, with the reason."""
    if "error" in told:
        return [replace(otherwise, found=told["error"])]
    return from_json(told["rows"])


# --- what runs already ------------------------------------------------------------------------------------------------


def _at_work(given: Given) -> dict[str, Any]:
    """What holds the processes that run for this vault, and what their engine can say of it; `state` of the vault:
    none, locked or open."""
    from engine import looking, proving
    from vault.vault import HEADER_NAME

    if not (given.vault / HEADER_NAME).exists():
        return _as_rows([replace(_OWN, found="there is no vault yet: `strongroom init` makes one")], state="none")
    with running(given) as client:
        if client is None:
            return _as_rows(proving.closed(given.vault), state="locked")
        held = client.call("protection", check=True)
        # A parser that is at work tries one way only, for every file; one that is made for this tries all.
        at_work = {name: report for name, report in held.items() if name != "worker"}
        rows = [looking.process(name, report, running=True) for name, report in at_work.items()]
        status = client.call("status")
        if status["state"] == "locked":
            return _as_rows([*rows, *proving.closed(given.vault)], state="locked")
        if status.get("idle_locked"):
            why = "its engine waits for your passphrase: `strongroom unlock`, and then this once more"
            return _as_rows([*rows, *proving.closed(given.vault), replace(_OWN, found=why)], state="waits")
        rows += from_json(client.call("verify.vault")["rows"])
        why = "your vault is open: `strongroom lock` first, to have it tried on a copy as well"
        return _as_rows(
            [*rows, replace(_OWN, claim="A copy of your vault can be tampered with", found=why)], state="open"
        )


def _keep(given: Given, report: dict[str, Any]) -> dict[str, Any]:
    with running(given) as client:
        if client is not None:
            client.call("verify.keep", report=report)
    return {}


# --- the lock ---------------------------------------------------------------------------------------------------------


def _no_lock(profile: str) -> Row:
    from engine import looking

    return looking.process(profile, {"error": "the process that tried ended without an answer"}, running=False)


def _lock(profile: Any) -> Callable[[Line], dict[str, Any]]:
    """Try a kind of process's lock; in a child, because it stays on for good."""

    def inside(_line: Line) -> dict[str, Any]:
        from engine import lock, looking

        try:
            report = _locked(lock, profile)
        except lock.LockError as error:
            report = {"error": error.message}
        return _as_rows([looking.process(profile, report, running=False)])

    return inside


def _locked(lock: Any, profile: str) -> dict[str, Any]:
    # As the launcher and the zygote do it, each kind in its way.
    if profile in ("page", "zygote", "connector"):
        lock.limit_files(readable=lock.program_folders(), writable=[Path(os.devnull)])
    if profile == "engine":
        lock.limit_files(readable=None, writable=[Path(os.devnull)])
    if profile not in ("worker", "writer"):
        report: dict[str, Any] = lock.lock(profile).to_json()
        return report
    lock.limit_files(readable=(), writable=())
    report = lock.lock(profile, verify=False).to_json()  # it would look at /proc, which these may not
    refused = lock.probe()
    with contextlib.suppress(PermissionError):
        os.close(os.open("/etc/passwd", os.O_RDONLY))
        return {"error": "a file could be opened"} if report["landlock"] else {**report, "refused": refused}
    return {**report, "refused": (*refused, "open a file")}


def _vectors(given: Given) -> Row:
    """Whether vectors go to a server, as the user chose; by the file that says so, which an engine cannot write."""
    from engine import server_address

    path = server_address.path(given.config, given.vault)
    try:
        address = server_address.read(given.config, given.vault, [given.vault, given.state])
        found = (
            f"they go to {address}, as you chose; a vector can be turned back into much of its text" if address else ""
        )
    except StrongroomError as error:
        found = f"you chose a server, and it is not used: {error.message}"
    return Row(
        "vectors",
        SENT,
        "The vectors of your passages stay on this machine",
        "yours" if found else "held",
        f"looked whether {path} names a server",
        found or "there is none",
        f"cat {shlex.quote(str(path))}",
        "no such file",
    )


def _core_dump(aside: Path) -> Row:
    """Crash a locked process, and see whether the kernel wrote its memory down."""
    from engine import lock, machine

    os.chdir(aside)  # where it would lie, unless the system has a place for all
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            with contextlib.suppress(ValueError, OSError):  # as generous as a user could have set it
                resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
            lock.lock("engine")
            os.kill(os.getpid(), signal.SIGSEGV)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    crashed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV
    pattern = machine.core_pattern()
    return replace(
        _CORE,
        result=judged(not os.WCOREDUMP(status) if crashed else None),
        tried="locked a process as the engine is, and crashed it (signal 11)",
        found=("the kernel wrote it down" if os.WCOREDUMP(status) else "nothing was written")
        + (f"; others' go to {pattern}" if pattern else ""),
        command="grep 'Max core' /proc/PID/limits; cat /proc/sys/kernel/core_pattern; coredumpctl list",
        shows="0 for each process of Strongroom, and none of them in the list",
    )


# --- a throwaway Strongroom, and the user's own vault -----------------------------------------------------------------


def _rehearse(aside: Path) -> dict[str, Any]:
    from engine import rehearsal

    folder = aside / "rehearsal"
    folder.mkdir(mode=0o700)
    return _as_rows(rehearsal.rehearse(folder, [Path(each) for each in _TEMPORARY]))


def _own_vault(given: Given, aside: Path, line: Line) -> dict[str, Any]:
    """Open the vault in this process, locked as an engine is, and try it. Tells when it is open, then its rows, and
    keeps the report that it is told after that."""
    from engine import lock, proving

    lock.limit_files(readable=None, writable=[given.vault, given.state, Path(os.devnull)])
    lock.lock("engine")
    newest = Row(
        "vault.newest", CHANGED, "Your database is the newest that this machine has seen", "held",
        "compared it with what was noted at its last change, in two places", "it is",
        f"strongroom --vault {shlex.quote(str(given.vault))} list", "no word of an older database",
    )  # fmt: skip
    try:
        vault = _opened(given)
    except DamagedVaultError as error:
        line.tell({})
        return _as_rows([replace(newest, result="not held", found=error.message)])
    try:
        line.tell({})
        if given.accept_older:
            newest = replace(newest, result="unknown", found="not asked: --accept-older was given")
        rows = [newest]
        rows += proving.opened(vault, aside, most_copied=_MOST_COPIED_BYTES, seconds=_READ_SECONDS)
        with vault.read():  # nothing is written to it meanwhile, and its log is empty
            rows.append(proving.purged_on_a_copy(given.vault, given.passphrase.get(), aside, most=_MOST_COPIED_BYTES))
        line.tell(_as_rows(rows))
        report = line.next()
        if report is not None:
            proving.keep(vault, report)
    finally:
        vault.close()
    return {}


def _opened(given: Given) -> Any:
    from ui.terminal import plain, tell
    from vault.failures import WrongPassphraseError
    from vault.vault import Vault

    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            return Vault.open(given.vault, given.passphrase.get(), state=given.state, accept_older=given.accept_older)
        except WrongPassphraseError as error:
            given.passphrase.forget()
            if given.passphrase.file or not tries_left:
                raise
            tell(f"strongroom: {plain(error.message)}")
    raise StrongroomError("the passphrase was not given")
