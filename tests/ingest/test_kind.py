import pytest

from ingest.kind import own_title, tell


@pytest.mark.parametrize(
    ("format_name", "name", "title", "opening", "expected"),
    [
        ("mail", "x.eml", "Invoice 12", "", "mail"),
        ("pptx", "x.pptx", "", "", "slides"),
        ("pdf", "Invoice_2025-12.pdf", "", "", "invoice"),
        ("pdf", "scan0012.pdf", "", "ACME GmbH\nRechnungsnummer: 4711\nBetrag 12,00", "invoice"),
        ("pdf", "x.pdf", "", "This Lease Agreement is made on 3 May 2025 by and between Anna", "contract"),
        ("docx", "mutual-nda.docx", "", "", "contract"),
        ("pdf", "Kontoauszug_03.pdf", "", "", "statement"),
        ("pdf", "x.pdf", "", "Account statement\nOpening balance 12.00", "statement"),
        ("docx", "x.docx", "", "Mill Street 4\n\nDear Ms Keller,\nthe school", "letter"),
        ("csv", "transactions-2025.csv", "", "a,b", "statement"),
        ("xlsx", "budget.xlsx", "", "", "table"),
        ("markdown", "plan.md", "", "", "note"),
        ("text", "todo.txt", "", "milk", "note"),
        ("text", "book.txt", "", "word " * 3000, "document"),
        ("pdf", "article.pdf", "", "We study photosynthesis in plants.", "document"),
    ],
)
def test_a_paper_is_told_by_format_name_and_opening(format_name, name, title, opening, expected):
    assert tell(format_name, name, title, opening) == expected


def test_words_inside_other_words_decide_nothing():
    assert tell("pdf", "billboard-agreements-study.pdf", "", "") == "contract"
    assert tell("pdf", "billboards.pdf", "", "") == "document"


def test_made_up_titles_are_none():
    assert own_title("  Lease \n of a flat ") == "Lease of a flat"
    for each in ("Document1", "untitled", "scan.pdf", "PowerPoint Presentation", "12 / 4", "about:blank"):
        assert own_title(each) == ""
