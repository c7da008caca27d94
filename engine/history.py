"""Conversations, as the vault keeps them: encrypted, and purged with the documents they show or rest on."""

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from engine import export as exporting
from engine import listing
from engine.engine import Engine
from retrieval import query as queries
from retrieval.query import Filters
from vault import purge_list
from vault.errors import StrongroomError
from vault.vault import Vault

_EARLIER = 4  # turns that a follow-up can lean on


@dataclass(frozen=True, slots=True)
class Earlier:
    """A turn before this one, for a question that leans on it."""

    question: str
    """as it was looked for"""
    said: str
    """the answer's text"""
    filters: Filters
    """where it was looked for"""


def conversations(engine: Engine, *, text: str = "", offset: int = 0, limit: int = 50) -> dict[str, Any]:
    """The history, newest first: each conversation by its first question. `text`: those that have all of its words, in
    a question, an answer, a citation's title or its path."""
    with engine.opened().vault.read() as db:
        chosen = "1"
        values: list[Any] = []
        if words := text.casefold().split():
            found = sorted(_having(db, words))
            chosen, values = "id IN (SELECT value FROM json_each(?))", [json.dumps(found)]
        rows: list[Any] = db.execute(
            "SELECT id, started, (SELECT question FROM turn WHERE conversation = conversation.id ORDER BY turn.id"
            " LIMIT 1), (SELECT count(*) FROM turn WHERE conversation = conversation.id) FROM conversation"
            f" WHERE {chosen} ORDER BY started DESC, id LIMIT ? OFFSET ?",
            (*values, max(1, min(limit, listing.MOST_ROWS)), max(0, offset)),
        ).fetchall()
        total = db.execute(f"SELECT count(*) FROM conversation WHERE {chosen}", values).get
    return {
        "total": total,
        "rows": [dict(zip(("id", "started", "question", "turns"), row, strict=True)) for row in rows],
    }


