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


HIDING = [
    'style="display:none"', "style='color:red; DISPLAY : none !important'", "style=visibility:hidden", "hidden",
    'style="mso-hide:all"', 'style="opacity:0"', 'style="opacity: .02"', 'style="filter: opacity(0)"',
    'style="font-size:0"', 'style="font-size:1px"', 'style="font-size:.05em"', 'style="font: 0/0 a"', 'style="font:1px Arial"',
    'style="color:#fff"', 'style="color:#FEFEFE"', 'style="color:white"', 'style="color:rgb(255, 255, 255)"',
    'style="color: rgba(0,0,0,0)"', 'style="color:transparent"', 'style="color:hsl(0,0%,100%)"', 'style="color:#f4f4f4"',
    'style="background:#222;color:#222"', 'style="background-color:black;color:#010101"', "bgcolor=black",
    'style="position:absolute;left:-9999px"', 'style="position:fixed; top:-200em"', 'style="text-indent:-999em"',
    'style="margin-left:-5000px"', 'style="transform:translateX(-9999px)"', 'style="transform: scale(0)"',
    'style="max-height:0;overflow:hidden"', 'style="width:1px;height:1px;overflow:hidden"',
    'style="position:absolute;clip:rect(0 0 0 0)"', 'style="clip-path: inset(100%)"', "class=h", 'class="a h b"', "id=i",
    'style="display&#58;none"', "style=display:none style=display:block", 'class=s style="display:block"',
]  # fmt: skip
SHEET = "<style>/* { */ .h, .other { display:none } div#i{font-size:1px} .s{display:none!important} p.h2{color:#fff}</style>"


@pytest.mark.parametrize("hiding", HIDING)
def test_hidden_text_is_kept_apart_and_named(hiding: str) -> None:
    page = html.read(f"{SHEET}<p>One</p><div {hiding}>Preview <b>line</b></div><p>Seen</p>")
    hidden = [page.text[each.start : each.end] for each in page.blocks if each.kind == "hidden"]
    assert hidden == ["Preview line"]
    assert [page.text[each.start : each.end] for each in page.blocks if each.kind != "hidden"] == ["One", "Seen"]
    assert page.hidden == len("Preview line")
    assert page.marks == ("", "hidden", "")


SHOWN = [
    "style=font-size:0", "style=opacity:0.9", "style=display:block", "style=max-height:0", "style=text-indent:-20px",
    'style="color:#fff;background:#1a4f7a"', 'style="color:white;background-color:rgb(20,40,60)"', "bgcolor=#003366",
    'style="color:#fff;background-image:url(dark.png)"', 'style="color:#fff;background:linear-gradient(red,blue)"',
    "class=dark", "class=wide", "class=far", 'style="color:#999"', 'style="visibility:hidden"', "class=banner",
    'style="position:absolute;left:-20px"', 'style="overflow:hidden;height:300px"', 'style="transform:scale(0.9)"',
]  # fmt: skip


@pytest.mark.parametrize("style", SHOWN)
def test_text_that_is_shown_is_kept(style: str) -> None:
    sheet = (
        "<style>@media (max-width:600px) { .wide{display:none} .x{color:red} } .far .near{display:none} .far:hover{display:none}"
        " @import url(x.css); .dark{color:#fff;background:#111} .banner{background:#123 url(b.png) no-repeat;color:#fff}</style>"
    )
    inner = "font-size:14px;visibility:visible" + (";color:#fff" if "bgcolor" in style else "")
    page = html.read(f'{sheet}<div {style}><span style="{inner}">Seen</span></div>')
    assert (page.text, page.hidden) == ("Seen", 0)


def test_what_is_hidden_within_a_paragraph_or_a_row_does_not_tear_it() -> None:
    assert blocks("<p>The fee is <i hidden>not</i> 80 euros.</p><p>Next</p>") == [
        ("paragraph", "The fee is 80 euros."),
        ("hidden", "not"),
        ("paragraph", "Next"),
    ]
    assert blocks("<table><tr><td>a<td>1<b hidden>2</b></tr><tr><td>b<td>3</tr></table>") == [
        ("row", "a | 1"),
        ("hidden", "2"),
        ("row", "b | 3"),
    ]


def test_a_page_that_hides_everything_until_a_script_has_run_is_read_and_says_so() -> None:
    page = html.read('<body style="opacity:0"><p>Words</p></body>')
    assert (page.text, page.hidden, page.unveiled) == ("Words", 0, True)
    assert [each.kind for each in html.read('<body style="opacity:0"><p>Words</p></body>', scripts=False).blocks] == ["hidden"]


def test_a_mail_cannot_hide_behind_a_picture_that_no_program_fetches() -> None:
    markup = '<body style="background:url(x.png)"><p style="color:#fff">x</p><p style="color:#fff;background:#123 url(y)">y</p>'
    assert [each.kind for each in html.read(markup).blocks] == ["paragraph", "paragraph"]
    assert [each.kind for each in html.read(markup, scripts=False).blocks] == ["hidden", "paragraph"]


def test_the_description_of_a_picture_that_nobody_sees_is_hidden() -> None:
    assert blocks('<p>a</p><img width=1 height="1" alt="Pay to this account">') == [("paragraph", "a"), ("hidden", "Pay to this account")]


def test_a_style_sheet_of_nonsense_costs_no_time() -> None:
    for css in ("{" * 200_000, "}" * 200_000, "/*" * 100_000, "@media x{" * 20_000, ".a," * 60_000 + "b{}", ":" * 100_000):
        assert html.read(f"<style>{css}</style><p style='{css[:2000]}'>x</p>").text in ("x", "")


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
