"""An hour of files appearing, changing, moving and vanishing while questions are asked: the index then equals one built
afresh, memory has not grown, and no file handle is left.

The program is launched as `strongroom open` launches it. What is done to the files is drawn from the seed, in order,
and written to `done` in the test's folder, so that a run can be read again; when the engine sees it is the machine's
affair. "Afresh" is a second vault that reads the same folders once. Compared: files and their states, documents with
where they lie, chunks with their headings, every posting of the keyword index, and the vectors. A document keeps the
title that it was first seen with, by design (docs/decisions/embedding.md), so postings and vectors of one whose title
came from a file's name that it has no longer are left out, and counted.

Memory is what the kernel says that each process holds (VmRSS), its median over the second tenth of the run, after
warming up, against that over the last. Handles and threads are counted when all is quiet, before and after.
"""

import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import pytest

from engine import client
from retrieval import segment
from vault.errors import StrongroomError
from vault.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261122
PASSPHRASE = "eleven tame rooks on a gatepost"
GROWN_MIB = {"engine": 64, "zygote": 16, "launcher": 8}
"""An engine grows ever more slowly: it keeps the number of tokens of each word that it met, up to 200,000 words, and what
its allocator does not give back. An object that is never let go of (once, one for each look into a segment) is more."""
NOUNS = ["boiler", "lease", "piano", "invoice", "garden", "roof", "ferry", "ledger", "orchard", "kettle", "meadow"]
VERBS = ["ends", "costs", "needs", "opens", "holds", "follows", "carries", "mends", "counts", "lends", "keeps"]

LAUNCH = """
import sys
from pathlib import Path
from engine.launcher import launch
launch(Path(sys.argv[1]), Path(sys.argv[2]), page=False, on_ready=lambda url: print("ready", flush=True))
"""


# --- the program ----------------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A launched Strongroom and its processes."""

    vault: Path
    state: Path
    process: subprocess.Popen[str]

    def call(self, method, **params):
        with client.connect(self.vault, self.state) as asked:
            return asked.call(method, **params)

    def processes(self) -> dict[str, int]:
        pid = self.process.pid
        zygote, engine = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[:2]
        return {"launcher": pid, "zygote": int(zygote), "engine": int(engine)}

    def held(self) -> dict[str, tuple[int, int]]:
        """Open descriptors and threads of each process. The table's size alone where we may not look into it."""
        found = {}
        for name, pid in self.processes().items():
            status = said(pid)
            try:
                handles = len(os.listdir(f"/proc/{pid}/fd"))
            except PermissionError:
                handles = int(status["FDSize"])
            found[name] = handles, int(status["Threads"])
        return found

    def memory_mib(self) -> dict[str, float]:
        return {name: int(said(pid)["VmRSS"].split()[0]) / 1024 for name, pid in self.processes().items()}


def said(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def launched(folder: Path):
    folder.mkdir()
    (folder / "state").mkdir(mode=0o700)
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(folder / "vault"), str(folder / "state")],
        stdout=subprocess.PIPE, stderr=(folder / "messages").open("w"), text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout.readline().strip() == "ready", (folder / "messages").read_text()
        running = Running(folder / "vault", folder / "state", process)
        running.call("create", passphrase=PASSPHRASE)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        process.stdout.close()


def settled(running: Running, folders: list[Path]) -> None:
    """Wait until the vault's list of files is what lies in the folders, and all of it is done."""
    until = time.monotonic() + 600
    while True:
        running.call("wait", seconds=300)
        rows = running.call("files", limit=10_000)["rows"]
        listed = {(row["path"], row["size"], row["modified"]) for row in rows}
        there = {
            (str(path), path.stat().st_size, path.stat().st_mtime_ns / 1e9)
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file()
        }
        status = running.call("status")
        idle = not status["to_do"] and not status["scanning"] and status["vectors"] == status["chunks"]
        if listed == there and idle:
            return
        if time.monotonic() > until:
            pytest.fail(f"it never came to know what lies there: {sorted(listed ^ there)[:10]}, {status}")
        time.sleep(0.5)


# --- what happens to the files --------------------------------------------------------------------------------------


