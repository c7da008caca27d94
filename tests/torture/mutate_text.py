"""Damage to what is written in words: numbers, markup, RTF, mail."""

import base64
import quopri
import random
import re

from tests.torture.mutate_bytes import BYTES

_DEPTHS = (3, 20, 150, 900, 5_000, 40_000)
_SIZES = (
    b"0", b"-1", b"1", b"65535", b"65536", b"2147483647", b"2147483648", b"4294967295", b"9999999999",
    b"18446744073709551616", b"1e309", b"-0", b"0.0000001", b"9" * 5000, b"NaN", b"",
)  # fmt: skip
_ODD = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", "\u202e\u2066".encode(), "\u200b".encode() * 40, b"\x1b[2J",
    b"\r", b"\x0c", "\U000e0041".encode(), b"a\xcc\x81" * 400, b"\x85", "\u2028".encode(), b"\xf4\x90\x80\x80",
)  # fmt: skip


def counted(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A number in words is another."""
    for _turn in range(chance.choice((1, 1, 5))):
        found = list(re.finditer(rb"-?\d+", data))[:20_000]
        if not found:
            break
        one = chance.choice(found)
        data = data[: one.start()] + chance.choice(_SIZES) + data[one.end() :]
    return data


def odd(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Characters that are none, turn the direction, or cannot be seen."""
    for _turn in range(chance.choice((1, 3, 20))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(_ODD) + data[at:]
    return data


def widened(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """One word or line of a megabyte."""
    at = chance.randrange(len(data) + 1)
    return (
        data[:at]
        + chance.choice((b"x", b" ", b"\n", b">", b"\t", b"|", b",", b'"', b"=", b"\xe2\x80\x8f"))
        * (chance.choice((5_000, 100_000, 1_000_000)))
        + data[at:]
    )


def coded(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """The same words in another encoding than they say."""
    text = data.decode("latin-1")
    how = chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8", "cp037"))
    return text.encode(how, "replace")


def _tags(data: bytes) -> list[re.Match[bytes]]:
    return list(re.finditer(rb"<(/?)([A-Za-z][\w:.-]{0,60})([^<>]{0,500}?)(/?)>", data))[:20_000]


def nested(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """An element in itself, deeply."""
    found = [each for each in _tags(data) if not each[1] and not each[4]]
    depth = chance.choice(_DEPTHS)
    if not found:
        name = chance.choice((b"div", b"table", b"blockquote", b"ul", b"b"))
        return b"<" + name + b">" + (b"<" + name + b">") * depth + data
    one = chance.choice(found)
    closing = (b"</" + one[2] + b">") * depth if chance.random() < 0.7 else b""
    return data[: one.start()] + one[0] * depth + data[one.start() : one.end()] + closing + data[one.end() :]


def unclosed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Tags missing, or in another's place."""
    for _turn in range(chance.choice((1, 4, 30))):
        found = _tags(data)
        if not found:
            break
        one, another = chance.choice(found), chance.choice(found)
        put = chance.choice((b"", another[0], b"<!--", b"<![CDATA[", b"</" + one[2], b"<?", b"<"))
        data = data[: one.start()] + put + data[one.end() :]
        if len(found) > 5_000:
            break
    return data


def attributed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """An attribute's value is another: too large, too long, another's."""
    for _turn in range(chance.choice((1, 3, 20))):
        found = list(re.finditer(rb'="([^"<>]{0,300})"', data))[:20_000]
        if not found:
            break
        one, another = chance.choice(found), chance.choice(found)
        value = chance.choice((*_SIZES, another[1], b"x" * 70_000, b"../../etc/passwd", b"&#0;", b"&#x110000;"))
        data = data[: one.start(1)] + value + data[one.end(1) :]
    return data


def entities(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Entities that grow, or that name a file."""
    lines = [b'<!ENTITY a0 "ha ha ha ha ">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)]
    lines.append(b'<!ENTITY file SYSTEM "file:///etc/passwd">')
    kind = b"<!DOCTYPE x [" + b"".join(lines) + b"]>"
    found = _tags(data)
    if not found:
        return kind + data
    start = found[0].start()
    at = chance.choice(found).end()
    return data[:start] + kind + data[start:at] + chance.choice((b"&a11;", b"&file;", b"&none;")) + data[at:]


def grouped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """RTF groups in groups, or left open."""
    at = chance.randrange(len(data) + 1)
    depth = chance.choice(_DEPTHS)
    inside = chance.choice((b"", b"\\*\\x", b"\\b", b"\\trowd", b"\\field", b"\\u8364?"))
    return data[:at] + (b"{" + inside) * depth + (b"}" * depth if chance.random() < 0.6 else b"") + data[at:]


def controlled(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """RTF control words with odd numbers."""
    words = (
        b"\\bin", b"\\u", b"\\uc", b"\\ansicpg", b"\\f", b"\\fcharset", b"\\cell", b"\\row", b"\\cellx", b"\\'zz", b"\\ls",
        b"\\objdata ", b"\\pict", b"\\deff", b"\\outlinelevel", b"\\'", b"\\itap", b"\\upr", b"\\v", b"\\fldinst ",
    )  # fmt: skip
    for _turn in range(chance.choice((1, 5, 40))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(words) + chance.choice(_SIZES[:12]) + chance.choice((b" ", b"")) + data[at:]
    return data


def fielded(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A mail's field twice, of another's value, or made of odd things."""
    head, split, body = data.partition(b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n")
    lines = head.splitlines(keepends=True) or [b""]
    for _turn in range(chance.choice((1, 2, 6))):
        at = chance.randrange(len(lines))
        field = chance.choice(
            (
                b"Content-Type: multipart/mixed; boundary=" + chance.choice((b"", b'"', b"x" * 5000, b"=", b'"a\\"')),
                b"Content-Type: text/plain; charset=" + chance.choice(
                    (b"utf-7", b"idna", b"punycode", b"rot13", b"base64", b"zlib", b"unicode_escape", b"x" * 999, b"hex")),
                b"Content-Type: text/html; charset*0*=utf-8''x%; charset*9=y",
                b"Content-Transfer-Encoding: " + chance.choice((b"base64", b"quoted-printable", b"uuencode", b"8bit", b"?")),
                b"Subject: " + b"=?utf-8?b?" * chance.choice((1, 2000)) + b"?=" * chance.choice((0, 1, 500)),
                b"Subject: =?" + chance.choice((b"idna", b"x", b"utf-16", b"utf-7", b"hz")) + b"?q?" + b"=fe=00" * 40 + b"?=",
                b"From: " + b"(" * chance.choice(_DEPTHS) + b"a@b",
                b"To: " + b'"' * chance.choice((1, 999)) + b"<a@b>, " * chance.choice((1, 3000)),
                b"From: " + b"<" * chance.choice(_DEPTHS) + b"a@b" + b"@" * 500,
                b"Date: " + chance.choice((b"99 Feb 0000 99:99:99 +9999", b"1 Jan 99999", b"-1", b"9" * 6000)),
                b"References: " + b"<a@b>" * chance.choice((1, 20_000)),
                b"Content-Type: message/rfc822",
                b"Content-Type: " + b"text/plain;" + b" a=b;" * chance.choice((3, 20_000)),
                b"Content-Disposition: attachment; filename*0*=" + b"%" * 500,
                b"X: " + b"y" * 500_000,
                b"Content-Type: application/ms-tnef",
            )
        )  # fmt: skip
        lines.insert(at, field + b"\r\n") if chance.random() < 0.7 else lines.__setitem__(
            at, lines[chance.randrange(len(lines))]
        )
    return b"".join(lines) + split + body


def parted(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Parts in parts: multipart in multipart, messages in messages, and boundaries that are each other's."""
    depth = chance.choice((2, 5, 30, 200, 2000, 8000))
    inner = chance.choice((data, data, other, b""))
    match chance.randrange(4):
        case 0:
            head = b"".join(
                b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
            )
            return b"From: a@b\r\nMIME-Version: 1.0\r\n" + head + inner
        case 1:
            return b"From: a@b\r\nMIME-Version: 1.0\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * depth + inner
        case 2:
            parts = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * depth
            return (
                b"From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + inner
            )
    found = list(re.finditer(rb"(?m)^--[^\r\n]{1,70}", data))
    if not found:
        return data
    one, another = chance.choice(found), chance.choice(found)
    put = chance.choice((another[0], b"", one[0] + b"--", one[0] * 2, one[0][:-1], one[0] + b"\r\n" + one[0]))
    return data[: one.start()] + put + data[one.end() :]


def inside_part(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Damage to what a part packs: the file in base64, the words in quoted-printable."""
    found = list(re.finditer(rb"(?:[A-Za-z0-9+/]{40,78}={0,2}\r?\n){2,}", data))
    if not found:
        start = chance.randrange(len(data) + 1)
        return data[:start] + quopri.encodestring(chance.choice(BYTES)(chance, data[start:], other))
    one = chance.choice(found)
    try:
        was = base64.b64decode(one[0])
    except ValueError:
        return data
    changed = chance.choice(BYTES)(chance, was, other)
    return data[: one.start()] + base64.encodebytes(changed) + data[one.end() :]


TEXT = (counted, odd, widened, coded)
MARKUP = (nested, unclosed, attributed, entities)
RTF = (grouped, controlled)
MAIL = (fielded, parted, inside_part, nested)
