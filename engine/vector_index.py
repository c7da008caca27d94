"""Which index says what vectors are near: exact search, Chroma in memory, or a Chroma server of the user's.

Exact or in memory is a setting in the vault. A server is not: its address lies where no engine can write
(engine/server_address.py), and where there is one, the engine was given a line to the connector.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from vault.errors import StrongroomError
from vault.readback import Check

if TYPE_CHECKING:
    from engine.engine import Engine
    from retrieval.embedder import Embedder
    from retrieval.index import Index
    from retrieval.near import Near
    from retrieval.nearest import Nearest
    from vault.vault import Vault

_PURPOSE = "strongroom vectors elsewhere"
_SETTLE_SECONDS = 30.0  # that a purge waits for the other index
KEPT = (
    "what a Chroma server keeps in memory until it ends, and in copies of its files and old blocks of its disk",
    "free pages of a Chroma server's database that were not used again yet: `chroma vacuum` clears them there",
    "a Chroma server that says that it deleted, and did not",
)

_PASSING = StrongroomError(
    "Chroma in memory is filled while Strongroom is open, and not for one command", "`strongroom open` or `serve`"
)


def begin(engine: "Engine", vault: "Vault", index: "Index") -> None:
    """Have the index of a vault ask what the user chose; best before its first `refresh`, which then tells both."""
    index.use(_maker(engine, vault, index))


def status(engine: "Engine", index: "Index") -> dict[str, Any]:
    """`chosen` is exact, chroma or server, `serving` what answers now; `why` and `hint`, where that is not the same."""
    chosen = "server" if engine.elsewhere else engine.settings.vector_index
    found = index.near.status() if index.near else {}
    problem = engine.elsewhere.problem if engine.elsewhere else None
    if chosen == "chroma" and not engine.lasts:
        problem = _PASSING
    return {
        "chosen": chosen,
        "serving": chosen if chosen == "exact" or found.get("serving") else "exact",
        "where": found.get("where", ""),
        "address": engine.elsewhere.where if engine.elsewhere else "",
        "why": problem.message if problem else found.get("why", ""),
        "hint": problem.hint if problem else found.get("hint", ""),
        "vectors": index.vectors,
        "there": found.get("there", 0),
        "to_add": found.get("to_add", 0),
        "lost": found.get("lost", 0),
    }


def read_back(index: "Index", removed: Collection[int]) -> tuple[list[Check], tuple[str, ...]]:
    """After a purge: whether the other index still has these chunks' vectors; and what this says nothing about."""
    from retrieval.nearest import NearestError

    near = index.near
    if near is None or (near.index.kind == "chroma" and near.empty):  # in memory it begins with nothing
        return [], ()
    near.settled(_SETTLE_SECONDS)
    what, where = "vectors", near.index.where
    kept = KEPT if near.index.kind == "server" else ()
    try:
        return [Check(what, where, len(removed), near.held(removed))], kept
    except NearestError:
        # Not known, so not confirmed: they go as soon as it answers, by the comparison of ids.
        return [Check(what, f"{where}, which cannot be asked now", len(removed), len(removed))], kept


def leave(engine: "Engine", index: "Index") -> dict[str, Any]:
    """Take the vault's vectors from the server, if it has a line to one, and speak to it no more."""
    elsewhere, near = engine.elsewhere, index.near
    if elsewhere is None:
        return {"left": ""}
    from retrieval.nearest import NearestError

    index.use(None)
    left = f"{elsewhere.where or 'the server'} cannot be asked to delete the vault's vectors: they stay there"
    if near is not None:
        try:
            over = near.index.drop()
            left = "" if over else (
                f"{elsewhere.where} has deleted the collection; its files still hold the vectors until you delete the"
                " folder that bears the collection's name there"
            )  # fmt: skip
        except NearestError as error:
            left = f"{error.message}: the vault's vectors stay there"
    engine.elsewhere = None
    return {"left": left}


def _maker(engine: "Engine", vault: "Vault", index: "Index") -> "Callable[[Embedder], Near] | None":
    elsewhere = engine.elsewhere
    if elsewhere is not None:
        return functools.partial(_at_server, vault, index, elsewhere) if elsewhere.line else None
    if engine.settings.vector_index == "chroma" and engine.lasts:
        return functools.partial(_in_memory, index)
    return None


def _in_memory(index: "Index", embedder: "Embedder") -> "Near":
    from retrieval.chroma import InMemory

    return _near(InMemory(), index, embedder, os.urandom(32))


def _at_server(vault: "Vault", index: "Index", elsewhere: Any, embedder: "Embedder") -> "Near":
    from engine.at_server import AtServer

    key = vault.derived_key(_PURPOSE)

    def name(of: str) -> str:
        return hashlib.blake2b(of.encode(), key=key, digest_size=8).hexdigest()

    server = AtServer(elsewhere.line, elsewhere.where, name("vault"), name(f"model {embedder.digest}"))
    return _near(server, index, embedder, key)


def _near(nearest: "Nearest", index: "Index", embedder: "Embedder", key: bytes) -> "Near":
    from retrieval.near import Near

    return Near(nearest, dimensions=embedder.dimensions, key=key, load=index.load)
