"""Seccomp filters from small data: a system call's name and what its arguments must be, compiled to BPF.

Source: Linux Documentation/userspace-api/seccomp_filter.rst, and the kernel's tables of system calls.
No dependency: `prctl` and `seccomp` are called through ctypes.
"""

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # AUDIT_ARCH_*, column of SYSCALLS
NEWEST = 469  # file_setattr, Linux 6.17. A call made later than this list is not known to be harmless: ENOSYS
_X32 = 0x40000000  # the bit that marks the x32 calls of an x86_64 kernel

# Numbers from the kernel's tables; None where the architecture has no such call. From 424 on they agree.
# fmt: off
SYSCALLS: Mapping[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "socketpair": (53, 199), "sendto": (44, 206), "sendmsg": (46, 211),
    "sendmmsg": (307, 269), "recvmsg": (47, 212), "recvfrom": (45, 207), "recvmmsg": (299, 243),
    "setsockopt": (54, 208),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "clone": (56, 220),
    "clone3": (435, 435), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272), "kill": (62, 129),
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428),
    "open_tree_attr": (467, 467), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "syslog": (103, 116), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "personality": (135, 92), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "vhangup": (153, 58), "uselib": (134, None), "ustat": (136, None), "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42), "_sysctl": (156, None), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "truncate": (76, 45), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None), "fchown": (93, 55),
    "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "setxattrat": (463, 463), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88),
    "futimesat": (261, None), "file_setattr": (469, 469), "mknod": (133, None), "mknodat": (259, 33),
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    "ioctl": (16, 29), "fcntl": (72, 25), "prctl": (157, 167), "arch_prctl": (158, None), "prlimit64": (302, 261),
    "seccomp": (317, 277), "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on one argument.

    `eq` and `ne` compare the low 32 bits, masked, which is what the kernel reads of an `int`; `null` wants
    all 64 bits zero, for pointers.
    """

    argument: int
    operation: Literal["eq", "ne", "null"]
    value: int = 0
    mask: int = 0xFFFFFFFF


Rule = Sequence[Sequence[Check]]
"""Alternatives: the call is let through if all checks of any one of them hold."""

# Instructions of classic BPF, and what a filter may return.
_LOAD, _AND, _EQUAL, _GREATER, _TEST, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000


def compile_filter(machine: str, refused: Sequence[str], missing: Sequence[str], rules: Mapping[str, Rule]) -> bytes:
    """Return the filter as an array of `struct sock_filter` for `machine` (a key of ARCHITECTURES).

    Calls in `refused` fail with EPERM, those in `missing` with ENOSYS (so that a library falls back), those
    in `rules` with EPERM unless their arguments fit. A foreign architecture (int 0x80) ends the process, as
    its numbers mean other calls; x32 calls fail with EPERM, unknown numbers with ENOSYS.
    """
    arch, column = ARCHITECTURES[machine]
    program = [
        _op(_LOAD, 4),  # seccomp_data.arch
        _op(_EQUAL, arch, 1, 0),
        _op(_RETURN, _KILL_PROCESS),
        _op(_LOAD, 0),  # seccomp_data.nr
        _op(_TEST, _X32, 0, 1),
        _op(_RETURN, _ERRNO | errno.EPERM),
        _op(_GREATER, NEWEST, 0, 1),
        _op(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for names, error in ((refused, errno.EPERM), (missing, errno.ENOSYS)):
        for name in names:
            number = SYSCALLS[name][column]
            if number is not None:
                program += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _ERRNO | error)]
    for name, rule in rules.items():
        number = SYSCALLS[name][column]
        if number is not None:
            body = _rule(rule)
            program += [_op(_EQUAL, number, 0, len(body)), *body]
    program.append(_op(_RETURN, _ALLOW))
    return b"".join(program)


def _rule(rule: Rule) -> list[bytes]:
    """Return the instructions that let the call through or refuse it; they never fall off the end."""
    body: list[bytes] = []
    for alternative in rule:
        # Instructions before the jump, the constant compared with, whether it shall be equal.
        tests: list[tuple[list[bytes], int, bool]] = []
        for check in alternative:
            low, high = 16 + 8 * check.argument, 20 + 8 * check.argument  # seccomp_data.args, little-endian
            if check.operation == "null":
                tests += [([_op(_LOAD, low)], 0, True), ([_op(_LOAD, high)], 0, True)]
            else:
                load = [_op(_LOAD, low), _op(_AND, check.mask)]
                tests.append((load, check.value, check.operation == "eq"))
        # A failed test jumps behind this alternative's last instruction, which lets the call through.
        left = sum(len(load) + 1 for load, _, _ in tests) + 1
        for load, value, equal in tests:
            left -= len(load) + 1
            body += [*load, _op(_EQUAL, value, 0, left) if equal else _op(_EQUAL, value, left, 0)]
        body.append(_op(_RETURN, _ALLOW))
    return [*body, _op(_RETURN, _ERRNO | errno.EPERM)]


def _op(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, constant)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put the filter on every thread of this process, for good. Raises OSError.

    TSYNC is what holds threads that are older than the filter; it fails, rather than leaving one out.
    """
    libc = libc_handle()
    # PR_SET_NO_NEW_PRIVS: without it the kernel takes no filter from an ordinary user.
    if libc.prctl(38, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    number = SYSCALLS["seccomp"][ARCHITECTURES[platform.machine()][1]] or 0
    argument = _Program(len(program) // 8, program)
    # SECCOMP_SET_MODE_FILTER = 1, SECCOMP_FILTER_FLAG_TSYNC = 1
    one = ctypes.c_long(1)
    result = libc.syscall(ctypes.c_long(number), one, one, ctypes.byref(argument))
    if result > 0:
        raise OSError(errno.EBUSY, f"thread {result} has a seccomp filter of its own")
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@functools.cache  # a worker is forked with it, and has no time to make its own
def libc_handle() -> ctypes.CDLL:
    """Return the C library, with errno kept and `syscall` returning a long."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def raw(name: str, *arguments: int) -> int:
    """Make a system call by its number; return its result, or minus errno. For probes and tests."""
    number = SYSCALLS[name][ARCHITECTURES[platform.machine()][1]]
    if number is None:
        return -errno.ENOSYS
    result = int(libc_handle().syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments)))
    return -ctypes.get_errno() if result == -1 else result
