"""Scanned papers, through the whole engine: real models, in a real worker, under the lock."""

import base64
import io
import json
import threading
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from engine.asking import ask, search
from engine.engine import Engine
from engine.erasing import purge
from engine.history import conversation
from engine.picturing import document_picture
from engine.reading import document, document_text, files
from ingest import ocr, scanned
from ingest.pictures import PictureReader
from vault.keys import FLOOR
from vault.records import Block, ReadPage

pytestmark = pytest.mark.skipif(not ocr.available(), reason="needs the extra ocr")

PASSPHRASE = "a passphrase for tests"
INVOICE = ("Chimney sweep Barlow", "Invoice date: 14 March 2025", "Total: 184.50 EUR")
SECOND = ("The gutter was cleaned", "by Messrs Ottoline")


def scan(*lines: str) -> Image.Image:
    """A page with these lines, as a scanner at 75 dots an inch would bring it."""
    image = Image.new("L", (620, 300), 255)
    font = ImageFont.load_default(30)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((40, 40 + 60 * number), line, fill=0, font=font)
    return image


def pdf(*pages: str | Image.Image) -> bytes:
    """A PDF of pages of one line of text, or of a picture."""
    objects = [b"", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for page in pages:
        if isinstance(page, str):
            content, resources = f"BT /F1 14 Tf 60 200 Td ({page}) Tj ET", "/Font<</F1 3 0 R>>"
        else:
            head = f"/Width {page.width}/Height {page.height}/BitsPerComponent 8/ColorSpace/DeviceGray"
            data = page.tobytes()
            objects.append(
                f"<</Type/XObject/Subtype/Image{head}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"
            )
            content, resources = "620 0 0 300 0 0 cm /I Do", f"/XObject<</I {len(objects)} 0 R>>"
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream".encode())
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 620 300]/Contents {len(objects)} 0 R"
            f"/Resources<<{resources}>>>>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = b"<</Type/Catalog/Pages 2 0 R>>"
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>".encode()
    out = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = "".join(f"{each:010d} 00000 n \n" for each in places)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    return out + f"{tail}startxref\n{len(out)}\n%%EOF".encode()


def states(engine: Engine) -> dict[str, tuple[str, str]]:
    return {Path(row["path"]).name: (row["state"], row["reason"]) for row in files(engine, limit=200)["rows"]}


def finish(engine: Engine) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        engine.wait(seconds=60)
        if not engine.status()["to_do"]:
            return
    raise AssertionError(engine.status())


@pytest.fixture(scope="module")
def begun(tmp_path_factory, zygote, embedder):
    """A vault in which the pictures were met without the extra, and how to open it again."""
    base = tmp_path_factory.mktemp("scans")
    papers = base / "papers"
    papers.mkdir()
    scan(*INVOICE).save(papers / "sweep.png")
    (papers / "mixed.pdf").write_bytes(pdf("Before the picture", scan(*SECOND), "After the picture"))
    Image.linear_gradient("L").resize((500, 400)).save(papers / "sky.png")

    def start() -> Engine:
        return Engine(base / "vault", base / "state", zygote, cost=FLOOR, load=lambda: embedder)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ocr, "available", lambda: False)
        engine = start()
        engine.create(PASSPHRASE)
        engine.folders_add(str(papers))
        finish(engine)
        before = states(engine)
        hits = search(engine, "picture")["hits"]
        engine.close()
    return start, before, hits


@pytest.fixture(scope="module")
def engine(begun):
    start, _, _ = begun
    started = start()
    started.unlock(PASSPHRASE)
    finish(started)
    yield started
    started.close()


def id_of(engine: Engine, name: str) -> str:
    (row,) = [row for row in files(engine, limit=200)["rows"] if row["path"].endswith(name)]
    return row["documents"][0]["id"]


def test_without_the_extra_the_text_is_found_and_the_reason_says_what_would_help(begun):
    _, before, hits = begun
    assert before["mixed.pdf"] == ("partial", f"1 page is a picture: {scanned.INSTALL}")
    assert {hit["page"] for hit in hits} >= {1}
    assert all("confidence" not in hit for hit in hits)


def test_once_it_is_there_what_was_left_is_read(engine):
    assert states(engine) == {"sweep.png": ("done", ""), "mixed.pdf": ("done", ""), "sky.png": ("done", "")}


def test_a_scanned_invoice_is_found_by_its_words(engine):
    hit = search(engine, "chimney sweep invoice")["hits"][0]
    assert Path(hit["path"]).name == "sweep.png"
    assert (hit["page"], hit["kind"]) == (1, "invoice")
    text = document_text(engine, hit["document"])["text"]
    assert text[hit["start"] : hit["end"]] == hit["quote"]
    assert 0.9 < hit["confidence"] <= 1
    for line in INVOICE:
        assert line in text


def test_the_words_of_a_scan_are_marked_on_its_picture(engine):
    id_ = id_of(engine, "sweep.png")
    text = document_text(engine, id_)["text"]
    start = text.index("14 March 2025")
    shown = document_picture(engine, id_, start=start, end=start + len("14 March 2025"))
    (box,) = shown["boxes"]
    assert (shown["width"], shown["height"]) == (620, 300)
    image = Image.open(io.BytesIO(base64.b64decode(shown["data"]))).convert("L")
    # Drawn again with nothing but these words: what is left of the ink lies in the box.
    font = ImageFont.load_default(30)
    left = 40 + ImageDraw.Draw(image).textlength("Invoice date: ", font=font)
    right = left + ImageDraw.Draw(image).textlength("14 March 2025", font=font)
    assert box[0] * 620 == pytest.approx(left, abs=25)
    assert box[2] * 620 == pytest.approx(right, abs=25)
    assert box[1] * 300 < 115
    assert box[3] * 300 > 125


