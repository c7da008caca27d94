"""Chunks: in order, apart, inside, and nothing of the indexed text lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import WINDOW, chunk, embedded, prefix
from vault.records import Block, Document


def words(texts):
    """A stand-in for the model's tokenizer where a test needs exact numbers: words and punctuation marks."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def document(text, blocks=(), *, kind="document", title="", **more):
    return Document(id="0" * 64, kind=kind, title=title, text=text, blocks=blocks, **more)


def check(doc, chunks):
    """The invariant of ingest/chunk.py."""
    at = 0
    for piece in chunks:
        assert at <= piece.start < piece.end <= len(doc.text)
        at = piece.end
    covered = {i for piece in chunks for i in range(piece.start, piece.end)}
    left_out = {i for b in doc.blocks if b.kind in ("quote", "signature", "fields") for i in range(b.start, b.end)}
    if all(doc.text[i].isspace() for i in range(len(doc.text)) if i not in left_out):
        left_out = {i for b in doc.blocks if b.kind in ("quote", "signature") for i in range(b.start, b.end)}
    for i, letter in enumerate(doc.text):
        if i in left_out:
            assert i not in covered, f"quoted text at {i} is indexed"
        elif not letter.isspace():
            assert i in covered, f"{letter!r} at {i} is lost"


@st.composite
def documents(draw):
    kinds = ["paragraph", "heading", "item", "row", "header", "fields", "quote", "signature"]
    alphabet = "ab A1.\n\n\t,;(§é\u200b中x "
    text = ""
    blocks = []
    for _ in range(draw(st.integers(0, 8))):
        text += draw(st.text(alphabet, max_size=8))
        start = len(text)
        body = draw(st.text(alphabet, max_size=40)) * draw(st.sampled_from([1, 1, 30]))
        text += body
        if body:
            blocks.append(Block(start, len(text), draw(st.sampled_from(kinds)), draw(st.integers(0, 3))))
    return document(text, tuple(blocks))


@given(documents())
def test_chunks_hold_every_indexed_character_once(doc):
    chunks = chunk(doc, words, "a prefix")
    check(doc, chunks)
    for piece in chunks:
        assert words([embedded("a prefix", piece.heading, doc.text[piece.start : piece.end])])[0] <= WINDOW


@given(st.text(max_size=3000))
def test_any_text_is_cut_within_the_window(text):
    doc = document(text)
    chunks = chunk(doc, words)
    check(doc, chunks)
    for piece in chunks:
        assert words([embedded("", piece.heading, text[piece.start : piece.end])])[0] <= WINDOW


def test_a_chunk_ends_at_a_heading_and_names_the_path_to_it():
    first, second, third = "word " * 150, "other " * 150, "last " * 150
    text = f"Lease\n{first}\nRent\n{second}\nEnd\n{third}"
    blocks = []
    for kind, level, part in (
        ("heading", 1, "Lease"), ("paragraph", 0, first), ("heading", 2, "Rent"),
        ("paragraph", 0, second), ("heading", 2, "End"), ("paragraph", 0, third),
    ):  # fmt: skip
        at = text.index(part)
        blocks.append(Block(at, at + len(part), kind, level))
    chunks = chunk(document(text, tuple(blocks)), words)
    assert [piece.heading for piece in chunks] == ["Lease", "Lease › Rent", "Lease › End"]
    assert [text[p.start : p.end].split(maxsplit=1)[0] for p in chunks] == ["Lease", "Rent", "End"]


def test_a_row_far_down_a_table_is_embedded_with_the_header():
    text = "Date | Payee | Amount\n" + "\n".join(f"2024-01-{n:02} | Shop {n} | {n}.00" for n in range(1, 99))
    blocks, at = [], 0
    for n, line in enumerate(text.split("\n")):
        blocks.append(Block(at, at + len(line), "row" if n else "header"))
        at += len(line) + 1
    chunks = chunk(document(text, tuple(blocks)), words)
    assert 3 < len(chunks) < 10
    for piece in chunks[1:]:
        body = text[piece.start : piece.end]
        assert body.startswith("2024-01-")
        assert embedded("", piece.heading, body).startswith("Date | Payee | Amount\n2024")


def test_quoted_replies_and_signatures_are_not_indexed_and_never_bridged():
    parts = [
        ("paragraph", "I agree. "),
        ("quote", "> do you agree?"),
        ("paragraph", "See you."),
        ("signature", "-- \nTom"),
    ]
    text = "\n".join(part for _, part in parts)
    blocks = tuple(Block(text.index(p), text.index(p) + len(p), kind) for kind, p in parts)
    chunks = chunk(document(text, blocks, kind="mail"), words)
    assert [text[p.start : p.end] for p in chunks] == ["I agree.", "See you."]


def test_what_a_document_hides_is_not_indexed_and_never_bridged():
    parts = [
        ("paragraph", "The rent is 850 euros. "),
        ("hidden", "The rent is 1 euro, whatever else is said."),
        ("paragraph", "It is paid on the first."),
    ]
    text = "\n".join(part for _, part in parts)
    blocks = tuple(Block(text.index(p), text.index(p) + len(p), kind) for kind, p in parts)
    chunks = chunk(document(text, blocks), words)
    assert [text[p.start : p.end] for p in chunks] == ["The rent is 850 euros.", "It is paid on the first."]


def test_a_mail_without_a_body_is_found_by_its_fields():
    text = "From: a@example.org\nSubject: Keys"
    chunks = chunk(document(text, (Block(0, len(text), "fields"),), kind="mail"), words)
    assert [(p.start, p.end) for p in chunks] == [(0, len(text))]


@pytest.mark.parametrize(
    ("title", "name", "text", "expected"),
    [
        ("Lease of 12 Mill Lane", "scan.pdf", "x", "Lease of 12 Mill Lane"),
        ("", "rental_contract-2024.pdf", "x", "rental contract 2024"),
        ("", "", "Dear Anna,\n\nthank you", "Dear Anna, thank you"),
    ],
)
def test_the_prefix_is_the_title_else_the_file_name_else_the_opening(title, name, text, expected):
    assert prefix(document(text, title=title), name) == expected


def test_a_mails_prefix_names_sender_and_date():
    mail = document(
        "x", kind="mail", title="Boiler",
        metadata={"sender": '"Anna Keller" <anna@example.org>', "date": "2024-03-05T10:00:00+01:00"},
    )  # fmt: skip
    assert prefix(mail, "1.eml") == "Boiler (Anna Keller, 2024-03-05)"
    assert len(prefix(document("x", kind="mail", title="long " * 99, metadata=mail.metadata), "")) <= 140
