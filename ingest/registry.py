"""From a file to its parser: one table, read by extension and by the first bytes.

The flow is `parse`: recognise the format, import its module, let it yield documents and problems, and see to
it that no failure is silent and none of a part stops the whole.
"""

import hashlib
import importlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol, cast

from ingest import readers
from vault.errors import StrongroomError
from vault.records import Block, Document, Problem

MAX_DEPTH = 3  # attachments of attachments; deeper ones are named, not read
MAX_TEXT = 64 << 20  # bytes of UTF-8 of one document: the longest novels have 10 MiB
MAX_BLOCKS = 500_000  # rows of a spreadsheet or an export; 64 MiB of them have about as many
_HEAD = 8192  # bytes looked at to recognise a format


class UnreadableError(StrongroomError):
    """The file's format is read here, but this one cannot be: damaged, empty, or under a password."""


class UnsupportedError(StrongroomError):
    """The file is of a format that is not read."""


class ReachedError(BaseException):
    """The part that was looked for, on its way up through the parsers around it. Not an Exception: none of them is to
    take it for a failure of that part."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(name)
        self.data = data
        self.name = name
        """what the registry would have recognised it by"""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a part lies inside its file. For the file itself all fields but `name` are empty."""

    name: str = ""
    """base name of the file on disk"""
    part: str = ""
    """see `Document.part`"""
    parent: str = ""
    """id of the document that this is an attachment of"""
    depth: int = 0
    """0 for the file itself, 1 for its attachments, …; beyond `MAX_DEPTH` nothing is read"""
    wanted: str = ""
    """the one part that is looked for; all that do not lie around it are passed over. Empty: everything is read"""
    readers: Mapping[str, str] = field(default_factory=dict)
    """which reader is to read a format, by name, where it is not the default: see `ingest.readers`"""

    def inside(self, part: str, parent: str) -> "Context":
        """Return the context of one attachment: `part` is its name or number inside this one."""
        joined = f"{self.part}/{part}" if self.part else part
        return Context(self.name, joined, parent, self.depth + 1, self.wanted, self.readers)

    def passed_over(self) -> bool:
        """Whether another part is looked for that does not lie in this one."""
        around = self.part in ("", self.wanted) or self.wanted.startswith(f"{self.part}/")
        return bool(self.wanted) and not around


