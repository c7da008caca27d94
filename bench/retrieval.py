"""How well and how fast search finds: SciFact, ContractNLI, PrivacyQA, and 100,000 made-up chunks.

    python -m bench.retrieval [scifact] [contracts] [speed]

Questions are split in halves by a hash: the shares of the mix were fitted on half A, and
half B checks them. All runs through ingest/chunk.py and Index.search as in the engine, from a database in memory.
"""

import hashlib
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np

from bench.files import machine, shared_data
from bench.household import Papers
from bench.scifact import load, ndcg
from retrieval import keyword, query, select
from retrieval.embed import Embedder
from retrieval.query import Filters
from vault.records import Document

LIMITS = (2_000, 12_000)  # characters returned within which gold characters count


class Asked(NamedTuple):
    """A question and the spans of text that answer it."""

    text: str
    gold: list[tuple[str, int, int]]  # path, start, end


def half(text: str) -> str:
    return "AB"[hashlib.sha256(text.encode()).digest()[0] & 1]


def filled(embedder: Embedder, texts: Iterator[tuple[str, str, str]]) -> Papers:
    """An index of (path, title, text)."""
    papers = Papers(embedder)
    for path, title, text in texts:
        number = hashlib.sha256((path + text).encode()).hexdigest()
        papers.add(path, [Document(id=number, kind="document", title=title, text=text)])
    papers.index.refresh()
    return papers


# --- SciFact ----------------------------------------------------------------------------------------------------------


def scifact(embedder: Embedder) -> dict[str, float]:
    data = load(shared_data() / "general" / "scifact")
    papers = filled(embedder, ((number, title, text) for number, (title, text) in data.documents.items()))
    out: dict[str, float] = {}
    for name, ranked in rankings(papers, 40).items():
        scores = {c: ndcg(documents(ranked(text)), data.relevant[c]) for c, text in data.claims.items()}
        out[f"SciFact nDCG@10, {name}"] = mean(scores.values())
        for part in "AB":
            some = [score for c, score in scores.items() if half(data.claims[c]) == part]
            out[f"SciFact nDCG@10, {name}, half {part}"] = mean(some)
    return out


def documents(passages: Sequence[tuple[str, int, int]]) -> list[str]:
    return list(dict.fromkeys(path for path, _, _ in passages))


# --- ContractNLI and PrivacyQA ----------------------------------------------------------------------------------------


def contracts(embedder: Embedder) -> dict[str, float]:
    folder = shared_data() / "contracts" / "legalbench_rag"
    files = sorted((folder / "corpus").rglob("*.txt"))
    texts = ((str(f.relative_to(folder / "corpus")), "", f.read_bytes().decode()) for f in files)
    papers = filled(embedder, texts)
    out: dict[str, float] = {}
    for name, file, count in (("ContractNLI", "contractnli.json", 300), ("PrivacyQA", "privacy_qa.json", 100)):
        tests = json.loads((folder / file).read_text())["tests"]
        questions = [Asked(t["query"], [(s["file_path"], *s["span"]) for s in t["snippets"]]) for t in tests]
        chosen = random.Random(7).sample(questions, min(count, len(questions)))
        for part in ("A", "B"):
            some = [q for q in chosen if half(q.text) == part]
            for way, ranked in rankings(papers, 60).items():
                out |= spans(f"{name}, named, {way}, half {part}", some, ranked)

            def inside(question: str, path: str) -> list[tuple[str, int, int]]:
                words = question.split(";", 1)[-1].strip()
                found = papers.index.search(words, k=60, filters=Filters(path=(path,)))
                return [(p.path, p.start, p.end) for p in found]

            got = [recalls(inside(q.text, q.gold[0][0]), q.gold) for q in some]
            for at, limit in enumerate(LIMITS):
                out[f"{name}, inside the right document, half {part}, recall in {limit:,}"] = mean(r[at] for r in got)
    return out


def spans(name: str, questions: list[Asked], ranked: Callable[[str], list[tuple[str, int, int]]]) -> dict[str, float]:
    found = [ranked(q.text) for q in questions]
    got = [recalls(f, q.gold) for f, q in zip(found, questions, strict=True)]
    right = [bool(f) and f[0][0] in {path for path, _, _ in q.gold} for f, q in zip(found, questions, strict=True)]
    return {f"{name}, right document first": mean(right)} | {
        f"{name}, recall in {limit:,}": mean(r[at] for r in got) for at, limit in enumerate(LIMITS)
    }


def recalls(found: Sequence[tuple[str, int, int]], gold: Sequence[tuple[str, int, int]]) -> list[float]:
    """For each limit the share of gold characters within that many characters returned."""
    total = sum(end - start for _, start, end in gold)
    out = []
    for limit in LIMITS:
        left, hit = limit, 0
        for path, start, end in found:
            stop = min(end, start + left)
            hit += sum(max(0, min(stop, e) - max(start, s)) for p, s, e in gold if p == path)
            left -= stop - start
            if left <= 0:
                break
        out.append(hit / total)
    return out


