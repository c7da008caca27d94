"""Damage inside of what a format packs: a zip's members, a PDF's streams, a compound file's sectors and directory."""

import base64
import io
import random
import re
import struct
import zipfile
import zlib

from tests.torture.mutate_bytes import BYTES
from tests.torture.mutate_text import MARKUP, TEXT

_LARGEST = 8 << 20  # bytes of a member that is unpacked and damaged
_WORD = struct.Struct("<I")
_ENDS = (0, 1, 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFF, 0xFFFFFFFA)


def members(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """What a zip holds, packed anew with one or more members damaged."""
    found = _unpacked(data)
    if not found:
        return chance.choice(BYTES)(chance, data, other)
    for _turn in range(chance.choice((1, 1, 2, 4))):
        at = _chosen(chance, found)
        name, content = found[at]
        damage = (*MARKUP, *MARKUP, *TEXT, *BYTES) if content[:200].lstrip().startswith(b"<") else BYTES
        found[at] = (name, chance.choice(damage)(chance, content, content)[: 4 * _LARGEST])
    return _packed(chance, found)


def shuffled(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A zip's members missing, twice, under each other's name, from another zip, or made of nothing but length."""
    found = _unpacked(data)
    if not found:
        return chance.choice(BYTES)(chance, data, other)
    for _turn in range(chance.choice((1, 1, 3))):
        at = _chosen(chance, found)
        name, content = found[at]
        match chance.randrange(7):
            case 0:
                found.pop(at) if len(found) > 1 else None
            case 1:
                found.append((name, chance.choice(found)[1]))
            case 2:
                found[at] = (chance.choice(found)[0], content)
            case 3:
                found[at] = (name, chance.choice(_unpacked(other) or found)[1])
            case 4:
                found[at] = (chance.choice(("../x", "/etc/passwd", "a" * 60_000, "\x00", "mimetype", "")), content)
            case 5:
                found[at] = (name, b"")
            case 6:
                found[at] = (name, content + chance.choice((b" ", b"\0", b"<a/>", content[-64:])) * (4 << 20))
    return _packed(chance, found)


def directed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Numbers of a zip's own records: sizes, offsets, ways of packing, flags."""
    changed = bytearray(data)
    found = [each.start() for each in re.finditer(rb"PK(?:\x01\x02|\x03\x04|\x05\x06)", data)]
    for _turn in range(chance.choice((1, 2, 6))):
        if not found:
            break
        at = chance.choice(found) + 4 + 2 * chance.randrange(20)
        if at + 4 <= len(changed):
            code = chance.choice(("<H", "<I"))
            most = 0xFFFF if code == "<H" else 0xFFFFFFFF
            struct.pack_into(
                code, changed, at, chance.choice((0, 1, 8, 9, 12, 14, 93, 99, most, most // 2, len(data) & most))
            )
    return bytes(changed)


def _unpacked(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(each.filename, archive.read(each)) for each in archive.infolist() if each.file_size <= _LARGEST]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return []


def _chosen(chance: random.Random, found: list[tuple[str, bytes]]) -> int:
    """Mostly one that holds words, or says which do."""
    words = [
        n for n, (name, _) in enumerate(found) if name.endswith((".xml", ".rels", ".html", ".xhtml", ".opf", ".ncx"))
    ]
    return chance.choice(words) if words and chance.random() < 0.85 else chance.randrange(len(found))


def _packed(chance: random.Random, found: list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    how = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))
    with zipfile.ZipFile(file, "w", how, compresslevel=1) as archive:
        for name, content in found:
            # a time of its own: the clock must not be part of a case
            archive.writestr(zipfile.ZipInfo(name or "x", (1980, 1, 1, 0, 0, 0)), content, how)
    return file.getvalue()


def streams(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A PDF's stream, unpacked, damaged and packed again."""
    found = list(re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL))[:2000]
    for _turn in range(6):
        if not found:
            break
        one = chance.choice(found)
        try:
            was = zlib.decompressobj().decompress(one[1], _LARGEST)
        except zlib.error:
            continue
        changed = chance.choice((*TEXT, *BYTES))(chance, was, other)
        return data[: one.start(1)] + zlib.compress(changed, 1) + data[one.end(1) :]
    return chance.choice(BYTES)(chance, data, other)


def objects(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A PDF's references, lengths and counts; what they name is something else, itself, or not there."""
    for _turn in range(chance.choice((1, 2, 8))):
        found = list(
            re.finditer(rb"\b(\d{1,7}) 0 R\b|/(?:Length|Count|Size|N|First|W|Prev|Width|Height) (-?\d+)", data)
        )
        if not found:
            break
        one, another = chance.choice(found[:50_000]), chance.choice(found[:50_000])
        group = 1 if one[1] else 2
        value = chance.choice((another[1] or another[2], b"0", b"1", b"-1", b"2147483647", b"99999999", b"3"))
        data = data[: one.start(group)] + value + data[one.end(group) :]
    return data


def bracketed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A PDF's arrays and dictionaries in each other."""
    found = [each.start() for each in re.finditer(rb"<<|\[|/Kids|/Contents|/Parent", data)][:50_000]
    at = chance.choice(found) if found else 0
    return (
        data[:at]
        + chance.choice((b"[", b"<<", b"<</A", b"(", b"[/Indexed")) * chance.choice((5, 500, 50_000))
        + data[at:]
    )


def sectors(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A compound file's chains: that loop, that leave the file, that are each other's."""
    if len(data) < 1024:
        return chance.choice(BYTES)(chance, data, other)
    changed = bytearray(data)
    shift = struct.unpack_from("<H", data, 30)[0]
    shift = shift if shift in (9, 12) else 9
    tables = [each for each in struct.unpack_from("<109I", data, 76) if each < len(data) >> shift]
    tables.append(_WORD.unpack_from(data, 60)[0])  # the first of the mini FAT
    for _turn in range(chance.choice((1, 3, 12))):
        at = ((chance.choice(tables) + 1) << shift) + 4 * chance.randrange(1 << (shift - 2))
        if at + 4 > len(changed):
            continue
        number = (at >> 2) & ((1 << (shift - 2)) - 1)
        _WORD.pack_into(
            changed, at, chance.choice((*_ENDS, number, max(0, number - 1), chance.randrange(len(data) >> shift)))
        )
    return bytes(changed)


def entries(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A compound file's directory: names, kinds, siblings, where streams begin and how long they are."""
    found = [each.start() - 0 for each in re.finditer(rb"(?:[\x01-\x7e]\0){2,31}\0\0", data) if each.start() % 128 == 0]
    if not found:
        return chance.choice(BYTES)(chance, data, other)
    changed = bytearray(data)
    for _turn in range(chance.choice((1, 2, 5))):
        at = chance.choice(found)
        place, code = chance.choice(
            ((64, "<H"), (66, "B"), (68, "<I"), (72, "<I"), (76, "<I"), (116, "<I"), (120, "<I"), (124, "<I"))
        )
        if at + 128 > len(changed):
            continue
        most = (1 << (8 * struct.calcsize(code))) - 1
        was = struct.unpack_from(code, changed, at + place)[0]
        value = chance.choice((*_ENDS, was + 1, was * 2, chance.randrange(len(found)), len(data), 1, 2, 5)) & most
        struct.pack_into(code, changed, at + place, value)
    return bytes(changed)


def headed(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A compound file's header."""
    if len(data) < 512:
        return chance.choice(BYTES)(chance, data, other)
    changed = bytearray(data)
    for _turn in range(chance.choice((1, 2))):
        at = chance.choice((24, 26, 28, 30, 32, 40, 44, 48, 56, 60, 64, 68, 72, 76, 80, 84))
        struct.pack_into("<H", changed, at, chance.choice((0, 1, 6, 9, 12, 15, 31, 0x7FFF, 0xFFFE, 0xFFFF)))
    return bytes(changed)


def in_stream(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Bytes of one sector only: lengths of Word's, PowerPoint's, Excel's and Outlook's own records lie in them."""
    at = 512 * chance.randrange(1, max(2, len(data) // 512))
    part = data[at : at + 512]
    changed = chance.choice(BYTES)(chance, part, other)[: len(part)]
    return data[:at] + changed.ljust(len(part), b"\0") + data[at + 512 :]


def attached(chance: random.Random, data: bytes, name: str) -> bytes:
    """A mail that carries the file."""
    kind = chance.choice(
        (b"application/octet-stream", b"message/rfc822", b"application/ms-tnef", b"text/html", b"text/plain")
    )
    told = name.encode("ascii", "replace").replace(b'"', b"")
    return (
        b"From: a@example.org\r\nTo: b@example.org\r\nSubject: enclosed\r\nDate: Mon, 3 Mar 2025 10:00:00 +0100\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\n"
        b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + told + b'"\r\n\r\n' + base64.encodebytes(data) + b"--b--\r\n"
    )  # fmt: skip


def mailbox(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A mailbox of both mails, one or the other many times."""
    line = chance.choice((b"From a@b Mon Mar  3 10:00:00 2025\n", b"From \n", b"From - \n", b"From ???@??? 99 99\r\n"))
    return b"".join(
        line + chance.choice((data, other, b"", b"\n"))[: 1 << 20] + b"\n" for _ in range(chance.choice((2, 5, 20)))
    )


ZIP = (members, members, members, shuffled, directed)
PDF = (streams, objects, bracketed)
COMPOUND = (sectors, entries, headed, in_stream, in_stream)
