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
                _shift(hit, by)
        db.execute("UPDATE turn SET answer = ? WHERE id = ?", (json.dumps(answer, ensure_ascii=False), turn))


def follow(db: apsw.Connection, document_id: str, text: str) -> None:
    """Let answers point at the same words in a document's new text, another reader's: at the nearest place that has
    them. An answer keeps saying what it said where no place has."""
    rows: list[Any] = db.execute(
        "SELECT id, answer FROM turn WHERE id IN (SELECT turn FROM turn_document WHERE document = ?)", (document_id,)
    ).fetchall()
    for turn, body in rows:
        answer = json.loads(body)
        for hit in _hits(answer):
            quote = hit.get("quote", "")
            if hit["document"] != document_id or not quote or text[hit["start"] : hit["end"]] == quote:
                continue
            behind, before = text.find(quote, hit["start"]), text.rfind(quote, 0, hit["start"] + len(quote))
            near = [at for at in (behind, before) if at >= 0]
            if near:
                by = min((at - hit["start"] for at in near), key=abs)
                _shift(hit, by)
        db.execute("UPDATE turn SET answer = ? WHERE id = ?", (json.dumps(answer, ensure_ascii=False), turn))


def _shift(hit: dict[str, Any], by: int) -> None:
    hit["start"] += by
    hit["end"] += by
    if "marks" in hit:
        hit["marks"] = [[start + by, end + by] for start, end in hit["marks"]]


def _hits(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    said = chain(answer["statements"], answer.get("left_out", ()))
    return chain((hit for each in said for hit in each["citations"]), answer["nearest"])
