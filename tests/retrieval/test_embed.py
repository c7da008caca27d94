"""The embedding model: as near to the original as its record says, the same on every CPU, and silent."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import scifact
from retrieval.embed import Embedder, ModelError

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "retrieval" / "minilm"
RECORD = json.loads((MODEL / "checksums.json").read_text())

# A child that embeds one text and prints its vector; `hook` may add what has to be watched.
CHILD = """
import json, sys
{hook}
from retrieval.embed import Embedder
vector = Embedder().embed(["The tenant pays a monthly rent of 1,200.00 EUR, and the deposit is two months' rent."])[0]
print(json.dumps(vector.tolist()))
"""


@pytest.fixture(scope="module")
def reference():
    """Texts and their vectors by sentence-transformers with the original weights."""
    lines = (Path(__file__).parent / "reference.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], np.array([row["vector"] for row in rows], dtype=np.float32)


def run_child(hook="", **environment):
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(hook=hook)], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1])), done.stderr


def test_vectors_are_near_those_of_the_original(embedder, reference):
    texts, original = reference
    cosines = (embedder.embed(texts) * original).sum(axis=1)
    assert cosines.min() > 0.985
    assert cosines.mean() > 0.99
    # They are told apart as well as by the original: the order of all pairs hardly changes.
    ours, theirs = (v @ v.T for v in (embedder.embed(texts), original))
    upper = np.triu_indices(len(texts), 1)
    assert np.corrcoef(ours[upper], theirs[upper])[0, 1] > 0.99


def test_the_runtime_gives_the_originals_vectors_where_nothing_is_quantised():
    assert RECORD["quality"]["fp32"]["lowest cosine"] >= 0.999  # measured by tools/export_embedder.py


def test_ranking_on_scifact_is_within_half_a_percent_of_the_original(embedder, shared_data):
    part = scifact.part(scifact.load(shared_data / "general" / "scifact"))
    assert scifact.by_vectors(part, embedder) >= 0.995 * RECORD["quality"]["fp32"]["SciFact nDCG@10, a part"]
    whole = "SciFact nDCG@10"
    assert RECORD["quality"]["int8"][whole] >= 0.995 * RECORD["quality"]["fp32"][whole]


def test_every_file_is_the_one_that_was_measured():
    there = {str(p.relative_to(MODEL)) for p in MODEL.rglob("*") if p.is_file()} - {"checksums.json", "README.md"}
    listed = {name for name in RECORD["files"] if name != "README.md"}
    assert there == listed
    for name in listed:
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == RECORD["files"][name], name


def test_a_cpu_without_vnni_gives_the_same_vectors(embedder):
    """8-bit sums that overflow there would change them (OpenVINO honours the cap on x86; elsewhere this is vacuous)."""
    text = "The tenant pays a monthly rent of 1,200.00 EUR, and the deposit is two months' rent."
    here = embedder.embed([text])[0]
    without, _ = run_child(ONEDNN_MAX_CPU_ISA="AVX2")
    assert float(here @ without) > 0.9999


def test_embedding_calls_nobody_and_writes_nothing(tmp_path):
    watch = """
seen = []
def hook(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "urllib.Request"):
        seen.append(event)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
        seen.append(f"write {arguments[0]}")
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import atexit
atexit.register(lambda: print(json.dumps([seen, sys.modules.get("openvino_telemetry")]), file=sys.stderr))
"""
    _, said = run_child(watch, HOME=str(tmp_path), TMPDIR=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert json.loads(said.splitlines()[-1]) == [[], None]
    assert list(tmp_path.rglob("*")) == []


def test_a_text_has_the_same_vector_alone_and_among_others(embedder, reference):
    texts, _ = reference
    together = embedder.embed(texts)
    alone = np.stack([embedder.embed([text])[0] for text in texts])
    assert (together * alone).sum(axis=1).min() > 0.9999
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_threads_may_embed_at_once(embedder, reference):
    texts, _ = reference
    expected = embedder.embed(texts)
    results = {}

    def work(n):
        some = texts if n % 2 else texts[:2]
        for _ in range(5):
            results[n] = float((embedder.embed(some) * expected[: len(some)]).sum(axis=1).min())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(results.values()) > 0.9999


def test_odd_texts_have_vectors_too(embedder):
    vectors = embedder.embed(["", " \n", "\x00", "a" * 5000, "word " * 5000, "契約書", "\ud7ff", "💣"])
    assert vectors.shape == (8, 384)
    assert np.isfinite(vectors).all()
    assert embedder.embed([]).shape == (0, 384)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(codec="ascii"), st.sampled_from("“”–…§éß契\u200b\u00ad")), max_size=60))
def test_tokens_are_counted_as_the_tokenizer_does(embedder, text):
    assert embedder.count_tokens([text]) == [len(embedder._tokenizer.encode(text, add_special_tokens=False))]


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (True, "Please find attached the invoice for the repair of the boiler."),
        (True, "2024-03-05 | Corner Bakery | 12.50 | EUR"),
        (True, "Dear Jürgen Weiß, thank you for your letter. We will return the deposit to your account in Zürich."),
        (True, ""),
        (False, "Sehr geehrte Damen und Herren, hiermit kündige ich den Vertrag zum Ende des Monats."),
        (False, "Bonjour, je vous envoie la facture pour le mois de mars, merci de la payer dans les dix jours."),
        (False, "Estimado señor, le enviamos el contrato para que lo firme y nos lo devuelva."),
        (False, "Прошу вернуть залог за квартиру до конца месяца"),
        (False, "この契約は三月に終わります。"),
        (False, "שלום, מצורף החוזה"),
    ],
)
def test_a_language_that_the_model_does_not_know_is_told(embedder, known, text):
    assert embedder.knows_language(text) is known


def test_a_folder_without_the_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="lacks") as error:
        Embedder(tmp_path)
    assert error.value.hint
