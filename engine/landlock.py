"""Landlock: which files a process may read and write, whoever it runs as. Source: Linux landlock(7).

It holds the thread that sets it and what that thread starts later, so it is set before there are others.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from engine.seccomp import libc_handle

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = 1 << 9, 1 << 10, 1 << 11, 1 << 12
_REFER = 1 << 13  # from version 2; before, moving a file to another folder is always refused
_TRUNCATE = 1 << 14  # from version 3
_IOCTL_DEV = 1 << 15  # from version 5
_NET = 0b11  # bind and connect TCP, from version 4
_SCOPED = 0b11  # abstract Unix sockets and signals, to processes outside, from version 6

_READING = _READ_FILE | _READ_DIR
_WRITING = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_USING = _READ_FILE | _WRITE_FILE | _IOCTL_DEV  # a device
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # all that fits a rule for a file


def version() -> int:
    """Return the kernel's Landlock version, 0 where it has none or it is switched off."""
    asked = ctypes.c_long(1)  # LANDLOCK_CREATE_RULESET_VERSION
    result = libc_handle().syscall(ctypes.c_long(_CREATE), None, ctypes.c_long(0), asked)
    return max(int(result), 0)


def restrict(*, readable: Sequence[Path] | None, writable: Sequence[Path], devices: Sequence[Path] = ()) -> int:
    """Let this thread, and what it starts, read below `readable` (None: everywhere), write below `writable`.

    `devices` may be read, written and given orders (ioctl); a folder among them may only be listed.

    Nothing may be executed, no device be made, and where the kernel can, no process outside be signalled.
    Paths that do not exist are left out. Returns the version that holds it, 0 where the kernel has no
    Landlock; raises OSError where it has and refuses.
    """
    found = version()
    if found == 0:
        return 0
    known = (1 << (16 if found >= 5 else 15 if found >= 3 else 14 if found >= 2 else 13)) - 1
    handled = known if readable is not None else known & ~_READING
    net, scoped = _NET if found >= 4 else 0, _SCOPED if found >= 6 else 0
    attributes = struct.pack("=QQQ", handled, net, scoped)
    ruleset = _call(_CREATE, attributes, len(attributes), 0)
    try:
        for path in readable or ():
            _allow(ruleset, path, _READING & handled)
        for path in writable:
            _allow(ruleset, path, (_READING | _WRITING) & handled)
        for path in devices:
            _allow(ruleset, path, (_READ_DIR if path.is_dir() else _USING) & handled)
        if libc_handle().prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS, which Landlock asks for
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return found


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return
        raise
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        _call(_ADD, ruleset, 1, rule, 0)  # LANDLOCK_RULE_PATH_BENEATH
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes) -> int:
    # A variadic function takes a whole register for each argument.
    widened = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(libc_handle().syscall(ctypes.c_long(number), *widened))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
