"""HTML to what a reader sees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import html


def blocks(markup: str) -> list[tuple[str, str]]:
    page = html.read(markup)
    return [(each.kind, page.text[each.start : each.end]) for each in page.blocks]


def test_headings_paragraphs_and_items_are_told_apart() -> None:
    markup = (
        "<html><head><title>Lease &amp; more</title><style>p{color:red}</style></head><body>"
        "<h1>Lease</h1><p>One\n  two<br>three"
        "<p>Four<ul><li>first<li>second</ul><h2>Notice</h2><div>A line</div><div>and another</div></body></html>"
    )
    page = html.read(markup)
    assert page.title == "Lease & more"
    assert [(each.kind, each.level) for each in page.blocks] == [
        ("heading", 1), ("paragraph", 0), ("paragraph", 0), ("item", 0), ("item", 0), ("heading", 2), ("paragraph", 0)
    ]  # fmt: skip
    assert page.text == "Lease\n\nOne two\nthree\n\nFour\n\nfirst\nsecond\n\nNotice\n\nA line\nand another"


def test_a_table_of_data_gives_a_header_and_rows() -> None:
    markup = (
        "<table><thead><tr><th>Date<th>Amount</tr></thead><tbody><tr><td>1 May</td><td>80 &euro;</td></tr>"
        "<tr><td>2 May<td><p>90 €</p></tr></tbody></table>after"
    )
    assert blocks(markup) == [
        ("header", "Date | Amount"),
        ("row", "1 May | 80 €"),
        ("row", "2 May | 90 €"),
        ("paragraph", "after"),
    ]


def test_a_table_that_arranges_the_page_gives_paragraphs() -> None:
    markup = (
        "<table><tr><td>left<table><tr><td>a</td><td>1</td></tr></table></td><td><h2>Offer</h2><p>Buy.</p></td><td>x</td><td>y</td></tr>"
        "<tr><td>only cell</td></tr></table>"
    )
    assert blocks(markup) == [
        ("paragraph", "left"),
        ("row", "a | 1"),
        ("heading", "Offer"),
        ("paragraph", "Buy."),
        ("paragraph", "x"),
        ("paragraph", "y"),
        ("paragraph", "only cell"),
    ]


@pytest.mark.parametrize(
    "hiding",
    ['style="display:none"', "style='color:red; DISPLAY : none !important'", "style=visibility:hidden", "hidden",
     'style="mso-hide:all"', 'style="opacity:0"'],
)  # fmt: skip
def test_hidden_text_is_left_out_and_counted(hiding: str) -> None:
    page = html.read(f"<div {hiding}>Preview <b>line</b></div><p>Seen</p>")
    assert (page.text, page.hidden) == ("Seen", len("Preview") + len("line"))


@pytest.mark.parametrize("style", ["font-size:0", "opacity:0.9", "display:block", "max-height:0"])
def test_text_that_is_shown_is_kept(style: str) -> None:
    assert html.read(f'<div style="{style}"><span style="font-size:14px">Seen</span></div>').text == "Seen"


def test_a_page_that_hides_everything_until_a_script_has_run_is_read() -> None:
    assert html.read('<body style="opacity:0"><p>Words</p></body>').text == "Words"


def test_scripts_styles_comments_and_templates_are_no_text() -> None:
    markup = (
        "<script>if (a < b) { '</p>' }</script><style>x</style><!-- c > -->"
        "<!--[if mso]>office<![endif]--><![if !mso]>all<![endif]>"
        "<template>t</template><select><option>o</select><svg><text>s</text></svg><noscript>no</noscript>"
    )
    assert html.read(markup).text == "allno"


def test_a_link_keeps_its_text_and_nothing_of_its_target() -> None:
    assert html.read('See <a href="http://x.org/?id=1>2">our <b>terms</b></a>.').text == "See our terms."


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a < b and c > d", "a < b and c > d"),
        ('<p title="a > b">x</p>', "x"),
        ('<td width="10"">cell text "quoted" more</td>', 'cell text "quoted" more'),
        ("<p class='it's'>x</p>", "x"),
        ("x<!-- never closed", "x"),
        ("x<p cut short", "x"),
        ("&lt;b&gt; &#8364; &nbsp;&copy &unknown;", "<b> € © &unknown;"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<textarea>a <b></textarea>", "a <b>"),
        ("<p>one</p>\u200c\u200b &zwnj;&nbsp;<p>two</p>", "one\n\ntwo"),
        ("<TABLE><TR><TD>A<TD>B</TABLE>", "A | B"),
        ("</p></div></table>x", "x"),
        ('<img alt="The new office in Bern"> <img alt="logo">', "The new office in Bern"),
        ("<a<b>x", "x"),
        ("", ""),
    ],
)
def test_sloppy_markup_is_read_as_browsers_do(markup: str, text: str) -> None:
    assert html.read(markup).text == text


PIECES = st.sampled_from(
    ["<p>", "</p>", "<div>", "</div>", "<table>", "<tr>", "<td>", "<th>", "</td>", "</table>", "<ul>", "<li>",
     "</ul>", "<h2>", "</h2>", "<br>", "<blockquote type=cite>", "</blockquote>", "<pre>", "</pre>", "<b", ">",
     "<!--", "-->", '="', "'", "&amp;", "<div class=gmail_quote>", "<p hidden>", "<script>", "</script>",
     "words", " ", "\n", "\u200b", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=500, deadline=None)
def test_blocks_are_in_order_and_hold_all_of_the_text(pieces: list[str]) -> None:
    page = html.read("".join(pieces))
    at = 0
    for block in page.blocks:
        assert not page.text[at : block.start].strip()
        assert at <= block.start < block.end <= len(page.text)
        at = block.end
    assert at == len(page.text)
    assert len(page.marks) == len(page.blocks)
