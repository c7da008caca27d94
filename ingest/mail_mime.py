"""A message's bytes to its tree of MIME parts (RFC 2045, RFC 2046), whatever state they are in.

Offsets into the one buffer, no copies: the tree of a message of 100 MB costs a few kilobytes. All bounds are here:
fields, parts and nesting. Written out instead of `email.parser` because that is three times as slow on plain mail, and
turns every attachment into a list of Python strings.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest import mail_headers

MAX_FIELDS = 2000  # of one header that are kept; the rest is skipped over
MAX_PARTS = 5000  # of one message
MAX_NESTING = 30  # multiparts within multiparts; mail programs make three or four
_FIELD = re.compile(rb"([!-9;-~]{1,256})[ \t]*+:[ \t]*+([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)(?:\r?\n|\r|\Z)")
_END = re.compile(rb"[ \t]*+(?:\r?\n|\Z)")
_LINE = re.compile(rb"[^\n]*+(?:\n|\Z)")
_FIRST_DELIMITER = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200}?)[ \t]*+\r?\n")


@dataclass(slots=True)
class Part:
    """One node of the tree. `data[start:end]` is its body, still encoded for transfer."""

    data: bytes
    start: int
    end: int
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    """names in lower case; values still folded and encoded"""
    kind: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    children: list["Part"] = field(default_factory=list)
    within: str = ""
    """kind of the multipart that it is a part of"""
    complaint: str = ""
    """what is wrong with it, for a Problem"""

    def first(self, name: bytes) -> bytes:
        """Return the value of the first field of this name that has one, or nothing."""
        for each, value in self.fields:
            if each == name and value:
                return value
        return b""

    def content(self) -> bytes:
        """Return the body with its transfer encoding undone, as far as that goes."""
        return _undo(self.first(b"content-transfer-encoding"), self.data[self.start : self.end])

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, or empty."""
        return mail_headers.parameters(self.first(b"content-disposition"))[0]

    @property
    def filename(self) -> str:
        """The name that the sender gave the part, without folders, or empty."""
        given = mail_headers.parameters(self.first(b"content-disposition"))[1].get("filename", "")
        given = given or self.parameters.get("name", "")
        name = given.replace("\\", "/").rpartition("/")[2]
        return " ".join("".join(each if each.isprintable() else " " for each in name).split())[:200]

    def walk(self) -> Iterator["Part"]:
        """Yield this part and all beneath it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(data: bytes) -> Part:
    """Return the tree of a message. Never raises; what is wrong stands in a part's `complaint`."""
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # from a Mac before OS X
    blank = len(data) - len(data.lstrip(b"\r\n"))  # empty lines before the header, and no header without them
    start = blank if _FIELD.match(data, blank) else 0
    return _Tree(data).part(start, len(data), "text/plain", 0)


