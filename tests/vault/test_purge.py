"""Purge means purge: rows, names, history, index, log and free pages, checked by reading back."""

import hashlib
import json
import os
import time

import pytest

from vault import documents, pages, purge, purge_list, readback, store
from vault.failures import UnknownDocumentError
from vault.records import Chunk, Document

SENTENCE = "the tenant shall pay {0} doubloons to the harbourmaster of Zanzibarville before {0} o'clock "


def body(word: str) -> str:
    return SENTENCE.format(word) * 120


def identity(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def add_file(db, name: str) -> int:
    db.execute("INSERT OR IGNORE INTO folder VALUES (1, x'2f', '/', 0, 0, 'watched', '', 0, 0)")
    db.execute(
        "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed)"
        " VALUES (1, ?, ?, 1, 1, 1, 'done', 0)",
        (name.encode(), name),
    )
    return db.last_insert_rowid()


def add_document(
    db, word: str, file: int, part: str = "", parent: int | None = None, *, text: str | None = None
) -> int:
    number = documents.find(db, identity(word))
    if number is None:
        document = Document(
            id=identity(word), kind="mail", title=f"Subject about {word}", text=body(word) if text is None else text,
            metadata={"message_id": f"<{word}@mail.example>", "sender": f"{word}@example.org"},
        )  # fmt: skip
        length = len(document.text)
        pieces = [Chunk(i, min(i + 500, length), f"heading {word}") for i in range(0, length, 500)]
        keys = [os.urandom(16) for _ in pieces]
        number, ids = documents.add(db, document, prefix=f"prefix {word}", chunks=pieces, keys=keys)
        db.executemany("INSERT INTO vector VALUES (?, ?)", ((i, os.urandom(768)) for i in ids))
        rows = json.dumps({str(i): document.text[c.start : c.end].lower() for i, c in zip(ids, pieces, strict=True)})
        db.execute("INSERT INTO segment (chunks, body) VALUES (?, ?)", (len(ids), rows.encode()))
    documents.place(db, file, part, number, parent)
    return number


def add_turn(db, conversation: str, shown: list[str], answer: str, question: str = "what is due?") -> None:
    db.execute("INSERT OR IGNORE INTO conversation VALUES (?, 0)", (conversation,))
    db.execute(
        "INSERT INTO turn (conversation, asked, question, full_question, answer) VALUES (?, 0, ?, ?, ?)",
        (conversation, question, question, json.dumps(answer)),
    )
    turn = db.last_insert_rowid()
    db.executemany("INSERT INTO turn_document VALUES (?, ?)", ((turn, identity(word)) for word in shown))


def remove_from_index(db, chunks: list[int]) -> None:
    """A keyword index of plain words: one JSON object of chunk id and words in each segment."""
    gone = set(map(str, chunks))
    for number, blob in db.execute("SELECT id, body FROM segment").fetchall():
        kept = {chunk: words for chunk, words in json.loads(blob).items() if chunk not in gone}
        if kept:
            db.execute("UPDATE segment SET body = ? WHERE id = ?", (json.dumps(kept).encode(), number))
        else:
            db.execute("DELETE FROM segment WHERE id = ?", (number,))


def index_holds(db, chunks) -> list[int]:
    held = {int(chunk) for (blob,) in db.execute("SELECT body FROM segment") for chunk in json.loads(blob)}
    return sorted(held & set(chunks))


def dump(vault) -> bytes:
    """Everything that the vault holds: every value of every table, and every page of the file."""
    with vault.read() as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
        values = [v for name in names for row in db.execute(f'SELECT * FROM "{name}"').fetchall() for v in row]
    rows = b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)
    return rows + b"".join(pages.decrypted(vault.folder / store.name(vault.header.epoch), vault.database_key))


@pytest.fixture
def vault(place):
    vault = place.open()
    yield vault
    vault.close()


def purged(vault, *words: str, **options):
    return purge.purge(vault, [identity(w) for w in words], remove_from_index, index_holds=index_holds, **options)


def found(vault, word: str) -> bool:
    with vault.read() as db:
        return documents.find(db, identity(word)) is not None


