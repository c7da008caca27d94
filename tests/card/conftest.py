"""Tests of the three engines that the extra `card` installs; `make test-card` runs them.

A file is collected where its package is installed, so that the plain suite has nothing to skip: which packages must be
there, `make test-card` asks before.
"""

import importlib.util

NEEDS = {
    "test_chroma.py": ("chromadb",),
    "test_sentence_transformers.py": ("sentence_transformers",),
    "test_unstructured.py": ("unstructured",),
    "test_doors.py": ("chromadb", "sentence_transformers", "unstructured"),
}

collect_ignore = [
    name for name, packages in NEEDS.items() if any(importlib.util.find_spec(each) is None for each in packages)
]
