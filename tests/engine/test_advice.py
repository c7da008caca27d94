"""Every reason that a parser, their supervisor or the pipeline gives has advice."""

import ast
import re
from itertools import product
from pathlib import Path

import pytest

from engine.advice import ADVICE, OTHER, advice_for
from ingest import scanned

ROOT = Path(__file__).parents[2]
SOURCES = [
    # What is said of a page's picture that cannot be shown is no file's state.
    *sorted(each for each in (ROOT / "ingest").glob("*.py") if not each.name.startswith("picture")),
    *(ROOT / "engine" / f"{name}.py" for name in ("worker", "job", "zygote", "zygote_process")),
]
_RAISED = {
    "UnreadableError": 0,
    "UnsupportedError": 0,
    "WorkerDiedError": 0,
    "ZygoteDiedError": 0,
    "Problem": 1,
    "Format": 5,
}
"""where in a call the reason stands"""
_NAMED = {"note", "reason"}
_MESSAGES = re.compile(r"[a-z]{2}.* .*[a-z]{2}")


def _text(node: ast.expr) -> list[str]:
    """The strings that an expression may be, with a 7 for what is put in."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*((_text(each) or ["7"]) for each in node.values))]
    if isinstance(node, ast.FormattedValue):
        return _text(node.value) if isinstance(node.value, ast.IfExp) else []
    if isinstance(node, ast.IfExp):
        return [*_text(node.body), *_text(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [text for each in node.values for text in _text(each)]
    if isinstance(node, ast.BinOp):
        return [f"{(_text(node.left) or ['7'])[0]}{(_text(node.right) or ['7'])[0]}"]
    return []


def _reasons(source: Path) -> set[str]:
    found: set[str] = set()
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in _RAISED and len(node.args) > _RAISED[name]:
                found.update(_text(node.args[_RAISED[name]]))
            if name == "append" and ast.unparse(node.func).endswith("notes.append"):
                found.update(_text(node.args[0]))
            if name == "_joined" and len(node.args) == 2:
                found.update(_text(node.args[1]))
            found.update(t for each in node.keywords if each.arg in _NAMED for t in _text(each.value))
        if source.name in {"worker.py", "job.py", "zygote.py", "registry.py", "scan.py", "scanned.py", "pictures.py"}:
            if isinstance(node, ast.Return) and node.value is not None and source.name == "worker.py":
                found.update(_text(node.value))
            if isinstance(node, ast.Assign):  # reasons that are used by a name
                targets = [each.id for each in node.targets if isinstance(each, ast.Name)]
                if any(re.fullmatch(r"_?[A-Z_]+", each) for each in targets):
                    found.update(t for t in _text(node.value) if not t.startswith("application/"))
    return {each for each in found if _MESSAGES.search(each)}


def _all_reasons() -> list[str]:
    return sorted(set().union(*(_reasons(each) for each in SOURCES)))


def test_the_reasons_are_found_in_the_source():
    found = _all_reasons()
    assert len(found) > 60
    for known in (
        "needs a password",
        "an archive; unpack it into a watched folder to have it read",
        "only in the cloud, and not fetched",
        "crashed (signal 7)",
        "7 of 7 pages cannot be read",
        "took longer than 7 s",
    ):
        assert known in found


@pytest.mark.parametrize("reason", _all_reasons())
def test_a_reason_has_advice(reason):
    assert advice_for(reason) is not OTHER


def test_each_row_is_for_some_reason():
    used = {advice_for(each).key for each in _all_reasons()} | {"permission", "disk", "purged", "pictures"}
    assert {each.key for each in ADVICE} <= used


def test_a_part_in_front_of_the_reason_does_not_change_the_advice():
    assert advice_for("3/contract.pdf: needs a password").key == "password"
    assert advice_for("contract.pdf: needs a password; and 4 more").key == "password"
    assert advice_for("cannot be opened: permission denied").key == "permission"
    assert advice_for("cannot be read: input/output error").key == "disk"
    assert advice_for(scanned.reason(3, scanned.INSTALL)).key == "pictures"
    assert advice_for(scanned.reason(1, scanned.WAITING)).key == "queue"
    assert advice_for(scanned.reason(1, scanned.FAILED)).key == "unclear"
    assert advice_for("something nobody thought of") is OTHER


def test_advice_is_whole_sentences():
    for each in (*ADVICE, OTHER):
        assert each.title[0].isupper()
        assert not each.title.endswith(".")
        assert each.what.endswith(".")
        assert len({row.key for row in ADVICE}) == len(ADVICE)
