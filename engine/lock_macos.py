"""The lock on macOS: a sandbox profile through `sandbox_init`, which Apple calls deprecated and goes on using itself.

Experimental: it has not been tried against each way out, as the lock on Linux is. Source: Chromium's
sandbox/mac/seatbelt.cc, which passes profiles in the same language (SBPL) to the same function.
"""

import ctypes
import errno
import platform
import resource
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.lock import Profile, Report

# What is denied to all. Inbound stays allowed: engine and page accept on sockets that were bound before.
_PROFILE = """
(version 1)
(allow default)
(deny network-outbound)
(deny network-bind)
(deny process-exec*)
(deny mach-priv*)
(deny signal (target others))
(deny system-socket)
"""
_NO_FORK = "(deny process-fork)\n"
_NO_FILES = '(deny file-write*)\n(deny file-read-data (subpath "/Users") (subpath "/Volumes"))\n'
_NO_WRITING = "(deny file-write*)\n"

_PROFILES = {
    "engine": _PROFILE + _NO_FORK,
    "page": _PROFILE + _NO_FORK + _NO_WRITING,
    "zygote": _PROFILE.replace("(deny signal (target others))\n", "") + _NO_WRITING,
    "worker": _PROFILE + _NO_FORK + _NO_FILES,
    "writer": _PROFILE + _NO_FORK + _NO_FILES,
    "connector": _PROFILE + _NO_FORK + _NO_WRITING,
}

_MISSING = (
    "where the engine may write: the user's own rights alone hold it",
    "services of the system that are reached by Mach messages",
    "what a parser may read, should it be held by no more than the process that started it",
    "memory of a parser, which macOS does not limit",
    "a parser that outlives the process that started it by being killed",
)


def lock(profile: "Profile") -> "Report":
    """Put the sandbox on this process, for good, and try it. Raises LockError."""
    from engine.lock import LockError, Report

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL("/usr/lib/libSystem.dylib", use_errno=True)
    error = ctypes.c_char_p()
    # A worker is forked from the zygote and has its sandbox; a second one on top may be refused.
    if library.sandbox_init(_PROFILES[profile].encode(), ctypes.c_uint64(0), ctypes.byref(error)) != 0:
        reason = error.value.decode("utf-8", "replace") if error.value else "no reason given"
        if profile not in ("worker", "writer"):
            raise LockError(f"macOS refused the sandbox: {reason}")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            tried.connect(("127.0.0.1", 9))
    except OSError as refused:
        if refused.errno not in (errno.EPERM, errno.EACCES):
            raise LockError(f"the sandbox is on, but a connection failed for another reason: {refused}") from refused
    else:
        raise LockError("the sandbox is on, but a connection went through")
    return Report(profile, f"macOS {platform.mac_ver()[0]}", True, 0, ("internet connection",), _MISSING)
