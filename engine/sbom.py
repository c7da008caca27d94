"""The list of all parts of the program (SBOM), in the form of CycloneDX 1.6, and what it says of each.

It is made by tools/sbom.py from the pinned versions (`make sbom`), lies beside this module and so in every package that
is built, and depends on nothing but what is pinned: the same pins give the same bytes.
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

FILE = Path(__file__).with_name("sbom.cdx.json")
_PREFIX = "strongroom:"
_ORIGIN = uuid.UUID("d6b3f0f5-7d7c-5c0e-9a35-5e0a4a0c1e6b")  # drawn once, so that equal lists have equal serial numbers


@dataclass(frozen=True, slots=True)
class Pin:
    """One package as a requirements file pins it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of its files, hex; one of them is what is installed"""
    extra: str = ""
    """the extras that ask for it, by spaces; empty for what is always there"""
    marker: str = ""
    """PEP 508: on which systems"""
    licence: str = ""
    does: str = ""
    builds: bool = False
    """whether it only puts the program or a package together, and never runs with it"""

    @property
    def purl(self) -> str:
        """The package's name everywhere: https://github.com/package-url/purl-spec."""
        return f"pkg:pypi/{self.name}@{quote(self.version, safe='')}"


@dataclass(frozen=True, slots=True)
class Inside:
    """A library that lies within a package, with no name of its own on an index."""

    package: str
    name: str
    version: str
    licence: str


def pins(requirements: str, extra: str = "") -> list[Pin]:
    """What a requirements file pins, as tools/lock.sh writes it."""
    found: list[Pin] = []
    for line in requirements.splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\]+?))?(?: \\)?$", line):
            found.append(Pin(normal(pinned[1]), pinned[2], (), extra, (pinned[3] or "").strip()))
        elif hashed := re.match(r"\s+--hash=sha256:([0-9a-f]{64})", line):
            last = found[-1]
            found[-1] = Pin(last.name, last.version, (*last.hashes, hashed[1]), last.extra, last.marker)
    return found


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(
    version: str,
    pinned: Sequence[Pin],
    inside: Sequence[Inside],
    *,
    needs: Mapping[str, Sequence[str]],
    model: Mapping[str, str],
    left_out: Sequence[str],
) -> dict[str, Any]:
    """The list. `needs` says for `strongroom` and each package which pinned ones it asks for; `model` is the embedding
    model: name, version, licence and the SHA-256 of its weights; `left_out` are packages that others ask for and that
    are never installed."""
    own = f"pkg:generic/strongroom@{version}"
    components = [_package(each, [one for one in inside if one.package == each.name]) for each in pinned]
    components.append(
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{model['name']}",
            "name": model["name"],
            "version": model["version"],
            "licenses": _licences(model["licence"]),
            "hashes": [{"alg": "SHA-256", "content": model["sha256"]}],
            "scope": "required",
        }
    )
    by_name: dict[str, list[str]] = {}
    for pin in pinned:
        by_name.setdefault(pin.name, []).append(pin.purl)
    found: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "strongroom",
                "version": version,
                "licenses": _licences("Apache-2.0"),
            },
            "properties": [{"name": f"{_PREFIX}left-out", "value": " ".join(sorted(left_out))}],
        },
        "components": components,
        "dependencies": _dependencies(own, pinned, by_name, needs, f"model:{model['name']}"),
    }
    serial = uuid.uuid5(_ORIGIN, json.dumps(found, sort_keys=True))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "serialNumber": f"urn:uuid:{serial}", **found}


def _package(pin: Pin, inside: Sequence[Inside]) -> dict[str, Any]:
    builds = "yes" if pin.builds else ""
    properties = {"extra": pin.extra, "marker": pin.marker, "does": pin.does, "builds": builds}
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "scope": "excluded" if pin.builds else "optional" if pin.extra else "required",
        # Of each file that may be installed, one for each system; CycloneDX has no other place for them without an
        # address, and none is named on purpose.
        "hashes": [{"alg": "SHA-256", "content": each} for each in pin.hashes],
        "properties": [{"name": f"{_PREFIX}{key}", "value": value} for key, value in properties.items() if value],
    }
    if pin.licence:
        found["licenses"] = _licences(pin.licence)
    if inside:
        found["components"] = [
            {
                "type": "library",
                "bom-ref": f"{pin.purl}#{each.name}",
                "name": each.name,
                "version": each.version,
                "licenses": _licences(each.licence),
            }
            for each in inside
        ]
    return {key: value for key, value in found.items() if value not in ([], "")}


_SPDX = (
    *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "LGPL-2.1", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0"),
    "PSF-2.0",
)


def _licences(words: str) -> list[dict[str, Any]]:
    """A licence by its SPDX name, or in the words of docs/dependencies.md where it is more than one."""
    return [{"license": {"id": words}}] if words in _SPDX else [{"license": {"name": words}}]


def _dependencies(
    own: str,
    pinned: Sequence[Pin],
    by_name: Mapping[str, Sequence[str]],
    needs: Mapping[str, Sequence[str]],
    model: str,
) -> list[dict[str, Any]]:
    def named(names: Sequence[str]) -> list[str]:
        return sorted(reference for name in set(names) for reference in by_name.get(name, ()))

    rows = [{"ref": own, "dependsOn": [*named(needs.get("strongroom", ())), model]}]
    for pin in pinned:
        asked = named(needs.get(pin.name, ()))
        rows.append({"ref": pin.purl, **({"dependsOn": asked} if asked else {})})
    return [*rows, {"ref": model}]


def to_text(found: Mapping[str, Any]) -> str:
    """The list as it is written."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def read(path: Path = FILE) -> dict[str, Any]:
    """The list that came with the program."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def pinned(found: Mapping[str, Any]) -> list[Pin]:
    """The packages of a list."""
    rows = []
    for each in found["components"]:
        if each["type"] != "library":
            continue
        more = {one["name"].removeprefix(_PREFIX): one["value"] for one in each.get("properties", ())}
        hashes = tuple(one["content"] for one in each.get("hashes", ()))
        extra, marker, does = (more.get(key, "") for key in ("extra", "marker", "does"))
        rows.append(Pin(each["name"], each["version"], hashes, extra, marker, "", does, "builds" in more))
    return rows


def left_out(found: Mapping[str, Any]) -> list[str]:
    """The packages that are never installed, though others ask for them."""
    rows = {one["name"]: str(one["value"]) for one in found["metadata"]["properties"]}
    return rows[f"{_PREFIX}left-out"].split()


def asked_by_name(found: Mapping[str, Any]) -> list[str]:
    """The packages that the program itself asks for, with all its extras."""
    own = found["metadata"]["component"]["bom-ref"]
    named = {each["bom-ref"]: str(each["name"]) for each in found["components"] if each["type"] == "library"}
    rows = {each["ref"]: each.get("dependsOn", ()) for each in found["dependencies"]}
    return [named[each] for each in rows[own] if each in named]
