"""The search for words that may lie nowhere: it finds what is there."""

import os
import time

from engine import canaries
from engine.canaries import PLACES, drawn, search, write_papers


def found(folder, words, **more):
    return search([folder], [], words, since=0, seconds=60, **more)


def test_each_word_is_found_in_the_papers_it_was_written_to(tmp_path):
    words = drawn()
    purged = write_papers(tmp_path, words)
    assert words.words["purged"] in purged.read_text()
    places = {hit.split()[0] for hit in found(tmp_path, words).hits}
    assert places == set(PLACES) - {"question", "passphrase"}


def test_no_two_runs_have_a_word_in_common():
    one, two = drawn(), drawn()
    assert not set(one.words.values()) & set(two.words.values())
    assert len(set(one.words.values())) == len(PLACES)


def test_words_are_found_in_any_case_in_utf_16_across_blocks_and_in_names(tmp_path, monkeypatch):
    words = drawn()
    word = words.words["text"]
    monkeypatch.setattr(canaries, "_BLOCK_BYTES", 256)
    (tmp_path / "upper").write_bytes(b"x" * 250 + word.upper().encode() + b"x" * 250)
    (tmp_path / "wide").write_bytes(b"\0" * 251 + word.encode("utf-16-le") + b"\0" * 250)
    (tmp_path / f"a {word}").mkdir()
    (tmp_path / f"a {word}" / "empty").touch()
    hits = found(tmp_path, words).hits
    assert {f"text in {tmp_path / 'upper'}", f"text in {tmp_path / 'wide'}"} <= set(hits)
    assert f"text in the name {tmp_path / f'a {word}' / 'empty'}" in hits


def test_only_what_was_written_since_is_looked_at_elsewhere(tmp_path):
    words = drawn()
    old, new = tmp_path / "old", tmp_path / "new"
    for each in (old, new):
        each.write_text(words.words["text"])
    time.sleep(0.05)
    since = time.time()
    time.sleep(0.05)
    os.utime(new)
    seen = search([], [tmp_path], words, since=since, seconds=60)
    assert seen.hits == (f"text in {new}",)
    os.utime(new, (1, 1))  # its date was put back, but not the one that the system keeps
    assert search([], [tmp_path], words, since=since, seconds=60).hits == (f"text in {new}",)


def test_a_search_that_runs_out_of_time_says_so(tmp_path):
    (tmp_path / "a").write_text("nothing")
    assert found(tmp_path, drawn()).whole
    assert not search([tmp_path], [], drawn(), since=0, seconds=-1).whole


def test_links_are_not_followed_and_what_is_left_out_is(tmp_path):
    words = drawn()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a").write_text(words.words["text"])
    (tmp_path / "link").symlink_to(tmp_path / "papers" / "a")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path, words, leave_out=[tmp_path / "papers"]).hits == ()
