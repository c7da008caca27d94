"""Every file of a vault flipped, swapped, cut, put back: refused with exit code 3 and the way out, or read as before.

A vault is lived through in moments: read in, changed, purged, given another passphrase, copied while it was open (as a
kill -9 leaves it), closed. A case takes the newest moment, at rest or killed, and spoils it: bits, blocks, lengths,
zeros, whole files and pages of earlier moments and of another vault, and files that are gone. Then the vault is
opened, searched, asked and read to the last row. What comes may be the newest moment's, to the letter; or a refusal;
and the moment whose database and both anchors were put back together, which nothing can notice, with nothing in it
that the list of purges names. Everything else is a finding.

What is done in each case follows from the seed and its number alone; the files of a case that was a finding are kept in
the test's folder, because keys and nonces are drawn anew at each run.
"""

import json
import random
import re
import shutil
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.asking import ask, search, texts
from engine.engine import Engine
from engine.erasing import purge
from engine.keeping import passwd
from generation import extractive
from retrieval import keyword
from retrieval.index import Index
from vault.errors import DamagedVaultError
from vault.failures import NoVaultError
from vault.keys import FLOOR
from vault.manifest import contents
from vault.purge import reapply
from vault.vault import Vault

SEED = 20261122
PASSPHRASE, NEXT = "nine quiet otters downstream", "ten loud herons upstream"
QUESTIONS = ("When does the lease end?", "What does the roof cost?", "Who tuned the piano?", "boiler service 184.50")
PAGE, FRAME, LOG_START = 4096, 4096 + 24, 32
UNNOTICED = "old pages in a vault that was killed, not noticed"
ANCHORS = ("vault/anchor", "state/anchor")
WORDS = (
    "The lease of unit {n} ends on 28 February 20{n:02}. The rent is {n}85 pounds a month, due on the first.",
    "The roofer replaces the ridge tiles of house {n} on 12 May for 2,3{n} pounds, scaffolding included.",
    "The piano in room {n} was tuned by Ines Valadares, who charged {n} pounds for it and a cup of tea.",
    "The yearly service of boiler {n} costs 184.50 pounds and is due in March 20{n:02}; ring {n} days before.",
)

Files = dict[str, bytes]


@dataclass
class Lived:
    """A vault's files at its moments, and another vault's. Names: `vault/…`, and `state/…` below the vault's id."""

    code: str
    id: str
    other: Files = field(default_factory=dict)
    moments: dict[str, Files] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    purges: dict[str, int] = field(default_factory=dict)


def read(folder: Path, vault_id: str) -> Files:
    """The files of a vault and of its part of the state folder."""
    found = {}
    for name, root in (("vault", folder / "vault"), ("state", folder / "state" / vault_id)):
        found |= {f"{name}/{p.name}": p.read_bytes() for p in root.iterdir() if p.is_file()}
    return found


