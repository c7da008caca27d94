"""One message: its header, its body, its attachments; as real programs write them and as no program should."""

import base64
import hashlib
import io
import time
from email.message import EmailMessage
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import mail, registry
from ingest.registry import Context
from vault.records import Document, Problem


def read(data: bytes, name: str = "a.eml") -> list[Document | Problem]:
    return list(mail.parse(io.BytesIO(data), name, Context(name)))


def only(data: bytes) -> Document:
    (document,) = read(data)
    assert isinstance(document, Document)
    return document


def body(document: Document) -> str:
    return "\n".join(document.text[each.start : each.end] for each in document.blocks if each.kind != "fields")


def well_formed(document: Document) -> None:
    """Blocks are in order, within the text, and never empty; the text can be stored."""
    at = 0
    for block in document.blocks:
        assert at <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip()
        at = block.end
    document.text.encode()


HEAD = b"From: Ann Lee <ann@example.org>\r\nTo: bob@example.org\r\nDate: Tue, 5 Mar 2024 09:15:00 +0100\r\n"


def test_a_plain_message_has_its_fields_its_words_and_its_metadata() -> None:
    data = HEAD + (
        b"Cc: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\nSubject: Rent for March\r\nMessage-ID: <1@example.org>\r\n"
        b"In-Reply-To: <0@example.org>\r\nReferences: <x@example.org>\r\n <0@example.org>\r\n"
        b"List-Id: Flat <flat.example.org>\r\n"
        b"\r\nDear Bob,\r\n\r\nthe rent is 1200 euros.\r\n"
    )
    document = only(data)
    assert document.id == hashlib.sha256(data).hexdigest()
    assert (document.kind, document.title) == ("mail", "Rent for March")
    assert document.text == (
        "From: Ann Lee <ann@example.org>\nTo: bob@example.org\nCc: Jürgen <j@example.org>\n"
        "Date: Tue, 5 Mar 2024 09:15:00 +0100\nSubject: Rent for March\n\nDear Bob,\n\nthe rent is 1200 euros."
    )
    assert [each.kind for each in document.blocks] == ["fields", "paragraph", "paragraph"]
    thread = hashlib.sha256(b"<x@example.org>").hexdigest()[:32]
    assert document.metadata == {
        "message_id": "<1@example.org>",
        "in_reply_to": "<0@example.org>",
        "references": "<x@example.org> <0@example.org>",
        "thread": thread,
        "sender": "Ann Lee <ann@example.org>",
        "recipients": "bob@example.org, Jürgen <j@example.org>",
        "date": "2024-03-05T09:15:00+01:00",
        "list": "flat.example.org",
    }


def test_a_reply_is_in_the_thread_of_the_message_that_it_answers() -> None:
    first = only(HEAD + b"Message-ID: <1@x.org>\r\n\r\nHello")
    second = only(HEAD + b"Message-ID: <2@x.org>\r\nIn-Reply-To: <1@x.org>\r\n\r\nHello back")
    third = only(HEAD + b"Message-ID: <3@x.org>\r\nReferences: <1@x.org> <2@x.org>\r\n\r\nAnd again")
    assert first.metadata["thread"] == second.metadata["thread"] == third.metadata["thread"]


def test_a_message_without_a_usable_date_takes_that_of_the_server_that_received_it() -> None:
    received = b"Received: from a by b; Wed, 6 Mar 2024 10:00:00 -0500\r\n"
    for broken in (
        b"",
        b"Date: yesterday\r\n",
        b"Date: Tue, 99 Foo 2024\r\n",
        b"Date: Fri, 1 Jan 1904 00:00:00 +0000\r\n",
    ):
        document = only(received + broken + b"From: a@example.org\r\n\r\nHello")
        assert document.metadata["date"] == "2024-03-06T10:00:00-05:00"


@pytest.mark.parametrize("declared", ["", "us-ascii", "iso-8859-1", "utf-8", "x-unknown", "utf-16", "base64"])
@pytest.mark.parametrize("actual", ["utf-8", "windows-1252"])
def test_text_is_read_in_the_charset_that_it_is_in_whatever_is_declared(declared: str, actual: str) -> None:
    data = HEAD + f'Content-Type: text/plain; charset="{declared}"\r\n\r\n'.encode() + "Grüße für 5 €".encode(actual)
    assert body(only(data)) == "Grüße für 5 €"


