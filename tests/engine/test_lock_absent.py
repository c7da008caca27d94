"""Where a part of the lock cannot be put on, nothing starts; and who is locked lets nobody look in.

The kernel that lacks something is this one, under a filter of our own that has it answer as one without would.
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.client import connect

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534

# Arguments: JSON with the call, the error it shall have, and the program's words.
LACKING = """
import errno, json, os, platform, sys
from engine import seccomp
given = json.loads(sys.argv[1])
if given["call"] == "no_new_privs":
    program = seccomp.compile_filter(platform.machine(), [], [], {"prctl": [[seccomp.Check(0, "ne", 38)]]})
else:
    program = seccomp.compile_filter(platform.machine(), [given["call"]], [], {})
    answer, other = (seccomp._op(seccomp._RETURN, seccomp._ERRNO | each) for each in (errno.EPERM, given["error"]))
    program = program.replace(answer, other)
seccomp.install(program)
os.execv(sys.executable, [sys.executable, "-m", "ui.command", *given["words"]])
"""


def lacking(home, call, error, *words, **more):
    given = {"call": call, "error": error, "words": ["--vault", str(home / "vault"), *words]}
    secret = home / "secret"
    secret.write_text("a passphrase of a test\n")
    secret.chmod(0o600)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    environment["STRONGROOM_PASSPHRASE_FILE"] = str(secret)
    return subprocess.Popen(
        [sys.executable, "-c", LACKING, json.dumps(given)], env=environment, cwd=home, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "words", "reason"),
    [
        ("seccomp", errno.ENOSYS, "serve", "the kernel refused the lock"),  # a kernel without seccomp, or before 3.17
        ("seccomp", errno.EINVAL, "serve", "the kernel refused the lock"),  # one built without filters
        ("seccomp", errno.ENOSYS, "init", "the kernel refused the lock"),
        ("no_new_privs", errno.EPERM, "serve", "the kernel refused"),
        ("landlock_add_rule", errno.EINVAL, "serve", "the kernel refused to limit the files"),
        ("landlock_restrict_self", errno.EPERM, "serve", "the kernel refused to limit the files"),
    ],
)
def test_where_the_lock_cannot_be_set_nothing_starts(tmp_path, call, error, words, reason):
    process = lacking(tmp_path, call, error, words)
    said, complaint = process.communicate(timeout=120)
    assert process.returncode not in (0, None)
    assert reason in complaint
    assert "http://" not in said
    assert [each.name for each in (tmp_path / "vault").glob("*")] == []  # no vault was begun
    assert connect(tmp_path / "vault", tmp_path / "state" / "strongroom") is None
    with pytest.raises(ProcessLookupError):  # nobody of its session is left
        os.killpg(process.pid, 0)


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EOPNOTSUPP])  # built without Landlock; switched off at boot
def test_without_landlock_the_rest_of_the_lock_is_on_and_it_is_said_what_is_missing(tmp_path, error):
    process = lacking(tmp_path, "landlock_create_ruleset", error, "serve")
    try:
        assert "http://" in process.stdout.readline()
        with connect(tmp_path / "vault", tmp_path / "state" / "strongroom") as client:
            held = client.call("protection")["engine"]
        assert held["landlock"] == 0
        assert any("without Landlock" in each for each in held["missing"])
        assert "internet socket" in held["refused"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_a_program_of_the_same_user_that_is_not_its_parent_cannot_look_into_a_locked_process(tmp_path):
    """Memory, environment, descriptors, tracing: open before the lock (where the system lets neighbours trace), and
    refused after it. Tried as an ordinary user, as to root everything is open."""
    before, after = _looked_at(locked=False), _looked_at(locked=True)
    assert set(after.values()) <= {errno.EPERM, errno.EACCES}
    yama = Path("/proc/sys/kernel/yama/ptrace_scope")
    if not yama.exists() or yama.read_text().strip() == "0":
        assert set(before.values()) == {0}
    assert before["environment"] == 0  # reading, which no such setting forbids


def _looked_at(*, locked):
    ours, theirs = socket.socketpair()
    victim = _forked(lambda: _be_looked_at(theirs, locked=locked))
    assert ours.recv(1) == b"1"
    reading, writing = os.pipe()
    _wait(_forked(lambda: os.write(writing, json.dumps(_look(victim)).encode())))
    os.close(writing)
    ours.close()
    theirs.close()
    os.kill(victim, signal.SIGKILL)
    _wait(victim)
    with open(reading, "rb") as answer:
        return json.loads(answer.read())


def _forked(work):
    """A child that is an ordinary user's, where this is root's."""
    pid = os.fork()
    if pid == 0:
        try:
            from engine.seccomp import libc_handle

            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                libc_handle().prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as after a start, which a change of user undoes
            work()
        finally:
            os._exit(0)
    return pid


def _wait(pid):
    os.waitpid(pid, 0)


def _be_looked_at(line, *, locked):
    from engine import lock

    if locked:
        lock.lock("engine", verify=False)
    line.send(b"1")
    line.recv(1)  # until it is killed


def _look(victim):
    from engine import seccomp

    raw = seccomp.raw

    def opened(name, flags):
        try:
            os.close(os.open(f"/proc/{victim}/{name}", flags))
        except OSError as error:
            return error.errno
        return 0

    def listed():
        try:
            os.listdir(f"/proc/{victim}/fd")
        except OSError as error:
            return error.errno
        return 0

    found = {
        "memory, read": opened("mem", os.O_RDONLY),
        "memory, written": opened("mem", os.O_RDWR),
        "environment": opened("environ", os.O_RDONLY),
        "map of memory": opened("maps", os.O_RDONLY),
        "descriptors": listed(),
        "a descriptor": max(0, -raw("pidfd_getfd", os.pidfd_open(victim), 1, 0)),
        "traced": -raw("ptrace", 0x4206, victim, 0, 0),  # PTRACE_SEIZE
    }
    if found["traced"] == 0:
        raw("ptrace", 17, victim, 0, 0)  # PTRACE_DETACH
    return found

