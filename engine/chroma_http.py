"""Chroma's interface (version 2, HTTP), as far as vectors need it, over a connection that somebody else made.

No name is looked up and no connection is made here: `dial` gives a connected socket. What comes back is not believed:
a status, a size, and the form of every value that is used are checked. Source: the server's own /openapi.json, tried
with Chroma 1.5.9.
"""

import base64
import contextlib
import http.client
import json
import re
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from retrieval.chroma import CONFIGURATION, SYNC
from retrieval.nearest import ID_BYTES, NearestError

QUERY_SECONDS = 3.0  # for a question's neighbours: longer than that, exact search is faster
_SECONDS = 60.0  # for everything else
_MOST_BYTES = 64 << 20
_SWEEPS = 4  # tried: after four, none of three vectors was left in a database of 170
_WRITTEN_OVER = 50_000  # vectors that are written over before their collection is deleted: a minute or two
_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_HEX = re.compile(r"[0-9a-f]{32}\Z")
_NAME = "strongroom-{}-{}"
_KNOWN = "1."  # of the interface, as /api/v2/version tells it


class Server:
    """One Chroma server, and the collection of one vault's vectors in it. For one thread."""

    def __init__(self, where: str, host: str, dial: Callable[[], socket.socket], token: str = "") -> None:
        """`where` is its address in words; `dial` raises NearestError; `token` goes along with every request."""
        self._where = f"the Chroma server at {where}"
        self._host = host
        self._dial = dial
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: http.client.HTTPConnection | None = None
        self._collection = ""
        self._dimensions = 0
        self._batch = 1_000
        self._base64 = False

    def open(self, vault: str, model: str, dimensions: int) -> int:
        """Have the collection of a vault and a model, and none of the vault's other models; returns how many it has."""
        version = self._ask("GET", "/api/v2/version")
        if not isinstance(version, str) or not version.startswith(_KNOWN):
            raise NearestError(f"{self._where} is of another version than is known here: {str(version)[:40]!r}", _HINT)
        flight = self._ask("GET", "/api/v2/pre-flight-checks")
        if not isinstance(flight, dict) or not isinstance(flight.get("max_batch_size"), int):
            raise self._strange("pre-flight checks")
        self._batch = max(1, min(flight["max_batch_size"], 5_000))
        self._base64 = flight.get("supports_base64_encoding") is True
        name = _NAME.format(vault, model)
        self._drop(vault, keep=name)
        found = self._ask("POST", _COLLECTIONS, {"name": name, "get_or_create": True, "configuration": CONFIGURATION})
        if not isinstance(found, dict) or not _UUID.match(str(found.get("id"))):
            raise self._strange("collection")
        if found.get("dimension") not in (None, dimensions):
            raise NearestError(
                f"{self._where} has the vault's collection with vectors of {found['dimension']}, not {dimensions}",
                "`strongroom vectors exact` deletes it there; then choose the server again",
            )
        self._collection, self._dimensions = f"{_COLLECTIONS}/{found['id']}", dimensions
        return self.count()

    def count(self) -> int:
        """How many vectors it has."""
        found = self._ask("GET", f"{self._opened()}/count")
        if not isinstance(found, int):
            raise self._strange("count")
        return found

    def ids(self, offset: int, limit: int) -> list[bytes]:
        """Some of its ids; what is no id of ours is left out."""
        return self._ids(self._ask("POST", f"{self._opened()}/get", {"include": [], "offset": offset, "limit": limit}))

    def held(self, ids: Sequence[bytes]) -> int:
        """How many of these it has."""
        wanted = {"ids": [each.hex() for each in ids], "include": []}
        return len(self._ids(self._ask("POST", f"{self._opened()}/get", wanted))) if ids else 0

    def add(self, ids: Sequence[bytes], vectors: Sequence[bytes]) -> None:
        """Take in vectors: float32, little-endian."""
        self._send("upsert", ids, vectors)

    def remove(self, ids: Sequence[bytes]) -> None:
        """Remove these; each is overwritten by a blank one first, because what is deleted stays in Chroma's files."""
        for at in range(0, len(ids), self._batch):
            some = [each.hex() for each in ids[at : at + self._batch]]
            there = self._ids(self._ask("POST", f"{self._opened()}/get", {"ids": some, "include": []}))
            if there:
                self._send("update", there, [self._blank()] * len(there))
                self._ask("POST", f"{self._opened()}/delete", {"ids": [each.hex() for each in there]})

    def sweep(self) -> None:
        """Put in blank vectors until Chroma has written its index anew, over what was removed, and take them out; some
        times over, so that the free pages of its database, where its log was, are used again."""
        for _ in range(_SWEEPS):
            names = [secrets.token_bytes(ID_BYTES) for _ in range(SYNC + 100)]
            self._send("upsert", names, [self._blank()] * len(names))
            for at in range(0, len(names), self._batch):
                some = [each.hex() for each in names[at : at + self._batch]]
                self._ask("POST", f"{self._opened()}/delete", {"ids": some})

    def _blank(self) -> bytes:
        return struct.pack("<f", 1.0) + bytes(4 * (self._dimensions - 1))

    def nearest(self, vector: bytes, count: int) -> list[bytes]:
        """The nearest ids."""
        asked = {"query_embeddings": [_floats(vector)], "n_results": count, "include": []}
        found = self._ask("POST", f"{self._opened()}/query", asked, seconds=QUERY_SECONDS)
        lists = found.get("ids") if isinstance(found, dict) else None
        if not isinstance(lists, list) or len(lists) != 1:
            raise self._strange("answer")
        return self._ids({"ids": lists[0]})[:count]

    def drop(self, vault: str) -> bool:
        """Delete every collection of this vault; whether its vectors were written over before, because Chroma leaves a
        deleted collection's files as they are."""
        over = bool(self._collection) and self.count() <= _WRITTEN_OVER
        if over:
            while ids := self.ids(0, 5_000):
                self.remove(ids)
            self.sweep()
        self._drop(vault, keep="")
        self._collection = ""
        return over

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _drop(self, vault: str, keep: str) -> None:
        found = self._ask("GET", f"{_COLLECTIONS}?limit=1000")
        if not isinstance(found, list):
            raise self._strange("list of collections")
        own = re.compile(_NAME.format(vault, "[0-9a-f]{16}") + r"\Z")
        for each in found:
            name = each.get("name") if isinstance(each, dict) else None
            if isinstance(name, str) and own.match(name) and name != keep:
                self._ask("DELETE", f"{_COLLECTIONS}/{name}")

    def _send(self, how: str, ids: Sequence[bytes], vectors: Sequence[bytes]) -> None:
        for at in range(0, len(ids), self._batch):
            some = vectors[at : at + self._batch]
            values: list[Any] = [base64.b64encode(each).decode() for each in some] if self._base64 else [
                _floats(each) for each in some
            ]  # fmt: skip
            names = [each.hex() for each in ids[at : at + self._batch]]
            self._ask("POST", f"{self._opened()}/{how}", {"ids": names, "embeddings": values})

    def _opened(self) -> str:
        if not self._collection:
            raise NearestError(f"{self._where} has no collection open")
        return self._collection

    def _ids(self, found: Any) -> list[bytes]:
        names = found.get("ids") if isinstance(found, dict) else None
        if not isinstance(names, list):
            raise self._strange("list of ids")
        return [bytes.fromhex(each) for each in names if isinstance(each, str) and _HEX.match(each)]

    def _ask(self, method: str, path: str, body: Any = None, *, seconds: float = 0) -> Any:
        seconds = seconds or _SECONDS
        fresh = self._connection is None
        try:
            return self._ask_once(method, path, body, seconds)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise NearestError(f"{self._where} did not answer within {seconds:.0f} s", _HINT) from error
            if fresh:
                raise NearestError(f"{self._where} broke off: {_reason(error)}", _HINT) from error
        # A connection that lay idle may have been closed by the server; every request here can be made twice.
        try:
            return self._ask_once(method, path, body, seconds)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise NearestError(f"{self._where} broke off: {_reason(error)}", _HINT) from error

    def _ask_once(self, method: str, path: str, body: Any, seconds: float) -> Any:
        if self._connection is None or self._connection.sock is None:  # the server closed it after its last answer
            self._connection = http.client.HTTPConnection(self._host)
            self._connection.auto_open = 0
            self._connection.sock = self._dial()
        content = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if content else {}
        with _within(self._connection.sock, seconds):
            self._connection.request(method, path, content, {**self._headers, **kind})
            response = self._connection.getresponse()
            answer = response.read(_MOST_BYTES + 1)
            if response.length and len(answer) <= _MOST_BYTES:  # it would read half a number as a number
                raise http.client.IncompleteRead(answer, response.length)
        if len(answer) > _MOST_BYTES:
            self.close()
            raise NearestError(f"{self._where} answered with more than {_MOST_BYTES >> 20} MiB", _HINT)
        if response.status in (401, 403):
            known = "does not accept the token" if self._headers else "wants to see a token"
            raise NearestError(f"{self._where} {known}", "`strongroom vectors server ADDRESS --token-file FILE`")
        if response.status in (404, 410, 405) and self._collection == "":
            raise NearestError(f"{self._where} does not speak version 2 of Chroma's interface", _HINT)
        if response.status >= 300:
            self._forget_lost(response.status)
            raise NearestError(f"{self._where} refused with status {response.status}", _HINT)
        try:
            return json.loads(answer) if answer else None
        except (ValueError, RecursionError) as error:
            raise self._strange("answer") from error

    def _forget_lost(self, status: int) -> None:
        if status == 404:  # the collection was deleted over there
            self._collection = ""

    def _strange(self, what: str) -> NearestError:
        return NearestError(f"{self._where} sent no {what} that can be read", _HINT)


_HINT = "Chroma 1.x is known to work"


@contextlib.contextmanager
def _within(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Raise TimeoutError where something takes longer in all: a server that sends a byte now and then is slow too."""
    connection.settimeout(seconds)
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below https, if there is any

    watch = threading.Timer(seconds, cut)
    watch.start()
    try:
        yield
    except (http.client.HTTPException, OSError) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        watch.cancel()
    if late.is_set():
        raise TimeoutError


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", "") or type(error).__name__).lower()
