"""Which reader reads a format: strongroom reader."""

import argparse
from collections.abc import Mapping
from typing import Any

from ui.command_session import Given, engine
from ui.terminal import plain, say, say_json, tell
from vault.errors import StrongroomError


def reader(given: Given, options: argparse.Namespace) -> int:
    """List the formats and their readers, or choose one's."""
    if options.format and not options.reader:
        raise StrongroomError(
            f"which reader is to read {options.format}?",
            f"`strongroom reader {options.format} unstructured`, or default",
        )
    with engine(given) as client:
        if options.format:
            done = client.call("readers.use", format=options.format.lower(), reader=options.reader.lower())
            if options.wait:
                client.call("wait")
        else:
            listed = client.call("readers")
    if options.format:
        if given.json:
            say_json(done)
        elif done["files"]:
            files = "1 file" if done["files"] == 1 else f"{done['files']} files"
            again = f"{files} read again" if options.wait else f"{files} to be read again while Strongroom runs"
            tell(f"{done['format']} is read by {done['reader']} from now on; {again}")
        else:
            tell(f"{done['format']} is read by {done['reader']} from now on")
        return 0
    if given.json:
        say_json(listed)
        return 0
    say(*lines(listed))
    missing = [each["name"] for each in listed["readers"] if not each["installed"]]
    for each in missing:
        tell(f"{each} is not installed: `make install EXTRAS={each}`")
    return 0


def lines(listed: Mapping[str, Any]) -> list[str]:
    """The table as lines: first the formats that have a choice, then why the others have none."""
    found = ["read by", ""]
    choice = [each for each in listed["rows"] if each["choices"]]
    width = max(len(each["format"]) for each in listed["rows"])
    for each in choice:
        others = " or ".join(name for name in each["choices"] if name != each["reader"])
        now = each["reader"] if each["default"] or each["reader"] != "default" else "nothing"
        found.append(f"  {each['format']:<{width}}  {now:<14}  could be {plain(others)}")
    found += ["", "always by default, because of unstructured:", ""]
    found += [
        f"  {each['format']:<{width}}  {plain('; '.join(each['why'].values()))}"
        for each in listed["rows"]
        if not each["choices"]
    ]
    return found
