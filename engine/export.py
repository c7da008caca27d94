"""A conversation as a file of its own: questions, answers, and under each what it rests on, word for word.

What leaves the vault here is readable by whoever has the file. In Markdown, nothing that a document says becomes
markup: every character that could begin some is escaped.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# What begins emphasis, code, a link, HTML, a table or a formula anywhere; an address that some readers make a link of;
# and what begins a list, a heading or a rule at the start of a line.
_NUMBERED = "|".join(rf"(?<=^\d{{{digits}}})[.)]" for digits in range(1, 10))  # as long as a list's number may be
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$@^]|:(?=//)|(?<=www)\.|^[-+=#](?=[-+=#\s]|$)|" + _NUMBERED, re.IGNORECASE)


def text(answers: Sequence[Mapping[str, Any]]) -> str:
    """Plain text."""
    lines: list[str] = []
    for answer in answers:
        lines += [_asked(answer), "", *_heading(answer)]
        for statement, numbers in _numbered(answer):
            lines += [f"{_line(statement['text'])} {numbers}", *_noted(statement, "  "), ""]
        lines += [*_remarks(answer)]
        for number, hit in _cited(answer):
            lines += [f"[{number}] {_place(hit)}", f'    "{_line(hit["quote"])}"']
        lines += ["", "-" * 20, ""]
    return "\n".join(lines[:-3]) + "\n" if lines else ""


def markdown(answers: Sequence[Mapping[str, Any]]) -> str:
    """Markdown (CommonMark), a heading for each question."""
    lines: list[str] = []
    for answer in answers:
        lines += [f"## {escaped(_line(answer['question']))}", "", *(escaped(each) for each in _heading(answer)[:1])]
        lines += [""] if _heading(answer) else []
        for statement, numbers in _numbered(answer):
            lines += [f"{escaped(_line(statement['text']))} {escaped(numbers)}", ""]
            lines += [line for each in _noted(statement, "") for line in (f"*{escaped(each)}*", "")]
        lines += [line for each in _remarks(answer) if each for line in (escaped(each), "")]
        for number, hit in _cited(answer):
            lines += [f"{escaped(f'[{number}]')} {escaped(_place(hit))}", "", f"> {escaped(_line(hit['quote']))}", ""]
    return "\n".join(lines)


FORMATS: dict[str, tuple[Callable[[Sequence[Mapping[str, Any]]], str], str]] = {
    "markdown": (markdown, "md"),
    "text": (text, "txt"),
}


def escaped(words: str) -> str:
    """`words` so that Markdown shows them as they are."""
    return _SPECIAL.sub(r"\\\g<0>", words)


def sources_of(
    statements: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], dict[tuple[str, int, int], int]]:
    """The citations of all statements, each once, and the number of each by document and range."""
    sources: list[Mapping[str, Any]] = []
    numbers: dict[tuple[str, int, int], int] = {}
    for each in statements:
        for citation in each["citations"]:
            if place(citation) not in numbers:
                sources.append(citation)
                numbers[place(citation)] = len(sources)
    return sources, numbers


def place(citation: Mapping[str, Any]) -> tuple[str, int, int]:
    """What a citation points at: document, start, end."""
    return citation["document"], citation["start"], citation["end"]


def _line(words: str) -> str:
    """On one line, without characters that a terminal or a browser would obey."""
    visible = "".join(each if each.isprintable() or each.isspace() else "�" for each in words)
    return " ".join(visible.split())


def _asked(answer: Mapping[str, Any]) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(answer["asked"])) if "asked" in answer else ""
    return f"{_line(answer['question'])}" + (f" ({day})" if day else "")


def _heading(answer: Mapping[str, Any]) -> list[str]:
    """What the question was understood as, where that is something else."""
    if answer["full_question"] != answer["question"]:
        return [f"understood as: {_line(answer['full_question'])}", ""]
    return []


def _noted(statement: Mapping[str, Any], indent: str) -> list[str]:
    return [f"{indent}({_line(statement['note'])})"] if statement.get("note") else []


def _remarks(answer: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of the answer as a whole."""
    said = []
    if answer["abstained"]:
        said.append(_line(answer["missing"]) or "nothing in the vault answers this")
        said.append("nearest passages:")
    if answer.get("cancelled"):
        said.append("the answer was stopped before its end")
    if answer.get("fell_back"):
        said.append(f"in the documents' own words, because the model could not answer: {_line(answer['fell_back'])}")
    left_out = len(answer.get("left_out", ()))
    if left_out:
        said.append(f"left out, because the passages do not say it: {left_out} statement{'s' if left_out > 1 else ''}")
    if answer["mode"] != "extractive" and not answer["abstained"]:
        said.append(f"written by {_line(answer['mode'])}; compare it with the passages")
    return [*said, ""] if said else []


def _numbered(answer: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Each statement with its marks, `[1] [2]`: a source that is cited again keeps its number."""
    _, numbers = sources_of(answer["statements"])
    return [
        (each, " ".join(f"[{number}]" for number in dict.fromkeys(numbers[place(hit)] for hit in each["citations"])))
        for each in answer["statements"]
    ]


def _cited(answer: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    sources, _ = sources_of(answer["statements"])
    return list(enumerate(sources or answer["nearest"], start=1))


def _place(hit: Mapping[str, Any]) -> str:
    """Where a passage stands: file, part, page, and for mail who wrote it and when."""
    where = [_line(hit["path"])]
    if hit["part"]:
        where.append(_line(hit["part"]))
    if hit["page"]:
        where.append(f"page {hit['page']}")
    told = [", ".join(where), *(_line(str(hit[name])) for name in ("sender", "date") if hit[name])]
    return " · ".join(told)
