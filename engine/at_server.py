"""The engine's side of the connector: the user's server as an index (retrieval.nearest.Nearest).

The engine cannot ask for a connection and never sees one; it can have ids and vectors carried to that one server, and
nothing else.
"""

import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.connector_frames import receive, send
from retrieval.nearest import BusyError, NearestError
from vault.errors import StrongroomError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_QUERY_SECONDS = 4.0
_SECONDS = 150.0
_DROP_SECONDS = 600.0
_LOCK_SECONDS = 2.0  # for its lock's report: it may be busy with the server
_PAGE = 5_000
_MOST_REPORTED = 100  # entries of a list


class Line:
    """The engine's end of the line to the connector. One request at a time, whoever asks; thread-safe."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._asking = threading.Lock()
        self._number = 0
        self._held: dict[str, Any] | None = None

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connector with it, where nobody else has it."""
        self._socket.close()

    def ask(
        self,
        request: dict[str, Any],
        where: str,
        ids: Sequence[bytes] = (),
        vectors: bytes = b"",
        *,
        seconds: float,
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Header and ids of the answer. `where` is who is waited for, in words. Raises BusyError and NearestError."""
        until = time.monotonic() + seconds
        if not self._asking.acquire(timeout=seconds):
            raise BusyError(f"{where} is busy taking in vectors")
        try:
            self._number += 1
            send(self._socket, {"n": self._number, **request}, ids, vectors)
            while True:
                left = until - time.monotonic()
                if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                    raise NearestError(f"{where} did not answer within {seconds:.0f} s")
                frame = receive(self._socket)
                if frame is None:
                    raise NearestError("the connector has ended", "`strongroom lock` starts it anew")
                header, found, _ = frame
                if header.get("n") == self._number:  # not the late answer to what was given up
                    break
        except (OSError, ValueError) as error:
            raise NearestError("the connector has ended", "`strongroom lock` starts it anew") from error
        finally:
            self._asking.release()
        if header.get("done") is not True:
            raise NearestError(str(header.get("message"))[:300], str(header.get("hint", ""))[:300])
        return header, found

    def held(self, *, check: bool) -> dict[str, Any] | None:
        """What the connector says of its lock, as `privacy.held` makes it, and why it does not, if so; None where it
        has not answered yet. `check` has it try again what must be refused; else it does so once."""
        if check or self._held is None:
            try:
                self._held = _report(self.ask({"do": "lock"}, "the connector", seconds=_LOCK_SECONDS)[0].get("report"))
            except BusyError:
                pass  # with the server; what it said last holds, because a lock does not come off
            except (NearestError, ValueError) as error:
                self._held = {**(self._held or _UNKNOWN), "at": time.time(), "failed": str(error)}
        return None if self._held is None else dict(self._held)


_UNKNOWN = {"profile": "connector", "system": "", "landlock": 0, "experimental": False, "missing": [], "refused": [],
            "pid": 0}  # fmt: skip


def _report(said: Any) -> dict[str, Any]:
    """A report of the form that it must have. Raises ValueError."""
    match said:
        case {
            "profile": "connector",
            "system": str(),
            "landlock": int(),
            "experimental": bool(),
            "refused": list(refused),
            "missing": list(missing),
            "pid": int(),
            "at": float(),
            "failed": str(),
        } if len(said) == 9 and all(type(each) is str for each in refused + missing):
            if len(refused) <= _MOST_REPORTED and len(missing) <= _MOST_REPORTED:
                return {**said}
    raise ValueError("the connector reports no lock")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What an engine has of a server."""

    line: Line | None
    """to the connector; None where there is none"""
    where: str
    """the address"""
    problem: StrongroomError | None = None
    """why there is no connector, though the user chose a server"""


class AtServer:
    """The index on the user's server (retrieval.nearest.Nearest), through the connector. Thread-safe."""

    kind = "server"

    def __init__(self, line: Line, where: str, vault: str, model: str) -> None:
        """`where` is the address in words; `vault` and `model`: 16 hexadecimal digits that name the collection and tell
        nothing."""
        self.where = f"the Chroma server at {where}"
        self._line = line
        self._vault, self._model = vault, model

    def open(self, dimensions: int) -> None:
        """Have the collection."""
        self._dimensions = dimensions
        self._ask("open", dimensions=dimensions)

    def ids(self) -> Iterator[list[bytes]]:
        """All ids."""
        offset = 0
        while page := self._ask("ids", offset=offset, limit=_PAGE)[1]:
            yield page
            offset += len(page)

    def count(self) -> int:
        """How many it has."""
        return int(self._ask("count")[0]["count"])

    def add(self, ids: Sequence[bytes], vectors: "Array") -> None:
        """Take in vectors."""
        self._ask("add", ids, vectors.astype("<f4").tobytes())

    def remove(self, ids: Sequence[bytes]) -> None:
        """Remove these."""
        self._ask("remove", ids)

    def nearest(self, vector: "Array", count: int) -> list[bytes]:
        """The nearest ids."""
        return self._ask("nearest", (), vector.astype("<f4").tobytes(), seconds=_QUERY_SECONDS, count=count)[1]

    def held(self, ids: Sequence[bytes]) -> int:
        """How many of these it has."""
        return int(self._ask("held", ids)[0]["count"])

    def sweep(self) -> None:
        """Have what was removed written over."""
        self._ask("sweep")

    def drop(self) -> bool:
        """Remove everything of this vault's; whether it was written over there before."""
        return self._ask("drop", seconds=_DROP_SECONDS)[0].get("over") is True

    def close(self) -> None:
        """Nothing: the line is the engine's for its whole life."""

    def _ask(
        self, do: str, ids: Sequence[bytes] = (), vectors: bytes = b"", *, seconds: float = _SECONDS, **more: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        request = {"do": do, "vault": self._vault, "model": self._model, **more}
        return self._line.ask(request, self.where, ids, vectors, seconds=seconds)
