"""What a question says about where to look: "mails from Anna since March", "in 2024", "contracts".

Filters that are typed (`kind:mail`) always hold. What plain words say is read by rule, and holds only where they
plainly speak of documents: "mails since March" does, "the rent since March" does not and is only offered. Names are
compared with the senders that the vault has, so that "from London" is no sender. The user is shown what was read and
can take it back.
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from retrieval import query as queries
from retrieval import terms
from retrieval.query import Filters

NAMES = ("folder", "kind", "from", "path", "after", "before")

_KINDS = {
    "mail": r"e-?mails?|mails?|messages",
    "letter": r"letters?",
    "invoice": r"invoices?|bills?|receipts?",
    "contract": r"contracts?|agreements?|leases",
    "statement": r"(?:bank |account |card )?statements?",
    "slides": r"slides|presentations?",
    "table": r"spreadsheets?|tables",
    "note": r"notes",
    "web": r"web pages?",
    "book": r"books|e-?books?",
}
_NOUN = "|".join(f"(?P<{kind}>{words})" for kind, words in _KINDS.items())
# "Which letters …", "list all invoices", "do we have any contracts"
_LISTED = re.compile(
    r"^(?:which|what|list|show(?: me)?|find(?: me)?|(?:are|were) there(?: any)?|do (?:i|we) have(?: any)?|all|any)\s+"
    rf"(?:(?:of|all|the|my|our|any|other)\s+)*(?P<noun>{_NOUN})\b(?<=s)",
    re.IGNORECASE,
)
# "in my mails", "among the contracts"
_INSIDE = re.compile(
    rf"\b(?:in|among|through) (?:all )?(?:of )?(?:the|my|our|all) (?P<noun>{_NOUN})\b(?<=s)", re.IGNORECASE
)
_MENTIONED = re.compile(rf"\b(?P<noun>{_NOUN})\b(?<=s)", re.IGNORECASE)

_NAME = r"(?P<who>[\w.+-]+@[\w.-]+\w|[^\W\d_][\w'’-]+(?:\s+[A-Z][\w'’-]+){0,2})"
_FROM = re.compile(rf"\s*\b(?:(?:sent|written) (?:to (?:me|us) )?)?(?:from|by)\s+(?:my\s+|our\s+)?{_NAME}")
_WROTE = re.compile(
    rf"\b(?i:did|has|had|does)\s+(?:my\s+|our\s+)?{_NAME}\s+(?:ever\s+)?(?:write|written|send|sent|e-?mail(?:ed)?|mail(?:ed)?|repl(?:y|ied))\b"
    rf"|\b{_NAME.replace('who', 'whose')}\s+(?:wrote|mailed|e-?mailed)\b"
)

_MONTHS = [name.lower() for name in calendar.month_name[1:]]
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_WHEN = (
    rf"(?:\d{{4}}-\d\d-\d\d|\d{{4}}-\d\d|(?:\d{{1,2}}(?:st|nd|rd|th)?(?: of)? )?{_MONTH}(?:,? \d{{4}})?|(?:19|20)\d\d"
    r"|(?:last|this) (?:week|month|year)|yesterday|today)"
)
# "mail from …", "letters since …", "invoices of 2024"
_QUALIFIED = re.compile(
    rf"\b(?P<noun>{_NOUN})(?=\s+(?:(?:that (?:were|was) )?(?:from|sent|received|since|dated|written)\b"
    rf"|(?:(?:in|of|on|after|before|until|during|between)\s+)?{_WHEN}\b))",
    re.IGNORECASE,
)
_DATES = re.compile(
    rf"\s*\b(?:between (?P<between>{_WHEN}) and (?P<and>{_WHEN})|(?P<how>since|after|from|before|until|in|during|of|on)"
    rf" (?P<when>{_WHEN})|(?P<bare>(?:last|this) (?:week|month|year)|yesterday|today)['’]?s?)\b"
)
_DATED = re.compile(r"\b(?:sent|received|written|dated|signed)\s*$", re.IGNORECASE)
_TAKES = re.compile(
    r"\b(?:ends?|begins?|starts?|expires?|runs?|due|lasts?|renews?|planned|booked|moves?|comes?|arrives?|leaves?)\s*$",
    re.IGNORECASE,
)
_FOLDER = re.compile(
    r"\s*\b(?:in|from|under) (?:the |my |our )?(?:folder [\"“]?(?P<after>[\w .&-]+?)[\"”]?(?=[?.!,]|$)"
    r"|[\"“]?(?P<before>[\w.&-]+(?: [\w.&-]+){0,2})[\"”]? folder\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that words of the question say about where to look."""

    filter: str
    """folder, kind, from, path, after or before"""
    value: str
    words: str
    """of the question that say it"""
    applied: bool
    """whether it holds, or is only offered"""

    def to_json(self) -> dict[str, Any]:
        """As the page gets it."""
        return {"filter": self.filter, "value": self.value, "words": self.words, "applied": self.applied}


