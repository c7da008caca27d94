"""Known flaws of the installed packages, from a file that the user brings: nothing is asked of any network.

The file is one advisory in OSV's form (https://ossf.github.io/osv-schema/), a list of them, one a line, or a zip of
such files, as osv.dev publishes one for each ecosystem. It comes from elsewhere, so it is read in a locked process
without files, in pieces of a bounded size, and nothing in it is believed to be of the form that it should have.
"""

import codecs
import json
import lzma
import os
import resource
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from engine import installed, lock, sbom
from vault.errors import StrongroomError

_MOST_FILE_BYTES = 1 << 30
_MOST_ENTRIES = 1_000_000
_MOST_ENTRY_BYTES = 16 << 20  # the largest advisory is some hundred kilobytes
_MOST_UNPACKED_BYTES = 8 << 30
_MOST_MEMORY_BYTES = 2 << 30
_MOST_FOUND = 1000
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    *(RuntimeError, NotImplementedError),  # encrypted, or by a method that Python does not know
)
_LONGEST = 500  # characters of a summary


class AdvisoriesError(StrongroomError):
    """The file is not one of advisories."""


@dataclass(frozen=True, slots=True)
class Found:
    """An advisory about an installed version."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    summary: str
    fixed: tuple[str, ...]
    """versions in which it is mended, as the advisory says"""


def look(file: Path) -> dict[str, Any]:
    """Compare the installed packages with the file, in this process, which is locked for good by it.

    Returns `found`, `packages` (how many were compared), `advisories` (how many the file has), `newest` (when the
    newest was changed, ISO 8601), `unreadable` (entries that are no advisory). Raises AdvisoriesError.
    """
    versions = {name: each.version for name, each in installed.here().items()}
    pinned = {each.name for each in sbom.pinned(sbom.read())}
    versions = {name: version for name, version in versions.items() if name in pinned}
    import packaging.version  # noqa: F401 - loaded before the lock: later no file can be opened

    codecs.lookup("cp437")  # of names in a zip

    try:
        opened = file.open("rb")
    except OSError as error:
        raise AdvisoriesError(
            f"{file} cannot be read: {(error.strerror or str(error)).lower()}",
            "docs/how-to/verify.md says where to get one",
        ) from error
    with opened:
        if os.fstat(opened.fileno()).st_size > _MOST_FILE_BYTES:
            raise AdvisoriesError(f"{file} is larger than {_MOST_FILE_BYTES >> 30} GiB", "that of one ecosystem is not")
        lock.limit_files(readable=(), writable=())
        lock.lock("worker", verify=False)
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
        try:
            return compare(opened, versions)
        except AdvisoriesError as error:
            raise AdvisoriesError(f"{file}: {error.message}", error.hint) from error
        except MemoryError:
            raise AdvisoriesError(f"{file} needs more than {_MOST_MEMORY_BYTES >> 30} GiB of memory") from None


def compare(opened: IO[bytes], versions: Mapping[str, str]) -> dict[str, Any]:
    """The same for an open file, in a process that is locked already; `versions` by the packages' normal names."""
    found: list[Found] = []
    count = unreadable = 0
    newest = ""
    for entry in _entries(opened):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            unreadable += 1
            continue
        count += 1
        changed = entry.get("modified")
        newest = max(newest, changed[:30] if isinstance(changed, str) else "")
        if entry.get("withdrawn"):
            continue
        try:
            found += _about(entry, versions)
        except (TypeError, AttributeError, ValueError, KeyError):
            unreadable += 1
        if len(found) > _MOST_FOUND:
            raise AdvisoriesError(f"more than {_MOST_FOUND} advisories are about installed packages", "is it the file?")
    if not count:
        raise AdvisoriesError("no advisory is in this file", "a .json in OSV's form, or a zip of such")
    found.sort(key=lambda each: (each.package, each.id))
    return {
        "found": [asdict(each) for each in found],
        "packages": len(versions),
        "advisories": count,
        "newest": newest,
        "unreadable": unreadable,
    }


# --- the file ---------------------------------------------------------------------------------------------------------


