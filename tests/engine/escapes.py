"""Ways out of a locked process, each a function that raises OSError where it is refused.

They are tried by inside.py, in a process made for it, and by within.py, in the real ones.
"""

import array
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import threading
from pathlib import Path

from engine.seccomp import raw

FASTOPEN = 0x20000000
GIVEN = {}
"""what the ways need: `port`, `stream`, `datagram` of servers, `victim` (a process of the same user) and an `address` in
it, `text` (a file), `allowed` (a folder), `terminal`, `listening` and `pair` (descriptors), where there are such"""


def server():
    return ("127.0.0.1", GIVEN["port"])


def called(name, *arguments):
    result = raw(name, *arguments)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def unbound():
    """A TCP socket that is not connected: the inherited one, its listening ended."""
    found = socket.socket(fileno=os.dup(GIVEN["listening"]))
    with contextlib.suppress(OSError):  # the first try has ended it
        found.shutdown(socket.SHUT_RDWR)
    return found


def tcp():
    socket.create_connection(server(), timeout=5).sendall(b"out")


def udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", server())


def internet6():
    socket.socket(socket.AF_INET6, socket.SOCK_STREAM)


def raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


def mptcp():
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)


def vsock():
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


def unix_stream():
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(GIVEN["stream"])


def unix_datagram():
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"out", GIVEN["datagram"])


def datagram_pair():
    socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"out", GIVEN["datagram"])


def seqpacket_pair():
    socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def stream_pair():
    socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


def reconnect():
    found = unbound()
    found.settimeout(5)
    found.connect(server())


def bind_anew():
    unbound().bind(("127.0.0.2", 0))


def listen_anew():
    unbound().listen()


def fast_open_sendto():
    if unbound().sendto(b"out", FASTOPEN, server()) != 3:
        raise OSError(errno.EIO, "")


def _fast_open_message():
    address = ctypes.create_string_buffer(
        struct.pack("=H", socket.AF_INET) + struct.pack(">H", GIVEN["port"]) + bytes([127, 0, 0, 1]) + bytes(8)
    )
    text = ctypes.create_string_buffer(b"out")
    vector = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(text), 3))
    header = struct.pack("=QI4xQQQQi4x", ctypes.addressof(address), 16, ctypes.addressof(vector), 1, 0, 0, 0)
    message = ctypes.create_string_buffer(header + bytes(8))
    return message, (address, text, vector)


def fast_open_sendmsg():
    message, _kept = _fast_open_message()
    found = unbound()
    called("sendmsg", found.fileno(), ctypes.addressof(message), FASTOPEN)


def fast_open_sendmmsg():
    message, _kept = _fast_open_message()
    found = unbound()
    called("sendmmsg", found.fileno(), ctypes.addressof(message), 1, FASTOPEN)


def fast_open_option():
    unbound().setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT


def no_delay():
    socket.socket(fileno=os.dup(GIVEN["listening"])).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def accept():
    found = socket.socket(fileno=os.dup(GIVEN["listening"]))
    found.setblocking(False)
    try:
        found.accept()
    except BlockingIOError:
        return


def uring():
    parameters = ctypes.create_string_buffer(256)
    called("io_uring_setup", 8, ctypes.addressof(parameters))


def run_program():
    # A process that is replaced would say nothing: a file that is no program shows that the kernel looked.
    try:
        os.execv(GIVEN["text"], ["x"])
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def run_descriptor():
    descriptor = GIVEN["descriptor"] if "descriptor" in GIVEN else os.open(GIVEN["text"], os.O_RDONLY)
    empty, none = ctypes.create_string_buffer(b""), ctypes.create_string_buffer(bytes(8))
    try:
        called("execveat", descriptor, ctypes.addressof(empty), ctypes.addressof(none), ctypes.addressof(none), 0x1000)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def fork():
    _child(os.fork())


def raw_fork():
    _child(called("fork"))


