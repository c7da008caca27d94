"""The whole program with its page, and a real browser, for what is measured on the screen. Needs Debian's Chromium."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
_ROOT = Path(__file__).resolve().parents[1]
_LAUNCH = (
    "import sys; from pathlib import Path; from engine.launcher import launch;"
    "launch(Path(sys.argv[1]), Path(sys.argv[2]), page=True, on_ready=lambda url: print(url, flush=True))"
)


@contextmanager
def launched(folder: Path) -> Iterator[str]:
    """Strongroom with its page, its vault and state in `folder`, until the context ends; the address that opens it."""
    (folder / "state").mkdir(parents=True, exist_ok=True, mode=0o700)
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(folder / "vault"), str(folder / "state")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, without what it sends home by itself."""
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*quiet.split(), "--disable-component-update", "--disable-sync"]
        )
        yield opened
        opened.close()
