"""What runs the embedding model: speed, start, memory and nearness, each in a process of its own.

    python -m bench.embedding_runtime [FOLDER]

FOLDER is all-MiniLM-L6-v2 as sentence-transformers saves it, with model.safetensors (what `tools/export_embedder.py` makes
the default's file from). Without it only the default is measured; with it also sentence-transformers with torch, and
OpenVINO with the same weights unquantised, in 32 and in 16 bits, which need the extra sentence-transformers. ONNX Runtime
is measured where the package onnx is installed, which writes what it reads.

Texts are those of `tests/retrieval/reference.jsonl`, with the vectors that sentence-transformers gave for them; speed is on
six times as many of the same kind, without the special tokens. `start` is import and loading; `memory` is the peak.
"""

import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "retrieval" / "reference.jsonl"
QUESTION = "When does the lease of the flat end, and who has to be told?"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
_ASKED = 20  # questions, of which the middle one's time is shown


def main() -> int:
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    if folder and sys.argv[2:]:
        kind, graphs = sys.argv[2], Path(sys.argv[3])
        print(json.dumps(measured(kind, folder, graphs)) if kind != "graphs" else write_graphs(folder, graphs))
        return 0
    print(f"{'':26}{'start':>8}{'memory':>10}{'tokens/s':>10}{'a question':>12}{'lowest cosine':>15}")
    with tempfile.TemporaryDirectory() as graphs:
        wanted = ["own"]
        if folder:
            _run(folder, "graphs", graphs)
            wanted += ["torch", "openvino f32", "openvino bf16"]
            wanted += ["onnx"] if (Path(graphs) / "model.onnx").is_file() else []
        for each in wanted:
            row = json.loads(_run(folder or ROOT, each, graphs))
            print(
                f"{row['name']:26}{row['start']:>7.1f}s{row['memory']:>7.0f} MB{row['speed']:>10,.0f}"
                f"{row['question'] * 1000:>9.1f} ms{row['cosine']:>15.4f}",
                flush=True,
            )
    return 0


def _run(folder: Path, kind: str, graphs: str) -> str:
    """The last line that a process of its own says."""
    run = subprocess.run(
        [sys.executable, "-m", "bench.embedding_runtime", str(folder), kind, graphs],
        stdout=subprocess.PIPE, cwd=ROOT, text=True, check=True,
    )  # fmt: skip
    return run.stdout.splitlines()[-1]


def write_graphs(folder: Path, graphs: Path) -> str:
    """The original's graph for the runtimes that do not read it themselves: made here, so that what makes it is in no
    figure of theirs."""
    import openvino as ov

    from tools.export_embedder import MODEL, trace

    (graphs / "openvino").mkdir()
    ov.save_model(trace(folder), graphs / MODEL, compress_to_fp16=False)
    shutil.copyfile(folder / "tokenizer.json", graphs / "tokenizer.json")
    if importlib.util.find_spec("onnx"):
        import torch
        from transformers import BertModel

        bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
        ids = torch.randint(1000, 2000, (2, 16))
        torch.onnx.export(
            bert, (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(graphs / "model.onnx"), dynamo=False,
            input_names=INPUTS, output_names=["hidden"], dynamic_axes={each: {0: "texts", 1: "tokens"} for each in INPUTS},
        )  # fmt: skip
    return "made"


def measured(kind: str, folder: Path, graphs: Path) -> dict[str, Any]:
    """One runtime's figures, taken in this process, which is fresh."""
    import numpy as np

    rows = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    began = time.perf_counter()
    name, embed = RUNTIMES[kind](graphs if kind.startswith(("openvino", "onnx")) else folder)
    embed(texts[:1])
    start = time.perf_counter() - began
    vectors = embed(texts)
    cosine = float((vectors * np.array([row["vector"] for row in rows], dtype=np.float32)).sum(axis=1).min())

    took = []
    for _ in range(_ASKED):
        before = time.perf_counter()
        embed([QUESTION])
        took.append(time.perf_counter() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    from retrieval.embed import Embedder

    many = texts * 6
    tokens = sum(min(254, count) for count in Embedder().count_tokens(many))
    before = time.perf_counter()
    embed(many)
    speed = tokens / (time.perf_counter() - before)
    return {
        "name": name, "start": start, "memory": memory, "speed": speed, "question": sorted(took)[_ASKED // 2],
        "cosine": cosine,
    }  # fmt: skip


Embed = Callable[[Sequence[str]], Any]


def _own(_folder: Path) -> tuple[str, Embed]:
    from retrieval.embed import Embedder

    return "Strongroom: static 8-bit", Embedder().embed


def _torch(folder: Path) -> tuple[str, Embed]:
    from retrieval import sentence_transformers_folder as folders
    from retrieval.sentence_transformers_model import Model

    model = Model(folders.look(folder), "")
    # As the library is used by itself, 32 texts at once; Strongroom gives it four, so that a question hardly waits.
    return "sentence-transformers", lambda texts: model._model.encode(  # noqa: SLF001 - what is measured
        list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
    )


def _openvino(graphs: Path, precision: str) -> tuple[str, Embed]:
    """The original's graph in the default's runtime, without quantising it."""
    import openvino as ov

    from retrieval import embed as own

    compile_model = ov.Core.compile_model
    ov.Core.compile_model = lambda core, model, device, given: compile_model(  # type: ignore[method-assign]
        core, model, device, {**given, "INFERENCE_PRECISION_HINT": precision}
    )
    return f"OpenVINO, {precision}", own.Embedder(graphs).embed


def _onnx(graphs: Path) -> tuple[str, Embed]:
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(graphs / "model.onnx")
    words = Tokenizer.from_file(str(graphs / "tokenizer.json"))
    words.enable_truncation(256)
    words.enable_padding()

    def embed(texts: Sequence[str]) -> Any:
        out = []
        for at in range(0, len(texts), 32):
            some = words.encode_batch(list(texts[at : at + 32]))
            ids, mask = (np.array([getattr(e, key) for e in some]) for key in ("ids", "attention_mask"))
            hidden = session.run(None, dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))[0]
            total = (hidden * mask[..., None]).sum(axis=1)
            out.append(total / np.linalg.norm(total, axis=1, keepdims=True))
        return np.concatenate(out)

    return "ONNX Runtime, f32", embed


RUNTIMES: dict[str, Callable[[Path], tuple[str, Embed]]] = {
    "own": _own,
    "torch": _torch,
    "openvino f32": lambda folder: _openvino(folder, "f32"),
    "openvino bf16": lambda folder: _openvino(folder, "bf16"),
    "onnx": _onnx,
}

if __name__ == "__main__":
    sys.exit(main())
