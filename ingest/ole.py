"""What old Word's and PowerPoint's files state about themselves (MS-OLEPS): title, author, created."""

import datetime as dt
import struct
from collections.abc import Iterator

from ingest import kind
from ingest.compound import Compound

_TITLE, _AUTHOR, _CREATED, _CODE_PAGE = 2, 4, 12, 1
_ANSI, _WIDE, _TIME = 0x1E, 0x1F, 0x40


def properties(compound: Compound) -> dict[str, str]:
    """Return title, author and created, as far as they are stated and sensible; a damaged list is empty."""
    entry = compound.root.children.get("\x05SummaryInformation")
    if entry is None or entry.is_storage:
        return {}
    data = compound.read(entry)
    try:
        found = dict(_properties(data))
    except (struct.error, IndexError):
        return {}
    page = found.get(_CODE_PAGE)
    encoding = f"cp{page & 0xFFFF}" if isinstance(page, int) and page & 0xFFFF != 65001 else "utf-8"
    made = {
        "title": kind.own_title(_text(found.get(_TITLE), encoding)),
        "author": _text(found.get(_AUTHOR), encoding)[:300],
    }
    created = found.get(_CREATED)
    if isinstance(created, int) and created > 0:
        # 100 ns since 1601 (FILETIME)
        moment = dt.datetime(1601, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=min(created // 10, 1 << 54))
        made["created"] = moment.date().isoformat()
    return {key: value for key, value in made.items() if value}


def _properties(data: bytes) -> Iterator[tuple[int, int | bytes | str]]:
    start = struct.unpack_from("<I", data, 44)[0]
    count = struct.unpack_from("<I", data, start + 4)[0]
    for index in range(min(count, 100)):
        identity, offset = struct.unpack_from("<II", data, start + 8 + 8 * index)
        at = start + offset
        form = struct.unpack_from("<I", data, at)[0]
        if form == _ANSI:
            length = struct.unpack_from("<I", data, at + 4)[0]
            yield identity, data[at + 8 : at + 8 + length]
        elif form == _WIDE:
            length = struct.unpack_from("<I", data, at + 4)[0]
            yield identity, data[at + 8 : at + 8 + 2 * length].decode("utf-16-le", "replace")
        elif form == _TIME:
            yield identity, struct.unpack_from("<Q", data, at + 4)[0]
        elif form == 2:
            yield identity, struct.unpack_from("<H", data, at + 4)[0]


def _text(stated: int | bytes | str | None, encoding: str) -> str:
    words = stated if isinstance(stated, str) else ""
    if isinstance(stated, bytes):
        try:
            words = stated.decode(encoding, "replace")
        except LookupError:
            words = stated.decode("cp1252", "replace")
    return " ".join(words.split("\0")[0].split())
