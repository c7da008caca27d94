"""Outlook's `.msg` (MS-OXMSG): a message's MAPI properties in a compound file, with its recipients and attachments."""

import functools
import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from ingest import mail_attachments, mail_document, mail_headers, mail_mime, mail_parts, outlook, registry
from ingest.compound import Compound, Entry
from ingest.mail_attachments import Attached
from ingest.mail_document import Mail
from ingest.mail_headers import Address
from ingest.mail_mime import Part
from ingest.outlook import Properties
from ingest.registry import Context
from vault.records import Document, Problem

MAX_FILE = 256 << 20  # bytes; Outlook itself stops far below
_STREAM = re.compile(r"__substg1\.0_([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})$")
_FIXED = "__properties_version1.0"
_MAX_RECIPIENTS, _MAX_ATTACHMENTS = 5000, 5000
_CC, _BCC = 2, 3
_SMALL_PICTURE = 100 << 10  # bytes; what a body shows of logos and smileys


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the message in `file` and its attachments. Raises UnreadableError where it cannot be followed."""
    del name
    data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise registry.UnreadableError("too large: Outlook messages above 256 MiB are not read")
    compound = Compound(data)
    yield from _message(compound, compound.root, registry.digest(file), context)


def _message(compound: Compound, storage: Entry, identity: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the message in one storage: the file's own root, or that of a message attached to another."""
    properties = _properties(compound, storage, 32 if storage is compound.root else 24)
    mail = _described(properties, _recipients(compound, storage, properties), identity)
    found = mail_parts.Found()
    body = mail_document.better(*outlook.bodies(properties))
    if body.text:
        found.bodies.append(body)
    messages = _attachments(compound, storage, properties, found)
    names = [each.name for each in (*found.attachments, *(attached for attached, _ in messages)) if each.name]
    made = mail_document.document(
        replace(
            mail,
            bodies=tuple(found.bodies),
            attachments=tuple(names),
            notes=tuple(dict.fromkeys(found.notes)),
            part=context.part,
            parent=context.parent,
        )
    )
    yield replace(made, media_type="application/vnd.ms-outlook")
    for complaint in found.complaints:
        yield Problem(context.part, complaint)
    yield from mail_attachments.read(found.attachments, identity, context)
    for number, (attached, inner) in enumerate(messages, 1):
        inside = context.inside(attached.name.replace("/", "_") or f"message {number}", identity)
        if inside.depth > registry.MAX_DEPTH:
            yield Problem(inside.part, f"attachments are read {registry.MAX_DEPTH} levels deep, this one lies deeper")
            continue
        yield from _message(compound, inner, _digest(compound, inner), inside)


def _properties(compound: Compound, storage: Entry, header: int, outer: Properties | None = None) -> Properties:
    """Return the properties of a storage. `header`: bytes before the fixed ones (MS-OXMSG, 2.4.1)."""
    made = Properties(outer=outer)
    fixed = storage.children.get(_FIXED)
    if fixed:
        raw = compound.read(fixed)
        for at in range(header, len(raw) - 15, 16):
            kind, number = struct.unpack_from("<HH", raw, at)
            if kind in (outlook.LONG, outlook.BOOLEAN):
                made.values[number] = (kind, struct.unpack_from("<i", raw, at + 8)[0])
            elif kind == outlook.TIME:
                made.values[number] = (kind, struct.unpack_from("<Q", raw, at + 8)[0])
    for name, entry in storage.children.items():
        stream = _STREAM.match(name)
        if stream and not entry.is_storage:
            number, kind = int(stream[1], 16), int(stream[2], 16)
            wanted = kind in (outlook.STRING8, outlook.UNICODE, outlook.BINARY) and number != outlook.ATTACH_DATA
            # Where a text is there twice, the one in Unicode counts.
            if wanted and made.values.get(number, (0, 0))[0] != outlook.UNICODE:
                made.values[number] = (kind, compound.read(entry))
    return made


def _recipients(compound: Compound, storage: Entry, outer: Properties) -> list[tuple[int, Address]]:
    """Return kind (1 To, 2 Cc, 3 Bcc) and address of each recipient."""
    found = []
    numbered = sorted(name for name in storage.children if name.startswith("__recip_version1.0_"))
    for name in numbered[:_MAX_RECIPIENTS]:
        one = _properties(compound, storage.children[name], 8, outer)
        address = one.text(outlook.SMTP_ADDRESS) or one.text(outlook.ADDRESS)
        shown = one.text(outlook.DISPLAY_NAME).strip("'\" ")
        if shown or address:
            found.append((one.number(outlook.RECIPIENT_TYPE), Address("" if shown == address else shown, address)))
    return found


