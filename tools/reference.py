"""Write docs/reference/command-line.md from the command's own parser: make reference.

It is composed here rather than taken from --help, whose form differs between versions of Python.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "reference" / "command-line.md"

INTRODUCTION = """\
# The command line

<!-- Written by tools/reference.py (make reference) from the parser itself; a test holds the two together. -->

    strongroom [--vault DIR] [--accept-older] COMMAND …

Every command that reads takes `--json`; what it prints then is described in [hit.schema.json](hit.schema.json) and
[answer.schema.json](answer.schema.json), and is ASCII, so that nothing in a document can act on a terminal. Where an
engine runs (`strongroom open`), commands ask it; where none does, they open the vault themselves.

| variable | what it does |
| --- | --- |
| `STRONGROOM_VAULT` | the vault's folder, as `--vault` |
| `STRONGROOM_PASSPHRASE_FILE` | a file whose first line is the passphrase: nothing is asked then |
| `XDG_DATA_HOME`, `XDG_STATE_HOME` | where the vault's folder and what belongs to this machine lie by default |
| `NO_COLOR` | no colours |
| `STRONGROOM_DEBUG` | where a failure of Strongroom itself happened, in full; it may quote a document |

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | a mistake that the message says how to mend |
| 2 | wrong usage |
| 3 | the vault is damaged, was tampered with, or is older than it should be |
| 4 | done, but some files could not be read |
| 130 | interrupted |
"""


def _argument(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if action.option_strings:
        names = ", ".join(
            f"`{each}{f' {value}' if value and action.nargs != 0 else ''}`" for each in action.option_strings
        )
    else:
        names = f"`{value if not action.choices else '|'.join(map(str, action.choices))}`"
    return names


def _usage(name: str, actions: list[argparse.Action]) -> str:
    words = ["strongroom", name]
    for action in actions:
        value = str(action.metavar or action.dest.upper())
        if action.option_strings:
            longest = action.option_strings[-1]
            words.append(f"[{longest}{'' if action.nargs == 0 else f' {value}'}]")
            continue
        shown = "|".join(map(str, action.choices)) if action.choices else value
        words.append(
            {"*": f"[{shown} …]", "+": f"{shown} [{shown} …]", "?": f"[{shown}]"}.get(str(action.nargs), shown)
        )
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) > 88:
            lines.append(line)
            line = "       "
        line += f" {word}" if line.strip() or not line else word
    return "\n".join("    " + each.lstrip() if at == 0 else "    " + each for at, each in enumerate([*lines, line]))


def reference() -> str:
    """The page, as Markdown."""
    from ui.command import COMMANDS, parser

    top = parser()
    [commands] = [each for each in top._actions if isinstance(each, argparse._SubParsersAction)]
    pages = [INTRODUCTION]
    shared = {"--vault", "--accept-older", "--help"}
    for command in COMMANDS:
        actions = [each for each in commands.choices[command.name]._actions if not shared & set(each.option_strings)]
        pages.append(
            f"## {command.name}\n\n{commands.choices[command.name].description}\n\n{_usage(command.name, actions)}\n"
        )
        if described := [each for each in actions if each.help]:
            rows = ["| " + _argument(each).replace("|", "\\|") + f" | {each.help} |" for each in described]
            pages.append("\n".join(["| argument | |", "| --- | --- |", *rows]) + "\n")
    return "\n".join(pages)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(reference(), encoding="utf-8")