def conversation(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """One conversation's answers, as they were given, with the time of each (`asked`, seconds since 1970). `id` may be
    the start of one; none are there where it was removed, or purged with its documents."""
    with engine.opened().vault.read() as db:
        with contextlib.suppress(StrongroomError):
            id = _resolved(db, id)  # noqa: A001
        return {"id": id, "answers": _answers(db, id)}


def remove(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002
    """Forget one conversation; `id` may be the start of one."""
    with engine.opened().vault.write() as db:
        found = _resolved(db, id)
        db.execute("DELETE FROM conversation WHERE id = ?", (found,))
    engine.answering.forget(found)
    return {"removed": found}


def export(engine: Engine, id: str, *, format: str = "markdown") -> dict[str, Any]:  # noqa: A002
    """A conversation as a text of its own, `text` or `markdown`, each citation with file, page and quoted passage.

    Returns the text and a name for the file that it may be saved in. The name says nothing of what was asked.
    """
    if format not in exporting.FORMATS:
        raise StrongroomError(f"cannot export as {format!r}", f"export as {' or '.join(exporting.FORMATS)}")
    with engine.opened().vault.read() as db:
        answers = _answers(db, _resolved(db, id))
    write, ending = exporting.FORMATS[format]
    day = time.strftime("%Y-%m-%d", time.localtime(answers[0]["asked"])) if answers else "empty"
    return {"name": f"answers {day}.{ending}", "text": write(answers)}


def earlier(vault: Vault, conversation: str) -> list[Earlier]:
    """The last turns of a conversation, oldest first."""
    with vault.read() as db:
        rows: list[Any] = db.execute(
            "SELECT full_question, answer FROM turn WHERE conversation = ? ORDER BY id DESC LIMIT ?",
            (conversation, _EARLIER),
        ).fetchall()
    found = []
    for asked, body in reversed(rows):
        answer = json.loads(body)
        given = {name: value for name, value in answer.get("filters", {}).items() if value}
        found.append(Earlier(asked, " ".join(s["text"] for s in answer["statements"]), queries.filters(given)))
    return found


@dataclass(frozen=True, slots=True)
class Before:
    """What an answer began with."""

    purges: int
    """how often something was purged, or allowed again: another number says that it was meanwhile"""
    known: bool
    """whether its conversation was kept"""


def before(vault: Vault, conversation: str) -> Before:
    """What an answer in this conversation begins with."""
    with vault.read() as db:
        return _before(db, conversation)


def _before(db: apsw.Connection, conversation: str) -> Before:
    known = db.execute("SELECT count(*) FROM conversation WHERE id = ?", (conversation,)).get
    return Before(purge_list.serial(db), bool(known))


def remember(
    engine: Engine, shown: dict[str, Any], *, conversation: str, since: Before, offered: Iterable[str] = ()
) -> None:
    """Keep an answer, if answers are kept, and put its conversation and its turn (None if it was not kept) in it.

    `offered` are documents that it may rest on without showing them: what a model was given to read. `since` is what it
    began with: if something was purged meanwhile, its words may be in the answer, which is not kept then; nor is it
    where its conversation was removed.
    """
    shown["conversation"] = conversation
    shown["turn"] = None
    if not engine.settings.history:
        return
    rests_on = {hit["document"] for hit in _hits(shown)} | set(offered)
    with engine.opened().vault.write() as db:
        now = _before(db, conversation)
        if now.purges != since.purges or (since.known and not now.known):
            return
        if shown["full_question"] != shown["question"]:  # it may repeat words of the answers before
            rests_on |= {
                document
                for (document,) in db.execute(
                    "SELECT DISTINCT document FROM turn_document JOIN turn ON turn.id = turn WHERE conversation = ?",
                    (conversation,),
                )
            }
        db.execute("INSERT OR IGNORE INTO conversation (id, started) VALUES (?,?)", (conversation, time.time()))
        db.execute(
            "INSERT INTO turn (conversation, asked, question, full_question, answer) VALUES (?,?,?,?,?)",
            (
                conversation,
                time.time(),
                shown["question"],
                shown["full_question"],
                json.dumps(shown, ensure_ascii=False),
            ),
        )
        turn = db.last_insert_rowid()
        db.executemany("INSERT INTO turn_document (turn, document) VALUES (?,?)", [(turn, each) for each in rests_on])
    shown["turn"] = turn


def _hits(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every passage that an answer shows, also under what was left out of it."""
    statements = [*answer["statements"], *answer.get("left_out", ())]
    return [*(hit for each in statements for hit in each["citations"]), *answer["nearest"]]


def _answers(db: apsw.Connection, conversation: str) -> list[dict[str, Any]]:
    rows: list[Any] = db.execute(
        "SELECT id, asked, answer FROM turn WHERE conversation = ? ORDER BY id", (conversation,)
    ).fetchall()
    return [{**json.loads(answer), "turn": turn, "asked": asked} for turn, asked, answer in rows]


def _resolved(db: apsw.Connection, name: str) -> str:
    """The id that begins with `name`. Raises StrongroomError unless there is exactly one."""
    rows = db.execute("SELECT id FROM conversation WHERE substr(id, 1, ?) = ? LIMIT 2", (len(name), name)).fetchall()
    found = [str(each) for (each,) in rows] if name else []
    if not found:
        raise StrongroomError(f"no conversation is called {name!r}", "`strongroom history` lists them")
    if len(found) > 1:
        raise StrongroomError(f"several conversations begin with {name!r}", "give more digits")
    return found[0]


def _having(db: apsw.Connection, words: list[str]) -> set[str]:
    """Conversations in which every word stands, without case, somewhere in what was asked or shown."""
    texts: dict[str, list[str]] = {}
    for conversation, question, body in db.execute("SELECT conversation, question, answer FROM turn"):
        answer = json.loads(str(body))
        said = [each["text"] for each in (*answer["statements"], *answer.get("left_out", ()))]
        shown = [part for hit in _hits(answer) for part in (hit["title"], hit["path"], hit["sender"] or "")]
        texts.setdefault(str(conversation), []).extend([str(question), *said, *shown])
    wholes = {each: "\n".join(parts).casefold() for each, parts in texts.items()}
    return {each for each, whole in wholes.items() if all(word in whole for word in words)}
