"""Key slots, root key and seal: what opens, and what refuses."""

import functools
import hashlib
import secrets
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault import keys
from vault.errors import DamagedVaultError
from vault.failures import (
    NewerVaultError,
    RecoveryCodeTypingError,
    WeakPassphraseError,
    WrongKeyringSecretError,
    WrongPassphraseError,
    WrongRecoveryCodeError,
)
from vault.keys import CEILING, FLOOR, Header, KdfCost, Keys, Slot

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module", autouse=True)
def derivations_are_remembered():
    """The real derivation, once for each passphrase, salt and cost."""
    real = keys.derive
    keys.derive = functools.cache(real)
    yield
    keys.derive = real


@pytest.fixture(scope="module")
def made() -> tuple[Header, Keys, str]:
    return keys.new(bytes(range(16)), PASSPHRASE, FLOOR)


def by_code(header: Header, code: str) -> Keys:
    secret = keys.as_code(code)
    assert secret is not None
    return keys.unlock_with_code(header, secret)


costs = st.builds(KdfCost, st.integers(64 * 1024, 256 * 1024), st.integers(3, 64), st.integers(1, 16))
slots = st.one_of(
    st.builds(
        Slot, st.just(keys.PASSPHRASE), costs, st.binary(min_size=32, max_size=32),
        st.binary(min_size=12, max_size=12), st.binary(min_size=48, max_size=48),
    ),
    st.builds(
        Slot, st.sampled_from([keys.RECOVERY_CODE, keys.KEYRING]), st.none(), st.binary(min_size=32, max_size=32),
        st.binary(min_size=12, max_size=12), st.binary(min_size=48, max_size=48),
    ),
)  # fmt: skip
headers = st.builds(
    Header,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.lists(slots, min_size=1, max_size=8).map(tuple),
    st.binary(min_size=12, max_size=12),
    st.binary(min_size=80, max_size=80),
    st.binary(min_size=32, max_size=32),
)


@given(headers)
def test_a_header_reads_back_as_it_was(header):
    data = header.to_bytes()
    assert Header.from_bytes(data) == header
    assert len(data) == 40 + 104 * len(header.slots) + 92 + 32 + 8 <= keys.MAXIMUM_BYTES


@given(headers, st.integers(0, 2**32), st.binary(min_size=1, max_size=9))
@settings(max_examples=200)
def test_a_header_that_was_cut_lengthened_or_overwritten_is_refused(header, place, junk):
    data = header.to_bytes()
    place %= len(data)
    for other in (data[:place], data + junk, data[:place] + junk + data[place + len(junk) :]):
        if other != data:
            with pytest.raises((DamagedVaultError, NewerVaultError)):
                Header.from_bytes(other)


@given(st.binary(max_size=400))
def test_other_files_are_no_headers(data):
    with pytest.raises(DamagedVaultError):
        Header.from_bytes(data)


def test_every_secret_opens_and_yields_the_same_keys(made):
    header, made_keys, code = made
    again = Header.from_bytes(header.to_bytes())
    assert keys.unlock_with_passphrase(again, PASSPHRASE) == made_keys
    assert by_code(again, code) == made_keys
    assert len({made_keys.root, made_keys.database, made_keys.lasting}) == 3


def test_every_flipped_bit_is_noticed_as_damage(made):
    data = made[0].to_bytes()
    for bit in range(len(data) * 8):
        with pytest.raises(DamagedVaultError):
            Header.from_bytes(flipped(data, bit))


def test_every_flipped_bit_is_refused_when_the_checksum_was_made_to_fit(made):
    """By someone who can write to the header and does not have the keys. Tried with the code, which opens whatever
    the passphrase's slot says: what protects that slot's bytes is the seal."""
    header, _, code = made
    body = header.to_bytes()[:-8]
    for bit in range(len(body) * 8):
        forged = flipped(body, bit)
        forged += hashlib.sha256(forged).digest()[:8]
        with pytest.raises((DamagedVaultError, NewerVaultError, WrongRecoveryCodeError)):
            by_code(Header.from_bytes(forged), code)


def test_flipped_bits_are_refused_with_the_passphrase_too(made):
    """But for the salt and the cost, where each flip needs a derivation of its own: two of them stand for all."""
    header, _, _ = made
    body = header.to_bytes()[:-8]
    slot_at = 40
    slow = range((slot_at + 4) * 8, (slot_at + 44) * 8)
    for bit in [bit for bit in range(len(body) * 8) if bit not in slow] + [(slot_at + 12) * 8, slow[-1]]:
        forged = flipped(body, bit)
        forged += hashlib.sha256(forged).digest()[:8]
        with pytest.raises((DamagedVaultError, NewerVaultError, WrongPassphraseError)):
            keys.unlock_with_passphrase(Header.from_bytes(forged), PASSPHRASE)