def vfork_like():
    _child(called("clone", 0x4000 | signal.SIGCHLD, 0, 0, 0, 0))  # CLONE_VFORK


def namespace_fork():
    _child(called("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0))  # CLONE_NEWUSER


def _child(pid):
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def new_fork_call():
    called("clone3", 0, 0)


def threads():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def namespace():
    called("unshare", 0x10000000)


def attach():
    called("ptrace", 16, GIVEN["victim"], 0, 0)  # PTRACE_ATTACH


def read_memory():
    here = ctypes.create_string_buffer(8)
    local = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(here), 8))
    remote = ctypes.create_string_buffer(struct.pack("=QQ", GIVEN["address"], 8))
    called("process_vm_readv", GIVEN["victim"], ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)


def write_memory():
    here = ctypes.create_string_buffer(b"written!")
    local = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(here), 8))
    remote = ctypes.create_string_buffer(struct.pack("=QQ", GIVEN["address"], 8))
    called("process_vm_writev", GIVEN["victim"], ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)


def read_memory_file():
    with open(f"/proc/{GIVEN['victim']}/mem", "rb", buffering=0) as file:
        file.seek(GIVEN["address"])
        file.read(8)


def write_memory_file():
    with open(f"/proc/{GIVEN['victim']}/mem", "r+b", buffering=0) as file:
        file.seek(GIVEN["address"])
        file.write(b"out")


def take_descriptor():
    called("pidfd_getfd", os.pidfd_open(GIVEN["victim"]), 0, 0)


def signal_other():
    os.kill(GIVEN["victim"], 0)


def signal_group():
    os.kill(0, 0)


def signal_thread():
    called("tgkill", GIVEN["victim"], GIVEN["victim"], 0)


def signal_any_thread():
    called("tkill", GIVEN["victim"], 0)


def signal_descriptor():
    signal.pidfd_send_signal(os.pidfd_open(GIVEN["victim"]), 0)


