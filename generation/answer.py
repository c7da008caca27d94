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

    def to_json(self) -> dict[str, Any]:
        """The published form: citations and nearest passages as hits, ranked from 1 in the order they are shown."""
        from retrieval.passage import hit

        rank = 0
        statements = []
        for statement in self.statements:
            cited = []
            for citation in statement.citations:
                rank += 1
                passage = replace(citation.passage, start=citation.start, end=citation.end, text=citation.quote)
                cited.append({**hit(passage, rank), "marks": _pairs(citation.marks)})
            statements.append(
                {
                    "text": statement.text,
                    "supported": statement.supported,
                    "citations": cited,
                    "marks": _pairs(statement.marks),
                    "note": statement.note,
                }
            )
        return {
            "question": self.question,
            "mode": self.mode,
            "abstained": self.abstained,
            "missing": self.missing,
            "statements": statements,
            "nearest": [hit(passage, rank) for rank, passage in enumerate(self.nearest, start=1)],
            "seconds": {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
        }


def _pairs(marks: Sequence[tuple[int, int]]) -> list[list[int]]:
    return [[start, end] for start, end in marks]
