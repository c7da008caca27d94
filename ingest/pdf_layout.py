"""From a PDF's lines to paragraphs, headings and what repeats on every page, all by geometry."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from vault.records import Block, Line

HYPHEN = "￾"
"""PDFium's mark for a hyphen at a line's end whose word goes on"""

_LABEL = re.compile(r"\(?(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})[.)]*|[•▪◦●○■□–—*·-]")
_ITEM = re.compile(r"(?:\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]|\d{1,2}(?:\.\d{1,3})+\.?|[•▪◦●○■□*·–-])\s")
_BULLET = re.compile(r"[•▪◦●○■□·]\s?")
_NAMED = re.compile(
    r"(?:ARTICLE|SECTION|ITEM|EXHIBIT|SCHEDULE|APPENDIX|ANNEX|CHAPTER|PART|ARTIKEL|ANHANG|KAPITEL)\s+[IVXLCDM\d]+\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line of text with its box in points from the page's top left."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    """height of the first character's box; 0 for what was typed into the page"""
    bold: bool
    hidden: bool = False
    """nobody sees it; see `ingest.pdf_look`"""


@dataclass(frozen=True, slots=True)
class Page:
    """What was read of one page."""

    number: int
    width: float
    height: float
    lines: tuple[PageLine, ...]
    picture: bool
    """there is no text that is seen, but something else to see"""


def arrange(pages: Sequence[Page], outline: Iterable[tuple[int, int, str]]) -> tuple[str, tuple[Block, ...]]:
    """Return the text and its blocks: a line break after each line, an empty line after each block.

    Kinds: paragraph, heading, item, and `furniture` for running headers, footers and page numbers, which are part of
    the text but not worth finding; what nobody sees of a page follows the rest of it as `hidden`. `outline` is
    (level, page, title).
    """
    unseen = {page.number: hidden for page in pages if (hidden := [line for line in page.lines if line.hidden])}
    if unseen:
        pages = [replace(page, lines=tuple(line for line in page.lines if not line.hidden)) for page in pages]
    furniture = _furniture(pages)
    body = _body_size(pages)
    levels = _levels(pages, body)
    marks: dict[int, list[tuple[str, int]]] = {}
    for depth, number, title in outline:
        marks.setdefault(number, []).append((_squeezed(title), depth))
    soft = _Hyphens(pages)
    text: list[str] = []
    blocks: list[Block] = []
    position = 0
    for page in pages:
        aside = furniture.get(page.number, frozenset())
        concealed = unseen.get(page.number, [])
        for lines in (*_paragraphs(_ordered(page.lines, page.width), aside), *([concealed] if concealed else [])):
            start, placed, previous = position, list[Line](), lines[0]
            for line in lines:
                shown = soft(line.text) if HYPHEN in line.text else line.text
                if placed:
                    text.append(" " if _beside(previous, line) else "\n")
                    position += 1
                previous = line
                placed.append(Line(position, position + len(shown), line.x0, line.y0, line.x1, line.y1))
                text.append(shown)
                position += len(shown)
            if lines is concealed:
                kind, level = "hidden", 0
            elif id(lines[0]) in aside:
                kind, level = "furniture", 0
            else:
                kind, level = _kind(lines, page.width, body, levels, marks.get(page.number, []))
            blocks.append(Block(start, position, kind, level, page.number, tuple(placed)))
            text.append("\n\n")
            position += 2
    if text:
        text.pop()
    return "".join(text), tuple(blocks)


def _ordered(lines: Sequence[PageLine], width: float) -> list[PageLine]:
    """Return the lines in the text layer's order, but clause numbers and bullets before the line they stand beside.

    Some programs write all numbers of a page first and the clauses after.
    """
    labels = [line for line in lines if line.size and len(line.text) <= 12 and _LABEL.fullmatch(line.text)]
    if not labels or len(labels) == len(lines):
        return list(lines)
    taken = set(map(id, labels))
    rest = [line for line in lines if id(line) not in taken]
    beside: dict[int, list[PageLine]] = {}
    stay: set[int] = set()
    for label in labels:
        # Baselines of one row differ by less than a third of a line; the nearest to the right is the label's own.
        row = [
            line for line in rest
            if abs(line.y1 - label.y1) < 0.35 * max(label.size, 4) and 0 <= line.x0 - label.x1 < 0.25 * width
        ]  # fmt: skip
        if row:
            beside.setdefault(id(min(row, key=lambda line: line.x0)), []).append(label)
        else:
            stay.add(id(label))
    ordered: list[PageLine] = []
    for line in lines:
        if id(line) in stay:
            ordered.append(line)
        elif id(line) not in taken:
            ordered += sorted(beside.get(id(line), ()), key=lambda label: label.x0)
            ordered.append(line)
    return ordered


