"""The lock: what engine, page, workers and zygote may ask of the kernel, for good, in every thread.

A process puts it on itself after its start and before it sees a key or a document. What the kernel refuses
then: every way to open, bind or connect a socket of any family, to run a program, to look into another
process, io_uring (which would do all of that unseen), namespaces, kernel keys, shared memory with others, and
typing into the terminal. What is left: files, threads, `accept()` on sockets that were bound before, and
descriptors that were inherited or passed.

If it cannot be put on, LockError is raised and the process must not go on.
"""

import functools
import glob
import os
import platform
import resource
import signal
import stat
import struct
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from engine import landlock, seccomp
from engine.seccomp import Check, Rule
from vault.errors import StrongroomError

Profile = Literal["engine", "page", "zygote", "worker", "writer", "connector"]

DEVICES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dri", "/dev/dri/renderD*", "/dev/kfd")
"""What the drivers of graphics cards open to compute, as patterns; of a folder, only its list is read. The nodes
/dev/dri/card*, which draw on screens too, are not among them."""

_files_held_by = 0  # version of Landlock that `limit_files` has put on this process


class LockError(StrongroomError):
    """The lock could not be put on, so that nothing may start."""


@dataclass(frozen=True, slots=True)
class Report:
    """What holds this process, for the status page."""

    profile: str
    system: str
    experimental: bool
    """true where the lock was never tried against each escape (macOS)"""
    landlock: int
    """version of Landlock that holds the files, 0 for none"""
    refused: tuple[str, ...]
    """what was tried after locking, and refused"""
    missing: tuple[str, ...]
    """what is not held on this system, in words"""

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "refused": list(self.refused), "missing": list(self.missing)}


# fmt: off
_REFUSED = (
    # another program, by socket. MPTCP, netlink, vsock and all others begin with socket()
    "socket", "connect", "bind",
    # another program, started
    "execve", "execveat", "fork", "vfork",
    # another process, from inside
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd",
    "kcmp",
    # another process, by shared memory, queue or key ring
    "mq_open", "mq_unlink", "msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semctl",
    "semtimedop", "shmget", "shmat", "shmctl", "keyctl", "add_key", "request_key",
    # another process, by signal (kill and tgkill: see the rules)
    "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
    # the kernel's programmable parts, where escapes have been found before
    "bpf", "perf_event_open", "userfaultfd",
    # another view of the system
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
    "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at",
    "open_by_handle_at", "fanotify_init", "fanotify_mark",
    # the machine itself, should anybody run this as root
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff",
    "reboot", "acct", "quotactl", "quotactl_fd", "syslog", "iopl", "ioperm", "modify_ldt", "personality",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "vhangup",
    "uselib", "ustat", "lookup_dcookie", "nfsservctl", "_sysctl", "move_pages", "migrate_pages",
    # not asked about by Landlock before its third version; SQLite cuts files by descriptor
    "truncate",
)
_MISSING = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register")  # the libraries fall back

# Landlock does not ask about these: a document could be made readable to all, or its dates be changed.
_ATTRIBUTES = (
    "chown", "lchown", "fchown", "fchownat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr",
    "lremovexattr", "fremovexattr", "removexattrat", "utime", "utimes", "utimensat", "futimesat", "file_setattr",
    "mknod", "mknodat",
)
_MODE_ARGUMENT = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}
_MODES = tuple(_MODE_ARGUMENT)
_WATCHES = ("inotify_init", "inotify_init1")
_NO_SOCKETS = (
    "socketpair", "accept", "accept4", "listen", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
    "recvmmsg", "setsockopt",
)
# fmt: on

_OWN_PROCESS = 0x7FFFFFF1  # stands in a rule for the number of the process that puts the filter on
_FASTOPEN = 0x20000000  # MSG_FASTOPEN: connects while sending
_NEW_NAMESPACE = 0x7E020080  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}
_THREAD = 0x00010000  # CLONE_THREAD

_RULES: dict[str, Rule] = {
    # SOCK_CLOEXEC and SOCK_NONBLOCK are masked out. A datagram socket could be sent to any path.
    "socketpair": [[Check(0, "eq", 1), Check(1, "eq", 1, 0xFFFFFFFF & ~0x80800), Check(2, "eq", 0)]],
    "sendto": [[Check(4, "null"), Check(3, "eq", 0, _FASTOPEN)]],
    "sendmsg": [[Check(2, "eq", 0, _FASTOPEN)]],
    "sendmmsg": [[Check(3, "eq", 0, _FASTOPEN)]],
    # SOL_SOCKET, and TCP_NODELAY: not TCP_FASTOPEN_CONNECT, TCP_REPAIR, TCP_ULP
    "setsockopt": [[Check(1, "eq", 1)], [Check(1, "eq", 6), Check(2, "eq", 1)]],
    "clone": [[Check(0, "eq", _THREAD, _THREAD | _NEW_NAMESPACE)]],
    # TIOCSTI and TIOCLINUX type into the terminal that the user's shell reads; FIOSETOWN, SIOCSPGRP: as F_SETOWN
    "ioctl": [[Check(1, "ne", 0x5412), Check(1, "ne", 0x541C), Check(1, "ne", 0x8901), Check(1, "ne", 0x8902)]],
    # F_SETOWN and F_SETOWN_EX have the kernel send a signal to any process of the user
    "fcntl": [[Check(1, "ne", 8), Check(1, "ne", 15)]],
    # PR_SET_DUMPABLE and PR_SET_PTRACER would let another process look in
    "prctl": [[Check(0, "ne", 4), Check(0, "ne", 0x59616D61)], [Check(0, "eq", 4), Check(1, "eq", 0)]],
}


