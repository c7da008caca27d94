"""Apple Mail's files: the message between its length and its property list."""

import hashlib
import io

import pytest

from ingest import emlx, registry
from ingest.registry import Context
from vault.records import Document, Problem

MESSAGE = b"From: ann@example.org\nSubject: Keys\n\nThe keys are under the mat.\n"
LIST = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>date-received</key>'
    b"<integer>1709628900</integer><key>flags</key><integer>8590195713</integer></dict></plist>\n"
)


def read(data: bytes, name: str = "1.emlx") -> list[Document | Problem]:
    return list(emlx.parse(io.BytesIO(data), name, Context(name)))


@pytest.mark.parametrize("length", [b"%d" % len(MESSAGE), b"%d    " % len(MESSAGE), b"5", b"99999999"])
def test_the_message_is_found_whatever_its_length_is_said_to_be(length: bytes) -> None:
    (document,) = read(length + b"\n" + MESSAGE + LIST)
    assert isinstance(document, Document)
    assert document.title == "Keys"
    assert document.text.startswith("From: ann@example.org")
    assert "The keys are under the mat." in document.text
    if int(length) == len(MESSAGE):
        assert document.id == hashlib.sha256(MESSAGE).hexdigest()
        assert document.metadata["date"] == "2024-03-05T08:55:00+00:00"
        assert "plist" not in document.text


def test_flags_do_not_make_it_another_message() -> None:
    head = b"%d\n" % len(MESSAGE)
    assert read(head + MESSAGE + LIST)[0].id == read(head + MESSAGE + LIST.replace(b"8590195713", b"1"))[0].id


def test_a_partial_message_says_where_its_attachments_are() -> None:
    problem, document = read(b"%d\n" % len(MESSAGE) + MESSAGE + LIST, "1.partial.emlx")
    assert isinstance(problem, Problem)
    assert isinstance(document, Document)


def test_an_empty_one_is_unreadable() -> None:
    with pytest.raises(registry.UnreadableError):
        read(b"0\n" + LIST)
