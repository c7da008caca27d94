import pytest

from generation.dates import dates, falls_on, says, weekdays


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("3 May 2025", {(2025, 5, 3)}),
        ("May 3, 2025", {(2025, 5, 3)}),
        ("3rd day of May, 2025", {(2025, 5, 3)}),
        ("2025-05-03", {(2025, 5, 3)}),
        ("05/03/2025", {(2025, 3, 5), (2025, 5, 3)}),
        ("25/03/2025", {(2025, 3, 25)}),
        ("3.5.2025", {(2025, 5, 3)}),
        ("3-May-25", {(1925, 5, 3), (2025, 5, 3)}),
        ("20250503", {(2025, 5, 3)}),
        ("3 May", {(0, 5, 3)}),
        ("May 2025", {(2025, 5, 0)}),
        ("in May", {(0, 5, 0)}),
    ],
)
def test_a_date_has_every_reading_that_it_may_have(text, readings):
    ((_, _, found),) = dates(text)
    assert found == readings


@pytest.mark.parametrize(
    "text", ["it may be", "31/31/2025", "in 30 days", "2.1 The rent", "you may 3 times ask", "£5 Mar"]
)
def test_what_is_no_date_is_none(text):
    assert dates(text) == []


def test_days_of_one_month_are_dates_each():
    text = "on 25 September, 2, 9 and 30 October 2025"
    assert [(text[a:b], *r) for a, b, r in dates(text)] == [
        ("25 September", (0, 9, 25)),
        ("2", (2025, 10, 2)),
        ("9", (2025, 10, 9)),
        ("30 October 2025", (2025, 10, 30)),
    ]


@pytest.mark.parametrize(
    ("said", "asked", "years", "holds"),
    [
        ((2025, 5, 3), (2025, 5, 3), [], True),
        ((2025, 5, 3), (0, 5, 3), [], True),
        ((2025, 5, 3), (2025, 5, 0), [], True),
        ((2025, 5, 3), (2025, 0, 0), [], True),
        ((2025, 5, 0), (2025, 5, 3), [], False),
        ((0, 5, 3), (2025, 5, 3), [2025], True),
        ((0, 5, 3), (2025, 5, 3), [2024], False),
        ((2024, 5, 3), (2025, 5, 3), [2025], False),
    ],
)
def test_a_passage_says_a_date_that_is_as_exact_as_its_own_or_less(said, asked, years, holds):
    assert says(said, asked, frozenset(years)) is holds


def test_weekdays_are_found_and_compared_with_the_calendar():
    assert [day for _, _, day in weekdays("on Tuesday or Sundays")] == [1, 6]
    assert falls_on({(2025, 12, 9)}, 1)
    assert not falls_on({(2025, 12, 9), (0, 12, 9)}, 2)
