"""The best places of a search as passages: rows read, duplicates folded, neighbours joined, the room shared."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrieval import select, terms
from retrieval.passage import Passage
from vault.documents import hidden_ranges

if TYPE_CHECKING:
    import apsw
    import numpy as np

    from retrieval.index import Snapshot

    Array = np.ndarray[Any, Any]

_SAME_VECTOR = 0.85  # cosine from which two chunks are compared word by word; their prefixes may differ
_SAME_WORDS = 0.9  # share of distinct words in common (Jaccard) from which they count as the same
_JOINED = 2  # chunks that are joined to one passage at most
_GAP = 200  # characters between neighbours that are joined: not a quoted reply or a running head's page
_PHRASE_CHUNKS = 300  # with all words of a quoted phrase that are read to see whether they have it
_FREE = 2  # passages of one document before its further ones lose
_LOSS = 0.97  # this share each: others come in between where they are about as good

# Start, end and page of each block, straight from the JSON of vault/documents.py: decoding a long document's lines
# would take longer than the whole search.
_PAGE = re.compile(rb'\[(\d+),(\d+),"\w*",\d+,(\d+|null),\[')

_ROW = """
SELECT document.id, document.kind, document.title, document.message_id, document.sender, document.date, document.thread,
       json_extract(document.metadata, '$.ocr_pages'), content.text, content.blocks
  FROM document JOIN content ON content.document = document.number WHERE number = ?
"""
_PLACES = """
SELECT file.shown, file.path, location.part FROM location JOIN file ON file.id = location.file
 WHERE location.document = ? ORDER BY file.state = 'missing', file.shown, location.part
"""


def gather(  # noqa: PLR0917 - the stages of one search, in their order
    db: "apsw.Connection", snapshot: "Snapshot", scores: select.Scores, mix: "Array", places: "Array", k: int
) -> list[Passage]:
    """The first `k` passages of `places` (best first): no text twice, neighbours as one, no document taking all."""
    import numpy as np

    reader = _Reader(db, snapshot)
    order = _shared_out(snapshot, mix, places)
    vectors = snapshot.vectors.rows(order)
    if snapshot.vectors.approximate and scores.vector is not None:
        # A thread's mate need not be near itself.
        scores.cosine[order] = snapshot.embedder.on_scale(vectors @ scores.vector)
    # Without a vector on both sides there is nothing to go by but the words.
    close = snapshot.embedder.on_scale(vectors @ vectors.T) >= _SAME_VECTOR
    alike = close | ~np.outer(snapshot.embedded[order], snapshot.embedded[order])
    groups: list[list[int]] = []  # each passage's places, the one that was found first in front
    folded: list[list[int]] = []  # the places whose text is that of the passage's first
    leads: list[int] = []  # where each passage's first stands in `order`
    for rank, place in enumerate(order):
        if reader.span(place) is None:
            continue  # removed since this snapshot was made
        owner = snapshot.owners[place]
        near = (group for group in groups if snapshot.owners[group[0]] == owner and _joins(reader, group, place))
        group = next(near, None) if rank < k * 3 // 2 else None
        if group is not None:
            group.append(place)
            continue
        candidates = np.flatnonzero(alike[rank, leads]).tolist()
        same = next((at for at in candidates if _same(reader, groups[at][0], place)), None)
        if same is not None:
            folded[same].append(place)
        elif len(groups) < k:
            groups.append([place])
            folded.append([])
            leads.append(rank)
    return [_passage(reader, scores, mix, group, also) for group, also in zip(groups, folded, strict=True)]


def with_phrases(db: "apsw.Connection", snapshot: "Snapshot", scores: "Array", phrases: Sequence[str]) -> "Array":
    """Scores in which chunks that have a quoted phrase, word by word, stand above those that do not."""
    reader = _Reader(db, snapshot)
    moved = scores
    for phrase in phrases:
        for place in select.best(select.having_all(snapshot, terms.terms(phrase), scores), _PHRASE_CHUNKS).tolist():
            if reader.span(place) is not None and phrase in " ".join(terms.normal(reader.text(place)).split()):
                moved = scores.copy() if moved is scores else moved
                moved[place] = min(1.0, moved[place] + 0.5)  # no identifier, no more than half: see select.Scores
    return moved


def _shared_out(snapshot: "Snapshot", mix: "Array", places: "Array") -> list[int]:
    """The places in the order of their scores, a document's third and later ones marked down."""
    seen: dict[int, int] = {}
    marked: list[tuple[float, int]] = []
    for place in places.tolist():
        owner = int(snapshot.owners[place])
        seen[owner] = seen.get(owner, 0) + 1
        marked.append((-float(mix[place]) * _LOSS ** max(0, seen[owner] - _FREE), place))
    return [place for _, place in sorted(marked, key=lambda entry: entry[0])]


