"""The command that purges: what would go, a deliberate yes, the receipt, and the shredding that follows."""

import argparse
from typing import Any

from ui import purging, render
from ui.command_read import named
from ui.command_session import Caller, Given, engine, running
from ui.terminal import Progress, plain, say, say_json, tell
from vault.errors import StrongroomError

STILL_FOUND = 3  # exit code: something was found where nothing may be
NOT_SHREDDED = 4  # exit code: done, but not all of it


def purge(given: Given, options: argparse.Namespace) -> int:
    """Take documents out of the vault for good, or allow a purged one again, or list the receipts."""
    if options.receipts:
        return _receipts(given)
    if not options.documents:
        if options.wait:
            return _shred(given)
        raise StrongroomError("nothing to purge was named", "name a file, or the id of a document (`strongroom list`)")
    if options.lift:
        return _lift(given, options)
    with running(given) as found:
        goes_on = found is not None  # the engine that is running shreds by itself
    with engine(given) as client:
        names = _chosen(given, client, options)
        if not names:
            tell("nothing was purged")
            return 1
        receipt = client.call("purge", names=names, confirm=True)
        if options.wait or not goes_on:
            _wait(given, client)
            receipt = client.call("receipts", limit=1)["rows"][0]
    if given.json:
        say_json(receipt)
    else:
        say(*render.receipt(receipt, given.style))
    return _exit_code([receipt])


def _chosen(given: Given, client: Caller, options: argparse.Namespace) -> list[str]:
    """The ids of what is to go, after a yes; empty for a no."""
    previews = [client.call("purge.preview", name=named(each)) for each in options.documents]
    found = [each for preview in previews for each in preview["documents"]]
    if not options.yes:
        tell("this leaves the vault for good (the files stay where they are):")
        for line in render.preview(found):
            tell(line)
        tell(plain(purging.space(previews[0]["shredding"])))
        if not given.keyboard.confirmed("purge?"):
            return []
    return list({each["id"]: None for each in found})


def _wait(given: Given, client: Caller) -> dict[str, Any]:
    """Shred now, with a bar. Ctrl-C leaves the rest for the next time that the vault is open."""
    progress = Progress(quiet=given.json)

    def heard(_method: str, params: Any) -> None:
        if params["stage"] == "copying":
            progress.show(params["done"], params["pages"], reason="shredding", what="pages")

    try:
        found: dict[str, Any] = client.call("shred", on_notify=heard)
    finally:
        progress.end()
    return found


def _shred(given: Given) -> int:
    """Shred what was purged before."""
    with engine(given) as client:
        found = _wait(given, client)
        rows = client.call("receipts")["rows"]
    if given.json:
        say_json(found)
    elif found["stage"] == "none":
        say("all that was purged is shredded" if rows else "no purge was made yet")
    else:
        say(plain(purging.under_way(found)))
    return 0 if found["stage"] == "none" else NOT_SHREDDED


def _receipts(given: Given) -> int:
    with engine(given) as client:
        rows = client.call("receipts")["rows"]
    if given.json:
        say_json(rows)
    else:
        for row in rows:
            say(*render.receipt(row, given.style), "")
        if not rows:
            tell("no purge was made yet")
    return 0


def _lift(given: Given, options: argparse.Namespace) -> int:
    with engine(given) as client:
        lifted = [client.call("purge.lift", name=named(name))["lifted"] for name in options.documents]
    if given.json:
        say_json({"lifted": lifted})
    else:
        for name, done in zip(options.documents, lifted, strict=True):
            say(f"{plain(name)}: {'may be taken in again' if done else 'was not purged'}")
    return 0 if all(lifted) else 1


def _exit_code(receipts: list[dict[str, Any]]) -> int:
    good = all(each["confirmed"] and each["stage"].get("confirmed", True) for each in receipts)
    return 0 if good else STILL_FOUND
