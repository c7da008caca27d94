import io
import zipfile

import pytest

from ingest.docx_numbers import counted
from ingest.registry import Context, UnreadableError, parse
from vault.records import Problem

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
P = "http://schemas.openxmlformats.org/package/2006"
STYLES = """<w:style w:styleId="H1"><w:name w:val="heading 1"/>
<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>
<w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="H1"/></w:style>
<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>"""
NUMBERING = """<w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%3)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="8">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="7"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>"""


def make(body, *, pages=0, title="Lease of a flat", extra=(), styles=STYLES):
    def part(name, content):
        return f'<w:{name} xmlns:w="{W}" xmlns:r="{R}">{content}</w:{name}>'

    kinds = ["styles", "numbering", *[kind for kind, _ in extra]]
    parts = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": part("document", f"<w:body>{body}</w:body>"),
        "word/styles.xml": part("styles", styles),
        "word/numbering.xml": part("numbering", NUMBERING),
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{P}/relationships">'
        + "".join(f'<Relationship Id="r{n}" Type="{R}/{kind}" Target="{kind}.xml"/>' for n, kind in enumerate(kinds))
        + "</Relationships>",
        "docProps/core.xml": f"<c><title>{title}</title><creator>Anna</creator></c>",
        "docProps/app.xml": f"<Properties><Pages>{pages}</Pages></Properties>",
    }
    parts |= {f"word/{kind}.xml": content if content.startswith("broken") else part(kind, content)
              for kind, content in extra}  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def p(text, *, style="", number=None, run=""):
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if number:
        properties += f'<w:numPr><w:ilvl w:val="{number[1]}"/><w:numId w:val="{number[0]}"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r>{run}<w:t>{text}</w:t></w:r></w:p>"


def read(data):
    *problems, document = parse(io.BytesIO(data), "a.docx", Context())
    blocks = [(each.kind, each.level, document.text[each.start : each.end]) for each in document.blocks]
    return document, blocks, problems


def test_clauses_carry_the_numbers_that_word_computes():
    document, blocks, _ = read(make(
        p("Rent", style="H1") + p("It is due on the first.", number=(1, 1)) + p("By transfer;", number=(1, 2))
        + p("in euros.", number=(1, 2)) + p("It may rise.", number=(1, 1)) + p("Deposit", style="Own")
        + p("Two rents.", number=(1, 1)) + p("keys", number=(2, 0)) + p("Annex", number=(3, 0))
    ))  # fmt: skip
    assert blocks == [
        ("heading", 1, "1. Rent"),
        ("item", 0, "1.1 It is due on the first."),
        ("item", 0, "(a) By transfer;"),
        ("item", 0, "(b) in euros."),
        ("item", 0, "1.2 It may rise."),
        ("heading", 1, "2. Deposit"),
        ("item", 0, "2.1 Two rents."),
        ("item", 0, "• keys"),
        ("item", 0, "5. Annex"),
    ]
    assert document.title == "Lease of a flat"
    assert document.metadata["author"] == "Anna"


def test_what_was_deleted_is_gone_and_what_was_added_is_there():
    _, blocks, _ = read(make(
        "<w:p><w:r><w:t>The rent is </w:t></w:r><w:del><w:r><w:delText>900</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>950</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText><w:t> EUR</w:t><w:tab/>"
        "<w:t>a non</w:t><w:noBreakHyphen/><w:t>smoker</w:t></w:r></w:p>"
    ))  # fmt: skip
    assert blocks == [("paragraph", 0, "The rent is 950 EUR\ta non-smoker")]


