"""From scores to passages: what the filters let through, how the scores are mixed, which of the best are shown."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from retrieval import rank, terms, typos
from retrieval.query import Filters, Query, seconds

if TYPE_CHECKING:
    import apsw
    import numpy as np

    from retrieval.index import Snapshot

    Array = np.ndarray[Any, Any]

# Shares of the mix (a convex mix of normalised scores beats reciprocal ranks and needs few questions to fit: Bruch,
# Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, 2022). Fitted on one half of the questions of
# SciFact and ContractNLI, checked on the other: bench/retrieval.py.
VECTOR = 0.5
KEYWORD = 0.35
TITLE = 0.15

_SURE = 0.45  # cosine below which even the best chunk may be about something else
_IDENTIFIER = 1.0  # at least the whole mix: a passage with the identifier comes before all without
_IDENTIFIER_CHUNKS = 50  # what stands in more chunks than this and in more than one of 200 names no single thing
_THREAD = 0.6  # how far a mail's score moves towards the best of its thread
_THREADS = 3  # threads that are brought along, and
_MATES = 2  # chunks of each


class Scores:
    """All chunks' scores for one query. Arrays run over the snapshot's places."""

    def __init__(
        self, snapshot: "Snapshot", query: Query, vector: "Array | None", allowed: "Array", count: int
    ) -> None:
        """`count` is how many of the best will be looked at."""
        import numpy as np

        size = len(snapshot.ids)
        asked = typos.corrected(snapshot.parts + snapshot.titles, query.words)
        keyword = rank.bm25(snapshot.parts, asked, size)
        self.keyword = _share(keyword, allowed)
        self.title = _titles(snapshot, asked)[snapshot.owners]
        self.identifier = _identified(snapshot, query.identifiers, size)
        self.vector = vector
        counted = allowed & snapshot.embedded
        self.cosine = np.zeros(size, dtype=np.float32)
        if vector is not None:
            named = np.zeros(0, dtype=np.int64)
            if snapshot.vectors.approximate:
                words = KEYWORD * self.keyword + TITLE * self.title + _IDENTIFIER * self.identifier
                named = best(np.where(counted & (words > 0), words, np.float32(-1)), count)
            self.cosine = snapshot.embedder.on_scale(snapshot.vectors.cosines(vector, counted, named))
        meaning = _spread(self.cosine, counted)
        mix = KEYWORD * self.keyword + VECTOR * meaning + TITLE * self.title
        mix = (mix + _IDENTIFIER * self.identifier) / (1 + _IDENTIFIER)
        found = allowed & ((self.keyword > 0) | (self.title > 0) | snapshot.embedded)
        self.mix = np.where(found, mix, np.float32(-1))
        """0 to 1; -1 for what is not to be shown"""

    def why(self, place: int) -> str:
        """In a word, what found the chunk."""
        if self.identifier[place] > 0:
            return "identifier"
        if self.keyword[place] > 0.5:
            return "words and meaning" if self.cosine[place] > 0.4 else "words"
        return "name" if self.title[place] > 0.3 else "meaning"


def let_through(db: "apsw.Connection", snapshot: "Snapshot", filters: Filters) -> "Array":
    """Whether each chunk's document passes the filters, bool."""
    import numpy as np

    numbers = np.fromiter(matching(db, filters), dtype=np.int64)
    passed: Array = np.isin(snapshot.numbers, numbers)[snapshot.owners]
    return passed


def best(scores: "Array", count: int) -> "Array":
    """Places of the best `count` scores that are not negative, best first; equal ones in the order of places."""
    import numpy as np

    if count < len(scores):
        bar = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= max(float(bar), 0.0))
    else:
        places = np.flatnonzero(scores >= 0)
    return places[np.argsort(-scores[places], kind="stable")][:count]


def having_all(snapshot: "Snapshot", words: Sequence[str], scores: "Array") -> "Array":
    """The scores of the chunks that have all of the words, -1 for the others."""
    import numpy as np

    size = len(snapshot.ids)
    having = np.full(size, bool(words))
    for word in set(words):
        having &= rank.bm25(snapshot.parts, [(word, 1.0)], size) > 0
    return np.where(having, scores, np.float32(-1))


def documents_having_all(snapshot: "Snapshot", text: str) -> list[int]:
    """Numbers of the documents whose chunks have all of the terms of `text` between them, ascending."""
    import numpy as np

    having = np.ones(len(snapshot.numbers), dtype=bool)
    wanted = {word.encode() for word in terms.terms(text)}
    for word in wanted:
        there = np.zeros(len(snapshot.numbers), dtype=bool)
        for part in snapshot.parts:
            if (number := part.segment.find(word)) >= 0:
                places = part.places[part.segment.postings(number)[0]]
                places = places[places >= 0]
                there[snapshot.owners[places[snapshot.alive[places]]]] = True
        having &= there
    found: list[int] = snapshot.numbers[having].tolist() if wanted else []
    return found


