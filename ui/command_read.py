"""Commands that read: search, list, show, status."""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

from ui import render
from ui.command_session import Given, engine, running
from ui.terminal import say, say_json, tell
from vault.errors import StrongroomError

_PAGE = 200  # rows an answer holds at most
_TEXT = 20_000  # characters an answer holds at most
_MOST_LINE = 1 << 20  # characters of a query on standard input


def filters(options: argparse.Namespace) -> dict[str, Any]:
    """The filters that were given as options, as the engine takes them."""
    given = {
        "folder": options.folder,
        "kind": options.kind,
        "from": options.sender,
        "path": options.path,
        "after": options.after,
        "before": options.before,
    }
    return {name: value for name, value in given.items() if value}


def _prompted(given: Given, prompt: str) -> str:
    try:
        return given.keyboard.line(prompt).strip()
    except EOFError:
        return ""


def search(given: Given, options: argparse.Namespace) -> int:
    """Print the passages nearest to a query, or to each line of standard input."""
    typed = " ".join(options.query)
    if typed and options.stdin:
        raise StrongroomError("a query and --stdin were given", "give one of the two")
    if not typed and not options.stdin:
        typed = _prompted(given, "search for: ")
    with engine(given) as client:
        for query in _lines() if options.stdin else [typed]:
            if not query.strip():
                if options.stdin:  # an empty line is an empty answer, so that lines of output match those of input
                    say_json([]) if given.json else say("")
                    continue
                raise StrongroomError("there is nothing to search for", "give some words, or --stdin")
            hits = client.call("search", query=query, k=options.count, filters=filters(options))["hits"]
            if given.json:
                say_json(hits)
            else:
                say(*render.hits(hits, given.style))
    return 0


def _lines() -> Iterator[str]:
    for line in iter(lambda: sys.stdin.readline(_MOST_LINE), ""):
        yield line.rstrip("\r\n")


def list_(given: Given, options: argparse.Namespace) -> int:
    """List documents, or files with their states."""
    state = "failed" if options.failed else options.state
    wants_files = options.files or bool(state)
    method = "files" if wants_files else "documents"
    if wants_files and options.kind:
        raise StrongroomError("files have no kind", "leave out --kind, or --files and --state")
    asked: dict[str, Any] = {"text": " ".join(options.text), "descending": options.descending}
    if options.sort:
        asked["sort"] = options.sort
    if wants_files:
        asked["state"] = state or ""
    else:
        asked["kind"] = options.kind or ""
    rows: list[dict[str, Any]] = []
    with engine(given) as client:
        while True:
            wanted = _PAGE if options.all else min(_PAGE, options.count - len(rows))
            page = client.call(method, **asked, offset=options.offset + len(rows), limit=max(wanted, 1))
            rows += page["rows"][:wanted]
            if not page["rows"] or wanted <= 0 or options.offset + len(rows) >= page["total"]:
                break
            if not options.all and len(rows) >= options.count:
                break
    if given.json:
        say_json({"total": page["total"], "rows": rows})
        return 0
    say(*(render.files if wants_files else render.documents)(rows, given.style))
    if len(rows) < page["total"]:
        tell(f"{len(rows):,} of {page['total']:,}; --all shows all, --offset goes on")
    elif not rows:
        tell("nothing is there" if not options.text and not state else "nothing is there that fits")
    return 0


def named(name: str) -> str:
    """What was typed as a document: a path made absolute, or an id as it is."""
    looks_like_id = len(name) >= 8 and set(name) <= set("0123456789abcdef")
    if looks_like_id and not os.path.lexists(name):
        return name
    return os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))


def show(given: Given, options: argparse.Namespace) -> int:
    """Print a document's properties and its text."""
    with engine(given) as client:
        found = client.call("document", id=named(options.document))
        pieces: list[str] = []
        concealed: list[tuple[int, int]] = []
        at, end = options.start, options.end
        while end is None or at < end:
            piece = client.call("document.text", id=found["id"], start=at, end=end)
            pieces.append(piece["text"])
            concealed += [(b["start"], b["end"]) for b in piece["blocks"] if b["kind"] == "hidden"]
            at = piece["end"]
            if at >= piece["total"] or not piece["text"]:
                break
    text = "".join(pieces)
    if given.json:
        say_json({**found, "start": options.start, "text": text, "hidden": sorted(set(concealed))})
        return 0
    told = render.with_hidden(text, options.start, sorted(set(concealed)), given.style)
    if options.text:
        say(told if sys.stdout.isatty() else text)
    else:
        say(*render.document(found, told, given.style))
    return 0


def status(given: Given, _options: argparse.Namespace) -> int:
    """Print what goes on. Asks for no passphrase."""
    with running(given) as client:
        if client is None:
            from vault.vault import HEADER_NAME

            exists = (given.vault / HEADER_NAME).exists()
            found = {"vault": str(given.vault), "state": "locked" if exists else "none", "running": False}
        else:
            found = {**client.call("status"), "running": True}
    if given.json:
        say_json(found)
    else:
        say(*render.status(found, given.style))
    return 0
