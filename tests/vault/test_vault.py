"""A vault opens for its owner, keeps what was acknowledged, and refuses what is not its newest state."""

import json
import os
import resource
import shutil
import threading
from pathlib import Path

import apsw
import pytest

from vault import keys, rekey, schema, store
from vault.anchor import Anchor
from vault.errors import DamagedVaultError, LockedError, StrongroomError
from vault.failures import (
    ForkedVaultError,
    NewerVaultError,
    NoVaultError,
    OlderVaultError,
    OpenElsewhereError,
    RecoveryCodeTypingError,
    SyncedFolderError,
    TooManyAttemptsError,
    UnanchoredVaultError,
    VaultExistsError,
    VaultFullError,
    VaultPermissionError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from vault.vault import Vault

CANARY = "xylophone-canary-7731"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def interrupted(vault: Vault, statement: str, value: str) -> None:
    with vault.write() as db:
        db.execute(statement, (value,))
        _ = 1 / 0


def put_back(folder: Path, kept: dict[str, bytes]) -> None:
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        path.unlink()
    for name, data in kept.items():
        (folder / name).write_bytes(data)


def test_what_was_written_is_there_after_opening_again(place):
    vault = place.open()
    place.put(vault, "a", "1")
    assert vault.generation == 2
    vault.close()
    assert place.settings("correct horse battery") == {"a": "1"}
    assert place.settings(place.code) == {"a": "1"}


def test_the_files_and_folders_are_their_owners_alone(place):
    vault = place.open()
    place.put(vault, "a", "1")
    for folder in (place.folder, place.state, *(p for p in place.state.iterdir() if p.is_dir())):
        assert folder.stat().st_mode & 0o777 == 0o700
    found = [p for root in (place.folder, place.state) for p in root.rglob("*") if p.is_file()]
    assert {p.name for p in found} == {"header", "store-1.db", "store-1.db-wal", "anchor", "lock", "purged"}
    assert {p.stat().st_mode & 0o777 for p in found} == {0o600}
    vault.close()


def test_a_folder_that_was_opened_to_others_is_narrowed(place):
    place.folder.chmod(0o755)
    place.open().close()
    assert place.folder.stat().st_mode & 0o777 == 0o700


def test_the_promised_pragmas_are_on(place):
    vault = place.open()
    with vault.read() as db:
        for name, expected in (
            ("synchronous", 2), ("secure_delete", 1), ("temp_store", 2), ("journal_mode", "wal"),
            ("locking_mode", "exclusive"), ("foreign_keys", 1), ("cipher", "chacha20"),
        ):  # fmt: skip
            assert db.pragma(name) == expected, name
    assert not (place.folder / "store-1.db-shm").exists()
    vault.close()


def test_nothing_that_was_written_is_readable_in_any_file(place):
    vault = place.open()
    with vault.write() as db:
        db.execute("INSERT INTO folder VALUES (1, ?, ?, 0, 0, 'watched', '', 0, 0)", (CANARY.encode(), CANARY))
        db.execute("INSERT INTO setting VALUES (?, ?)", (CANARY, CANARY * 3000))
    with pytest.raises(ZeroDivisionError):
        interrupted(vault, "INSERT INTO setting VALUES (?1, ?1 || 'x')", CANARY * 3000)

    def check() -> None:
        for root in (place.folder, place.state):
            for name, data in files(root).items():
                assert CANARY.encode() not in data, name
                assert b"CREATE TABLE" not in data, name
                assert not data.startswith(b"SQLite format 3"), name

    check()  # also what is in the log
    assert (place.folder / "store-1.db-wal").stat().st_size > 0
    vault.close()
    check()


@pytest.mark.parametrize("secret", ["", "wrong passphrase", "correct horse batterY"])
def test_a_wrong_or_empty_passphrase_opens_nothing(place, secret):
    before = files(place.folder)
    with pytest.raises(WrongPassphraseError):
        Vault.open(place.folder, secret, state=place.state)
    assert files(place.folder).keys() - {"lock"} == before.keys() - {"lock"}


def test_a_mistyped_code_says_where_and_is_not_counted(place):
    typed = place.code[:-1] + ("0" if place.code[-1] != "0" else "1")
    for _ in range(6):
        with pytest.raises(RecoveryCodeTypingError, match="group 8"):
            place.open(typed)
    place.open().close()


def test_wrong_passphrases_slow_down_and_the_code_still_opens(place):
    for _ in range(3):
        with pytest.raises(WrongPassphraseError):
            place.open("wrong passphrase")
    (count,) = place.state.glob("**/attempts")
    told = json.loads(count.read_bytes())
    assert told["failed"] == 3
    count.write_text(json.dumps({**told, "failed": 9}))  # a wait that the slowest machine does not sit out
    for secret in ("wrong passphrase", "correct horse battery"):
        with pytest.raises(TooManyAttemptsError, match=r"9 wrong passphrases in a row: wait \d\d s"):
            place.open(secret)
    place.open(place.code).close()


def test_a_missing_vault_is_not_made(tmp_path):
    for folder in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NoVaultError, match="no vault at"):
            Vault.open(folder, "correct horse battery", state=tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_database_is_not_made_anew(place):
    (place.folder / "store-1.db").unlink()
    with pytest.raises(DamagedVaultError, match=r"store-1\.db is missing") as raised:
        place.open()
    assert raised.value.exit_code == 3
    assert not (place.folder / "store-1.db").exists()


def test_a_missing_header_is_said(place):
    (place.folder / "header").unlink()
    with pytest.raises(DamagedVaultError, match="lost its header"):
        place.open()


def test_a_database_that_is_plain_empty_or_of_another_vault_is_refused(place, tmp_path):
    database = place.folder / "store-1.db"
    database.write_bytes(b"")
    with pytest.raises(DamagedVaultError, match="is empty"):
        place.open()
    database.unlink()
    plain = apsw.Connection(os.fspath(database))
    plain.execute("CREATE TABLE meta (key, value)")
    plain.close()
    with pytest.raises(DamagedVaultError, match="is not encrypted"):
        place.open()
    other, _ = Vault.create(tmp_path / "other", "correct horse battery", state=tmp_path / "state", cost=keys.FLOOR)
    other.close()
    shutil.copy(tmp_path / "other" / "store-1.db", database)
    with pytest.raises(DamagedVaultError, match="not a database"):
        place.open()


def test_the_database_does_not_open_with_a_wrong_short_or_empty_key(place):
    path = place.folder / "store-1.db"
    with pytest.raises(DamagedVaultError):
        store.open_existing(path, bytes(31) + b"\1")
    for key in (b"", bytes(32), b"short"):
        with pytest.raises(ValueError, match="32 bytes"):
            store.open_existing(path, key)
        with pytest.raises(ValueError, match="32 bytes"):
            store.create(place.folder / "fresh.db", key)
    assert not (place.folder / "fresh.db").exists()


def test_a_folder_that_is_used_gets_no_vault(place, tmp_path, passphrase):
    with pytest.raises(VaultExistsError, match="already holds a vault"):
        Vault.create(place.folder, passphrase, state=place.state, cost=keys.FLOOR)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(VaultExistsError, match="is not empty"):
        Vault.create(tmp_path / "full", passphrase, state=place.state, cost=keys.FLOOR)
    (tmp_path / "empty").mkdir()
    vault, _ = Vault.create(tmp_path / "empty", passphrase, state=place.state, cost=keys.FLOOR)
    vault.close()


def test_a_poor_passphrase_makes_no_vault(tmp_path):
    with pytest.raises(WeakPassphraseError):
        Vault.create(tmp_path / "vault", "short", state=tmp_path / "state", cost=keys.FLOOR)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("marker", [".stfolder", ".dropbox.cache", "._sync_1a2b.db"])
def test_a_synchronised_folder_is_refused(place, tmp_path, passphrase, marker):
    (tmp_path / marker).touch()
    with pytest.raises(SyncedFolderError, match="is synchronised by"):
        Vault.create(tmp_path / "new" / "vault", passphrase, state=place.state, cost=keys.FLOOR)
    with pytest.raises(SyncedFolderError):
        place.open()


def test_only_one_process_has_it_and_the_other_is_named(place, in_child):
    vault = place.open()
    with pytest.raises(OpenElsewhereError, match=f"open in process {os.getpid()}"):
        place.open()

    def other() -> int:
        try:
            place.open()
        except OpenElsewhereError as error:
            return 0 if f"process {os.getppid()}" in error.message else 1
        return 2

    assert in_child(other) == 0
    vault.close()
    place.open().close()


def test_what_held_it_and_was_killed_does_not_lock_it_out(place, in_child, die):
    assert in_child(lambda: (place.open(), die())) == -9
    place.open().close()


def test_a_block_that_raises_changes_nothing(place):
    vault = place.open()
    place.put(vault, "a", "1")
    with pytest.raises(ZeroDivisionError):
        interrupted(vault, "UPDATE setting SET value = ?", "2")
    assert vault.generation == 2
    with vault.read() as db:
        assert db.execute("SELECT value FROM setting").get == "1"
        assert not db.in_transaction
    vault.close()


def test_a_block_that_changes_nothing_is_no_commit(place):
    vault = place.open()
    anchor = (place.folder / "anchor").read_bytes()
    with vault.write() as db:
        db.execute("SELECT 1").fetchall()
        db.execute("UPDATE setting SET value = '2'")
    assert vault.generation == 1
    assert (place.folder / "anchor").read_bytes() == anchor
    vault.close()


def test_writes_do_not_nest_and_reads_do(place):
    vault = place.open()
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('a', '1')")
        with vault.read() as inner:
            assert inner.execute("SELECT count(*) FROM setting").get == 1
        with pytest.raises(RuntimeError, match="already going on"), vault.write():
            pass
    vault.close()
    assert place.settings() == {"a": "1"}


def test_threads_take_turns(place):
    vault = place.open()

    def count() -> None:
        for _ in range(25):
            with vault.write() as db:
                n = db.execute("SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM setting").get
                db.execute("INSERT OR REPLACE INTO setting VALUES ('n', ?)", (str(n + 1),))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vault.close()
    assert place.settings() == {"n": "100"}


def test_a_closed_vault_says_that_it_is_locked(place):
    vault = place.open()
    vault.close()
    vault.close()
    with pytest.raises(LockedError, match="the vault is locked") as raised, vault.read():
        pass
    assert raised.value.code == 4
    with pytest.raises(LockedError):
        rekey.change_passphrase(vault, "correct horse battery", "another passphrase")


def test_a_newer_database_is_left_alone(place, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE later (x)"))
        place.open().close()
    with pytest.raises(NewerVaultError, match=rf"version {len(schema.MIGRATIONS) + 1}"):
        place.open()


def test_an_older_database_is_refused_with_the_dates_until_it_is_accepted(place):
    vault = place.open()
    place.put(vault, "a", "old")
    vault.close()
    kept = files(place.folder)
    vault = place.open()
    place.put(vault, "a", "new")
    place.put(vault, "b", "new")
    vault.close()
    put_back(place.folder, kept)  # all of it, its own anchor as well: the state folder knows better
    for _ in range(2):
        with pytest.raises(OlderVaultError, match="2 changes are missing") as raised:
            place.open()
        assert raised.value.exit_code == 3
    assert place.settings(accept_older=True) == {"a": "old"}
    assert place.settings() == {"a": "old"}


def one_commit(place, vault: Vault) -> None:
    place.put(vault, "a", "new")


def two_commits(place, vault: Vault) -> None:
    place.put(vault, "a", "newer")
    place.put(vault, "a", "new")


def log_moved(place, vault: Vault) -> None:
    """And another log begun."""
    place.put(vault, "a", "newer")
    vault.checkpoint()
    place.put(vault, "a", "new")


def new_keys(place, vault: Vault) -> None:
    place.put(vault, "a", "new")
    rekey.revoke(vault, place.code, "correct horse battery", cost=keys.FLOOR)


@pytest.mark.parametrize("left", ["closed", "killed"])
@pytest.mark.parametrize("change", [one_commit, two_commits, log_moved, new_keys])
def test_an_older_folder_put_back_after_a_kill_is_refused(place, in_child, die, change, left):
    """The whole folder, with its own anchor and its log if it had one. What was acknowledged between opening and kill,
    only the state folder knows then: no closing has sealed anything."""

    def work(change, end) -> None:
        vault = place.open()
        change(place, vault)
        end(vault)
        die()

    old = (lambda place, vault: place.put(vault, "a", "old"), Vault.close if left == "closed" else die)
    assert in_child(lambda: work(*old)) == -9
    older, newest, state_before = (place.folder.with_name(name) for name in ("older", "newest", "state before"))
    shutil.copytree(place.folder, older)
    assert in_child(lambda: work(change, die)) == -9
    place.folder.rename(newest)
    shutil.copytree(older, place.folder)
    known = files(place.state)
    for _ in range(2):
        with pytest.raises(OlderVaultError, match="missing") as raised:
            place.open()
        assert raised.value.exit_code == 3
        assert "put the newest files back" in raised.value.hint
        assert "--accept-older" in raised.value.hint
        kept = {name: data for name, data in files(place.folder).items() if data and name != "lock"}
        assert kept == {name: data for name, data in files(older).items() if name != "lock"}
        assert files(place.state) == known

    shutil.copytree(place.state, state_before)
    assert place.settings(accept_older=True) == place.settings() == {"a": "old"}

    shutil.rmtree(place.folder)
    newest.rename(place.folder)
    place.state = state_before
    assert place.settings("correct horse battery") == {"a": "new"}


def test_an_older_database_without_its_anchor_is_refused_on_any_machine(place, tmp_path):
    kept = (place.folder / "store-1.db").read_bytes()
    vault = place.open()
    place.put(vault, "a", "new")
    vault.close()
    (place.folder / "store-1.db").write_bytes(kept)
    place.state = tmp_path / "new machine"
    with pytest.raises(OlderVaultError):
        place.open()


def test_two_copies_that_were_both_written_to_are_told_apart(place, tmp_path):
    shutil.copytree(place.folder, tmp_path / "copy")
    vault = place.open()
    place.put(vault, "a", "here")
    vault.close()
    here, place.folder = place.folder, tmp_path / "copy"
    other_state, place.state = place.state, tmp_path / "other state"
    vault = place.open()
    place.put(vault, "a", "there")
    vault.close()
    place.state = other_state
    with pytest.raises(ForkedVaultError, match="another copy"):
        place.open()
    assert place.settings(accept_older=True) == {"a": "there"}
    place.folder = here
    with pytest.raises((ForkedVaultError, OlderVaultError)):
        place.open()


def test_a_vault_moves_to_a_new_machine_and_back(place, tmp_path):
    old = place.state
    for state in (tmp_path / "new machine", old, tmp_path / "new machine"):
        place.state = state
        vault = place.open()
        place.put(vault, "at", str(state))
        place.put(vault, "and", str(state))
        vault.close()


def test_a_vault_without_any_anchor_is_refused_until_it_is_accepted(place, tmp_path):
    (place.folder / "anchor").unlink()
    place.open().close()  # the state folder's will do
    assert (place.folder / "anchor").exists()
    (place.folder / "anchor").unlink()
    place.state = tmp_path / "new machine"
    with pytest.raises(UnanchoredVaultError, match="missing"):
        place.open()
    place.open(accept_older=True).close()
    place.open().close()


def test_a_tampered_anchor_is_refused(place):
    data = (place.folder / "anchor").read_bytes()
    (place.folder / "anchor").write_bytes(bytes(100) + data[100:600] + bytes(424))
    with pytest.raises(UnanchoredVaultError, match="is damaged") as raised:
        place.open()
    assert raised.value.exit_code == 3


def test_an_older_header_is_refused(place):
    old = (place.folder / "header").read_bytes()
    vault = place.open()
    rekey.change_passphrase(vault, "correct horse battery", "another passphrase")
    vault.close()
    (place.folder / "header").write_bytes(old)
    with pytest.raises(OlderVaultError, match="the header is from"):
        place.open()


def crashed(place, in_child, die) -> None:
    """Three commits, then kill -9 with everything in the log."""

    def work() -> None:
        vault = place.open()
        for number in range(3):
            place.put(vault, str(number), "x" * 5000)
        die()

    assert in_child(work) == -9
    assert (place.folder / "store-1.db-wal").stat().st_size > 10_000


def test_after_kill_9_all_that_was_acknowledged_is_there(place, in_child, die):
    crashed(place, in_child, die)
    assert set(place.settings()) == {"0", "1", "2"}


@pytest.mark.parametrize("how", ["removed", "cut", "one bit"])
def test_a_log_that_was_removed_cut_or_changed_is_refused(place, in_child, die, how):
    crashed(place, in_child, die)
    log = place.folder / "store-1.db-wal"
    data = log.read_bytes()
    if how == "removed":
        log.unlink()
    elif how == "cut":
        log.write_bytes(data[: len(data) * 2 // 3])
    else:
        middle = len(data) // 2
        log.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
    with pytest.raises(DamagedVaultError) as raised:
        place.open()
    assert raised.value.exit_code == 3


def test_no_flipped_bit_in_the_database_is_read_as_something_else(place):
    vault = place.open()
    with vault.write() as db:
        db.executemany("INSERT INTO setting VALUES (?, ?)", ((str(n), str(n) * 500) for n in range(40)))
    vault.close()
    expected = place.settings()
    database = place.folder / "store-1.db"
    whole = database.read_bytes()
    refused = 0
    for place_ in range(13, len(whole), len(whole) // 40):
        database.write_bytes(whole[:place_] + bytes([whole[place_] ^ 1]) + whole[place_ + 1 :])
        try:
            assert place.settings(place.code) == expected  # a page that nothing reads
        except DamagedVaultError:
            refused += 1
    assert refused > 5


def test_kill_9_between_commit_and_anchor_loses_nothing(place, in_child, die, monkeypatch):
    for dies_at in range(3):  # before the first copy, between the two, after both

        def work(dies_at=dies_at) -> None:
            vault = place.open()
            place.put(vault, "before", str(dies_at))  # the first commit also says that the database leaves its rest
            real, calls = Anchor.write, []

            def write(self, state, pages=None) -> None:
                if len(calls) == dies_at:
                    die()
                calls.append(1)
                real(self, state, pages)

            monkeypatch.setattr(Anchor, "write", write)
            place.put(vault, str(dies_at), "committed")
            die()

        assert in_child(work) == -9
        assert place.settings()[str(dies_at)] == "committed"
    assert place.open().generation == 7


def test_what_a_killed_process_committed_is_on_the_disk_before_it_is_anchored(place, in_child, die, monkeypatch):
    """Killed within the commit, its log may be in the system's memory only: a power cut after the next opening would
    then leave an anchor that knows of more than the database."""
    real, logs = Anchor.write, []

    def write(self, state, pages=None) -> None:
        logs.append((place.folder / "store-1.db-wal").stat().st_size)
        real(self, state, pages)

    def work() -> None:
        vault = place.open()
        place.put(vault, "a", "first")
        monkeypatch.setattr(Anchor, "write", lambda *_: die())
        place.put(vault, "a", "committed")

    assert in_child(work) == -9
    assert (place.folder / "store-1.db-wal").stat().st_size
    monkeypatch.setattr(Anchor, "write", write)
    vault = place.open()
    assert logs == [0, 0]  # moved into the database, which SQLite syncs before it empties the log
    place.put(vault, "b", "next")
    vault.close()
    assert place.settings() == {"a": "committed", "b": "next"}


def test_an_anchor_that_cannot_be_written_never_lets_the_database_get_ahead_by_two(place, in_child, die, monkeypatch):
    def work() -> None:
        vault = place.open()
        place.put(vault, "before", "x")

        def full(self, state, pages=None) -> None:
            raise VaultFullError(self.path.parent)

        with monkeypatch.context() as patch:
            patch.setattr(Anchor, "write", full)
            for name in ("first", "second", "third"):
                with pytest.raises(VaultFullError):
                    place.put(vault, name, "x")
        die()

    assert in_child(work) == -9
    assert set(place.settings()) == {"before", "first"}


def test_a_full_database_says_so_and_goes_on_when_there_is_room(place):
    vault = place.open()
    place.put(vault, "a", "1")
    with vault.read() as db:
        pages = db.pragma("page_count")
        db.pragma("max_page_count", pages)
    with pytest.raises(VaultFullError, match="is full"):
        place.put(vault, "b", "x" * 100_000)
    with vault.read() as db:
        assert db.execute("SELECT count(*) FROM setting").get == 1
        db.pragma("max_page_count", 2**30)
    place.put(vault, "b", "x" * 100_000)
    vault.close()
    assert set(place.settings()) == {"a", "b"}


def test_a_file_that_may_not_grow_says_so_and_loses_nothing(place, in_child):
    def work() -> int:
        vault = place.open()
        place.put(vault, "a", "1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        try:
            place.put(vault, "b", "x" * 400_000)
        except StrongroomError as error:
            if "full" not in error.message + error.hint:
                return 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            place.put(vault, "c", "1")
            vault.close()
            return 0
        return 1

    assert in_child(work) == 0
    assert set(place.settings()) == {"a", "c"}


def test_another_user_is_refused_and_told(place, in_child, tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)

    def other() -> int:
        try:
            Vault.open(place.folder, "correct horse battery", state=tmp_path / "theirs")
        except VaultPermissionError as error:
            return 0 if "no permission to read" in error.message else 1
        return 2

    assert in_child(other, uid=65534) == 0


def test_a_folder_that_may_not_be_written_gets_no_vault(in_child, tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)

    def other() -> int:
        try:
            Vault.create(tmp_path / "x", "correct horse battery", state=tmp_path / "y", cost=keys.FLOOR)
        except VaultPermissionError:
            return 0
        return 1

    assert in_child(other, uid=65534) == 0
    assert list(tmp_path.iterdir()) == []


SECRET = "a passphrase of mine"


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_a_creation_that_was_killed_leaves_no_half_vault(tmp_path, in_child, die, moved):
    """Killed before the first, second or third file is in its place, or before the folder that held them is removed."""
    folder, state = tmp_path / "vault", tmp_path / "state"

    def killed():
        renamed = []
        rename = os.rename

        def dying(source, target):
            if ".new" in str(source) and Path(target).parent == folder:
                if len(renamed) == moved:
                    die()
                renamed.append(target)
            rename(source, target)

        os.rename = dying
        Path.rmdir = die
        Vault.create(folder, SECRET, state=state, cost=keys.FLOOR)

    assert in_child(killed) == -9
    if moved < 3:
        with pytest.raises(NoVaultError):
            Vault.open(folder, SECRET, state=state)
        vault, _ = Vault.create(folder, SECRET, state=state, cost=keys.FLOOR)
    else:
        vault = Vault.open(folder, SECRET, state=state)
    vault.close()
    assert not (folder / ".new").exists()
