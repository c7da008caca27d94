"""What takes bytes that others wrote, each as a function that may raise nothing but what it says it raises.

For a parser that also means: what it yields passes the check of the wire, is cut into chunks that lie in its text, is
shown without a character that cannot be seen, and each of its reasons is a reason.
"""

import contextlib
import importlib
import io
import json
import re
import socket
import struct
import threading
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

from engine import protocol, wire
from ingest import chunk, decode, mail_headers, registry, smime, sniff, tnef
from ingest.compound import Compound
from ingest.registry import Context, UnreadableError, UnsupportedError
from ui import shown, terminal
from vault.errors import DamagedVaultError, StrongroomError
from vault.keys import Header
from vault.records import Document

Target = Callable[[bytes], None]

# What a parser says when it was surprised, not when it understood what is wrong with a file.
SURPRISED = re.compile(
    r"damaged: (?:Type|Attribute|Assertion|Name|UnboundLocal|Recursion|ZeroDivision|Overflow|NotImplemented|Runtime|Lookup"
    r"|Index|Key)Error|damaged: (?:StopIteration|error\b|PanicException|PermissionError)"
)
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_QUIET = "\u00ad\u200c\u200d"  # ordinary typography where they stand alone


def parsed(module: str, name: str) -> Target:
    """A parser, without the registry around it that would make a reason of anything it raises."""

    def target(data: bytes) -> None:
        records = importlib.import_module(module).parse(io.BytesIO(data), name, Context(name))
        while True:
            try:
                each = next(records)
            except StopIteration:
                return
            except StrongroomError as error:
                a_reason(error.message)
                return
            except Exception as error:
                if SURPRISED.search(registry.reason_of(error)):
                    raise
                return
            sound(each, name)

    return target


def a_reason(told):
    """Raises AssertionError unless a person can be told this."""
    assert told
    assert not SURPRISED.search(told), told


