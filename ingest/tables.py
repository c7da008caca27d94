"""Tables: delimited text and spreadsheets, with their header told from their rows.

Of delimited text, `text` is exactly the decoded file, and a row's block is its place there. Spreadsheets have no text
of their own: each sheet becomes a heading and rows whose cells are parted by tabs, dates as ISO 8601, numbers with the
fifteen digits that spreadsheets keep.

Spreadsheets are read with python-calamine, which says of each value whether it is a number, a date or a text.
"""

import csv
import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from ingest import kind
from ingest.decode import read_text
from ingest.registry import MAX_BLOCKS, MAX_TEXT, Context, UnreadableError, digest, recognise
from ingest.spans import widest
from vault.records import Block, Document, Problem

_DELIMITERS = ",;\t|"
_SAMPLE = 60  # records looked at to find delimiter and header
_PREAMBLE = 25  # rows that may stand above the header: banks put account, owner and period there
_MOST_CELLS = 8_000_000  # of a sheet, empty ones too: 32 bytes each in the reader, a quarter of a worker's memory
_NUMBER = re.compile(r"[-+(]?\s*[€$£¥]?\s*[-+]?[\d.,'\u00a0\u202f ]*\d[)%]?\s*(?:[€$£¥]|[A-Z]{3}|CR|DR|-)?")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T]\d{1,2}:\d\d.*)?")


def preload() -> None:
    """Load the spreadsheet reader, so that the worker finds it ready."""
    import python_calamine  # noqa: F401


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document. Raises UnreadableError for a damaged or encrypted spreadsheet."""
    found = recognise(file, name)
    identity = digest(file)
    metadata: dict[str, str] = {}
    if found.name in ("csv", "tsv"):
        text, encoding, note = read_text(file)
        blocks = tuple(delimited(text))
        metadata["encoding"] = encoding
    else:
        text, blocks, sheets, note = _spreadsheet(file, found.name)
        metadata["sheets"] = ", ".join(sheets)[:1000]
    yield Document(
        id=identity,
        kind=kind.tell(found.name, name, metadata.get("sheets", ""), text),
        title="",
        text=text,
        blocks=blocks,
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type=found.media_type,
        note=note or ("it holds no text" if not text.strip() else ""),
    )


def delimited(text: str) -> Iterator[Block]:
    """Yield a block for every record of delimited text: paragraphs above the header, the header, rows."""
    spans = list(_records(text))
    delimiter = _delimiter([text[start:end] for start, end in spans[:_SAMPLE]])
    sample = [_cells(text[start:end], delimiter) for start, end in spans[:_SAMPLE]]
    header = header_row(sample)
    for number, (start, end) in enumerate(spans):
        if number < header:
            yield Block(start, end)
        else:
            yield Block(start, end, "header" if number == header else "row")


def header_row(rows: Sequence[Sequence[str]]) -> int:
    """Return the index of the header among the first rows, or -1 when there is none.

    It is the first row as wide as most, of distinct words without numbers or dates, that stands above rows with some.
    """
    widths = Counter(_width(row) for row in rows if _width(row) > 1)
    if not widths:
        return -1
    usual = widths.most_common(1)[0][0]
    for index, row in enumerate(rows[:_PREAMBLE]):
        filled = [cell.strip() for cell in row if cell.strip()]
        if len(filled) < max(2, 0.7 * usual):
            continue
        if any(is_value(cell) for cell in filled) or len(set(filled)) < len(filled):
            # Columns may be headed by years: numbers in a header are fine if the rows below have words beside them.
            return -1
        below = rows[index + 1 : index + 12]
        values = sum(any(is_value(cell.strip()) for cell in other if cell.strip()) for other in below)
        longer = sum(map(len, filled)) / len(filled) < 40
        if not below or values >= 0.5 * len(below) or longer:
            return index
        return -1
    return -1


def is_value(cell: str) -> bool:
    """Tell whether a cell holds a number, an amount or a date."""
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _width(row: Sequence[str]) -> int:
    return max((index for index, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _records(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every record that is not empty: a line, or several where a quoted cell spans them.

    A quote that is never closed would swallow the rest: after 100 lines it is taken for a character of its own.
    """
    start = position = -1
    quotes = lines = 0
    for match in re.finditer(r"[^\r\n]*(?:\r\n|\n|\r|\Z)", text):
        if match.end() == match.start():
            break
        line = match[0].rstrip("\r\n")
        if start < 0:
            if not line.strip():
                continue
            start, quotes, lines = match.start(), 0, 0
        quotes += line.count('"')
        lines += 1
        position = match.start() + len(line)
        if quotes % 2 == 0 or lines > 100:
            yield start, position
            start = -1
    if start >= 0:
        yield start, position


