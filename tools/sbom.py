"""Write engine/sbom.cdx.json, the list of all parts of the program, from the pinned versions: make sbom

    python tools/sbom.py [--check]

Run it in the environment of the tests, in which every pinned package is installed: what a package asks for, and which
libraries lie inside of it, is read there. `--check` only says whether the file is as it would be written.
"""

import functools
import json
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import sbom  # noqa: E402 - the folder above is put on the path first

FILES = {"requirements.txt": "", "requirements-llm.txt": "llm", "requirements-ocr.txt": "ocr"}
DOORS = ("sentence-transformers", "chroma", "unstructured")  # extras that are not in the environment of the tests
FILES |= {f"requirements-{each}.txt": each for each in DOORS}
BUILDS = ("setuptools", "scikit-build-core", "pathspec")  # pathspec: what scikit-build-core asks for


def main() -> None:
    text = sbom.to_text(made())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if sbom.FILE.is_file() and sbom.FILE.read_text(encoding="utf-8") == text else 1)
    sbom.FILE.write_text(text, encoding="utf-8")


def made():
    """The list as it has to be."""
    described = licences((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"))
    pinned = {}
    for file, extra in FILES.items():
        for pin in sbom.pins((ROOT / file).read_text(encoding="utf-8"), extra):
            does, licence = described.get(pin.name, ("", ""))
            extras, marker = pin.extra, pin.marker
            if before := pinned.get((pin.name, pin.version)):  # the same part, for another extra as well
                extras = f"{before.extra} {pin.extra}"
                marker = marker if marker == before.marker else f"({before.marker}) or ({marker})"
            pinned[pin.name, pin.version] = sbom.Pin(
                pin.name, pin.version, pin.hashes, extras, marker, licence, does, pin.name in BUILDS
            )
    pins = [*pinned.values(), torch_for_processors(*described["torch"])]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + [
        each for extra in ("llm", "ocr", *DOORS) for each in project["optional-dependencies"][extra]
    ]
    behind_doors = asked_for()
    needs = {"strongroom": [named(each) for each in asked]}
    for pin in pins:
        needs[pin.name] = [*needed(pin.name), *behind_doors.get(pin.name, [])]
    return sbom.bill(project["version"], pins, inside(), needs=needs, model=model(), left_out=left_out())


def torch_for_processors(does, licence):
    """The build that `TORCH=cpu` installs in place of the pinned one. Only PyTorch's own index has it, and which hashes
    its files have there is not pinned."""
    name, version = (ROOT / "tools" / "torch-cpu.txt").read_text(encoding="utf-8").strip().split("==")
    return sbom.Pin(name, version, (), "sentence-transformers", "sys_platform == 'linux'", licence, does)


@functools.cache
def elsewhere():
    """Packages that only the engines behind the doors ask for: whether they are here makes no difference to the list."""
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in FILES}
    doors = {pin.name for file, text in texts.items() if FILES[file] in DOORS for pin in sbom.pins(text)}
    return doors - {pin.name for file, text in texts.items() if FILES[file] not in DOORS for pin in sbom.pins(text)}


def asked_for():
    """Package → what it asks for, of those behind the doors, from what tools/lock.sh wrote."""
    found, name = {}, ""
    for line in (ROOT / "tools" / "asked-for-card.txt").read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = sbom.normal(pinned[1])
        elif asks := re.fullmatch(r" +#(?: via)? +([A-Za-z0-9][A-Za-z0-9._-]*)", line):
            found.setdefault(sbom.normal(asks[1]), []).append(name)
    return found


def named(requirement):
    """The package that a requirement asks for."""
    return sbom.normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0])


def needed(name):
    """What an installed package asks for by itself, on any system; of one that is not here (on another system only, or of
    an extra that the tests do not have), or that only builds and need not be here, nothing is told."""
    if name in BUILDS or name in elsewhere():
        return []
    try:
        asked = requires(name) or []
    except PackageNotFoundError:
        return []
    return [named(each) for each in asked if "extra ==" not in each.replace("'", '"')]


def licences(page):
    """Package → (what for, licence), from the tables of docs/dependencies.md."""
    found = {}
    for part in re.split(r"^## |^\*\*`", page, flags=re.MULTILINE):
        columns = []
        for line in part.splitlines():
            cells = [each.strip() for each in line.strip("|").split(" | ")] if line.startswith("| ") else []
            if cells and cells[0] == "package":
                columns = cells
            elif columns and "licence" in columns and len(cells) == len(columns) and re.fullmatch(r"[\w.-]+", cells[0]):
                row = dict(zip(columns, cells, strict=True))
                # The first table that has it: in a later one stands what else asks for it.
                found.setdefault(sbom.normal(cells[0]), (row.get("what for", ""), row["licence"]))
    return found


def inside():
    """Libraries within packages that read what strangers send, or keep what is secret: flaws are found in these."""
    import apsw
    import pypdfium2
    import shapely
    from cryptography.hazmat.backends.openssl import backend

    openssl = backend.openssl_version_text().split()[1]
    ciphers = apsw.mc_version.split()[-1]
    return [
        sbom.Inside("apsw-sqlite3mc", "SQLite", apsw.sqlite_lib_version(), "public domain"),
        sbom.Inside("apsw-sqlite3mc", "SQLite3 Multiple Ciphers", ciphers, "MIT"),
        sbom.Inside("cryptography", "OpenSSL", openssl, "Apache-2.0"),
        sbom.Inside("pypdfium2", "PDFium", str(pypdfium2.PDFIUM_INFO).split("@")[0], "BSD-3-Clause"),
        sbom.Inside("shapely", "GEOS", shapely.geos_version_string, "LGPL-2.1"),
    ]


def model():
    """The embedding model in retrieval/minilm."""
    sums = json.loads((ROOT / "retrieval" / "minilm" / "checksums.json").read_text(encoding="utf-8"))
    weights = sums["files"]["openvino/openvino_model_qint8.bin"]
    return {"name": "all-MiniLM-L6-v2", "version": "int8", "licence": "Apache-2.0", "sha256": weights}


def left_out():
    """The packages of tools/left-out.txt, and those that the engines behind the doors would bring."""
    files = ("left-out.txt", "left-out-card.txt")
    lines = [line for each in files for line in (ROOT / "tools" / each).read_text(encoding="utf-8").splitlines()]
    return sorted({name for line in lines if (name := line.partition("#")[0].strip())})


if __name__ == "__main__":
    main()
