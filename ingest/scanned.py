"""Pages that are pictures: how they are told of, and how text read from them comes between the other pages'."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vault.records import Block, ReadPage

INSTALL = "install the extra ocr to have them read"
WAITING = "waiting to be read"
FAILED = "their text could not be read"
PAGES, CONFIDENCE, WHY_NOT = "ocr_pages", "ocr_confidence", "ocr_failed"
"""keys of a document's metadata: a JSON object of confidence (0 to 1) by page, the mean of those that hold words, and
why a page could not be read"""

_OF_DOCUMENT = re.compile(r"\d+ of \d+ pages? (is a picture|are pictures)")
_OF_FILE = re.compile(r"\d+ pages? (is a picture|are pictures): (.*)")


def note(pictures: int, pages: int) -> str:
    """Return what a document's note says of its pages that are pictures; empty if there are none."""
    if not pictures:
        return ""
    return f"{pictures} of {pages} page{'s are pictures' if pages > 1 else ' is a picture'}"


def reason(pictures: int, what: str) -> str:
    """Return what a file's reason says; `what` is one of INSTALL, WAITING, FAILED."""
    if not pictures:
        return ""
    return f"{pictures} page{'s are pictures' if pictures > 1 else ' is a picture'}: {what}"


def without_note(text: str) -> str:
    """Return a document's note without what `note` says."""
    return "; ".join(each for each in text.split("; ") if each and not _OF_DOCUMENT.fullmatch(each))


def without_reason(text: str) -> str:
    """Return a file's reason without what `reason` says."""
    return "; ".join(each for each in text.split("; ") if each and not _OF_FILE.fullmatch(each))


def unread(blocks: Sequence[Block], pages: int, metadata: Mapping[str, str]) -> list[int]:
    """Return the pages (from 1) that have no text and were not read yet. Blank ones are among them."""
    there = {each.page for each in blocks if each.kind != "hidden"}
    done = read_pages(metadata)
    return [each for each in range(1, pages + 1) if each not in there and each not in done]


def read_pages(metadata: Mapping[str, str]) -> dict[int, float]:
    """Return the confidence of each page that was read."""
    found: dict[str, float] = json.loads(metadata.get(PAGES, "{}"))
    return {int(page): value for page, value in found.items()}


def told(metadata: Mapping[str, str], pages: Sequence[ReadPage], why_not: str) -> dict[str, str]:
    """Return the metadata with what was read added; `why_not` says why some page could not be."""
    found = read_pages(metadata) | {each.page: each.confidence for each in pages}
    values = {key: value for key, value in metadata.items() if key not in (PAGES, CONFIDENCE, WHY_NOT)}
    values[PAGES] = json.dumps({str(page): found[page] for page in sorted(found)})
    sure = [each for each in found.values() if each]
    if sure:
        values[CONFIDENCE] = f"{sum(sure) / len(sure):.3f}"
    if why_not:
        values[WHY_NOT] = why_not
    return values


def merged(text: str, blocks: Sequence[Block], pages: Sequence[ReadPage]) -> tuple[str, tuple[Block, ...]]:
    """Return text and blocks with those of the `pages` in their places, in the order of pages.

    An empty line stands between the pages, as between all blocks of a PDF.
    """
    parts = [(each.page, each.text, each.blocks) for each in pages if each.text]
    own: list[Block] = []
    for block in (*blocks, None):
        if own and (block is None or block.page != own[-1].page):
            start, end = own[0].start, own[-1].end
            parts.append((own[0].page or 0, text[start:end], tuple(_moved(each, -start) for each in own)))
            own = []
        if block is not None:
            own.append(block)
    pieces: list[str] = []
    found: list[Block] = []
    position = 0
    for _, words, placed in sorted(parts, key=lambda each: each[0]):
        if pieces:
            pieces.append("\n\n")
            position += 2
        found += (_moved(each, position) for each in placed)
        pieces.append(words)
        position += len(words)
    return "".join(pieces), tuple(found)


def moved(old: Sequence[Block], new: Sequence[Block]) -> list[tuple[int, int]]:
    """Return where each page that had text began, and by how many characters `merged` moved it, in the pages' order."""
    begins = {each.page: each.start for each in reversed(new)}
    first = {each.page: each.start for each in reversed(old)}
    return sorted((start, begins[page] - start) for page, start in first.items())


def _moved(block: Block, by: int) -> Block:
    lines = tuple(replace(each, start=each.start + by, end=each.end + by) for each in block.lines)
    return replace(block, start=block.start + by, end=block.end + by, lines=lines)
