"""Pages as pictures, outside a worker: formats, sizes, and what is refused."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw

from ingest import picture
from ingest.registry import UnreadableError, UnsupportedError
from vault.records import MAX_PICTURE_BYTES, MAX_PICTURE_HEIGHT

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp", "GIF": ".gif"}


def paper(size=(400, 300), mode="RGB", mark=(20, 20, 120, 60)):
    """White, with a dark field at the top left."""
    image = Image.new(mode, size, {"RGB": (255, 255, 255), "L": 255, "1": 1, "P": 255}.get(mode, 255))
    ImageDraw.Draw(image).rectangle(mark, fill=0 if mode != "RGB" else (0, 0, 0))
    return image


def saved(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def drawn(data, name, *, page=1, width=1000):
    shown = picture.picture(io.BytesIO(data), name, "", page, width)
    image = Image.open(io.BytesIO(shown.data))
    assert image.size == (shown.width, shown.height)
    assert Image.MIME[image.format] == shown.media_type
    return shown, image.convert("L")


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_shown(kind):
    shown, image = drawn(saved(paper(), kind), f"scan{FORMATS[kind]}")
    assert (shown.page, shown.pages, shown.shown_width, shown.shown_height) == (1, 1, 400, 300)
    assert image.getpixel((60, 40)) < 40
    assert image.getpixel((300, 200)) > 215


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "I;16", "CMYK"])
def test_each_kind_of_colour_is_shown_on_white(mode):
    if mode in ("RGBA", "LA"):
        image = Image.new(mode, (400, 300), (0, 0, 0, 0)[: len(mode)])
        image.paste((0, 0, 0, 255)[-len(mode) :], (20, 20, 120, 60))
    elif mode == "I;16":
        image = Image.new(mode, (400, 300), 65535)
        image.paste(0, (20, 20, 120, 60))
    else:
        image = paper().convert(mode)
    _, shown = drawn(saved(image, "TIFF"), "scan.tif")
    assert shown.getpixel((60, 40)) < 40
    assert shown.getpixel((300, 200)) > 215


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, "left top"), (3, "right bottom"), (6, "right top"), (8, "left bottom")]
)
def test_a_photograph_is_turned_upright(orientation, corner):
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown, image = drawn(saved(paper(), "JPEG", exif=exif), "photo.jpg")
    expected = (300, 400) if orientation in (6, 8) else (400, 300)
    assert (shown.shown_width, shown.shown_height) == expected == image.size
    across, down = corner.split()
    x = 40 if across == "left" else image.width - 40
    y = 40 if down == "top" else image.height - 40
    assert image.getpixel((x, y)) < 60


def test_a_tiff_has_pages_and_an_animation_has_none():
    pages = [paper(), paper(mark=(200, 200, 300, 250))]
    several = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    shown, image = drawn(several, "fax.tif", page=2)
    assert (shown.page, shown.pages) == (2, 2)
    assert image.getpixel((250, 225)) < 40
    with pytest.raises(UnreadableError, match="no page 3: it has 2 pages"):
        drawn(several, "fax.tif", page=3)
    assert drawn(saved(pages[0], "GIF", save_all=True, append_images=pages[1:]), "a.gif")[0].pages == 1


def test_a_large_photograph_is_made_smaller_and_its_whole_size_told():
    shown, _ = drawn(saved(paper((4000, 3000)), "JPEG"), "photo.jpg", width=500)
    assert (shown.width, shown.height) == (500, 375)
    assert (shown.shown_width, shown.shown_height) == (4000, 3000)


def test_noise_and_long_receipts_stay_within_the_limits():
    noise = Image.effect_noise((1500, 1500), 90).convert("RGB")
    assert len(drawn(saved(noise, compress_level=1), "noise.png", width=2000)[0].data) <= MAX_PICTURE_BYTES
    shown, _ = drawn(saved(paper((300, 20_000))), "receipt.png")
    assert shown.height == MAX_PICTURE_HEIGHT


def test_a_bomb_is_refused_before_it_is_unpacked():
    row = zlib.compress(b"\0" * 60_001)
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)

    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", row) + part(b"IEND", b"")
    with pytest.raises(UnreadableError, match="too large"):
        drawn(bomb, "bomb.png")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_cut_file_is_damaged_not_an_error_of_ours(kind):
    data = saved(Image.effect_noise((400, 300), 90).convert("RGB"), kind)
    for length in (len(data) // 2, 40, 14):
        try:
            drawn(data[:length], f"scan{FORMATS[kind]}")
        except (UnreadableError, UnsupportedError):
            continue


def test_a_letter_has_no_pages():
    with pytest.raises(UnsupportedError, match="no pages"):
        drawn(b"Dear Ada,\n\nwords", "letter.txt")
