"""The engine open, on the standard slice: how long questions, searches and a saved file take.

    python -m bench.open_engine

An engine runs in its own process, as `strongroom serve` runs it; questions go over its socket.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.command import STRONGROOM, Shell, throwaway
from bench.files import link_tree, shared_data, standard_slice
from engine import client

QUESTIONS = [
    "When does the affiliate agreement end?",
    "Which law governs the co-branding agreement?",
    "What were Apple's total net sales in the quarter?",
    "Who asked for the gas storage numbers?",
    "How much is the termination fee?",
    "What is the notice period for termination?",
    "when is the meeting about the west desk",
    "What did Mike say about the pipeline capacity?",
    "iPhone revenue",
    "Is assignment allowed without consent?",
]


def main() -> None:
    with throwaway() as shell:
        papers = link_tree(standard_slice(), shell.folder / "papers")
        with running(shell) as engine:
            engine.call("folders.add", path=str(papers))
            engine.call("wait")
            status = engine.call("status")
            print(f"{status['documents']} documents, {status['chunks']} chunks")
            report("search", lambda question: engine.call("search", query=question, k=10), 50)
            report("ask", lambda question: engine.call("ask", question=question), 150)
            saved(engine, papers)
            more = shared_data() / "emails/spamassassin"
            shutil.copytree(more, shell.folder / "more")
            engine.call("folders.add", path=str(shell.folder / "more"))
            time.sleep(2)
            report("search while ingesting", lambda question: engine.call("search", query=question, k=10), 300)
            report("ask while ingesting", lambda question: engine.call("ask", question=question), 300)
            print(f"still to do then: {engine.call('status')['to_do']} files")


def report(name: str, ask: Callable[[str], object], most: int) -> None:
    """Median, 95th percentile and most of three rounds of the questions, in milliseconds."""
    ask(QUESTIONS[0])
    times = []
    for _ in range(3):
        for question in QUESTIONS:
            began = time.perf_counter()
            ask(question)
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    print(
        f"{name}: median {statistics.median(times):.0f} ms, 95th percentile {times[int(len(times) * 0.95)]:.0f} ms"
        f" (asked for: median at most {most} ms)"
    )


def saved(engine: client.Client, papers: Path) -> None:
    """Seconds from the end of a save until the file's words find it, twelve times."""
    times = []
    for number in range(12):
        word = f"quagga{number}zorilla"
        path = papers / f"saved {number}.txt"
        path.write_text(f"A page about the {word}.\n" + "It goes on for a page. " * 120)
        began = time.perf_counter()
        while not any(hit["path"] == str(path) for hit in engine.call("search", query=word, k=3)["hits"]):
            time.sleep(0.005)
        times.append(time.perf_counter() - began)
    print(
        f"a saved page is found by keyword after {statistics.median(times):.2f} s (median), {max(times):.2f} s (most)"
        " (asked for: at most 1 s)"
    )


class running:  # noqa: N801 - reads as what it does: with running(shell)
    """An engine of its own process, unlocked; the block gets a client of it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __enter__(self) -> client.Client:
        self._process = subprocess.Popen(
            [*STRONGROOM, "serve"], env=self._shell.environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        os.environ.update({k: v for k, v in self._shell.environment.items() if k.startswith("XDG_")})
        vault = Path(self._shell.environment["STRONGROOM_VAULT"])
        state = Path(self._shell.environment["XDG_STATE_HOME"]) / "strongroom"
        for _ in range(600):
            if self._process.poll() is not None:
                sys.exit("the engine did not start")
            engine = client.connect(vault, state)
            if engine is not None and engine.call("status")["state"] == "open":
                return engine
            time.sleep(0.1)
        sys.exit("the engine did not open")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


if __name__ == "__main__":
    main()
