"""A key from a passphrase, slowly: Argon2id, and what it may cost."""

import time
import unicodedata
from typing import NamedTuple

from vault.errors import DamagedVaultError, StrongroomError


class KdfCost(NamedTuple):
    """What one Argon2id derivation costs (RFC 9106): memory in KiB, passes over it, lanes computed side by side."""

    memory_kib: int
    passes: int
    lanes: int = 4


FLOOR = KdfCost(64 * 1024, 3)  # RFC 9106's second recommendation; a header that asks for less was weakened
CEILING = KdfCost(4 * 1024 * 1024, 256, 16)
CEILING_KIB_PASSES = 64 * 1024 * 1024  # memory × passes: about a minute and a half on 2 cores; more is an attack
DEFAULT_MEMORY_KIB = 256 * 1024


def check_cost(cost: KdfCost) -> None:
    """Raises DamagedVaultError below the floor (a weakened header) and above the ceiling (one that never ends)."""
    memory, passes, lanes = cost
    if memory < FLOOR.memory_kib or passes < FLOOR.passes or not 1 <= lanes <= CEILING.lanes:
        raise _damaged(f"it asks for too weak a key derivation ({memory // 1024} MiB, {passes} passes)")
    if memory > CEILING.memory_kib or passes > CEILING.passes or memory * passes > CEILING_KIB_PASSES:
        raise _damaged(f"it asks for an absurd key derivation ({memory // 1024} MiB, {passes} passes)")


def calibrated(target_seconds: float = 1.0, memory_kib: int = DEFAULT_MEMORY_KIB) -> KdfCost:
    """The cost that takes about `target_seconds` here: `memory_kib` of memory, and as many passes as fit, 3 at least.

    Measured on a quarter of the memory, because the time is linear in memory × passes.
    """
    probe = KdfCost(FLOOR.memory_kib, FLOOR.passes)
    started = time.perf_counter()
    derive("a passphrase to measure with", bytes(32), probe)
    a_pass_seconds = (time.perf_counter() - started) / probe.passes * memory_kib / probe.memory_kib
    passes = min(max(round(target_seconds / a_pass_seconds), FLOOR.passes), 32)
    return KdfCost(memory_kib, passes)


def derive(passphrase: str, salt: bytes, cost: KdfCost) -> bytes:
    """Argon2id (RFC 9106) of a passphrase to 32 bytes."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    # NFC, so that a passphrase typed on another system is the same bytes; surrogates come from undecodable input.
    text = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    memory, passes, lanes = cost
    try:
        kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
        return kdf.derive(text)
    except MemoryError:
        raise StrongroomError(
            f"not enough memory to derive the key: it takes {memory // 1024} MiB", "close other programs"
        ) from None


def _damaged(what: str) -> DamagedVaultError:
    return DamagedVaultError(
        f"the vault's header is damaged: {what}", "put an undamaged `header` back, or restore a backup"
    )
