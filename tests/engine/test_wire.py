"""What comes from workers that draw or read pages: taken as it was sent, refused where anything is amiss."""

import base64
import io
import json

import pytest
from PIL import Image

from engine import wire
from vault.records import MAX_PICTURE_BYTES, Block, Letters, Line, Picture, ReadPage


def image(kind="PNG", size=(40, 30)):
    out = io.BytesIO()
    Image.new("L", size, 200).save(out, kind)
    return out.getvalue()


def picture(**changes):
    values = {
        "data": image(),
        "media_type": "image/png",
        "page": 2,
        "pages": 3,
        "width": 40,
        "height": 30,
        "shown_width": 595.0,
        "shown_height": 842.0,
        "letters": (Letters((1.0, 2.0, 9.0, 4.0), False, (1.0, 5.0, 5.0, 9.0)),),
    }
    return Picture(**values | changes)


READ = ReadPage(4, 0.93, "two\nlines", (Block(0, 9, page=4, lines=(Line(0, 3, 1, 1, 5, 2), Line(4, 9, 1, 3, 9, 4))),))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_comes_as_it_was_sent(kind):
    sent = picture(data=image(kind), media_type=Image.MIME[kind])
    assert wire.decode_picture(wire.encode_picture(sent)) == sent


@pytest.mark.parametrize(
    "changes",
    [
        {"data": image("GIF")},
        {"data": image("JPEG")},
        {"media_type": "image/svg+xml", "data": b"<svg/>"},
        {"width": 41},
        {"height": 29},
        {"data": image() + bytes(MAX_PICTURE_BYTES)},
        {"data": b"\x89PNG\r\n\x1a\n"},
        {"data": b"\xff\xd8\xff\xe0" + b"\xff" * 100, "media_type": "image/jpeg"},
        {"data": image(size=(9000, 30)), "width": 9000},
        {"page": 4},
        {"page": 0},
        {"shown_width": 0},
        {"shown_height": float("nan")},
        {"letters": (Letters((1.0, 2.0, 9.0, 4.0), False, (1.0,)),)},
        {"letters": (Letters((1.0, 2.0, 9.0, 4.0), 1, ()),)},
        {"letters": (Letters((1.0, 2.0, 9.0), False, ()),)},
        {"letters": (Letters((1.0, 2.0, 9.0, 4.0), False, (1.0,) * 100_000),)},
    ],
)
def test_a_picture_that_is_not_what_it_says_is_refused(changes):
    with pytest.raises(wire.InvalidRecordError):
        wire.decode_picture(wire.encode_picture(picture(**changes)))


def test_a_page_that_was_read_comes_as_it_was_sent():
    assert wire.decode_read(wire.encode_read(READ)) == READ


@pytest.mark.parametrize(
    "body",
    [
        [4, 1.1, "", []],
        [4, -0.1, "", []],
        [4, True, "", []],
        [0, 0.5, "", []],
        [4, 0.5, "ab", [[0, 3, "paragraph", 0, 4, []]]],
        [4, 0.5, "ab", [[0, 2, "paragraph", 0, 5, []]]],
        [4, 0.5, "ab", [[0, 2, "paragraph", 0, 4, [[0, 3, 1, 1, 1, 1]]]]],
        [4, 0.5, "x" * (wire.MAX_PAGE + 1), []],
        [4, 0.5, ""],
    ],
)
def test_a_page_that_no_sound_reader_writes_is_refused(body):
    with pytest.raises(wire.InvalidRecordError):
        wire.decode_read(json.dumps({"read": body}).encode())


def test_one_kind_of_record_does_not_pass_for_another():
    for line in (wire.encode_read(READ), b"{}", b"[]", b'{"picture": 1}', b"\xff", b'{"end": 1}'):
        with pytest.raises(wire.InvalidRecordError):
            wire.decode_picture(line)
    encoded = base64.b64encode(image()).decode()
    with pytest.raises(wire.InvalidRecordError, match="base64"):
        wire.decode_picture(
            json.dumps({"picture": [1, 1, 40, 30, 1, 1, "image/png", encoded[:-4] + "%%%%", []]}).encode()
        )


@pytest.mark.parametrize("odd", [1e9, float("nan"), float("inf")])
def test_letters_that_lie_nowhere_are_left_out_and_none_that_do_are_taken(odd):
    line = Letters((1.0, 2.0, 9.0, 4.0), False, (1.0, 5.0))
    astray = Letters((1.0, 2.0, 9.0, 4.0), False, (1.0, odd))
    assert wire.decode_picture(wire.encode_picture(picture(letters=(astray, line)))) == picture(letters=(line,))
    said = json.loads(wire.encode_picture(picture(letters=(line,))))
    said["picture"][-1][0][-1][-1] = odd
    with pytest.raises(wire.InvalidRecordError):
        wire.decode_picture(json.dumps(said).encode())
