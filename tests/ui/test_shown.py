"""Text that others wrote is shown as text."""

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdict import GROUPS, Row
from ui import look, page_verify
from ui.shown import count, date, escape, left, line, marked, neutral, size, tag, with_code
from vault.errors import StrongroomError

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=http://evil.example/a.png onerror=alert(1)>",
    "![picture](http://evil.example/a.png)",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<style>@import url(http://evil.example/a.css)</style>",
    "&lt;script&gt; &#60;b&#62;",
    "<!-- --><base href=http://evil.example>",
]


class _Elements(HTMLParser):
    """The names of the elements that a browser would see, and the text it would show."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.names, self.text = [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)

    def handle_comment(self, data):
        self.names.append("comment")

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_of_a_document_is_shown_letter_by_letter(text):
    seen = _Elements(escape(text))
    assert seen.names == []
    assert seen.text == text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("marks", [[(0, 1000)], [(1, 4)], [(0, 3), (5, 1000)]])
def test_markup_of_a_document_is_shown_letter_by_letter_where_it_is_marked_too(text, marks):
    seen = _Elements(marked(text, marks))
    assert set(seen.names) == {"mark"}
    assert seen.text == text


@given(st.text(), st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40)), max_size=5))
def test_marks_are_the_only_elements_whatever_the_text(text, marks):
    seen = _Elements(marked(text, marks))
    assert set(seen.names) <= {"mark"}
    assert len(seen.text) >= len(text.replace("\r\n", "\n")) - sum(len(c.encode("utf-8", "replace")) for c in text)


@given(st.text(alphabet="abc <&>\"'", max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_what_is_marked_is_exactly_the_range(text, start, end):
    found = marked(text, [(start, end)])
    inside = found.partition("<mark>")[2].partition("</mark>")[0]
    assert html.unescape(inside) == text[start:end]


def test_ranges_that_overlap_become_one():
    assert marked("abcdef", [(3, 5), (0, 2), (1, 4)]) == "<mark>abcde</mark>f"


def test_a_right_to_left_override_in_a_file_name_is_named():
    assert neutral("invoice\u202egpj.exe") == "invoice⟨RLO⟩gpj.exe"


def test_instructions_hidden_in_tag_characters_are_counted():
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    assert neutral(f"Dear Sir{hidden}, yes") == "Dear Sir⟨4 hidden characters⟩, yes"


@pytest.mark.parametrize(
    "text", ["café naïve 日本語 עברית", "👩‍👩‍👧 ❤️", "می\u200cخواهم", "soft\u00adhyphen", "tab\tand\nnewline"]
)
def test_ordinary_writing_stays_as_it_is(text):
    assert neutral(text) == text


def test_control_characters_become_their_pictures():
    assert neutral("a\x00b\x1bc\x7f") == "a␀b␛c␡"


def test_half_a_surrogate_pair_can_be_sent_to_a_browser():
    neutral("a\ud800b").encode()


@given(st.text())
def test_nothing_unseen_is_left(text):
    for character in neutral(text):
        assert character not in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\ufeff\x00\x1b"
        assert not 0xE0000 <= ord(character) <= 0xE0FFF


def test_a_line_is_folded_and_cut():
    assert line("a\n  b\t c") == "a b c"
    assert line("x" * 300, 10) == "x" * 9 + "…"
    assert line("<b>") == "&lt;b&gt;"


def test_attributes_cannot_be_left():
    assert tag("div.a.b", "x", title='"><img src=x>') == '<div class="a b" title="&quot;&gt;&lt;img src=x&gt;">x</div>'


def test_numbers_are_said_as_people_say_them():
    assert count(1, "file") == "1 file"
    assert count(1204, "file") == "1,204 files"
    assert [size(n) for n in (0, 999, 1000, 12_345, 999_600, 81_000_000_000)] == [
        *("0 B", "999 B", "1.0 kB", "12.3 kB", "1.0 MB", "81.0 GB")
    ]
    assert [left(n) for n in (3, 42, 700, 20_000)] == ["a few seconds left", "40 s left", "12 min left", "6 h left"]
    assert date("2025-05-03T10:12:00+02:00") == "3 May 2025"
    assert date("someday") == "someday"
    assert date(None) == ""


def test_what_stands_between_backticks_is_code_and_nothing_in_it_is_live():
    assert with_code("run `make <b>`, then `x`") == "run <code>make &lt;b&gt;</code>, then <code>x</code>"
    assert with_code("a lone ` stays") == "a lone ` stays"


def test_a_notice_shows_code_as_code(monkeypatch):
    drawn = []
    monkeypatch.setattr("streamlit.html", drawn.append)
    look.failure(StrongroomError("the extra `llm` <is> not there", "try `make install EXTRAS=llm`"))
    assert "The extra <code>llm</code> &lt;is&gt; not there." in drawn[0]
    assert "Try <code>make install EXTRAS=llm</code>." in drawn[0]


def test_a_row_of_verify_shows_code_as_code(monkeypatch):
    drawn = page_verify._row(Row("a", GROUPS[0], "It holds", "unknown", "", "it is open: `strongroom lock` <first>"))
    assert "<dd>it is open: <code>strongroom lock</code> &lt;first&gt;</dd>" in drawn
