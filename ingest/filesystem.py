"""What kind of file system a folder lies on: whether it tells of changes, keeps its inode numbers, or is a cloud's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

# Changes made on other machines cause no events on these (inotify(7), "Limitations and caveats"), so they are polled.
_WITHOUT_EVENTS = frozenset(
    {"9p", "afs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
     "smb3", "smbfs", "virtiofs", "webdav"}
)  # fmt: skip

# Inode numbers are made up at each mount, or when a file is first looked at. FUSE's are too, unless its driver cares.
_INODES_CHANGE = frozenset({"9p", "cifs", "exfat", "msdos", "smb3", "smbfs", "vfat", "davfs", "webdav"})

# To read a file here is to fetch it over the network, through the program that serves the mount.
_CLOUD = frozenset(
    {"davfs", "fuse.dbxfs", "fuse.gcsfuse", "fuse.gdrive", "fuse.google-drive-ocamlfuse", "fuse.goofys",
     "fuse.onedriver", "fuse.pcloud", "fuse.rclone", "fuse.s3fs"}
)  # fmt: skip

# GNOME mounts everything below one FUSE file system; the folder's name tells whose it is.
_CLOUD_IN_GVFS = (b"google-drive:", b"onedrive:", b"dav:")


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Where a path lies. `kind` is the kernel's name, or empty where it cannot be told (macOS)."""

    kind: str
    mount: bytes

    @property
    def events_complete(self) -> bool:
        """Whether the kernel tells of every change; otherwise the folder has to be looked at from time to time."""
        return self.kind not in _WITHOUT_EVENTS and not (self.kind.startswith("fuse.") or self.kind == "fuse")

    @property
    def inodes_stay(self) -> bool:
        """Whether a file keeps its inode number from one mount to the next."""
        return self.kind not in _INODES_CHANGE and not (self.kind.startswith("fuse.") or self.kind == "fuse")

    @property
    def is_cloud(self) -> bool:
        """Whether reading a file means fetching it from somebody's cloud."""
        return self.kind in _CLOUD


def mounts(table: bytes | None = None) -> Mapping[bytes, str]:
    """Mount point → kind of its file system, from the kernel's table (proc(5), `/proc/self/mountinfo`).

    Empty where there is no such table.
    """
    if table is None:
        try:
            with open("/proc/self/mountinfo", "rb") as file:
                table = file.read()
        except OSError:
            return {}
    found: dict[bytes, str] = {}
    for line in table.splitlines():
        fields, _, rest = line.partition(b" - ")
        columns = fields.split(b" ")
        if len(columns) >= 5 and rest:
            found[_unescaped(columns[4])] = rest.split(b" ", 1)[0].decode("ascii", "replace")
    return found


def of(path: bytes, table: Mapping[bytes, str] | None = None) -> FileSystem:
    """The file system that `path` (absolute) lies on."""
    known = mounts() if table is None else table
    at = os.path.normpath(path)
    while at not in known:
        above = os.path.dirname(at)
        if above == at:
            return FileSystem("", b"/")
        at = above
    kind = known[at]
    if kind == "fuse.gvfsd-fuse" and path[len(at) :].lstrip(b"/").startswith(_CLOUD_IN_GVFS):
        kind = "fuse.gdrive"
    return FileSystem(kind, at)


def _unescaped(name: bytes) -> bytes:
    """The kernel writes space, tab, newline and backslash as three octal digits."""
    first, *rest = name.split(b"\\")
    return first + b"".join(bytes([int(each[:3], 8)]) + each[3:] for each in rest)
