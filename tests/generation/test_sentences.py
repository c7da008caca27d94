import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.sentences import LONGEST, sentences, window


def split(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It ends on 31 August. The rent is £1,150.", ["It ends on 31 August.", "The rent is £1,150."]),
        ("Mr. Bell called at 9.30 a.m. He was late.", ["Mr. Bell called at 9.30 a.m. He was late."]),
        ("See e.g. Clause 4. The fee is 2.5 % p.a. of it.", ["See e.g. Clause 4.", "The fee is 2.5 % p.a. of it."]),
        ("“Stop!” she said. He did.", ["“Stop!” she said.", "He did."]),
        ("1. Term\nIt runs for a year.", ["1. Term", "It runs for a year."]),
        ("Date: 3 May\nTo: Ann\n\nDear Ann,", ["Date: 3 May", "To: Ann", "Dear Ann,"]),
        ("a\tb\nc\td", ["a\tb", "c\td"]),
        ("01/01/2025,SO,RENT,1150.00,,2262.86\r\n02/01/2025,DD,GAS,80.00,,1.00",
         ["01/01/2025,SO,RENT,1150.00,,2262.86", "02/01/2025,DD,GAS,80.00,,1.00"]),
        ("- milk\n- bread and butter", ["- milk", "- bread and butter"]),
        ("", []),
        ("\n \n", []),
    ],
)  # fmt: skip
def test_a_passage_is_taken_apart_where_a_reader_would(text, expected):
    assert split(text) == expected


def test_lines_broken_by_the_width_of_a_page_are_one_sentence():
    text = (
        "The tenancy begins on 1 September 2023 and ends on 31 August 2025, unless it is ended earlier\n"
        "under clause 6. The Tenants receive three keys to the Flat, two to the street door and one\n"
        "to the bicycle cellar."
    )
    assert len(split(text)) == 2


def test_the_lines_of_an_address_stay_apart():
    assert split("Anna Whitcombe\n8 Elmhurst Gardens\nBath") == ["Anna Whitcombe", "8 Elmhurst Gardens", "Bath"]


_ANY = st.text(alphabet=st.sampled_from("aB1 .\n\t\r,;:!?£|-\u2028é"), max_size=400)


@given(_ANY)
def test_sentences_are_in_order_trimmed_and_leave_out_only_white_space(text):
    at = 0
    for start, end in sentences(text):
        assert at <= start < end <= len(text)
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


@given(st.lists(st.text(alphabet="abcdefgh,;.", min_size=1, max_size=30), min_size=1, max_size=90), st.data())
def test_a_window_is_short_lies_inside_and_cuts_between_words(some, data):
    text = " ".join(some)
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 20)).map(
        lambda p: (p[0], min(len(text), p[0] + p[1]))
    )
    start, end = window(text, 0, len(text), sorted(data.draw(st.lists(places, max_size=5))))
    assert 0 <= start < end <= len(text)
    assert end - start <= LONGEST
    assert start == 0 or text[start - 1] == " "
    assert end == len(text) or text[end] == " "


def test_a_window_holds_what_is_wanted():
    text = "word " * 150 + "the price is £99, payable now " + "word " * 150
    at = text.index("£99")
    start, end = window(text, 0, len(text), [(at, at + 3)])
    assert "the price is £99, payable" in text[start:end]
