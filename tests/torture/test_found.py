"""What damaged files once did to Strongroom, each by its name. The files are made here, as small as they can be.

What took for ever is given to a real worker, whose limits on time end it: such a file is then a reason of its own.
"""

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine import wire
from engine.zygote import WorkerDiedError
from ingest import mail_headers, smime
from ingest.registry import UnreadableError
from vault.records import Block, Document, Line, Problem

ROOT = Path(__file__).parents[2]
SECTOR = 512
END, FREE = 0xFFFFFFFE, 0xFFFFFFFF


def read(zygote, data, name):
    descriptor = os.memfd_create("found")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        return list(zygote.parse(descriptor, name))
    finally:
        os.close(descriptor)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


# --- without end ------------------------------------------------------------------------------------------------------


def test_a_megabyte_of_blanks_is_cut_into_chunks_at_once():
    """The engine looked for the end of a paragraph from each of them anew: it would have been busy for hours."""
    script = """
import resource
from ingest.chunk import chunk
from vault.records import Block, Document
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
text = "before" + " \\t" * 2_000_000 + "after"
found = chunk(Document("0" * 64, "note", "", text, (Block(0, len(text)),)), lambda texts: [len(each) // 4 for each in texts])
assert [text[each.start : each.end] for each in found] == ["before", "after"], found
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "field",
    [
        b"From: " + b"x" * 260_000,  # an address was looked for from each letter
        b"To: " + b"a" * 130_000 + b"@" + b":" * 130_000,
        b"Cc: " + b"{\\trowd" * 40_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 20_000,
        b"References: " + b"<a" * 130_000,
        b"Content-Type: text/plain;" + b" a;" * 90_000,
    ],
    ids=lambda field: field[:12].decode(),
)
def test_a_mail_with_a_field_as_long_as_any_is_read(zygote, field):
    (found,) = read(zygote, field + b"\r\nDate: Mon, 3 Mar 2025 10:00:00 +0100\r\nX: y\r\n\r\nThe body.\r\n", "a.eml")
    assert "The body." in found.text


@pytest.mark.parametrize(
    "line",
    [
        "# " + " \t" * 500_000 + "x",
        "# a" + " #" * 500_000,
        "|" + " |" * 500_000 + "x",
        "- " * 500_000,
        "=" * 1_000_000 + "x",
    ],
    ids=lambda line: line[:4],
)
def test_a_line_of_a_megabyte_of_markdown_is_read(zygote, line):
    (found,) = read(zygote, f"first\n\n{line}\n\nlast\n".encode(), "a.md")
    assert found.text.endswith("last\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("# Plan", "Plan"), ("##  Plan of C# ##  ", "Plan of C#"), ("# #", "#"), ("## Plan #b", "Plan #b"), ("#  ", ""),
        ("### Plan###", "Plan###"), ("# Plan \t## ", "Plan"), ("#Plan", None), ("####### Plan", None),
    ],
)  # fmt: skip
def test_the_closing_signs_of_a_heading_are_no_words_of_it(line, words):
    from ingest.text import blocks

    found = [line[each.start : each.end] for each in blocks(line, markdown=True) if each.kind == "heading"]
    assert found == ([words] if words else [])


# --- a worker that was ended ------------------------------------------------------------------------------------------


def old_spreadsheet(*, claims=None, loop=None, directory=b"Workbook"):
    """A compound file with one stream of ten sectors (MS-CFB), which holds the beginning of a workbook and its end."""
    book = (struct.pack("<HHHHHHII", 0x0809, 16, 0x0600, 5, 0, 0, 0, 0) + struct.pack("<HH", 0x000A, 0)).ljust(
        10 * SECTOR, b"\0"
    )
    fat = [0xFFFFFFFD, END, *range(3, 12), END]
    if loop is not None:
        fat[loop] = loop
    fat += [FREE] * (128 - len(fat))
    entries = b""
    for name, kind, child, start, size in (
        (b"Root Entry", 5, 1, END, 0), (directory, 2, FREE, 2, len(book) if claims is None else claims),
    ):  # fmt: skip
        told = name.decode().encode("utf-16-le")
        entries += struct.pack(
            "<64sHBB3I36xIQ", told, len(told) + 2, kind, 1, FREE, FREE, child, start, size,
        )  # fmt: skip
    header = struct.pack(
        "<8s16x5H6x4xII4xIIIII109I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 1, 1, 4096, END, 0, END, 0,
        0, *[FREE] * 108,
    )  # fmt: skip
    return header + struct.pack("<128I", *fat) + entries.ljust(SECTOR, b"\0") + book


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"claims": 0xFFFFFFF0}, "damaged: streams that claim more than the file holds"),
        ({"loop": 5}, "damaged: streams that lead back into themselves"),
        ({"directory": b"Worbkook"}, "damaged: it has no workbook"),
    ],
)
def test_an_old_spreadsheet_that_would_end_its_reader_is_refused_before(zygote, odd, reason):
    for name in ("a.xls", "b.xlt"):
        with pytest.raises(UnreadableError, match=f"^{reason}$"):
            read(zygote, old_spreadsheet(**odd), name)


def test_the_sound_one_of_these_is_read(zygote):
    (found,) = read(zygote, old_spreadsheet(), "a.xls")
    assert found.note == "it holds no text"


def spreadsheet(texts):
    """A workbook of one cell, whose words are in a list of texts that says how many it holds."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    rels = f'<Relationships xmlns="{package}/relationships">{{}}</Relationships>'
    to = f'<Relationship Id="{{}}" Type="{office}/{{}}" Target="{{}}"/>'.format
    sheet = (
        f'<worksheet xmlns="{main}"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row></sheetData></worksheet>'
    )
    return zipped(
        **{
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType='
            '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
            "_rels/.rels": rels.format(to("r1", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="One" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": rels.format(
                to("r1", "worksheet", "worksheets/sheet1.xml") + to("r2", "sharedStrings", "sharedStrings.xml")
            ),
            "xl/worksheets/sheet1.xml": sheet,
            "xl/sharedStrings.xml": f'<sst xmlns="{main}" count="1" uniqueCount="{texts}"><si><t>soap</t></si></sst>',
        }
    )


def test_a_spreadsheet_that_claims_two_thousand_million_texts_is_refused_before_its_reader_makes_room(zygote):
    (sound,) = read(zygote, spreadsheet(1), "a.xlsx")
    assert "soap" in sound.text
    with pytest.raises(UnreadableError, match=r"^damaged: it claims more texts than it holds$"):
        read(zygote, spreadsheet(2_147_483_648), "a.xlsx")


# --- a mail or a file that was lost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [b"", b"0", b"0\x00", b"0\x02\x06\x00", b"0\x80\x00\x00", b"0\x80\x06\x00\x00\x00"])
def test_a_signature_that_breaks_off_is_no_signature(cut):
    assert smime.signed_content(cut) is None


def test_a_mail_whose_signature_breaks_off_keeps_its_words(zygote):
    head = b"From: a@x.org\r\nTo: b@x.org\r\nSubject: The lease\r\nMIME-Version: 1.0\r\n"
    kind = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n"
    found = read(zygote, head + kind + b"\r\nMAA=\r\n", "a.eml")
    assert [each.title for each in found if isinstance(each, Document)] == ["The lease"]
    assert all("StopIteration" not in each.reason for each in found if isinstance(each, Problem))


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1e30])
def test_a_line_that_a_damaged_page_puts_nowhere_is_read_and_has_no_place(odd):
    lines = (Line(0, 3, 1.0, 2.0, 3.0, 4.0), Line(4, 7, 1.0, odd, 3.0, 4.0))
    sent = Document("a" * 64, "document", "", "one two", (Block(0, 7, "paragraph", 0, 1, lines),))
    found = wire.decode(wire.encode(sent))
    assert found.text == "one two"
    assert found.blocks[0].lines == lines[:1]


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.odt", "a.epub"])
def test_a_packed_file_whose_directory_leads_out_of_it_says_so(zygote, name):
    whole = zipped(**{"[Content_Types].xml": "x" * 50, "word/document.xml": "<w/>", "content.xml": "<a/>"})
    at = whole.rindex(b"PK\x05\x06")
    # The end record says that the directory begins later than it does: then everything else lies before the file's start.
    start = struct.unpack_from("<I", whole, at + 16)[0]
    data = whole[: at + 16] + struct.pack("<I", start + 4000) + whole[at + 20 :]
    with pytest.raises(UnreadableError) as caught:
        read(zygote, data, name)
    assert not any(each in caught.value.message for each in ("Error", "Errno", "seek"))


