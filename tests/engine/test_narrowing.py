"""What plain words of a question say about where to look."""

import datetime as dt

import apsw
import pytest

from engine import narrowing
from retrieval import query as queries
from vault import schema

TODAY = dt.date(2026, 11, 22)  # a Sunday


@pytest.fixture(scope="module")
def db():
    made = apsw.Connection(":memory:")
    schema.migrate(made)
    made.execute(
        "INSERT INTO folder (id, path, shown, added, device, inode) VALUES (1, x'00', '/home/ada/Papers', 0, 0, 0)"
    )
    made.execute(
        "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
        " VALUES (1, x'01', '/home/ada/Papers/Cottage/roof.txt', 0, 0, 0, 'done', 0)"
    )
    for number, sender in enumerate(("Anna Whitcombe <anna@homes.example>", "Bertram Ames <b.ames@post.example>")):
        made.execute(
            "INSERT INTO document (id, kind, title, prefix, sender, characters, added) VALUES (?, 'mail', '', '', ?, 0, 0)",
            (str(number), sender),
        )
    return made


def understood(db, question, given=None):
    return narrowing.understand(db, question, given, today=TODAY)


def held(db, question):
    return {name: value for name, value in narrowing.to_json(understood(db, question).filters).items() if value}


@pytest.mark.parametrize(
    ("question", "filters"),
    [
        ("mails from Anna since March", {"kind": ["mail"], "from": ["Anna"], "after": "2026-03-01"}),
        ("Which mails from Anna mention the roof?", {"kind": ["mail"], "from": ["Anna"]}),
        ("What did Bertram Ames write about the boiler in 2024?",
         {"from": ["Bertram Ames"], "after": "2024-01-01", "before": "2025-01-01"}),
        ("Did anna@homes.example reply?", {"from": ["anna@homes.example"]}),
        ("Has Anna replied about the deposit?", {"from": ["Anna"]}),
        ("invoices of 2025", {"kind": ["invoice"], "after": "2025-01-01", "before": "2026-01-01"}),
        ("which contracts end in 2026?", {"kind": ["contract"]}),
        ("in my letters, who mentions the school?", {"kind": ["letter"]}),
        ("mails of last month about heating", {"kind": ["mail"], "after": "2026-10-01", "before": "2026-11-01"}),
        ("emails between January 2024 and March 2024", {"kind": ["mail"], "after": "2024-01-01", "before": "2024-04-01"}),
        ("mails before 3 May 2025", {"kind": ["mail"], "before": "2025-05-03"}),
        ("mails sent yesterday", {"kind": ["mail"], "after": "2026-11-21", "before": "2026-11-22"}),
        ("mails since December", {"kind": ["mail"], "after": "2025-12-01"}),
        ("anything in the Cottage folder about slates?", {"path": ["Cottage"]}),
        ("what lies in the Papers folder?", {"folder": ["Papers"]}),
        ("rent kind:contract after:2024", {"kind": ["contract"], "after": "2024-01-01"}),
        # What speaks of other things than documents is left alone
        ("How much was the rent in 2024?", {}),
        ("How did the rent rise since March?", {}),
        ("Which train is from London?", {}),
        ("When does the tenancy agreement end?", {}),
        ("Who leases the garage?", {}),
        ("What is the notice period of the contract?", {}),
        ("when does the lease of the garage in Mill Lane end?", {}),
    ],
)  # fmt: skip
def test_words_that_speak_of_documents_are_filters(db, question, filters):
    assert held(db, question) == filters


def test_what_is_only_offered_says_which_words_it_stands_for(db):
    [after, before] = understood(db, "How much was the rent in 2024?").read
    assert after.to_json() == {"filter": "after", "value": "2024-01-01", "words": "in 2024", "applied": False}
    assert (before.filter, before.applied) == ("before", False)


def test_a_sender_is_only_one_that_the_vault_has(db):
    assert held(db, "mails from Zoltan about the roof") == {"kind": ["mail"]}


def test_the_words_of_a_filter_are_not_looked_for(db):
    assert (
        understood(db, "Which mails from Anna since March 2025 mention the roof?").text
        == "Which mails mention the roof?"
    )
    assert understood(db, "rent from:agency").text == "rent"


def test_the_question_stays_whole_for_whoever_writes_the_answer(db):
    found = understood(db, "Which mails from Anna since March mention the roof? kind:mail")
    assert found.whole == "Which mails from Anna since March mention the roof?"


def test_a_question_of_nothing_but_filters_keeps_its_words(db):
    found = understood(db, "from Anna since March")
    assert found.text
    assert not understood(db, "invoices of 2025").asks()
    assert understood(db, "invoices of 2025 for the boiler").asks()


def test_filters_that_were_chosen_leave_words_an_offer(db):
    found = understood(db, "mails from Anna since March", queries.filters({"kind": "letter"}))
    assert found.filters == queries.filters({"kind": "letter"})
    assert {each.applied for each in found.read} == {False}


def test_a_date_that_does_not_exist_is_not_read(db):
    assert held(db, "mails since 31 February 2025") == {"kind": ["mail"]}


def test_the_narrower_of_two_dates_holds(db):
    joined = narrowing.joined(queries.filters({"after": "2024"}), queries.filters({"after": "2025", "before": "2026"}))
    assert (joined.after, joined.before) == ("2025-01-01", "2026-01-01")
