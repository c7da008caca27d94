"""What documents are called on the page."""

from collections.abc import Mapping
from typing import Any

KINDS = {
    "mail": "Mail",
    "contract": "Contract",
    "invoice": "Invoice",
    "statement": "Statement",
    "letter": "Letter",
    "table": "Table",
    "slides": "Slides",
    "book": "Book",
    "web": "Web page",
    "note": "Note",
    "document": "Document",
}


def title(document: Mapping[str, Any]) -> str:
    """A document's title, else its file's name."""
    if document.get("title"):
        return str(document["title"])
    places = (
        document.get("places")
        or [{"path": path} for path in document.get("paths", ())]
        or [{"path": document.get("path") or ""}]
    )
    return str(places[0]["path"]).rstrip("/").rpartition("/")[2] or "without a title"


def name(sender: str) -> str:
    """`Anna Whitcombe` of `Anna Whitcombe <anna@whitcombe.example>`."""
    return sender.partition(" <")[0].strip('" ') or sender
