"""Whether what is installed is what was pinned: versions against the list of parts, files against the hashes that were
recorded when each package was put there.

The pinned hash is that of the package's archive, which pip compared when it installed it and did not keep. What can be
compared now is each file with its line in RECORD (PEP 376), written at that time.
"""

import base64
import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from engine import sbom

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What was compared."""

    right: tuple[str, ...]
    """packages of the pinned version"""
    other: tuple[str, ...]
    """in words: `numpy 2.0, pinned is 2.4.6`"""
    missing: tuple[str, ...]
    unasked: tuple[str, ...]
    """packages in the same environment that the program does not have: they can be imported by it"""
    calling_out: tuple[str, ...]
    """of these, those that are left out on purpose"""


@dataclass(frozen=True, slots=True)
class Files:
    """What a look at each file found."""

    looked: int
    changed: tuple[str, ...]
    """that have another content than was recorded, or are gone"""
    unrecorded: tuple[str, ...]
    """packages without a record to compare with"""


def here() -> dict[str, Distribution]:
    """Every package that this program could import, by its normal name; of two, the one that is imported."""
    found: dict[str, Distribution] = {}
    for each in distributions():
        name = each.metadata["Name"]
        if name:
            found.setdefault(sbom.normal(name), each)
    return found


def applicable(pinned: list[sbom.Pin]) -> list[sbom.Pin]:
    """The pins that are meant for this system and Python."""
    from packaging.markers import Marker

    return [each for each in pinned if not each.marker or Marker(each.marker).evaluate()]


def versions() -> Found:
    """Compare the installed packages with the list of parts."""
    listed = sbom.read()
    pinned = {each.name: each for each in applicable(sbom.pinned(listed))}
    there = here()
    extras = {each.extra for each in pinned.values() if each.extra and not each.builds and each.name in there}
    right, other, missing = [], [], []
    for name, pin in sorted(pinned.items()):
        if pin.builds:
            continue
        if name not in there:
            if not pin.extra or pin.extra in extras:
                missing.append(name)
        elif there[name].version != pin.version:
            other.append(f"{name} {there[name].version}, pinned is {pin.version}")
        else:
            right.append(name)
    unasked = sorted(set(there) - set(pinned) - {"strongroom", "pip"})
    calling_out = [each for each in sbom.left_out(listed) if each in there]
    return Found(tuple(right), tuple(other), tuple(missing), tuple(unasked), tuple(calling_out))


def files(names: tuple[str, ...]) -> Files:
    """Hash every recorded file of these packages: some hundreds of megabytes, a few seconds."""
    there = here()
    looked = 0
    changed, unrecorded = [], []
    for name in names:
        text = there[name].read_text("RECORD")
        if text is None:
            unrecorded.append(name)
            continue
        for path, wanted in _recorded(there[name], text):
            looked += 1
            if _hash(path) != wanted:
                changed.append(f"{name}: {path.name}")
    return Files(looked, tuple(changed), tuple(unrecorded))


def _recorded(package: Distribution, text: str) -> Iterator[tuple[Path, str]]:
    """Each file with its hash, as RECORD has it: path, `sha256=` and the digest in base64 without padding, size."""
    for row in csv.reader(text.splitlines()):
        if len(row) == 3 and row[1].startswith("sha256="):
            yield Path(str(package.locate_file(row[0]))), row[1].removeprefix("sha256=")


def _hash(path: Path) -> str:
    value = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                value.update(block)
    except OSError:
        return ""
    return base64.urlsafe_b64encode(value.digest()).rstrip(b"=").decode()
