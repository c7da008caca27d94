"""What holds the page's own process, kept when the lock was put on, and tried again when the user wants that."""

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.lock import Report

_own: dict[str, Any] = {}


def keep(report: "Report", port: int) -> None:
    """Remember this process's report and the port that it answers on; called once, by `ui.serve.run`."""
    _own.update({**report.to_json(), "pid": os.getpid(), "at": time.time(), "failed": "", "port": port})


def own(*, check: bool = False) -> dict[str, Any]:
    """Return this process's report with `pid`, `at`, `port`, and in `failed` what went through; empty if none was kept.

    `check` tries again what must be refused.
    """
    if check and _own:
        from engine.lock import LockError, probe

        try:
            _own.update({"refused": list(probe()), "failed": ""})
        except LockError as error:
            _own["failed"] = error.message
        _own["at"] = time.time()
    return dict(_own)
