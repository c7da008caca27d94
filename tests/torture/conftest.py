"""What the long tests share: a short form runs in the suite, the long one in `make torture`."""

import datetime as dt
import fcntl
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "threat-model.md"
BEGIN, END = "<!-- torture: begin -->\n", "<!-- torture: end -->"


@pytest.fixture
def size(request):
    """size(short, long): the number that counts here."""
    return lambda short, long: long if request.config.getoption("--long") else short


@pytest.fixture
def result(request):
    """result(name, found): what a long run did and found, in one line of the table of docs/threat-model.md."""

    def write(name, found):
        print(f"{name}: {found}")
        if request.config.getoption("--record"):
            record(RESULTS, name, found, dt.datetime.now(tz=dt.UTC).date())

    return write


def record(page, name, found, day):
    """Put a row into the table between the marks, in the place of the one of that name."""
    with page.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        before, rest = text.split(BEGIN)
        table, after = rest.split(END)
        rows = dict(line[2:].split(" | ", 1) for line in table.splitlines()[2:])
        rows[name] = f"{found} | {day} |"
        lines = ["| what | found | on |", "| --- | --- | --- |", *(f"| {key} | {rows[key]}" for key in sorted(rows))]
        file.seek(0)
        file.truncate()
        file.write(before + BEGIN + "\n".join(lines) + "\n" + END + after)
