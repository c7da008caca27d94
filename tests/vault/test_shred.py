"""Shredding: after a purge the database goes to another key, whatever happens meanwhile."""

import contextlib
import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vault import anchor, backup, files, log, pages, purge, recrypt, rekey, shred, store
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import VaultFullError, VaultUnusableError
from vault.folder import read_header
from vault.keys import KdfCost
from vault.manifest import contents
from vault.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
TEXT = "the tenant shall pay {0} doubloons to the harbourmaster of Zanzibarville before noon, {0} times over\n"


def identity(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def add(vault, *words: str, lines: int = 60) -> None:
    with vault.write() as db:
        for word in words:
            number = db.execute(
                "INSERT INTO document (id, kind, title, prefix, characters, added)"
                " VALUES (?, 'text', ?, '', 0, 1000) RETURNING number",
                (identity(word), f"The title about {word}"),
            ).get
            db.execute("INSERT INTO content VALUES (?, ?, x'5b5d')", (number, (TEXT.format(word) * lines).encode()))


def purged(vault, *words: str):
    return purge.purge(vault, [identity(word) for word in words], lambda *_: None)


def tables(vault) -> dict[str, object]:
    """What every table holds, but for what shredding itself writes down."""
    with vault.read() as db:
        found = {name: value for name, value in contents(db).items() if name not in ("meta", "receipt", "shred")}
        found["receipt"] = db.execute("SELECT id, at, body, since FROM receipt").fetchall()
        return found


def sound(vault) -> None:
    with vault.read() as db:
        assert db.execute("PRAGMA integrity_check").get == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def stages(vault) -> list[bool]:
    """Whether each purge is shredded, the oldest first."""
    with vault.read() as db:
        return [at is not None for (at,) in db.execute("SELECT shredded FROM receipt ORDER BY id").fetchall()]


@pytest.fixture
def vault(place):
    vault = place.open()
    add(vault, "quicksilver", "marmalade", "letterhead")
    yield vault
    vault.close()


def test_after_it_the_old_key_opens_nothing_and_everything_is_there(place, vault):
    purged(vault, "quicksilver")
    before, old_key, old_header = tables(vault), vault.database_key, vault.header
    with vault.read():
        vault.checkpoint()
        old_file = vault.database.read_bytes()
    assert shred.pending(vault) == 1
    assert shred.run(vault)
    assert tables(vault) == before
    sound(vault)
    assert (shred.pending(vault), stages(vault)) == (0, [True])
    assert not shred.run(vault)  # nothing is left to do
    assert vault.header.epoch == old_header.epoch + 1
    assert vault.header.slots == old_header.slots
    vault.checkpoint()
    assert len(list(pages.decrypted(vault.database, vault.database_key))) > 10
    with pytest.raises(DamagedVaultError):
        list(pages.decrypted(vault.database, old_key))
    kept = place.folder.parent / "kept.db"
    kept.write_bytes(old_file)
    with pytest.raises(DamagedVaultError):
        list(pages.decrypted(kept, vault.database_key))
    vault.close()
    assert {p.name for p in place.folder.iterdir()} == {"header", "store-2.db", "anchor", "lock"}
    again = place.open()
    assert tables(again) == before
    again.close()


def test_the_new_key_is_drawn_and_stands_nowhere_in_the_clear(place, vault):
    purged(vault, "quicksilver")
    seen = {vault.database_key}
    for _ in range(3):
        shred.begin(vault)
        with vault.read() as db:
            seen.add(db.execute("SELECT key FROM shred").get)
        shred.abandon(vault)
    assert len(seen) == 4
    assert all(len(key) == 32 for key in seen)
    shred.run(vault)
    assert vault.database_key not in seen
    seen.add(vault.database_key)
    vault.close()
    for root in (place.folder, place.state):
        for path in root.rglob("*"):
            if path.is_file():
                assert not any(key in path.read_bytes() for key in seen), path


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_meanwhile_is_in_the_copy(place, vault, seed):
    """Rows added, changed and removed between any two steps, the file growing, the log emptied now and then."""
    chance = random.Random(seed)
    add(vault, *(f"filler{n}" for n in range(20)), lines=200)
    purged(vault, "quicksilver")
    assert shred.begin(vault)
    steps = 0
    while not shred.step(vault, chance.choice((1, 7, 40))):
        steps += 1
        assert steps < 2000, "it never catches up"
        match chance.randrange(8) if steps < 60 else 7:
            case 0 | 1:
                add(vault, f"new{seed}x{steps}", lines=chance.randrange(1, 300))
            case 2:
                with vault.write() as db:
                    db.execute("UPDATE content SET text = randomblob(20000) WHERE document % 5 = ?", (steps % 5,))
            case 3:
                with vault.write() as db:
                    db.execute("DELETE FROM document WHERE number % 7 = ?", (steps % 7,))
            case 4:
                vault.checkpoint()
            case 5:
                with vault.read() as db:  # behind its back
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            case 6:
                with contextlib.suppress(RuntimeError), vault.write() as db:
                    db.execute("DELETE FROM content")
                    raise RuntimeError("undone")
        before = tables(vault)
    assert steps > 5
    assert vault.header.epoch == 2
    assert tables(vault) == before
    sound(vault)
    vault.close()
    again = place.open()
    assert tables(again) == before
    sound(again)
    again.close()


def test_what_was_written_before_somebody_else_emptied_the_log_is_in_the_copy(vault):
    """The log that tells which pages changed is gone: every page is looked at again."""
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 10)
    shred.step(vault, vault.copy.total - 13)
    with vault.write() as db:
        db.execute("UPDATE content SET text = zeroblob(length(text))")
    with vault.read() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = tables(vault)
    while not shred.step(vault):
        pass
    assert tables(vault) == before
    sound(vault)


