import io

import pytest

from ingest.registry import Context, UnreadableError, parse
from ingest.tables import delimited, header_row


def read(data, name):
    (document,) = parse(io.BytesIO(data), name, Context())
    return document


def kinds(text):
    return [(each.kind, text[each.start : each.end]) for each in delimited(text)]


def test_rows_of_a_csv_are_places_in_the_file_itself():
    text = 'date,payee,amount\r\n2025-01-03,"Bakery, ""Korn""",-4.20\r\n2025-01-04,"two\nlines",1.00\r\n'
    document = read(text.encode(), "bank.csv")
    assert document.text == text
    assert [(each.kind, text[each.start : each.end]) for each in document.blocks] == [
        ("header", "date,payee,amount"),
        ("row", '2025-01-03,"Bakery, ""Korn""",-4.20'),
        ("row", '2025-01-04,"two\nlines",1.00'),
    ]


def test_what_a_bank_writes_above_the_header_is_no_row():
    text = "Konto;DE12 3456\nZeitraum;Januar\n\nBuchung;Betrag;Text\n03.01.2025;-4,20;Bäcker\n04.01.2025;1,00;Zins\n"
    assert [kind for kind, _ in kinds(text)] == ["paragraph", "paragraph", "header", "row", "row"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    text = "\n".join(delimiter.join(row) for row in (("day", "sum", "who"), ("1", "2,50", "A, B"), ("2", "3,50", "C")))
    if delimiter == ",":
        text = 'day,sum,who\n1,"2,50","A, B"\n2,"3,50",C'
    assert kinds(text)[0] == ("header", text.split("\n")[0])
    assert [kind for kind, _ in kinds(text)[1:]] == ["row", "row"]


def test_a_table_without_header_has_rows_only():
    assert [kind for kind, _ in kinds("2025-01-03,4.20\n2025-01-04,1.00\n")] == ["row", "row"]


def test_an_open_quote_does_not_swallow_the_file():
    text = 'a,b\n1,"open\n' + "\n".join(f"{n},x" for n in range(500)) + "\n"
    assert len(kinds(text)) > 300


def test_a_header_of_words_is_found_and_one_of_years_is_not_required():
    assert header_row([["name", "total"], ["a", "1"], ["b", "2"]]) == 0
    assert header_row([["1", "2"], ["3", "4"]]) == -1
    assert header_row([]) == -1


def test_a_spreadsheet_keeps_sheets_headers_dates_and_digits():
    document = read(spreadsheet(), "budget.xlsx")
    assert document.kind == "table"
    assert [(each.kind, document.text[each.start : each.end]) for each in document.blocks] == [
        ("heading", "Year 2025"),
        ("header", "Day\tPayee\tAmount\tPaid"),
        ("row", "2025-03-31\tRoofer, two lines\t1234.5\tTRUE"),
        ("row", "2025-04-01\t\t0.3"),
        ("heading", "Notes"),
        ("row", "only a note"),
    ]
    assert document.metadata["sheets"] == "Year 2025, Notes"


def test_a_damaged_spreadsheet_says_so():
    data = spreadsheet()
    with pytest.raises(UnreadableError, match="damaged"):
        read(data[: len(data) // 2], "budget.xlsx")


def test_old_and_open_spreadsheets_are_read_and_passwords_noticed(shared_data):
    folder = shared_data / "parsers" / "poi" / "test-data" / "spreadsheet"
    document = read((folder / "FormulaEvalTestData.xls").read_bytes(), "old.xls")
    assert "DATA SECTION" in document.text
    ods = next((shared_data / "parsers").rglob("odf_table_with_title_01.ods"))
    assert read(ods.read_bytes(), "x.ods").text
    with pytest.raises(UnreadableError, match="needs a password"):
        read((folder / "protected_passtika.xlsx").read_bytes(), "x.xlsx")


def spreadsheet(corner="B4"):
    """A workbook of two sheets, written by hand: shared strings, a date, a sum with a float's tail, a boolean."""
    import zipfile

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    strings = ["Day", "Payee", "Amount", "Paid", "Roofer,\ntwo  lines", "only a note"]
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Year 2025" sheetId="1"'
        ' r:id="r1"/><sheet name="Notes" sheetId="2" r:id="r2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{office}/{kind}" Target="{target}"/>'
            for n, kind, target in (
                (1, "worksheet", "worksheets/sheet1.xml"),
                (2, "worksheet", "worksheets/sheet2.xml"),
                (3, "sharedStrings", "sharedStrings.xml"),
                (4, "styles", "styles.xml"),
            )
        )
        + "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">' + "".join(f"<si><t>{s}</t></si>" for s in strings) + "</sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/>'
        "</cellXfs></styleSheet>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>'
        '<row r="1">' + "".join(f'<c r="{c}1" t="s"><v>{n}</v></c>' for n, c in enumerate("ABCD")) + "</row>"
        '<row r="2"><c r="A2" s="1"><v>45747</v></c><c r="B2" t="s"><v>4</v></c><c r="C2"><v>1234.5</v></c>'
        '<c r="D2" t="b"><v>1</v></c></row>'
        '<row r="3"><c r="A3" s="1"><v>45748</v></c><c r="C3"><v>0.30000000000000004</v></c></row>'
        "</sheetData></worksheet>",
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{main}"><sheetData><row r="{corner.strip("ABCDEFX")}">'
        f'<c r="{corner}" t="s"><v>5</v></c></row></sheetData></worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_stray_cell_in_the_last_corner_is_a_reason_and_not_the_end_of_the_worker(shared_data):
    from ingest.spans import widest

    data = spreadsheet(corner="XFD1048576")
    assert widest(io.BytesIO(data), "xlsx") == (1048576, 16384)
    with pytest.raises(UnreadableError, match="a sheet of 1048576 rows and 16384 columns is too much"):
        read(data, "budget.xlsx")
    old = next((shared_data / "parsers").rglob("51535.xls"))
    with pytest.raises(UnreadableError, match="a sheet of 65536 rows and 256 columns"):
        read(old.read_bytes(), "old.xls")
