"""Exact search, Chroma in memory and Chroma as a server: load, memory, query, recall, purge, and what stays on a disk.

    python -m bench.vector_index [VECTORS...] [--most N] [--only exact,chroma,server] [--plot FILE.svg] [--kept FILE.json]

Without numbers: 10,000 and 100,000. Chroma takes two minutes to fill with 100,000, and grows more than in proportion:
with `--most`, more than N are compared by exact search alone. With `--kept`, rows that stand in the file are not measured
again, and each new one is put there, so that a run which was ended goes on. The vectors are copies
of a few thousand directions, each disturbed, as passages about the same thing are; questions are disturbed copies too.
They lie in an encrypted database, as a vault's do, and everything goes the way that it goes in an engine. Each index is
measured in a process of its own. Needs the extra `chroma` but for `exact`.
"""

import contextlib
import itertools
import json
import math
import os
import secrets
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.plot import Panel, picture

DIMENSIONS = 384
DIRECTIONS = 4_000
NOISE = 0.7  # length of what is added to a direction: copies of one have cosines of about .67
QUESTIONS = 100
PURGED = 20
SOME = 256  # vectors that a search reads from the vault behind another index
SEARCH = 50.0  # ms that a whole search may take: what was asked for of the open engine
CHROMA = Path(sys.executable).with_name("chroma")
NAMES = {"exact": "exact, in memory", "chroma": "Chroma in memory", "server": "Chroma server"}


