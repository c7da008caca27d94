"""What the program's processes say of themselves where a log may be kept."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WARNS = """
import threading, warnings
from engine import serving
serving.hide_messages()
warnings.warn("/home/ada/secret divorce papers", RuntimeWarning)
def fail(): raise ValueError("/home/ada/secret divorce papers")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_a_warning_or_an_unhandled_error_says_its_class_and_place_and_no_path():
    done = subprocess.run([sys.executable, "-c", WARNS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "RuntimeWarning at" in done.stderr
    assert done.stderr.count("ValueError") == 2
    assert "divorce" not in done.stderr + done.stdout