def _paragraphs(lines: Sequence[PageLine], furniture: frozenset[int]) -> list[list[PageLine]]:
    """Return the lines in groups that belong together."""
    if not lines:
        return []
    steps = [
        below.y1 - above.y1 for above, below in pairwise(lines)
        if 0 < below.y1 - above.y1 < 4 * above.size
    ]  # fmt: skip
    # Not the median: on a page of headings and short paragraphs most steps are gaps.
    step = sorted(steps)[int(0.3 * len(steps))] if steps else 0.0
    right = max(line.x1 for line in lines)
    left = min(line.x0 for line in lines)
    groups: list[list[PageLine]] = [[lines[0]]]
    for above, line in pairwise(lines):
        if _parts(above, line, step, right, left) or (id(above) in furniture) != (id(line) in furniture):
            groups.append([line])
        else:
            groups[-1].append(line)
    return groups


def _parts(above: PageLine, line: PageLine, step: float, right: float, left: float) -> bool:
    """Tell whether a paragraph ends between two lines that follow each other."""
    down = line.y1 - above.y1
    if not line.size or not above.size:
        return True  # typed into the page
    if _beside(above, line):
        return False
    if down < 0 or down > 1.35 * step + 1:
        return True  # next column, or a gap
    if abs(line.size - above.size) > 0.15 * max(line.size, above.size):
        return True
    if line.bold != above.bold and (len(above.text) < 80 or line.bold):
        return True
    if _ITEM.match(line.text) or (len(line.text) <= 12 and _LABEL.fullmatch(line.text)):
        return True
    ended = above.text.endswith((".", ":", ";", "!", "?", ".”", '."'))
    short = above.x1 < right - 0.15 * (right - left)
    indented = line.x0 > above.x0 + 8
    return ended and (short or indented)


def _beside(left: PageLine, line: PageLine) -> bool:
    """Tell whether two lines stand in one row: a label and its clause, cells of a table."""
    return abs(line.y1 - left.y1) < 0.35 * max(line.size, 4) and line.x0 >= left.x1 - 1


def _kind(
    lines: Sequence[PageLine],
    width: float,
    body: float,
    levels: dict[int, int],
    marks: list[tuple[str, int]],
) -> tuple[str, int]:
    """Return what a group of lines is, and its level if a heading."""
    words = " ".join(line.text for line in lines)
    if len(words) <= 250 and marks:
        squeezed = _squeezed(words)
        for index, (title, depth) in enumerate(marks):
            numbered = len(squeezed) < len(title) + 12 and squeezed.endswith(title)
            if title and (squeezed == title or numbered):
                del marks[index]
                return "heading", depth
    if not lines[0].size:
        return "paragraph", 0
    if _BULLET.match(words):
        return "item", 0
    letters = sum(each.isalpha() for each in words)
    if len(lines) > 3 or len(words) > 200 or letters < 3 or letters < 0.4 * len(words):
        return ("item" if _ITEM.match(words) else "paragraph"), 0
    size = max(lines, key=lambda line: len(line.text)).size
    level = levels.get(round(size))
    if level and size > 1.2 * body:
        return "heading", level
    deepest = min(6, len(levels) + 1)
    upper = words.isupper() and letters > 3 and len(words) <= 80 and not words.endswith((",", ";", "-"))
    bold = all(line.bold for line in lines if len(line.text) > 3) and len(words) <= 120
    ended = words.endswith(".") and not (_ITEM.match(words) and len(words) <= 80)
    # A table's column heads are bold too, but stand at the right.
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    placed = left < 0.35 * width or abs((left + right) / 2 - width / 2) < 0.1 * width
    if placed and not words.endswith((",", ";")) and (upper or (bold and not ended)):
        return "heading", deepest
    if len(lines) == 1 and len(words) <= 80 and _NAMED.match(words) and not words.endswith((".", ",", ";")):
        return "heading", deepest
    return ("item" if _ITEM.match(words) else "paragraph"), 0