def test_a_slot_of_another_vault_or_an_older_header_does_not_fit(made):
    header, made_keys, code = made
    other, _, _ = keys.new(bytes(16), PASSPHRASE, FLOOR)
    mixed = replace(header, slots=(other.slots[0], header.slots[1]))
    with pytest.raises(DamagedVaultError, match="changed by someone without the keys"):
        by_code(mixed, code)
    with pytest.raises(WrongPassphraseError):
        keys.unlock_with_passphrase(mixed, PASSPHRASE)
    newer = keys.with_passphrase(header, made_keys, "another passphrase")
    with pytest.raises(DamagedVaultError, match="changed by someone without the keys"):
        keys.unlock_with_passphrase(replace(newer, slots=header.slots), PASSPHRASE)


@pytest.mark.parametrize("secret", ["", "wrong passphrase", "correct horse batter", "Correct horse battery"])
def test_a_wrong_or_empty_passphrase_opens_nothing(made, secret):
    with pytest.raises(WrongPassphraseError, match="the passphrase is wrong"):
        keys.unlock_with_passphrase(made[0], secret)


def test_a_mistyped_code_is_noticed_before_any_derivation(made, monkeypatch):
    monkeypatch.setattr(keys, "derive", lambda *_: pytest.fail("derived a key"))
    code = made[2]
    typed = code[:-1] + ("0" if code[-1] != "0" else "1")
    with pytest.raises(RecoveryCodeTypingError, match="group 8"):
        keys.as_code(typed)
    with pytest.raises(WrongRecoveryCodeError):
        by_code(made[0], another_code())


def test_the_passphrase_changes_and_the_code_stays(made):
    header, made_keys, code = made
    newer = keys.with_passphrase(header, made_keys, "another passphrase")
    assert newer.revision == header.revision + 1
    assert keys.unlock_with_passphrase(newer, "another passphrase") == made_keys
    assert by_code(newer, code) == made_keys
    with pytest.raises(WrongPassphraseError):
        keys.unlock_with_passphrase(newer, PASSPHRASE)


def test_the_code_changes_and_the_passphrase_stays(made):
    header, made_keys, old = made
    newer, code = keys.with_recovery_code(header, made_keys)
    assert code != old
    assert by_code(newer, code) == made_keys == keys.unlock_with_passphrase(newer, PASSPHRASE)
    with pytest.raises(WrongRecoveryCodeError):
        by_code(newer, old)


def test_revoking_changes_every_key_but_the_lasting_one(made):
    header, made_keys, old = made
    newer, fresh, code = keys.renewed(header, made_keys, "another passphrase", 2)
    assert keys.unlock_with_passphrase(newer, "another passphrase") == fresh == by_code(newer, code)
    assert fresh.root != made_keys.root
    assert fresh.database != made_keys.database
    assert fresh.lasting == made_keys.lasting
    assert newer.epoch == 2
    with pytest.raises(WrongPassphraseError):
        keys.unlock_with_passphrase(newer, PASSPHRASE)
    with pytest.raises(WrongRecoveryCodeError):
        by_code(newer, old)


def by_keyring(header: Header, secret: str) -> Keys:
    kept = keys.as_keyring(secret)
    assert kept is not None
    return keys.unlock_with_keyring(header, kept)


def test_a_keyrings_secret_opens_until_it_is_replaced_or_removed_and_the_others_stay(made):
    header, made_keys, code = made
    with_slot, secret = keys.with_keyring(header, made_keys)
    assert by_keyring(Header.from_bytes(with_slot.to_bytes()), secret) == made_keys == by_code(with_slot, code)
    assert keys.unlock_with_passphrase(with_slot, PASSPHRASE) == made_keys
    assert with_slot.revision == header.revision + 1
    again, newer = keys.with_keyring(with_slot, made_keys)
    assert len(again.slots) == 3
    assert by_keyring(again, newer) == made_keys
    removed = keys.without_keyring(again, made_keys)
    assert removed.slots == header.slots
    for changed, old in ((again, secret), (removed, newer), (header, secret)):
        with pytest.raises(WrongKeyringSecretError):
            by_keyring(changed, old)
    changed = keys.with_recovery_code(keys.with_passphrase(again, made_keys, "another passphrase"), made_keys)[0]
    assert by_keyring(changed, newer) == made_keys
    renewed, _, _ = keys.renewed(again, made_keys, "another passphrase", 2)
    assert not renewed.has(keys.KEYRING)
    with pytest.raises(WrongKeyringSecretError):
        by_keyring(renewed, newer)


