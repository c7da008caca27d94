"""Whether what is installed is what was pinned: versions against the list of parts, files against the hashes that were
recorded when each package was put there.

The pinned hash is that of the package's archive, which pip compared when it installed it and did not keep. What can be
compared now is each file with its line in RECORD (PEP 376), written at that time.
"""

import base64
import csv
import hashlib
import re
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
    there = here()
    pinned: dict[str, list[sbom.Pin]] = {}
    for pin in applicable(sbom.pinned(listed)):
        pinned.setdefault(pin.name, []).append(pin)
    extras = {pinned[name][0].extra for name in sbom.asked_by_name(listed) if name in pinned and name in there}
    own = {name for name, pins in pinned.items() if not pins[0].extra or extras & set(pins[0].extra.split())}
    asked = _asked(there)
    right, other, missing = [], [], []
    for name, pins in sorted(pinned.items()):
        if pins[0].builds or name not in own:
            continue
        if name not in there:
            # Of an extra that is there only what something installed asks for: a torch for processors needs no more.
            if not pins[0].extra or name in asked:
                missing.append(name)
        elif there[name].version not in [each.version for each in pins]:
            other.append(f"{name} {there[name].version}, pinned is {' or '.join(each.version for each in pins)}")
        else:
            right.append(name)
    # An engine may ask for what is left out elsewhere: then it is one of that engine's parts.
    unasked = sorted(set(there) - own - {"strongroom", "pip"} - {name for name in pinned if pinned[name][0].builds})
    calling_out = [each for each in sbom.left_out(listed) if each in unasked]
    return Found(tuple(right), tuple(other), tuple(missing), tuple(unasked), tuple(calling_out))


def _asked(there: dict[str, Distribution]) -> set[str]:
    """What the installed packages ask for by themselves, on this system or another."""
    asked = {re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0] for one in there.values() for each in one.requires or ()}
    return {sbom.normal(each) for each in asked}


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
