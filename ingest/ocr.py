"""Text out of pictures: RapidOCR's models on OpenVINO. Runs in an OCR worker only; see docs/decisions/ocr.md.

What libraries and models need is loaded by `prepare`, before the worker is locked; a page is read after that.
"""

import functools
import importlib.util
import statistics
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest import picture, registry
from ingest.pdf_layout import Page, PageLine, arrange
from ingest.registry import UnsupportedError
from vault.records import ReadPage

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIDE = 2000  # pixels: A4 at 170 dots an inch. Smaller loses small print, larger costs and finds no more
PAGES_AT_ONCE = 4  # a worker: its memory grows with every width of line, and 120 s of processor are for all of them
_UNSURE = 0.85  # below: perhaps on its head
THREADS = 2  # of OpenVINO: beyond that the second half of the cores is better left to whoever asks


@functools.cache  # a worker that is locked could not look
def available() -> bool:
    """Whether the extra `ocr` is installed."""
    return all(importlib.util.find_spec(each) for each in ("rapidocr", "openvino", "cv2"))


def prepare() -> None:
    """Load libraries and models; the process can open no file afterwards."""
    registry.preload()
    _engine()


@functools.cache
def _engine() -> Any:
    # Importing openvino brings a module that calls out, unless it cannot be imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    # RapidOCR imports requests, to fetch models and pictures by address, which is never asked of it: not installed.
    sys.modules.setdefault("requests", types.SimpleNamespace(Response=object))  # type: ignore[arg-type]
    from rapidocr import EngineType, RapidOCR

    models = Path(sys.modules["rapidocr"].__file__ or "").parent / "models"
    openvino = EngineType.OPENVINO
    made: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": LONGEST_SIDE,
            "EngineConfig.openvino.inference_num_threads": THREADS,
            # Named, so that none is looked for elsewhere.
            "Det.engine_type": openvino,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Cls.engine_type": openvino,
            "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            "Rec.engine_type": openvino,
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
        }
    )
    import numpy as np

    blank = np.full((64, 256, 3), 255, dtype=np.uint8)
    blank[20:44, 20:236:12] = 0  # something to be found, so that all three models are loaded, and each code path run
    made(blank)
    for load in (made._load_det_model, made._load_cls_model, made._load_rec_model):  # noqa: SLF001 - no public way
        load()
    return made


def read(file: BinaryIO, name: str, part: str, pages: Sequence[int]) -> Iterator[ReadPage]:
    """Yield what those of the `pages` (from 1) say that are pictures, of what lies at `part` of the file.

    Pages of a PDF that have text or are blank are passed over. Raises UnreadableError for a damaged file.
    """
    file, name = registry.part_of(file, name, part)
    found = registry.recognise(file, name)
    if found.name != "pdf" and found.name not in picture.PICTURES:
        raise UnsupportedError(f"a {found.name} file has no pages to be read")
    for page in pages:
        if found.name == "pdf":
            from ingest import pdf

            if not pdf.is_picture(file, page):
                yield ReadPage(page, 0.0, "")
                continue
            image, _, size, _ = picture.pdf_page(file, page, LONGEST_SIDE, LONGEST_SIDE)
        else:
            image, _, size = picture.frame(file, page, LONGEST_SIDE)
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        yield _read(image, page, size)


def _read(image: "Image", page: int, size: tuple[float, float]) -> ReadPage:
    import numpy as np

    pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]  # the models were made for OpenCV's order of colours
    pixels = np.ascontiguousarray(pixels)
    # The model that tells lines which stand on their head is wrong about some long ones that do not: only where much
    # cannot be read is it asked.
    result = _engine()(pixels, use_cls=False)
    if _sure(result) < _UNSURE:
        turned = _engine()(pixels, use_cls=True)
        result = max(result, turned, key=_sure)
    if result.boxes is None or not result.txts:
        return ReadPage(page, 0.0, "")
    across, down = size[0] / image.width, size[1] / image.height
    lines, sure, letters = [], 0.0, 0
    for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
        words = " ".join(str(text).split())
        if not words:
            continue
        (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        x0, y0, x1, y1 = (round(each, 1) for each in (x0 * across, y0 * down, x1 * across, y1 * down))
        lines.append(PageLine(words, x0, y0, x1, y1, size=y1 - y0, bold=False))
        sure += float(score) * len(words)
        letters += len(words)
    if not lines:
        return ReadPage(page, 0.0, "")
    text, blocks = arrange([Page(page, *size, tuple(_in_rows(lines)), picture=False)], ())
    return ReadPage(page, round(sure / letters, 3), text, blocks)


def _sure(result: Any) -> float:
    """Return how sure the reading is, 0 to 1: the mean over lines weighted by their length."""
    if result.boxes is None or not result.txts:
        return 0.0
    letters = sum(map(len, result.txts))
    return float(sum(score * len(text) for score, text in zip(result.scores, result.txts, strict=True)) / letters)


def _in_rows(lines: list[PageLine]) -> Iterator[PageLine]:
    """Yield the lines row by row, from left to right, with their sizes made one where they nearly are.

    The boxes of lines of one size differ by a fifth, as some have letters that reach down and some do not.
    """
    usual = statistics.median(line.y1 - line.y0 for line in lines)
    rows: list[list[PageLine]] = []
    for line in sorted(lines, key=lambda each: each.y0 + each.y1):
        middle = (line.y0 + line.y1) / 2
        height = line.y1 - line.y0
        size = usual if abs(height - usual) < 0.3 * usual else height
        line = PageLine(line.text, line.x0, line.y0, line.x1, line.y1, size=size, bold=False)  # noqa: PLW2901
        if rows:
            first = rows[-1][0]
            if abs(middle - (first.y0 + first.y1) / 2) < 0.5 * min(height, first.y1 - first.y0):
                rows[-1].append(line)
                continue
        rows.append([line])
    for row in rows:
        # One baseline for a row, so that its parts are seen to stand beside each other.
        base = max(each.y1 for each in row)
        for each in sorted(row, key=lambda each: each.x0):
            straight = base if len(row) > 1 and base - each.y1 < 0.5 * usual else each.y1
            yield PageLine(each.text, each.x0, each.y0, each.x1, straight, size=each.size, bold=False)
