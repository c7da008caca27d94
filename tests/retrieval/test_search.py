"""Searching: identifiers, names, filters, typos, duplicates, neighbours, threads, and what changes meanwhile."""

import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from retrieval import gather, select
from retrieval.passage import hit
from retrieval.query import FilterError, Filters, filters, parse
from vault.documents import encode_blocks
from vault.records import Block, Line


@pytest.mark.parametrize("asked", ["INV-2024-0032", "inv 2024 0032", "what was invoice INV-2024-0032 for?"])
def test_an_exact_identifier_comes_first(household, asked):
    passage = household.index.search(asked)[0]
    assert passage.path.endswith("invoice-0032.txt")
    assert passage.why == "identifier"


def test_an_iban_is_found_with_and_without_its_spaces(household):
    assert household.found("DE89370400440532013000")[0] == "home/lease.txt"
    assert household.found("DE89 3704 0044 0532 0130 00")[0] == "home/lease.txt"


def test_a_question_finds_what_it_means_without_its_words(household):
    assert household.found("how much do I pay for my flat every month?")[0] == "home/lease.txt"
    assert household.found("when should fruit trees be cut back?")[0] == "notes/garden.md"


@pytest.mark.parametrize("asked", ["boilr repair", "inovice for the gutters", "recidential lease", "depsoit"])
def test_a_misspelt_word_finds_the_right_one(household, asked):
    wanted = {"boilr repair": "0031", "inovice for the gutters": "0032"}.get(asked, "lease")
    passage = household.index.search(asked)[0]
    assert wanted in passage.path
    assert passage.keyword == 1


def test_a_number_is_never_taken_for_another(store):
    store.put("a.txt", "Room 10231 is free", embed=False)
    assert store.found("10232") == []
    assert store.found("10231") == ["a.txt"]


def test_accents_and_hidden_characters_do_not_hide_a_word(household):
    assert household.found("muller")[0] == "notes/müller.md"
    passage = household.index.search("passwort")[0]
    assert passage.path.endswith("müller.md")
    assert "Pass\u00adwort" in passage.text  # the text is as it was


def test_a_file_is_found_by_the_words_of_its_path(household):
    assert household.found("garden")[0] == "notes/garden.md"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("boiler kind:invoice", {"bills/2024/invoice-0031.txt", "bills/2024/invoice-0032.txt"}),
        ("boiler kind:invoice path:0032", {"bills/2024/invoice-0032.txt"}),
        ("boiler from:anna", {"mail/1.eml"}),
        ("boiler from:okafor", {"mail/2.eml"}),
        ("boiler after:2024-02-28", {"mail/2.eml"}),
        ("boiler before:2024-02-28 after:2024", {"mail/1.eml"}),
        ('boiler path:"bills/*/invoice-0031"', {"bills/2024/invoice-0031.txt"}),
        ("boiler folder:/home/b", set()),
        ("boiler path:100%", set()),
        ("boiler kind:mail kind:contract", {"mail/1.eml", "mail/2.eml", "home/lease.txt"}),
    ],
)
def test_filters_in_the_question_let_only_their_documents_through(household, asked, names):
    assert set(household.found(asked)) == names


def test_filters_as_options_join_those_in_the_question(household):
    assert household.found("boiler kind:mail", filters=filters({"from": "anna"})) == ["mail/1.eml"]
    assert household.found("boiler", filters=filters({"kind": ["mail"], "after": "2024-02-28"})) == ["mail/2.eml"]


def test_filters_alone_list_what_they_let_through(household):
    assert set(household.found("kind:mail")) == {"mail/1.eml", "mail/2.eml"}


def test_a_filter_that_cannot_be_read_is_told():
    with pytest.raises(FilterError, match="'tomorrow' is not a date"):
        parse("x before:tomorrow")
    with pytest.raises(FilterError, match="'2024-02-31' is not a date"):
        parse("x after:2024-02-31")
    with pytest.raises(FilterError, match="no filter 'author'"):
        filters({"author": "me"})


