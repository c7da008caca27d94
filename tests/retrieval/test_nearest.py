"""Another index beside the exact one: asked for what is near, believed for nothing else, replaced when it fails."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from engine import vector_index
from retrieval import near as keeping
from retrieval import near_view
from retrieval.index import Index
from retrieval.near import Near
from retrieval.nearest import ID_BYTES, NearestError
from retrieval.opaque import Opaque
from retrieval.vectors import Exact, Stored

TOWNS = ("Arden", "Bristol", "Corby", "Durham", "Ely", "Fowey", "Goole", "Hexham")
ASKED = ("animals with stripes", "zebras in Durham", "who bakes bread", "the bakery of Goole")


class Brute:
    """An index that compares all, in a dictionary that a test can damage."""

    kind = "server"
    where = "the index of this test"

    def __init__(self):
        self.held_now = {}
        self.fails = ""
        self.answers = None
        self.swept = 0
        self.asked = 0
        self.opened = []

    def _ready(self):
        if self.fails:
            raise NearestError(f"{self.where} {self.fails}")

    def open(self, dimensions):
        self._ready()
        self.opened.append(dimensions)

    def ids(self):
        self._ready()
        every = list(self.held_now)
        yield from (every[at : at + 3] for at in range(0, len(every), 3))

    def count(self):
        self._ready()
        return len(self.held_now)

    def add(self, ids, vectors):
        self._ready()
        assert vectors.dtype == np.float32
        assert len(ids) == len(vectors)
        self.held_now.update(zip(ids, vectors, strict=True))

    def remove(self, ids):
        self._ready()
        for each in ids:
            self.held_now.pop(each, None)

    def nearest(self, vector, count):
        self.asked += 1
        self._ready()
        if self.answers is not None:
            return self.answers
        return sorted(self.held_now, key=lambda each: -float(self.held_now[each] @ vector))[:count]

    def held(self, ids):
        self._ready()
        return sum(each in self.held_now for each in ids)

    def sweep(self):
        self._ready()
        self.swept += 1

    def drop(self):
        self.held_now.clear()
        return True

    def close(self):
        pass


@pytest.fixture
def brute():
    return Brute()


@pytest.fixture
def town(store):
    """A store with papers of several towns."""
    for n, name in enumerate(TOWNS):
        store.put(f"{name}.txt", f"The zoo of {name} has {n + 2} zebras, which are fed at noon.")
        store.put(f"{name}-bread.txt", f"The bakery of {name} opens at {n + 4} and sells rye loaves.")
    return store


@pytest.fixture
def near(town, brute, monkeypatch):
    """The town asked through the other index, which is looked at often and asked for few."""
    monkeypatch.setattr(keeping, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "_RETRY_SECONDS", (0.02, 0.1))
    monkeypatch.setattr(near_view, "_NEAREST", 6)
    monkeypatch.setattr(near_view, "_ENOUGH", 1)
    key = os.urandom(32)
    town.index.use(lambda model: Near(brute, dimensions=model.dimensions, key=key, load=town.index.load))
    wait(lambda: town.index.near.serves)
    yield town.index.near
    town.index.use(None)


def wait(done, seconds=20):
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def found(index, asked):
    return [(each.chunk, each.score, each.vector, each.start, each.end) for each in index.search(asked, k=3)]


def exactly(town, asked):
    other = Index(town, town.embedder)
    snapshot = town.index._snapshot
    every = town.index._filled(town.db, snapshot).view(len(snapshot.ids))
    other._snapshot = replace(snapshot, vectors=every)
    return found(other, asked)


def same(town):
    for asked in ASKED:
        ours, theirs = found(town.index, asked), exactly(town, asked)
        assert [each[0] for each in ours] == [each[0] for each in theirs]
        assert np.allclose([each[1:3] for each in ours], [each[1:3] for each in theirs], atol=1e-5)


def test_it_gives_the_passages_that_exact_search_gives(town, near, brute, monkeypatch):
    with monkeypatch.context() as alone:
        alone.setattr(Exact, "cosines", None)  # not by comparing all
        alone.setattr(Stored, "cosines", None)
        for asked in ASKED:
            assert found(town.index, asked)
    same(town)
    assert brute.asked == 2 * len(ASKED)
    assert len(brute.held_now) == town.index.vectors == 2 * len(TOWNS)


def test_its_ids_tell_nothing_and_say_the_same_to_their_owner():
    first, second = Opaque(b"a" * 32), Opaque(b"b" * 32)
    chunks, tags = np.arange(1, 2000), np.full(1999, first.tag(b"vector"), dtype=np.uint64)
    ids = first.ids(chunks, tags)
    assert {len(each) for each in ids} == {ID_BYTES}
    assert len(set(ids)) == len(ids)
    assert all(int(chunk).to_bytes(8, "big") not in each for chunk, each in zip(chunks[300:], ids[300:], strict=True))
    back, tags_back = first.chunks(ids)
    assert (back == chunks).all()
    assert (tags_back == tags).all()
    assert not set(second.ids(chunks, tags)) & set(ids)
    assert first.tag(b"vector") != second.tag(b"vector") != second.tag(b"other")


@pytest.mark.parametrize("made_up", [[], [bytes(16)] * 6, [bytes([n]) * 16 for n in range(6)]])
def test_what_it_makes_up_is_not_believed(town, near, brute, made_up):
    brute.answers = made_up
    same(town)  # nothing of it is known, so all are compared


def test_it_can_leave_out_and_cannot_change_a_score(town, near, brute):
    scores = {each[0]: each[2] for each in found(town.index, "animals with stripes")}
    brute.answers = list(brute.held_now)[-3:]
    for chunk, _, cosine, *_ in found(town.index, "animals with stripes"):
        assert chunk not in scores or abs(cosine - scores[chunk]) < 1e-5


def test_exact_search_stands_in_while_it_is_down_and_it_is_asked_again_when_it_is_back(town, near, brute):
    brute.fails = "is down"
    same(town)
    assert near.status()["serving"] is False
    assert near.status()["why"] == "the index of this test is down"
    before = brute.asked
    same(town)
    assert brute.asked == before  # nobody waits for it a second time
    brute.fails = ""
    wait(lambda: near.serves)
    same(town)
    assert brute.asked > before


def test_one_that_is_up_and_slow_is_asked_less_and_less_often(town, near, brute):
    """Every question that waits for it in vain costs its user seconds."""
    asked = []

    def too_long(_vector, _count):
        asked.append(time.monotonic())
        raise NearestError("the index of this test did not answer within 3 s")

    quick, brute.nearest = brute.nearest, too_long
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        found(town.index, "animals with stripes")
    assert near.status()["there"] == 2 * len(TOWNS)  # it was opened again each time, and had all
    waits = np.diff(asked)
    assert len(waits) >= 3
    assert min(waits[2:]) >= 0.1  # the longest pause in this test
    same(town)
    brute.nearest = quick
    wait(lambda: near.serves)
    before = brute.asked
    same(town)
    assert brute.asked == before + len(ASKED)


def test_what_it_lost_is_found_out_and_put_there_again(town, near, brute):
    for each in list(brute.held_now)[::3]:
        del brute.held_now[each]
    wait(lambda: near.status()["lost"] == 6 and near.status()["to_add"] == 0)
    assert len(brute.held_now) == 2 * len(TOWNS)
    same(town)


def test_what_it_has_too_much_goes(town, near, brute):
    brute.held_now[os.urandom(16)] = np.zeros(384, dtype=np.float32)
    wait(lambda: len(brute.held_now) == 2 * len(TOWNS))


def test_what_is_removed_leaves_it_and_is_written_over(town, near, brute):
    chunks = town.remove("Durham.txt")
    assert near.settled(10)
    assert near.held(chunks) == 0
    assert brute.swept == 1
    assert len(brute.held_now) == 2 * len(TOWNS) - 1
    same(town)


def test_what_is_removed_while_it_is_down_is_not_said_to_be_gone_and_goes_later(town, near, brute):
    brute.fails = "is down"
    wait(lambda: not near.serves)
    chunks = town.remove("Durham.txt")
    assert near.settled(10) is False
    with pytest.raises(NearestError, match="is down"):
        near.held(chunks)
    assert len(brute.held_now) == 2 * len(TOWNS)
    brute.fails = ""
    wait(lambda: near.serves)
    assert near.held(chunks) == 0
    assert len(brute.held_now) == 2 * len(TOWNS) - 1


def test_a_purge_while_it_is_being_filled_is_read_back_too(town, brute, monkeypatch):
    monkeypatch.setattr(keeping, "_BATCH", 2)
    monkeypatch.setattr(keeping, "FEW", 2)
    brute.kind, take_in = "chroma", brute.add
    brute.add = lambda ids, vectors: (time.sleep(0.2), take_in(ids, vectors))
    assert vector_index.read_back(town.index, [1]) == ([], ())
    key = os.urandom(32)
    town.index.use(lambda model: Near(brute, dimensions=model.dimensions, key=key, load=town.index.load))
    try:
        near = town.index.near
        wait(lambda: len(brute.held_now) == 6)
        known = set(brute.held_now)
        chunks = town.remove("Arden.txt")  # which is there already
        assert not near.serves
        [check], kept = vector_index.read_back(town.index, chunks)
        assert (check.what, check.searched, check.found) == ("vectors", 1, 0)
        assert kept == ()
        assert len(known - set(brute.held_now)) == 1
        wait(lambda: near.serves)
        assert len(brute.held_now) == 2 * len(TOWNS) - 1
    finally:
        town.index.use(None)


def test_a_chunk_that_came_back_with_another_vector_is_another_entry(town, near, brute):
    """As after a backup was restored: the number is the same, the text is not."""
    number = int(town.index._snapshot.ids[3])
    before = set(brute.held_now)
    vector = np.zeros(384, dtype="<f2")
    vector[7] = 1
    town.db.execute("UPDATE vector SET value = ? WHERE chunk = ?", (vector.tobytes(), number))
    town.index.use(town.index._make)
    wait(lambda: town.index.near.serves)
    assert len(before - set(brute.held_now)) == len(set(brute.held_now) - before) == 1
    assert len(brute.held_now) == 2 * len(TOWNS)


def test_what_is_new_is_found_before_it_is_there(town, near, brute):
    brute.fails = "is down"
    wait(lambda: not near.serves)
    town.put("Ilkley.txt", "The aquarium of Ilkley shows an octopus.")
    assert town.found("squid in a tank")[0] == "Ilkley.txt"
    brute.fails = ""
    wait(lambda: near.serves and near.status()["to_add"] == 0)
    assert town.found("squid in a tank")[0] == "Ilkley.txt"
    assert len(brute.held_now) == 2 * len(TOWNS) + 1


def test_all_vectors_are_in_memory_only_while_the_other_index_cannot_be_asked(town, near, brute):
    wait(lambda: not town.index._matrix.held)
    same(town)
    chunks = town.remove("Durham.txt")
    town.put("Ilkley.txt", "The aquarium of Ilkley shows an octopus.")
    assert town.found("squid in a tank")[0] == "Ilkley.txt"
    assert not town.index._matrix.held
    brute.fails = "is down"
    same(town)  # the first question reads them, the second keeps them
    same(town)
    assert town.index._matrix.held
    assert not town.index._snapshot.vectors.rows(np.searchsorted(town.index._snapshot.ids, list(chunks))).any()
    assert town.found("squid in a tank")[0] == "Ilkley.txt"
    brute.fails = ""
    wait(lambda: not town.index._matrix.held)
    same(town)


def test_a_vault_that_is_opened_with_another_index_needs_none_in_memory_and_loses_nothing_there(town, near, brute):
    """What is at a server already is not taken for too much before it is known what there is."""
    there = dict(brute.held_now)
    opened = Index(town, town.embedder)
    opened.use(town.index._make)
    opened.refresh()
    try:
        wait(lambda: opened.near.serves)
        assert not opened._matrix.held
        assert brute.held_now == there
        assert [each[:1] for each in found(opened, ASKED[0])] == [each[:1] for each in exactly(town, ASKED[0])]
        assert not opened._matrix.held
    finally:
        opened.use(None)
    assert opened._matrix.held
    assert [each[:1] for each in found(opened, ASKED[0])] == [each[:1] for each in exactly(town, ASKED[0])]


def test_vectors_read_from_the_vault_are_those_in_memory(town, near):
    snapshot = town.index._snapshot
    every = town.index._filled(town.db, snapshot).view(len(snapshot.ids))
    wait(lambda: not town.index._matrix.held)
    stored = town.index._snapshot.vectors
    for places in ([], [3], [5, 1, 5, 0], np.arange(len(snapshot.ids))[::-1]):
        assert np.array_equal(stored.rows(places), every.rows(places))
    town.db.execute("DELETE FROM vector WHERE chunk = ?", (int(snapshot.ids[4]),))
    assert not stored.rows([3, 4])[1].any()
    assert stored.rows([3, 4])[0].any()


def test_a_filter_that_leaves_little_asks_nobody(town, near, brute):
    before = brute.asked
    assert town.found("zebras path:Durham") == ["Durham.txt", "Durham-bread.txt"]
    assert brute.asked == before


def test_the_mean_is_that_of_all_vectors(town, near):
    rows = town.index._snapshot.vectors.rows(np.arange(2 * len(TOWNS)))
    vector = rows[0]
    assert abs(near.mean(vector, np.zeros(0)) - float((rows @ vector).mean())) < 1e-4
    town.remove("Durham.txt")
    kept = [n for n in range(2 * len(TOWNS)) if n != 2 * TOWNS.index("Durham")]
    assert abs(near.mean(vector, np.zeros(0)) - float((rows[kept] @ vector).mean())) < 1e-4
