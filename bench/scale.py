"""A vault of many chunks: how long it takes to open beyond the key derivation, with how much memory, and to search.

    python -m bench.scale [CHUNKS]

The texts are paragraphs of the public contracts and abstracts, each made distinct; the vectors beyond the first 5,000
are disturbed copies of real ones, because embedding is measured apart.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from bench.files import shared_data
from retrieval import keyword
from retrieval.embed import Embedder
from retrieval.index import Index
from vault import documents
from vault.keys import FLOOR
from vault.records import Chunk, Document
from vault.vault import Vault

REAL = 5_000
CHUNK = 800  # characters
A_DOCUMENT = 10  # chunks
QUESTIONS = [
    "Does the agreement allow the receiving party to share confidential information with its employees?",
    "what happens to the information when the agreement ends",
    "INV-2024-0031",
    "recieving party obligtions",
    "what is the",
    "governing law of Delaware after:2020",
]


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--open":
        print(json.dumps(opened(Path(sys.argv[2]))))
        return
    chunks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        code = fill(folder, chunks)
        (folder / "code").write_text(code)
        size = sum(each.stat().st_size for each in (folder / "vault").iterdir()) / 1e6
        print(f"{chunks} chunks, vault of {size:.0f} MB")
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-m", "bench.scale", "--open", name], text=True))
            for _ in range(3)
        ]
    opening = statistics.median(run["open"] for run in runs)
    print(f"opening beyond the key derivation: {opening:.2f} s (asked for: at most 1 s)")
    print(f"memory once open, model included: {max(run['memory'] for run in runs):.0f} MB (asked for: at most 700 MB)")
    print(
        f"search: median {statistics.median(run['median'] for run in runs):.0f} ms, 95th percentile"
        f" {statistics.median(run['p95'] for run in runs):.0f} ms (asked for: at most 50 ms)"
    )
    print(f"removing a document of {A_DOCUMENT} chunks: {statistics.median(run['remove'] for run in runs):.2f} s")


def paragraphs() -> Iterator[str]:
    """Texts of about a chunk's length, without end; later rounds are told from earlier ones by a number in each."""
    sources = [
        *sorted((shared_data() / "contracts/cuad/full_contract_txt").rglob("*.txt")),
        shared_data() / "general/scifact/corpus.jsonl",
    ]
    turn = 0
    while True:
        for source in sources:
            text = source.read_text(errors="replace")
            for at in range(0, len(text) - CHUNK, CHUNK):
                yield text[at : at + CHUNK] if not turn else f"{turn * 7919 + at} {text[at : at + CHUNK]}"
        turn += 1


def fill(folder: Path, chunks: int) -> str:
    """Make the vault; returns its recovery code, which opens it without a derivation."""
    vault, code = Vault.create(folder / "vault", "a passphrase for measuring", state=folder / "state", cost=FLOOR)
    embedder = Embedder()
    random = np.random.default_rng(1)
    source = paragraphs()
    real: list[np.ndarray] = []
    with vault.write() as db:
        db.execute("INSERT INTO folder (path, shown, added, device, inode) VALUES (x'2f6d616465', '/made', 0, 0, 0)")
    done = 0
    while done < chunks:
        with vault.write() as db:
            indexed = []
            for _ in range(50):
                texts = list(islice(source, A_DOCUMENT))
                body = "\n".join(texts)
                at, pieces = 0, []
                for text in texts:
                    pieces.append(Chunk(at, at + len(text)))
                    at += len(text) + 1
                document = Document(f"{done:064x}", "note", f"paper {done}", body, metadata={"date": "2024-05-01"})
                number, ids = documents.add(
                    db,
                    document,
                    prefix=document.title,
                    chunks=pieces,
                    keys=[(done + n).to_bytes(16, "big") for n in range(len(pieces))],
                )
                db.execute(
                    "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
                    " VALUES (1, ?, ?, 0, 0, 0, 'done', 0)",
                    (f"/made/{done}".encode(), f"/made/{done}"),
                )
                documents.place(db, db.last_insert_rowid(), "", number, None)
                if len(real) * A_DOCUMENT < REAL:
                    real.append(embedder.embed(texts))
                vectors = real[done // A_DOCUMENT % len(real)]
                if done >= REAL:
                    vectors = vectors + random.normal(0, 0.02, vectors.shape)
                    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                db.executemany(
                    "INSERT INTO vector VALUES (?,?)",
                    [(i, v.astype("<f2").tobytes()) for i, v in zip(ids, vectors, strict=True)],
                )
                indexed += zip(ids, texts, strict=True)
                done += len(texts)
            keyword.add(db, indexed)
    vault.close()
    return code


def opened(folder: Path) -> dict[str, float]:
    """Open the vault in this process and measure; the model is loaded before, as it is while a passphrase is typed."""
    embedder = Embedder()
    embedder.embed(["warm"])
    began = time.perf_counter()
    vault = Vault.open(folder / "vault", (folder / "code").read_text(), state=folder / "state")
    index = Index(vault, embedder)
    index.refresh()
    took = time.perf_counter() - began
    memory = peak_mb()
    times = []
    for _ in range(6):
        for question in QUESTIONS:
            began = time.perf_counter()
            index.search(question, k=10)
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    began = time.perf_counter()
    with vault.write() as db:
        number = db.execute("SELECT max(number) FROM document").get
        removed = documents.remove(db, [number])
        keyword.remove(db, {*removed, -number})
    index.refresh(removed)
    gone = time.perf_counter() - began
    vault.close()
    return {
        "open": took,
        "memory": memory,
        "median": statistics.median(times),
        "p95": times[int(len(times) * 0.95)],
        "remove": gone,
        "pid": os.getpid(),
    }


def peak_mb() -> float:
    """The most memory that this process had, MB. (getrusage would give the parent's, where that had more.)"""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
