"""An answer: statements, each tied to the passages it rests on, or an abstention that says what is missing.

`Answer.to_json` gives the form that commands print, the page shows and the history keeps; docs/reference has its
schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.passage import Passage


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement stands: `text_of(passage.document)[start:end] == quote`."""

    passage: "Passage"
    """that it was found in"""
    start: int
    end: int
    """half-open, in code points of the document's text"""
    quote: str
    marks: tuple[tuple[int, int], ...] = ()
    """places of the words that matter, in the document's text, inside start and end"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer."""

    text: str
    supported: bool
    """whether the cited passages were found to say so; verbatim text always is"""
    citations: tuple[Citation, ...]
    marks: tuple[tuple[int, int], ...] = ()
    """places of the words that matter, in `text`"""
    note: str = ""
    """what a reader should know of it, such as that an older document says otherwise"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, or what was not."""

    question: str
    mode: str
    """`extractive` or the model's name"""
    abstained: bool
    missing: str
    """what no passage says, in words; empty when nothing is known to be missing"""
    statements: tuple[Statement, ...]
    nearest: tuple["Passage", ...]
    """best first, when abstained"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """by stage"""
    left_out: tuple[Statement, ...] = ()
    """written by a model and not found in the passages it cited; `note` says what is not there"""
    offered: int = 0
    """passages that the model could cite, those of earlier questions of the conversation included"""
    dropped: int = 0
    """passages for which its context had no room"""
    cancelled: bool = False
    """stopped by the reader; the statements are those that were whole by then"""
    fell_back: str = ""
    """why these are verbatim sentences although a model was to write; empty otherwise"""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """of the model: `prompt`, `evaluated` (of the prompt; the rest was there from before) and `written`"""

    def to_json(self) -> dict[str, Any]:
        """The published form: citations and nearest passages as hits, ranked from 1 in the order they are shown.

        Those of statements that were left out are counted by themselves.
        """
        from retrieval.passage import hit

        return {
            "question": self.question,
            "mode": self.mode,
            "abstained": self.abstained,
            "missing": self.missing,
            "statements": statements_json(self.statements),
            "nearest": [hit(passage, rank) for rank, passage in enumerate(self.nearest, start=1)],
            "seconds": {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            "left_out": statements_json(self.left_out),
            "offered": self.offered,
            "dropped": self.dropped,
            "cancelled": self.cancelled,
            "fell_back": self.fell_back,
            "tokens": dict(self.tokens),
        }


def statements_json(statements: Sequence[Statement], cited_before: int = 0) -> list[dict[str, Any]]:
    """The published form of statements; the rank of their citations goes on from `cited_before`."""
    from retrieval.passage import hit

    rank = cited_before
    out = []
    for statement in statements:
        cited = []
        for citation in statement.citations:
            rank += 1
            passage = replace(citation.passage, start=citation.start, end=citation.end, text=citation.quote)
            cited.append({**hit(passage, rank), "marks": _pairs(citation.marks)})
        out.append(
            {
                "text": statement.text,
                "supported": statement.supported,
                "citations": cited,
                "marks": _pairs(statement.marks),
                "note": statement.note,
            }
        )
    return out


def _pairs(marks: Sequence[tuple[int, int]]) -> list[list[int]]:
    return [[start, end] for start, end in marks]
