"""Make a vault, a backup and a killed copy with the Strongroom that PYTHONPATH points to: `python make.py FOLDER`.

Run with the code of the time whose format is to be kept, as in `git archive COMMIT`, and put what it made into a folder
called after the database's version.
"""

import json
import shutil
import sys
from pathlib import Path

from engine.zygote import Zygote

LEASE = """# Lease of the garage in Mill Lane

The lease begins on 1 March 2024 and ends on 28 February 2026.

The rent is 85 pounds a month.
"""
ROOF = """From: Pat <pat@roof.example>
To: ann@home.example
Subject: The roof
Message-ID: <1@roof.example>
Date: Mon, 02 Mar 2026 10:00:00 +0000

The roofer Hallam replaces the ridge tiles on 12 May for 2,340 pounds.
"""


def make(out: Path, zygote: Zygote) -> None:
    from engine.asking import ask
    from engine.engine import Engine
    from engine.erasing import purge
    from engine.keeping import backup
    from vault.keys import FLOOR

    papers = Path("/tmp/golden-papers")
    papers.mkdir()
    (papers / "lease.md").write_text(LEASE)
    (papers / "roof.eml").write_text(ROOF)
    (papers / "gone.txt").write_text("The diary of last summer says that the xylophone was sold.\n")
    out.mkdir(parents=True)
    engine = Engine(out / "vault", out / "state", zygote, cost=FLOOR)
    code = engine.create("nine quiet otters downstream")["recovery_code"]
    engine.folders_add(str(papers))
    engine.wait(seconds=60)
    ask(engine, "When does the lease end?")
    backup(engine, str(out / "backup"))
    purge(engine, [str(papers / "gone.txt")], confirm=True)
    ask(engine, "What does the roof cost?")
    for name in ("vault", "state"):
        shutil.copytree(out / name, out / "killed" / name, ignore=shutil.ignore_patterns("lock", "*.sock"))
    engine.close()
    (out / "vault" / "lock").unlink()
    shutil.rmtree(papers)
    (out / "made.json").write_text(json.dumps({"recovery_code": code}) + "\n")


if __name__ == "__main__":
    started = Zygote.start()
    make(Path(sys.argv[1]), started)
    started.close()
