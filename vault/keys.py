"""The header: key slots wrap a random root key, and the root key wraps the keys in use."""

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass, field, replace

from vault import recovery_code
from vault.derivation import CEILING, FLOOR, KdfCost, calibrated, check_cost, derive
from vault.errors import DamagedVaultError
from vault.failures import (
    NewerVaultError,
    RecoveryCodeTypingError,
    WeakPassphraseError,
    WrongKeyringSecretError,
    WrongPassphraseError,
    WrongRecoveryCodeError,
)

__all__ = ["CEILING", "FLOOR", "Header", "KdfCost", "Keys", "Slot", "calibrated", "check_cost", "derive"]

MAGIC = b"strongrm"
VERSION = 1
PASSPHRASE, RECOVERY_CODE, KEYRING = 1, 2, 3
"""kinds of slots"""
MINIMUM_PASSPHRASE = 8  # characters; short of it, Argon2id at one second a guess does not hold a week

KEYRING_PREFIX = "strongroom-keyring-"
"""with 64 hex digits after it: what the system's keyring keeps, and gives in the passphrase's place"""

_ARGON2ID, _HKDF = 1, 2
_KINDS = ((PASSPHRASE, _ARGON2ID), (RECOVERY_CODE, _HKDF), (KEYRING, _HKDF))
_PREFIX = struct.Struct(">8sHHI16sQ")  # magic, version, slots, epoch, vault id, revision
_SLOT = struct.Struct(">BBBxII32s12s48s")  # kind, derivation, lanes, 0, memory, passes, salt, nonce, sealed root key
_SLOT_PUBLIC = 56  # bytes of a slot before its ciphertext
_KEYS = struct.Struct(">12s80s")  # nonce, sealed database key and lasting key
_SEAL = 32
_CHECKSUM = 8
MAXIMUM_SLOTS = 8
MAXIMUM_BYTES = _PREFIX.size + MAXIMUM_SLOTS * _SLOT.size + _KEYS.size + _SEAL + _CHECKSUM


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to the root key. `cost` is None for a recovery code and for the system's keyring, whose 140 and 256
    random bits need no slow derivation."""

    kind: int
    cost: KdfCost | None
    salt: bytes
    nonce: bytes
    sealed: bytes

    def public(self) -> bytes:
        """The slot's bytes before its ciphertext: all its parameters."""
        return self.to_bytes()[:_SLOT_PUBLIC]

    def to_bytes(self) -> bytes:
        """104 bytes, see Header."""
        memory, passes, lanes = self.cost or (0, 0, 0)
        derivation = _ARGON2ID if self.cost else _HKDF
        return _SLOT.pack(self.kind, derivation, lanes, memory, passes, self.salt, self.nonce, self.sealed)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Slot":
        """Raises DamagedVaultError for anything that this Strongroom would not have written."""
        kind, derivation, lanes, memory, passes, salt, nonce, sealed = _SLOT.unpack(data)
        cost = KdfCost(memory, passes, lanes) if derivation == _ARGON2ID else None
        slot = cls(kind, cost, salt, nonce, sealed)
        if (kind, derivation) not in _KINDS:
            raise _damaged(f"a key slot has the unknown kind {kind}, derivation {derivation}")
        if cost:
            check_cost(cost)
        if slot.to_bytes() != data:
            raise _damaged("a key slot has bytes that mean nothing")
        return slot


