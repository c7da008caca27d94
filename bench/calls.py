"""What sentence-transformers, Chroma and unstructured reach, start and write by themselves, and what is left of it here.

    python -m bench.calls [FOLDER]

Each is imported and given one sentence in a process of its own under strace: once as its first page says, once as Strongroom
prepares it, both without the lock, which would refuse all of it. Counted are the addresses that it tried to reach, how
often it tried to look one up, the programs that it started (of those that it tried), and the files that it opened to write.
FOLDER is a sentence-transformers model; without one, that of `sh tools/peers.sh` is taken. Needs strace, and of each engine the extra.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.embedding_runtime import original

SENTENCE = "The rent is due on Friday. It is paid by standing order, as it was the year before."
UNSTRUCTURED = f"""
from unstructured.partition.text import partition_text
try: partition_text(text={SENTENCE!r})
except Exception as error: print(type(error).__name__)
"""
CODE = {
    "unstructured": {
        "as it comes": UNSTRUCTURED,
        "asked not to track": f"""
import os
os.environ.update(DO_NOT_TRACK="1", UNSTRUCTURED_DISABLE_NOTICE="1")
{UNSTRUCTURED}""",
        "as Strongroom prepares it": f"""
from ingest import unstructured_reader as reader
reader.prepare()
reader._html("<p>{SENTENCE}</p>")
""",
    },
    "chromadb": {
        "as it comes": """
import chromadb
some = chromadb.Client().create_collection("some")
some.add(ids=["a"], embeddings=[[1.0, 0.0]])
some.query(query_embeddings=[[1.0, 0.0]], n_results=1)
""",
        "as Strongroom prepares it": """
import numpy as np
from retrieval.chroma import InMemory
index, vectors = InMemory(), np.array([[1, 0]], dtype=np.float32)
index.open(2)
index.add([bytes(16)], vectors)
assert index.nearest(vectors[0], 1) == [bytes(16)]
""",
    },
    "sentence_transformers": {
        "as it comes": f"""
import sys
from sentence_transformers import SentenceTransformer
SentenceTransformer(sys.argv[1]).encode({SENTENCE!r})
""",
        "as Strongroom prepares it": f"""
import sys
from pathlib import Path
from retrieval import sentence_transformers_folder as folders
from retrieval.sentence_transformers_model import Model
Model(folders.look(Path(sys.argv[1])), "").embed([{SENTENCE!r}])
""",
    },
}
QUIET = ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "HF_HUB_OFFLINE", "ANONYMIZED_TELEMETRY")


def main() -> int:
    if not shutil.which("strace"):
        sys.exit("strace is not installed")
    folder = Path(sys.argv[1]) if sys.argv[1:] else original()
    print(f"{'one sentence':52}{'addresses':>9}{'look-ups':>10}{'programs':>10}  files opened to write")
    for package, ways in CODE.items():
        if importlib.util.find_spec(package) is None or (package == "sentence_transformers" and folder is None):
            print(f"{package.replace('_', '-')}: not here")
            continue
        for way, code in ways.items():
            print(f"{package.replace('_', '-'):24}{way:28}{told(traced(code, str(folder)))}", flush=True)
    return 0


def traced(code: str, folder: str) -> list[str]:
    """The calls of a process that runs `code`, as strace writes them."""
    environment = {name: value for name, value in os.environ.items() if name not in QUIET}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.NamedTemporaryFile("r", errors="replace") as trace:
        done = subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg,execve,openat", "-o", trace.name,
             sys.executable, "-c", code, folder], env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"it failed: {done.stderr.strip().splitlines()[-1]}")
        return trace.read().splitlines()


def told(calls: list[str]) -> str:
    """The counts, and the files by name."""
    connected = [each for each in calls if "connect(" in each]
    asked = sum("htons(53)" in each or "nscd" in each for each in connected)
    reached = sum("AF_INET" in each and "htons(53)" not in each for each in connected)
    started = [each for each in calls if "execve(" in each][1:]  # the first is the process itself
    programs = sum("= 0" in each for each in started)
    opened = [each for each in calls if ("O_WRONLY" in each or "O_RDWR" in each) and "openat(" in each]
    names = {found[1] for each in opened if (found := re.search(r'"([^"]+)"', each))}
    names = {_plain(each) for each in names if not each.startswith("/dev/null")}
    return f"{reached:>9}{asked:>10}{f'{programs} of {len(started)}':>10}  {', '.join(sorted(names)) or 'none'}"


def _plain(path: str) -> str:
    """Without what is another each time."""
    return re.sub(r"/tmp/[a-z0-9_]{8,11}(?=/|$)", "/tmp/…", path.replace(str(Path.home()), "~"))


if __name__ == "__main__":
    sys.exit(main())
