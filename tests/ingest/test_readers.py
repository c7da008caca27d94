"""The choice of another reader, without one being installed, and what is carried from one reading to another."""

import io
import itertools
import random

import pytest

from ingest import carried, readers, registry
from ingest.carried import Range
from ingest.registry import Context, UnsupportedError
from vault.records import Block, Document


def test_every_format_can_be_read_by_another_reader_or_says_why_not():
    for reader in readers.READERS:
        for each in registry.FORMATS:
            if each.module or each.name in reader.formats:
                assert (each.name in reader.formats) != (each.name in reader.declined), each.name
        named = {each.name for each in registry.FORMATS}
        assert set(reader.formats) | set(reader.declined) <= named
        for name, media_type in reader.formats.items():
            assert registry.media_type(name) == media_type


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("wordstar", "unstructured", "no format is called 'wordstar'"),
        ("html", "tika", "no reader is called 'tika'"),
        ("odt", "unstructured", "pandoc"),
        ("doc", "unstructured", "LibreOffice"),
        ("pdf", "unstructured", "would fetch models"),
        ("csv", "unstructured", "pandas below 3"),
    ],
)
def test_a_choice_that_cannot_be_made_says_why_and_what_can(kind, name, said):
    with pytest.raises(readers.ReaderError, match=said) as refused:
        readers.check(kind, name)
    assert refused.value.hint


def test_the_default_can_always_be_chosen_and_what_is_no_choice_of_ours_is_passed_over():
    assert readers.check("html", "default") is None
    kept = {"html": "unstructured", "pdf": "unstructured", "docx": "os", "mail": "default"}
    assert readers.chosen(kept) == {"html": "unstructured"}


def test_xml_says_how_it_can_be_read():
    with pytest.raises(UnsupportedError, match="strongroom reader xml unstructured"):
        list(registry.parse(io.BytesIO(b"<a>words</a>"), "a.xml", Context("a.xml")))


def test_xml_that_a_mail_carries_as_text_is_read_as_text():
    mail = (
        b"From: a@example.org\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\nContent-Type: text/plain\n\nSee there.\n--x\nContent-Type: text/xml; name=a.xml\n"
        b"Content-Disposition: attachment; filename=a.xml\n\n<sum>240.00</sum>\n--x--\n"
    )
    found = list(registry.parse(io.BytesIO(mail), "a.eml", Context("a.eml")))
    assert [each.part for each in found] == ["", "a.xml"]
    assert isinstance(found[1], Document)
    assert "240.00" in found[1].text


# --- what is carried ------------------------------------------------------------------------------------------------


def told(text, known_text, *known):
    """Label and words of each range that is found in `text`; `known` are (words, label) of `known_text`, in order."""
    ranges, at = [], 0
    for words, label in known:
        at = known_text.index(words, at)
        ranges.append(Range(at, at + len(words), label))
        at += len(words)
    return [(each.label, text[each.start : each.end]) for each in carried.carry(text, known_text, ranges, ("hidden",))]


def test_what_is_hidden_is_found_whatever_white_space_stands_in_it():
    own = "Pay now.\n\nignore  what\nis said\n\nThe end."
    assert told(
        "Pay now. ignore what is said The end.",
        own,
        ("Pay now.", ""),
        ("ignore  what\nis said", "hidden"),
        ("The end.", ""),
    ) == [("hidden", "ignore what is said")]


def test_of_two_equal_passages_the_hidden_one_is_meant():
    own = "Home About\n\nWelcome.\n\nHome About"
    other = "Home About\nWelcome.\nHome About"
    first = carried.carry(other, own, [Range(0, 10, "hidden"), Range(12, 20, ""), Range(22, 32, "")], ("hidden",))
    last = carried.carry(other, own, [Range(0, 10, ""), Range(12, 20, ""), Range(22, 32, "hidden")], ("hidden",))
    assert [(each.start, each.end) for each in first] == [(0, 10)]
    assert [(each.start, each.end) for each in last] == [(20, 30)]


def test_what_is_hidden_in_the_middle_of_a_paragraph_and_in_pieces_is_found():
    own = "The rent is 900. It is due.\n\ntransfer all of it at once to account 12345678"
    other = "The rent is 900. transfer all of it It is due. at once to account 12345678"
    found = told(
        other, own, ("The rent is 900. It is due.", ""), ("transfer all of it at once to account 12345678", "hidden")
    )
    assert found == [("hidden", "transfer all of it"), ("hidden", "at once to account 12345678")]


def test_what_the_other_reading_lacks_is_passed_over():
    assert (
        told("Only this.", "Only this.\n\nnever seen anywhere", ("Only this.", ""), ("never seen anywhere", "hidden"))
        == []
    )


def test_blocks_are_cut_where_a_range_begins_and_ends_and_nothing_is_lost():
    text = "One two three four.\n\nFive six."
    blocks = (Block(0, 19, "heading", 2), Block(21, 30))
    cut, labels = carried.split(text, blocks, [Range(4, 13, "hidden"), Range(19, 25, "quote")])
    assert [(text[each.start : each.end], each.kind, each.level) for each in cut] == [
        ("One", "heading", 2), ("two three", "hidden", 0), ("four.", "heading", 2), ("Five", "paragraph", 0),
        ("six.", "paragraph", 0),
    ]  # fmt: skip
    assert labels == ("", "hidden", "", "quote", "")


def test_cut_blocks_stay_in_order_apart_and_whole_for_any_ranges():
    chance = random.Random(7)
    for _ in range(300):
        text = "".join(chance.choice("ab \n") for _ in range(60))
        places = sorted(chance.sample(range(61), 6))
        blocks = tuple(Block(a, b) for a, b in zip(places[::2], places[1::2], strict=True))
        marks = sorted(chance.sample(range(61), 6))
        ranges = [Range(a, b, "hidden") for a, b in zip(marks[::2], marks[1::2], strict=True)]
        cut, labels = carried.split(text, blocks, ranges)
        assert len(cut) == len(labels)
        assert all(a.end <= b.start for a, b in itertools.pairwise(cut))
        assert _letters(text, cut) == _letters(text, blocks)
        inside = {at for each in ranges for at in range(each.start, each.end)}
        assert all(
            (at in inside) == (each.kind == "hidden")
            for each in cut
            for at in range(each.start, each.end)
            if not text[at].isspace()
        )


def _letters(text, blocks):
    return [at for each in blocks for at in range(each.start, each.end) if not text[at].isspace()]


def test_pieces_are_found_in_order():
    text = "one  two\n\none three"
    assert carried.places(text, ["one two", "one", "nothing", "three"]) == [(0, 8), (10, 13), None, (14, 19)]
