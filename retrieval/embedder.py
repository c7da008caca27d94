"""The door of embedding models: what a model has to be, whatever runs it.

Behind it: `retrieval.embed.Embedder`, which comes with Strongroom, and `retrieval.sentence_transformers.Chosen`, any
sentence-transformers folder. Chunks are always measured by the former's tokens, so that another model changes no chunk
and no citation.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vault.errors import StrongroomError

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]


class ModelError(StrongroomError):
    """The embedding model's files are missing, are no model, or are not the ones that were chosen."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model without loading it; kept in the vault."""

    name: str
    dimensions: int
    window: int
    """tokens that it reads of a text, special ones included"""
    languages: tuple[str, ...] = ()
    """as its publisher names them; empty: not said"""
    licence: str = ""
    prompts: tuple[bool, bool] = (False, False)
    """whether something is put before a question, and before a passage"""
    pooling: str = "mean"
    slope: float = 1.0
    offset: float = 0.0
    """cosine times slope plus offset: the same on the scale of the model that comes with Strongroom"""
    told_apart: float = 1.0
    """how far related and unrelated texts lie apart in its cosines"""
    bytes: int = 0
    """of its files"""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> "Facts":
        """The reverse of `to_json`; what a later version added is left out."""
        known = {each: value[each] for each in cls.__dataclass_fields__ if each in value}
        return cls(**{**known, "languages": tuple(known["languages"]), "prompts": tuple(known["prompts"])})


class Embedder(Protocol):
    """Turns texts into unit vectors. Threads may share one."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model's files, hex: vectors of another digest are not comparable."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Unit vectors of passages, float32 (len(texts), dimensions). Raises ModelError where the model is gone."""

    def embed_question(self, text: str) -> "Vectors":
        """The unit vector of a question, float32 (dimensions,). Raises ModelError."""

    def on_scale(self, cosines: "Vectors") -> "Vectors":
        """Cosines of its vectors on the scale of the model that comes with Strongroom, by which all weights and
        thresholds of search and answers were found."""

    def knows_language(self, text: str) -> bool:
        """Whether its vectors can be trusted to find this text."""
