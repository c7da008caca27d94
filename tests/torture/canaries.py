"""Words that stand nowhere else, papers that are full of them, and a search for them in every byte of a file.

A canary is 18 letters: six that all canaries of a run begin with, six of its own, six that all end with. A search for
the two common ends finds each of them, whole or cut, whatever its number; the ends come from the run's seed, so that two
runs on one machine do not find each other's.
"""

import base64
import hashlib
import itertools
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_LETTERS = "bcdfghjklmnpqrtvwxz"  # no vowels: no word of any language; no s, which a stemmer would take off
_PIECE = 32 << 20
_OVERLAP = 4096
_INFLATED = 64 << 20


def _letters(seed: str, count: int) -> str:
    digest = hashlib.shake_256(seed.encode()).digest(count)
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest)


@dataclass
class Canaries:
    """The words of one run, by what they were put into."""

    seed: str
    kinds: dict[str, str] = field(default_factory=dict)
    """word → what it stands in"""

    @property
    def head(self) -> str:
        return _letters(f"{self.seed} head", 6)

    @property
    def tail(self) -> str:
        return _letters(f"{self.seed} tail", 6)

    def new(self, kind: str) -> str:
        """A word that was not drawn yet."""
        words = (self.head + _letters(f"{self.seed} {len(self.kinds)} {n}", 6) + self.tail for n in itertools.count())
        word = next(each for each in words if each not in self.kinds)
        self.kinds[word] = kind
        return word

    def kind(self, piece: str) -> str:
        """What the canary in `piece` stands in, as far as it can be told."""
        return next((kind for word, kind in self.kinds.items() if word in piece), "a part of one")


@dataclass(frozen=True)
class Hit:
    """A place where something was found."""

    path: str
    form: str
    offset: int
    what: str
    around: str


