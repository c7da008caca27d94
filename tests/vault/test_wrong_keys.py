"""No key, a wrong one, a short one: whatever opens or copies a database refuses, and leaves none that is plain or new."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from vault import keys, recrypt, rekey, store
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import WrongKeyringSecretError, WrongRecoveryCodeError
from vault.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
CANARY = b"a canary that stands in no other file"
BAD = {
    "none": None, "empty": b"", "short": b"k" * 31, "long": b"k" * 33, "hex": b"ab" * 32, "zeros": bytes(32),
    "text": "k" * 32,
}  # fmt: skip
WRONG = b"k" * 32


@pytest.fixture
def vault(place):
    opened = place.open()
    place.put(opened, "a", CANARY.decode())
    yield opened
    opened.close()


def ways(vault, target):
    """Everything that takes a database key: by name, with what it would write."""
    database = vault.folder / store.name(1)

    def copied(key):
        with vault.read() as db:
            store.copy_into(db, target, key)

    def recrypted(key):
        copy = recrypt.Copy(vault, target, key)
        try:
            while not copy.step():
                pass
            copy.finish()
        finally:
            copy.close()

    return {
        "create": lambda key: store.create(target, key),
        "copy": copied,
        "recrypt": recrypted,
        "open": lambda key: store.open_existing(database, key),
        "open to read": lambda key: store.open_readonly(database, key),
    }


def no_plain_file(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert CANARY not in data, path
            assert not data.startswith(b"SQLite format 3"), path


@pytest.mark.parametrize("way", ["create", "copy", "recrypt", "open", "open to read"])
@pytest.mark.parametrize("key", BAD.values(), ids=BAD)
def test_what_is_no_key_opens_makes_and_copies_nothing(vault, way, key):
    target = vault.folder / "store-2.db"
    with pytest.raises(ValueError, match="32 bytes"):
        ways(vault, target)[way](key)
    assert not target.exists()
    no_plain_file(vault.folder)


@pytest.mark.parametrize("way", ["open", "open to read"])
def test_a_wrong_key_is_refused_and_makes_no_new_database(place, way):
    vault = place.open()
    place.put(vault, "a", CANARY.decode())
    made = ways(vault, vault.folder / "store-2.db")
    vault.close()
    before = {path.name: path.read_bytes() for path in place.folder.iterdir()}
    for key in (WRONG, bytes(31) + b"\1", b"\xff" * 32):
        with pytest.raises(DamagedVaultError):
            made[way](key)
    assert {path.name: path.read_bytes() for path in place.folder.iterdir()} == before
    assert place.settings() == {"a": CANARY.decode()}


def test_without_a_key_sqlite_itself_reads_nothing(vault):
    """A program that forgets the key, here by leaving it out, gets an error and not an empty database."""
    database = vault.folder / store.name(1)
    vault.close()
    before = database.read_bytes()
    for pragmas in ([], ["PRAGMA key=''"], ["PRAGMA cipher='chacha20'", "PRAGMA key=''"]):
        db = apsw.Connection(os.fspath(database))
        for each in pragmas:
            db.execute(each)
        with pytest.raises(apsw.NotADBError):
            db.execute("CREATE TABLE t (x)")
        db.close()
    assert database.read_bytes() == before


@pytest.mark.parametrize("secret", ["", " ", "\0", "x" * 100_000, "\ud800", keys.KEYRING_PREFIX + "00" * 32])
def test_no_odd_secret_opens_a_vault_or_makes_one(place, tmp_path, secret):
    before = {path.name: path.read_bytes() for path in place.folder.iterdir() if path.name != "lock"}
    with pytest.raises(StrongroomError):
        place.open(secret or " ")
    with pytest.raises(StrongroomError):
        Vault.open(place.folder, secret, state=place.state)
    assert {path.name: path.read_bytes() for path in place.folder.iterdir() if path.name != "lock"} == before
    if len(secret) < 100:
        with pytest.raises(StrongroomError):
            Vault.create(tmp_path / "new", secret, state=tmp_path / "new state", cost=keys.FLOOR)
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\nright one on the second line\n", b"\xff\xfe\n"])
def test_a_command_with_no_passphrase_in_its_file_opens_and_makes_nothing(tmp_path, content):
    (tmp_path / "given").write_bytes(content)
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"],
                   "STRONGROOM_PASSPHRASE_FILE": str(tmp_path / "given")}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "ui.command", "init"], env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "passphrase file" in done.stderr
    assert not list(tmp_path.rglob("header"))
    assert not list(tmp_path.rglob("store-*"))


def test_secrets_of_another_vault_open_nothing(place, tmp_path):
    other, code = Vault.create(tmp_path / "other", "another passphrase", state=tmp_path / "state", cost=keys.FLOOR)
    secret = rekey.keyring_on(other, code)
    other.close()
    with pytest.raises(WrongRecoveryCodeError):
        place.open(code)
    with pytest.raises(WrongKeyringSecretError):
        place.open(secret)