def _delimiter(records: Sequence[str]) -> str:
    """Return the delimiter under which most records have the same number of cells, more than one."""
    best, found = 0.0, ","
    for delimiter in _DELIMITERS:
        widths = Counter(len(_cells(record, delimiter)) for record in records)
        widths.pop(1, None)
        if widths:
            width, count = widths.most_common(1)[0]
            score = count / len(records) + min(width, 20) / 1000  # ties go to the finer division
            if score > best:
                best, found = score, delimiter
    return found


def _cells(record: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([record.replace("\0", " ")], delimiter=delimiter), [])
    except csv.Error:  # a cell beyond csv's limit of 131,072 characters
        return record.split(delimiter)


def _spreadsheet(file: BinaryIO, format_name: str) -> tuple[str, tuple[Block, ...], list[str], str]:
    """Return text, blocks, names of the sheets and a note."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

    # The reader lays a sheet out as one array from its first to its last cell, and ends the process where memory
    # ends: with it would go the mail that the sheet is attached to.
    rows, columns = widest(file, format_name)
    if rows * columns > _MOST_CELLS:
        raise UnreadableError(f"a sheet of {rows} rows and {columns} columns is too much for its reader")
    file.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(file)
        sheets = [each.name for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
    except PasswordError as error:
        raise UnreadableError("needs a password", "save a copy without one into a watched folder") from error
    except CalamineError as error:
        raise UnreadableError(f"damaged: {str(error)[:200]}") from error
    made = _Sheets()
    failed = []
    for name in sheets:
        try:
            made.sheet(name, book.get_sheet_by_name(name).iter_rows())
        except CalamineError as error:
            failed.append(f"sheet {name!r} cannot be read: {str(error)[:100]}")
    if failed and not made.blocks:
        raise UnreadableError(f"damaged: {failed[0]}")
    notes = [f"only the first {len(made.blocks)} rows are read"] if made.full else []
    return "\n".join(made.lines), tuple(made.blocks), sheets, "; ".join(notes + failed[:3])


class _Sheets:
    """Gathers the rows of all sheets."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.blocks: list[Block] = []
        self.position = 0
        self.full = False

    def sheet(self, name: str, values: Iterable[Iterable[Any]]) -> None:
        """Add a sheet's rows without the empty ones, under its name."""
        rows = (row for row in map(_row, values) if any(row))
        first = list(itertools.islice(rows, _SAMPLE))
        if not first:
            return
        left = min(next(index for index, cell in enumerate(row) if cell) for row in first)  # empty columns
        header = header_row([row[left:] for row in first])
        self._add(" ".join(name.split()) or "sheet", "heading", 1)
        for number, row in enumerate(itertools.chain(first, rows)):
            if self.position > MAX_TEXT or len(self.blocks) >= MAX_BLOCKS:
                self.full = True
                break
            below = "header" if number == header else "row"
            shown = row[left:] if not any(row[:left]) else row
            self._add("\t".join(shown), "paragraph" if number < header else below)

    def _add(self, line: str, block_kind: str, level: int = 0) -> None:
        self.blocks.append(Block(self.position, self.position + len(line), block_kind, level))
        self.lines.append(line)
        self.position += len(line) + 1


def _row(values: Iterable[Any]) -> list[str]:
    """Return the cells as text, without the empty ones at the end."""
    cells = [_shown(value) for value in values]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())  # one row is one line; a cell's own line breaks become spaces
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return format(value, ".15g")
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, dt.time):
        return value.isoformat("seconds")
    return "" if value is None else str(value)
