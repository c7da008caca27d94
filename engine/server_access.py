"""What a server of the user's wants to see, and what it has to show: a token, and a certificate.

Both lie in files of the user's, of which only the paths are written down (engine/server_address.py). The connector
reads them before it is locked; a token is in no other process, and goes to that one server alone.
"""

import os
import re
import ssl
import stat
from dataclasses import dataclass, field

from engine.server_address import Address, AddressError

_MOST_TOKEN = 4_096  # bytes of the file
_MOST_CERTIFICATES = 1 << 20
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+\Z")  # what RFC 6750 lets stand after `Bearer`, with any number of =


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to speak to a server."""

    token: str = field(repr=False)
    """empty where none is wanted"""
    certificates: ssl.SSLContext | None
    """which certificates hold; None for http"""


def look(address: Address) -> Access:
    """Read the token and the certificates. Raises AddressError where a file cannot be used."""
    return Access(_token(address) if address.token_file else "", _certificates(address))


def _token(address: Address) -> str:
    if address.scheme != "https" and not address.here:
        raise AddressError(f"a token that goes to {address} can be read by everybody on the way", "https://HOST:PORT")
    content = _read(address.token_file, _MOST_TOKEN, own=True).decode("ascii", errors="replace").strip()
    if not _TOKEN.match(content):
        raise AddressError(f"{address.token_file} holds no token", "one line of letters, digits and -._~+/=")
    return content


def _certificates(address: Address) -> ssl.SSLContext | None:
    if address.scheme != "https":
        if address.authority:
            raise AddressError(f"{address} shows no certificate that could be checked", "https://HOST:PORT")
        return None
    if not address.authority:
        return ssl.create_default_context()
    content = _read(address.authority, _MOST_CERTIFICATES, own=False)
    try:
        # Of nothing at all, the library would make that the system's certificates hold.
        return ssl.create_default_context(cadata=content.decode("ascii") or "none")
    except (ssl.SSLError, ValueError) as error:
        raise AddressError(f"{address.authority} holds no certificate", "a file in PEM form, as ca.pem") from error


def _read(path: str, most: int, *, own: bool) -> bytes:
    """A small file's content. `own`: nobody else may read it. Raises AddressError."""
    try:
        # Not to wait, where it is a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise AddressError(f"{path} is no file")
            if own and status.st_mode & 0o077:
                raise AddressError(f"{path} can be read by others", f"`chmod 600 {path}`")
            content = file.read(most + 1)
    except OSError as error:
        raise AddressError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(content) > most:
        raise AddressError(f"{path} has more than {most:,} bytes")
    return content