@dataclass(frozen=True, slots=True)
class Keys:
    """What unlocking yields; 32 bytes each, never printed."""

    root: bytes = field(repr=False)
    database: bytes = field(repr=False)
    """encrypts the database file of this epoch"""
    lasting: bytes = field(repr=False)
    """stays the same for the vault's life: the anchor and the purge list are sealed under keys derived from it, so
    that they can still be read after `passwd --revoke`, and by an older backup that is restored"""

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose, from the lasting key."""
        return _hkdf(self.lasting, purpose)


@dataclass(frozen=True, slots=True)
class Header:
    """The file `header` (all numbers big-endian, no padding but where said):

        offset  bytes
             0      8  "strongrm"
             8      2  format version, 1
            10      2  n, number of slots, 1 to 8
            12      4  epoch: the database is the file `store-<epoch>.db`
            16     16  vault id, random
            32      8  revision: one more at every change of this file, recorded in the anchor
            40  n×104  slots
                       0   1  kind: 1 passphrase, 2 recovery code, 3 secret in the system's keyring
                       1   1  derivation: 1 Argon2id version 0x13 (kind 1), 2 HKDF-SHA256 (kinds 2 and 3)
                       2   1  lanes (0 for HKDF)
                       3   1  0
                       4   4  memory in KiB (0 for HKDF)
                       8   4  passes (0 for HKDF)
                      12  32  salt, random
                      44  12  nonce, random
                      56  48  root key (32) under AES-256-GCM, with its tag (16)
             …     12  nonce, random
             …     80  database key (32), lasting key (32) under AES-256-GCM, with the tag (16)
             …     32  seal: HMAC-SHA256 over everything before it
             …      8  checksum: first bytes of SHA-256 over everything before it

    Keys. Slot: Argon2id of the passphrase (Unicode NFC, UTF-8), or HKDF of the code's 18 bytes or the keyring's 32,
    with the slot's salt and the info "strongroom slot". From the root key by HKDF-SHA256 without salt: "strongroom
    wrap" encrypts the two keys, "strongroom seal" makes the seal. The associated data of a slot is bytes 0–9, the vault
    id, and the slot's own first 56 bytes; that of the two keys is bytes 0–9, the vault id and the epoch.

    Why a slot does not take the whole header as associated data: changing the passphrase changes the header, and the
    recovery code is not at hand then to encrypt its slot anew. So a slot authenticates what is used before the root
    key is known, its own parameters, and the seal, under a key that any slot leads to, authenticates every byte of
    the whole: the other slots, their number, the epoch, the revision. Nothing is used before the seal is checked. The
    checksum is for accidents only: it tells a damaged header from a wrong passphrase.
    """

    vault_id: bytes
    epoch: int
    revision: int
    slots: tuple[Slot, ...]
    nonce: bytes
    sealed: bytes
    seal: bytes = b""

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        body = self.body() + self.seal
        return body + hashlib.sha256(body).digest()[:_CHECKSUM]

    def body(self) -> bytes:
        """What the seal covers."""
        prefix = _PREFIX.pack(MAGIC, VERSION, len(self.slots), self.epoch, self.vault_id, self.revision)
        return prefix + b"".join(slot.to_bytes() for slot in self.slots) + self.nonce + self.sealed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Header":
        """Read what can be read without a secret. Raises DamagedVaultError; NewerVaultError for a later format."""
        if len(data) < _PREFIX.size or data[: len(MAGIC)] != MAGIC:
            raise _damaged("it is not a Strongroom header")
        _, version, count, epoch, vault_id, revision = _PREFIX.unpack_from(data)
        if hashlib.sha256(data[:-_CHECKSUM]).digest()[:_CHECKSUM] != data[-_CHECKSUM:]:
            raise _damaged("its checksum is wrong")
        if version > VERSION:
            raise NewerVaultError("header", version, VERSION)
        keys_at = _PREFIX.size + count * _SLOT.size
        size = keys_at + _KEYS.size + _SEAL + _CHECKSUM
        if version != VERSION or not 1 <= count <= MAXIMUM_SLOTS or len(data) != size:
            raise _damaged("its length or version is wrong")
        slots = tuple(
            Slot.from_bytes(data[start : start + _SLOT.size]) for start in range(_PREFIX.size, keys_at, _SLOT.size)
        )
        nonce, sealed = _KEYS.unpack_from(data, keys_at)
        return cls(vault_id, epoch, revision, slots, nonce, sealed, data[-_SEAL - _CHECKSUM : -_CHECKSUM])

    def has(self, kind: int) -> bool:
        """Whether there is a slot of that kind."""
        return any(slot.kind == kind for slot in self.slots)

    def slot(self, kind: int) -> Slot:
        """The first slot of that kind."""
        return next(slot for slot in self.slots if slot.kind == kind)


def new(vault_id: bytes, passphrase: str, cost: KdfCost) -> tuple[Header, Keys, str]:
    """A header with a slot for the passphrase and one for a recovery code, which is returned last."""
    keys = Keys(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
    header, code = _with_slots(Header(vault_id, 1, 0, (), b"", b""), keys, passphrase, cost)
    return _sealed(header, keys), keys, code


def as_code(secret: str) -> bytes | None:
    """The secret of a recovery code, or None for a passphrase. Raises RecoveryCodeTypingError for a mistyped code."""
    try:
        return recovery_code.decode(secret)
    except RecoveryCodeTypingError:
        if recovery_code.looks_like_code(secret):
            raise
        return None


def unlock_with_code(header: Header, code: bytes) -> Keys:
    """The keys. Raises WrongRecoveryCodeError; DamagedVaultError where the slot opens and the rest does not fit it."""
    for slot in header.slots:
        if slot.kind == RECOVERY_CODE and (root := _open_slot(header, slot, _hkdf_slot(code, slot.salt))):
            return _unwrapped(header, root)
    raise WrongRecoveryCodeError


def as_keyring(secret: str) -> bytes | None:
    """The 32 bytes of a secret that a keyring keeps, or None for what is no such secret."""
    if not secret.startswith(KEYRING_PREFIX):
        return None
    try:
        kept = bytes.fromhex(secret.removeprefix(KEYRING_PREFIX))
    except ValueError:
        return None
    return kept if len(kept) == 32 and secret == KEYRING_PREFIX + kept.hex() else None


def unlock_with_keyring(header: Header, kept: bytes) -> Keys:
    """The keys. Raises WrongKeyringSecretError, DamagedVaultError as above."""
    for slot in header.slots:
        if slot.kind == KEYRING and (root := _open_slot(header, slot, _hkdf_slot(kept, slot.salt))):
            return _unwrapped(header, root)
    raise WrongKeyringSecretError


def unlock_with_passphrase(header: Header, passphrase: str) -> Keys:
    """The keys, after one key derivation. Raises WrongPassphraseError, DamagedVaultError as above."""
    for slot in header.slots:
        if slot.kind == PASSPHRASE and slot.cost:
            key = derive(passphrase, slot.salt, slot.cost)
            if root := _open_slot(header, slot, key):
                return _unwrapped(header, root)
    raise WrongPassphraseError


def with_passphrase(header: Header, keys: Keys, passphrase: str, cost: KdfCost | None = None) -> Header:
    """The header with another passphrase; the recovery code stays. `cost` None: as before."""
    old = header.slot(PASSPHRASE)
    new_slot = _passphrase_slot(header, keys, passphrase, cost or old.cost or FLOOR)
    return _changed(header, keys, tuple(new_slot if slot is old else slot for slot in header.slots))


def with_recovery_code(header: Header, keys: Keys) -> tuple[Header, str]:
    """The header with another recovery code, and that code; the old code no longer opens it."""
    new_slot, code = _recovery_slot(header, keys)
    return _changed(header, keys, (*without(header, RECOVERY_CODE), new_slot)), code


def with_keyring(header: Header, keys: Keys) -> tuple[Header, str]:
    """The header with a slot for the system's keyring, and what the keyring is to keep; one that was there ends."""
    kept = secrets.token_bytes(32)
    slot = Slot(KEYRING, None, secrets.token_bytes(32), secrets.token_bytes(12), bytes(48))
    slot = _closed(header, slot, _hkdf_slot(kept, slot.salt), keys.root)
    return _changed(header, keys, (*without(header, KEYRING), slot)), KEYRING_PREFIX + kept.hex()


