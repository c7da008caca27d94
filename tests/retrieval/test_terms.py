"""What a word is found by."""

import pytest

from retrieval.terms import identifiers, joined_neighbours, normal, stem, terms


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("INV-2024-0031", "inv-2024-0031"),
        ("INV-2024-0031", "INV20240031"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("1,200.00", "1200"),
        ("1.200,00", "1,200.00"),
        ("1'200.50", "1200.5"),
        ("12,5", "12.50"),
        ("5 March 2024", "2024-03-05"),
        ("March 5th, 2024", "2024-03-05"),
        ("05.03.2024", "2024-03-05"),
        ("3/25/2024", "2024-03-25"),
        ("anna@example.org", "ANNA@example.org"),
        ("pass\u00adword", "password"),
        ("sec\u200bret", "secret"),
        ("\u202eterces", "terces"),
        ("Müller", "muller"),
        ("ﬁne print", "fine"),
        ("契約書", "契約"),
        ("agreements", "agreement"),
        ("terminated", "terminate"),
        ("policies", "policy"),
        ("running", "run"),
        ("e-mail", "email"),
        ("ResConnect's", "resconnect"),
    ],
)
def test_a_word_is_found_however_it_is_written(written, asked):
    assert terms(asked)[0] in terms(f"before {written} after")


@pytest.mark.parametrize(("one", "other"), [("0031", "0032"), ("1,200.00", "1,200.50"), ("2024-03-05", "2024-03-06")])
def test_different_numbers_stay_different(one, other):
    assert terms(one)[0] not in terms(other)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pay invoice INV-2024-0031 now", ["inv20240031"]),
        ("to DE89 3704 0044 0532 0130 00", ["de89370400440532013000"]),
        ("mail from anna@example.org", ["annaexampleorg"]),
        ("what did we pay on 2024-03-05, 1,200.00 or 12.5", []),
        ("when does the lease end in 2025", []),
    ],
)
def test_identifiers_are_told_from_amounts_and_dates(text, named):
    assert identifiers(text) == named


def test_neighbours_are_guessed_to_be_one_identifier():
    assert "inv20240031" in joined_neighbours("find inv 2024 0031 please")
    assert joined_neighbours("no digits here at all") == []


def test_a_stem_is_never_empty_and_bounded():
    for word in ("s", "ing", "ed", "sing", "bed", "ies", "x" * 500, "classes", "é"):
        assert 0 < len(stem(word)) <= 40


def test_ascii_takes_the_short_way_with_the_same_result():
    assert normal("MiXeD 12") == "mixed 12"
    assert normal("MiXeD é") == "mixed e"