@dataclass(frozen=True, slots=True)
class Understood:
    """A question taken apart."""

    text: str
    """what is looked for: the question without the words that became filters"""
    whole: str
    """the question without typed filters only"""
    typed: Filters
    """given, and typed as `kind:mail`"""
    filters: Filters
    """those, and what plain words say"""
    read: tuple[Read, ...]

    def asks(self) -> bool:
        """Whether anything is asked besides which documents: "invoices of 2025" asks for nothing else."""
        named = {term for each in self.read for term in terms.terms(each.words)}
        return any(term not in terms.STOP and term not in named for term in terms.terms(self.text))


def understand(db: apsw.Connection, question: str, given: Filters | None = None, *, today: dt.date) -> Understood:
    """Read a question's filters. With `given` ones, plain words are only offered: the user has chosen already.

    Raises retrieval.query.FilterError where a typed filter's value cannot be read.
    """
    parsed = queries.parse(question, given)
    whole = parsed.text
    read: list[Read] = []
    gone: list[tuple[int, int]] = []
    kind, place = _kind(whole)
    if kind and place:
        read.append(Read("kind", kind, whole[place[0] : place[1]], applied=True))
    sender, said, cut, by_mail = _sender(db, whole)
    speaks_of_mail = kind == "mail" or by_mail
    if sender:
        read.append(Read("from", sender, said, applied=speaks_of_mail))
        if speaks_of_mail and cut:
            gone.append(cut)
    # A mail is spoken of by its date; of another paper, only what follows its name at once is its own date.
    ends = None if speaks_of_mail else {place[1] for place in (place, cut) if place}
    for found in _dates(whole, ends, today):
        read.append(found[0])
        if found[0].applied:
            gone.append(found[1])
    folder = _folder(db, whole)
    if folder:
        read.append(folder[0])
        gone.append(folder[1])
    if not kind and (mentioned := _MENTIONED.search(whole)):
        read.append(Read("kind", _which(mentioned), mentioned["noun"], applied=False))
    if given:
        return Understood(whole, whole, parsed.filters, parsed.filters, tuple(_offered(read)))
    held = queries.filters(_grouped([each for each in read if each.applied]))
    return Understood(_without(whole, gone), whole, parsed.filters, joined(parsed.filters, held), tuple(read))


def _offered(read: Sequence[Read]) -> Iterator[Read]:
    return (Read(each.filter, each.value, each.words, applied=False) for each in read)


def to_json(filters: Filters) -> dict[str, Any]:
    """Filters as they go over the wire: every name is there."""
    return {
        "folder": list(filters.folder),
        "kind": list(filters.kind),
        "from": list(filters.sender),
        "path": list(filters.path),
        "after": filters.after,
        "before": filters.before,
    }


def joined(first: Filters, second: Filters) -> Filters:
    """Both: of several kinds or senders any, of dates the narrower."""
    a, b = to_json(first), to_json(second)
    lists = {name: [*dict.fromkeys(a[name] + b[name])] for name in ("folder", "kind", "from", "path")}
    dates = {name: [each for each in (a[name], b[name]) if each] for name in ("after", "before")}
    return queries.filters({**lists, **dates})


