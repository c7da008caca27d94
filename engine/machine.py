"""What of the machine decides how much the promises are worth: whether disk and swap are encrypted, what becomes of a
crashed program's memory, the clock.

Nothing is started and nothing asked that needs rights: all of it stands in files of /proc and /sys. `root` is where
those lie, for tests.
"""

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_DEEPEST = 8  # partition on LVM on RAID on dm-crypt on a loop device …

# File systems that encrypt by themselves, those in memory, and those whose disk is another machine's.
_ENCRYPTING = ("ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs", "fuse.securefs")
_IN_MEMORY = ("tmpfs", "ramfs")
_ELSEWHERE = ("nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs", "ceph", "afs", "fuse.glusterfs")
_GET_POLICY = 0xC0096616  # FS_IOC_GET_ENCRYPTION_POLICY_EX of linux/fscrypt.h: answers for encrypted folders only


@dataclass(frozen=True, slots=True)
class Kept:
    """How something lies on a disk."""

    encrypted: bool | None
    """None: cannot be told"""
    why: str
    device: str = ""
    """the disk's own name, `/dev/…`, where there is one"""


@dataclass(frozen=True, slots=True)
class _Mount:
    point: str
    kind: str
    source: str
    options: str
    device: str
    """major:minor"""


def disk(path: Path, root: Path = _ROOT) -> Kept:
    """Whether what is written to `path`, an absolute path, is encrypted by this system before it reaches a disk."""
    return _disk(os.path.realpath(path), root, 0)


def swap(root: Path = _ROOT) -> Kept:
    """Whether memory that the system puts away lands on a disk in the clear."""
    try:
        lines = (root / "proc/swaps").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return Kept(None, "/proc/swaps cannot be read")
    found = []
    for line in lines:
        name, kind = (_unescaped(each) for each in line.split()[:2])
        kept = _disk(name, root, 0) if kind == "file" else _block(_device_folder(name, root), root, 0)
        found.append(Kept(kept.encrypted, f"{name}: {kept.why}", name))
    if not found:
        return Kept(True, "there is no swap")
    plain = [each for each in found if each.encrypted is False]
    unknown = [each for each in found if each.encrypted is None]
    told = "; ".join(each.why for each in plain or unknown or found)
    return Kept(False if plain else None if unknown else True, told)


def hibernates(root: Path = _ROOT) -> bool:
    """Whether the system is set up to write all of its memory to a disk (it has a place for that)."""
    with contextlib.suppress(OSError):
        states = (root / "sys/power/state").read_text().split()
        return "disk" in states and (root / "sys/power/resume").read_text().strip() not in ("", "0:0")
    return False


def core_pattern(root: Path = _ROOT) -> str:
    """Where the kernel puts the memory of a program that crashed; empty where that cannot be read."""
    with contextlib.suppress(OSError):
        return (root / "proc/sys/kernel/core_pattern").read_text(errors="replace").strip()
    return ""


def clock_is_behind(published: float, now: float | None = None) -> bool:
    """Whether the clock stands before a moment that has certainly been, as the day on which a library was published."""
    return (time.time() if now is None else now) < published


def _disk(path: str, root: Path, depth: int) -> Kept:
    mount = _mount_of(path, root)
    if mount is None:
        return Kept(None, "the file system that it lies on is not listed")
    kind = mount.kind
    if kind in _ENCRYPTING:
        return Kept(True, f"by the file system ({kind})")
    if kind in _IN_MEMORY:
        return Kept(True, f"in memory only ({kind})")
    if kind in _ELSEWHERE:
        return Kept(None, f"on another machine ({kind}), which decides that")
    if _fscrypt(path):
        return Kept(True, "by the file system (fscrypt)")
    if kind == "overlay":
        upper = re.search(r"upperdir=([^,]+)", mount.options)
        if upper is None or depth >= _DEEPEST:
            return Kept(None, "inside of a container, whose disk is not to be seen")
        return _disk(_unescaped(upper[1]), root, depth + 1)
    if kind == "zfs":
        return Kept(None, "ZFS does not say so here: see `zfs get encryption`")
    folder = root / "sys/dev/block" / mount.device
    # Btrfs and others have a number that is no disk's
    kept = _block(folder if folder.exists() else _device_folder(mount.source, root), root, depth)
    return Kept(kept.encrypted, kept.why, kept.device or mount.source)


def _block(folder: Path | None, root: Path, depth: int) -> Kept:
    """Whether a block device is encrypted, or all that it is made of. `folder` is its own in /sys."""
    if folder is None or not folder.exists() or depth >= _DEEPEST:
        return Kept(None, "its disk is not to be seen from here")
    name = folder.resolve().name
    device = f"/dev/{name}"
    if name.startswith("zram"):
        if _first_line(folder / "backing_dev") not in ("", "none"):
            return Kept(None, "compressed in memory, with a disk behind it", device)
        return Kept(True, "compressed in memory, not on a disk", device)
    mapped = _first_line(folder / "dm/uuid")
    if mapped.startswith("CRYPT-"):
        return Kept(True, f"dm-crypt ({mapped.split('-')[1]})", device)
    behind = _first_line(folder / "loop/backing_file")
    if behind:
        return _disk(behind, root, depth + 1)
    slaves = sorted((folder / "slaves").iterdir()) if (folder / "slaves").is_dir() else []
    if not slaves:
        return Kept(False, f"{device} is not encrypted by this system", device)
    below = [_block(each, root, depth + 1) for each in slaves]
    for wanted in (False, None):  # one that is not decides
        for each in below:
            if each.encrypted is wanted:
                return Kept(each.encrypted, each.why, device)
    return Kept(True, below[0].why, device)


def _device_folder(name: str, root: Path) -> Path | None:
    """The folder in /sys of a device that is named as in /proc/swaps or mountinfo: /dev/vda1, /dev/mapper/home."""
    if not name.startswith("/dev/"):
        return None
    resolved = (root / name.lstrip("/")).resolve()
    return root / "sys/class/block" / resolved.name


def _mount_of(path: str, root: Path) -> _Mount | None:
    """The mount that a path lies on: the last of those with the longest mount point. Source: proc(5), mountinfo."""
    found: _Mount | None = None
    try:
        lines = (root / "proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, more = before.split(), after.split()
        if len(fields) < 6 or len(more) < 2:
            continue
        point = _unescaped(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and (found is None or len(point) >= len(found.point)):
            found = _Mount(point, more[0], _unescaped(more[1]), more[-1], fields[2])
    return found


def _fscrypt(path: str) -> bool:
    """Whether the kernel names an encryption policy for this folder (ext4, f2fs, UBIFS, btrfs)."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # struct fscrypt_get_policy_ex_arg: u64 size of what follows, in which a policy of at most 24 bytes comes back
        fcntl.ioctl(descriptor, _GET_POLICY, (24).to_bytes(8, "little") + bytes(24))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _first_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").split("\n", 1)[0].strip()
    return ""


def _unescaped(text: str) -> str:
    r"""Undo the kernel's escapes of white space in names (\040)."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