class Search:
    """Looks for a run's canaries, and for `exact` byte strings (keys, a recovery code) by name.

    Each word is found in UTF-8 whatever its case, in UTF-16 and UTF-32, in hexadecimal, in base64 at any offset, and in
    what gzip, zlib or a zip file has compressed. A file that did not change since it was found clean is not read again.
    """

    def __init__(self, canaries: Canaries) -> None:
        self.canaries = canaries
        self.exact: dict[str, bytes] = {}
        self.files = self.bytes = 0
        self._clean: dict[str, tuple[int, int, int]] = {}
        self._windows = np.zeros(0, dtype="<u8")
        self._lows = np.zeros(1 << 16, dtype=bool)
        self._middles: dict[int, list[bytes]] = {}  # what must stand there whole, by its first eight bytes
        ends = [canaries.head, canaries.tail]
        self._plain: dict[str, bytes] = {}
        for name, end in zip(("head", "tail"), ends, strict=True):
            raw = end.encode()
            self._plain[f"text ({name})"] = raw
            self._plain[f"UTF-16 ({name})"] = b"\0".join(raw[n : n + 1] for n in range(6))
            self._plain[f"UTF-32 ({name})"] = b"\0\0\0".join(raw[n : n + 1] for n in range(6))
            self._plain[f"hexadecimal ({name})"] = raw.hex().encode()
        # Base64 keeps upper and lower case apart, so it is looked for in the bytes as they are.
        self._cased = {
            f"base64 of {end.decode()}, offset {offset}": _base64(end, offset)
            for end in {form for each in ends for form in (each.encode(), each.upper().encode(), each.title().encode())}
            for offset in range(3)
        }

    def add_rows(self, rows: Iterable[bytes]) -> None:
        """Look for these rows of numbers too, by sixteen bytes from the middle of each, at any offset.

        Eight are too few for a whole machine: some that differ from each other stand in many a file by chance.
        """
        for row in rows:
            middle = row[len(row) // 2 :][:16]
            self._middles.setdefault(int.from_bytes(middle[:8], "little"), []).append(middle)
        self._windows = np.array(sorted(self._middles), dtype="<u8")
        self._lows[self._windows & np.uint64(0xFFFF)] = True
        self._clean.clear()

    def add_exact(self, name: str, value: bytes) -> None:
        """Look for exactly these bytes too."""
        self.exact[name] = value
        self._clean.clear()

    def data(self, data: bytes, path: str = "", *, inflate: bool = True) -> list[Hit]:
        """What is found in these bytes."""
        lower = data.lower()
        found = [self._hit(path, form, at, data) for form, needle in self._plain.items()
                 if (at := lower.find(needle)) >= 0]  # fmt: skip
        found += [
            self._hit(path, form, at, data) for form, needle in self._cased.items() if (at := data.find(needle)) >= 0
        ]
        found += [
            Hit(path, "exactly", at, name, "") for name, needle in self.exact.items() if (at := data.find(needle)) >= 0
        ]
        found += self._rows(data, path)
        if inflate:
            for at, inflated in _inflated(data):
                found += [
                    Hit(each.path, f"compressed at {at}: {each.form}", each.offset, each.what, each.around)
                    for each in self.data(inflated, path, inflate=False)
                ]
        return found

    def file(self, path: Path) -> list[Hit]:
        """What is found in a file, its name included."""
        named = self.data(os.fsencode(path), f"name of {path}", inflate=False)
        try:
            status = path.lstat()
            if path.is_symlink():
                return named + self.data(os.fsencode(os.readlink(path)), f"target of {path}", inflate=False)
            if not path.is_file():
                return named
            seen = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if self._clean.get(str(path)) == seen and not named:
                return []
            with path.open("rb") as file:
                found = self._pieces(file.read, str(path))
        except FileNotFoundError:  # gone meanwhile
            return named
        if not found:
            self._clean[str(path)] = seen
        return named + found

    def _pieces(self, read: Callable[[int], bytes], path: str) -> list[Hit]:
        found: list[Hit] = []
        before = b""
        self.files += 1
        while piece := read(_PIECE):
            self.bytes += len(piece)
            found += self.data(before + piece, path)
            before = piece[-_OVERLAP:]
        return found

    def tree(self, *roots: Path, since: float = 0.0, but: Iterable[Path] = ()) -> list[Hit]:
        """What is found below these folders, in files that changed since then, but for these folders."""
        left_out = {str(each) for each in but}
        found: list[Hit] = []
        for root in roots:
            for folder, names, files in os.walk(root):
                names[:] = [name for name in names if os.path.join(folder, name) not in left_out]
                for name in [*names, *files]:
                    path = Path(folder, name)
                    if since and not _changed(path, since):
                        continue
                    found += self.file(path)
        return found

    def descriptors(self, pids: Iterable[int], but: Iterable[Path]) -> list[Hit]:
        """What is found in files on the disk that these processes have open and that have no name any more. Needs root.

        What the kernel made in memory for a process (`memfd`) is no file on the disk.
        """
        found: list[Hit] = []
        for pid in pids:
            try:
                numbers = os.listdir(f"/proc/{pid}/fd")
            except (FileNotFoundError, PermissionError):
                continue
            for number in numbers:
                link = f"/proc/{pid}/fd/{number}"
                try:
                    target = os.readlink(link)
                    apart = ("/memfd:", *map(str, but))
                    if not target.endswith(" (deleted)") or target.startswith(apart):
                        continue
                    with open(link, "rb") as file:
                        found += self._pieces(file.read, f"{link} ({target})")
                except OSError:
                    continue
        return found

    def _rows(self, data: bytes, path: str) -> list[Hit]:
        if not len(self._windows):
            return []
        found = []
        for offset in range(8):
            count = (len(data) - offset) // 8
            if count <= 0:
                break
            numbers = np.frombuffer(data, dtype="<u8", count=count, offset=offset)
            numbers = numbers[self._lows[numbers & np.uint64(0xFFFF)]]  # few are left, whatever is looked for
            if not len(numbers):
                continue
            at = np.minimum(np.searchsorted(self._windows, numbers), len(self._windows) - 1)
            begun = set(numbers[self._windows[at] == numbers].tolist())
            if any(middle in data for each in begun for middle in self._middles[each]):
                found.append(Hit(path, "sixteen bytes of a row of numbers", -1, "a vector or postings", ""))
        return found

    def _hit(self, path: str, form: str, at: int, data: bytes) -> Hit:
        around = data[max(0, at - 60) : at + 90]
        letters = re.sub(r"[^a-z]", "", around.replace(b"\0", b"").decode("latin-1").lower())
        return Hit(path, form, at, self.canaries.kind(letters), repr(around))


def _base64(word: bytes, offset: int) -> bytes:
    """The characters of base64 that this word alone decides, where it begins `offset` bytes into a group of three."""
    encoded = base64.b64encode(bytes(offset) + word)
    first = -(-offset * 8 // 6)
    return encoded[first : (offset + len(word)) * 8 // 6]


def _inflated(data: bytes) -> Iterator[tuple[int, bytes]]:
    view = memoryview(data)
    for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04", data):
        at = match.start()
        if match[0].startswith(b"PK"):
            name, extra = (int.from_bytes(view[at + n : at + n + 2], "little") for n in (26, 28))
            at += 30 + name + extra
            window = -15
        else:
            window = 31 if match[0].startswith(b"\x1f") else 15
        begun = zlib.decompressobj(window)
        try:
            inflated = begun.decompress(view[at : at + 256])  # most are no beginnings, and end here
            if not begun.eof:
                inflated += begun.decompress(view[at + 256 : at + _PIECE], _INFLATED)
        except zlib.error:
            continue
        if len(inflated) > 16:
            yield match.start(), inflated


def _changed(path: Path, since: float) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return max(status.st_mtime, status.st_ctime) >= since


# --- papers ---------------------------------------------------------------------------------------------------------


def mail(canaries: Canaries, number: int, *, lines: int = 1) -> bytes:
    """A mail with a canary in each of its fields, its text, and its attachment."""
    new = canaries.new
    body = "\n".join(f"The {new('mail text')} of number {number}.{n} is due on 4 May." for n in range(lines))
    name = new("attachment name")
    annex = base64.b64encode(f"The annex names {new('attachment text')} as well.".encode()).decode()
    return (
        f"From: Mr {new('sender').title()} <{new('sender address')}@example.org>\n"
        f"To: {new('recipient')}@example.net\nDate: Sat, 3 May 2025 10:{number % 60:02}:00 +0200\n"
        f"Subject: About the {new('subject')}\nMessage-ID: <{new('message id')}@example.org>\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n'
        f"Content-Type: text/plain; charset=utf-8\n\nDear Ms Weiss,\n\n{body}\n\nKind regards\n\n--b\n"
        f'Content-Type: text/plain; charset=utf-8\nContent-Disposition: attachment; filename="{name}.txt"\n'
        f"Content-Transfer-Encoding: base64\n\n{annex}\n--b--\n"
    ).encode()


def docx(path: Path, paragraphs: list[str], *, broken: bool = False) -> None:
    """A word processor's file; `broken` ends in the middle of its text."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = "".join(f"<w:p><w:r><w:t>{each}</w:t></w:r></w:p>" for each in paragraphs)
    whole = f'<?xml version="1.0"?><w:document {space}><w:body>{body}</w:body></w:document>'
    kinds = (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Override PartName="/word/document.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("[Content_Types].xml", kinds)
        made.writestr("word/document.xml", whole[: len(whole) // 2 + 60] if broken else whole)


def write_papers(folder: Path, canaries: Canaries) -> None:
    """Mail, notes, tables, office files and broken ones in ten folders: canaries in names, fields and text."""
    new = canaries.new
    for place in range(10):
        inside = folder / f"folder {new('folder name')}"
        inside.mkdir(parents=True)
        for number in range(5):
            (inside / f"{number} {new('file name')}.eml").write_bytes(mail(canaries, place * 5 + number))
        for _ in range(3):
            (inside / f"{new('file name')}.md").write_text(
                f"# The {new('heading')} agreement\n\nThe fee for {new('text')} is 96 euros, due on 15 January.\n\n"
                f"## {new('heading').title()}\n\nMr {new('text').upper()} may end it with {new('text')} of notice.\n"
            )
        (inside / f"{new('file name')}.csv").write_text(
            "date,who,amount\n" + "".join(f"2025-0{n}-01,{new('cell')},{n}00.00\n" for n in range(1, 6))
        )
        (inside / f"{new('file name')}.html").write_text(
            f"<title>{new('title')}</title><p>The {new('text')} is held by {new('text')}.</p><!-- {new('comment')} -->"
        )
        docx(inside / f"{new('file name')}.docx", [f"The lease of {new('text')} ends on 3 May 2027.", new("text")])
        docx(inside / f"broken {new('file name')}.docx", [new("text of a broken file")] * 3, broken=True)
        (inside / f"broken {new('file name')}.pdf").write_bytes(
            b"%PDF-1.7\n1 0 obj\n<</Length 40>>stream\n" + new("text of a broken file").encode() + b"\xff" * 300
        )
        (inside / f"{new('file name')}.xyz").write_text(new("text of an unknown format"))


def write_large(path: Path, canaries: Canaries, messages: int) -> None:
    """A mailbox of many messages, every tenth with canaries of its own, the others with the same long text: much to
    parse, little to embed."""
    told = canaries.new("text of a large file")
    filling = (f"As agreed, the papers on {told} went out on Monday; the others follow. " * 30 + "\n\n") * 2
    with path.open("wb") as file:
        for number in range(messages):
            file.write(b"From - Sat May  3 10:12:00 2025\n")
            file.write(
                mail(canaries, number)
                if number % 10 == 0
                else f"From: a@example.org\nTo: b@example.net\nDate: Sat, 3 May 2025 10:12:00 +0200\nSubject: Papers\n"
                f"Message-ID: <{number}.large@example.org>\n\n{filling}\n".encode()
            )
            file.write(b"\n")
