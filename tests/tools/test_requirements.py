"""What is installed: pinned, hashed, from any index, and without the packages that call out."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("llm", "ocr", "test")
FILES = ("requirements.txt", *(f"requirements-{each}.txt" for each in EXTRAS))
DOORS = (
    "sentence-transformers",
    "chroma",
    "unstructured",
)  # other engines behind the same doors; `card` is all of them
DOOR_FILES = tuple(f"requirements-{each}.txt" for each in (*DOORS, "card"))
PACKAGES = ("vault", "ingest", "retrieval", "generation", "engine", "ui")


def _left_out(file):
    lines = (line.split("#")[0].strip() for line in (ROOT / "tools" / file).read_text().splitlines())
    return [each for each in lines if each]


LEFT_OUT = _left_out("left-out.txt")


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(file):
    """Name → (version, number of hashes); every line that is no comment has to be one of the two kinds."""
    pins = {}
    for line in (ROOT / file).read_text().splitlines():
        text = line.rstrip("\\").strip()
        if not text or text.startswith("#"):
            continue
        if found := re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)( ; .+)?", text):
            name = _normal(found[1]) + (found[3] or "")
            pins[name] = [found[2], 0]
        else:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text), f"{file}: {text}"
            pins[name][1] += 1
    return pins


@pytest.mark.parametrize("file", [*FILES, *DOOR_FILES])
def test_every_package_has_a_version_and_hashes_and_no_index_is_named(file):
    pins = _pins(file)
    assert len(pins) > 3
    assert [name for name, (_, hashes) in pins.items() if not hashes] == []


def test_every_dependency_of_the_project_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {name.split(" ;")[0] for file in FILES for name in _pins(file)}
    assert sorted(project["optional-dependencies"]) == sorted((*EXTRAS, *DOORS, "card"))
    asked = project["dependencies"] + [each for extra in EXTRAS for each in project["optional-dependencies"][extra]]
    assert {_normal(re.match(r"[A-Za-z0-9._-]+", name)[0]) for name in asked} <= pinned


def test_an_extra_pins_only_what_it_adds():
    """Else the two files would have to agree."""
    seen = {}
    for file in FILES:
        for name in _pins(file):
            assert name not in seen, (name, file, seen[name])
            seen[name] = file


@pytest.mark.parametrize("door", DOORS)
def test_another_engine_has_the_versions_that_all_of_them_have_together(door):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert project["card"] == [f"strongroom[{','.join(DOORS)}]"]
    pins, together = _versions(f"requirements-{door}.txt"), _versions("requirements-card.txt")
    assert {_normal(re.match(r"[A-Za-z0-9._-]+", each)[0]) for each in project[door]} <= set(pins)
    assert {name: versions for name, versions in pins.items() if not versions <= together.get(name, set())} == {}


def _versions(file):
    """Name → its versions, whatever system and Python they are for."""
    found = {}
    for name, (version, _) in _pins(file).items():
        found.setdefault(name.split(" ;")[0], set()).add(version)
    return found


def test_one_environment_can_hold_the_engines_and_everything_else():
    others = {}
    for file in FILES:
        others |= _pins(file)
    engines = _pins("requirements-card.txt")
    assert {n: (v, others[n][0]) for n, (v, _) in engines.items() if n in others and others[n][0] != v} == {}
    assert not set(engines) & set(_pins("requirements.txt"))
    assert not {name.split(" ;")[0] for name in engines} & {_normal(each) for each in _left_out("left-out-card.txt")}


def test_only_one_package_is_compiled_and_what_compiles_it_is_pinned():
    pins = _pins("requirements-llm.txt")
    assert pins["llama-cpp-python"][1] == 1  # the source: there is no other file of it
    assert "scikit-build-core" in pins
    script = (ROOT / "tools" / "environment.sh").read_text()
    # langdetect, of the extra unstructured, is published as source only; it is Python, so nothing is compiled
    assert re.findall(r"--no-binary (\S+)", script) == ['"$compiled"', "langdetect"]
    assert script.count("--only-binary :all:") == script.count('bin/pip" install') - 1  # the last installs this folder


def test_packages_that_call_out_are_not_pinned():
    pinned = {name.split(" ;")[0] for file in FILES for name in _pins(file)}
    assert len(LEFT_OUT) >= 3
    assert not pinned & {_normal(name) for name in LEFT_OUT}


def test_no_other_distribution_ships_a_package_of_ours():
    owners = importlib.metadata.packages_distributions()
    assert {name: owners[name] for name in PACKAGES if set(owners.get(name, [])) - {"strongroom"}} == {}


def _without(code, home):
    """Run `code` in a process in which none of the packages left out can be imported."""
    block = "import sys\n" + "".join(f"sys.modules[{name.replace('-', '_')!r}] = None\n" for name in LEFT_OUT)
    done = subprocess.run(
        [sys.executable, "-c", block + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openvino_runs_a_model_without_them(tmp_path):
    code = """
import numpy, openvino
from openvino import opset8
given = opset8.parameter([1, 3], numpy.float32)
model = openvino.Core().compile_model(openvino.Model([opset8.relu(given)], [given], "m"), "CPU")
print(model(numpy.array([[-1, 2, 3]], numpy.float32))[0].tolist())
"""
    assert _without(code, tmp_path) == "[[0.0, 2.0, 3.0]]\n"
    assert list(tmp_path.iterdir()) == []  # its telemetry would have left an id here


def test_the_tokenizer_runs_without_them(tmp_path):
    code = """
import tokenizers
made = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "rent": 1}, unk_token="[UNK]"))
made.save("t.json")
print(tokenizers.Tokenizer.from_file("t.json").encode("rent").ids)
"""
    assert _without(code, tmp_path) == "[1]\n"


def test_the_page_draws_tables_and_charts_without_them(tmp_path):
    (tmp_path / "app.py").write_text(
        "import pandas, streamlit as st\n"
        "table = pandas.DataFrame({'month': [1, 2], 'spent': [3, 4]})\n"
        "st.dataframe(table); st.table(table); st.bar_chart(table); st.chat_input('ask')\n"
    )
    code = """
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette import App
page = AppTest.from_file("app.py").run(timeout=60)
print(len(page.exception), len(page.dataframe), len(page.chat_input), App.__name__)
"""
    assert _without(code, tmp_path) == "0 1 1 App\n"
