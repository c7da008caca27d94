"""Where the user's own vector server is: one address for one vault, in a file that no engine can write.

The file lies in the user's configuration folder, which the lock keeps every engine from writing to, so that one that a
hostile document took over cannot name an address. `strongroom vectors server ADDRESS` writes it, after its user typed
that they understand; the launcher reads it at the beginning of each life, and refuses it where it could have come from
an engine after all: where Landlock does not hold engines, or the folder lies where they may write.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import landlock, rendezvous
from vault.errors import StrongroomError

UNDERSTOOD = "vectors leave this machine"
"""what is to be typed"""
_HTTP, _HTTPS = 80, 443
_CHROMA = 8000  # what `chroma run` listens on
_ADDRESS = re.compile(
    r"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?/?\Z"
)
_MOST_BYTES = 4_096


class AddressError(StrongroomError):
    """No address, or one that may not be used."""


@dataclass(frozen=True, slots=True)
class Address:
    """One server."""

    scheme: str
    """http or https"""
    host: str
    """a name or an IP address, without brackets"""
    port: int
    token_file: str = ""
    """the user's file with the token that the server wants to see, absolute; empty where it wants none"""
    authority: str = ""
    """the user's file with the certificate that signed the server's, absolute; empty: the system's certificates hold"""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def here(self) -> bool:
        """Whether it is this machine, so that nothing goes over a network."""
        return self.host in ("localhost", "::1") or re.match(r"127(\.\d{1,3}){3}\Z", self.host) is not None


def parse(text: str) -> Address:
    """An address as typed. Raises AddressError."""
    match = _ADDRESS.match(text.strip() if "://" in text else f"http://{text.strip()}")
    port = int(match[3]) if match and match[3] else 0
    if not match or (match[3] and not 0 < port < 65_536):
        raise AddressError(f"{text!r} is no address of a server", "http://HOST:PORT or https://HOST:PORT")
    return Address(match[1], match[2].strip("[]"), port or (_HTTPS if match[1] == "https" else _CHROMA))


def path(config_folder: Path, vault_folder: Path) -> Path:
    """The file with the address for this vault."""
    name = rendezvous.socket_path(vault_folder, config_folder).stem.removeprefix("engine-")
    return config_folder / f"vectors-{name}.json"


def write(config_folder: Path, vault_folder: Path, address: Address) -> None:
    """Have the vault's vectors go to this server, from the next life on."""
    rendezvous.private_folder(config_folder)
    target = path(config_folder, vault_folder)
    temporary = target.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        files = {"token_file": address.token_file, "authority": address.authority}
        json.dump({"address": str(address), "understood": UNDERSTOOD, **files}, file)
    temporary.replace(target)


def remove(config_folder: Path, vault_folder: Path) -> bool:
    """Have them go nowhere; whether they went somewhere before."""
    there = path(config_folder, vault_folder)
    found = os.path.lexists(there)
    there.unlink(missing_ok=True)
    return found


def read(config_folder: Path, vault_folder: Path, writable: Sequence[Path]) -> Address | None:
    """The address, None where there is none. `writable` are the folders that engines may write to.

    Raises AddressError for a file that an engine, or somebody else, could have written, and for one that is none.
    """
    there = path(config_folder, vault_folder)
    try:
        descriptor = os.open(there, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AddressError(f"{there} cannot be read: {(error.strerror or str(error)).lower()}", _ANEW) from error
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        content = file.read(_MOST_BYTES)
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or status.st_nlink != 1:
        raise AddressError(f"{there} is not this user's alone", _ANEW)
    refuse_reachable(config_folder, writable)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise AddressError(f"{there} holds no address", _ANEW) from error
    match found:
        case {"understood": str(typed), "address": str(address), **more} if typed == UNDERSTOOD:
            token_file, authority = more.get("token_file", ""), more.get("authority", "")
            if isinstance(token_file, str) and isinstance(authority, str):
                found = replace(parse(address), token_file=token_file, authority=authority)
                refuse_files(found, writable)
                return found
    raise AddressError(f"{there} holds no address", _ANEW)


def refuse_reachable(config_folder: Path, writable: Sequence[Path]) -> None:
    """Raise AddressError where an engine could write in the configuration folder."""
    if sys.platform != "linux" or landlock.version() == 0:
        raise AddressError(
            "this system has no Landlock, so that nothing keeps an engine from naming an address itself",
            "vectors stay on this machine here: `strongroom vectors exact` or `chroma`",
        )
    _refuse_within(config_folder, f"the configuration folder {os.path.realpath(config_folder)}", writable)


def refuse_files(address: Address, writable: Sequence[Path]) -> None:
    """Raise AddressError where an engine could write the token or the certificate."""
    for each in filter(None, (address.token_file, address.authority)):
        _refuse_within(Path(each), each, writable)


def _refuse_within(path: Path, what: str, writable: Sequence[Path]) -> None:
    real = Path(os.path.realpath(path))
    for each in writable:
        folder = Path(os.path.realpath(each))
        if real.is_relative_to(folder):
            raise AddressError(f"{what} lies in {folder}, where an engine may write", "move one of the two")


_ANEW = "`strongroom vectors server ADDRESS` writes it anew"
