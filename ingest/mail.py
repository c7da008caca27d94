"""Messages stored singly: `.eml`, Maildir's and other files without an extension, and `.mht` pages.

`parse` reads a file, `message` the bytes of one message from wherever they came (mbox, emlx): the message as a
document, then its attachments, each through the registry. A broken part is a Problem; the rest goes on.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ingest import mail_document, mail_headers, mail_mime, registry
from ingest.mail_document import Body, Mail
from ingest.mail_mime import Part
from ingest.registry import Context
from vault.records import Document, Problem

MAX_MESSAGE = 128 << 20  # bytes; providers refuse messages above 50 MB
_SMALL_PICTURE = 100 << 10  # bytes; logos, rules and smileys, as opposed to a scan that someone pasted
_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_EXTENSIONS = {
    "application/pdf": ".pdf", "text/html": ".html", "text/csv": ".csv", "text/plain": ".txt", "image/jpeg": ".jpg",
    "image/png": ".png", "text/calendar": ".ics", "application/msword": ".doc", "application/rtf": ".rtf",
    "text/rtf": ".rtf",
}  # fmt: skip


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the message in `file` and its attachments. Raises UnreadableError where there is no message."""
    data = file.read(MAX_MESSAGE + 1)
    identity = registry.digest(file)
    if len(data) > MAX_MESSAGE:
        data = data[:MAX_MESSAGE]
        yield Problem(context.part, "only the first 128 MiB of the message were read")
    if not data.strip():
        raise registry.UnreadableError("empty: the message holds only white space")
    yield from message(data, identity, context, page=name.lower().endswith((".mht", ".mhtml")))


def message(
    data: bytes, identity: str, context: Context, *, page: bool = False, received: str = ""
) -> Iterator[Document | Problem]:
    """Yield the document of one message, then what is attached to it.

    `identity` becomes the document's id. `page`: it is a web page saved with its pictures. `received`: when it arrived
    (ISO 8601), as its container says, for a message that has no date.
    """
    root = mail_mime.parse(data)
    found = _Found()
    _sort(root, found)
    mail = _mail(root, found, identity, context, received)
    made = mail_document.document(mail)
    yield _as_page(made, mail) if page else made
    for part in root.walk():
        if part.complaint:
            yield Problem(context.part, part.complaint)
    for part_name, attached in zip(_names(found.attachments), found.attachments, strict=True):
        yield from _attachment(attached, part_name, identity, context)


@dataclass(slots=True)
class _Attached:
    """A file that a message carries."""

    name: str
    """as the sender named it, or empty"""
    kind: str
    part: Part | None
    content: bytes = b""
    """where it does not stand as a MIME part"""

    def data(self) -> bytes:
        return self.part.content() if self.part else self.content


@dataclass(slots=True)
class _Found:
    """A message's parts by what they are for."""

    bodies: list[Body] = field(default_factory=list)
    attachments: list[_Attached] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _sort(part: Part, found: _Found) -> None:
    """Put every leaf of the tree where it belongs: body, attachment, or nothing that a reader would miss."""
    kind = part.kind
    if kind == "multipart/alternative":
        _choose(part, found)
    elif kind == "multipart/encrypted":
        protocol = part.parameters.get("protocol", "")
        found.notes.append(_encrypted("PGP" if "pgp" in protocol else "a method that is not known"))
    elif kind.startswith("multipart/"):
        for child in part.children:
            _sort(child, found)
    elif _is_body(part):
        body = _body(part, found)
        if body.text:
            found.bodies.append(body)
    else:
        _sort_other(part, found)


def _is_body(part: Part) -> bool:
    if part.kind in ("message/delivery-status", "message/disposition-notification"):
        return True
    if part.kind not in ("text/plain", "text/html", "text/enriched", "text/richtext", "text/calendar"):
        return False
    if part.disposition == "attachment":
        # A part that is the whole message is its body, whatever it calls itself.
        return part.kind in ("text/plain", "text/html") and not part.filename and part.first(b"from") != b""
    return not part.filename or (part.kind == "text/plain" and part.disposition == "inline" and _short(part))


