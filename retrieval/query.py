"""A question as typed: its filters, its quoted phrases, its identifiers and its words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retrieval import terms
from vault.errors import StrongroomError

MOST_CHARACTERS = 10_000
"""Of a question; the rest is not looked at. The embedding model reads its first 256 tokens anyway."""

_FILTER = re.compile(r"(?<!\S)(folder|kind|from|after|before|path):(?:\"([^\"]*)\"|(\S+))", re.IGNORECASE)
_PHRASE = re.compile(r"[\"“]([^\"“”]{2,200})[\"”]")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


class FilterError(StrongroomError):
    """A filter's value cannot be read."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What passages must come from; empty ones let everything through, several values of one mean any of them."""

    folder: tuple[str, ...] = ()
    """part of a watched folder's path, without case"""
    kind: tuple[str, ...] = ()
    """mail, contract, statement, …"""
    sender: tuple[str, ...] = ()
    """part of a mail's sender, name or address, without case"""
    path: tuple[str, ...] = ()
    """part of a file's path or part, without case; * stands for anything"""
    after: str | None = None
    """ISO 8601 date, included"""
    before: str | None = None
    """ISO 8601 date, not included"""

    def __bool__(self) -> bool:
        return any((self.folder, self.kind, self.sender, self.path, self.after, self.before))


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for."""

    text: str
    """the question without its filters: what the embedding model reads"""
    filters: Filters
    words: tuple[str, ...]
    """distinct terms, stop words left out unless there is nothing else"""
    identifiers: tuple[str, ...]
    """terms that may name one thing, those that only this index can tell among them; a passage with one comes first"""
    phrases: tuple[str, ...]
    """what stood in quotation marks, normalised; a passage that has it verbatim is preferred"""


def parse(question: str, given: Filters | None = None) -> Query:
    """Take a question apart. Filters `given` as options are joined with those typed in the question.

    Raises FilterError where a filter's value cannot be read.
    """
    question = question[:MOST_CHARACTERS]
    typed: dict[str, list[str]] = {}
    for match in _FILTER.finditer(question):
        typed.setdefault(match[1].lower(), []).append(match[2] or match[3] or "")
    text = " ".join(_FILTER.sub(" ", question).split())
    merged = _joined(given or Filters(), filters(typed))
    found = list(dict.fromkeys(terms.terms(text)))
    words = [word for word in found if word not in terms.STOP] or found
    phrases = tuple(filter(None, (" ".join(terms.normal(p).split()) for p in _PHRASE.findall(text))))
    named = dict.fromkeys((*terms.identifiers(text), *terms.joined_neighbours(text)))
    return Query(text, merged, tuple(words), tuple(named), phrases)


def filters(given: Mapping[str, Any]) -> Filters:
    """Filters from options: `folder`, `kind`, `from` (or `sender`), `path`: one or several; `after`, `before`: a date.

    Raises FilterError for a name that is none of these or a date that cannot be read.
    """
    lists: dict[str, tuple[str, ...]] = {}
    dates: dict[str, str] = {}
    for name, value in given.items():
        values = tuple(str(v) for v in ([value] if isinstance(value, str) else value or ()) if str(v))
        match name:
            case "folder" | "kind" | "path":
                lists[name] = values
            case "from" | "sender":
                lists["sender"] = lists.get("sender", ()) + values
            case "after" | "before":
                if values:
                    dates[name] = (max if name == "after" else min)(map(_day, values))
            case _:
                raise FilterError(f"there is no filter {name!r}", "use folder, kind, from, after, before or path")
    return Filters(
        lists.get("folder", ()),
        lists.get("kind", ()),
        lists.get("sender", ()),
        lists.get("path", ()),
        dates.get("after"),
        dates.get("before"),
    )


def seconds(day: str) -> float:
    """The start of a filter's day, UTC, as seconds since 1970."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def _day(value: str) -> str:
    match = _DATE.fullmatch(value.strip())
    hint = "write it as 2024, 2024-03 or 2024-03-31"
    if match is None:
        raise FilterError(f"{value!r} is not a date", hint)
    try:
        return datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=UTC).date().isoformat()
    except ValueError as error:
        raise FilterError(f"{value!r} is not a date", hint) from error


def _joined(a: Filters, b: Filters) -> Filters:
    return Filters(
        a.folder + b.folder,
        a.kind + b.kind,
        a.sender + b.sender,
        a.path + b.path,
        max(filter(None, (a.after, b.after)), default=None),
        min(filter(None, (a.before, b.before)), default=None),
    )
