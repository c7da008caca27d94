"""Quoted replies and signatures: which lines of a message are its sender's own words.

What is marked is kept and shown but not indexed, since the quoted message is indexed as itself. So a mark must be
earned: only a reply quotes; what is forwarded, and what stands in a message without any words of its own, is content.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vault.records import Block

_REPLY = re.compile(
    r"\s*(?:re|aw|antw|sv|vs|ref|rif|odp|ynt|res|r|bls|atb|hå|回复|回覆|答复|答覆|返信)\s*(?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：]",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\s*(?:fw|fwd|wg|tr|rv|enc|i|doorst|vl|vb|videresendt|pd|fs|továbbítás|转发|轉寄|転送)\s*(?:\[\d+\])?\s*[:：]",
    re.IGNORECASE,
)
# "Original message" as Outlook and its like write it between dashes, and how a forwarded one is headed.
_ORIGINAL = re.compile(
    r"[>\s]*-{2,}\s*(?:original (?:message|appointment|e-?mail)|"
    r"(?:ursprüngliche|original) ?-?nachricht|message d.origine|"
    r"message original|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|"
    r"ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|opprinnelig melding|alkuperäinen viesti|"
    r"(?:oryginalna wiadomość|wiadomość oryginalna)|původní zpráva|eredeti üzenet|özgün (?:ileti|mesaj)|"
    r"исходное сообщение|原始邮件|原始郵件|元のメッセージ)\s*-{2,}",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[>\s]*(?:-{2,}\s*(?:forwarded (?:message|by)|forward by|weitergeleitete nachricht|"
    r"message (?:transféré|réexpédié)|"
    r"mensaje reenviado|mensagem encaminhada|messaggio inoltrato|doorgestuurd bericht|vidarebefordrat meddelande|"
    r"videresendt meddelelse|videresendt melding|przekazana wiadomość|přeposlaná zpráva|"
    r"пересылаемое сообщение|пересланное сообщение|转发的邮件|转发邮件|転送メッセージ)|"
    r"begin forwarded message|anfang der weitergeleiteten|début du message (?:réexpédié|transféré)|"
    r"inizio (?:del )?messaggio inoltrato|inicio del mensaje reenviado|"
    r"início da mensagem (?:encaminhada|reencaminhada)|"
    r"begin doorgestuurd bericht)",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|schreibt|a écrit|écrit|escribió|escribio|ha scritto|scrive|schreef|geschreven|escreveu|"
    r"skrev|kirjoitti|napisał\(?a?\)?|napisala?|napsal\(?a?\)?|írta|yazdı|пишет|писал\(?а?\)?|написал\(?а?\)?|έγραψε)\b|"
    r"写道|寫道|の?書き込み|さんは書きました",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{1,2}[:.h]\d{2}")
_DATED = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b(?:19|20)\d\d\b|\d年|\d{1,2}[:.h]\d{2}")
_MARKED = re.compile(r"[ \t]{0,4}>(?!From )|[A-Z][A-Za-z]{0,3}>[ \t]")  # `> text`, and `JD> text` with initials
# Labels of a quoted message's header, by what they mean.
_FROM = "from|von|de|da|van|från|fra|od|lähettäjä|feladó|kimden|gönderen|от|от кого|发件人|寄件者|差出人"
_SENT = (
    "sent|date|gesendet|datum|envoyé|date d'envoi|enviado(?: el)?|enviada(?: em)?|fecha|data|inviato|verzonden|"
    "skickat|sendt|dato|wysłano|odesláno|lähetetty|elküldve|gönderildi|tarih|отправлено|дата|发送时间|寄件日期|送信日時"
)
_TO = "to|an|à|para|a|aan|till|til|do|komu|vastaanottaja|címzett|kime|кому|收件人|收件者|宛先"
_SUBJECT = (
    "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|temat|předmět|aihe|tárgy|konu|тема|主题|主旨|件名"
)
_OTHER = "cc|bcc|kopie|importance"
_LABEL = re.compile(
    rf"[>\s*]*(?:(?P<from>{_FROM})|(?P<sent>{_SENT})|(?P<to>{_TO})|(?P<subject>{_SUBJECT})|(?P<other>{_OTHER}))"
    r"\s*\*?\s*[:：]",
    re.IGNORECASE,
)
_DIVIDER = re.compile(r"\s*(?:_{5,}|-{5,}|={5,})\s*$")
_SENT_FROM = re.compile(
    r"\s*(?:sent (?:from|via) (?:my |mail|outlook|yahoo|proton|samsung|the )|get outlook for |sent with proton|"
    r"von meinem .{1,40} gesendet|gesendet (?:von|mit|aus) (?:meinem |mail|outlook|der )|"
    r"envoyé (?:de mon|depuis|à partir de) |enviado (?:desde|do|a partir do) |inviato da(?:l mio)? |"
    r"verzonden (?:vanaf|met|via) |skickat från |sendt fra |wysłan[oe] z |lähetetty |отправлено (?:с|из) )",
    re.IGNORECASE,
)
_LIST_FOOTER = re.compile(r"https?://|mailing list|unsubscribe|@", re.IGNORECASE)
_HEADER_REACH = 12  # lines within which a quoted header shows its labels
_NOTES_REACH = 40  # lines; Lotus Notes folds a long list of recipients
_LONGEST_SIGNATURE = 20  # lines with text below `-- `; RFC 3676 speaks of 4, lawyers of more
_LONGEST_ATTRIBUTION = 4  # lines over which "On … wrote:" is folded


@dataclass(slots=True)
class _Line:
    start: int
    end: int
    block: int
    text: str
    """stripped"""


def mark(text: str, blocks: Sequence[Block], marks: Sequence[str], subject: str, *, answers: bool) -> tuple[Block, ...]:
    """Return `blocks` with what is quoted as `quote` and what is a signature as `signature`, split where needed.

    `marks` are those of `html.Page`, or empty for plain text. `answers`: the message names another as the one that
    it replies to. A forwarded message, and all of a message that has no words of its own, stays content.
    """
    lines = _split(text, blocks)
    forward = bool(_FORWARD.match(subject))
    reply = not forward and (answers or bool(_REPLY.match(subject)))
    kinds = [marks[line.block] if marks else "" for line in lines]
    _signatures_and_quotes(lines, kinds, reply=reply, forward=forward)
    kinds = ["" if kind == "blockquote" else kind for kind in kinds]
    if not any(not kind and _has_words(line.text) for kind, line in zip(kinds, lines, strict=True)):
        kinds = [""] * len(kinds)
    return _rebuilt(lines, kinds, blocks)


def _split(text: str, blocks: Sequence[Block]) -> list[_Line]:
    lines = []
    for number, block in enumerate(blocks):
        at = block.start
        for piece in text[block.start : block.end].split("\n"):
            lines.append(_Line(at, at + len(piece), number, piece.strip()))
            at += len(piece) + 1
    return lines


def _has_words(text: str) -> bool:
    return any(each.isalnum() for each in text)


def _signatures_and_quotes(lines: list[_Line], kinds: list[str], *, reply: bool, forward: bool) -> None:
    """Fill in `kinds`, one for each line; the order of the rules is that in which programs nest them."""
    own = False  # the sender has said something above
    at = 0
    while at < len(lines):
        line = lines[at].text
        if _FORWARDED.match(line):
            _content(kinds, at)
            return
        if not kinds[at] or kinds[at] == "blockquote":
            span = _quote_at(lines, kinds, at, own=own)
            if span and (reply or span.sure):
                if forward or (span.end == len(lines) and not own):
                    _content(kinds, at)
                    return
                first = span.first
                kinds[first : span.end] = ["quote"] * (span.end - first)
                at = span.end
                continue
            end = _signature_at(lines, kinds, at, own=own)
            if end:
                kinds[at:end] = ["signature"] * (end - at)
                at = end
                continue
            own = own or _has_words(line)
        elif kinds[at] == "quote" and forward:
            _content(kinds, at)
            return
        elif kinds[at] == "quote" and not reply and not own:
            kinds[at] = ""
        at += 1


def _content(kinds: list[str], start: int) -> None:
    kinds[start:] = [""] * (len(kinds) - start)


@dataclass(slots=True)
class _Span:
    first: int
    end: int
    sure: bool
    """quoted beyond doubt, also where no field says that the message is a reply"""


def _quote_at(lines: list[_Line], kinds: list[str], at: int, *, own: bool) -> _Span | None:
    """Return the quotation whose first sign is line `at`, if there is one."""
    line = lines[at].text
    if line[:1] == ">" or (line[1:5].find(">") >= 0 and _MARKED.match(line)):
        end = _marked_end(lines, at)
        # One line with a mark may be a shell's prompt or a figure of speech; initials need company too.
        return _Span(at, end, sure=False) if end - at > 1 or line[:1] == ">" else None
    if line[-1:] in (":", "：") or kinds[at] == "blockquote":
        found = _attribution(lines, kinds, at, own=own)
        if found:
            return found
    if line[:1] in "-> " and _ORIGINAL.match(line):
        return _Span(at, len(lines), sure=False)
    if _DIVIDER.match(line) and at + 1 < len(lines) and _header_at(lines, at + 1):
        return _Span(at, len(lines), sure=False)
    if ":" in line[:24] and own:
        if _header_at(lines, at):
            return _Span(at, len(lines), sure=False)
        first = _notes_header(lines, at)
        if first is not None:
            return _Span(first, len(lines), sure=False)
    return None


def _marked_end(lines: list[_Line], at: int) -> int:
    """Return the line after a run of marked lines; empty ones between them belong to it, and what was wrapped."""
    end = at + 1
    following = end
    while following < len(lines):
        text = lines[following].text
        if _MARKED.match(text):
            end = following + 1
        elif text and not _wrapped(lines, following):
            return end
        following += 1
    return end


def _wrapped(lines: list[_Line], at: int) -> bool:
    """Tell whether a line is the end of the marked one above it, cut off by a program that wraps at 76 characters."""
    text, above = lines[at].text, lines[at - 1].text
    goes_on = at + 1 < len(lines) and lines[at + 1].text[:1] == ">"
    return goes_on and len(text) < 25 and text[:1].islower() and len(above) > 65 and above[:1] == ">"


def _attribution(lines: list[_Line], kinds: list[str], at: int, *, own: bool) -> _Span | None:
    """Return the quotation that "On … wrote:", ending in line `at`, introduces."""
    first, joined = _folded(lines, kinds, at)
    verb = _WROTE.search(joined)
    named = "@" in joined and _TIME.search(joined)
    if len(joined) > 400 or not (verb or named):
        return None
    following = at + 1
    while following < len(lines) and not lines[following].text:
        following += 1
    if following >= len(lines):
        return None
    if lines[following].text[:1] == ">":
        return _Span(first, _marked_end(lines, following), sure=True)
    if kinds[following] in ("quote", "blockquote"):
        end = following
        while end < len(lines) and kinds[end]:
            end += 1
        return _Span(first, end, sure=True)
    dated = _DATED.search(joined)
    # Without marks nothing tells where the quotation ends; below the sender's own words it is to the end.
    if own and verb and dated and _first_of_paragraph(lines, first):
        return _Span(first, len(lines), sure=False)
    return None


def _folded(lines: list[_Line], kinds: list[str], at: int) -> tuple[int, str]:
    """Return the first line of an attribution that ends in line `at`, and all of it: up to the line with the date."""
    joined = lines[at].text
    for first in range(at, max(-1, at - _LONGEST_ATTRIBUTION), -1):
        if first < at:
            above = lines[first]
            if above.block != lines[at].block or not above.text or kinds[first] == "quote":
                break
            joined = f"{above.text} {joined}"
        if _DATED.search(joined):
            return first, joined
    return at, lines[at].text


def _first_of_paragraph(lines: list[_Line], at: int) -> bool:
    """Tell whether line `at` opens its block or stands below an empty line."""
    return at == 0 or lines[at - 1].block != lines[at].block or not lines[at - 1].text


def _header_at(lines: list[_Line], at: int) -> bool:
    """Tell whether line `at` opens the header that Outlook puts above what it quotes: From, Sent, To, Subject."""
    first = _LABEL.match(lines[at].text)
    if not first or not first["from"]:
        return False
    found: set[str] = set()
    for line in lines[at : at + _HEADER_REACH]:
        label = _LABEL.match(line.text)
        if label:
            found.update(name for name, value in label.groupdict().items() if value)
    return "subject" in found and bool(found & {"sent", "to"})


def _notes_header(lines: list[_Line], at: int) -> int | None:
    """Return where the header begins that Lotus Notes puts above what it quotes: a name, a date, To, cc, Subject."""
    label = _LABEL.match(lines[at].text)
    if not label or not label["to"]:
        return None
    above = [number for number in range(max(0, at - 4), at) if lines[number].text]
    dated = [number for number in above if _DATED.search(lines[number].text) and _TIME.search(lines[number].text)]
    if not dated:
        return None
    labels = [_LABEL.match(line.text) for line in lines[at + 1 : at + _NOTES_REACH]]
    if not any(each and each["subject"] for each in labels) or not any(each and each["other"] for each in labels):
        return None
    first = dated[-1]
    if first and lines[first - 1].text and not _has_words_of_prose(lines[first - 1].text):
        first -= 1  # the name stands above the date
    return first


def _has_words_of_prose(text: str) -> bool:
    return len(text.split()) > 6 or text[-1:] in ".!?"


def _signature_at(lines: list[_Line], kinds: list[str], at: int, *, own: bool) -> int:
    """Return the line after the signature that begins at line `at`, or 0."""
    line = lines[at].text
    if not own:
        return 0
    if line == "--" or (line[:1] == "_" and len(line) >= 20 and _DIVIDER.match(line)):
        end = at + 1
        content: list[str] = []
        while end < len(lines) and not kinds[end] and not _starts_quote(lines, kinds, end):
            if lines[end].text:
                content.append(lines[end].text)
            if len(content) > _LONGEST_SIGNATURE:
                return 0
            end += 1
        if not content:
            return 0
        if line != "--" and not (len(content) <= 8 and any(_LIST_FOOTER.search(each) for each in content)):
            return 0
        return end
    if len(line) < 80 and _SENT_FROM.match(line):
        return at + 1
    return 0


def _starts_quote(lines: list[_Line], kinds: list[str], at: int) -> bool:
    line = lines[at].text
    return bool(_FORWARDED.match(line) or _ORIGINAL.match(line) or (line and _quote_at(lines, kinds, at, own=True)))


def _rebuilt(lines: list[_Line], kinds: list[str], blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Return the blocks cut where a kind changes; neighbours of the same mark are joined into one."""
    made: list[Block] = []
    previous, marked = -1, False
    for line, mark in zip(lines, kinds, strict=True):
        if not line.text:
            continue
        source = blocks[line.block]
        kind = "" if source.kind == "hidden" else mark  # what was not to be seen stays named as that, quoted or not
        goes_on = (kind and made and made[-1].kind == kind) or (not kind and not marked and previous == line.block)
        if goes_on:
            begun = made[-1]
            made[-1] = Block(begun.start, line.end, begun.kind, begun.level, begun.page)
        else:
            made.append(Block(line.start, line.end, kind or source.kind, 0 if kind else source.level, source.page))
        marked = bool(kind)
        previous = line.block
    return tuple(made)
