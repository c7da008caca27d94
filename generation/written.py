"""Answers that a model writes, each statement checked against the passages it cites as soon as it is whole.

What does not stand in its passages is left out, with the reason. Nothing is shown without a citation, and citations
are places in documents, never words of the model. The verbatim answer comes first: where it abstains the model is not
asked, and where the model fails it stands in.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from generation.answer import Answer, Citation, Statement
from generation.check import check
from generation.prompt import Asking, Dialogue
from generation.question import understand
from generation.writing import Heard, Line, Writer, WriterDiedError, Written

if TYPE_CHECKING:
    from retrieval.passage import Passage

REFUSED = "the model found no answer in the passages"
NOTHING_STANDS = "nothing that the model wrote stands in the passages it cites"
_GONE = "the document it cites is no longer there"
_NEAREST = 5  # passages shown with an abstention

# A model that says in words that there is no answer must still end its sentence in a citation.
_NO_ANSWER = re.compile(
    r"\b(?:passages?|documents?|texts?|sources?|context|information)\b[^.]{0,40}\b(?:do(?:es)?|did|is|are|has|have|can)(?:\s+not|n['’]t)\b"
    r"[^.]{0,60}\b(?:mention|contain|say|answer|provide|specif|state|includ|give|tell|address|available|indicate|enough)"
    r"|\b(?:no|not enough|insufficient) (?:information|mention|answer|passage|details?|evidence)\b"
    r"|\bnot (?:mentioned|specified|stated|provided|given|answered|found|available) (?:in|by) (?:the|any|these|this)\b"
    r"|\bI (?:do not|don['’]t|cannot|can['’]t|am unable|could not)\b|\bcannot be (?:determined|answered)\b",
    re.IGNORECASE,
)


def answer(
    question: str,
    passages: Sequence["Passage"],
    writer: Writer,
    dialogue: Dialogue,
    *,
    extractive: Answer,
    text_of: Callable[[str], str],
    heard: Callable[[Heard], None],
    cancelled: Callable[[], bool],
    on_statement: Callable[[Statement, bool], None],
) -> Answer:
    """Have `writer` answer from `passages` (best first), and check what it writes.

    `extractive` is the verbatim answer to the same question. `text_of` gives a document's text by its id, empty where
    it is gone; for every citation `text_of(document)[start:end] == quote` was checked. `heard` is told how far the
    model is, `on_statement` of each statement as soon as it was checked, and whether it was left out. When it is told
    nothing of what the answer then holds, the extractive answer stood in.
    """
    if extractive.abstained or not passages:
        return extractive
    began = time.perf_counter()
    several = any(part.several for part in understand(question))
    asking = dialogue.request(question, passages, several=several)
    judge = _Judge(asking, text_of, on_statement)
    written, problem = _write(writer, asking, judge, heard, cancelled)
    if written and written.dropped and written.dropped == len(asking.request.blocks) and dialogue.begun:
        # The conversation has filled the context: begin it anew, for the model only.
        dialogue.forget()
        asking = dialogue.request(question, passages, several=several)
        judge = _Judge(asking, text_of, on_statement)
        written, problem = _write(writer, asking, judge, heard, cancelled)
    seconds = {**extractive.seconds, "write": time.perf_counter() - began}
    if written is None:
        return replace(extractive, fell_back=problem, seconds=seconds)
    for line in written.lines[judge.lines :]:
        judge.line(line)
    seconds |= {"first_token": written.seconds_to_first, "check": judge.seconds}
    if written.ended != "cancelled":
        asking.answered(written)
    made = replace(
        extractive,
        mode=writer.name,
        statements=tuple(judge.kept),
        left_out=tuple(judge.left_out),
        offered=len(asking.passages) - written.dropped,
        dropped=written.dropped,
        cancelled=written.ended == "cancelled",
        tokens={"prompt": written.prompt_tokens, "evaluated": written.evaluated_tokens, "written": written.tokens},
        seconds=seconds,
    )
    if judge.kept or made.cancelled:
        return made
    if judge.left_out:
        return replace(made, mode=extractive.mode, statements=extractive.statements, fell_back=NOTHING_STANDS)
    return replace(made, abstained=True, missing=REFUSED, nearest=tuple(passages[:_NEAREST]))


def _write(
    writer: Writer, asking: Asking, judge: "_Judge", heard: Callable[[Heard], None], cancelled: Callable[[], bool]
) -> tuple[Written | None, str]:
    """What was written, or None and why the model failed."""

    def hear(each: Heard) -> None:
        if each.line:
            judge.line(each.line)
        heard(each)

    try:
        return writer.write(asking.request, hear, cancelled), ""
    except WriterDiedError as error:
        return None, str(error)


class _Judge:
    """Checks lines as they come."""

    def __init__(
        self, asking: Asking, text_of: Callable[[str], str], on_statement: Callable[[Statement, bool], None]
    ) -> None:
        self._asking = asking
        self._text_of = text_of
        self._on_statement = on_statement
        self._said: set[tuple[str, tuple[int, ...]]] = set()
        self.kept: list[Statement] = []
        self.left_out: list[Statement] = []
        self.lines = 0
        """looked at so far"""
        self.seconds = 0.0

    def line(self, line: Line) -> None:
        """Check a statement and pass it on; what repeats another or says that there is no answer is no statement."""
        self.lines += 1
        text = " ".join(line.text.split())
        said = (text.casefold().rstrip("."), line.numbers)
        if not text or said in self._said or _NO_ANSWER.search(text):
            return
        self._said.add(said)
        began = time.perf_counter()
        statement = self._checked(text, line.numbers)
        self.seconds += time.perf_counter() - began
        (self.kept if statement.supported else self.left_out).append(statement)
        self._on_statement(statement, not statement.supported)

    def _checked(self, text: str, numbers: Sequence[int]) -> Statement:
        cited = [self._asking.passages[number] for number in numbers if number in self._asking.passages]
        there = [each for each in cited if self._text_of(each.document)[each.start : each.end] == each.text]
        if not there:
            return Statement(text, supported=False, citations=(), note=_GONE if cited else "it names no passage")
        found = check(text, there)
        citations = tuple(
            Citation(
                passage=there[each.passage],
                start=there[each.passage].start + each.start,
                end=there[each.passage].start + each.end,
                quote=there[each.passage].text[each.start : each.end],
                marks=tuple((there[each.passage].start + a, there[each.passage].start + b) for a, b in each.marks),
            )
            for each in found.supports
        )
        return Statement(text, found.supported, citations, found.marks, found.note)
