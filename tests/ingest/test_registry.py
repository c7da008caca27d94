import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.zygote import WorkerDiedError
from ingest import registry
from ingest.registry import Context, UnreadableError, UnsupportedError, digest, parse, recognise
from vault.records import Block, Document, Problem

MAIL = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Roof\r\nDate: Mon, 3 Mar 2025 10:00:00 +0100\r\n"
SENT = b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n" + MAIL + b"\r\nThe roofer comes on Tuesday.\r\n"


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def named(data, name):
    return recognise(io.BytesIO(data), name).name


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"%PDF-1.7\n", "scan.txt", "pdf"),
        (b"@PJL\n%PDF-1.4\n", "printed.pdf", "pdf"),
        (b"{\\rtf1 hello}", "letter.doc", "rtf"),
        (b"<html><table><tr><td>1</td></tr></table>", "export.xls", "html"),
        (b"date\tamount\n2025-01-01\t12.00\n", "export.xls", "tsv"),
        (b"<!DOCTYPE html><p>x", "page", "html"),
        (b"OFXHEADER:100\nDATA:OFXSGML\n", "download.txt", "ofx"),
        (b"!Type:Bank\nD1/3/25\n^\n", "download", "qif"),
        (b"a,b\n1,2\n", "x.csv", "csv"),
        (b"# Plan\n", "x.md", "markdown"),
        (b"just words", "README", "text"),
        ("Grüße".encode("utf-16"), "note", "text"),
        (SENT, "13.", "mail"),
        (SENT, "1234.M5P6.host:2,S", "mail"),
        (MAIL + b"\r\nbody", "2", "mail"),
        (SENT, "saved.txt", "mail"),
        (b"From a@example.org Mon Mar  3 10:00:00 2025\n" + SENT, "Inbox", "mbox"),
        (zipped(mimetype="application/epub+zip"), "book.zip", "epub"),
        (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "x", "ods"),
        (zipped(**{"[Content_Types].xml": "", "word__document.xml": ""}), "x.doc", "docx"),
        (zipped(**{"[Content_Types].xml": "", "xl__workbook.xml": ""}), "x", "xlsx"),
        (zipped(**{"[Content_Types].xml": "", "ppt__presentation.xml": ""}), "x", "pptx"),
    ],
)
def test_a_format_is_told_by_its_bytes_before_its_name(data, name, expected):
    assert named(data, name) == expected


@pytest.mark.parametrize(
    "note",
    [
        b"From: Anna\nTo: everyone\nSubject: party\n\nBring a cake.\n",
        b"From the roof one sees the lake, since 1999.\nDate: see below.\n",
        b"Received: three parcels\nThey were wet.\n",
        b"To do: milk, bread\nDate: Friday\nFrom: the market\n",
    ],
)
def test_a_note_that_reads_like_a_mail_stays_a_note(note):
    assert named(note, "note.txt") == "text"


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n....", "scan.png", "a picture; install the extra ocr to have it read"),
        (b"\xff\xd8\xff\xe0", "scan.pdf", "a picture; install the extra ocr to have it read"),
        (b"....", "scan.heic", "a picture of a kind that is not read; save it as JPEG or PDF"),
        (zipped(a="b"), "papers.zip", "an archive; unpack it into a watched folder to have it read"),
        (b"\x7fELF\x02\x01\x01\x00", "program", "not text, and no known format"),
        (b"int main;", "x.c", "no parser for .c files"),
    ],
)
def test_what_is_not_read_says_why(data, name, reason, monkeypatch):
    monkeypatch.setattr("ingest.ocr.available", lambda: False)
    with pytest.raises(UnsupportedError, match=reason):
        list(parse(io.BytesIO(data), name, Context()))


def test_an_empty_file_is_said_to_be_empty():
    with pytest.raises(UnreadableError, match="holds 0 bytes"):
        list(parse(io.BytesIO(), "letter.pdf", Context()))


def test_a_bad_attachment_is_a_problem_of_its_part_and_raises_nothing():
    context = Context(name="x.eml").inside("scan.png", "0" * 64)
    assert list(parse(io.BytesIO(b"\x89PNG\r\n\x1a\n"), "scan.png", context)) == [
        Problem("scan.png", "damaged: it does not begin as a picture does")
    ]


def test_parts_nest_their_names_and_stop_at_the_fourth_level():
    context = Context(name="x.mbox")
    for part in ("3", "a.eml", "b.eml", "c.txt"):
        context = context.inside(part, "")
    assert context.part == "3/a.eml/b.eml/c.txt"
    assert list(parse(io.BytesIO(b"words"), "c.txt", context)) == [
        Problem("3/a.eml/b.eml/c.txt", "attachments are read 3 levels deep, this one lies deeper")
    ]


class _Broken:
    def __init__(self, error):
        self.error = error

    def parse(self, file, name, context):
        yield Problem("", "before")
        raise self.error


