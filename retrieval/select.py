"""From scores to passages: what is let through, how the scores are mixed, which of the best are shown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from retrieval import rank, typos
from retrieval.passage import Passage
from retrieval.query import Filters, Query, seconds

if TYPE_CHECKING:
    import apsw
    import numpy as np

    from retrieval.index import Snapshot, Store

    Array = np.ndarray[Any, Any]

# Shares of the mix (Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, 2022: a convex mix of
# normalised scores beats reciprocal ranks, and needs few questions to fit). Fitted by bench/retrieval.py.
VECTOR = 0.5
KEYWORD = 0.5
TITLE = 0.5

_IDENTIFIER = 10.0  # above any mix
_PHRASE = 1.0
_CANDIDATES = 10  # looked at for each passage wanted, because duplicates fold and documents share the room


def select(store: "Store", snapshot: "Snapshot", query: Query, vector: "Array | None", k: int) -> list[Passage]:
    """The best `k` passages of a snapshot for a query, whose embedding is `vector`."""
    import numpy as np

    allowed = snapshot.alive
    if query.filters:
        with store.read() as db:
            numbers = matching(db, query.filters)
        allowed = allowed & np.isin(snapshot.numbers, np.fromiter(numbers, dtype=np.int64))[snapshot.owners]
    if not allowed.any():
        return []
    size = len(snapshot.ids)
    words = typos.corrected(snapshot.parts + snapshot.titles, query.words)
    keyword = rank.bm25(snapshot.parts, words, size)
    title = rank.bm25(snapshot.titles, words, len(snapshot.numbers))
    cosine = snapshot.vectors @ vector if vector is not None else np.zeros(size, dtype=np.float32)
    named = _identified(snapshot, query.identifiers, size)

    keyword_share = _share(keyword, allowed)
    title_share = _share(title, None)[snapshot.owners]
    mix = KEYWORD * keyword_share + VECTOR * _spread(cosine, allowed & snapshot.embedded) + TITLE * title_share
    mix += _IDENTIFIER * named
    mix[~allowed] = -1
    found = allowed & ((keyword > 0) | snapshot.embedded | (title_share > 0))
    best = _top(np.where(found, mix, -1), k * _CANDIDATES)
    most = KEYWORD + VECTOR + TITLE

    with store.read() as db:
        passages = []
        for place in best.tolist():
            made = _passage(db, int(snapshot.ids[place]))
            if made is None:
                continue  # removed since this snapshot
            why = _why(named[place], keyword_share[place], cosine[place], title_share[place])
            score = min(1.0, float(mix[place]) / most)
            passages.append(_scored(made, score, float(keyword_share[place]), float(cosine[place]), why))
        return list(_folded(passages, k))


def matching(db: "apsw.Connection", filters: Filters) -> Iterator[int]:
    """Numbers of the documents that the filters let through."""
    conditions: list[str] = []
    values: list[Any] = []

    def any_of(column: str, wanted: Sequence[str], how: str) -> str:
        values.extend(wanted)
        return "(" + " OR ".join([f"{column} {how}"] * len(wanted)) + ")"

    if filters.kind:
        conditions.append(any_of("document.kind", [value.lower() for value in filters.kind], "= ?"))
    if filters.sender:
        conditions.append(any_of("document.sender", list(map(_like, filters.sender)), "LIKE ? ESCAPE '\\'"))
    if filters.after:
        conditions.append("document.time >= ?")
        values.append(seconds(filters.after))
    if filters.before:
        conditions.append("document.time < ?")
        values.append(seconds(filters.before))
    if filters.folder or filters.path:
        inner = ["location.document = document.number"]
        if filters.folder:
            inner.append(any_of("folder.shown", list(map(_like, filters.folder)), "LIKE ? ESCAPE '\\'"))
        if filters.path:
            inner.append(
                any_of("file.shown || '/' || location.part", list(map(_like, filters.path)), "LIKE ? ESCAPE '\\'")
            )
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


def _share(scores: "Array", allowed: "Array | None") -> "Array":
    """Scores as shares of the best one that is allowed; 0 to 1."""
    import numpy as np

    best = float(scores.max(initial=0) if allowed is None else scores.max(initial=0, where=allowed))
    return np.minimum(scores / best, 1) if best > 0 else np.zeros_like(scores)


def _spread(cosine: "Array", counted: "Array") -> "Array":
    """Cosines as shares between the middle of what there is (0) and the best (1)."""
    import numpy as np

    if not counted.any():
        return np.zeros_like(cosine)
    best = float(cosine.max(initial=-1, where=counted))
    middle = float(cosine[counted].mean())
    return np.where(counted, np.clip((cosine - middle) / max(best - middle, 1e-6), 0, 1), 0).astype(np.float32)


def _identified(snapshot: "Snapshot", identifiers: Sequence[str], size: int) -> "Array":
    """How many of the question's identifiers stand in each chunk, as a share of those that stand anywhere."""
    import numpy as np

    total = np.zeros(size, dtype=np.float32)
    for identifier in identifiers:
        there = rank.bm25(snapshot.parts, [(identifier, 1.0)], size) > 0
        total += there
    return total / max(1.0, float(total.max(initial=0)))


