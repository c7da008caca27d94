"""A script of our own on the page: no field's text is kept by the browser. See assets/fields.js."""

import hashlib
from functools import cache
from pathlib import Path

from ui.guard import App, Receive, Scope, Send

FORM = '<form id="unkept" autocomplete="off" hidden></form>'
"""what the page's text areas are said to belong to"""


@cache
def _script() -> bytes:
    return Path(__file__).with_name("assets").joinpath("fields.js").read_bytes()


@cache
def address() -> str:
    """Where the script is served: a name with a hash of what it holds, as the page's other assets have."""
    return f"/static/fields.{hashlib.sha256(_script()).hexdigest()[:16]}.js"


def served(app: App) -> App:
    """`app`, and the script at its address."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != address():
            await app(scope, receive, send)
            return
        body = _script()
        headers = [(b"content-type", b"text/javascript; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer
