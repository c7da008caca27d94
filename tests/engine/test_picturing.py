"""Pictures of pages, drawn by a real worker from real files, with the boxes where the words are."""

import base64
import email.message
import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from engine import drawn, picturing
from engine.asking import search
from engine.engine import Engine
from engine.erasing import purge
from engine.picturing import NoPictureError, document_picture
from engine.reading import document_text
from ingest.registry import UnreadableError
from vault.errors import StrongroomError
from vault.keys import FLOOR

RED = "the seventh of May"
MEDIA = "0 0 600 800"


def paper(*pages: str, media: str = MEDIA, crop: str = "", rotate: int = 0, unit: float = 1.0) -> bytes:
    """A PDF of one line a page, in which the words of `RED` are red: `before RED after`, at 120, 500."""
    objects = ["", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    kids = []
    for text in pages:
        before, red, after = text.partition(RED)
        content = f"BT /F1 14 Tf 1 0 0 1 120 500 Tm ({before}) Tj 1 0 0 rg ({red}) Tj 0 g ({after}) Tj ET"
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
        cropped = f"/CropBox[{crop}]" if crop else ""
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[{media}]{cropped}/Rotate {rotate}/UserUnit {unit}"
            f"/Contents {len(objects)} 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = "<</Type/Catalog/Pages 2 0 R>>"
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    out = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{each:010d} 00000 n \n" for each in places)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    return out + f"{tail}startxref\n{len(out)}\n%%EOF".encode()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    return folder


@pytest.fixture
def read(tmp_path: Path, papers: Path, zygote, embedder):
    """Start an engine on what lies in the folder by then."""
    started: list[Engine] = []

    def read() -> Engine:
        engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
        started.append(engine)
        engine.create("a passphrase for tests")
        engine.folders_add(str(papers))
        engine.wait(seconds=60)
        return engine

    yield read
    for engine in started:
        engine.close()


def place(engine: Engine, words: str = RED) -> dict[str, int | str]:
    """Where the words stand, as a citation says it."""
    hit = search(engine, f'"{words}"')["hits"][0]
    text = document_text(engine, hit["document"])["text"]
    start = text.index(words)
    return {"id": hit["document"], "start": start, "end": start + len(words)}


def image_of(shown: dict) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(shown["data"])))
    assert image.size == (shown["width"], shown["height"])
    assert Image.MIME[image.format] == shown["media_type"]
    return image.convert("RGB")


def red_ink(image: Image.Image) -> tuple[float, float, float, float]:
    """The box around what is red, as fractions of the picture."""
    red, green, _ = image.split()
    found = ImageChops.subtract(red, green).point(lambda value: 255 * (value > 90)).getbbox()
    assert found
    return tuple(value / (image.width, image.height)[n % 2] for n, value in enumerate(found))


def drawn_well(shown: dict) -> None:
    """The one box holds the red words, and hardly more."""
    image = image_of(shown)
    (box,) = shown["boxes"]
    ink = red_ink(image)
    across, down = 0.01, 0.004
    assert box[0] - across <= ink[0], (box, ink)
    assert box[1] - down <= ink[1], (box, ink)
    assert box[2] + across >= ink[2], (box, ink)
    assert box[3] + down >= ink[3], (box, ink)
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert area < 2.6 * (ink[2] - ink[0]) * (ink[3] - ink[1]), (box, ink)


LINE = f"The rent is due on {RED} each year"


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"crop": "100 450 500 700"},
        {"crop": "100 450 500 700", "media": "50 50 650 850"},
        {"media": "-200 -100 500 700"},
        {"unit": 2.0},
        {"rotate": 90},
        {"rotate": 180},
        {"rotate": 270},
        {"rotate": 90, "crop": "100 450 500 700"},
        {"rotate": 180, "crop": "100 450 500 700", "media": "50 50 650 850"},
        {"rotate": 270, "media": "-200 -100 500 700"},
    ],
    ids=lambda how: " ".join(f"{name} {value}" for name, value in how.items()) or "plain",
)
def test_the_box_lies_around_the_cited_words(read, papers: Path, how) -> None:
    (papers / "rent.pdf").write_bytes(paper(LINE, **how))
    engine = read()
    drawn_well(document_picture(engine, **place(engine)))


def test_a_passage_over_two_pages_is_marked_on_each(read, papers: Path) -> None:
    (papers / "rent.pdf").write_bytes(paper(LINE, f"It rises on {RED} again"))
    engine = read()
    cited = place(engine)
    whole = {"id": cited["id"], "start": 0, "end": document_text(engine, cited["id"])["total"]}
    for page in (1, 2):
        shown = document_picture(engine, page=page, **whole)
        assert (shown["page"], shown["pages"], len(shown["boxes"])) == (page, 2, 1)
    with pytest.raises(UnreadableError, match="no page 3"):
        document_picture(engine, page=3, **whole)


def test_the_width_is_what_was_asked_for_within_bounds(read, papers: Path) -> None:
    (papers / "rent.pdf").write_bytes(paper(LINE))
    engine = read()
    id_ = place(engine)["id"]
    for asked, given in ((10, 200), (640, 640), (90_000, 2000)):
        shown = document_picture(engine, id_, width=asked)
        assert (shown["width"], shown["boxes"]) == (given, [])
        image_of(shown)


