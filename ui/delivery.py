"""The page's line to the launcher: which folder its user typed for a backup. The engine must not choose that."""

import json
import os
import pwd
import socket
from typing import Any

from ui import link
from vault.errors import StrongroomError

_line: list[socket.socket] = []


def keep(line: socket.socket | None) -> None:
    """Use this line from now on; called once, by `ui.serve.run`."""
    _line[:] = [line] if line is not None else []


def backup(typed: str) -> dict[str, Any]:
    """Have a backup written to the folder that was typed; return its manifest. Raises StrongroomError."""
    target = os.path.abspath(_full(typed))
    if not _line:
        raise StrongroomError("this page has no launcher", "`strongroom backup FOLDER` writes one")
    _line[0].sendall(json.dumps({"backup": target}).encode() + b"\n")
    made: dict[str, Any] = link.call("backup.make", target=target)
    return {**made, "path": target}


def _full(typed: str) -> str:
    """With the user's home for a tilde: this process has none of its own."""
    if typed == "~" or typed.startswith("~/"):
        return pwd.getpwuid(os.getuid()).pw_dir + typed[1:]
    if not typed.startswith("/"):
        raise StrongroomError(f"{typed} is no full path", "it begins with a slash: /media/you/stick/backup")
    return typed
