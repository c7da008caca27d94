"""The command `verify`: a table of what was tried, the list of parts, and what is known against them."""

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.verdict import GROUPS, Row, counts, from_json
from ui.command_session import Given
from ui.terminal import WIDTH, Style, plain, say, say_json, tell

_WORDS = {"held": "held", "not held": "NOT HELD", "unknown": "unknown", "yours": "up to you"}
_MARGIN = 13  # columns of the verdict and what separates it


def verify(given: Given, options: argparse.Namespace) -> int:
    """Try the protection on this machine, and the vault's; or print the list of parts, or what is known of them."""
    if options.sbom:
        from engine import looking

        sys.stdout.write(looking.parts())
        return 0
    if options.advisories:
        return _advisories(given, Path(options.advisories))
    from ui import verify as checks

    report = checks.run(given, tell if sys.stderr.isatty() else lambda _: None)
    rows = from_json(report["rows"])
    if given.json:
        say_json(report)
    else:
        say(*table(report, given.style, short=options.short))
    return 3 if any(each.result == "not held" for each in rows) else 0


def table(report: Mapping[str, Any], style: Style, *, short: bool = False) -> list[str]:
    """The report in lines: group by group, each row with its verdict, what was tried and the outside command."""
    rows = from_json(report["rows"])
    lines: list[str] = []
    for group in GROUPS:
        inside = [each for each in rows if each.group == group]
        if inside:
            lines += ["", style.strong(group)]
        before = ""
        for each in inside:
            lines += _row(each, style, short=short, before=before)
            before = each.command
    return [*lines, "", *_summary(report, rows, style)]


def _row(row: Row, style: Style, *, short: bool, before: str) -> list[str]:
    word = f"{_WORDS[row.result]:<{_MARGIN - 2}}"
    coloured = {"held": style.good, "not held": style.bad, "unknown": style.faint, "yours": style.mark}[row.result](
        word
    )
    told = textwrap.wrap(row.claim, WIDTH - _MARGIN)
    lines = [f"  {coloured}{told[0]}", *(" " * _MARGIN + each for each in told[1:])]
    if short:
        return lines if row.result == "held" else [*lines, *_under(row.found, style.faint)]
    lines += _under(f"tried: {row.tried}" if row.tried else "", style.faint)
    lines += _under(f"found: {row.found}" if row.found else "", lambda words: words)
    if row.command and row.command == before:
        lines += _under("see it: as above", style.faint)
    elif row.command:
        # In one piece, so that it can be copied.
        lines += [" " * _MARGIN + style.faint("see it: ") + plain(row.command)]
        lines += _under(f"shows:  {row.shows}", style.faint)
    return lines


def _under(words: str, styled: Any) -> list[str]:
    return [" " * _MARGIN + styled(each) for each in _folded(words)] if words else []


def _folded(words: str) -> list[str]:
    indent = " " * 8 if words.startswith(("tried:", "found:", "see it:", "shows:")) else ""
    width = WIDTH - _MARGIN
    return textwrap.wrap(plain(words), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _summary(report: Mapping[str, Any], rows: Sequence[Row], style: Style) -> list[str]:
    found = counts(rows)
    bad = found["not held"]
    told = (
        f"{found['held']} held, {bad} not held, {found['unknown']} cannot be told here, {found['yours']} are up to you"
        f"; {report['seconds']:.0f} s, {plain(report['system'])}"
    )
    lines = [style.bad(told) if bad else told]
    if bad:
        lines.append("what is not held is a promise that is broken here: SECURITY.md says how to report it")
    if found["yours"]:
        lines.append("up to you: no promise of Strongroom's, but it decides how much the promises are worth")
    lines.append(
        "what none of this can show is in docs/threat-model.md; every row is explained in docs/how-to/verify.md"
    )
    return lines


# --- advisories -------------------------------------------------------------------------------------------------------


def _advisories(given: Given, file: Path) -> int:
    from ui import apart

    part = apart.start(lambda _: _read(file))
    found = part.next()
    part.end()
    if "error" in found:
        from vault.errors import StrongroomError

        raise StrongroomError(found["error"], found.get("hint", ""))
    if given.json:
        say_json(found)
    else:
        say(*_told(found, given.style))
    return 4 if found["found"] else 0


def _read(file: Path) -> dict[str, Any]:
    """In a locked process: the file came from elsewhere."""
    from engine import advisories

    return advisories.look(file)


def _told(found: Mapping[str, Any], style: Style) -> list[str]:
    lines = []
    for each in found["found"]:
        ids = ", ".join([each["id"], *each["aliases"]])
        fixed = f"mended in {', '.join(each['fixed'])}" if each["fixed"] else "not mended in any version that it names"
        lines += [
            style.bad(f"{plain(each['package'])} {plain(each['version'])}: {plain(ids)}"),
            *(f"  {plain(line)}" for line in textwrap.wrap(each["summary"] or "no summary", WIDTH - 2)),
            f"  {plain(fixed)}",
            "",
        ]
    age = f"the newest of {plain(found['newest'][:10])}" if found["newest"] else "none with a date"
    lines.append(
        f"{len(found['found'])} of {found['advisories']:,} advisories ({age}) are about one of the"
        f" {found['packages']} installed packages"
    )
    if found["unreadable"]:
        lines.append(f"{found['unreadable']:,} entries could not be understood, and may be about one")
    lines.append(
        "libraries inside of packages (PDFium, SQLite, OpenSSL, …) have advisories of their own: `--sbom` lists them"
    )
    return lines
