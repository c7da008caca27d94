"""A search's vectors where another index is asked which are near."""

from typing import TYPE_CHECKING, Any

from retrieval.near import FEW, Near
from retrieval.nearest import NearestError

if TYPE_CHECKING:
    import numpy as np

    from retrieval.vectors import View

    Array = np.ndarray[Any, Any]

_NEAREST = 256  # chunks asked for at least
_MOST_NEAREST = 2_000  # at most: a server is not asked for a list of everything
_ENOUGH = 64  # near chunks that a filter must leave, or all that it lets through are compared


class NearView:
    """A View that asks another index which chunks are near; the exact one gives how near, and stands in."""

    approximate = True

    def __init__(self, near: Near, exact: "View", ids: "Array") -> None:
        """`ids`: the snapshot's chunk ids, int64, ascending."""
        self._near, self._exact, self._ids = near, exact, ids

    def rows(self, places: "Array | list[int]") -> "Array":
        """See View."""
        return self._exact.rows(places)

    def cosines(self, vector: "Array", counted: "Array", also: "Array") -> "Array":
        """See View: the very cosines of what is near and of `also`, the mean of the rest for the rest."""
        import numpy as np

        let_through, there = int(counted.sum()), self._near.size
        if not let_through or (let_through <= FEW and let_through < there):  # what a filter leaves
            return self._some(vector, np.flatnonzero(counted), counted)
        share = there / let_through
        count = int(min(max(_NEAREST, 2 * len(also)) * share, _MOST_NEAREST))
        try:
            chunks = self._near.nearest(vector, count)
        except NearestError:
            return self._exact.cosines(vector, counted, also)
        at = np.searchsorted(self._ids, chunks)
        at[at == len(self._ids)] = 0
        places = at[self._ids[at] == chunks]
        places = places[counted[places]]
        if len(places) < min(_ENOUGH, let_through):
            return self._exact.cosines(vector, counted, also)
        return self._some(vector, np.union1d(places, also), counted)

    def _some(self, vector: "Array", places: "Array", counted: "Array") -> "Array":
        import numpy as np

        near = self._exact.rows(places) @ vector
        cosines = np.where(counted, np.float32(self._near.mean(vector, near)), np.float32(0))
        cosines[places] = near
        return cosines
