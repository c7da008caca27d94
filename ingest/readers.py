"""Other readers than Strongroom's own, for whoever trusts them more: which there are, for which formats, and why not
for the others.

A reader is a module that offers `prepare`, called once in the process that workers are forked from, and `read`, which
stands in for a format's own parser. Mail is different: its header, its parts and what is attached are Strongroom's, and
the reader is asked for the message's words alone (`bodies`).
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from vault.errors import StrongroomError

if TYPE_CHECKING:
    from ingest.mail_document import Body
    from ingest.registry import Context
    from vault.records import Document, Problem

DEFAULT = "default"
MARK = "reader"
"""the document's metadata that names the reader; absent for the default"""


class ReaderModule(Protocol):
    """What a reader's module offers."""

    def prepare(self) -> None:
        """Import what it needs and run it once: a locked worker opens no file. Raises ImportError."""

    def read(self, kind: str, file: BinaryIO, name: str, context: "Context") -> "Iterator[Document | Problem]":
        """Yield the document in `file`, which is of the format `kind`, as `registry.Parser.parse` does."""

    def bodies(
        self, data: bytes, found: "Sequence[Body]", subject: str, *, answers: bool
    ) -> "tuple[Sequence[Body], str]":
        """Return the bodies of a message, `found` being the default's, and a note where those stand in. Of `subject`
        and `answers` see `quotes.mark`."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One row of the table."""

    name: str
    package: str
    """what has to be importable; installed by the extra of the reader's name"""
    module: str
    formats: Mapping[str, str]
    """what it reads: the registry's name of the format, and the media type that its documents have"""
    declined: Mapping[str, str]
    """why it is not used for a format"""


_PANDOC = "it would start pandoc, another program, and no process here starts one"
_SOFFICE = "it would start LibreOffice, another program, and no process here starts one"
_PANDAS = "its tables need pandas below 3, and the page runs on pandas 3"
_MODELS = "it would fetch models that look at pages, and start poppler and tesseract; `ocr` reads pictures here"
_NOT_READ = "it does not read that"

READERS: tuple[Reader, ...] = (
    Reader(
        "unstructured",
        "unstructured",
        "ingest.unstructured_reader",
        {
            "html": "text/html",
            "mail": "message/rfc822",
            "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "xml": "application/xml",
        },
        {
            **dict.fromkeys(("odt", "epub", "rtf"), _PANDOC),
            **dict.fromkeys(("doc", "ppt"), _SOFFICE),
            **dict.fromkeys(("csv", "tsv", "xlsx", "xls"), _PANDAS),
            **dict.fromkeys(("pdf", "png", "jpeg", "tiff", "bmp", "heic"), _MODELS),
            **dict.fromkeys(("odp", "ods", "xlsb", "ofx", "qif", "gif", "webp", "mht"), _NOT_READ),
            **dict.fromkeys(("mbox", "emlx"), "its messages are read as the format mail is"),
            "msg": "it drops Outlook's rich text and the messages that are attached",
            "pptx": "it drops speakers' notes of hidden slides and needs python-pptx, which is not in the extra",
            "markdown": "it makes a web page of it first, and the offsets of a note would no longer be the note's",
            "text": "it has nothing to add to plain text",
        },
    ),
)

_BY_NAME = {each.name: each for each in READERS}


class ReaderError(StrongroomError):
    """A reader that is not there, or does not read a format."""


def known(name: str) -> bool:
    """Whether a reader besides the default is called that."""
    return name in _BY_NAME


def available(name: str) -> bool:
    """Whether the reader is installed; imports nothing of it."""
    return importlib.util.find_spec(_BY_NAME[name].package) is not None


def check(kind: str, name: str) -> Reader | None:
    """Return the reader that is to read the format `kind`, None for the default. Raises ReaderError."""
    from ingest import registry

    offered = sorted({each for reader in READERS for each in reader.formats})
    if kind not in {each.name for each in registry.FORMATS}:
        raise ReaderError(f"no format is called {kind!r}", f"another reader can be chosen for {', '.join(offered)}")
    if name == DEFAULT:
        return None
    reader = _BY_NAME.get(name)
    if reader is None:
        raise ReaderError(f"no reader is called {name!r}", f"it is {' or '.join((DEFAULT, *_BY_NAME))}")
    if kind not in reader.formats:
        why = reader.declined.get(kind, _NOT_READ)
        raise ReaderError(f"{kind} stays with the default: of {name}, {why}", f"{name} reads {', '.join(offered)}")
    if not available(name):
        raise ReaderError(f"{name} is not installed", f"`make install EXTRAS={name}`, or choose default")
    return reader


def module(name: str) -> ReaderModule:
    """Return the reader's module, imported. Raises ImportError where its package is not installed."""
    return cast("ReaderModule", importlib.import_module(_BY_NAME[name].module))


def chosen(readers: Mapping[str, str]) -> dict[str, str]:
    """Return of a choice, format by reader, what this table knows: the rest is the default's."""
    return {kind: name for kind, name in readers.items() if known(name) and kind in _BY_NAME[name].formats}
