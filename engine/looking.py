"""What can be told of processes, program and machine, as rows of `strongroom verify`, in a terminal and on the page."""

import datetime as dt
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine import components, installed, landlock, machine, sbom
from engine.verdict import MACHINE, PROGRAM, SENT, Row, judged

NAMES = {
    "engine": "The engine, which has your keys and documents,",
    "page": "The page, which your browser shows,",
    "zygote": "The process that starts the parsers",
    "worker": "A parser, which reads one file,",
    "writer": "The process that runs a model",
    "connector": "The process that carries vectors to a server of yours, only if you chose one,",
}
"""the processes, as the subject of a sentence"""
_REACH = "reach no network and no other program"
_CANNOT = {"connector": "make no connection itself, and start no program"}
_ALL_OF_THEM = (
    "for p in $(pgrep -f 'strongroom (open|serve)'); do grep -H '^Seccomp:' /proc/$p/status; done",
    "2 for each but the first, the launcher, which has no key and reads no document",
)
_DAY = 24 * 60 * 60


# --- processes -------------------------------------------------------------------------------------------------------


def process(name: str, report: Mapping[str, Any], *, running: bool) -> Row:
    """A process's own report of its lock: of one that is at work, or of one that was made to try it."""
    refused = list(report.get("refused", ()))
    failed = str(report.get("failed") or report.get("error") or "")
    ok = bool(refused) and not failed
    command, shows = _filters(int(report.get("pid") or 0))
    found = failed or f"{len(refused)} {'way' if len(refused) == 1 else 'ways'} out tried, each refused"
    missing = [str(each) for each in report.get("missing", ())]
    if ok and missing:
        found += f"; not held on this system: {'; '.join(missing)}"
    return Row(
        f"lock.{name}", SENT, f"{NAMES[name]} can {_CANNOT.get(name, _REACH)}", judged(ok),
        f"from inside {'the one that is at work now' if running else 'one that was made for this'}"
        + (f": {_some(refused, 5)}" if refused else ""),
        found, command, shows, linux_only=True,
    )  # fmt: skip


def _filters(pid: int) -> tuple[str, str]:
    if not pid:
        return _ALL_OF_THEM
    return (
        f"grep -hE '^(NoNewPrivs|Seccomp):' /proc/{pid}/task/*/status | sort | uniq -c",
        "NoNewPrivs 1 and Seccomp 2, and no other value",
    )


def from_outside(pids: Mapping[str, int], proc: Path = Path("/proc")) -> Row:
    """What the kernel says of these processes, each of its threads: whether a filter is on, and for good."""
    loose, threads = [], 0
    for name, pid in pids.items():
        try:
            told = [each.read_text() for each in (proc / str(pid) / "task").glob("*/status")]
        except OSError:
            told = []
        threads += len(told)
        held = [_line(text, "Seccomp") == "2" and _line(text, "NoNewPrivs") == "1" for text in told]
        if not held or not all(held):
            loose.append(f"{name} ({pid})")
    several = " ".join(str(each) for each in pids.values())
    return Row(
        "processes.outside", SENT, "The system itself says that each of these processes is held", judged(not loose),
        f"asked the kernel about {len(pids)} processes, {threads} threads, at work on papers made for this",
        f"not held: {', '.join(loose)}" if loose else "a filter is on in each thread, and none can take it off",
        f"for p in {several}; do grep -hE '^(NoNewPrivs|Seccomp):' /proc/$p/task/*/status; done | sort | uniq -c",
        "NoNewPrivs 1 and Seccomp 2, and no other value (with numbers of processes that run now)", linux_only=True,
    )  # fmt: skip


