"""PowerPoint 97 to 2003 (MS-PPT): slides in their order, titles as headings, text boxes, speaker's notes.

The stream is a tree of records. A saved file begins anew at its end: `Current User` names the last edit, each edit
names the one before, and together their directories say where each slide's newest record lies (2.1.2).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest import kind, ole
from ingest.compound import Compound
from ingest.ooxml import Writer
from ingest.registry import Context, UnreadableError, digest
from vault.records import Document, Problem

_LIMIT = 256 << 20  # bytes
_DOCUMENT, _SLIDE, _SLIDE_ATOM, _NOTES, _LIST = 0x03E8, 0x03EE, 0x03EF, 0x03F0, 0x0FF0
_PERSIST, _EDIT, _DIRECTORY = 0x03F3, 0x0FF5, 0x1772
_HEADER, _WIDE, _BYTES, _OUTLINE, _TEXT_BOX = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E, 0xF00D
_TITLES = (0, 6)  # of a text's types (2.13.33)
_RECORDS = 500_000


@dataclass(slots=True, frozen=True)
class _Record:
    kind: int
    instance: int
    start: int
    """of its content"""
    end: int
    container: bool


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document; its pages are the slides. Raises UnreadableError."""
    identity = digest(file)
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UnreadableError(f"larger than {_LIMIT >> 20} MiB")
    compound = Compound(data)
    entry = compound.root.children.get("PowerPoint Document")
    if entry is None or entry.is_storage:
        raise UnreadableError("written by PowerPoint 95 or older, or damaged")
    current = compound.root.children.get("Current User")
    reader = _Reader(compound.read(entry), compound.read(current) if current else b"")
    out, slides = reader.read()
    metadata = ole.properties(compound)
    title = metadata.pop("title", "")
    yield Document(
        id=identity,
        kind=kind.tell("ppt", name, title, out.text()),
        title=title,
        text=out.text(),
        blocks=tuple(out.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type="application/vnd.ms-powerpoint",
        pages=slides or None,
        note="" if out.blocks else "it holds no text",
    )


class _Reader:
    def __init__(self, data: bytes, current: bytes) -> None:
        self.data = data
        self.current = current
        self.budget = _RECORDS  # a hostile tree is given up on, what was found is kept
        self.out = Writer()

    def read(self) -> tuple[Writer, int]:
        if self.current[12:16] == b"\xdf\xc4\xd1\xf3":
            raise UnreadableError("needs a password", "save a copy without one into a watched folder")
        try:
            places, document = self._directory()
            root = self._record(places[document], len(self.data))
        except (struct.error, KeyError, UnreadableError):
            root, places = None, {}
        if root is None or root.kind != _DOCUMENT:
            self._everything()
            return self.out, 0
        slides: list[tuple[int, list[tuple[int, str]]]] = []
        notes: dict[int, int] = {}
        for listed in self._inside(root):
            if listed.kind == _LIST and listed.instance == 0:
                slides = list(self._listed(listed))
            elif listed.kind == _LIST and listed.instance == 2:
                for record in self._inside(listed):
                    if record.kind == _PERSIST and record.end - record.start >= 16:
                        place, _, _, identity = struct.unpack_from("<4I", self.data, record.start)
                        notes[identity] = place
        for number, (place, outline) in enumerate(slides, start=1):
            slide = self._record(places[place], len(self.data)) if place in places else None
            self._slide(slide, outline, number, places, notes)
        return self.out, len(slides)

    def _directory(self) -> tuple[dict[int, int], int]:
        """Return where each persistent record lies, and the number of the document's."""
        edit = struct.unpack_from("<I", self.current, 16)[0]
        places: dict[int, int] = {}
        document = 0
        seen: set[int] = set()
        while edit and edit not in seen and len(seen) < 10_000:
            seen.add(edit)
            record = self._record(edit, len(self.data))
            if record is None or record.kind != _EDIT:
                raise UnreadableError("damaged: its list of edits is broken")
            before, directory, number = struct.unpack_from("<III", self.data, record.start + 8)
            document = document or number
            table = self._record(directory, len(self.data))
            at = table.start if table and table.kind == _DIRECTORY else -1
            while table and 0 <= at <= table.end - 4:
                head = struct.unpack_from("<I", self.data, at)[0]
                first, count = head & 0xFFFFF, head >> 20
                for index in range(min(count, (table.end - at - 4) // 4)):
                    place = struct.unpack_from("<I", self.data, at + 4 + 4 * index)[0]
                    places.setdefault(first + index, place)  # newer edits come first
                at += 4 + 4 * count
            edit = before
        return places, document

    def _record(self, at: int, end: int) -> _Record | None:
        if at + 8 > end or at < 0:
            return None
        version, kind_of, length = struct.unpack_from("<HHI", self.data, at)
        return _Record(kind_of, version >> 4, at + 8, min(at + 8 + length, end), version & 15 == 15)

    def _inside(self, parent: _Record) -> Iterator[_Record]:
        at = parent.start
        while self.budget > 0 and (record := self._record(at, parent.end)):
            self.budget -= 1
            yield record
            at = record.end

    def _listed(self, listed: _Record) -> Iterator[tuple[int, list[tuple[int, str]]]]:
        """Yield (persistent number, its placeholders' texts as (type, text)) of each slide in the outline's list."""
        place, texts, kind_of = -1, list[tuple[int, str]](), 4
        for record in self._inside(listed):
            if record.kind == _PERSIST:
                if place >= 0:
                    yield place, texts
                place, texts = struct.unpack_from("<I", self.data, record.start)[0], []
            elif record.kind == _HEADER:
                kind_of = struct.unpack_from("<I", self.data, record.start)[0]
                texts.append((kind_of, ""))
            elif record.kind in (_WIDE, _BYTES) and texts:
                texts[-1] = (texts[-1][0], self._text(record))
        if place >= 0:
            yield place, texts

    def _slide(
        self,
        slide: _Record | None,
        outline: list[tuple[int, str]],
        number: int,
        places: dict[int, int],
        notes: dict[int, int],
    ) -> None:
        boxes = list(self._boxes(slide, outline)) if slide else []
        shown = {text for _, text in boxes}
        texts = [each for each in outline if each[1] not in shown] + boxes
        for kind_of, text in texts:
            if kind_of in _TITLES:
                self.out.add(" ".join(text.split()), "heading", 1, number)
        for kind_of, text in texts:
            if kind_of not in _TITLES:
                lines = [line.strip() for line in text.split("\r") if line.strip()]
                for line in lines:
                    self.out.add(line, "item" if len(lines) > 1 else "paragraph", 0, number)
        atom = next((each for each in self._inside(slide) if each.kind == _SLIDE_ATOM), None) if slide else None
        if atom and atom.end - atom.start >= 20:
            identity = struct.unpack_from("<I", self.data, atom.start + 16)[0]
            place = places.get(notes.get(identity, -1), -1)
            record = self._record(place, len(self.data))
            if identity and record and record.kind == _NOTES:
                for kind_of, text in self._boxes(record, []):
                    if kind_of == 2:
                        self.out.add(text.replace("\r", "\n"), page=number)

    def _boxes(self, parent: _Record, outline: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Yield (type, text) of the text boxes below a record, in drawing order."""
        stack = [parent]
        while stack:
            record = stack.pop()
            if record.kind == _TEXT_BOX:
                kind_of = 4
                for each in self._inside(record):
                    if each.kind == _HEADER and each.end - each.start >= 4:
                        kind_of = struct.unpack_from("<I", self.data, each.start)[0]
                    elif each.kind in (_WIDE, _BYTES):
                        yield kind_of, self._text(each)
                    elif each.kind == _OUTLINE and each.end - each.start >= 4:
                        index = struct.unpack_from("<I", self.data, each.start)[0]
                        if index < len(outline):
                            yield outline[index]
            elif record.container:
                stack += reversed(list(self._inside(record)))

    def _everything(self) -> None:
        """Add every text in the order of the stream: what is left where the directory is broken."""
        stack = [_Record(0, 0, 0, len(self.data), container=True)]
        while stack:
            record = stack.pop()
            if record.kind in (_WIDE, _BYTES):
                self.out.add(self._text(record).replace("\r", "\n"))
            elif record.container:
                stack += reversed(list(self._inside(record)))

    def _text(self, record: _Record) -> str:
        raw = self.data[record.start : record.end]
        text = raw.decode("utf-16-le", "replace") if record.kind == _WIDE else raw.decode("latin-1")
        return text.replace("\x0b", "\n").replace("\0", "")
