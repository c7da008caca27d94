"""Several vaults: which one is open, and how to come to another."""

from collections.abc import Mapping
from typing import Any


def in_the_bar(status: Mapping[str, Any]) -> None:
    """In the bar, the way to another vault."""
