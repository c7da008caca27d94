"""How often total and date of an invoice are found once it is a picture.

    python -m bench.ocr [-v]

The public invoices of invoice2data that have a text layer and an expected result are rendered at 150 dots an inch, written
as PNG, and read by an OCR worker under the lock. What is looked for must stand in the text layer in one of the usual
spellings, so that the picture shows it too; then the same spellings are looked for in what was read.
"""

import io
import json
import re
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from bench.files import shared_data
from engine import wire
from engine.zygote import Zygote
from ingest import picture
from ingest.registry import Context, parse
from vault.records import MIN_PICTURE_WIDTH

DOTS = 150  # an inch
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}


def spellings_of_date(value: str) -> set[str]:
    """The usual ways to write a day, squeezed as `squeezed` does."""
    day = date.fromisoformat(value[:10])
    found = set()
    for d in {str(day.day), f"{day.day:02}"}:
        for m in {str(day.month), f"{day.month:02}"}:
            for y in (str(day.year), f"{day.year % 100:02}"):
                found |= {f"{a}{s}{b}{s}{y}" for a, b in ((d, m), (m, d)) for s in "./-"}
            found |= {f"{day.year}{s}{m}{s}{d}" for s in "./-"}
        for names in _MONTHS.values():
            name = names.split()[day.month - 1]
            for month in {name, name[:3], name[:4]}:
                found |= {
                    f"{d}{mark}{month}{tail}{day.year}" for mark in ("", ".", "-") for tail in ("", ",", ".", "-")
                }
                found |= {f"{month}{d}{tail}{day.year}" for tail in ("", ",")}
                found |= {f"{month}.{d},{day.year}", f"{d}th{month}{day.year}"}
    return {squeezed(each) for each in found}


def spellings_of_amount(value: float) -> set[str]:
    """The usual ways to write an amount, squeezed."""
    whole, cents = f"{value:.2f}".split(".")
    grouped = f"{int(whole):,}"
    found = {f"{whole}.{cents}", f"{whole},{cents}", f"{grouped}.{cents}", f"{grouped.replace(',', '.')},{cents}"}
    found |= {f"{whole}€{cents}", f"{grouped.replace(',', chr(39))}.{cents}"}
    if cents == "00":
        found |= {whole, grouped}
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def stands(spellings: set[str], text: str) -> bool:
    """Whether one of the spellings stands in the text, spaced as it likes, and not as a part of a longer number."""
    patterns = (r"\s*".join(map(re.escape, each)) for each in spellings)
    return any(re.search(rf"(?<!\d){each}(?!\d)", text) for each in patterns)


def main() -> int:
    shown = "-v" in sys.argv
    zygote = Zygote.start()
    counts = {"total": [0, 0], "date": [0, 0]}
    sure: list[float] = []
    seconds: list[float] = []
    for expected in sorted((shared_data() / "finance/invoice2data/tests/compare").glob("*.json")):
        paper = expected.with_suffix(".pdf")
        (wanted, *_) = json.loads(expected.read_text())
        if not paper.exists() or "amount" not in wanted:
            continue
        with paper.open("rb") as file:
            *_, document = parse(file, paper.name, Context(paper.name))
            printed = document.text.casefold()
        if document.picture_pages == document.pages:
            continue
        began = time.monotonic()
        read = _read(zygote, paper, document.pages)
        seconds.append((time.monotonic() - began) / document.pages)
        sure += [each.confidence for each in read if each.text]
        words = " ".join(each.text for each in read).casefold()
        for name, spellings in (
            ("total", spellings_of_amount(float(wanted["amount"]))),
            ("date", spellings_of_date(wanted["date"])),
        ):
            if stands(spellings, printed):
                counts[name][1] += 1
                counts[name][0] += stands(spellings, words)
                if shown and not stands(spellings, words):
                    print(f"not read: {name} of {paper.name}: {sorted(spellings)[:6]}", file=sys.stderr)
            elif shown:
                print(f"not printed as expected: {name} of {paper.name}", file=sys.stderr)
    zygote.close()
    for name, (found, there) in counts.items():
        print(f"{name:6} {found} of {there} found")
    print(f"confidence, median over pages: {statistics.median(sure):.3f}; lowest {min(sure):.3f}")
    print(f"seconds a page, median, worker's start (libraries, models) included: {statistics.median(seconds):.1f}")
    return 0


def _read(zygote: Zygote, paper: Path, pages: int) -> list[wire.ReadPage]:
    """Render each page into a PNG of its own, as a scanner would bring it, and have it read."""
    read = []
    for page in range(1, pages + 1):
        with paper.open("rb") as file:
            _, _, size, _ = picture.pdf_page(file, page, MIN_PICTURE_WIDTH)
            image, *_ = picture.pdf_page(file, page, round(size[0] * DOTS / 72))
        with tempfile.TemporaryFile(suffix=".png") as scan:
            data = io.BytesIO()
            image.save(data, "PNG", compress_level=1)
            scan.write(data.getvalue())
            scan.flush()
            lines = zygote.run("ocr", scan.fileno(), "scan.png", {"part": "", "pages": [1]}, wall_seconds=300)
            read.extend(map(wire.decode_read, lines))
    return read


if __name__ == "__main__":
    sys.exit(main())
