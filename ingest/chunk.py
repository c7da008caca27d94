"""A document's text to chunks of about 200 tokens: what is retrieved and cited.

Invariant, held by a property test: the chunks are in order, do not overlap, lie inside the text, and together hold
every character of it that is no white space and in no quoted reply, signature, running head or hidden text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.seen import seen
from vault.records import Block, Chunk, Document

CountTokens = Callable[[Sequence[str]], list[int]]

WINDOW = 254  # tokens of the embedding model's 256 that are left after [CLS] and [SEP]
TARGET = 200  # tokens of a chunk: the whole window finds no better, and a citation this long is still read at a glance
_PREFIX_CHARACTERS = 140  # bounds on what stands before a chunk in the model's window, so that
_HEADING_CHARACTERS = 80  # at least 34 tokens are left for its text even where every character is a token
_MOST = TARGET * 20  # characters of a chunk: a word of over 100 letters is one token to the model
_LEAST = 24  # tokens of text that a chunk may always have

_SKIPPED = frozenset({"quote", "signature", "furniture", "hidden"})

# How strong a cut before a unit of text is, and from how many tokens on a chunk is ended there although more would fit.
_PART, _LINE, _PARAGRAPH, _CLAUSE, _HEADING, _WALL = range(6)
_ENOUGH = {_CLAUSE: TARGET * 3 // 5, _HEADING: TARGET // 4, _WALL: 0}

_SEPARATOR = " › "

# Begins where white space begins: looked for again from within a megabyte of blanks, it would take half an hour.
_BREAK = re.compile(r"(?<![ \t\r\f\v])(?:[ \t\r\f\v]*+\n){2,}[ \t]*|\f")
_CLAUSE_START = re.compile(
    r"(?m)^[ \t]*(?="
    r"(?:ARTICLE|Article|SECTION|Section|CLAUSE|Clause|SCHEDULE|Schedule|EXHIBIT|Exhibit|ANNEX|Annex|§)\s*[\dA-Z]"
    r"|\d{1,3}(?:\.\d{1,3}){0,4}[.)]?[ \t]+[A-Z\"“]|\([a-z]{1,4}\)[ \t]|[A-Z]\.[ \t]+[A-Z]|[•▪‣*-][ \t])"
)
_SENTENCE = re.compile(r"(?<=[.!?;:])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+")
_WORD = re.compile(r"\S+\s*")


@dataclass(slots=True)
class _Unit:
    """A run of text that is only cut where it is too long by itself."""

    start: int
    end: int
    cut: int
    """how strong the cut before it is"""
    heading: str
    """the heading path it stands under, with the table's header for a row"""
    tokens: int = 0


def chunk(document: Document, count_tokens: CountTokens, prefix: str = "") -> list[Chunk]:
    """Cut `document` at headings, clauses, paragraphs, table rows and mail parts, into chunks of about 200 tokens.

    `count_tokens` gives the embedding model's number of tokens of each text; `prefix` is what every chunk is embedded
    with (see `prefix`), so that both fit the model's window together. A paragraph that does not fit is cut between
    sentences, else between words, else anywhere. Quoted replies and signatures are left out; so are a mail's header
    fields, unless the mail has no other text.
    """
    text = document.text
    units = list(_units(document, skip_fields=True)) or list(_units(document, skip_fields=False))
    if not units:
        return []
    for unit, tokens in zip(units, count_tokens([text[u.start : u.end] for u in units]), strict=True):
        unit.tokens = tokens
    headings = sorted({unit.heading for unit in units})
    before = count_tokens([prefix, *(_shortened(heading) for heading in headings)])
    room = {
        heading: max(_LEAST, WINDOW - before[0] - tokens) for heading, tokens in zip(headings, before[1:], strict=True)
    }
    fitting = [
        piece
        for unit in units
        for piece in (
            (unit,)
            if unit.tokens <= room[unit.heading] and unit.end - unit.start <= _MOST
            else _pieces(unit, text, count_tokens, min(TARGET, room[unit.heading]))
        )
    ]
    return list(_packed(fitting, room))


def prefix(document: Document, name: str) -> str:
    """What every chunk of `document` is embedded with: its title, and for mail its sender and date; 140 characters.

    The title is its own or its subject, else the name of its file without the ending, else its opening. Taken once,
    when the content is first seen, and kept: moving or renaming the file must not cost an embedding.
    """
    of_file = re.sub(r"[_\-]+|\.\w{1,5}$", " ", name)
    title = _plain(document.title) or _plain(of_file) or _plain(seen(document.text, document.blocks)[:200])
    who = ""
    if document.kind == "mail":
        sender = _plain(document.metadata.get("sender", "")).split("<")[0].strip(' "') or _plain(
            document.metadata.get("sender", "")
        )
        who = ", ".join(part for part in (sender[:40], document.metadata.get("date", "")[:10]) if part)
    room = _PREFIX_CHARACTERS - len(who) - 3
    return f"{title[:room].rstrip()} ({who})" if who else title[:room].rstrip()


def embedded(prefix: str, heading: str, text: str) -> str:
    """What the embedding model reads of a chunk: prefix, heading path (without what the chunk opens with), text."""
    path = heading.split(_SEPARATOR)
    if path and text.startswith(path[-1]):
        path.pop()
    return "\n".join(part for part in (prefix, _shortened(_SEPARATOR.join(path)), text) if part)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _shortened(heading: str) -> str:
    """The end of a heading path: the nearest headings say most."""
    return heading if len(heading) <= _HEADING_CHARACTERS else "…" + heading[-_HEADING_CHARACTERS + 1 :]


