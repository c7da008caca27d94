"""Chroma in this process's memory: an index that writes nothing and connects to nobody.

Its client is made without a folder; tried with strace, under the lock: it writes no file and makes no socket but a pair
within the process. Its telemetry is off all the same. It gets ids and vectors, no text and no metadata.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from retrieval.nearest import ID_BYTES, NearestError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SYNC = 1_000
"""changes after which Chroma brings its index up to its log, and a server writes it to its disk"""
CONFIGURATION = {
    "hnsw": {"space": "ip", "ef_construction": 200, "ef_search": 400, "max_neighbors": 24, "sync_threshold": SYNC}
}
"""of a collection, here and on a server. Vectors are unit vectors; more is looked at than by default, for recall:
bench/vector_index.py measures it"""
_PAGE = 5_000  # ids listed or added at a time; its SQLite takes no more parameters


class InMemory:
    """An index (retrieval.nearest.Nearest) that lasts as long as this process."""

    kind = "chroma"
    where = "Chroma in the engine's memory"

    def __init__(self) -> None:
        """Nothing is loaded yet: see `open`."""
        self._client: Any = None
        self._name = f"vectors-{secrets.token_hex(8)}"  # a process's clients share what they hold
        self._collection: Any = None
        self._opening = threading.Lock()

    def open(self, dimensions: int) -> None:
        """Load Chroma, which takes seconds, and make an empty index. Raises NearestError where it is not installed."""
        with self._opening:
            if self._client is None:
                self._client = _client()
            try:
                self._collection = self._client.create_collection(
                    self._name, embedding_function=None, configuration=CONFIGURATION, get_or_create=True
                )
            except Exception as error:
                raise _failed(error) from error
        self._dimensions = dimensions

    def ids(self) -> Iterator[list[bytes]]:
        """All ids."""
        offset = 0
        while page := self._ask("get", include=[], limit=_PAGE, offset=offset)["ids"]:
            yield [bytes.fromhex(each) for each in page]
            offset += len(page)

    def count(self) -> int:
        """How many it has."""
        return int(self._ask("count"))

    def add(self, ids: Sequence[bytes], vectors: "Array") -> None:
        """Take in vectors."""
        for at in range(0, len(ids), _PAGE):
            names = [each.hex() for each in ids[at : at + _PAGE]]
            self._ask("upsert", ids=names, embeddings=vectors[at : at + _PAGE])

    def remove(self, ids: Sequence[bytes]) -> None:
        """Remove these: first each is overwritten by a blank one, because what is deleted stays in the index."""
        there: list[str] = self._ask("get", ids=[each.hex() for each in ids], include=[])["ids"]
        if there:
            self._ask("update", ids=there, embeddings=self._blank(len(there)))
            self._ask("delete", ids=there)

    def sweep(self) -> None:
        """Put in blank vectors until what was removed is written over, and take them out."""
        names = [secrets.token_hex(ID_BYTES) for _ in range(SYNC + 100)]
        self._ask("upsert", ids=names, embeddings=self._blank(len(names)))
        self._ask("delete", ids=names)

    def nearest(self, vector: "Array", count: int) -> list[bytes]:
        """The nearest ids."""
        found = self._ask("query", query_embeddings=[vector], n_results=count, include=[])
        return [bytes.fromhex(each) for each in found["ids"][0]]

    def held(self, ids: Sequence[bytes]) -> int:
        """How many of these it has."""
        return len(self._ask("get", ids=[each.hex() for each in ids], include=[])["ids"]) if ids else 0

    def drop(self) -> bool:
        """Remove everything. Its memory is given back, not written over."""
        with self._opening, contextlib.suppress(Exception):  # gone already
            if self._client is not None:
                self._client.delete_collection(self._name)
        return False

    def close(self) -> None:
        """Give its memory back."""
        self.drop()

    def _blank(self, count: int) -> "Array":
        import numpy as np

        blank = np.zeros((count, self._dimensions), dtype=np.float32)
        blank[:, 0] = 1
        return blank

    def _ask(self, name: str, **arguments: Any) -> Any:
        try:
            return getattr(self._collection, name)(**arguments)
        except Exception as error:  # Chroma's classes of errors are many, and its parts have their own
            raise _failed(error) from error


def _client() -> Any:
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise NearestError("Chroma is not installed", "`make install EXTRAS=chroma` adds it") from error
    try:
        return chromadb.EphemeralClient(Settings(anonymized_telemetry=False, is_persistent=False))
    except Exception as error:
        raise _failed(error) from error


def _failed(error: Exception) -> NearestError:
    return NearestError(f"Chroma in the engine's memory failed: {type(error).__name__}")