def with_threads(db: "apsw.Connection", snapshot: "Snapshot", scores: "Array", places: "Array") -> "Array":
    """Scores in which other mails of the best mails' threads have moved up; `places` are the best ones, in order.

    A reply often lacks the words that it answers to.
    """
    import numpy as np

    moved = scores
    seen: set[str] = set()
    for place in places[: 2 * _THREADS].tolist():
        if len(seen) == _THREADS:
            break
        number = int(snapshot.numbers[snapshot.owners[place]])
        thread: Any = db.execute("SELECT thread FROM document WHERE number = ?", (number,)).get
        if not thread or thread in seen:
            continue
        seen.add(thread)
        mates = [n for (n,) in db.execute("SELECT number FROM document WHERE thread = ? LIMIT 200", (thread,))]
        if len(mates) < 2:
            continue
        if moved is scores:
            moved = scores.copy()
        owners = np.searchsorted(snapshot.numbers, mates)
        there = np.flatnonzero(
            np.isin(snapshot.owners, owners) & (scores >= 0) & (snapshot.owners != snapshot.owners[place])
        )
        there = there[np.argsort(-scores[there], kind="stable")][:_MATES]
        there = there[scores[there] < scores[place]]
        moved[there] = np.maximum(moved[there], scores[there] + _THREAD * (scores[place] - scores[there]))
    return moved


def matching(db: "apsw.Connection", filters: Filters) -> Iterator[int]:
    """Numbers of the documents that the filters let through."""
    conditions: list[str] = []
    values: list[Any] = []

    def any_of(column: str, wanted: Sequence[str], how: str) -> str:
        values.extend(wanted)
        return "(" + " OR ".join([f"{column} {how}"] * len(wanted)) + ")"

    contains = "LIKE ? ESCAPE '\\'"
    if filters.kind:
        conditions.append(any_of("document.kind", [value.lower() for value in filters.kind], "= ?"))
    if filters.sender:
        conditions.append(any_of("document.sender", [_like(value) for value in filters.sender], contains))
    if filters.after:
        conditions.append("document.time >= ?")
        values.append(seconds(filters.after))
    if filters.before:
        conditions.append("document.time < ?")
        values.append(seconds(filters.before))
    if filters.folder or filters.path:
        inner = ["location.document = document.number"]
        if filters.folder:
            inner.append(any_of("folder.shown", [_like(value) for value in filters.folder], contains))
        if filters.path:
            patterns = [_like(value) for value in filters.path]
            inner.append(any_of("file.shown || '/' || location.part", patterns, contains))
        conditions.append(
            "EXISTS (SELECT 1 FROM location JOIN file ON file.id = location.file JOIN folder ON folder.id = file.folder"
            f" WHERE {' AND '.join(inner)})"
        )
    for (number,) in db.execute(f"SELECT number FROM document WHERE {' AND '.join(conditions)}", values):
        yield number


def _like(value: str) -> str:
    """A LIKE pattern for text that contains `value`; only * is special in it."""
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped.replace('*', '%')}%"


def _share(scores: "Array", allowed: "Array") -> "Array":
    """Scores as shares of the best one that is allowed: 0 to 1."""
    import numpy as np

    top = float(scores.max(initial=0, where=allowed))
    return np.minimum(scores / np.float32(top), 1) if top > 0 else np.zeros_like(scores)


def _spread(cosine: "Array", counted: "Array") -> "Array":
    """Cosines as shares of the way from the mean (0) to the best, or to what is surely about it if that is more (1)."""
    import numpy as np

    if not counted.any():
        return np.zeros_like(cosine)
    top = max(_SURE, float(cosine.max(initial=-1, where=counted)))
    middle = min(float(cosine.mean(where=counted)), _SURE / 2)
    return np.where(counted, np.clip((cosine - middle) / (top - middle), 0, 1), 0).astype(np.float32)


def _titles(snapshot: "Snapshot", words: Sequence[tuple[str, float]]) -> "Array":
    """How surely the question names each document: 0 to 1.

    A word counts by how rare it is among titles and among chunks: `agreement` in a file's name says little where all
    chunks have it, a company's name says all. 1 is what one word gives that stands in one title and one chunk only.
    """
    import numpy as np

    chunks, titles = len(snapshot.ids), len(snapshot.numbers)
    weighted = [(word, weight * _rarity(rank.frequency(snapshot.parts, word), chunks)) for word, weight in words]
    sure = _rarity(1, chunks) * _rarity(1, titles)
    return np.minimum(rank.bm25(snapshot.titles, weighted, titles) / np.float32(max(sure, 1e-6)), 1)


def _rarity(found: int, total: int) -> float:
    """BM25's inverse document frequency."""
    return math.log(1 + (total - found + 0.5) / (found + 0.5))


def _identified(snapshot: "Snapshot", identifiers: Sequence[str], size: int) -> "Array":
    """How many of the question's identifiers each chunk has, as a share of the most that one has."""
    import numpy as np

    total = np.zeros(size, dtype=np.float32)
    longest_first = sorted(identifiers, key=len, reverse=True)
    used: list[str] = []
    for identifier in longest_first:
        if any(identifier in longer for longer in used):
            continue  # a part of one that was found
        seldom = max(_IDENTIFIER_CHUNKS, size // 200)
        for parts, owners in ((snapshot.parts, None), (snapshot.titles, snapshot.owners)):
            if 0 < rank.frequency(parts, identifier) <= seldom:
                there = rank.bm25(parts, [(identifier, 1.0)], size if owners is None else len(snapshot.numbers)) > 0
                # A document that bears it in its name comes after a passage that has it.
                total += there if owners is None else 0.5 * there[owners]
                used.append(identifier)
    share: Array = np.minimum(total / max(1.0, float(total.max(initial=0))), 1)
    return share
