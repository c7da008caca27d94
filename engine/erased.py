"""What became of each purge: its stage, and which backups still hold what it took."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from vault import remembered
from vault.remembered import Backup

_MOST = 200


def rows(db: apsw.Connection, shredding: Mapping[str, Any], *, limit: int = _MOST) -> list[dict[str, Any]]:
    """The receipts, newest first, each with its `id`, `stage` and `backups`. `shredding` is `Shredding.status()`.

    `stage` has a `name`: `erased` (with `why` it is not more yet), `shredding` (with `percent`) or `shredded` (with
    `at`, the number of `pages` that were read back, what was looked for in them, `checks`, and `confirmed`).
    `backups` are those made before the purge: `holds` is `yes` for one made while the vault had it, `perhaps` for an
    earlier one, which has it only if the vault had it before, too.
    """
    found: list[Any] = db.execute(
        "SELECT id, at, body, since, shredded, looked FROM receipt ORDER BY id DESC LIMIT ?", (limit,)
    ).fetchall()
    backups = remembered.backups(db)
    return [
        {
            **json.loads(body),
            "id": number,
            "at": at,
            "stage": _stage(number, shredded, looked, shredding),
            "backups": _holders(at, since, backups),
        }
        for number, at, body, since, shredded, looked in found
    ]


def _stage(number: int, shredded: float | None, looked: str | None, shredding: Mapping[str, Any]) -> dict[str, Any]:
    if shredded is not None:
        found = json.loads(looked or '{"pages": 0, "checks": []}')
        return {
            "name": "shredded",
            "at": shredded,
            **found,
            "confirmed": not any(check["found"] for check in found["checks"]),
        }
    if shredding["stage"] == "copying":
        if number <= shredding["covers"]:
            return {"name": "shredding", "percent": shredding["percent"]}
        return {"name": "erased", "why": "it waits for the shredding under way to end, and is shredded by the next"}
    if shredding["stage"] == "soon":
        return {"name": "erased", "why": "it will be in a moment"}
    return {"name": "erased", "why": shredding["why"]}


def _holders(at: float, since: float | None, backups: Sequence[Backup]) -> list[dict[str, Any]]:
    return [
        {
            "path": each.path,
            "at": each.at,
            "holds": "yes" if since is not None and since <= each.at else "perhaps",
        }
        for each in reversed(backups)
        if each.at < at
    ]
