import json
import mailbox
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import registry
from vault.records import Document, Problem

SAMPLE = Path(__file__).resolve().parents[2] / "sample_corpus"
QUESTIONS = json.loads((SAMPLE / "questions.json").read_text(encoding="utf-8"))


def plain(text: str) -> str:
    return " ".join(text.split())


def parsed(file: Path) -> Iterator[Document | Problem]:
    with file.open("rb") as opened:
        yield from registry.parse(opened, file.name, registry.Context(name=file.name))


def test_the_script_writes_every_file_byte_for_byte(tmp_path):
    subprocess.run([sys.executable, SAMPLE / "build.py", tmp_path], check=True, capture_output=True)
    built = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = SAMPLE / "papers"
    committed = {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert sorted(built) == sorted(committed)
    assert [name for name in built if built[name] != committed[name]] == []


def test_the_sample_holds_what_a_household_has():
    papers = [path for path in (SAMPLE / "papers").rglob("*") if path.is_file()]
    assert sum(path.suffix == ".eml" for path in papers) >= 30
    assert len(mailbox.mbox(SAMPLE / "papers/Mail/Cottage roof.mbox", create=False)) == 9
    assert {".pdf", ".docx", ".csv", ".ofx", ".xlsx", ".md", ".txt"} <= {path.suffix for path in papers}
    assert sum(path.stat().st_size for path in papers) < 2_000_000


@pytest.mark.parametrize("file", sorted(SAMPLE.glob("papers/**/*.*")), ids=lambda path: path.name)
def test_every_file_is_read_whole(file):
    found = list(parsed(file))
    assert [each for each in found if isinstance(each, Problem)] == []
    assert all(each.text.strip() for each in found if isinstance(each, Document))


def test_there_are_36_questions_and_8_of_them_have_no_answer():
    assert len(QUESTIONS) == len({each["id"] for each in QUESTIONS}) == 36
    assert sum(not each["answerable"] for each in QUESTIONS) == 8
    assert sum(each.get("demo", False) for each in QUESTIONS) == 3


def places() -> Iterator[tuple[str, dict[str, str]]]:
    for question in QUESTIONS:
        if question["answerable"]:
            for place in (question, *question.get("also", ()), *question.get("or", ())):
                yield question["id"], place


@pytest.mark.parametrize(("name", "place"), list(places()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_quote_stands_in_its_document_as_parsed(name, place):
    documents = {each.part: each for each in parsed(SAMPLE / place["file"]) if isinstance(each, Document)}
    assert place["part"] in documents, f"{name}: the file holds {sorted(documents)}"
    assert plain(place["quote"]) in plain(documents[place["part"]].text)
