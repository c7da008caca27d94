"""The keyword index against a brute-force BM25, and what removing leaves."""

import gc
import math
from collections import Counter

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import keyword, rank, segment
from retrieval.terms import terms
from vault import schema
from vault.errors import DamagedVaultError

WORDS = ["lease", "rent", "boiler", "INV-2024-0031", "notice", "the", "1,200.00", "Müller", "契約書"]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def fresh():
    db = apsw.Connection(":memory:")
    schema.migrate(db)
    return db


def parts(db, size):
    """The segments as the index holds them, chunk `i` at place `i - 1`."""
    read = [segment.read(body) for (body,) in db.execute("SELECT body FROM segment WHERE chunks > 0")]
    return [rank.Part(each, each.ids - 1, int(each.lengths.sum())) for each in read if len(each.ids)] if size else []


def brute_force(chunks, words):
    """BM25 as the books write it, over {id: text}."""
    counted = {number: Counter(terms(text)) for number, text in chunks.items()}
    lengths = {number: sum(counts.values()) for number, counts in counted.items()}
    mean = max(1.0, sum(lengths.values()) / max(1, len(lengths)))
    scores = dict.fromkeys(chunks, 0.0)
    for word in words:
        having = sum(1 for counts in counted.values() if counts[word])
        idf = math.log(1 + (len(chunks) - having + 0.5) / (having + 0.5))
        for number, counts in counted.items():
            norm = rank.K1 * (1 - rank.B + rank.B * lengths[number] / mean)
            scores[number] += idf * counts[word] * (rank.K1 + 1) / (counts[word] + norm)
    return scores


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(texts, max_size=5), max_size=12), st.lists(st.sampled_from(WORDS), max_size=4), st.data())
def test_ranking_equals_brute_force_after_any_adding_and_removing(commits, query, data):
    db = fresh()
    chunks = {}
    for commit in commits:
        new = {len(chunks) + n + 1: text for n, text in enumerate(commit)}
        keyword.add(db, new.items())
        chunks |= new
    size = len(chunks)
    gone = data.draw(st.sets(st.sampled_from(sorted(chunks)), max_size=5)) if chunks else set()
    keyword.remove(db, gone)
    left = {number: text for number, text in chunks.items() if number not in gone}

    words = [word for text in query for word in terms(text)]
    scores = rank.bm25(parts(db, size), [(word, 1.0) for word in words], size)
    expected = brute_force(left, words)
    for number in chunks:
        assert scores[number - 1] == pytest.approx(expected.get(number, 0.0), rel=1e-5, abs=1e-6)
    assert sorted(int(i) for part in parts(db, size) for i in part.segment.ids) == sorted(left)


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, min_size=1, max_size=20), st.data())
def test_a_removed_chunks_words_stand_in_no_blob(chunks, data):
    db = fresh()
    numbered = {n: f"{text} onlyhere{n}x" for n, text in enumerate(chunks, start=1)}
    for number, text in numbered.items():
        keyword.add(db, [(number, text)])
    gone = data.draw(st.sets(st.sampled_from(sorted(numbered)), min_size=1))
    keyword.remove(db, gone)
    held = b"".join(body for (body,) in db.execute("SELECT body FROM segment"))
    for number in numbered:
        assert (f"onlyhere{number}x".encode() in held) == (number not in gone)
    assert keyword.held(db, list(numbered)) == sorted(set(numbered) - gone)


def test_many_commits_end_in_few_segments():
    db = fresh()
    for number in range(1, 301):
        keyword.add(db, [(number, f"word{number} common")])
    (count,) = db.execute("SELECT count(*) FROM segment").fetchone()
    assert count <= 21  # seven of each of three levels
    assert len(keyword.held(db, range(1, 301))) == 300


def test_nothing_that_was_opened_to_look_into_a_segment_is_left_in_memory():
    db = fresh()
    for number in range(1, 20):
        keyword.add(db, [(number, "some words")])
    assert keyword.held(db, [3, 4]) == [3, 4]
    keyword.remove(db, [3])
    assert not [each for each in gc.get_objects() if isinstance(each, apsw.Blob)]


def test_a_segment_of_the_most_chunks_is_full():
    numbers = range(1, segment.MOST_CHUNKS + 1)
    read = segment.read(segment.from_texts((n, "same words" if n % 2 else f"other {n % 7}") for n in numbers))
    places, counts = read.postings(read.find(b"same"))
    assert np.array_equal(read.ids[places], np.arange(1, segment.MOST_CHUNKS + 1, 2))
    assert counts.tolist() == [1] * (segment.MOST_CHUNKS // 2)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"XXXX" + b[4:], lambda b: b[:3]])
def test_a_blob_of_the_wrong_size_is_told(change):
    body = segment.from_texts([(1, "some words"), (2, "more words")])
    with pytest.raises(DamagedVaultError):
        segment.read(change(body))


def test_a_document_goes_with_its_last_chunk(store):
    first = store.put("a.txt", "The quick fox.", title="Zebrafish report", embed=False)
    store.put("b.txt", "The lazy dog.", embed=False)
    assert store.found("zebrafish") == ["a.txt"]
    assert b"zebrafish" in store.stored_words()
    store.remove("a.txt")
    assert b"zebrafish" not in store.stored_words()
    assert b"fox" not in store.stored_words()
    assert keyword.held(store.db, [*first, -1]) == []
    assert store.found("zebrafish") == []


def test_a_moved_document_is_found_by_its_new_path(store):
    store.put("old-hat.txt", "The quick fox.", embed=False)
    store.db.execute("UPDATE file SET shown = '/home/a/archive/umbrella.txt'")
    keyword.describe(store.db, [1])
    store.index.refresh()
    assert store.found("umbrella") == ["archive/umbrella.txt"]