def test_no_nonce_serves_for_two_contents(place, vault, monkeypatch):
    """Whatever is copied again, in whatever order, after a restart too: the same nonce means the same page."""
    made = {}
    seal = pages.sealed

    def noted(plain, number, key, nonce):
        assert made.setdefault((key, number, nonce), plain) == plain
        made.setdefault((key, nonce), number)
        assert made[key, nonce] == number
        return seal(plain, number, key, nonce)

    monkeypatch.setattr(pages, "sealed", noted)
    add(vault, *(f"filler{n}" for n in range(100)), lines=200)
    purged(vault, "quicksilver")
    for turn in range(6):
        shred.begin(vault)
        assert not shred.step(vault, 40)
        with vault.write() as db:
            db.execute("UPDATE content SET text = ? WHERE document % 3 = 0", (str(turn).encode() * 9000,))
        assert not shred.step(vault, 30)
        if turn == 3:
            vault.close()
            (place.folder / "store-2.db").write_bytes(b"")  # it has to be written anew
            vault = place.open()
    assert len({key for key, *_ in made}) == 1
    assert len(made) > 200
    shred.run(vault)
    sound(vault)
    vault.close()


def test_a_database_that_became_shorter_is_copied_in_its_new_length(vault):
    add(vault, *(f"filler{n}" for n in range(60)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 100)
    with vault.write() as db:
        db.execute("DELETE FROM document WHERE title LIKE '%filler%'")
    with vault.read() as db:
        db.execute("VACUUM")
    before = tables(vault)
    while not shred.step(vault, 100):
        pass
    assert tables(vault) == before
    sound(vault)
    with vault.read() as db:
        vault.checkpoint()
        assert vault.database.stat().st_size == db.pragma("page_count") * 4096 < 60 * 4096


def test_others_use_the_vault_while_it_is_copied(vault):
    add(vault, *(f"filler{n}" for n in range(150)), lines=300)
    purged(vault, "quicksilver")
    done, added = threading.Event(), []

    def write() -> None:
        while not done.is_set():
            word = f"meanwhile{len(added)}"
            add(vault, word)
            added.append(word)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        shred.run(vault)
    finally:
        done.set()
        thread.join()
    assert added
    with vault.read() as db:
        kept = {i for (i,) in db.execute("SELECT id FROM document")}
    assert {identity(word) for word in added} <= kept
    sound(vault)


CALLS = ("open", "pwrite", "ftruncate", "fsync", "fdatasync", "rename", "unlink")


def test_kill_9_anywhere_leaves_the_old_or_the_new_and_it_goes_on(place, in_child, die):
    vault = place.open()
    add(vault, "quicksilver", "marmalade")
    purged(vault, "quicksilver")
    before = tables(vault)
    vault.close()
    for root in (place.folder, place.state):
        shutil.copytree(root, root.with_name(root.name + ".before"))

    def work(dies_at: int) -> int:
        vault = place.open()
        calls = iter(range(10_000))

        def dying(real):
            def call(*arguments, **options):
                if next(calls) == dies_at:
                    die()
                return real(*arguments, **options)

            return call

        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        shred.run(vault)
        return 0

    seen, dies_at = set(), 0
    while True:
        for root in (place.folder, place.state):
            shutil.rmtree(root)
            shutil.copytree(root.with_name(root.name + ".before"), root)
        status = in_child(lambda at=dies_at: work(at))
        vault = place.open()
        assert tables(vault) == before, dies_at
        seen.add((vault.header.epoch, *stages(vault)))
        assert len(list(place.folder.glob("store-*.db"))) <= 2
        shred.run(vault)
        assert tables(vault) == before, dies_at
        assert (vault.header.epoch, *stages(vault)) == (2, True)
        vault.close()
        assert {p.name for p in place.folder.iterdir()} == {"header", "store-2.db", "anchor", "lock"}
        if status == 0:
            break
        assert status == -9
        dies_at += 1 if dies_at < 12 else 3
    assert seen == {(1, False), (2, True)}
    assert dies_at > 40


def test_a_copy_that_a_crash_left_is_taken_up_and_no_page_is_trusted(place, vault):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 150)
    before = tables(vault)
    vault.close()
    copy = place.folder / "store-2.db"
    data = bytearray(copy.read_bytes())
    assert len(data) == 150 * 4096
    data[30 * 4096 + 100] ^= 1  # page 31 was torn: its end is right
    data[50 * 4096 : 51 * 4096] = bytes(4096)
    data[60 * 4096 : 61 * 4096] = data[61 * 4096 : 62 * 4096]
    copy.write_bytes(data + os.urandom(1000))
    vault = place.open()
    key = vault.database_key
    assert shred.begin(vault)
    while not vault.copy.done >= 150:
        shred.step(vault, 150)
    assert 3 <= vault.copy.written <= 20  # those, and what closing and opening has written
    while not shred.step(vault):
        pass
    assert vault.database_key != key
    assert tables(vault) == before
    sound(vault)
    vault.close()


