"""Models: added, listed, chosen, refused when changed; and answers that one writes, on a tiny model of random weights."""

import hashlib
import importlib.util
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from engine import models
from engine.asking import ask, cancel
from engine.engine import Engine
from engine.erasing import purge
from engine.history import conversation, conversations, remove
from engine.keeping import settings_set
from engine.models import ModelGoneError, NoModelError, NotEnoughMemoryError
from generation.answer import Answer, Citation, Statement
from generation.gguf import ModelFacts
from generation.writing import Request, WriterDiedError, Written
from vault.errors import StrongroomError
from vault.keys import FLOOR

TESTS = Path(__file__).resolve().parents[1]
QUESTION = "How much is the rent of the garage in Mill Lane?"
PAPERS = {
    "garage.md": "# Lease of the garage in Mill Lane\n\nThe lease ends on 28 February 2026.\n\nThe rent is 85 pounds a month.\n",
    "roof.txt": "Dear Ms Ames,\n\nthe roofer Hallam & Sons will replace the ridge tiles on 12 May for 2,340 pounds.\n",
}


def tiny(path: Path, **options) -> Path:
    spec = importlib.util.spec_from_file_location("tiny_gguf", TESTS / "tiny_gguf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(path, **{"context": 4096, **options})


@pytest.fixture(scope="module")
def engine(tmp_path_factory, zygote, embedder):
    place = tmp_path_factory.mktemp("models")
    folder = place / "papers"
    folder.mkdir()
    for name, text in PAPERS.items():
        (folder / name).write_text(text)
    made = Engine(place / "vault", place / "state", zygote, cost=FLOOR, load=lambda: embedder)
    made.create("a passphrase for tests")
    made.folders_add(str(folder))
    made.wait(seconds=60)
    yield made
    made.close()


@pytest.fixture
def model(engine, tmp_path):
    """A model that was added and is in use."""
    path = tiny(tmp_path / "tiny.gguf")
    row = models.add(engine, str(path))
    models.use(engine, row["id"])
    yield path
    for each in models.models(engine)["rows"]:
        models.remove(engine, each["id"])


# --- which there are -------------------------------------------------------------------------------------------------


def test_a_model_is_known_by_its_sha256_and_described(engine, model):
    [row] = models.models(engine)["rows"]
    assert row["id"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (row["name"], row["path"], row["size"]) == ("Tiny", str(model), model.stat().st_size)
    assert (row["licence"], row["context"], row["state"], row["used"]) == ("apache-2.0", 4096, "ready", True)
    assert row["memory"] > row["size"]


def test_adding_tells_how_much_was_read(engine, tmp_path):
    heard = []
    row = models.add(
        engine, str(tiny(tmp_path / "one.gguf")), notify=lambda method, params: heard.append((method, params))
    )
    models.remove(engine, row["id"])
    assert heard[-1] == ("progress", {"read": row["size"], "of": row["size"]})


def test_the_first_model_is_used_at_once_and_none_can_be(engine, tmp_path):
    row = models.add(engine, str(tiny(tmp_path / "first.gguf")))
    assert row["used"]
    assert models.use(engine, "")["model"] == ""
    assert not models.models(engine)["rows"][0]["used"]
    models.remove(engine, row["id"])


def test_a_model_that_is_removed_is_used_no_more_and_its_file_stays(engine, model):
    models.remove(engine, "tiny")
    assert engine.settings.model == ""
    assert model.exists()


def test_a_link_is_followed_to_the_file_that_is_hashed(engine, tmp_path):
    path = tiny(tmp_path / "blob")
    (tmp_path / "link.gguf").symlink_to(path)
    row = models.add(engine, str(tmp_path / "link.gguf"))
    assert row["path"] == str(path)
    models.remove(engine, row["id"])


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 100])
def test_what_is_no_model_is_refused_and_not_remembered(engine, tmp_path, content):
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(StrongroomError):
        models.add(engine, str(tmp_path / "bad.gguf"))
    assert models.models(engine)["rows"] == []


def test_a_pipe_a_folder_and_nothing_are_told_apart_from_a_file(engine, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "missing.gguf"):
        with pytest.raises(StrongroomError, match=r"is not a file|cannot be read"):
            models.add(engine, str(tmp_path / name))


def test_a_model_is_found_by_name_file_and_start_of_its_hash(engine, model):
    row = models.models(engine)["rows"][0]
    for name in ("Tiny", "tiny", "tiny.gguf", row["id"][:8], row["id"], row["path"]):
        assert models.use(engine, name)["model"] == row["id"]
    with pytest.raises(NoModelError, match="no model is called 'other'"):
        models.use(engine, "other")


