"""What Word's and PowerPoint's files share: a zip of XML parts that name each other (ECMA-376).

Names are compared without their namespace: the strict and the transitional variant differ in nothing else here.
ElementTree fetches nothing, and expat refuses entities that multiply.
"""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO
from xml.etree import ElementTree as ET

from ingest import kind
from ingest.registry import UnreadableError
from ingest.tables import header_row
from vault.records import Block

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ET.ParseError,
    LookupError,  # an encoding that nobody knows
)  # fmt: skip
"""what a damaged part raises"""


class Package:
    """The parts of one file. Raises UnreadableError if it is no zip."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self.archive = zipfile.ZipFile(file)
        except (*BROKEN, ValueError, OSError) as error:
            raise UnreadableError(f"damaged: {_said(error)}") from error
        # Some programs write backslashes, or names in other case than they are referred to.
        self.names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self.archive.namelist()}

    def xml(self, part: str) -> "Element | None":
        """Return the root of a part, or None where there is no such part. Raises one of `BROKEN`."""
        name = self.names.get(part.lower())
        if name is None:
            return None
        return ET.fromstring(self.read(name))  # noqa: S314 — see above

    def read(self, name: str) -> bytes:
        """Return a part's bytes, by its own name. Raises one of `BROKEN`."""
        try:
            return self.archive.read(name)
        except (ValueError, OSError) as error:
            raise zipfile.BadZipFile(_said(error)) from error

    def related(self, part: str) -> list[tuple[str, str, str]]:
        """Return (id, last word of the type, part) of what `part` refers to inside the file."""
        folder, name = posixpath.split(part)
        try:
            root = self.xml(f"{folder}/_rels/{name}.rels".lstrip("/"))
        except BROKEN:
            return []
        found = []
        for each in root if root is not None else ():
            target = each.get("Target", "")
            if each.get("TargetMode") != "External" and target:
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                kind_of = each.get("Type", "").rpartition("/")[2]
                found.append((each.get("Id", ""), kind_of, posixpath.normpath(path)))
        return found

    def main(self, fallback: str) -> str:
        """Return the name of the part that the file is about."""
        named = [target for _, kind_of, target in self.related("") if kind_of == "officeDocument"]
        return named[0] if named and named[0].lower() in self.names else fallback

    def properties(self) -> dict[str, str]:
        """Return title, author, created and modified, as far as they are stated and sensible."""
        found: dict[str, str] = {}
        try:
            root = self.xml("docProps/core.xml")
        except BROKEN:
            return found
        for each in root if root is not None else ():
            value = " ".join((each.text or "").split())
            key = {"creator": "author"}.get(local(each), local(each))
            if value and key in ("title", "author", "created", "modified"):
                found[key] = value[:300]
        found["title"] = kind.own_title(found.get("title", ""))
        return {key: value for key, value in found.items() if value}


def _said(error: Exception) -> str:
    # What `zipfile` does not look at before it goes there: its directory says where a part begins.
    return str(error) if isinstance(error, BROKEN) else "its directory leads out of the file"


def local(element: "Element") -> str:
    """Return the element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child(element: "Element | None", *names: str) -> "Element | None":
    """Return the first child of this name, of that the first of the next name, and so on."""
    for name in names:
        if element is None:
            return None
        element = next((each for each in element if local(each) == name), None)
    return element


def value(element: "Element | None", name: str = "val") -> str:
    """Return an attribute by its name without namespace, or empty."""
    if element is None:
        return ""
    return next((content for key, content in element.attrib.items() if key.rpartition("}")[2] == name), "")


def below(element: "Element", *names: str) -> Iterator["Element"]:
    """Yield the descendants of these names."""
    return (each for each in element.iter() if local(each) in names)


class Writer:
    """Gathers text and blocks: a line break between table rows and list items, an empty line between others."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.blocks: list[Block] = []
        self.position = 0

    def add(self, text: str, block_kind: str = "paragraph", level: int = 0, page: int | None = None) -> None:
        """Append a block. Empty text is left out."""
        text = text.strip("\n\r\t ")
        if not text:
            return
        if self.blocks:
            close = block_kind == "row" or (block_kind == "item" and self.blocks[-1].kind == "item")
            between = "\n" if close and self.blocks[-1].kind in ("row", "header", "item") else "\n\n"
            self.pieces.append(between)
            self.position += len(between)
        self.blocks.append(Block(self.position, self.position + len(text), block_kind, level, page))
        self.pieces.append(text)
        self.position += len(text)

    def table(self, rows: Sequence[Sequence[str]], page: int | None = None) -> None:
        """Append a table: cells parted by tabs; the first row is its header if it looks like one."""
        rows = [row for row in rows if any(row)]
        header = header_row(rows) if len(rows) > 1 else -1
        for index, row in enumerate(rows):
            self.add("\t".join(row), "header" if index == header == 0 else "row", 0, page)

    def text(self) -> str:
        """Return all of it."""
        return "".join(self.pieces)
