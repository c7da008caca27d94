"""Ids of chunks that tell nothing to an index outside the vault.

An id is AES-256 of one block: the chunk's number (8 bytes) and a keyed hash of its vector (8 bytes), under a key of the
vault's. Blocks never repeat, so ids tell nothing, and no list is needed to read one back; a chunk whose number came
back with another vector, as after restoring a backup, has another id.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrieval.nearest import ID_BYTES

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Opaque:
    """Chunks' numbers as ids that tell nothing."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes for the blocks; the tags' key is derived from it."""
        self._key = key
        self._tags = hashlib.blake2b(b"tag", key=key, digest_size=32).digest()

    def tag(self, vector: bytes) -> int:
        """64 bits of a vector as the vault holds it, never 0."""
        return int.from_bytes(hashlib.blake2b(vector, key=self._tags, digest_size=8).digest(), "big") | 1

    def ids(self, chunks: "Array", tags: "Array") -> list[bytes]:
        """The id of each chunk (int64) with its tag (uint64)."""
        import numpy as np

        blocks = np.stack([chunks.astype(np.uint64), tags], axis=1).astype(">u8").tobytes()
        whole = self._cipher().encryptor().update(blocks)
        return [whole[at : at + ID_BYTES] for at in range(0, len(whole), ID_BYTES)]

    def chunks(self, ids: Sequence[bytes]) -> tuple["Array", "Array"]:
        """Chunks and tags of ids; of what is no id of this vault's, numbers that mean nothing."""
        import numpy as np

        blocks = self._cipher().decryptor().update(b"".join(ids))
        pairs = np.frombuffer(blocks, dtype=">u8").reshape(-1, 2)
        return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES256(self._key), modes.ECB())  # noqa: S305 - blocks never repeat