def test_subjects_in_raw_bytes_and_in_encoded_words_cut_within_a_character_are_read() -> None:
    assert only(b"Subject: " + "Rückzahlung".encode("cp1252") + b"\n\nx").title == "Rückzahlung"
    halves = [base64.b64encode(each).decode() for each in ("zürich".encode()[:2], "zürich".encode()[2:])]
    words = f"Subject: =?utf-8?B?{halves[0]}?=\r\n =?UTF-8?b?{halves[1]}?= 2024\r\n\r\nx"
    assert only(words.encode()).title == "zürich 2024"


def alternative(plain: str, markup: str) -> bytes:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message.set_content(plain)
    message.add_alternative(markup, subtype="html")
    return message.as_bytes()


def test_the_plain_form_is_taken_unless_it_is_empty_or_a_stub() -> None:
    markup = "<p>The invoice 4711 over 80 euros is due on Friday.</p><p>" + "More about it. " * 40 + "</p>"
    assert body(only(alternative("Invoice 4711 is due.\n" * 9, "<p>Invoice 4711 is due.</p>"))).startswith(
        "Invoice 4711"
    )
    for stub in (
        "",
        "  \n",
        "Your mail client does not support HTML.",
        "<html><body><p>x</p><br><br><br></body></html>",
    ):
        assert "The invoice 4711 over 80 euros" in body(only(alternative(stub, markup))), stub


def with_attachment(
    content: bytes, name: str, main: str = "See attached.", kind: str = "application/octet-stream"
) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "With a file"
    message.set_content(main)
    major, minor = kind.split("/")
    message.add_attachment(content, maintype=major, subtype=minor, filename=name)
    return message.as_bytes()


def test_an_attachment_is_a_document_under_its_message() -> None:
    outer, inner = read(with_attachment(b"the deposit is 500 euros\n", "Mietvertrag Größe.txt"))
    assert isinstance(outer, Document)
    assert isinstance(inner, Document)
    assert inner.parent == outer.id
    assert inner.part == "Mietvertrag Größe.txt"
    assert inner.text == "the deposit is 500 euros\n"
    assert inner.id == hashlib.sha256(b"the deposit is 500 euros\n").hexdigest()
    assert "Attachments: Mietvertrag Größe.txt" in outer.text


def test_attachments_of_one_name_are_told_apart_and_their_folders_are_dropped() -> None:
    message = EmailMessage()
    message.set_content("x")
    for text, name in ((b"one", "a.txt"), (b"two", "../../a.txt"), (b"three", "C:\\temp\\a.txt")):
        message.add_attachment(text, maintype="text", subtype="plain", filename=name)
    parts = [each.part for each in read(message.as_bytes())[1:]]
    assert parts == ["a.txt", "a (2).txt", "a (3).txt"]


def nested(levels: int) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "level 0", "a@example.org"
    message.set_content("innermost")
    for level in range(1, levels + 1):
        outer = EmailMessage()
        outer["Subject"], outer["From"] = f"level {level}", "a@example.org"
        outer.set_content(f"text {level}")
        outer.add_attachment(message)
        message = outer
    return message.as_bytes()


def test_attached_messages_are_read_three_levels_deep_and_the_fourth_is_named() -> None:
    found = read(nested(3))
    assert [each.title for each in found if isinstance(each, Document)] == ["level 3", "level 2", "level 1", "level 0"]
    found = read(nested(4))
    assert [each.title for each in found if isinstance(each, Document)] == ["level 4", "level 3", "level 2", "level 1"]
    (problem,) = [each for each in found if isinstance(each, Problem)]
    assert "3 levels" in problem.reason
    assert problem.part == "1/1/1/1"


def test_a_broken_attachment_is_a_problem_and_the_rest_goes_on() -> None:
    message = EmailMessage()
    message.set_content("Three files.")
    message.add_attachment(b"%PDF-1.7 cut short", maintype="application", subtype="pdf", filename="broken.pdf")
    message.add_attachment(b"\x00\x01\x02\x03" * 9, maintype="application", subtype="x-odd", filename="odd.bin")
    message.add_attachment(b"still here", maintype="text", subtype="plain", filename="fine.txt")
    found = read(message.as_bytes())
    assert [each.part for each in found] == ["", "broken.pdf", "odd.bin", "fine.txt"]
    assert [type(each) for each in found] == [Document, Problem, Problem, Document]


