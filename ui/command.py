"""The `strongroom` command: its words, its options, and the one place where a failure becomes a message and a code.

Exit codes: 0 done, 1 the user's mistake, 2 wrong usage, 3 damaged, tampered or older vault, 4 done but some files
failed, 130 interrupted.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vault.errors import StrongroomError

INTERRUPTED = 130
# Libraries that call out unless told not to. The lock holds them anyway; this saves them the attempt.
_SWITCHES = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}

Arguments = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Command:
    """One word after `strongroom`."""

    name: str
    summary: str
    text: str
    """what else there is to know, in whole sentences; for --help and the reference"""
    run: str
    """module:function, imported when it is needed"""
    arguments: Arguments


# --- options --------------------------------------------------------------------------------------------------------


def _none(_parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, one value a line")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-page", action="store_true", help="stop after the answers")
    parser.add_argument("--browser", action="store_true", help="show the page in the browser")
    _port(parser)


def _port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port_number, metavar="N", help="on 127.0.0.1; by default one that is free")


def _port_number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return number


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="a folder with documents")
    parser.add_argument("--wait", action="store_true", help="return when every file has reached its final state")
    _json(parser)


def _remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--keep", action="store_true", help="keep in the vault what was read from it")
    _json(parser)


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER")
    _json(parser)


def _folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["relocate"], help="say where a folder lies now")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="the folder's path so far, and the new one")
    _json(parser)


def _filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters", "also inside the question, as in: rent from:agency after:2025")
    group.add_argument("--folder", action="append", metavar="WORDS", help="part of a watched folder's path")
    group.add_argument("--kind", action="append", metavar="KIND", help="mail, contract, invoice, statement, letter, …")
    group.add_argument("--from", action="append", dest="sender", metavar="WHO", help="part of a mail's sender")
    group.add_argument("--path", action="append", metavar="WORDS", help="part of a file's path; * stands for anything")
    group.add_argument("--after", metavar="DATE", help="on or after: 2025, 2025-03 or 2025-03-01")
    group.add_argument("--before", metavar="DATE", help="before")


def _ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="*", metavar="QUESTION", help="prompted for if left out")
    parser.add_argument("--conversation", metavar="ID", help="go on with an earlier one (`conversation` in its JSON)")
    parser.add_argument(
        "--mode", choices=["extractive", "model"], help="the documents' own sentences, or written by the model in use"
    )
    parser.add_argument("--left-out", action="store_true", help="also print what a model wrote and no passage says")
    _json(parser)
    _filters(parser)


def _vectors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("index", nargs="?", choices=["exact", "chroma", "server"], help="without one: say what is used")
    parser.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="of a server: http://HOST:PORT, https://HOST:PORT"
    )
    parser.add_argument("--token-file", metavar="FILE", help="server: the file with the token that it wants to see")
    parser.add_argument(
        "--ca", metavar="FILE", help="server: what signed its certificate, where the system knows it not"
    )
    _json(parser)


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=["add", "list", "use", "remove", "embed"], help="without one: list"
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a .gguf file to add; a folder to embed with; else a model's name"
    )
    parser.add_argument("--wait", action="store_true", help="embed: return when its vectors are complete and serve")
    _json(parser)


def _reader(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", nargs="?", metavar="FORMAT", help="html, mail, docx or xml; without one: list")
    parser.add_argument("reader", nargs="?", metavar="READER", help="unstructured or default")
    parser.add_argument("--wait", action="store_true", help="return when the files have been read again")
    _json(parser)


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=["list", "search", "show", "remove", "export"], help="without one: list"
    )
    parser.add_argument("words", nargs="*", metavar="WORDS", help="to search for; else a conversation's id")
    parser.add_argument("--format", choices=["markdown", "text"], default="markdown", help="of an export (markdown)")
    parser.add_argument("--count", type=_natural, metavar="N", help="conversations at most (50)")
    parser.add_argument("--offset", type=_natural, default=0, metavar="N", help="conversations to skip")
    _json(parser)


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="*", metavar="QUERY", help="prompted for if left out")
    parser.add_argument("-k", dest="count", type=_count, default=10, metavar="N", help="hits at most (10)")
    parser.add_argument(
        "--stdin", action="store_true", help="read one query a line, print one array a line with --json"
    )
    _json(parser)
    _filters(parser)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 200:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 200")
    return number


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", metavar="WORDS", help="in title, sender or path")
    parser.add_argument("--kind", metavar="KIND", help="documents of one kind")
    parser.add_argument("--files", action="store_true", help="files instead of documents")
    parser.add_argument(
        "--state", metavar="STATE", help="files in a state: waiting, done, partial, failed, unsupported, …"
    )
    parser.add_argument("--failed", action="store_true", help="files that failed, with the reason")
    parser.add_argument("--sort", metavar="COLUMN", help="such as title, date, kind, path, size, state")
    parser.add_argument("--descending", action="store_true", help="the last first")
    parser.add_argument("--count", type=_natural, default=50, metavar="N", help="rows at most (50)")
    parser.add_argument("--offset", type=_natural, default=0, metavar="N", help="rows to skip")
    parser.add_argument("--all", action="store_true", help="all rows")
    _json(parser)


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document", metavar="DOCUMENT", help="a file's path, or an id or its first eight digits")
    parser.add_argument("--text", action="store_true", help="nothing but its text")
    parser.add_argument("--start", type=_natural, default=0, metavar="N", help="from this character on")
    parser.add_argument("--end", type=_natural, metavar="N", help="up to this character")
    _json(parser)


def _purge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("documents", nargs="*", metavar="DOCUMENT", help="a file's path, or an id")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--lift", action="store_true", help="allow a purged document to be taken in again")
    parser.add_argument("--receipts", action="store_true", help="list the receipts of all purges, and their stages")
    parser.add_argument("--wait", action="store_true", help="until it is shredded; alone: shred now what was purged")
    _json(parser)


def _passwd(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--revoke", action="store_true", help="end the old passphrase and code for old copies too")
    parser.add_argument("--new-from", type=Path, metavar="FILE", help="read the new passphrase from a file")
    _json(parser)


def _keyring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["on", "off"], help="without one: say whether it does")
    _json(parser)


def _backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FOLDER", help="a folder that does not exist yet")
    _json(parser)


def _restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FOLDER", help="what `strongroom backup` has written")
    parser.add_argument("--replace", action="store_true", help="also where this vault is already")
    _json(parser)


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("value", nargs="?", metavar="VALUE")
    _json(parser)


def _lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--page", action="store_true", help="only ask for the passphrase again; the folders are watched"
    )


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--short", action="store_true", help="one line for each row")
    parser.add_argument(
        "--advisories", metavar="FILE", help="only: flaws known in installed parts, by an OSV file (.json, .zip)"
    )
    parser.add_argument("--sbom", action="store_true", help="only: print the list of all parts (CycloneDX 1.6)")
    _json(parser)


def _destroy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    _json(parser)


# --- the commands ---------------------------------------------------------------------------------------------------

COMMANDS = (
    Command("demo", "try it on a made-up household's papers", "Makes a throwaway vault, reads the papers of"
            " sample_corpus, answers three questions and serves the page. Everything it made is deleted at the end.",
            "ui.command_run:demo", _demo),
    Command("init", "make a vault", "Asks for a passphrase and prints the recovery code, once. Whoever has neither"
            " cannot open the vault; lost would be index, history and settings, never the documents.",
            "ui.command_keys:init", _json),
    Command("open", "run Strongroom and show its page", "Runs until it is interrupted. Where it runs already, it only"
            " shows the page.", "ui.command_run:open_", _port),
    Command("serve", "run Strongroom without a browser", "Prints an address that opens the page once. With"
            " STRONGROOM_PASSPHRASE_FILE set, the vault is unlocked too.", "ui.command_run:serve", _port),
    Command("add", "watch folders", "Their files are read, and followed from then on. Hidden, temporary and"
            " partial files are left out, links are not followed. Exits with 4 if --wait met unreadable files.",
            "ui.command_files:add", _add),
    Command("remove", "stop watching a folder", "What was read from it leaves the vault. The files stay where"
            " they are.",
            "ui.command_files:remove", _remove),
    Command("pause", "leave a folder as it is", "Changes in it are not followed until it is resumed.",
            "ui.command_files:pause", _folder),
    Command("resume", "follow a paused folder again", "", "ui.command_files:resume", _folder),
    Command("folders", "list the watched folders", "`strongroom folders relocate OLD NEW` says that a folder lies"
            " elsewhere now, on another machine for example: what was read from it stays, and nothing is read again.",
            "ui.command_files:folders", _folders),
    Command("status", "say what goes on", "Needs no passphrase.", "ui.command_read:status", _json),
    Command("ask", "answer a question, with citations", "Without words it prompts, so that the question does not"
            " land in the shell's history, and goes on until an empty line; later questions may lean on earlier ones."
            " Ctrl-C stops the answer, a second time the command.",
            "ui.command_ask:ask", _ask),
    Command("model", "choose a model that writes answers", "A GGUF file that you have: `strongroom model add FILE`"
            " reads it once, keeps its SHA-256 and refuses it when it was changed. `use none` goes back to the"
            " documents' own sentences. Nothing is ever downloaded; docs/how-to/choose-a-model.md says how to get one."
            " `embed FOLDER` chooses the model that finds by meaning instead, a sentence-transformers folder, `embed"
            " default` the one that comes with Strongroom; docs/how-to/choose-an-embedding-model.md says when.",
            "ui.command_model:model", _model),
    Command("vectors", "choose how near passages are found", "`exact` compares all, in memory, which is the default."
            " `chroma` asks Chroma in the engine's memory. `server ADDRESS` asks a Chroma server that you run: vectors"
            " then leave this machine, so it wants a sentence typed; docs/how-to/use-chroma.md says what for.",
            "ui.command_vectors:vectors", _vectors),
    Command("reader", "choose what reads a format", "`unstructured` needs the extra of that name. The files of the"
            " format are read again; until then what was read of them before is found. Formats for which unstructured"
            " would start another program, or fetch a model, stay with the default: the list says why."
            " docs/how-to/choose-a-reader.md says which reader loses what.",
            "ui.command_reader:reader", _reader),
    Command("history", "questions asked before", "`export` prints a conversation with its citations: file, page and"
            " the passage, word for word. What it prints is not encrypted any more.",
            "ui.command_history:history", _history),
    Command("search", "find passages", "", "ui.command_read:search", _search),
    Command("list", "list documents or files", "", "ui.command_read:list_", _list),
    Command("show", "print a document", "", "ui.command_read:show", _show),
    Command("purge", "take documents out of the vault for good", "From every table, index, cache and history, and reads"
            " back that they are gone. The file stays, and is not taken in again unless --lift allows it.",
            "ui.command_purge:purge", _purge),
    Command("lock", "end the engine, and with it what it has in memory", "", "ui.command_keys:lock", _lock),
    Command("unlock", "open the vault of the engine that runs", "", "ui.command_keys:unlock", _none),
    Command("passwd", "change the passphrase", "", "ui.command_keys:passwd", _passwd),
    Command("recovery", "make a new recovery code", "The one before ends.", "ui.command_keys:recovery", _json),
    Command("keyring", "let the system's keyring open the vault at login", "Off unless you switch it on. With it,"
            " `strongroom serve` and `open` start unlocked while you are logged in, and so can other programs that run"
            " as you; docs/how-to/run-at-login.md says what that weakens.", "ui.command_keyring:keyring", _keyring),
    Command("backup", "write an encrypted copy of the vault", "It opens with the passphrase and the recovery code that"
            " the vault has now, and is compared with the vault after writing.", "ui.command_keys:backup", _backup),
    Command("restore", "put a backup back", "What was purged since the backup was made is purged again.",
            "ui.command_keys:restore", _restore),
    Command("settings", "print or change settings", "", "ui.command_keys:settings", _settings),
    Command("verify", "try the protection out", "Attempts what the lock must refuse, makes a throwaway vault and"
            " searches the disk for its words, tampers with copies, looks at the machine; each row says how to see the"
            " same without Strongroom. Under two minutes. Exits with 3 if something got through, --advisories with 4 if"
            " one is about an installed part.", "ui.command_verify:verify", _verify),
    Command("destroy", "delete the vault", "Its keys first. Backups of it still open with its passphrase.",
            "ui.command_keys:destroy", _destroy),
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line's grammar; the reference is made from it."""
    # The same options before and after the command's name; suppressed defaults keep the later from undoing the earlier.
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = shared.add_argument_group("the vault")
    group.add_argument(
        "--vault", metavar="DIR", help="its folder, instead of $STRONGROOM_VAULT or the user's data folder"
    )
    group.add_argument(
        "--accept-older", action="store_true", help="go on with a database that is older than it should be"
    )

    top = argparse.ArgumentParser(
        prog="strongroom",
        description="Ask your mail, contracts and finance files, on your own machine; every answer cites its passage.",
        epilog="STRONGROOM_PASSPHRASE_FILE names a file with the passphrase, for scripts. NO_COLOR turns colours off.",
        parents=[shared],
    )
    top.add_argument("--version", action="version", version=f"strongroom {_version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for each in COMMANDS:
        description = f"{each.summary[0].upper()}{each.summary[1:]}. {each.text}".strip()
        each.arguments(commands.add_parser(each.name, help=each.summary, description=description, parents=[shared]))
    return top


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("strongroom")
    except PackageNotFoundError:
        return "(not installed)"


# --- running --------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    os.environ.update(_SWITCHES)
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets escapes, not a failure
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except StrongroomError as error:
        return _failed(error)
    except KeyboardInterrupt:
        print("strongroom: interrupted", file=sys.stderr)
        return INTERRUPTED
    except EOFError:
        print("strongroom: the input ended before everything was asked", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read has seen enough. Python would complain at its end, when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        # A fault of the program's own. The message may quote a document, so only the place is told.
        if os.environ.get("STRONGROOM_DEBUG"):
            raise
        from engine.protocol import place

        print(f"strongroom: failed: {place(error)}", file=sys.stderr)
        print("hint: this is an error in Strongroom itself; STRONGROOM_DEBUG=1 shows where", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from ui.command_session import given

    command = next(each for each in COMMANDS if each.name == options.command)
    module, _, function = command.run.partition(":")
    context = given(
        os.environ,
        vault=getattr(options, "vault", None),
        accept_older=getattr(options, "accept_older", False),
        json=getattr(options, "json", False),
    )
    code: int = getattr(importlib.import_module(module), function)(context, options)
    return code


def _failed(error: StrongroomError) -> int:
    from ui.terminal import plain

    print(f"strongroom: {plain(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"hint: {plain(error.hint)}", file=sys.stderr)
    return error.exit_code


def run() -> NoReturn:
    """Run one command and end the process with its exit code.

    Without Python's own clearing up: the model may still be loading in a thread of its own, which must not be torn down
    under it, and everything that has to be closed was closed by the command.
    """
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