def test_two_of_one_name_have_to_be_told_apart(engine, model, tmp_path):
    other = models.add(engine, str(tiny(tmp_path / "other.gguf", seed=1)))
    with pytest.raises(StrongroomError, match="2 models are called 'Tiny'"):
        models.use(engine, "Tiny")
    models.remove(engine, other["id"])


# --- changed files ---------------------------------------------------------------------------------------------------


def test_a_changed_file_is_refused(engine, model):
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert models.models(engine)["rows"][0]["state"] == "changed"
    with pytest.raises(ModelGoneError, match="was changed since it was added"):
        models.use(engine, "Tiny")


def test_a_file_exchanged_for_one_of_the_same_size_and_time_is_refused(engine, model, tmp_path):
    before = model.stat()
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    with model.open("r+b") as file:  # in its place: the same inode
        file.write(content)
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelGoneError, match="was changed"):
        models.use(engine, "Tiny")


def test_a_copy_with_the_same_bytes_is_the_same_model(engine, model):
    content = model.read_bytes()
    model.unlink()
    assert models.models(engine)["rows"][0]["state"] == "missing"
    with pytest.raises(ModelGoneError, match="is not there"):
        models.use(engine, "Tiny")
    model.write_bytes(content)
    models.use(engine, "Tiny")
    assert models.models(engine)["rows"][0]["state"] == "ready"


def test_a_model_added_from_where_it_lies_now_is_one_row(engine, model):
    moved = model.rename(model.parent / "moved.gguf")
    models.add(engine, str(moved))
    [row] = models.models(engine)["rows"]
    assert (row["path"], row["state"]) == (str(moved), "ready")


# --- memory ----------------------------------------------------------------------------------------------------------


def _facts(weights: int, per_token: int) -> ModelFacts:
    return ModelFacts("Big", "llama", 1, "Q8_0", "", 32768, weights, True, 1000, weights, per_token)


def test_the_context_is_shorter_where_memory_is_short():
    facts = _facts(1 << 30, 1 << 17)
    assert models.fitting(facts, None) == models.fitting(facts, 1 << 34) == 8192
    assert models.fitting(facts, facts.memory(8192) - 1) == 4096


def test_a_model_that_does_not_fit_is_not_tried():
    facts = _facts(8 << 30, 1 << 17)
    with pytest.raises(NotEnoughMemoryError, match=r"needs about \d+\.\d GB of memory, and 2\.1 GB are free"):
        models.fitting(facts, 2_100_000_000)


def test_the_kernel_says_how_much_memory_there_is():
    if sys.platform == "linux":
        assert 1 << 20 < models.available_memory() < 1 << 50


def test_too_little_memory_leaves_the_documents_own_sentences(engine, model, monkeypatch):
    engine.answering.forget_all()
    monkeypatch.setattr(models, "available_memory", lambda: 1 << 20)
    answer = ask(engine, QUESTION)
    assert answer["mode"] == "extractive"
    assert "85 pounds" in answer["statements"][0]["text"]
    assert "of memory" in answer["fell_back"]


# --- answers ---------------------------------------------------------------------------------------------------------


class Scripted:
    """Stands in for `generation.written.answer`: writes what the test wants, as a model would."""

    def __init__(self, monkeypatch, *, wait=False):
        import generation.written

        self.wait = wait
        self.passages = []
        monkeypatch.setattr(generation.written, "answer", self.answer)

    def answer(self, question, passages, writer, dialogue, *, extractive, text_of, heard, cancelled, on_statement):
        self.question, self.passages, self.dialogue = question, passages, dialogue
        cited = extractive.statements[0].citations
        kept = Statement("It is 85 pounds.", True, cited)
        lost = Statement("It is 99 pounds.", False, (Citation(passages[-1], passages[-1].start, passages[-1].end, passages[-1].text),), note="99")  # fmt: skip
        on_statement(kept, False)
        on_statement(lost, True)
        until = time.monotonic() + 20
        while self.wait and not cancelled() and time.monotonic() < until:
            time.sleep(0.01)
        return Answer(question, writer.name, False, "", (kept,), (), {}, (lost,), cancelled=cancelled())


