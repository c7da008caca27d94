"""Messages stored singly: `.eml`, Maildir's and other files without an extension, and `.mht` pages.

`parse` reads a file, `message` the bytes of one message from wherever they came (mbox, emlx): the message as a
document, then its attachments, each through the registry. A broken part is a Problem; the rest goes on.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from ingest import mail_attachments, mail_document, mail_headers, mail_mime, mail_parts, readers, registry
from ingest.mail_document import Body, Mail
from ingest.registry import Context
from vault.records import Document, Problem

MAX_MESSAGE = 128 << 20  # bytes; providers refuse messages above 50 MB


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


def preload() -> None:
    """Load what is needed and would be imported only when a message asks for it."""
    mail_headers.preload()


def message(
    data: bytes, identity: str, context: Context, *, page: bool = False, received: str = ""
) -> Iterator[Document | Problem]:
    """Yield the document of one message, then what is attached to it.

    `identity` becomes the document's id. `page`: it is a web page saved with its pictures. `received`: when it arrived
    (ISO 8601), as its container says, for a message that has no date.
    """
    root = mail_mime.parse(data)
    found = mail_parts.sort(root)
    mail = mail_document.described(root, identity)
    mail = replace(
        mail,
        date=mail.date or received,
        bodies=tuple(found.bodies),
        attachments=tuple(each.name for each in found.attachments if each.name),
        notes=tuple(dict.fromkeys(found.notes)),
        part=context.part,
        parent=context.parent,
    )
    if (reader := context.readers.get("mail")) and not page and not context.wanted:
        mail = _read_by(reader, data, mail)
    made = mail_document.document(mail)
    if mail.reader:
        made = replace(made, metadata={**made.metadata, readers.MARK: mail.reader})
    yield _as_page(made, mail) if page else made
    for complaint in found.complaints:
        yield Problem(context.part, complaint)
    yield from mail_attachments.read(found.attachments, identity, context)


def _read_by(reader: str, data: bytes, mail: Mail) -> Mail:
    """Return the mail with the reader's words in the place of the default's."""
    answers = bool(mail.in_reply_to or mail.references)
    bodies, note = readers.module(reader).bodies(data, mail.bodies, mail.subject, answers=answers)
    notes = (*mail.notes, note) if note else mail.notes
    return replace(mail, bodies=tuple(bodies), notes=notes, reader="" if note or not bodies else reader)


def _as_page(made: Document, mail: Mail) -> Document:
    """Return the document of a saved web page: no header lines, and its own title."""
    body = Body("\n\n".join(each.text for each in mail.bodies), mail.bodies[0].blocks if len(mail.bodies) == 1 else ())
    title = next((each.title for each in mail.bodies if each.title), mail.subject)
    return Document(
        made.id, "web", title, body.text, body.blocks, {}, made.part, made.parent, "multipart/related", note=made.note
    )
