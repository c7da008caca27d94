"""The page over a large vault, in a real browser: how long until it is there, and from a click to a document's text.

    python -m bench.library [DOCUMENTS]

20,000 documents of made-up people and subjects around paragraphs of the public contracts; their vectors are random,
because embedding is measured apart, and their folder is paused, because they lie nowhere. Needs Debian's Chromium.
"""

import hashlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.scale import paragraphs
from engine import client
from retrieval import keyword
from vault import documents
from vault.keys import FLOOR
from vault.records import Block, Chunk, Document
from vault.vault import Vault

DOCUMENTS = 20_000
TIMES = 24  # each way of clicking; the first, which warms up, is left out
PASSPHRASE = "a passphrase for measuring"
CHROMIUM = "/usr/bin/chromium"
WORD = "quagmireville"
"""a word that stands in a few documents, so that a question has an answer"""

_KINDS = ("mail", "mail", "mail", "mail", "mail", "contract", "invoice", "letter", "statement", "document")
_NAMES = [
    "Abel",
    "Bright",
    "Conrad",
    "Dunn",
    "Ellis",
    "Frost",
    "Grant",
    "Hale",
    "Ivers",
    "Jansen",
    "Keller",
    "Lowe",
    "Marsh",
    "Nolan",
    "Otto",
    "Price",
]
_SUBJECTS = [
    "Offer",
    "Lease",
    "Minutes",
    "Invoice",
    "Delivery",
    "Notice",
    "Insurance",
    "Travel",
    "Report",
    "Estimate",
    "Meeting",
    "Contract",
]
_ROOT = Path(__file__).resolve().parents[1]
_LAUNCH = (
    "import sys; from pathlib import Path; from engine.launcher import launch;"
    "launch(Path(sys.argv[1]), Path(sys.argv[2]), page=True, on_ready=lambda url: print(url, flush=True))"
)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        fill(folder, count)
        size = sum(each.stat().st_size for each in (folder / "vault").iterdir()) / 1e6
        print(f"{count:,} documents, vault of {size:.0f} MB")
        with launched(folder) as engine, browser() as opened:
            listing(engine)
            clicks(engine, opened)


