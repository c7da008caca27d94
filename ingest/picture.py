"""A page as a picture: of a PDF by PDFium, of a picture file by Pillow. Runs in a parse worker only.

What comes out is a PNG or a JPEG, whichever is smaller, never larger than `MAX_PICTURE_BYTES`.
"""

import contextlib
import ctypes
import importlib
import io
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest import registry
from ingest.registry import UnreadableError, UnsupportedError
from vault.records import (
    MAX_LETTERS,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_HEIGHT,
    MAX_PICTURE_WIDTH,
    MIN_PICTURE_WIDTH,
    Letters,
    Picture,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

PICTURES = ("png", "jpeg", "gif", "tiff", "bmp", "webp")  # names of the registry's formats
_MAX_DECODED = 400 << 20  # bytes in memory of one picture: an A3 page of 600 dots an inch in colour has 280 MB
_SMALL = 120_000  # bytes; a PNG of that size is not worth a second try
_QUALITIES = (82, 60, 35)  # of a JPEG, the first that fits


def preload() -> None:
    """Import Pillow with the formats that are read, so that a locked worker finds them ready."""
    from PIL import Image

    for each in ("ImageChops", "ImageFile", "ImageOps", "MpoImagePlugin", "TiffImagePlugin", "WebPImagePlugin"):
        importlib.import_module(f"PIL.{each}")
    Image.preinit()  # the common ones, which saving asks for


def picture(file: BinaryIO, name: str, part: str, page: int, width: int) -> Picture:
    """Return page `page` (from 1) of what lies at `part` of the file (empty: the file itself) as a picture.

    `width` is in pixels and is brought between `MIN_WIDTH` and `MAX_WIDTH`; a picture file is not made larger than it
    is. Raises UnreadableError for a damaged file or a page that is not there, UnsupportedError for what has no pages.
    """
    width = max(MIN_PICTURE_WIDTH, min(MAX_PICTURE_WIDTH, width))
    file, name = registry.part_of(file, name, part)
    found = registry.recognise(file, name)
    if found.name == "pdf":
        image, pages, size, letters = pdf_page(file, page, width)
    elif found.name in PICTURES:
        image, pages, size = frame(file, page, width)
        image, letters = _fitted(image, width), ()
    else:
        raise UnsupportedError(f"a {found.name} file has no pages to be shown", "open the file itself")
    image, data, media_type = _encoded(image)
    return Picture(data, media_type, page, pages, image.width, image.height, *size, letters)


def pdf_page(
    file: BinaryIO, page: int, width: int, height: int = MAX_PICTURE_HEIGHT
) -> tuple["Image", int, tuple[float, float], tuple[Letters, ...]]:
    """Return a PDF's page at most `width` by `height` pixels large, the number of pages, the page's size in points, and
    its letters."""
    import pypdfium2.raw as pdfium

    from ingest import pdf

    opened, keep = pdf.open_document(pdfium, file)
    try:
        pages = pdfium.FPDF_GetPageCount(opened)
        _check_page(page, pages)
        handle = pdfium.FPDF_LoadPage(opened, page - 1)
        if not handle:
            raise UnreadableError(f"damaged: page {page} cannot be read")
        try:
            size = pdfium.FPDF_GetPageWidthF(handle), pdfium.FPDF_GetPageHeightF(handle)
            if not (0 < size[0] < 1e6 and 0 < size[1] < 1e6):
                raise UnreadableError(f"damaged: page {page} has no size")
            scale = min(width / size[0], height / size[1])
            pixels = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
            return _rendered(pdfium, handle, *pixels), pages, size, _letters(pdfium, handle)
        finally:
            pdfium.FPDF_ClosePage(handle)
    finally:
        pdfium.FPDF_CloseDocument(opened)
        del keep


def _letters(pdfium: Any, handle: Any) -> tuple[Letters, ...]:
    """Return the places of the characters in each line of the text layer."""
    from ingest import pdf

    layer = pdfium.FPDFText_LoadPage(handle)
    if not layer:
        return ()
    try:
        place, box = pdf.Place(pdfium, handle), pdfium.FS_RECTF()
        found: list[Letters] = []
        left = MAX_LETTERS
        for start, shown in pdf.line_starts(pdfium, layer):
            left -= len(shown)
            if left < 0:
                break
            boxes = []
            for index in range(start, start + len(shown)):
                pdfium.FPDFText_GetLooseCharBox(layer, index, box)
                boxes.append(place(box.left, box.bottom, box.right, box.top))
            ends = boxes[0], boxes[-1]  # as the line's box was made
            x0, y0 = (min(each[n] for each in ends) for n in (0, 1))
            x1, y1 = (max(each[n] for each in ends) for n in (2, 3))
            upright = y1 - y0 > x1 - x0 and len(shown) > 1
            places = tuple(value for each in boxes for value in (each[1::2] if upright else each[0::2]))
            found.append(Letters((x0, y0, x1, y1), upright, places))
        return tuple(found)
    finally:
        pdfium.FPDFText_ClosePage(layer)


def pages_and_size(file: BinaryIO) -> tuple[int, tuple[int, int]]:
    """Return the number of a picture file's pages, and width and height of the first in pixels as they are stored."""
    with _opened(file) as image:
        return _pages(image), image.size


@contextlib.contextmanager
def _opened(file: BinaryIO) -> "Iterator[Image]":
    """Open a picture file; what fails within is the file's fault, and said."""
    from PIL import Image, UnidentifiedImageError

    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield Image.open(file, formats=("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise UnreadableError("too large: more pixels than a picture of paper has") from error
        except UnidentifiedImageError as error:
            raise UnreadableError("damaged: it does not begin as a picture does") from error
        except (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError) as error:
            raise UnreadableError(f"damaged: {type(error).__name__}: {str(error)[:200]}".rstrip(": ")) from error


def _pages(image: "Image") -> int:
    """Return how many pages it has; the pictures of an animation are no pages."""
    return max(1, getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1


def frame(file: BinaryIO, page: int, width: int = 0) -> tuple["Image", int, tuple[float, float]]:
    """Return a picture file's page (of a TIFF; others have one) the right way up, the number of pages, and its size.

    `width` says how many pixels (of the shorter side) are of use: a large JPEG is decoded at a half, a quarter or an
    eighth then, as one is that is too large to be held. The size is that of the whole.
    """
    from PIL import ImageOps

    with _opened(file) as image:
        pages = _pages(image)
        _check_page(page, pages)
        if page > 1:
            image.seek(page - 1)
        whole = image.size
        if width and image.format in ("JPEG", "MPO"):
            image.draft(None, (width, width))
        while image.format in ("JPEG", "MPO") and _decoded(image) > _MAX_DECODED:
            before = image.size
            image.draft(None, (max(1, before[0] // 2), max(1, before[1] // 2)))
            if image.size == before:
                break
        if _decoded(image) > _MAX_DECODED:
            raise UnreadableError(f"too large: {whole[0]} × {whole[1]} pixels")
        turned = image.getexif().get(0x0112) in (5, 6, 7, 8)  # Orientation: a quarter turn among them
        size = (float(whole[1]), float(whole[0])) if turned else (float(whole[0]), float(whole[1]))
        return _opaque(ImageOps.exif_transpose(image)), pages, size


def _check_page(page: int, pages: int) -> None:
    if not 1 <= page <= pages:
        raise UnreadableError(f"there is no page {page}: it has {pages} page{'s' if pages != 1 else ''}")


def _rendered(pdfium: Any, handle: Any, width: int, height: int) -> "Image":
    from PIL import Image

    buffer = (ctypes.c_ubyte * (4 * width * height))()
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGRx, buffer, 4 * width)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, handle, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return Image.frombuffer("RGB", (width, height), bytes(buffer), "raw", "BGRX", 4 * width, 1)


def _decoded(image: "Image") -> int:
    """Return the bytes that the picture takes in memory."""
    return image.width * image.height * (1 if image.mode in ("1", "L", "P") else 4)


def _opaque(image: "Image") -> "Image":
    """Return the picture in grey or in colour, on white where it is transparent."""
    from PIL import Image

    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _fitted(image: "Image", width: int) -> "Image":
    scale = min(1.0, width / image.width, MAX_PICTURE_HEIGHT / image.height)
    if scale == 1.0:
        return image
    from PIL import Image

    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _encoded(image: "Image") -> tuple["Image", bytes, str]:
    """Return the picture as PNG or JPEG, whichever is smaller, and made smaller itself until that fits; a page without
    colour is kept in grey."""
    from PIL import Image, ImageChops

    if image.mode == "RGB":
        red, green, blue = image.split()
        if not ImageChops.difference(red, green).getbbox() and not ImageChops.difference(green, blue).getbbox():
            image = red
    while True:
        data, media_type = _smaller(image)
        if len(data) <= MAX_PICTURE_BYTES:
            return image, data, media_type
        size = max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _smaller(image: "Image") -> tuple[bytes, str]:
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=4)
    best = written.getvalue()
    if len(best) <= _SMALL:
        return best, "image/png"
    for quality in _QUALITIES:
        written = io.BytesIO()
        image.save(written, "JPEG", quality=quality)
        if written.tell() < len(best) and (written.tell() <= MAX_PICTURE_BYTES or quality == _QUALITIES[-1]):
            return written.getvalue(), "image/jpeg"
        if len(best) <= MAX_PICTURE_BYTES:
            break
    return best, "image/png"