def test_a_reply_without_the_words_comes_with_its_thread(store):
    for n in range(12):
        store.put(f"other/{n}.eml", f"The boiler at site {n} was inspected.", kind="mail", title=f"Site {n}")
    store.put("a.eml", "The boiler is broken, who can repair it?", kind="mail", title="Help", thread="t")
    store.put("b.eml", "Thursday at ten suits me.", kind="mail", title="Fwd", thread="t")
    alone = store.index._snapshot
    found = store.index.search("who repairs the broken boiler?", k=10)
    mate = next(p for p in found if p.path.endswith("b.eml"))
    assert mate.why == "thread"
    store.db.execute("UPDATE document SET thread = NULL")
    assert "b.eml" not in store.found("who repairs the broken boiler?", k=10)
    assert store.index._snapshot is alone


def test_a_quoted_phrase_comes_before_its_scattered_words(store):
    store.put("a.txt", "The water heater is new. Pay for damage by water, and for the damage of a water pipe: water damage.")
    store.put("b.txt", "Covered are fire and damage\nby water from outside.")
    store.put("c.txt", "Water damage is damage to the flat, and damage of flats by fire is fire damage; water by water.")
    assert store.found('"damage by water from outside"')[0] == "b.txt"
    assert store.found('what is "fire and damage"')[0] == "b.txt"
    assert store.found('"water damage"')[-1] == "b.txt"


def test_the_same_text_is_shown_once_with_all_its_paths(store):
    store.put("one.txt", "The warranty ends in June. Call the shop before that.")
    store.put("two.txt", "The warranty  ends in June. Call the shop before that.\n")
    store.put("three.txt", "The warranty covers water damage.")
    found = store.index.search("when does the warranty end?")
    first = found[0]
    assert {first.path, *first.other_paths} == {"/home/a/one.txt", "/home/a/two.txt"}
    assert [p.path for p in found[1:]] == ["/home/a/three.txt"]


def test_one_document_at_two_paths_names_both(store):
    store.put("one.txt", "The warranty ends in June.")
    store.place("copy/one.txt", 1)
    (passage,) = store.index.search("warranty")
    assert (passage.path, passage.other_paths) == ("/home/a/copy/one.txt", ("/home/a/one.txt",))


def test_neighbouring_chunks_are_one_passage_and_its_text_is_the_documents(store):
    clause = "Clause {0}. The supplier repairs the boiler within {0} days. " + "Filler words. " * 40
    text = "\n\n".join(clause.format(n) for n in range(8))
    ids = store.put("long.txt", text)
    assert len(ids) > 4
    found = store.index.search("boiler repairs", k=5)
    assert any(p.end - p.start > 900 for p in found)
    for passage in found:
        assert passage.text == text[passage.start : passage.end]
    spans = sorted((p.start, p.end) for p in found)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_one_long_document_does_not_take_all_places():
    owners = np.array([0, 0, 0, 0, 0, 0, 1, 2])
    scores = np.array([0.9, 0.89, 0.88, 0.87, 0.86, 0.85, 0.84, 0.5], dtype=np.float32)
    order = gather._shared_out(SimpleNamespace(owners=owners), scores, np.arange(8))
    assert order.index(6) < order.index(4)  # about as good, so it comes in between
    assert order[:2] == [0, 1]
    assert order[-1] == 7  # much worse stays behind


def test_a_file_is_found_by_keyword_before_it_has_a_vector(store):
    ids = store.put("a.txt", "The zebra crossing is closed.", embed=False)
    assert (store.index.chunks, store.index.vectors) == (1, 0)
    assert store.found("zebra") == ["a.txt"]
    assert store.found("pedestrians") == []
    store.embed([(ids[0], "The zebra crossing is closed.")])
    store.index.refresh()
    assert (store.index.chunks, store.index.vectors) == (1, 1)
    assert store.found("pedestrians") == ["a.txt"]


def test_what_is_removed_is_found_no_more_and_leaves_memory(store):
    store.put("a.txt", "The zebra crossing is closed.")
    store.put("b.txt", "The bakery opens at six.")
    store.remove("a.txt")
    assert store.found("zebra crossing") == ["b.txt"]  # by a vector, for want of anything nearer
    assert store.index.chunks == 1
    assert not store.index._snapshot.vectors.rows([0]).any()
    for n in range(3):
        store.put(f"c{n}.txt", f"Number {n} of the zebras.")
    assert set(store.found("zebras", k=3)) == {"c0.txt", "c1.txt", "c2.txt"}