class PanicException(BaseException):
    """As pyo3 names it."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IndexError("list index out of range"), "damaged: IndexError: list index out of range"),
        (PanicException("index out of bounds: src/vba.rs"), "damaged: its reader gave it up"),
        (RecursionError("maximum recursion depth exceeded"), "damaged: its parts lie in each other without end"),
    ],
)
def test_a_parser_that_breaks_is_reported_as_a_damaged_file(monkeypatch, error, reason):
    monkeypatch.setattr(registry, "_module", lambda *_: _Broken(error))
    with pytest.raises(UnreadableError, match=f"^{reason}$"):
        list(parse(io.BytesIO(b"words"), "a.txt", Context()))
    part = list(parse(io.BytesIO(b"words"), "a.txt", Context().inside("a.txt", "")))
    assert [each.reason[:7] for each in part] == ["before", "damaged"]


def test_an_interrupt_is_not_taken_for_a_damaged_file(monkeypatch):
    monkeypatch.setattr(registry, "_module", lambda *_: _Broken(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(parse(io.BytesIO(b"words"), "a.txt", Context().inside("a.txt", "")))


class _Says:
    def __init__(self, document):
        self.document = document

    def parse(self, file, name, context):
        yield self.document


def test_half_a_surrogate_pair_is_replaced_in_its_place(monkeypatch):
    made = Document("0" * 64, "note", "", "a\ud83db", (Block(0, 3),))
    monkeypatch.setattr(registry, "_module", lambda *_: _Says(made))
    (document,) = parse(io.BytesIO(b"x"), "a.txt", Context())
    assert document.text == "a�b"


def test_a_text_beyond_the_limit_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(registry, "MAX_TEXT", 10)
    made = Document("0" * 64, "note", "", "ä" * 8, (Block(0, 3), Block(4, 8), Block(8, 8)))
    monkeypatch.setattr(registry, "_module", lambda *_: _Says(made))
    (document,) = parse(io.BytesIO(b"x"), "a.txt", Context())
    assert document.text == "ä" * 5
    assert [(each.start, each.end) for each in document.blocks] == [(0, 3), (4, 5)]
    assert "only the first" in document.note


def test_a_digest_is_of_all_bytes():
    data = os.urandom(3 << 20)
    import hashlib

    assert digest(io.BytesIO(data)) == hashlib.sha256(data).hexdigest()


def test_every_extension_stands_once_and_every_parser_exists():
    extensions = [extension for each in registry.FORMATS for extension in each.extensions]
    assert len(extensions) == len(set(extensions))
    root = Path(registry.__file__).parents[1]
    for each in registry.FORMATS:
        assert bool(each.module) != bool(each.reason)
        if each.module:
            assert (root / f"{each.module.replace('.', '/')}.py").is_file()


def test_after_preloading_nothing_is_left_to_import(tmp_path):
    """A locked worker can open no file, so an import inside a parser would fail there."""
    samples = {
        "a.csv": b"date,amount\n2025-01-01,12.00\n",
        "a.md": b"# Plan\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "a.txt": "Grüße".encode("cp1252"),
        "b.txt": "日本語のテキストです。".encode("cp932"),
        "a.html": b"<h1>Roof</h1><p>Tuesday",
        "a.ofx": b"OFXHEADER:100\n<OFX><STMTRS><ACCTID>1<STMTTRN><TRNAMT>1.00</STMTTRN></STMTRS></OFX>",
        "a.eml": SENT,
        "a.rtf": b"{\\rtf1 hello}",
        "a.pdf": b"%PDF-1.4\nbroken",
        "a.xlsx": zipped(**{"[Content_Types].xml": "", "xl__workbook.xml": ""}),
        "a.docx": zipped(
            **{"[Content_Types].xml": "", "word__document.xml": "<d><body><p><r><t>x</t></r></p></body></d>"}
        ),
    }
    for name, data in samples.items():
        (tmp_path / name).write_bytes(data)
    code = """
import sys
from pathlib import Path
from ingest import registry
registry.preload()
import encodings, importlib, pkgutil
for each in pkgutil.iter_modules(encodings.__path__):  # as the zygote does
    if each.name not in ("mbcs", "oem", "cp65001"):
        importlib.import_module(f"encodings.{each.name}")
before = set(sys.modules)
for path in sorted(Path(sys.argv[1]).iterdir()):
    with path.open("rb") as file:
        try:
            list(registry.parse(file, path.name, registry.Context()))
        except registry.UnreadableError:
            pass
print(sorted(set(sys.modules) - before))
"""
    root = Path(registry.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_hostile_file_ends_in_a_document_a_problem_or_a_reason(shared_data, zygote):
    """1,120 files from parsers' own test suites, each in a locked worker, as in use."""
    died = {}
    silent = []
    reasons = []
    documents = 0
    for path in sorted(each for each in (shared_data / "parsers").rglob("*") if each.is_file()):
        with path.open("rb") as file:
            try:
                found = list(zygote.parse(file.fileno(), path.name))
            except (UnreadableError, UnsupportedError) as error:
                reasons.append(error.message)
            except WorkerDiedError as error:
                died[path.name] = error.message
            else:
                documents += any(isinstance(each, Document) for each in found)
                if not found:
                    silent.append(path)
    assert not silent
    assert all(each[0].islower() and not each.endswith(".") for each in reasons)
    # What works outside the lock works inside: no import that preload missed, no system call that is refused.
    assert not [each for each in reasons if "PermissionError" in each or "PanicException" in each]
    assert not died
    assert documents > 1000
