"""Rows around a passage, taken from a table's text as the parser left it."""

import csv
import io

import pytest

from ingest.tables import delimited
from ui import page_table
from ui.page_table import Table, find, html

ROWS = [["Date", "Payee, or note", "Amount"]] + [[f"2025-01-{n:02}", f"Shop {n}; the", f"{n}.50"] for n in range(1, 29)]


def _written(delimiter):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(ROWS)
    return file.getvalue()


@pytest.fixture
def serve(monkeypatch):
    """The engine's method `document.text` over a text and its blocks, as long as the engine gives at once."""

    def serving(text, blocks, most=20_000):
        def call(method, *, id, start, end):  # noqa: A002
            assert method == "document.text"
            start = min(max(0, start), len(text))
            end = min(len(text), start + most, max(start, end))
            touched = [b for b in blocks if b["start"] < end and b["end"] > start]
            return {"text": text[start:end], "start": start, "end": end, "total": len(text), "blocks": touched}

        monkeypatch.setattr(page_table.link, "call", call)

    return serving


def _blocks(text):
    return [{"start": b.start, "end": b.end, "kind": b.kind} for b in delimited(text)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_cells_are_those_that_were_written(serve, delimiter):
    text = _written(delimiter)
    serve(text, _blocks(text))
    start = text.index("2025-01-10")
    found = find("x", start, start + 12, 3)
    assert list(found.header) == ROWS[0]
    assert [list(cells) for cells, _ in found.rows] == ROWS[7:14]
    assert [cited for _, cited in found.rows] == [False] * 3 + [True] + [False] * 3
    assert found.before
    assert found.after


def test_all_rows_that_a_passage_touches_are_cited(serve):
    text = _written(",")
    serve(text, _blocks(text))
    found = find("x", text.index("2025-01-01"), text.index("2025-01-03") + 2, 1)
    assert [cells[0] for cells, cited in found.rows if cited] == ["2025-01-01", "2025-01-02", "2025-01-03"]
    assert not found.before


def test_the_header_of_a_long_sheet_is_found_far_above_its_row(serve):
    lines = ["Other", "x\ty", "1\t2", "Costs", "When\tWhat", *(f"2025\t{n} {'filler ' * 12}" for n in range(600))]
    kinds = ["heading", "header", "row", "heading", "header", *["row"] * 600]
    blocks, at = [], 0
    for line, kind in zip(lines, kinds, strict=True):
        blocks.append({"start": at, "end": at + len(line), "kind": kind})
        at += len(line) + 1
    text = "\n".join(lines)
    assert len(text) > 2 * page_table._BACK
    serve(text, blocks)
    last = blocks[-3]
    found = find("x", last["start"], last["end"], 5)
    assert found.name == "Costs"
    assert found.header == ("When", "What")
    assert len(found.rows) == 8
    assert not found.after


def test_rows_of_another_sheet_are_not_among_them(serve):
    text = "A\nh\ti\n1\t2\nB\nj\tk\n3\t4"
    kinds = ["heading", "header", "row"] * 2
    blocks, at = [], 0
    for line, kind in zip(text.split("\n"), kinds, strict=True):
        blocks.append({"start": at, "end": at + len(line), "kind": kind})
        at += len(line) + 1
    serve(text, blocks)
    found = find("x", blocks[5]["start"], blocks[5]["end"], 5)
    assert (found.name, found.header, [cells for cells, _ in found.rows]) == ("B", ("j", "k"), [("3", "4")])


def test_a_table_escapes_its_cells_and_marks_words_in_the_cited_row_only():
    rows = ((("<b>x</b>", "12.00"), True), (("<b>x</b>", ""), False))
    shown = html(Table('"><s>', ("<i>", "Amount"), rows, before=True, after=False), ["x"])
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "<s>" not in shown
    assert shown.count("<mark>x</mark>") == 1
    assert shown.count('class="number"') == 3  # the header and both cells of the amounts
    assert shown.count("⋯") == 1
