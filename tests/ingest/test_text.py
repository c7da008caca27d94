import io

from hypothesis import given
from hypothesis import strategies as st

from ingest.registry import Context, parse
from ingest.text import blocks

PLAN = """# Roof

First paragraph
goes on.

## What it costs ##
- tiles: 1,200
- labour

| Item | Price |
|------|------:|
| Tile | 2.50 |

```
# not a heading

code
```
Setext
------
1. one
2. two
"""


def read(data, name):
    (document,) = parse(io.BytesIO(data), name, Context())
    return document


def test_markdown_gives_headings_items_rows_and_code():
    document = read(PLAN.encode(), "plan.md")
    got = [(each.kind, each.level, document.text[each.start : each.end]) for each in document.blocks]
    assert got == [
        ("heading", 1, "Roof"),
        ("paragraph", 0, "First paragraph\ngoes on."),
        ("heading", 2, "What it costs"),
        ("item", 0, "- tiles: 1,200"),
        ("item", 0, "- labour"),
        ("header", 0, "| Item | Price |"),
        ("row", 0, "| Tile | 2.50 |"),
        ("paragraph", 0, "```\n# not a heading\n\ncode\n```"),
        ("heading", 2, "Setext"),
        ("item", 0, "1. one"),
        ("item", 0, "2. two"),
    ]
    assert document.title == "Roof"
    assert document.kind == "note"


def test_a_text_file_is_kept_exactly_and_without_its_mark():
    text = "Dear Anna,\r\n\r\nthe lease ends\ron 31 May.\n\n\nBest\n"
    document = read(b"\xef\xbb\xbf" + text.encode(), "letter.txt")
    assert document.text == text
    assert [text[each.start : each.end] for each in document.blocks] == [
        "Dear Anna,",
        "the lease ends\ron 31 May.",
        "Best",
    ]
    assert document.title == ""


def test_a_sign_at_a_line_start_is_no_heading_in_plain_text():
    document = read(b"# 12 is the number\nof the house\n", "note.txt")
    assert [each.kind for each in document.blocks] == ["paragraph"]


@given(st.text(alphabet=" \t\n\r#-=`~|*1.ab", max_size=200), st.booleans())
def test_blocks_are_in_order_apart_inside_and_hold_all_words(text, markdown):
    before = 0
    covered = set()
    for each in blocks(text, markdown=markdown):
        assert before <= each.start < each.end <= len(text)
        before = each.end
        covered.update(range(each.start, each.end))
    assert all(index in covered for index, each in enumerate(text) if each.isalpha())
