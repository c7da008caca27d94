"""What the vault holds, for page and terminal: files, documents, a document's text."""

from typing import Any

from engine import listing
from engine.engine import Engine


def files(engine: Engine, **filters: Any) -> dict[str, Any]:
    """A page of the files, with state and reason; see `listing.files`."""
    with engine.opened(used=False).vault.read() as db:
        return listing.files(db, **filters)


def documents(engine: Engine, **filters: Any) -> dict[str, Any]:
    """A page of the documents; see `listing.list_documents`."""
    with engine.opened().vault.read() as db:
        return listing.list_documents(db, **filters)


def document(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """One document's properties; `id` may also be the start of one or a path."""
    with engine.opened().vault.read() as db:
        return listing.document(db, listing.resolve(db, id)[0])


def document_text(engine: Engine, id: str, *, start: int = 0, end: int | None = None) -> dict[str, Any]:  # noqa: A002
    """A stretch of a document's text."""
    with engine.opened().vault.read() as db:
        return listing.document_text(db, id, start=start, end=end)