def _line(status: str, name: str) -> str:
    return next((line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")), "")


# --- the program -----------------------------------------------------------------------------------------------------


def program(today: dt.date | None = None) -> list[Row]:
    """Versions, files and ages of what is installed; reads some hundreds of megabytes."""
    found = installed.versions()
    wrong = [*found.other, *(f"{each} is missing" for each in found.missing)]
    files = installed.files(found.right)
    python = f"{sys.executable} -m"
    return [
        Row(
            "program.versions", PROGRAM, "Every part has the version that was pinned", judged(not wrong),
            f"compared {len(found.right) + len(found.other)} installed packages with the list of parts",
            "; ".join(wrong) or "all have it",
            f"{python} pip install --dry-run --no-deps --require-hashes -r requirements.txt",
            "already satisfied in each line (in the folder where you cloned Strongroom)",
        ),
        Row(
            "program.files", PROGRAM, "No file of these parts was changed since it was installed",
            judged(not files.changed), f"hashed {files.looked:,} files and compared each with the record of that time",
            _some(files.changed) if files.changed else "none was"
            + (f"; no record of {', '.join(files.unrecorded)}" if files.unrecorded else ""),
            "make uninstall && make install", "installs everything anew, compared with the hashes of requirements.txt",
        ),
        Row(
            "program.unasked", PROGRAM, "Nothing else lies among the parts", "yours" if found.unasked else "held",
            "listed what could be imported from the same environment",
            (f"{len(found.unasked)} packages that Strongroom does not use: {_some(found.unasked)}"
             + (f"; of them {', '.join(found.calling_out)} would call out, and could not under the lock"
                if found.calling_out else "")) if found.unasked else "nothing does",
            f"{python} pip list", f"{len(found.right)} packages, pip and strongroom",
        ),
        _ages(today),
        Row(
            "program.own", PROGRAM, "Strongroom's own code is what its authors published", "unknown", "",
            "a program cannot vouch for itself: who changed it would have changed this check too",
            "git status --short; git log -1 --format='%H %an %ad'",
            "nothing, and a commit that you can compare (in the folder where you cloned Strongroom)",
        ),
    ]  # fmt: skip


def _ages(today: dt.date | None) -> Row:
    parts = components.installed(today)
    old = [f"{each.name} {each.age_days} days" for each in parts if (each.age_days or 0) > components.OLD_DAYS]
    oldest = max((each.age_days or 0 for each in parts), default=0)
    return Row(
        "program.ages", PROGRAM, "The parts that touch your papers are recent", "yours" if old else "held",
        f"counted the days since {len(parts)} of them were published; nothing was looked up anywhere",
        f"older than {components.OLD_DAYS} days: {', '.join(old)}" if old else f"the oldest was {oldest} days ago",
        "strongroom verify --advisories FILE", "whether a flaw is known in one, by a file that you bring",
    )  # fmt: skip


def _some(names: Iterable[str], most: int = 8) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


# --- the machine -----------------------------------------------------------------------------------------------------


def this_machine(vault: Path, root: Path = Path("/"), *, now: float | None = None) -> list[Row]:
    """What decides how much the promises are worth here."""
    where = vault
    while not where.exists():
        where = where.parent
    disk, swap = machine.disk(where, root), machine.swap(root)
    return [
        Row(
            "machine.disk", MACHINE, "The disk that the vault lies on is encrypted",
            "held" if disk.encrypted else "unknown" if disk.encrypted is None else "yours",
            f"followed {where} down to its disk",
            disk.why + ("; one that encrypts by itself would not show. Your own documents lie open on such a disk"
                        if disk.encrypted is False else ""),
            "fdesetup status" if sys.platform == "darwin" else "lsblk -o NAME,TYPE,FSTYPE,MOUNTPOINTS",
            "FileVault is On" if sys.platform == "darwin" else "TYPE crypt somewhere above the mount point",
        ),
        Row(
            "machine.swap", MACHINE, "Memory that the system puts away is encrypted",
            "held" if swap.encrypted else "unknown" if swap.encrypted is None else "yours",
            "looked at where swap lies", swap.why, "swapon --show; lsblk -o NAME,TYPE,MOUNTPOINTS",
            "nothing, or zram, or a TYPE crypt above [SWAP]",
        ),
        _hibernation(swap, root),
        _landlock(),
        Row(
            "machine.clock", MACHINE, "The clock is not behind",
            "yours" if (behind := machine.clock_is_behind(_published(), now)) else "held",
            "compared it with the day on which the newest part was published",
            "it is: dates of documents, backups and receipts will be wrong" if behind else "it is later",
            "date; timedatectl", "the right time",
        ),
        _root(),
    ]  # fmt: skip


def _hibernation(swap: machine.Kept, root: Path) -> Row:
    able = machine.hibernates(root)
    return Row(
        "machine.hibernation", MACHINE, "The whole memory is not written to an open disk",
        "yours" if able and not swap.encrypted else "held", "looked whether the system has a place for hibernation",
        "it has one" + (", encrypted as the swap is" if swap.encrypted else "; lock the vault before") if able
        else "it has none", "cat /sys/power/resume", "0:0 where there is none",
    )  # fmt: skip


def _landlock() -> Row:
    version = landlock.version() if sys.platform == "linux" else 0
    return Row(
        "machine.landlock", MACHINE, "The kernel can keep processes from files (Landlock)",
        "held" if version >= 3 else "yours", "asked the kernel for its version",
        f"version {version}" + ("" if version >= 3 else ": cutting a file that may be read is not refused")
        if version else "it has none: files are limited by your own rights alone; sockets are refused all the same",
        "cat /sys/kernel/security/lsm", "landlock among the names", linux_only=True,
    )  # fmt: skip


def _root() -> Row:
    is_root = os.geteuid() == 0
    return Row(
        "machine.user", MACHINE, "Strongroom does not run as root", "yours" if is_root else "held",
        "looked whose rights it has", "it does, so that no right of a file stops it" if is_root else "an ordinary user",
        "id -u", "not 0",
    )  # fmt: skip


def _published() -> float:
    """When the newest pinned part was published: that has certainly been."""
    newest = max(dt.date.fromisoformat(day) for _, day in components.RELEASED.values())
    return dt.datetime(newest.year, newest.month, newest.day, tzinfo=dt.UTC).timestamp() - _DAY


def parts() -> str:
    """The list of parts as it came with the program."""
    return sbom.FILE.read_text(encoding="utf-8")
