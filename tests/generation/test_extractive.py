import datetime as dt
from dataclasses import replace

import pytest

from generation import extractive
from generation.sentences import LONGEST
from generation.versions import date_of
from retrieval.passage import Passage

TEXTS = {
    "lease-2023": "Tenancy Agreement of 14 August 2023.\n\n2.1 The rent is £1,150 a month, payable in advance.",
    "lease-2025": "Tenancy Agreement of 22 July 2025.\n\n2.1 The rent is £1,265 a month, payable in advance.",
    "note": "Orchard Cottage. The stopcock is under the kitchen sink, behind the blue bucket. Burn only dry wood.",
    "copy": "Things to know. The stopcock is under the kitchen sink, behind the blue bucket.",
    "list": "Keys of the flat\n\n- three for the door\n- two for the street door\n- one for the cellar",
    "work": "Employment contract with Fenwick.\n\n6.2 The notice period is eight weeks, for both sides.",
    "gym": "Ironbridge gym. The membership fee is £29.90 a month. The gym is open from 6 to 23 o'clock.",
    "work-2021": "Employment contract with Harrow of 3 May 2021.\n\n6.2 The notice period is four weeks, for both sides.",
    "work-2024": "Employment contract with Fenwick of 12 February 2024.\n\n6.2 The notice period is eight weeks, for both sides.",
    "long": "The stopcock, "
    + "which nobody had looked for in many years, " * 12
    + "is below the cellar stairs, they say.",
}


def passage(name: str, rank: int = 1, **changes) -> Passage:
    text = TEXTS[name]
    made = Passage(
        rank, name, rank, "contract", name, f"/papers/{name}.txt", b"", "", (), None, 0, len(text), text, "",
        None, None, None, None, 1 / rank, 1.0, 0.6, "words",
    )  # fmt: skip
    return replace(made, **changes)


def ask(question, passages, embedder, texts=TEXTS):
    return extractive.answer(question, passages, embedder, lambda document: texts.get(document, ""))


def test_every_citation_is_what_stands_at_its_place(embedder):
    moved = passage("note", start=17, end=90, text=TEXTS["note"][17:90])
    answer = ask("Where is the stopcock?", [moved, passage("list", 2)], embedder)
    assert not answer.abstained
    for statement in answer.statements:
        for citation in statement.citations:
            assert TEXTS[citation.passage.document][citation.start : citation.end] == citation.quote
            assert all(citation.start <= a < b <= citation.end for a, b in citation.marks)
    assert answer.statements[0].text == "The stopcock is under the kitchen sink, behind the blue bucket."


def test_what_no_longer_stands_in_its_document_is_not_cited(embedder):
    changed = {**TEXTS, "note": TEXTS["note"].replace("kitchen", "bathroom")}
    answer = ask("Where is the stopcock?", [passage("note")], embedder, changed)
    assert answer.abstained
    assert [each.document for each in answer.nearest] == ["note"]


def test_of_two_versions_the_newer_comes_first_and_the_reader_is_told(embedder):
    answer = ask("How much is the rent?", [passage("lease-2023"), passage("lease-2025", 2)], embedder)
    assert [each.text for each in answer.statements] == [
        "2.1 The rent is £1,265 a month, payable in advance.",
        "2.1 The rent is £1,150 a month, payable in advance.",
    ]
    assert "22 July 2025" in answer.statements[0].note
    assert "14 August 2023" in answer.statements[1].note


@pytest.mark.parametrize(
    ("head", "own"),
    [("1 January 2039", None), ("Tenancy Agreement", "2039-01-01T00:00:00Z")],
    ids=["its text says so", "its properties say so"],
)
def test_no_document_is_the_newest_by_a_day_still_to_come(embedder, head, own):
    texts = TEXTS | {"forged": f"{head}\n\n2.1 The rent is £1,900 a month, payable in advance."}
    forged = replace(passage("lease-2023"), document="forged", text=texts["forged"], end=len(texts["forged"]), date=own)
    answer = ask("How much is the rent?", [forged, passage("lease-2023", 2), passage("lease-2025", 3)], embedder, texts)
    first, second, *others = answer.statements
    assert (first.citations[0].passage.document, first.note) == ("lease-2025", "the newest: of 22 July 2025")
    assert (second.citations[0].passage.document, second.note) == ("lease-2023", "older: of 14 August 2023")
    assert not any(each.note for each in others)


def test_tomorrow_may_be_a_documents_own_day_and_the_day_after_not(papers):
    for days, own in ((1, True), (2, False)):
        day = (dt.datetime.now().astimezone().date() + dt.timedelta(days=days)).isoformat()
        assert (date_of(papers.passage("lease", date=day), lambda _: "") == day) == own


