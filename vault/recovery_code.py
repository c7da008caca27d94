"""The recovery code: 140 random bits as eight groups of five characters that notice their own typing errors.

    4N8QK-7V0CD-...        (eight groups, 40 characters)

Alphabet: Crockford's base 32 (https://www.crockford.com/base32.html): 0–9 and A–Z without I, L, O, U. Reading is
lenient: case does not matter, O is 0, I and L are 1, blanks and dashes are ignored.

Each group is four characters of data and one check character, five bits each:

    check = c + 2·d0 + 4·d1 + 8·d2 + 16·d3 in GF(32) with x^5 + x^2 + 1, c being the group's number from 1 to 8

(powers of the generator). Because the weights differ and none is zero, every single wrong character in a group, every
swap of two characters in it, and every swap of two groups is noticed, and the group can be named; other errors slip
past a group with probability 1/32. Groups 1 to 7 hold the secret (7 × 20 bits, most significant first), group 8 the
first 20 bits of SHA-256("strongroom recovery code" + secret), so that a wrong code as a whole passes with probability
below 2^-20.
"""

import hashlib
import re
import secrets

from vault.failures import RecoveryCodeTypingError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS = 140
GROUPS = 8
GROUP_LENGTH = 5

_VALUES: dict[str, int] = {
    **{character: value for value, character in enumerate(ALPHABET)},
    "O": 0,
    "I": 1,
    "L": 1,
}
_SECRET_BYTES = 18  # 140 bits, right-aligned


def new_secret() -> bytes:
    """140 random bits, right-aligned in 18 bytes."""
    return secrets.randbits(BITS).to_bytes(_SECRET_BYTES, "big")


def encode(secret: bytes) -> str:
    """The code for a secret, as it is shown: upper case, groups joined with dashes."""
    number = int.from_bytes(secret, "big")
    if len(secret) != _SECRET_BYTES or number >> BITS:
        raise ValueError("a recovery secret is 140 bits in 18 bytes")
    number = number << 20 | _checksum(secret)
    quintets = [number >> shift & 31 for shift in range(BITS + 15, -1, -5)]
    groups = (quintets[start : start + 4] for start in range(0, len(quintets), 4))
    return "-".join(_group(data, place) for place, data in enumerate(groups, start=1))


def decode(code: str) -> bytes:
    """The secret (18 bytes) of a typed code.

    Raises RecoveryCodeTypingError, which names the groups that look wrong where that can be told.
    """
    groups = _split(code)
    for place, group in enumerate(groups, start=1):
        if strange := [character for character in group if character not in _VALUES]:
            raise RecoveryCodeTypingError(f"group {place} has {strange[0]!r}, which no code has")
    if len(groups) != GROUPS:
        count = sum(map(len, groups))
        raise RecoveryCodeTypingError(f"it has {count} characters instead of {GROUPS * GROUP_LENGTH}")
    for place, group in enumerate(groups, start=1):
        if len(group) != GROUP_LENGTH:
            raise RecoveryCodeTypingError(
                f"group {place} has {len(group)} character{'s' * (len(group) != 1)} instead of {GROUP_LENGTH}"
            )
    values = [[_VALUES[character] for character in group] for group in groups]
    wrong = [place for place, group in enumerate(values, start=1) if _check(group[:4], place) != group[4]]
    if wrong:
        raise RecoveryCodeTypingError(f"look at group{'s' * (len(wrong) > 1)} {_listed(wrong)}")
    number = 0
    for quintets in values:
        for value in quintets[:4]:
            number = number << 5 | value
    secret = (number >> 20).to_bytes(_SECRET_BYTES, "big")
    if _checksum(secret) != number & 0xFFFFF:
        raise RecoveryCodeTypingError("its groups do not belong together")
    return secret


def looks_like_code(text: str) -> bool:
    """Whether someone who typed this meant a recovery code: about eight groups of about five, with digits among them.

    A code without any digit comes about once in 10^6; it is read all the same when it is typed without an error.
    """
    groups = _split(text)
    count = sum(map(len, groups))
    letters = "".join(groups)
    return (
        36 <= count <= 44
        and 7 <= len(groups) <= 9
        and all(3 <= len(group) <= 7 for group in groups)
        and sum(character.isdigit() for character in letters) >= 3
        and sum(character in _VALUES for character in letters) >= count - 2
    )


def _split(code: str) -> list[str]:
    """Groups as typed; a code typed without gaps is cut into fives."""
    groups = [group for group in re.split(r"[\s\-–—_.]+", code.upper()) if group]
    if len(groups) == 1:
        whole = groups[0]
        groups = [whole[start : start + GROUP_LENGTH] for start in range(0, len(whole), GROUP_LENGTH)]
    return groups


def _group(data: list[int], place: int) -> str:
    return "".join(ALPHABET[value] for value in [*data, _check(data, place)])


def _check(data: list[int], place: int) -> int:
    result = place
    for power, value in enumerate(data, start=1):
        product = value << power  # multiplied by the generator `power` times; at most nine bits
        for bit in (8, 7, 6, 5):
            if product >> bit & 1:
                product ^= 0b100101 << (bit - 5)
        result ^= product
    return result


def _checksum(secret: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"strongroom recovery code" + secret).digest()[:3], "big") >> 4


def _listed(places: list[int]) -> str:
    *first, last = map(str, places)
    return f"{', '.join(first)} and {last}" if first else last