class Parser(Protocol):
    """What a format module offers."""

    def parse(self, file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
        """Yield the documents in `file` (seekable, read-only), and a problem for each part that fails.

        `name` is the file's base name, a hint only. Raises UnreadableError when nothing of it can be read.
        """


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table."""

    name: str
    module: str
    """the parser's module, or empty for a format that is recognised but not read"""
    media_type: str
    extensions: tuple[str, ...] = ()
    """lower-case, with the dot"""
    magic: tuple[bytes, ...] = ()
    """any of these at the very start; formats whose mark lies deeper are told by ingest/sniff.py"""
    reason: str = ""
    """why it is not read"""


_HEIC = "a picture of a kind that is not read; save it as JPEG or PDF"
_ARCHIVE = "an archive; unpack it into a watched folder to have it read"
_XML = "a file of XML, which the default reader does not read; `strongroom reader xml unstructured` has it read"
_OPEN = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

# fmt: off
FORMATS: tuple[Format, ...] = (
    Format("pdf", "ingest.pdf", "application/pdf", (".pdf",), (b"%PDF-",)),
    Format("docx", "ingest.docx", _OPEN + "wordprocessingml.document",
           (".docx", ".docm", ".dotx", ".dotm")),
    Format("pptx", "ingest.pptx", _OPEN + "presentationml.presentation",
           (".pptx", ".pptm", ".ppsx", ".potx")),
    Format("xlsx", "ingest.tables", _OPEN + "spreadsheetml.sheet", (".xlsx", ".xlsm", ".xltx", ".xltm")),
    Format("xlsb", "ingest.tables", "application/vnd.ms-excel.sheet.binary.macroEnabled.12", (".xlsb",)),
    Format("odt", "ingest.odf", _ODF + "text", (".odt", ".ott", ".fodt")),
    Format("odp", "ingest.odf", _ODF + "presentation", (".odp", ".otp")),
    Format("ods", "ingest.tables", _ODF + "spreadsheet", (".ods", ".ots")),
    Format("rtf", "ingest.rtf", "application/rtf", (".rtf",), (b"{\\rtf",)),
    Format("epub", "ingest.epub", "application/epub+zip", (".epub",)),
    Format("doc", "ingest.doc", "application/msword", (".doc", ".dot")),
    Format("ppt", "ingest.ppt", "application/vnd.ms-powerpoint", (".ppt", ".pps", ".pot")),
    Format("xls", "ingest.tables", "application/vnd.ms-excel", (".xls", ".xlt")),
    Format("html", "ingest.web", "text/html", (".html", ".htm", ".xhtml")),
    Format("mht", "ingest.mail", "multipart/related", (".mht", ".mhtml")),
    Format("xml", "", "application/xml", (".xml",), (), _XML),
    Format("markdown", "ingest.text", "text/markdown", (".md", ".markdown")),
    Format("text", "ingest.text", "text/plain", (".txt", ".text", ".log", ".rst", ".org")),
    Format("csv", "ingest.tables", "text/csv", (".csv",)),
    Format("tsv", "ingest.tables", "text/tab-separated-values", (".tsv", ".tab")),
    Format("ofx", "ingest.ofx", "application/x-ofx", (".ofx", ".qfx"), (b"OFXHEADER:", b"<?OFX", b"<OFX>")),
    Format("qif", "ingest.ofx", "application/x-qif", (".qif",), (b"!Type:", b"!Account", b"!Option:")),
    Format("mail", "ingest.mail", "message/rfc822", (".eml",)),
    Format("mbox", "ingest.mbox", "application/mbox", (".mbox", ".mbx")),
    Format("emlx", "ingest.emlx", "message/x-emlx", (".emlx",)),
    Format("msg", "ingest.msg", "application/vnd.ms-outlook", (".msg",)),
    Format("png", "ingest.image", "image/png", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    Format("jpeg", "ingest.image", "image/jpeg", (".jpg", ".jpeg", ".jpe"), (b"\xff\xd8\xff",)),
    Format("gif", "ingest.image", "image/gif", (".gif",), (b"GIF87a", b"GIF89a")),
    Format("tiff", "ingest.image", "image/tiff", (".tif", ".tiff"), (b"II*\x00", b"MM\x00*")),
    Format("bmp", "ingest.image", "image/bmp", (".bmp",), ()),
    Format("webp", "ingest.image", "image/webp", (".webp",), ()),
    Format("heic", "", "image/heic", (".heic", ".heif", ".avif"), (), _HEIC),
    Format("zip", "", "application/zip", (".zip",), (b"PK\x03\x04", b"PK\x05\x06"), _ARCHIVE),
    Format("gzip", "", "application/gzip", (".gz", ".tgz"), (b"\x1f\x8b",), _ARCHIVE),
    Format("bzip2", "", "application/x-bzip2", (".bz2", ".tbz"), (b"BZh",), _ARCHIVE),
    Format("xz", "", "application/x-xz", (".xz", ".txz"), (b"\xfd7zXZ\x00",), _ARCHIVE),
    Format("zstd", "", "application/zstd", (".zst",), (b"\x28\xb5\x2f\xfd",), _ARCHIVE),
    Format("7z", "", "application/x-7z-compressed", (".7z",), (b"7z\xbc\xaf\x27\x1c",), _ARCHIVE),
    Format("rar", "", "application/vnd.rar", (".rar",), (b"Rar!\x1a\x07",), _ARCHIVE),
    Format("tar", "", "application/x-tar", (".tar",), (), _ARCHIVE),
    Format("pst", "", "application/vnd.ms-outlook-pst", (".pst", ".ost"), (b"!BDN",),
           "an Outlook data file; export its mail as mbox or .eml"),
)
# fmt: on

_BY_NAME = {each.name: each for each in FORMATS}
_BY_EXTENSION = {extension: each for each in FORMATS for extension in each.extensions}


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield everything that `file` holds.

    Of the file itself (`context.depth` 0) a failure of the whole raises UnreadableError or UnsupportedError;
    of a part it becomes a Problem, and the caller goes on.
    """
    if context.passed_over():
        return
    if context.wanted and context.part == context.wanted:
        file.seek(0)
        raise ReachedError(file.read(), name)
    try:
        found = recognise(file, name)
        file.seek(0)
        for each in _reading(found, file, name, context):
            yield _bounded(each) if isinstance(each, Document) else each
    except (UnreadableError, UnsupportedError) as error:
        if context.depth == 0:
            raise
        yield Problem(context.part, error.message)
    except BaseException as error:  # a parser's own failure on hostile input is the input's: said, never hidden
        # What pyo3 makes of a panic in Rust is no Exception, by intent.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        yield _failed(error, context)


def _failed(error: BaseException, context: Context) -> Problem:
    """Return the problem of a part, or raise that of the whole file."""
    reason = reason_of(error)
    if context.depth == 0:
        raise UnreadableError(reason) from error
    return Problem(context.part, reason)


def reason_of(error: BaseException) -> str:
    """Return why a file cannot be read whose parser raised this."""
    if isinstance(error, MemoryError):
        return "too large to be taken apart within the memory that a parser is given"
    if isinstance(error, RecursionError):
        return "damaged: its parts lie in each other without end"
    if not isinstance(error, Exception):
        return "damaged: its reader gave it up"  # what a panic says is written for whoever wrote the reader
    return f"damaged: {type(error).__name__}: {str(error)[:200]}".rstrip(": ")


def part_of(file: BinaryIO, name: str, part: str) -> tuple[BinaryIO, str]:
    """Return a part of `file` (see `Document.part`; empty: the file itself) and the name to recognise it by.

    The file is walked as it was when its documents were found. Raises UnreadableError where the part is not there.
    """
    if not part:
        return file, name
    try:
        for _ in parse(file, name, Context(name, wanted=part)):
            pass
    except ReachedError as reached:
        return io.BytesIO(reached.data), reached.name
    raise UnreadableError(f"{part!r} is no longer in it")


def recognise(file: BinaryIO, name: str) -> Format:
    """Return the format of `file`. First bytes win over the extension: banks call web pages `.xls`.

    Raises UnreadableError for an empty file and UnsupportedError for an unknown one.
    """
    from ingest import sniff

    file.seek(0)
    head = file.read(_HEAD)
    if not head:
        raise UnreadableError("empty: the file holds 0 bytes")
    extension = _extension(name)
    by_name = _BY_EXTENSION.get(extension)
    found = sniff.container(file, head)
    if not found:
        marked = next((each for each in FORMATS if head.startswith(each.magic)), None)
        if marked:
            # A zip of no known kind whose name says more (a damaged .docx) is left to that parser to explain.
            return by_name if marked.name == "zip" and by_name else marked
        found = sniff.content(head, by_name.name if by_name else "")
    if found == "encrypted":
        raise UnreadableError("needs a password", "save a copy without one into a watched folder")
    if found:
        return _BY_NAME[found]
    if by_name:
        return by_name
    if not extension and sniff.is_text(head):
        return _BY_NAME["text"]
    raise UnsupportedError(
        f"no parser for {extension} files" if extension else "not text, and no known format",
        "convert it to PDF or text to have it read",
    )


def digest(file: BinaryIO) -> str:
    """Return the SHA-256 of the whole of `file` as hex: a document's id. Leaves the position at the start."""
    file.seek(0)
    value = hashlib.sha256()
    while block := file.read(1 << 20):
        value.update(block)
    file.seek(0)
    return value.hexdigest()


def preload() -> None:
    """Import every parser and the libraries under it: a locked worker can open no file to import from."""
    importlib.import_module("ingest.sniff")
    import heapq  # noqa: F401 - collections.Counter imports it when first asked for its commonest

    for module in sorted({each.module for each in FORMATS if each.module}):
        loaded = importlib.import_module(module)
        warm = getattr(loaded, "preload", None)  # what a module imports inside its functions
        if warm:
            warm()


def own_parser(name: str) -> Parser | None:
    """Return the default's parser of a format, None where it has none."""
    module = _BY_NAME[name].module
    return cast("Parser", importlib.import_module(module)) if module else None


def media_type(name: str) -> str:
    """Return the media type of a format."""
    return _BY_NAME[name].media_type


def _reading(found: Format, file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Return what reads the file: the reader that was chosen for its format, or the default.

    A mail's header and parts are the default's in any case, which asks the reader for the words: see `mail.message`.
    """
    chosen = context.readers.get(found.name, "")
    if chosen and found.name != "mail" and not context.wanted and context.depth <= MAX_DEPTH:
        return readers.module(chosen).read(found.name, file, name, context)
    return _module(found, context.depth).parse(file, name, context)


def _module(found: Format, depth: int) -> Parser:
    if depth > MAX_DEPTH:
        raise UnsupportedError(f"attachments are read {MAX_DEPTH} levels deep, this one lies deeper")
    parser = own_parser(found.name)
    if parser is None:
        raise UnsupportedError(found.reason)
    return parser


def _extension(name: str) -> str:
    """Return the lower-case extension with its dot, or empty. `13.` and `1234.M5P6.host:2,S` have none."""
    stem, dot, extension = name.rpartition(".")
    plausible = stem and dot and extension.isalnum() and len(extension) <= 10
    return f".{extension.lower()}" if plausible else ""


def _bounded(document: Document) -> Document:
    """Return the document within the limits of what is stored, with a note where something is left out."""
    text, blocks, note = document.text, document.blocks, document.note
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in set(text)):
        # One character for another, so that offsets stay: half a surrogate pair is no character.
        text = "".join("�" if "\ud800" <= each <= "\udfff" else each for each in text)
    if len(text) > MAX_TEXT or (len(text) > MAX_TEXT // 4 and len(text.encode()) > MAX_TEXT):
        text = text.encode()[:MAX_TEXT].decode(errors="ignore")
        note = _joined(note, "only the first 64 MiB of its text are kept")
        blocks = tuple(_cut(each, len(text)) for each in blocks if each.start < len(text))
    if len(blocks) > MAX_BLOCKS:
        blocks = blocks[:MAX_BLOCKS]
        note = _joined(note, f"only the first {MAX_BLOCKS} of its rows or paragraphs are indexed")
    if text is document.text and blocks is document.blocks:
        return document
    return replace(document, text=text, blocks=blocks, note=note)


def _cut(block: Block, end: int) -> Block:
    if block.end <= end:
        return block
    return replace(block, end=end, lines=tuple(each for each in block.lines if each.end <= end))


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more