def fill(folder: Path, count: int) -> None:
    """Make the vault in `folder`."""
    vault, _ = Vault.create(folder / "vault", PASSPHRASE, state=folder / "state", cost=FLOOR)
    chance = random.Random(3)
    vectors = np.random.default_rng(3).normal(size=(count * 2, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    source = paragraphs()
    with vault.write() as db:
        for number, each in enumerate(("Mail", "Contracts", "Money"), start=1):
            path = f"/made/{each}"
            db.execute(
                "INSERT INTO folder (id, path, shown, added, paused, device, inode) VALUES (?, ?, ?, 0, 1, 0, 0)",
                (number, path.encode(), path),
            )
    for first in range(0, count, 1000):
        with vault.write() as db:
            indexed: list[tuple[int, str]] = []
            for n in range(first, min(first + 1000, count)):
                indexed += _add(db, n, chance, list(islice(source, 2)), vectors[2 * n : 2 * n + 2])
            keyword.add(db, indexed)
    vault.close()


def _add(db: Any, n: int, chance: random.Random, texts: list[str], vectors: Any) -> list[tuple[int, str]]:
    kind = chance.choice(_KINDS)
    person = f"{chance.choice(_NAMES)}, {chance.choice(_NAMES)} <{chance.choice(_NAMES).lower()}@mail{n % 97}.example>"
    if not n % 997:
        texts[0] = f"The annual fee for the {WORD} crossing number {n} is {n} euros. {texts[0]}"
    title = f"{chance.choice(_SUBJECTS)} {chance.choice(_NAMES)} {n}"
    day = f"{chance.randint(2005, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T09:00:00+00:00"
    body = "\n".join(texts)
    starts = (0, len(texts[0]) + 1)
    pieces = [Chunk(at, at + len(text)) for at, text in zip(starts, texts, strict=True)]
    folder = 1 if kind == "mail" else 2 if kind in {"contract", "letter", "document"} else 3
    path = (
        f"/made/{('Mail', 'Contracts', 'Money')[folder - 1]}/{2005 + n % 20}/{title}.{'eml' if folder == 1 else 'pdf'}"
    )
    identity = hashlib.sha256(f"{n}".encode()).hexdigest()
    metadata = (
        {"date": day, "sender": person, "recipients": "Me <me@home.example>"} if kind == "mail" else {"date": day}
    )
    blocks = tuple(Block(piece.start, piece.end, "paragraph", 0, None) for piece in pieces)
    made = Document(identity, kind, title, body, blocks, metadata=metadata)
    keys = [hashlib.blake2b(f"{n}-{m}".encode(), digest_size=16).digest() for m in range(len(pieces))]
    number, ids = documents.add(db, made, prefix=title, chunks=pieces, keys=keys)
    state = "partial" if not n % 50 else "done"
    db.execute(
        "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, hash, state, reason, changed)"
        " VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (folder, path.encode(), path, len(body), n * 10**9, bytes.fromhex(identity), state, "", float(n)),
    )
    documents.place(db, db.last_insert_rowid(), "", number, None)
    db.executemany(
        "INSERT OR IGNORE INTO vector VALUES (?, ?)",
        [(i, each.astype("<f2").tobytes()) for i, each in zip(ids, vectors, strict=True)],
    )
    return list(zip(ids, texts, strict=True))


# --- the engine's lists ---------------------------------------------------------------------------------------------

_ASKED: dict[str, dict[str, Any]] = {
    "first screen, newest first": {"sort": "date", "descending": True},
    "last screen, by title": {"sort": "title", "offset": 19_980},
    "by path": {"sort": "path"},
    "two words in names or text": {"text": "notice keller", "inside": True},
    "a letter that is everywhere": {"text": "e", "inside": True},
    "kind, folder, person and years": {
        "kind": "mail",
        "folder": 1,
        "person": "keller",
        "after": "2010",
        "before": "2019",
    },
    "only partly read": {"state": "partial,embedding"},
}


def listing(engine: Any) -> None:
    """How long the engine takes for a screenful."""
    for name, asked in _ASKED.items():
        times = sorted(timed(partial(engine.call, "documents", limit=15, **asked)) for _ in range(9))
        print(f"list, {name}: median {times[4]:.0f} ms, most {times[-1]:.0f} ms (asked for: at most 50 ms)")
    times = sorted(timed(lambda: engine.call("documents.facets")) for _ in range(9))
    print(f"what to narrow by, with counts: median {times[4]:.0f} ms, most {times[-1]:.0f} ms")


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


# --- the page -------------------------------------------------------------------------------------------------------


def clicks(engine: Any, browser: Any) -> None:
    """First paint, and clicks until what was asked for is painted, in a browser with an empty cache."""
    engine.call("suggestions")  # thought of once for what is in the vault; for seconds, and beside whatever else goes on
    paints = [_first_paint(engine, browser) for _ in range(9)]
    report("first paint of the unlocked page (its first contents)", [first for first, _ in paints[1:]], 1500)
    report("the question box there", [box for _, box in paints[1:]], 1500)
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(url_of(engine))
    page.locator(".st-key-bar").wait_for()
    page.get_by_role("link", name="Library").click()
    page.get_by_test_id("document").first.wait_for()
    opened, back, turned = [], [], []
    for n in range(TIMES):
        opened.append(_until(page, f".st-key-go-document-{n % 10} button", "[data-testid=passage-text]"))
        back.append(_until(page, ".st-key-to-list button", "[data-testid=document]"))
        turned.append(_until(page, ".st-key-documents-Next button", "[data-testid=document]", changes=True))
    report("a click in the library to the document's text", opened[1:], 300)
    report("and back to the list", back[1:], 300)
    report("the next screen of the list", turned[1:], 300)
    page.get_by_role("link", name="Ask").click()
    box = page.get_by_placeholder("Ask ", exact=False)
    box.fill(f"What is the annual fee for the {WORD} crossing?")
    box.press("Enter")
    page.get_by_test_id("statement").first.wait_for()
    page.wait_for_timeout(1500)
    cited = []
    for n in range(TIMES):
        marks = page.get_by_role("button", name="Open passage", exact=False)
        selector = f".st-key-{marks.nth(n % marks.count()).evaluate(_KEY_OF)} button"
        cited.append(_until(page, selector, "[data-testid=passage-text]"))
        page.get_by_role("button", name="Close").click()
        page.locator("[data-testid=passage-text]").wait_for(state="detached")
        page.wait_for_timeout(150)
    report("a click on a citation to its passage", cited[1:], 300)
    context.close()


_KEY_OF = "it => [...it.closest('[class*=st-key-go-]').classList].find(c => c.startsWith('st-key-go-')).slice(7)"

# In the page, so that no time goes into the talk between the test's process and the browser's. What is waited for must
# be a new element, or an old one with other words; two frames later it has been painted.
_CLICK = """([button, wanted, changes]) => new Promise((resolve, fail) => {
  const before = document.querySelector(wanted), words = before && before.innerText;
  const began = performance.now();
  const there = () => {
    const now = document.querySelector(wanted);
    return now && !now.closest('[data-stale="true"]') && (changes ? now.innerText !== words : now !== before || now.innerText !== words);
  };
  const seen = () => requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
  const watch = new MutationObserver(() => { if (there()) { watch.disconnect(); seen(); } });
  watch.observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
  setTimeout(() => { watch.disconnect(); fail(new Error('nothing came of ' + button)); }, 20000);
  document.querySelector(button).click();
})"""


def _until(page: Any, button: str, wanted: str, *, changes: bool = False) -> float:
    """Milliseconds from a click on `button` until `wanted` is painted, or has other words."""
    page.locator(button).wait_for(state="attached")
    took = float(page.evaluate(_CLICK, [button, wanted, changes]))
    page.wait_for_timeout(350)  # the reader looks; what the last click began ends
    return took


def _first_paint(engine: Any, browser: Any) -> tuple[float, float]:
    """Milliseconds from going to the page's address, in a fresh profile, until the browser paints the first contents (its
    own first-contentful-paint), and until the question box is there."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    address = url_of(engine)
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(".st-key-bar").wait_for()
    page.get_by_placeholder("Ask ", exact=False).wait_for()
    took = (time.perf_counter() - began) * 1000
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return float(painted), took


def url_of(engine: Any) -> str:
    """An address that opens the page once."""
    return str(engine.call("page.open", browser=False)["url"])


def report(name: str, times: list[float], most: int) -> None:
    """Median and 95th percentile in milliseconds."""
    times = sorted(times)
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    print(
        f"{name}: median {statistics.median(times):.0f} ms, 95th percentile {p95:.0f} ms of {len(times)}"
        f" (asked for: at most {most} ms)"
    )


@contextmanager
def launched(folder: Path) -> Iterator[Any]:
    """Strongroom with its page on the vault in `folder`, unlocked: a client of its engine."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(_ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(folder / "vault"), str(folder / "state")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline().strip():
            sys.exit("strongroom did not start")
        connected = client.connect(folder / "vault", folder / "state")
        if connected is None:
            sys.exit("strongroom does not answer")
        with connected as engine:
            engine.call("unlock", passphrase=PASSPHRASE)
            engine.call("settings.set", key="auto_lock_minutes", value=0)
            yield engine
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, without what it sends home."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


if __name__ == "__main__":
    main()