class Household:
    """People and programs that work on files, by the numbers of `rng`."""

    def __init__(self, root: Path, rng: random.Random, log: Path) -> None:
        self.rng = rng
        self.watched = [root / "one", root / "two"]
        self.elsewhere = root / "elsewhere"
        for folder in (*self.watched, self.elsewhere):
            (folder / "deeper").mkdir(parents=True)
        self.log = log.open("w")
        self.number = 0

    def text(self) -> str:
        words = self.rng.choice
        count = self.rng.choice([1, 3, 3, 8, 8, 30])
        return "\n\n".join(
            f"The {words(NOUNS)} of house {self.rng.randrange(500)} {words(VERBS)} the {words(NOUNS)}"
            f" for {self.rng.randrange(9000)} pounds on {self.rng.randrange(1, 29)} May 20{self.rng.randrange(10, 60)}."
            for _ in range(count)
        )

    def content(self, ending: str) -> bytes:
        title = f"{self.rng.choice(NOUNS).title()} {self.rng.randrange(100_000)}"
        body = self.text()
        if ending == ".md":
            return f"# {title}\n\n{body}\n".encode()
        if ending == ".html":
            paragraphs = "".join(f"<p>{each}</p>" for each in body.split("\n\n"))
            return f"<html><head><title>{title}</title></head><body>{paragraphs}</body></html>".encode()
        if ending == ".eml":
            return self.mail(title, body).as_bytes()
        if ending == ".mbox":
            mails = [self.mail(f"{title} {n}", self.text()) for n in range(self.rng.randrange(1, 4))]
            return b"".join(
                b"From x@y.example Thu Jan  1 00:00:00 2026\n" + each.as_bytes() + b"\n\n" for each in mails
            )
        if ending == ".csv":
            rows = "\n".join(f"{n},{self.rng.choice(NOUNS)},{self.rng.randrange(9999)}" for n in range(8))
            return f"number,{title},amount\n{rows}\n".encode()
        if ending == ".pdf":
            return b"%PDF-1.7\nthis is none, " + body.encode()
        return f"{body}\n".encode() if self.rng.random() < 0.9 else b""

    def mail(self, subject: str, body: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Ada <ada@a.example>", "bob@b.example", subject
        mail["Message-ID"] = f"<{self.rng.randrange(10**9)}@soak.example>"
        mail["Date"] = "Mon, 02 Mar 2026 10:00:00 +0000"
        mail.set_content(body)
        if self.rng.random() < 0.5:
            mail.add_attachment(self.content(".md"), maintype="text", subtype="markdown", filename="attached.md")
        return mail

    def new_path(self) -> Path:
        self.number += 1
        ending = self.rng.choice([".md", ".md", ".txt", ".html", ".eml", ".csv", ".mbox", ".pdf"])
        return self.rng.choice(self.watched) / self.rng.choice(["", "", "deeper"]) / f"paper {self.number}{ending}"

    def files(self, *folders: Path) -> list[Path]:
        return sorted(p for folder in folders or self.watched for p in folder.rglob("*") if p.is_file())

    def act(self) -> None:
        """Do one thing. Kept between 40 and 120 files, so that neither gets the upper hand."""
        files = self.files()
        makes = [self.appear, self.appear, self.come_back, self.copy, self.half_written]
        takes = [self.vanish, self.vanish, self.move_out]
        others = [self.change, self.change, self.append, self.replace, self.replace_quickly, self.move, self.move]
        others += [self.swap, self.move_folder, self.link, self.cut, self.touch]
        choice = makes if len(files) < 40 else takes if len(files) > 120 else [*makes, *takes, *others]
        action = self.rng.choice(choice)
        path = self.rng.choice(files) if files else self.new_path()
        self.log.write(f"{action.__name__} {path}\n")
        self.log.flush()
        action(path)

    def appear(self, _: Path) -> None:
        path = self.new_path()
        path.write_bytes(self.content(path.suffix))

    def half_written(self, _: Path) -> None:
        path = self.new_path()
        data = self.content(path.suffix)
        with path.open("wb") as file:
            for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                file.write(part)
                file.flush()
                time.sleep(self.rng.choice([0.01, 0.3, 1.3]))

    def copy(self, path: Path) -> None:
        target = self.new_path().with_suffix(path.suffix)
        if path.exists():
            shutil.copyfile(path, target)

    def come_back(self, _: Path) -> None:
        outside = self.files(self.elsewhere)
        if outside:
            path = self.rng.choice(outside)
            path.rename(self.new_path().with_suffix(path.suffix))

    def vanish(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def move_out(self, path: Path) -> None:
        path.rename(self.elsewhere / f"{self.number} {path.name[-40:]}")

    def change(self, path: Path) -> None:
        path.write_bytes(self.content(path.suffix))

    def append(self, path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"\n" + self.text().encode() + b"\n")

    def replace(self, path: Path) -> None:
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(self.content(path.suffix))
        aside.replace(path)

    def replace_quickly(self, path: Path) -> None:
        for _ in range(5):
            self.replace(path)

    def move(self, path: Path) -> None:
        path.rename(self.new_path().with_suffix(path.suffix))

    def swap(self, path: Path) -> None:
        other = self.rng.choice([each for each in self.files() if each.suffix == path.suffix])
        aside = path.with_name(".swapped")
        path.rename(aside)
        if other != path:
            other.rename(path)
        aside.rename(other)

    def move_folder(self, _: Path) -> None:
        one, two = self.rng.sample([folder / "deeper" for folder in self.watched], 2)
        aside = two.with_name(".turned")
        two.rename(aside)
        one.rename(two)
        aside.rename(one)

    def link(self, path: Path) -> None:
        os.link(path, self.new_path().with_suffix(path.suffix))

    def cut(self, path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)

    def touch(self, path: Path) -> None:
        path.touch()


class Questioner(threading.Thread):
    """Asks and searches all the while."""

    def __init__(self, running: Running, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.running, self.rng = running, rng
        self.over = threading.Event()
        self.asked = 0
        self.failed: list[str] = []

    def run(self) -> None:
        while not self.over.is_set():
            self.ask(self.rng.choice(["search", "search", "ask"]))
            self.over.wait(self.rng.random())

    def ask(self, method: str) -> None:
        question = f"What does the {self.rng.choice(NOUNS)} of house {self.rng.randrange(500)} cost?"
        try:
            found = self.running.call(method, **{"query" if method == "search" else "question": question})
            if method == "ask" and self.rng.random() < 0.9:  # most are not kept: this is not about the history
                self.running.call("conversation.remove", id=found["conversation"])
        except StrongroomError as error:
            self.failed.append(f"{method}: {error.message}")
        self.asked += 1


# --- the vault afterwards -------------------------------------------------------------------------------------------


def indexed(folder: Path) -> dict[str, object]:
    """What a closed vault holds, by names that do not depend on the order in which it came."""
    vault = Vault.open(folder / "vault", PASSPHRASE, state=folder / "state")
    try:
        with vault.read() as db:
            names = dict(db.execute("SELECT number, id FROM document").fetchall())
            chunks = {
                number: (names[owner], start, end)
                for number, owner, start, end in db.execute("SELECT id, document, start, end FROM chunk")
            }
            described = {-number: (name,) for number, name in names.items()}
            postings: dict[tuple[str, object], int] = {}
            lengths = {}
            for (body,) in db.execute("SELECT body FROM segment"):
                each = segment.read(body)
                ids = [({**described, **chunks})[int(number)] for number in each.ids]
                lengths |= dict(zip(ids, each.lengths.tolist(), strict=True))
                for number, term in enumerate(each.all_terms()):
                    for place, count in zip(*(a.tolist() for a in each.postings(number)), strict=True):
                        assert (term, ids[place]) not in postings, "a posting stands twice"
                        postings[term, ids[place]] = count
            return {
                "files": sorted(db.execute("SELECT path, size, hash, state, reason FROM file").fetchall()),
                "documents": sorted(db.execute(
                    "SELECT id, kind, title, sender, recipients, date, thread, pages, characters, text"
                    " FROM document JOIN content ON content.document = number"
                ).fetchall(), key=repr),
                "places": sorted(db.execute(
                    "SELECT path, part, document.id, above.id FROM location JOIN file ON file.id = file"
                    " JOIN document ON document.number = location.document LEFT JOIN document AS above ON above.number = parent"
                ).fetchall(), key=repr),
                "chunks": sorted((*chunks[i], h) for i, h in db.execute("SELECT id, heading FROM chunk").fetchall()),
                "postings": postings,
                "lengths": lengths,
                "prefixes": dict(db.execute("SELECT id, prefix FROM document").fetchall()),
                "vectors": {
                    chunks[i]: np.frombuffer(value, dtype="<f2").astype(np.float32)
                    for i, value in db.execute("SELECT chunk, value FROM vector")
                },
            }  # fmt: skip
    finally:
        vault.close()


def different(one: dict[str, object], two: dict[str, object]) -> list[str]:
    """In what two vaults differ, each with the first few."""
    found = []
    for name in ("files", "documents", "places", "chunks"):
        a, b = {repr(each) for each in one[name]}, {repr(each) for each in two[name]}
        if a != b or len(one[name]) != len(two[name]):
            found.append(f"{name}: only here {sorted(a - b)[:3]}, only afresh {sorted(b - a)[:3]}")
    frozen = {name for name, prefix in one["prefixes"].items() if prefix != two["prefixes"].get(name)}
    for name in ("postings", "lengths"):
        apart = one[name].items() ^ two[name].items()
        # of a posting's key the second is the chunk or document, which begins with the document's id
        odd = [repr(e) for e in apart if (e[0][1] if name == "postings" else e[0])[0] not in frozen]
        if odd:
            found.append(f"{name}: {sorted(odd)[:6]}")
    if one["vectors"].keys() != two["vectors"].keys():
        found.append(f"vectors: {sorted(one['vectors'].keys() ^ two['vectors'].keys())[:6]}")
    same = [c for c in one["vectors"] if one["prefixes"][c[0]] == two["prefixes"].get(c[0])]
    for chunk in same:
        cosine = float(one["vectors"][chunk] @ two["vectors"][chunk])
        if cosine < 0.999:  # the same words in another batch: int8 arithmetic differs in the last digits
            found.append(f"the vector of {chunk}: cosine {cosine}")
    if len(same) < len(one["vectors"]) * 0.6:
        found.append(f"only {len(same)} of {len(one['vectors'])} vectors could be compared")
    print(f"{len(frozen)} documents keep the title of a file's earlier name; {len(same)} vectors compared")
    return found


def grown(samples: list[dict[str, float]]) -> dict[str, float]:
    """MiB by which each process grew from the second tenth of its samples to the last."""
    tenth = max(1, len(samples) // 10)
    return {
        name: statistics.median(s[name] for s in samples[-tenth:])
        - statistics.median(s[name] for s in samples[tenth : 2 * tenth])
        for name in samples[0]
    }


def test_after_a_soak_the_index_is_that_of_a_vault_made_afresh_and_nothing_leaked(tmp_path, size, result):
    seconds = size(15, 3600)
    print(f"seed {SEED}, {seconds} s, in {tmp_path}")
    people = Household(tmp_path / "papers", random.Random(f"{SEED} files"), tmp_path / "done")
    for _ in range(40):
        people.appear(people.watched[0])
    samples, done = [], 0
    with launched(tmp_path / "soaked") as running:
        for folder in people.watched:
            running.call("folders.add", path=str(folder))
        settled(running, people.watched)
        questions = Questioner(running, random.Random(f"{SEED} questions"))
        for method in ("search", "ask"):  # what the first of each opens, stays
            questions.ask(method)
        settled(running, people.watched)
        before, pids = running.held(), running.processes()
        questions.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            people.act()
            done += 1
            samples.append(running.memory_mib())
            time.sleep(people.rng.choice([0, 0.02, 0.2, 1.0]))
        questions.over.set()
        questions.join(120)
        settled(running, people.watched)
        assert not questions.failed, questions.failed[:5]
        assert running.processes() == pids, "a process was started anew"
        after, more = running.held(), grown(samples)
    assert (tmp_path / "soaked" / "messages").read_text() == ""
    soaked = indexed(tmp_path / "soaked")
    with launched(tmp_path / "afresh") as running:
        for folder in people.watched:
            running.call("folders.add", path=str(folder))
        settled(running, people.watched)
    afresh = indexed(tmp_path / "afresh")
    print(f"{done} changes, {questions.asked} questions, grown {more}, held {before} → {after}")
    print(f"{len(soaked['files'])} files, {len(soaked['chunks'])} chunks, {len(soaked['postings'])} postings")
    assert done > 5
    assert questions.asked > 5
    assert not (found := different(soaked, afresh)), "\n".join(found)
    assert len(soaked["postings"]) > 1000
    for name, (handles, threads) in after.items():
        assert handles <= before[name][0], (name, before, after)
        assert threads <= before[name][1], (name, before, after)
    if seconds > 600:  # before that it is warming up
        assert all(more[name] < GROWN_MIB[name] for name in more), more
    result(
        "soak: files appear, change, move and vanish while questions are asked",
        f"{seconds // 60} min, {done:,} changes, {questions.asked:,} questions; {len(soaked['chunks']):,} chunks,"
        f" {len(soaked['postings']):,} postings, vectors as afresh; grown by "
        + ", ".join(f"{name} {mib:+.0f} MiB" for name, mib in more.items())
        + "; no handle left",
    )
