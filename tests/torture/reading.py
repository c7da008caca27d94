"""The engine's operations that are crashed: reading documents, reading them again, letting them go."""

import os
import shutil
import time
from typing import Any

from tests.torture.afterwards import CANARY, Place, WrongError
from vault import keys

LEASE = """# Lease of the garage in {0}

## Term

The lease of {0} begins on 1 March 2024 and ends on 28 February 2026, in {1}.

## Rent

The rent is {2} pounds a month, paid on the first of each month.
"""


def put_papers(place: Place) -> None:
    """The documents: eight small files, last changed long ago."""
    shutil.rmtree(place.papers, ignore_errors=True)
    place.papers.mkdir()
    for number in range(8):
        _paper(place, f"lease-{number}.md", LEASE.format(f"Mill Lane {number}", CANARY, 80 + number))


def _paper(place: Place, name: str, text: str) -> None:
    path = place.papers / name
    path.write_text(text)
    os.utime(path, (1_700_000_000, 1_700_000_000 + len(text)))


def _engine(place: Place) -> Any:
    from engine.engine import Engine

    engine = Engine(place.folder, place.state, place.zygote, cost=keys.FLOOR, load=lambda: place.embedder)
    place.engine = engine
    engine.unlock(place.code)
    return engine


def _settle(place: Place) -> None:
    """Wait until all is done. Where the disk fails and the engine says so, the disk is mended, and it goes on."""
    until = time.monotonic() + 90
    opened = place.engine.opened()
    while time.monotonic() < until:
        scanning, to_do = opened.follower.scanning(), opened.pipeline.to_do()
        if opened.pipeline.broken:
            raise WrongError(f"the work broke: {opened.pipeline.failure}")
        if place.faulty and opened.pipeline.failure:
            place.mark(f"paused {opened.pipeline.failure}")
            place.mended()
            place.faulty = False
        if not scanning and not to_do and not opened.pipeline.failure:
            return
        time.sleep(0.01)
    raise WrongError(f"it never came to its end: {opened.pipeline.failure or opened.pipeline.to_do()}")


def do_ingest(place: Place) -> None:
    engine = _engine(place)
    engine.folders_add(str(place.papers))
    _settle(place)
    place.mark("ingested")
    engine.close()


def do_reindex(place: Place) -> None:
    """One file has changed, one is gone, one was renamed, one is new."""
    _paper(place, "lease-1.md", LEASE.format("Harbour Street", CANARY, 310))
    (place.papers / "lease-2.md").unlink()
    (place.papers / "lease-3.md").rename(place.papers / "renamed.md")
    _paper(place, "new.md", LEASE.format("The New Place", CANARY, 77))
    engine = _engine(place)
    _settle(place)
    place.mark("ingested")
    engine.close()


def do_remove(place: Place) -> None:
    engine = _engine(place)
    _settle(place)
    engine.folders_remove(str(place.papers))
    place.mark("removed")
    engine.close()
