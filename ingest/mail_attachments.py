"""What a message carries, handed on to its own parser through the registry."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest import registry
from ingest.registry import Context
from vault.records import Document, Problem

_EXTENSIONS = {
    "application/pdf": ".pdf", "text/html": ".html", "text/csv": ".csv", "text/plain": ".txt", "image/jpeg": ".jpg",
    "image/png": ".png", "text/calendar": ".ics", "application/msword": ".doc", "application/rtf": ".rtf",
    "text/rtf": ".rtf", "message/rfc822": ".eml", "message/global": ".eml", "text/rfc822": ".eml",
}  # fmt: skip
_MESSAGES = ("message/rfc822", "message/global", "text/rfc822")


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that a message carries."""

    name: str
    """as the sender named it, or empty"""
    kind: str
    """media type as the message says"""
    data: Callable[[], bytes]
    """its content; decoded only when its turn has come, and not kept"""


def read(attachments: Sequence[Attached], parent: str, context: Context) -> Iterator[Document | Problem]:
    """Yield what the attachments of message `parent` hold; an empty one holds nothing.

    The part of each is its name, made unique within the message, or its number.
    """
    for attached, part in zip(attachments, names(attachments), strict=True):
        inside = context.inside(part, parent)
        content = attached.data()
        if content:
            file = io.BytesIO(content)
            yield from registry.parse(file, _hint(file, attached, part, context), inside)


def names(attachments: Sequence[Attached]) -> list[str]:
    """Return a name for each attachment, unique within the message; one without a name gets its number."""
    used: dict[str, int] = {}
    found = []
    for number, each in enumerate(attachments, 1):
        wanted = each.name.replace("/", "_") or str(number)
        name = wanted
        while name in used:
            used[wanted] += 1  # the next to try: a thousand attachments of one name cost a thousand steps
            stem, dot, extension = wanted.rpartition(".")
            name = f"{stem} ({used[wanted]}).{extension}" if dot and stem else f"{wanted} ({used[wanted]})"
        used.setdefault(name, 1)
        found.append(name)
    return found


def _hint(file: io.BytesIO, attached: Attached, part: str, context: Context) -> str:
    """Return the name by which the registry recognises the attachment, with what its media type adds."""
    name = attached.name or part
    if attached.kind in _MESSAGES:
        return f"{name}.eml"
    if not attached.name:
        return part + _EXTENSIONS.get(attached.kind, "")
    if attached.kind.startswith("text/"):
        try:
            found = registry.recognise(file, name)
            if not found.module and found.name not in context.readers:
                return f"{name}.txt"
        except registry.UnsupportedError:
            return f"{name}.txt"  # a name that says nothing, and a sender who says that it is text
        except registry.UnreadableError:
            return name
    return name
