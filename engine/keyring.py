"""The system's keyring, asked over D-Bus (Secret Service API, freedesktop.org draft 0.2): where the secret of a vault's
third slot lies, for those who want it unlocked at login.

Only a process that reads no document and is not locked can ask it, so it is a short-lived child of the command: of
`strongroom keyring`, which is going to lock itself, and of the one that tells the user that Strongroom is ready. What
the engine gets is the secret, over its own socket.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from engine import lock
from vault.errors import StrongroomError

_ANSWER_SECONDS = 20.0  # that a keyring may take where nobody is asked anything
_PERSON_SECONDS = 180.0  # that a person may take to give the keyring's own passphrase
_HINT = "is a desktop session with a keyring (GNOME Keyring, KWallet, KeePassXC) running?"
_MOST_BYTES = 4096


class NoKeyringError(StrongroomError):
    """No keyring answers, or it is locked."""


class Keyring:
    """The keyring, through a process that is forked at once and ended by `close`."""

    def __init__(self) -> None:
        """Fork it. Call before this process is locked and before it has threads."""
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                lock.die_with_parent(parent)
                self._here.close()
                _serve(there)
            finally:
                os._exit(0)
        there.close()

    def keep(self, vault_id: str, secret: str) -> None:
        """Put a vault's secret into the user's default keyring, in the place of one that is there. The keyring may ask
        the user for its own passphrase. Raises NoKeyringError."""
        self._ask("keep", vault_id, secret)

    def fetch(self, vault_id: str) -> str:
        """A vault's secret, empty where no open keyring has one. Asks nobody anything. Raises NoKeyringError."""
        return self._ask("fetch", vault_id)

    def forget(self, vault_id: str) -> None:
        """Delete a vault's secret, if there is one. Raises NoKeyringError where it is locked away."""
        self._ask("forget", vault_id)

    def close(self) -> None:
        """End the process."""
        self._here.close()
        # It may be waiting for a keyring that does not answer. A process that was locked meanwhile may not end it; then
        # it ends with that process.
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, what: str, *words: str) -> str:
        seconds = _PERSON_SECONDS if what == "keep" else _ANSWER_SECONDS
        self._here.settimeout(seconds)
        try:
            _send(self._here, what, *words)
            answer = _receive(self._here)
        except TimeoutError as error:
            raise NoKeyringError(f"the keyring did not answer within {seconds:.0f} s", _HINT) from error
        except OSError:
            answer = []
        if not answer:
            raise NoKeyringError("the process that speaks to the keyring has ended")
        kind, message, hint = answer
        if kind == "error":
            raise NoKeyringError(message, hint)
        return message


# --- in that process ------------------------------------------------------------------------------------------------


def _serve(line: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command decides
    while request := _receive(line):
        what, vault_id, *words = request
        can: dict[str, Callable[..., str]] = {"keep": _keep, "fetch": _fetch, "forget": _forget}
        try:
            with _connected() as (connection, storage):
                answer = ["done", can[what](connection, storage, _attributes(vault_id), *words), ""]
        except StrongroomError as error:
            answer = ["error", error.message, error.hint]
        _send(line, *answer)


def _send(line: socket.socket, *words: str) -> None:
    """Words, parted by line feeds and ended by a NUL: what is sent holds neither, and what is told loses them."""
    line.sendall("\n".join(" ".join(word.replace("\0", " ").split("\n")) for word in words).encode() + b"\0")


def _receive(line: socket.socket) -> list[str]:
    """The words that were sent, none if the other end has gone."""
    received = b""
    while not received.endswith(b"\0"):
        block = line.recv(_MOST_BYTES)
        if not block:
            return []
        received += block
    return received[:-1].decode().split("\n")


def _keep(connection: Any, storage: Any, attributes: dict[str, str], secret: str) -> str:
    collection = storage.get_default_collection(connection)
    if collection.is_locked() and collection.unlock():
        raise NoKeyringError("the keyring stayed locked", "unlock it, and try again")
    collection.create_item("Strongroom vault", attributes, secret.encode(), replace=True)
    return ""


def _fetch(connection: Any, storage: Any, attributes: dict[str, str]) -> str:
    for item in storage.search_items(connection, attributes):
        if not item.is_locked():
            return str(item.get_secret().decode("ascii", "replace"))
    return ""


def _forget(connection: Any, storage: Any, attributes: dict[str, str]) -> str:
    for item in list(storage.search_items(connection, attributes)):
        if item.is_locked():
            raise NoKeyringError("the keyring is locked", "unlock it, then `strongroom keyring off` deletes its secret")
        item.delete()
    return ""


def _attributes(vault_id: str) -> dict[str, str]:
    """What finds the item. A keyring keeps attributes readable; the vault's id is readable in its header, too."""
    return {"application": "strongroom", "vault": vault_id}


@contextlib.contextmanager
def _connected() -> Iterator[tuple[Any, Any]]:
    """A connection to the session bus, and secretstorage."""
    if sys.platform != "linux":
        raise NoKeyringError("a keyring is asked on Linux only", "STRONGROOM_PASSPHRASE_FILE serves elsewhere")
    try:
        import secretstorage
        from jeepney import DBusErrorResponse  # type: ignore[import-untyped]
    except ImportError as error:
        raise NoKeyringError("what speaks to the keyring is not installed", "pip install secretstorage") from error
    try:
        connection = secretstorage.dbus_init()
    except (secretstorage.SecretStorageException, OSError, RuntimeError) as error:
        raise NoKeyringError("there is no session bus, over which the keyring is asked", _HINT) from error
    try:
        yield connection, secretstorage
    except (secretstorage.SecretStorageException, DBusErrorResponse, OSError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].lower().rstrip(".")
        raise NoKeyringError(f"the keyring does not answer: {reason}", _HINT) from error
    finally:
        connection.close()
