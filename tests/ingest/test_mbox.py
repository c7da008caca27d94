"""Mailboxes: exactly the messages that were put in, as a stream, whatever one of them holds."""

import io
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import mail, mbox, registry
from ingest.registry import Context
from vault.records import Document, Problem

FROM = b"From ann@example.org Tue Mar  5 09:15:00 2024\n"


def put(messages: list[bytes], line: bytes = FROM) -> bytes:
    """Write a mailbox as RFC 4155 and qmail's mboxrd say: `From ` quoted, an empty line behind each."""
    return b"".join(line + re.sub(rb"^(>*From )", rb">\1", each, flags=re.MULTILINE) + b"\n" for each in messages)


def taken(data: bytes) -> list[bytes]:
    return [each.data for each in mbox.messages(io.BytesIO(data))]


def read(data: bytes) -> list[Document | Problem]:
    return list(mbox.parse(io.BytesIO(data), "a.mbox", Context("a.mbox")))


HEADERS = st.sampled_from([b"Subject: x\n", b"From: a@x.org\nTo: b@x.org\n", b"Received: by x\n y\n", b"X-Spam: no\n"])
BODIES = st.lists(
    st.sampled_from(
        [
            b"",
            b"From now on",
            b"From ann Tue Mar  5 09:15:00 2024",
            b">From here",
            b">>From there",
            b"Subject: no",
            b"words",
            b"\r",
        ]
    ),
    max_size=12,
)


@given(st.lists(st.tuples(st.lists(HEADERS, min_size=1, max_size=3), BODIES), max_size=12), st.integers(1, 4000))
@settings(max_examples=150, deadline=None)
def test_a_mailbox_yields_exactly_the_messages_that_were_put_in(parts, chunk) -> None:
    messages = [b"".join(head) + b"\n" + b"\n".join(body) + b"\n" for head, body in parts]
    whole, mbox._READ = mbox._READ, chunk  # so that every place is once the end of what has been read
    try:
        assert taken(put(messages)) == messages
    finally:
        mbox._READ = whole


def test_windows_line_ends_are_kept() -> None:
    messages = [b"Subject: a\r\n\r\none\r\n", b"Subject: b\r\n\r\ntwo\r\n"]
    data = b"".join(FROM.replace(b"\n", b"\r\n") + each + b"\r\n" for each in messages)
    assert taken(data) == messages


@pytest.mark.parametrize(
    "prose",
    [
        b"From what I heard: nothing\nNote: it is not a header\n",
        b"From 10:30 until 2024 we wait\nwithout a header below\n",
        b"From ann\nTo: bob\n",
        b"words\nFrom ann at 10:30 in 2024\nSubject: no empty line above\n",
    ],
)
def test_prose_that_begins_with_from_ends_no_message(prose: bytes) -> None:
    first, second = b"Subject: a\n\nhello\n\n" + prose, b"Subject: b\n\nbye\n"
    assert taken(FROM + first + b"\n" + FROM + second + b"\n") == [first, second]


def test_a_separator_without_an_empty_line_above_or_without_a_date_is_seen() -> None:
    assert len(taken(FROM + b"Subject: a\n\nno empty line\n" + FROM + b"Subject: b\n\nx\n")) == 2
    assert len(taken(b"From ann\nReceived: by x\n\none\n\nFrom bob\nMessage-ID: <1@x>\n\ntwo\n")) == 2
    assert len(taken(b"From - Tue Mar 05 09:15:00 2024\nX-Mozilla-Status: 0001\n\none\n")) == 1


def test_a_length_that_lies_is_not_believed() -> None:
    messages = [b"Subject: a\nContent-Length: 999999\n\none\n", b"Subject: b\nContent-Length: 0\n\ntwo\n"]
    assert taken(put(messages)) == messages


def test_messages_are_numbered_and_their_attachments_lie_under_the_number() -> None:
    with_file = (
        b"Subject: b\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\ntext\n--q\n"
        b"Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment\n\nattached\n--q--\n"
    )
    found = read(put([b"Subject: a\n\none\n", with_file]))
    assert [each.part for each in found] == ["1", "2", "2/a.txt"]
    assert found[2].parent == found[1].id


