import datetime as dt

import pytest

from generation.times import asked, days


@pytest.mark.parametrize(
    ("question", "inside", "outside"),
    [
        ("What was paid on 23 June 2025?", "2025-06-23", "2025-06-24"),
        ("What was paid on June 23, 2025?", "2025-06-23", "2024-06-23"),
        ("What was paid on 2025-06-23?", "2025-06-23", "2025-06-22"),
        ("Who came in May 2025?", "2025-05-31", "2025-06-01"),
        ("Who came last spring?", "2026-03-01", "2026-06-01"),
        ("Who came in winter 2025?", "2025-01-09", "2026-01-09"),
        ("What happened in 2024?", "2024-12-31", "2025-01-01"),
    ],
)
def test_a_question_names_a_time(question, inside, outside):
    period = asked(question)
    assert period.holds(dt.date.fromisoformat(inside))
    assert not period.holds(dt.date.fromisoformat(outside))


@pytest.mark.parametrize("question", ["May we keep a cat?", "Who may march?", "What does flat 2 cost?"])
def test_a_question_that_names_none(question):
    assert asked(question) is None


def test_days_are_read_from_the_usual_forms_and_impossible_ones_left_out():
    text = "3 May 2025, May 4th, 2025, 2025-05-05, 06/05/2025, 31.02.2025, 7.5"
    assert [day.day for day in days(text)] == [3, 4, 5, 6]
