"""The files that benchmarks run on. They lie beside the checkout and are not part of it."""

import os
import platform
import sys
from pathlib import Path

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data() -> Path:
    """The folder of public files; ends the program with a message where it is missing."""
    if not SHARED_DATA.is_dir():
        sys.exit(f"benchmarks need the public files at {SHARED_DATA}; see docs/benchmarks.md")
    return SHARED_DATA


def standard_slice() -> list[Path]:
    """500 mails, 20 contracts and two quarterly reports: the first in sorted order."""
    data = shared_data()
    mails = sorted(each for each in (data / "emails/enron_maildir/maildir").rglob("*") if each.is_file())[:500]
    contracts = sorted(each for each in (data / "contracts/cuad").rglob("*") if each.suffix.lower() == ".pdf")[:20]
    reports = sorted((data / "finance/kg_rag").rglob("*AAPL.pdf"))[:2]
    return [*mails, *contracts, *reports]


def link_tree(files: list[Path], target: Path) -> Path:
    """A folder that holds these files alone, as hard links or copies."""
    for source in files:
        place = target / source.relative_to(shared_data()).parent / source.name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, place)
        except OSError:
            place.write_bytes(source.read_bytes())
    return target


def machine() -> str:
    """The processor, cores and memory, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line for line in lines if line.startswith("flags")), "")
    extras = [name for name in ("avx2", "avx512_vnni", "avx_vnni", "amx_int8") if name in flags.split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {', '.join(extras)}, {memory:.0f} GiB, Python {platform.python_version()}"
