"""Shredding at length: one vault that is purged, shredded, written to and killed again and again; and a large one."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from vault import pages, purge, shred
from vault.keys import FLOOR
from vault.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261122
CALLS = ("open", "pwrite", "ftruncate", "fsync", "fdatasync", "rename", "unlink")


def identity(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def add(vault, word: str, size: int) -> None:
    with vault.write() as db:
        number = db.execute(
            "INSERT INTO document (id, kind, title, prefix, characters, added) VALUES (?, 'text', ?, '', 0, 1)"
            " RETURNING number",
            (identity(word), word),
        ).get
        db.execute("INSERT INTO content VALUES (?, ?, x'5b5d')", (number, (word.encode() + b" ") * size))


def life(place, code, *, chance, acknowledged, dies_at) -> None:
    """One life of the vault: shred in small steps, add, change and purge between them, until the call that kills."""
    calls = iter(range(1_000_000))

    def dying(real):
        def call(*arguments, **options):
            if next(calls) == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    def say(*words) -> None:
        os.write(acknowledged, (" ".join(words) + "\n").encode())

    vault = Vault.open(place / "vault", code, state=place / "state")
    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    for turn in range(16):
        if not shred.begin(vault) or chance.randrange(6) == 0:
            with vault.read() as db:
                known = [i for (i,) in db.execute("SELECT id FROM document ORDER BY number")]
            if known:
                gone = chance.choice(known)
                purge.purge(vault, [gone], lambda *_: None)
                say("purged", gone)
        elif shred.step(vault, chance.choice((5, 60, 600))):  # each life begins at the first page: few ends, or many
            say("shredded", str(vault.header.epoch))
        if chance.randrange(3) == 0:
            word = f"w{dies_at}x{turn}x{chance.getrandbits(40):x}"
            add(vault, word, chance.randrange(1, 4000))
            say("added", identity(word))
    vault.close()


def test_nothing_acknowledged_is_lost_over_many_lives(tmp_path, size, result):
    folder, state = tmp_path / "vault", tmp_path / "state"
    vault, code = Vault.create(folder, "correct horse battery", state=state, cost=FLOOR)
    for number in range(30):
        add(vault, f"first{number}", 3000)
    with vault.read() as db:
        there = {i for (i,) in db.execute("SELECT id FROM document")}
    vault.close()
    gone: set[str] = set()
    lives, killed, switched = size(4, 600), 0, 0
    for number in range(lives):
        chance = random.Random(SEED + number)
        dies_at = chance.randrange(500)  # a life makes about as many calls
        log, written = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 70
            with contextlib.suppress(BaseException):
                os.close(log)
                life(tmp_path, code, chance=chance, acknowledged=written, dies_at=dies_at)
                status = 0
            os._exit(status)
        os.close(written)
        with os.fdopen(log) as heard:
            words = [line.split() for line in heard]
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -9), f"seed {SEED} + {number}, dies at {dies_at}"
        killed += status == -9
        for what, name in words:
            if what == "added":
                there.add(name)
            elif what == "purged":
                there.discard(name)
                gone.add(name)
            else:
                switched += 1
        vault = Vault.open(folder, code, state=state)
        with vault.read() as db:
            found = {i for (i,) in db.execute("SELECT id FROM document")}
            why = f"seed {SEED} + {number}, dies at {dies_at}"
            assert db.execute("PRAGMA integrity_check").get == "ok", why
            # what was under way when it died may have been done all the same: one purge, one addition
            assert len(there - found) <= 1 and len(found - there) <= 1, why
            assert not gone & found, why
            if there - found:
                (lost,) = there - found
                assert purge.is_purged(db, lost), why
                gone.add(lost)
            there = found
            size_bytes = int(db.pragma("page_count")) * pages.PAGE_BYTES
        assert len(list(folder.glob("store-*.db"))) <= 2, why
        if size_bytes > 6_000_000:
            with vault.write() as db:
                db.execute("DELETE FROM document WHERE number % 2")
            with vault.read() as db:
                there = {i for (i,) in db.execute("SELECT id FROM document")}
        vault.close()
    assert killed >= lives // 4
    assert switched >= lives // 20
    result(
        "shredding, many lives",
        f"{lives:,} lives of a vault, {killed:,} ended by signal 9 at a random call, {len(gone):,} purges, {switched:,}"
        f" shreds: nothing acknowledged was missing, each time the database was whole (seed {SEED})",
    )


MEASURE = """
import resource, sys, time
from pathlib import Path
from vault import pages, shred
from vault.vault import Vault
vault = Vault.open(Path(sys.argv[1]), sys.argv[2], state=Path(sys.argv[3]))
for _ in pages.decrypted(vault.database, vault.database_key):
    pass
shred.begin(vault)
shred.step(vault)
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
while not shred.step(vault):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, vault.database.stat().st_size, time.monotonic() - began)
with vault.read() as db:
    assert db.execute("SELECT count(*), sum(length(b)) FROM big").fetchall() == [(int(sys.argv[4]), int(sys.argv[4]) * 1_000_000)]
vault.checkpoint()
for _ in pages.decrypted(vault.database, vault.database_key):
    pass
vault.close()
"""


def test_a_large_database_is_shredded_in_bounded_memory(tmp_path, size, result):
    """In the long form above a gibibyte, where SQLite leaves out the page that holds its locks."""
    megabytes = size(8, 1150)
    folder, state = tmp_path / "vault", tmp_path / "state"
    vault, code = Vault.create(folder, "correct horse battery", state=state, cost=FLOOR)
    with vault.write() as db:
        db.execute("CREATE TABLE big (b)")
        db.execute("INSERT INTO receipt (at, body) VALUES (1, '{}')")
    for start in range(0, megabytes, 20):
        with vault.write() as db:
            count = min(20, megabytes - start)
            db.executemany("INSERT INTO big VALUES (randomblob(1000000))", [()] * count)
    vault.close()
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, folder, code, state, str(megabytes)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    grown_kib, length, seconds = ran.stdout.split()
    assert int(length) > megabytes * 1_000_000
    assert int(grown_kib) < 64 * 1024
    result(
        "shredding, a large database",
        f"{int(length) / 2**20:,.0f} MiB in {float(seconds):,.0f} s, {int(grown_kib) / 1024:.0f} MiB of memory more at the"
        " peak; every page read back under the new key",
    )
