"""The door of an index beside the vault: it is asked which vectors are near, under ids that tell nothing.

`retrieval/near.py` keeps one filled and says what it may be believed, `retrieval/near_view.py` asks it in a search.
Behind the door stand Chroma in memory (retrieval/chroma.py) and a Chroma server (engine/at_server.py).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from vault.errors import StrongroomError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ID_BYTES = 16


class NearestError(StrongroomError):
    """The other index cannot be asked, or does not answer as it should."""


class BusyError(NearestError):
    """It cannot be asked just now, and may be in a moment."""


class Nearest(Protocol):
    """An index of vectors under ids of 16 bytes. Every method raises NearestError. Safe to share between threads."""

    kind: str
    """chroma (in memory) or server"""
    where: str
    """where it is, in words for the user"""

    def open(self, dimensions: int) -> None:
        """Be ready, or be so again: with nothing in it, or with what it kept."""

    def ids(self) -> Iterator[list[bytes]]:
        """All ids that it has."""

    def count(self) -> int:
        """How many it has."""

    def add(self, ids: Sequence[bytes], vectors: "Array") -> None:
        """Take in float32 unit vectors (n, dimensions)."""

    def remove(self, ids: Sequence[bytes]) -> None:
        """Remove these; those that it has not are no error."""

    def nearest(self, vector: "Array", count: int) -> list[bytes]:
        """The ids of the `count` nearest vectors, or most of them."""

    def held(self, ids: Sequence[bytes]) -> int:
        """How many of these it has."""

    def sweep(self) -> None:
        """Have what was removed written over, as far as that can be done from here."""

    def drop(self) -> bool:
        """Remove everything; whether it was written over before."""

    def close(self) -> None:
        """Let go of it."""
