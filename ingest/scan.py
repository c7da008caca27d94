"""What lies in a folder, and how that differs from what the vault knows.

Paths are bytes throughout, because a file name need not be text. No link is followed: what it points to lies either in
the same folder, and is found there, or outside, and is not the folder's. Another file system mounted inside is not
entered either, but named: were it entered, unmounting it would look like deleting everything in it.
"""

import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ingest import filesystem, names

_DATALESS = 0x40000000  # SF_DATALESS of macOS (sys/stat.h): the content is fetched when the file is opened

ONLY_IN_CLOUD = "only in the cloud, and not fetched"
"""why a file is not read; the user can make it available offline"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file, as the folder's listing shows it."""

    path: bytes
    size: int
    """bytes"""
    mtime_ns: int
    inode: int
    reason: str = ""
    """why it must not be opened, or empty"""


@dataclass(frozen=True, slots=True)
class Unread:
    """A folder (or file) that could not be looked at. Nothing is concluded about what lies at or below it."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """A file as the vault remembers it."""

    id: int
    path: bytes
    size: int
    mtime_ns: int
    inode: int
    cloud: bool = False
    again: bool = False
    """it is to be read again although it looks the same (there was no permission, say)"""


@dataclass(frozen=True, slots=True)
class Changes:
    """How the disk differs from the vault. A path may be both the old one of a move and the new one of another, also in
    a circle (two files that swapped names), so moves have to be stored all at once."""

    new: Sequence[Entry] = ()
    changed: Sequence[tuple[Known, Entry]] = ()
    moved: Sequence[tuple[Known, Entry]] = ()
    """by inode, size and time, or by name, size and time; that the bytes are the same is for their hash to say"""
    gone: Sequence[Known] = ()
    unread: Sequence[Unread] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.moved or self.gone)


# --- what lies there ------------------------------------------------------------------------------------------------


def scan(
    folder: bytes, *, leave_out: Collection[bytes] = (), mounts: Mapping[bytes, str] | None = None
) -> Iterator[Entry | Unread]:
    """Every document file in the folder and below, in the order of names; `leave_out` are folders not to enter.

    Yields `Unread` for what cannot be listed. A file that vanishes meanwhile is not there. `mounts` is the kernel's
    table (`filesystem.mounts`), for when it is at hand.
    """
    table = filesystem.mounts() if mounts is None else mounts
    cloud = filesystem.of(folder, table).is_cloud
    stack = [folder]
    while stack:
        at = stack.pop()
        try:
            listed, device = _listing(at)
        except (FileNotFoundError, NotADirectoryError):
            if at == folder:
                yield Unread(at, "it is not there")
            continue  # deleted or replaced meanwhile: the next look sees it
        except OSError as error:
            yield Unread(at, _why(error))
            continue
        maildir = names.is_maildir(at, [name for name, status in listed if stat.S_ISDIR(status.st_mode)])
        below: list[bytes] = []
        for name, status in listed:
            path = os.path.join(at, name)
            if stat.S_ISDIR(status.st_mode):
                if path in leave_out or names.is_folder_left_out(at, name, in_maildir=maildir):
                    continue
                if status.st_dev != device and (not table or path in table):
                    yield Unread(path, "another drive or file system: add it as a folder of its own")
                    continue
                below.append(path)
            elif (entry := _entry(at, name, status, cloud=cloud)) is not None:
                yield entry
        stack += reversed(below)


def look(folder: bytes, paths: Iterable[bytes], *, leave_out: Collection[bytes] = ()) -> Iterator[Entry | Unread]:
    """What lies at each of the paths, and below it, as `scan(folder)` would find it. Paths outside it find nothing."""
    table = filesystem.mounts()
    cloud = filesystem.of(folder, table).is_cloud
    for path in outermost(paths):
        if path == folder:
            yield from scan(folder, leave_out=leave_out, mounts=table)
            continue
        if not is_below(path, folder) or not _reachable(folder, path, leave_out, table):
            continue
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield from _stand_in(path)
            continue
        except OSError as error:
            yield Unread(path, _why(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from scan(path, leave_out=leave_out, mounts=table)
        elif (entry := _entry(os.path.dirname(path), os.path.basename(path), status, cloud=cloud)) is not None:
            yield entry


def places(paths: Iterable[bytes]) -> set[bytes]:
    """The paths, and with each stand-in for a file in the cloud the file's own."""
    found = set(paths)
    for path in list(found):
        if name := names.stands_for(os.path.basename(path)):
            found.add(os.path.join(os.path.dirname(path), name))
    return found