def _filter(profile: Profile) -> bytes:
    """Return the filter for this process."""
    # Compiled by the zygote, put on by each of its workers.
    program = _compiled(profile)
    return program.replace(struct.pack("=I", _OWN_PROCESS), struct.pack("=I", os.getpid()))


@functools.cache
def _compiled(profile: Profile) -> bytes:
    refused, rules = _profile(profile)
    return seccomp.compile_filter(platform.machine(), refused, _MISSING, rules)


def prepare(profile: Profile) -> None:
    """Compile the filter now, so that the processes that are forked from this one need not."""
    _compiled(profile)


def _profile(profile: Profile) -> tuple[tuple[str, ...], dict[str, Rule]]:
    """Return what is refused altogether and what is looked at, for this process."""
    refused: tuple[str, ...] = (*_REFUSED, *_ATTRIBUTES)
    own = [[Check(0, "eq", _OWN_PROCESS)]]
    # 0 is the caller: another process's limits are its own affair
    rules = {**_RULES, "kill": own, "tgkill": own, "prlimit64": [[Check(0, "eq", 0)], *own]}
    match profile:
        case "engine":
            refused += ("listen",)
            # It takes rights away from a vault's folder, and can give none to anybody else: no bit but the owner's.
            rules |= {name: [[Check(at, "eq", 0, ~0o700 & 0xFFFFFFFF)]] for name, at in _MODE_ARGUMENT.items()}
        case "page":
            # asyncio calls listen() once more on the socket that it is given; it stays bound to 127.0.0.1
            refused += (*_MODES, *_WATCHES)
        case "zygote":
            refused = tuple(each for each in refused if each not in ("fork", "vfork"))
            refused += (*_MODES, *_WATCHES, "listen", "accept", "accept4", "setsockopt")
            # It forks workers and ends them when asked.
            rules["clone"] = [[Check(0, "eq", 0, _NEW_NAMESPACE)]]
            del rules["kill"], rules["tgkill"]
        case "worker":
            refused += (*_MODES, *_WATCHES, *_NO_SOCKETS)
        case "connector":
            # It speaks over connections that it is handed: it takes descriptors, and gives none to anybody.
            refused += (*_MODES, *_WATCHES, "socketpair", "accept", "accept4", "listen", "setsockopt", "sendmsg")
            refused += ("sendmmsg",)
        case "writer":
            refused += (*_MODES, *_WATCHES, *_NO_SOCKETS)
            # ARCH_REQ_XCOMP_PERM, for AMX: llama.cpp crashes with it on some machines (its issue 20824), and computes
            # with AVX where the kernel does not permit it.
            rules["arch_prctl"] = [[Check(0, "ne", 0x1023)]]
    return refused, {name: rule for name, rule in rules.items() if name not in refused}


def limit_files(*, readable: Sequence[Path] | None, writable: Sequence[Path], devices: Sequence[Path] = ()) -> int:
    """Hold this thread, and those it starts, to these folders; call it before other threads exist.

    `readable` None leaves reading free; `devices` may be used. What a process is held to already holds it further.
    Returns the version of Landlock, 0 where the system has none; `lock` then reports it. Raises LockError.
    """
    global _files_held_by  # noqa: PLW0603 - as the hold itself, a property of the process
    if sys.platform != "linux":
        return 0
    if threading.active_count() > 1:
        raise LockError(
            f"{threading.active_count()} threads are running where Landlock has to be set",
            "set it at the start",
        )
    try:
        _files_held_by = landlock.restrict(readable=readable, writable=writable, devices=devices)
    except OSError as error:
        raise LockError(f"the kernel refused to limit the files: {error.strerror}") from error
    return _files_held_by


