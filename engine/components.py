"""The libraries that see documents, keys or the network's requests: which version is installed, and how old it is.

Nothing is looked up anywhere: the dates stand here, written by `tools/released.py` whenever the packages are pinned
anew. An old version is no flaw by itself. But flaws are found in parsers all the time, and this is the age of the last
one that could have been mended.
"""

import datetime as dt
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

OLD_DAYS = 180
"""from which age on a component is called old: PDFium, OpenSSL and SQLite mend flaws several times in that time"""

RELEASED: dict[str, tuple[str, str]] = {
    # package: version, the day it was published
    "apsw-sqlite3mc": ("3.54.0.0", "2026-10-13"),
    "cryptography": ("50.0.2", "2026-09-30"),
    "httptools": ("0.9.0", "2026-10-09"),
    "llama-cpp-python": ("0.3.36", "2026-10-01"),
    "openvino": ("2026.4.1", "2026-10-01"),
    "opencv-python-headless": ("5.0.0.93", "2026-07-02"),
    "pypdfium2": ("5.15.2", "2026-11-09"),
    "python-calamine": ("0.9.1", "2026-11-03"),
    "rapidocr": ("3.10.0", "2026-10-08"),
    "streamlit": ("1.67.0", "2026-11-05"),
    "tokenizers": ("0.23.3", "2026-10-09"),
    "uvicorn": ("0.54.0", "2026-09-25"),
}

_DOES = {
    "pypdfium2": "reads PDF (PDFium)",
    "python-calamine": "reads spreadsheets",
    "apsw-sqlite3mc": "keeps the vault (SQLite, encrypted by SQLite3 Multiple Ciphers)",
    "cryptography": "makes and wraps keys (OpenSSL)",
    "openvino": "runs the embedding model",
    "tokenizers": "splits text for the embedding model",
    "llama-cpp-python": "runs a model that writes answers",
    "rapidocr": "reads scans and photographs",
    "opencv-python-headless": "prepares scans for reading (OpenCV)",
    "streamlit": "draws the page",
    "uvicorn": "serves the page",
    "httptools": "reads what the browser sends (llhttp)",
}


@dataclass(frozen=True, slots=True)
class Component:
    """One installed library."""

    name: str
    does: str
    version: str
    released: str | None
    """ISO date, None where the installed version is not the one that was pinned"""
    age_days: int | None


def installed(today: dt.date | None = None) -> list[Component]:
    """The components that are there, those that read documents first."""
    today = today or dt.datetime.now(dt.UTC).date()
    found = []
    for name, does in _DOES.items():
        try:
            there = version(name)
        except PackageNotFoundError:  # an extra that was not wanted
            continue
        pinned, day = RELEASED.get(name, ("", ""))
        released = day if pinned == there else None
        age = (today - dt.date.fromisoformat(day)).days if released else None
        found.append(Component(name, does, there, released, age))
    return found