class _Tree:
    """One message being taken apart; counts its parts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_PARTS

    def part(self, start: int, end: int, default: str, nesting: int) -> Part:
        self.left -= 1
        fields, body = header(self.data, start, end)
        part = Part(self.data, body, end, fields)
        kind, part.parameters = mail_headers.parameters(part.first(b"content-type"))
        part.kind = kind if re.fullmatch(r"[^/\s]+/[^/\s]+", kind) else {"text": "text/plain"}.get(kind, default)
        if not part.kind.startswith("multipart/"):
            return part
        if nesting >= MAX_NESTING:
            part.kind = "text/plain"
            part.complaint = f"parts are nested more than {MAX_NESTING} deep; the rest is taken as text"
            return part
        encoding = part.first(b"content-transfer-encoding").strip().lower()
        if encoding in (b"base64", b"quoted-printable"):
            # Against RFC 2045, 6.4, and still seen. Plain text that only claims to be encoded is left as it is.
            decoded = part.content()
            if b"--" in decoded and b"--" not in self.data[body : body + 2]:
                inner = _Tree(decoded)
                inner.left = self.left
                part.data, part.start, part.end = decoded, 0, len(decoded)
                part.fields = [each for each in fields if each[0] != b"content-transfer-encoding"]
                inner.split(part, nesting)
                self.left = inner.left
                return part
        self.split(part, nesting)
        return part

    def split(self, part: Part, nesting: int) -> None:
        """Fill in the children of a multipart; one without any delimiter is its text."""
        boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        spans = _spans(self.data, part.start, part.end, boundary, self.left) if boundary else []
        if not spans and (guess := _FIRST_DELIMITER.search(self.data[part.start : part.start + 65536])):
            spans = _spans(self.data, part.start, part.end, guess[1], self.left)
        if not spans:
            if self.data[part.start : part.end].strip():
                part.complaint = "its parts could not be told apart; it is taken as text"
            part.kind = "text/plain"
            return
        default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
        for start, end in spans:
            if self.left <= 0:
                part.complaint = f"more than {MAX_PARTS} parts; the rest is left out"
                return
            child = self.part(start, end, default, nesting + 1)
            child.within = part.kind
            part.children.append(child)


def header(data: bytes, start: int, end: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """Return the fields of the header that opens `data[start:end]`, and where the body begins.

    A line that is no field is skipped when a field follows it (mail servers and virus scanners insert such), and
    else begins the body.
    """
    fields: list[tuple[bytes, bytes]] = []
    at = start
    strays = 0
    while at < end:
        match = _FIELD.match(data, at, end)
        if match:
            at = match.end()
            if len(fields) < MAX_FIELDS:
                fields.append((match[1].lower(), match[2]))
            continue
        blank = _END.match(data, at, end)
        if blank:
            return fields, blank.end()
        line = _LINE.match(data, at, end)
        after = line.end() if line else end
        envelope = data.startswith((b"From ", b">From "), at)
        stray = strays < 20 and at > start and not data.startswith(b"--", at) and _FIELD.match(data, after, end)
        if not envelope and not stray:
            return fields, at
        strays += not envelope
        at = after
    return fields, end


def _spans(data: bytes, start: int, end: int, boundary: bytes, most: int) -> list[tuple[int, int]]:
    """Return where the parts between the delimiter lines lie. The line break before a delimiter belongs to it."""
    delimiter = b"--" + boundary
    spans = []
    opened = -1
    at = data.find(delimiter, start, end)
    while at >= 0:
        after = at + len(delimiter)
        alone = at == start or data[at - 1 : at] == b"\n"
        line_end = data.find(b"\n", after, end) if alone else -1
        rest = data[after : line_end if line_end >= 0 else end][:1000].rstrip() if alone else b""
        # A longer boundary that begins like this one is another's. Behind `--` and white space anything may follow.
        closes = rest == b"--" or rest.startswith(b"-- ")
        if alone and (closes or not rest or (rest[:1] in b" \t" and len(boundary) > 5)):
            if opened >= 0:
                close = at - 1 if at > opened else at
                close -= close > opened and data[close - 1 : close] == b"\r"
                spans.append((opened, max(opened, close)))
            opened = -1 if closes else (line_end + 1 if line_end >= 0 else end)
            if len(spans) > most:
                break
        at = data.find(delimiter, after, end)
    if opened >= 0 and opened < end:
        spans.append((opened, end))  # cut short: the last delimiter is missing
    return spans


def _undo(encoding: bytes, raw: bytes) -> bytes:
    """Undo a transfer encoding (RFC 2045, 6); an unknown one leaves the bytes as they are."""
    name = encoding.partition(b";")[0].strip().strip(b"\"'").lower()
    if name == b"base64":
        return mail_headers.base64(raw)
    if name == b"quoted-printable":
        return binascii.a2b_qp(raw)
    if name in (b"x-uuencode", b"uuencode", b"x-uue", b"uue"):
        return b"".join(content for _, content, _, _ in uuencoded(raw)) or raw
    return raw


_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n", re.MULTILINE)
_UU_END = re.compile(rb"^end[ \t]*\r?$", re.MULTILINE)


def uuencoded(raw: bytes) -> Iterator[tuple[str, bytes, int, int]]:
    """Yield name, content, start and end of every file that stands uuencoded in `raw` (POSIX, `uuencode`)."""
    at = 0
    while begin := _UU_BEGIN.search(raw, at):
        end = _UU_END.search(raw, begin.end())
        if not end:
            return
        at = end.end()
        try:
            lines = raw[begin.end() : end.start()].splitlines()
            content = b"".join(_uu_line(line) for line in lines if line)
        except binascii.Error:
            continue  # prose that begins with the word
        yield mail_headers.decode(begin[1]).strip(), content, begin.start(), at


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        length = ((line[0] - 32) & 63) * 4 // 3 + 5  # some encoders leave a check character at the end
        return binascii.a2b_uu(line[: length // 4 * 4 + 1])
