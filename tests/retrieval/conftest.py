"""A store that needs no vault, and papers put into it as the pipeline does."""

import contextlib
import hashlib

import apsw
import pytest

from ingest import chunk as chunking
from retrieval import keyword
from retrieval.index import Index
from vault import documents, schema
from vault.records import Document


class Store:
    """A database in memory with the vault's tables, searched as a vault is."""

    def __init__(self, embedder):
        self.db = apsw.Connection(":memory:")
        self.db.execute("PRAGMA foreign_keys = ON")
        schema.migrate(self.db)
        self.db.execute(
            "INSERT INTO folder (id, path, shown, added, device, inode) VALUES (1, x'', '/home/a', 0, 0, 0)"
        )
        self.embedder = embedder
        self.index = Index(self, embedder)

    @contextlib.contextmanager
    def read(self):
        yield self.db

    def put(self, name, text, *, embed=True, kind="document", title="", **metadata):
        """A file with one document; returns the ids of its chunks."""
        number = hashlib.sha256((name + text).encode()).hexdigest()
        document = Document(id=number, kind=kind, title=title, text=text, metadata=metadata)
        prefix = chunking.prefix(document, name.rsplit("/", 1)[-1])
        chunks = chunking.chunk(document, self.embedder.count_tokens, prefix)
        inputs = [chunking.embedded(prefix, each.heading, text[each.start : each.end]) for each in chunks]
        keys = [hashlib.blake2b(each.encode(), digest_size=16).digest() for each in inputs]
        with self.db:
            number, ids = documents.add(self.db, document, prefix=prefix, chunks=chunks, keys=keys)
            self.place(name, number)
            keyword.add(self.db, zip(ids, inputs, strict=True))
        if embed:
            self.embed(zip(ids, inputs, strict=True))
        self.index.refresh()
        return ids

    def place(self, name, number):
        path = f"/home/a/{name}"
        self.db.execute(
            "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
            " VALUES (1, ?, ?, 0, 0, 0, 'done', 0)",
            (path.encode(), path),
        )
        documents.place(self.db, self.db.last_insert_rowid(), "", number, None)

    def embed(self, inputs):
        ids, texts = zip(*inputs, strict=True)
        rows = [(i, v.astype("<f2").tobytes()) for i, v in zip(ids, self.embedder.embed(texts), strict=True)]
        self.db.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", rows)

    def remove(self, name):
        """Delete the document at a path, as purge does."""
        (number,) = self.db.execute(
            "SELECT document FROM location JOIN file ON file.id = file WHERE shown = ?", (f"/home/a/{name}",)
        ).fetchone()
        with self.db:
            removed = documents.remove(self.db, [number])
            keyword.remove(self.db, removed)
        self.index.refresh(removed)
        return removed

    def found(self, query, **more):
        """The names of the files found, best first."""
        return [passage.path.removeprefix("/home/a/") for passage in self.index.search(query, **more)]

    def stored_words(self):
        """Every byte of the keyword index."""
        return b"".join(body for (body,) in self.db.execute("SELECT body FROM segment"))


@pytest.fixture
def store(embedder):
    return Store(embedder)


@pytest.fixture(scope="module")
def household(embedder):
    """A few papers that most tests search and none changes."""
    made = Store(embedder)
    made.put(
        "home/lease.txt",
        "Residential lease. The tenant pays a monthly rent of 1,200.00 EUR. Either side may end the lease with three"
        " months' notice. The deposit is two months' rent. Account DE89 3704 0044 0532 0130 00.",
        title="Lease Mill Lane", kind="contract",
    )  # fmt: skip
    made.put(
        "bills/2024/invoice-0031.txt",
        "Invoice INV-2024-0031 of 5 March 2024 for repairing the boiler. Total due: 340.00 EUR within 14 days.",
        kind="invoice",
    )
    made.put(
        "bills/2024/invoice-0032.txt",
        "Invoice INV-2024-0032 of 9 April 2024 for cleaning the gutters. Total due: 95.50 EUR within 14 days.",
        kind="invoice",
    )
    mail = {"kind": "mail", "thread": "t1"}
    made.put(
        "mail/1.eml", "The heating is broken again, could you send someone this week?", title="Boiler trouble",
        sender="Anna Keller <anna@example.org>", date="2024-02-27T08:00:00+01:00", message_id="<1@example.org>", **mail,
    )  # fmt: skip
    made.put(
        "mail/2.eml", "Thursday at ten suits me. Bring the keys.", title="Re: Boiler trouble",
        sender="Tom Okafor <tom@example.net>", date="2024-02-28T09:00:00+01:00", message_id="<2@example.net>", **mail,
    )  # fmt: skip
    made.put("notes/müller.md", "Frau Müller sammelt Schmetterlinge. Ihr Pass\u00adwort ist geheim.")
    made.put("notes/garden.md", "Prune the apple trees in February, before the buds open.")
    return made
