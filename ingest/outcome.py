"""What readers hand to the writer of the pipeline: documents, and how each file ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.prepare import Prepared
from vault.records import Document, Problem

_SHOWN_PROBLEMS = 3  # in a file's reason; the rest are counted


@dataclass(frozen=True, slots=True)
class Read:
    """A document on its way into the vault, with all that can be computed outside the transaction."""

    file: int
    document: Document
    ready: Prepared


@dataclass(frozen=True, slots=True)
class Finished:
    """A file that has been read to its end, or to where it failed."""

    file: int
    path: bytes
    size: int
    mtime_ns: int
    hash: bytes | None
    state: str
    reason: str
    copy_of: int | None = None
    """another file with the same bytes, already read"""


def summary(problems: Sequence[Problem], notes: Sequence[str]) -> str:
    """Return a file's reason: the first few notes and problems, and how many more there are."""
    wrong = (f"{each.part}: {each.reason}" if each.part else each.reason for each in problems[:_SHOWN_PROBLEMS])
    said = [*notes[:_SHOWN_PROBLEMS], *wrong]
    hidden = len(problems) + len(notes) - len(said)
    return "; ".join(said) + (f"; and {hidden} more" if hidden > 0 else "")
