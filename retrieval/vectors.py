"""Exact vector search in memory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Matrix:
    """Unit vectors in rows that only ever grow in number; a row of zeros has no vector (yet). New rows hold anything
    until they are put or cleared, which must be before a reader is told of them.

    One writer and any number of readers: a reader keeps the number of rows it started with. A row being written while
    it is read gives that one chunk a wrong score in that one search, nothing else.
    """

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

    def rows(self, count: int) -> "Array":
        """The first `count` rows, as a view."""
        assert self._rows is not None
        return self._rows[:count]
