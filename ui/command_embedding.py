"""The model that finds: strongroom model embed, with a folder, with `default`, or with nothing to see which it is."""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from ui import shown
from ui.command_session import Caller, Given, engine
from ui.terminal import Style, plain, say, say_json, tell
from vault.errors import StrongroomError

_LOOK_SECONDS = 0.2
_STATES = {
    "serving": "in use",
    "coming": "its vectors are being made",
    "standing in": "stands in for the chosen one",
    "leaving": "its vectors are being deleted",
    "waiting": "waits until the vectors of the one before are deleted",
}


def embed(given: Given, options: argparse.Namespace) -> int:
    """Choose the embedding model, or show which it is."""
    if len(options.names) > 1:
        raise StrongroomError(f"{options.names[1]!r} is one word too many", "`strongroom model embed FOLDER`")
    name = options.names[0] if options.names else ""
    with engine(given) as client:
        chosen: dict[str, Any] | None = None
        if name:
            heard = _Reading(quiet=given.json)
            try:
                path = name if name == "default" else os.path.abspath(os.path.expanduser(name))
                chosen = client.call("embedding.use", on_notify=heard.heard, path=path)
            finally:
                heard.end()
        if options.wait:
            _wait(client)
        listed = client.call("embedding")
    if given.json:
        say_json(chosen or listed)
        return 0
    say(*rows(listed, given.style))
    if chosen:
        for each in _told(chosen, waits=options.wait):
            tell(each)
    if listed["problem"]:
        tell(plain(f"not used: {listed['problem']}"))
    return 0


def _wait(client: Caller) -> None:
    """Return when the model that was chosen serves, or cannot."""
    while (now := client.call("status")["embedding"])["coming"] and not now["stands_in"] and not now["problem"]:
        time.sleep(_LOOK_SECONDS)


def rows(listed: Mapping[str, Any], style: Style) -> list[str]:
    """One line a model, the one in use marked."""
    out = []
    for each in listed["models"]:
        mark = style.mark("*") if each["used"] else " "
        facts = f"{each['dimensions']} dimensions, reads {each['window']:,} tokens"
        left = each["chunks"] - each["vectors"]
        made = f", {left:,} of {each['chunks']:,} passages to go" if left and each["state"] != "leaving" else ""
        line = f"{mark} {plain(each['name'])}  {facts}  {_STATES[each['state']]}{made}"
        out.append(line + (f"  {plain(each['path'])}" if each["path"] else ""))
    return out


def _told(chosen: Mapping[str, Any], *, waits: bool) -> list[str]:
    """What whoever chose it should know."""
    out = []
    if chosen["state"] != "serving" and not waits:
        out.append("the passages are embedded anew while an engine runs; until that is done the old vectors serve")
    if chosen["told_apart"] < 0.1:
        out.append("this model hardly tells related texts from others: finding by meaning will get worse")
    if chosen["window"] < 256:
        out.append(f"it reads {chosen['window']} tokens at once: of a long passage the end is found by its words only")
    return out


class _Reading:
    """How much of a folder was read, on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._draws = sys.stderr.isatty() and not quiet

    def heard(self, _method: str, params: Mapping[str, Any]) -> None:
        """Draw it."""
        if self._draws:
            done, of = int(params["read"]), max(1, int(params["of"]))
            loading = ", loading it" if done == of else ""
            sys.stderr.write(f"\r\x1b[Kreading {shown.size(of)}, {100 * done // of} %{loading}")
            sys.stderr.flush()

    def end(self) -> None:
        """Wipe it away."""
        if self._draws:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