def test_another_copy_in_its_place_does_no_harm(place, vault, tmp_path):
    """An older database of this vault, one of another vault, or nothing at all, where the copy should be."""
    purged(vault, "quicksilver")
    before = tables(vault)
    shred.begin(vault)
    shred.step(vault, 20)
    vault.close()
    copy = place.folder / "store-2.db"
    for other in (place.folder.joinpath("store-1.db").read_bytes(), os.urandom(40 * 4096), b"", None):
        copy.unlink(missing_ok=True)
        if other is not None:
            copy.write_bytes(other)
        for root in (place.folder, place.state):
            shutil.copytree(root, tmp_path / f"now-{root.name}")
        there = type(place)(tmp_path / "now-vault", tmp_path / "now-state", place.code)
        vault = there.open()
        assert shred.run(vault)
        assert tables(vault) == before
        sound(vault)
        vault.close()
        for root in (place.folder, place.state):
            shutil.rmtree(tmp_path / f"now-{root.name}")


def test_several_purges_go_at_once_and_one_that_comes_meanwhile_is_of_the_next(vault):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    purged(vault, "marmalade")
    shred.begin(vault)
    shred.step(vault, 50)
    purged(vault, "letterhead")
    assert shred.state(vault).covers == 2
    assert shred.run(vault)
    assert stages(vault) == [True, True, False]
    assert vault.header.epoch == 2
    assert shred.pending(vault) == 1
    assert shred.run(vault)
    assert stages(vault) == [True, True, True]
    assert vault.header.epoch == 3
    with vault.read() as db:
        looked = [json.loads(body) for (body,) in db.execute("SELECT looked FROM receipt ORDER BY id")]
    searched = [{check["what"]: check["searched"] for check in each["checks"]} for each in looked]
    # each shred looks for the words of its own purges, and for all ids that are on the list by then
    assert [each["passages of the text"] for each in searched] == [6, 6, 3]
    assert [each["ids on the list of what was purged"] for each in searched] == [2, 2, 3]


