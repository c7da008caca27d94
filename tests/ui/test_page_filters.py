"""Filters as chips: taken back, added, offered; and what a question on its way says of itself."""

from types import SimpleNamespace

import pytest

from ui.page_asking import Asking, stage
from ui.page_filters import chips, offered, with_, without

HELD = {"folder": [], "kind": ["mail", "letter"], "from": ["Anna"], "path": [], "after": "2025-03-01", "before": None}


def test_chips_show_what_holds_in_words():
    assert chips(HELD) == [
        ("kind", "mail", "Mail"),
        ("kind", "letter", "Letter"),
        ("from", "Anna", "Anna"),
        ("after", "2025-03-01", "1 March 2025"),
    ]


def test_one_value_is_taken_back_and_the_others_stay():
    assert without(HELD, "kind", "mail") == {"kind": ["letter"], "from": ["Anna"], "after": "2025-03-01"}
    assert without(HELD, "after", "2025-03-01") == {"kind": ["mail", "letter"], "from": ["Anna"]}
    assert without(HELD, "from", "Bertha") == without({**HELD}, "x", "y")


def test_one_value_is_added():
    assert with_({"kind": ["mail"]}, "kind", "letter") == {"kind": ["mail", "letter"]}
    assert with_({}, "before", "2025-01-01") == {"before": "2025-01-01"}
    assert with_({"after": "2020-01-01"}, "after", "2021-01-01") == {"after": "2021-01-01"}


def test_offered_is_what_was_read_and_does_not_hold():
    read = [
        {"filter": "kind", "value": "mail", "words": "mails", "applied": True},
        {"filter": "after", "value": "2025-01-01", "words": "since January", "applied": False},
        {"filter": "from", "value": "Anna", "words": "from Anna", "applied": False},
        {"filter": "colour", "value": "red", "words": "red", "applied": False},
    ]
    assert [each["filter"] for each in offered(HELD, read)] == ["after"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "searching"),
        ({"stage": "loading"}, "loading the model"),
        ({"stage": "reading", "tokens": 0, "of": 2100}, "reading 2,100 tokens"),
        ({"stage": "reading", "tokens": 700, "of": 2100}, "reading 2,100 tokens · 33 %"),
        ({"stage": "writing", "tokens": 0, "seconds": 0.0}, "writing"),
        ({"stage": "writing", "tokens": 80, "seconds": 10.0}, "writing · 8 tokens/s"),
    ],
)
def test_a_question_on_its_way_says_how_far_it_is(told, words):
    asking = Asking("q", lambda: True)
    asking.hear("stage", told)
    assert stage(asking) == words


def test_what_is_being_read_is_named_as_it_is_for_whoever_draws_it_to_escape():
    asking = Asking("q", lambda: True)
    asking.hear("passages", {"hits": [{"title": "Rent &  <b>board</b>"}]})
    assert stage(asking) == "reading Rent & <b>board</b>"


def test_statements_come_one_by_one_and_those_left_out_are_counted():
    asking = Asking("q", lambda: True)
    asking.hear("passages", {"hits": [{"title": "a"}], "full_question": "Q?", "filters": {"kind": ["mail"]}})
    asking.hear("statement", {"index": 0, "statement": {"text": "one"}, "left_out": False})
    asking.hear("statement", {"index": 1, "statement": {"text": "two"}, "left_out": True})
    assert [each["text"] for each in asking.statements] == ["one"]
    assert asking.left_out == 1
    assert asking.full_question == "Q?"
    assert asking.filters == {"kind": ["mail"]}


def test_a_question_that_nobody_sees_any_more_is_stopped(monkeypatch):
    from ui import page_asking

    told = []
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(page_asking.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(page_asking.link, "aside", lambda method, **params: told.append((method, params)))
    there = SimpleNamespace(value=True)
    asking = Asking("q", lambda: there.value)
    clock.now = 1000.0
    asking.hear("stage", {"stage": "loading"})
    there.value = False
    clock.now = 1029.0
    asking.hear("stage", {"stage": "loading"})
    assert told == []
    clock.now = 1031.0
    asking.hear("stage", {"stage": "loading"})
    asking.hear("stage", {"stage": "loading"})
    assert told == [("ask.cancel", {"ticket": asking.ticket})]
