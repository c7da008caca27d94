"""sentence-transformers as the embedding model: any folder, under the lock, the old vectors serving until the new are
there, whatever happens in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engine.asking import ask, search
from engine.embedding import embedding, embedding_use
from engine.engine import Engine
from engine.erasing import purge
from engine.models import NotEnoughMemoryError
from retrieval import scale
from retrieval import sentence_transformers_folder as folders
from retrieval.embedder import ModelError
from retrieval.sentence_transformers_model import Model
from tests.card import tiny_models
from vault.keys import FLOOR
from vault.shelves import SHELVES

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "nine quiet otters downstream"
SECONDS = 120
TEXTS = ("The rent of the house is new.", "Der Hund ist im Garten.", "the insurance of the boat in winter " * 40)
PAPERS = {
    "boat.md": "# Boat\n\nThe rent of the boat is 140 pounds a month.\n",
    "dog.md": "# Dog\n\nThe insurance of the dog costs 90 pounds a month.\n",
    "heizung.md": "# Notiz\n\nDie Heizung im Haus wird im Winter neu gemacht, und das kostet viel.\n",
    "garden.md": "# Garden\n\nThe new garden of the house is for the summer, and the dog likes it.\n",
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return tiny_models.make(
        tmp_path_factory.mktemp("models") / "tiny",
        prompts={"query": "query: ", "document": "passage: "},
        more_words=" ".join(PAPERS.values()),
    )


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """One of other dimensions, without prompts, for English alone."""
    return tiny_models.make(
        tmp_path_factory.mktemp("models") / "other", dimensions=32, window=64, seed=2, pooling="cls", normalised=False,
        language=("en",),
    )  # fmt: skip


def loaded(folder):
    looked = folders.look(folder)
    return Model(looked, folders.digest(looked))


# --- what the folder says is what is done ---------------------------------------------------------------------------


def test_dimensions_longest_text_prompts_and_pooling_are_the_folders(tiny, other):
    one, two = loaded(tiny).facts, loaded(other).facts
    assert (one.dimensions, one.window, one.prompts, one.pooling) == (64, 128, (True, True), "mean")
    assert (two.dimensions, two.window, two.prompts, two.pooling) == (32, 64, (False, False), "cls")
    assert (one.languages, one.licence) == (("en", "de", "fr", "es"), "apache-2.0")


@pytest.mark.parametrize("name", ["tiny", "other"])
def test_vectors_are_those_of_the_library_at_unit_length(name, request):
    from sentence_transformers import SentenceTransformer

    folder = request.getfixturevalue(name)
    model, library = loaded(folder), SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    theirs = library.encode_document(list(TEXTS), normalize_embeddings=True)
    assert (model.embed(TEXTS) * theirs).sum(axis=1).min() > 0.99999
    asked = library.encode_query(TEXTS[0], normalize_embeddings=True)
    assert model.embed_question(TEXTS[0]) @ asked > 0.99999
    assert np.allclose(np.linalg.norm(model.embed(TEXTS), axis=1), 1, atol=1e-6)


def test_a_question_and_a_passage_get_each_its_prompt(tiny, other):
    same = loaded(tiny)
    assert same.embed_question(TEXTS[0]) @ same.embed([TEXTS[0]])[0] < 0.999
    plain = loaded(other)
    assert plain.embed_question(TEXTS[0]) @ plain.embed([TEXTS[0]])[0] > 0.99999


def test_its_cosines_are_brought_onto_the_scale_of_the_default(tiny, embedder):
    model = loaded(tiny)
    own, theirs = scale.apart(embedder), scale.apart(model)
    slope, offset = scale.line(own, theirs)
    if slope < 8:
        assert [slope * each + offset for each in theirs] == pytest.approx(own)
    assert slope * theirs[0] + offset == pytest.approx(own[0])


def test_under_the_lock_it_writes_nothing_and_calls_nobody(tiny, tmp_path):
    """What Python is asked to open for writing, make, connect or start while the library is imported, the model loaded
    and a text embedded. The lock would refuse it; here nothing is even tried, but for folders that cannot be made."""
    script = f"""
        import json, os, sys
        sys.path.insert(0, {str(ROOT)!r})
        sys.dont_write_bytecode = True
        from pathlib import Path
        from engine import lock
        from retrieval import sentence_transformers_folder as folders
        from retrieval.sentence_transformers_model import Model
        lock.limit_files(readable=None, writable=[Path(os.devnull)])
        lock.lock("engine")
        tried = []
        def hear(event, args):
            if event == "open":
                path, mode, flags = args
                if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and path != os.devnull:
                    tried.append((event, str(path)))
            elif event.startswith(("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess", "os.exec",
                                   "os.posix_spawn", "os.fork", "os.mkdir", "os.rename", "os.remove", "os.system")):
                tried.append((event, str(args[0]) if args else ""))
        sys.addaudithook(hear)
        folder = folders.look(Path({str(tiny)!r}))
        model = Model(folder, folders.digest(folder))
        assert model.embed(["one", "two"]).shape == (2, 64)
        assert model.embed_question("three").shape == (64,)
        print(json.dumps(tried))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=SECONDS, check=False,
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tried = [tuple(each) for each in json.loads(done.stdout.splitlines()[-1])]
    # Two folders that cannot be made: one that is there, and one within what is no folder.
    assert {each for each in tried if not each[1].startswith(f"{os.devnull}/")} <= {("os.mkdir", os.sep)}
    assert list(tmp_path.iterdir()) == []


