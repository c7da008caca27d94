"""How a user sees from outside what is claimed, without trusting us: commands of the system, with the real numbers."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = "sudo "
"""in front of what only root may look at: our processes let nobody else look into them, not even their own user"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A claim, and the command that shows whether it is so."""

    about: str
    """the process or thing it is about"""
    claim: str
    command: str
    shows: str
    """what is to be seen"""


def commands(pids: Mapping[str, int], *, port: int | None, vault: Path, database: Path) -> list[Seen]:
    """The commands for the processes that run (`engine`, `page`, `zygote`, `writer`, `connector`) and the vault's
    files."""
    ours = {name: pid for name, pid in pids.items() if pid}
    found = [each for name, pid in ours.items() for each in _of_process(name, pid)]
    every = ",".join(str(pid) for name, pid in ours.items() if name not in ("page", "connector"))
    if every:
        found.append(
            Seen(
                "engine",
                "nothing that reads documents has a connection to any network",
                f"{ROOT}lsof -nP -a -p {every} -i",
                "nothing",
            )
        )
    if "connector" in ours:
        found.append(
            Seen(
                "connector",
                "it is connected with the server that you named in a terminal, and with nothing else",
                f"{ROOT}lsof -nP -a -p {ours['connector']} -i",
                "one line, with that server's address behind the arrow",
            )
        )
    if port and "page" in ours:
        found.append(
            Seen(
                "page",
                "the page listens on this machine only",
                f"ss -Htln 'sport = :{port}'",
                f"one line, with 127.0.0.1:{port}",
            )
        )
        found.append(
            Seen(
                "page",
                "it is connected with your browser on this machine, and with nothing else",
                f"{ROOT}lsof -nP -a -p {ours['page']} -i",
                "127.0.0.1 on both sides of every line",
            )
        )
    return [*found, *_of_files(vault, database)]


def _of_process(name: str, pid: int) -> list[Seen]:
    return [
        Seen(
            name,
            "the kernel filters its system calls, in every thread, and no program it started could gain rights",
            f"grep -hE '^(NoNewPrivs|Seccomp):' /proc/{pid}/task/*/status | sort | uniq -c",
            "NoNewPrivs 1 and Seccomp 2, and no other value",
        ),
        Seen(
            name,
            "it opens no connection while you use it",
            f"{ROOT}strace -f -e trace=socket,connect,bind,execve -p {pid}",
            "no line with a call; Ctrl-C ends it",
        ),
    ]


def _of_files(vault: Path, database: Path) -> list[Seen]:
    folder, file = shlex.quote(str(vault)), shlex.quote(str(database))
    return [
        Seen(
            "vault",
            "the database is encrypted from its first byte",
            f"xxd {file} | head -2",
            "noise; an open one would begin with “SQLite format 3”",
        ),
        Seen(
            "vault",
            "no word of yours stands in any of its files",
            f"grep -rac 'a word from your papers' {folder}",
            "0 for every file",
        ),
        Seen(
            "vault",
            "nobody but you can enter its folder",
            f"stat -c '%A %U %n' {folder} {folder}/*",
            "------ at the end of every mode",
        ),
        Seen(
            "vault",
            "all of it, tried once more, with copies that are tampered with",
            f"strongroom --vault {folder} verify",
            "0 not held, at the end",
        ),
    ]
