"""The list of parts: as it would be written from the pins, complete, and in the form that others read."""

import json
import re
import uuid
from pathlib import Path

import pytest

from engine import sbom
from tools import sbom as made

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def listed():
    return sbom.read()


def test_the_list_that_is_packaged_is_as_it_would_be_written_now():
    assert sbom.FILE.read_text(encoding="utf-8") == sbom.to_text(made.made()), "run make sbom"


def test_it_has_each_pinned_package_of_the_program_with_every_hash(listed):
    there = {each["purl"]: each for each in listed["components"] if "purl" in each}
    wanted = set()
    for file in ("", "-llm", "-ocr", "-sentence-transformers", "-chroma", "-unstructured"):
        text = (ROOT / f"requirements{file}.txt").read_text()
        for name, version, hashes in re.findall(
            r"^([a-z0-9._-]+)==([^\s;\\]+)[^\n]*\n((?:    --hash.*\n?)+)", text, re.MULTILINE
        ):
            purl = f"pkg:pypi/{name}@{version}"
            wanted.add(purl)
            assert [each["content"] for each in there[purl]["hashes"]] == re.findall(r"sha256:([0-9a-f]{64})", hashes)
            assert there[purl]["licenses"], name
    assert len(wanted) > 130
    assert set(there) - wanted == {
        f"pkg:pypi/torch@{(ROOT / 'tools/torch-cpu.txt').read_text().strip()[7:].replace('+', '%2B')}"
    }


def test_a_part_says_which_extras_ask_for_it(listed):
    extras = {each.name: each.extra.split() for each in sbom.pinned(listed)}
    assert extras["torch"] == ["sentence-transformers"]
    assert extras["requests"] == ["sentence-transformers", "chroma", "unstructured"]
    assert extras["numpy"] == []
    assert set(extras["tqdm"]) == {"ocr", "sentence-transformers", "chroma", "unstructured"}


def test_it_names_what_lies_inside_of_packages_and_the_model(listed):
    inside = {each["name"] for one in listed["components"] for each in one.get("components", ())}
    assert {"SQLite", "SQLite3 Multiple Ciphers", "OpenSSL", "PDFium"} <= inside
    [model] = [each for each in listed["components"] if each["type"] == "machine-learning-model"]
    assert model["hashes"][0]["content"] == sha256(ROOT / "retrieval/minilm/openvino/openvino_model_qint8.bin")


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_is_in_the_form_of_cyclonedx(listed):
    """Required fields, references that exist, no field that the form does not have: what its schema asks for here."""
    assert (listed["bomFormat"], listed["specVersion"], listed["version"]) == ("CycloneDX", "1.6", 1)
    assert uuid.UUID(listed["serialNumber"].removeprefix("urn:uuid:")).version == 5
    components = [
        listed["metadata"]["component"],
        *listed["components"],
        *(each for one in listed["components"] for each in one.get("components", ())),
    ]
    references = [each["bom-ref"] for each in components]
    assert len(references) == len(set(references))
    fields = {"type", "bom-ref", "name", "version", "purl", "scope", "hashes", "licenses", "properties", "components"}
    for each in components:
        assert {"type", "name"} <= set(each) <= fields, each["name"]
        assert each.get("scope", "required") in ("required", "optional", "excluded")
        assert all(set(one["license"]) in ({"id"}, {"name"}) for one in each.get("licenses", ()))
        assert all(re.fullmatch(r"[0-9a-f]{64}", one["content"]) for one in each.get("hashes", ()))
        assert len({one["content"] for one in each.get("hashes", ())}) == len(each.get("hashes", ()))
    for row in listed["dependencies"]:
        assert {row["ref"], *row.get("dependsOn", ())} <= set(references), row["ref"]
    assert len({row["ref"] for row in listed["dependencies"]}) == len(listed["dependencies"])


def test_everything_is_asked_for_by_something(listed):
    asked = {each for row in listed["dependencies"] for each in row.get("dependsOn", ())}
    lonely = {each["name"] for each in listed["components"] if each["bom-ref"] not in asked}
    # What puts it together, and never runs with it; torch asks for setuptools too.
    assert lonely == set(made.BUILDS) - {"setuptools"}


def test_reading_gives_the_pins_back(listed):
    pins = {(each.name, each.version): each for each in sbom.pinned(listed)}
    assert pins["rapidocr", "3.10.0"].extra == "ocr" or [each for each in pins.values() if each.extra == "ocr"]
    assert {each.name for each in pins.values() if each.builds} == set(made.BUILDS)
    assert any("python_full_version" in each.marker for each in pins.values())
    assert set(sbom.left_out(listed)) == set(made.left_out())


def test_the_same_pins_give_the_same_bytes_and_others_another_number():
    pin = sbom.Pin("a", "1", ("0" * 64,), licence="MIT")
    model = {"name": "m", "version": "1", "licence": "MIT", "sha256": "1" * 64}

    def number(*pins):
        return sbom.bill("1", pins, [], needs={}, model=model, left_out=["x"])["serialNumber"]

    assert number(pin) == number(pin)
    assert number(pin) != number(sbom.Pin("a", "2", ("0" * 64,), licence="MIT"))


def test_it_is_part_of_what_is_packaged():
    project = (ROOT / "pyproject.toml").read_text()
    assert 'engine = ["sbom.cdx.json"]' in project
    assert json.loads(sbom.FILE.read_text())["metadata"]["component"]["version"] in project