def test_the_defaults_runtime_gives_the_same_vectors_for_the_same_weights(tmp_path):
    """The default's own way (OpenVINO, pooling in the graph) against the library's, on one unquantised model."""
    import openvino

    from retrieval.embed import Embedder
    from tools.export_embedder import MODEL, trace

    words = [*PAPERS.values(), *(f"word{n}" for n in range(2000))]  # tracing takes words by numbers up to 2,000
    folder = tiny_models.make(tmp_path / "wide", dimensions=384, window=256, more_words=" ".join(words))
    graph = tmp_path / "graph"
    (graph / "openvino").mkdir(parents=True)
    openvino.save_model(trace(folder), graph / MODEL, compress_to_fp16=False)
    shutil.copyfile(folder / "tokenizer.json", graph / "tokenizer.json")
    texts = [*PAPERS.values(), *TEXTS]
    assert (Embedder(graph).embed(texts) * loaded(folder).embed(texts)).sum(axis=1).min() > 0.9999


# --- changing the model ---------------------------------------------------------------------------------------------


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, text in PAPERS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def start(tmp_path, zygote, embedder):
    """Engines on one vault, one after the other; closed in the end."""
    made = []

    def begin():
        if made:
            made[-1].close()
        (tmp_path / "vault" / "lock").unlink(missing_ok=True)
        engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
        made.append(engine)
        if (tmp_path / "vault" / "header").exists():
            engine.unlock(PASSPHRASE)
        else:
            engine.create(PASSPHRASE)
        return engine

    yield begin
    for each in made:
        each.close()


@pytest.fixture
def engine(start, papers):
    made = start()
    made.folders_add(str(papers))
    made.wait(seconds=SECONDS)
    return made


def shelves(engine):
    """How many vectors lie on each shelf."""
    with engine.opened().vault.read() as db:
        return tuple(db.execute(f"SELECT count(*) FROM {each}").get for each in SHELVES)


def until(true, what=""):
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def in_use(engine):
    return embedding(engine)["sha256"]


def held_back(monkeypatch, after):
    """Let models of the user's choice embed `after` passages, then wait; returns the event that lets them go on."""
    go, count, original = threading.Event(), [0], Model.embed

    def embed(self, texts):
        if texts != ["one text"] and tuple(texts) != tuple(passage for _, passage in scale.PAIRS):
            count[0] += len(texts)
            if count[0] > after:
                go.wait(SECONDS)
        return original(self, texts)

    monkeypatch.setattr(Model, "embed", embed)
    return go


QUESTIONS = ("What is the rent of the boat?", "What does the insurance of the dog cost?")


def cited(engine):
    return [
        [(each["path"], each["start"], each["quote"]) for line in ask(engine, question)["statements"]
         for each in line["citations"]]
        for question in QUESTIONS
    ]  # fmt: skip


def test_the_old_vectors_serve_until_the_new_are_there_and_then_they_go(engine, tiny, monkeypatch):
    before, own, chunks = cited(engine), in_use(engine), engine.status()["chunks"]
    assert all(before)
    go = held_back(monkeypatch, 0)
    assert embedding_use(engine, str(tiny))["state"] == "coming"
    assert in_use(engine) == own
    assert cited(engine) == before
    assert engine.status()["embedding"] == {
        "name": "all-MiniLM-L6-v2, 8-bit weights", "loading": False, "coming": "tiny", "stands_in": False,
        "left": chunks, "problem": "",
    }  # fmt: skip
    go.set()
    until(lambda: in_use(engine) != own)
    assert engine.status()["vectors"] == engine.status()["chunks"] == chunks
    assert cited(engine) == before  # chunks are cut as before, so that citations are the same
    until(lambda: shelves(engine) == (0, chunks))
    assert [each["state"] for each in embedding(engine)["models"]] == ["serving"]


