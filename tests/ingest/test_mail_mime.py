"""The tree of parts, held to what two other parsers make of their own odd messages."""

import json
import re
import xml.etree.ElementTree as ET

from ingest import mail_document, mail_headers, mail_mime
from ingest.mail_mime import Part


def text(part: Part) -> str:
    return mail_headers.decode(part.content(), part.parameters.get("charset", "")).replace("\r\n", "\n").strip()


def test_the_parts_of_a_multipart_are_told_apart_by_whole_lines_only() -> None:
    data = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
        b"--b\r\n\r\none --b\r\n--bb\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue"
    )
    assert [text(each) for each in mail_mime.parse(data).children] == ["one --b\n--bb", "two"]


def test_the_last_line_break_before_a_delimiter_is_none_of_the_part() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n\n--b--\n"
    assert mail_mime.parse(data).children[0].content() == b"one\n"


def test_a_line_that_is_no_field_does_not_end_the_header_when_fields_follow() -> None:
    root = mail_mime.parse(b"Subject: a\n*** scanned ***\nFrom: b@x.org\n\nbody\n")
    assert (root.first(b"from"), root.content()) == (b"b@x.org", b"body\n")


def test_a_multipart_that_says_it_is_encoded_as_a_whole_is_decoded() -> None:
    inner = b"--b\n\nhello\n--b--\n"
    import base64

    data = b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(inner)
    assert [text(each) for each in mail_mime.parse(data).children] == ["hello"]


def test_what_is_too_deep_or_too_many_is_said() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (each, each) for each in range(40))
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 6000
    assert any("nested more than 30" in each.complaint for each in mail_mime.parse(deep).walk())
    assert "more than 5000 parts" in mail_mime.parse(many).complaint


def addresses(value: object) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [found for each in value for found in addresses(each)]
    if isinstance(value, dict):
        if isinstance(value.get("address"), str):
            return [(" ".join((value.get("name") or "").split()), value["address"])]
        return [found for key in ("Address", "List", "Group", "addresses") for found in addresses(value.get(key))]
    return []


def test_fields_and_parts_agree_with_stalwart_on_its_own_messages(shared_data) -> None:
    folder = shared_data / "emails/fixtures/stalwart-mail-parser/resources/eml"
    agreed, compared = 0, 0
    for expected in sorted(folder.glob("*/*.json")):
        message = expected.with_name(expected.name.replace(".crlf", "").replace(".json", ".eml"))
        if not message.exists():
            continue  # the set holds half of the files
        data = message.read_bytes()
        if ".crlf." in expected.name:
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        wanted = json.loads(expected.read_text())
        root = mail_mime.parse(data)
        mail = mail_document.described(root, "")
        fields: dict = {}
        for each in wanted["parts"][0]["headers"]:
            if isinstance(each["name"], str):
                fields.setdefault(each["name"], each["value"])
        pairs = []
        for name, people in (("from", mail.sender), ("to", mail.to), ("cc", mail.cc)):
            if name in fields:
                pairs.append(([(each.name, each.address) for each in people], addresses(fields[name])))
        for name, value in (("subject", mail.subject), ("message_id", mail.message_id.strip("<>"))):
            if isinstance(fields.get(name), dict) and "Text" in fields[name]:
                pairs.append((value, " ".join(fields[name]["Text"].split())))
        leaves = [each for each in root.walk() if not each.children]
        bodies = [each["body"] for each in wanted["parts"] if "Multipart" not in each["body"]]
        pairs.append((len(leaves), len(bodies)))
        if len(leaves) == len(bodies):
            for leaf, body in zip(leaves, bodies, strict=True):
                if "Text" in body or "Html" in body:
                    pairs.append((text(leaf), body.get("Text", body.get("Html")).replace("\r\n", "\n").strip()))
        agreed += sum(mine == theirs for mine, theirs in pairs)
        compared += len(pairs)
    # 272 of 294. They differ where Stalwart leaves raw bytes in a header as replacement characters (5), drops a name
    # without an address (6), and in parts whose delimiters contradict each other (11).
    assert compared > 280
    assert agreed / compared > 0.92


def leaves_of(part: Part) -> list[Part]:
    if part.kind == "message/rfc822" and not part.children:
        return leaves_of(mail_mime.parse(part.content()))
    return [leaf for child in part.children for leaf in leaves_of(child)] if part.children else [part]


def test_parts_agree_with_mime4j_on_its_own_messages(shared_data) -> None:
    folder = shared_data / "emails/fixtures/james-mime4j/core/src/test/resources"
    trees, same_tree, bodies, same_body = 0, 0, 0, 0
    for expected in sorted(folder.glob("*/*_decoded.xml")):
        message = expected.with_name(expected.name.replace("_decoded.xml", ".msg"))
        if not message.exists():
            continue
        raw = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "?", expected.read_text("latin-1"))
        wanted = [each for each in ET.fromstring(raw).iter() if each.tag in ("text-body", "binary-body")]
        found = leaves_of(mail_mime.parse(message.read_bytes()))
        trees += 1
        if len(found) != len(wanted):
            continue
        same_tree += 1
        for leaf, each in zip(found, wanted, strict=True):
            content = expected.with_name(each.attrib["name"])
            if content.exists():
                bodies += 1
                lines = content.read_bytes().replace(b"\r\n", b"\n").strip()
                same_body += lines in (leaf.content().replace(b"\r\n", b"\n").strip(), text(leaf).encode())
    assert trees >= 15
    assert same_tree >= trees - 1  # a multipart without a delimiter is text here and nothing there
    assert same_body == bodies