def test_memory_is_laid_out_anew_after_many_removals(store, monkeypatch):
    monkeypatch.setattr("retrieval.index._REBUILD", 4)
    for n in range(10):
        store.put(f"{n}.txt", f"Paper number {n} about zebras.")
    for n in range(6):
        store.remove(f"{n}.txt")
    assert len(store.index._snapshot.ids) < 10
    assert store.index.chunks == store.index.vectors == 4
    assert set(store.found("zebras", k=10)) == {f"{n}.txt" for n in range(6, 10)}


def test_an_index_opened_later_finds_the_same(store):
    from retrieval.index import Index

    for n in range(20):
        store.put(f"{n}.txt", f"Paper number {n} about zebras and the zoo of town {n}.")
    store.remove("3.txt")
    later = Index(store, store.embedder)
    later.refresh()
    for asked in ("zebras in town 7", "zoo", "town 3"):
        assert [(p.chunk, round(p.score, 5)) for p in later.search(asked)] == [
            (p.chunk, round(p.score, 5)) for p in store.index.search(asked)
        ]


def test_searches_go_on_while_the_index_changes(store):
    store.put("keep.txt", "The zebra crossing is closed.")
    stop, failures = threading.Event(), []

    def search():
        while not stop.is_set():
            if "keep.txt" not in store.found("zebra crossing", k=50):
                failures.append("lost")

    # One connection serves all threads here, so that searches read rows between the writer's transactions.
    gate = threading.RLock()
    plain = store.read

    def read():
        return _Locked(gate, plain())

    store.read = read
    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(25):
        with gate:
            store.put(f"{n}.txt", f"Paper {n} on zebras.")
        if n % 3 == 2:
            with gate:
                store.remove(f"{n - 1}.txt")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


class _Locked:
    def __init__(self, gate, inner):
        self.gate, self.inner = gate, inner

    def __enter__(self):
        self.gate.acquire()
        return self.inner.__enter__()

    def __exit__(self, *error):
        self.gate.release()
        return self.inner.__exit__(*error)


@pytest.mark.parametrize(
    "query", ["", " ", "?!", '"', "path:", "\x00", "the of and", "💣", "a" * 100_000, "kind:nothing x"]
)
def test_no_query_is_an_error(household, query):
    assert isinstance(household.index.search(query), list)


def test_an_empty_vault_finds_nothing(store):
    store.index.refresh()
    assert store.index.search("anything") == []


def test_a_hit_has_the_published_keys(household):
    shown = hit(household.index.search("heating from:anna")[0], 1)
    assert list(shown) == [
        "rank", "score", "document", "path", "part", "other_paths", "kind", "title", "page", "start", "end", "quote",
        "message_id", "sender", "date",
    ]  # fmt: skip
    assert (shown["rank"], shown["message_id"], shown["part"]) == (1, "<1@example.org>", None)


def test_the_page_is_read_from_the_blocks_as_stored():
    blocks = (
        Block(0, 10, "heading", 1, 1, (Line(0, 10, 1.5, 2, 3, 4),)),
        Block(12, 30, "paragraph", 0, 1),
        Block(31, 60, "paragraph", 0, 2, (Line(31, 45, 0, 0, 9, 9), Line(45, 60, 0, 10, 9, 19))),
    )
    stored = encode_blocks(blocks)
    assert [gather._page(stored, start) for start in (0, 12, 29, 30, 59)] == [1, 1, 1, 2, 2]
    assert gather._page(encode_blocks((Block(0, 9),)), 3) is None


def test_best_takes_the_highest_in_order_and_nothing_negative():
    scores = np.array([0.2, -1, 0.9, 0.9, 0.0, 0.5], dtype=np.float32)
    assert select.best(scores, 3).tolist() == [2, 3, 5]
    assert select.best(scores, 50).tolist() == [2, 3, 5, 0, 4]


def test_filters_are_falsy_when_empty():
    assert not Filters()
    assert Filters(kind=("mail",))
