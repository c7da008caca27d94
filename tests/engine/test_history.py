"""What is kept of answers, and what a purge leaves of one that is being made."""

import pytest

from engine import asking, models
from engine.asking import ask
from engine.engine import Engine
from engine.erasing import purge
from engine.history import conversations, remove
from engine.suggesting import suggestions
from generation import check
from vault.keys import FLOOR

QUESTION = "How much is the rent of the garage?"


@pytest.fixture
def engine(tmp_path, zygote, embedder):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "garage.txt").write_text("The rent of the garage in Mill Lane is 85 pounds a month.\n")
    made = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    made.create("a passphrase for tests")
    made.folders_add(str(tmp_path / "papers"))
    made.wait(seconds=60)
    yield made
    made.close()


def test_an_answer_that_was_under_way_during_a_purge_is_not_kept(engine, monkeypatch):
    made = asking.extractive.answer

    def and_purge(question, passages, *rest):
        answer = made(question, passages, *rest)
        purge(engine, [passages[0].document], confirm=True)
        return answer

    assert ask(engine, QUESTION)["turn"] is not None
    monkeypatch.setattr(asking.extractive, "answer", and_purge)
    answer = ask(engine, QUESTION)
    assert "85 pounds" in answer["statements"][0]["text"]
    assert answer["turn"] is None
    assert conversations(engine)["total"] == 0


def test_a_conversation_that_is_removed_does_not_come_back_with_an_answer_under_way(engine, monkeypatch):
    made = asking.extractive.answer
    first = ask(engine, QUESTION)["conversation"]

    def and_remove(*given):
        if conversations(engine)["total"]:
            remove(engine, first)
        return made(*given)

    assert ask(engine, QUESTION, conversation=first)["turn"] is not None
    monkeypatch.setattr(asking.extractive, "answer", and_remove)
    assert ask(engine, QUESTION, conversation=first)["turn"] is None
    assert conversations(engine)["total"] == 0
    assert ask(engine, QUESTION, conversation=first)["turn"] is not None  # asked after that, it begins anew


def test_what_a_model_was_told_during_a_purge_is_forgotten_too(engine, monkeypatch):
    said = []

    def and_purge(engine, opened, *, model, conversation, asked, passages, verbatim, told):
        purge(engine, [passages[0].document], confirm=True)
        with engine.answering.dialogue(conversation) as each:
            said.append(each)
        return verbatim, set()

    monkeypatch.setattr(models, "chosen", lambda _engine, _mode: object())
    monkeypatch.setattr(asking, "_written", and_purge)
    conversation = ask(engine, QUESTION)["conversation"]
    with engine.answering.dialogue(conversation) as anew:
        assert anew is not said[0]


@pytest.mark.parametrize("way", ["purged", "locked"])
def test_what_was_made_of_documents_for_answers_goes_from_memory_too(engine, way):
    answer = ask(engine, QUESTION)
    passage = (
        asking.extractive.answer(
            QUESTION, engine.opened().index.search(QUESTION), engine.embedder(), asking.texts(engine.opened().vault)
        )
        .statements[0]
        .citations[0]
        .passage
    )
    check.check(answer["statements"][0]["text"], [passage])
    suggestions(engine)
    assert check._held.cache_info().currsize
    assert engine.answering.suggested[0] is not None
    if way == "purged":
        purge(engine, [passage.document], confirm=True)
    else:
        engine.lock(mode="page")
    assert not check._held.cache_info().currsize
    assert engine.answering.suggested == (None, ())
