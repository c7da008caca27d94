"""A passage taken apart into what may be quoted: sentences, table rows, list items, a mail's fields; each by place."""

import itertools
import re

_LINE = re.compile(r"[^\r\n\v\f\x85\u2028\u2029]+")
_DELIMITED = re.compile(r"(?:[^,;]*[,;](?! )){3}")
_OPENS = re.compile(
    r"\s*(?:[-*•–—·▪◦>#|]|\(?\d{1,3}(?:\.\d{1,3})*[.)]?\s|\(?[a-zA-Z][.)]\s|\(?[ivx]{1,4}[.)]\s"
    r"|[A-Z][\w /.'’-]{0,38}:\s)"
)
_FIGURE = re.compile(r"\D[£€$]?\d[\d.,]*\s*$")  # a table's row whose columns only spaces part ends in one
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9À-ÖØ-Þ£€$#•–—-])|[。！？]+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“])(?:[A-Za-zÀ-Þ]|Mr|Mrs|Ms|Dr|Prof|Rev|Hon|St|Mt|Nos?|Art|Arts|Sec|Sect|cl|para|pp?|vol|ed|eds|fig|figs"
    r"|approx|ca|cf|vs?|etc|Inc|Corp|Ltd|Co|Cos|Bros|LLC|Jr|Sr|tel|ext|ref|dept|est|incl|excl|max|min|Jan|Feb|Mar|Apr"
    r"|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|(?:[A-Za-z]\.)+[A-Za-z])$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\s*\(?(?:\d{1,3}(?:\.\d{1,3})*|[ivxIVX]{1,5}|Section \d+|Clause \d+|Article \d+)$")

LONGEST = 320
"""characters of a statement"""


def sentences(text: str) -> list[tuple[int, int]]:
    """The places of all sentences of `text`, in order, half-open, without the white space around them.

    Lines that were broken by a page's or a mail's width are joined (the sentence then holds the break); lines that
    stand for themselves, such as rows, items, fields and addresses, are not.
    """
    found = []
    for start, end in _units(text):
        at = start
        for stop in _END.finditer(text, start, end):
            before = text[at : stop.start()]
            if text[stop.start()] == "." and (_ABBREVIATION.search(before) or _NUMBERED.fullmatch(before)):
                continue
            found.append((at, stop.end()))
            at = stop.end()
        found.append((at, end))
    return [kept for kept in (_trimmed(text, start, end) for start, end in found) if kept[0] < kept[1]]


def is_row(text: str) -> bool:
    """Whether `text` looks like a table's row."""
    if "\t" in text or " | " in text or text.lstrip().startswith("|") or text.count(";") >= 3:
        return True
    return text.count(",") >= 3 and bool(_DELIMITED.match(text))


def window(text: str, start: int, end: int, wanted: list[tuple[int, int]]) -> tuple[int, int]:
    """The part of a sentence of at most `LONGEST` characters that holds most of `wanted`, cut between words.

    `wanted` are places in `text`. Cuts after a clause (`;`, `,`, `:`) are taken where one is near.
    """
    if end - start <= LONGEST:
        return start, end
    starts = [start, *(each[0] for each in wanted if start < each[0] < end)]
    best = max(starts, key=lambda at: (sum(at <= a and b <= at + LONGEST for a, b in wanted), -at))
    inside = [b for a, b in wanted if best <= a and b <= best + LONGEST]
    # What is wanted stands in the middle: half of the room that is left goes before it.
    room = LONGEST - (max(inside, default=best) - best)
    first = max(start, best - room // 2)
    if first > start:
        clause = [m.end() for m in re.finditer(r"[;,:.]\s+", text[first:best])]
        space = [m.end() for m in re.finditer(r"\s+", text[first : best + 1])]
        first += (clause or space or [best - first])[0]
    last = min(end, first + LONGEST)
    if last < end:
        cut = list(re.finditer(r"\s+", text[first : last + 1]))
        last = first + cut[-1].start() if cut and cut[-1].start() > 0 else last
    return _trimmed(text, first, last)


def _units(text: str) -> list[tuple[int, int]]:
    """Runs of lines that belong together."""
    units: list[tuple[int, int]] = []
    block: list[tuple[int, int]] = []
    for found in _LINE.finditer(text):
        start, end = found.span()
        if not text[start:end].strip():
            units += _joined(text, block)
            block = []
        elif block and text.count("\n", block[-1][1], start) + text.count("\f", block[-1][1], start) > 1:
            units += _joined(text, block)
            block = [(start, end)]
        else:
            block.append((start, end))
    return units + _joined(text, block)


def _joined(text: str, lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not lines:
        return []
    width = max(end - start for start, end in lines)
    units = [lines[0]]
    for (start, end), (following, stop) in itertools.pairwise(lines):
        line, after = text[start:end], text[following:stop]
        # A broken line would have had no room for the next line's first word.
        full = end - start + 1 + len(after.split(maxsplit=1)[0]) >= width * 0.85 and width >= 50
        apart = (
            is_row(line)
            or is_row(after)
            or _OPENS.match(after)
            or line.rstrip().endswith((":", "|"))
            or (_FIGURE.search(line) and _FIGURE.search(after))
            or not (full or after.lstrip()[:1].islower())
        )
        if apart:
            units.append((following, stop))
        else:
            units[-1] = (units[-1][0], stop)
    return units


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