def _described(properties: Properties, recipients: list[tuple[int, Address]], identity: str) -> Mail:
    """Return who wrote what to whom and when: as the transport's header says where it was kept, else by property."""
    sent = properties.text(outlook.TRANSPORT_HEADERS).encode("utf-8", "replace")
    fields, _ = mail_mime.header(sent, 0, len(sent))
    head = mail_document.described(Part(sent, 0, 0, fields), identity)
    to = tuple(each for kind, each in recipients if kind not in (_CC, _BCC))
    cc = tuple(each for kind, each in recipients if kind == _CC)
    ids = [
        mail_headers.ids(properties.text(number).encode("utf-8", "replace"))
        for number in (outlook.MESSAGE_ID, outlook.IN_REPLY_TO, outlook.REFERENCES)
    ]
    return replace(
        head,
        subject=" ".join(properties.text(outlook.SUBJECT).split())[:1000] or head.subject,
        sender=_sender(properties, head),
        to=to or head.to or _shown(properties.text(outlook.SHOWN_TO)),
        cc=cc or head.cc or _shown(properties.text(outlook.SHOWN_CC)),
        date=head.date or properties.time(outlook.SUBMITTED, outlook.DELIVERED, outlook.CREATED),
        message_id=head.message_id or next(iter(ids[0]), ""),
        in_reply_to=head.in_reply_to or next(iter(ids[1]), ""),
        references=head.references or ids[2],
        conversation=head.conversation or properties.binary(outlook.CONVERSATION_INDEX)[:22].hex(),
    )


def _sender(properties: Properties, head: Mail) -> tuple[Address, ...]:
    if head.sender and "@" in head.sender[0].address:
        return head.sender
    name = properties.text(outlook.FROM_NAME) or properties.text(outlook.SENDER_NAME)
    numbers = (outlook.FROM_SMTP, outlook.SENDER_SMTP, outlook.FROM_ADDRESS, outlook.SENDER_ADDRESS)
    address = next((found for number in numbers if (found := properties.text(number))), "")
    name = name.strip("'\" ")
    return (Address("" if name == address else name, address),) if name or address else head.sender


def _shown(value: str) -> tuple[Address, ...]:
    """Return the recipients as Outlook shows them: names between semicolons."""
    return tuple(Address(each.strip(), "") for each in value.split(";")[:_MAX_RECIPIENTS] if each.strip())


def _attachments(
    compound: Compound, storage: Entry, outer: Properties, found: mail_parts.Found
) -> list[tuple[Attached, Entry]]:
    """Put the files that are attached into `found`; return the attached messages with their storages."""
    messages = []
    encrypted = outer.text(outlook.MESSAGE_CLASS).upper().startswith("IPM.NOTE.SMIME")
    numbered = sorted(name for name in storage.children if name.startswith("__attach_version1.0_"))
    for stored in numbered[:_MAX_ATTACHMENTS]:
        inside = storage.children[stored]
        one = _properties(compound, inside, 8, outer)
        name = one.text(outlook.ATTACH_LONG_NAME) or one.text(outlook.ATTACH_NAME) or one.text(outlook.DISPLAY_NAME)
        name = " ".join(name.replace("\\", "/").rpartition("/")[2].split())[:200]
        kind = one.text(outlook.ATTACH_TYPE).lower()
        content = inside.children.get(f"__substg1.0_{outlook.ATTACH_DATA:04X}{outlook.BINARY:04X}")
        embedded = inside.children.get(f"__substg1.0_{outlook.ATTACH_DATA:04X}{outlook.OBJECT:04X}")
        if embedded and _FIXED in embedded.children:
            messages.append((Attached(name, "message/rfc822", bytes), embedded))
        elif embedded:
            found.complaints.append(f"{name or 'an object'} is embedded in a form that only Office reads")
        elif content and encrypted and kind != "application/octet-stream" and not outer.text(outlook.BODY).strip():
            mail_parts.open_envelope(compound.read(content), found)
        elif content and not _is_decoration(one, kind, content.size):
            found.attachments.append(Attached(name, kind, functools.partial(compound.read, content)))
    if len(numbered) > _MAX_ATTACHMENTS:
        found.complaints.append(f"more than {_MAX_ATTACHMENTS} attachments; the rest is left out")
    return messages


def _is_decoration(properties: Properties, kind: str, size: int) -> bool:
    """Tell whether a picture is shown within the body and no more than a logo."""
    placed = bool(properties.text(outlook.ATTACH_CONTENT_ID)) or properties.number(outlook.ATTACH_HIDDEN) != 0
    return placed and kind.startswith("image/") and size < _SMALL_PICTURE


def _digest(compound: Compound, storage: Entry) -> str:
    """Return the id of an attached message, which has no bytes of its own: the hash of its streams by name."""
    value = hashlib.sha256()
    waiting = [("", storage)]
    while waiting:
        path, entry = waiting.pop()
        if entry.is_storage:
            waiting += [(f"{path}/{name}", entry.children[name]) for name in sorted(entry.children, reverse=True)]
            continue
        content = compound.read(entry)
        value.update(f"{path}\0{len(content)}\0".encode("utf-8", "replace"))
        value.update(content)
    return value.hexdigest()
