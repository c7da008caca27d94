"""Purging: what would go, that it went, and how to allow it again."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw

from engine import erased, listing, vector_index
from engine.engine import Engine, Notify, Open, silent
from ingest import registry
from retrieval import keyword
from vault import purge as purging
from vault import shred as shredder
from vault.errors import StrongroomError
from vault.readback import Check


def purge_preview(engine: Engine, name: str) -> dict[str, Any]:
    """What a purge of this id or path would take: the documents, in `removed` how much of each kind, and in `shredding`
    the space that its second stage needs beside the vault for a while, and whether it is there."""
    opened = engine.opened()
    with opened.vault.read() as db:
        ids = listing.resolve(db, name)
        found = [listing.document(db, each) for each in ids]
    needed, free = shredder.needed(opened.vault)
    return {
        "removed": asdict(purging.preview(opened.vault, ids)),
        "shredding": {
            "wanted": engine.settings.shred,
            "needed_bytes": needed,
            "free_bytes": free,
            "folder": str(opened.vault.folder),
            "fits": needed <= free,
        },
        "documents": [
            {
                "id": each["id"],
                "title": each["title"],
                "kind": each["kind"],
                "paths": [p["path"] for p in each["places"]],
                "attachments": len(each["attachments"]),
            }
            for each in found
        ],
    }


def purge(engine: Engine, names: list[str], *, confirm: bool = False) -> dict[str, Any]:
    """Take documents out of the vault for good, by id or path, and read back that they are gone."""
    opened = engine.opened()
    if not confirm:
        raise StrongroomError("a purge has to be confirmed", "it cannot be undone; the file itself stays where it is")
    with opened.vault.read() as db:
        ids = [each for name in names for each in listing.resolve(db, name)]
    return _purge(engine, opened, ids)


def folders_purge(engine: Engine, path: str, *, confirm: bool = False) -> dict[str, Any]:
    """Stop watching a folder and purge what was read from it, but for what lies in another folder too.

    Returns the receipt, as `purge` does. None of it is read again, from wherever, until it is allowed.
    """
    opened = engine.opened()
    if not confirm:
        raise StrongroomError("a purge has to be confirmed", "it cannot be undone; the files stay where they are")
    opened.follower.remove(Path(path), keep=True)  # from here on nothing new comes from it
    with opened.vault.read() as db:
        ids = [
            str(i)
            for (i,) in db.execute(
                "SELECT id FROM document WHERE number IN (SELECT document FROM location JOIN file ON file.id ="
                " location.file JOIN folder ON folder.id = file.folder WHERE folder.shown = ?1) AND NOT EXISTS"
                " (SELECT 1 FROM location JOIN file ON file.id = location.file JOIN folder ON folder.id = file.folder"
                " WHERE location.document = number AND folder.shown != ?1)",
                (path,),
            )
        ]
    receipt = _purge(engine, opened, ids)
    opened.follower.remove(Path(path), keep=False)
    return receipt


def _purge(engine: Engine, opened: Open, ids: list[str]) -> dict[str, Any]:
    removed: list[int] = []
    gone: list[str] = []

    def remove_from_index(db: apsw.Connection, chunks: list[int]) -> None:
        gone.extend(purging.with_attachments_ids(db, ids))
        keyword.remove(db, chunks)
        removed.extend(chunks)

    receipt = purging.purge(opened.vault, ids, remove_from_index, index_holds=keyword.held)
    opened.index.refresh(removed)
    engine.forget()
    checks = (
        Check("passages", "the indexes in the engine's memory", len(removed), opened.index.finds(removed)),
        Check("pictures of its pages", "the engine's memory", len(gone), engine.drawn.holds(gone)),
    )
    elsewhere, kept = vector_index.read_back(opened.index, removed)
    purging.add_checks(opened.vault, receipt, (*checks, *elsewhere), kept)
    opened.shredding.look()
    return next(row for row in _receipts(opened, limit=20) if row["at"] == receipt.at)


def purge_lift(engine: Engine, name: str) -> dict[str, Any]:
    """Allow a purged document again, by its id or its file's path; it is read at once if it lies in a folder."""
    opened = engine.opened()
    path = Path(name)
    if path.is_file():
        with path.open("rb") as file:
            name = registry.digest(file)
    lifted = purging.lift(opened.vault, name)
    if lifted:
        opened.follower.read_again(containers=True)
    return {"lifted": lifted}


def receipts(engine: Engine, limit: int = 200) -> dict[str, Any]:
    """The receipts of all purges, newest first, with the stage of each and the backups that still hold it."""
    return {"rows": _receipts(engine.opened(), limit=max(1, min(limit, 200)))}


def shred(engine: Engine, *, notify: Notify = silent) -> dict[str, Any]:
    """Shred at once what was purged; returns where it came to: `stage` is `none` when nothing waits for it any more.

    `shredding` notifications say how far it is.
    """
    opened = engine.opened()
    return opened.shredding.wait(lambda found: notify("shredding", found), engine.ended)


def _receipts(opened: Open, *, limit: int) -> list[dict[str, Any]]:
    shredding = opened.shredding.status()
    with opened.vault.read() as db:
        return erased.rows(db, shredding, limit=limit)
