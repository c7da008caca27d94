"""The sample's papers in an index in memory: real parsers, chunker, keyword index, vectors and search, but no vault."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from generation import extractive
from generation.answer import Answer
from ingest import chunk as chunking
from ingest import registry
from retrieval import keyword
from retrieval.embed import Embedder
from retrieval.index import Index
from retrieval.passage import Passage
from vault import documents, schema
from vault.records import Document

SAMPLE = Path(__file__).resolve().parents[1] / "sample_corpus"


class Papers:
    """Documents that can be asked."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._db = apsw.Connection(":memory:")
        self._db.pragma("foreign_keys", True)  # as in a vault: chunks and vectors go with their document
        schema.migrate(self._db)
        self._db.execute("INSERT INTO folder (id, path, shown, added, device, inode) VALUES (1, x'', '', 0, 0, 0)")
        self.index = Index(self, embedder)

    def add(self, path: str, documents_in_it: Iterable[Document]) -> None:
        """Take in a file's documents; `index.refresh()` makes them findable."""
        self._db.execute(
            "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
            " VALUES (1, ?, ?, 0, 0, 0, 'done', 0)",
            (path.encode(), path),
        )
        file = self._db.last_insert_rowid()
        for document in documents_in_it:
            number = documents.find(self._db, document.id) or self._store(document, path)
            parent = documents.find(self._db, document.parent) if document.parent else None
            documents.place(self._db, file, document.part, number, parent)

    @contextlib.contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        yield self._db

    def search(self, question: str, k: int = 20) -> list[Passage]:
        return self.index.search(question, k=k)

    def ask(self, question: str, k: int = 20) -> Answer:
        return extractive.answer(question, self.search(question, k), self.embedder, self.text_of)

    def text_of(self, document: str) -> str:
        return documents.seen_text_of(self._db, document) or ""

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """What is changed in the context is as it was afterwards; `index` is another one meanwhile."""
        with self._db:
            self._db.execute("SAVEPOINT whole")
            whole, self.index = self.index, Index(self, self.embedder)
            try:
                yield
            finally:
                self.index = whole
                self._db.execute("ROLLBACK TO whole")
                self._db.execute("RELEASE whole")

    @contextlib.contextmanager
    def without(self, document_ids: set[str]) -> Iterator[None]:
        """The same papers less some documents, for as long as the context lasts."""
        with self.trial():
            numbers = [documents.find(self._db, each) for each in document_ids]
            removed = documents.remove(self._db, [each for each in numbers if each is not None])
            keyword.remove(self._db, {*removed, *(-each for each in numbers if each is not None)})
            self.index.refresh()
            yield

    def _store(self, document: Document, path: str) -> int:
        before = chunking.prefix(document, path.rsplit("/", 1)[-1])
        chunks = chunking.chunk(document, self.embedder.count_tokens, before)
        texts = [chunking.embedded(before, each.heading, document.text[each.start : each.end]) for each in chunks]
        keys = [hashlib.blake2b(each.encode(), digest_size=16).digest() for each in texts]
        number, ids = documents.add(self._db, document, prefix=before, chunks=chunks, keys=keys)
        names = f"{document.title} {path} {document.part} {document.metadata.get('sender', '')}"
        keyword.add(self._db, [*zip(ids, texts, strict=True), (-number, names)])
        values = [each.astype("<f2").tobytes() for each in self.embedder.embed(texts)]
        self._db.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", list(zip(ids, values, strict=True)))
        return number


class Household(Papers):
    """The sample's papers."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.ids: dict[tuple[str, str], str] = {}
        """document ids by file, relative to the sample's folder, and part"""
        for path in sorted(each for each in (SAMPLE / "papers").rglob("*") if each.is_file()):
            name = str(path.relative_to(SAMPLE))
            with path.open("rb") as opened:
                found = list(registry.parse(opened, path.name, registry.Context(name=path.name)))
            self.add(name, [each for each in found if isinstance(each, Document)])
            self.ids.update({(name, each.part): each.id for each in found if isinstance(each, Document)})
        self.index.refresh()


def questions() -> list[dict[str, Any]]:
    """The sample's questions; sample_corpus/README.md says what their keys mean."""
    found: list[dict[str, Any]] = json.loads((SAMPLE / "questions.json").read_text(encoding="utf-8"))
    return found


def cited(house: Household, question: dict[str, Any], answer: Answer, first: int = 3) -> bool:
    """Whether every passage that the question asks for is among the first citations."""
    shown = [citation for statement in answer.statements for citation in statement.citations][:first]

    def there(place: dict[str, str]) -> bool:
        document, quote = house.ids[place["file"], place["part"]], _plain(place["quote"])
        # A long quote may be cited in part; what is cited of it must then lie within it.
        return any(
            c.passage.document == document and (quote in _plain(c.quote) or _plain(c.quote) in quote) for c in shown
        )

    either = any(there(place) for place in (question, *question.get("or", ())))
    return either and all(there(place) for place in question.get("also", ()))


def answering(house: Household, question: dict[str, Any]) -> set[str]:
    """Ids of all documents that answer the question, older versions included."""
    places = [question, *question.get("also", ()), *question.get("or", ()), *question.get("counter", ())]
    return {house.ids[place["file"], place["part"]] for place in places}


def _plain(text: str) -> str:
    return " ".join(text.split())
