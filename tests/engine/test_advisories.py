"""Known flaws from a file that somebody brings: what it means, and what a hostile one can do."""

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from engine import advisories
from engine.advisories import AdvisoriesError, compare

ROOT = Path(__file__).parents[2]
VERSIONS = {"pillow": "13.0.0", "python-dateutil": "4.0.0", "pre": "2.0rc1"}


def advisory(name="pillow", events=(), *, versions=(), name_of="PYSEC-2026-1", **more):
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges, "versions": list(versions)}
    return {"id": name_of, "modified": "2026-11-20T10:00:00Z", "summary": "A flaw", "affected": [affected], **more}


def looked(*entries, versions=VERSIONS):
    return compare(io.BytesIO(json.dumps(list(entries)).encode()), versions)


def ids(*entries, versions=VERSIONS):
    return [each["id"] for each in looked(*entries, versions=versions)["found"]]


@pytest.mark.parametrize(
    ("events", "affected"),
    [
        ([{"introduced": "0"}, {"fixed": "13.0.1"}], True),
        ([{"introduced": "0"}, {"fixed": "13.0.0"}], False),
        ([{"introduced": "13.0"}, {"fixed": "13.0.1"}], True),  # 13.0 is 13.0.0
        ([{"introduced": "13.0.1"}], False),
        ([{"introduced": "0"}], True),
        ([{"introduced": "0"}, {"last_affected": "13.0.0"}], True),
        ([{"introduced": "0"}, {"last_affected": "12.9"}], False),
        ([{"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "12.0"}, {"fixed": "14"}], True),
        ([{"fixed": "14"}, {"introduced": "12.0"}, {"fixed": "2.0"}, {"introduced": "0"}], True),  # in any order
        ([{"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "14.0"}], False),
        ([{"introduced": "9"}, {"fixed": "10"}], False),  # not as text: "9" > "13"
    ],
)
def test_a_range_means_what_osv_says(events, affected):
    assert ids(advisory(events=events)) == (["PYSEC-2026-1"] if affected else [])


def test_a_candidate_comes_before_its_release():
    assert ids(advisory("pre", [{"introduced": "2.0rc1"}, {"fixed": "2.0"}]))
    assert not ids(advisory("pre", [{"introduced": "2.0"}]))


def test_a_listed_version_a_name_in_another_spelling_and_all_that_is_told_of_it():
    [found] = looked(
        advisory("Python_Dateutil", versions=["4.0.0"], events=[{"introduced": "5"}, {"fixed": "6.1"}], aliases=["CVE-2026-1"])
    )["found"]
    assert found == {
        "package": "python-dateutil", "version": "4.0.0", "id": "PYSEC-2026-1", "aliases": ("CVE-2026-1",),
        "summary": "A flaw", "fixed": ("6.1",),
    }  # fmt: skip


def test_other_ecosystems_withdrawn_ones_and_ranges_of_commits_say_nothing():
    other = advisory(events=[{"introduced": "0"}])
    other["affected"][0]["package"]["ecosystem"] = "npm"
    commits = advisory(events=[{"introduced": "0"}])
    commits["affected"][0]["ranges"][0]["type"] = "GIT"
    found = looked(other, commits, advisory(events=[{"introduced": "0"}], withdrawn="2026-01-01T00:00:00Z"))
    assert found["found"] == []
    assert (found["advisories"], found["unreadable"], found["newest"]) == (3, 0, "2026-11-20T10:00:00Z")


def zipped(**members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.json", content)
    return made.getvalue()


def test_one_a_list_lines_and_a_zip_are_all_understood():
    one = advisory(events=[{"introduced": "0"}])
    two = {**one, "id": "PYSEC-2026-2"}
    for content, wanted in (
        (json.dumps(one), 1),
        (json.dumps(one, indent=2), 1),
        (json.dumps([one, two]), 2),
        (json.dumps(one) + "\n" + json.dumps(two) + "\n", 2),
        (zipped(a=json.dumps(one), b=json.dumps(two)), 2),
    ):
        data = content if isinstance(content, bytes) else content.encode()
        assert len(compare(io.BytesIO(data), VERSIONS)["found"]) == wanted


def test_an_entry_that_is_no_advisory_is_counted_and_stops_nothing():
    good = advisory(events=[{"introduced": "0"}])
    bad = [
        None, 7, "text", [], {}, {"id": 5}, {"id": "X", "affected": 7}, {"id": "X", "affected": [7]},
        {"id": "X", "affected": [{"package": {"ecosystem": "PyPI"}}]},
        advisory(events=[{"introduced": "not a version"}]), advisory(events=[{"introduced": None}]), advisory(events=[7]),
    ]  # fmt: skip
    found = looked(*bad, good)
    assert [each["id"] for each in found["found"]] == ["PYSEC-2026-1"]
    assert found["unreadable"] == len(bad)


@pytest.mark.parametrize("content", [b"", b"[]", b"hello", b"\x00" * 100, b"[" * 100_000, b'{"id": 1' + b"0" * 9000 + b"}"])
def test_a_file_that_holds_no_advisory_is_refused(content):
    with pytest.raises(AdvisoriesError, match="no advisory is in this file"):
        compare(io.BytesIO(content), VERSIONS)


def test_a_damaged_zip_is_refused():
    data = bytearray(zipped(a=json.dumps(advisory()) + " " * 5000))
    data[60:90] = b"\xff" * 30
    with pytest.raises(AdvisoriesError, match="damaged"):
        compare(io.BytesIO(bytes(data)), VERSIONS)


def test_a_member_that_unpacks_to_a_gigabyte_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(advisories, "_MOST_ENTRY_BYTES", 1 << 20)
    bomb = zipped(bomb=b" " * (64 << 20), good=json.dumps(advisory(events=[{"introduced": "0"}])))
    assert len(bomb) < 100_000
    read = []
    plain = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read.append(n) or plain(self, n))
    found = compare(io.BytesIO(bomb), VERSIONS)
    assert (len(found["found"]), found["unreadable"]) == (1, 1)
    assert set(read) == {(1 << 20) + 1}
    monkeypatch.setattr(advisories, "_MOST_UNPACKED_BYTES", 1 << 19)
    with pytest.raises(AdvisoriesError, match="unpacks to more"):
        compare(io.BytesIO(bomb), VERSIONS)


def test_a_file_that_names_everything_does_not_fill_the_screen(monkeypatch):
    monkeypatch.setattr(advisories, "_MOST_FOUND", 10)
    with pytest.raises(AdvisoriesError, match="more than 10"):
        looked(*(advisory(events=[{"introduced": "0"}], name_of=f"X-{n}", summary="A" * 9999) for n in range(20)))
    [found] = looked(advisory(events=[{"introduced": "0"}], name_of="X" * 9999, summary="A" * 9999))["found"]
    assert len(found["summary"]) <= 500
    assert len(found["id"]) <= 80


# --- the command ------------------------------------------------------------------------------------------------------


def command(tmp_path, *words):
    return subprocess.run(
        [sys.executable, "-m", "ui.command", "verify", *words], capture_output=True, text=True, timeout=120, check=False,
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_command_names_the_installed_part_and_where_it_is_mended(tmp_path):
    here = version("pypdfium2")
    flaw = advisory("pypdfium2", [{"introduced": "0"}, {"fixed": "9999"}], summary="\x1b[2J a page ends the world")
    (tmp_path / "all.zip").write_bytes(zipped(a=json.dumps(flaw), b=json.dumps(advisory("nothing-of-ours", [{"introduced": "0"}]))))
    done = command(tmp_path, "--advisories", "all.zip")
    assert done.returncode == 4, done.stderr
    assert f"pypdfium2 {here}: PYSEC-2026-1" in done.stdout
    assert "mended in 9999" in done.stdout
    assert "1 of 2 advisories" in done.stdout
    assert "\x1b" not in done.stdout
    (tmp_path / "one.json").write_text(json.dumps(advisory("pypdfium2", [{"introduced": "9999"}])))
    done = command(tmp_path, "--advisories", "one.json", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["found"] == []
    done = command(tmp_path, "--advisories", "nowhere.json")
    assert done.returncode == 1
    assert "nowhere.json" in done.stderr
    (tmp_path / "notes.txt").write_text("hello")
    done = command(tmp_path, "--advisories", "notes.txt")
    assert done.returncode == 1
    assert "notes.txt: no advisory is in this file" in done.stderr


def test_the_file_is_read_in_a_process_that_is_locked(tmp_path):
    """What takes over the reading can open nothing, and reach nothing."""
    (tmp_path / "x.json").write_text(json.dumps(advisory()))
    code = f"""
import socket
from pathlib import Path
from engine import advisories
def inside(opened, versions):
    refused = []
    for name, way in (("socket", lambda: socket.socket()), ("file", lambda: open("/etc/passwd"))):
        try:
            way()
        except OSError:
            refused.append(name)
    return {{"refused": refused}}
advisories.compare = inside
print(advisories.look(Path({str(tmp_path / "x.json")!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.stdout == "{'refused': ['socket', 'file']}\n", done.stderr


def test_the_list_of_parts_is_printed_as_it_came(tmp_path):
    done = command(tmp_path, "--sbom")
    assert done.returncode == 0
    assert done.stdout == (ROOT / "engine" / "sbom.cdx.json").read_text()