def _units(document: Document, *, skip_fields: bool) -> Iterator[_Unit]:
    """The indexed text as units: what blocks name, and what lies between them, cut at paragraphs and clauses."""
    text = document.text
    path: list[tuple[int, str]] = []
    header = ""
    wall = True  # what was left out, or a change between table and prose: never in one chunk
    in_table = False
    for block in _with_gaps(document):
        skipped = block.kind in _SKIPPED or (block.kind == "fields" and skip_fields)
        is_table = block.kind in ("header", "row")
        if skipped or is_table != in_table:
            wall = True
        in_table = is_table
        if skipped:
            continue
        if block.kind == "heading":
            title = _plain(text[block.start : block.end])
            path = [entry for entry in path if entry[0] < max(1, block.level)] + [(max(1, block.level), title)]
        if block.kind == "header":
            header = _plain(text[block.start : block.end])
        elif not is_table:
            header = ""
        where = [title for _, title in path]
        if block.kind == "row" and header:
            where.append(header[:_HEADING_CHARACTERS])
        heading = _SEPARATOR.join(where)
        first = {"heading": _HEADING, "row": _LINE, "header": _CLAUSE, "item": _LINE}.get(block.kind, _PARAGRAPH)
        for start, end, cut in _split(text, block, first):
            yield _Unit(start, end, _WALL if wall else cut, heading)
            wall = False


def _with_gaps(document: Document) -> Iterator[Block]:
    """The blocks in order, and a paragraph for each stretch between them that is not blank."""
    at = 0
    for block in (*document.blocks, Block(len(document.text), len(document.text), "end")):
        start = min(max(block.start, at), len(document.text))
        if start > at and not document.text[at:start].isspace():
            yield Block(at, start)
        end = min(max(block.end, start), len(document.text))
        if end > start:
            yield Block(start, end, block.kind, block.level)
        at = end


def _split(text: str, block: Block, first: int) -> Iterator[tuple[int, int, int]]:
    """Trimmed start, end and strength of each unit in `block`."""
    if block.kind in ("heading", "row", "header"):
        cuts = [(block.start, first)]
    else:
        at = {block.start: first}
        at.update((match.end(), _PARAGRAPH) for match in _BREAK.finditer(text, block.start, block.end))
        at.update((match.end(), _CLAUSE) for match in _CLAUSE_START.finditer(text, block.start, block.end))
        cuts = sorted(at.items())
    for (start, cut), (end, _) in zip(cuts, [*cuts[1:], (block.end, 0)], strict=True):
        inner = _trimmed(text, start, end)
        if inner[0] < inner[1]:
            yield *inner, cut


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))


def _pieces(unit: _Unit, text: str, count_tokens: CountTokens, limit: int) -> list[_Unit]:
    """A unit that is too long, cut into even pieces: between sentences, then words, then anywhere."""
    for pattern in (_SENTENCE, _WORD):
        cuts = [unit.start, *(match.end() for match in pattern.finditer(text, unit.start, unit.end)), unit.end]
        spans = [_trimmed(text, a, b) for a, b in pairwise(cuts)]
        spans = [(a, b) for a, b in spans if a < b]
        if len(spans) > 1:
            break
    else:
        middle = (unit.start + unit.end) // 2
        spans = [(unit.start, middle), (middle, unit.end)]
    parts = [_Unit(a, b, _PART, unit.heading) for a, b in spans]
    for part, tokens in zip(parts, count_tokens([text[a:b] for a, b in spans]), strict=True):
        part.tokens = tokens
    # Equal pieces instead of full ones and a rest: a rest of ten words is a poor passage.
    total = sum(part.tokens for part in parts)
    even = min(limit, -(-total // max(1, -(-total // limit))) + limit // 10)
    pieces: list[_Unit] = []
    open_piece: _Unit | None = None
    for part in parts:
        if part.tokens > limit or part.end - part.start > _MOST:
            open_piece = None
            pieces += _pieces(part, text, count_tokens, limit) if part.end - part.start > 1 else [part]
        elif open_piece and open_piece.tokens + part.tokens <= even and part.end - open_piece.start <= _MOST:
            open_piece.end = part.end
            open_piece.tokens += part.tokens
        else:
            open_piece = part
            pieces.append(part)
    pieces[0].cut = unit.cut
    return pieces


def _packed(units: Sequence[_Unit], room: dict[str, int]) -> Iterator[Chunk]:
    """Neighbouring units joined to chunks; a chunk goes by the heading of its first unit."""
    rest = _tokens_to_wall(units)
    start = end = tokens = 0
    heading = ""
    for unit, left in zip(units, rest, strict=True):
        full = tokens + unit.tokens > min(TARGET, room.get(heading, TARGET))
        # What is left until the next heading still fits: better in one chunk than a short rest by itself.
        full = full and (unit.cut >= _HEADING or tokens + left > room.get(heading, 0))
        full = full or unit.end - start > _MOST
        if end and (full or tokens >= _ENOUGH.get(unit.cut, WINDOW)):
            yield Chunk(start, end, heading)
            end = 0
        if not end:
            start, tokens, heading = unit.start, 0, unit.heading
        end = unit.end
        tokens += unit.tokens
    yield Chunk(start, end, heading)


def _tokens_to_wall(units: Sequence[_Unit]) -> list[int]:
    """For each unit the tokens from it to the next heading, wall or end."""
    total = 0
    out = []
    for at in range(len(units) - 1, -1, -1):
        total += units[at].tokens
        out.append(total)
        if units[at].cut >= _HEADING:
            total = 0
    return out[::-1]
