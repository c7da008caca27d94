"""Where kept answers point: places in a document's text, which move when pages between them are read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import apsw


def move(db: apsw.Connection, document_id: str, moved: Sequence[tuple[int, int]]) -> None:
    """Let answers point at the same words again: from each offset of `moved` on (ascending), what stands there has
    moved by so many characters."""
    rows: list[Any] = db.execute(
        "SELECT id, answer FROM turn WHERE id IN (SELECT turn FROM turn_document WHERE document = ?)", (document_id,)
    ).fetchall()
    for turn, body in rows:
        answer = json.loads(body)
        for hit in _hits(answer):
            by = next((by for start, by in reversed(moved) if hit["start"] >= start), 0)
            if hit["document"] == document_id and by:
                hit["start"] += by
                hit["end"] += by
                if "marks" in hit:
                    hit["marks"] = [[start + by, end + by] for start, end in hit["marks"]]
        db.execute("UPDATE turn SET answer = ? WHERE id = ?", (json.dumps(answer, ensure_ascii=False), turn))


def _hits(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    said = chain(answer["statements"], answer.get("left_out", ()))
    return chain((hit for each in said for hit in each["citations"]), answer["nearest"])
