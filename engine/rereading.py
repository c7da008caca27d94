"""Which reader reads a format, and reading its files again when that changes."""

import json
import os
from typing import Any

import apsw

from engine import settings
from engine.engine import Engine
from ingest import readers, registry

_ROWS_A_COMMIT = 500  # a question waits for at most one such commit
# Nothing of a folder that was removed is there to be read; a paused one is read again when it is resumed.
_STAYS = "state = 'waiting' OR state = 'cloud' OR folder IN (SELECT id FROM folder WHERE state = 'kept')"


def readers_list(engine: Engine) -> dict[str, Any]:
    """The formats in the registry's order, with `reader` (what is chosen), `choices` (what can be, where there is a
    choice), `why` (why there is none, by reader), `default` (whether the default reads it), and `documents` that each
    reader's text is of; and the `readers`: whether each is `installed`."""
    chosen = engine.settings.readers
    with engine.opened(used=False).vault.read() as db:
        counts: dict[str, dict[str, int]] = {}
        for media_type, reader, count in db.execute(
            f"SELECT media_type, coalesce(json_extract(metadata, '$.{readers.MARK}'), '{readers.DEFAULT}'), count(*)"
            " FROM document GROUP BY 1, 2"
        ):
            counts.setdefault(str(media_type), {})[str(reader)] = int(count)
    rows = []
    for each in registry.FORMATS:
        offered = [reader for reader in readers.READERS if each.name in reader.formats]
        declined = {r.name: r.declined[each.name] for r in readers.READERS if each.name in r.declined}
        if not offered and not (each.module and declined):
            continue
        rows.append(
            {
                "format": each.name,
                "extensions": list(each.extensions),
                "reader": chosen.get(each.name, readers.DEFAULT),
                "choices": [readers.DEFAULT, *(reader.name for reader in offered)] if offered else [],
                "why": declined,
                "default": bool(each.module),
                "documents": counts.get(each.media_type, {}),
            }
        )
    installed = [{"name": each.name, "installed": readers.available(each.name)} for each in readers.READERS]
    return {"rows": rows, "readers": installed}


def readers_use(engine: Engine, format: str, reader: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """Have a format read by a reader, or by `default`; returns how many `files` are read again for it.

    Until a file's turn has come, what was read of it before is found. Raises ReaderError.
    """
    opened = engine.opened()
    found = readers.check(format, reader)
    name = found.name if found else ""
    if engine.settings.readers.get(format, "") == name:
        return {"format": format, "reader": reader, "files": 0}
    with opened.vault.write() as db:
        engine.settings = settings.choose_reader(db, engine.settings, format, name)
    engine.zygote.readers = readers.chosen(engine.settings.readers)
    with opened.vault.read() as db:
        files = _files_of(db, format)
    for at in range(0, len(files), _ROWS_A_COMMIT):
        with opened.vault.write() as db:
            db.execute(
                f"UPDATE file SET state = 'waiting' WHERE NOT ({_STAYS}) AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(files[at : at + _ROWS_A_COMMIT]),),
            )
        opened.pipeline.wake()
    return {"format": format, "reader": reader, "files": len(files)}


def _files_of(db: apsw.Connection, name: str) -> list[int]:
    """Ids of the files in which a document of the format lies, and of those that could not be read and may be of it."""
    row = next(each for each in registry.FORMATS if each.name == name)
    found = {
        int(number)
        for (number,) in db.execute(
            "SELECT DISTINCT location.file FROM document JOIN location ON location.document = document.number"
            " WHERE media_type = ?",
            (row.media_type,),
        )
    }
    for number, path in db.execute("SELECT id, path FROM file WHERE state IN ('unsupported', 'failed', 'partial')"):
        if os.path.splitext(os.fsdecode(path))[1].lower() in row.extensions:
            found.add(int(number))
    stays = {int(number) for (number,) in db.execute(f"SELECT id FROM file WHERE {_STAYS}")}
    return sorted(found - stays)
