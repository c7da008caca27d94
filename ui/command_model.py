"""Models that write answers: strongroom model add, list, use, remove. The one that finds: strongroom model embed."""

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

from ui import command_embedding, render, shown
from ui.command_session import Given, engine
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError


def model(given: Given, options: argparse.Namespace) -> int:
    """Do what the word after `model` says; list the models without one."""
    action = options.action or "list"
    if action == "embed":
        return command_embedding.embed(given, options)
    wants = {"add": "FILE", "use": "NAME", "remove": "NAME"}.get(action)
    if wants and len(options.names) != 1:
        raise StrongroomError(
            f"`strongroom model {action}` needs one {wants}",
            f"`strongroom model {action} {wants}`, in quotes if need be",
        )
    if not wants and options.names:
        raise StrongroomError(f"{options.names[0]!r} is one word too many", "`strongroom model list`")
    name = options.names[0] if options.names else ""
    with engine(given) as client:
        match action:
            case "add":
                progress = _Progress(quiet=given.json)
                try:
                    found = client.call("models.add", on_notify=progress.heard, path=os.path.abspath(name))
                finally:
                    progress.end()
            case "use":
                found = client.call("models.use", id="" if name == "none" else name)
            case "remove":
                found = client.call("models.remove", id=name)
        listed = client.call("models")
    if given.json:
        say_json(listed if action == "list" else found)
        return 0
    match action:
        case "remove":
            tell(f"forgotten; the file stays at {render.short(found['path'])}")
        case "use" if not found["model"]:
            tell("answers are the documents' own sentences from now on")
    say(*render.models(listed, given.style))
    if action == "add":
        say(f"SHA-256 {plain(found['id'])}", "compare it with the one on the publisher's page")
        if not found["template"]:
            tell("the file has no chat template: a model that was not trained to follow instructions answers badly")
    if listed["why"]:
        tell(plain(listed["why"]))
    return 0


class _Progress:
    """How much of a file was read, on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._draws = sys.stderr.isatty() and not quiet

    def heard(self, _method: str, params: Mapping[str, Any]) -> None:
        if self._draws:
            done, of = int(params["read"]), max(1, int(params["of"]))
            sys.stderr.write(f"\r\x1b[Kreading {shown.size(of)}, {100 * done // of} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._draws:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
