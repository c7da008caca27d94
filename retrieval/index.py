"""The indexes in memory, and searching them.

The vault holds the keyword segments and the vectors; this holds them ready for NumPy. Every chunk has a place, in the
order of ids, and all arrays run over places. A refresh makes a new snapshot and swaps it in; searches go on with the
one that they started with.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from retrieval import gather, rank, segment, select
from retrieval import query as asking
from retrieval.embedder import ModelError
from retrieval.near import Near
from retrieval.near_view import NearView
from retrieval.passage import Passage
from retrieval.query import Filters
from retrieval.vectors import Matrix, Stored, Unheld, View

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import apsw
    import numpy as np

    from retrieval.embedder import Embedder

    Array = np.ndarray[Any, Any]

_LOAD = 5_000  # vectors read at a time for another index
_LOOK = 512  # chunks without a vector that are looked up at a time
_LOOK_AT_LEAST = 4  # such groups looked at in a refresh before giving up on finding more
_CANDIDATES = 8  # places looked at for each passage wanted: duplicates fold and neighbours join
_MOST_CANDIDATES = 200  # more than wanted that are looked at
_REBUILD = 1024  # removed chunks before memory is laid out anew, if they are also a fifth of all


class Store(Protocol):
    """What of the vault is needed (vault.vault.Vault, and a plain connection in tests)."""

    def read(self) -> "AbstractContextManager[apsw.Connection]":
        """A connection, for reading."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one search works on. Arrays run over places, but for `numbers`, which runs over documents' places."""

    ids: "Array"
    """chunk ids, int64, ascending"""
    owners: "Array"
    """each chunk's document, as a place in `numbers`, int32"""
    numbers: "Array"
    """document numbers, int64, ascending"""
    alive: "Array"
    """bool; false for chunks that were removed"""
    embedded: "Array"
    """bool; whether the chunk has a vector"""
    embedder: "Embedder"
    """the model that the vectors are of"""
    vectors: View
    """the vectors, by place"""
    parts: tuple[rank.Part, ...]
    """keyword segments of chunks"""
    titles: tuple[rank.Part, ...]
    """keyword segments of documents; their places are those of `numbers`"""