def test_nothing_of_a_purged_document_is_left_anywhere(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/papers/quicksilver.eml"))
        add_document(db, "marmalade", add_file(db, "/papers/marmalade.eml"))
        add_turn(db, "one", ["quicksilver"], body("quicksilver")[:200], "what about quicksilver?")
        add_turn(db, "two", ["marmalade"], body("marmalade")[:200])
    before = dump(vault)
    assert b"quicksilver" in before
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed, receipt.checks
    r = receipt.removed
    assert (r.documents, r.attachments, r.paths, r.files, r.turns) == (1, 0, 1, 1, 1)
    assert r.chunks == r.vectors > 15
    after = dump(vault)
    for trace in (b"quicksilver", identity("quicksilver").encode(), bytes.fromhex(identity("quicksilver"))):
        assert trace not in after
    assert after.count(b"marmalade") >= before.count(b"marmalade") > 0
    assert (vault.folder / "store-1.db-wal").read_bytes().find(b"quicksilver") == -1


def test_the_same_after_the_log_was_written_since(vault):
    """The receipt itself, and what is written later, must not carry an old page image back."""
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/papers/quicksilver.eml"))
    purged(vault, "quicksilver")
    with vault.write() as db:
        add_document(db, "marmalade", add_file(db, "/papers/marmalade.eml"))
        db.execute("PRAGMA user_version").fetchall()
    with vault.read() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert b"quicksilver" not in dump(vault)


def test_a_document_goes_from_all_its_paths_and_other_documents_of_the_file_stay(vault):
    with vault.write() as db:
        mbox = add_file(db, "/mail/archive.mbox")
        add_document(db, "quicksilver", mbox, "1")
        add_document(db, "marmalade", mbox, "2")
        add_document(db, "quicksilver", add_file(db, "/copies/quicksilver.eml"))
        add_document(db, "quicksilver", add_file(db, "/copies/again.eml"))
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed
    assert (receipt.removed.paths, receipt.removed.files) == (3, 2)
    with vault.read() as db:
        assert db.execute("SELECT shown FROM file").fetchall() == [("/mail/archive.mbox",)]
        assert db.execute("SELECT part FROM location").fetchall() == [("2",)]


def test_attachments_go_along_at_any_depth_unless_they_lie_elsewhere_too(vault):
    with vault.write() as db:
        mail = add_file(db, "/mail/quicksilver.eml")
        parent = add_document(db, "quicksilver", mail)
        inner = add_document(db, "letterhead", mail, "1/letterhead.eml", parent)
        add_document(db, "floorplan", mail, "1/letterhead.eml/floorplan.pdf", inner)
        add_document(db, "marmalade", mail, "2/marmalade.pdf", parent)
        add_document(db, "marmalade", add_file(db, "/papers/marmalade.pdf"))
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed, receipt.checks
    assert (receipt.removed.documents, receipt.removed.attachments) == (3, 2)
    assert [found(vault, w) for w in ("quicksilver", "letterhead", "floorplan", "marmalade")] == [False] * 3 + [True]
    with vault.read() as db:
        assert db.execute("SELECT shown, part FROM location JOIN file ON file.id = file").fetchall() == [
            ("/papers/marmalade.pdf", "")
        ]
        known = [purge.is_purged(db, identity(w)) for w in ("quicksilver", "floorplan", "marmalade")]
        assert known == [True, True, False]
    assert b"quicksilver" not in dump(vault)


def test_an_attachment_of_two_purged_mails_goes_and_of_one_that_stays_stays(vault):
    with vault.write() as db:
        for word in ("quicksilver", "marmalade"):
            mail = add_file(db, f"/mail/{word}.eml")
            add_document(db, "floorplan", mail, "1/floorplan.pdf", add_document(db, word, mail))
    assert purge.preview(vault, [identity("quicksilver")]).attachments == 0
    assert purge.preview(vault, [identity("quicksilver"), identity("marmalade")]).attachments == 1
    assert purged(vault, "quicksilver").removed.documents == 1
    assert found(vault, "floorplan")
    assert purged(vault, "marmalade").removed.documents == 2
    assert not found(vault, "floorplan")


def test_an_attachment_alone_is_purged_and_its_mail_stays(vault):
    with vault.write() as db:
        mail = add_file(db, "/mail/marmalade.eml")
        parent = add_document(db, "marmalade", mail)
        add_document(db, "quicksilver", mail, "1/quicksilver.pdf", parent)
        db.execute("UPDATE file SET state = 'partial', reason = 'quicksilver.pdf: page 3 is damaged'")
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed, receipt.checks
    assert found(vault, "marmalade")
    assert b"quicksilver" not in dump(vault)
    with vault.read() as db:
        assert db.execute("SELECT reason FROM file").get == "parts of it were purged"


def test_answers_that_showed_it_or_repeat_it_are_forgotten_and_others_kept(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
        add_document(db, "marmalade", add_file(db, "/marmalade.eml"))
        add_turn(db, "one", ["marmalade"], "about marmalade")
        add_turn(db, "one", ["quicksilver", "marmalade"], "both")
        add_turn(db, "one", [], "not found", f"and why does it say: {body('quicksilver')[:300]}")
        add_turn(db, "two", ["quicksilver"], "only that")
    assert purged(vault, "quicksilver").removed.turns == 3
    with vault.read() as db:
        assert db.execute("SELECT answer FROM turn").fetchall() == [('"about marmalade"',)]
        assert db.execute("SELECT id FROM conversation").fetchall() == [("one",)]


def test_what_is_only_in_the_history_any_more_is_purged_from_there(vault):
    with vault.write() as db:
        add_document(db, "marmalade", add_file(db, "/marmalade.eml"))
        add_turn(db, "one", ["quicksilver"], "its file was deleted since")
        add_turn(db, "two", ["marmalade"], "about marmalade")
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed, receipt.checks
    assert (receipt.removed.documents, receipt.removed.turns, receipt.removed.chunks) == (1, 1, 0)
    assert found(vault, "marmalade")
    with vault.read() as db:
        assert purge.is_purged(db, identity("quicksilver"))
        assert db.execute("SELECT id FROM conversation").fetchall() == [("two",)]


@pytest.mark.parametrize(
    "text",
    [
        'a line of some length, then\na second one\r\nand "quoted" words \\ with more to come after that\n' * 30,
        "kurze Zeilen\nund Umlaute: äöü ÄÖÜ\n" * 40,
        "日本語の文章は一文字が三バイトであるので、切れ目に注意が必要です。" * 9,
        "short text of one line",
    ],
)
def test_passages_stand_in_the_text_and_in_a_json_text_of_it(text):
    pieces = readback.passages(text.encode())
    assert pieces
    whole = json.dumps({"answer": text}, ensure_ascii=False).encode()
    for piece in pieces:
        assert 9 <= len(piece) <= 48
        assert piece.decode() in text
        assert piece in whole


@pytest.mark.parametrize("text", ["", "x", "=" * 5000, "\n\n\n" * 50, "a b c\n" * 100])
def test_a_text_without_character_has_no_passages(text):
    assert readback.passages(text.encode()) == ()


def test_what_looks_like_an_id_is_found_by_itself_only():
    one, two = identity("a").encode(), identity("b").encode()
    assert readback.ids_in(b"\x00" + one + b"\xff" + two) == {one, two}
    assert readback.ids_in(one) == {one}
    assert readback.ids_in(one + two) == readback.ids_in(b"") == readback.ids_in(one[:63] + b"g") == set()
    assert readback.ids_in(one.upper()) == set()


def test_several_go_at_once_and_twice_the_same_is_once(vault):
    words = [f"quicksilver{n}x" for n in range(60)]
    with vault.write() as db:
        for word in [*words, "marmalade"]:
            add_document(db, word, add_file(db, f"/{word}"))
    receipt = purged(vault, *words, words[0])
    assert receipt.confirmed, receipt.checks
    assert receipt.removed.documents == 60
    assert b"quicksilver" not in dump(vault)
    assert found(vault, "marmalade")


def test_an_unknown_document_stops_a_purge_before_anything_is_gone(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
    with pytest.raises(UnknownDocumentError, match=identity("nothing")):
        purged(vault, "quicksilver", "nothing")
    assert found(vault, "quicksilver")


def test_a_failing_index_leaves_everything_as_it_was(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))

    def fails(db, chunks) -> None:
        remove_from_index(db, chunks)
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        purge.purge(vault, [identity("quicksilver")], fails)
    assert found(vault, "quicksilver")
    with vault.read() as db:
        assert not purge.is_purged(db, identity("quicksilver"))
        assert index_holds(db, range(1000))


@pytest.mark.parametrize(
    ("leak", "what"),
    [
        ("INSERT INTO setting VALUES ('last', 'id {id}')", "ids"),
        ("INSERT INTO setting VALUES ('last', '{passage}')", "passages of the text"),
        ("INSERT INTO setting VALUES ('last', '<quicksilver@mail.example>')", "titles, names and message ids"),
        ("INSERT INTO setting VALUES ('last', '/papers/quicksilver.eml')", "titles, names and message ids"),
        ("INSERT INTO meta VALUES ('last', x'{id}')", "ids"),
        ('INSERT INTO segment (chunks, body) VALUES (1, CAST(\'{{"99": "zanzibarvil"}}\' AS BLOB))', "rare words"),
    ],
)
def test_the_receipt_does_not_confirm_what_is_still_there(vault, leak, what):
    """Leaks that a mistake elsewhere could make: each has to be seen by the check that is meant for it."""
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/papers/quicksilver.eml"))
        db.execute(leak.format(id=identity("quicksilver"), passage=body("quicksilver")[:100].replace("'", "''")))
    receipt = purged(vault, "quicksilver")
    assert not receipt.confirmed
    assert what in {check.what for check in receipt.checks if check.found}
    assert vault.folder.exists()


def test_an_index_that_keeps_a_chunk_is_seen(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
    receipt = purge.purge(vault, [identity("quicksilver")], lambda *_: None, index_holds=index_holds)
    assert not receipt.confirmed
    assert {c.what for c in receipt.checks if c.found} >= {"chunks and documents", "rare words"}


def test_text_left_in_an_unused_page_is_seen(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
        db.execute("INSERT INTO setting VALUES ('big', ?)", (body("quicksilver"),))
    with vault.read() as db:
        db.pragma("secure_delete", "OFF")
    with vault.write() as db:
        db.execute("DELETE FROM setting")
    with vault.read() as db:
        db.pragma("secure_delete", "ON")
    receipt = purged(vault, "quicksilver")
    assert not receipt.confirmed
    assert any(c.found and "page of the database" in c.where for c in receipt.checks)
    assert not any(c.found and "every column" in c.where for c in receipt.checks)


def test_a_reply_that_quotes_it_stays_and_is_counted(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
        add_document(db, "marmalade", add_file(db, "/marmalade.eml"), text="> " + body("quicksilver") + "Agreed!")
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed, receipt.checks
    assert receipt.elsewhere == 1
    assert found(vault, "marmalade")


def test_a_document_without_text_is_purged_too(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.png"), text="")
    receipt = purged(vault, "quicksilver")
    assert receipt.confirmed
    assert receipt.removed.chunks == 0


def test_the_receipt_is_kept_and_names_nothing(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
    receipt = purged(vault, "quicksilver")
    (kept,) = purge.receipts(vault)
    assert kept == json.loads(receipt.to_json())
    assert kept["confirmed"] is True
    assert "backups made before now" in " ".join(kept["not_covered"])
    assert "quicksilver" not in receipt.to_json()
    assert identity("quicksilver") not in receipt.to_json()


def test_a_purged_document_is_known_until_that_is_lifted(vault, place):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
        assert not purge.is_purged(db, identity("quicksilver"))
    purged(vault, "quicksilver")
    vault.close()
    again = place.open()
    with again.read() as db:
        assert purge.is_purged(db, identity("quicksilver"))
        assert not purge.is_purged(db, identity("marmalade"))
    with pytest.raises(UnknownDocumentError):
        purge.lift(again, "/papers/quicksilver.eml")
    assert purge.lift(again, bytes.fromhex(identity("quicksilver")))
    assert not purge.lift(again, identity("quicksilver"))
    with again.read() as db:
        assert not purge.is_purged(db, identity("quicksilver"))
    serial, tags = again.purge_list.read()
    assert (serial, tags) == (2, {})
    again.close()


def test_the_list_in_the_state_folder_is_sealed_and_tells_nothing_by_its_length(vault):
    lengths = set()
    for n in range(4):
        with vault.write() as db:
            add_document(db, f"quicksilver{n}", add_file(db, f"/{n}"))
        purged(vault, f"quicksilver{n}")
        data = vault.purge_list.path.read_bytes()
        lengths.add(len(data))
        assert vault.purge_tag(identity(f"quicksilver{n}")) not in data
    assert lengths == {44 + 4096 + 16}
    assert len(vault.purge_list.read()[1]) == 4


def test_a_killed_purge_is_whole_or_not_at_all(place, in_child, die, monkeypatch):
    vault = place.open()
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
    vault.close()

    def in_index() -> None:
        purge.purge(place.open(), [identity("quicksilver")], die)

    def before_the_list() -> None:
        vault = place.open()
        monkeypatch.setattr(purge_list, "publish", die)
        purged(vault, "quicksilver")

    assert in_child(in_index) == -9
    vault = place.open()
    assert found(vault, "quicksilver")
    vault.close()
    assert in_child(before_the_list) == -9
    vault = place.open()
    assert not found(vault, "quicksilver")
    serial, tags = vault.purge_list.read()
    assert (serial, set(tags)) == (1, {vault.purge_tag(identity("quicksilver"))})
    vault.close()


def test_what_was_purged_since_an_older_copy_is_purged_there_too(place):
    vault = place.open()
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
        add_document(db, "marmalade", add_file(db, "/marmalade.eml"))
    vault.close()
    kept = {p: p.read_bytes() for p in place.folder.iterdir()}
    vault = place.open()
    purged(vault, "quicksilver")
    vault.close()
    for path in place.folder.iterdir():
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    vault = place.open(accept_older=True)
    assert found(vault, "quicksilver")
    receipt = purge.reapply(vault, remove_from_index)
    assert receipt is not None
    assert receipt.removed.documents == 1
    assert not found(vault, "quicksilver")
    assert found(vault, "marmalade")
    assert purge.reapply(vault, remove_from_index) is None
    vault.close()


def test_the_time_on_the_receipt_is_now(vault):
    with vault.write() as db:
        add_document(db, "quicksilver", add_file(db, "/quicksilver.eml"))
    assert abs(purged(vault, "quicksilver").at - time.time()) < 60
