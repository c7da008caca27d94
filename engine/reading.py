"""What the vault holds, for page and terminal: files, documents, a document's text."""

from typing import Any

from engine import catalogue, listing
from engine.engine import Engine


def files(engine: Engine, **filters: Any) -> dict[str, Any]:
    """A page of the files, with state and reason; see `listing.files`."""
    with engine.opened(used=False).vault.read() as db:
        return listing.files(db, **filters)


def documents(
    engine: Engine,
    *,
    text: str = "",
    inside: bool = False,
    kind: str = "",
    state: str = "",
    folder: int | None = None,
    file: int | None = None,
    person: str = "",
    after: str = "",
    before: str = "",
    **shown: Any,
) -> dict[str, Any]:
    """A page of the documents; see `catalogue.Wanted` and `catalogue.list_documents`. With `inside`, also those in
    whose text all words of `text` stand."""
    opened = engine.opened()
    holding = opened.index.documents_with(text) if inside and text else ()
    with opened.vault.read() as db:
        wanted = catalogue.Wanted(text, holding, kind, state, folder, file, person, after, before)
        return catalogue.list_documents(db, wanted, **shown)


def documents_facets(engine: Engine) -> dict[str, Any]:
    """What the documents can be narrowed by; see `catalogue.facets`."""
    with engine.opened().vault.read() as db:
        return catalogue.facets(db)


def document(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """One document's properties; `id` may also be the start of one or a path."""
    with engine.opened().vault.read() as db:
        return listing.document(db, listing.resolve(db, id)[0])


def document_text(engine: Engine, id: str, *, start: int = 0, end: int | None = None) -> dict[str, Any]:  # noqa: A002
    """A stretch of a document's text."""
    with engine.opened().vault.read() as db:
        return listing.document_text(db, id, start=start, end=end)