class Index:
    """Searches the vault's chunks. Safe to share between threads; `refresh` after each commit."""

    def __init__(self, vault: Store, embedder: "Embedder", shelf: str = "vector") -> None:
        """`shelf` is the table of the model's vectors. Nothing is read yet: call `refresh`."""
        self._vault = vault
        self._embedder = embedder
        self._shelf = shelf
        self._writing = Lock()
        self._snapshot: Snapshot | None = None
        self._matrix: Matrix | Unheld = Matrix(embedder.dimensions)
        self._read: dict[int, segment.Segment] = {}  # by segment id; a segment's body never changes under its id
        self._make: Callable[[Embedder], Near] | None = None
        self.near: Near | None = None
        """the other index that is asked which vectors are near, if one is: see `use`"""

    @property
    def chunks(self) -> int:
        """How many chunks can be found."""
        return 0 if self._snapshot is None else int(self._snapshot.alive.sum())

    @property
    def vectors(self) -> int:
        """How many of them have a vector."""
        return 0 if self._snapshot is None else int(self._snapshot.embedded.sum())

    def finds(self, chunks: Collection[int]) -> int:
        """How many of these chunks can be found."""
        import numpy as np

        snapshot = self._snapshot
        if snapshot is None:
            return 0
        return int(np.isin(snapshot.ids[snapshot.alive], np.fromiter(chunks, dtype=np.int64)).sum())

    def refresh(self, removed: Collection[int] = ()) -> None:
        """Take in what was committed since: new segments, new chunks, new vectors, and the `removed` chunks' going."""
        with self._vault.read() as db, self._writing:  # in this order, because a writer may hold the vault already
            old = self._snapshot
            if old is not None and removed:
                dead = int((~old.alive).sum()) + len(removed)
                if dead >= _REBUILD and dead * 5 > len(old.ids):
                    old = None
            if old is None and self._matrix.held:
                self._matrix = Matrix(self._embedder.dimensions)
            if self.near is not None and removed:
                self.near.gone(removed)
            self._snapshot = self._next(db, old, removed)
            if self.near is not None:
                self.near.start(self._let_go)  # not before it knows what there is: what is too much is removed there

    def use(self, make: "Callable[[Embedder], Near] | None") -> None:
        """Ask another index from now on which vectors are near; None: compare all. `make` makes it for the model that
        serves, and again when another one does. It is told what there is, and begins to be filled; the one before is
        let go of. All vectors are in memory only while they are compared: see `_hold` and `_let_go`."""
        with self._vault.read() as db, self._writing:
            self._make = make
            before, self.near = self.near, make(self._embedder) if make else None
            if self._snapshot is None:
                self._matrix = Unheld() if self.near is not None else Matrix(self._embedder.dimensions)
            else:
                if self.near is not None:
                    self._tell(db, self.near)
                elif not self._matrix.held:
                    self._matrix = self._filled(db, self._snapshot)
                self._snapshot = replace(self._snapshot, vectors=self._view(self._snapshot.ids))
        if before is not None:
            before.stop()

    def _tell(self, db: "apsw.Connection", near: Near) -> None:
        """Let another index know what there is, and begin."""
        import numpy as np

        for rows in _vectors(db, self._shelf, 0, []):
            near.known(np.array([number for number, _ in rows], dtype=np.int64), [blob for _, blob in rows])
        near.start(self._let_go)

    def _hold(self) -> None:
        """Have all vectors in memory again, where the other index cannot be asked."""
        with self._vault.read() as db, self._writing:
            if self._snapshot is not None and not self._matrix.held:
                self._matrix = self._filled(db, self._snapshot)
                self._snapshot = replace(self._snapshot, vectors=self._view(self._snapshot.ids))

    def _let_go(self) -> None:
        """Give their memory back where the other index answers: the few vectors that a search needs are read from the
        vault."""
        with self._writing:
            if self._snapshot is not None and self._matrix.held and self.near is not None and self.near.serves:
                self._matrix = Unheld()
                self._snapshot = replace(self._snapshot, vectors=self._view(self._snapshot.ids))

    def _filled(self, db: "apsw.Connection", snapshot: Snapshot) -> Matrix:
        """A matrix with the vectors of a snapshot's chunks."""
        import numpy as np

        matrix = Matrix(self._embedder.dimensions)
        matrix.reserve(len(snapshot.ids))
        empty = np.ones(len(snapshot.ids), dtype=bool)
        for rows in _vectors(db, self._shelf, 0, []):
            places = _places(snapshot.ids, np.array([number for number, _ in rows], dtype=np.int64))
            known = np.flatnonzero(places >= 0)
            if len(known):
                matrix.put(places[known], [rows[at][1] for at in known.tolist()])
                empty[places[known]] = False
        matrix.clear(np.flatnonzero(empty | ~snapshot.embedded))
        return matrix

    def load(self, chunks: "Array") -> tuple["Array", "Array"]:
        """Of these chunks, those that have a vector (ids, int64), and their vectors, float32 (n, dimensions)."""
        return self._load(self._shelf, self._embedder.dimensions, chunks)

    def _load(self, shelf: str, dimensions: int, chunks: "Array") -> tuple["Array", "Array"]:
        import numpy as np

        found: list[int] = []
        blobs: list[bytes] = []
        for at in range(0, len(chunks), _LOAD):
            some = chunks[at : at + _LOAD].tolist()
            marks = ",".join("?" * len(some))
            with self._vault.read() as db:
                rows: Any = db.execute(f"SELECT chunk, value FROM {shelf} WHERE chunk IN ({marks})", some).fetchall()
            found += [number for number, _ in rows]
            blobs += [blob for _, blob in rows]
        half = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(-1, dimensions)
        return np.array(found, dtype=np.int64), half.astype(np.float32)

    def serve(self, embedder: "Embedder", shelf: str) -> None:
        """Search with another model's vectors from now on: all of them are read. A search that has begun ends with the
        model that it began with."""
        with self._vault.read() as db, self._writing:
            self._embedder, self._shelf = embedder, shelf
            before, self.near = self.near, self._make(embedder) if self._make else None
            self._matrix = Unheld() if self.near is not None else Matrix(embedder.dimensions)
            self._snapshot = self._next(db, None, ())
            if self.near is not None:
                self.near.start(self._let_go)
        if before is not None:
            before.stop()

    def search(self, query: str, *, k: int = 10, filters: Filters | None = None) -> list[Passage]:
        """The best `k` passages for a query, best first.

        Raises retrieval.query.FilterError for a filter that cannot be read.
        """
        if self.near is not None and not self.near.serves and not self._matrix.held:
            self._hold()
        snapshot = self._snapshot
        wanted = asking.parse(query, filters)
        if snapshot is None or not len(snapshot.ids) or k < 1:
            return []
        vector = None
        if wanted.text:
            with contextlib.suppress(ModelError):  # its status says so; words find meanwhile
                vector = snapshot.embedder.embed_question(wanted.text)
        allowed = snapshot.alive
        if wanted.filters:
            with self._vault.read() as db:
                allowed = allowed & select.let_through(db, snapshot, wanted.filters)
        if not allowed.any():
            return []
        # Scoring needs no connection: whoever writes to the vault is not held up by it.
        count = min(k * _CANDIDATES, k + _MOST_CANDIDATES)
        scores = select.Scores(snapshot, wanted, vector, allowed, count)
        with self._vault.read() as db:
            scores.mix = gather.with_phrases(db, snapshot, scores.mix, wanted.phrases)
            mix = select.with_threads(db, snapshot, scores.mix, select.best(scores.mix, count))
            places = select.best(mix, count)
            return gather.gather(db, snapshot, scores, mix, places, k)

    def documents_with(self, text: str) -> list[int]:
        """Numbers of the documents in whose text every word of `text` stands, in any of its chunks; ascending."""
        snapshot = self._snapshot
        return [] if snapshot is None else select.documents_having_all(snapshot, text)

    def _next(self, db: "apsw.Connection", old: Snapshot | None, removed: Collection[int]) -> Snapshot:
        import numpy as np

        last = int(old.ids[-1]) if old is not None and len(old.ids) else 0
        fresh = np.array(db.execute("SELECT id, document FROM chunk WHERE id > ? ORDER BY id", (last,)).fetchall())
        fresh = fresh.astype(np.int64).reshape(-1, 2)
        ids = fresh[:, 0] if old is None else np.concatenate([old.ids, fresh[:, 0]])
        self._matrix.reserve(len(ids))
        first = len(ids) - len(fresh)

        alive = np.ones(len(ids), dtype=bool)
        embedded = np.zeros(len(ids), dtype=bool)
        if old is not None:
            alive[:first] = old.alive
            embedded[:first] = old.embedded
        if removed and old is not None:
            places = _places(ids, np.fromiter(removed, dtype=np.int64, count=len(removed)))
            places = places[places >= 0]
            alive[places] = embedded[places] = False
            self._matrix.clear(places)  # nothing of a purged chunk stays in memory
        for rows in _vectors(db, self._shelf, last, ids[:first][alive[:first] & ~embedded[:first]].tolist()):
            places = _places(ids, np.array([number for number, _ in rows], dtype=np.int64))
            blobs = [blob for _, blob in rows]
            self._matrix.put(places, blobs)
            if self.near is not None:
                self.near.known(ids[places], blobs)
            embedded[places] = True
        self._matrix.clear(first + np.flatnonzero(~embedded[first:]))

        if old is None:
            numbers, owners = np.unique(fresh[:, 1], return_inverse=True)
        elif not len(fresh):
            numbers, owners = old.numbers, old.owners
        else:
            numbers = np.union1d(old.numbers, fresh[:, 1])
            moved = np.searchsorted(numbers, old.numbers)
            owners = np.concatenate([moved[old.owners], np.searchsorted(numbers, fresh[:, 1])])

        before = {} if old is None else {id(part.segment): part for part in (*old.parts, *old.titles)}
        chunks, titles = self._segments(db)
        same_numbers = old is not None and len(numbers) == len(old.numbers)
        return Snapshot(
            ids,
            owners.astype(np.int32),
            numbers,
            alive,
            embedded,
            self._embedder,
            self._view(ids),
            tuple(before.get(id(each)) or _part(each, _places(ids, each.ids)) for each in chunks),
            tuple(
                (before.get(id(each)) if same_numbers else None) or _part(each, _places(numbers, -each.ids))
                for each in titles
            ),
        )

    def _view(self, ids: "Array") -> View:
        if self.near is None:
            assert isinstance(self._matrix, Matrix)
            return self._matrix.view(len(ids))
        if isinstance(self._matrix, Matrix):
            return NearView(self.near, self._matrix.view(len(ids)), ids)
        # Of this model's shelf, also when another model serves by then: a search ends as it began.
        dimensions = self._embedder.dimensions
        return NearView(self.near, Stored(ids, partial(self._load, self._shelf, dimensions), dimensions), ids)

    def _segments(self, db: "apsw.Connection") -> tuple[list[segment.Segment], list[segment.Segment]]:
        """All segments, of chunks and of documents; only new ones are read."""
        rows: Any = db.execute("SELECT id, chunks FROM segment ORDER BY id").fetchall()
        there: dict[int, int] = dict(rows)
        self._read = {number: each for number, each in self._read.items() if number in there}
        for number in there:
            if number not in self._read:
                self._read[number] = segment.read(db.execute("SELECT body FROM segment WHERE id = ?", (number,)).get)
        return (
            [self._read[number] for number, size in there.items() if size > 0],
            [self._read[number] for number, size in there.items() if size < 0],
        )


