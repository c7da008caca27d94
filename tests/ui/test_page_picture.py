"""The picture of a page is cropped to what was cited, with the boxes where the lines are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.page_picture import html, possible, window

FOUND = {
    "page": 1, "pages": 2, "width": 1000, "height": 1400, "media_type": "image/png", "data": "AAAA",
    "boxes": [[0.1, 0.5, 0.9, 0.52], [0.1, 0.53, 0.4, 0.55]],
}  # fmt: skip

fractions = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(fractions, fractions).map(sorted), min_size=1), fractions, fractions)
def test_the_window_shows_every_range_and_nothing_beyond_the_page(ranges, around, least):
    low, high = window([tuple(each) for each in ranges], around, least)
    assert -1e-9 <= low <= high <= 1 + 1e-9
    assert high - low >= least - 1e-9
    assert all(low - 1e-9 <= start and end <= high + 1e-9 for start, end in ranges)


def test_without_lines_the_whole_page_is_shown():
    assert window([], 0.1, 0.3) == (0.0, 1.0)


def test_the_sheet_is_moved_so_that_the_lines_are_in_the_window():
    shown = html(FOUND, "page 1 of a lease", whole=False)
    ratio = re.search(r"aspect-ratio:([\d.]+) / ([\d.]+)", shown)
    place = re.search(r"width:([\d.]+)%;left:(-?[\d.]+)%;top:(-?[\d.]+)%", shown)
    wide, high = float(ratio[1]) / 1000, float(ratio[2]) / 1400
    assert float(place[1]) == pytest.approx(100 / wide, rel=1e-3)
    # A line's place in the window: of the sheet's place and its own, both of the window's height.
    for _, top, _, bottom in FOUND["boxes"]:
        assert 0 <= float(place[3]) / 100 + top / high <= float(place[3]) / 100 + bottom / high <= 1
    assert shown.count('data-testid="box"') == 2


def test_the_whole_page_is_not_moved():
    shown = html(FOUND, "page 1", whole=True)
    assert "width:100.000%;left:-0.000%;top:-0.000%" in shown
    assert "aspect-ratio:1000.0 / 1400.0" in shown


def test_what_a_worker_says_of_a_picture_cannot_leave_its_place():
    odd = {
        **FOUND,
        "media_type": 'text/html,"><script>',
        "data": '"><script>x</script>',
        "boxes": [["0.1", -5, 7, 0.2], [0.9, 0.9, 0.1, 0.1]],
    }
    shown = html(odd, '"><img src=x>', whole=False)
    assert "<script" not in shown
    assert shown.count("<img") == 1
    assert 'src="data:image/png;base64,' in shown
    boxes = re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%", shown)
    assert len(boxes) == 2
    assert all(0 <= float(number) <= 100 for box in boxes for number in box)


@pytest.mark.parametrize(
    ("media_type", "can"),
    [("application/pdf", True), ("image/png", True), ("message/rfc822", False), ("", False), (None, False)],
)
def test_pages_and_pictures_can_be_shown_as_pictures(media_type, can):
    assert possible({"media_type": media_type}) is can
