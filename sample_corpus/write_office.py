
"""Word documents from markup, and spreadsheets: the few parts of Office Open XML (ECMA-376) that they need, stored
and dated 1980 in their archive, so that the same text gives the same bytes."""

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

from markup import cells, pieces


def _zip(parts: dict[str, str]) -> bytes:
    """Stored, not deflated, and dated 1980: the same bytes whatever the compressor and the day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, text.encode())
    return out.getvalue()


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _relationships(items: Sequence[tuple[str, str]]) -> str:
    body = "".join(
        f'<Relationship Id="rId{n}" Type="{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(items, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{body}</Relationships>'


def _content_types(parts: dict[str, str]) -> str:
    body = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{body}</Types>'
    )


def _core(title: str, author: str, date: str) -> str:
    stamp = f"{date[:4]}-{date[4:6]}-{date[6:]}T09:00:00Z"
    return (
        f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title><dc:creator>{escape(author)}</dc:creator>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{stamp}</dcterms:created></cp:coreProperties>'
    )


def docx(text: str, *, title: str, author: str, date: str) -> bytes:
    """A Word document with real heading styles and tables. `date` is YYYYMMDD."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    styles = {"title": "Title", "heading": "Heading1", "item": "ListParagraph"}
    body: list[str] = []
    table: list[list[str]] = []

    def paragraph(piece: str, style: str = "") -> str:
        mark = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f'<w:p>{mark}<w:r><w:t xml:space="preserve">{escape(piece)}</w:t></w:r></w:p>'

    def close_table() -> None:
        if table:
            grid = '<w:gridCol w:w="2400"/>' * len(table[0])
            rows = "".join("<w:tr>" + "".join(f"<w:tc>{paragraph(c)}</w:tc>" for c in row) + "</w:tr>" for row in table)
            body.append(
                f'<w:tbl><w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>'
            )
            body.append("<w:p/>")
            table.clear()

    for kind, piece in pieces(text):
        if kind == "row":
            table.append(cells(piece))
            continue
        close_table()
        body.append(
            '<w:p><w:r><w:br w:type="page"/></w:r></w:p>' if kind == "page" else paragraph(piece, styles.get(kind, ""))
        )
    close_table()
    named = "".join(
        f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{name}"/><w:basedOn w:val="Normal"/>'
        f"<w:pPr>{extra}</w:pPr><w:rPr>{look}</w:rPr></w:style>"
        for style, name, extra, look in (
            ("Title", "Title", "", '<w:b/><w:sz w:val="36"/>'),
            ("Heading1", "heading 1", '<w:outlineLvl w:val="0"/>', '<w:b/><w:sz w:val="26"/>'),
            ("ListParagraph", "List Paragraph", '<w:ind w:left="720"/>', ""),
        )
    )
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    return _zip(
        {
            "[Content_Types].xml": _content_types(
                {
                    "word/document.xml": f"{main}.document.main+xml",
                    "word/styles.xml": f"{main}.styles+xml",
                    "docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
                }
            ),
            "_rels/.rels": _relationships(
                [
                    (f"{_OFFICE}/officeDocument", "word/document.xml"),
                    (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
                ]
            ),
            "word/_rels/document.xml.rels": _relationships([(f"{_OFFICE}/styles", "styles.xml")]),
            "word/styles.xml": f'{_XML}<w:styles xmlns:w="{word}"><w:style w:type="paragraph" w:default="1" '
            f'w:styleId="Normal"><w:name w:val="Normal"/><w:rPr><w:sz w:val="21"/></w:rPr></w:style>{named}</w:styles>',
            "word/document.xml": f'{_XML}<w:document xmlns:w="{word}"><w:body>{"".join(body)}<w:sectPr/></w:body></w:document>',
            "docProps/core.xml": _core(title, author, date),
        }
    )


Cell = str | float | dt.date | None


def xlsx(sheets: dict[str, list[list[Cell]]], *, title: str, author: str, date: str) -> bytes:
    """A workbook: strings shared, numbers with two decimals, dates as day numbers with a date format."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strings: dict[str, int] = {}

    def cell(value: Cell, place: str) -> str:
        if value is None:
            return ""
        if isinstance(value, dt.date):
            return f'<c r="{place}" s="2"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
        if isinstance(value, str):
            return f'<c r="{place}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'
        return f'<c r="{place}" s="1"><v>{value}</v></c>'

    parts: dict[str, str] = {}
    for number, rows in enumerate(sheets.values(), start=1):
        lines = "".join(
            f'<row r="{r}">' + "".join(cell(value, f"{chr(65 + c)}{r}") for c, value in enumerate(row)) + "</row>"
            for r, row in enumerate(rows, start=1)
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'{_XML}<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>'
        )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    names = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, start=1)
    )
    count = len(sheets)
    return _zip(
        {
            "[Content_Types].xml": _content_types(
                {
                    "xl/workbook.xml": f"{kind}.sheet.main+xml",
                    **dict.fromkeys(parts, f"{kind}.worksheet+xml"),
                    "xl/styles.xml": f"{kind}.styles+xml",
                    "xl/sharedStrings.xml": f"{kind}.sharedStrings+xml",
                    "docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
                }
            ),
            "_rels/.rels": _relationships(
                [
                    (f"{_OFFICE}/officeDocument", "xl/workbook.xml"),
                    (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
                ]
            ),
            "xl/workbook.xml": f'{_XML}<workbook xmlns="{main}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relationships(
                [(f"{_OFFICE}/worksheet", f"worksheets/sheet{n}.xml") for n in range(1, count + 1)]
                + [(f"{_OFFICE}/styles", "styles.xml"), (f"{_OFFICE}/sharedStrings", "sharedStrings.xml")]
            ),
            **parts,
            "xl/styles.xml": f'{_XML}<styleSheet xmlns="{main}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
            '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/>'
            '<xf numFmtId="2" applyNumberFormat="1"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>',
            "xl/sharedStrings.xml": f'{_XML}<sst xmlns="{main}" count="{len(strings)}" uniqueCount="{len(strings)}">'
            + "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
            + "</sst>",
            "docProps/core.xml": _core(title, author, date),
        }
    )
