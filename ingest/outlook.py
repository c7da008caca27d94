"""What Outlook keeps of a message in `.msg` and `winmail.dat`: MAPI properties and compressed RTF.

Sources: MS-OXPROPS, MS-OXCDATA, MS-OXRTFCP, MS-OXRTFEX. Property ids are named here once; both readers fill a
`Properties` and get text, times and bodies from it.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ingest import mail_headers

# Types of properties (MS-OXCDATA, 2.11.1).
LONG, BOOLEAN, OBJECT, STRING8, UNICODE, TIME, BINARY = 0x0003, 0x000B, 0x000D, 0x001E, 0x001F, 0x0040, 0x0102
# Ids of properties (MS-OXPROPS).
MESSAGE_CLASS, SUBJECT, BODY, HTML, RTF = 0x001A, 0x0037, 0x1000, 0x1013, 0x1009
TRANSPORT_HEADERS, CONVERSATION_INDEX = 0x007D, 0x0071
SUBMITTED, DELIVERED, CREATED = 0x0039, 0x0E06, 0x3007
MESSAGE_ID, IN_REPLY_TO, REFERENCES = 0x1035, 0x1042, 0x1039
SENDER_NAME, SENDER_ADDRESS, SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
FROM_NAME, FROM_ADDRESS, FROM_SMTP = 0x0042, 0x0065, 0x5D02
SHOWN_TO, SHOWN_CC, RECIPIENT_TYPE = 0x0E04, 0x0E03, 0x0C15
DISPLAY_NAME, ADDRESS, SMTP_ADDRESS = 0x3001, 0x3003, 0x39FE
CODEPAGE, INTERNET_CODEPAGE, LOCALE = 0x3FFD, 0x3FDE, 0x3FF1
ATTACH_DATA, ATTACH_LONG_NAME, ATTACH_NAME, ATTACH_TYPE, ATTACH_CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x370E, 0x3712
ATTACH_HIDDEN = 0x7FFE

_MAX_RTF = 64 << 20  # bytes that compressed RTF may become
# Code page by language, the lower 10 bits of a locale (MS-LCID), for messages that name no code page.
_BY_LANGUAGE = {
    0x01: 1256, 0x02: 1251, 0x05: 1250, 0x08: 1253, 0x0D: 1255, 0x0E: 1250, 0x11: 932, 0x12: 949, 0x15: 1250,
    0x18: 1250, 0x19: 1251, 0x1A: 1250, 0x1B: 1250, 0x1E: 874, 0x1F: 1254, 0x22: 1251, 0x23: 1251, 0x24: 1250,
    0x25: 1257, 0x26: 1257, 0x27: 1257, 0x2A: 1258,
}  # fmt: skip
# Code pages that Python has under another name.
_CHARSETS = {
    65001: "utf-8", 28591: "cp1252", 20127: "cp1252", 50220: "iso-2022-jp", 20866: "koi8-r", 51932: "euc-jp",
    54936: "gb18030", 936: "gb18030", 950: "big5", 28592: "iso-8859-2", 28605: "iso-8859-15",
}  # fmt: skip
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Properties:
    """Properties of a message, a recipient or an attachment, by id; each with its type."""

    values: dict[int, tuple[int, bytes | int]] = field(default_factory=dict)
    outer: "Properties | None" = None
    """those of the message, which name the code page"""

    def text(self, number: int) -> str:
        """Return a property as text, or empty."""
        kind, value = self.values.get(number, (0, b""))
        if not isinstance(value, bytes):
            return ""
        if kind == UNICODE:
            return mail_headers.decode(value, "utf-16-le").rstrip("\0")
        body = number in (BODY, HTML)
        return mail_headers.decode(value.rstrip(b"\0"), self.charset(body=body))

    def number(self, number: int) -> int:
        """Return a whole number, 0 where there is none."""
        value = self.values.get(number, (0, 0))[1]
        return value if isinstance(value, int) else 0

    def binary(self, number: int) -> bytes:
        """Return a property's bytes, or none."""
        value = self.values.get(number, (0, b""))[1]
        return value if isinstance(value, bytes) else b""

    def time(self, *numbers: int) -> str:
        """Return the first of these times that there is as ISO 8601 in UTC, the only zone that MAPI keeps."""
        for number in numbers:
            ticks = self.number(number)
            if ticks > 0:
                try:
                    moment = _EPOCH + timedelta(microseconds=ticks // 10)
                except OverflowError:
                    continue
                if 1970 <= moment.year <= 2100:
                    return moment.replace(microsecond=0).isoformat()
        return ""

    def charset(self, *, body: bool) -> str:
        """Return the charset of strings without one: the body has its own, all others the message's."""
        source = self.outer or self
        page = source.number(INTERNET_CODEPAGE) if body else 0
        page = page or source.number(CODEPAGE) or _by_locale(source.number(LOCALE))
        page = page or source.number(INTERNET_CODEPAGE)
        return _CHARSETS.get(page, f"cp{page}" if page else "cp1252")


def _by_locale(locale: int) -> int:
    language = locale & 0x3FF
    if language == 0x04:  # Chinese, in traditional characters in Taiwan, Hong Kong and Macao
        return 950 if locale in (0x0404, 0x0C04, 0x1404) else 936
    return _BY_LANGUAGE.get(language, 0)


def bodies(properties: Properties) -> tuple[str, str]:
    """Return a message's plain text and its HTML; either may be empty."""
    plain, markup = properties.text(BODY), ""
    raw = properties.values.get(HTML)
    if raw:
        markup = properties.text(HTML)
    if not plain.strip() and not markup.strip() and RTF in properties.values:
        rtf = decompressed(properties.binary(RTF))
        text, is_markup = from_rtf(rtf, properties.charset(body=False))
        if is_markup:
            return plain, text
        return text, markup
    return plain, markup


# What the dictionary of compressed RTF holds at the start (MS-OXRTFCP, 2.1.2.1).
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b"
    rb"\i\u\tab\tx"
)  # fmt: skip