def test_two_sentences_of_the_newer_version_are_not_each_others_older_one(embedder):
    texts = TEXTS | {
        "new": "Tenancy Agreement of 22 July 2025.\n\nThe tenancy ends on 31 August 2027.\n\n"
        "It replaces the tenancy that began on 14 August 2023.",
        "old": "Tenancy Agreement of 14 August 2023.\n\nThe tenancy ends on 31 August 2025.",
    }
    found = [replace(passage("note", n), document=each, title=each, path=f"/papers/{each}.txt", text=texts[each], end=len(texts[each]))
             for n, each in enumerate(("old", "new"), start=1)]  # fmt: skip
    answer = ask("When does the tenancy end?", found, embedder, texts)
    assert "31 August 2027" in answer.statements[0].text
    assert "22 July 2025" in answer.statements[0].note
    for each in answer.statements[1:]:
        if "older" in each.note:
            assert "14 August 2023" in each.note
            assert each.citations[0].passage.document == "old"


def test_a_question_about_its_own_time_is_not_turned_to_the_newest(embedder):
    answer = ask("How much was the rent in 2023?", [passage("lease-2023"), passage("lease-2025", 2)], embedder)
    assert "£1,150" in answer.statements[0].text


def test_what_two_documents_say_alike_is_one_statement_with_two_citations(embedder):
    answer = ask("Where is the stopcock?", [passage("note"), passage("copy", 2)], embedder)
    (first, *others) = answer.statements
    assert {citation.passage.document for citation in first.citations} == {"note", "copy"}
    assert all("stopcock is" not in other.text for other in others)


def test_a_list_is_quoted_whole(embedder):
    answer = ask("Which keys are there of the flat?", [passage("list"), passage("note", 2)], embedder)
    assert any(
        "three for the door\n- two for the street door\n- one for the cellar" in s.text for s in answer.statements
    )


def test_a_statement_is_at_most_320_characters_and_holds_what_matters(embedder):
    answer = ask("Where is the stopcock?", [passage("long")], embedder)
    for statement in answer.statements:
        assert len(statement.text) <= LONGEST
        assert statement.text in TEXTS["long"]


def test_the_words_that_matter_are_marked(embedder):
    (statement, *_) = ask("How much is the rent?", [passage("lease-2025")], embedder).statements
    assert [statement.text[a:b] for a, b in statement.marks] == ["£1,265"]


@pytest.mark.parametrize(
    "passages", [[], [passage("note"), passage("lease-2025", 2)]], ids=["nothing found", "other things found"]
)
def test_what_is_not_there_is_not_answered(embedder, passages):
    answer = ask("Which asthma medicine does Jonas take?", passages, embedder)
    assert answer.abstained
    assert not answer.statements
    assert list(answer.nearest) == passages
    assert answer.missing


def test_one_documents_notice_period_is_not_that_of_another_document(embedder):
    passages = [passage("work"), passage("gym", 2)]
    assert not ask("What is the notice period at Fenwick?", passages, embedder).abstained
    silent = ask("What is the notice period of the gym?", passages, embedder)
    assert silent.abstained
    assert "“gym” together" in silent.missing


def test_a_newer_document_about_something_else_is_no_newer_version(embedder):
    passages = [passage("work-2021"), passage("work-2024", 2)]
    answer = ask("What is the notice period at Harrow?", passages, embedder)
    assert "four weeks" in answer.statements[0].text
    assert not any("Fenwick" in each.text or each.note for each in answer.statements)


def test_an_abstention_names_what_no_passage_mentions(embedder):
    answer = ask("How much did the electrician charge?", [passage("note"), passage("lease-2025", 2)], embedder)
    assert "“electrician”" in answer.missing


def test_the_published_form_has_hits_ranked_in_the_order_shown(embedder):
    shown = ask("How much is the rent?", [passage("lease-2023"), passage("lease-2025", 2)], embedder).to_json()
    assert shown.keys() == {
        "question", "mode", "abstained", "missing", "statements", "nearest", "seconds",
        "left_out", "offered", "dropped", "cancelled", "fell_back", "tokens",
    }  # fmt: skip
    assert (shown["mode"], shown["abstained"], shown["nearest"]) == ("extractive", False, [])
    hits = [hit for statement in shown["statements"] for hit in statement["citations"]]
    assert [hit["rank"] for hit in hits] == [1, 2]
    for hit in hits:
        assert TEXTS[hit["document"]][hit["start"] : hit["end"]] == hit["quote"]
    assert {"text", "supported", "citations"} <= shown["statements"][0].keys()


@pytest.mark.parametrize("question", ["", "?", "the", "и", "x" * 5000, "\u202e", "What is 2 + 2?"])
def test_any_question_gets_an_answer_or_an_abstention(embedder, question):
    assert ask(question, [passage("note"), passage("list", 2)], embedder).question == question
