"""Damage that asks nothing of a format."""

import random
import struct

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 40)
_TOO_LARGE = 24 << 20  # bytes of a damaged file: a parser's limit on time or memory is met before


def flipped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Bits."""
    changed = bytearray(data)
    for _turn in range(chance.choice((1, 2, 4, 16, 64))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def numbered(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A binary number: the largest, one more than it was, the file's length, …"""
    changed = bytearray(data)
    for _turn in range(chance.choice((1, 1, 4))):
        code = chance.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
        size = struct.calcsize(code)
        if len(changed) < size:
            break
        at = chance.randrange(len(changed) - size + 1)
        if chance.random() < 0.6:
            at = min(at & ~(size - 1), len(changed) - size)
        was = struct.unpack_from(code, changed, at)[0]
        value = chance.choice((*_NUMBERS, was + 1, was - 1, was * 2, len(changed), len(changed) - at, at))
        struct.pack_into(code, changed, at, value % (1 << (8 * size)))
    return bytes(changed)


def overwritten(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A stretch of zeros, ones, or anything."""
    start, end = _stretch(chance, data)
    filler = chance.choice((b"\0", b"\xff", b"A", b"\n", b""))
    return data[:start] + (filler * (end - start) if filler else chance.randbytes(end - start)) + data[end:]


def cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """The end missing, or the beginning."""
    at = chance.randrange(len(data) + 1)
    return data[:at] if chance.random() < 0.8 else data[at:]


def without(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A stretch missing."""
    start, end = _stretch(chance, data)
    return data[:start] + data[end:]


def repeated(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A stretch many times."""
    start, end = _stretch(chance, data)
    times = min(chance.choice((2, 3, 50, 1000, 20_000)), 1 + _TOO_LARGE // max(1, 4 * (end - start)))
    return data[:start] + data[start:end] * times + data[end:]


def exchanged(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """Two stretches in each other's place."""
    (a, b), (c, d) = sorted((_stretch(chance, data), _stretch(chance, data)))
    if c < b:
        return data[:a] + data[a:b][::-1] + data[b:]
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def spliced(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another, or a stretch of the other inside."""
    start, end = _stretch(chance, other)
    at = chance.randrange(len(data) + 1)
    if chance.random() < 0.5:
        return (data[:at] + other[start:])[:_TOO_LARGE]
    return data[:at] + other[start:end] + data[at:]


def _stretch(chance: random.Random, data: bytes) -> tuple[int, int]:
    if not data:
        return 0, 0
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.choice((1, 2, 4, 16, 128, 512, 4096)))


BYTES = (flipped, numbered, overwritten, cut, without, repeated, exchanged)
