"""Which documents are in a language that the embedding model does not know, told anew when another is to serve."""

from typing import Any

from ingest.pictures import FOREIGN
from ingest.prepare import UNKNOWN
from retrieval.embedder import Embedder
from vault.vault import Vault

_AT_ONCE = 200  # documents a commit
_BYTES = 16_000  # of a text: what the rule looks at is in them


def tell(vault: Vault, embedder: Embedder) -> None:
    """Say of each document whether `embedder` knows its language, and of each file that is read."""
    last = 0
    while True:
        with vault.read() as db:
            rows: list[Any] = db.execute(
                "SELECT number, language, substr(text, 1, ?) FROM document JOIN content ON document = number"
                " WHERE number > ? ORDER BY number LIMIT ?",
                (_BYTES, last, _AT_ONCE),
            ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        found = [
            ("" if embedder.knows_language(bytes(text).decode(errors="ignore")) else UNKNOWN, number, language)
            for number, language, text in rows
        ]
        changed = [(new, number) for new, number, old in found if new != old]
        if changed:
            _store(vault, changed)


def _store(vault: Vault, changed: list[tuple[str, int]]) -> None:
    with vault.write() as db:
        db.executemany("UPDATE document SET language = ? WHERE number = ?", changed)
        for _, number in changed:
            files: list[Any] = db.execute(
                "SELECT DISTINCT file.id, reason FROM file JOIN location ON location.file = file.id"
                " WHERE location.document = ?",
                (number,),
            ).fetchall()
            for file, reason in files:
                foreign = db.execute(
                    "SELECT 1 FROM location JOIN document ON number = document WHERE file = ? AND language = ?",
                    (file, UNKNOWN),
                ).get
                parts = [each for each in str(reason).split("; ") if each and each != FOREIGN]
                parts += [FOREIGN] if foreign else []
                db.execute("UPDATE file SET reason = ? WHERE id = ?", ("; ".join(parts), file))
