"""Shared fixtures."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public files, beside the checkout; what it holds is listed in its README."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the public files, which are not at {SHARED_DATA}")
    return SHARED_DATA
