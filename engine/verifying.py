"""`verify` in the engine: what can be tried where nothing may be started, for the page and for a command that found the
vault open; and what came out the last time."""

import platform
import tempfile
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine import looking, privacy, proving
from engine.engine import Engine
from engine.verdict import Row, from_json, on_system, ordered
from vault.errors import StrongroomError

_MOST_COPIED_BYTES = 1 << 26  # while questions wait for it: a second
_READ_SECONDS = 8.0  # likewise


def verify(engine: Engine, *, page: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Try what can be tried in here, keep it, and return the report. `page` is the page's own report of its lock.

    What needs processes of its own (a throwaway Strongroom, canaries, a copy that is purged from) only the command can.
    """
    began = time.time()
    held = privacy.protection(engine, check=True) | ({"page": dict(page)} if page else {})
    rows = [looking.process(name, report, running=True) for name, report in held.items()]
    rows += [Row(**each) for each in vault_rows(engine)["rows"]]
    rows += looking.program()
    rows += looking.this_machine(engine.opened().vault.folder)
    found = report(rows, began, "page")
    keep(engine, found)
    return found


def vault_rows(engine: Engine) -> dict[str, Any]:
    """What can be tried of the open vault alone."""
    vault = engine.opened().vault
    rows = proving.closed(vault.folder)
    with tempfile.TemporaryDirectory(dir=engine.state, prefix="verify-") as aside:
        rows += proving.opened(vault, Path(aside), most_copied=_MOST_COPIED_BYTES, seconds=_READ_SECONDS)
    return {"rows": [each.to_json() for each in rows]}


def keep(engine: Engine, report: Mapping[str, Any]) -> dict[str, Any]:
    """Remember a report, in the vault. Raises StrongroomError for one that is none."""
    try:
        rows = from_json(report["rows"])
        told = {
            **{key: str(report[key])[:100] for key in ("version", "system", "by")},
            **{key: float(report[key]) for key in ("at", "seconds")},
        }
    except (KeyError, TypeError, ValueError):
        raise StrongroomError("this is no report of `strongroom verify`") from None
    proving.keep(engine.opened().vault, {**told, "rows": [each.to_json() for each in rows]})
    return {}


def last(engine: Engine) -> dict[str, Any]:
    """The last reports in `reports`, the newest first: that of the command, which tries more, and that of the page."""
    return {"reports": proving.kept(engine.opened().vault)}


def report(rows: Iterable[Row], began: float, by: str) -> dict[str, Any]:
    """What came out, with when (`at`, seconds since 1970), on what and `by` whom: `command` or `page`."""
    try:
        own = version("strongroom")
    except PackageNotFoundError:
        own = "0"
    return {
        "at": began,
        "seconds": round(time.time() - began, 1),
        "version": own,
        "system": f"{platform.system()} {platform.release()}",
        "by": by,
        "rows": [each.to_json() for each in ordered(on_system(rows))],
    }
