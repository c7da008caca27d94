"""Whatever a model chooses, an answer is statements with offered numbers, or a refusal."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.sampling import END, Sampler, Vocabulary
from generation.structure import MOST_STATEMENTS, Structure
from generation.writing import LONGEST_STATEMENT, Line


def taken(text, offered=(1, 2, 12), *, ended=True):
    """The lines of a text that is written character by character; None where one is refused."""
    structure = Structure(offered)
    lines = []
    for each in text:
        piece = each.encode()
        if not structure.accepts(piece):
            return None
        lines += structure.take(piece)
    if ended:
        if not structure.may_end:
            return None
        lines += structure.end()
    return lines, structure.state.refused


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The rent is 500 € [1]", [("The rent is 500 €", (1,))]),
        ("The rent is 500 €. [1]\n", [("The rent is 500 €.", (1,))]),
        ("A [1][2]\nB [12].\n", [("A", (1, 2)), ("B", (12,))]),
        ("A [1, 2]. B [2,12]", [("A", (1, 2)), ("B", (2, 12))]),
        ("A [1] [2] B [1]", [("A", (1, 2)), ("B", (1,))]),
        ("\nÉté [1]", [("Été", (1,))]),
        ("租金是500欧元[1]。\n", [("租金是500欧元", (1,))]),
        ("NONE of them pays [1]", [("NONE of them pays", (1,))]),
        ("a < 5 and 5 > 4 [1]", [("a < 5 and 5 > 4", (1,))]),
    ],
)
def test_statements_are_read_with_their_numbers(text, lines):
    assert taken(text) == ([Line(*each) for each in lines], False)


@pytest.mark.parametrize("text", ["NONE", "NONE.", "NONE\n", " NONE"])
def test_a_refusal_is_one_word(text):
    assert taken(text) == ([], True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No citation",
        "No citation.\n",
        "[1]",
        "A [3]",
        "A [01]",
        "A [11]",
        "A [1][1]",
        "A [1, 1]",
        "A []",
        "A [1,]",
        "A [1",
        "A [x]",
        "A [²]",
        "A] [1]",
        "- A [1]",
        "# A [1]",
        "A [1] and B [2]",
        "A [1]NONE",
        "A [1]\nNONE",
        "NONE [1]",
        "NONE. [1]",
        "A [1]\nNONE [1]",
        "NONE\nA [1]",
        "<think> [1]",
        "A </think> [1]",
        "A <img> [1]",
        "A <|im_end|> [1]",
        "A\x00 [1]",
        "A\x1b[1]",
        "A\u202eB [1]",
        "A  B [1]",
        "A\tB [1]",
        "\n\n\n\nA [1]",
        "... [1]",
    ],
)
def test_anything_else_is_refused(text):
    assert taken(text) is None


def test_a_statement_is_never_longer_than_it_may_be():
    assert taken("x" * LONGEST_STATEMENT + " [1]", ended=True) == (
        [Line("x" * (LONGEST_STATEMENT - 1) + "…", (1,))],
        False,
    )
    assert taken("x" * (LONGEST_STATEMENT + 1), ended=False) is None
    (line,), _ = taken("m" + " word" * 63 + " wor[1]")
    assert line.text.endswith("word…")
    assert len(line.text) < LONGEST_STATEMENT


def test_a_long_statement_ends_with_its_sentence():
    assert taken("x" * 100 + ". Then", ended=False)
    assert taken("x" * 250 + ". ", ended=False)
    assert taken("x" * 250 + ". Then", ended=False) is None
    assert taken("x" * 250 + ". [1]")


def test_after_the_most_statements_nothing_may_follow():
    structure = Structure((1,))
    for _ in range(MOST_STATEMENTS):
        structure.take(b"A [1]\n")
    assert structure.must_end
    assert not structure.accepts(b"A")
    assert len(structure.state.lines) == MOST_STATEMENTS


def test_a_character_may_come_in_several_pieces_and_half_of_one_is_no_answer():
    structure = Structure((1,))
    for piece in (b"\xc3", b"\xa9", b" \xe2", b"\x82", b"\xac [", b"1]"):
        assert structure.accepts(piece)
        structure.take(piece)
    assert structure.end() == (Line("é €", (1,)),)
    structure = Structure((1,))
    structure.take(b"A [1]")
    assert not structure.accepts(b"\xc3")
    assert structure.accepts(b"\xe3")  # of the full stop of Chinese
    structure.take(b"\xe3")
    assert not structure.may_end
    assert not structure.accepts(b"\x80\x80")
    assert structure.accepts(b"\x80\x82")


def test_what_cannot_come_next_is_not_taken():
    with pytest.raises(ValueError, match="may not come next"):
        Structure((1,)).take(b"[1]")


PARTS = [*(bytes([each]) for each in range(256)), *(f"{each}".encode() for each in range(10, 40))]
PARTS += [b" [", b"].", b"][", b"], ", b" The", b"NONE", b"\n\n", b"<think>", b"  ", b". ", " €".encode(), "é".encode()]
vocabularies = st.one_of(
    st.just(PARTS),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=60),
    st.lists(st.binary(max_size=4), min_size=1, max_size=60),
    st.lists(st.text("ab [1]2.,\nNONE<x€é", max_size=5).map(str.encode), min_size=1, max_size=60),
)
STATEMENT = re.compile(r"[^\[\]\n\x00-\x1f]{1,320}")


@settings(max_examples=300, deadline=None)
@given(
    pieces=vocabularies,
    offered=st.sets(st.integers(1, 40), min_size=1, max_size=9),
    seed=st.integers(0, 2**32 - 1),
    temperature=st.sampled_from((0.0, 1.0, 50.0)),
    data=st.data(),
)
def test_whatever_is_chosen_from_whatever_vocabulary_nothing_else_comes(pieces, offered, seed, temperature, data):
    pieces = [*pieces, b""]
    vocabulary = Vocabulary(pieces, frozenset([len(pieces) - 1]))
    sampler = Sampler(vocabulary, seed=seed, temperature=temperature)
    structure = Structure(offered)
    random = np.random.default_rng(seed)
    bias = random.normal(size=len(pieces)) * data.draw(st.sampled_from((0, 3)))
    text, lines, token = b"", [], 0
    for _ in range(600):
        logits = (random.normal(size=len(pieces)) + bias).astype(np.float32)
        token = sampler.choose(logits, structure)
        if token is None or token == END:
            break
        text += pieces[token]
        lines += structure.take(pieces[token])
        assert len(structure.state.text) <= LONGEST_STATEMENT + 1
    assert token != END or structure.may_end
    lines += structure.end()
    assert structure.state.refused == bool(re.fullmatch(rb"NONE[. ]*", text.strip()))
    assert not (structure.state.refused and lines)
    assert len(lines) <= MOST_STATEMENTS
    for line in lines:
        assert STATEMENT.fullmatch(line.text)
        assert any(each.isalnum() for each in line.text)
        assert line.numbers
        assert set(line.numbers) <= offered
        assert len(set(line.numbers)) == len(line.numbers)
    # Nothing was added: the words were written.
    written = text.decode("utf-8", "ignore")
    for line in lines:
        assert line.text.rstrip("…") in written


@settings(max_examples=200, deadline=None)
@given(text=st.text("ab [123], .\nNONEé。", max_size=40))
def test_the_openings_leave_out_nothing_that_is_accepted(text):
    structure = Structure((1, 2, 12))
    for each in text:
        openings = structure.openings()
        accepted = structure.accepts(each.encode())
        assert not accepted or openings is None or each.encode()[0] in openings
        if accepted:
            structure.take(each.encode())


def test_all_openings_are_right_at_the_limit_of_a_statement():
    structure = Structure((1,))
    structure.take(b"x" * LONGEST_STATEMENT)
    accepted = bytes(each for each in range(256) if structure.accepts(bytes([each])))
    assert set(accepted) <= set(structure.openings())


def test_the_choice_that_is_refused_is_replaced_by_the_likeliest_that_is_not():
    vocabulary = Vocabulary([b"A", b" [", b"7", b"1", b"2", b"]", b""], frozenset([6]))
    structure = Structure((1, 2))
    structure.take(b"A [")
    logits = np.array([9, 8, 7, 1, 2, 0, 6], dtype=np.float32)
    assert Sampler(vocabulary).choose(logits, None) == 0
    assert Sampler(vocabulary).choose(logits, structure) == 4
    structure.take(b"2]")
    assert Sampler(vocabulary).choose(logits, structure) == 1
    assert Sampler(vocabulary).choose(np.array([9, 5, 7, 1, 2, 0, 6], dtype=np.float32), structure) == END


def test_drawing_is_reproducible_and_follows_the_likelihood_of_what_is_left():
    vocabulary = Vocabulary([b"A", b"7", b"1", b"2", b""], frozenset([4]))
    structure = Structure((1, 2))
    structure.take(b"A [")
    logits = np.log(np.array([5, 5, 1, 3, 5], dtype=np.float32))
    sampler = Sampler(vocabulary, seed=1, temperature=1.0)
    drawn = [sampler.choose(logits, structure) for _ in range(4000)]
    assert set(drawn) == {2, 3}
    assert abs(drawn.count(3) / 4000 - 0.75) < 0.03
    again = Sampler(vocabulary, seed=1, temperature=1.0)
    assert [again.choose(logits, structure) for _ in range(100)] == drawn[:100]


def test_where_nothing_may_come_next_there_is_no_choice():
    vocabulary = Vocabulary([b"x", b""], frozenset([1]))
    structure = Structure((1,))
    structure.take(b"A [")
    assert Sampler(vocabulary).choose(np.array([1, 2], dtype=np.float32), structure) is None
