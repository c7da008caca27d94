"""Mail as it would lie in a file (RFC 5322, RFC 2045 to 2047), without the standard library's folding of
headers, which changes between its versions."""

import base64
import datetime as dt
import quopri
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mail:
    """One message; `mail_bytes` writes it. `date` is ISO 8601 with its zone."""

    id: str
    sender: str
    to: str
    date: str
    subject: str
    body: str = ""
    html: str = ""
    cc: str = ""
    replies_to: tuple[str, ...] = ()
    """ids from the thread's first to the one answered"""
    charset: str = "utf-8"
    encoding: str = "8bit"
    """8bit, quoted-printable or base64"""
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    """name, media type, bytes"""
    headers: dict[str, str] = field(default_factory=dict)


def mail_bytes(mail: Mail) -> bytes:
    """The message as it would lie in a file: CRLF line ends, ASCII headers."""
    head = {
        "Return-Path": f"<{_address(mail.sender)}>",
        "From": _encoded(mail.sender),
        "To": _encoded(mail.to),
        **({"Cc": _encoded(mail.cc)} if mail.cc else {}),
        "Subject": _encoded(mail.subject),
        "Date": dt.datetime.fromisoformat(mail.date).strftime("%a, %d %b %Y %H:%M:%S %z"),
        "Message-ID": f"<{mail.id}>",
        **({"In-Reply-To": f"<{mail.replies_to[-1]}>"} if mail.replies_to else {}),
        **({"References": "\r\n ".join(f"<{one}>" for one in mail.replies_to)} if mail.replies_to else {}),
        **mail.headers,
        "MIME-Version": "1.0",
    }
    content = _content(mail)
    if mail.attachments:
        files = [_file(*attachment) for attachment in mail.attachments]
        content = _multipart("mixed", mail.id, [content, *files])
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return lines.encode("ascii") + content


def _address(person: str) -> str:
    return person.rsplit("<", 1)[-1].rstrip(">")


def _encoded(text: str) -> str:
    """RFC 2047 for what is not ASCII, word groups at a time so that addresses stay bare."""
    if text.isascii():
        return text
    return " ".join(
        part if part.isascii() else f"=?utf-8?B?{base64.b64encode(part.encode()).decode()}?="
        for part in text.split(" ")
    ).replace("?= =?utf-8?B?", "?=\r\n =?utf-8?B?IA==?=\r\n =?utf-8?B?")


def _content(mail: Mail) -> bytes:
    plain = _text_part("plain", mail.body, mail) if mail.body else b""
    page = _text_part("html", mail.html, mail) if mail.html else b""
    return _multipart("alternative", "alt-" + mail.id, [plain, page]) if plain and page else plain or page


def _text_part(kind: str, text: str, mail: Mail) -> bytes:
    raw = text.strip("\n").replace("\n", "\r\n").encode(mail.charset) + b"\r\n"
    if mail.encoding == "quoted-printable":
        raw = quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    elif mail.encoding == "base64":
        raw = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    return (
        f"Content-Type: text/{kind}; charset={mail.charset}\r\nContent-Transfer-Encoding: {mail.encoding}\r\n\r\n"
    ).encode() + raw


def _file(name: str, media_type: str, data: bytes) -> bytes:
    body = "\r\n".join(textwrap.wrap(base64.b64encode(data).decode(), 76))
    return (
        f'Content-Type: {media_type}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n{body}\r\n'
    ).encode()


def _multipart(kind: str, seed: str, parts: Sequence[bytes]) -> bytes:
    boundary = "=_" + "".join(c for c in seed if c.isalnum())[:40] + kind[:3]
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
        + body
        + f"--{boundary}--\r\n".encode()
    )