class _Reader:
    """The rows behind places, each document read once."""

    def __init__(self, db: "apsw.Connection", snapshot: "Snapshot") -> None:
        self.db = db
        self.snapshot = snapshot
        self._spans: dict[int, tuple[int, int, str] | None] = {}
        self._documents: dict[int, tuple[Any, ...]] = {}
        self._words: dict[int, frozenset[str]] = {}

    def span(self, place: int) -> tuple[int, int, str] | None:
        """Start, end and heading of the chunk, None where it is gone."""
        if place not in self._spans:
            chunk = int(self.snapshot.ids[place])
            row: Any = self.db.execute("SELECT start, end, heading FROM chunk WHERE id = ?", (chunk,)).fetchone()
            self._spans[place] = row
        return self._spans[place]

    def document(self, place: int) -> tuple[Any, ...]:
        """The document's row (see _ROW), its text decoded."""
        owner = int(self.snapshot.owners[place])
        if owner not in self._documents:
            number = int(self.snapshot.numbers[owner])
            row: Any = self.db.execute(_ROW, (number,)).fetchone()
            self._documents[owner] = (number, *row[:-2], str(row[-2], "utf-8"), row[-1])
        return self._documents[owner]

    def text(self, place: int) -> str:
        """The chunk's text."""
        start, end, _ = self.span(place) or (0, 0, "")
        text: str = self.document(place)[-2]
        return text[start:end]

    def words(self, place: int) -> frozenset[str]:
        """The chunk's distinct words."""
        if place not in self._words:
            self._words[place] = frozenset(terms.normal(self.text(place)).split())
        return self._words[place]


def _joins(reader: _Reader, group: list[int], place: int) -> bool:
    """Whether a chunk follows or precedes a passage's chunks in the same document, with hardly anything between."""
    if len(group) >= _JOINED:
        return False
    # A document's chunks got their ids, hence their places, in the order of its text.
    if place == max(group) + 1:
        before, after = max(group), place
    elif place == min(group) - 1:
        before, after = place, min(group)
    else:
        return False
    first, second = reader.span(before), reader.span(after)
    if first is None or second is None or not 0 <= second[0] - first[1] <= _GAP:
        return False
    # What the document hides from its reader is no part of a passage, however short.
    return not any(a < second[0] and first[1] < b for a, b in hidden_ranges(reader.document(place)[-1]))


def _same(reader: _Reader, a: int, b: int) -> bool:
    """Whether two chunks say the same, up to white space, case and a word here and there."""
    one, two = reader.words(a), reader.words(b)
    return len(one & two) >= _SAME_WORDS * len(one | two)


def _passage(
    reader: _Reader, scores: select.Scores, mix: "Array", group: Sequence[int], also: Sequence[int]
) -> Passage:
    """The passage of neighbouring chunks; `also` are places whose paths it names as well."""
    lead = group[0]
    first, last = reader.span(min(group)), reader.span(max(group))
    assert first is not None
    assert last is not None
    number, document, kind, title, message_id, sender, date, thread, read, text, blocks = reader.document(lead)
    places: Any = reader.db.execute(_PLACES, (number,)).fetchall()
    shown, raw, part = places[0] if places else ("", b"", "")
    others = [path for path, _, _ in places[1:]]
    for place in also:
        rows: Any = reader.db.execute(_PLACES, (reader.document(place)[0],)).fetchall()
        others += [path for path, _, _ in rows]
    return Passage(
        chunk=int(reader.snapshot.ids[lead]),
        document=document,
        number=number,
        kind=kind,
        title=title,
        path=shown,
        raw_path=raw,
        part=part,
        other_paths=tuple(path for path in dict.fromkeys(others) if path != shown),
        page=_page(blocks, first[0]),
        start=first[0],
        end=last[1],
        text=text[first[0] : last[1]],
        heading=first[2],
        message_id=message_id,
        sender=sender,
        date=date,
        thread=thread,
        score=float(mix[lead]),
        keyword=float(scores.keyword[lead]),
        vector=float(scores.cosine[lead]),
        why="thread" if mix[lead] > scores.mix[lead] else scores.why(lead),
        confidence=_confidence(read, blocks, first[0], last[1]) if read else None,
    )


def _confidence(read: str, blocks: bytes, start: int, end: int) -> float | None:
    """The least confidence of the pages read by OCR that `text[start:end]` touches; None where it touches none."""
    sure: dict[str, float] = json.loads(read)
    touched = {match[3].decode() for match in _PAGE.finditer(blocks) if int(match[1]) < end and int(match[2]) > start}
    return min((sure[page] for page in touched & sure.keys()), default=None)


def _page(blocks: bytes, start: int) -> int | None:
    """The page of the first block that ends after `start`; None where there are no pages."""
    for match in _PAGE.finditer(blocks):
        if int(match[2]) > start:
            return None if match[3] == b"null" else int(match[3])
    return None
