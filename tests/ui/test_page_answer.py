"""What an answer's turn says beside its statements, drawn without a browser."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from engine.export import sources_of
from ui.page_answer import card, how, source_line

EVIL = '<img src=x onerror="alert(1)">'


def hit(start, quote, **more):
    return {"document": "d", "start": start, "end": start + len(quote), "quote": quote, "title": "Lease", "kind": "contract",
            "path": "/p/lease.pdf", "page": 2, "sender": None, "date": None, "marks": [], **more}  # fmt: skip


def said(text, *citations, **more):
    return {"text": text, "supported": True, "citations": list(citations), "marks": [], "note": "", **more}


FIRST, SECOND = hit(10, "The rent is 950 euros."), hit(80, "It is due on the first.")
TURN = {
    "question": "What is the rent?", "mode": "Tiny", "abstained": False, "missing": "", "nearest": [],
    "seconds": {"total": 12.3}, "statements": [said("It is 950 euros.", FIRST), said("On the first.", SECOND, FIRST)],
}  # fmt: skip


def drawn(**more):
    """The HTML of a turn with its answer."""

    def screen(turn):
        from ui import page_answer

        page_answer.show(0, turn)

    tested = AppTest.from_function(screen, args=({**TURN, **more},)).run(timeout=20)
    assert not tested.exception
    return "\n".join(each.proto.body for each in tested.get("html"))


def test_each_source_has_one_number_in_the_order_of_the_statements():
    sources, numbers = sources_of(TURN["statements"])
    assert [each["start"] for each in sources] == [10, 80]
    assert list(numbers.values()) == [1, 2]
    shown = drawn()
    assert re.findall(r"<sup>(\d)</sup>", shown) == ["1", "2", "1"]
    assert shown.count('data-testid="source"') == 2


def test_what_was_left_out_can_be_opened_and_says_why():
    two = [
        said("It is 980.", FIRST, supported=False, note="the passage does not say 980"),
        said(EVIL, FIRST, note=EVIL),
    ]
    shown = drawn(left_out=two)
    assert "2 statements left out" in shown
    assert "The passage does not say 980." in shown
    assert "<img" not in shown
    assert "980" not in drawn()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"fell_back": "the model's process ended: out of memory", "mode": "extractive"}, "own sentences"),
        ({"fell_back": "the model's process ended: out of memory", "mode": "extractive"}, "out of memory"),
        ({"cancelled": True}, "Stopped"),
        ({"dropped": 2}, "2 passages had no room"),
        ({"tokens": {"written": 210}}, "210 tokens"),
        ({"abstained": True, "missing": "the model found no answer in the passages", "nearest": [FIRST]}, "no answer"),
        ({"abstained": True, "statements": [], "nearest": [FIRST]}, "What comes nearest"),
    ],
)
def test_what_a_reader_has_to_know_is_told(more, words):
    assert words in drawn(**more)


def test_how_an_answer_came_about():
    assert how({**TURN, "mode": "extractive"}) == "verbatim from your papers · 12.30 s"
    assert how({**TURN, "dropped": 1}).startswith(
        "written by Tiny, checked against the passages · 12.30 s · 1 passage had"
    )


def test_nothing_of_a_passage_is_markup():
    odd = hit(0, EVIL, title=EVIL, sender=EVIL, path=f"/{EVIL}", kind=EVIL, date=EVIL)
    for shown in (card(odd, 1), source_line(odd), drawn(mode=EVIL, missing=EVIL, fell_back=EVIL)):
        assert "<img" not in shown
