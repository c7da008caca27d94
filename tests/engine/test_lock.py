"""Every way out is tried from inside each kind of process, also from a thread older than the lock.

Each way is also tried without its line of the filter: so that it is the lock that refuses, and no line can be lost
unnoticed.
"""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import landlock, lock, seccomp

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("inside.py")

EVERYWHERE = ("engine", "page", "zygote", "worker", "writer", "connector")


@dataclass(frozen=True)
class Way:
    """A way out, the lines of the filter that close it, and from where it has to be closed."""

    escape: str
    lines: tuple[str, ...]
    profiles: tuple[str, ...] = EVERYWHERE
    error: str = "EPERM"


WAYS = [
    Way("tcp", ("socket", "connect")),
    Way("udp", ("socket", "sendto")),
    Way("internet6", ("socket",)),
    Way("raw_socket", ("socket",)),
    Way("netlink", ("socket",)),
    Way("mptcp", ("socket",)),
    Way("vsock", ("socket",)),
    Way("unix_stream", ("socket", "connect")),
    Way("unix_datagram", ("socket", "sendto")),
    Way("datagram_pair", ("socketpair", "sendto")),
    Way("seqpacket_pair", ("socketpair",)),
    Way("stream_pair", ("socketpair",), ("worker", "writer", "connector")),
    Way("reconnect", ("connect",)),
    Way("bind_anew", ("bind",)),
    Way("listen_anew", ("listen",), ("engine", "zygote", "worker", "writer", "connector")),
    Way("fast_open_sendto", ("sendto",)),
    Way("fast_open_sendmsg", ("sendmsg",)),
    Way("fast_open_sendmmsg", ("sendmmsg",)),
    Way("fast_open_option", ("setsockopt",)),
    Way("accept", ("accept", "accept4"), ("zygote", "worker", "writer", "connector")),
    Way("passed_descriptor", ("recvmsg",), ("worker", "writer")),
    Way("uring", ("io_uring_setup",), error="ENOSYS"),
    Way("run_program", ("execve",)),
    Way("run_descriptor", ("execveat",)),
    Way("fork", ("fork", "clone"), ("engine", "page", "worker", "writer", "connector")),
    Way("raw_fork", ("fork",), ("engine", "page", "worker", "writer", "connector")),
    Way("vfork_like", ("clone",), ("engine", "page", "worker", "writer", "connector")),
    Way("namespace_fork", ("clone",)),
    Way("namespace", ("unshare",)),
    Way("attach", ("ptrace",)),
    Way("read_memory", ("process_vm_readv",)),
    Way("write_memory", ("process_vm_writev",)),
    Way("take_descriptor", ("pidfd_getfd",)),
    Way("signal_other", ("kill",), ("engine", "page", "worker", "writer", "connector")),
    Way("signal_group", ("kill",), ("engine", "page", "worker", "writer", "connector")),
    Way("signal_thread", ("tgkill",), ("engine", "page", "worker", "writer", "connector")),
    Way("signal_any_thread", ("tkill",)),
    Way("signal_descriptor", ("pidfd_send_signal",)),
    Way("signal_by_file", ("fcntl",)),
    Way("signal_by_socket", ("ioctl",)),
    Way("limit_other", ("prlimit64",)),
    Way("type_into_terminal", ("ioctl",)),
    Way("watched_by_others", ("prctl",)),
    Way("watched_by_one", ("prctl",)),
    Way("matrix_unit", ("arch_prctl",), ("writer",)),
    Way("shared_memory", ("shmget",)),
    Way("message_queue", ("msgget",)),
    Way("kernel_key", ("add_key",)),
    Way("fault_handler", ("userfaultfd",)),
    Way("counters", ("perf_event_open",)),
    Way("kernel_program", ("bpf",)),
    Way("change_root", ("chroot",)),
    Way("handle", ("name_to_handle_at",)),
    Way("cut_by_name", ("truncate",)),
    Way("change_mode", ("chmod", "fchmodat", "fchmodat2")),
    Way("change_owner", ("chown", "fchownat")),
    Way("change_dates", ("utimensat",)),
]


