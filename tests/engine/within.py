"""In the real processes of a Strongroom that was started with within/ on PYTHONPATH: once a process has put its lock on,
try every way out, from its main thread and from one that is older than the lock, with the descriptors that it holds.

What is found goes, one JSON object a line, into a pipe that was open before (`report`): a taken-over process could use
such a pipe too, had anybody left one. An engine or page tries again whenever a byte comes out of `again`, from the older
thread: with the vault open, the model loaded and a browser served. `x` has it make a call of 32 bits, which ends it.
"""

import ctypes
import errno
import json
import os
import resource
import socket
import stat
import struct
import threading

from engine import lock, seccomp
from tests.engine import escapes
from tests.engine.refused import refused

# Of the lines of the filter these are tried by `escapes` alone: with any arguments they would do something if they went
# through, as a fork of a process with many threads does.
_NOT_BLINDLY = ("fork", "vfork", "vhangup")

ROLE = {"kind": ""}  # of worker, once it is one


def watch(text):
    """Be there when a lock is put on."""
    given = json.loads(text)
    escapes.GIVEN.update(given, descriptor=0)
    kept = (given["report"], *given["again"].values())
    original, closing = lock.lock, os.closerange

    def lock_and_try(profile, *, verify=True):
        begin, done = threading.Event(), threading.Event()

        def older():
            begin.wait()
            tried(profile, "older")
            done.set()
            while profile in given["again"] and (order := os.read(given["again"][profile], 1)):
                if order == b"x":
                    escapes.socket_of_32_bits()
                tried(profile, "later")

        thread = threading.Thread(target=older, daemon=True)
        thread.start()
        report = original(profile, verify=verify)
        tried(profile, "main")
        begin.set()
        done.wait()
        if profile not in given["again"]:
            thread.join()  # the zygote forks
        return report

    def close_others(low, high):
        for first, last in zip((low, *(each + 1 for each in sorted(kept))), (*sorted(kept), high), strict=True):
            closing(max(low, first), min(last, high))

    lock.lock = lock_and_try
    os.closerange = close_others
    _know_workers()


def _know_workers():
    from engine import worker, writer_process

    def known(become):
        def knowing(own, asked, *more):
            ROLE["kind"] = "describe" if b'"describe": true' in asked.options else asked.kind
            become(own, asked, *more)

        return knowing

    worker.become_worker = known(worker.become_worker)
    writer_process.become_writer = known(writer_process.become_writer)


def tried(profile, thread):
    """Try everything here and now."""
    if ROLE["kind"] == "parse" and os.pread(3, 14, 0) == b"call of 32 bit":
        escapes.socket_of_32_bits()
    for name in escapes.GIVEN["ways"][profile]:
        say(profile, thread, "way", name, escapes.attempt(name))
    say(profile, thread, "lines", "", lines(profile))
    for number, what in descriptors().items():
        say(profile, thread, "descriptor", what, by_descriptor(number) if what.startswith("socket") else {})
    for name in escapes.GIVEN["writes"]:
        say(profile, thread, "file", name, file(name))
    if profile == "zygote":
        child()
    say(profile, thread, "state", "", state())


def say(profile, thread, what, name, found):
    value = {"pid": os.getpid(), "profile": profile, **ROLE, "thread": thread, "what": what, "name": name}
    line = json.dumps({**value, "found": found}).encode() + b"\n"
    assert len(line) <= 4096, "a longer one would mix with another process's"
    os.write(escapes.GIVEN["report"], line)


def lines(profile):
    """The calls that are refused altogether, made with nonsense; what is not answered EPERM."""
    names = [each for each in refused(profile) if each not in _NOT_BLINDLY]
    wrong = {name: seccomp.raw(name, -1, -1, -1, -1, -1, -1) for name in names}
    return {name: result for name, result in wrong.items() if result not in (-1, -38)}