def test_reading_a_message_or_moving_it_does_not_make_it_another() -> None:
    message = b"From: a@x.org\nSubject: a\n\none\n"
    marked = (
        b"Status: RO\nX-Mozilla-Status: 0001\nX-Mozilla-Keys: $label1\n  more\n"
        b"From: a@x.org\nX-UID: 7\nSubject: a\n\none\n"
    )
    other = b"From: a@x.org\nSubject: a\n\nStatus: RO\none\n"
    ids = [each.id for each in read(put([message, marked, other, message]))]
    assert ids[0] == ids[1] == ids[3] != ids[2]


def test_the_same_message_in_a_mailbox_and_in_a_file_is_one() -> None:
    message = b"From: a@x.org\nSubject: a\n\nFrom here on it is quoted\n"
    (alone,) = mail.parse(io.BytesIO(message), "a.eml", Context("a.eml"))
    assert read(put([message]))[0].id == alone.id


def test_what_its_owner_has_deleted_is_not_read() -> None:
    found = read(
        put([b"X-Mozilla-Status: 0009\nSubject: deleted\n\nx\n", b"X-Mozilla-Status: 0001\nSubject: kept\n\nx\n"])
    )
    assert [(each.part, each.title) for each in found] == [("2", "kept")]


def test_a_message_without_a_date_has_that_of_its_separator() -> None:
    assert read(put([b"Subject: a\n\nx\n"]))[0].metadata["date"] == "2024-03-05T09:15:00+00:00"


def test_one_broken_message_among_ten_thousand_costs_only_itself(monkeypatch) -> None:
    messages = [
        b"From: a@x.org\nSubject: number %d\n\nThe text of message %d.\n" % (each, each) for each in range(10_000)
    ]
    messages[4321] = b"\x00\xff broken \x80\nno header\n\n\xfe\xfd\n" * 50
    real = mail.mail_mime.parse

    def parse(data: bytes):
        if b"no header" in data:
            raise ValueError("a parser that fails")
        return real(data)

    found = read(put(messages))
    assert len(found) == 10_000
    assert all(isinstance(each, Document) for each in found)
    monkeypatch.setattr(mail.mail_mime, "parse", parse)
    found = read(put(messages))
    problems = [each for each in found if isinstance(each, Problem)]
    assert [(each.part, each.reason) for each in problems] == [("4322", "damaged: ValueError: a parser that fails")]
    assert len({each.id for each in found if isinstance(each, Document)}) == 9_999
    assert found[9_999].title == "number 9999"


class Endless(io.RawIOBase):
    """A mailbox of `count` messages that lies nowhere."""

    def __init__(self, count: int, message: bytes) -> None:
        self.left, self.message, self.rest = count, message, b""

    def seek(self, *_: int) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        while self.left and len(self.rest) < size:
            self.left -= 1
            self.rest += self.message
        block, self.rest = self.rest[:size], self.rest[size:]
        return block


def test_a_large_mailbox_is_never_in_memory() -> None:
    message = put([b"Subject: a\n\n" + b"word " * 20_000 + b"\n"])
    tracemalloc.start()
    count = sum(1 for _ in mbox.messages(Endless(3000, message)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3000  # 300 MB
    assert peak < 16 << 20


def test_a_message_too_large_to_hold_is_cut_and_the_next_is_whole(monkeypatch) -> None:
    monkeypatch.setattr(mail, "MAX_MESSAGE", 3 << 20)
    data = put([b"Subject: big\n\n" + b"line\n" * 2_000_000, b"Subject: small\n\nx\n"])
    first, second = list(mbox.messages(io.BytesIO(data)))
    assert (first.cut, len(first.data), second.cut, second.data) == (True, 3 << 20, False, b"Subject: small\n\nx\n")


def test_a_file_without_any_message_is_said_to_be_damaged() -> None:
    with pytest.raises(registry.UnreadableError, match="no message"):
        read(b"just words\n" * 100)


def test_real_messages_come_out_as_they_went_in(shared_data) -> None:
    messages = []
    for path in sorted((shared_data / "emails/enron_maildir").rglob("*")):
        if path.is_file() and path.name != "README.md":
            data = path.read_bytes()
            messages.append(data if data.endswith(b"\n") else data + b"\n")
    assert len(messages) > 2000
    assert taken(put(messages)) == messages