def test_back_to_the_default_and_to_another_of_other_dimensions(engine, tiny, other):
    own, chunks = in_use(engine), engine.status()["chunks"]
    for folder, dimensions in ((tiny, 64), (other, 32)):
        embedding_use(engine, str(folder))
        until(lambda wanted=dimensions: embedding(engine)["dimensions"] == wanted)
        assert search(engine, "rent of the boat")["hits"]
    embedding_use(engine, "default")
    until(lambda: in_use(engine) == own and sorted(shelves(engine)) == [0, chunks])
    assert engine.status()["vectors"] == chunks


def test_files_that_come_in_the_middle_are_found_at_once_and_have_both_vectors(engine, tiny, papers, monkeypatch):
    go = held_back(monkeypatch, 1)
    embedding_use(engine, str(tiny))
    (papers / "cellar.md").write_text("# Cellar\n\nThe repair of the cellar wall costs 700 pounds.\n")
    until(lambda: any(hit["path"].endswith("cellar.md") for hit in search(engine, "cellar wall")["hits"]))
    own = in_use(engine)
    go.set()
    until(lambda: in_use(engine) != own)
    engine.wait(seconds=SECONDS)
    assert engine.status()["vectors"] == engine.status()["chunks"] == len(PAPERS) + 1


def test_a_purge_in_the_middle_takes_the_vectors_of_both_models(engine, tiny, papers, monkeypatch):
    go = held_back(monkeypatch, 2)
    monkeypatch.setattr("ingest.embedding.EMBED_CHUNKS", 1)
    own = in_use(engine)
    embedding_use(engine, str(tiny))
    until(lambda: shelves(engine)[1] == 2)
    with engine.opened().vault.read() as db:
        [(first, path)] = db.execute(
            "SELECT chunk.id, file.shown FROM vector_other JOIN chunk ON chunk.id = chunk JOIN location USING (document)"
            " JOIN file ON file.id = file LIMIT 1"
        ).fetchall()  # fmt: skip
    receipt = purge(engine, [path], confirm=True)
    assert receipt["confirmed"]
    assert receipt["removed"]["vectors"] == 2
    go.set()
    until(lambda: in_use(engine) != own)
    until(lambda: sorted(shelves(engine)) == [0, len(PAPERS) - 1])
    assert first not in engine.opened().index._snapshot.ids[engine.opened().index._snapshot.alive]


def test_killed_in_the_middle_it_goes_on_where_it_was(start, papers, tiny, tmp_path):
    """A process of its own is killed with SIGKILL when some of the new vectors are there."""
    script = f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from engine.zygote import Zygote
        zygote = Zygote.start()
        import ingest.embedding
        from engine.embedding import embedding_use
        from engine.engine import Engine
        from vault.keys import FLOOR
        from retrieval.sentence_transformers_model import Model
        place = Path({str(tmp_path)!r})
        engine = Engine(place / "vault", place / "state", zygote, cost=FLOOR)
        engine.create({PASSPHRASE!r})
        engine.folders_add(str(place / "papers"))
        engine.wait(seconds=60)
        ingest.embedding.EMBED_CHUNKS = 1
        slow = Model.embed
        def embed(self, texts):
            time.sleep(1 if len(texts) == 1 else 0)
            return slow(self, texts)
        Model.embed = embed
        embedding_use(engine, {str(tiny)!r})
        while True:
            with engine.opened().vault.read() as db:
                print(db.execute("SELECT count(*) FROM vector_other").get, flush=True)
            time.sleep(0.05)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    made = next(int(line) for line in child.stdout if int(line) >= 2)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert made < len(PAPERS)
    engine = start()
    with engine.opened().vault.read() as db:
        assert db.execute("SELECT count(*) FROM vector_other").get >= made  # kept, not made again
    until(lambda: embedding(engine)["dimensions"] == 64)
    assert engine.status()["vectors"] == len(PAPERS)
    assert cited(engine)[0][0][2] == "The rent of the boat is 140 pounds a month."


# --- other languages ------------------------------------------------------------------------------------------------