def write(files: Files, folder: Path, vault_id: str) -> None:
    """Make the folder hold these files and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for root in (folder / "vault", folder / "state" / vault_id):
        root.mkdir(parents=True, mode=0o700)
    (folder / "state").chmod(0o700)
    for name, data in files.items():
        where, _, last = name.partition("/")
        path = folder / "vault" / last if where == "vault" else folder / "state" / vault_id / last
        path.write_bytes(data)


class RefusedError(Exception):
    """The vault did not open; the cause says why."""


def contained(folder: Path) -> Files:
    """What lies in a folder, but for what every attempt to open it writes."""
    names = (p for p in folder.rglob("*") if p.is_file() and p.name not in {"lock", "attempts"})
    return {str(p): data for p in names if (data := p.read_bytes())}


def answered(vault: Vault, embedder) -> dict[str, object]:
    """What the vault answers: passages and extractive answers to the questions, and every row of every table."""
    index = Index(vault, embedder)
    index.refresh()
    found: dict[str, object] = {}
    for question in QUESTIONS:
        passages = index.search(question, k=5)
        found[question] = [(p.document, p.start, p.end, p.text, p.path) for p in passages]
    # of the last passages only: an answer costs more than the search
    found["answer"] = extractive.answer(QUESTIONS[-1], passages, embedder, texts(vault)).to_json() | {"seconds": 0}
    with vault.read() as db:
        found |= contents(db)
        # `state` is the commit's own, and another after a crash; the rest of `meta` is compared.
        found["meta"] = db.execute("SELECT key, value FROM meta WHERE key != 'state' ORDER BY key").fetchall()
    return found


def opened(secret: str, folder: Path, embedder) -> tuple[dict[str, object], int]:
    """What a vault on disk answers, and how many purges it knows of. Raises RefusedError where it does not open."""
    before = contained(folder)
    try:
        vault = Vault.open(folder / "vault", secret, state=folder / "state")
    except DamagedVaultError as error:
        assert contained(folder) == before, "it was refused, but changed"
        raise RefusedError from error
    try:
        if vault.was_behind:
            reapply(vault, keyword.remove, index_holds=keyword.held)  # as the engine does
        with vault.read() as db:
            purges = db.execute("SELECT count(*) FROM purged").get
        return answered(vault, embedder), purges
    finally:
        vault.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory, zygote, embedder) -> Lived:
    """Five moments of one vault, and another vault with the same passphrase and the same documents."""
    root = tmp_path_factory.mktemp("lived")
    papers = root / "papers"
    papers.mkdir()
    for n in range(12):
        (papers / f"{n}.txt").write_text("\n\n".join(WORDS[(n + i) % 4].format(n=n + 10 * i + 1) for i in range(20)))
    engine = None

    def begin(name: str, passphrase: str, *, create: bool = False) -> Engine:
        engine = Engine(root / name / "vault", root / name / "state", zygote, cost=FLOOR, load=lambda: embedder)
        if create:
            engine.code = engine.create(passphrase)["recovery_code"]
        else:
            engine.unlock(passphrase)
        return engine

    def keep(moment: str) -> None:
        found.moments[moment] = read(root / "one", found.id)
        write(found.moments[moment], root / "look", found.id)
        found.answers[moment], found.purges[moment] = opened(found.code, root / "look", embedder)

    def settle(engine: Engine) -> None:
        engine.wait(seconds=120)
        assert engine.status()["to_do"] == 0

    engine = begin("one", PASSPHRASE, create=True)
    found = Lived(engine.code, engine.opened().vault.id)
    engine.folders_add(str(papers))
    settle(engine)
    ask(engine, QUESTIONS[0])
    engine.close()
    keep("read in")

    engine = begin("one", PASSPHRASE)
    (papers / "3.txt").write_text("The organ, not the piano, was tuned by Boniface Achterberg. It cost 77 pounds.\n")
    (papers / "new.txt").write_text("The lease of the garage in Mill Lane ends on 31 July 2031.\n")
    settle_after_change(engine, "garage in Mill Lane")
    engine.close()
    keep("changed")

    engine = begin("one", PASSPHRASE)
    purge(engine, [str(papers / "5.txt")], confirm=True)
    engine.close()
    keep("purged")

    engine = begin("one", PASSPHRASE)
    passwd(engine, PASSPHRASE, NEXT)
    ask(engine, QUESTIONS[1])
    engine.close()
    keep("new passphrase")

    engine = begin("one", NEXT)
    (papers / "last.txt").write_text("\n\n".join(WORDS[i % 4].format(n=i + 40) for i in range(30)))
    settle_after_change(engine, "boiler 67")
    for question in QUESTIONS:
        ask(engine, question)
    keep("killed")
    engine.close()
    keep("closed")

    engine = begin("two", NEXT, create=True)
    engine.folders_add(str(papers))
    settle(engine)
    engine.close()
    found.other = read(root / "two", engine_id(root / "two"))
    assert found.answers["killed"] == found.answers["closed"]
    return found


def engine_id(folder: Path) -> str:
    return next(p.name for p in (folder / "state").iterdir() if p.is_dir() and len(p.name) == 32)


def settle_after_change(engine: Engine, words: str) -> None:
    """Wait until a changed file is found."""
    for _ in range(600):
        engine.wait(seconds=120)
        if any(words in hit["quote"] for hit in search(engine, words)["hits"]):
            return
        engine.ended.wait(0.1)
    pytest.fail(f"{words!r} was never found")


# --- spoiling -------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """A vault's files, spoilt."""

    base: str
    kind: str
    files: Files
    said: str
    old: dict[str, str] = field(default_factory=dict)
    """the moment that each file is of, where that is not the base; `absent`, `other`"""


