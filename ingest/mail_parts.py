"""The parts of a message, each put where it belongs: body, attachment, or nothing that a reader would miss."""

import functools
import re
from dataclasses import dataclass, field

from ingest import mail_document, mail_headers, mail_mime, smime, tnef
from ingest.mail_attachments import Attached
from ingest.mail_document import Body
from ingest.mail_mime import Part

_SMALL_PICTURE = 100 << 10  # bytes; logos, rules and smileys, as opposed to a scan that someone pasted
_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")


@dataclass(slots=True)
class Found:
    """A message's parts by what they are for."""

    bodies: list[Body] = field(default_factory=list)
    attachments: list[Attached] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """what the user should know"""
    complaints: list[str] = field(default_factory=list)
    """what could not be read"""


def sort(root: Part) -> Found:
    """Return what a message consists of. Never raises."""
    found = Found()
    _sort(root, found)
    found.complaints.extend(part.complaint for part in root.walk() if part.complaint)
    return found


def _sort(part: Part, found: Found) -> None:
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


def _sort_other(part: Part, found: Found) -> None:
    kind = part.kind
    if kind in _SIGNATURES or kind in ("application/applefile", "text/x-amp-html", "application/pgp-encrypted"):
        return
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        open_envelope(part.content(), found)
        return
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or part.filename.lower() == "winmail.dat":
        _unwrap(part.content(), found)
        return
    if kind in ("message/external-body", "message/partial"):
        found.notes.append(f"a part of it is kept elsewhere ({kind})")
        return
    if kind.startswith("image/") and _is_decoration(part):
        return
    found.attachments.append(Attached(part.filename, kind, part.content))


def open_envelope(content: bytes, found: Found) -> None:
    """Take a message out of its S/MIME signature; one that is encrypted stays closed."""
    # Outlook keeps a message that is signed beside its text as the MIME that it was.
    signed = content if content[:13].lower() == b"content-type:" else smime.signed_content(content)
    if signed is None:
        found.notes.append(_encrypted("S/MIME"))
        return
    inner = sort(mail_mime.parse(signed))
    found.bodies += inner.bodies
    found.attachments += inner.attachments
    found.notes += inner.notes
    found.complaints += inner.complaints


def _unwrap(content: bytes, found: Found) -> None:
    """Take out what Outlook wraps in winmail.dat: the files, and the body where the message has none besides."""
    try:
        wrapped = tnef.read(content)
    except tnef.TnefError as error:
        found.complaints.append(f"winmail.dat, Outlook's own wrapping, could not be opened: {error}")
        return
    body = mail_document.better(*wrapped.bodies)
    if body.text and not any(each.text for each in found.bodies):
        found.bodies.append(body)
    found.attachments += wrapped.attachments


def _encrypted(method: str) -> str:
    return f"the message is encrypted with {method}; only its header is readable"


def _is_decoration(part: Part) -> bool:
    """Tell whether a picture belongs to the body's looks rather than being something that was sent."""
    size = (part.end - part.start) * 3 // 4
    if part.within == "multipart/related" and size < _SMALL_PICTURE:
        return True
    if part.disposition == "attachment" and part.filename:
        return False
    placed = bool(part.first(b"content-id") or part.first(b"content-location") or part.disposition == "inline")
    return not part.filename or (placed and size < _SMALL_PICTURE)


def _choose(part: Part, found: Found) -> None:
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


def _forms(part: Part, texts: list[str], pages: list[str], rest: list[Part], found: Found) -> None:
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


def _body(part: Part, found: Found) -> Body:
    if part.kind == "text/html":
        return mail_document.better("", _markup(part))
    text = _text(part)
    if part.kind in ("text/enriched", "text/richtext"):
        text = re.sub(r"<[^<>]{1,100}>", "", text.replace("<<", "\x01")).replace("\x01", "<")
    if "\nend" in text and ("\nbegin " in text or text.startswith("begin ")):
        text = _without_uuencoded(text, found)
    return mail_document.better(text, "") if part.kind == "text/plain" else mail_document.plain(text)


def _without_uuencoded(text: str, found: Found) -> str:
    """Return the text less the files that old programs wrote into it; they become attachments."""
    raw = text.encode("utf-8", "replace")
    kept, at = [], 0
    for name, content, start, end in mail_mime.uuencoded(raw):
        found.attachments.append(Attached(name, "application/octet-stream", functools.partial(bytes, content)))
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
