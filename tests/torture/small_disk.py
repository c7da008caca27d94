"""Read documents onto a disk that is really too small, and then give it room.

    unshare -rm python -m tests.torture.small_disk FOLDER

Mounts a tmpfs of 1 MiB where the vault lies, in a mount namespace of its own, has an engine read more than fits, and
enlarges it. Where DISK_FULL is set, the layer of disk.c is the disk, for machines on which nobody may mount. Prints what
was seen as one JSON object.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.asking import ask
from engine.engine import Engine
from engine.zygote import Zygote
from ingest import work
from vault.keys import FLOOR

SMALL, LARGE = "1m", "64m"
DOCUMENTS = 40
_WORDS = "harbour kettle copper lantern orchard quarry meadow tariff ledger anvil thimble walnut".split()  # noqa: SIM905


def _write(folder: Path) -> None:
    chance = random.Random(4)
    for number in range(DOCUMENTS):
        lines = [f"Entry {line} of ledger {number}: " + " ".join(chance.choices(_WORDS, k=14)) for line in range(120)]
        (folder / f"ledger-{number}.txt").write_text("\n\n".join(lines))


class Disk:
    """The vault's: small, and large later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flag = os.environ.get("DISK_FULL", "")
        if not self.flag:
            command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "tmpfs", folder]
            subprocess.run(command, check=True)

    def fill(self) -> None:
        if self.flag:
            Path(self.flag).touch()

    def enlarge(self) -> None:
        if self.flag:
            Path(self.flag).unlink()
        else:
            subprocess.run(["mount", "-o", f"remount,size={LARGE}", self.folder], check=True)


def _until(what: Callable[[], Any], seconds: float = 240) -> Any:
    """What it returns once that is something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise SystemExit("it never was so")
        time.sleep(0.05)
    return found


def main() -> None:
    """See the module's docstring."""
    root = Path(sys.argv[1]).resolve()
    folder, papers = root / "vault", root / "papers"
    folder.mkdir(parents=True)
    papers.mkdir()
    (papers / "fence.txt").write_text("The fence on Tern Street costs 300 pounds.")
    work.PAUSE_SECONDS = 0.5
    zygote = Zygote.start()
    disk = Disk(folder)
    engine = Engine(folder, root / "state", zygote, cost=FLOOR)
    engine.create("a passphrase for tests")
    engine.folders_add(str(papers))
    engine.wait()
    _write(papers)
    disk.fill()
    paused = _until(lambda: (found := engine.status())["disk_full"] and found)
    answer = ask(engine, "What does the fence on Tern Street cost?")
    disk.enlarge()
    _until(lambda: not engine.status()["disk_full"])
    _until(lambda: engine.status()["documents"] == DOCUMENTS + 1)
    engine.wait()
    after = engine.status()
    engine.close()
    engine = Engine(folder, root / "state", zygote, cost=FLOOR)
    engine.unlock("a passphrase for tests")
    with engine.opened().vault.read() as db:
        sound = db.execute("PRAGMA integrity_check").get
    engine.close()
    print(
        json.dumps(
            {
                "reason": paused["reason"],
                "documents": [paused["documents"], after["documents"]],
                "files": after["files"],
                "after": after["reason"],
                "answered": len(answer["statements"]),
                "sound": sound,
            }
        )
    )


if __name__ == "__main__":
    main()
