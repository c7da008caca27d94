"""Compressed RTF, the text in it, and winmail.dat."""

import io
import struct
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import mail, outlook, tnef
from ingest.registry import Context
from vault.records import Document


def test_compressed_rtf_is_the_example_of_the_specification() -> None:
    # MS-OXRTFCP, 4.1.1 and 4.1.2
    simple = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert outlook.decompressed(simple) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert outlook.decompressed(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    boasting = crossing[:4] + b"\xff" + crossing[5:]  # says that it is longer than it is
    assert outlook.decompressed(boasting) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_decompressor_fail_or_grow(raw: bytes) -> None:
    data = struct.pack("<II4sI", len(raw) + 12, 1000, b"LZFu", 0) + raw
    assert len(outlook.decompressed(data)) <= 1000 + 17
    text, _ = outlook.from_rtf(raw, "cp1252")
    text.encode()


def test_text_is_taken_out_of_rtf_without_its_fonts() -> None:
    rtf = (
        rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator x;}\f0 Gr\'fc\'dfe \u8364? 5\par "
        rb"{\b bold} \{x\}\tab \u-10179?\u-8704?}"
    )
    assert outlook.from_rtf(rtf, "cp1252") == ("Grüße € 5\nbold {x}\t😀", False)


def test_html_is_taken_out_of_the_rtf_that_outlook_wraps_it_in() -> None:
    rtf = (
        rb"{\rtf1\ansi\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag64 <p>}\htmlrtf {\f0 \htmlrtf0 Hello "
        rb"{\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 you{\*\htmltag92 </b>}"
        rb"\htmlrtf }\htmlrtf0 \htmlrtf\par\htmlrtf0{\*\htmltag72 </p>}}"
    )
    assert outlook.from_rtf(rtf, "cp1252") == ("<p>Hello <b>you</b></p>", True)


def attribute(level: int, number: int, content: bytes) -> bytes:
    return struct.pack("<BII", level, number, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


def properties(values: dict[int, tuple[int, bytes]]) -> bytes:
    out = struct.pack("<I", len(values))
    for number, (kind, value) in values.items():
        out += struct.pack("<HHII", kind, number, 1, len(value)) + value + bytes(-len(value) % 4)
    return out


def winmail() -> bytes:
    return (
        struct.pack("<IH", 0x223E9F78, 1)
        + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
        + attribute(1, 0x00069003, properties({0x1000: (0x1F, "The words are in here.\0".encode("utf-16-le"))}))
        + attribute(2, 0x00069002, bytes(14))
        + attribute(2, 0x0006800F, b"rent is 1200 euros")
        + attribute(2, 0x00018010, "Größe.txt\0".encode("cp1252"))
        + attribute(2, 0x00069005, properties({0x3707: (0x1F, "Long name Größe.txt\0".encode("utf-16-le"))}))
    )


def message(content: bytes, text: str) -> list:
    made = EmailMessage()
    made["From"] = "a@example.org"
    made.set_content(text)
    made.add_attachment(content, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return list(mail.parse(io.BytesIO(made.as_bytes()), "a.eml", Context("a.eml")))


def test_what_winmail_dat_wraps_is_attached_to_the_message() -> None:
    outer, inner = message(winmail(), "Hello")
    assert outer.text.endswith("Hello")
    assert (inner.part, inner.text, inner.parent) == ("Long name Größe.txt", "rent is 1200 euros", outer.id)


def test_the_body_in_winmail_dat_counts_where_there_is_no_other() -> None:
    outer, _ = message(winmail(), "")
    assert outer.text.endswith("The words are in here.")


def test_a_broken_winmail_dat_is_a_problem() -> None:
    outer, problem = message(b"not it", "Hello")
    assert isinstance(outer, Document)
    assert "winmail.dat" in problem.reason


@given(st.integers(0, len(winmail())), st.binary(max_size=20))
def test_a_damaged_winmail_dat_is_read_as_far_as_it_goes(at: int, noise: bytes) -> None:
    data = winmail()
    for broken in (data[:at], data[:at] + noise + data[at + len(noise) :]):
        try:
            tnef.read(broken)
        except tnef.TnefError:
            assert at < 6


def test_a_real_winmail_dat(shared_data) -> None:
    folder = shared_data / "emails/spamassassin/data/easy-ham-2"
    path = next(folder.glob("01177.*"))
    data = path.read_bytes().partition(b"\n")[2]  # behind its `From ` line
    (document,) = mail.parse(io.BytesIO(data), path.name, Context(path.name))
    assert document.title == "Installing RPM"


@pytest.mark.parametrize("length", [0, 3, 15])
def test_rtf_cut_short_is_empty(length: int) -> None:
    assert outlook.decompressed(b"x" * length) == b""
