"""What a writer's process is told and what it says: a JSON object a line, of which the engine believes nothing.

To the process:
    {"write": number, …the fields of `generation.writing.Request`}
    {"cancel": number}
From it, in this order:
    {"lock": report}, {"facts": …of `generation.gguf.ModelFacts`}, {"loading": percent} many times, {"ready": {…}},
    and for each request {"heard": [stage, tokens, of]} and {"line": [tokens, text, numbers]} many times, {"written": …}
    {"failed": [kind, message, hint]} instead of what would follow; kind one of unavailable, unreadable, died
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any

from engine.wire import InvalidRecordError
from generation.gguf import ModelFacts
from generation.writing import LONGEST_STATEMENT, Heard, Line, Request, Turn, Written

MAX_LINE = 1 << 20  # bytes, of what the process says
_TEXT = 2000  # characters of any text but a statement
_MOST = 1 << 62
_MOST_LINES = 64
_KINDS = ("unavailable", "unreadable", "died")
_STAGES = ("reading", "writing")
_ENDS = ("stop", "length", "cancelled")


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""

    context: int
    """tokens, prompt and answer together"""
    threads: int
    gpu: bool
    """whether the weights are on a graphics card"""
    note: str
    """why the model's own chat template is not used; empty where it is"""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing more will come of this, and why."""

    kind: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock of the process, as its report says (`engine.lock.Report.to_json`)."""

    report: dict[str, Any]


Answer = Locked | ModelFacts | Ready | Failed | Heard | Written


def encode_request(number: int, request: Request) -> bytes:
    """Return the request as a line."""
    return _line({"write": number, **asdict(request)})


def encode_cancel(number: int) -> bytes:
    """Return the wish to end this request as a line."""
    return _line({"cancel": number})


def decode_request(value: dict[str, Any]) -> Request:
    """Return the request that the engine, which is trusted, has sent."""
    given: dict[str, Any] = {each.name: value[each.name] for each in fields(Request)}
    for key in ("blocks", "numbers", "earlier"):
        given[key] = tuple(given[key])
    given["turns"] = tuple(Turn(**each) for each in given["turns"])
    return Request(**given)


def encode(answer: Answer) -> bytes:
    """Return what the process says as a line."""
    match answer:
        case Locked():
            return _line({"lock": answer.report})
        case ModelFacts():
            return _line({"facts": answer.to_json()})
        case Ready():
            return _line({"ready": asdict(answer)})
        case Failed():
            return _line({"failed": [answer.kind, answer.message[:_TEXT], answer.hint[:_TEXT]]})
        case Heard(stage="loading"):
            return _line({"loading": answer.tokens})
        case Heard(line=Line() as line):
            return _line({"line": [answer.tokens, line.text, line.numbers]})
        case Heard():
            return _line({"heard": [answer.stage, answer.tokens, answer.of]})
        case Written():
            return _line({"written": asdict(answer)})


def _line(value: dict[str, Any]) -> bytes:
    # ASCII: half a surrogate pair, which a mail may hold, passes as an escape.
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes, offered: Collection[int]) -> Answer:
    """Return what the line says; `offered` are the passages that may be cited. Raises InvalidRecordError."""
    try:
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError(f"not JSON: {type(error).__name__}") from error
    if type(value) is not dict or len(value) != 1:
        raise InvalidRecordError("not an object with one key")
    ((key, body),) = value.items()
    match key:
        case "lock":
            return Locked(_report(body))
        case "facts":
            return _facts(body)
        case "loading":
            return Heard("loading", _integer(body, 0, 100), 100)
        case "ready":
            _same(body, Ready)
            context, threads = _integer(body["context"], 1, _MOST), _integer(body["threads"], 1, 1 << 16)
            return Ready(context, threads, _true_or_false(body["gpu"]), _text(body["note"]))
        case "heard" if type(body) is list and len(body) == 3 and body[0] in _STAGES:
            return Heard(body[0], _integer(body[1], 0, _MOST), _integer(body[2], 0, _MOST))
        case "line" if type(body) is list and len(body) == 3:
            said = _said([body[1], body[2]], offered)
            return Heard("writing", _integer(body[0], 0, _MOST), 0, said)
        case "written":
            return _written(body, offered)
        case "failed" if type(body) is list and len(body) == 3 and body[0] in _KINDS:
            return Failed(body[0], _text(body[1]), _text(body[2]))
    raise InvalidRecordError("no known record")


def _same(body: Any, of: type) -> None:
    if type(body) is not dict or set(body) != {each.name for each in fields(of)}:
        raise InvalidRecordError("fields missing or unknown")


def _report(body: Any) -> dict[str, Any]:
    """Return a lock's report: text, numbers and lists of text, all short."""
    if type(body) is not dict or len(body) > 20:
        raise InvalidRecordError("no small object")
    for key, value in body.items():
        _text(key)
        for each in value if type(value) is list and len(value) < 100 else [value]:
            if type(each) is not bool and type(each) is not int:
                _text(each)
    return body


def _facts(body: Any) -> ModelFacts:
    _same(body, ModelFacts)
    for key in ("name", "architecture", "quantisation", "licence"):
        _text(body[key])
    for key in ("parameters", "context", "bytes", "vocabulary", "weights", "per_token"):
        _integer(body[key], 0, _MOST)
    _true_or_false(body["has_template"])
    return ModelFacts(**body)


def _written(body: Any, offered: Collection[int]) -> Written:
    _same(body, Written)
    lines = body["lines"]
    if type(lines) is not list or len(lines) > _MOST_LINES:
        raise InvalidRecordError("lines are no short list")
    for key in ("dropped", "prompt_tokens", "evaluated_tokens", "tokens"):
        _integer(body[key], 0, _MOST)
    for key in ("seconds_to_first", "seconds"):
        if type(body[key]) not in (int, float) or not 0 <= body[key] < 1e9:
            raise InvalidRecordError("seconds are not a number")
    _true_or_false(body["refused"])
    if body["ended"] not in _ENDS or (body["refused"] and lines):
        raise InvalidRecordError("no known end")
    said = tuple(_said(list(each.values()) if type(each) is dict else each, offered) for each in lines)
    return Written(**{**body, "lines": said})


def _said(body: Any, offered: Collection[int]) -> Line:
    """Return a statement: its words are words, and its numbers were offered."""
    if type(body) is not list or len(body) != 2 or type(body[1]) is not list or not 0 < len(body[1]) <= len(offered):
        raise InvalidRecordError("no statement with its numbers")
    text, numbers = _text(body[0], LONGEST_STATEMENT), body[1]
    if not text or "\n" in text or any(type(each) is not int or each not in offered for each in numbers):
        raise InvalidRecordError("a statement that nobody can have written")
    return Line(text, tuple(numbers))


def _integer(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:  # not bool, which is an int
        raise InvalidRecordError(f"not a whole number from {low} to {high}")
    return value


def _true_or_false(value: Any) -> bool:
    if type(value) is not bool:
        raise InvalidRecordError("neither true nor false")
    return value


def _text(value: Any, longest: int = _TEXT) -> str:
    if type(value) is not str or len(value) > longest:
        raise InvalidRecordError(f"not a text of at most {longest} characters")
    if any(ord(each) < 32 or 0xD800 <= ord(each) < 0xE000 for each in value):
        raise InvalidRecordError("a control character, or half a surrogate pair")
    return value


def _no_constant(name: str) -> Any:
    raise InvalidRecordError(f"{name} is not JSON")
