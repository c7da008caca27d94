import pytest

from generation.cues import expected, found
from generation.question import understand


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does the lease end?", "date"),
        ("How much did the roofer charge?", "amount"),
        ("What is the monthly rent?", "amount"),
        ("What price did the contract fix?", "amount"),
        ("How long is the guarantee?", "duration"),
        ("What notice period applies?", "duration"),
        ("Who signed it?", "name"),
        ("Where is the stopcock?", "place"),
        ("How many keys are there?", "number"),
        ("What is the interest rate?", "percent"),
        ("Why was it late?", "reason"),
        ("Is the cat allowed?", ""),
    ],
)
def test_the_kind_of_expression_that_would_answer(question, kind):
    assert expected(question) == kind


@pytest.mark.parametrize(
    ("kind", "text", "there"),
    [
        (
            "date",
            "paid on 3 May 2025, 2025-05-04, in March and on Tuesday",
            ["3 May 2025", "2025-05-04", "in March", "Tuesday"],
        ),
        (
            "amount",
            "£1,265 a month, 48 euros, EUR 3.50 and -62.40; clause 2.2",
            ["£1,265", "48 euros", "EUR 3.50", "-62.40"],
        ),
        ("duration", "two months' notice within 30 days", ["two months", "30 days"]),
        ("percent", "2.4 % or 3 per cent", ["2.4 %", "3 per cent"]),
        ("name", "signed by Anna Whitcombe of Bath", ["Anna Whitcombe of Bath"]),
    ],
)
def test_expressions_of_a_kind_are_found_in_a_text(kind, text, there):
    assert [text[start:end] for start, end in found(kind, text)] == there


def test_a_question_for_two_things_has_two_parts_and_the_second_knows_the_first_ones_subject():
    first, second = understand("What did the roofer first ask for, and when was it paid?")
    assert (first.text, second.kind) == ("What did the roofer first ask for", "date")
    assert "roofer" in {word.stem for word in second.words}


@pytest.mark.parametrize(
    "question", ["What did Tom and Marta buy?", "Who said what, and so on?", "How much is bed and breakfast?"]
)
def test_and_alone_does_not_part_a_question(question):
    assert len(understand(question)) == 1


def test_filters_are_no_part_of_the_question():
    (question,) = understand('kind:mail from:"Anna W" what is the rent?')
    assert question.text == "what is the rent?"


def test_a_list_is_asked_for():
    assert understand("Which vaccinations has Jonas had?")[0].several
    assert not understand("Which bank holds the mortgage?")[0].several


def test_a_question_that_names_a_time_is_dated():
    assert understand("What was the rent in 2023?")[0].dated
    assert understand("What did we pay last spring?")[0].dated
    assert not understand("What is the rent?")[0].dated


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What is the notice period of the gym?", {"gym"}),
        ("What is Marta's notice period?", {"marta"}),
        ("Who may pick Jonas up from the after-school club?", {"jona", "school", "club"}),
        ("How much did the roofer charge?", set()),
        ("What was the rent of the flat in 2023?", {"flat"}),
    ],
)
def test_what_a_question_is_about_is_told_from_what_it_asks(question, subject):
    assert understand(question)[0].subject == subject
