"""What is protected and by what, as it is now; what is not; and how to see it from outside."""

import contextlib
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import components, erased, lock, outside, vaults, vector_index
from engine.engine import Engine
from vault import keys, remembered, store
from vault.errors import StrongroomError

_KINDS = {keys.PASSPHRASE: "passphrase", keys.RECOVERY_CODE: "recovery code", keys.KEYRING: "system's keyring"}
_RECEIPTS = 50
_TRIED = b"Strongroom looks whether its parser is locked.\n"

NOT_PROTECTED = (
    # each stands, with more words, in docs/threat-model.md
    ("A program that runs as you", "or as root: it can read your documents itself, and wait for your passphrase."),
    ("Your documents", "stay where they are, as they are. Encrypt the disk."),
    ("Swap, hibernation, and memory", "hold keys and text while the vault is open. Core dumps are off."),
    ("Your browser", "shows this page. Its extensions, screenshots and session restore are its own."),
    ("The desktop's program", "that opens a document's own file when you ask for it leaves its usual traces."),
    ("The download", "of the packages: checked against fixed hashes, not read line by line."),
    ("Everything rolled back together", "vault and state folder both put back to an older state are not noticed."),
    ("Being compelled", "to give the passphrase. There is no hidden vault."),
)


def held(report: lock.Report) -> dict[str, Any]:
    """A process's lock report with its number and the time of the check."""
    return {**report.to_json(), "pid": os.getpid(), "at": time.time()}


def protection(engine: Engine, *, check: bool = False) -> dict[str, Any]:
    """What holds each process. `check` tries again, now: in this process, and by starting a worker."""
    if check:
        _check(engine)
    held = {name: dict(report) for name, report in engine.held.items()}
    line = engine.elsewhere.line if engine.elsewhere else None
    connector = line.held(check=check) if line else None
    if connector is not None:
        held["connector"] = connector
    model = engine.answering.held()
    if model is not None:
        # Checked by itself when it was locked, which it was before it read a byte of the model.
        held["writer"] = {**model, "failed": "", "pid": _writer_pid(engine.zygote.pid), "at": None}
    return held


def _writer_pid(zygote: int) -> int:
    """The process of the model: the only child of the zygote that has threads. 0 where it cannot be told."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        for pid in Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split():
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
                if int(next(line for line in lines if line.startswith("Threads:")).split()[1]) > 1:
                    return int(pid)
    return 0


def _check(engine: Engine) -> None:
    now = time.time()
    own = engine.held.get("engine")
    if own is not None:
        try:
            own |= {"refused": list(lock.probe()), "at": now, "failed": ""}
        except lock.LockError as error:
            own |= {"at": now, "failed": error.message}
    # A worker reads nothing before its own lock is on and was tried: a text that comes back says that it is.
    zygote = engine.held.get("zygote")
    if zygote is not None:
        try:
            _parse_something(engine)
            zygote |= {"at": now, "failed": ""}
            engine.held["worker"] = {
                "profile": "worker", "system": zygote["system"], "landlock": zygote["landlock"],
                "experimental": zygote["experimental"], "missing": zygote["missing"],
                "refused": ["Unix socket"],
                "pid": 0, "at": now, "failed": "",
            }  # fmt: skip
        except StrongroomError as error:
            zygote |= {"at": now, "failed": error.message}


def _parse_something(engine: Engine) -> None:
    path = engine.state / "lock-check.txt"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        path.unlink()
        os.write(descriptor, _TRIED)
        texts = [getattr(each, "text", "") for each in engine.zygote.parse(descriptor, path.name)]
    finally:
        os.close(descriptor)
    if _TRIED.decode() not in texts:
        raise StrongroomError("a parser did not return what it was given to read")


def privacy(engine: Engine, *, page: int = 0, port: int = 0) -> dict[str, Any]:
    """Everything that the privacy screen shows. `page` and `port` are the page's process and socket, which it knows."""
    opened = engine.opened()
    vault, shredding = opened.vault, opened.shredding.status()
    with vault.read() as db:
        since = remembered.secrets(db)
        made = remembered.backups(db)
        receipts = erased.rows(db, shredding, limit=_RECEIPTS)
        purges: list[float] = [at for (at,) in db.execute("SELECT at FROM receipt")]
    there = engine.backup_places.reachable([each.path for each in made], vault.header.vault_id)
    known = [
        {
            **asdict(each),
            "holds_purged": sum(at > each.at for at in purges),
            "reachable": bool(there[each.path]),
        }
        for each in reversed(made)
    ]
    database = vault.folder / store.name(vault.header.epoch)
    shown = protection(engine, check="worker" not in engine.held)
    pids = {name: int(report.get("pid") or 0) for name, report in shown.items()} | {"page": page}
    return {
        "protection": shown,
        "vault": {"folder": str(vault.folder), "database": str(database), "bytes": database.stat().st_size},
        "slots": [_slot(each, since) for each in vault.header.slots],
        "backups": known,
        "receipts": [
            {**each, "still_in": [held["path"] for held in each["backups"] if held["holds"] == "yes"]}
            for each in receipts
        ],
        "shredding": shredding,
        "purges": len(purges),
        "components": [asdict(each) for each in components.installed()],
        "old_days": components.OLD_DAYS,
        "auto_lock_minutes": engine.settings.auto_lock_minutes,
        "lock_ends_engine": engine.settings.lock_ends_engine,
        "index": vector_index.status(engine, opened.index),
        "not_protected": [{"what": what, "why": why} for what, why in NOT_PROTECTED],
        "commands": [asdict(each) for each in outside.commands(pids, port=port, vault=vault.folder, database=database)],
    }


def _slot(slot: keys.Slot, since: dict[str, float]) -> dict[str, Any]:
    kind = _KINDS[slot.kind]
    cost = slot.cost
    made = (
        f"Argon2id, {cost.memory_kib // 1024} MiB, {cost.passes} passes"
        if cost
        else f"HKDF; its {140 if slot.kind == keys.RECOVERY_CODE else 256} random bits need no slow derivation"
    )
    return {"kind": kind, "since": since.get(kind), "derivation": made}


def vaults_list(engine: Engine) -> dict[str, Any]:
    """The vaults that lie beside this one. Their names are folders' names, which the disk shows to everybody, so that
    this needs no passphrase."""
    rows = [{"name": each.name, "path": str(each.path)} for each in vaults.beside(engine.folder)]
    return {"current": engine.folder.name, "folder": str(engine.folder.parent), "rows": rows}