def _stand_in(path: bytes) -> Iterator[Entry]:
    folder, name = os.path.split(path)
    for each in names.stand_ins(name):
        try:
            status = os.lstat(os.path.join(folder, each))
        except OSError:
            continue
        if (entry := _entry(folder, each, status, cloud=True)) is not None:
            yield entry
            return


def folders(
    folder: bytes, *, leave_out: Collection[bytes] = (), mounts: Mapping[bytes, str] | None = None
) -> Iterator[bytes]:
    """The folders that `scan` would list, each before it is listed: a watch set on it then misses nothing."""
    table = filesystem.mounts() if mounts is None else mounts
    stack = [folder]
    while stack:
        at = stack.pop()
        yield at
        try:
            with os.scandir(at) as entries:
                below = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
            device = os.lstat(at).st_dev
        except OSError:
            continue
        maildir = names.is_maildir(at, below)
        for name in below:
            path = os.path.join(at, name)
            if path in leave_out or names.is_folder_left_out(at, name, in_maildir=maildir):
                continue
            try:
                elsewhere = os.lstat(path).st_dev != device
            except OSError:
                continue
            if not (elsewhere and (not table or path in table)):
                stack.append(path)


def is_below(path: bytes, folder: bytes) -> bool:
    """Whether the path lies somewhere in the folder (and is not the folder itself)."""
    return path.startswith(folder if folder.endswith(b"/") else folder + b"/") and path != folder


def outermost(paths: Iterable[bytes]) -> list[bytes]:
    """The paths that lie below no other of them, sorted."""
    kept: list[bytes] = []
    # Compared name by name: in plain byte order `a b` stands between `a` and `a/c`.
    for path in sorted(set(paths), key=lambda each: each.split(b"/")):
        if not kept or not is_below(path, kept[-1]):
            kept.append(path)
    return kept


