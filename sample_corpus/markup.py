"""The markup that the sample's contracts and letters are written in, line by line.

`# ` title, `## ` heading, `- ` item, `| a | b |` a table's row (the first row of a run is its header), `> ` a
line that stays a line of its own, `---` a new page, an empty line between paragraphs; the rest is paragraphs.
"""

import re
from collections.abc import Iterator

_CLAUSE = re.compile(r"\d+\.\d+ ")  # a clause's number opens a paragraph


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """The markup as (kind, text): title, heading, item, row, line, page, paragraph."""
    paragraph: list[str] = []
    for line in [*text.strip("\n").split("\n"), ""]:
        kind, rest = _kind(line)
        if kind != "paragraph" and paragraph:
            yield "paragraph", " ".join(paragraph)
            paragraph = []
        if kind == "paragraph":
            if _CLAUSE.match(line) and paragraph:
                yield kind, " ".join(paragraph)
                paragraph = []
            paragraph.append(line.strip())
        elif kind:
            yield kind, rest


def _kind(line: str) -> tuple[str, str]:
    if not line.strip():
        return "", ""
    for mark, kind in (("# ", "title"), ("## ", "heading"), ("- ", "item"), ("> ", "line")):
        if line.startswith(mark):
            return kind, line[len(mark) :]
    if line.startswith("|"):
        return "row", line.strip().strip("|")
    return ("page", "") if line == "---" else ("paragraph", "")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")]
