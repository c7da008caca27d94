"""Questions asked before: strongroom history list, search, show, remove, export."""

import argparse
from typing import Any

from ui import render
from ui.command_session import Caller, Given, engine
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError

_PAGE = 50  # conversations that are listed unless more are wanted


def history(given: Given, options: argparse.Namespace) -> int:
    """Do what the word after `history` says; list the conversations without one."""
    action = options.action or "list"
    words = " ".join(options.words)
    if action != "list" and not words:
        wanted = "WORDS" if action == "search" else "ID"
        raise StrongroomError(
            f"`strongroom history {action}` needs {wanted}",
            "`strongroom history` lists the conversations with their ids",
        )
    with engine(given) as client:
        match action:
            case "list" | "search":
                _list(given, client, words, options)
            case "show":
                found = client.call("conversation", id=words)
                if not found["answers"]:
                    raise StrongroomError(f"no conversation is called {words!r}", "`strongroom history` lists them")
                if given.json:
                    say_json(found)
                else:
                    for each in found["answers"]:
                        say(given.style.strong(plain(each["question"])), "", *render.answer(each, given.style), "")
            case "remove":
                found = client.call("conversation.remove", id=words)
                say_json(found) if given.json else tell("removed")
            case "export":
                found = client.call("conversation.export", id=words, format=options.format)
                say_json(found) if given.json else say(found["text"])
    return 0


def _list(given: Given, client: Caller, words: str, options: argparse.Namespace) -> None:
    found: dict[str, Any] = client.call(
        "conversations", text=words, offset=options.offset, limit=min(options.count or _PAGE, 200)
    )
    if given.json:
        say_json(found)
        return
    say(*render.conversations(found["rows"], given.style))
    if options.offset + len(found["rows"]) < found["total"]:
        tell(f"{len(found['rows']):,} of {found['total']:,}; --offset goes on")
    elif not found["rows"]:
        tell("nothing that fits" if words else "nothing was asked yet")
