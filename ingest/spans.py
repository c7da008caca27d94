"""How far a spreadsheet's largest sheet reaches, found without laying it out: one stray cell in the last corner makes
an array of 17 thousand million."""

import re
import struct
import zipfile
import zlib
from typing import BinaryIO

from ingest.compound import Compound
from ingest.registry import UnreadableError

_CELL = re.compile(rb'<(?:\w+:)?c [^>]{0,40}?r="([A-Z]{1,3})(\d{1,7})"')
_REPEATED = re.compile(rb"number-(columns|rows)-repeated=\"(\d{1,9})\"[^>]*>\s*<text:p")
_COUNTS = re.compile(rb"[cC]ount\s*=\s*[\"'](\d{1,20})")
_HEAD = 1000  # bytes in which a list of texts says how many they are
# Records of a cell in BIFF8: row and column are their first two numbers (MS-XLS, 2.4).
_RECORDS = frozenset((0x0006, 0x00BD, 0x00BE, 0x00D6, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E))
_BLOCK = 1 << 20


def widest(file: BinaryIO, format_name: str) -> tuple[int, int]:
    """Return rows and columns of the largest sheet, as far as its cells say; (0, 0) where that cannot be told.

    Raises UnreadableError for one that claims more than it has, or whose parts lead in a circle: the reader takes the
    memory that is claimed before it looks whether the file has as much, and ends the process where that is refused.
    """
    file.seek(0)
    try:
        return _old(file.read()) if format_name == "xls" else _zipped(file)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError):
        return 0, 0  # damaged: its reader says how


def _zipped(file: BinaryIO) -> tuple[int, int]:
    most = (0, 0)
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name == "xl/sharedStrings.xml":
                with archive.open(name) as part:
                    told = _COUNTS.findall(part.read(_HEAD))
                if any(int(each) > archive.getinfo(name).file_size for each in told):
                    raise UnreadableError("damaged: it claims more texts than it holds")
            elif name.startswith("xl/worksheets/") and name.endswith(".xml"):
                with archive.open(name) as part:
                    rows = columns = 0
                    rest = b""
                    while block := part.read(_BLOCK):
                        for letters, number in _CELL.findall(rest + block):
                            rows, columns = max(rows, int(number)), max(columns, _column(letters))
                        rest = block[-64:]  # a cell's start may be cut
                most = max(most, (rows, columns), key=lambda each: each[0] * each[1])
            elif name == "content.xml":
                with archive.open(name) as part:
                    rest = b""
                    rows = columns = 1
                    while block := part.read(_BLOCK):
                        for direction, count in _REPEATED.findall(rest + block):
                            rows = max(rows, int(count)) if direction == b"rows" else rows
                            columns = max(columns, int(count)) if direction == b"columns" else columns
                        rest = block[-256:]
                most = rows, columns
    return most


def _column(letters: bytes) -> int:
    number = 0
    for each in letters:
        number = number * 26 + each - 64
    return number


def _old(data: bytes) -> tuple[int, int]:
    container = Compound(data)
    if container.claimed > len(data):
        raise UnreadableError("damaged: streams that claim more than the file holds")
    if container.loops():
        raise UnreadableError("damaged: streams that lead back into themselves")
    streams = {name.casefold(): entry for name, entry in container.root.children.items()}
    entry = streams.get("workbook") or streams.get("book")
    if entry is None:
        raise UnreadableError("damaged: it has no workbook")
    book = container.read(entry)
    most, rows, columns, at = (0, 0), 0, 0, 0
    while at + 4 <= len(book):
        kind, length = struct.unpack_from("<HH", book, at)
        if kind == 0x0809:  # a sheet begins
            rows = columns = 0
        elif kind in _RECORDS and length >= 4 and at + 8 <= len(book):
            row, column = struct.unpack_from("<HH", book, at + 4)
            rows, columns = max(rows, row + 1), max(columns, column + 1)
            most = max(most, (rows, columns), key=lambda each: each[0] * each[1])
        at += 4 + length
    return most