def program_folders() -> list[Path]:
    """Return what a process reads to run Python code: interpreter, packages, libraries, system settings."""
    code = Path(__file__).resolve().parents[1]
    packages = [Path(each) for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
    system = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev/null", "/dev/urandom", "/nix/store")
    found = [code, Path(sys.prefix), Path(sys.base_prefix), *packages, *map(Path, system)]
    return [each for each in found if each != Path("/") and each.exists()]


def graphics_devices() -> list[Path]:
    """Return the device files of DEVICES that exist."""
    return [Path(each) for pattern in DEVICES for each in sorted(glob.glob(pattern))]


def graphics_folders() -> list[Path]:
    """Return what a process reads whose graphics driver is loaded piece by piece: the program's folders and the
    driver's, and of /proc what is the system's or this very process's, so that no other's command line is seen."""
    # fmt: off
    more = (
        "/opt/cuda", "/opt/rocm", "/proc/self", "/proc/driver", "/proc/devices", "/proc/modules", "/proc/cpuinfo",
        "/proc/meminfo", "/proc/sys",
    )
    # fmt: on
    programs = [each for each in program_folders() if each != Path("/proc")]
    return [*programs, *(Path(each) for each in more if Path(each).exists())]


def lock(profile: Profile, *, verify: bool = True) -> Report:
    """Put the lock on this process, all its threads, for good; then try what must be refused.

    `verify` false tries only the most important. Raises LockError where the kernel does not take it, where something
    stays open, or where a descriptor is already there that would be a way out; the caller must not go on.
    """
    if sys.platform == "darwin":
        from engine import lock_macos

        return lock_macos.lock(profile)
    if sys.platform != "linux" or platform.machine() not in seccomp.ARCHITECTURES or sys.maxsize < 2**32:
        raise LockError(
            f"no lock is known for {platform.system()} on {platform.machine()}",
            "Strongroom starts only where the kernel keeps its processes from the network",
        )
    if verify:
        _refuse_open_ways()
    # No core dump ever holds a document, and no process of the user may attach to this one.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seccomp.libc_handle().prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, which 0 is always allowed
    try:
        seccomp.install(_filter(profile))
    except OSError as error:
        raise LockError(
            f"the kernel refused the lock: {error.strerror}",
            "a kernel with seccomp filters is needed (any of the common distributions has one)",
        ) from error
    # A worker, of which there is one a file, tries the most important one.
    tried = probe() if verify else _probe_quickly()
    system = f"Linux {platform.release()}"
    return Report(profile, system, False, _files_held_by, tried, _missing_on(_files_held_by))


def _missing_on(version: int) -> tuple[str, ...]:
    """Return what Landlock of this version leaves open."""
    if version == 0:
        return ("writing files: without Landlock only the user's own rights hold",)
    return ("cutting a file that may be read",) if version < 3 else ()


def probe() -> tuple[str, ...]:
    """Try, from inside, what must be refused; return what was tried. Raises LockError if one went through.

    Each try is one that an open system would answer with another error, or harmlessly with success.
    """
    raw, eperm = seccomp.raw, -1
    tries = {
        "internet socket": raw("socket", 2, 1, 0),
        "datagram socket": raw("socket", 2, 2, 0),
        "Unix socket": raw("socket", 1, 1, 0),
        "netlink socket": raw("socket", 16, 3, 0),
        "datagram pair": raw("socketpair", 1, 2, 0, 0),
        "connect": raw("connect", -1, 0, 0),
        "bind": raw("bind", -1, 0, 0),
        "send to an address": raw("sendto", -1, 0, 0, 0, 1, 16),
        "run a program": raw("execve", 0, 0, 0),
        "run a program by descriptor": raw("execveat", -1, 0, 0, 0, 0),
        "attach to a process": raw("ptrace", 0x7FFF, 0, 0, 0),
        "read another process": raw("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0),
        "take a descriptor": raw("pidfd_getfd", -1, 0, 0),
        "another namespace": raw("unshare", 0),
    }
    through = [name for name, result in tries.items() if result != eperm]
    if raw("io_uring_setup", 0, 0) != -38:  # ENOSYS
        through.append("io_uring")
    if through:
        raise LockError(f"the lock is on, but these still went through: {', '.join(through)}")
    return (*tries, "io_uring")


def _probe_quickly() -> tuple[str, ...]:
    if seccomp.raw("socket", 1, 1, 0) != -1:
        raise LockError("the lock is on, but a socket could be made")
    return ("Unix socket",)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which forked it, ends: no orphan keeps a vault open.

    Where there is no such thing (macOS), sockets that close tell the process.
    """
    if sys.platform == "linux":
        seccomp.libc_handle().prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before that
            os._exit(1)


def _refuse_open_ways() -> None:
    """Look at what is open before the lock: a socket that reaches others would stay usable."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            mode = os.fstat(descriptor).st_mode
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the listing's own descriptor
            continue
        if "io_uring" in target or (stat.S_ISSOCK(mode) and not _harmless(descriptor)):
            raise LockError(
                f"descriptor {descriptor} is a way out that is already open ({target})",
                "start Strongroom without sockets other than Unix streams among its descriptors",
            )


def _harmless(descriptor: int) -> bool:
    """Whether this socket is a Unix stream, or a bound one that only accepts."""
    import socket

    with socket.socket(fileno=os.dup(descriptor)) as each:
        if each.type != socket.SOCK_STREAM:
            return False
        accepts = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        return each.family == socket.AF_UNIX or (accepts and each.family in (socket.AF_INET, socket.AF_INET6))
