"""What the check is measured with: true statements stay true, and wrong ones differ in one thing."""

import random

import pytest

from bench import statements

SENTENCE = "On May 3, 2025, Acme Holdings shall pay $1,200,000 within thirty (30) days at 5% interest."


def test_other_forms_say_the_same():
    forms = {statements.other_forms(SENTENCE, random.Random(seed)) for seed in range(30)}
    assert len(forms) > 10
    assert all("Acme Holdings shall pay" in each for each in forms)
    assert any("2025-05-03" in each for each in forms)
    assert any("$1.2 million" in each for each in forms)


@pytest.mark.parametrize("what", [0, 1, 2])
def test_a_wrong_date_is_another_day(what):
    from generation.dates import dates

    for seed in range(20):
        made = statements.wrong_date(SENTENCE, what, random.Random(seed))
        assert not any(reading == (2025, 5, 3) for _, _, found in dates(made) for reading in found if len(found) == 1)


def test_each_corruption_changes_something_and_only_a_little():
    rng = random.Random(1)
    for made in (
        statements.wrong_number(SENTENCE, rng),
        statements.wrong_measure(SENTENCE, rng),
        statements.negated(SENTENCE, rng),
        statements.wrong_name(SENTENCE, ["Acme Holdings"], ["Birch Capital"], rng),
    ):
        assert made != SENTENCE
        assert len(set(made.split()) ^ set(SENTENCE.split())) <= 4


def test_clauses_change_places_without_a_word_lost():
    made = statements.reordered("Upon the end of the term of this agreement, the tenants shall return all of the keys.")
    assert made == "The tenants shall return all of the keys, upon the end of the term of this agreement."
