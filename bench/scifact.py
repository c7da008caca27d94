"""SciFact (Wadden et al. 2020, as BEIR uses it): 5,183 abstracts, 300 claims, and how well vectors alone rank them."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from retrieval.embed import Embedder

ONE_IN = 6  # of the abstracts that no claim needs, in the part that a test has time for


class SciFact(NamedTuple):
    """The corpus and its questions."""

    documents: dict[str, tuple[str, str]]
    """title and abstract"""
    claims: dict[str, str]
    relevant: dict[str, set[str]]
    """for each claim the documents that bear on it"""


def load(folder: Path) -> SciFact:
    """The files of `general/scifact`."""

    def rows(name: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]

    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels.dev_as_beir_test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        claim, document, _ = line.split("\t")
        relevant.setdefault(claim, set()).add(document)
    claims = {row["_id"]: row["text"] for row in rows("queries.dev_as_beir_test.jsonl") if row["_id"] in relevant}
    return SciFact({row["_id"]: (row["title"], row["text"]) for row in rows("corpus.jsonl")}, claims, relevant)


def part(whole: SciFact) -> SciFact:
    """The abstracts that some claim needs and one in six of the others: about 1,100."""
    needed = set().union(*whole.relevant.values())
    others = [number for number in whole.documents if number not in needed][::ONE_IN]
    return whole._replace(documents={number: whole.documents[number] for number in (*sorted(needed), *others)})


def ndcg(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Of the first ten, relevance being 0 or 1."""
    from math import log2

    gain = sum(1 / log2(place + 2) for place, document in enumerate(ranked[:10]) if document in relevant)
    return gain / sum(1 / log2(place + 2) for place in range(min(10, len(relevant))))


def by_vectors(data: SciFact, embedder: "Embedder") -> float:
    """nDCG@10 of cosines alone, an abstract being one text of which the model reads the first 256 tokens."""
    import numpy as np

    numbers = list(data.documents)
    vectors = embedder.embed([f"{title} {text}" for title, text in data.documents.values()])
    claims = list(data.claims)
    scores = embedder.embed([data.claims[claim] for claim in claims]) @ vectors.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    gains = [
        ndcg([numbers[place] for place in row], data.relevant[claim])
        for claim, row in zip(claims, best.tolist(), strict=True)
    ]
    return sum(gains) / len(gains)
