"""Asking in the terminal: statements as they are made, Ctrl-C to stop the answer."""

import argparse
import queue
import secrets
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ui import render, shown
from ui.command_read import filters
from ui.command_session import Caller, Given, engine
from ui.terminal import Style, say, say_json, tell

_MOST_LINE = 1 << 20  # characters of a question on standard input


def ask(given: Given, options: argparse.Namespace) -> int:
    """Answer one question, or one after the other until an empty line."""
    typed = " ".join(options.question)
    if not typed and not sys.stdin.isatty():
        typed = sys.stdin.read(_MOST_LINE).strip()
    if typed:
        with engine(given) as client:
            _answer(given, client, typed, options, None)
        return 0
    with engine(given) as client:
        conversation = None
        while typed := _prompted(given):
            conversation = _answer(given, client, typed, options, conversation)
    return 0


def _prompted(given: Given) -> str:
    try:
        return given.keyboard.line("question: ").strip()
    except EOFError:
        return ""


def _answer(given: Given, client: Caller, typed: str, options: argparse.Namespace, conversation: str | None) -> str:
    asked: dict[str, Any] = {"question": typed, "conversation": conversation or options.conversation}
    if options.mode:
        asked["mode"] = options.mode
    if chosen := filters(options):
        # With those that are typed in the question; what its plain words say does not count beside options.
        asked["filters"] = client.call("understand", question=typed, filters=chosen)["filters"]
    printing = _Printing(given.style, typed, quiet=given.json)
    found = _waited_for(client, asked, printing)
    if given.json:
        say_json(found)
    else:
        printing.end(found, left_out=options.left_out)
    return str(found["conversation"])


def _waited_for(client: Caller, asked: Mapping[str, Any], printing: "_Printing") -> dict[str, Any]:
    """The answer. It is waited for in a thread of its own, so that Ctrl-C can stop the answer and not the command: the
    first time; the second time it ends the command."""
    ticket = secrets.token_hex(8)
    heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def call() -> None:
        try:
            result = client.call(
                "ask", on_notify=lambda method, params: heard.put((method, params)), ticket=ticket, **asked
            )
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            heard.put(("failed", error))
        else:
            heard.put(("done", result))

    threading.Thread(target=call, name="ask", daemon=True).start()
    stopped = False
    while True:
        try:
            method, value = heard.get()
            match method:
                case "done":
                    found: dict[str, Any] = value
                    return found
                case "failed":
                    raise value
                case _:
                    printing.heard(method, value)
        except KeyboardInterrupt:
            if stopped:
                raise
            stopped = True
            printing.stopping()
            client.call("ask.cancel", ticket=ticket)


class _Printing:
    """Prints an answer while it is made: how far a model is on a terminal, and each statement."""

    def __init__(self, style: Style, typed: str, *, quiet: bool) -> None:
        self._style = style
        self._typed = typed
        self._quiet = quiet
        self._drawn = False
        self._draws = sys.stderr.isatty() and not quiet
        self._passages: dict[str, Any] = {}
        self._sources = render.Sources()
        self._printed = 0

    def heard(self, method: str, params: Mapping[str, Any]) -> None:
        """Take a notification."""
        match method:
            case "passages":
                self._passages = {"question": self._typed, **params}
            case "stage":
                self._draw(_stage(params))
            case "statement" if not params["left_out"] and not self._quiet:
                self._clear()
                if not self._printed:
                    say(*render.understood(self._passages, self._style))
                self._printed += 1
                say(*render.statement(params["statement"], self._sources, self._style))
                sys.stdout.flush()

    def stopping(self) -> None:
        """Say that the first Ctrl-C was heard."""
        self._clear()
        if not self._quiet:
            tell("stopping the answer (Ctrl-C again ends the command)")

    def end(self, found: Mapping[str, Any], *, left_out: bool) -> None:
        """Print what was not printed meanwhile."""
        self._clear()
        if not self._printed:
            say(*render.answer(found, self._style, left_out=left_out))
        elif found.get("fell_back"):  # what was printed before the model failed does not count
            tell("the model failed; the answer in the documents' own words:")
            say(*render.answer(found, self._style, left_out=left_out))
        else:
            say(*render.rest(found, self._sources, self._style, left_out=left_out))

    def _draw(self, line: str) -> None:
        if self._draws:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False


def _stage(told: Mapping[str, Any]) -> str:
    """How far a model is, in words."""
    tokens, of, seconds = int(told["tokens"]), int(told["of"]), float(told["seconds"])
    match told["stage"]:
        case "loading":
            return "loading the model"
        case "reading" if of:
            return f"reading {shown.count(of, 'token')}, {min(100, 100 * tokens // of)} %"
        case "reading":
            return "reading the passages"
        case _:
            return f"writing, {tokens / seconds:.0f} tokens a second" if seconds > 1 else "writing"
