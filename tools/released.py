"""Write into engine/components.py on which day each component's pinned version was published.

    python tools/released.py [UV]

The day comes from the package index by way of `uv lock` (its lock file names when each file was uploaded).
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "engine" / "components.py"
_ROW = re.compile(r'^    "([\w.-]+)": \("([^"]+)", "([^"]+)"\),$', re.MULTILINE)


def pinned(requirements: str) -> dict[str, str]:
    """Package → version."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", requirements, flags=re.MULTILINE))


def published(versions: dict[str, str], uv: str) -> dict[str, str]:
    """Package → the day on which the first file of this version was uploaded."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = ", ".join(f'"{name}=={version}"' for name, version in versions.items())
        Path(folder, "pyproject.toml").write_text(
            f'[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = [{wanted}]\n'
        )
        subprocess.run([uv, "lock", "--quiet"], cwd=folder, check=True)
        locked = tomllib.loads(Path(folder, "uv.lock").read_text())
    days = {}
    for package in locked["package"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        if package["name"] in versions:
            days[package["name"]] = min(str(file["upload-time"]) for file in files)[:10]
    return days


def rewritten(source: str, versions: dict[str, str], days: dict[str, str]) -> str:
    """The module with the table's rows renewed; packages that are not pinned keep theirs."""

    def row(found: re.Match[str]) -> str:
        name = found[1]
        return f'    "{name}": ("{versions[name]}", "{days[name]}"),' if name in days else found[0]

    return _ROW.sub(row, source)


def main() -> None:
    source = TABLE.read_text()
    versions = {row[1]: row[2] for row in _ROW.finditer(source)}
    pins = {name: each for path in ROOT.glob("requirements*.txt") for name, each in pinned(path.read_text()).items()}
    versions = {name: pins.get(name, version) for name, version in versions.items()}
    TABLE.write_text(rewritten(source, versions, published(versions, *(sys.argv[1:] or ["uv"]))))


if __name__ == "__main__":
    main()