def rankings(papers: Papers, k: int) -> dict[str, Callable[[str], list[tuple[str, int, int]]]]:
    """Ways to rank: each half of the search by itself, by reciprocal ranks, and the search as it is."""
    snapshot = papers.index._snapshot  # noqa: SLF001 - the parts are measured that a user never sees apart
    assert snapshot is not None
    with papers.read() as db:
        rows = db.execute(
            "SELECT chunk.id, file.shown, chunk.start, chunk.end FROM chunk JOIN location USING (document)"
            " JOIN file ON file.id = location.file"
        ).fetchall()
    where = {chunk: (path, start, end) for chunk, path, start, end in rows}
    allowed = snapshot.alive

    def scores(question: str) -> select.Scores:
        wanted = query.parse(question)
        return select.Scores(snapshot, wanted, papers.embedder.embed([wanted.text])[0], allowed, len(snapshot.ids))

    def at(values: np.ndarray) -> list[tuple[str, int, int]]:
        return [where[int(snapshot.ids[place])] for place in select.best(values, k).tolist()]

    def reciprocal(question: str) -> list[tuple[str, int, int]]:
        s = scores(question)
        total = np.zeros(len(snapshot.ids))
        for values in (s.keyword, s.cosine):
            places = select.best(values, 1000)
            total[places] += 1 / (60 + np.arange(1, len(places) + 1))
        return at(total)

    def whole(question: str) -> list[tuple[str, int, int]]:
        return [(p.path, p.start, p.end) for p in papers.index.search(question, k=k)]

    return {
        "keyword": lambda question: at(scores(question).keyword),
        "vectors": lambda question: at(scores(question).cosine),
        "reciprocal ranks": reciprocal,
        "search": whole,
    }


# --- speed ------------------------------------------------------------------------------------------------------------


def speed(embedder: Embedder, chunks: int = 100_000) -> dict[str, float]:
    """Latency, opening and memory at `chunks` chunks of shuffled real sentences with random vectors."""
    folder = shared_data() / "contracts" / "legalbench_rag" / "corpus"
    sentences = [
        line for f in sorted(folder.rglob("*.txt")) for line in f.read_text().split(". ") if 40 < len(line) < 400
    ]
    draw = random.Random(3)
    made = np.random.default_rng(3)
    papers = Papers(embedder)
    indexing = 0.0
    with papers.read() as db:
        for first in range(0, chunks, 2_000):
            size = min(2_000, chunks - first)
            texts = [". ".join(draw.choices(sentences, k=5)) for _ in range(size)]
            ids = add_rows(db, first, texts)
            started = time.perf_counter()
            keyword.add(db, list(zip(ids, texts, strict=True)))
            indexing += time.perf_counter() - started
            vectors = made.standard_normal((size, 384), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            values = [(i, v.astype("<f2").tobytes()) for i, v in zip(ids, vectors, strict=True)]
            db.executemany("INSERT INTO vector VALUES (?, ?)", values)
    before = resource_mb()
    started = time.perf_counter()
    papers.index.refresh()
    out = {
        "chunks": chunks,
        "keyword indexing, chunks a second": chunks / indexing,
        "opening both indexes, s": time.perf_counter() - started,
        "memory that they take, MB": resource_mb() - before,
    }
    questions = [
        "Does the agreement allow the receiving party to share confidential information with its employees?",
        "what happens to the information when the agreement ends",
        "INV-2024-0031", "recieving party obligtions", "governing law of Delaware after:2020",
    ]  # fmt: skip
    times: dict[str, list[float]] = {}
    for _ in range(8):
        for question in questions:
            started = time.perf_counter()
            papers.index.search(question, k=10)
            times.setdefault(question, []).append((time.perf_counter() - started) * 1000)
    for question, took in times.items():
        out[f"search, median ms: {question[:40]}"] = median(took)
    started = time.perf_counter()
    with papers.read() as db:
        keyword.remove(db, ids[:3])
    out["removing three chunks, ms"] = (time.perf_counter() - started) * 1000
    papers.index.refresh(ids[:3])
    out["with the refresh, ms"] = (time.perf_counter() - started) * 1000
    return out


def add_rows(db: object, first: int, texts: list[str]) -> list[int]:
    """Ten chunks a document; returns the chunks' ids."""
    ids = []
    for at in range(0, len(texts), 10):
        some = texts[at : at + 10]
        name = f"made-up-{first + at}.txt"
        db.execute(  # type: ignore[attr-defined]
            "INSERT INTO document (id, kind, title, prefix, time, characters, added)"
            " VALUES (?, 'note', '', ?, ?, 0, 0)",
            (name, name, 1.5e9 + first + at),
        )
        number = db.last_insert_rowid()  # type: ignore[attr-defined]
        body = "\n".join(some)
        db.execute("INSERT INTO content VALUES (?, ?, x'5b5d')", (number, body.encode()))  # type: ignore[attr-defined]
        start = 0
        for text in some:
            db.execute(  # type: ignore[attr-defined]
                "INSERT INTO chunk (document, start, end, key) VALUES (?, ?, ?, x'')",
                (number, start, start + len(text)),
            )
            ids.append(db.last_insert_rowid())  # type: ignore[attr-defined]
            start += len(text) + 1
    return ids


def resource_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")] or ["scifact", "contracts", "speed"]
    print(machine())
    embedder = Embedder()
    for name in wanted:
        for line, value in {"scifact": scifact, "contracts": contracts, "speed": speed}[name](embedder).items():
            print(f"{line:72} {value:10.4g}", flush=True)


if __name__ == "__main__":
    main()
