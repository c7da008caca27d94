import pytest

from bench.household import Household
from retrieval.embed import Embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder(threads=2)


@pytest.fixture(scope="session")
def house(embedder) -> Household:
    return Household(embedder)
