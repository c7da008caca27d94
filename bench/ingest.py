"""Ingesting the standard slice, whole command by the clock, beside the stack that a person would assemble.

    python -m bench.ingest [--rounds N]

Both run one after the other, in turns, on the same files; what counts is the ratio of the medians. The other stack
lives in an environment of its own, made by `sh tools/peers.sh`.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from bench.command import throwaway
from bench.files import link_tree, standard_slice

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(os.environ.get("STRONGROOM_PEERS", ROOT / ".venv-peers"))


def main() -> None:
    if not (PEERS / "bin/python").exists():
        sys.exit(f"the stack to compare with is not at {PEERS}: `sh tools/peers.sh` installs it")
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 3
    files = standard_slice()
    print(f"{len(files)} files, {sum(each.stat().st_size for each in files) / 1e6:.1f} MB")
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        seconds, status = strongroom(files)
        ours.append(seconds)
        peer_seconds, work = usual(files)
        theirs.append(peer_seconds)
        print(f"round {number + 1}: strongroom add --wait {seconds:.1f} s, usual stack {peer_seconds:.1f} s")
    print(f"strongroom: {statistics.median(ours):.1f} s, {status}")
    print(f"usual stack: {statistics.median(theirs):.1f} s, {work}")
    print(f"ratio of the medians: {statistics.median(theirs) / statistics.median(ours):.2f} (asked for: at least 4)")


def strongroom(files: list[Path]) -> tuple[float, str]:
    with throwaway() as shell:
        folder = link_tree(files, shell.folder / "papers")
        began = time.perf_counter()
        shell.run("add", "--wait", str(folder))
        took = time.perf_counter() - began
        states = Counter(row["state"] for row in shell.json("list", "--files", "--all")["rows"])
        return took, ", ".join(f"{count} files {state}" for state, count in states.items())


def usual(files: list[Path]) -> tuple[float, dict[str, float]]:
    with throwaway() as shell:
        began = time.perf_counter()
        run = subprocess.run(
            [PEERS / "bin/python", ROOT / "bench/usual_stack.py", shell.folder / "store", "-"],
            input="\n".join(map(str, files)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        )
        took = time.perf_counter() - began
        return took, {name: round(value, 1) for name, value in json.loads(run.stdout.splitlines()[-1]).items()}


if __name__ == "__main__":
    main()