def descriptors():
    """The open descriptors and what they are, found without /proc, which a worker cannot read."""
    found = {}
    for number in range(1 << 10):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if number in (escapes.GIVEN["report"], *escapes.GIVEN["again"].values()):
            continue
        if stat.S_ISSOCK(mode):
            with socket.socket(fileno=os.dup(number)) as each:
                listens = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                found[number] = f"socket {each.family.name} {each.type.name}{' listening' if listens else ''}"
        else:
            found[number] = stat.filemode(mode)[0]
    return found


def by_descriptor(number):
    """A socket that is held, used to reach somebody else: what each try was answered."""
    raw, at, buffer = seccomp.raw, ctypes.addressof, ctypes.create_string_buffer
    held = buffer(struct.pack("=H", socket.AF_INET) + struct.pack(">H", escapes.GIVEN["port"]) + b"\x7f\0\0\1" + bytes(8))
    nowhere = buffer(16)  # AF_UNSPEC: disconnects, so that it can be connected anew
    message, _kept = escapes._fast_open_message()
    one, to = buffer(b"\1\0\0\0"), at(message)
    return {
        "disconnect": raw("connect", number, at(nowhere), 16),
        "connect": raw("connect", number, at(held), 16),
        "bind": raw("bind", number, at(held), 16),
        "sendto": raw("sendto", number, at(one), 1, 0, at(held), 16),
        "sendto fast open": raw("sendto", number, at(one), 1, escapes.FASTOPEN, at(held), 16),
        "sendmsg fast open": raw("sendmsg", number, to, escapes.FASTOPEN),
        "sendmmsg fast open": raw("sendmmsg", number, to, 1, escapes.FASTOPEN),
        "option fast open": raw("setsockopt", number, socket.IPPROTO_TCP, 30, at(one), 4),
        "option upper protocol": raw("setsockopt", number, socket.IPPROTO_TCP, 31, at(one), 4),
        "owner of its signals": raw("ioctl", number, 0x8901, at(one)),
    }


def file(name):
    """One way to change, or read, what lies outside: the names are of `escapes.GIVEN["writes"]`."""
    how, path = escapes.GIVEN["writes"][name]
    path = path.format(parent=os.getppid())
    try:
        match how:
            case "read":
                os.close(os.open(path, os.O_RDONLY))
            case "append":
                os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
            case "cut":
                os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
            case "create":
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            case "folder":
                os.mkdir(path)
            case "remove":
                os.unlink(path)
            case "link out":
                os.link(escapes.GIVEN["inside"], path)
            case "move out":
                os.rename(escapes.GIVEN["inside"], path)
            case "link in":
                os.link(path, escapes.GIVEN["inside"] + "-link")
            case "through a link":
                os.symlink(path, escapes.GIVEN["inside"] + "-symlink")
                os.close(os.open(escapes.GIVEN["inside"] + "-symlink", os.O_WRONLY))
            case "pipe":
                os.mkfifo(path)
            case "socket":
                os.mknod(path, stat.S_IFSOCK | 0o600)
            case _:
                raise AssertionError(how)
    except OSError as error:
        return f"refused {errno.errorcode[error.errno]}"
    return "through"


def child():
    """What the zygote forks is held from its first instruction, before it is anything's worker."""
    pid = os.fork()
    if pid == 0:
        for name in escapes.GIVEN["ways"]["zygote"]:
            say("zygote", "child", "way", name, escapes.attempt(name))
        os._exit(0)
    os.waitpid(pid, 0)
    ended = os.fork()
    if ended == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        escapes.socket_of_32_bits()
        os._exit(0)
    say("zygote", "child", "32 bits", "", os.waitstatus_to_exitcode(os.waitpid(ended, 0)[1]))


def state():
    """What the kernel says of this thread and process."""
    found = {"dumpable": seccomp.raw("prctl", 3, 0, 0, 0, 0), "core": resource.getrlimit(resource.RLIMIT_CORE)}
    found["no new privileges"] = seccomp.raw("prctl", 39, 0, 0, 0, 0)
    found["seccomp"] = seccomp.raw("prctl", 21, 0, 0, 0, 0)
    return found
