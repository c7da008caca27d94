"""Commands that stay: open, serve, demo."""

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from ui import render
from ui.command_files import wait
from ui.command_keyring import fetch
from ui.command_session import Given, running, unlock
from ui.terminal import plain, say, tell
from vault.errors import StrongroomError

_DEMO_QUESTIONS = 3


def open_(given: Given, options: argparse.Namespace) -> int:
    """Run engine and page, and show the page in the browser."""
    return _serve(given, options, browser=True)


def serve(given: Given, options: argparse.Namespace) -> int:
    """Run engine and page, and print the page's address."""
    return _serve(given, options, browser=False)


def _serve(given: Given, options: argparse.Namespace, *, browser: bool) -> int:
    from engine import launcher

    with running(given) as client:
        if client is not None:
            # It has the page already; all that is wanted is a way in.
            found = client.call("page.open", browser=browser)
            if not found.get("url"):
                raise StrongroomError("an engine without a page runs for this vault", "`strongroom lock` ends it")
            say(found["url"])
            return 0

    def ready(url: str) -> None:
        if given.passphrase.file:
            with running(given) as started:
                if started is not None and started.call("status")["state"] == "locked":
                    unlock(given, started)
        elif secret := fetch(given):
            try:
                with running(given) as started:
                    if started is not None and started.call("status")["state"] == "locked":
                        started.call("unlock", passphrase=secret)
            except StrongroomError as error:
                tell(f"strongroom: the vault stays locked: {plain(error.message)}")
        say(f"Strongroom is at {url}", "the address opens the page once; Ctrl-C ends Strongroom")

    given.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    given.vault.parent.mkdir(parents=True, exist_ok=True)
    launcher.launch(
        given.vault,
        given.state,
        page=True,
        port=options.port,
        browser=browser,
        on_ready=ready,
        config_folder=given.config,
    )
    return 0


# --- demo -----------------------------------------------------------------------------------------------------------


def demo(given: Given, options: argparse.Namespace) -> int:
    """Try Strongroom on a made-up household's papers, with a vault that is deleted afterwards."""
    from engine import launcher

    papers = Path(__file__).resolve().parents[1] / "sample_corpus"
    if not (papers / "questions.json").is_file():
        raise StrongroomError(f"there is no sample_corpus in {papers.parent}", "run it from a clone of the repository")
    folder = Path(tempfile.mkdtemp(prefix="strongroom-demo-"))
    told, tell_end = os.pipe()
    try:
        there = _in(given, folder)

        def ready(url: str) -> None:
            # In a process of its own: how it ended goes through the pipe.
            try:
                _show(there, papers, url)
                os.write(tell_end, b"0")
            finally:
                if not url:
                    os.kill(os.getppid(), signal.SIGTERM)

        launcher.launch(
            there.vault,
            there.state,
            page=not options.no_page,
            port=options.port,
            browser=options.browser,
            on_ready=ready,
        )
    finally:
        os.close(tell_end)
        shutil.rmtree(folder)
    with open(told, "rb") as pipe:
        return 0 if pipe.read() == b"0" else 1


def _in(given: Given, folder: Path) -> Given:
    from dataclasses import replace

    return replace(given, vault=folder / "vault", state=folder / "state")


def _show(given: Given, papers: Path, url: str) -> None:
    """Make the vault, read the papers, ask, and say where the page is."""
    questions = json.loads((papers / "questions.json").read_text(encoding="utf-8"))
    asked = [each["question"] for each in questions if each.get("demo")][:_DEMO_QUESTIONS]
    passphrase = "-".join(secrets.token_hex(2) for _ in range(4))
    started = time.monotonic()
    with running(given) as client:
        if client is None:
            raise StrongroomError("the engine has ended")
        tell("making a throwaway vault")
        client.call("create", passphrase=passphrase)
        client.call("folders.add", path=str(papers / "papers"))
        states = wait(client, quiet=False)
        read = sum(states.values()) - states.get("failed", 0)
        tell(f"read {read} of {sum(states.values())} files in {time.monotonic() - started:.0f} s")
        conversation = None
        for question in asked:
            say("", given.style.strong(f"? {question}"), "")
            found = client.call("ask", question=question, conversation=conversation)
            say(*render.answer(found, given.style))
    sys.stdout.flush()
    if url:
        say(
            "",
            f"ask more at {url}",
            f"(opens once; should the page ask later: the passphrase is {passphrase}; Ctrl-C deletes it all)",
        )
