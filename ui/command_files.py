"""Commands on folders and files: add, remove, pause, resume, folders."""

import argparse
import os
from typing import Any

from ui import render, shown
from ui.command_session import Caller, Given, engine, running
from ui.terminal import Progress, say, say_json, tell
from vault.errors import StrongroomError

SOME_FAILED = 4  # exit code: done, but some files could not be read
_FAILURES_SHOWN = 20


def add(given: Given, options: argparse.Namespace) -> int:
    """Watch folders, and wait for their files if that is wanted."""
    with running(given) as found:
        goes_on = found is not None
    with engine(given) as client:
        rows = [client.call("folders.add", path=os.path.abspath(folder)) for folder in options.folders]
        if options.wait:
            wait(client, quiet=given.json)
        failed = [_failed(client, row["id"]) for row in rows] if options.wait else []
        known = {row["id"]: row for row in client.call("folders")["rows"]}
    rows = [known[row["id"]] for row in rows]
    total = sum(each["total"] for each in failed)
    if given.json:
        say_json({"folders": rows, "failed": [row for each in failed for row in each["rows"]]})
    else:
        say(*render.folders(rows, given.style))
        for each in failed:
            say(*render.files(each["rows"], given.style))
        if total > _FAILURES_SHOWN:
            tell(f"{total:,} files failed; `strongroom list --failed --all` lists them")
        if not options.wait:
            tell(
                "its files are being read"
                if goes_on
                else "its files are read while `strongroom open` runs, or with --wait"
            )
    return SOME_FAILED if total else 0


def wait(client: Caller, *, quiet: bool) -> dict[str, Any]:
    """Wait until every file has reached its final state, with a bar. Returns how many files are in each."""
    progress = Progress(quiet=quiet)
    try:
        states: dict[str, Any] = client.call("wait", on_notify=progress.heard)["files"]
    finally:
        progress.end()
    return states


def _failed(client: Caller, folder: int) -> dict[str, Any]:
    found: dict[str, Any] = client.call("files", folder=folder, state="failed", limit=_FAILURES_SHOWN)
    return found


def remove(given: Given, options: argparse.Namespace) -> int:
    """Stop watching a folder."""
    with engine(given) as client:
        found = client.call("folders.remove", path=os.path.abspath(options.folder), keep=options.keep)
    if given.json:
        say_json(found)
    elif options.keep:
        say("the folder is no longer watched; what was read from it stays")
    else:
        say(
            f"the folder is no longer watched; {shown.count(found['removed'], 'file')} left the vault, none was deleted"
        )
    return 0


def pause(given: Given, options: argparse.Namespace) -> int:
    """Leave a folder as it is."""
    return _folder(given, "folders.pause", path=os.path.abspath(options.folder))


def resume(given: Given, options: argparse.Namespace) -> int:
    """Follow a paused folder again."""
    return _folder(given, "folders.resume", path=os.path.abspath(options.folder))


def _folder(given: Given, method: str, **params: Any) -> int:
    with engine(given) as client:
        row = client.call(method, **params)
    if given.json:
        say_json(row)
    else:
        say(*render.folders([row], given.style))
    return 0


def folders(given: Given, options: argparse.Namespace) -> int:
    """List the watched folders, or say where one lies now."""
    if options.action:
        if len(options.paths) != 2:
            raise StrongroomError("relocate needs two paths", "the folder's path so far, and where it lies now")
        path, to = options.paths
        return _folder(given, "folders.relocate", path=os.path.abspath(path), to=os.path.abspath(to))
    with engine(given) as client:
        rows = client.call("folders")["rows"]
    if given.json:
        say_json(rows)
    else:
        say(*render.folders(rows, given.style))
    return 0