def _entries(opened: IO[bytes]) -> Iterator[Any]:
    """Each advisory of the file, or what stands in the place of one."""
    if zipfile.is_zipfile(opened):
        opened.seek(0)
        yield from _zipped(opened)
        return
    opened.seek(0)
    start = opened.read(1)
    opened.seek(0)
    if start == b"[":
        listed = _parsed(opened.read(_MOST_MEMORY_BYTES // 8))
        yield from listed if isinstance(listed, list) else [None]
        return
    lines = opened.read(_MOST_ENTRY_BYTES + 1)
    whole = _parsed(lines) if len(lines) <= _MOST_ENTRY_BYTES else None
    if isinstance(whole, dict):
        yield whole
        return
    opened.seek(0)
    for number, line in enumerate(iter(lambda: opened.readline(_MOST_ENTRY_BYTES), b"")):
        if number >= _MOST_ENTRIES:
            raise AdvisoriesError(f"the file has more than {_MOST_ENTRIES:,} lines")
        if line.strip():
            yield _parsed(line)


def _zipped(opened: IO[bytes]) -> Iterator[Any]:
    """Each member is unpacked by itself, and no further than one advisory is long."""
    unpacked = 0
    try:
        with zipfile.ZipFile(opened) as archive:
            members = archive.infolist()
            if len(members) > _MOST_ENTRIES:
                raise AdvisoriesError(f"the file has more than {_MOST_ENTRIES:,} members")
            for member in members:
                if not member.filename.endswith(".json"):
                    continue
                with archive.open(member) as one:
                    data = one.read(_MOST_ENTRY_BYTES + 1)
                unpacked += len(data)
                if unpacked > _MOST_UNPACKED_BYTES:
                    raise AdvisoriesError(f"the file unpacks to more than {_MOST_UNPACKED_BYTES >> 30} GiB")
                yield _parsed(data) if len(data) <= _MOST_ENTRY_BYTES else None
    except _BROKEN_ZIP as error:
        raise AdvisoriesError(f"the zip file is damaged: {error}", "get it anew") from error


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# --- what it says -----------------------------------------------------------------------------------------------------


def _about(entry: Mapping[str, Any], versions: Mapping[str, str]) -> Iterator[Found]:
    """The installed packages that an advisory is about."""
    for name, affected in _packages(entry):
        version = versions.get(name)
        if version is not None and any(_affects(each, version) for each in affected):
            fixed = {str(event["fixed"])[:80] for each in affected for event in _events(each) if "fixed" in event}
            yield Found(
                package=name,
                version=version,
                id=entry["id"][:80],
                aliases=tuple(str(each)[:80] for each in entry.get("aliases") or ())[:8],
                summary=str(entry.get("summary") or entry.get("details") or "")[:_LONGEST],
                fixed=tuple(sorted(fixed))[:8],
            )


def _packages(entry: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in entry.get("affected") or ():
        package = each.get("package") or {}
        if str(package.get("ecosystem", "")).partition(":")[0] == "PyPI":
            found.setdefault(sbom.normal(str(package["name"])), []).append(each)
    yield from found.items()


def _affects(affected: Mapping[str, Any], version: str) -> bool:
    """OSV's rule: the version is listed, or lies in a range. Ranges of commits say nothing of an installed version."""
    if version in (affected.get("versions") or ()):
        return True
    return any(
        _within(each.get("events") or (), version)
        for each in affected.get("ranges") or ()
        if each.get("type") in ("ECOSYSTEM", "SEMVER")
    )


def _within(events: Any, version: str) -> bool:
    """Whether the last event before the version began the flaw (OSV schema, evaluation): `introduced` and `fixed` count
    from their version on, `last_affected` from the next one on. Versions as in PEP 440; ValueError for others."""
    from packaging.version import Version

    here = Version(version)
    past: list[tuple[Version, bool]] = []
    for event in events:
        for kind, value in event.items():
            at = Version("0.dev0") if value == "0" else Version(value)
            if at < here or (at == here and kind != "last_affected"):
                past.append((at, kind == "introduced"))
    return max(past, key=lambda one: one[0])[1] if past else False


def _events(affected: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in affected.get("ranges") or ():
        yield from each.get("events") or ()
