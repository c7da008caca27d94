"""The recovery code notices typing errors by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault import recovery_code
from vault.failures import RecoveryCodeTypingError
from vault.recovery_code import ALPHABET, decode, encode, looks_like_code, new_secret

secrets = st.integers(0, 2**140 - 1).map(lambda number: number.to_bytes(18, "big"))


@given(secrets)
def test_a_code_reads_back_as_its_secret(secret):
    code = encode(secret)
    assert len(code) == 47
    assert decode(code) == secret


@given(secrets, st.sampled_from(["lower", "spaces", "no gaps", "O for 0", "L for 1", "I for 1"]))
def test_a_code_is_read_leniently(secret, how):
    code = encode(secret)
    typed = {
        "lower": code.lower(),
        "spaces": f"  {code.replace('-', '  ')}\n",
        "no gaps": code.replace("-", ""),
        "O for 0": code.replace("0", "o"),
        "L for 1": code.replace("1", "l"),
        "I for 1": code.replace("1", "I"),
    }[how]
    assert decode(typed) == secret


@given(secrets, st.integers(0, 39), st.integers(1, 31))
def test_one_wrong_character_names_its_group(secret, place, change):
    typed = list(encode(secret).replace("-", ""))
    typed[place] = ALPHABET[(ALPHABET.index(typed[place]) + change) % 32]
    with pytest.raises(RecoveryCodeTypingError, match=rf"look at group {place // 5 + 1}$"):
        decode("".join(typed))


@given(secrets, st.integers(0, 7), st.integers(0, 4), st.integers(0, 4))
def test_two_swapped_characters_name_their_group(secret, group, first, second):
    typed = list(encode(secret).replace("-", ""))
    a, b = group * 5 + first, group * 5 + second
    if typed[a] == typed[b]:
        return
    typed[a], typed[b] = typed[b], typed[a]
    with pytest.raises(RecoveryCodeTypingError, match=rf"look at group {group + 1}$"):
        decode("".join(typed))


@given(secrets, st.lists(st.integers(0, 7), min_size=2, max_size=2, unique=True))
def test_two_swapped_groups_are_both_named(secret, places):
    first, second = sorted(places)
    groups = encode(secret).split("-")
    groups[first], groups[second] = groups[second], groups[first]
    with pytest.raises(RecoveryCodeTypingError, match=f"look at groups {first + 1} and {second + 1}$"):
        decode("-".join(groups))


@given(secrets, secrets)
def test_groups_of_two_codes_do_not_make_a_third(one, other):
    if one[:-3] == other[:-3]:
        return
    mixed = encode(one).split("-")[:4] + encode(other).split("-")[4:]
    if mixed in (encode(one).split("-"), encode(other).split("-")):
        return
    with pytest.raises(RecoveryCodeTypingError, match="do not belong together"):
        decode("-".join(mixed))


def test_a_missing_group_a_missing_character_and_a_foreign_one_are_named():
    code = "4N8QK"
    whole = encode(bytes(18))
    groups = whole.split("-")
    with pytest.raises(RecoveryCodeTypingError, match="35 characters instead of 40"):
        decode("-".join(groups[:-1]))
    with pytest.raises(RecoveryCodeTypingError, match="group 3 has 4 characters instead of 5"):
        decode("-".join([*groups[:2], groups[2][:4], *groups[3:]]))
    with pytest.raises(RecoveryCodeTypingError, match="group 2 has 'U', which no code has"):
        decode("-".join([groups[0], "U" + groups[1][1:], *groups[2:]]))
    with pytest.raises(RecoveryCodeTypingError):
        decode(code)
    with pytest.raises(RecoveryCodeTypingError):
        decode("")


def test_secrets_are_fresh_and_of_140_bits():
    drawn = [new_secret() for _ in range(200)]
    assert len(set(drawn)) == 200
    assert max(int.from_bytes(secret, "big") for secret in drawn).bit_length() in range(134, 141)
    with pytest.raises(ValueError, match="140 bits"):
        encode(b"\xff" * 18)


@given(st.text(max_size=80))
def test_whatever_is_typed_is_read_or_refused(text):
    try:
        secret = decode(text)
    except RecoveryCodeTypingError:
        return
    assert decode(encode(secret)) == secret


@pytest.mark.parametrize(
    "passphrase",
    [
        "correct horse battery staple another word here",
        "eight words that each have about five letters",
        "8 apples, 9 pears and 10 oranges make a salad!",
        "1234567890 1234567890 1234567890 1234567890",
        "short",
        "",
    ],
)
def test_a_passphrase_is_not_taken_for_a_code(passphrase):
    assert not looks_like_code(passphrase)


@given(secrets)
def test_a_code_with_a_typing_error_is_still_taken_for_a_code(secret):
    code = encode(secret)
    if sum(character.isdigit() for character in code) > 4:
        assert looks_like_code(code)
        assert looks_like_code(code.replace("-", "").lower()[:-1])
        assert looks_like_code("?" + code[1:])


def test_the_alphabet_is_crockfords():
    assert len(recovery_code.ALPHABET) == 32
    assert not set("ILOU") & set(recovery_code.ALPHABET)
