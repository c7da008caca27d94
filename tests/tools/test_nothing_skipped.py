"""The plugin that keeps the checks honest where everything can be installed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _run(folder, body):
    (folder / "test_one.py").write_text(body)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tools.nothing_skipped",
            "--rootdir",
            folder,
            "-c",
            "/dev/null",
            folder,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_skipped_test_fails(tmp_path):
    done = _run(tmp_path, "import pytest\ndef test_x(): pytest.skip('needs chromium')\ndef test_y(): pass\n")
    assert done.returncode == 1, done.stdout
    assert "skipped where nothing may be: Skipped: needs chromium" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_a_module_without_its_package_fails(tmp_path):
    done = _run(tmp_path, "import pytest\npytest.importorskip('no_such_package')\n")
    assert done.returncode == 2, done.stdout
    assert "skipped where nothing may be: Skipped: could not import 'no_such_package'" in done.stdout


def test_a_test_for_another_system_may_be_skipped(tmp_path):
    done = _run(tmp_path, "import pytest\ndef test_x(): pytest.skip('needs macOS')\n")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
