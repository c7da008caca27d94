"""Learn the weights of generation/ranking.py and generation/abstention.py, and print them with what they reach.

    python tools/train_extractive.py ../shared/data [--cache FILE]

Data: SQuAD 2 (dev), ContractNLI and PrivacyQA of LegalBench-RAG, the questions of `general/chunking`, all in one index.
Articles and contracts are halved by a hash of their name: one half is learned from, the other only measured. Each
answerable question is asked twice, the second time with the passages of the document that answers taken away (the
counter-test). Passages come from the real chunks, index and search. Seed 20261122, for which questions are taken; the
learning is exact (Newton's method for logistic regression with a ridge of 5).
"""

import argparse
import csv
import hashlib
import json
import pickle
import random
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.household import Papers
from generation import abstention, ranking
from generation.question import understand
from retrieval.embed import Embedder
from retrieval.passage import Passage
from vault.records import Document

SEED = 20261122
PASSAGES = 10
TRUST = 0.4  # of the learned weight of a passage's rank: in the sets one passage answers, at home a thing is said often
MOST_BYTES = 400_000  # of a text; longer ones cost minutes of embedding


@dataclass
class Asked:
    """A question with where its answer stands: places (document, start, end); none when it has no answer."""

    set: str
    tune: bool
    text: str
    gold: list[tuple[str, int, int]]


