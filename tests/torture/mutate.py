"""Damaged files, made from sound ones: bits, lengths, offsets, nesting, splices, cuts, and the same inside of what a
format packs. Case n of a seed is the same bytes for ever, as long as the files it is made from are.

    python -m tests.torture.mutate ../shared/data SEED NUMBER OUT   writes one case to the folder OUT
"""

import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.torture import mutate_packed as packed
from tests.torture.mutate_bytes import BYTES, spliced
from tests.torture.mutate_text import MAIL, MARKUP, RTF, TEXT

FOLDERS = ("parsers", "emails/fixtures", "emails/msg", "finance/ofx", "finance/bank-statements")
_EXPECTED = {".json", ".yml", ".yaml", ".py", ".java", ".pickle"}  # what a parser should say of the file beside it
LARGEST = 1 << 20  # bytes of a file to begin with: larger ones are read whole, and a page of them is as any other

Mutator = Callable[[random.Random, bytes, bytes], bytes]
"""(chance, the file, another file of its family) → the damaged file"""

# How often a file of each family is taken, and what is done to it. The parsers that are ours get more than the others.
FAMILIES: dict[str, tuple[int, Sequence[Mutator]]] = {
    "mail": (24, (*MAIL, *MAIL, *TEXT, *BYTES)),
    "zip": (20, (*packed.ZIP, *packed.ZIP, *BYTES)),
    "compound": (18, (*packed.COMPOUND, *packed.COMPOUND, *BYTES)),
    "pdf": (14, (*packed.PDF, *packed.PDF, *TEXT, *BYTES)),
    "markup": (10, (*MARKUP, *MARKUP, *TEXT, *BYTES)),
    "rtf": (6, (*RTF, *RTF, *TEXT, *BYTES)),
    "text": (5, (*TEXT, *BYTES)),
    "picture": (3, BYTES),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A damaged file, and how it came about."""

    number: int
    source: str
    """path of the sound file below the folder of public files"""
    steps: tuple[str, ...]
    """what was done to it, in order"""
    name: str
    """by which the file is recognised, as far as its bytes do not say"""
    data: bytes

    def __str__(self) -> str:
        return f"case {self.number}: {' + '.join(self.steps)} of {self.source}"


def sound(root: Path) -> list[Path]:
    """Every file of `FOLDERS` that a parser is meant to read, sorted."""
    found = [each for folder in FOLDERS for each in (root / folder).rglob("*") if each.is_file()]
    return sorted(each for each in found if each.suffix.lower() not in _EXPECTED)


def by_family(root: Path) -> dict[str, list[Path]]:
    """The sound files by family, those that are too large left out."""
    found: dict[str, list[Path]] = {each: [] for each in FAMILIES}
    for path in sound(root):
        if 0 < path.stat().st_size <= LARGEST:
            with path.open("rb") as file:
                found[family(file.read(2048), path.suffix.lower())].append(path)
    return found


def family(head: bytes, suffix: str) -> str:
    """Which damage suits a file that begins so."""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "compound"
    if b"%PDF" in head[:1024] or suffix == ".pdf":
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*", b"MM\0*", b"BM", b"RIFF")):
        return "picture"
    if suffix in (".eml", ".mbox", ".emlx", ".mht") or re.match(rb"(?i)(from |[a-z-]+: )", head):
        return "mail"
    if suffix in (".html", ".htm", ".xml", ".ofx", ".qfx", ".xhtml") or head.lstrip().startswith(b"<"):
        return "markup"
    return "text"


def case(root: Path, families: dict[str, list[Path]], seed: int, number: int) -> Case:
    """Case `number` of this seed."""
    chance = random.Random(f"{seed}/{number}")
    kinds = [each for each in FAMILIES if families[each]]
    kind = chance.choices(kinds, [FAMILIES[each][0] for each in kinds])[0]
    path, other = chance.choice(families[kind]), chance.choice(families[kind])
    data, beside, name = path.read_bytes(), other.read_bytes(), path.name
    steps = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        done = spliced if chance.random() < 0.06 else chance.choice(FAMILIES[kind][1])
        data = done(chance, data, beside)
        steps.append(done.__name__)
    if chance.random() < 0.06:
        data, name = packed.attached(chance, data, name), "carrier.eml"
        steps.append("attached")
    elif kind == "mail" and chance.random() < 0.06:
        data, name = packed.mailbox(chance, data, beside), "mails.mbox"
        steps.append("mailbox")
    return Case(number, path.relative_to(root).as_posix(), tuple(steps), name, data)


if __name__ == "__main__":
    public, one_seed, one_number, out = (
        Path(sys.argv[1]).resolve(),
        int(sys.argv[2]),
        int(sys.argv[3]),
        Path(sys.argv[4]),
    )
    wanted = case(public, by_family(public), one_seed, one_number)
    (out / wanted.name).write_bytes(wanted.data)
    print(wanted)
