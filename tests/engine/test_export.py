"""A conversation as a text of its own."""

import re

from engine import export


def hit(**more):
    return {
        "document": "d", "start": 0, "end": 16, "path": "/p/lease.pdf", "part": None, "page": 2, "quote": "The rent is £85.", "sender": None,
        "date": None, "title": "Lease", **more,
    }  # fmt: skip


def answer(**more):
    statement = {"text": "The rent is £85.", "supported": True, "note": "", "citations": [hit()]}
    return {
        "question": "How much is the rent?", "full_question": "How much is the rent?", "mode": "extractive",
        "abstained": False, "missing": "", "statements": [statement], "nearest": [], "asked": 1764000000.0, **more,
    }  # fmt: skip


def test_each_citation_has_its_file_its_page_and_the_passage():
    for write in (export.text, export.markdown):
        told = write([answer()])
        assert "How much is the rent?" in told
        assert "/p/lease.pdf, page 2" in told
        assert "The rent is £85." in told


def test_two_answers_number_their_citations_each_from_one():
    told = export.text([answer(), answer()])
    assert told.count("[1] /p/lease.pdf") == 2
    assert "[2]" not in told


def test_a_source_that_is_cited_again_keeps_its_number():
    other = hit(start=40, end=60, quote="It ends in May.", page=3)
    said = [
        {"text": "The rent is £85.", "supported": True, "note": "", "citations": [hit(), other]},
        {"text": "And it ends.", "supported": True, "note": "", "citations": [other, other]},
        {"text": "The rent again.", "supported": True, "note": "", "citations": [hit()]},
    ]
    for write in (export.text, export.markdown):
        told = write([answer(statements=said)]).replace("\\", "")
        assert "The rent is £85. [1] [2]\n" in told
        assert "And it ends. [2]\n" in told
        assert "The rent again. [1]\n" in told
        assert told.count("page 2") == told.count("page 3") == 1
        assert "[3]" not in told


def test_nothing_of_a_document_becomes_markup():
    hostile = (
        "# Heading **bold** [link](https://evil.example) <img src=x> ![p](http://e.example/p.png) www.evil.example"
        " a@evil.example `code` | table |\n\n- item\n1. item \x1b]0;owned\x07"
    )
    told = export.markdown([answer(question=hostile, statements=[
        {"text": hostile, "supported": True, "note": hostile, "citations": [hit(quote=hostile, path=f"/p/{hostile}")]}
    ])])  # fmt: skip
    assert "\x1b" not in told
    assert "\x07" not in told
    bare = re.sub(r"\\.", "", told)  # without what is escaped
    assert [live for live in ("<", "[", "](", "`", "|", "@", "://", "www.", "**") if live in bare] == []
    # and a line of a document begins nothing: all of it stands on one line, its first character escaped
    assert all(not line.startswith(("# ", "- ", "1. ")) for line in told.splitlines())
    assert "\\# Heading" in told


def test_a_list_at_the_start_of_a_statement_is_no_list():
    assert export.escaped("1. The rent").startswith("1\\.")
    assert export.escaped("2025. The rent").startswith("2025\\.")
    assert export.escaped("123456789) The rent").startswith("123456789\\)")
    assert export.escaped("- The rent").startswith("\\-")
    assert export.escaped("The rent is 1.50 - or 2") == "The rent is 1.50 - or 2"


def test_an_abstention_says_what_is_missing_and_shows_the_nearest():
    for write in (export.text, export.markdown):
        told = write([answer(abstained=True, statements=[], missing="no passage names a cat", nearest=[hit()])])
        assert "no passage names a cat" in told
        assert "lease.pdf" in told


def test_a_reader_is_told_how_the_answer_came_about():
    told = export.text(
        [answer(mode="Tiny", cancelled=True, left_out=[{}, {}], full_question="How much is the garage?")]
    )
    assert "understood as: How much is the garage?" in told
    assert "written by Tiny" in told
    assert "stopped before its end" in told
    assert "2 statements" in told
    assert "the model ran out of memory" in export.text([answer(fell_back="the model ran out of memory")])
