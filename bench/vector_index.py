"""Exact search, Chroma in memory and Chroma as a server: load, memory, query, recall, purge, and what stays on a disk.

    python -m bench.vector_index [VECTORS...] [--only exact,chroma,server]

Without numbers: 10,000 and 100,000. 1,000,000 takes hours with Chroma and some 12 GB of memory. The vectors are copies
of a few thousand directions, each disturbed, as passages about the same thing are; questions are disturbed copies too.
Each index is measured in a process of its own. Needs the extra `chroma` but for `exact`.
"""

import contextlib
import json
import os
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

DIMENSIONS = 384
DIRECTIONS = 4_000
NOISE = 0.7  # length of what is added to a direction: copies of one have cosines of about .67
QUESTIONS = 100
NEIGHBOURS = 256  # asked for, as retrieval.nearest does
PURGED = 20
CHROMA = Path(sys.executable).with_name("chroma")


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


def resident(pid: int) -> float:
    """MB of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def exact(count: int) -> dict[str, Any]:
    """Exact search: the matrix is filled as when a vault is opened."""
    from retrieval.vectors import Matrix

    blobs = [row.tobytes() for row in made(count, 2).astype("<f2")]
    before = resident(os.getpid())
    began = time.perf_counter()
    matrix = Matrix(DIMENSIONS)
    matrix.reserve(count)
    for at in range(0, count, 4_096):
        some = blobs[at : at + 4_096]
        matrix.put(np.arange(at, at + len(some)), some)
    loaded = time.perf_counter() - began
    memory = resident(os.getpid()) - before
    view, every, none = matrix.view(count), np.ones(count, dtype=bool), np.zeros(0, dtype=np.int64)
    times = []
    for question in made(QUESTIONS, 3):
        began = time.perf_counter()
        cosines = view.cosines(question, every, none)
        np.argpartition(-cosines, NEIGHBOURS)
        times.append(time.perf_counter() - began)
    began = time.perf_counter()
    gone = np.arange(PURGED) * (count // PURGED)
    matrix.clear(gone)
    assert matrix.check(gone) == 0
    return told(loaded, memory, times, 1.0, 1.0, time.perf_counter() - began)


def approximate(kind: str, count: int) -> dict[str, Any]:
    """Chroma, in memory or as a server with its connector."""
    vectors, questions = made(count, 2), made(QUESTIONS, 3)
    ids = [n.to_bytes(16, "big") for n in range(count)]
    with contextlib.ExitStack() as stack:
        if kind == "chroma":
            from retrieval.chroma import InMemory

            index: Any = InMemory()
            pids, folder = [os.getpid()], None
        else:
            index, pids, folder = stack.enter_context(server())
        began = time.perf_counter()
        index.open(DIMENSIONS)
        opened = time.perf_counter() - began
        before = sum(map(resident, pids))
        began = time.perf_counter()
        for at in range(0, count, 1_000):
            index.add(ids[at : at + 1_000], vectors[at : at + 1_000])
        loaded = time.perf_counter() - began + opened
        memory = sum(map(resident, pids)) - before
        times, ten, hundred = [], 0, 0
        for question in questions:
            began = time.perf_counter()
            found = index.nearest(question, NEIGHBOURS)
            times.append(time.perf_counter() - began)
            near = {int.from_bytes(each, "big") for each in found}
            order = np.argsort(-(vectors @ question))
            ten += len(near & set(order[:10].tolist()))
            hundred += len(near & set(order[:100].tolist()))
        gone = [n * (count // PURGED) for n in range(PURGED)]
        began = time.perf_counter()
        index.remove([ids[n] for n in gone])
        plainly = readable(folder, vectors[gone])
        index.sweep()
        assert index.held([ids[n] for n in gone]) == 0
        purged = time.perf_counter() - began
        swept = readable(folder, vectors[gone])
        return {
            **told(loaded, memory, times, ten / (10 * QUESTIONS), hundred / (100 * QUESTIONS), purged),
            "before the sweep": plainly,
            "after it": swept,
        }


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
def server() -> Iterator[tuple[Any, list[int], Path]]:
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
                yield AtServer(Line(line), f"127.0.0.1:{port}", "a" * 16, "b" * 16), [running.pid], Path(name)
            finally:
                connector.close()
                running.kill()


def told(  # noqa: PLR0917 - the cells of one row
    loaded: float, memory: float, times: list[float], ten: float, hundred: float, purged: float
) -> dict[str, Any]:
    """One row."""
    ordered = sorted(times)
    return {
        "load": loaded,
        "memory": memory,
        "query": statistics.median(times) * 1000,
        "slowest": ordered[int(len(ordered) * 0.95)] * 1000,
        "recall 10": ten,
        "recall 100": hundred,
        "purge": purged,
    }


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--one"]:
        kind, count = words[1], int(words[2])
        print(json.dumps(exact(count) if kind == "exact" else approximate(kind, count)))
        return
    kinds = ["exact", "chroma", "server"]
    if "--only" in words:
        kinds = words[words.index("--only") + 1].split(",")
        words = words[: words.index("--only")]
    heads = ("vectors", "index", "load s", "memory MB", "query ms", "95 %", "of 10", "of 100", "purge s", "on disk")
    print("  ".join(f"{each:>9}" for each in heads))
    for count in [int(each) for each in words] or [10_000, 100_000]:
        for kind in kinds:
            run = subprocess.run(
                [sys.executable, "-m", "bench.vector_index", "--one", kind, str(count)],
                stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
            row = json.loads(run.stdout)
            disk = "-" if row.get("after it") is None else f"{row['before the sweep']}, {row['after it']}"
            cells = (
                f"{count}", kind, f"{row['load']:.1f}", f"{row['memory']:.0f}", f"{row['query']:.1f}",
                f"{row['slowest']:.1f}", f"{row['recall 10']:.3f}", f"{row['recall 100']:.3f}", f"{row['purge']:.2f}",
                disk,
            )  # fmt: skip
            print("  ".join(f"{each:>9}" for each in cells), flush=True)
    print(f"of 10, of 100: how many of the truly nearest are among the {NEIGHBOURS} that are asked for")
    print(f"on disk: of {PURGED} purged vectors, how many stand in the server's files: deleted; written over as well")


if __name__ == "__main__":
    main()
