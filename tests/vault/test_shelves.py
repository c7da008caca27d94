"""Two shelves of vectors: one serves while the other is filled, and nothing is deleted before the change."""

import apsw
import pytest

from vault import schema, shelves
from vault.shelves import Kept


def kept(digest, *, stands_in=False):
    return Kept("", digest, None if digest == "own" else digest.encode(), digest, {"name": digest}, "", stands_in)


@pytest.fixture
def db():
    made = apsw.Connection(":memory:")
    made.pragma("foreign_keys", True)
    schema.migrate(made)
    made.execute(
        "INSERT INTO document (id, kind, title, prefix, characters, added) VALUES ('d', 'text', 't', 'p', 1, 1)"
    )
    for _ in range(3):
        made.execute("INSERT INTO chunk (document, start, end, key) VALUES (1, 0, 1, x'00')")
    fill(made, "vector")
    shelves.begin(made, kept("own"))
    return made


def fill(db, shelf, chunks=3):
    db.execute(f"INSERT OR IGNORE INTO {shelf} SELECT id, x'0102' FROM chunk LIMIT {chunks}")


def states(db):
    return {each.digest: (each.state, each.shelf) for each in shelves.all_kept(db)}


def row(db, digest):
    return next(each for each in shelves.all_kept(db) if each.digest == digest)


def swept(db):
    return sum(1 for _ in iter(lambda: shelves.sweep(db), False))


def test_what_a_vault_has_is_written_down_once(db):
    shelves.begin(db, kept("later"))
    assert states(db) == {"own": ("serving", "vector")}


def test_the_next_serves_only_when_every_chunk_has_its_vector(db):
    assert shelves.choose(db, kept("a")) == "coming"
    fill(db, "vector_other", 2)
    assert not shelves.change_over(db, row(db, "a"))
    fill(db, "vector_other")
    assert shelves.change_over(db, row(db, "a"))
    assert states(db) == {"a": ("serving", "vector_other"), "own": ("leaving", "vector")}
    assert swept(db) == 2
    assert states(db) == {"a": ("serving", "vector_other")}
    assert shelves.missing(db, "vector") == 3


def test_a_third_waits_until_a_shelf_is_empty(db):
    shelves.choose(db, kept("a"))
    fill(db, "vector_other", 1)
    assert shelves.choose(db, kept("b")) == "waiting"
    assert states(db) == {"own": ("serving", "vector"), "a": ("leaving", "vector_other"), "b": ("waiting", "")}
    assert shelves.choose(db, kept("c")) == "waiting"  # the last word counts
    swept(db)
    assert states(db) == {"own": ("serving", "vector"), "c": ("coming", "vector_other")}


def test_who_changes_their_mind_loses_nothing_that_is_still_there(db):
    shelves.choose(db, kept("a"))
    fill(db, "vector_other")
    shelves.change_over(db, row(db, "a"))
    assert shelves.choose(db, kept("own")) == "coming"
    assert not shelves.sweep(db)
    assert shelves.missing(db, "vector") == 0
    assert shelves.change_over(db, row(db, "own"))
    assert shelves.choose(db, kept("own")) == "serving"


def test_one_that_stands_in_takes_nobodys_place(db):
    assert shelves.choose(db, kept("b", stands_in=True)) == "coming"
    fill(db, "vector_other")
    assert not shelves.change_over(db, row(db, "b"))
    assert shelves.choose(db, kept("b")) == "coming"  # now it is chosen
    assert shelves.change_over(db, row(db, "b"))


def test_one_that_is_no_longer_wanted_does_not_serve(db):
    shelves.choose(db, kept("a"))
    fill(db, "vector_other")
    late = row(db, "a")
    shelves.choose(db, kept("own"))
    assert not shelves.change_over(db, late)


def test_a_chunk_that_goes_takes_the_vectors_of_both_along(db):
    fill(db, "vector_other")
    db.execute("DELETE FROM chunk WHERE id = 2")
    for shelf in shelves.SHELVES:
        assert db.execute(f"SELECT group_concat(chunk) FROM {shelf}").get == "1,3"