def half(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def squad(folder: Path, rng: random.Random, most: int) -> tuple[list[Document], list[Asked]]:
    documents, asked = [], []
    for article in json.loads((folder / "general/squad2/dev-v2.0.json").read_text())["data"]:
        title = article["title"].replace("_", " ")
        for n, paragraph in enumerate(article["paragraphs"]):
            name = f"{title} {n}"
            documents.append(Document(name, "document", title, paragraph["context"]))
            for qa in paragraph["qas"]:
                gold = [(name, a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"]]
                asked.append(Asked("squad" if gold else "squad-none", half(article["title"]), qa["question"], gold))
    return documents, thinned(asked, rng, most)


def legal(folder: Path, name: str, rng: random.Random, most: int) -> tuple[list[Document], list[Asked]]:
    root = folder / "contracts/legalbench_rag"
    documents, asked, seen = [], [], set()
    for test in json.loads((root / f"{name}.json").read_text())["tests"]:
        gold = [(s["file_path"], *s["span"]) for s in test["snippets"]]
        asked.append(Asked(name, half(gold[0][0]), test["query"], gold))
        for file, _, _ in gold:
            if file not in seen:
                seen.add(file)
                text = (root / "corpus" / file).read_text(encoding="utf-8")
                documents.append(Document(file, "contract", Path(file).stem.replace("_", " "), text))
    return documents, thinned(asked, rng, most)


def chunking(folder: Path, rng: random.Random, most: int) -> tuple[list[Document], list[Asked]]:
    """Questions over five long texts of different kinds; halved by question, because the texts are so few."""
    root = folder / "general/chunking/chunking_evaluation/evaluation_framework/general_evaluation_data"
    documents = [
        Document(f"chunking {path.stem}", "document", path.stem.replace("_", " "), path.read_text(encoding="utf-8"))
        for path in sorted((root / "corpora").glob("*.md"))
        if path.stat().st_size < MOST_BYTES
    ]
    texts = {each.id: each.text for each in documents}
    asked = []
    with (root / "questions_df.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = f"chunking {row['corpus_id']}"
            gold = [(name, r["start_index"], r["end_index"]) for r in json.loads(row["references"])]
            if name in texts and all(
                texts[name][s:e] == r["content"]
                for (_, s, e), r in zip(gold, json.loads(row["references"]), strict=True)
            ):
                asked.append(Asked("chunking", half(row["question"]), row["question"], gold))
    return documents, thinned(asked, rng, most)


def thinned(asked: list[Asked], rng: random.Random, most: int) -> list[Asked]:
    groups = defaultdict(list)
    for each in asked:
        groups[each.set, each.tune].append(each)
    return [each for key in sorted(groups) for each in rng.sample(groups[key], min(most, len(groups[key])))]


def search(papers: Papers, question: str, gone: list[tuple[str, int, int]], whole: bool) -> list[Passage]:
    """The first passages; without those of `gone` documents (`whole`), or without those that hold `gone` places."""
    found = []
    for each in papers.search(question, k=4 * PASSAGES):
        if any(each.document == d and (whole or (each.start < e and s < each.end)) for d, s, e in gone):
            continue
        found.append(each)
    return found[:PASSAGES]


def rows(asked: list[Asked], papers: Papers) -> list[dict]:
    """One row for each asking: features of all candidates and which of them are right."""
    out = []
    for n, each in enumerate(asked):
        if n % 200 == 0:
            print(f"{n} of {len(asked)}", file=sys.stderr)
        for counter in (False, True) if each.gold else (False,):
            passages = search(papers, each.text, each.gold if counter else [], each.set != "chunking")
            question = understand(each.text)[0]
            candidates = ranking.ranked(question, passages, papers.embedder)
            out.append(
                {
                    "asked": each,
                    "counter": counter,
                    "question": question,
                    "candidates": candidates,
                    "right": [any(meets(c, gold) for gold in each.gold) for c in candidates],
                    "reachable": any(
                        p.document == d and p.start < e and s < p.end for p in passages for d, s, e in each.gold
                    ),
                }
            )
    return out


def meets(candidate: ranking.Candidate, gold: tuple[str, int, int]) -> bool:
    document, start, end = gold
    at = candidate.passage.start
    common = min(end, at + candidate.end) - max(start, at + candidate.start)
    return candidate.passage.document == document and common >= 0.5 * min(end - start, candidate.end - candidate.start)


def fitted(x: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: float = 5.0) -> np.ndarray:
    """Logistic regression by Newton's method, on standardised features; returns bias and weights of the raw ones."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / spread])
    w = np.zeros(z.shape[1])
    penalty = np.diag([0.0] + [ridge] * (z.shape[1] - 1))
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        step = np.linalg.solve(
            (z * (weight * p * (1 - p))[:, None]).T @ z + penalty, z.T @ (weight * (y - p)) - penalty @ w
        )
        w += step
        if np.abs(step).max() < 1e-8:
            break
    raw = w[1:] / spread
    return np.concatenate([[w[0] - raw @ mean], raw])


def learn_ranking(data: list[dict]) -> None:
    x, y, weight = [], [], []
    for row in data:
        if row["asked"].tune and not row["counter"] and any(row["right"]):
            x += [c.features for c in row["candidates"]]
            y += row["right"]
            weight += [1 / len(row["right"])] * len(row["right"])
    found = fitted(np.array(x), np.array(y, float), np.array(weight) * 10)
    for n, name in enumerate(ranking.FEATURES, start=1):
        found[n] *= TRUST if name in ("first_passage", "rank", "relative") else 1.0
    ranking.WEIGHTS = tuple(np.round(found, 4).tolist())


def rescore(data: list[dict]) -> None:
    for row in data:
        for c in row["candidates"]:
            c.score = ranking.scored(row["question"], c)
        order = sorted(range(len(row["candidates"])), key=lambda n: -row["candidates"][n].score)
        row["candidates"] = [row["candidates"][n] for n in order]
        row["right"] = [row["right"][n] for n in order]


def learn_abstention(data: list[dict]) -> None:
    x, y, weight = [], [], []
    # The long texts of `chunking` say a thing in many places: without one of them it may well be answered.
    share = Counter((row["asked"].set, row["counter"]) for row in data if row["asked"].tune)
    for row in data:
        if row["asked"].tune and row["candidates"] and (row["asked"].set, row["counter"]) != ("chunking", True):
            x.append(abstention.features(row["question"], row["candidates"]))
            y.append(bool(row["asked"].gold) and not row["counter"])
            weight.append(1000 / share[row["asked"].set, row["counter"]])
    abstention.WEIGHTS = tuple(np.round(fitted(np.array(x), np.array(y, float), np.array(weight)), 4).tolist())


def report(data: list[dict]) -> None:
    for tune in (True, False):
        print("\nlearned from" if tune else "\nonly measured")
        for name in sorted({row["asked"].set for row in data}):
            some = [row for row in data if row["asked"].set == name and row["asked"].tune == tune]
            first = [row for row in some if not row["counter"]]
            line = f"  {name:12} {len(first):4}"
            if name != "squad-none":
                reach = np.mean([row["reachable"] for row in first])
                one = np.mean([bool(row["right"][:1]) and row["right"][0] for row in first])
                three = np.mean([any(row["right"][:3]) for row in first])
                line += f"  retrieved {reach:.3f}  first sentence {one:.3f}  first three {three:.3f}"
            for threshold in (0.35, 0.4, 0.45, 0.5, 0.6):
                said = [abstention.probability(row["question"], row["candidates"]) >= threshold for row in first]
                line += f"  | {threshold}: answered {np.mean(said):.2f}"
                again = [abstention.probability(row["question"], row["candidates"]) for row in some if row["counter"]]
                if again:
                    line += f" silent {np.mean([p < threshold for p in again]):.2f}"
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--most", type=int, default=400)
    given = parser.parse_args()
    if given.cache and given.cache.exists():
        data = pickle.loads(given.cache.read_bytes())
    else:
        rng = random.Random(SEED)
        papers = Papers(Embedder())
        every = []
        for documents, asked in (
            squad(given.data, rng, given.most),
            legal(given.data, "contractnli", rng, given.most // 4),
            legal(given.data, "privacy_qa", rng, given.most // 4),
            chunking(given.data, rng, given.most // 2),
        ):
            every += asked
            for number, document in enumerate(documents):
                papers.add(f"{len(every)}/{number}/{document.title}.txt", [document])
        papers.index.refresh()
        data = rows(every, papers)
        if given.cache:
            given.cache.write_bytes(pickle.dumps(data))
    learn_ranking(data)
    rescore(data)
    learn_abstention(data)
    print("ranking.WEIGHTS =", ranking.WEIGHTS)
    for name, value in zip(("bias", *ranking.FEATURES), ranking.WEIGHTS, strict=True):
        print(f"    {name:16} {value:8.3f}")
    print("abstention.WEIGHTS =", abstention.WEIGHTS)
    for name, value in zip(("bias", *abstention.FEATURES), abstention.WEIGHTS, strict=True):
        print(f"    {name:16} {value:8.3f}")
    report(data)


if __name__ == "__main__":
    main()
