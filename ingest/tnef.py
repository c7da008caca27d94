"""Outlook's `winmail.dat` (MS-OXTNEF): the files and the body that it wraps.

```
stream     signature 0x223E9F78 (u32), key (u16), attributes
attribute  level (u8: 1 message, 2 attachment), id (u32), length (u32), data, checksum (u16)
properties count (u32), then each: type (u16), id (u16), name where id ≥ 0x8000, count where the type has several or
           varying lengths, values padded to 4 bytes
```
"""

import functools
import struct
from dataclasses import dataclass, field

from ingest import outlook
from ingest.mail_attachments import Attached
from ingest.outlook import Properties

_SIGNATURE = 0x223E9F78
_CODEPAGE, _MESSAGE, _BODY = 0x00069007, 0x00069003, 0x0002800C
_NEW_ATTACHMENT, _TITLE, _DATA, _ATTACHMENT = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_MAX_PROPERTIES = 10_000
_WIDTHS = {0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4}  # of a value, padded; all other fixed ones have 8
_FIXED8 = (0x0005, 0x0006, 0x0007, 0x0014, 0x0040)
_CLASS_ID = 0x0048  # 16 bytes


class TnefError(Exception):
    """Not TNEF, or cut short before anything could be read."""


@dataclass(slots=True)
class Wrapped:
    """What a winmail.dat holds."""

    bodies: tuple[str, str] = ("", "")
    """plain text and HTML"""
    attachments: list[Attached] = field(default_factory=list)


def read(data: bytes) -> Wrapped:
    """Return what is wrapped in `data`. Raises TnefError; what is cut short is read as far as it goes."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise TnefError("damaged: no TNEF signature")
    message = Properties()
    plain = b""
    files: list[tuple[Properties, bytes, bytes]] = []
    at = 6
    while at + 9 <= len(data):
        _, number, length = struct.unpack_from("<BII", data, at)
        content = data[at + 9 : at + 9 + length]
        at += 11 + length
        if number == _CODEPAGE and len(content) >= 4:
            message.values[outlook.CODEPAGE] = (outlook.LONG, struct.unpack_from("<I", content)[0])
        elif number == _MESSAGE:
            _properties(content, message)
        elif number == _BODY:
            plain = content
        elif number == _NEW_ATTACHMENT and len(files) < _MAX_PROPERTIES:
            files.append((Properties(outer=message), b"", b""))
        elif number == _TITLE and files:
            files[-1] = (files[-1][0], content, files[-1][2])
        elif number == _DATA and files:
            files[-1] = (files[-1][0], files[-1][1], content)
        elif number == _ATTACHMENT and files:
            _properties(content, files[-1][0])
    if plain:
        message.values.setdefault(outlook.BODY, (outlook.STRING8, plain))
    return Wrapped(outlook.bodies(message), [_attached(*each) for each in files])


def _attached(properties: Properties, title: bytes, data: bytes) -> Attached:
    properties.values.setdefault(outlook.ATTACH_NAME, (outlook.STRING8, title))
    name = properties.text(outlook.ATTACH_LONG_NAME) or properties.text(outlook.ATTACH_NAME)
    content = properties.binary(outlook.ATTACH_DATA) or data
    kind = properties.text(outlook.ATTACH_TYPE).lower() or "application/octet-stream"
    if properties.values.get(outlook.ATTACH_DATA, (0, 0))[0] == outlook.OBJECT:
        # A message in a message: behind the 16 bytes of an interface's id it is TNEF again.
        content = content[16:]
        kind = "application/ms-tnef"
    return Attached(name, kind, functools.partial(bytes, content))


def _properties(data: bytes, into: Properties) -> None:
    try:
        _fill(data, into)
    except struct.error:
        return  # cut short; what came before counts


def _fill(data: bytes, into: Properties) -> None:
    count = min(struct.unpack_from("<I", data)[0], _MAX_PROPERTIES)
    at = 4
    for _ in range(count):
        kind, number = struct.unpack_from("<HH", data, at)
        at += 4
        if number >= 0x8000:  # a named property: a GUID, then a number or a name
            named = struct.unpack_from("<I", data, at + 16)[0]
            length = struct.unpack_from("<I", data, at + 20)[0] if named else 0
            at += 24 + _padded(length)
        several = bool(kind & 0x1000)
        kind &= 0x0FFF
        varying = kind in (outlook.STRING8, outlook.UNICODE, outlook.BINARY, outlook.OBJECT)
        values = 1
        if several or varying:
            values = struct.unpack_from("<I", data, at)[0]
            at += 4
        for index in range(min(values, _MAX_PROPERTIES)):
            value, at = _value(data, at, kind, varying=varying)
            if index == 0 and number < 0x8000:
                into.values[number] = (kind, value)


def _value(data: bytes, at: int, kind: int, *, varying: bool) -> tuple[bytes | int, int]:
    if varying:
        length = struct.unpack_from("<I", data, at)[0]
        return data[at + 4 : at + 4 + length], at + 4 + _padded(length)
    if kind in _WIDTHS:
        return struct.unpack_from("<I", data, at)[0], at + 4
    if kind in _FIXED8:
        return struct.unpack_from("<Q", data, at)[0], at + 8
    if kind == _CLASS_ID:
        return data[at : at + 16], at + 16
    raise struct.error(f"a property of the unknown type {kind:#06x}")


def _padded(length: int) -> int:
    return (length + 3) & ~3
