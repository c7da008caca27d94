"""The next token: the likeliest that the structure accepts.

The model's own choice is checked first, and only where it is refused are others looked at, in the order of their
likelihood: what is drawn is what would be drawn if the refused ones were not in the vocabulary.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.random  # which NumPy would load when it is first used: too late under the lock
import numpy.typing as npt

from generation.structure import Structure

END = -1
"""The answer ends here."""

Logits = npt.NDArray[np.float32]

_FIRST_LOOK = 256  # tokens that are tried before all of them
_CHOICES = 64  # tokens that are drawn from, with a temperature


class Vocabulary:
    """A model's tokens as bytes.

    `pieces` has b"" for tokens that are never written (control tokens); `ends` are those that end an answer.
    """

    def __init__(self, pieces: Sequence[bytes], ends: frozenset[int]) -> None:
        self.pieces = pieces
        self.ends = ends
        self._ends = np.array(sorted(ends), dtype=np.int64)
        first = np.array([each[0] if each else 256 for each in pieces], dtype=np.int16)
        order = np.argsort(first, kind="stable")
        bounds = np.searchsorted(first[order], np.arange(257))
        self._beginning = [order[bounds[byte] : bounds[byte + 1]] for byte in range(256)]

    def beginning_with(self, openings: bytes) -> npt.NDArray[np.int64]:
        """Return the tokens whose first byte is one of these, and those that end an answer."""
        return np.concatenate([self._ends, *(self._beginning[byte] for byte in openings)])


class Sampler:
    """Chooses the tokens of one answer. The same seed and temperature choose the same; temperature 0 is greedy."""

    def __init__(self, vocabulary: Vocabulary, *, seed: int = 0, temperature: float = 0.0) -> None:
        self._vocabulary = vocabulary
        self._temperature = temperature
        self._random = np.random.Generator(np.random.PCG64(seed))

    def choose(self, logits: Logits, structure: Structure | None) -> int | None:
        """Return the next token, END, or None where the vocabulary has none that may come. `logits` is not kept.

        Without a structure, the model's own choice.
        """
        for token in self._in_order(logits, structure):
            if token in self._vocabulary.ends:
                if structure is None or structure.may_end:
                    return END
            elif structure is None or structure.accepts(self._vocabulary.pieces[token]):
                return token
        return None

    def _in_order(self, logits: Logits, structure: Structure | None) -> Iterator[int]:
        """Yield tokens, likeliest first or as they are drawn; some of them twice."""
        if self._temperature > 0:
            # The largest of logits with Gumbel noise is a draw from the softmax, the next one a draw from the rest of
            # it (Vieira 2014, "Gumbel-max trick and weighted reservoir sampling").
            likeliest = np.argpartition(logits, -min(_CHOICES, len(logits)))[-_CHOICES:]
            noisy = logits[likeliest] / self._temperature + self._random.gumbel(size=len(likeliest))
            yield from likeliest[np.argsort(-noisy)].tolist()
        else:
            yield int(np.argmax(logits))
        if structure is None:
            return
        openings = structure.openings()
        if openings is not None:
            few = self._vocabulary.beginning_with(openings)
            yield from few[np.argsort(-logits[few], kind="stable")].tolist()
            return
        many = np.argpartition(logits, -min(_FIRST_LOOK, len(logits)))[-_FIRST_LOOK:]
        yield from many[np.argsort(-logits[many], kind="stable")].tolist()
        yield from np.argsort(-logits, kind="stable").tolist()
