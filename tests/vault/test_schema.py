"""Migrations: a vault made by an earlier version opens, and keeps what it held."""

import apsw

from vault import schema, shred


def test_a_vault_of_the_first_version_gets_the_table_of_models_and_keeps_its_rows():
    db = apsw.Connection(":memory:")
    db.execute(schema.MIGRATIONS[0])
    db.pragma("user_version", 1)
    db.execute("INSERT INTO conversation VALUES ('c', 1.0)")
    db.execute("INSERT INTO turn (conversation, asked, question, full_question, answer) VALUES ('c', 1, 'q', 'q', '{}')")
    schema.migrate(db)
    assert db.pragma("user_version") == len(schema.MIGRATIONS)
    assert db.execute("SELECT question FROM turn").fetchall() == [("q",)]
    assert db.execute("SELECT count(*) FROM model").get == 0
    schema.migrate(db)  # and it runs once


def test_a_migration_that_fails_leaves_the_version_before(monkeypatch):
    db = apsw.Connection(":memory:")
    schema.migrate(db)
    done = len(schema.MIGRATIONS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE half (a); CREATE TABLE model (a);"))
    try:
        schema.migrate(db)
    except apsw.SQLError:
        pass
    else:
        raise AssertionError("there are two tables of one name")
    assert db.pragma("user_version") == done
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").get == 0


def test_every_version_in_between_is_reached_from_a_real_vault(place):
    """An encrypted vault whose database is set back to the first version is brought up to date when it is opened."""
    vault = place.open()
    with vault.write() as db:
        db.execute("INSERT INTO receipt (at, body) VALUES (1, '{}')")
        db.execute("DROP TABLE model; DROP TABLE shred; DROP TABLE vector_other; DROP TABLE embedder")
        for column in ("since", "shredded", "looked"):
            db.execute(f"ALTER TABLE receipt DROP COLUMN {column}")
        db.execute("PRAGMA user_version = 1")
    vault.close()
    vault = place.open()
    with vault.read() as db:
        assert db.pragma("user_version") == len(schema.MIGRATIONS)
        assert db.execute("SELECT count(*) FROM model").get == 0
    assert shred.pending(vault) == 1  # what was purged before there was a second stage waits for it
    vault.close()
