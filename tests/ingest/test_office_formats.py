"""PowerPoint, OpenDocument, RTF, EPUB, old Word and PowerPoint."""

import io
import zipfile

import pytest

from ingest.registry import Context, UnreadableError, UnsupportedError, parse


def read(data, name):
    *_, document = parse(io.BytesIO(data), name, Context())
    before = 0
    for each in document.blocks:
        assert before <= each.start < each.end <= len(document.text)
        before = each.end
    return document, [(each.kind, each.level, document.text[each.start : each.end]) for each in document.blocks]


def zipped(parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def rels(*targets):
    rows = (f'<Relationship Id="r{n}" Type="x/{kind}" Target="{to}"/>' for n, (kind, to) in enumerate(targets, start=1))
    return f"<Relationships>{''.join(rows)}</Relationships>"


def test_slides_are_read_in_the_order_they_are_shown_with_notes():
    def slide(title, *lines):
        shapes = f'<sp><nvPr><ph type="title"/></nvPr><p><r><t>{title}</t></r></p></sp>'
        shapes = f"<sp>{''.join(f'<p><r><t>{line}</t></r></p>' for line in lines)}</sp>" + shapes
        shapes += "<sp><nvPr><ph type='sldNum'/></nvPr><p><t>9</t></p></sp>"
        return f"<sld><cSld><spTree>{shapes}</spTree></cSld></sld>"

    data = zipped({
        "[Content_Types].xml": "",
        "ppt/presentation.xml": '<p xmlns:r="r"><sldId r:id="r2"/><sldId r:id="r1"/></p>',
        "ppt/_rels/presentation.xml.rels": rels(("slide", "slides/a.xml"), ("slide", "slides/b.xml")),
        "ppt/slides/a.xml": slide("Costs", "tiles", "labour"),
        "ppt/slides/b.xml": slide("Roof", "one line"),
        "ppt/slides/_rels/b.xml.rels": rels(("notesSlide", "../notes.xml")),
        "ppt/notes.xml": "<n><cSld><spTree><sp><ph type='body'/><p><t>Say hello</t></p></sp></spTree></cSld></n>",
    })  # fmt: skip
    document, blocks = read(data, "a.pptx")
    assert blocks == [
        ("heading", 1, "Roof"), ("paragraph", 0, "one line"), ("paragraph", 0, "Say hello"),
        ("heading", 1, "Costs"), ("item", 0, "tiles"), ("item", 0, "labour"),
    ]  # fmt: skip
    assert [each.page for each in document.blocks] == [1, 1, 1, 2, 2, 2]
    assert (document.kind, document.pages) == ("slides", 2)


ODT = """<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="b">
<office:body><office:text>
<text:tracked-changes><text:p>deleted long ago</text:p></text:tracked-changes>
<text:h text:outline-level="2">Rent</text:h>
<text:p>It is <text:span>due</text:span>
   on<text:s text:c="2"/>the first.<text:note><text:note-citation>1</text:note-citation>
<text:note-body><text:p>Or the
second.</text:p></text:note-body></text:note></text:p>
<text:list><text:list-item><text:p>keys</text:p></text:list-item></text:list>
<table:table><table:table-row><table:table-cell><text:p>Item</text:p></table:table-cell>
<table:table-cell><text:p>Price</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>Tile</text:p></table:table-cell>
<table:table-cell><text:p>2.50</text:p></table:table-cell></table:table-row></table:table>
</office:text></office:body></office:document-content>"""


def odt(**more):
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": ODT, **more})


def test_open_document_text_keeps_headings_lists_tables_and_notes():
    meta = '<m><meta><title xmlns="d">Lease of a flat</title></meta></m>'
    document, blocks = read(odt(**{"meta.xml": meta}), "a.odt")
    assert blocks == [
        ("heading", 2, "Rent"),
        ("paragraph", 0, "It is due on  the first."),
        ("item", 0, "keys"),
        ("header", 0, "Item\tPrice"),
        ("row", 0, "Tile\t2.50"),
        ("paragraph", 0, "Or the second."),
    ]
    assert document.title == "Lease of a flat"
    assert read(ODT.encode(), "a.fodt")[1] == blocks


def test_an_encrypted_open_document_says_so():
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    with pytest.raises(UnreadableError, match="needs a password"):
        read(odt(**{"META-INF/manifest.xml": manifest}), "a.odt")


def book(**more):
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<c><rootfile full-path="in/b.opf"/></c>',
        "in/b.opf": "<package><metadata><title>The Book</title><creator>A. Writer</creator></metadata><manifest>"
        '<item id="x" href="b%20c.xhtml"/><item id="y" href="a.xhtml"/></manifest>'
        '<spine><itemref idref="y"/><itemref idref="x"/></spine></package>',
        "in/a.xhtml": "<html><body><h1>First</h1><p>Once.</p></body></html>",
        "in/b c.xhtml": "<html><body><h1>Second</h1><p>Then.</p></body></html>",
        **more,
    })  # fmt: skip