def test_pictures_that_belong_to_the_looks_are_passed_over_and_those_that_were_sent_are_named() -> None:
    message = EmailMessage()
    message.set_content("<p>Hello <img src='cid:logo'></p>", subtype="html")
    message.add_related(b"\x89PNG\r\n\x1a\n" + b"x" * 500, "image", "png", cid="<logo>", filename="image001.png")
    assert [type(each) for each in read(message.as_bytes())] == [Document]
    _, problem = read(with_attachment(b"\xff\xd8\xff" + b"x" * 500, "scan.jpg", kind="image/jpeg"))
    assert isinstance(problem, Problem)
    assert problem.part == "scan.jpg"


def test_an_encrypted_message_says_so() -> None:
    pgp = (
        HEAD + b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n'
        b"--b\r\n\r\nx\r\n--b--"
    )
    smime = HEAD + b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n\r\nMIIB'
    inline = HEAD + b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n"
    for data, method in ((pgp, "PGP"), (smime, "S/MIME"), (inline, "PGP")):
        document = only(data)
        assert document.note == f"the message is encrypted with {method}; only its header is readable"


def test_a_detached_signature_is_no_document() -> None:
    data = HEAD + (
        b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nSigned words.\r\n--b\r\n"
        b"Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n-----BEGIN\r\n--b--\r\n"
    )
    assert body(only(data)) == "Signed words."


def test_files_that_old_programs_wrote_into_the_text_become_attachments() -> None:
    data = HEAD + b'\r\nHere it is.\r\n\r\nbegin 644 note.txt\r\n)<F5N="!P86ED\r\n`\r\nend\r\n\r\nBye\r\n'
    outer, inner = read(data)
    assert isinstance(outer, Document)
    assert isinstance(inner, Document)
    assert body(outer) == "Here it is.\nBye"
    assert (inner.part, inner.text) == ("note.txt", "rent paid")


def test_flowed_lines_are_joined_and_their_quotes_kept_apart() -> None:
    data = HEAD + (
        b"Subject: Re: x\r\nContent-Type: text/plain; format=flowed\r\n\r\n"
        b"> was it \r\n> you?\r\n\r\nYes, it was \r\nme.\r\n"
    )
    document = only(data)
    assert body(document) == "> was it you?\nYes, it was me."
    assert [each.kind for each in document.blocks] == ["fields", "quote", "paragraph"]


def test_a_saved_web_page_is_a_page_and_not_a_mail() -> None:
    data = (
        b"From: <Saved by Blink>\r\nSubject: Terms\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/related; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<title>Terms of use</title><h1>Terms</h1><p>No refunds.</p>\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Location: http://x/a.png\r\n\r\nxxxx\r\n--b--"
    )
    (document,) = read(data, "page.mht")
    assert isinstance(document, Document)
    assert (document.kind, document.title, document.text) == ("web", "Terms of use", "Terms\n\nNo refunds.")


def test_the_registry_takes_a_file_without_an_extension_for_the_mail_that_it_is() -> None:
    (document,) = registry.parse(io.BytesIO(HEAD + b"Subject: Hi\r\n\r\nHello"), "13.", Context("13."))
    assert isinstance(document, Document)
    assert document.title == "Hi"


@pytest.mark.parametrize(
    "data",
    [
        b"no header at all, only words",
        b"\x00\xff\xfe\x80" * 50,
        b"Subject: x",
        b"Subject\n: y\n\nz",
        b": empty name\n\nbody",
        b"Content-Type: multipart/mixed; boundary=b\n\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b--\n",
        b"Content-Type: multipart/mixed\n\n--unknown\n\nwords\n--unknown--\n",
        b"Content-Type: text/plain; charset=\n\nbody",
        b"Content-Transfer-Encoding: base64\n\n!!!!not base64!!!!",
        b"From: <<<>>>@@,,;;\nTo: ((((\nDate: 0 0 0\nReferences: <<>> <\n\nx",
        b"Subject: =?utf-8?B?!!!?= =?x?Q?=ZZ?= =?utf-7?Q?+AAAA?=\n\nx",
        b"Content-Type: application/ms-tnef\n\nnot tnef",
        b"\r\r\rFrom: a@b\rSubject: mac\r\rbody\r",
    ],
)
def test_no_message_is_dropped_however_odd(data: bytes) -> None:
    documents = [each for each in read(data) if isinstance(each, Document)]
    assert len(documents) == 1
    well_formed(documents[0])