def test_a_table_of_data_is_rows_and_a_laid_out_one_is_text():
    def table(*rows):
        return "<w:tbl>" + "".join(
            "<w:tr>" + "".join(f"<w:tc>{p(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in rows
        ) + "</w:tbl>"  # fmt: skip

    _, blocks, _ = read(make(table(("Item", "Price"), ("Tile", "2.50"), ("", "")) + table(("word " * 80, "side"))))
    assert blocks[:2] == [("header", 0, "Item\tPrice"), ("row", 0, "Tile\t2.50")]
    assert [kind for kind, _, _ in blocks[2:]] == ["paragraph", "paragraph"]


def test_pages_are_given_only_where_words_own_count_agrees():
    body = p("One") + p("Two", run="<w:lastRenderedPageBreak/>")
    document, *_ = read(make(body, pages=2))
    assert (document.pages, [each.page for each in document.blocks]) == (2, [1, 2])
    document, *_ = read(make(body, pages=3))
    assert (document.pages, [each.page for each in document.blocks]) == (None, [None, None])


def test_letterhead_notes_comments_and_text_boxes_are_read_once():
    box = "<w:txbxContent>" + p("In a box") + "</w:txbxContent>"
    choice = f"<x:Choice><w:drawing>{box}</w:drawing></x:Choice><x:Fallback><w:pict>{box}</w:pict></x:Fallback>"
    choice = f'<w:p><w:r><x:AlternateContent xmlns:x="x">{choice}</x:AlternateContent></w:r></w:p>'
    extra = [
        ("header", p("ACME GmbH, Mill Street 4")),
        ("footer", p("IBAN DE12 3456") + p("7")),
        ("footnotes", f'<w:footnote w:type="separator"/><w:footnote>{p("See annex.")}</w:footnote>'),
        ("comments", '<w:comment w:author="Bo">' + p("Too high?") + "</w:comment>"),
    ]
    _, blocks, _ = read(make(p("Dear Anna") + choice, extra=extra))
    assert [text for _, _, text in blocks] == [
        "ACME GmbH, Mill Street 4", "Dear Anna", "In a box", "See annex.", "Bo: Too high?", "IBAN DE12 3456\n7",
    ]  # fmt: skip


def test_a_short_bold_line_is_a_heading_and_a_bold_sentence_is_not():
    bold = "<w:rPr><w:b/></w:rPr>"
    body = p("Duration", run=bold) + p("It ends in May.", run=bold) + p("plain") + p("x", style="Loop")
    _, blocks, _ = read(make(body))
    assert [kind for kind, *_ in blocks] == ["heading", "paragraph", "paragraph", "paragraph"]


def test_a_damaged_side_part_is_a_problem_and_a_damaged_text_a_reason():
    _, blocks, problems = read(make(p("Words"), extra=[("header", "broken")]))
    assert blocks == [("paragraph", 0, "Words")]
    assert problems == [Problem("", "damaged: word/header.xml cannot be read")]
    whole = make(p("Words"))
    with pytest.raises(UnreadableError, match="damaged"):
        read(whole[: len(whole) // 2])


def test_a_bomb_of_entities_is_refused():
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("word/document.xml", f"{bomb}]><d><body><p><r><t>&j;</t></r></p></body></d>")
    with pytest.raises(UnreadableError, match=r"damaged: .*amplification"):
        read(file.getvalue())


@pytest.mark.parametrize(
    ("number", "form", "expected"),
    [(4, "lowerRoman", "iv"), (1994, "upperRoman", "MCMXCIV"), (28, "lowerLetter", "bb"), (3, "decimalZero", "03")],
)
def test_numbers_are_written_in_the_lists_form(number, form, expected):
    assert counted(number, form) == expected


def t(text, run="", paragraph=""):
    return f"<w:p><w:pPr>{paragraph}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def hidden_in(body):
    _, blocks, _ = read(make(body, styles=STYLES + GHOST))
    return [text for kind, _, text in blocks if kind == "hidden"]


UNSEEN = [
    "<w:vanish/>", '<w:vanish w:val="true"/>', "<w:specVanish/>", '<w:sz w:val="2"/>', '<w:color w:val="FFFFFF"/>',
    '<w:color w:val="FDFDFD"/>', '<w:color w:val="000000"/><w:shd w:val="clear" w:fill="000000"/>',
    '<w:color w:val="000000"/><w:highlight w:val="black"/>', '<w:rStyle w:val="Ghost"/>', '<w:rStyle w:val="Heir"/>',
]  # fmt: skip
GHOST = (
    '<w:style w:styleId="Ghost" w:type="character"><w:rPr><w:vanish/></w:rPr></w:style>'
    '<w:style w:styleId="Heir" w:type="character"><w:basedOn w:val="Ghost"/></w:style>'
    '<w:style w:styleId="Dark" w:type="paragraph"><w:pPr><w:shd w:val="clear" w:fill="1F3864"/></w:pPr></w:style>'
    '<w:style w:styleId="Grid" w:type="table"><w:tblStylePr><w:tcPr><w:shd w:val="clear" w:fill="1F3864"/></w:tcPr>'
    "</w:tblStylePr></w:style>"
)


@pytest.mark.parametrize("run", UNSEEN)
def test_what_word_hides_is_kept_apart_and_named(run):
    inner = f"<w:p><w:r><w:t>Seen </w:t></w:r><w:r><w:rPr>{run}</w:rPr><w:t>unseen</w:t></w:r></w:p>"
    _, blocks, _ = read(make(p("Before") + inner + p("After"), styles=STYLES + GHOST))
    assert blocks == [
        ("paragraph", 0, "Before"),
        ("paragraph", 0, "Seen"),
        ("hidden", 0, "unseen"),
        ("paragraph", 0, "After"),
    ]


WHITE = '<w:color w:val="FFFFFF"/>'


def cell(text, run="", shade="", table=""):
    shading = f'<w:tcPr><w:shd w:val="clear" w:fill="{shade}"/></w:tcPr>' if shade else ""
    cells = f"<w:tc>{shading}{t(text, run)}</w:tc><w:tc>{p('x')}</w:tc>"
    return f"<w:tbl><w:tblPr>{table}</w:tblPr><w:tr>{cells}</w:tr></w:tbl>"


@pytest.mark.parametrize(
    "body",
    [
        t("seen", '<w:vanish w:val="0"/>'), t("seen", '<w:color w:val="auto"/>'), t("seen", '<w:color w:val="808080"/>'),
        t("seen", WHITE, '<w:shd w:val="clear" w:fill="1F3864"/>'), t("seen", WHITE, '<w:pStyle w:val="Dark"/>'),
        t("seen", WHITE + '<w:highlight w:val="darkBlue"/>'), cell("seen", WHITE, "1F3864"),
        cell("seen", WHITE, table='<w:tblStyle w:val="Grid"/>'), t("seen", '<w:sz w:val="8"/>'),
        f"<w:p><w:r><w:drawing><w:txbxContent>{t('seen', WHITE)}</w:txbxContent></w:drawing></w:r></w:p>",
    ],
)  # fmt: skip
def test_what_word_shows_is_no_hidden_text(body):
    assert hidden_in(body) == []
    assert "seen" in read(make(body))[0].text


def test_what_is_hidden_in_a_tables_cell_follows_the_table():
    assert hidden_in(cell("unseen", WHITE) + p("after")) == ["unseen"]
    assert hidden_in(cell("unseen", WHITE, "FFFFFF")) == ["unseen"]
    long = "word " * 80 + "</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>unseen"
    assert hidden_in(cell(long)) == ["unseen"]


def test_what_is_hidden_is_indexed_nowhere():
    from ingest.chunk import chunk

    seen, unseen = p("The rent is 950 euros."), t("The rent is 9,500 euros.", "<w:vanish/>")
    document, *_ = read(make(seen + unseen + p("It is due.")))
    found = [document.text[each.start : each.end] for each in chunk(document, lambda texts: [len(x) for x in texts])]
    assert "9,500" in document.text
    assert found == ["The rent is 950 euros.", "It is due."]
