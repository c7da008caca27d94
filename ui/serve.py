"""The page's process: Streamlit as an ASGI application behind the guard, served by uvicorn on a socket it was given.

Order matters. Streamlit is imported with every switch set that keeps it from counting, calling or listening; the
application and the server are built; then the lock is put on (no socket can be made, nothing connected, nothing run);
only then is anybody answered.
"""

import logging
import os
import re
import secrets
import socket
from pathlib import Path
from typing import Any

SCREENS = ("/", "/library", "/folders", "/privacy", "/settings")
"""Addresses that show the page; each names a screen of page.py."""

_SWITCHES: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "browser.serverAddress": "127.0.0.1",
    "client.allowedOrigins": [],
    "client.disableDataExport": True,  # a table's CSV would land unencrypted in the downloads
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,  # they search the message at Google and ask ChatGPT
    "client.showSidebarNavigation": False,
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.enableRich": False,
    "logger.hideWelcomeMessage": True,
    "logger.level": "error",
    "runner.magicEnabled": False,
    "server.address": "127.0.0.1",  # unset, Streamlit asks the network for its own address
    "server.allowRunOnSave": False,
    "server.disconnectedSessionTTL": 30,  # seconds that the questions of a closed tab stay in memory
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.runOnSave": False,
    "server.showEmailPrompt": False,
    "server.maxUploadSize": 1,
    "secrets.files": [],
}


def run(
    listening_socket: socket.socket,
    engine_socket: socket.socket,
    *,
    token: str,
    label: str,
    port: int,
    session_key: bytes | None = None,
    open_requests: socket.socket | None = None,
) -> None:
    """Serve the page until the process is told to end (SIGTERM, SIGINT).

    `listening_socket` is bound to 127.0.0.1:`port` and listens already; `engine_socket` is the page's line to the
    engine. The page answers at `http://<label>.localhost:<port>/`; `token` opens it once (empty: none does).
    `session_key`, 32 bytes, makes the browsers' cookies: given the same again, a page that was started anew lets the
    same browsers in. Each line that comes in on `open_requests` is another one-time token.
    """
    from engine.client import Client
    from engine.lock import lock
    from ui import delivery, link, protection
    from ui.guard import Tokens

    tokens = Tokens(open_requests)
    if token:
        tokens.add(token)
    server = build(label=label, port=port, tokens=tokens, key=session_key or secrets.token_bytes(32))
    link.connect(Client(engine_socket))
    delivery.keep(open_requests)
    protection.keep(lock("page"), port)
    server.run(sockets=[listening_socket])


def build(*, label: str, port: int, tokens: Any, key: bytes) -> Any:
    """The uvicorn server with guard and Streamlit, ready to run on a listening socket."""
    streamlit = _streamlit()
    import uvicorn

    from ui import fields
    from ui.guard import Guard

    app = fields.served(streamlit.App(Path(__file__).with_name("page.py")))
    index = Path(streamlit.__file__).with_name("static") / "index.html"
    guard = Guard(
        app,
        label=label,
        port=port,
        key=key,
        tokens=tokens,
        uid=os.getuid(),
        index=page(index.read_text(encoding="utf-8")).encode(),
        screens=SCREENS,
    )
    config = uvicorn.Config(
        guard,
        loop="asyncio",
        http="httptools",
        ws="websockets-sansio",
        lifespan="on",
        access_log=False,  # addresses carry tokens
        log_level="error",
        server_header=False,
        proxy_headers=False,  # a header must not say who the client is
        ws_max_size=1 << 20,  # what a browser sends: clicks and questions
        timeout_graceful_shutdown=1,
    )
    config.load()
    return uvicorn.Server(config)


def page(index: str) -> str:
    """Streamlit's page with our name and mark, not to be translated or spell-checked by a service of the browser, and
    with the script that keeps what is typed out of the browser's memory.

    Its inline script, which the content security policy would refuse, is left out, and so is the pointer to an
    interface that is off. Raises RuntimeError if Streamlit's page is not as expected.
    """
    from ui import fields
    from ui.look import mark_url

    head = f'<meta name="google" content="notranslate" /><link rel="icon" href="{mark_url()}" />'
    head += f'<script src="{fields.address()}"></script>'
    index = re.sub(r"<!--.*?-->", "", index, flags=re.DOTALL)
    index = re.sub(r"<script>.*?</script>", "", index, flags=re.DOTALL)
    index = re.sub(r'<link rel="(?:shortcut icon|service-desc)"[^>]*>', "", index)
    index = re.sub(r"<title>.*?</title>", f"<title>Strongroom</title>{head}", index, flags=re.DOTALL)
    index, changed = re.subn(
        r'<html lang="en">',
        '<html lang="en" translate="no" class="notranslate" spellcheck="false" autocorrect="off">',
        index,
    )
    index, bodies = re.subn(r"<body>", f"<body>{fields.FORM}", index)
    if changed != 1 or bodies != 1:
        raise RuntimeError("streamlit's index.html is not as expected")
    return index.lstrip()


def _streamlit() -> Any:
    """Streamlit, imported and set. What the environment and `.streamlit/config.toml` say is overruled."""
    os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"
    import streamlit
    from streamlit import config

    from ui import appearance

    config.get_config_options()
    for name, value in {**_SWITCHES, **appearance.theme("system")}.items():
        config.set_option(name, value)
    _quiet()
    return streamlit


def _quiet() -> None:
    """Keep words of documents out of the log: of an exception, its class and place are written, not its message."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **named: Any) -> logging.LogRecord:
        made = make(*args, **named)
        if made.exc_info and isinstance(made.exc_info[1], BaseException):
            made.msg, made.args = _place(made.exc_info[1]), None
            made.exc_info = None
        return made

    logging.setLogRecordFactory(record)


def _place(error: BaseException) -> str:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    return f"the page failed: {type(error).__name__} at {where}"