def _grouped(read: Sequence[Read]) -> Mapping[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for each in read:
        grouped.setdefault(each.filter, []).append(each.value)
    return grouped


def _which(found: re.Match[str]) -> str:
    return next(kind for kind in _KINDS if found[kind])


def _kind(text: str) -> tuple[str, tuple[int, int] | None]:
    for pattern in (_LISTED, _QUALIFIED, _INSIDE):
        if found := pattern.search(text):
            return _which(found), found.span("noun")
    return "", None


def _sender(db: apsw.Connection, text: str) -> tuple[str, str, tuple[int, int] | None, bool]:
    """A sender of the vault's mail who is named: as a filter's value, the words, what to cut out, whether the words
    speak of mail."""
    for pattern, by_mail in ((_WROTE, True), (_FROM, False)):
        for found in pattern.finditer(text):
            named = found["who"] or (found["whose"] if pattern is _WROTE else "")
            words = named.removesuffix("'s").removesuffix("’s").split()
            # "from Anna about the roof": the longest run of words that is a sender's name
            for count in range(len(words), 0, -1):
                name = " ".join(words[:count])
                if len(name) > 2 and _sends(db, name):
                    cut = None if by_mail else (found.start(), found.start("who") + len(name))
                    return (
                        name,
                        name if by_mail else text[found.start() : found.start("who") + len(name)].strip(),
                        cut,
                        by_mail,
                    )
    return "", "", None, False


def _sends(db: apsw.Connection, name: str) -> bool:
    """Whether `name` stands, as whole words or an address, in a sender."""
    rows = db.execute("SELECT DISTINCT sender FROM document WHERE instr(lower(sender), lower(?)) LIMIT 20", (name,))
    whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    return any(whole.search(str(sender)) for (sender,) in rows)


def _folder(db: apsw.Connection, text: str) -> tuple[Read, tuple[int, int]] | None:
    for found in _FOLDER.finditer(text):
        name = (found["after"] or found["before"]).strip()
        for column, held in (("folder", "folder WHERE"), ("path", "file WHERE")):
            if db.execute(f"SELECT 1 FROM {held} instr(lower(shown), lower(?)) LIMIT 1", (name,)).get:
                return Read(column, name, found[0].strip(), applied=True), found.span()
    return None


def _dates(text: str, ends: set[int] | None, today: dt.date) -> Iterator[tuple[Read, tuple[int, int]]]:
    """Times that are named, with their places. They hold where something ends of whose date they speak (None: where no
    verb before them takes them for its own)."""
    for found in _DATES.finditer(text):
        before_it = text[: found.start()]
        own = found.start() in ends if ends is not None else not _TAKES.search(before_it)
        applied = own or bool(_DATED.search(before_it))
        words = found[0].strip()
        how = (found["how"] or "in").lower()
        first = _period(found["between"] or found["when"] or found["bare"], today)
        last = _period(found["and"], today) if found["and"] else first
        if first is None or last is None:
            continue
        after: dt.date | None = first[0]
        before: dt.date | None = last[1]
        if how in ("since", "from"):
            before = None
        elif how == "after":
            after, before = first[1], None
        elif how in ("before", "until"):
            after, before = None, first[0] if how == "before" else first[1]
        if after:
            yield Read("after", after.isoformat(), words, applied), found.span()
        if before:
            yield Read("before", before.isoformat(), words, applied), found.span()


def _period(words: str, today: dt.date) -> tuple[dt.date, dt.date] | None:
    """The first day of a time, and the day after its last. A month without a year is the last one that has begun."""
    text = words.lower()
    day = dt.timedelta(days=1)
    match text:
        case "today":
            return today, today + day
        case "yesterday":
            return today - day, today
        case "this week" | "last week":
            monday = today - dt.timedelta(days=today.weekday() + (7 if text[0] == "l" else 0))
            return monday, monday + dt.timedelta(days=7)
        case "this month":
            return _month(today.year, today.month)
        case "last month":
            end = today.replace(day=1)
            return (end - day).replace(day=1), end
        case "this year" | "last year":
            year = today.year - (text[0] == "l")
            return dt.date(year, 1, 1), dt.date(year + 1, 1, 1)
    try:
        if re.fullmatch(r"\d{4}", text):
            return dt.date(int(text), 1, 1), dt.date(int(text) + 1, 1, 1)
        if re.fullmatch(r"\d{4}-\d\d", text):
            return _month(int(text[:4]), int(text[5:]))
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            found = dt.date.fromisoformat(text)
            return found, found + day
        number = next(n for n, name in enumerate(_MONTHS, start=1) if name in text)
        stated = re.search(r"\d{4}", text)
        year = int(stated[0]) if stated else today.year - (number > today.month)
        on = re.match(r"(\d{1,2})(?!\d)", text)
        if on:
            found = dt.date(year, number, int(on[1]))
            return found, found + day
        return _month(year, number)
    except (ValueError, OverflowError):
        return None


def _month(year: int, month: int) -> tuple[dt.date, dt.date]:
    return dt.date(year, month, 1), dt.date(year + month // 12, month % 12 + 1, 1)


def _without(text: str, gone: Sequence[tuple[int, int]]) -> str:
    """The text less those places; whole, if hardly a word were left."""
    kept = "".join(each for at, each in enumerate(text) if not any(start <= at < end for start, end in gone))
    kept = re.sub(r"\s+([?.!,])", r"\1", " ".join(kept.split()))
    return kept if re.search(r"\w{3}", kept) else text
