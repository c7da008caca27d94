"""What the commands print for people: answers, hits, lists. Text of documents goes through `terminal`, always."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ui import purging, shown
from ui.terminal import Style, columns, cut, plain, prose, wrapped

_QUOTE_LINES = 4  # of a passage in a list of hits
_REMOVED = {
    "attachments": "attachment",
    "chunks": "passage",
    "vectors": "vector",
    "paths": "place",
    "files": "file name",
    "turns": "answer in the history",
}
_PLURALS = {"turns": "answers in the history"}


def place(hit: Mapping[str, Any]) -> str:
    """Where a hit stands: `~/Mail/2026.mbox, 3, page 2`."""
    where = [short(hit["path"])]
    if hit["part"]:
        where.append(plain(hit["part"]))
    if hit["page"]:
        where.append(f"page {hit['page']}")
    return ", ".join(where)


def short(path: str) -> str:
    """A path with the home folder as `~`."""
    home = os.path.expanduser("~")
    inside = home not in ("", "/") and (path == home or path.startswith(home + "/"))
    return plain("~" + path[len(home) :] if inside else path)


class Sources:
    """The documents' places that an answer cites, numbered in the order in which they are first named."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._hits: list[Mapping[str, Any]] = []

    def marks(self, citations: Sequence[Mapping[str, Any]]) -> str:
        """The numbers of citations: `[1] [3]`."""
        found = []
        for citation in citations:
            key = (citation["document"], citation["path"], citation["part"], citation["page"])
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers) + 1
                self._hits.append(citation)
            found.append(f"[{self._numbers[key]}]")
        return " ".join(dict.fromkeys(found))

    def lines(self, style: Style) -> list[str]:
        """One line for each place."""
        return [source(number, hit, style) for number, hit in enumerate(self._hits, start=1)]


def answer(found: Mapping[str, Any], style: Style, *, left_out: bool = False) -> list[str]:
    """How the question was understood, the statements, each with the numbers of its citations, then the citations; or
    that there is no answer. `left_out` also prints what the passages do not say."""
    sources = Sources()
    lines = understood(found, style)
    for each in found["statements"]:
        lines += statement(each, sources, style)
    return lines + rest(found, sources, style, left_out=left_out)


def understood(found: Mapping[str, Any], style: Style) -> list[str]:
    """The question as it was looked for, and where, if that is not what was typed."""
    told = []
    if found.get("full_question", "") not in found.get("question", ""):  # part of it: without its typed filters
        told.append(f"understood as: {plain(found['full_question'])}")
    where = [
        f"{name} {', '.join(map(plain, value)) if isinstance(value, list) else plain(value)}"
        for name, value in (found.get("filters") or {}).items()
        if value
    ]
    if where:
        told.append(f"looked only at: {'; '.join(where)}")
    return [*(style.faint(each) for each in told), *([""] if told else [])]


def statement(each: Mapping[str, Any], sources: Sources, style: Style) -> list[str]:
    """A statement with the numbers of its citations, and what is to be known of it."""
    text = wrapped(each["text"], each.get("marks", ()), style=style)
    lines = [f"{text} {style.faint(sources.marks(each['citations']))}"]
    if not each["supported"]:
        lines.append(style.bad("the passages cited do not say this"))
    if each.get("note"):
        lines.append(wrapped(f"({each['note']})", style=style, indent="  "))
    return [*lines, ""]


def rest(found: Mapping[str, Any], sources: Sources, style: Style, *, left_out: bool = False) -> list[str]:
    """What follows the statements."""
    lines: list[str] = []
    if left_out:
        for each in found.get("left_out", ()):
            lines += statement(each, sources, style)
    elif number := len(found.get("left_out", ())):
        it = "it is" if number == 1 else "they are"
        lines.append(
            style.faint(f"{shown.count(number, 'statement')} left out: {it} not in the passages (--left-out shows)")
        )
    if found.get("dropped"):
        lines.append(style.faint(f"{shown.count(found['dropped'], 'passage')} did not fit into the model's context"))
    if found.get("cancelled"):
        lines.append(style.faint("stopped; these are the statements that were whole by then"))
    if found.get("fell_back"):
        why = wrapped(f"in the documents' own words: {found['fell_back']}", style=style)
        lines.append(style.bad(why))
    if lines and lines[-1]:
        lines.append("")
    if found["abstained"]:
        lines += [wrapped(found["missing"] or "nothing in the vault answers this", style=style), ""]
        if found["nearest"]:
            lines += [style.strong("nearest passages")]
            lines += [line for hit in found["nearest"] for line in passage(hit, style)]
        return lines
    return [*lines, *sources.lines(style)]


def source(number: int, hit: Mapping[str, Any], style: Style) -> str:
    """One line: number, place, and for mail who wrote it and when."""
    told = [place(hit)]
    if hit["sender"]:
        told.append(plain(hit["sender"]))
    if hit["date"]:
        told.append(shown.date(hit["date"]))
    others = len(hit["other_paths"])
    if others:
        told.append(f"and at {shown.count(others, 'other place')}")
    return f"{style.faint(f'[{number}]')} {' · '.join(told)}"