def test_a_model_answers_and_says_how_far_it_is(engine, model):
    heard = []
    answer = ask(engine, QUESTION, notify=lambda method, params: heard.append((method, params)))
    stages = [params["stage"] for method, params in heard if method == "stage"]
    assert heard[0][0] == "passages"
    assert "85 pounds" in heard[0][1]["hits"][0]["quote"]
    assert stages[0] == "loading"
    assert "reading" in stages
    assert answer["tokens"]["evaluated"] > 0
    # Random weights have nothing to say: whatever came of it, nothing unsupported is shown
    assert all(each["supported"] for each in answer["statements"])
    assert answer["mode"] == "Tiny" or answer["fell_back"]


def test_the_mode_can_be_chosen_for_one_question(engine, model, monkeypatch):
    Scripted(monkeypatch)
    assert ask(engine, QUESTION)["mode"] == "Tiny"
    assert ask(engine, QUESTION, mode="extractive")["mode"] == "extractive"
    settings_set(engine, "answer_mode", "extractive")
    assert ask(engine, QUESTION)["mode"] == "extractive"
    assert ask(engine, QUESTION, mode="model")["mode"] == "Tiny"
    with pytest.raises(StrongroomError, match="no way of answering"):
        ask(engine, QUESTION, mode="poem")
    models.use(engine, "")
    with pytest.raises(NoModelError):
        ask(engine, QUESTION, mode="model")
    models.use(engine, "Tiny")


def test_a_graphics_card_is_a_choice_that_begins_the_model_anew(engine, model, monkeypatch):
    def write():
        request = Request((), "", ("[1] The rent is 85 pounds.",), (1,), (), "", most_tokens=2)
        models.writer(engine, models.chosen(engine, None)).write(request, lambda _: None, lambda: False)

    assert models.models(engine)["gpu"]["chosen"] is False
    write()
    assert not any("graphics" in each for each in engine.answering.held()["missing"])
    monkeypatch.setattr(models, "graphics", lambda: ("CUDA",))
    try:
        settings_set(engine, "model_gpu", "yes")
        assert engine.answering.held() is None  # what its process may open was decided when it began
        found = models.models(engine)["gpu"]
        assert found == {"built": ["CUDA"], "chosen": True, "used": None, "words": "looked for when the model is loaded next"}  # fmt: skip
        write()
        assert any("graphics" in each for each in engine.answering.held()["missing"])
        found = models.models(engine)["gpu"]
        assert found["used"] is False
        assert "the processor computes" in found["words"]
    finally:
        settings_set(engine, "model_gpu", "no")
    assert engine.answering.held() is None
    assert "not used" in models.models(engine)["gpu"]["words"]


def test_what_llama_cpp_is_built_for_is_told_by_its_files(tmp_path, monkeypatch):
    package = tmp_path / "llama_cpp"
    (package / "lib").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "lib" / "libggml-cpu.so").touch()
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)  # else the one that is loaded is asked
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    assert models.graphics() == ()
    (package / "lib" / "libggml-cuda.so.0").touch()
    assert models.graphics() == ("CUDA",)


def test_statements_come_as_they_are_made_those_left_out_too(engine, model, monkeypatch):
    Scripted(monkeypatch)
    heard = []
    answer = ask(engine, QUESTION, notify=lambda method, params: heard.append((method, params)))
    said = [
        (params["left_out"], params["index"], params["statement"]["text"])
        for method, params in heard
        if method == "statement"
    ]
    assert said == [(False, 0, "It is 85 pounds."), (True, 0, "It is 99 pounds.")]
    assert answer["left_out"][0]["note"] == "99"


def test_an_answer_is_cancelled_with_its_ticket_and_kept_as_what_it_is(engine, model, monkeypatch):
    Scripted(monkeypatch, wait=True)
    threading.Timer(0.5, lambda: cancel(engine, "mine")).start()
    began = time.monotonic()
    answer = ask(engine, QUESTION, ticket="mine")
    assert time.monotonic() - began < 15
    assert answer["cancelled"]
    kept = conversation(engine, answer["conversation"])["answers"][0]
    assert kept["cancelled"]
    assert kept["turn"] == answer["turn"]


def test_a_ticket_is_for_one_answer(engine):
    with engine.answering.ticket("one"), pytest.raises(StrongroomError, match="in use"), engine.answering.ticket("one"):
        pass
    with engine.answering.ticket("one"):
        pass
    cancel(engine, "nobody's")