def _top(scores: "Array", count: int) -> "Array":
    """Places of the best `count` scores that are not negative, best first; equal ones in the order of places."""
    import numpy as np

    if count < len(scores):
        bar = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= max(bar, 0))
    else:
        places = np.flatnonzero(scores >= 0)
    return places[np.argsort(-scores[places], kind="stable")][:count]


def _why(named: float, keyword: float, cosine: float, title: float) -> str:
    if named > 0:
        return "identifier"
    if title > 0.5 and keyword < 0.5:
        return "name"
    if keyword > 0.5:
        return "words and meaning" if cosine > 0.4 else "words"
    return "meaning"


_PASSAGE = """
SELECT chunk.start, chunk.end, chunk.heading, document.id, document.number, document.kind, document.title,
       document.message_id, document.sender, document.date, document.thread, content.text, content.blocks
  FROM chunk JOIN document ON document.number = chunk.document JOIN content ON content.document = document.number
 WHERE chunk.id = ?
"""
_PLACES = """
SELECT file.shown, file.path, location.part FROM location JOIN file ON file.id = location.file
 WHERE location.document = ? ORDER BY file.state = 'missing', file.shown, location.part
"""


def _passage(db: "apsw.Connection", chunk: int) -> Passage | None:
    """The chunk's row as a passage, without scores."""
    from vault.documents import decode_blocks

    row: Any = db.execute(_PASSAGE, (chunk,)).fetchone()
    if row is None:
        return None
    start, end, heading, document, number, kind, title, message_id, sender, date, thread, text, blocks = row
    places: Any = db.execute(_PLACES, (number,)).fetchall()
    shown, raw, part = places[0] if places else ("", b"", "")
    page = next((b.page for b in decode_blocks(blocks) if b.end > start and b.page is not None), None)
    return Passage(
        chunk=chunk, document=document, number=number, kind=kind, title=title, path=shown, raw_path=raw, part=part,
        other_paths=tuple(dict.fromkeys(other for other, _, _ in places[1:] if other != shown)), page=page, start=start,
        end=end, text=str(text, "utf-8")[start:end], heading=heading, message_id=message_id, sender=sender, date=date,
        thread=thread, score=0.0, keyword=0.0, vector=0.0, why="",
    )  # fmt: skip


def _scored(passage: Passage, score: float, keyword: float, vector: float, why: str) -> Passage:
    from dataclasses import replace

    return replace(passage, score=score, keyword=keyword, vector=vector, why=why)


def _folded(passages: Sequence[Passage], k: int) -> Iterator[Passage]:
    """The first `k` with texts of their own; the others' paths go to the one that is shown."""
    from dataclasses import replace

    shown: dict[str, Passage] = {}
    for passage in passages:
        key = " ".join(passage.text.lower().split())
        first = shown.get(key)
        if first is None:
            if len(shown) < k:
                shown[key] = passage
        elif passage.path != first.path and passage.path not in first.other_paths:
            shown[key] = replace(first, other_paths=(*first.other_paths, passage.path))
    yield from shown.values()
