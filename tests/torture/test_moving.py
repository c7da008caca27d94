"""A backup made while files are read is restored elsewhere and equals what it was made from; purges are made again. A
vault that is moved to another machine and user, its folders at other places, reads and embeds nothing anew.

Through the launched program and real commands, each a process of its own.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.asking import search
from engine.engine import Engine
from tests.counting import Counting
from vault.backup import verify
from vault.manifest import contents
from vault.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261122
PASSPHRASE = "seven slow barges at the lock gate"
WORDS = ["boiler", "lease", "piano", "invoice", "garden", "roof", "ferry", "ledger", "orchard", "kettle", "meadow"]
UNCHANGED = {"document", "content", "chunk", "vector", "location", "conversation", "turn"}


class Person:
    """Somebody with a home and a passphrase in a file."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.vault = home / ".local/share/strongroom/vault"
        self.state = home / ".local/state/strongroom"
        home.mkdir()
        (home / "passphrase").write_text(PASSPHRASE)
        (home / "passphrase").chmod(0o600)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {
            **kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "STRONGROOM_PASSPHRASE_FILE": str(home / "passphrase"),
        }  # fmt: skip

    def ok(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "ui.command", *map(str, words)], env=self.environment, cwd=self.home,
            capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words):
        [line] = self.ok(*words, "--json").splitlines()
        return json.loads(line)

    @contextlib.contextmanager
    def serving(self):
        """Strongroom in the background, its vault open."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ui.command", "serve"], env=self.environment, cwd=self.home, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.home / "messages").open("w"),
        )  # fmt: skip
        try:
            until = time.monotonic() + 300
            while not list(self.state.glob("**/*.sock")):
                assert process.poll() is None, (self.home / "messages").read_text()
                assert time.monotonic() < until, (self.home / "messages").read_text()
                time.sleep(0.1)
            self.ok("unlock")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


def filled(folder: Path, count: int) -> Path:
    rng = random.Random(f"{SEED} {count}")
    for n in range(count):
        path = folder / ("deeper" if n % 3 else "") / f"{n}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"The {rng.choice(WORDS)} of house {rng.randrange(999)} costs {rng.randrange(9999)} pounds."] * 3
        path.write_text(f"# Paper {n}\n\n" + "\n\n".join(lines) + "\n")
    return folder


def held(folder: Path, state: Path, absent: str = "") -> dict[str, str]:
    """A digest of every table of a closed vault, but of what says where in its history it is; no title is `absent`."""
    vault = Vault.open(folder, PASSPHRASE, state=state)
    try:
        with vault.read() as db:
            assert db.pragma("integrity_check") == "ok"
            assert db.execute("SELECT count(*) FROM document WHERE title = ?", (absent,)).get == 0
            return {name: found for name, found in contents(db).items() if name != "meta"}
    finally:
        vault.close()


def test_backups_made_while_files_are_read_restore_to_their_moment_and_are_purged_again(tmp_path, size, result):
    ada, count = Person(tmp_path / "ada"), size(60, 3000)
    papers = filled(tmp_path / "papers", count)
    ada.ok("init")
    backups = []
    with ada.serving():
        ada.ok("add", papers)
        for n in range(size(1, 12)):
            backups.append(tmp_path / f"backup {n}")
            ada.ok("backup", backups[-1])
        ada.ok("add", papers, "--wait")
        backups.append(tmp_path / "last backup")
        ada.ok("backup", backups[-1])
        ada.ok("purge", papers / "0.md", "--yes")
    docs = []
    for n, backup in enumerate(backups):
        # To another place, with the state folder that knows of the purge.
        bea = Person(tmp_path / f"bea {n}")
        shutil.copytree(ada.state, bea.state, ignore=shutil.ignore_patterns("*.sock"))
        manifest = verify(backup, PASSPHRASE, tmp_path / "look")[2]
        bea.ok("restore", backup)
        found = held(bea.vault, bea.state, absent="Paper 0")
        docs.append(int(manifest.tables["document"].split()[0]))
        rows = {name: int(digest.split()[0]) for name, digest in found.items() if name != "(definitions)"}
        assert rows["document"] in (docs[-1], docs[-1] - 1)
        # A backup made before the purged one was read has nothing to purge; every other table is as it was then.
        if rows["document"] == docs[-1]:
            same = {name for name in found if found[name] != manifest.tables[name]}
            assert same <= {"purged", "sqlite_sequence", "receipt"}
    assert docs[-1] == count
    # Restored where nobody knows of the purge: the very tables that were backed up.
    cid = Person(tmp_path / "cid")
    cid.ok("restore", backups[-1])
    manifest = verify(backups[-1], PASSPHRASE, tmp_path / "look")[2]
    found = held(cid.vault, cid.state)
    assert {name for name in found if found[name] != manifest.tables[name]} == set()
    result(
        "backups made while files were read, restored elsewhere",
        f"{len(backups)} backups holding {docs[0]:,} to {docs[-1]:,} documents: each as at its moment, purges made again",
    )


def test_a_vault_that_moved_to_another_machine_reads_and_embeds_nothing_anew(tmp_path, zygote, embedder, in_other_user):
    ada = Person(tmp_path / "ada")
    papers = filled(tmp_path / "papers", 40)
    ada.ok("init")
    ada.ok("add", papers, "--wait")
    before = held(ada.vault, ada.state)
    # Another machine: other paths, other inode numbers, a state folder that never saw the vault; the vault's folder was
    # copied, the documents as well, and the old ones are not there.
    there = tmp_path / "there"
    shutil.copytree(ada.vault, there / "vault")
    shutil.copytree(papers, there / "Documents" / "Papers")
    shutil.rmtree(papers)
    counting = Counting(embedder)
    engine = Engine(there / "vault", there / "state", zygote, load=lambda: counting)
    engine.unlock(PASSPHRASE)
    engine.wait(seconds=300)
    assert engine.status()["folders"][0]["state"] == "missing"
    assert engine.status()["documents"] == 40
    engine.folders_relocate(str(papers), str(there / "Documents" / "Papers"))
    engine.wait(seconds=300)
    status = engine.status()
    assert (status["folders"][0]["state"], status["files"], status["to_do"]) == ("watched", {"done": 40}, 0)
    assert counting.embedded == []
    hits = search(engine, "boiler")["hits"]
    assert all(hit["path"].startswith(str(there / "Documents")) for hit in hits)
    engine.close()
    after = held(there / "vault", there / "state")
    assert {name for name in UNCHANGED if before[name] != after[name]} == set()
    # Another user: the files are theirs now, the state folder too.
    assert in_other_user(there) == {name: found for name, found in after.items() if name in UNCHANGED}


@pytest.fixture
def in_other_user(tmp_path):
    """Open a vault as another user to whom it was given, and return what its tables hold."""

    def look(there: Path) -> dict[str, str]:
        if os.getuid() != 0:
            return {k: v for k, v in held(there / "vault", tmp_path / "theirs").items() if k in UNCHANGED}
        for path in (there, *there.rglob("*")):
            os.chown(path, 65534, 65534)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                found = held(there / "vault", there / "their state")
                os.write(writing, json.dumps({k: v for k, v in found.items() if k in UNCHANGED}).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        return json.loads(data)

    return look
