from decimal import Decimal

import pytest

from generation.numbers import numbers, readings


def one(text):
    (found,) = numbers(text)
    return found


@pytest.mark.parametrize(
    ("figures", "meant"),
    [
        ("1,200.00", {"1200"}),
        ("1.200,00", {"1200"}),
        ("1200", {"1200"}),
        ("1 200", {"1200"}),
        ("1'200.50", {"1200.5"}),
        ("1,234,567", {"1234567"}),
        ("1,200", {"1200"}),
        ("1.200", {"1200", "1.2"}),
        ("12,5", {"12.5"}),
        ("0.125", {"0.125"}),
    ],
)
def test_a_figure_has_the_readings_that_people_give_it(figures, meant):
    assert readings(figures) == {Decimal(each) for each in meant}


@pytest.mark.parametrize(
    "ways",
    [
        ["£5", "GBP 5", "5 pounds", "five pounds", "£5.00"],
        ["twelve months", "12 months", "a year", "one year", "12-month", "twelve (12) months"],
        ["a fortnight", "14 days", "two weeks", "fourteen days"],
        ["5%", "5 per cent", "five percent", "5.0 %"],
        ["$2.5 million", "USD 2,500,000", "2.5 million dollars"],
        ["two hundred and fifty thousand euros", "€250,000", "250.000,00 EUR", "€250k"],
        ["1.5 km", "1500 metres"],
        ["3rd", "third"],
    ],
)
def test_ways_of_writing_one_amount_are_one(ways):
    found = [min(numbers(way), key=lambda each: each.start) for way in ways]
    assert len({(min(each.values), each.unit) for each in found}) == 1


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("10 to 15 days", ["time", "time"]),
        ("5, 6 and 7 per cent", ["%", "%", "%"]),
        ("2 keys and 30 days", ["", "time"]),
    ],
)
def test_numbers_in_a_row_share_their_unit(text, units):
    assert [each.unit for each in numbers(text)] == units


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("10:20", {620, 1340}), ("10.20 am", {620}), ("3 pm", {900}), ("22:00", {1320}), ("12 pm", {720})],
)
def test_times_of_day_have_the_minutes_that_they_may_mean(text, minutes):
    assert one(text).minutes == minutes


@pytest.mark.parametrize("text", ["one of us", "no number", "the second week", ""])
def test_what_is_no_number_is_none(text):
    assert numbers(text) == []


def test_business_days_are_told_from_days():
    assert [each.qualifier for each in numbers("30 business days, 30 days, 5 working days")] == [
        "business",
        "",
        "business",
    ]


def test_places_are_those_of_the_text():
    text = "pay £1,200.00 within thirty (30) days"
    assert [text[each.start : each.end] for each in numbers(text)] == ["£1,200.00", "thirty", "30"]
