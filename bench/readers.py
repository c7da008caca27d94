"""Readers compared: speed, memory, start-up, and the words they find.

    python -m bench.readers [FILES]        (at most so many files of a format; 60)

What is read: the sample's mails and Word documents, and of the public files Word documents, web pages and mails (spread
evenly over all of them), and contracts for PDF. Each reader reads them in a process of its own, so that its imports and its
memory are its own. Words are compared with those of Strongroom's reader, as multisets: `found` is the share of its words
that the other finds too, `more` how many the other finds beyond, in the same share.

unstructured needs the extra of that name; kreuzberg and pypdf are compared where they are installed.
"""

import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.files import SHARED_DATA

SAMPLE = Path(__file__).resolve().parents[1] / "sample_corpus" / "papers"
SUFFIXES = {"mail": (".eml",), "docx": (".docx",), "html": (".html", ".htm"), "pdf": (".pdf",)}
TYPES = {
    "mail": "message/rfc822",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "pdf": "application/pdf",
}
READERS = {
    "strongroom": (("mail", "docx", "html", "pdf"), "pypdfium2"),
    "strongroom + unstructured": (("mail", "docx", "html"), "unstructured"),
    "unstructured": (("mail", "docx", "html"), "unstructured"),
    "kreuzberg": (("mail", "docx", "html", "pdf"), "kreuzberg"),
    "pypdfium2 by itself": (("pdf",), "pypdfium2"),
    "pypdf": (("pdf",), "pypdf"),
}


def files(kind: str, most: int) -> list[Path]:
    """The sample's and public files of a format, at most so many."""
    found = [each for each in sorted(SAMPLE.rglob("*")) if each.suffix in SUFFIXES[kind] and each.is_file()]
    if SHARED_DATA.is_dir():
        folder = SHARED_DATA / "contracts" if kind == "pdf" else SHARED_DATA
        public = [
            each for each in sorted(folder.rglob("*")) if each.suffix.lower() in SUFFIXES[kind] and each.is_file()
        ]
        step = max(1, len(public) // most)
        found += public[::step]
    return found[:: max(1, len(found) // most)][:most]


# --- in a process of its own ----------------------------------------------------------------------------------------


def strongroom(readers: dict[str, str]) -> Callable[[Path, str], str]:
    import io

    from ingest import registry
    from vault.records import Document

    registry.preload()

    def read(path: Path, _kind: str) -> str:
        context = registry.Context(path.name, readers=readers)
        found = registry.parse(io.BytesIO(path.read_bytes()), path.name, context)
        first = next(each for each in found if isinstance(each, Document))  # attachments are others' business
        return first.text

    return read


def with_unstructured() -> Callable[[Path, str], str]:
    from ingest import unstructured_reader

    unstructured_reader.prepare()
    return strongroom(dict.fromkeys(("mail", "docx", "html"), "unstructured"))


def unstructured() -> Callable[[Path, str], str]:
    """As it is called by whoever has read its first page, but for the model that it would fetch."""
    from ingest import unstructured_reader

    unstructured_reader.prepare()
    from unstructured.partition.docx import partition_docx
    from unstructured.partition.email import partition_email
    from unstructured.partition.html import partition_html

    calls = {"docx": partition_docx, "html": partition_html}

    def read(path: Path, kind: str) -> str:
        if kind == "mail":
            found = partition_email(filename=str(path), process_attachments=False)
            head = found[0].metadata if found else None
            names = [*(head.sent_from or ()), *(head.sent_to or ()), head.subject or ""] if head else []
            return "\n".join([*names, *(each.text for each in found)])
        return "\n\n".join(each.text for each in calls[kind](filename=str(path)))

    return read


def kreuzberg() -> Callable[[Path, str], str]:
    from kreuzberg import ExtractionConfig, extract_bytes_sync

    config = ExtractionConfig(use_cache=False)
    return lambda path, kind: extract_bytes_sync(path.read_bytes(), TYPES[kind], config).content


def pypdfium2() -> Callable[[Path, str], str]:
    import pypdfium2 as pdfium

    return lambda path, _kind: "\n".join(page.get_textpage().get_text_bounded() for page in pdfium.PdfDocument(path))


def pypdf() -> Callable[[Path, str], str]:
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    return lambda path, _kind: "\n".join(page.extract_text() for page in PdfReader(path).pages)


MAKE = {
    "strongroom": lambda: strongroom({}),
    "strongroom + unstructured": with_unstructured,
    "unstructured": unstructured,
    "kreuzberg": kreuzberg,
    "pypdfium2 by itself": pypdfium2,
    "pypdf": pypdf,
}


def child(name: str, kind: str, listed: Path) -> None:
    """Read the listed files and print what came of it as JSON."""
    os.environ.update(DO_NOT_TRACK="1", UNSTRUCTURED_DISABLE_NOTICE="1", OMP_NUM_THREADS="1")
    begun = time.perf_counter()
    read = MAKE[name]()
    started = time.perf_counter() - begun
    paths = [Path(line) for line in listed.read_text().splitlines()]
    words: list[Counter[str] | None] = []
    begun = time.perf_counter()
    for path in paths:
        try:
            words.append(Counter(re.findall(r"\w+", read(path, kind).casefold())))
        except BaseException as error:  # a panic in Rust is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            words.append(None)
    spent = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"start": started, "seconds": spent, "memory": memory, "words": words}))


# --- the comparison -------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*arguments], capture_output=True, text=True, check=False)


def compare(most: int) -> None:
    print(
        f"{'format':<7}{'reader':<28}{'files/s':>8}{'start s':>9}{'memory MiB':>12}{'found':>8}{'more':>7}{'failed':>8}"
    )
    for kind in SUFFIXES:
        paths = files(kind, most)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
            listed.write("\n".join(map(str, paths)))
            listed.flush()
            own: list[dict[str, int] | None] = []
            for name, (kinds, package) in READERS.items():
                if kind not in kinds:
                    continue
                if importlib.util.find_spec(package) is None:
                    print(f"{kind:<7}{name:<28}   not installed")
                    continue
                done = run(sys.executable, "-m", "bench.readers", "--child", name, kind, listed.name)
                if done.returncode:
                    print(f"{kind:<7}{name:<28}   failed: {done.stderr.strip().splitlines()[-1][:80]}")
                    continue
                found = json.loads(done.stdout.splitlines()[-1])
                own = own or found["words"]
                print(f"{kind:<7}{name:<28}{line(found, own)}")


def line(found: dict, own: list) -> str:
    """One reader's figures."""
    both = [
        (Counter(a), Counter(b)) for a, b in zip(own, found["words"], strict=True) if a is not None and b is not None
    ]
    total = sum(a.total() for a, _ in both) or 1
    same = sum((a & b).total() for a, b in both)
    more = sum((b - a).total() for a, b in both)
    failed = sum(each is None for each in found["words"])
    speed = len(found["words"]) / found["seconds"]
    return f"{speed:>8.1f}{found['start']:>9.2f}{found['memory']:>12.0f}{same / total:>8.3f}{more / total:>7.3f}{failed:>8}"


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
        return
    compare(int(sys.argv[1]) if sys.argv[1:] else 60)


if __name__ == "__main__":
    main()