def without_keyring(header: Header, keys: Keys) -> Header:
    """The header without that slot: what the keyring keeps opens nothing any more."""
    return _changed(header, keys, without(header, KEYRING))


def without(header: Header, kind: int) -> tuple[Slot, ...]:
    """The slots but for those of a kind."""
    return tuple(slot for slot in header.slots if slot.kind != kind)


def renewed(
    header: Header, keys: Keys, passphrase: str, epoch: int, cost: KdfCost | None = None
) -> tuple[Header, Keys, str]:
    """New root key, database key, passphrase slot and recovery code, for the database file of `epoch`; a slot for the
    system's keyring ends.

    Whoever knows an old secret and kept an old header opens old copies of the database with them, but nothing written
    since.
    """
    fresh = Keys(secrets.token_bytes(32), secrets.token_bytes(32), keys.lasting)
    cost = cost or header.slot(PASSPHRASE).cost or FLOOR
    header, code = _with_slots(replace(header, epoch=epoch), fresh, passphrase, cost)
    return _sealed(replace(header, revision=header.revision + 1), fresh), fresh, code


def with_database(
    header: Header, keys: Keys, *, epoch: int, revision: int, database: bytes | None = None
) -> tuple[Header, Keys]:
    """The header pointing at another database file, under another key where one is given; all secrets stay."""
    keys = replace(keys, database=database or keys.database)
    return _sealed(replace(header, epoch=epoch, revision=revision), keys), keys


