"""Searching for many pieces at once finds what searching for each finds."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vault.needles import Needles

few_letters = st.lists(st.sampled_from(b"ab"), min_size=8, max_size=14).map(bytes)


@given(st.lists(few_letters, max_size=40), st.lists(st.sampled_from(b"ab"), max_size=300).map(bytes))
@example([b"abababab"] * 3 + [bytes([97 + n]) * 8 for n in range(20)], b"abababab")
@example([bytes([97 + n]) * 9 for n in range(20)], b"")
def test_it_finds_what_searching_for_each_piece_finds(pieces, data):
    assert Needles(pieces).found_in(data) == {piece for piece in pieces if piece in data}


@given(st.lists(st.binary(min_size=8, max_size=60), min_size=10, max_size=40), st.data())
def test_every_piece_is_found_wherever_it_stands(pieces, data):
    piece = data.draw(st.sampled_from(pieces))
    before, after = data.draw(st.binary(max_size=40)), data.draw(st.binary(max_size=40))
    assert piece in Needles(pieces).found_in(before + piece + after)


def test_a_short_piece_is_not_allowed():
    with pytest.raises(ValueError, match="shorter than 8 bytes"):
        Needles([b"short"])