def made(count: int, seed: int) -> np.ndarray:
    """`count` unit vectors, float16 as the vault holds them, as float32."""
    directions = np.random.default_rng(1).standard_normal((DIRECTIONS, DIMENSIONS), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chance = np.random.default_rng(seed)
    found = np.empty((count, DIMENSIONS), dtype=np.float32)
    for at in range(0, count, 50_000):
        some = found[at : at + 50_000]
        noise = chance.standard_normal(some.shape, dtype=np.float32) * np.float32(NOISE / DIMENSIONS**0.5)
        some[:] = directions[chance.integers(0, DIRECTIONS, len(some))] + noise
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    return found.astype("<f2").astype(np.float32)


class Stored:
    """The vectors in an encrypted database, as a vault keeps them."""

    def __init__(self, folder: Path) -> None:
        from vault import store

        path, key = folder / "vectors.db", folder / "key"
        if key.exists():
            self._db = store.open_existing(path, key.read_bytes())
        else:
            key.write_bytes(secrets.token_bytes(32))
            self._db = store.create(path, key.read_bytes())
            self._db.execute("CREATE TABLE vector (chunk INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        self._using = threading.Lock()

    def put(self, vectors: np.ndarray) -> None:
        """Store them, from chunk 1 on."""
        for at in range(0, len(vectors), 50_000):
            some = vectors[at : at + 50_000].astype("<f2")
            with self._db:
                rows = ((at + n + 1, each.tobytes()) for n, each in enumerate(some))
                self._db.executemany("INSERT INTO vector VALUES (?, ?)", rows)

    def all(self) -> Iterator[list[tuple[int, bytes]]]:
        """Every row, as when a vault is opened."""
        from itertools import islice

        rows: Any = self._db.execute("SELECT chunk, value FROM vector ORDER BY chunk")
        while some := list(islice(rows, 4_096)):
            yield some

    def load(self, chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some rows, as retrieval.index reads them."""
        rows: list[tuple[int, bytes]] = []
        for at in range(0, len(chunks), 5_000):
            some = chunks[at : at + 5_000].tolist()
            marks = ",".join("?" * len(some))
            with self._using:
                rows += self._db.execute(f"SELECT chunk, value FROM vector WHERE chunk IN ({marks})", some).fetchall()
        half = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f2").reshape(-1, DIMENSIONS)
        return np.array([number for number, _ in rows], dtype=np.int64), half.astype(np.float32)

    def remove(self, chunks: list[int]) -> None:
        """As a purge does."""
        with self._using, self._db:
            self._db.executemany("DELETE FROM vector WHERE chunk = ?", [(each,) for each in chunks])


def resident(pid: int) -> float:
    """MB of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def exact(count: int, folder: Path) -> dict[str, Any]:
    """Exact search: the matrix is filled as when a vault is opened. Leaves the truly nearest for the others."""
    from retrieval.vectors import Matrix
    from retrieval.vectors import Stored as Rows

    stored = Stored(folder)
    before = resident(os.getpid())
    began = time.perf_counter()
    matrix = Matrix(DIMENSIONS)
    matrix.reserve(count)
    for rows in stored.all():
        matrix.put(np.array([number - 1 for number, _ in rows]), [blob for _, blob in rows])
    loaded = time.perf_counter() - began
    memory = resident(os.getpid()) - before
    view, every, none = matrix.view(count), np.ones(count, dtype=bool), np.zeros(0, dtype=np.int64)
    times, truly = [], []
    for question in made(QUESTIONS, 3):
        began = time.perf_counter()
        cosines = view.cosines(question, every, none)
        times.append(time.perf_counter() - began)
        truly.append(np.argsort(-cosines)[:100])
    np.save(folder / "truly.npy", np.stack(truly))
    rows = Rows(np.arange(1, count + 1), stored.load, DIMENSIONS)
    chance, some = np.random.default_rng(4), []
    for _ in range(QUESTIONS):
        places = chance.choice(count, min(SOME, count), replace=False)
        began = time.perf_counter()
        rows.rows(places)
        some.append(time.perf_counter() - began)
    began = time.perf_counter()
    rows.cosines(question, every, none)
    all_of_them = time.perf_counter() - began
    began = time.perf_counter()
    gone = np.arange(PURGED) * (count // PURGED)
    matrix.clear(gone)
    assert matrix.check(gone) == 0
    found = told(loaded, memory, 0.0, times, 1.0, 1.0, time.perf_counter() - began)
    return {**found, "some": statistics.median(some) * 1000, "all": all_of_them}


def approximate(kind: str, count: int, folder: Path) -> dict[str, Any]:
    """Chroma, in memory or as a server with its connector: which are near, and how near from the database."""
    from retrieval.near import Near
    from retrieval.near_view import NearView
    from retrieval.vectors import Stored as Rows

    stored, truly, ids = Stored(folder), np.load(folder / "truly.npy"), np.arange(1, count + 1)
    with contextlib.ExitStack() as stack:
        if kind == "chroma":
            from retrieval.chroma import InMemory

            index: Any = InMemory()
            index.open(DIMENSIONS)  # that it is loaded belongs to no size
            there, files = 0, None
        else:
            index, there, files = stack.enter_context(server())
        before, before_there = resident(os.getpid()), resident(there) if there else 0.0
        began = time.perf_counter()
        near = Near(index, dimensions=DIMENSIONS, key=secrets.token_bytes(32), load=stored.load)
        for rows in stored.all():
            near.known(np.array([number for number, _ in rows]), [blob for _, blob in rows])
        near.start()
        wait(lambda: near.serves and not near.status()["to_add"])
        loaded = time.perf_counter() - began
        memory = resident(os.getpid()) - before
        memory_there = resident(there) - before_there if there else 0.0
        view = NearView(near, Rows(ids, stored.load, DIMENSIONS), ids)
        every, none = np.ones(count, dtype=bool), np.zeros(0, dtype=np.int64)
        times, ten, hundred = [], 0, 0
        for question, nearest in zip(made(QUESTIONS, 3), truly, strict=True):
            began = time.perf_counter()
            cosines = view.cosines(question, every, none)
            times.append(time.perf_counter() - began)
            found = set(np.argpartition(-cosines, 100)[:100].tolist())
            ten += len(found & set(nearest[:10].tolist()))
            hundred += len(found & set(nearest.tolist()))
        assert near.serves, near.status()  # exact search has not stood in
        gone = [1 + n * (count // PURGED) for n in range(PURGED)]
        purged = stored.load(np.array(gone))[1]
        began = time.perf_counter()
        stored.remove(gone)
        near.gone(gone)
        wait(lambda: not near.left())
        plainly = readable(files, purged)
        assert near.settled(600)
        assert near.held(gone) == 0
        seconds = time.perf_counter() - began
        swept = readable(files, purged)
        near.stop()
        return {
            **told(loaded, memory, memory_there, times, ten / (10 * QUESTIONS), hundred / (100 * QUESTIONS), seconds),
            "before the sweep": plainly,
            "after it": swept,
        }


def wait(done: Any) -> None:
    """Until it is."""
    while not done():
        time.sleep(0.02)


def readable(folder: Path | None, vectors: np.ndarray) -> int | None:
    """How many of these vectors stand in the files of a folder; None without one."""
    if folder is None:
        return None
    wanted = [each.astype("<f4").tobytes()[:64] for each in vectors]
    found: set[int] = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {n for n, each in enumerate(wanted) if each in content}
    return len(found)


@contextlib.contextmanager
def server() -> Iterator[tuple[Any, int, Path]]:
    """`chroma run`, a connector, and this process as the engine's side."""
    from engine.at_server import AtServer, Line
    from engine.connector import Connector
    from engine.server_address import Address

    with (
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        command = [str(CHROMA), "run", "--path", name, "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            connector, line = Connector.start(Address("http", "127.0.0.1", port))
            try:
                while True:
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                        break
                    time.sleep(0.1)

                def listen() -> None:
                    while select.select([connector.line], [], [], 1.0)[0] == [] or connector.heard():
                        connector.dialing = 0

                threading.Thread(target=listen, daemon=True).start()
                yield AtServer(Line(line), f"127.0.0.1:{port}", "a" * 16, "b" * 16), running.pid, Path(name)
            finally:
                connector.close()
                running.kill()


def told(  # noqa: PLR0917 - the cells of one row
    loaded: float, here: float, there: float, times: list[float], ten: float, hundred: float, purged: float
) -> dict[str, Any]:
    """One row."""
    ordered = sorted(times)
    return {
        "load": loaded,
        "here": here,
        "there": there,
        "query": statistics.median(times) * 1000,
        "slowest": ordered[int(len(ordered) * 0.95)] * 1000,
        "recall 10": ten,
        "recall 100": hundred,
        "purge": purged,
    }


def measured(
    counts: list[int], kinds: list[str], most: int, kept: Path | None
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """A row for each size and index, exact search alone for more than `most`; those that were measured before are taken
    from `kept`."""
    before: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    # Exact search first, also where it is not asked for: it says what is truly nearest.
    for count in counts:
        wanted = list(dict.fromkeys(["exact", *kinds])) if count <= most else ["exact"]
        if all(f"{kind} {count}" in before for kind in wanted):
            yield from ((count, kind, before[f"{kind} {count}"]) for kind in wanted)
            continue
        with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
            Stored(Path(name)).put(made(count, 2))
            for kind in wanted:
                if kind != "exact" and (row := before.get(f"{kind} {count}")):
                    yield count, kind, row
                    continue
                run = subprocess.run(
                    [sys.executable, "-m", "bench.vector_index", "--one", kind, str(count), name],
                    stdout=subprocess.PIPE, text=True, check=True,
                )  # fmt: skip
                row = before[f"{kind} {count}"] = json.loads(run.stdout)
                if kept:
                    kept.write_text(json.dumps(before, indent=1), encoding="utf-8")
                yield count, kind, row


def conclusions(rows: dict[str, dict[int, dict[str, Any]]]) -> Iterator[str]:
    """From which size on another index is worth its trouble, as far as these rows tell."""
    exact = {count: row["query"] for count, row in rows["exact"].items()}
    largest = max(exact)
    slope = exact[largest] / largest  # it compares all: its time grows with their number
    fifty = SEARCH / slope
    beyond = "" if fifty <= largest else ", by the growth that was measured"
    yield f"exact search: {slope * 100_000:.1f} ms and {rows['exact'][largest]['here'] / largest * 100_000:.0f} MB"
    yield f"    for each 100,000; {SEARCH:.0f} ms, as long as a whole search may take, at {rounded(fifty)} vectors{beyond}"
    last = rows["exact"][largest]
    yield f"from the database, of {largest:,}: {SOME} vectors in {last['some']:.1f} ms, all of them in {last['all']:.2f} s"
    for kind, found in rows.items():
        if kind == "exact":
            continue
        crossing = crossed(exact, {count: row["query"] for count, row in found.items()})
        recall = min(row["recall 10"] for row in found.values())
        sooner = (
            f"answers sooner from about {rounded(crossing)} vectors on" if crossing else "answers later at every size"
        )
        filled = max(found) / found[max(found)]["load"]
        yield f"{NAMES[kind]}: {sooner}; finds {recall:.1%} of the 10 nearest at least; fills at {filled:,.0f} a second"
    yield f"to move, from about {rounded(fifty)} vectors on: below, exact search is fast enough, and misses none"


def crossed(exact: dict[int, float], other: dict[int, float]) -> float:
    """From which size on `other` takes less, between two that were measured (straight lines on logarithmic paper); 0
    where it never does."""
    counts = sorted(other)
    faster = [count for count in counts if other[count] < exact[count]]
    if not faster or any(count > faster[0] and count not in faster for count in counts):
        return 0.0
    at = counts.index(faster[0])
    if not at:
        return float(faster[0])
    before, after = counts[at - 1], counts[at]
    low, high = (math.log(other[each] / exact[each]) for each in (before, after))
    return float(before * (after / before) ** (low / (low - high)))


def rounded(count: float) -> str:
    """To two digits."""
    return f"{float(f'{count:.1e}'):,.0f}"


def drawn(rows: dict[str, dict[int, dict[str, Any]]]) -> str:
    """The rows as a picture."""

    def lines(key: str) -> dict[str, list[tuple[float, float]]]:
        return {NAMES[kind]: [(n, row[key]) for n, row in sorted(found.items())] for kind, found in rows.items()}

    worst = min(row["recall 10"] for found in rows.values() for row in found.values())
    return picture(
        "Exact search, Chroma in memory, a Chroma server",
        [
            Panel("a question, ms", lines("query")),
            Panel("filling, s", lines("load")),
            Panel("memory of the engine, MB", lines("here")),
            Panel(
                "of the 10 nearest, found", lines("recall 10"), logarithmic=False, least=math.floor(worst * 20 - 1) / 20
            ),
            Panel("purge of 20, s", lines("purge")),
        ],
        "vectors",
    )


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--one"]:
        kind, count, folder = words[1], int(words[2]), Path(words[3])
        print(json.dumps(exact(count, folder) if kind == "exact" else approximate(kind, count, folder)))
        return
    options = {name: words[words.index(name) + 1] for name in ("--only", "--most", "--plot", "--kept") if name in words}
    most = int(options.get("--most", sys.maxsize))
    sizes = itertools.takewhile(str.isdigit, words)
    counts = [int(each) for each in sizes] or [10_000, 100_000]
    kinds = options.get("--only", "exact,chroma,server").split(",")
    heads = (
        "vectors", "index", "load s", "here MB", "there MB", "query ms", "95 %", "of 10", "of 100", "purge s", "on disk",
    )  # fmt: skip
    print("  ".join(f"{each:>9}" for each in heads))
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    kept = Path(options["--kept"]) if "--kept" in options else None
    for count, kind, row in measured(counts, kinds, most, kept):
        rows.setdefault(kind, {})[count] = row
        disk = "-" if row.get("after it") is None else f"{row['before the sweep']}, {row['after it']}"
        cells = (
            f"{count}", kind, f"{row['load']:.1f}", f"{row['here']:.0f}", f"{row['there']:.0f}", f"{row['query']:.1f}",
            f"{row['slowest']:.1f}", f"{row['recall 10']:.3f}", f"{row['recall 100']:.3f}", f"{row['purge']:.2f}", disk,
        )  # fmt: skip
        print("  ".join(f"{each:>9}" for each in cells), flush=True)
    print("here, there: memory that the engine's process, and the server's, took for it")
    print("of 10, of 100: how many of the truly nearest are among the best 100 of a search")
    print(f"on disk: of {PURGED} purged vectors, how many stand in the server's files: written over and deleted; swept too")
    print("\n".join(conclusions(rows)))
    if "--plot" in options:
        Path(options["--plot"]).write_text(drawn(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
