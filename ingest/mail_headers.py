"""What a message's header fields say, read from bytes of any quality: text, addresses, dates, ids, parameters.

The standard library's `email` is strict where real mail is not and quadratic on hostile input (its header value parser
above all), so these few rules are written out. Everything here is linear in its input and never raises.
"""

import binascii
import codecs
import encodings
import functools
import pkgutil
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from urllib.parse import unquote_to_bytes

_MAX_FIELD = 256 << 10  # bytes of one field that are looked at; a To line with 5,000 people has 200 KiB
_MAX_ADDRESSES = 5000
# Names that programs write, or subsets that they declare while sending their superset.
_CHARSETS = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252", "x-ansi": "cp1252", "ansi": "cp1252", "windows1252": "cp1252",
    "iso-8859-8-i": "cp1255", "iso-8859-8-e": "cp1255", "iso-8859-9": "cp1254", "iso-8859-11": "cp874",
    "tis-620": "cp874", "windows-874": "cp874", "gb2312": "gb18030", "gb_2312-80": "gb18030", "gbk": "gb18030",
    "x-gbk": "gb18030", "cn-gb": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "ks_c_5601": "cp949",
    "shift_jis": "cp932", "x-sjis": "cp932", "sjis": "cp932", "windows-31j": "cp932", "big5": "big5hkscs",
    "x-big5": "big5hkscs", "cn-big5": "big5hkscs", "iso-2022-jp": "iso2022_jp_ext", "cp-850": "cp850",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-unicode-2-0-utf-7": "utf-7", "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16", "utf8": "utf-8", "x-utf-8": "utf-8",
}  # fmt: skip
# Encodings in which bytes below 128 do not mean ASCII.
_NOT_ASCII = ("utf_16", "utf_32", "utf_7", "iso2022", "hz", "cp037", "cp500", "cp1140", "utf-16", "utf-32", "utf-7")
_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*+)\?=")
_PADDING = re.compile(rb"=+")
_MORE_BASE64 = re.compile(rb"=++[\r\n]*+[A-Za-z0-9+/][A-Za-z0-9+/=\r\n]*+")
_ESCAPE = re.compile(r"=([0-9A-Fa-f]{2})")
_PARAMETER = re.compile(r";\s*+([^\s=;\"]++)\s*+=\s*+(?:\"((?:[^\"\\]|\\.)*+)\"?|([^;]*+))", re.DOTALL)
_ID = re.compile(r"<\s*+([^<>\s]++)\s*+>")
# Looked for from where a word begins only: from each of its letters it would be quadratic.
_BARE_ADDRESS = re.compile(r"(?<![^\s<>()\"',;:@])[^\s<>()\"',;:@]++@[^\s<>()\"',;:]++")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\s?(?:Z|[+-]\d{2}:?\d{2}))?")
# Outlook's directory names, as readpst writes them: `<Bailey>,"Susan" </O=ENRON/…>` was `"Bailey, Susan" </O=…>`.
_SPLIT_NAME = re.compile(r'<([^<>@/,"]{1,60})>,\s*"([^"]{1,60})"\s*(?=</O=)', re.IGNORECASE)
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")
_EARLIEST, _LATEST = 1970, 2100  # years that a message's date may lie in


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox; either may be empty, not both."""

    name: str
    address: str

    def __str__(self) -> str:
        """Return `Name <address>`; a directory path of an Exchange server is left out where a name is known.

        A name that could be read as an address stands in quotation marks, so that no name poses as another's mailbox.
        """
        if not self.name or self.name == self.address:
            return self.address
        if not self.address or ("@" not in self.address and self.address[:3].lower() in ("/o=", "/cn")):
            return self.name
        name = self.name
        if any(each in name for each in '<>@"＠﹫'):
            name = '"' + name.replace('"', "'") + '"'
        return f"{name} <{self.address}>"


def decode(raw: bytes, charset: str = "") -> str:
    """Return `raw` as text: in the declared charset where that holds, else guessed (UTF-8, Windows-1252).

    Bytes that are valid UTF-8 beyond ASCII are taken for it even when a single-byte charset is declared: text in
    such a charset is UTF-8 by accident almost never. Control characters that are no white space are left out.
    """
    codec = _codec(charset)
    plain = raw.isascii()
    if plain and not codec.startswith(_NOT_ASCII):
        return _clean(raw.decode("ascii"))
    attempts = [codec] if codec else []
    if codec.startswith(("utf-16", "utf-32")) and b"\0" not in raw:
        attempts.insert(0, "utf-8")  # text in those has zeros, and is no valid UTF-8 where it has none
    elif not plain and not codec.startswith(_NOT_ASCII):
        # A multi-byte charset is a claim that is hard to fulfil by accident, so it is believed first.
        attempts.insert(len(attempts) if codec in _MULTIBYTE else 0, "utf-8")
    for each in attempts:
        try:
            return _clean(raw.decode(each))
        except (UnicodeError, ValueError):
            continue
    if codec in _MULTIBYTE or codec == "utf-8" or codec.startswith(_NOT_ASCII):
        guess = raw.decode(codec, "replace")
        if guess.count("\ufffd") * 20 <= len(guess):  # a damaged character or two, not another charset
            return _clean(guess)
    return _clean(raw.decode("cp1252", "replace"))


_MULTIBYTE = ("gb18030", "cp949", "cp932", "big5hkscs", "euc_jp", "euc_tw", "johab")


def preload() -> None:
    """Load every charset that Python knows: a locked worker can open no file to import one from."""
    for each in pkgutil.iter_modules(encodings.__path__):
        if each.name not in ("mbcs", "oem"):  # Windows only
            try:
                codecs.lookup(each.name)
            except LookupError:
                continue  # `aliases` is no codec


@functools.lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """Return Python's name of a declared charset, or empty when there is none such for text."""
    name = charset.strip().strip("\"'").lower()[:64]
    name = _CHARSETS.get(name, name)
    if not name:
        return ""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    if not found._is_text_encoding or found.name in ("idna", "punycode", "undefined", "mbcs", "oem"):  # noqa: SLF001
        return ""  # `base64`, `zlib` and the like are codecs too
    if found.name in ("unicode_escape", "raw_unicode_escape"):
        return ""
    return _CHARSETS.get(found.name, found.name)


