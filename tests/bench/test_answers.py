"""The evaluation of a model, held with stand-ins of known ability and with a tiny model that talks nonsense."""

import os

import pytest

from bench.answers import Asked, evaluate
from bench.household import Papers
from bench.standins import Scripted, offered
from engine.writer import ModelWriter
from generation.writing import Line
from tests import tiny_gguf
from vault.records import Document

LEASE = "Tenancy agreement. The rent of the flat is £1,265 a month. The deposit of the flat is £1,450."


@pytest.fixture(scope="module")
def papers(embedder):
    made = Papers(embedder)
    made.add("lease.txt", [Document("lease", "contract", "Tenancy agreement", LEASE)])
    made.add("note.txt", [Document("note", "document", "Note", "The stopcock is under the kitchen sink.")])
    made.index.refresh()
    return made


def holds(words):
    return lambda answer: words in answer.statements[0].text


ASKED = [
    Asked("What is the rent of the flat?", holds("1,265")),
    Asked("What is the deposit of the flat?", holds("1,450")),
    Asked("Which asthma medicine does Jonas take?", None),
]


def test_what_a_model_gets_right_and_what_is_left_out_are_counted(papers):
    def rent_only(request):
        number = next(n for n, text in offered(request).items() if "rent" in text)
        wrong = Line("The rent of the flat is £9,999 a month.", (number,))
        return [wrong, Line("The rent of the flat is £1,265 a month.", (number,))]

    shown = "\n".join(evaluate(papers, ASKED, Scripted(rent_only)).lines("papers"))
    assert "papers: 3 questions" in shown
    assert "with an answer: 2 of 2 answered, the first statement right in 1" in shown
    assert "without one: 1 of 1 abstained from" in shown
    assert "asked 2 times: 2 statements supported, 2 left out, 0 refusals, 0 times" in shown


def test_a_model_that_refuses_answers_nothing(papers):
    shown = "\n".join(evaluate(papers, ASKED, Scripted(lambda _: [])).lines("papers"))
    assert "with an answer: 0 of 2 answered" in shown
    assert "2 refusals" in shown


def test_a_real_process_is_asked_the_same_way(papers, zygote, tmp_path):
    pytest.importorskip("llama_cpp")
    descriptor = os.open(tiny_gguf.write(tmp_path / "tiny.gguf"), os.O_RDONLY)
    writer = ModelWriter.start(zygote, descriptor, name="Tiny", context=2048)
    try:
        tally = evaluate(papers, ASKED[:1], writer)
    finally:
        writer.close()
        os.close(descriptor)
    ((_, answer),) = tally.answers
    assert answer.tokens["written"] > 0
    assert all(each.note for each in answer.left_out)
    assert "tokens a second" in "\n".join(tally.lines("tiny"))