def test_a_picture_page_is_read_into_its_place_between_the_others(engine):
    id_ = id_of(engine, "mixed.pdf")
    text = document_text(engine, id_)
    assert text["text"] == "Before the picture\n\nThe gutter was cleaned\nby Messrs Ottoline\n\nAfter the picture"
    assert [block["page"] for block in text["blocks"]] == [1, 2, 3]
    hit = search(engine, "Ottoline")["hits"][0]
    assert hit["document"] == id_


def test_how_sure_the_reading_is_stands_by_page(engine):
    found = document(engine, id_of(engine, "mixed.pdf"))
    assert found["picture_pages"] == 0
    assert list(json.loads(found["metadata"][scanned.PAGES])) == ["2"]
    assert 0.9 < float(found["metadata"][scanned.CONFIDENCE]) <= 1


def test_a_picture_without_words_stays_a_document_without_text(engine):
    found = document(engine, id_of(engine, "sky.png"))
    assert (found["characters"], found["picture_pages"], found["pages"]) == (0, 0, 1)
    assert scanned.CONFIDENCE not in found["metadata"]
    assert document_picture(engine, found["id"])["width"] == 500


def test_what_was_read_is_purged_with_its_document(engine):
    id_ = id_of(engine, "sweep.png")
    receipt = purge(engine, [id_], confirm=True)
    assert receipt["confirmed"], receipt
    assert "Barlow" not in str(search(engine, "Barlow")["hits"])


# --- what goes wrong costs its own document ---------------------------------------------------------------------------


@pytest.fixture
def papers(tmp_path, zygote, embedder):
    """A vault and a folder of two pictures, which is not watched yet."""
    (tmp_path / "papers").mkdir()
    for name in ("first.png", "second.png"):
        scan(name).save(tmp_path / "papers" / name)
    made = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    made.create(PASSPHRASE)
    yield made, tmp_path / "papers"
    made.close()


def read(words: str) -> ReadPage:
    return ReadPage(1, 0.9, words, (Block(0, len(words), "paragraph", 0, 1, ()),))


def test_an_error_of_ours_costs_the_one_document(papers, monkeypatch):
    engine, folder = papers

    def pages(_self, _descriptor, name, _part, _batch):
        if name == "second.png":
            raise TypeError
        yield read("The gutter was cleaned")

    monkeypatch.setattr(PictureReader, "_pages", pages)
    engine.folders_add(str(folder))
    finish(engine)
    assert states(engine) == {
        "first.png": ("done", ""), "second.png": ("partial", f"1 page is a picture: {scanned.FAILED}")
    }  # fmt: skip
    assert document(engine, id_of(engine, "second.png"))["metadata"][scanned.WHY_NOT].endswith("TypeError")
    assert not engine.status()["reason"]
    (folder / "second.png").unlink()


def test_what_was_read_of_a_file_that_changed_meanwhile_is_not_kept(papers, monkeypatch):
    engine, folder = papers
    (folder / "second.png").unlink()
    store = PictureReader._store
    stored = []

    def pages(_self, _descriptor, _name, _part, _batch):
        (folder / "first.png").write_bytes(b"other")
        yield read("Words of another paper")

    def spied(self, scan, name, read, *rest):
        stored.extend(each.text for each in read)
        return store(self, scan, name, read, *rest)

    monkeypatch.setattr(PictureReader, "_pages", pages)
    monkeypatch.setattr(PictureReader, "_store", spied)
    engine.folders_add(str(folder))
    finish(engine)
    assert stored == []


def test_an_answer_given_before_still_points_at_its_words(papers, monkeypatch):
    engine, folder = papers
    for each in folder.iterdir():
        each.unlink()
    lease = pdf("Before the picture", scan("x"), "The rent of the garage is 85 pounds")
    (folder / "mixed.pdf").write_bytes(lease)
    asked = threading.Event()

    def pages(_self, _descriptor, _name, _part, batch):
        assert asked.wait(60)
        words = "The gutter was cleaned"
        yield ReadPage(2, 0.9, words, (Block(0, len(words), "paragraph", 0, 2, ()),))
        assert batch == [2]

    monkeypatch.setattr(PictureReader, "_pages", pages)
    engine.folders_add(str(folder))
    until = time.monotonic() + 60
    while not (answer := ask(engine, "How much is the rent of the garage?"))["statements"]:
        assert time.monotonic() < until
        time.sleep(0.2)
    asked.set()
    finish(engine)
    (kept,) = [each for each in conversation(engine, answer["conversation"])["answers"] if each["statements"]]
    (hit,) = kept["statements"][0]["citations"]
    text = document_text(engine, hit["document"])["text"]
    assert "gutter" in text[: hit["start"]]
    assert text[hit["start"] : hit["end"]] == hit["quote"]
    for low, high in hit["marks"]:
        assert hit["start"] <= low < high <= hit["end"]
    (before,) = answer["statements"][0]["citations"]
    assert before["quote"] == hit["quote"]
    assert before["start"] < hit["start"]