def _listing(folder: bytes) -> tuple[list[tuple[bytes, os.stat_result]], int]:
    # O_NOFOLLOW: a folder that was replaced by a link since it was listed must not lead out
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found: list[tuple[bytes, os.stat_result]] = []
        with os.scandir(descriptor) as entries:
            for each in entries:
                try:
                    found.append((os.fsencode(each.name), each.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        found.sort(key=lambda pair: pair[0])
        return found, os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _entry(folder: bytes, name: bytes, status: os.stat_result, *, cloud: bool) -> Entry | None:
    if not stat.S_ISREG(status.st_mode):
        return None  # links, sockets, pipes, devices
    if not names.is_document_name(name):
        return None
    stands_for = names.stands_for(name)
    # Blocks are no sign: a file of no blocks may be inline in its inode, not yet written back, or one hole; and some
    # drivers report none for any file. What marks a file as only in the cloud is named by the systems that do it.
    dataless = sys.platform == "darwin" and bool(getattr(status, "st_flags", 0) & _DATALESS)
    reason = ONLY_IN_CLOUD if stands_for is not None or cloud or dataless else ""
    path = os.path.join(folder, name if stands_for is None else stands_for)
    return Entry(path, status.st_size, status.st_mtime_ns, status.st_ino, reason)


def _reachable(folder: bytes, path: bytes, leave_out: Collection[bytes], mounts: Mapping[bytes, str]) -> bool:
    """Whether `scan(folder)` would come by the path: through no link, hidden folder or other file system."""
    at = folder
    *above, last = os.path.relpath(path, folder).split(b"/")
    for name in [*above, last]:
        parent, at = at, os.path.join(at, name)
        try:
            is_folder = stat.S_ISDIR(os.lstat(at).st_mode)
        except OSError:
            return True  # nothing (any more) that could be left out; whoever opens it says why
        if is_folder:
            if at in leave_out or names.is_folder_left_out(parent, name, in_maildir=names.is_maildir(parent)):
                return False
            if at in mounts and os.lstat(at).st_dev != os.lstat(parent).st_dev:
                return False
        elif at != path:
            return False
    return True


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to list this folder"
    return f"could not be listed: {(error.strerror or str(error)).lower()}"


# --- is it the folder that was added? -------------------------------------------------------------------------------


def missing(folder: bytes, device: int, inode: int, known: Iterable[bytes] = ()) -> str:
    """Why the folder counts as not there, or an empty string. Nothing in a missing folder is deleted from the vault.

    `device` and `inode` are what it had when it was last seen, `known` some paths of files in it. A drive that is not
    mounted leaves its empty mount point, another folder by its numbers; but the numbers alone also change when the
    same drive comes back in another order or a folder is restored, so one file that is where it was is proof enough.
    """
    try:
        status = os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return "the folder is not there: moved, deleted, or on a drive that is not mounted"
    except PermissionError:
        return "no permission to enter the folder"
    except OSError as error:
        return f"the folder cannot be reached: {(error.strerror or str(error)).lower()}"
    if not stat.S_ISDIR(status.st_mode):
        return "there is a file where the folder was"
    if (status.st_dev, status.st_ino) == (device, inode):
        return ""
    paths = list(known)
    if not paths or any(os.path.lexists(path) for path in paths):
        return ""
    return "another folder is in its place, with none of its files: is its drive mounted?"


# --- how it differs -------------------------------------------------------------------------------------------------


def compare(found: Iterable[Entry | Unread], known: Iterable[Known], *, inodes_stay: bool = True) -> Changes:
    """Disk against vault, both for the same places. Pure: looks at nothing but its arguments.

    `known` has to hold every file that the vault has in these places, and none elsewhere. Where inode numbers do not
    last (`filesystem.FileSystem.inodes_stay`), they are not looked at.
    """
    entries: dict[bytes, Entry] = {}
    unread: list[Unread] = []
    for each in found:
        if isinstance(each, Unread):
            unread.append(each)
        elif not (each.reason and each.path in entries):  # a stand-in beside the file itself: the file counts
            entries[each.path] = each

    shut = {each.path for each in unread}
    rows = {row.path: row for row in known if not (shut and _under_any(row.path, shut))}
    changed: list[tuple[Known, Entry]] = []
    moved: list[tuple[Known, Entry]] = []

    def same(row: Known, entry: Entry) -> bool:
        return (row.size, row.mtime_ns) == (entry.size, entry.mtime_ns) and (
            not inodes_stay or row.inode == entry.inode
        )

    # 1. At the same place, looking the same
    for path in entries.keys() & rows.keys():
        row, entry = rows[path], entries[path]
        if same(row, entry):
            if row.cloud != bool(entry.reason) or row.again:
                changed.append((row, entry))
            del rows[path], entries[path]

    # 2. The same file at another place. Before the places are compared: in a → b → c, b is not a changed b.
    if inodes_stay:
        by_inode: dict[tuple[int, int, int], list[Known]] = {}
        for row in rows.values():  # several where a file has several names (hard links)
            by_inode.setdefault((row.inode, row.size, row.mtime_ns), []).append(row)
        for entry in list(entries.values()):
            if same_file := by_inode.get((entry.inode, entry.size, entry.mtime_ns)):
                row = same_file.pop()
                moved.append((row, entry))
                del rows[row.path], entries[entry.path]

    # 3. At the same place, with another content
    changed += [(rows.pop(path), entries.pop(path)) for path in entries.keys() & rows.keys()]

    # 4. Moved from another drive: new number, same name, size and time (to the nanosecond), and no second such file
    rows_by_look = _unique(((os.path.basename(row.path), row.size, row.mtime_ns), row) for row in rows.values())
    entries_by_look = _unique(
        ((os.path.basename(entry.path), entry.size, entry.mtime_ns), entry) for entry in entries.values()
    )
    for look_alike in rows_by_look.keys() & entries_by_look.keys():
        row, entry = rows_by_look[look_alike], entries_by_look[look_alike]
        moved.append((row, entry))
        del rows[row.path], entries[entry.path]

    return Changes(
        new=tuple(entries.values()),
        changed=tuple(sorted(changed, key=lambda pair: pair[0].path)),
        moved=tuple(sorted(moved, key=lambda pair: pair[0].path)),
        gone=tuple(sorted(rows.values(), key=lambda row: row.path)),
        unread=tuple(unread),
    )


def _under_any(path: bytes, folders: Collection[bytes]) -> bool:
    while True:
        if path in folders:
            return True
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above


_Look = tuple[bytes, int, int]
_File = TypeVar("_File", Known, Entry)


def _unique(pairs: Iterable[tuple[_Look, _File]]) -> dict[_Look, _File]:
    """Those whose look comes once."""
    found: dict[_Look, _File] = {}
    twice: set[_Look] = set()
    for key, value in pairs:
        if key in found:
            twice.add(key)
        found[key] = value
    return {key: value for key, value in found.items() if key not in twice}
