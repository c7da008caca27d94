"""Secrets and keys are replaced, and whatever happens meanwhile, the old ones or the new ones open the vault."""

import os

import pytest

from vault import keys, rekey
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import WrongPassphraseError
from vault.folder import read_header


def test_passphrase_and_code_change_and_everything_else_stays(place):
    vault = place.open()
    place.put(vault, "a", "1")
    rekey.change_passphrase(vault, "correct horse battery", "another passphrase")
    code = rekey.new_recovery_code(vault, "another passphrase")
    place.put(vault, "b", "2")
    with pytest.raises(WrongPassphraseError):
        rekey.change_passphrase(vault, "correct horse battery", "yet another one")
    vault.close()
    for secret in ("another passphrase", code):
        assert place.settings(secret) == {"a": "1", "b": "2"}
    for secret in ("correct horse battery", place.code):
        with pytest.raises(StrongroomError):
            place.open(secret)


def test_after_revoking_an_old_header_does_not_open_the_database(place, tmp_path):
    old = (place.folder / "header").read_bytes()
    vault = place.open()
    place.put(vault, "a", "1")
    code = rekey.revoke(vault, place.code, "another passphrase")
    place.put(vault, "b", "after")
    vault.close()
    assert {p.name for p in place.folder.iterdir()} == {"header", "store-2.db", "anchor", "lock"}
    for secret in ("another passphrase", code):
        assert place.settings(secret) == {"a": "1", "b": "after"}
    (place.folder / "header").write_bytes(old)
    (place.folder / "store-2.db").rename(place.folder / "store-1.db")
    place.state = tmp_path / "thief"
    with pytest.raises(DamagedVaultError, match="not a database"):
        place.open(accept_older=True)


FAULTS = ("rename", "fsync", "unlink", "open")


@pytest.mark.parametrize("change", ["passphrase", "code", "revoke"])
def test_kill_9_anywhere_while_secrets_change_leaves_the_old_or_the_new(place, in_child, die, change):
    vault = place.open()
    place.put(vault, "a", "1")
    vault.close()
    before = place.kept()

    def work(dies_at: int) -> int:
        vault = place.open(place.code)
        calls = iter(range(1000))

        def dying(real):
            def call(*arguments, **options):
                if next(calls) == dies_at:
                    die()
                return real(*arguments, **options)

            return call

        for name in FAULTS:
            setattr(os, name, dying(getattr(os, name)))
        if change == "passphrase":
            rekey.change_passphrase(vault, place.code, "another passphrase")
        elif change == "code":
            rekey.new_recovery_code(vault, place.code)
        else:
            rekey.revoke(vault, place.code, "another passphrase")
        return 0

    seen = set()
    for dies_at in range(100):
        place.put_back(before)
        status = in_child(lambda at=dies_at: work(at))
        for secret in ("correct horse battery", "another passphrase"):
            try:
                assert place.settings(secret) == {"a": "1"}
            except WrongPassphraseError:
                continue
            seen.add(secret)
            break
        else:
            pytest.fail(f"neither passphrase opens it after call {dies_at}")
        assert not list(place.folder.glob("*.new"))
        assert len(list(place.folder.glob("store-*.db"))) == 1
        if status == 0:
            break
        assert status == -9
    else:
        pytest.fail("it never came to its end")
    assert seen == {"correct horse battery"} | ({"another passphrase"} if change != "code" else set())


@pytest.mark.parametrize("change", ["on", "on again", "off"])
def test_kill_9_anywhere_while_the_keyrings_slot_changes_leaves_the_old_or_the_new(place, in_child, die, change):
    vault = place.open()
    if change != "on":
        rekey.keyring_on(vault, place.code)
    vault.close()
    before = place.kept()
    kinds = set()
    for dies_at in range(100):
        place.put_back(before)

        def work(last=dies_at) -> int:
            vault = place.open()
            calls = iter(range(1000))
            for name in ("rename", "fsync", "unlink", "open", "write"):
                real = getattr(os, name)
                setattr(
                    os, name, lambda *given, real=real, **more: die() if next(calls) == last else real(*given, **more)
                )
            rekey.keyring_off(vault) if change == "off" else rekey.keyring_on(vault, place.code)
            return 0

        status = in_child(work)
        place.open().close()
        header = read_header(place.folder)
        kinds.add(header.has(keys.KEYRING))
        assert header.has(keys.PASSPHRASE)
        assert not list(place.folder.glob("*.new"))
        if status == 0:
            break
        assert status == -9
    else:
        pytest.fail("it never came to its end")
    assert kinds == ({True} if change == "on again" else {True, False})