def _part(each: segment.Segment, places: "Array") -> rank.Part:
    return rank.Part(each, places, int(each.lengths.sum(dtype="int64")))


def _places(ids: "Array", wanted: "Array") -> "Array":
    """The place of each wanted id among the ascending `ids`, -1 where it is not there."""
    import numpy as np

    at = np.searchsorted(ids, wanted)
    at[at == len(ids)] = 0
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    return np.where(ids[at] == wanted, at, -1)


def _vectors(db: "apsw.Connection", shelf: str, last: int, missing: list[int]) -> Iterator[list[Any]]:
    """(chunk id, vector) rows that were not read yet: all of the chunks after `last`, and of those that lacked one.

    These are looked up from the oldest on, as long as some are found: vectors are made in that order.
    """
    cursor = db.execute(f"SELECT chunk, value FROM {shelf} WHERE chunk > ? ORDER BY chunk", (last,))
    while rows := list(islice(cursor, 4096)):
        yield rows
    for turn, at in enumerate(range(0, len(missing), _LOOK)):
        some = missing[at : at + _LOOK]
        marks = ",".join("?" * len(some))
        rows = db.execute(f"SELECT chunk, value FROM {shelf} WHERE chunk IN ({marks})", some).fetchall()
        if rows:
            yield rows
        elif turn >= _LOOK_AT_LEAST:
            return
