"""What stands behind a door has to do what the default does: the same tests over every engine, and over all of them at
once. A door is chosen as its user does; what is asked, purged and looked for is the same each time."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.asking import ask, search
from engine.embedding import embedding_use
from engine.engine import Engine
from engine.erasing import purge
from engine.reading import documents
from engine.rereading import readers_list, readers_use
from engine.vector_methods import use as vectors_use
from tests.card import tiny_models
from vault import documents as rows
from vault.keys import FLOOR

PASSPHRASE = "a passphrase for tests"
CANARY = "Quillfeather"
PAPERS = {
    "boat.html": "<html><body><h1>Boat</h1><p>The rent of the boat is 140 pounds a month, says Mr Ames.</p></body></html>",
    "dog.eml": "From: Vet <vet@example.org>\nTo: Ada <ada@example.org>\nSubject: The dog\nDate: Mon, 2 Mar 2026 10:00:00 +0100\n"
    "Message-ID: <dog@example.org>\n\nDear Ada,\n\nthe insurance of the dog costs 90 pounds a month.\n\nVet\n",
    "garden.md": "# Garden\n\nThe new garden of the house is for the summer, and the dog likes it.\n",
    "canary.html": f"<html><body><h1>Heating</h1><p>The repair of the heating costs 310 pounds, says {CANARY}.</p></body></html>",
}
QUESTIONS = {
    "How much is the rent of the boat?": "140 pounds",
    "What does the insurance of the dog cost?": "90 pounds",
    "What does the repair of the heating cost?": "310 pounds",
}


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    words = " ".join(re.sub(r"<[^>]*>", " ", each) for each in PAPERS.values())
    return tiny_models.make(tmp_path_factory.mktemp("doors") / "model", more_words=f"{words} {' '.join(QUESTIONS)}")


def default(_engine: Engine, _model: Path) -> None:
    """As it comes."""


def embedder(engine: Engine, model: Path) -> None:
    embedding_use(engine, str(model))


def index(engine: Engine, _model: Path) -> None:
    vectors_use(engine, "chroma")


def reader(engine: Engine, _model: Path) -> None:
    for each in ("html", "mail"):
        readers_use(engine, each, "unstructured")


def card(engine: Engine, model: Path) -> None:
    for each in (embedder, index, reader):
        each(engine, model)


DOORS = [default, embedder, index, reader, card]


@pytest.fixture
def made(tmp_path: Path, zygote) -> Iterator[Engine]:
    before = dict(zygote.readers)
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, text in PAPERS.items():
        (folder / name).write_text(text)
    one = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR)
    one.create(PASSPHRASE)
    one.folders_add(str(folder))
    one.wait(seconds=120)
    yield one
    one.close()
    zygote.readers = before


def cited(engine: Engine) -> dict[str, set[tuple[str, str]]]:
    """Document and words of each question's citations, which stand where they say."""
    found = {}
    for question in QUESTIONS:
        citations = [c for s in ask(engine, question)["statements"] for c in s["citations"]]
        with engine.opened().vault.read() as db:
            for each in citations:
                assert (rows.text_of(db, each["document"]) or "")[each["start"] : each["end"]] == each["quote"]
        found[question] = {(each["document"], each["quote"]) for each in citations}
    return found


@pytest.mark.parametrize("door", DOORS, ids=lambda each: each.__name__)
def test_what_was_read_before_is_answered_with_the_same_citations(made, model, door):
    before = cited(made)
    for question, said in QUESTIONS.items():
        assert any(said in quote for _, quote in before[question]), question
    door(made, model)
    made.wait(seconds=240)
    assert cited(made) == before


@pytest.mark.parametrize("door", DOORS, ids=lambda each: each.__name__)
def test_what_comes_is_changed_and_goes_is_followed(made, model, door, tmp_path):
    door(made, model)
    made.wait(seconds=240)
    page = tmp_path / "papers" / "house.html"
    for sum_, other in (("755", "812"), ("812", "755")):
        page.write_text(
            f"<html><body><h1>House</h1><p>The rent of the house is {sum_} pounds in winter.</p></body></html>"
        )
        made.opened().follower.read_again()
        made.wait(seconds=240)
        quotes = [each["quote"] for each in search(made, "rent of the house")["hits"]]
        assert any(sum_ in each for each in quotes)
        assert not any(other in each for each in quotes)
    page.unlink()
    made.opened().follower.read_again()
    made.wait(seconds=240)
    assert not any("755" in each["quote"] for each in search(made, "rent of the house")["hits"])


@pytest.mark.parametrize("door", DOORS, ids=lambda each: each.__name__)
def test_what_is_purged_is_read_back_and_found_nowhere(made, model, door):
    door(made, model)
    made.wait(seconds=240)
    (hit, *_) = [each for each in search(made, CANARY)["hits"] if CANARY in each["quote"]]
    receipt = purge(made, [hit["document"]], confirm=True)
    assert receipt["checks"]
    assert [each for each in receipt["checks"] if each["found"]] == []
    assert not any(CANARY in each["quote"] for each in search(made, CANARY)["hits"])
    assert not any(CANARY in each["quote"] for each in search(made, "repair of the heating")["hits"])


@pytest.mark.parametrize("door", DOORS, ids=lambda each: each.__name__)
def test_nothing_of_a_paper_can_be_read_on_disk(made, model, door, tmp_path):
    door(made, model)
    made.wait(seconds=240)
    cited(made)
    made.close()
    looked = 0
    for place in (tmp_path / "vault", tmp_path / "state"):
        for each in place.rglob("*"):
            if each.is_file():
                looked += 1
                assert CANARY.encode() not in each.read_bytes(), each
    assert looked > 1


def test_the_reader_that_was_chosen_is_the_one_that_read(made, model):
    card(made, model)
    made.wait(seconds=240)
    counts = {each["format"]: each["documents"] for each in readers_list(made)["rows"]}
    assert counts["html"] == {"unstructured": 2}
    assert counts["mail"] == {"unstructured": 1}
    assert len(documents(made)["rows"]) == len(PAPERS)
