"""Words that stand nowhere else, put wherever a document or a question can have words, and looked for in files.

All of one run begin with the same random letters, so that one fast search finds any of them.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

_LETTERS = "bcdfghklmnprstvz"  # one for each half of a byte; no word of any language
_BLOCK_BYTES = 1 << 20
_LONGEST_BYTES = 128  # a canary in UTF-16 and what stands beside it

PLACES = (
    *("text", "word", "folder", "file", "sender", "subject", "body", "attachment", "attached"),
    *("question", "purged", "passphrase"),
)
"""what each canary stands in"""


@dataclass(frozen=True, slots=True)
class Canaries:
    """The words of one run."""

    prefix: str
    words: Mapping[str, str]
    """place → word"""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search saw."""

    files: int
    size: int
    """bytes"""
    hits: tuple[str, ...]
    """`PLACE in FILE`, PLACE one of PLACES"""
    whole: bool
    """whether everything was read, and nothing left out for being too much"""


def drawn() -> Canaries:
    """New ones."""
    prefix = _random(6)
    return Canaries(prefix, {place: prefix + _random(4) for place in PLACES})


def _random(count: int) -> str:
    return "".join(_LETTERS[each >> 4] + _LETTERS[each & 15] for each in secrets.token_bytes(count))


def write_papers(folder: Path, canaries: Canaries) -> Path:
    """Write papers with the canaries in them; returns the one that is to be purged."""
    word = canaries.words
    inner = folder / f"Letters {word['folder']}"
    inner.mkdir(parents=True)
    (inner / f"Lease {word['file']}.txt").write_text(
        f"Lease of the workshop\n\nThe rent of the workshop is 412 pounds a month, says {word['text']}.\n\n"
        f"{word['word']} is the word that opens the gate.\n"
    )
    mail = EmailMessage()
    mail["From"] = f"Ines {word['sender']} <ines.{word['sender']}@mail.example>"
    mail["To"] = "ada@mail.example"
    mail["Date"] = "Fri, 06 Mar 2026 09:30:00 +0000"
    mail["Message-ID"] = f"<{word['subject']}@mail.example>"
    mail["Subject"] = f"The piano {word['subject']}"
    mail.set_content(f"The piano was tuned on 4 March. The tuner is {word['body']}.\n")
    mail.add_attachment(
        f"Receipt: 84 pounds, {word['attached']}.\n", filename=f"receipt {word['attachment']}.txt",
    )  # fmt: skip
    (inner / "piano.eml").write_bytes(mail.as_bytes())
    purged = inner / "Diary.txt"
    purged.write_text(f"Diary\n\nOn Sunday I met {word['purged']} at the harbour and told nobody.\n")
    return purged


def questions(canaries: Canaries) -> tuple[str, str]:
    """One that the papers answer, and one with a canary of its own in it."""
    return "How much is the rent of the workshop?", f"Who is {canaries.words['question']}?"


def search(
    everything: Sequence[Path],
    changed: Sequence[Path],
    canaries: Canaries,
    *,
    since: float,
    seconds: float,
    leave_out: Sequence[Path] = (),
) -> Searched:
    """Look through all files below `everything`, and those below `changed` that were written since then (seconds since
    1970). UTF-8 and UTF-16, in either case of letters; names of files too. Stops after `seconds`."""
    until = time.monotonic() + seconds
    needles = (canaries.prefix.encode(), canaries.prefix.encode("utf-16-le"))
    places = {word: place for place, word in canaries.words.items()}
    seen: set[tuple[int, int]] = set()
    files = size = 0
    hits: list[str] = []
    for path, status in _files([(each, 0.0) for each in everything] + [(each, since) for each in changed], leave_out):
        if time.monotonic() > until:
            return Searched(files, size, tuple(hits), whole=False)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        files, size = files + 1, size + status.st_size
        named = str(path).lower()
        hits += [f"{place} in the name {path}" for word, place in places.items() if word in named]
        hits += [f"{places.get(word, word)} in {path}" for word in _in_file(path, needles, canaries, until)]
    return Searched(files, size, tuple(dict.fromkeys(hits)), whole=True)


def _files(folders: Iterable[tuple[Path, float]], leave_out: Sequence[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Each regular file, no link followed, once for each folder that it is below; what vanishes meanwhile is left."""
    kept_out = {os.path.realpath(each) for each in leave_out}
    for folder, since in folders:
        waiting = [os.path.realpath(folder)]
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for each in entries:
                    if each.is_dir(follow_symlinks=False):
                        waiting += [each.path] if each.path not in kept_out else []
                    elif each.is_file(follow_symlinks=False):
                        status = each.stat(follow_symlinks=False)
                        if max(status.st_mtime, status.st_ctime) >= since:
                            yield Path(each.path), status


def _in_file(path: Path, needles: Sequence[bytes], canaries: Canaries, until: float) -> Iterator[str]:
    """Each canary that the file holds, by its word."""
    length = len(next(iter(canaries.words.values())))
    with contextlib.suppress(OSError), path.open("rb") as file:
        before = b""
        while (block := file.read(_BLOCK_BYTES)) and time.monotonic() < until:
            window = (before + block).lower()
            for needle, step in zip(needles, (1, 2), strict=True):
                at = window.find(needle)
                while at >= 0:
                    yield window[at : at + length * step : step].decode("ascii", "replace")
                    at = window.find(needle, at + 1)
            before = window[-_LONGEST_BYTES:]
