"""PDF from markup. Text stays uncompressed, and nothing depends on the clock: equal text gives equal bytes."""

import io
import itertools
from collections.abc import Sequence

from markup import cells, pieces

# Advance widths of Helvetica for U+0020 to U+007E, in thousandths of the font's size (Adobe's font metrics).
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722,
    278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278,
    469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333,
    500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip

_PAGE = (595, 842)  # A4 in points
_MARGIN = 64


def pdf(text: str, *, title: str, author: str, date: str, footer: str = "") -> bytes:
    """A PDF 1.4 of A4 pages in Helvetica, text uncompressed. `date` is YYYYMMDD."""
    pages = _layout(text)
    kids = " ".join(f"{6 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({_pdf_text(title)}) /Author ({_pdf_text(author)}) /CreationDate (D:{date}090000Z) >>",
    ]
    for number, page in enumerate(pages, start=1):
        foot = f"{footer}  ·  page {number} of {len(pages)}" if footer else f"page {number} of {len(pages)}"
        body = "\n".join([*page, _show(_MARGIN, 36, 8, 1, foot)])
        objects += [
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_PAGE[0]} {_PAGE[1]}] "
                f"/Contents {5 + 2 * number} 0 R /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>"
            ),
            f"<< /Length {len(body.encode('cp1252'))} >>\nstream\n{body}\nendstream",
        ]
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, item in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{item}\nendobj\n".encode("cp1252"))
    xref = out.tell()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out.write(
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{xref}\n%%EOF\n".encode("ascii")
    )
    return out.getvalue()


def _layout(text: str) -> list[list[str]]:
    """Each page as its drawing operators."""
    pages: list[list[str]] = [[]]
    y = _PAGE[1] - _MARGIN
    width = _PAGE[0] - 2 * _MARGIN
    columns: list[float] = []  # of the table that is being drawn: where each starts
    every = list(pieces(text))
    for place, (kind, piece) in enumerate(every):
        size, font, before = {
            "title": (16, 2, 6),
            "heading": (11.5, 2, 12),
            "line": (10, 1, 0),
            "row": (9, 1, 2),
        }.get(kind, (10, 1, 7))
        indent = 14 if kind == "item" else 0
        if kind == "page":
            pages.append([])
            y = _PAGE[1] - _MARGIN
            continue
        if kind == "row":
            rows = [cells(piece)]
            font = 1 if columns else 2
            columns = columns or _columns(every[place:], size, width)
        else:
            rows = [[line] for line in _wrapped(("– " if kind == "item" else "") + piece, size, width - indent)]
            columns = []
        y -= before
        for row in rows:
            y -= size * 1.35
            if y < _MARGIN:
                pages.append([])
                y = _PAGE[1] - _MARGIN - size * 1.35
            starts = columns if kind == "row" else [0.0]
            pages[-1] += [
                _show(round(_MARGIN + indent + start, 2), round(y, 2), size, font, cell)
                for start, cell in zip(starts, row, strict=True)
                if cell
            ]
    return pages


def _columns(rest: Sequence[tuple[str, str]], size: float, width: float) -> list[float]:
    """Where the columns of the table at the head of `rest` start: each as wide as its widest cell, even gaps."""
    table = [cells(piece) for _, piece in itertools.takewhile(lambda each: each[0] == "row", rest)]
    widest = [max(_width(cell) * size / 1000 * 1.08 for cell in column) for column in zip(*table, strict=True)]
    gap = min(40.0, (width - sum(widest)) / max(1, len(widest) - 1))
    return [sum(widest[:n]) + n * gap for n in range(len(widest))]


def _wrapped(text: str, size: float, width: float) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and _width(longer) * size / 1000 > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def _width(text: str) -> int:
    return sum(_WIDTHS[ord(c) - 32] if 32 <= ord(c) <= 126 else 556 for c in text)


def _show(x: float, y: float, size: float, font: int, text: str) -> str:
    return f"BT /F{font} {size} Tf {x} {y} Td ({_pdf_text(text)}) Tj ET"


def _pdf_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