def test_a_book_is_its_chapters_in_order():
    document, blocks = read(book(), "a.epub")
    assert blocks == [
        ("heading", 1, "First"), ("paragraph", 0, "Once."), ("heading", 1, "Second"), ("paragraph", 0, "Then."),
    ]  # fmt: skip
    assert (document.kind, document.title, document.metadata["author"]) == ("book", "The Book", "A. Writer")


def test_a_sellers_lock_is_named_and_scrambled_fonts_are_not_one():
    def locked(path):
        return {"META-INF/encryption.xml": f'<e><CipherReference URI="{path}"/></e>'}

    with pytest.raises(UnreadableError, match="DRM"):
        read(book(**locked("in/a.xhtml")), "a.epub")
    assert read(book(**locked("in/font.otf")), "a.epub")[1]


RTF = rb"""{\rtf1\ansi\ansicpg1252\uc1{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}
{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}}{\info{\title Lease of a flat}{\author Anna}}
{\header\pard ACME GmbH\par}
\pard\s1 Rent\par\pard It is due on the first \endash  caf\'e9 \u8364?5.\par
{\listtext 1.\tab}{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt By transfer}}\par
\f1 \'c4\'e0\f0 , {\v hidden }{\*\unknown secret}{\pict 0102ff}seen \u-10179?\u-8704?\par
\trowd\intbl Item\cell Price\cell\row\trowd\intbl Tile\cell 2.50\cell\row\pard
End\line of it.{\footnote See annex.}\par {\bin5 }}}}}}}"""


def test_rich_text_keeps_headings_labels_rows_and_code_pages():
    document, blocks = read(RTF, "a.rtf")
    assert blocks == [
        ("paragraph", 0, "ACME GmbH"),
        ("heading", 1, "Rent"),
        ("paragraph", 0, "It is due on the first – café €5."),
        ("item", 0, "1. By transfer"),
        ("paragraph", 0, "Да, seen 😀"),
        ("header", 0, "Item\tPrice"),
        ("row", 0, "Tile\t2.50"),
        ("paragraph", 0, "End\nof it."),
        ("paragraph", 0, "See annex."),
    ]
    assert (document.title, document.metadata) == ("Lease of a flat", {"author": "Anna"})


def test_rich_text_cut_anywhere_does_not_break_the_reader():
    for end in range(6, len(RTF), 7):
        read(RTF[:end], "a.rtf")
    with pytest.raises(UnreadableError, match="too deep"):
        read(b"{\\rtf1 " + b"{" * 5000, "a.rtf")


def sample(shared_data, name):
    return next((shared_data / "parsers").rglob(name)).read_bytes()


def test_old_word_shows_results_of_fields_and_headings(shared_data):
    document, blocks = read(sample(shared_data, "Bug50936_2.doc"), "a.doc")
    assert "HYPERLINK" not in document.text
    assert any(kind == "heading" for kind, *_ in blocks)
    assert "\x13" not in document.text
    _, blocks = read(sample(shared_data, "innertable.doc"), "a.doc")
    assert any(kind == "row" for kind, *_ in blocks)
    with pytest.raises(UnsupportedError, match="Word 95 or older"):
        read(sample(shared_data, "testWORD6.doc"), "a.doc")


def test_old_powerpoint_shows_slides_and_no_master_texts(shared_data):
    document, blocks = read(sample(shared_data, "alterman_security.ppt"), "a.ppt")
    assert blocks[0] == ("heading", 1, "Government-University Identity Management Opportunities")
    assert "Click to edit" not in document.text
    assert document.pages
    assert document.pages > 5
    assert max(each.page for each in document.blocks) <= document.pages


@pytest.mark.parametrize("name", ["Bug50936_2.doc", "alterman_security.ppt"])
def test_old_files_with_any_byte_changed_end_in_text_or_a_reason(shared_data, name):
    whole = sample(shared_data, name)
    for seed in range(60):
        data = bytearray(whole)
        for step in range(1 + seed % 40):
            data[(seed * 7919 + step * 104729) % len(data)] ^= 1 + (seed * 31 + step) % 255
        try:
            document, _ = read(bytes(data), name)
        except (UnreadableError, UnsupportedError):
            continue
        assert isinstance(document.text, str)