def _clean(text: str) -> str:
    """Drop characters that no text has: NUL and other controls, halves of surrogate pairs."""
    return _UNWANTED.sub("", text)


def text(raw: bytes) -> str:
    """Return an unstructured field's value as one line: unfolded, encoded words (RFC 2047) decoded."""
    return " ".join(words(_line(raw)).split())


def _line(raw: bytes) -> str:
    raw = raw[:_MAX_FIELD]
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b"").replace(b"\n", b"")
    return decode(raw).strip()


def words(value: str) -> str:
    """Decode the encoded words in `value`. White space between two of them belongs to neither (RFC 2047, 6.2).

    Neighbours in the same charset are joined before they are decoded: many programs cut a character in two.
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    pending, charset, at = b"", "", 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        at = match.end()
        declared = match[1].partition("*")[0].lower()  # RFC 2231 adds a language
        payload = _q(match[3]) if match[2] in "qQ" else base64(match[3].encode("ascii", "ignore"))
        if pending and not between.strip() and declared == charset:
            pending += payload
            continue
        pieces.append(decode(pending, charset))
        if not (charset and not between.strip()):
            pieces.append(between)
        pending, charset = payload, declared
    pieces.append(decode(pending, charset))
    pieces.append(value[at:])
    return "".join(pieces)


def _q(value: str) -> bytes:
    spaced = value.replace("_", " ")
    return _ESCAPE.sub(lambda each: chr(int(each[1], 16)), spaced).encode("latin-1", "replace")


def base64(raw: bytes) -> bytes:
    """Return the bytes that `raw` encodes, as many as can be told; junk between and a broken end are passed over.

    Some programs pad every line or block by itself; what stands behind a padding counts when it is nothing but base64,
    and a mailing list's footer is not.
    """
    padded = raw.find(b"=")
    if padded >= 0 and _MORE_BASE64.fullmatch(raw, padded):
        return b"".join(_base64(each) for each in _PADDING.split(raw) if each)
    return _base64(raw)


def _base64(raw: bytes) -> bytes:
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        kept = re.sub(rb"[^A-Za-z0-9+/]+", b"", raw)
        kept = kept[: -1 if len(kept) % 4 == 1 else None]
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def addresses(raw: bytes) -> tuple[Address, ...]:
    """Return the mailboxes of an address field, at most 5,000; groups are their members (RFC 5322, 3.4)."""
    value = _line(raw)
    if "</O=" in value or "</o=" in value:
        value = _SPLIT_NAME.sub(r'"\1, \2" ', value)
    if "=?" in value:
        value = _WORD.sub(_opened, value)
    found = []
    for each in _entries(value):
        address = _mailbox(each)
        if address:
            found.append(address)
        if len(found) >= _MAX_ADDRESSES:
            break
    return tuple(found)


def _opened(word: re.Match[str]) -> str:
    """Return an encoded word as it is, unless a program has encoded an address with it."""
    decoded = words(word[0])
    return decoded if "<" in decoded and "@" in decoded else word[0]


_SPECIAL = re.compile(r'[",;:<>()\\]')


def _entries(value: str) -> list[str]:
    """Split at commas and semicolons outside of quotes, comments and angle brackets; drop the names of groups."""
    entries = []
    start, quoted, comment, angle, skip = 0, False, 0, False, -1
    for match in _SPECIAL.finditer(value):
        at, char = match.start(), match[0]
        if at == skip:
            continue
        if char == "\\":
            skip = at + 1
        elif quoted:
            quoted = char != '"'
        elif char == '"' and not comment:
            quoted = value.find('"', at + 1) > 0  # a lone quotation mark is only a character
        elif char in "()":
            comment = max(0, comment + (1 if char == "(" else -1))
        elif comment:
            continue
        elif char in "<>":
            angle = char == "<"
        elif char == ":" and not angle and value.find("@", start, at) < 0:
            start = at + 1  # the name of a group
        elif char in ",;" and not angle:
            entries.append(value[start:at])
            start = at + 1
    entries.append(value[start:])
    if quoted or comment or angle:  # brackets that never close: cut at every comma instead
        entries = value.split(",")
    return [each.strip() for each in entries if each.strip()]


def _mailbox(entry: str) -> Address | None:
    before, bracket, after = entry.rpartition("<")
    if bracket:
        address, name = after.partition(">")[0].strip(), before
    else:
        found = _BARE_ADDRESS.search(entry)
        address, name = (found[0], entry.replace(found[0], "", 1)) if found else ("", entry)
    name = " ".join(words(_unquoted(name)).split())
    address = "".join(words(address).split()).removeprefix("mailto:").strip("'\"")
    if address and not bracket and name.startswith("(") and name.endswith(")"):
        name = name[1:-1]  # the old form: address (Name)
    if name.strip("'\"").lower() == address.lower():
        name = ""
    return Address(name, address) if name or address else None


def _unquoted(name: str) -> str:
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    name = re.sub(r"\\(.)", r"\1", name).replace('"', "") if '"' in name or "\\" in name else name
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "'" else name


def ids(raw: bytes) -> tuple[str, ...]:
    """Return the message ids in a field, each `<…>`, in order; one without brackets counts when it stands alone."""
    value = _line(raw)
    found = tuple(f"<{each}>" for each in _ID.findall(value))
    if not found and "@" in value and " " not in value:
        return (f"<{value.strip('<>')}>",)
    return found


def date(value: str) -> str:
    """Return a date field as ISO 8601 in its own zone, or empty when it is none or lies before 1970 or after 2100.

    A zone that is missing or unknown (`-0000`) is taken for UTC, which is what RFC 5322 says the time is in.
    """
    value = value[:200].strip()
    try:
        parsed = parsedate_tz(value)
        if parsed:
            seconds = parsed[9] or 0
            zone = timezone(timedelta(seconds=seconds)) if abs(seconds) < 86400 else UTC
            second = min(parsed[5], 59)  # a leap second
            moment = datetime(*parsed[:5], second, tzinfo=zone)
        elif match := _ISO_DATE.search(value):
            moment = datetime.fromisoformat(match[0].replace(" +", "+").replace(" -", "-"))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            return ""
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
    return moment.isoformat() if _EARLIEST <= moment.year <= _LATEST else ""


def parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """Return the value of a field such as Content-Type, lower-case, and its parameters (RFC 2045, 5.1; RFC 2231)."""
    value = _line(raw)
    head, _, _ = value.partition(";")
    kind = "".join(head.partition("(")[0].split()).lower()
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value[len(head) :]):
        name = match[1].lower()
        plain = match[3]
        given = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else plain.strip()
        if plain is not None and name != "boundary":
            given = given.partition(" (")[0]
        found.setdefault(name, given)
        if len(found) > 100:
            break
    return kind, _joined(found)


def _joined(found: dict[str, str]) -> dict[str, str]:
    """Join continued and decode extended parameters: `name*0*=utf-8''a%20`, `name*1=b` (RFC 2231, 3 and 4)."""
    if not any("*" in name for name in found):
        return {name: words(value) if "=?" in value else value for name, value in found.items()}
    plain = {name: words(value) for name, value in found.items() if "*" not in name}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for name, value in found.items():
        base, star, rest = name.partition("*")
        if star:
            number = rest.rstrip("*")
            order = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
            sections.setdefault(base, []).append((order, rest.endswith("*") or not rest, value))
    for base, parts in sections.items():
        charset, data = "", b""
        for place, (_, extended, value) in enumerate(sorted(parts)):
            content = value
            if extended and place == 0 and value.count("'") >= 2:
                charset, _, content = value.split("'", 2)
            data += unquote_to_bytes(content) if extended else content.encode("utf-8", "replace")
        plain[base] = decode(data, charset)
    return plain