def _short(part: Part) -> bool:
    return part.end - part.start < 4000  # Apple Mail names the text between two pictures


def _sort_other(part: Part, found: _Found) -> None:
    kind = part.kind
    if kind in _SIGNATURES or kind in ("application/applefile", "text/x-amp-html", "application/pgp-encrypted"):
        return
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        smime = part.parameters.get("smime-type", "").lower()
        inner = None if "enveloped" in smime else _signed_content(part.content())
        if inner is None:
            found.notes.append(_encrypted("S/MIME"))
        else:
            _sort(mail_mime.parse(inner), found)
        return
    if kind in ("message/external-body", "message/partial"):
        found.notes.append(f"a part of it is kept elsewhere ({kind})")
        return
    if kind.startswith("image/") and _is_decoration(part):
        return
    found.attachments.append(_Attached(part.filename, kind, part))


def _encrypted(method: str) -> str:
    return f"the message is encrypted with {method}; only its header is readable"


def _is_decoration(part: Part) -> bool:
    """Tell whether a picture belongs to the body's looks rather than being something that was sent."""
    if part.disposition == "attachment" and part.filename:
        return False
    placed = bool(part.first(b"content-id") or part.first(b"content-location") or part.disposition == "inline")
    size = (part.end - part.start) * 3 // 4
    return not part.filename or (placed and size < _SMALL_PICTURE)


def _choose(part: Part, found: _Found) -> None:
    """Take the better of the forms in which a multipart/alternative gives the same content (RFC 2046, 5.1.4)."""
    texts: list[str] = []
    pages: list[str] = []
    rest: list[Part] = []
    _forms(part, texts, pages, rest, found)
    body = mail_document.better("\n\n".join(texts), "\n".join(pages))
    others = [each for each in rest if each.kind != "text/calendar" or not body.text]
    if body.text:
        found.bodies.append(body)
    for each in others:
        _sort(each, found)


def _forms(part: Part, texts: list[str], pages: list[str], rest: list[Part], found: _Found) -> None:
    for child in part.children:
        attached = child.disposition == "attachment"
        if child.kind == "text/plain" and not attached:
            texts.append(_text(child))
        elif child.kind == "text/html" and not attached:
            pages.append(_markup(child))
        elif child.kind in ("multipart/related", "multipart/alternative", "multipart/mixed", "multipart/signed"):
            _forms(child, texts, pages, rest, found)
        elif child.kind not in ("text/enriched", "text/richtext", "text/rtf", "text/x-amp-html", "text/watch-html"):
            rest.append(child)


def _body(part: Part, found: _Found) -> Body:
    if part.kind == "text/html":
        return mail_document.better("", _markup(part))
    text = _text(part)
    if part.kind in ("text/enriched", "text/richtext"):
        text = re.sub(r"<[^<>]{1,100}>", "", text.replace("<<", "\x01")).replace("\x01", "<")
    if "\nend" in text and ("\nbegin " in text or text.startswith("begin ")):
        text = _without_uuencoded(text, found)
    return mail_document.better(text, "") if part.kind == "text/plain" else mail_document.plain(text)


def _without_uuencoded(text: str, found: _Found) -> str:
    """Return the text less the files that old programs wrote into it; they become attachments."""
    raw = text.encode("utf-8", "replace")
    kept, at = [], 0
    for name, content, start, end in mail_mime.uuencoded(raw):
        found.attachments.append(_Attached(name, "application/octet-stream", None, content))
        kept.append(raw[at:start])
        at = end
    return b"".join((*kept, raw[at:])).decode("utf-8", "replace")


