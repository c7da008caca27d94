"""What the engine asks the launcher for, and gets or not. It is trusted no further than that: it reads documents."""

import contextlib
import json
import secrets
import socket
from typing import Any

from engine import places
from engine.life import Life, Stand
from engine.show import show_file
from vault.errors import StrongroomError


def listen(stand: Stand, life: Life) -> bool:
    """Take what the engine says; return whether it still may say more."""
    try:
        block = life.line.recv(1 << 16)
    except OSError:
        block = b""
    life.heard += block
    while b"\n" in life.heard:
        line, _, life.heard = life.heard.partition(b"\n")
        answer = _answer(stand, life, line)
        with contextlib.suppress(OSError):
            # Never waiting: an engine that does not listen would keep this process from hearing its user's signals.
            life.line.sendall(json.dumps(answer).encode() + b"\n", socket.MSG_DONTWAIT)
    return bool(block) and len(life.heard) < 1 << 16


def _answer(stand: Stand, life: Life, line: bytes) -> dict[str, Any]:
    """Do one thing for the engine."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return {"done": False}
    match request:
        case {"ready": True}:
            life.ready = True
            return {"done": True}
        case {"ending": True}:
            life.ending = True
            return {"done": True}
        case {"page": bool(browser)} if life.tokens is not None:
            return {"done": browser and stand.shown.page(address(stand, life)), "url": address(stand, life)}
        case {"open": str(path)}:
            return {"done": show_file(path, kept_out=stand.own_folders())}
        case {"deliver": str(name), "to": str(target)}:
            stand.deliveries.hear(life.tokens)
            return stand.deliveries.begin(name, target, stand.state, stand.own_folders())
        case {"delivered": True}:
            return stand.deliveries.outcome()
        case {"vault": str(name)}:
            return _go_to(stand, name)
        case _:
            return {"done": False}


def _go_to(stand: Stand, name: str) -> dict[str, Any]:
    """Make ready for the next life to be another vault's; nothing else changes until the engine ends."""
    try:
        going_to = places.take_beside(stand.place.vault, name, stand.state)
    except StrongroomError as error:
        return {"done": False, "message": error.message, "hint": error.hint}
    if stand.going_to is not None:  # asked twice: the last counts
        stand.going_to.leave()
    stand.going_to = going_to
    return {"done": True}


def address(stand: Stand, life: Life) -> str:
    """Return an address that opens the page once."""
    if stand.web is None or life.tokens is None:
        return ""
    token = secrets.token_urlsafe(32)
    with contextlib.suppress(OSError):  # a page that ended is started anew and asked again
        life.tokens.sendall(f"{token}\n".encode(), socket.MSG_DONTWAIT)
    return f"http://{stand.label}.localhost:{stand.web.getsockname()[1]}/?token={token}"
