"""Header fields as they are found: encoded words, addresses, dates, ids, parameters."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import mail_headers
from ingest.mail_headers import Address


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),  # the examples of RFC 2047, 8
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"=?iso-8859-1*de?Q?f=FCr?=", "für"),
        (b"Re: =?utf-8?B?R3LDvMOfZQ?=", "Re: Grüße"),  # padding forgotten
        (b"=?utf-8?Q?a b?=", "a b"),  # against the rules, and sent
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?unknown?Q?x=20y?=", "x y"),
        (b"=?utf-8?Q?z=C3?= =?UTF-8?Q?=BCrich?=", "zürich"),  # cut within a character
        (b"half =?utf-8?Q?open", "half =?utf-8?Q?open"),
        (b"folded\r\n over\r\n\tlines", "folded over lines"),
        (b"bell \x07and zero \x00gone", "bell and zero gone"),
    ],
)
def test_an_encoded_word_is_read(raw: bytes, text: str) -> None:
    assert mail_headers.text(raw) == text


@pytest.mark.parametrize(
    ("raw", "people"),
    [
        (b"ann@example.org", [Address("", "ann@example.org")]),
        (b"Ann Lee <ann@example.org>", [Address("Ann Lee", "ann@example.org")]),
        (
            b'"Lee, Ann" <ann@example.org>, Bob <b@x.org>',
            [Address("Lee, Ann", "ann@example.org"), Address("Bob", "b@x.org")],
        ),
        (b"ann@example.org (Ann Lee)", [Address("Ann Lee", "ann@example.org")]),
        (b"=?utf-8?Q?Lee=2C_Ann?= <ann@example.org>", [Address("Lee, Ann", "ann@example.org")]),
        (b"=?utf-8?Q?Ann_<ann@example.org>?=", [Address("Ann", "ann@example.org")]),
        (b"'ann@example.org' <ann@example.org>", [Address("", "ann@example.org")]),
        (b'"O\\"Hara" <o@x.org>', [Address('O"Hara'.replace('"', ""), "o@x.org")]),
        (b"undisclosed-recipients:;", []),
        (b"Team: a@x.org, b@x.org; c@x.org", [Address("", each) for each in ("a@x.org", "b@x.org", "c@x.org")]),
        (b"a@x.org; b@x.org", [Address("", "a@x.org"), Address("", "b@x.org")]),
        (b'<Bailey>,"Susan" </O=ENRON/CN=SBAILE2>', [Address("Bailey, Susan", "/O=ENRON/CN=SBAILE2")]),
        (b"only a name", [Address("only a name", "")]),
        (b'a"b@x.org, c@x.org', [Address("a", "b@x.org"), Address("", "c@x.org")]),
        (b"", []),
    ],
)
def test_the_people_in_an_address_field(raw: bytes, people: list[Address]) -> None:
    assert list(mail_headers.addresses(raw)) == people


def test_a_directory_path_is_not_shown_where_a_name_is_known() -> None:
    assert str(Address("Susan", "/O=ENRON/CN=S")) == "Susan"
    assert str(Address("", "/O=ENRON/CN=S")) == "/O=ENRON/CN=S"


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("Tue, 5 Mar 2024 09:15:00 +0100", "2024-03-05T09:15:00+01:00"),
        ("5 Mar 24 09:15 EST", "2024-03-05T09:15:00-05:00"),
        ("Tue, 5 Mar 2024 09:15:00 -0700 (PDT)", "2024-03-05T09:15:00-07:00"),
        ("Tue, 05 Mar 2024 09:15:00 -0000", "2024-03-05T09:15:00+00:00"),
        ("Tue, 05 Mar 2024 09:15:00", "2024-03-05T09:15:00+00:00"),
        ("Tue Mar  5 09:15:00 2024", "2024-03-05T09:15:00+00:00"),
        ("2024-03-05T09:15:00+01:00", "2024-03-05T09:15:00+01:00"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59+00:00"),
        ("Tue, 31 Feb 2024 09:15:00 +0100", ""),
        ("Tue, 5 Mar 2024 29:15:00 +0100", ""),
        ("Tue, 5 Mar 2024 09:15:00 +9999", "2024-03-05T09:15:00+00:00"),
        ("5 Mar 9999 00:00:00 +0000", ""),
        ("soon", ""),
        ("", ""),
    ],
)
def test_a_date_keeps_its_own_zone(raw: str, iso: str) -> None:
    assert mail_headers.date(raw) == iso


def test_ids_are_told_from_what_stands_around_them() -> None:
    assert mail_headers.ids(b"<a@x>\r\n <b@x> (sent by) <c@x>") == ("<a@x>", "<b@x>", "<c@x>")
    assert mail_headers.ids(b"a@x") == ("<a@x>",)
    assert mail_headers.ids(b"Your message of Monday") == ()


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        (b'text/plain; charset="utf-8"', "text/plain", {"charset": "utf-8"}),
        (b"TEXT / Plain; charset=us-ascii (Plain text)", "text/plain", {"charset": "us-ascii"}),
        (b'multipart/mixed; boundary="a;b=c"', "multipart/mixed", {"boundary": "a;b=c"}),
        (b"application/pdf; name*=utf-8''Stra%C3%9Fe.pdf", "application/pdf", {"name": "Straße.pdf"}),
        (b"x/y; name*0*=iso-8859-1'de'f%FC;\r\n name*1=\"r.txt\"", "x/y", {"name": "für.txt"}),
        (b'x/y; name="=?utf-8?Q?f=C3=BCr.txt?="', "x/y", {"name": "für.txt"}),
        (b"attachment; filename=with space.pdf", "attachment", {"filename": "with space.pdf"}),
        (b'attachment;; filename="open', "attachment", {"filename": "open"}),
    ],
)
def test_the_parameters_of_a_field(raw: bytes, kind: str, expected: dict[str, str]) -> None:
    assert mail_headers.parameters(raw) == (kind, expected)


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_base64_is_read_also_when_every_line_is_padded(lines: list[bytes], newline: bool) -> None:
    encoded = (b"\r\n" if newline else b"").join(base64.b64encode(each) for each in lines)
    assert mail_headers.base64(encoded) == b"".join(lines)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8=\n____\nA mailing list", b"hello"),
        (b"aGV\x00 s!bG8=", b"hello"),
        (b"a", b""),
        (b"=", b""),
    ],
)
def test_base64_that_is_damaged_is_read_as_far_as_it_goes(raw: bytes, content: bytes) -> None:
    assert mail_headers.base64(raw) == content


@given(st.binary(max_size=300), st.text(max_size=20))
def test_no_bytes_and_no_charset_make_it_fail(raw: bytes, charset: str) -> None:
    mail_headers.decode(raw, charset).encode()
    mail_headers.text(raw).encode()
    mail_headers.date(mail_headers.text(raw))
    mail_headers.ids(raw)
    mail_headers.parameters(raw)
    for each in mail_headers.addresses(raw):
        assert str(each)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_what_is_valid_utf_8_is_read_as_that(text: str) -> None:
    assert mail_headers.decode(text.encode(), "utf-8") == text
    assert mail_headers.decode(text.encode()) == text


def test_after_preloading_no_charset_needs_a_file() -> None:
    code = """