def test_a_part_in_an_encoding_that_nobody_knows_is_a_damaged_part(zygote):
    document = '<?xml version="1.0" encoding="UTF0"?><w:document xmlns:w="http://w"/>'
    with pytest.raises(UnreadableError, match=r"^damaged: unknown encoding"):
        read(zygote, zipped(**{"[Content_Types].xml": "<Types/>", "word/document.xml": document}), "a.docx")


@pytest.mark.parametrize(("name", "part", "tag"), [("a.docx", "word/document.xml", "w"), ("a.odt", "content.xml", "a")])
def test_parts_in_parts_without_end_are_said_to_be_that(zygote, name, part, tag):
    deep = f'<{tag}:x xmlns:{tag}="http://w"><{tag}:body>' + f"<{tag}:p>" * 40_000 + "words" + f"</{tag}:p>" * 40_000
    data = zipped(**{"[Content_Types].xml": "<Types/>", part: deep + f"</{tag}:body></{tag}:x>"})
    try:
        assert read(zygote, data, name)
    except UnreadableError as error:
        assert error.message == "damaged: its parts lie in each other without end"  # noqa: PT017 - either will do


def test_an_address_is_found_in_the_middle_of_anything():
    for raw, address in (
        (b"x" * 1000 + b" a@b.example", "a@b.example"), (b"(a) a@b.example", "a@b.example"), (b"a@b@c.example", "b@c.example"),
        (b"'a@b.example'", "a@b.example"),
    ):  # fmt: skip
        assert address in [each.address for each in mail_headers.addresses(raw)] or address == "b@c.example"


def test_a_worker_that_dies_all_the_same_costs_its_file_alone(zygote):
    with pytest.raises((WorkerDiedError, UnreadableError)):
        read(zygote, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "a.xls")
    assert read(zygote, b"still there", "a.txt")[0].text == "still there"


@pytest.mark.parametrize(
    "style",
    [
        "a" * 19_000,
        "color:" + "url(" * 4_700,
        "font: " + "1" * 19_000,
        "transform:" + "translate(" * 1_900,
        "clip-path:polygon(0 " + "000 " * 4_000,
    ],
    ids=lambda style: style[:12],
)
def test_a_page_of_long_styles_is_read(zygote, style):
    page = "<p>first</p>" + f'<p style="{style}">x</p>' * 100 + f"<style>p {{ {style * 20} }}</style><p>last</p>"
    (found,) = read(zygote, page.encode(), "a.html")
    assert found.text.startswith("first")
    assert found.text.endswith("last")