def test_an_attachment_is_taken_out_of_its_mail(read, papers: Path) -> None:
    mail = email.message.EmailMessage()
    mail["From"], mail["Subject"], mail["Date"] = "Ada <ada@example.org>", "the lease", "Mon, 2 Mar 2026 10:00:00 +0100"
    mail.set_content("see below")
    mail.add_attachment(paper("Nothing of note"), maintype="application", subtype="pdf", filename="a.pdf")
    mail.add_attachment(paper(LINE), maintype="application", subtype="pdf", filename="a.pdf")
    box = b"From ada@example.org Mon Mar  2 10:00:00 2026\n" + bytes(mail) + b"\n"
    (papers / "all.mbox").write_bytes(b"From x@example.org Sun Mar  1 10:00:00 2026\nSubject: one\n\nfirst\n\n" + box)
    engine = read()
    drawn_well(document_picture(engine, **place(engine)))


def test_a_file_that_is_gone_or_changed_is_named(read, papers: Path) -> None:
    file = papers / "rent.pdf"
    file.write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    engine.folders_pause(str(papers))
    file.write_bytes(paper("Another paper"))
    with pytest.raises(NoPictureError, match=r"rent\.pdf has changed"):
        document_picture(engine, **cited)
    file.unlink()
    with pytest.raises(NoPictureError, match=r"rent\.pdf is gone"):
        document_picture(engine, **cited)
    (papers / "elsewhere").write_bytes(paper(LINE))
    file.symlink_to(papers / "elsewhere")
    with pytest.raises(NoPictureError, match="cannot be opened"):
        document_picture(engine, **cited)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(NoPictureError, match="has changed"):
        document_picture(engine, **cited)


def test_a_file_exchanged_for_one_of_the_same_size_and_date_is_noticed(read, papers: Path) -> None:
    file = papers / "rent.pdf"
    file.write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    document_picture(engine, **cited)
    engine.folders_pause(str(papers))
    was = file.stat()
    file.write_bytes(paper(LINE.upper()))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    with pytest.raises(NoPictureError, match="has changed"):
        document_picture(engine, **cited, width=700)


def test_a_second_copy_stands_in_for_the_first(read, papers: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        (papers / name).write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    engine.folders_pause(str(papers))
    (papers / "a.pdf").unlink()
    drawn_well(document_picture(engine, **cited))


def test_a_mail_has_no_pages(read, papers: Path) -> None:
    (papers / "a.eml").write_bytes(b"From: a@example.org\nSubject: hello there\n\nmarzipan\n")
    engine = read()
    with pytest.raises(NoPictureError, match="no pages"):
        document_picture(engine, search(engine, "marzipan")["hits"][0]["document"])


def test_a_picture_is_kept_until_it_is_forgotten(read, papers: Path) -> None:
    file = papers / "rent.pdf"
    file.write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    first = document_picture(engine, **cited)
    engine.folders_pause(str(papers))
    file.unlink()
    assert document_picture(engine, **cited) == first
    engine.drawn.forget()
    with pytest.raises(NoPictureError):
        document_picture(engine, **cited)


def test_a_purged_document_is_not_shown_from_memory(read, papers: Path) -> None:
    (papers / "rent.pdf").write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    document_picture(engine, **cited)
    purge(engine, [cited["id"]], confirm=True)
    with pytest.raises(StrongroomError, match="no document"):
        document_picture(engine, **cited)


def test_a_picture_on_its_way_during_a_purge_is_not_kept(read, papers: Path, monkeypatch) -> None:
    (papers / "rent.pdf").write_bytes(paper(LINE))
    engine = read()
    cited = place(engine)
    draw = picturing._drawn

    def and_purge(*given):
        made = draw(*given)
        purge(engine, [cited["id"]], confirm=True)
        return made

    monkeypatch.setattr(picturing, "_drawn", and_purge)
    document_picture(engine, **cited)
    assert not engine.drawn.kept


def test_few_pictures_are_kept() -> None:
    kept = drawn.Drawn()
    for number in range(40):
        kept.keep(("a", number, 1000), picturing.Picture(b"x" * 600_000, "image/png", 1, 1, 1, 1, 1.0, 1.0), since=0)
    assert sum(len(each.data) for each in kept.kept.values()) <= drawn._KEPT_BYTES
    assert ("a", 39, 1000) in kept.kept


def test_every_line_of_turned_and_cropped_public_pdfs_has_ink_under_its_box(read, papers: Path, shared_data) -> None:
    names = ("rotated-page-90.pdf", "boxes.pdf", "i1040nr.pdf", "issue-461-example.pdf", "odf_presentation_01.odp.pdf")
    found = [each for name in names for each in sorted((shared_data / "parsers").rglob(name))]
    assert len(found) == len(names)
    for number, each in enumerate(found):
        (papers / f"{number}.pdf").write_bytes(each.read_bytes())
    engine = read()
    opened = engine.opened()
    lines = empty = 0
    with opened.vault.read() as db:
        ids = [row[0] for row in db.execute("SELECT id FROM document")]
    for id_ in ids:
        text = document_text(engine, id_)
        for page in range(1, 3):
            try:
                shown = document_picture(engine, id_, page=page, start=0, end=text["total"])
            except UnreadableError:
                break
            image = image_of(shown).convert("L")
            for x0, y0, x1, y1 in shown["boxes"]:
                area = (x0 * image.width, y0 * image.height, x1 * image.width + 1, y1 * image.height + 1)
                lines += 1
                darkest, lightest = image.crop(tuple(map(int, area))).getextrema()
                empty += lightest - darkest < 40
    assert lines > 20
    assert empty <= 0.02 * lines, (empty, lines)
