"""A message, wherever it was kept, to the document that is indexed: header lines, then the body in blocks."""

import hashlib
import re
from dataclasses import dataclass

from ingest import html, mail_headers, quotes
from ingest.mail_headers import Address
from ingest.mail_mime import Part
from vault.records import Block, Document

MAX_BODY = 32 << 20  # characters of one body part that are read; the longest mail anyone reads has a thousandth of it
_PREVIEW = 300  # characters; newsletters hide a line that mail programs show in the list of messages
_SHOWN = 50  # recipients shown in the text; all of them are in the metadata, up to its bound
_MAX_METADATA = 16 << 10  # characters of one value
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
_ITEM = re.compile(r"[ \t]*(?:[-*•·–][ \t]+\S|\(?\d{1,3}[.)][ \t]+\S|\(?[a-z][.)][ \t]+\S)")
_STUB = re.compile(
    r"html|does not support|view (?:this|it) (?:e-?mail|message)|(?:web|online)[ -]?(?:version|ansicht)|im browser|"
    r"en ligne|navigateur|navegador|nel browser|wird nicht unterstützt|nicht korrekt (?:dargestellt|angezeigt)|"
    r"click here to (?:view|read)",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?(?:html|body|div|p|table|td|br|span)\b[^>]{0,500}>", re.IGNORECASE)
_PGP = "-----BEGIN PGP MESSAGE-----"


@dataclass(frozen=True, slots=True)
class Body:
    """Text and what is known of its parts; the blocks' offsets count from its own start."""

    text: str
    blocks: tuple[Block, ...]
    marks: tuple[str, ...] = ()
    """see `html.Page`; empty for plain text"""
    hidden: int = 0
    """characters in blocks of kind `hidden`, which the message keeps from its reader's eyes"""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """What every kind of stored message comes down to."""

    id: str
    subject: str = ""
    sender: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    date: str = ""
    """ISO 8601 in its own zone, or empty"""
    shown_date: str = ""
    """as the message writes it"""
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    conversation: str = ""
    """what else tells the thread, where no reference does: Exchange's conversation index"""
    list_id: str = ""
    bodies: tuple[Body, ...] = ()
    attachments: tuple[str, ...] = ()
    """names"""
    notes: tuple[str, ...] = ()
    reader: str = ""
    """which reader the bodies are of, where it is not the default"""
    part: str = ""
    parent: str = ""


def document(mail: Mail) -> Document:
    """Return the document of a message. Its text: the header lines (block `fields`), an empty line, the bodies."""
    heads = [
        ("From", _people(mail.sender)),
        ("To", _people(mail.to)),
        ("Cc", _people(mail.cc)),
        ("Date", mail.shown_date or mail.date),
        ("Subject", mail.subject),
        ("Attachments", ", ".join(mail.attachments[:_SHOWN])),
    ]
    text = "\n".join(f"{name}: {value}" for name, value in heads if value)
    blocks = [Block(0, len(text), "fields")] if text else []
    parts = [text] if text else []
    length = len(text)
    answers = bool(mail.in_reply_to or mail.references)
    for body in mail.bodies:
        if not body.text:
            continue
        if length:
            parts.append("\n\n")
            length += 2
        for block in quotes.mark(body.text, body.blocks, body.marks, mail.subject, answers=answers):
            start, end = block.start + length, block.end + length
            blocks.append(Block(start, end, block.kind, block.level, block.page))
        parts.append(body.text)
        length += len(body.text)
    hidden = sum(body.hidden for body in mail.bodies)
    notes = list(mail.notes)
    if any(_PGP in body.text for body in mail.bodies):
        notes.append("the message is encrypted with PGP; only its header is readable")
    if hidden > _PREVIEW:
        notes.append(f"{hidden} characters that the message hides from its reader are not searched")
    return Document(
        id=mail.id,
        kind="mail",
        title=mail.subject,
        text="".join(parts),
        blocks=tuple(blocks),
        metadata=_metadata(mail),
        part=mail.part,
        parent=mail.parent,
        media_type="message/rfc822",
        note="; ".join(notes),
    )


def _people(people: tuple[Address, ...]) -> str:
    shown = ", ".join(str(each) for each in people[:_SHOWN])
    return f"{shown} and {len(people) - _SHOWN} more" if len(people) > _SHOWN else shown


def _metadata(mail: Mail) -> dict[str, str]:
    first = (*mail.references[:1], mail.in_reply_to, mail.conversation, mail.message_id)
    thread = next((each for each in first if each), "")
    values = {
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": " ".join(mail.references),
        # Hashed, so that it has one length and no meaning: ids are as long and odd as their senders like.
        "thread": hashlib.sha256(thread.encode("utf-8", "replace")).hexdigest()[:32] if thread else "",
        "sender": ", ".join(str(each) for each in mail.sender[:_SHOWN]),
        "recipients": ", ".join(str(each) for each in (*mail.to, *mail.cc)),
        "date": mail.date,
        "list": mail.list_id,
    }
    return {name: value[:_MAX_METADATA] for name, value in values.items() if value}


def described(root: Part, identity: str) -> Mail:
    """Return what the header of a message says, without its body."""
    first = root.first
    raw_date = mail_headers.text(first(b"date"))
    references = mail_headers.ids(first(b"references"))
    parents = mail_headers.ids(first(b"in-reply-to"))
    ids = mail_headers.ids(first(b"message-id"))
    index = mail_headers.base64(first(b"thread-index")[:200])
    listed = mail_headers.text(first(b"list-id"))
    date = mail_headers.date(raw_date)
    return Mail(
        id=identity,
        subject=mail_headers.text(first(b"subject"))[:1000],
        sender=mail_headers.addresses(first(b"from") or first(b"sender") or first(b"return-path")),
        to=mail_headers.addresses(_all(root, b"to") or first(b"apparently-to") or first(b"delivered-to")),
        cc=mail_headers.addresses(_all(root, b"cc")),
        date=date or _arrival(root),
        shown_date=raw_date[:100] if date else "",
        message_id=ids[0] if ids else "",
        in_reply_to=parents[0] if parents else "",
        references=references,
        conversation=index[:22].hex(),  # MS-OXOMSG, 2.2.1.3; the bytes behind are of the answers in it
        list_id=listed.rpartition("<")[2].rstrip("> ")[:200],
    )


def _all(root: Part, name: bytes) -> bytes:
    """Return the values of all fields of this name; some programs write one field for each recipient."""
    return b", ".join(value for each, value in root.fields[:500] if each == name and value.strip())


def _arrival(root: Part) -> str:
    """Return when a message without a usable date was received, by the servers it passed, newest first."""
    for name, value in root.fields:
        if name in (b"received", b"delivery-date", b"x-received", b"resent-date", b"posted-date"):
            found = mail_headers.date(mail_headers.text(value).rpartition(";")[2])
            if found:
                return found
    return ""


def plain(text: str) -> Body:
    """Return plain text as a body: line ends made one, a block for each paragraph and each item of a list."""
    text = text[:MAX_BODY]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.strip("\n\t\x0b\x0c \xa0\ufeff")
    blocks = []
    for match in _PARAGRAPH.finditer(text):
        start, end = match.span()
        if _ITEM.match(match[0]):
            blocks.append(Block(start, end, "item"))
        else:
            blocks.append(Block(start, end))
    return Body(text, tuple(blocks))


def flowed(text: str, *, delete_space: bool) -> str:
    """Join the lines of format=flowed text that end in a space (RFC 3676); quoted ones only with their own depth."""
    lines: list[str] = []
    depth, open_line = -1, False
    for raw in text.replace("\r\n", "\n").split("\n"):
        content = raw.lstrip(">")
        own = len(raw) - len(content)
        content = content.removeprefix(" ")  # space-stuffing
        flows = content.endswith(" ") and content != "-- "
        joined = content[:-1] if flows and delete_space else content
        if open_line and own == depth and content != "-- ":
            lines[-1] += joined
        else:
            lines.append(f"{'>' * own} {joined}" if own else joined)
        depth, open_line = own, flows
    return "\n".join(lines)


def web(markup: str) -> Body:
    """Return HTML as a body."""
    page = html.read(markup[:MAX_BODY], scripts=False)
    return Body(page.text, page.blocks, page.marks, page.hidden, page.title)


def better(text: str, markup: str) -> Body:
    """Return the better of a message's plain and its HTML form: the plain one unless it is empty or a stub."""
    body = plain(text)
    if not markup.strip():
        return web(text) if len(_TAG.findall(text[:20000])) > 10 else body
    size = len(body.text)
    if size > 2000 and not _TAG.search(body.text[:2000]):
        return body
    page = web(markup)
    seen = len(page.text) - page.hidden
    if not body.text or len(_TAG.findall(body.text[:20000])) > 4:
        return page if page.text else body
    told_to_look = size < 600 and _STUB.search(body.text)
    if (told_to_look and seen > size) or seen > 4 * size + 400:
        return page
    return body
