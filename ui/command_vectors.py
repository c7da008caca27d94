"""How near passages are found: strongroom vectors exact, chroma, server ADDRESS."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import server_access, server_address, vaults
from ui import apart
from ui.command_session import Given, engine, require_vault, running
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError

NOT_DELETED = 4  # exit code: chosen, but vectors stay at a server


def vectors(given: Given, options: argparse.Namespace) -> int:
    """Choose an index, or say which one is used."""
    if options.address and options.index != "server":
        raise StrongroomError(f"{options.address!r} is one word too many", "`strongroom vectors server ADDRESS`")
    if (options.token_file or options.ca) and options.index != "server":
        raise StrongroomError("--token-file and --ca are a server's", "`strongroom vectors server ADDRESS`")
    match options.index:
        case None:
            return _show(given)
        case "server":
            found = server_address.parse(options.address or "")
            return _server(given, replace(found, token_file=_file(options.token_file), authority=_file(options.ca)))
        case _:
            return _within(given, options.index)


def _show(given: Given) -> int:
    with engine(given) as client:
        found = client.call("vectors")
    if given.json:
        say_json(found)
    else:
        say(*lines(found))
    return 0


def lines(found: dict[str, Any]) -> list[str]:
    """The state of the index in words."""
    names = {
        "exact": "exact search in memory",
        "chroma": "Chroma in the engine's memory",
        "server": f"the Chroma server at {found['address'] or '(no address)'}",
    }
    said = [f"near passages are found by {names[found['chosen']]}"]
    if found["serving"] != found["chosen"]:
        said.append(f"exact search stands in: {found['why']}")
    if found["chosen"] != "exact":
        said.append(f"{found['there']:,} of {found['vectors']:,} vectors are there")
    if found["lost"]:
        said.append(f"it had lost {found['lost']:,}, which were put there again")
    if found["hint"]:
        said.append(found["hint"])
    return [plain(each) for each in said]


def _within(given: Given, kind: str) -> int:
    """Exact search, or Chroma in memory: nothing goes to a server from now on."""
    # In a process of its own: with no engine running it is locked as one, and then may not touch the address.
    part = apart.start(lambda _: _use(given, kind))
    found = part.next()
    part.end()
    if "error" in found:
        raise StrongroomError(found["error"], found["hint"])
    server_address.remove(given.config, given.vault)
    if given.json:
        say_json(found)
    else:
        say(*lines(found))
    if found["left"]:
        tell(f"strongroom: {plain(found['left'])}")
    return NOT_DELETED if found["left"] else 0


def _use(given: Given, kind: str) -> dict[str, Any]:
    with engine(given) as client:
        found: dict[str, Any] = client.call("vectors.use", kind=kind)
        return found


def _file(name: str | None) -> str:
    return str(Path(name).expanduser().absolute()) if name else ""


def _server(given: Given, address: server_address.Address) -> int:
    """Let the vault's vectors go to a server, once its user typed that they understand."""
    require_vault(given)
    server_access.look(address)
    writable = [*(each.path for each in vaults.beside(given.vault)), given.state]
    before = server_address.read(given.config, given.vault, writable)
    if before is not None and str(before) != str(address):
        raise StrongroomError(
            f"the vault's vectors are at {before}", "`strongroom vectors exact` deletes them there first"
        )
    server_address.refuse_reachable(given.config, writable)
    server_address.refuse_files(address, writable)
    for each in warning(address):
        tell(plain(each))
    typed = given.keyboard.line(f"type `{server_address.UNDERSTOOD}` to go on: ")
    if " ".join(typed.split()).lower() != server_address.UNDERSTOOD:
        tell("nothing was changed")
        return 1
    server_address.write(given.config, given.vault, address)
    with running(given) as client:
        begun = "when this is locked and opened again: `strongroom lock`" if client else "when the vault is next opened"
    if given.json:
        say_json({"address": str(address), "file": str(server_address.path(given.config, given.vault))})
    else:
        say(plain(f"the vault's vectors go to {address} {begun}"))
    return 0


def warning(address: server_address.Address) -> list[str]:
    """What the user is to understand."""
    said = [
        f"Every passage's vector goes to the Chroma server at {address}, and every question's.",
        "A vector is not encrypted there, and can be turned back into much of the text that it was made from.",
        "Whoever can read that server, its disk or its backups can read them. Text, names and keys never go there.",
    ]
    if address.scheme == "http" and not address.here:
        said.append(
            "http is not encrypted: everybody on the way can read them. An SSH tunnel or https would hide them."
        )
    return said