def test_it_says_beforehand_how_much_space_it_needs_and_writes_nothing_without(vault, monkeypatch):
    purged(vault, "quicksilver")
    needed, free = shred.needed(vault)
    assert needed == vault.database.stat().st_size + shred.SPARE_BYTES
    assert free == shutil.disk_usage(vault.folder).free
    before = sorted(p.name for p in vault.folder.iterdir())
    usage = shutil.disk_usage(vault.folder)._replace(free=needed - 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(shred.NoRoomError, match=r"shredding needs \d+ MiB at .*, \d+ MiB are free"):
            shred.begin(vault)
    assert sorted(p.name for p in vault.folder.iterdir()) == before
    with vault.read() as db:
        assert db.execute("SELECT count(*) FROM shred").get == 0
    assert shred.run(vault)


def test_space_that_others_take_meanwhile_is_given_back(vault, monkeypatch):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    before = tables(vault)
    shred.begin(vault)
    shred.step(vault, 50)
    usage = shutil.disk_usage(vault.folder)._replace(free=1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(shred.NoRoomError):
            shred.step(vault, 50)
    assert not (vault.folder / "store-2.db").exists()
    assert (vault.copy, shred.pending(vault), tables(vault)) == (None, 1, before)
    assert shred.run(vault)
    assert tables(vault) == before


def test_a_full_disk_while_copying_costs_the_copy_and_nothing_else(vault):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    before = tables(vault)
    shred.begin(vault)
    shred.step(vault, 50)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60 * 4096, limits[1]))
    try:
        with pytest.raises(VaultFullError):
            shred.step(vault, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (vault.folder / "store-2.db").exists() is False
    assert (vault.copy, shred.pending(vault), tables(vault)) == (None, 1, before)
    assert shred.run(vault)
    sound(vault)


def test_a_damaged_page_stops_it_and_nothing_changes(place, vault):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    vault.checkpoint()
    with vault.database.open("r+b") as file:
        file.seek(70 * 4096 + 5)
        byte = file.read(1)
        file.seek(70 * 4096 + 5)
        file.write(bytes([byte[0] ^ 4]))
    with pytest.raises(DamagedVaultError, match=r"page 71 of .*store-1.db is damaged"):
        shred.run(vault)
    assert (vault.header.epoch, shred.pending(vault)) == (1, 1)
    assert not (place.folder / "store-2.db").exists()


def test_a_copy_that_a_disk_did_not_keep_is_not_switched_to(vault, monkeypatch):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    write = os.pwrite

    def careless(descriptor, data, at):
        return write(descriptor, bytes(len(data)) if at == 90 * 4096 else data, at)

    monkeypatch.setattr(os, "pwrite", careless)
    with pytest.raises(DamagedVaultError, match=r"page 91 of .*store-2.db is not what was written"):
        shred.run(vault)
    assert (vault.header.epoch, shred.pending(vault)) == (1, 1)


def test_what_is_left_in_an_unused_page_of_the_copy_is_seen(vault):
    """Planted as a mistake would leave it: words that nobody's row has any more, copied along."""
    purged(vault, "quicksilver")
    leak = next(piece for piece, what in vault.sought.items() if what == "passages of the text")
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('leak', ?)", ((leak + b" " + identity("quicksilver").encode()).decode() * 50,))
    with vault.read() as db:
        db.pragma("secure_delete", "OFF")
    with vault.write() as db:
        db.execute("DELETE FROM setting WHERE key = 'leak'")
    with vault.read() as db:
        db.pragma("secure_delete", "ON")
    shred.run(vault)
    with vault.read() as db:
        checks = {c["what"]: c["found"] for c in json.loads(db.execute("SELECT looked FROM receipt").get)["checks"]}
    assert checks["passages of the text"] == 1
    assert checks["ids"] == 1


def test_ids_are_looked_for_after_a_restart_too_when_the_words_are_forgotten(place, vault):
    purged(vault, "quicksilver")
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('leak', ?)", (f"see {identity('quicksilver')}!",))
    vault.close()
    vault = place.open()
    assert vault.sought == {}
    shred.run(vault)
    with vault.read() as db:
        looked = json.loads(db.execute("SELECT looked FROM receipt").get)
    assert looked["pages"] > 10
    assert [(c["what"], c["searched"], c["found"]) for c in looked["checks"]] == [
        ("ids on the list of what was purged", 1, 1)
    ]
    vault.close()


def test_words_that_came_in_again_with_another_document_are_that_ones(vault):
    purged(vault, "quicksilver")
    with vault.write() as db:
        db.execute("INSERT INTO document (id, kind, title, prefix, characters, added) VALUES ('x', 'text', 'y', '', 0, 0)")
        db.execute("INSERT INTO content VALUES (last_insert_rowid(), ?, x'5b5d')", ((TEXT.format("quicksilver") * 60).encode(),))
    shred.run(vault)
    with vault.read() as db:
        looked = json.loads(db.execute("SELECT looked FROM receipt").get)
    assert not any(check["found"] for check in looked["checks"])


def test_a_backup_made_meanwhile_restores_without_the_other_key(place, vault, tmp_path):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 50)
    backup.backup(vault, tmp_path / "backup")
    with vault.read() as db:
        key = db.execute("SELECT key FROM shred").get
    before = tables(vault)
    vault.close()
    restored = backup.restore(
        tmp_path / "backup", tmp_path / "there", place.code, tmp_path / "state2", remove_from_index=lambda *_: None
    ).vault
    assert (stages(restored), tables(restored)) == ([False], before)
    shred.run(restored)
    assert stages(restored) == [True]
    assert restored.database_key != key
    assert tables(restored) == before
    restored.close()


