"""Conversations, as the vault keeps them: encrypted, and purged with the documents they show."""

import json
import secrets
import time
from typing import Any

from engine import listing
from engine.engine import Engine
from vault.vault import Vault

_EARLIER = 4  # turns that a follow-up can lean on


def conversations(engine: Engine, *, offset: int = 0, limit: int = 50) -> dict[str, Any]:
    """The history, newest first: each conversation by its first question."""
    with engine.opened().vault.read() as db:
        rows: list[Any] = db.execute(
            "SELECT conversation.id, started, (SELECT question FROM turn WHERE conversation = conversation.id"
            " ORDER BY turn.id LIMIT 1) FROM conversation ORDER BY started DESC LIMIT ? OFFSET ?",
            (min(limit, listing.MOST_ROWS), max(0, offset)),
        ).fetchall()
        total = db.execute("SELECT count(*) FROM conversation").get
    return {"total": total, "rows": [dict(zip(("id", "started", "question"), row, strict=True)) for row in rows]}


def conversation(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002
    """One conversation's answers, as they were given."""
    with engine.opened().vault.read() as db:
        rows: list[Any] = db.execute("SELECT answer FROM turn WHERE conversation = ? ORDER BY id", (id,)).fetchall()
    return {"id": id, "answers": [json.loads(answer) for (answer,) in rows]}


def earlier(vault: Vault, conversation: str) -> list[tuple[str, str]]:
    """The last turns of a conversation, oldest first: the full question, and the answer's text."""
    with vault.read() as db:
        rows: list[Any] = db.execute(
            "SELECT full_question, answer FROM turn WHERE conversation = ? ORDER BY id DESC LIMIT ?",
            (conversation, _EARLIER),
        ).fetchall()
    return [(asked, " ".join(s["text"] for s in json.loads(answer)["statements"])) for asked, answer in reversed(rows)]


def remember(engine: Engine, conversation: str | None, shown: dict[str, Any]) -> str:
    """Keep an answer, if answers are kept; return its conversation, which is a new one if none is given."""
    started = conversation or secrets.token_hex(8)
    shown["conversation"] = started
    if not engine.settings.history:
        return started
    cited = {c["document"] for s in shown["statements"] for c in s["citations"]}
    cited |= {h["document"] for h in shown["nearest"]}
    with engine.opened().vault.write() as db:
        db.execute("INSERT OR IGNORE INTO conversation (id, started) VALUES (?,?)", (started, time.time()))
        db.execute(
            "INSERT INTO turn (conversation, asked, question, full_question, answer) VALUES (?,?,?,?,?)",
            (started, time.time(), shown["question"], shown["full_question"], json.dumps(shown, ensure_ascii=False)),
        )
        turn = db.last_insert_rowid()
        db.executemany("INSERT INTO turn_document (turn, document) VALUES (?,?)", [(turn, each) for each in cited])
    return started
