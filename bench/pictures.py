"""Whether a PDF citation is where it says: a second extractor on the page named, and OCR of what the box holds.

    python -m bench.pictures [NUMBER] [-v]

NUMBER (500) sentences are drawn from the public PDFs, evenly from contracts, finance and the parsers' test files, as many
from each file as there is need for. Passed over are files of which pypdf itself finds no text, and sentences in a script
that the recognition model does not know. For each of the others, page and boxes are made as for the page that shows a
passage (`engine.picturing`).

*Page*: pypdf, which shares no code with PDFium, reads the page named (and the next, where the quote runs on). Agreement:
of the runs of eight letters and digits of the quote, case, spaces and punctuation aside, at least nine tenths stand in what
it read. Runs, because the two put lines in different orders.

*Box*: the page is drawn 3,000 pixels wide, each box cut out and read by the recognition model as one line, without looking
for lines. Agreement: letters and digits read are the quote's to at least .85 (difflib's ratio; 1 is equal).

Needs `pypdf` and the extra `ocr`.
"""

import difflib
import random
import sys
import unicodedata
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.files import shared_data
from engine import picturing
from generation.sentences import sentences
from ingest import ocr, picture
from ingest.registry import Context, UnreadableError, parse
from vault.records import Document

if TYPE_CHECKING:
    from PIL import Image

NUMBER = 500
WIDTH = 3000  # pixels of the page that is cut up
SEED = 20261122
_LEAST = 25  # letters and digits of a quote
_A_FILE = 8  # quotes of one file at most
_RUN = 8
_PAGE_AGREES, _BOX_AGREES = 0.9, 0.85


def plain(text: str) -> str:
    """Letters and digits alone, case folded, ligatures taken apart."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())


def runs_found(quote: str, page: str) -> float:
    """The share of the quote's runs of letters that stand in the page."""
    runs = [quote[at : at + _RUN] for at in range(max(1, len(quote) - _RUN + 1))]
    return sum(each in page for each in runs) / len(runs)


def readable(text: str) -> bool:
    """Whether the recognition model knows the script, so that it can judge: Latin, Chinese, Japanese."""
    letters = [unicodedata.name(each, "").split(" ")[0] for each in text if each.isalpha()]
    return sum(each in ("LATIN", "CJK", "HIRAGANA", "KATAKANA") for each in letters) >= len(letters) / 2


def quotes(document: Document, random_: random.Random) -> list[tuple[int, int, int]]:
    """Some sentences of the document: page, start and end."""
    found = []
    for block in document.blocks:
        if block.kind == "furniture" or not block.lines:
            continue
        for start, end in sentences(document.text[block.start : block.end]):
            if len(plain(document.text[block.start + start : block.start + end])) >= _LEAST:
                found.append((block.page or 1, block.start + start, block.start + end))
    return random_.sample(found, min(_A_FILE, len(found)))


def papers() -> Iterator[tuple[Path, Document]]:
    """The public PDFs that have text, from each folder in turn."""
    random_ = random.Random(SEED)
    folders = []
    for name in ("contracts", "finance", "parsers"):
        found = sorted(each for each in (shared_data() / name).rglob("*") if each.suffix.lower() == ".pdf")
        random_.shuffle(found)
        folders.append(found)
    for path in filter(None, chain.from_iterable(zip_longest(*folders))):
        with path.open("rb") as file:
            try:
                read = [each for each in parse(file, path.name, Context(path.name)) if isinstance(each, Document)]
            except UnreadableError:
                continue
        if read and read[0].text:
            yield path, read[0]


def second(path: Path) -> Any:
    """What pypdf makes of the file; None where it can read nothing."""
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(path)
        return reader if len(reader.pages) else None
    except Exception:  # noqa: BLE001 - whatever a foreign parser raises on broken files
        return None


def page_text(reader: Any, page: int) -> str:
    try:
        return plain(reader.pages[page - 1].extract_text())
    except Exception:  # noqa: BLE001 - as above
        return ""


def read_boxes(image: "Image.Image", boxes: list[list[float]]) -> str:
    """What the recognition model reads in the boxes, each taken as one line on white."""
    import numpy as np
    from PIL import Image, ImageOps

    words = []
    for x0, y0, x1, y1 in boxes:
        line = image.crop(
            (int(x0 * image.width), int(y0 * image.height), int(x1 * image.width) + 1, int(y1 * image.height) + 1)
        )
        tall = line.height > 1.5 * line.width
        if tall:
            line = line.transpose(Image.Transpose.ROTATE_90)  # upwards or downwards: a model tells which comes next
        line = ImageOps.expand(line, border=max(2, min(line.size) // 6), fill="white")
        pixels = np.ascontiguousarray(np.asarray(line)[:, :, ::-1])
        result = ocr._engine()(pixels, use_det=False, use_cls=tall, use_rec=True)  # noqa: SLF001
        words += result.txts or ()
    return plain("".join(words))


def main() -> int:
    wanted = next((int(each) for each in sys.argv[1:] if each.isdigit()), NUMBER)
    told = "-v" in sys.argv
    random_ = random.Random(SEED)
    picture.preload()
    files = asked = on_page = in_box = unread = foreign = 0
    for path, document in papers():
        if asked >= wanted:
            break
        reader = second(path)
        if reader is None:
            unread += 1
            continue
        files += 1
        for page, start, end in quotes(document, random_):
            if asked >= wanted:
                break
            if not readable(document.text[start:end]):
                foreign += 1
                continue
            there = page_text(reader, page)
            if not there:
                continue  # nothing to compare with
            asked += 1
            quote = plain(document.text[start:end])
            agrees = runs_found(quote, there)
            on_page += agrees >= _PAGE_AGREES
            with path.open("rb") as file:
                shown = picture.picture(file, path.name, "", page, 1000)
                large, *_ = picture.pdf_page(file, page, WIDTH)
            boxes = picturing.boxes(document.blocks, document.text, start, end, shown)
            read = read_boxes(large, boxes)
            ratio = difflib.SequenceMatcher(None, quote, read, autojunk=False).ratio()
            in_box += ratio >= _BOX_AGREES
            if told and (agrees < _PAGE_AGREES or ratio < _BOX_AGREES):
                print(f"{agrees:.2f} {ratio:.2f} {path.name} p{page}\n  {quote[:150]}\n  {read[:150]}", file=sys.stderr)
    print(f"{asked} sentences of {files} PDFs; {unread} files that pypdf cannot open were passed over")
    print(f"passed over too: {foreign} sentences in scripts that the recognition model does not know")
    print(f"page: pypdf finds the quote on the page named    {on_page / asked:.3f}")
    print(f"box:  OCR of the boxes agrees with the quote     {in_box / asked:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