def test_the_header_of_before_is_overwritten_unless_somebody_kept_it(place, vault, tmp_path):
    purged(vault, "quicksilver")
    with (place.folder / "header").open("rb") as old:
        shred.run(vault)
        assert old.read() == bytes(os.fstat(old.fileno()).st_size)
    purged(vault, "marmalade")
    os.link(place.folder / "header", tmp_path / "kept")
    kept = (tmp_path / "kept").read_bytes()
    shred.run(vault)
    assert (tmp_path / "kept").read_bytes() == kept != (place.folder / "header").read_bytes()


@pytest.mark.parametrize("fault", ["folder", "anchor", "header"])
def test_what_fails_about_the_switch_leaves_the_old_or_the_new_in_use(place, vault, monkeypatch, fault):
    """A disk that fails before the header's rename, between that and its being durable, or at the anchor."""
    purged(vault, "quicksilver")
    before = tables(vault)
    real_rename, real_sync, real_write = os.rename, files.sync_folder, anchor.Anchor.write

    def switched() -> bool:
        return read_header(place.folder).epoch == 2

    def broken(*_):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        if fault == "header":
            patch.setattr(os, "rename", broken)
        elif fault == "folder":
            patch.setattr(files, "sync_folder", lambda path: broken() if switched() else real_sync(path))
        else:
            patch.setattr(anchor.Anchor, "write", lambda *a: broken() if switched() else real_write(*a))
        with pytest.raises((StrongroomError, OSError)):
            shred.run(vault)
    assert os.rename is real_rename
    assert vault.header.epoch == read_header(place.folder).epoch == (1 if fault == "header" else 2)
    assert tables(vault) == before
    add(vault, "afterwards")
    before = tables(vault)
    vault.close()
    vault = place.open()
    assert tables(vault) == before
    shred.run(vault)
    assert stages(vault) == [True]
    assert vault.header.epoch == 2
    vault.close()


def test_secrets_changed_meanwhile_stay_changed(place, vault, passphrase):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 50)
    code = rekey.new_recovery_code(vault, place.code)
    while not shred.step(vault, 50):
        pass
    before = tables(vault)
    vault.close()
    place.code = code
    again = place.open()
    assert tables(again) == before
    again.close()


def test_revoking_shreds_too_and_loses_nothing_that_is_written_meanwhile(place, vault):
    add(vault, *(f"filler{n}" for n in range(100)), lines=300)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 50)
    done, added = threading.Event(), []

    def write() -> None:
        while not done.is_set():
            word = f"meanwhile{len(added)}"
            add(vault, word)
            added.append(word)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        code = rekey.revoke(vault, place.code, "another passphrase", cost=KdfCost(64 * 1024, 3))
    finally:
        done.set()
        thread.join()
    assert stages(vault) == [True]
    assert added
    before = tables(vault)
    sound(vault)
    vault.close()
    assert {p.name for p in place.folder.iterdir()} == {"header", "store-2.db", "anchor", "lock"}
    place.code = code
    again = place.open()
    assert tables(again) == before
    with again.read() as db:
        kept = {i for (i,) in db.execute("SELECT id FROM document")}
    assert {identity(word) for word in added} <= kept
    again.close()