def sound(record, name):
    """Raises AssertionError or InvalidRecordError where a parser's record is not as the engine takes it."""
    if not isinstance(record, Document):
        a_reason(record.reason)
        wire.decode(wire.encode(record))
        return
    found = wire.decode(wire.encode(registry._bounded(record)))
    end = 0
    for each in chunk.chunk(found, lambda texts: [len(text) // 4 + 1 for text in texts], chunk.prefix(found, name)):
        assert end <= each.start < each.end <= len(found.text)
        end = each.end
    for each in (found.title, found.part, *found.metadata.values()):
        seen(shown.neutral(each[:2000]), "\n\t")
        seen(terminal.plain(each[:2000]), "\t" if "\t" in each else "")


def seen(text, besides):
    for each in set(text):
        assert unicodedata.category(each) not in _UNSEEN or each in _QUIET + besides or unassigned(each), repr(each)


def unassigned(character):
    """A code point that means nothing yet shows as a box, which is seen."""
    return (unicodedata.category(character) == "Cn" and ord(character) & 0xFFFE != 0xFFFE) or ord(character) in _ALLOWED


_ALLOWED = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD,
            *range(0x13430, 0x13456), *range(0x1BCA0, 0x1BCA4)}  # fmt: skip # format characters that are drawn, or join what is


def zipped(module: str, name: str, member: str, **others: str) -> Target:
    """A parser of a zip whose one member is the input: its bytes would hardly come through the packing."""

    def target(data: bytes) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for other, text in {**others, member: data}.items():
                archive.writestr(zipfile.ZipInfo(other), text)
        parsed(module, name)(file.getvalue())

    return target


def raising(function: Callable[[bytes], object], *allowed: type[BaseException]) -> Target:
    """A function, and what it may raise."""

    def target(data: bytes) -> None:
        try:
            function(data)
        except allowed:
            return

    return target


def headers(data: bytes) -> None:
    """Everything that reads a field of a mail."""
    for each in (
        mail_headers.text,
        mail_headers.addresses,
        mail_headers.ids,
        mail_headers.parameters,
        mail_headers.base64,
    ):
        each(data)
    mail_headers.decode(data, data[:20].decode("latin-1"))
    mail_headers.date(data.decode("latin-1"))


def any_file(data: bytes) -> None:
    """A file of a format that only its bytes tell."""
    try:
        found = registry.recognise(io.BytesIO(data), "file")
        assert found in registry.FORMATS
    except (UnreadableError, UnsupportedError):
        pass
    sniff.is_text(data)


def text(data: bytes) -> None:
    """Bytes of no known encoding; offsets and words are those of what comes out."""
    found, name = decode.decode(data)
    assert name
    "".join(found).encode("utf-8", "surrogatepass")
    seen(shown.neutral(found[:5000]), "\n\t")
    terminal.wrapped(found[:500], [(1, 3), (2, 900)], style=terminal.Style(colours=False))


def requests(data: bytes) -> None:
    """Lines of a program on the engine's socket: each gets an answer that is JSON, and no thread ends in an error."""
    failed = []
    before, threading.excepthook = threading.excepthook, lambda told: failed.append(told.exc_value)
    ours, theirs = socket.socketpair()
    try:
        connection = protocol._Connection(theirs, {"echo": lambda _, text="", **more: text}, None)
        ours.settimeout(20)
        ours.sendall(data[:60_000] + b"\n")
        ours.shutdown(socket.SHUT_WR)
        answered = b""
        while block := ours.recv(1 << 16):
            answered += block
        connection._reader.join(20)
    finally:
        threading.excepthook = before
        ours.close()
    for line in answered.splitlines():
        assert json.loads(line)["jsonrpc"] == "2.0"
    if failed:
        raise failed[0]


def model(data: bytes) -> None:
    """A model's file, as far as it is read before a library gets it."""
    from generation import gguf

    path = Path(_folder()) / "model"
    path.write_bytes(data)
    with path.open("rb") as file:
        try:
            gguf.facts(gguf.read_header(file))
        except gguf.UnreadableModelError as error:
            a_reason(error.message)


def written(data: bytes) -> None:
    """What a writer's process says to the engine."""
    from engine import writer_wire

    with contextlib.suppress(wire.InvalidRecordError):
        writer_wire.decode(data, {1, 2})


def advisories(data: bytes) -> None:
    """A file of advisories that somebody brings."""
    from engine import advisories as known

    try:
        json.dumps(known.compare(io.BytesIO(data), {"numpy": "1.26.4"}))
    except known.AdvisoriesError as error:
        a_reason(error.message)


def header(data: bytes) -> None:
    """A vault's header, with a checksum that is right, since whoever writes one can compute it."""
    import hashlib

    for each in (data, data + hashlib.sha256(data).digest()[:8], b"strongrm" + data):
        try:
            found = Header.from_bytes(each)
            assert found.to_bytes() == each
        except StrongroomError as error:
            a_reason(error.message)


def sealed(data: bytes) -> None:
    """What is beside a vault, under a key that whoever damages it has not."""
    from vault import manifest
    from vault.anchor import Anchor, UnanchoredVaultError
    from vault.purge_list import PurgeList

    path = Path(_folder()) / "sealed"
    path.write_bytes(data)
    key, vault_id = bytes(32), bytes(16)
    with contextlib.suppress(UnanchoredVaultError, DamagedVaultError):
        assert Anchor(path, vault_id, key).read() is None
    with contextlib.suppress(DamagedVaultError):
        assert PurgeList(path, vault_id, key).read() is None
    try:
        manifest.unseal(data, vault_id, key)
        raise AssertionError("a manifest of nobody was taken for one")
    except DamagedVaultError:
        pass


def _folder(made=[]):  # noqa: B006 - one for the process
    import tempfile

    if not made:
        made.append(tempfile.TemporaryDirectory(prefix="fuzz-"))
    return made[0].name


_RELS = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'

TARGETS: dict[str, tuple[Target, tuple[str, ...]]] = {
    # name: the target, and which sound files to begin with (`zip!member` for what lies in one)
    "mail": (parsed("ingest.mail", "a.eml"), ("*.eml",)),
    "mbox": (parsed("ingest.mbox", "a.mbox"), ("*.eml",)),
    "emlx": (parsed("ingest.emlx", "a.emlx"), ("*.eml",)),
    "headers": (headers, ()),
    "html": (parsed("ingest.web", "a.html"), ("*.html",)),
    "rtf": (parsed("ingest.rtf", "a.rtf"), ("*.rtf",)),
    "doc": (parsed("ingest.doc", "a.doc"), ("*.doc",)),
    "ppt": (parsed("ingest.ppt", "a.ppt"), ("*.ppt",)),
    "msg": (parsed("ingest.msg", "a.msg"), ("*.msg",)),
    "compound": (raising(Compound, UnreadableError), ("*.doc", "*.msg", "*.xls")),
    "tnef": (raising(tnef.read, tnef.TnefError), ()),
    "smime": (raising(smime.signed_content), ()),
    "ofx": (parsed("ingest.ofx", "a.ofx"), ("*.ofx", "*.qfx")),
    "qif": (parsed("ingest.ofx", "a.qif"), ("*.qif",)),
    "csv": (parsed("ingest.tables", "a.csv"), ("*.csv",)),
    "text": (text, ("*.txt",)),
    "any": (any_file, ("*.*",)),
    "markdown": (parsed("ingest.text", "a.md"), ("*.md",)),
    "docx": (
        zipped("ingest.docx", "a.docx", "word/document.xml", **{"[Content_Types].xml": _TYPES, "word/_rels/document.xml.rels": _RELS}),
        ("*.docx!word/document.xml",),
    ),
    "docx file": (parsed("ingest.docx", "a.docx"), ("*.docx",)),
    "pptx": (
        zipped("ingest.pptx", "a.pptx", "ppt/slides/slide1.xml", **{"[Content_Types].xml": _TYPES}),
        ("*.pptx!ppt/slides/slide1.xml",),
    ),
    "odt": (
        zipped("ingest.odf", "a.odt", "content.xml", mimetype="application/vnd.oasis.opendocument.text"),
        ("*.odt!content.xml",),
    ),
    "epub": (parsed("ingest.epub", "a.epub"), ("*.epub",)),
    "wire": (raising(wire.decode, wire.InvalidRecordError), ()),
    "wire picture": (raising(wire.decode_picture, wire.InvalidRecordError), ()),
    "wire read": (raising(wire.decode_read, wire.InvalidRecordError), ()),
    "requests": (requests, ()),
    "model": (model, ()),
    "written": (written, ()),
    "advisories": (advisories, ()),
    "header": (header, ()),
    "sealed": (sealed, ()),
}  # fmt: skip


def made(name: str) -> list[bytes]:
    """Sound inputs of our own for a target: what it begins with where there are no public ones, and besides."""
    from vault.records import Block, Letters, Line, Picture, ReadPage

    one = Document(
        "a" * 64, "mail", "Title", "some text", (Block(0, 4, "heading", 1, 1, (Line(0, 4, 1, 2, 3, 4),)), Block(5, 9))
    )
    match name:
        case "wire":
            return [wire.encode(one), wire.encode(wire.End(3)), wire.encode(wire.Failed("unreadable", "a", "b"))]
        case "wire read":
            return [wire.encode_read(ReadPage(1, 0.5, "text", (Block(0, 4, "paragraph", 0, 1),)))]
        case "wire picture":
            png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 2, 2) + b"\x08\x02\0\0\0\0\0\0\0"
            return [
                wire.encode_picture(
                    Picture(png, "image/png", 1, 1, 2, 2, 2.0, 2.0, (Letters((0, 0, 1, 1), True, (0, 1)),))
                )
            ]
        case "requests":
            return [
                b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"a"}}\n{"jsonrpc":"2.0","method":"none"}',
                b'{"jsonrpc":"2.0","id":"\\ud800","method":"echo","params":{"text":"\\udfff"}}',
            ]
        case "header":
            from vault import keys

            parts = keys.Header(
                bytes(16), 1, 1, (keys.Slot(2, None, bytes(32), bytes(12), bytes(48)),), bytes(12), bytes(80), bytes(32)
            )
            return [parts.to_bytes()]
        case "headers":
            return [
                b'=?utf-8?q?caf=C3=A9?= =?iso-2022-jp?b?GyRCRnwbKEI=?= "a\\"b" <a@b>, (x) c@d; group: e@f;',
                b'multipart/mixed; boundary="a"; name*0*=utf-8\'\'%e2%82%ac; name*1="b"; charset=utf-7',
                b"Mon, 3 Mar 2025 10:00:00 +0100 (CET)",
            ]
        case "model":
            text = lambda value: struct.pack("<Q", len(value)) + value  # noqa: E731
            field = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
            array = text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
            tensor = text(b"output.weight") + struct.pack("<IQQIQ", 2, 32, 32, 0, 0)
            return [b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + field + array + tensor + bytes(4096)]
        case "written":
            return [
                b'{"heard":["reading",1,2]}',
                b'{"line":[3,"text",[1]]}',
                b'{"failed":["x","y","z"]}',
                b'{"loading":3}',
            ]
        case "advisories":
            return [
                (
                    b'{"id":"X-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"PyPI","name":"numpy"},'
                    b'"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.27"}]}],"versions":["1.26.4"]}]}'
                )
            ]
        case "tnef":
            title = b"\x02" + struct.pack("<II", 0x00018010, 5) + b"a.txt" + b"\0\0"
            new = b"\x02" + struct.pack("<II", 0x00069002, 4) + b"\0\0\0\0" + b"\0\0"
            values = struct.pack("<I", 1) + struct.pack("<HHII", 0x001E, 0x3707, 1, 6) + b"b.txt\0\0\0"
            return [
                struct.pack("<IH", 0x223E9F78, 1)
                + new
                + title
                + b"\x02"
                + struct.pack("<II", 0x00069005, len(values))
                + values
                + b"\0\0"
            ]
        case "smime":
            inner = b"\x04\x05hello"
            data = (
                b"\x30"
                + bytes([len(inner) + 15])
                + b"\x06\x09*\x86H\x86\xf7\r\x01\x07\x01\xa0"
                + bytes([len(inner)])
                + inner
            )
            return [
                b"\x30\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00"
                + data
                + b"\0\0\0\0\0\0"
            ]
        case "sealed":
            return [
                b"stranchr" + struct.pack(">HH", 1, 0) + bytes(1000),
                b"strbackp" + struct.pack(">HH", 1, 0) + bytes(16),
            ]
        case "mbox":
            return [
                b"From a@b Mon Mar  3 10:00:00 2025\nFrom: a@b\nSubject: x\n\nbody\n>From x\n\nFrom c@d Tue Mar  4 10:00:00 2025\nFrom: c@d\n\nmore\n"
            ]
        case "emlx":
            return [b'30\nFrom: a@b\nSubject: x\n\nthe body\n<?xml version="1.0"?><plist/>\n']
        case "qif":
            return [b"!Type:Bank\nD1/3/25\nT-12.00\nPShop\nMfood\nSfood\n$-12.00\n^\n"]
    return []


def sound_inputs(name: str, public: Path, most: int, largest: int) -> list[bytes]:
    """Up to `most` inputs of at most `largest` bytes to begin with: those that are made, and public ones, evenly taken."""
    found = made(name)
    for pattern in TARGETS[name][1]:
        pattern, _, member = pattern.partition("!")  # noqa: PLW2901
        paths = sorted(
            each for each in public.rglob(pattern) if each.is_file() and 0 < each.stat().st_size <= 16 * largest
        )
        for path in paths[:: max(1, len(paths) // most)][:most]:
            data = path.read_bytes()
            if member:
                try:
                    with zipfile.ZipFile(io.BytesIO(data)) as archive:
                        data = archive.read(member)
                except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError):
                    continue
            if len(data) <= largest:
                found.append(data)
    return found