@pytest.mark.parametrize("secret", [
    "", keys.KEYRING_PREFIX, keys.KEYRING_PREFIX + "00" * 31, keys.KEYRING_PREFIX + "00" * 33,
    keys.KEYRING_PREFIX + "0" * 63 + " ", keys.KEYRING_PREFIX + "AB" * 32, keys.KEYRING_PREFIX.upper() + "00" * 32,
])  # fmt: skip
def test_only_the_exact_form_is_a_keyrings_secret(made, secret):
    assert keys.as_keyring(secret) is None
    if secret.startswith(keys.KEYRING_PREFIX):  # and nobody's passphrase begins so
        with pytest.raises(WeakPassphraseError, match="a keyring"):
            keys.with_passphrase(made[0], made[1], secret)


def test_a_slot_turned_into_another_kind_opens_nothing(made):
    """The code's slot called a keyring's, and the other way round: the kind is part of what a slot authenticates."""
    header, made_keys, code = made
    with_slot, secret = keys.with_keyring(header, made_keys)
    passphrase, by_the_code, kept = with_slot.slots
    turned = replace(
        with_slot,
        slots=(passphrase, replace(by_the_code, kind=keys.KEYRING), replace(kept, kind=keys.RECOVERY_CODE)),
    )
    with pytest.raises(WrongKeyringSecretError):
        by_keyring(turned, secret)
    with pytest.raises(WrongRecoveryCodeError):
        by_code(turned, code)


@pytest.mark.parametrize(
    "cost",
    [
        FLOOR._replace(memory_kib=FLOOR.memory_kib - 1),
        FLOOR._replace(passes=2),
        FLOOR._replace(passes=0),
        FLOOR._replace(lanes=0),
        FLOOR._replace(lanes=17),
        KdfCost(CEILING.memory_kib + 1, 3),
        KdfCost(FLOOR.memory_kib, CEILING.passes + 1),
        KdfCost(CEILING.memory_kib, 17),
        KdfCost(2**32 - 1, 2**32 - 1, 4),
    ],
)
def test_a_weakened_or_absurd_derivation_is_refused_when_read_and_when_made(made, cost):
    header, made_keys, _ = made
    slot = replace(header.slots[0], cost=cost)
    with pytest.raises(DamagedVaultError, match="key derivation"):
        Header.from_bytes(replace(header, slots=(slot, header.slots[1])).to_bytes())
    with pytest.raises(DamagedVaultError, match="key derivation"):
        keys.with_passphrase(header, made_keys, "another passphrase", cost)


@pytest.mark.parametrize(
    ("passphrase", "why"),
    [("", "is empty"), ("seven c", "7 characters"), ("aaaaaaaaaaaaaaaa", "repeats"), ("ababababab", "repeats")],
)
def test_a_poor_passphrase_is_refused(made, passphrase, why):
    with pytest.raises(WeakPassphraseError, match=why):
        keys.with_passphrase(made[0], made[1], passphrase)


def test_a_passphrase_may_not_look_like_a_recovery_code(made):
    with pytest.raises(WeakPassphraseError, match="looks like a recovery code"):
        keys.with_passphrase(made[0], made[1], made[2])


def test_the_same_characters_in_another_unicode_form_are_the_same_passphrase(made):
    header = keys.with_passphrase(made[0], made[1], "schöne Grüße an alle")
    assert keys.unlock_with_passphrase(header, "scho\u0308ne Gru\u0308ße an alle") == made[1]


def test_input_that_is_not_text_derives_a_key_as_well():
    assert keys.derive("\udce4\ud800 not text", bytes(32), FLOOR) != keys.derive("? not text", bytes(32), FLOOR)


def test_calibration_stays_within_the_bounds_and_uses_the_memory_asked_for():
    cost = keys.calibrated(target_seconds=0.001)
    assert cost == KdfCost(256 * 1024, 3, 4)
    keys.check_cost(cost)
    keys.check_cost(keys.calibrated(target_seconds=10_000))


def test_keys_are_not_shown(made):
    shown = repr(made[1])
    assert made[1].root.hex() not in shown
    assert repr(made[1].root)[2:-1] not in shown


def test_a_later_format_says_so(made):
    data = made[0].to_bytes()[:-8]
    later = data[:8] + (2).to_bytes(2, "big") + data[10:]
    with pytest.raises(NewerVaultError, match="version 2, this Strongroom knows up to 1"):
        Header.from_bytes(later + hashlib.sha256(later).digest()[:8])


def another_code() -> str:
    from vault import recovery_code

    return recovery_code.encode(recovery_code.new_secret())


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_two_vaults_share_a_key():
    first, second = (keys.new(secrets.token_bytes(16), PASSPHRASE, FLOOR) for _ in range(2))
    assert len({first[1].root, second[1].root, first[1].database, second[1].database}) == 4
    assert first[0].slots[0].salt != second[0].slots[0].salt