def _text(part: Part) -> str:
    text = mail_headers.decode(part.content(), part.parameters.get("charset", ""))
    if part.parameters.get("format", "").lower() == "flowed":
        return mail_document.flowed(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    return text


def _markup(part: Part) -> str:
    raw = part.content()
    declared = part.parameters.get("charset", "")
    if not declared and (meta := _CHARSET.search(raw[:4096])):
        declared = meta[1].decode("ascii", "replace")
    return mail_headers.decode(raw, declared)


def _mail(root: Part, found: _Found, identity: str, context: Context, received: str) -> Mail:
    """Return what the header says."""
    first = root.first
    raw_date = mail_headers.text(first(b"date"))
    references = mail_headers.ids(first(b"references"))
    parents = mail_headers.ids(first(b"in-reply-to"))
    ids = mail_headers.ids(first(b"message-id"))
    index = "".join(mail_headers.text(first(b"thread-index")).split())
    listed = mail_headers.text(first(b"list-id"))
    date = mail_headers.date(raw_date)
    return Mail(
        id=identity,
        subject=mail_headers.text(first(b"subject"))[:1000],
        sender=mail_headers.addresses(first(b"from") or first(b"sender") or first(b"return-path")),
        to=mail_headers.addresses(_all(root, b"to") or first(b"apparently-to") or first(b"delivered-to")),
        cc=mail_headers.addresses(_all(root, b"cc")),
        date=date or _arrival(root) or received,
        shown_date=raw_date[:100] if date else "",
        message_id=ids[0] if ids else "",
        in_reply_to=parents[0] if parents else "",
        references=references,
        conversation=index[:28],  # 22 bytes name the conversation (MS-OXOMSG, 2.2.1.3), the rest the answers in it
        list_id=listed.rpartition("<")[2].rstrip("> ")[:200],
        bodies=tuple(found.bodies),
        attachments=tuple(each.name for each in found.attachments if each.name),
        notes=tuple(dict.fromkeys(found.notes)),
        part=context.part,
        parent=context.parent,
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


def _as_page(made: Document, mail: Mail) -> Document:
    """Return the document of a saved web page: no header lines, and its own title."""
    body = Body(
        "\n\n".join(each.text for each in mail.bodies), mail.bodies[0].blocks if len(mail.bodies) == 1 else ()
    )
    title = next((each.title for each in mail.bodies if each.title), mail.subject)
    return Document(
        made.id, "web", title, body.text, body.blocks, {}, made.part, made.parent, "multipart/related", note=made.note
    )


def _names(attachments: list[_Attached]) -> list[str]:
    """Return a name for each attachment, unique within the message; one without a name gets its number."""
    used: set[str] = set()
    names = []
    for number, each in enumerate(attachments, 1):
        wanted = each.name.replace("/", "_") or str(number)
        stem, dot, extension = wanted.rpartition(".")
        copy = 1
        name = wanted
        while name in used:
            copy += 1
            name = f"{stem} ({copy}).{extension}" if dot and stem else f"{wanted} ({copy})"
        used.add(name)
        names.append(name)
    return names


def _attachment(attached: _Attached, part_name: str, parent: str, context: Context) -> Iterator[Document | Problem]:
    inside = context.inside(part_name, parent)
    content = attached.data()
    if not content:
        return
    kind = attached.kind
    if kind in ("message/rfc822", "message/global", "text/rfc822"):
        if inside.depth > registry.MAX_DEPTH:
            yield Problem(inside.part, f"attachments are read {registry.MAX_DEPTH} levels deep, this one lies deeper")
            return
        yield from message(content, hashlib.sha256(content).hexdigest(), inside)
        return
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or attached.name.lower() == "winmail.dat":
        yield Problem(inside.part, "Outlook's own wrapping (winmail.dat), which is not read")
        return
    name = attached.name or part_name + _EXTENSIONS.get(kind, "")
    yield from registry.parse(io.BytesIO(content), name, inside)


def _signed_content(_: bytes) -> bytes | None:
    return None
