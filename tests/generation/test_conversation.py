import pytest

from generation.conversation import full_question

GYM = ("What does the gym membership cost?", "The fee is £29.90 a month.")
BOILER = ("Who repaired the boiler last spring?", "Our engineer Dean Tregear replaced the expansion vessel.")
WATER = ("What is the excess for escape of water?", "The excess rises from £350 to £450.")


@pytest.mark.parametrize(
    ("before", "typed", "understood"),
    [
        (GYM, "and when does it end?", "When does the gym membership end?"),
        (GYM, "Who signed it?", "Who signed the gym membership?"),
        (GYM, "can it be frozen?", "Can the gym membership be frozen?"),
        (GYM, "what about the car?", "What does the car cost?"),
        (GYM, "and last year?", "What does the gym membership cost last year?"),
        (BOILER, "when did he come?", "When did Dean Tregear come?"),
        (BOILER, "and the spring before?", "Who repaired the boiler the spring before?"),
        (BOILER, "and how much was the bill?", "How much was the bill (the boiler)?"),
        (WATER, "and for theft?", "What is the excess for theft?"),
        (WATER, "what about bicycles?", "What is the excess for bicycles?"),
        (("What did we pay on 23 June 2025?", "£3,456"), "and on 31 July 2025?", "What did we pay on 31 July 2025?"),
        (("How much did the roofer charge?", ""), "and the electrician?", "How much did the electrician charge?"),
        (("When is Ella's appointment?", ""), "and Jonas's?", "When is Jonas's appointment?"),
    ],
)
def test_a_question_that_leans_is_understood_in_its_conversation(before, typed, understood):
    assert full_question(typed, [("Where is the cat?", "At the vet."), before]) == understood


@pytest.mark.parametrize(
    "typed",
    [
        "Where is the stopcock in Orchard Cottage?",
        "How much is the rent?",
        "What did Tom write to his sister?",
        "thanks",
        "",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(typed):
    assert full_question(typed, [GYM]) == typed


def test_without_anything_before_it_a_question_stays_as_typed():
    assert full_question("and when does it end?", []) == "and when does it end?"