def test_whoever_hangs_up_cancels(engine, model, monkeypatch):
    from engine.protocol import HungUpError

    Scripted(monkeypatch, wait=True)

    def gone(method, params):
        if method == "statement":
            raise HungUpError

    assert ask(engine, QUESTION, notify=gone)["cancelled"]


def test_a_model_that_dies_costs_one_answer(engine, model, monkeypatch):
    def dies(self, request, heard, cancelled):
        raise WriterDiedError("the model's process was killed, probably for want of memory")

    with monkeypatch.context() as patched:
        patched.setattr("engine.writer.ModelWriter.write", dies)
        answer = ask(engine, QUESTION)
    assert answer["mode"] == "extractive"
    assert "85 pounds" in answer["statements"][0]["text"]
    assert "killed" in answer["fell_back"]
    assert "killed" in conversation(engine, answer["conversation"])["answers"][0]["fell_back"]
    assert ask(engine, QUESTION)["tokens"] != {}


def test_a_question_without_evidence_is_not_put_to_the_model(engine, model, monkeypatch):
    asked = Scripted(monkeypatch)
    assert ask(engine, "What is the name of the cat's veterinary surgeon?")["abstained"]
    assert asked.passages == []


def test_a_follow_up_goes_on_with_the_same_dialogue_and_shows_its_full_question(engine, model, monkeypatch):
    asked = Scripted(monkeypatch)
    first = ask(engine, QUESTION)
    said = asked.dialogue
    second = ask(engine, "and when does it end?", conversation=first["conversation"])
    assert asked.dialogue is said
    assert second["full_question"] == asked.question != "and when does it end?"
    ask(engine, QUESTION)
    assert asked.dialogue is not said


def test_few_dialogues_are_kept(engine):
    made = []
    for number in range(6):
        with engine.answering.dialogue(f"c{number}") as each:
            made.append(each)
    with engine.answering.dialogue("c5") as again:
        assert again is made[5]
    with engine.answering.dialogue("c0") as anew:
        assert anew is not made[0]


# --- what stays in memory --------------------------------------------------------------------------------------------


def test_a_purge_takes_the_answers_that_were_made_from_it_and_ends_the_model(engine, model, monkeypatch, tmp_path):
    asked = Scripted(monkeypatch)
    (tmp_path / "more").mkdir()
    paper = tmp_path / "more" / "wharf.txt"
    paper.write_text("The rent of the garage at the wharf is 61 pounds a month.\n")
    engine.folders_add(str(tmp_path / "more"))
    engine.wait(seconds=30)
    answer = ask(engine, QUESTION)
    offered = {each.document for each in asked.passages}
    cited = {each["document"] for each in answer["statements"][0]["citations"]}
    [wharf] = [each.document for each in asked.passages if each.path == str(paper)]
    assert wharf in offered - cited
    writer = engine.answering._writer[1]
    purge(engine, [wharf], confirm=True)
    assert conversation(engine, answer["conversation"])["answers"] == []
    assert engine.answering._writer is None
    assert not writer.alive
    engine.folders_remove(str(tmp_path / "more"))


def test_an_idle_model_gives_its_memory_back(engine, model, monkeypatch):
    Scripted(monkeypatch)
    ask(engine, QUESTION)
    writer = engine.answering._writer[1]
    engine.answering.idle_seconds = 0.01
    until = time.monotonic() + 10
    while engine.answering._writer and time.monotonic() < until:
        time.sleep(0.05)
    assert engine.answering._writer is None
    assert not writer.alive


def test_locking_ends_the_model_and_what_was_said_to_it(engine, model, monkeypatch):
    asked = Scripted(monkeypatch)
    answer = ask(engine, QUESTION)
    writer, said = engine.answering._writer[1], asked.dialogue
    engine.lock(mode="page")
    assert not writer.alive
    engine.unlock("a passphrase for tests")
    ask(engine, QUESTION, conversation=answer["conversation"])
    assert asked.dialogue is not said


def test_forgetting_a_conversation_forgets_it_in_memory_too(engine, model, monkeypatch):
    asked = Scripted(monkeypatch)
    answer = ask(engine, QUESTION)
    said = asked.dialogue
    total = conversations(engine)["total"]
    remove(engine, answer["conversation"][:8])
    assert conversations(engine)["total"] == total - 1
    with engine.answering.dialogue(answer["conversation"]) as anew:
        assert anew is not said


def test_the_shape_of_a_written_answer_is_one_that_models_give():
    # `Scripted` leans on these fields
    assert {"lines", "refused", "ended"} <= set(Written.__dataclass_fields__)
