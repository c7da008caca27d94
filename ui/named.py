"""What documents are called on the page."""

import re
from collections.abc import Mapping
from typing import Any

_POSING = re.compile(r"[<>@\uff20\ufe6b]")  # also the full-width and the small @
_AS = ", who writes as “"

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


def sender(known: str, most: int = 90) -> str:
    """Who wrote a mail, as the vault knows it: name and address, in at most `most` characters.

    A name is what its writer likes, and may be another's name or even another's address. So the address is always
    there, before a name that looks like one; and where there is no room it is the name that is cut, then the address
    from its front: whose it is, its end tells.
    """
    called, address = parts(known)
    if not called:
        return address if len(address) <= most else f"…{address[1 - most :]}"
    if _POSING.search(called):
        shown = sender(address, most)
        room = most - len(shown) - len(_AS)
        return f"{shown}{_AS}{called[: room - 1]}”" if room > 8 else shown
    if len(called) + len(address) + 3 <= most:
        return f"{called} <{address}>"
    shown = sender(address, most - most // 3)
    return f"{called[: most - len(shown) - 5].rstrip()}… <{shown}>"


def parts(known: str) -> tuple[str, str]:
    """Name and address of a mail's sender; where there are several, or no name, all of it is the address."""
    folded = " ".join(known.split())
    called, _, address = folded.rpartition(" <")
    quoted = called.startswith('"') and called.endswith('"')
    if not called or not address.endswith(">") or ("<" in called and not quoted):
        return "", folded
    return called.strip('"'), address.removesuffix(">")


def people(known: str, most: int = 25) -> tuple[str, str]:
    """A mail's sender on two lines of a narrow column: the name, and the end of the address.

    A name that looks like an address is left out.
    """
    called, address = parts(known)
    shown = sender(address, most)
    return ("" if _POSING.search(called) else called), shown