def _body_size(pages: Sequence[Page]) -> float:
    """Return the size that most characters have."""
    sizes: Counter[int] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size)] += len(line.text) if line.size else 0
    return float(sizes.most_common(1)[0][0]) if sizes else 0.0


def _levels(pages: Sequence[Page], body: float) -> dict[int, int]:
    """Return a level for each size (rounded) clearly above the body's: the largest is 1, at most four."""
    sizes: Counter[int] = Counter()
    for page in pages:
        for line in page.lines:
            if line.size > 1.2 * body and len(line.text) <= 200:
                sizes[round(line.size)] += 1
    return {size: min(rank, 4) for rank, size in enumerate(sorted(sizes, reverse=True), start=1)}


def _furniture(pages: Sequence[Page]) -> dict[int, frozenset[int]]:
    """Return for each page the `id`s of its lines that repeat, numbers aside, at the same height of many.

    Only the four topmost and bottommost lines are candidates. With fewer than three pages nothing repeats.
    """
    if len(pages) < 3:
        return {}
    counts: Counter[tuple[str, int]] = Counter()
    candidates: list[tuple[int, PageLine, tuple[str, int]]] = []
    for page in pages:
        by_height = sorted(page.lines, key=lambda line: line.y1)
        edge = {id(line): line for line in by_height[:4] + by_height[-4:]}
        seen = set()
        for line in edge.values():
            words = _squeezed(line.text)
            counts_pages = words.isdecimal() and len(words) < 6
            if 0.18 * page.height < line.y0 and line.y1 < 0.82 * page.height and not counts_pages:
                continue
            if any(_beside(line, other) or _beside(other, line) for other in page.lines if other is not line):
                continue  # a clause's number, a row's cell
            if counts_pages:  # they may stand anywhere, but they count
                key = (f"page {int(words) - page.number}", 0)
            else:
                key = (_NUMBER.sub("#", words), round(line.y0 / 6))
            candidates.append((page.number, line, key))
            seen.add(key)
        counts.update(seen)
    full = sum(bool(page.lines) for page in pages)
    found: dict[int, set[int]] = {}
    for number, line, key in candidates:
        # Heights near a rounding border fall on either side.
        repeats = counts[key] + counts[key[0], key[1] - 1] + counts[key[0], key[1] + 1]
        if repeats >= max(3, 0.4 * full):
            found.setdefault(number, set()).add(id(line))
    return {number: frozenset(lines) for number, lines in found.items()}


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


class _Hyphens:
    """Says for each hyphen at a line's end whether it belongs to the word (`non-exclusive`) or to the line break.

    The latter (`agree-ment`) is kept as a soft hyphen, U+00AD, which no search sees. The document's own other words
    decide; failing those, whether it hyphenates as a rule, which contracts made with a word processor do not (163
    hyphens on 1,772 pages, all of them the words' own), but LaTeX does.
    """

    def __init__(self, pages: Sequence[Page]) -> None:
        marked = sum(line.text.count(HYPHEN) for page in pages for line in page.lines)
        self.rule = marked > 0.8 * len(pages)
        self.words: set[str] = set()
        if marked:
            for page in pages:
                for line in page.lines:
                    self.words.update(re.findall(r"\w+(?:-\w+)*", line.text.casefold()))

    def __call__(self, text: str) -> str:
        return re.sub(rf"(\w*){HYPHEN}(\w*)", self._one, text).replace(HYPHEN, "-")

    def _one(self, match: re.Match[str]) -> str:
        before, after = match[1], match[2]
        whole, joined = f"{before}{after}".casefold(), f"{before}-{after}".casefold()
        if not before or not after or joined in self.words:
            mark = "-"
        elif whole in self.words:
            mark = "\xad"
        else:
            mark = "\xad" if self.rule and after[0].islower() else "-"
        return f"{before}{mark}{after}"