@pytest.fixture
def surroundings(tmp_path):
    """Servers that would take what comes out, a process to look into, a terminal, a file; all of this user."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stream = stack.enter_context(socket.socket(socket.AF_UNIX))
        stream.bind(str(tmp_path / "stream"))
        stream.listen()
        datagram = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        datagram.bind(str(tmp_path / "datagram"))
        script = "import ctypes; b = ctypes.create_string_buffer(8); print(ctypes.addressof(b), flush=True); input()"
        victim = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        address = int(victim.stdout.readline())
        master, terminal = pty.openpty()
        stack.callback(os.close, master)
        stack.callback(os.close, terminal)
        text = tmp_path / "text"
        text.write_text("no program\n")
        text.chmod(0o755)
        (tmp_path / "allowed").mkdir()
        yield {
            "port": server.getsockname()[1], "stream": str(tmp_path / "stream"), "datagram": str(tmp_path / "datagram"),
            "victim": victim.pid, "address": address, "terminal": terminal, "text": str(text),
            "allowed": str(tmp_path / "allowed"),
        }  # fmt: skip


def inside(surroundings, profile, escape, **more):
    """Run inside.py; return what it printed, or the signal that ended it."""
    given = {"profile": profile, "escape": escape, **surroundings, **more}
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening, ours, theirs:
        socket.send_fds(ours, [b"x"], [listening.fileno()])
        given |= {"listening": listening.fileno(), "pair": theirs.fileno()}
        done = subprocess.run(
            [sys.executable, "-S", INSIDE, json.dumps(given)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
            pass_fds=[given["listening"], given["pair"], given["terminal"]],
        )  # fmt: skip
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.escape)
def test_a_way_out_is_refused_from_inside_every_process_also_to_a_thread_older_than_the_lock(surroundings, way):
    found = {profile: inside(surroundings, profile, way.escape, old=True) for profile in way.profiles}
    assert found == dict.fromkeys(way.profiles, f"refused {way.error}\nrefused {way.error}")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.escape)
def test_without_its_lines_the_way_out_is_as_open_as_without_a_lock(surroundings, way):
    unlocked = inside(surroundings, "", way.escape)
    assert inside(surroundings, way.profiles[0], way.escape, without=list(way.lines)) == unlocked


def test_most_ways_out_are_open_to_an_unlocked_process_here(surroundings):
    # The two tests above would hold on a machine where nothing works at all.
    plain = ("tcp", "unix_stream", "datagram_pair", "reconnect", "fast_open_sendmsg", "fast_open_option", "run_program")
    assert {each: inside(surroundings, "", each) for each in plain} == dict.fromkeys(plain, "through")


@pytest.mark.parametrize(
    ("profile", "escape"),
    [
        ("engine", "accept"),
        ("page", "accept"),
        ("page", "listen_anew"),
        ("engine", "stream_pair"),
        ("page", "stream_pair"),
        ("page", "no_delay"),
        ("engine", "passed_descriptor"),
        ("zygote", "passed_descriptor"),
        ("zygote", "fork"),
        ("zygote", "signal_other"),
        ("engine", "threads"),
        ("page", "threads"),
        ("worker", "threads"),
        ("writer", "threads"),
        ("worker", "signal_self"),
        ("engine", "take_rights_away"),
        ("engine", "limit_self"),
        ("worker", "limit_self"),
    ],
)
def test_what_a_process_needs_is_left_to_it(surroundings, profile, escape):
    assert inside(surroundings, profile, escape) == "through"


def test_the_newer_call_for_threads_is_missing_so_that_libraries_use_the_older_one(surroundings):
    assert inside(surroundings, "engine", "new_fork_call") == "refused ENOSYS"


def test_calls_that_are_newer_than_the_filter_are_missing(surroundings):
    assert inside(surroundings, "engine", "call_of_the_future") == "refused ENOSYS"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86_64 has calls of 32 bits and of x32")
def test_calls_of_a_foreign_architecture_end_the_process_or_are_refused(surroundings):
    assert inside(surroundings, "engine", "call_of_32_bits") == "ended by signal 31"  # SIGSYS
    assert inside(surroundings, "worker", "call_of_32_bits") == "ended by signal 31"
    for profile in EVERYWHERE:  # one number for all that a socket can do
        assert inside(surroundings, profile, "socket_of_32_bits") == "ended by signal 31"
    assert inside(surroundings, "", "socket_of_32_bits") == "through"
    assert inside(surroundings, "engine", "call_of_x32") == "refused EPERM"


@pytest.mark.parametrize("escape", ["write_file", "write_new_file", "write_memory_file", "read_memory_file"])
@pytest.mark.parametrize("profile", EVERYWHERE)
def test_landlock_refuses_to_write_outside_the_vault(surroundings, profile, escape):
    assert landlock.version() > 0, "this kernel has no Landlock"
    allowed = {"writable": [surroundings["allowed"]]}
    found = inside(surroundings, profile, escape, old=True, **allowed)
    assert found in ("refused EACCES\nrefused EACCES", "refused EPERM\nrefused EPERM")
    assert inside(surroundings, profile, escape) == inside(surroundings, "", escape)


def test_landlock_lets_the_engine_write_in_the_vault_and_read_everywhere(surroundings):
    allowed = {"writable": [surroundings["allowed"]]}
    for escape in ("write_allowed", "read_file", "list_folder", "import_module"):
        assert inside(surroundings, "engine", escape, **allowed) == "through"


def test_landlock_lets_the_page_read_its_program_and_nothing_of_the_user(surroundings):
    allowed = {"writable": [], "readable": [str(each) for each in lock.program_folders()]}
    assert inside(surroundings, "page", "import_module", **allowed) == "through"
    assert inside(surroundings, "page", "read_file", **allowed) == "refused EACCES"
    assert inside(surroundings, "page", "list_folder", **allowed) == "refused EACCES"


@pytest.mark.parametrize("escape", ["read_passwords", "read_file", "list_folder", "write_file"])
def test_landlock_lets_a_worker_open_nothing(surroundings, escape):
    allowed = {"writable": [], "readable": []}
    assert inside(surroundings, "worker", escape, **allowed) == "refused EACCES"
    assert inside(surroundings, "writer", escape, **allowed) == "refused EACCES"
    assert inside(surroundings, "worker", escape) == "through"


def test_the_lock_tries_for_itself_and_reports(surroundings):
    script = (
        "import json; from pathlib import Path; from engine import lock;"
        "lock.limit_files(readable=None, writable=[]); print(json.dumps(lock.lock('engine').to_json()))"
    )
    report = json.loads(python(script).stdout)
    assert report["profile"] == "engine"
    assert report["landlock"] == landlock.version()
    assert {"internet socket", "Unix socket", "run a program", "io_uring"} <= set(report["refused"])
    assert not report["experimental"]


def test_a_lock_that_lets_something_through_is_an_error():
    script = (
        "from engine import lock; lock._REFUSED = tuple(n for n in lock._REFUSED if n != 'execve');\n"
        "try: lock.lock('engine')\n"
        "except lock.LockError as error: print(error)"
    )
    assert "run a program" in python(script).stdout


def test_where_the_filter_cannot_be_set_there_is_an_error():
    # A thread with a filter of its own cannot take part in TSYNC.
    script = (
        "import threading, struct; from engine import lock, seccomp; libc = seccomp.libc_handle()\n"
        "import ctypes\n"
        "def own():\n"
        "    program = seccomp.compile_filter('x86_64', ['mount'], [], {})\n"
        "    libc.prctl(38, 1, 0, 0, 0)\n"
        "    libc.prctl(22, 2, ctypes.byref(seccomp._Program(len(program) // 8, program)), 0, 0)\n"
        "    ready.set(); end.wait()\n"
        "ready, end = threading.Event(), threading.Event()\n"
        "threading.Thread(target=own, daemon=True).start(); ready.wait()\n"
        "try: lock.lock('engine')\n"
        "except lock.LockError as error: print('refused', error)\n"
    )
    if os.uname().machine != "x86_64":
        script = script.replace("x86_64", "aarch64")
    assert "filter of its own" in python(script).stdout


def test_a_way_out_that_is_open_already_is_an_error():
    for kind in ("socket.AF_INET, socket.SOCK_DGRAM", "socket.AF_UNIX, socket.SOCK_DGRAM", "socket.AF_INET"):
        script = (
            f"import socket; from engine import lock; open = socket.socket({kind})\n"
            "try: lock.lock('engine')\n"
            "except lock.LockError as error: print(error)"
        )
        assert "already open" in python(script).stdout


def test_landlock_is_not_set_beside_other_threads():
    done = python(
        "import threading; from engine import lock; end = threading.Event()\n"
        "threading.Thread(target=end.wait, daemon=True).start()\n"
        "try: lock.limit_files(readable=None, writable=[])\n"
        "except lock.LockError as error: print(error)"
    )
    assert "2 threads" in done.stdout


def test_a_locked_process_leaves_no_core_and_cannot_be_looked_into():
    done = python(
        "import resource; from engine import lock; from engine.seccomp import raw; lock.lock('page')\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), raw('prctl', 3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    assert done.stdout.split("\n")[0] == "(0, 0) 0"


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
@pytest.mark.parametrize("profile", EVERYWHERE)
def test_the_filter_says_the_same_on_every_architecture(machine, profile):
    refused, rules = lock._profile(profile)
    program = seccomp.compile_filter(machine, refused, lock._MISSING, rules)
    assert len(program) // 8 < 4096  # BPF_MAXINSNS
    audit, column = seccomp.ARCHITECTURES[machine]
    for name, numbers in seccomp.SYSCALLS.items():
        number = numbers[column]
        if number is None:
            continue
        verdict = run_filter(program, audit, number, (1, 1, 0x20000000, 0x20000000, 1, 0))
        if name in refused:
            assert verdict == 0x00050001, name
        elif name in lock._MISSING:
            assert verdict == 0x00050000 + 38, name
        elif name in rules and name not in (
            "socketpair",
            "clone",
            "ioctl",
            "fcntl",
            "prctl",
            "arch_prctl",
            "setsockopt",
        ):
            assert verdict == 0x00050001, name
    assert run_filter(program, audit ^ 1, 39, (0,) * 6) == 0x80000000
    assert run_filter(program, audit, 63, (0,) * 6) == 0x7FFF0000
    # A pointer whose low half is zero is none the less an address; flags stand in the low half only.
    sendto = seccomp.SYSCALLS["sendto"][column]
    plain = 0x00050001 if profile in ("worker", "writer") else 0x7FFF0000
    assert run_filter(program, audit, sendto, (3, 1, 1, 0, 0, 0)) == plain
    assert run_filter(program, audit, sendto, (3, 1, 1, 0, 1 << 32, 16)) == 0x00050001
    assert run_filter(program, audit, sendto, (3, 1, 1, 1 << 32, 0, 0)) == plain


def run_filter(program, arch, number, arguments):
    """Interpret the filter as the kernel does."""
    import struct

    data = struct.pack("=iIQ6Q", number, arch, 0, *arguments)
    accumulator = position = 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("=HBBI", program, position * 8)
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                position += if_true if accumulator == constant else if_false
            case 0x25:
                position += if_true if accumulator > constant else if_false
            case 0x45:
                position += if_true if accumulator & constant else if_false
            case 0x06:
                return constant


def test_numbers_are_those_of_the_running_kernel():
    # A call that the filter refuses by a wrong number would be another one: ask each side of the C library.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    column = seccomp.ARCHITECTURES[os.uname().machine][1]
    number = seccomp.SYSCALLS["tgkill"][column]
    assert libc.syscall(ctypes.c_long(number), os.getpid(), threading.get_native_id(), 0) == 0


def python(script):
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
