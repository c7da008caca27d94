"""What the screens make of the engine's answers, without a browser."""

import pytest

from ui.named import title
from ui.page import progress
from ui.page_answer import card
from ui.page_first_run import strength
from ui.page_reading import from_a_beginning, reading

TEXT = "Subject: Rent\n\nThe rent is 1,240 euros.\n\nPlease <b>pay</b> on time."


def stretch(start=0, blocks=()):
    end = len(TEXT)
    return {
        "text": TEXT[start:end],
        "start": start,
        "end": end,
        "total": len(TEXT),
        "blocks": list(blocks),
        "cut": start > 0,
    }


def test_a_passage_is_marked_where_it_stands():
    start = TEXT.index("The rent")
    end = start + len("The rent is 1,240 euros.")
    for first in (0, 5, start, start + 4):
        shown = reading(stretch(start=first), start, end)
        assert shown.count("<mark>") == 1
        assert f"<mark>{TEXT[max(first, start) : end]}</mark>" in shown


def test_a_passage_over_several_blocks_is_marked_in_each():
    cut = TEXT.index("rent is")
    blocks = [
        {"start": 0, "end": 13, "kind": "fields", "page": None},
        {"start": 15, "end": cut, "kind": "heading", "page": 1},
        {"start": cut, "end": 40, "kind": "paragraph", "page": 2},
    ]
    shown = reading(stretch(blocks=blocks), 15, 39)
    assert shown.replace("<mark>", "").replace("</mark>", "").count("— page 2 —") == 1
    marked = "".join(piece.partition("</mark>")[0] for piece in shown.split("<mark>")[1:])
    assert marked == TEXT[15:39]


def test_markup_in_a_document_stays_text():
    assert "&lt;b&gt;pay&lt;/b&gt;" in reading(stretch(), 0, 0)


def test_every_character_of_the_stretch_appears_once_whatever_the_blocks_say():
    odd = [
        {"start": -5, "end": 10, "kind": "paragraph", "page": 1},
        {"start": 5, "end": 20, "kind": "<script>", "page": 2},
        {"start": 18, "end": 900, "kind": "row", "page": None},
    ]
    import html
    import re

    shown = re.sub(r'<span class="leaf">.*?</span>', "", reading(stretch(blocks=odd), 3, 30))
    assert html.unescape(re.sub(r"<[^>]+>", "", shown)) == TEXT


def test_a_document_without_a_title_has_its_files_name():
    assert title({"title": "", "path": "/a/lease.pdf"}) == "lease.pdf"
    assert title({"title": "", "places": [{"path": "/a/b.eml", "part": ""}]}) == "b.eml"


def test_a_card_escapes_all_it_shows():
    hit = {
        "title": "<img src=x>", "kind": "mail", "sender": "<b>", "date": "2025-01-02", "page": 3, "path": "/a/<i>.eml",
        "quote": "<script>x</script> yes", "start": 10, "end": 32, "marks": [[29, 32]],
    }  # fmt: skip
    shown = card(hit, 1)
    assert "<mark>yes</mark>" in shown
    assert all(f"<{name}" not in shown for name in ("img", "script", "b>", "i>"))
    assert "page 3" in shown
    assert "2 January 2025" in shown


@pytest.mark.parametrize(
    ("files", "to_do", "seconds", "words"),
    [
        ({}, 0, None, "no files yet"),
        ({"done": 3000}, 0, None, "3,000 files, up to date"),
        ({"done": 1200, "failed": 4, "waiting": 1796}, 1796, 720, "1,204 of 3,000 files · 12 min left"),
    ],
)
def test_the_status_line_says_how_far_it_is(files, to_do, seconds, words):
    assert words in progress({"files": files, "to_do": to_do, "seconds_left": seconds})


def test_strength_follows_what_is_hard_to_guess():
    levels = [
        strength(each)[0]
        for each in ("", "short", "password1234", "aaaaaaaaaaaaaaaa", "four rusty lanterns sing", "xK9#mQ2$vL7!pR4&")
    ]
    assert levels[0] == levels[1] == 0
    assert levels[2] == levels[3] == 1
    assert 2 <= levels[4] <= levels[5] == 4


def test_a_stretch_from_the_middle_begins_with_a_whole_word_and_keeps_the_passage():
    begun = from_a_beginning(stretch(start=3), TEXT.index("rent is"))
    assert begun["text"].startswith("Rent\n\nThe rent is")
    assert TEXT[begun["start"] :] == begun["text"]
    assert from_a_beginning(stretch(start=3), 4)["start"] == 3
    block = {"start": TEXT.index("The rent"), "end": 40, "kind": "paragraph", "page": None}
    assert from_a_beginning(stretch(start=3, blocks=[block]), 20)["text"].startswith("The rent is")