import sys
from ingest import mail, mail_headers
mail.preload()
sys.path[:], sys.meta_path[:], sys.path_hooks[:] = [], [], []
for charset in ("cp1251", "iso-2022-jp", "gb2312", "big5", "euc-kr", "koi8-r", "macintosh", "shift_jis", "utf-7"):
    assert mail_headers.decode("\\u20ac 1 \\u042f".encode("utf-16-le"), "utf-16-le") == "\\u20ac 1 \\u042f"
    assert mail_headers._codec(charset), charset
    mail_headers.decode(bytes(range(32, 256)), charset)
assert mail_headers.decode("\\u042f".encode("koi8-r"), "koi8-r") == "\\u042f"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Anna Whitcombe", "Anna Whitcombe <eve@evil.example>"),
        ("Whitcombe, Anna", "Whitcombe, Anna <eve@evil.example>"),
        ("anna@bank.example", '"anna@bank.example" <eve@evil.example>'),
        ("Anna <anna@bank.example>, Eve", '"Anna <anna@bank.example>, Eve" <eve@evil.example>'),
        ('x" <anna@bank.example> "', "\"x' <anna@bank.example> '\" <eve@evil.example>"),
        ("anna＠bank.example", '"anna＠bank.example" <eve@evil.example>'),
    ],
)
def test_no_name_can_be_read_as_another_mailbox(name: str, shown: str) -> None:
    assert str(mail_headers.Address(name, "eve@evil.example")) == shown