@given(st.binary(max_size=2000), st.sampled_from(["plain", "html", "multipart", "header"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_at_all_give_one_message_whose_blocks_are_in_order(data: bytes, where: str) -> None:
    heads = {
        "plain": HEAD + b"\r\n",
        "html": HEAD + b"Content-Type: text/html\r\n\r\n<div>",
        "multipart": HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        "header": b"Subject: x\r\n",
    }
    found = read(heads[where] + data)
    assert isinstance(found[0], Document)
    for each in found:
        if isinstance(each, Document):
            well_formed(each)


LINES = st.sampled_from(
    ["", "> quoted", ">> twice", "On 5 May 2020 at 10:11 Ann wrote:", "-- ", "Ann", "-----Original Message-----",
     "From: Ann", "Sent: Monday, 4 May 2020 10:11", "To: Bob", "Subject: x", "________________________", "own words",
     "Sent from my iPhone", "---------- Forwarded message ---------", "Am 5.5.2020 schrieb Ann:", "\t - item",
     "é 漢字 \u202e"]
)  # fmt: skip


@given(st.lists(LINES, max_size=30), st.sampled_from(["Re: x", "Fwd: x", "x", "AW: x"]))
@settings(max_examples=300, deadline=None)
def test_blocks_of_replies_are_in_order_and_lose_no_word(lines: list[str], subject: str) -> None:
    message = MIMEText("\n".join(lines), "plain", "utf-8")
    message["Subject"] = subject
    document = only(message.as_bytes())
    well_formed(document)
    shown = "".join(document.text[each.start : each.end] for each in document.blocks)
    assert sum(map(str.isalnum, shown)) == sum(map(str.isalnum, document.text))


def bombs() -> dict[str, bytes]:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (each, each) for each in range(5000))
    return {
        "multiparts within multiparts": deep,
        "100,000 fields": b"".join(b"X-Field-%d: value\n" % each for each in range(100_000)) + b"\nbody",
        "one folded field of a million lines": b"Subject: x\n" + b" y\n" * 1_000_000 + b"\nbody",
        "100,000 parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000,
        "delimiters without line ends": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b" * 700_000,
        "encoded words that never end": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\nx",
        "open brackets": b"To: " + b'(<"' * 80_000 + b"\n\nx",
        "parameters": b"Content-Type: text/plain" + b';a="\\' * 200_000 + b"\n\nx",
        "dashes": HEAD + b"Subject: Re: x\n\n" + b"-- \nx\n" * 30_000,
        "attributions": HEAD + b"Subject: Re: x\n\n" + b"On 5 May wrote:\n" * 40_000,
        "labels": HEAD + b"Subject: Re: x\n\nx\n" + b"From: a\nTo: b\n" * 30_000,
        "quotation marks": HEAD + b"Subject: Re: x\n\n" + b">" * 2_000_000,
        "one line": HEAD + b"Subject: Re: x\n\n" + b"a" * 3_000_000 + b":",
        "dashes and blanks": HEAD + b"Subject: Re: x\n\n" + (b"-" * 2000 + b" " * 2000 + b"\n") * 500,
        "begin without end": HEAD + b"\n" + b"begin 644 a\n" * 50_000 + b"\nend",
        "open tags": HEAD + b"Content-Type: text/html\n\n" + b'<a x=">"' * 200_000,
        "open comments": HEAD + b"Content-Type: text/html\n\n" + b"<!-" * 300_000 + b"<!--" * 300_000,
        "tags within tags": HEAD + b"Content-Type: text/html\n\n" + b"<div><b><table><tr><td>x" * 20_000,
        "end tags": HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 100_000 + b"</p></x></td>" * 100_000,
        "scripts": HEAD + b"Content-Type: text/html\n\n" + b"<style><textarea></style>" * 100_000,
        "entities": HEAD + b"Content-Type: text/html\n\n" + b"&#x1F600;&amp;&notin" * 100_000,
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_taken_apart_in_linear_time(name: str) -> None:
    start = time.process_time()
    found = read(bombs()[name])
    # Linear work takes a second or two; anything quadratic in these sizes takes many minutes.
    assert time.process_time() - start < 30
    assert isinstance(found[0], Document)
    assert len(found) < 10_000


def test_every_real_message_is_read(shared_data) -> None:
    folders = ["enron_maildir", "enron_edrm", "spamassassin", "fixtures"]
    messages, dated = 0, 0
    for folder in folders:
        for path in sorted((shared_data / "emails" / folder).rglob("*")):
            if (
                not path.is_file()
                or path.suffix in (".json", ".xml")
                or "_decoded" in path.name
                or path.stat().st_size < 20
            ):
                continue
            found = read(path.read_bytes(), path.name)
            documents = [each for each in found if isinstance(each, Document)]
            assert documents, path
            for each in documents:
                well_formed(each)
            messages += 1
            dated += "date" in documents[0].metadata
    assert messages > 5000
    assert dated > 0.98 * messages
