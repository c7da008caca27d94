import io
import re

import pytest

from ingest.pdf_layout import HYPHEN, Page, PageLine, arrange
from ingest.registry import Context, UnreadableError, parse
from vault.records import Problem


def make_pdf(pages, *, outline=(), title="", rotate=0, picture_pages=(), fields=()):
    """Write a PDF. `pages` are lists of (x, y from the bottom, size, text, bold), or what the page's stream says."""
    objects = []

    def add(body):
        objects.append(body if isinstance(body, bytes) else body.encode("latin-1"))
        return len(objects)

    catalog, tree = add(""), add("")
    fonts = [add(f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>") for name in
             ("Helvetica", "Helvetica-Bold")]  # fmt: skip
    image = add(b"<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Length 1>>"
                b"stream\n\x80\nendstream")  # fmt: skip
    kids = []
    for number, lines in enumerate(pages, start=1):
        content = lines if isinstance(lines, bytes) else b""
        for x, y, size, text, bold in () if isinstance(lines, bytes) else lines:
            shown = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            content += b"BT /F%d %d Tf 1 0 0 1 %d %d Tm (%s) Tj ET\n" % (2 if bold else 1, size, x, y, shown)
        if number in picture_pages:
            content += b"q 500 0 0 700 50 50 cm /I Do Q\n"
        stream = add(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
        notes = ""
        if number == 1 and fields:
            made = [add(f"<</Type/Annot/Subtype/Widget/FT/Tx/T({name})/V({value})/Rect[100 500 200 520]>>")
                    for name, value in fields]  # fmt: skip
            notes = "/Annots[" + " ".join(f"{each} 0 R" for each in made) + "]"
        kids.append(add(
            f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 600 800]/Rotate {rotate}/Contents {stream} 0 R{notes}"
            f"/Resources<</Font<</F1 {fonts[0]} 0 R/F2 {fonts[1]} 0 R>>/XObject<</I {image} 0 R>>>>>>"
        ))  # fmt: skip
    extra = ""
    if outline:
        root = len(objects) + 1
        add("")
        entries = [len(objects) + 1 + each for each in range(len(outline))]
        for index, (page, words) in enumerate(outline):
            following = f"/Next {entries[index + 1]} 0 R" if index + 1 < len(outline) else ""
            add(f"<</Title({words})/Parent {root} 0 R/Dest[{kids[page - 1]} 0 R/Fit]{following}>>")
        objects[root - 1] = f"<</First {entries[0]} 0 R/Last {entries[-1]} 0 R/Count {len(outline)}>>".encode()
        extra = f"/Outlines {root} 0 R"
    objects[catalog - 1] = f"<</Type/Catalog/Pages {tree} 0 R{extra}>>".encode()
    objects[tree - 1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(f'{k} 0 R' for k in kids)}]>>".encode()
    info = add(f"<</Title({title})/Author(A. Writer)/CreationDate(D:20250301120000)>>")
    out = io.BytesIO(b"%PDF-1.7\n")
    out.seek(0, 2)
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % each for each in places))
    out.write(b"trailer\n<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, info, start))
    return out.getvalue()


def read(data, name="a.pdf"):
    *problems, document = parse(io.BytesIO(data), name, Context())
    return document, problems


def shown(document):
    return [(each.kind, each.level, each.page, document.text[each.start : each.end]) for each in document.blocks]


BODY = [(50, 600, 10, "The tenant pays the rent on the first day of", False),
        (50, 588, 10, "each month to the account named below.", False)]  # fmt: skip


def test_paragraphs_headings_items_and_pages():
    document, _ = read(make_pdf([
        [(50, 740, 20, "Lease", False), (50, 700, 10, "1. Rent", True), *BODY,
         (50, 560, 10, "Deposit: 2,400.00 EUR.", False)],
        [(50, 740, 10, "• keys are returned", False)],
    ]))  # fmt: skip
    assert shown(document) == [
        ("heading", 1, 1, "Lease"),
        ("heading", 2, 1, "1. Rent"),
        ("paragraph", 0, 1, "The tenant pays the rent on the first day of\neach month to the account named below."),
        ("paragraph", 0, 1, "Deposit: 2,400.00 EUR."),
        ("item", 0, 2, "• keys are returned"),
    ]
    assert document.pages == 2
    assert document.metadata == {"author": "A. Writer", "created": "2025-03-01"}


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_every_line_has_its_box_on_the_page_as_it_is_shown(rotate):
    document, _ = read(make_pdf([BODY], rotate=rotate))
    lines = {document.text[line.start : line.end]: line for block in document.blocks for line in block.lines}
    assert set(lines) == {BODY[0][3], BODY[1][3]}
    first = lines[BODY[0][3]]
    # Unrotated, the page is 600 × 800, the first line's baseline 600 from the bottom, its left end at 50.
    x0, y0, x1, y1 = first.x0, first.y0, first.x1, first.y1
    corner = {0: (x0, y1), 90: (x0, y0), 180: (x1, y0), 270: (x1, y1)}[rotate]
    assert corner == pytest.approx({0: (50, 200), 90: (600, 50), 180: (550, 600), 270: (200, 550)}[rotate], abs=4)
    wide, high = first.x1 - first.x0, first.y1 - first.y0
    if rotate in (90, 270):
        wide, high = high, wide
    assert 180 < wide < 230
    assert 8 < high < 15


def test_clause_numbers_written_apart_come_back_to_their_clauses():
    """Some programs write a page's numbers first and the clauses after."""
    document, _ = read(make_pdf([[
        (50, 700, 10, "2.1", False), (50, 670, 10, "2.2", False),
        (90, 700, 10, "The Company grants the Affiliate a licence.", False),
        (90, 670, 10, "The Affiliate pays a fee.", False),
    ]]))  # fmt: skip
    assert [text for _, _, _, text in shown(document)] == [
        "2.1 The Company grants the Affiliate a licence.",
        "2.2 The Affiliate pays a fee.",
    ]
    assert [len(each.lines) for each in document.blocks] == [2, 2]


def test_running_heads_and_page_numbers_are_furniture():
    pages = [
        [(50, 780, 8, "Lease of 3 May", False), *BODY, (50, 400, 10, f"Only on page {n}: clause {n * 7}.", False),
         (300, 100 + 37 * n, 8, str(n + 4), False)]
        for n in range(1, 7)
    ]  # fmt: skip
    document, _ = read(make_pdf(pages))
    furniture = [text for kind, _, _, text in shown(document) if kind == "furniture"]
    assert furniture == [each for n in range(1, 7) for each in ("Lease of 3 May", str(n + 4))]
    assert sum(kind == "paragraph" for kind, *_ in shown(document)) == 12


def test_the_outline_names_the_headings_it_matches():
    pages = [[*BODY, (50, 500, 10, "Deposit and interest", False)], [(50, 700, 10, "3 Repairs", False), *BODY]]
    document, _ = read(make_pdf(pages, outline=[(1, "Deposit and interest"), (2, "Repairs")]))
    assert [(page, text) for kind, _, page, text in shown(document) if kind == "heading"] == [
        (1, "Deposit and interest"),
        (2, "3 Repairs"),
    ]


def test_pages_that_are_pictures_are_counted_and_blank_ones_are_not():
    document, _ = read(make_pdf([BODY, [], []], picture_pages=[2]))
    assert document.picture_pages == 1
    assert document.note == "1 of 3 pages are pictures"


def test_what_was_typed_into_a_form_is_read():
    document, _ = read(make_pdf([BODY], fields=[("Name", "Anna Keller"), ("Empty", "")]))
    assert "Name: Anna Keller" in document.text
    assert "Empty" not in document.text
    (line,) = document.blocks[-1].lines
    assert (line.x0, line.y0, line.x1, line.y1) == (100, 280, 200, 300)


@pytest.mark.parametrize(
    ("stated", "title"),
    [("Lease of Mill Street 4", "Lease of Mill Street 4"), ("Microsoft Word - Lease.doc", ""), ("untitled", ""),
     ("Microsoft Word - Lease of a flat", "Lease of a flat"), ("0000320193-23-000006", "")],
)  # fmt: skip
def test_only_a_title_that_somebody_gave_is_a_title(stated, title):
    assert read(make_pdf([BODY], title=stated))[0].title == title


def test_a_hyphen_at_a_line_end_is_the_words_own_or_the_line_breaks():
    def page(*texts):
        return Page(1, 600, 800, tuple(PageLine(t, 50, 700 - 12 * n, 300, 710 - 12 * n, 10, False) for n, t in
                                       enumerate(texts)), False)  # fmt: skip

    own, _ = arrange([page(f"a non{HYPHEN}exclusive licence", "more"), page("words"), page("words")], [])
    assert own.startswith("a non-exclusive licence")
    known, _ = arrange([page(f"the agree{HYPHEN}ment ends", "this agreement")], [])
    assert known.startswith("the agree\xadment ends")


def test_a_quote_of_any_line_is_exactly_the_text(shared_data):
    for path in sorted((shared_data / "contracts" / "cuad").rglob("*.[pP][dD][fF]"))[:10]:
        document, _ = read(path.read_bytes(), path.name)
        before = 0
        for block in document.blocks:
            assert before <= block.start < block.end <= len(document.text)
            before = block.end
            inside = block.start
            for line in block.lines:
                assert inside <= line.start < line.end <= block.end
                inside = line.end
                assert document.text[line.start : line.end].strip() == document.text[line.start : line.end]
                assert line.x0 <= line.x1
                assert line.y0 <= line.y1


def test_contracts_say_what_their_text_files_say(shared_data):
    """Share of the words of CUAD's own text files that the PDFs' text has too."""
    folder = shared_data / "contracts" / "cuad"
    texts = {path.stem.strip(): path for path in folder.rglob("*.txt")}
    found = total = 0
    for path in sorted(folder.rglob("*.[pP][dD][fF]"))[:25]:
        if path.stem.strip() not in texts:
            continue
        document, _ = read(path.read_bytes(), path.name)
        gold, got = (sorted(re.findall(r"\w+", text.casefold())) for text in
                     (texts[path.stem.strip()].read_text("utf-8"), document.text))  # fmt: skip
        from collections import Counter

        found += (Counter(gold) & Counter(got)).total()
        total += len(gold)
    assert total > 50_000
    assert found / total > 0.995


def test_a_password_and_damage_are_told_apart(shared_data):
    locked = next((shared_data / "parsers").rglob("print_protection.pdf"))
    with pytest.raises(UnreadableError, match=r"^needs a password$"):
        read(locked.read_bytes())
    with pytest.raises(UnreadableError, match=r"^damaged: "):
        read(b"%PDF-1.7\nnothing of the sort")


def test_a_cut_file_gives_what_is_left_or_a_reason():
    whole = make_pdf([BODY] * 20)
    for length in range(200, len(whole), len(whole) // 25):
        reason = ""
        found = []
        try:
            found = list(parse(io.BytesIO(whole[:length]), "a.pdf", Context()))
        except UnreadableError as error:
            reason = error.message
        assert bool(found) != reason.startswith("damaged")
        assert all(isinstance(each, Problem) or each.pages for each in found)


def test_a_file_too_large_for_memory_is_read_piece_by_piece(monkeypatch):
    from ingest import pdf

    data = make_pdf([BODY] * 3)
    whole, _ = read(data)
    monkeypatch.setattr(pdf, "_IN_MEMORY", 10)
    assert read(data)[0] == whole


def drawn(words="unseen", before="", *, at=(50, 500), size=10, ink="0 g", mode=0):
    x, y = at
    return f"q {before} {ink} BT /F1 {size} Tf {mode} Tr 1 0 0 1 {x} {y} Tm ({words}) Tj ET Q\n".encode()


def hidden(content):
    document, _ = read(make_pdf([drawn("Seen", at=(50, 700)) + content + drawn("End", at=(50, 100))]))
    words = [document.text[each.start : each.end] for each in document.blocks if each.kind == "hidden"]
    rest = [document.text[each.start : each.end] for each in document.blocks if each.kind != "hidden"]
    assert "Seen" in rest[0]
    assert "End" in rest[-1]
    return words


PAPER = "0.1 0.1 0.4 rg 40 480 300 60 re f"
PICTURE = "q 500 0 0 700 50 50 cm /I Do Q"
UNSEEN = {
    "no ink": drawn(mode=3),
    "white": drawn(ink="1 g"),
    "nearly white": drawn(ink="0.97 0.99 0.98 rg"),
    "tiny": drawn(size=1),
    "off the page": drawn(at=(50, 2000)),
    "left of the page": drawn(at=(-400, 500)),
    "the paper's colour": drawn(ink="0.1 0.1 0.4 rg", before=PAPER),
    "white on white on a picture": drawn(ink="1 g", before=PICTURE + " 1 g 40 480 300 60 re f"),
    "covered": drawn() + b"0 g 40 480 300 60 re f\n",
    "white outline": drawn(ink="1 G", mode=1),
    "white and outlined white": drawn(ink="1 g 1 G", mode=2),
    "a picture elsewhere": drawn(mode=3, before="q 20 0 0 20 500 20 cm /I Do Q"),
}
SHOWN = {
    "black": drawn(),
    "grey": drawn(ink="0.6 g"),
    "white on dark": drawn(ink="1 g", before=PAPER),
    "white on a picture": drawn(ink="1 g", before=PICTURE),
    "white on a round shape": drawn(ink="1 g", before="0 g 40 480 m 340 480 l 340 540 l 200 600 l 100 560 l 40 540 l f"),
    "read in a picture": drawn(mode=3, before=PICTURE),
    "read in a picture that is painted after": drawn(mode=3) + PICTURE.encode() + b"\n",
    "painted over in part": drawn() + b"1 g 60 480 300 60 re f\n",
    "a cover cut to another place": drawn() + b"q 400 100 50 50 re W n 1 g 0 0 600 800 re f Q\n",
    "a rule through it": drawn() + b"0 g 40 503 300 1 re f\n",
    "white with an outline": drawn(ink="1 g 0 G", mode=2),
    "small print": drawn(size=4),
    "on its side": b"BT /F1 10 Tf 0 1 -1 0 300 400 Tm (unseen) Tj ET\n",
    "scaled": b"BT /F1 1 Tf 10 0 0 10 300 400 Tm (unseen) Tj ET\n",
}


@pytest.mark.parametrize("content", UNSEEN.values(), ids=UNSEEN)
def test_what_nobody_sees_of_a_page_is_kept_apart_and_named(content):
    assert hidden(content) == ["unseen"]


@pytest.mark.parametrize("content", SHOWN.values(), ids=SHOWN)
def test_what_can_be_seen_is_no_hidden_text(content):
    assert hidden(content) == []


def test_a_line_that_is_hidden_in_part_is_parted():
    line = b"BT /F1 10 Tf 1 0 0 1 50 500 Tm (The rent is ) Tj 1 g (not ) Tj 0 g (950 euros.) Tj ET\n"
    document, _ = read(make_pdf([line]))
    assert shown(document) == [
        ("paragraph", 0, 1, "The rent is 950 euros."),
        ("hidden", 0, 1, "not"),
    ]
    for block in document.blocks:
        for each in block.lines:
            assert document.text[each.start : each.end].strip()
            assert 0 <= each.x0 < each.x1 <= 600


def test_a_page_with_nothing_but_hidden_text_and_a_picture_is_a_picture():
    document, _ = read(make_pdf([drawn(ink="1 g", at=(5, 5)) + PICTURE.encode()]))
    assert [each.kind for each in document.blocks] == ["hidden"]
    assert document.picture_pages == 1


def test_a_page_of_very_many_shapes_takes_no_time_to_speak_of():
    content = b"1 g 0 0 600 800 re f\n" * 20_000 + drawn("x", ink="1 g") * 5_000
    document, _ = read(make_pdf([content]))
    assert document.pages == 1
