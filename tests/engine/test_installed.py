"""Installed packages against the list of parts, and their files against their records: with made packages."""

import base64
import hashlib
import json
import sys

import packaging.markers  # noqa: F401 - while the real environment can be imported from
import pytest

from engine import installed, sbom


def record(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def package(site, name, version, files, asks=()):
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    asked = "".join(f"Requires-Dist: {each}\n" for each in asks)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{asked}")
    rows = [f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
        rows.append(f'"{path}",{record(content)},{len(content)}')
    (info / "RECORD").write_text("\n".join(rows) + "\n")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An environment with nothing in it, and a list of parts of its own."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    pins = [
        sbom.Pin("alpha", "1.0", ("0" * 64,)),
        sbom.Pin("beta", "2.0", ("0" * 64,)),
        sbom.Pin("only-elsewhere", "1", ("0" * 64,), "", "sys_platform == 'win32'"),
        sbom.Pin("gamma", "3.0", ("0" * 64,), "ocr"),
        sbom.Pin("gamma-helper", "3.1", ("0" * 64,), "ocr"),
        sbom.Pin("delta", "4", ("0" * 64,), "chroma"),
        sbom.Pin("delta", "3+cpu", (), "chroma"),
        sbom.Pin("caller-home", "1.0", ("0" * 64,), "chroma"),
        sbom.Pin("for-graphics-cards", "7", ("0" * 64,), "chroma"),
        sbom.Pin("builder", "9", ("0" * 64,), builds=True),
    ]
    needs = {"strongroom": ["alpha", "beta", "gamma", "delta"]}
    model = {"name": "m", "version": "1", "licence": "MIT", "sha256": "1" * 64}
    listed = json.loads(json.dumps(sbom.bill("1", pins, [], needs=needs, model=model, left_out=["caller-home"])))
    monkeypatch.setattr(sbom, "read", lambda: listed)
    return site


def test_versions_are_compared_and_an_extra_only_where_it_is_there(place):
    package(place, "alpha", "1.0", {})
    package(place, "Beta", "2.1", {})
    found = installed.versions()
    assert found.right == ("alpha",)
    assert found.other == ("beta 2.1, pinned is 2.0",)
    assert found.missing == ()
    package(place, "gamma", "3.0", {}, ["gamma_helper[fast]>=3 ; python_version > '3'"])
    assert installed.versions().missing == ("gamma-helper",)


def test_another_build_of_a_part_is_one_of_the_pinned_and_brings_what_it_asks_for_alone(place):
    package(place, "alpha", "1.0", {})
    package(place, "beta", "2.0", {})
    package(place, "delta", "3+cpu", {}, ["caller-home"])
    assert installed.versions() == installed.Found(("alpha", "beta", "delta"), (), ("caller-home",), (), ())
    package(place, "caller_home", "1.0", {})
    assert installed.versions() == installed.Found(("alpha", "beta", "caller-home", "delta"), (), (), (), ())


def test_a_part_of_an_extra_that_is_not_there_is_not_asked_for(place):
    """Such as what tests bring along: nothing is missing then of the extra that would ask for it."""
    package(place, "alpha", "1.0", {})
    package(place, "beta", "2.0", {}, ["for-graphics-cards"])
    package(place, "gamma-helper", "2.9", {})
    found = installed.versions()
    assert (found.missing, found.other) == ((), ())
    assert found.unasked == ("gamma-helper",)


def test_what_is_missing_and_what_nobody_asked_for_is_told(place):
    package(place, "alpha", "1.0", {})
    package(place, "caller_home", "1.0", {})
    package(place, "other", "1.0", {})
    found = installed.versions()
    assert found.missing == ("beta",)
    assert found.unasked == ("caller-home", "other")
    assert found.calling_out == ("caller-home",)


def test_a_changed_a_missing_and_a_whole_file_are_told_apart(place):
    package(
        place,
        "alpha",
        "1.0",
        {"alpha/__init__.py": b"x = 1\n", "alpha/with, comma.py": b"y = 2\n", "alpha/c.so": b"\x7fELF"},
    )
    assert installed.files(("alpha",)) == installed.Files(3, (), ())
    (place / "alpha/c.so").write_bytes(b"\x7fELG")
    (place / "alpha/with, comma.py").unlink()
    assert set(installed.files(("alpha",)).changed) == {"alpha: c.so", "alpha: with, comma.py"}


def test_a_package_without_a_record_is_named(place):
    package(place, "alpha", "1.0", {})
    (place / "alpha-1.0.dist-info/RECORD").unlink()
    assert installed.files(("alpha",)) == installed.Files(0, (), ("alpha",))