def test_a_model_of_several_languages_finds_what_the_default_does_not(engine, tiny):
    question, german = "How is the heating?", "heizung.md"
    rows = {Path(row["path"]).name: row for row in engine_files(engine)}
    assert "does not know" in rows[german]["reason"]
    own = in_use(engine)
    before = scores(engine, question)
    assert before[german] < max(before.values())
    embedding_use(engine, str(tiny))
    until(lambda: in_use(engine) != own)
    after = scores(engine, question)
    assert after[german] == max(after.values()) > before[german]  # another may be as near: so small a model is coarse
    assert {Path(row["path"]).name: row["reason"] for row in engine_files(engine)}[german] == ""
    embedding_use(engine, "default")
    until(lambda: in_use(engine) == own)
    assert "does not know" in {Path(row["path"]).name: row["reason"] for row in engine_files(engine)}[german]


def scores(engine, question):
    return {Path(hit["path"]).name: hit["score"] for hit in search(engine, question)["hits"]}


def engine_files(engine):
    from engine.reading import files

    return files(engine)["rows"]


# --- when it is not there any more ----------------------------------------------------------------------------------


def chosen(engine, folder):
    own = in_use(engine)
    embedding_use(engine, str(folder))
    until(lambda: in_use(engine) != own and sorted(shelves(engine)) == [0, len(PAPERS)])
    return own, in_use(engine)


def test_a_model_that_vanished_is_stood_in_for_and_comes_back_with_its_vectors(start, engine, tiny, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(tiny, folder)
    own, mine = chosen(engine, folder)
    folder.rename(tmp_path / "elsewhere")
    engine = start()
    until(lambda: sorted(shelves(engine)) == [len(PAPERS)] * 2)
    shown = embedding(engine)
    assert (shown["sha256"], shown["problem"]) == (
        own, f"there is no folder {folder}; put the model back, or `strongroom model embed` chooses another",
    )  # fmt: skip
    assert [each["state"] for each in shown["models"]] == ["serving", "standing in"]
    assert cited(engine)[0][0][2] == "The rent of the boat is 140 pounds a month."
    (tmp_path / "elsewhere").rename(folder)
    engine = start()
    until(lambda: embedding(engine)["sha256"] == mine and sorted(shelves(engine)) == [0, len(PAPERS)])
    assert embedding(engine)["problem"] == ""


def test_a_model_that_was_exchanged_is_not_used(start, engine, tiny, other, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(tiny, folder)
    own, _ = chosen(engine, folder)
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    engine = start()
    until(lambda: in_use(engine) == own)
    assert "is another than the one that was chosen" in embedding(engine)["problem"]
    assert cited(engine)[0][0][2] == "The rent of the boat is 140 pounds a month."
    embedding_use(engine, "default")  # accepted: now the old vectors go
    until(lambda: sorted(shelves(engine)) == [0, len(PAPERS)] and embedding(engine)["problem"] == "")


def test_what_cannot_be_loaded_is_refused_and_nothing_changes(engine, tiny, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    shutil.copytree(tiny, folder)
    weights = (folder / "model.safetensors").read_bytes()
    for damaged in (weights[: len(weights) // 2], b"\0" * 64, b"not safetensors"):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(ModelError, match="cannot be loaded"):
            embedding_use(engine, str(folder))
    assert [each["state"] for each in embedding(engine)["models"]] == ["serving"]
    monkeypatch.setattr("engine.embedding.available_memory", lambda: 100_000)
    with pytest.raises(NotEnoughMemoryError, match=r"the model tiny needs about 0.0 GB of memory"):
        embedding_use(engine, str(tiny))
    with pytest.raises(ModelError, match="not a whole path"):
        embedding_use(engine, "models/tiny")


def test_on_the_command_line_it_is_chosen_shown_waited_for_and_given_up(tiny, papers, tmp_path):
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    home = tmp_path / "home"
    home.mkdir()

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "ui.command", *map(str, words)], capture_output=True, text=True, check=False,
            timeout=3 * SECONDS, cwd=home, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT),
                 "STRONGROOM_PASSPHRASE_FILE": str(secret)},
        )  # fmt: skip

    assert run("init").returncode == 0
    assert run("add", papers, "--wait").returncode == 0
    before = run("ask", QUESTIONS[0]).stdout
    assert "140 pounds a month. [1]" in before
    done = run("model", "embed", tiny, "--wait")
    assert (done.returncode, done.stdout.split("  ")[0]) == (0, "* tiny"), done.stderr
    assert run("ask", QUESTIONS[0]).stdout == before
    assert json.loads(run("model", "embed", "--json").stdout)["dimensions"] == 64
    wrong = run("model", "embed", papers)
    assert (wrong.returncode, f"{papers} lacks modules.json" in wrong.stderr) == (1, True)
    assert "all-MiniLM" in run("model", "embed", "default", "--wait").stdout
    assert sorted(each.name for each in home.iterdir()) == [".local"]
