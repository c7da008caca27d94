"""The content of a message that is signed with S/MIME in one piece (`smime.p7m`): CMS SignedData, RFC 5652, 5.

Only unwrapped, not verified: whether a signature holds is nothing that the index rests on.
"""

from collections.abc import Iterator

_MAX_NESTING = 20
_SEQUENCE, _OBJECT_ID, _OCTETS, _EXPLICIT = 0x30, 0x06, 0x04, 0xA0
_SIGNED = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2


def signed_content(data: bytes) -> bytes | None:
    """Return the message inside, or None where the data is something else (most often: encrypted)."""
    try:
        return _content(memoryview(data))
    except (IndexError, ValueError):
        return None


def _content(data: memoryview) -> bytes | None:
    fields = _inside(data, _SEQUENCE)
    name, body = next(fields, None), next(fields, None)
    if name is None or body is None:
        return None
    if name[0] != _OBJECT_ID or bytes(name[1]) != _SIGNED or body[0] != _EXPLICIT:
        return None
    for tag, value in _inside(body[1], _SEQUENCE):  # version, digest algorithms, then the content
        if tag != _SEQUENCE:
            continue
        wrapped = [each for each in _elements(value, 0) if each[0] == _EXPLICIT]
        if not wrapped:
            return None  # the signed text stands outside
        return b"".join(_octets(wrapped[0][1], 0))
    return None


def _inside(data: memoryview, tag: int) -> Iterator[tuple[int, memoryview]]:
    """Yield the elements of the one element in `data`."""
    first = next(_elements(data, 0), None)
    if first is None or first[0] != tag:
        raise ValueError(tag)
    return _elements(first[1], 0)


def _octets(data: memoryview, nesting: int) -> Iterator[memoryview]:
    """Yield the pieces of an octet string, which may be cut into many (BER)."""
    if nesting > _MAX_NESTING:
        raise ValueError(nesting)
    for tag, value in _elements(data, 0):
        if tag == _OCTETS:
            yield value
        elif tag == _OCTETS | 0x20:
            yield from _octets(value, nesting + 1)


def _elements(data: memoryview, nesting: int) -> Iterator[tuple[int, memoryview]]:
    """Yield tag and value of the elements in `data` (X.690, 8.1)."""
    at = 0
    while at + 1 < len(data):
        tag, start, end, following = _element(data, at, nesting)
        if tag == 0 and start == end:
            return
        yield tag, data[start:end]
        at = following


def _element(data: memoryview, at: int, nesting: int) -> tuple[int, int, int, int]:
    """Return the tag at `at`, where its value begins and ends, and where the next element begins."""
    if nesting > _MAX_NESTING:
        raise ValueError(nesting)
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length == 0x80:  # indefinite: up to an empty element
        end = start
        while data[end] or data[end + 1]:
            end = _element(data, end, nesting + 1)[3]
        return tag, start, end, end + 2
    if length > 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    end = start + length
    if end > len(data):
        raise ValueError(length)
    return tag, start, end, end