def decompressed(raw: bytes) -> bytes:
    """Return the RTF in a PidTagRtfCompressed (MS-OXRTFCP, 2.2): LZ77 over a ring of 4 KiB, or as is."""
    if len(raw) < 16:
        return b""
    size, mark = struct.unpack_from("<I4s", raw, 4)
    if mark == b"MELA":
        return raw[16 : 16 + size]
    if mark != b"LZFu":
        return b""
    ring = bytearray(_DICTIONARY.ljust(4096, b" "))
    out = bytearray()
    write, at, most = len(_DICTIONARY), 16, min(size, _MAX_RTF)
    while at < len(raw) and len(out) < most:
        control = raw[at]
        at += 1
        for bit in range(8):
            if at >= len(raw) or len(out) >= most:
                break
            if not control >> bit & 1:
                ring[write] = raw[at]
                out.append(raw[at])
                write = (write + 1) & 0xFFF
                at += 1
                continue
            if at + 1 >= len(raw):
                return bytes(out)
            token = raw[at] << 8 | raw[at + 1]
            at += 2
            read, length = token >> 4, (token & 0xF) + 2
            if read == write:
                return bytes(out)
            for _ in range(length):
                byte = ring[read]
                ring[write] = byte
                out.append(byte)
                read, write = (read + 1) & 0xFFF, (write + 1) & 0xFFF
    return bytes(out)


_RTF = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z'\r\n])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\[\r\n]"
)
_SKIPPED = frozenset(
    (b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"themedata", b"datastore", b"generator",
     b"listtable", b"listoverridetable", b"rsidtbl", b"xmlnstbl", b"latentstyles", b"header", b"footer")
)  # fmt: skip
_SIGNS: Mapping[bytes, str] = {
    b"par": "\n", b"line": "\n", b"tab": "\t", b"cell": "\t", b"row": "\n", b"emdash": "—", b"endash": "–",
    b"bullet": "•", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"sect": "\n", b"page": "\n",
}  # fmt: skip


def from_rtf(rtf: bytes, charset: str) -> tuple[str, bool]:
    """Return the text in RTF, and whether that is the HTML that Outlook wrapped in it (MS-OXRTFEX)."""
    is_markup = b"\\fromhtml1" in rtf[:4096]
    out: list[str] = []
    pending = bytearray()
    # Of each open group: whether its text is left out, whether it holds markup, characters that stand in for a \u.
    stack: list[tuple[bool, bool, int]] = []
    skipped, tag, stand_ins, drop, suppressed, starred = False, False, 1, 0, False, False
    for word, argument, code, sign, brace, text in _RTF.findall(rtf):
        if code and not skipped and not (suppressed and not tag):
            if drop:
                drop -= 1
            else:
                pending.append(int(code, 16))
            continue
        if pending and (word or sign or brace or text):
            out.append(mail_headers.decode(bytes(pending), charset))
            pending.clear()
        if brace == b"{":
            if len(stack) < 10_000:
                stack.append((skipped, tag, stand_ins))
        elif brace == b"}":
            skipped, tag, stand_ins = stack.pop() if stack else (False, False, 1)
        elif sign == b"*":
            starred = True
            continue
        elif word:
            if starred or word in _SKIPPED:
                skipped, tag = skipped or word != b"htmltag", word == b"htmltag"
            elif word == b"htmlrtf":
                suppressed = argument != b"0"
            elif word == b"uc":
                stand_ins = min(int(argument or b"1"), 10)
            elif skipped or (suppressed and not tag):
                pass
            elif word == b"u" and argument:
                out.append(_character(int(argument)))
                drop = stand_ins
            elif word in _SIGNS:
                out.append(_SIGNS[word])
        elif skipped or (suppressed and not tag):
            pass
        elif sign:
            out.append({b"~": "\xa0", b"_": "\u2011", b"-": ""}.get(sign, sign.decode("latin-1")))
        elif text:
            kept = text[drop:]
            drop = max(0, drop - len(text))
            out.append(mail_headers.decode(kept, charset))
        starred = False
    out.append(mail_headers.decode(bytes(pending), charset))
    joined = "".join(out)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), is_markup


def _character(number: int) -> str:
    return chr(number & 0xFFFF)  # negative above 32767; halves of a surrogate pair are joined at the end