def passage(hit: Mapping[str, Any], style: Style) -> list[str]:
    """A hit: its rank and place, then the beginning of its text."""
    title = f"{plain(hit['title'])} · " if hit["title"] else ""
    head = f"{hit['rank']}. {style.strong(title)}{source(0, hit, Style(colours=False)).removeprefix('[0] ')}"
    quoted = wrapped(hit["quote"], hit.get("marks", ()), style=style, indent="   ").split("\n")
    if len(quoted) > _QUOTE_LINES:
        quoted = [*quoted[: _QUOTE_LINES - 1], "   …"]
    return [head, *quoted, ""]


def hits(found: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    """Search results, best first."""
    return [line for hit in found for line in passage(hit, style)] or ["nothing was found"]


def status(found: Mapping[str, Any], style: Style) -> list[str]:
    """What the engine says of itself."""
    life = {"none": "there is none yet", "ending": "locking"}.get(found["state"], found["state"])
    if found.get("idle_locked"):
        why = {"idle": " after a while without use", "sleep": " because the machine was asleep"}
        life = f"locked{why.get(str(found.get('locked_by')), '')}; its folders are watched"
    lines = [f"vault    {short(found['vault'])} ({life})"]
    if not found.get("running", True):
        lines.append("engine   not running: `strongroom open` starts it")
    if "folders" not in found:
        return lines
    lines += [f"folder   {line}" for line in folders(found["folders"], style)]
    states = found["files"]
    told = [f"{number:,} {state}" for state, number in sorted(states.items(), key=lambda pair: -pair[1])]
    lines.append(f"files    {', '.join(told) or 'none yet'}")
    lines.append(
        f"index    {shown.count(found['documents'], 'document')}, {shown.count(found['chunks'], 'passage')},"
        f" {found['vectors']:,} of them also by meaning"
    )
    if found["to_do"] or found.get("scanning"):
        left = shown.left(found["seconds_left"]) if found.get("seconds_left") is not None else ""
        now = ", ".join(filter(None, [f"{found['to_do']:,} to do", left, ", ".join(map(plain, found["current"][:2]))]))
        lines.append(f"now      {now}")
    if found.get("reason"):
        lines.append(f"         {style.bad(plain(found['reason']))}")
    if model := found["embedding"]["problem"]:
        lines.append(f"model    {style.bad(plain(model))}")
    elif found["embedding"]["coming"] and not found["embedding"]["stands_in"]:
        left = found["embedding"]["left"]
        passages = f", {shown.count(left, 'passage')} to go" if left else ""
        lines.append(f"model    {plain(found['embedding']['coming'])} is to find from now on{passages}")
    if shredding := purging.under_way(found["shredding"]):
        lines.append(f"purged   {plain(shredding)}")
    minutes = found["auto_lock_minutes"]
    lines.append(f"lock     after {minutes:g} minutes without use" if minutes else "lock     never by itself")
    return lines


def folders(rows: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    """One line a folder."""
    lines = []
    for row in rows:
        state = "paused" if row["paused"] and row["state"] != "kept" else row["state"]
        told = [shown.count(row["files"], "file")]
        if row["to_do"]:
            told.append(f"{row['to_do']:,} to do")
        if row["failed"]:
            told.append(style.bad(f"{row['failed']:,} failed"))
        reason = f": {plain(row['reason'])}" if row["reason"] else ""
        lines.append(f"{short(row['path'])}  {state}{reason}; {', '.join(told)}")
    return lines or ["none yet: `strongroom add FOLDER` adds one"]


def models(found: Mapping[str, Any], style: Style) -> list[str]:
    """A table of the models that were added; `*` is the one in use."""
    if not found["rows"]:
        return ["none yet: `strongroom model add FILE` adds one; docs/how-to/choose-a-model.md names some"]
    states = {"missing": "its file is not there", "changed": "its file was changed: add it again"}
    table = [
        ("  name", "size", "quantisation", "licence", "context", "memory", ""),
        *(
            (
                f"{'*' if row['used'] else ' '} {cut(plain(row['name']), 40)}",
                shown.size(row["size"]),
                cut(plain(row["quantisation"]), 12),
                cut(plain(row["licence"] or "not said"), 20),
                f"{row['context']:,}",
                shown.size(row["memory"]),
                states.get(row["state"], ""),
            )
            for row in found["rows"]
        ),
    ]
    widths = [max(columns(row[at]) for row in table) for at in range(6)]
    lines = []
    for number, row in enumerate(table):
        cells = [each + " " * (width - columns(each)) for each, width in zip(row, widths, strict=False)]
        line = "  ".join(cells).rstrip()
        state = f"  {style.bad(row[6])}" if row[6] else ""
        lines.append((style.faint(line) if not number else line) + state)
        if number:
            told = found["rows"][number - 1]
            lines.append(style.faint(f"    {short(told['path'])}, SHA-256 {plain(told['id'][:16])}…"))
    gpu = found["gpu"]
    built = f" (llama.cpp is built with {', '.join(gpu['built'])})" if gpu["built"] else ""
    hint = "; `strongroom settings model-gpu yes` lets a model use it" if gpu["built"] and not gpu["chosen"] else ""
    return [*lines, f"  graphics card: {gpu['words']}{built}{hint}"]


def conversations(rows: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    """One line a conversation: the start of its id, when, its first question."""
    lines = []
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started"]))
        more = style.faint(f" (+{row['turns'] - 1})") if row["turns"] > 1 else ""
        lines.append(f"{style.faint(row['id'][:8])}  {when}  {cut(plain(row['question'] or ''), 72)}{more}")
    return lines


def documents(rows: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    """One line a document: the start of its id, date, kind, title, first place."""
    lines = []
    for row in rows:
        where = short(row["paths"][0]) if row["paths"] else ""
        more = f" (+{len(row['paths']) - 1})" if len(row["paths"]) > 1 else ""
        date = plain((row["date"] or "")[:10])
        title = cut(plain(row["title"] or os.path.basename(row["paths"][0] if row["paths"] else "")), 48)
        pad = " " * (48 - columns(title))
        lines.append(f"{style.faint(row['id'][:12])}  {date:10}  {plain(row['kind']):9}  {title}{pad}  {where}{more}")
        if row["note"]:
            lines.append(style.faint(f"{'':14}{plain(row['note'])}"))
    return lines


def files(rows: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    """One line a file: state, size, path, and the reason for its state."""
    lines = []
    for row in rows:
        state = f"{row['state']:11}"
        coloured = style.bad(state) if row["state"] == "failed" else state
        reason = f": {plain(row['reason'])}" if row["reason"] else ""
        lines.append(f"{coloured} {shown.size(row['size']):>7}  {short(row['path'])}{reason}")
    return lines


def with_hidden(text: str, start: int, hidden: Sequence[tuple[int, int]], style: Style) -> str:
    """A stretch of a document for a terminal, from code point `start` on; what it hides from its reader's eyes
    (`hidden`, half-open, in order) is named as that."""
    pieces: list[str] = []
    at = start
    for first, last in hidden:
        low, high = max(first, at), min(last, start + len(text))
        if low < high:
            inside = prose(text[low - start : high - start])
            pieces += [prose(text[at - start : low - start]), style.faint(f"⟦hidden in the document: {inside}⟧")]
            at = high
    return "".join((*pieces, prose(text[at - start :])))


def document(found: Mapping[str, Any], text: str, style: Style) -> list[str]:
    """A document's properties, then its text, which went through `with_hidden`."""
    lines = [style.strong(plain(found["title"]) or "(no title)")]
    named = {
        "from": found["sender"],
        "to": found["recipients"],
        "date": found["date"],
        "kind": found["kind"],
        "pages": found["pages"],
        "note": found["note"],
        "id": found["id"],
    }
    lines += [f"{name:8} {plain(value)}" for name, value in named.items() if value]
    for where in found["places"]:
        part = f", {plain(where['part'])}" if where["part"] else ""
        lines.append(f"{'in':8} {short(where['path'])}{part}")
    for attached in found["attachments"]:
        lines.append(f"{'with':8} {plain(attached['title'] or attached.get('part', ''))} ({attached['id'][:12]})")
    return [*lines, "", text]


def preview(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a purge would take."""
    lines = []
    for each in found:
        with_it = f", with {shown.count(each['attachments'], 'attachment')}" if each["attachments"] else ""
        lines.append(f"  {plain(each['title']) or '(no title)'} ({plain(each['kind'])}{with_it})")
        lines += [f"    {short(path)}" for path in each["paths"]]
    return lines


def receipt(found: Mapping[str, Any], style: Style) -> list[str]:
    """What a purge removed, what was looked for afterwards, and what it does not cover."""
    removed = found["removed"]
    told = [
        shown.count(removed[key], name, _PLURALS.get(key, "")) for key, name in _REMOVED.items() if removed.get(key)
    ]
    lines = [f"purged {shown.count(removed['documents'], 'document')}: {', '.join(told)}"]
    verdict = style.good("nothing was found") if found["confirmed"] else style.bad("something was found, see below")
    lines.append(f"looked for it afterwards in {shown.count(len(found['checks']), 'place')}: {verdict}")
    for check in found["checks"]:
        line = f"{plain(check['what'])} in {plain(check['where'])}: {check['found']:,} found"
        lines.append("  " + (style.bad(line) if check["found"] else style.faint(line)))
    if found["elsewhere"]:
        lines.append(
            f"some of the same text stands in {shown.count(found['elsewhere'], 'other document')}, which stayed"
        )
    tone, words = purging.stage(found)
    lines.append({"good": style.good, "bad": style.bad}.get(tone, str)(plain(words)))
    for tone, path, words in purging.backups(found):
        lines.append((style.bad if tone == "bad" else str)(f"backup {short(path)}, {plain(words)}"))
    if not found["backups"]:
        lines.append(purging.NO_BACKUPS)
    lines.append("not covered by this:")
    lines += [wrapped(f"- {each}", style=style, indent="  ") for each in found["not_covered"]]
    return lines
