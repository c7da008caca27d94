"""Pictures of figures: where a point lies, and that nothing in a name becomes markup."""

import re
from xml.etree import ElementTree as ET

import pytest

from bench.plot import Panel, picture

SVG = "{http://www.w3.org/2000/svg}"


def circles(panel):
    drawn = ET.fromstring(picture("a title", [panel], "across"))
    group = drawn.find(f"{SVG}g")
    return [(float(each.get("cx")), float(each.get("cy"))) for each in group.iter(f"{SVG}circle")]


def test_a_tenfold_is_the_same_distance_everywhere_on_a_logarithmic_axis():
    places = circles(Panel("t", {"one": [(10, 2), (100, 20), (1_000, 200)]}))
    xs, ys = [x for x, _ in places], [y for _, y in places]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    assert ys[0] > ys[2]  # more is higher up


def test_what_is_nothing_lies_at_the_foot():
    places = circles(Panel("t", {"one": [(10, 0), (100, 5), (1_000, 50)]}))
    assert places[0][1] == max(y for _, y in places)


def test_an_axis_that_is_not_logarithmic_begins_where_it_is_told():
    places = circles(Panel("t", {"one": [(10, 0.9), (100, 0.95), (1_000, 1.0)]}, logarithmic=False, least=0.9))
    (_, low), (_, middle), (_, high) = places
    assert low - middle == pytest.approx(middle - high, abs=0.2)


def test_each_line_has_its_own_mark_and_its_name():
    lines = {name: [(1, n + 1), (10, n + 2)] for n, name in enumerate(("a", "b", "c", "d"))}
    drawn = picture("t", [Panel("p", lines)], "x")
    for mark, times in (("circle", 3), ("rect class=.m1", 3), ("polygon class=.m2", 3), ("polygon class=.m3", 3)):
        assert len(re.findall(f"<{mark}", drawn)) == times, mark  # two points, and beside the name
    assert [name in drawn for name in (">a<", ">b<", ">c<", ">d<")] == [True] * 4


def test_a_name_is_text():
    drawn = picture("<script>", [Panel("a & b", {"<b>": [(1, 1)]})], '"')
    ET.fromstring(drawn)
    assert "<script>" not in drawn
    assert "<b>" not in drawn
