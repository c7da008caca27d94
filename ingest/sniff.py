"""What a file is, told by its bytes: containers by what they contain, text by its first lines."""

import re
import struct
import zipfile
import zlib
from typing import BinaryIO

# Names in an OLE 2 compound file's directory (MS-CFB, 2.6) and what they mean; the first one there decides.
_OLE = (
    ("EncryptedPackage", "encrypted"),  # an Office Open XML file under a password (MS-OFFCRYPTO, 1.3.2)
    ("__properties_version1.0", "msg"),
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("PP40", "ppt"),
    ("PP97_DUALSTORAGE", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The `mimetype` member of OpenDocument and EPUB files, by its beginning.
_MIMETYPES = (
    (b"application/epub+zip", "epub"),
    (b"application/vnd.oasis.opendocument.text", "odt"),
    (b"application/vnd.oasis.opendocument.spreadsheet", "ods"),
    (b"application/vnd.oasis.opendocument.presentation", "odp"),
)
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")  # a header field's name: RFC 5322, 3.6.8
_ENVELOPE = re.compile(rb"From [^\r\n]*\d{4}[^\r\n]*\r?\n")  # an mbox's separator has a date (RFC 4155)
# Header fields that only software writes: one of them tells a message from a note headed "From: …" by hand.
_TRACES = frozenset(
    (b"received", b"return-path", b"message-id", b"mime-version", b"delivered-to", b"x-mailer",
     b"x-originating-ip", b"content-type", b"dkim-signature", b"references", b"in-reply-to")
)  # fmt: skip
_USUAL = frozenset((b"from", b"to", b"cc", b"subject", b"date", b"sender", b"reply-to"))


def container(file: BinaryIO, head: bytes) -> str:
    """Return the format of a zip or OLE 2 container or a PDF, `encrypted`, or empty when it is none known."""
    if head.startswith(b"PK"):
        return _zip(file)
    if head.startswith(_OLE_MAGIC):
        names = _ole_names(file)
        return next((found for name, found in _OLE if name in names), "")
    # Mailers and printers put lines before the mark; every reader looks for it in the first 1024 bytes.
    return "pdf" if b"%PDF-" in head[:1024] else ""


def content(head: bytes, named: str) -> str:
    """Return the format's name when the text in `head` decides it, else empty.

    `named` is the format that the extension says, or empty. A known extension is believed for text unless the
    bytes contradict it beyond doubt; mail needs header fields that a person would not type.
    """
    if named in ("mail", "mbox", "emlx", "mht", "markdown"):
        return ""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if envelope := _ENVELOPE.match(head):
        if _is_mail(head[envelope.end() :], sure=bool(named)):
            return "mbox"
    elif _is_mail(head, sure=bool(named)):
        return "mail"
    if named in ("html", "ofx", "qif"):
        return ""
    start = text[:512].lower()
    if start.startswith((b"<!doctype html", b"<html")) or (
        named in ("xls", "doc", "") and (b"<html" in start or b"<table" in start)
    ):
        return "html"
    if start.startswith(b"<?xml") and b"<?ofx" in start:
        return "ofx"
    if named in ("xls", "doc") and is_text(head):
        return "tsv" if named == "xls" else "text"  # many "Excel" exports are tables of text
    return ""


def is_text(head: bytes) -> bool:
    """Tell whether these first bytes are text in some encoding: no control characters that text never has."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    if b"\x00" in head:
        # UTF-16 without a mark: every other byte of European text is zero, and nothing else has that.
        even, odd = head[0::2].count(0), head[1::2].count(0)
        few, many = sorted((even, odd))
        return many > 0.6 * len(head) / 2 and few < 0.05 * len(head) / 2
    odd_bytes = sum(each < 32 and each not in b"\t\n\r\x0b\x0c\x1b" for each in head)
    return odd_bytes <= len(head) // 500


def _is_mail(head: bytes, *, sure: bool) -> bool:
    """Tell whether `head` opens with a message's header block.

    `sure`: the name says that it is something else, so it takes three known fields and one that only software
    writes; otherwise one such, or From with Date, To or Subject.
    """
    names: list[bytes] = []
    for line in head.splitlines()[:60]:
        if not line.strip():
            break
        if line[:1] in b" \t":
            if not names:
                return False
            continue
        field = _FIELD.match(line)
        if not field:
            return False  # in a header block every line is a field or goes on with one
        names.append(field[1].lower())
    found = set(names)
    known = (found & _USUAL) | (found & _TRACES)
    if sure:
        return len(known) >= 3 and bool(found & _TRACES) and b"from" in found
    return len(known) >= 2 and (bool(found & _TRACES) or b"from" in found)


def _zip(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    declared = member.read(100)
                found = next((name for start, name in _MIMETYPES if declared.startswith(start)), "")
                if found:
                    return found
            if "META-INF/container.xml" in names and any(name.endswith(".opf") for name in names):
                return "epub"
            folders = {name.replace("\\", "/").lstrip("/").partition("/")[0] for name in names}
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError, EOFError, zlib.error):
        return ""
    if "[Content_Types].xml" in names:
        if "xl" in folders:
            return "xlsb" if "xl/workbook.bin" in names else "xlsx"
        return "docx" if "word" in folders else "pptx" if "ppt" in folders else ""
    return ""


def _ole_names(file: BinaryIO) -> set[str]:
    """Return the names in an OLE 2 file's directory, as far as it can be followed (MS-CFB, 2.2–2.6)."""
    file.seek(0)
    header = file.read(512)
    if len(header) < 512:
        return set()
    shift, sector = struct.unpack_from("<H", header, 30)[0], struct.unpack_from("<I", header, 48)[0]
    if shift not in (9, 12):
        return set()
    size = 1 << shift
    tables = struct.unpack_from("<109I", header, 76)  # where the allocation table's first sectors lie
    names: set[str] = set()
    for _ in range(256):  # sectors of directory; a loop in a hostile file ends here too
        if sector >= 0xFFFFFFFA:
            break
        file.seek((sector + 1) << shift)
        entries = file.read(size)
        for at in range(0, len(entries) - 127, 128):
            length = struct.unpack_from("<H", entries, at + 64)[0]
            names.add(entries[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace"))
        table, slot = divmod(sector, size // 4)
        if table >= len(tables) or tables[table] >= 0xFFFFFFFA:
            break
        file.seek(((tables[table] + 1) << shift) + 4 * slot)
        following = file.read(4)
        if len(following) < 4:
            break
        sector = struct.unpack("<I", following)[0]
    return names
