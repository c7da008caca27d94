"""Unlocking. Wrong passphrases slow down: the count is kept in the user's state folder, beside the anchor."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vault import keys
from vault.failures import TooManyAttemptsError
from vault.files import read_small, system_errors, write_atomically
from vault.keys import Header, Keys

FILE_NAME = "attempts"
FREE = 3  # typing errors
LONGEST_SECONDS = 60.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Clock:
    """What the time is. Nobody but the kernel sets `up`, and it means something only within one run of the machine,
    which `boot` names; where the system names none, the time of day has to do."""

    day: Callable[[], float] = time.time
    """seconds since 1970, as the user may set them"""
    up: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    """seconds since the machine started"""
    boot: Callable[[], str] = lambda: _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


SYSTEM = Clock()


def unlock(header: Header, secret: str, state: Path) -> Keys:
    """The keys, by passphrase, recovery code or what a keyring keeps. `state` is this vault's own part of the state
    folder. Raises WrongPassphraseError, TooManyAttemptsError, WrongRecoveryCodeError, RecoveryCodeTypingError,
    WrongKeyringSecretError, DamagedVaultError.
    """
    if code := keys.as_code(secret):  # 140 random bits: guessing them needs no slowing down
        return keys.unlock_with_code(header, code)
    if kept := keys.as_keyring(secret):
        return keys.unlock_with_keyring(header, kept)
    counter = state / FILE_NAME
    begin(counter)
    opened = keys.unlock_with_passphrase(header, secret)
    succeeded(counter)
    return opened


def begin(path: Path, clock: Clock = SYSTEM) -> None:
    """Count an attempt before it is made, so that attempts side by side count too.

    Raises TooManyAttemptsError while the wait after the last one is not over. This slows down someone at the
    keyboard; whoever can run programs as the user could remove the file, and is held up by the key derivation alone.
    """
    with _alone(path.parent):
        failed, elapsed = _read(path, clock)
        wait = delay_seconds(failed) - elapsed
        # A clock that was set back must not lock out for longer than the wait, nor end it: it begins anew, once.
        told = {"day": clock.day(), "up": clock.up(), "boot": clock.boot()}
        if wait > 0:
            if elapsed < 0:
                write_atomically(path, json.dumps({"failed": failed, **told}).encode())
            raise TooManyAttemptsError(failed, min(wait, delay_seconds(failed)))
        write_atomically(path, json.dumps({"failed": failed + 1, **told}).encode())


def succeeded(path: Path) -> None:
    """Forget the failures."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def delay_seconds(failed: int) -> float:
    """How long to wait after that many wrong passphrases in a row: 0, 0, 0, then 2, 4, 8, … 60 s."""
    return 0.0 if failed < FREE else min(2.0 ** (failed - FREE + 1), LONGEST_SECONDS)


def _read(path: Path, clock: Clock) -> tuple[int, float]:
    """The failures, and the seconds since the last: negative where the clock says that it is yet to come."""
    try:
        found = json.loads(read_small(path, 1000))
        failed = min(max(int(found["failed"]), 0), 1000)
        boot = str(found.get("boot", ""))
        if boot and boot == clock.boot():
            return failed, clock.up() - float(found["up"])
        # The machine was started anew, or the vault's state came from another one. `last` is what it was called before.
        return failed, clock.day() - float(found.get("day", found.get("last")))
    except (FileNotFoundError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError):
        return 0, 0.0


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One attempt after the other is counted, also of several processes."""
    with system_errors(folder, "read"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
