"""Measure, and write what was measured into docs/benchmarks.md.

    python -m bench [NAME...]

Without names everything is measured but what takes hours (LONG), about half an hour on two cores with nothing else
running. Each part runs as a process of its own; its output replaces what stands between its two marks in the page, with
date and machine.
"""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.files import machine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
PARTS = {
    "ingest": ["bench.ingest"],
    "open": ["bench.open_engine"],
    "scale": ["bench.scale"],
    "sample": ["bench.sample"],
    "retrieval": ["bench.retrieval", "scifact", "contracts"],
    "public": ["bench.public_files"],
    "generation": ["bench.generation"],
    "checker": ["bench.checker"],
    "library": ["bench.library"],
    "tasks": ["bench.tasks"],
    "pictures": ["bench.pictures"],
    "ocr": ["bench.ocr"],
    "embedding": ["bench.embedding_runtime"],
    "readers": ["bench.readers"],
    "calls": ["bench.calls"],
    "injection": ["bench.injection_extractive"],
    "vectors": ["bench.vector_index", "10000", "100000", "1000000", "--plot", "docs/plots/vectors.svg"],
}
LONG = ("vectors",)
"""take much longer than the rest, and are measured only where they are named"""
CARD = ("embedding", "readers", "calls", "vectors")
"""compare with the engines of the extra `card`, in the environment that `make test-card` makes, where it is there"""


def main() -> int:
    wanted = sys.argv[1:] or [name for name in PARTS if name not in LONG]
    if unknown := [name for name in wanted if name not in PARTS]:
        sys.exit(f"nothing to measure is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    failed = 0
    for name in wanted:
        print(f"--- {name}", flush=True)
        run = subprocess.run([python(name), "-m", *PARTS[name]], stdout=subprocess.PIPE, text=True, check=False)
        print(run.stdout, flush=True)
        if run.returncode:
            failed += 1
            continue
        write(name, run.stdout)
    return 1 if failed else 0


def python(name: str) -> str:
    """The Python that a part runs with."""
    card = Path(os.environ.get("STRONGROOM_CARD", PAGE.parents[1] / ".venv-card")) / "bin" / "python"
    return str(card) if name in CARD and card.exists() else sys.executable


def write(name: str, output: str) -> None:
    """Put a part's output between its marks."""
    stamp = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"
    block = f"<!-- {name} -->\n\n*{stamp}*\n\n```text\n{output.strip()}\n```\n\n<!-- /{name} -->"
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if not pattern.search(page):
        sys.exit(f"{PAGE} has no marks for {name}")
    PAGE.write_text(pattern.sub(lambda _: block, page), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
