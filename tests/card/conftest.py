"""Tests of the three engines that the extra `card` installs; `make test-card` runs them.

A file is collected where its package is installed, so that the plain suite has nothing to skip: which packages must be
there, `make test-card` asks before.
"""

import importlib.util

import pytest

ALL = ("chromadb", "sentence_transformers", "unstructured")
NEEDS = {
    "test_chroma.py": ("chromadb",),
    "test_sentence_transformers.py": ("sentence_transformers",),
    "test_unstructured.py": ("unstructured",),
    "test_calls.py": ALL,
    "test_doors.py": ALL,
    "test_page.py": ALL,
    "test_sample.py": ALL,
}

collect_ignore = [
    name for name, packages in NEEDS.items() if any(importlib.util.find_spec(each) is None for each in packages)
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what forks zygotes of its own: a worker's limit counts what its process was born with, and the tests of the
    other files load torch into this one."""
    items.sort(key=lambda each: each.path.name != "test_unstructured.py")
