"""An answer as text and as Markdown: whole, with its citations, and nothing in it comes to life elsewhere."""

import pytest

from ui.page_history import _literal, markdown, plain


def _hit(start, quote, **more):
    return {"document": "d", "start": start, "end": start + len(quote), "quote": quote, "title": "Lease *2023*",
            "path": "/p/lease.pdf", "page": 2, "sender": None, "date": "2023-08-14", **more}  # fmt: skip


FIRST, SECOND = _hit(10, "The rent is 950 euros."), _hit(80, "It is due\non the first.", page=None)
TURN = {
    "question": "What is the rent?", "abstained": False, "missing": "", "nearest": [],
    "statements": [
        {"text": "The rent is 950 euros, due on the first.", "citations": [FIRST, SECOND]},
        {"text": "It is 950.", "citations": [FIRST]},
    ],
}  # fmt: skip


def test_text_numbers_each_source_once():
    assert plain(TURN) == (
        "What is the rent?\n\n"
        "The rent is 950 euros, due on the first. [1] [2]\n"
        "It is 950. [1]\n\n"
        "Sources\n"
        "[1] Lease *2023*, 14 August 2023, page 2, /p/lease.pdf\n    “The rent is 950 euros.”\n"
        "[2] Lease *2023*, 14 August 2023, /p/lease.pdf\n    “It is due on the first.”\n"
    )


def test_an_abstention_is_told_with_the_nearest_passages():
    turn = {**TURN, "abstained": True, "missing": "no passage mentions “rent”", "statements": [], "nearest": [FIRST]}
    for text in (plain(turn), markdown(turn)):
        assert "No answer was found." in text
        assert "Nearest passages" in text
        assert "950 euros" in text


@pytest.mark.parametrize(
    "text",
    ["![x](http://evil.example/a.png)", "<img src=x>", "[a][b] [b]: http://evil.example", "# head", "1. one", "- item",
     "`code` ~~x~~ **b** _i_", "a\n\n> b", "$x$", "http://evil.example www.evil.example a@b.example", "|a|b|"],
)  # fmt: skip
def test_what_documents_say_is_text_in_markdown(text):
    import re

    shown = _literal(text)
    # Every sign that could open markup stands behind a backslash, and nothing begins a line of its own.
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]()<>#+\-.!|~$:&@]", shown)
    assert shown.replace("\\", "") == " ".join(text.split())
    assert shown in markdown({**TURN, "question": text})