def database(files: Files) -> str:
    [name] = [name for name in files if re.fullmatch(r"vault/store-\d+\.db", name)]
    return name


def chosen(files: Files, rng: random.Random) -> str:
    """A file that is not empty: the database and its log half of the time, being most of the bytes."""
    names = sorted(name for name, data in files.items() if data)
    large = [name for name in names if "store-" in name]
    return rng.choice(large if rng.random() < 0.5 else names)


def unit(name: str, size: int, rng: random.Random) -> tuple[int, int]:
    """Where the blocks of a file begin and how long they are: its own, mostly."""
    own = {"-wal": (LOG_START, FRAME), ".db": (0, PAGE)}
    start, block = next((each for end, each in own.items() if name.endswith(end)), (0, rng.choice([1, 16, 104, 512])))
    if rng.random() < 0.2 or size < start + 2 * block:
        start, block = 0, max(1, min(rng.choice([1, 8, 32, 512]), size // 2))
    return start, block


def flips(lived: Lived, case: Case, rng: random.Random) -> None:
    name = chosen(case.files, rng)
    data = bytearray(case.files[name])
    for _ in range(rng.choice([1, 1, 1, 2, 8, 64])):
        at = rng.randrange(min(len(data), 200)) if rng.random() < 0.2 else rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
        case.said += f" {name}@{at}"
    case.files[name] = bytes(data)


def swaps(lived: Lived, case: Case, rng: random.Random) -> None:
    name = chosen(case.files, rng)
    data = bytearray(case.files[name])
    start, block = unit(name, len(data), rng)
    one, two = (start + block * rng.randrange((len(data) - start) // block) for _ in range(2))
    data[one : one + block], data[two : two + block] = data[two : two + block], data[one : one + block]
    case.files[name] = bytes(data)
    case.said += f" {name}: {block} at {one} and {two}"


def lengths(lived: Lived, case: Case, rng: random.Random) -> None:
    """Cut, lengthened by zeros, noise or its own blocks, a block taken out or put in twice."""
    name = chosen(case.files, rng)
    data = case.files[name]
    start, block = unit(name, len(data), rng)
    at = start + block * rng.randrange(max(1, (len(data) - start) // block))
    how = rng.choice(["cut", "cut", "zeros", "noise", "own", "out", "twice"])
    case.files[name] = {
        "cut": data[:at],
        "zeros": data + bytes(block),
        "noise": data + rng.randbytes(block),
        "own": data + data[at : at + block],
        "out": data[:at] + data[at + block :],
        "twice": data[:at] + data[at : at + block] + data[at:],
    }[how]
    case.said += f" {name}: {how} {block} at {at}"


def ranges(lived: Lived, case: Case, rng: random.Random) -> None:
    """A range of zeros, ones or noise, as a failing disk leaves it."""
    name = chosen(case.files, rng)
    data = bytearray(case.files[name])
    start, block = unit(name, len(data), rng)
    at = start + block * rng.randrange(max(1, (len(data) - start) // block))
    size = min(block * rng.choice([1, 1, 2, 8]), len(data) - at)
    data[at : at + size] = rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)])
    case.files[name] = bytes(data)
    case.said += f" {name}: {size} at {at}"


def older(lived: Lived, case: Case, rng: random.Random) -> None:
    """Some of the files of an earlier moment, or of another vault; or gone."""
    moment = rng.choice([*(name for name in lived.moments if name != case.base), "other"])
    source = lived.other if moment == "other" else lived.moments[moment]
    names = sorted({*case.files, *source} - {"vault/lock"})
    for name in names:
        now = rng.choice(["base", "base", moment, moment, "absent"])
        if now == "absent" or (now != "base" and name not in source):
            case.files.pop(name, None)
            case.old[name] = "absent"
        elif now != "base":
            case.files[name] = source[name]
            case.old[name] = moment
    case.said += f" {case.old}"


def old_pages(lived: Lived, case: Case, rng: random.Random) -> None:
    """Pages of the database at an earlier moment put back into it, each authentic."""
    name = database(case.files)
    moment = rng.choice([m for m in lived.moments if name in lived.moments[m]])
    source, data = lived.moments[moment][name], bytearray(case.files[name])
    differ = [
        at for at in range(0, min(len(source), len(data)), PAGE) if source[at : at + PAGE] != data[at : at + PAGE]
    ]
    for at in rng.sample(differ, min(len(differ), rng.choice([1, 1, 1, 2, 5]))):
        data[at : at + PAGE] = source[at : at + PAGE]
        case.said += f" page {at // PAGE + 1} of {moment!r}"
    case.files[name] = bytes(data)


def forged_log(lived: Lived, case: Case, rng: random.Random) -> None:
    """A log that SQLite takes: the pages in it are authentic ones of an earlier moment, its sums need no key."""
    name = database(case.files)
    moment = rng.choice([m for m in lived.moments if name in lived.moments[m]])
    source = lived.moments[moment][name]
    pages = rng.sample(range(1, len(source) // PAGE + 1), rng.choice([1, 1, 3]))
    case.files[name + "-wal"] = log(
        [(n, source[(n - 1) * PAGE : n * PAGE]) for n in pages], len(case.files[name]) // PAGE, rng
    )
    case.said += f" pages {pages} of {moment!r}"


def log(pages: list[tuple[int, bytes]], total: int, rng: random.Random) -> bytes:
    """A write-ahead log with one commit (https://www.sqlite.org/fileformat2.html#walformat)."""

    def summed(data: bytes, s0: int = 0, s1: int = 0) -> tuple[int, int]:
        for x, y in struct.iter_unpack("<II", data):
            s0 = (s0 + x + s1) & 0xFFFFFFFF
            s1 = (s1 + y + s0) & 0xFFFFFFFF
        return s0, s1

    salts = rng.randbytes(8)
    start = struct.pack(">IIII", 0x377F0682, 3007000, PAGE, 0) + salts
    sums = summed(start)
    found = start + struct.pack(">II", *sums)
    for n, (number, page) in enumerate(pages, start=1):
        head = struct.pack(">II", number, total if n == len(pages) else 0)
        sums = summed(head + page, *sums)
        found += head + salts + struct.pack(">II", *sums) + page
    return found


KINDS = {
    "bits flipped": (flips, 30),
    "blocks swapped": (swaps, 12),
    "cut, longer or shorter": (lengths, 14),
    "ranges overwritten": (ranges, 10),
    "older, foreign and missing files": (older, 20),
    "old pages": (old_pages, 9),
    "old pages in a log": (forged_log, 5),
}


def spoilt(lived: Lived, rng: random.Random) -> Case:
    """One case, from the numbers that `rng` gives and nothing else."""
    base = rng.choice(["closed", "closed", "killed"])
    kind = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    case = Case(base, kind, dict(lived.moments[base]), f"{base}, {kind}:")
    KINDS[kind][0](lived, case, rng)
    return case


# --- what comes of it -----------------------------------------------------------------------------------------------


def excepted(lived: Lived, case: Case) -> bool:
    """Authentic pages put back into a vault that was not closed, one by one or all that are not in its log: the threat
    model says that this is not noticed."""
    beneath = database(lived.moments["killed"])
    log_stayed = case.old.get(beneath, "absent") != "absent" and f"{beneath}-wal" not in case.old
    return case.base == "killed" and (case.kind.startswith("old pages") or log_stayed)


def outcome(lived: Lived, case: Case, folder: Path, embedder) -> str:
    """`as before`, `refused`, an exception that the threat model names, or what is wrong, which begins with `!`."""
    write(case.files, folder, lived.id)
    secret = NEXT if case.old.get("vault/header") == "other" else lived.code
    try:
        got, purges = opened(secret, folder, embedder)
    except RefusedError as refused:
        said: Any = refused.__cause__
        return "refused" if said.exit_code == 3 and said.hint and said.message else f"! {said!r}"
    except DamagedVaultError as error:
        return "refused when it was read" if error.exit_code == 3 and error.hint else f"! {error!r}"
    except NoVaultError:
        left = [name for name in case.files if name.startswith("vault/") and name != "vault/lock"]
        return f"! no vault, but {left}" if left else "refused"
    except Exception as error:  # noqa: BLE001 - is the finding
        return UNNOTICED if excepted(lived, case) else f"! {type(error).__name__}: {error}"
    if got == lived.answers[case.base]:
        return "as before"
    if {case.old.get(name) for name in ("vault/header", "vault/anchor", database(case.files))} == {"other"}:
        return "another vault in its place"  # that opens with its own passphrase
    for moment, answers in lived.answers.items():
        if got == answers:
            together = all(case.old.get(name) in {moment, "absent"} for name in ANCHORS)
            if together and purges == lived.purges[case.base if "state/purged" not in case.old else moment]:
                return "everything put back together"
            return f"! the answers of {moment!r}, {purges} purges known"
    if excepted(lived, case):
        return UNNOTICED
    put_back = {case.old.get(name) for name in (database(case.files), *ANCHORS)} - {"absent"}
    if len(put_back) == 1 and None not in put_back and purges >= lived.purges[case.base]:
        return "everything put back together, purges re-applied"
    differing = [name for name in got if got[name] != lived.answers[case.base].get(name)]
    return f"! other answers: {differing}"


def untouched(folder: Path, files: Files) -> bool:
    """Whether nothing there is a plain database, and no database that was not there."""
    for path in (folder / "vault").iterdir():
        if path.read_bytes()[:16] == b"SQLite format 3\0":
            return False
        if re.fullmatch(r"store-\d+\.db", path.name) and f"vault/{path.name}" not in files:
            return False
    return True


def test_nothing_that_was_spoilt_is_read_as_something_else(lived, tmp_path, embedder, size, result):
    found: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    wrong = []
    print(f"seed {SEED}")
    for number in range(size(80, 10_000)):
        case = spoilt(lived, random.Random(f"{SEED} {number}"))
        what = outcome(lived, case, tmp_path / "vault", embedder)
        if not untouched(tmp_path / "vault", case.files):
            what = f"! plain or new database; {what}"
        if what.startswith("!"):
            wrong.append(f"{number}: {case.said}: {what}")
            # What the vault's pages hold is random, so the case's number alone does not bring it back.
            write(case.files, tmp_path / f"wrong {number}", lived.id)
            print(wrong[-1], flush=True)
        found[what.split(":")[0] if what.startswith("!") else what] += 1
        kinds[case.kind] += 1
    print(dict(kinds), dict(found))
    assert not wrong, "\n".join(wrong[:20])
    assert found["refused"] > kinds.total() // 4
    assert found["as before"] > kinds.total() // 20
    assert kinds.keys() == KINDS.keys()
    result(
        "tampering: bits, blocks, lengths, ranges, older and foreign files, old pages",
        f"{kinds.total():,} cases (seed {SEED}): " + ", ".join(f"{name} {n:,}" for name, n in sorted(found.items())),
    )


def test_what_is_spoilt_would_be_noticed_by_these_tests(lived, tmp_path, embedder):
    """The earlier moments do answer differently, and each opens by itself."""
    answers = [json.dumps(lived.answers[m], default=repr) for m in lived.moments if m != "killed"]
    assert len(set(answers)) == len(answers)
    for moment, files in lived.moments.items():
        case = Case("closed", "older", dict(files), "", dict.fromkeys(files, moment))
        write(files, tmp_path / "vault", lived.id)
        assert opened(lived.code, tmp_path / "vault", embedder)[0] == lived.answers[moment]
        assert outcome(lived, case, tmp_path / "vault", embedder)[0] != "!"
