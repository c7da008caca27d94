"""Another index beside the vault: kept the same as the vault, and believed for nothing but what may be near.

How near chunks are is computed from the vault's own vectors (retrieval/near_view.py). So an index that is approximate,
stale or hostile can leave something out, and cannot change a score, a passage or a citation; and where it is down, slow
or not filled yet, exact search stands in. The index is filled from the vault: what it lost or has too much is found by
comparing its ids.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from retrieval.nearest import BusyError, Nearest, NearestError
from retrieval.opaque import Opaque
from vault.errors import StrongroomError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_BATCH = 1_000  # vectors added at a time while it fills
_SMALL_BATCH = 200  # the same while it serves: a question waits for one at most
_LOOK_SECONDS = 15.0  # between two looks at whether it still has everything
_RETRY_SECONDS = (1.0, 60.0)  # from, to: until it is tried again
_REMEMBERED = 100_000  # ids of removed chunks kept for reading back
_MEAN_OF = 1_000  # vectors below which the mean is made anew when one goes: the mean of a few would tell of it
FEW = 4_096  # chunks that are compared without asking the index: what is left by a filter, what it has not got yet

_ADD, _THERE, _GO = 1, 2, 3  # what is known of a chunk; 0: nothing


class Near:
    """What the vault has, beside what the other index has of it; a thread keeps them the same. Thread-safe.

    `known` and `gone` are told by whoever refreshes the index in memory; vectors are read from the vault when they are
    to be sent, by `load`.
    """

    def __init__(
        self,
        nearest: Nearest,
        *,
        dimensions: int,
        key: bytes,
        load: "Callable[[Array], tuple[Array, Array]]",
    ) -> None:
        """`load`: of these chunks, those that have a vector, and the vectors as float32 (n, dimensions)."""
        import numpy as np

        self.index = nearest
        self.dimensions = dimensions
        self._opaque = Opaque(key)
        self._load = load
        self._arrays = threading.Lock()
        self._state = np.zeros(1024, dtype=np.uint8)  # by chunk id
        self._tags = np.zeros(1024, dtype=np.uint64)
        self._sum = np.zeros(dimensions, dtype=np.float64)
        self._removed: OrderedDict[int, bytes] = OrderedDict()
        self._strange: list[bytes] = []  # ids there that are none of the vault's
        self._connected = False
        self._complete = False
        self._tried = False
        self._failures = 0
        self._hint = ""
        self._why = "it is being filled from the vault"
        self._lost = 0
        self._at_rest: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nearest", daemon=True)

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self, at_rest: Callable[[], None] = lambda: None) -> None:
        """Begin to fill it, unless that has begun. `at_rest` is called now and then while it has everything, by the
        thread that keeps it."""
        if self._thread.ident is None:
            self._at_rest = at_rest
            self._thread.start()

    def stop(self) -> None:
        """End soon, and let go of the other index."""
        self._ended.set()
        self._woken.set()
        self.index.close()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def status(self) -> dict[str, Any]:
        """What it is and how far it is; `serving` false where exact search stands in, because of `why`."""
        there, to_add = self._counts()
        return {
            "kind": self.index.kind,
            "where": self.index.where,
            "serving": self.serves,
            "why": "" if self.serves else self._why,
            "hint": "" if self.serves else self._hint,
            "there": there,
            "to_add": to_add,
            "lost": self._lost,
        }

    @property
    def serves(self) -> bool:
        """Whether it may be asked now."""
        return self._connected and self._complete

    @property
    def empty(self) -> bool:
        """Whether nothing was ever put in that it might have still, as far as is known here."""
        return not self._connected and not self._counts()[0]

    @property
    def size(self) -> int:
        """How many vectors the vault has."""
        return sum(self._counts())

    # --- what the vault has -----------------------------------------------------------------------------------------

    def known(self, chunks: "Array", blobs: Sequence[bytes]) -> None:
        """These chunks have these vectors (float16, as the vault holds them)."""
        import numpy as np

        tags = np.fromiter((self._opaque.tag(blob) for blob in blobs), dtype=np.uint64, count=len(blobs))
        half = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), self.dimensions)
        with self._arrays:
            self._room(int(chunks.max(initial=0)))
            new = (self._state[chunks] == 0) | (self._tags[chunks] != tags)
            self._tags[chunks[new]] = tags[new]
            self._state[chunks[new]] = _ADD
            self._sum += half[new].sum(axis=0, dtype=np.float64)
        self._woken.set()

    def gone(self, removed: Collection[int]) -> None:
        """These chunks are no more: they leave the other index in a moment, or as soon as it can be reached."""
        import numpy as np

        with self._arrays:
            chunks = np.fromiter((each for each in removed if each < len(self._state)), dtype=np.int64)
            chunks = chunks[(self._state[chunks] == _ADD) | (self._state[chunks] == _THERE)]
            if not len(chunks):
                return
            ids = self._opaque.ids(chunks, self._tags[chunks])
            self._removed.update(zip(chunks.tolist(), ids, strict=True))
            while len(self._removed) > _REMEMBERED:
                self._removed.popitem(last=False)
            before = int(((self._state == _ADD) | (self._state == _THERE)).sum())
            self._state[chunks] = _GO
            self._sum *= (before - len(chunks)) / before
        if before - len(chunks) < _MEAN_OF:
            self._sum_anew()
        self._woken.set()

    def settled(self, seconds: float) -> bool:
        """Wait until what is gone has left the other index and was written over there, or that cannot be done now;
        whether it was done."""
        until = time.monotonic() + seconds
        while self.left() and time.monotonic() < until and not self._ended.wait(0.02):
            if not self._connected and self._tried:
                return False
        if not self._connected:
            return False
        try:
            self.index.sweep()
        except NearestError as error:
            self._failed(error)
            return False
        return not self.left()

    def held(self, chunks: Collection[int]) -> int:
        """How many of these removed chunks the other index still has. Raises NearestError where it cannot be asked."""
        ids = [self._removed[each] for each in chunks if each in self._removed]
        if not self._connected:
            raise NearestError(f"{self.index.where} cannot be asked: {self._why}")
        return sum(self.index.held(ids[at : at + _BATCH]) for at in range(0, len(ids), _BATCH))

    def left(self) -> int:
        """How many vectors of removed chunks are to be removed there as soon as it can be reached."""
        return int((self._state == _GO).sum())

    # --- asking -----------------------------------------------------------------------------------------------------

    def nearest(self, vector: "Array", count: int) -> "Array":
        """Chunk ids near the vector, int64, and those that it has not got yet. Raises NearestError."""
        import numpy as np

        if not self.serves:
            raise NearestError(self._why)
        try:
            found = self.index.nearest(vector, count)
        except BusyError:
            raise
        except NearestError as error:
            self._failed(error)
            raise
        self._failures = 0
        chunks, tags = self._opaque.chunks(found)
        with self._arrays:
            inside = chunks < len(self._state)
            chunks, tags = chunks[inside].astype(np.int64), tags[inside]
            # Only what is there under this very id: an answer may be old, or made up.
            chunks = chunks[(self._tags[chunks] == tags) & (self._state[chunks] == _THERE)]
            waiting = np.flatnonzero(self._state == _ADD)
        if len(waiting) > FEW:
            raise NearestError(f"{len(waiting)} new vectors are still to be added")
        return np.union1d(chunks, waiting)

    def mean(self, vector: "Array", without: "Array") -> float:
        """The mean cosine of all vectors but those whose cosines are in `without`."""
        with self._arrays:
            there = int(((self._state == _ADD) | (self._state == _THERE)).sum())
            total = float(self._sum @ vector)
        rest = there - len(without)
        return (total - float(without.sum())) / rest if rest > 0 else 0.0

    # --- keeping it the same ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.index.open(self.dimensions)
                self._compare()
                self._connected = True
                while self._connected and not self._ended.is_set():
                    self._take_out()
                    self._fill()
                    self._complete = True
                    if not self._woken.wait(_LOOK_SECONDS):
                        if self.index.count() == self._counts()[0]:
                            self._at_rest()
                        else:
                            self._compare()
                    self._woken.clear()
            except NearestError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - exact search stands in, and the status says why
                self._failed(NearestError(f"{self.index.where} failed: {type(error).__name__}"))
            self._tried = True
            shortest, longest = _RETRY_SECONDS
            self._ended.wait(min(shortest * 2 ** min(self._failures, 10), longest))

    def _take_out(self) -> None:
        """Remove there what is gone."""
        import numpy as np

        with self._arrays:
            chunks = np.flatnonzero(self._state == _GO)
            ids = self._opaque.ids(chunks, self._tags[chunks])
        for at in range(0, len(ids), _BATCH):
            self.index.remove(ids[at : at + _BATCH])
        with self._arrays:
            self._state[chunks] = 0
            self._tags[chunks] = 0

    def _failed(self, error: StrongroomError) -> None:
        self._connected = self._complete = False
        self._failures += 1  # until it answers a question again: one that is up, but slow, is not asked each time
        self._why, self._hint = error.message, error.hint
        self._woken.set()

    def _compare(self) -> None:
        """Find what the other index lacks and what it has too much, by its ids; the latter goes."""
        import numpy as np

        with self._arrays:
            state, tags = self._state.copy(), self._tags.copy()
        seen = np.zeros(len(state), dtype=bool)
        for ids in self.index.ids():
            chunks, found = self._opaque.chunks(ids)
            inside = chunks < len(state)
            own = np.where(inside, chunks, 0).astype(np.int64)
            mine = inside & (tags[own] == found) & ((state[own] == _ADD) | (state[own] == _THERE))
            seen[own[mine]] = True
            self._strange += [ids[at] for at in np.flatnonzero(~mine).tolist()]
            if self._ended.is_set():
                return
        while self._strange:
            self.index.remove(self._strange[:_BATCH])
            del self._strange[:_BATCH]
        with self._arrays:
            now = self._state[: len(state)]
            same = (now == state) & (self._tags[: len(state)] == tags)
            lost = same & ~seen & (state == _THERE)
            self._lost += int(lost.sum())
            now[lost] = _ADD
            now[same & seen & (state == _ADD)] = _THERE
            now[same & (state == _GO)] = 0

    def _fill(self) -> None:
        """Send what is not there yet."""
        import numpy as np

        while not self._ended.is_set() and not self.left():
            with self._arrays:
                waiting = np.flatnonzero(self._state == _ADD)
            if len(waiting) > FEW:
                self._complete, self._why = False, "it is being filled from the vault"
            if not len(waiting):
                return
            batch = waiting[: _SMALL_BATCH if self._complete else _BATCH]
            found, vectors = self._load(batch)
            with self._arrays:
                # Chunks leave only through this thread, so that what is added here is taken out after.
                there = self._state[found] == _ADD
                found, vectors = found[there], vectors[there]
                ids = self._opaque.ids(found, self._tags[found])
            if len(found):
                self.index.add(ids, vectors)
            with self._arrays:
                still = np.isin(batch, found)
                added, gone = batch[still], batch[~still]
                self._state[added[self._state[added] == _ADD]] = _THERE
                self._state[gone[self._state[gone] == _ADD]] = 0  # the vault has no vector of it any more

    def _sum_anew(self) -> None:
        import numpy as np

        with self._arrays:
            there = np.flatnonzero((self._state == _ADD) | (self._state == _THERE))
        _, vectors = self._load(there)
        with self._arrays:
            self._sum = vectors.sum(axis=0, dtype=np.float64)

    def _counts(self) -> tuple[int, int]:
        with self._arrays:
            return int((self._state == _THERE).sum()), int((self._state == _ADD).sum())

    def _room(self, last: int) -> None:
        import numpy as np

        if last >= len(self._state):
            more = max(last + 1, len(self._state) * 5 // 4) - len(self._state)
            self._state = np.concatenate([self._state, np.zeros(more, dtype=np.uint8)])
            self._tags = np.concatenate([self._tags, np.zeros(more, dtype=np.uint64)])
