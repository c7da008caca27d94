"""The filter line by line: what each process is refused, written down a second time, and the numbers of the calls."""

import re
import subprocess

import pytest

from engine import lock, seccomp
from tests.engine.refused import refused

PROFILES = ("engine", "page", "zygote", "worker", "writer", "connector")

LOOKED_AT = {
    "engine": "socketpair sendto sendmsg sendmmsg setsockopt clone ioctl fcntl prctl kill tgkill prlimit64 chmod fchmod fchmodat fchmodat2",
    "page": "socketpair sendto sendmsg sendmmsg setsockopt clone ioctl fcntl prctl kill tgkill prlimit64",
    "zygote": "socketpair sendto sendmsg sendmmsg clone ioctl fcntl prctl prlimit64",
    "worker": "clone ioctl fcntl prctl kill tgkill prlimit64",
    "writer": "clone ioctl fcntl prctl kill tgkill prlimit64 arch_prctl",
    "connector": "sendto clone ioctl fcntl prctl kill tgkill prlimit64",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_no_line_of_the_filter_is_lost(profile):
    names, rules = lock._profile(profile)
    assert sorted(names) == sorted(refused(profile))
    assert sorted(rules) == sorted(LOOKED_AT[profile].split())
    assert sorted(lock._MISSING) == ["clone3", "io_uring_enter", "io_uring_register", "io_uring_setup"]


HEADERS = {
    # The kernel's own tables, as the C library's development files bring them along. aarch64 uses the generic one.
    "x86_64": "asm/unistd_64.h",
    "aarch64": "asm-generic/unistd.h",
}


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_each_call_has_the_number_that_the_kernel_gives_it(machine):
    """A wrong number would refuse another call and leave this one open."""
    column = seccomp.ARCHITECTURES[machine][1]
    source = f"#define __ARCH_WANT_NEW_STAT\n#define __ARCH_WANT_SYS_CLONE3\n#include <{HEADERS[machine]}>\n"
    done = subprocess.run(
        ["cc", "-E", "-dM", "-x", "c", "-"], input=source, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    found = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE))
    found |= {
        name: found[other]
        for name, other in re.findall(r"^#define __NR_(\w+) __NR(?:3264)?_(\w+)$", done.stdout, re.MULTILINE)
        if other in found
    }
    # The generic table names the variants of 64 bits apart.
    generic = dict(re.findall(r"^#define __NR3264_(\w+) (\d+)$", done.stdout, re.MULTILINE))
    found = {**generic, **found}
    ours = {name: numbers[column] for name, numbers in seccomp.SYSCALLS.items() if numbers[column] is not None}
    # Calls that are newer than this machine's headers have no number there; all of them are above 424.
    unknown = {name: number for name, number in ours.items() if name not in found}
    assert all(number > 440 for number in unknown.values()), unknown
    assert {name: int(found[name]) for name in ours if name in found} == {
        name: number for name, number in ours.items() if name in found
    }
    # And none is said not to exist that does.
    assert [name for name, numbers in seccomp.SYSCALLS.items() if numbers[column] is None and name in found] == []
