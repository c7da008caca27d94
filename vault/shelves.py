"""Where the vectors lie: two tables, one model's vectors in each.

One model serves. Where another is chosen, its vectors are made on the other shelf (`coming`) while the old ones go on
serving; when every chunk has one, a single transaction changes the two over, and the old ones are deleted little by
little (`leaving`). A model that is chosen while both shelves are taken waits. All of it is rows, so that a process that
was killed goes on from them; a chunk that goes takes its vectors on both shelves along, by the tables' foreign keys.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw

SHELVES = ("vector", "vector_other")
SWEEP = 2_000
"""vectors that a commit deletes: some megabytes, so that a question does not wait for long"""
_COLUMNS = "shelf, digest, path, shown, facts, state, stands_in"


@dataclass(frozen=True, slots=True)
class Kept:
    """A model whose vectors lie in the vault, or are to."""

    shelf: str
    """one of SHELVES; empty while it waits"""
    digest: str
    path: bytes | None
    """None: it came with Strongroom"""
    shown: str
    facts: Mapping[str, Any]
    state: str
    stands_in: bool


def all_kept(db: apsw.Connection) -> list[Kept]:
    """Every model, the serving one first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM embedder ORDER BY state != 'serving', added")
    return [_kept(row) for row in rows]


def begin(db: apsw.Connection, own: Kept) -> None:
    """Write down which model the vault's vectors are of, where it was not yet: the one that came with Strongroom."""
    if not db.execute("SELECT 1 FROM embedder WHERE state = 'serving'").get:
        _insert(db, own, shelf=SHELVES[0], state="serving")


def choose(db: apsw.Connection, wanted: Kept) -> str:
    """Have this model serve as soon as its vectors are there; returns its state: serving, coming or waiting.

    Another that was coming leaves. One that was leaving comes back, with the vectors that are still there.
    """
    db.execute("DELETE FROM embedder WHERE state = 'waiting'")
    here = next((each for each in all_kept(db) if each.digest == wanted.digest), None)
    db.execute("UPDATE embedder SET state = 'leaving', stands_in = 0 WHERE state = 'coming' AND digest != ?",
               (wanted.digest,))  # fmt: skip
    if here is not None:
        state = "serving" if here.state == "serving" else "coming"
        db.execute(
            "UPDATE embedder SET state = ?, path = ?, shown = ?, facts = ?, stands_in = ? WHERE shelf = ?",
            (state, wanted.path, wanted.shown, json.dumps(dict(wanted.facts)), wanted.stands_in, here.shelf),
        )
        return state
    taken = {each.shelf for each in all_kept(db)}
    free = next((each for each in SHELVES if each not in taken), "")
    state = "coming" if free else "waiting"
    _insert(db, wanted, shelf=free, state=state)
    return state


def missing(db: apsw.Connection, shelf: str) -> int:
    """How many chunks have no vector on this shelf."""
    return int(db.execute("SELECT count(*) FROM chunk").get) - int(db.execute(f"SELECT count(*) FROM {shelf}").get)


def change_over(db: apsw.Connection, coming: Kept) -> bool:
    """Let the coming model serve; false, with nothing changed, where it is not to any more or a chunk has no vector."""
    now = [each for each in all_kept(db) if each.state == "coming" and not each.stands_in]
    if [each.digest for each in now] != [coming.digest] or missing(db, coming.shelf):
        return False
    db.execute("UPDATE embedder SET state = 'leaving' WHERE state = 'serving'")
    db.execute("UPDATE embedder SET state = 'serving' WHERE shelf = ?", (coming.shelf,))
    return True


def sweep(db: apsw.Connection) -> bool:
    """Delete some vectors of a model that leaves; the one that waits gets its shelf. False: nothing is left to do."""
    for each in all_kept(db):
        if each.state != "leaving":
            continue
        db.execute(f"DELETE FROM {each.shelf} WHERE chunk IN (SELECT chunk FROM {each.shelf} LIMIT {SWEEP})")
        if not db.changes():
            db.execute("DELETE FROM embedder WHERE shelf = ?", (each.shelf,))
            db.execute("UPDATE embedder SET shelf = ?, state = 'coming' WHERE state = 'waiting'", (each.shelf,))
        return True
    return False


def _insert(db: apsw.Connection, each: Kept, *, shelf: str, state: str) -> None:
    db.execute(
        f"INSERT INTO embedder ({_COLUMNS}, added) VALUES (?,?,?,?,?,?,?,?)",
        (shelf, each.digest, each.path, each.shown, json.dumps(dict(each.facts)), state, each.stands_in, time.time()),
    )


def _kept(row: Any) -> Kept:
    shelf, digest, path, shown, facts, state, stands_in = row
    return Kept(shelf, digest, path, shown, json.loads(facts), state, bool(stands_in))