def check_passphrase(passphrase: str) -> None:
    """Raises WeakPassphraseError for one that a new slot should not have."""
    if not passphrase:
        raise WeakPassphraseError("is empty")
    if len(passphrase) < MINIMUM_PASSPHRASE:
        raise WeakPassphraseError(f"has {len(passphrase)} characters, at least {MINIMUM_PASSPHRASE} are needed")
    if len(set(passphrase)) < 3:
        raise WeakPassphraseError("repeats one or two characters")
    if recovery_code.looks_like_code(passphrase):
        raise WeakPassphraseError("looks like a recovery code")
    if passphrase.startswith(KEYRING_PREFIX):
        raise WeakPassphraseError("looks like what a keyring keeps")


def _with_slots(header: Header, keys: Keys, passphrase: str, cost: KdfCost) -> tuple[Header, str]:
    slot, code = _recovery_slot(header, keys)
    return replace(header, slots=(_passphrase_slot(header, keys, passphrase, cost), slot)), code


def _passphrase_slot(header: Header, keys: Keys, passphrase: str, cost: KdfCost) -> Slot:
    check_passphrase(passphrase)
    check_cost(cost)
    slot = Slot(PASSPHRASE, cost, secrets.token_bytes(32), secrets.token_bytes(12), bytes(48))
    return _closed(header, slot, derive(passphrase, slot.salt, cost), keys.root)


def _recovery_slot(header: Header, keys: Keys) -> tuple[Slot, str]:
    secret = recovery_code.new_secret()
    slot = Slot(RECOVERY_CODE, None, secrets.token_bytes(32), secrets.token_bytes(12), bytes(48))
    return _closed(header, slot, _hkdf_slot(secret, slot.salt), keys.root), recovery_code.encode(secret)


def _closed(header: Header, slot: Slot, key: bytes, root: bytes) -> Slot:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return replace(slot, sealed=AESGCM(key).encrypt(slot.nonce, root, _identity(header) + slot.public()))


def _open_slot(header: Header, slot: Slot, key: bytes) -> bytes | None:
    """The root key, or None if the key does not fit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(slot.nonce, slot.sealed, _identity(header) + slot.public())
    except InvalidTag:
        return None


def _unwrapped(header: Header, root: bytes) -> Keys:
    """Check the seal, then open the keys. Raises DamagedVaultError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not hmac.compare_digest(_seal(header, root), header.seal):
        raise _damaged("it was changed by someone without the keys")
    try:
        opened = AESGCM(_hkdf(root, "strongroom wrap")).decrypt(
            header.nonce, header.sealed, _identity(header) + header.epoch.to_bytes(4, "big")
        )
    except InvalidTag:
        raise _damaged("the database key does not open") from None
    return Keys(root, opened[:32], opened[32:])


def _changed(header: Header, keys: Keys, slots: tuple[Slot, ...]) -> Header:
    return _sealed(replace(header, slots=slots, revision=header.revision + 1), keys)


def _sealed(header: Header, keys: Keys) -> Header:
    """Wrap the keys anew and make the seal."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    sealed = AESGCM(_hkdf(keys.root, "strongroom wrap")).encrypt(
        nonce, keys.database + keys.lasting, _identity(header) + header.epoch.to_bytes(4, "big")
    )
    header = replace(header, nonce=nonce, sealed=sealed)
    return replace(header, seal=_seal(header, keys.root))


def _seal(header: Header, root: bytes) -> bytes:
    return hmac.digest(_hkdf(root, "strongroom seal"), header.body(), "sha256")


def _identity(header: Header) -> bytes:
    return MAGIC + VERSION.to_bytes(2, "big") + header.vault_id


def _hkdf_slot(secret: bytes, salt: bytes) -> bytes:
    return _hkdf(secret, "strongroom slot", salt)


def _hkdf(key: bytes, info: str, salt: bytes | None = None) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt, info.encode()).derive(key)


def _damaged(what: str) -> DamagedVaultError:
    return DamagedVaultError(
        f"the vault's header is damaged: {what}", "put an undamaged `header` back, or restore a backup"
    )
