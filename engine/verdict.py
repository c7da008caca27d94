"""What `strongroom verify` tells: one row for each claim, in words for somebody who knows nothing of kernels.

A row says what is claimed, what was tried, what came out, and how to see the same from outside, without this program.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Result = Literal["held", "not held", "unknown", "yours"]

SENT = "Nothing is sent"
READABLE = "Nothing is readable without your passphrase"
CHANGED = "Nothing is lost, or changed unnoticed"
PURGED = "Purged is gone"
PROGRAM = "The program is what it should be"
MACHINE = "Your machine"
GROUPS = (SENT, READABLE, CHANGED, PURGED, PROGRAM, MACHINE)
"""in the order in which they are shown"""


@dataclass(frozen=True, slots=True)
class Row:
    """One claim, tried."""

    id: str
    """stays the same from version to version, for scripts: `lock.engine`"""
    group: str
    """one of GROUPS"""
    claim: str
    """a sentence without a full stop"""
    result: Result
    """held; not held: a promise is broken here; unknown: cannot be told here; yours: no promise of Strongroom's, but of
    weight for it, and not as it should be"""
    tried: str
    found: str = ""
    command: str = ""
    """for a shell, shows the same from outside"""
    shows: str = ""
    """what is to be seen then"""
    linux_only: bool = False
    """whether the claim is made for Linux alone"""

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return asdict(self)


def judged(ok: bool | None) -> Result:
    """The result of a promise: None where it could not be tried."""
    return "unknown" if ok is None else "held" if ok else "not held"


def from_json(values: Iterable[Any]) -> list[Row]:
    """Rows as they were kept; what is none of ours (another version wrote it) is left out."""
    names = set(Row.__dataclass_fields__)
    ours = (each for each in values if isinstance(each, dict) and set(each) == names)
    return [Row(**each) for each in ours if each["group"] in GROUPS]


def ordered(rows: Iterable[Row]) -> list[Row]:
    """The rows group by group, each group as it was given."""
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def on_system(rows: Iterable[Row], system: str = sys.platform) -> list[Row]:
    """Mark what is claimed for Linux alone: elsewhere, that it was not refused is no broken promise, because none was
    given, and that it was refused once proves little."""
    if system == "linux":
        return list(rows)
    name = "macOS" if system == "darwin" else system
    return [
        replace(each, result="yours", found=f"not claimed on {name}: {each.found or 'it was never tried there'}")
        if each.linux_only
        else each
        for each in rows
    ]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows have each result."""
    return {result: sum(each.result == result for each in rows) for result in ("held", "not held", "unknown", "yours")}
