"""The vectors of a search: exact search in memory, and the door behind which another index may stand.

What is done with vectors in a search is two things (`View`): the cosines of a question with all chunks, and the vectors
of a few. `Exact` gives them from memory, one and all. Where another index is asked which chunks are near
(retrieval/near_view.py), how near they are is taken from the vectors themselves: those few come from the vault
(`Stored`), so that the memory that all of them take is free as long as the other index answers.
"""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    Array = np.ndarray[Any, Any]

_SOME = 4_096  # vectors read at a time where all are


class View(Protocol):
    """The vectors of one snapshot's chunks, by place. Safe to share between threads."""

    approximate: bool
    """whether `cosines` gives the mean for chunks that are not near"""

    def cosines(self, vector: "Array", counted: "Array", also: "Array") -> "Array":
        """The cosine of the unit `vector` with each chunk, float32 (places,).

        `counted` (bool, (places,)) are those that matter; `also` are places of which the very cosine is wanted even
        where the chunk is not near. What an approximate index does not know has the mean of all.
        """

    def rows(self, places: "Array | list[int]") -> "Array":
        """The vectors of these places, float32 (places, dimensions); zeros where there is none."""


class Exact:
    """A View that has all vectors."""

    approximate = False

    def __init__(self, rows: "Array") -> None:
        """`rows`: float32 (places, dimensions), zeros where there is no vector."""
        self._rows = rows

    def cosines(self, vector: "Array", _counted: "Array", _also: "Array") -> "Array":
        """See View. Recall is 1."""
        found: Array = self._rows @ vector
        return found

    def rows(self, places: "Array | list[int]") -> "Array":
        """See View."""
        found: Array = self._rows[places]
        return found


class Stored:
    """A View that holds no vector: it reads from the vault what it is asked for."""

    approximate = False

    def __init__(self, ids: "Array", load: "Callable[[Array], tuple[Array, Array]]", dimensions: int) -> None:
        """`ids`: chunk ids by place, int64. `load`: of these chunks those that have a vector, and the vectors."""
        self._ids, self._load, self._dimensions = ids, load, dimensions

    def cosines(self, vector: "Array", counted: "Array", _also: "Array") -> "Array":
        """See View. Reads every vector that counts, some at a time: for the question during which the other index
        fails, and no other."""
        import numpy as np

        found = np.zeros(len(self._ids), dtype=np.float32)
        places = np.flatnonzero(counted)
        for at in range(0, len(places), _SOME):
            found[places[at : at + _SOME]] = self.rows(places[at : at + _SOME]) @ vector
        return found

    def rows(self, places: "Array | list[int]") -> "Array":
        """See View. Tried with 100,000 vectors: 2 ms for 256 of them, 4 ms for 512."""
        import numpy as np

        wanted = self._ids[places]
        rows = np.zeros((len(wanted), self._dimensions), dtype=np.float32)
        if len(wanted):
            there, vectors = self._load(np.unique(wanted))
            if len(there):
                order = np.argsort(there)
                at = np.searchsorted(there[order], wanted)
                at[at == len(there)] = 0
                at = order[at]
                has = there[at] == wanted
                rows[has] = vectors[at[has]]
        return rows


class Matrix:
    """Unit vectors in rows that only ever grow in number; a row of zeros has no vector (yet). New rows hold anything
    until they are put or cleared, which must be before a reader is told of them.

    One writer and any number of readers: a reader keeps the number of rows it started with. A row being written while
    it is read gives that one chunk a wrong score in that one search, nothing else.
    """

    held = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._rows: Array | None = None

    def reserve(self, rows: int) -> None:
        """Make room for `rows` rows; a quarter more is taken each time, so that growing copies seldom."""
        import numpy as np

        held = 0 if self._rows is None else len(self._rows)
        if self._rows is not None and rows <= held:
            return
        # Not zeros(): NumPy asks for huge pages for what empty() gives, so that first writing it is far faster.
        room = np.empty((max(rows, min(rows * 5 // 4, rows + 65_536), 1024), self.dimensions), dtype=np.float32)
        if self._rows is not None:
            room[:held] = self._rows
        self._rows = room

    def put(self, places: "Array", blobs: list[bytes]) -> None:
        """Write float16 vectors, as the vault holds them, into rows."""
        import numpy as np

        assert self._rows is not None
        half = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), self.dimensions)
        first, last = int(places[0]), int(places[-1])
        # Neighbours, as when a vault is opened, are written in one go.
        where = slice(first, last + 1) if last - first + 1 == len(places) else places
        self._rows[where] = half

    def clear(self, places: "Array") -> None:
        """Overwrite rows with zeros."""
        assert self._rows is not None
        self._rows[places] = 0

    def check(self, places: "Array") -> int:
        """How many of these rows still hold a vector."""
        assert self._rows is not None
        return int(self._rows[places].any(axis=1).sum())

    def view(self, count: int) -> Exact:
        """The first `count` rows, without copying them."""
        assert self._rows is not None
        return Exact(self._rows[:count])


class Unheld:
    """In place of a Matrix that is not needed: takes what it is given and keeps nothing."""

    held = False

    def reserve(self, rows: int) -> None:
        """See Matrix."""

    def put(self, places: "Array", blobs: list[bytes]) -> None:
        """See Matrix."""

    def clear(self, places: "Array") -> None:
        """See Matrix."""