def signal_by_file():
    """The kernel would send the signal, when something comes into the pipe."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(reading, fcntl.F_SETOWN, GIVEN["victim"])
    finally:
        os.close(reading)
        os.close(writing)


def signal_by_socket():
    number = ctypes.create_string_buffer(struct.pack("=i", GIVEN["victim"]))
    called("ioctl", GIVEN["listening"], 0x8901, ctypes.addressof(number))  # FIOSETOWN


def limit_other():
    limits = ctypes.create_string_buffer(16)
    called("prlimit64", GIVEN["victim"], 7, 0, ctypes.addressof(limits))


def limit_self():
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))


def signal_self():
    os.kill(os.getpid(), 0)


def type_into_terminal():
    character = ctypes.create_string_buffer(b"x")
    called("ioctl", GIVEN["terminal"], 0x5412, ctypes.addressof(character))  # TIOCSTI


def watched_by_others():
    called("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE


def watched_by_one():
    called("prctl", 0x59616D61, GIVEN["victim"], 0, 0, 0)  # PR_SET_PTRACER


def matrix_unit():
    called("arch_prctl", 0x1023, 18, 0)  # ARCH_REQ_XCOMP_PERM


def shared_memory():
    called("shmget", 0, 4096, 0o1600)  # IPC_PRIVATE, IPC_CREAT


def message_queue():
    called("msgget", 0, 0o1600)


def kernel_key():
    kind, name = ctypes.create_string_buffer(b"user"), ctypes.create_string_buffer(b"strongroom-test")
    called("add_key", ctypes.addressof(kind), ctypes.addressof(name), ctypes.addressof(name), 4, -1)


def fault_handler():
    os.close(called("userfaultfd", 0))


def counters():
    size = 112
    attributes = ctypes.create_string_buffer(struct.pack("=IIQ", 1, size, 0) + bytes(size))
    os.close(called("perf_event_open", ctypes.addressof(attributes), 0, -1, -1, 0))


def kernel_program():
    attributes = ctypes.create_string_buffer(struct.pack("=IIII", 2, 4, 4, 1) + bytes(112))
    os.close(called("bpf", 0, ctypes.addressof(attributes), 128))  # BPF_MAP_CREATE, array


def change_root():
    os.chroot("/")


def handle():
    name = ctypes.create_string_buffer(b"/etc\0")
    buffer = ctypes.create_string_buffer(struct.pack("=I", 128) + bytes(160))
    mount = ctypes.create_string_buffer(4)
    called("name_to_handle_at", -100, ctypes.addressof(name), ctypes.addressof(buffer), ctypes.addressof(mount), 0)


def cut_by_name():
    os.truncate(GIVEN["text"], 0)


def change_mode():
    os.chmod(GIVEN["text"], 0o777)


def take_rights_away():
    os.chmod(GIVEN["text"], 0o700)
    descriptor = os.open(GIVEN["text"], os.O_RDONLY)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)


def change_owner():
    os.chown(GIVEN["text"], os.getuid(), os.getgid())


def change_dates():
    os.utime(GIVEN["text"])


def write_file():
    with open(GIVEN["text"], "a") as file:
        file.write("out")


def write_new_file():
    Path(GIVEN["text"]).with_name("new").write_text("out")


def write_allowed():
    Path(GIVEN["allowed"], "new").write_text("kept")
    Path(GIVEN["allowed"], "new").rename(Path(GIVEN["allowed"], "renamed"))


def read_file():
    Path(GIVEN["text"]).read_bytes()


def read_passwords():
    Path("/etc/passwd").read_bytes()


def list_folder():
    os.listdir(os.path.dirname(GIVEN["text"]))


def import_module():
    import colorsys  # noqa: F401 - one that nothing has imported yet


def machine_code(code):
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return ctypes.CFUNCTYPE(ctypes.c_long)(address)()


def call_of_32_bits():
    # mov eax, 20 (getpid of i386); int 0x80; ret
    if machine_code(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3") != os.getpid():
        raise OSError(errno.EIO, "")


def socket_of_32_bits():
    """socketcall(SYS_SOCKET), one number for all that sockets do, through int 0x80 with an address below 4 GiB."""
    memory = mmap.mmap(-1, 4096, flags=0x62, prot=7)  # MAP_PRIVATE, MAP_ANONYMOUS, MAP_32BIT
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    # push rbx; mov eax, 102; mov ebx, 1; mov ecx, address + 256; int 0x80; pop rbx; ret
    code = b"\x53\xb8\x66\0\0\0\xbb\x01\0\0\0\xb9" + struct.pack("=I", address + 256) + b"\xcd\x80\x5b\xc3"
    memory[: len(code)] = code
    memory[256:268] = struct.pack("=III", socket.AF_INET, socket.SOCK_STREAM, 0)
    found = ctypes.c_int(ctypes.CFUNCTYPE(ctypes.c_long)(address)()).value
    if found < 0:
        raise OSError(-found, "")
    os.close(found)


def call_of_x32():
    # mov eax, 0x40000027 (getpid of x32); syscall; ret
    result = machine_code(b"\xb8\x27\x00\x00\x40\x0f\x05\xc3")
    if result < 0:
        raise OSError(-result, "")


def call_of_the_future():
    called_number = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(5000))
    if called_number < 0:
        raise OSError(ctypes.get_errno(), "")


def passed_descriptor():
    """A descriptor that comes over an inherited Unix stream: allowed in engine and page, not in a worker."""
    with socket.socket(fileno=os.dup(GIVEN["pair"])) as found:
        _, ancillary, _, _ = found.recvmsg(1, socket.CMSG_SPACE(4))
        array.array("i").frombytes(ancillary[0][2])


def attempt(escape):
    """Try it; return `through`, or `refused ERRNO`."""
    try:
        globals()[escape]()
    except OSError as error:
        return f"refused {errno.errorcode.get(error.errno, error.errno)}"
    return "through"