@pytest.mark.parametrize("by", ["shred", "revoke"])
def test_closing_while_it_is_copied_waits_for_no_more_than_a_block(place, vault, by):
    """A descriptor that is closed under a writer may be another file's a moment later."""
    add(vault, *(f"filler{n}" for n in range(100)), lines=300)
    purged(vault, "quicksilver")
    before, reached, refused = tables(vault), threading.Event(), []
    bring = recrypt.Copy._bring

    def slowly(self, *arguments):
        reached.set()
        assert os.fstat(self._file).st_ino == os.stat(self.path).st_ino
        bring(self, *arguments)
        assert os.fstat(self._file).st_ino == os.stat(self.path).st_ino

    def work() -> None:
        try:
            if by == "shred":
                shred.begin(vault)
                while not shred.step(vault, 1):
                    pass
            else:
                recrypt.BLOCK_PAGES = 1
                rekey.revoke(vault, place.code, "another passphrase", cost=KdfCost(64 * 1024, 3))
        except VaultUnusableError:
            refused.append(by)

    recrypt.Copy._bring, blocks = slowly, recrypt.BLOCK_PAGES
    try:
        thread = threading.Thread(target=work)
        thread.start()
        assert reached.wait(60)
        vault.close()
        thread.join()
    finally:
        recrypt.Copy._bring, recrypt.BLOCK_PAGES = bring, blocks
    assert refused == [by]
    assert (place.folder / "store-2.db").exists() == (by == "shred")
    again = place.open()
    assert (tables(again), again.header.epoch) == (before, 1)
    again.close()


def test_the_page_that_sqlite_never_writes_is_left_out(place, vault, monkeypatch):
    """In a database of more than a gibibyte there is one; here another page plays its part."""
    add(vault, *(f"filler{n}" for n in range(20)), lines=200)
    with vault.write() as db:
        db.execute("CREATE TABLE big (b)")
        db.execute("INSERT INTO big VALUES (zeroblob(400000))")
        db.execute("DELETE FROM big")
    purged(vault, "quicksilver")
    vault.checkpoint()
    with vault.read() as db:
        free = int(db.pragma("page_count")) - 10
    with vault.database.open("r+b") as file:
        file.seek((free - 1) * 4096)
        file.write(bytes(4096))
    with pytest.raises(DamagedVaultError, match=f"page {free} of"):
        list(pages.decrypted(vault.database, vault.database_key))
    monkeypatch.setattr(pages, "LOCK_PAGE", free)
    monkeypatch.setattr(recrypt, "LOCK_PAGE", free)
    total = len(list(pages.decrypted(vault.database, vault.database_key)))
    shred.run(vault)
    vault.checkpoint()
    assert len(list(pages.decrypted(vault.database, vault.database_key))) >= total


MEASURE = """
import resource, sys
from pathlib import Path
from vault import shred
from vault.vault import Vault
vault = Vault.open(Path(sys.argv[1]), sys.argv[2], state=Path(sys.argv[3]))
with vault.write() as db:
    db.execute("INSERT INTO receipt (at, body) VALUES (1, '{}')")
shred.begin(vault)
shred.step(vault)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
while not shred.step(vault):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, vault.database.stat().st_size)
vault.close()
"""


def test_its_memory_does_not_grow_with_the_database(place):
    vault = place.open()
    with vault.write() as db:
        db.execute("CREATE TABLE big (b)")
        db.executemany("INSERT INTO big VALUES (randomblob(1000000))", [()] * 40)
    vault.close()
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, place.folder, place.code, place.state],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    grown_kib, size = map(int, ran.stdout.split())
    assert size > 40_000_000
    assert grown_kib < 16 * 1024


def test_a_log_is_read_as_sqlite_wrote_it(tmp_path):
    path, key = tmp_path / "store-1.db", os.urandom(32)
    db = store.create(path, key)
    assert log.salts(log.path_of(path)) == b""
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert list(log.written(log.path_of(path))) == []
    db.execute("INSERT INTO t VALUES (1, randomblob(50000))")
    first = log.salts(log.path_of(path))
    written = set(log.written(log.path_of(path)))
    before = _raw(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    after = _raw(path)
    changed = {n + 1 for n, page in enumerate(after) if n >= len(before) or page != before[n]}
    assert changed <= written
    assert len(changed) > 12
    db.execute("UPDATE t SET b = x'00'")
    assert log.salts(log.path_of(path)) not in (first, b"")
    db.close()


def _raw(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[at : at + 4096] for at in range(0, len(data), 4096)]


def test_a_vault_that_is_closed_meanwhile_keeps_the_copy_for_the_next_time(place, vault):
    add(vault, *(f"filler{n}" for n in range(40)), lines=200)
    purged(vault, "quicksilver")
    shred.begin(vault)
    shred.step(vault, 50)
    vault.close()
    assert isinstance(vault, Vault)
    assert (place.folder / "store-2.db").stat().st_size == 50 * 4096
    vault = place.open()
    assert shred.state(vault).covers == 1
    assert shred.run(vault)
    vault.close()
