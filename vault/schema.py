"""The tables, as numbered migrations. Each runs in one transaction together with the record that it ran."""

import apsw

# Paths are kept as bytes, because a file name need not be text; `shown` is what people see and filter by.
# Texts are UTF-8 blobs: SQLite's text functions stop at a NUL character, and offsets must not.
_INITIAL = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    shown TEXT NOT NULL,
    added REAL NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'watched',      -- watched, polled, missing
    reason TEXT NOT NULL DEFAULT '',
    device INTEGER NOT NULL,                    -- st_dev and st_ino when it was added: an empty mount point
    inode INTEGER NOT NULL                      -- is another folder than the one that was mounted there
) STRICT;

CREATE TABLE file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder INTEGER NOT NULL REFERENCES folder(id) ON DELETE CASCADE,
    path BLOB NOT NULL UNIQUE,
    shown TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    hash BLOB,                                  -- SHA-256 of the bytes that were parsed
    state TEXT NOT NULL,                        -- waiting, embedding, done, partial, failed, unsupported, cloud
    outcome TEXT NOT NULL DEFAULT 'done',       -- the state that follows `embedding`: done or partial
    reason TEXT NOT NULL DEFAULT '',
    changed REAL NOT NULL                       -- when the state last changed
) STRICT;
CREATE INDEX file_folder ON file(folder);
CREATE INDEX file_hash ON file(hash);
CREATE INDEX file_inode ON file(inode);
CREATE INDEX file_state ON file(state, changed);

CREATE TABLE document (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,                    -- SHA-256 of its bytes, hex
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    prefix TEXT NOT NULL,                       -- what every chunk is embedded with; frozen
    message_id TEXT,
    thread TEXT,
    sender TEXT,
    recipients TEXT,
    date TEXT,                                  -- ISO 8601, in its own zone
    time REAL,                                  -- the same as seconds since 1970, for filters and order
    language TEXT NOT NULL DEFAULT '',
    media_type TEXT NOT NULL DEFAULT '',
    pages INTEGER,
    picture_pages INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '{}',
    characters INTEGER NOT NULL,
    added REAL NOT NULL
) STRICT;
CREATE INDEX document_thread ON document(thread);
CREATE INDEX document_message ON document(message_id);
CREATE INDEX document_time ON document(time);

CREATE TABLE content (
    document INTEGER PRIMARY KEY REFERENCES document(number) ON DELETE CASCADE,
    text BLOB NOT NULL,                         -- UTF-8
    blocks BLOB NOT NULL                        -- JSON, see vault/documents.py
) STRICT;

CREATE TABLE location (
    file INTEGER NOT NULL REFERENCES file(id) ON DELETE CASCADE,
    part TEXT NOT NULL DEFAULT '',
    document INTEGER NOT NULL REFERENCES document(number) ON DELETE CASCADE,
    parent INTEGER REFERENCES document(number) ON DELETE SET NULL,
    PRIMARY KEY (file, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX location_document ON location(document);
CREATE INDEX location_parent ON location(parent);

CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES document(number) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    heading TEXT NOT NULL DEFAULT '',
    key BLOB NOT NULL                           -- BLAKE2b-128 of what is embedded: equal keys share a vector
) STRICT;
CREATE INDEX chunk_document ON chunk(document);
CREATE INDEX chunk_key ON chunk(key);

CREATE TABLE vector (
    chunk INTEGER PRIMARY KEY REFERENCES chunk(id) ON DELETE CASCADE,
    value BLOB NOT NULL                         -- unit length, float16, little-endian
) STRICT;

CREATE TABLE segment (                          -- keyword index: see retrieval/keyword.py
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chunks INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE conversation (
    id TEXT PRIMARY KEY,
    started REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE turn (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
    asked REAL NOT NULL,
    question TEXT NOT NULL,                     -- as typed
    full_question TEXT NOT NULL,                -- as searched for
    answer TEXT NOT NULL                        -- JSON, see docs/reference
) STRICT;
CREATE INDEX turn_conversation ON turn(conversation);
CREATE TABLE turn_document (                    -- what an answer shows, so that purge finds it
    turn INTEGER NOT NULL REFERENCES turn(id) ON DELETE CASCADE,
    document TEXT NOT NULL,
    PRIMARY KEY (turn, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX turn_document_document ON turn_document(document);

CREATE TABLE purged (
    tag BLOB PRIMARY KEY,                       -- keyed hash of the document's id: all that stays of it
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE receipt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    body TEXT NOT NULL                          -- JSON; names no document
) STRICT;
"""

# Models that the user chose to write answers. Only what was added: the file itself stays where it is.
_MODELS = """
CREATE TABLE model (
    sha256 TEXT PRIMARY KEY,                    -- of the whole file, hex, when it was added
    path BLOB NOT NULL,
    shown TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,                  -- with size and inode: whether it need be hashed again
    inode INTEGER NOT NULL,
    facts TEXT NOT NULL,                        -- JSON: what the file says of its model
    added REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

# A purge's second stage, see vault/shred.py. Rows of receipts made before have NULL: they wait to be shredded.
_SHREDDING = """
ALTER TABLE receipt ADD COLUMN since REAL;      -- when the first of its documents came in; NULL: not known
ALTER TABLE receipt ADD COLUMN shredded REAL;   -- since when the database is under a key drawn after the purge
ALTER TABLE receipt ADD COLUMN looked TEXT;     -- JSON: what was looked for in the copy, and found

CREATE TABLE shred (                            -- the copy in the making: one row, or none
    epoch INTEGER PRIMARY KEY,                  -- its file is store-<epoch>.db
    key BLOB NOT NULL,
    begun REAL NOT NULL,
    covers INTEGER NOT NULL                     -- the last receipt of before
) STRICT;
"""

# Models that find. The vectors of one lie in one of two tables, so that those of the next are made beside those that
# serve, and a vault of before is opened without copying any: see vault/shelves.py.
_EMBEDDERS = """
CREATE TABLE vector_other (                     -- as `vector`, for the other model
    chunk INTEGER PRIMARY KEY REFERENCES chunk(id) ON DELETE CASCADE,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE embedder (
    shelf TEXT PRIMARY KEY,                     -- vector or vector_other; empty: it waits until one is free
    digest TEXT NOT NULL,                       -- SHA-256 of its files: vectors of another are not comparable
    path BLOB,                                  -- its folder; NULL: it came with Strongroom
    shown TEXT NOT NULL,
    facts TEXT NOT NULL,                        -- JSON: see retrieval/embedder.py
    state TEXT NOT NULL,                        -- serving, coming, leaving, waiting
    stands_in INTEGER NOT NULL DEFAULT 0,       -- coming only because the serving one cannot be had
    added REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_INITIAL, _MODELS, _SHREDDING, _EMBEDDERS)


def migrate(db: apsw.Connection) -> None:
    """Bring the tables up to the newest version, one transaction a step. `PRAGMA user_version` is the record."""
    version = db.pragma("user_version")
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(statements)
            db.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
