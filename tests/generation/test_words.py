import pytest

from generation.words import near, stem, stems, tells


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paid", "pay"),
        ("children's", "child"),
        ("invoices", "invoice"),
        ("agreed", "agree"),
        ("Hollis’s", "hollis"),
        ("café", "cafe"),
    ],
)
def test_forms_of_a_word_meet(one, other):
    assert stem(one) == stem(other)


def test_an_identifier_gives_its_parts():
    assert stems("KB-558120-7") == {"kb", "558120", "7"}


def test_names_and_numbers_tell_most_and_function_words_nothing():
    assert tells("the") == tells("may") == 0
    assert 0 < tells("cost") < tells("roofer") < tells("Whitcombe") < tells("558120")
    assert tells("Roofer", opens=True) == tells("roofer")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("clinc", "clinic"), ("apointment", "appointment"), ("recieve", "receive"), ("fenwik", "fenwick"),
     ("rent", ""), ("mortgage", ""), ("558121", "")],
)  # fmt: skip
def test_a_slip_finds_the_word_that_was_meant_and_nothing_else(typed, meant):
    assert near(typed, {"clinic", "appointment", "receive", "fenwick", "tent", "garage", "558120"}) == meant
