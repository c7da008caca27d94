"""Text read from pictures between the text of the other pages, and what is said of them."""

from hypothesis import given
from hypothesis import strategies as st

from ingest import scanned
from vault.records import Block, Line, ReadPage


def page(number, *paragraphs):
    """A page's text and blocks, a line for each block."""
    blocks, position = [], 0
    for words in paragraphs:
        end = position + len(words)
        blocks.append(Block(position, end, page=number, lines=(Line(position, end, 0, 0, 9, 9),)))
        position = end + 2
    return "\n\n".join(paragraphs), tuple(blocks)


def joined(pages):
    """The document of these (number, paragraphs), as a PDF's parser would make it."""
    return scanned.merged("", (), [ReadPage(number, 1.0, *page(number, *words)) for number, words in pages])


@given(
    st.dictionaries(st.integers(1, 9), st.lists(st.text("abc ", min_size=1, max_size=9), min_size=1, max_size=3)),
    st.sets(st.integers(1, 9)),
)
def test_pages_read_later_come_where_they_belong(pages, later):
    first = joined([each for each in pages.items() if each[0] not in later])
    read = [ReadPage(number, 0.9, *page(number, *pages[number])) for number in sorted(later & pages.keys())]
    assert scanned.merged(*first, read) == joined(sorted(pages.items()))


def test_every_block_and_line_still_holds_its_words():
    text, blocks = joined([(1, ["one", "two"]), (3, ["five"])])
    text, blocks = scanned.merged(text, blocks, [ReadPage(2, 0.8, *page(2, "three", "four"))])
    assert [(each.page, text[each.start : each.end]) for each in blocks] == [
        (1, "one"), (1, "two"), (2, "three"), (2, "four"), (3, "five"),
    ]  # fmt: skip
    assert all((line.start, line.end) == (each.start, each.end) for each in blocks for line in each.lines)


def test_where_each_page_went_is_known():
    old, before = joined([(1, ["one", "two"]), (3, ["five"]), (5, ["six"])])
    new, after = scanned.merged(old, before, [ReadPage(2, 0.8, *page(2, "three")), ReadPage(4, 0.8, *page(4, "ok"))])
    places = scanned.moved(before, after)
    assert [(start, new[start + by :][:3]) for start, by in places] == [(0, "one"), (10, "fiv"), (16, "six")]


def test_a_page_without_words_changes_nothing():
    before = joined([(1, ["one"]), (3, ["three"])])
    assert scanned.merged(*before, [ReadPage(2, 0.0, "")]) == before


def test_pages_that_were_read_are_not_read_again():
    _, blocks = joined([(2, ["two"])])
    assert scanned.unread(blocks, 4, {}) == [1, 3, 4]
    told = scanned.told({"author": "A"}, [ReadPage(1, 0.75, "x"), ReadPage(3, 0.0, "")], "")
    assert scanned.unread(blocks, 4, told) == [4]
    assert (told["author"], told[scanned.CONFIDENCE]) == ("A", "0.750")
    told = scanned.told(told, [ReadPage(4, 0.25, "x")], "page 4: damaged")
    assert scanned.read_pages(told) == {1: 0.75, 3: 0.0, 4: 0.25}
    assert (told[scanned.CONFIDENCE], told[scanned.WHY_NOT]) == ("0.500", "page 4: damaged")


def test_what_is_said_of_pictures_can_be_taken_back():
    for pictures, pages in ((1, 1), (1, 2), (12, 12)):
        note = f"{scanned.note(pictures, pages)}; 1 of 12 pages cannot be read"
        assert scanned.without_note(note) == "1 of 12 pages cannot be read"
        for what in (scanned.INSTALL, scanned.WAITING, scanned.FAILED):
            reason = f"a.txt: damaged; {scanned.reason(pictures, what)}"
            assert scanned.without_reason(reason) == "a.txt: damaged"
    assert scanned.note(0, 3) == scanned.reason(0, scanned.WAITING) == ""
