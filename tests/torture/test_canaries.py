"""Nothing that Strongroom or the browser writes holds a word of the papers, the questions, the answers or the secrets.

The real command and a real Chromium with a profile on the disk, in a home of their own; after each step every file is
read. What is killed is killed with signal 9, so that nobody tidies up.
"""

import base64
import contextlib
import gzip
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from engine import client
from tests.torture.canaries import Canaries, Search, mail, write_large, write_papers
from tests.ui.forms import enter
from vault import keys, store
from vault.vault import read_header

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
OFTEN_WRITTEN = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
_BROWSER_KEEPS_MS = (
    8_000  # Chromium's file of tabs to restore has what was typed after a second, on the disk 2.5 s later
)
_AT_WORK_TICKS = 15  # hundredths of a second that a parser has worked when it is stopped "in the middle"
# What makes a browser under test keep less than one at home would.
_NOT_FOR_US = [
    *("--enable-automation", "--disable-dev-shm-usage", "--disable-back-forward-cache", "--metrics-recording-only"),
    *("--disable-extensions", "--disable-default-apps", "--disable-breakpad"),
]


@dataclass
class Run:
    """A home with a vault to be, papers outside of it, and who searches it all."""

    home: Path
    papers: Path
    canaries: Canaries
    search: Search
    began: float
    passphrase: str
    there_before: set[Path]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    everywhere: bool = False
    """every file of the machine that changed since, not only where programs usually write"""

    @property
    def vault(self) -> Path:
        return self.home / ".local/share/strongroom/vault"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/strongroom"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "PYTHONPATH": str(ROOT)}

    def serve(self) -> str:
        """Start the program; the address that opens its page once."""
        with (self.home / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ui.command", "serve"],
                env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        self.processes.append(process)
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + (self.home / "log").read_text()
        return found[0]

    def command(self, *words: str, secret: bool = False) -> str:
        """Run a command as in another terminal; `secret` gives it the passphrase, for where no engine runs."""
        environment = self.environment
        if secret:
            environment["STRONGROOM_PASSPHRASE_FILE"] = str(self.papers / "passphrase")
        done = subprocess.run(
            [sys.executable, "-m", "ui.command", *words],
            env=environment, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
            check=False,
        )  # fmt: skip
        assert done.returncode in (0, 4), done.stderr
        return done.stdout

    def call(self, method: str, **params: object) -> dict:
        with client.connect(self.vault, self.state) as asked:
            return asked.call(method, **params)

    def roles(self) -> list[int]:
        """Process numbers of zygote, engine and page."""
        return children(self.processes[-1].pid)[:3]

    def family(self) -> list[int]:
        launcher = self.processes[-1].pid
        return [launcher, *(each for role in self.roles() for each in [role, *children(role)])]

    def clean(self, when: str, *, wide: bool = False) -> None:
        """Assert that nothing is found: in the home and in new files of the temporary folders, and if `wide` in what
        changed of the program, its libraries and the user's own home (in the long form: of the whole machine)."""
        new = [each for place in OFTEN_WRITTEN for each in place.iterdir()
               if each not in self.there_before and not each.name.startswith("pytest-of-")]  # fmt: skip
        found = self.search.tree(self.home)
        for each in new:
            found += self.search.file(each) if each.is_file() else self.search.tree(each)
        changed = [Path("/")] if self.everywhere else [ROOT, Path(sys.prefix), Path.home()]
        beside = [self.home, self.papers, Path("/proc"), Path("/sys"), Path("/dev"), ROOT / ".git", *OFTEN_WRITTEN]
        if wide:
            found += self.search.tree(*changed, since=self.began, but=beside)
        if self.processes and self.processes[-1].poll() is None:
            found += self.search.descriptors(self.family(), but=[self.papers])
        print(f"{time.time() - self.began:6.1f} s, {self.search.bytes / 1e6:.0f} MB: {when}", flush=True)
        assert found == [], f"{when} (seed {self.canaries.seed}): " + "\n".join(map(str, found[:20]))


def children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def ticks(pid: int) -> int:
    """Processor time that a process has had."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def until(condition: Callable[[], object], seconds: float = 400.0, step: float = 0.05) -> object:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(step)
    return found


@pytest.fixture
def run(tmp_path: Path, size: Callable[[int, int], int]) -> Iterator[Run]:
    seed = os.environ.get("STRONGROOM_TEST_SEED") or secrets.token_hex(8)
    print(f"seed {seed}")  # STRONGROOM_TEST_SEED gives it again
    canaries = Canaries(seed)
    home = Path(tempfile.mkdtemp(prefix="home-"))  # a short path: the browser's socket has to lie in it
    papers = tmp_path / "papers"
    (home / "tmp").mkdir(mode=0o700)
    write_papers(papers / "all", canaries)
    passphrase = " ".join(canaries.new("passphrase") for _ in range(3))
    (papers / "passphrase").write_text(passphrase)
    (papers / "passphrase").chmod(0o600)
    before = {each for place in OFTEN_WRITTEN for each in place.iterdir()}
    made = Run(home, papers, canaries, Search(canaries), time.time(), passphrase, before, everywhere=bool(size(0, 1)))
    yield made
    for process in made.processes:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    shutil.rmtree(home)


@contextlib.contextmanager
def browsing(home: Path) -> Iterator[object]:
    """A tab of a Chromium that keeps its profile in this home, as at somebody's desk."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            home / ".config/chromium", executable_path=CHROMIUM, ignore_default_args=_NOT_FOR_US,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run"],
            env={"HOME": str(home), "TMPDIR": str(home / "tmp"), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        context.set_default_timeout(300_000)
        try:
            yield context.pages[0]
        except Exception:
            print(context.pages[0].locator("body").inner_text())
            raise
        finally:
            with contextlib.suppress(Exception):
                context.close()


# --- the search finds what is there -------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [
    str.encode, lambda w: w.upper().encode(), lambda w: w.encode("utf-16"), lambda w: w.encode("utf-16-be"),
    lambda w: w.title().encode("utf-32-le"), lambda w: w.encode().hex().upper().encode(),
    *(lambda w, n=n: base64.b64encode(b"x" * n + w.encode() + b"yz") for n in range(3)),
    lambda w: gzip.compress(b"some text, " + w.encode()), lambda w: b"\0\1" + zlib.compress(w.encode() * 3),
    lambda w: w[:9].encode(), lambda w: w[9:].encode("utf-16-le"),
])  # fmt: skip
def test_a_word_is_found_however_it_is_written(tmp_path, written):
    canaries = Canaries("a seed")
    word = canaries.new("text")
    (tmp_path / "clean").write_bytes(os.urandom(100_000))
    search = Search(canaries)
    assert search.tree(tmp_path) == []
    (tmp_path / "file").write_bytes(os.urandom(50_000) + written(word) + os.urandom(999))
    assert search.tree(tmp_path)
    assert search.tree(tmp_path)  # and is not forgotten


def test_names_rows_keys_and_files_without_a_name_are_searched(tmp_path):
    canaries = Canaries("a seed")
    search = Search(canaries)
    (tmp_path / canaries.new("folder name")).mkdir()
    assert search.tree(tmp_path)
    row = np.random.default_rng(1).standard_normal(384).astype("<f2").tobytes()
    search.add_rows([row])
    search.add_exact("key", b"0123456789abcdef")
    assert search.data(b"x" + row + b"y")
    assert search.data(b"..0123456789abcdef..")
    assert search.data(os.urandom(1 << 20)) == []
    with (tmp_path / "gone").open("w+b") as file:
        file.write(canaries.new("text").encode())
        file.flush()
        (tmp_path / "gone").unlink()
        if os.geteuid() == 0:
            assert search.descriptors([os.getpid()], but=[])


# --- the program --------------------------------------------------------------------------------------------------


def ask(page, words: str) -> str:
    """Ask on the page; the words of the answer."""
    page.get_by_role("link", name="Ask").click()
    before = page.locator("[class*='st-key-turn-']").count()
    box = page.get_by_placeholder(re.compile("Ask "))
    box.press_sequentially(words)
    box.press("Enter")
    newest = page.locator(f".st-key-turn-{before}")
    newest.get_by_test_id("statement").or_(newest.get_by_test_id("abstained")).first.wait_for()
    return newest.inner_text()


def say(page, label: str, words: str) -> None:
    # Not of a screen that is on its way out: the settings ask for the "Present passphrase or recovery code".
    enter(page.get_by_label(re.compile(f"^{label}")), words)


def unlock(page, run: Run) -> None:
    page.get_by_text("Strongroom is locked").wait_for()
    say(page, "Passphrase or recovery code", run.passphrase)
    page.locator(".st-key-bar").wait_for()


def first_run(page, run: Run, folder: Path) -> str:
    """Make the vault on the page; the recovery code."""
    page.get_by_text("Choose a passphrase").wait_for()
    page.get_by_label("Passphrase", exact=True).fill(run.passphrase)
    page.get_by_label("The same again").fill(run.passphrase)
    page.get_by_role("button", name="Create the vault").click()
    code = page.get_by_test_id("recovery-code").inner_text()
    say(page, "Type the code", code)
    page.get_by_role("button", name="I have it on paper").click()
    page.get_by_text("Where are your papers?").wait_for()
    say(page, "Folder", str(folder))
    page.get_by_role("button", name="Add and begin").click()
    page.locator(".st-key-bar").wait_for()
    return code


def look_for_secrets(run: Run, code: str) -> None:
    """Add what opens the vault, in the forms that it has in memory, to what is searched for."""
    header = read_header(run.vault)
    secret = keys.as_code(code)
    assert secret
    opened = keys.unlock_with_code(header, secret)
    plain = code.replace("-", "")
    forms = {"recovery code": code.encode(), "recovery code, lower": plain.lower().encode(), "its bytes": secret[-16:],
             "recovery code, bare": plain.encode(), "a group of it": code.split("-", 1)[1][:17].encode()}  # fmt: skip
    for name in ("root", "database", "lasting"):
        key = getattr(opened, name)
        forms |= {f"{name} key": key, f"{name} key in hex": key.hex().encode(),
                  f"{name} key in base64": base64.b64encode(key)[:40]}  # fmt: skip
    for name, value in forms.items():
        run.search.add_exact(name, value)


def stop_worker(run: Run, then: Callable[[], object]) -> int:
    """Do `then`, which has one file read; the process number of the worker at it, stopped in the middle of it."""
    stopped: list[int] = []
    zygote = run.roles()[0]

    def found() -> int:
        for pid in children(zygote):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
                while ticks(pid) < _AT_WORK_TICKS:  # a little further, so that it is in the middle
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(0.002)
                    os.kill(pid, signal.SIGSTOP)
                return pid
        return 0

    watching = threading.Thread(target=lambda: stopped.append(int(until(found, step=0.001))))
    watching.start()
    then()
    watching.join()
    assert stopped, "it was read before it could be stopped"
    return stopped[0]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_no_file_holds_a_word_of_it_through_the_whole_of_a_day(run: Run, size, result) -> None:
    new = run.canaries.new
    large = run.papers / f"large {new('folder name')}"
    large.mkdir()
    mailbox = large / f"{new('file name')}.mbox"
    write_large(mailbox, run.canaries, size(600, 5_000))
    url = run.serve()
    with browsing(run.home) as page:
        page.goto(url)
        look_for_secrets(run, first_run(page, run, run.papers / "all"))
        run.clean("just made")
        page.get_by_text(re.compile(r"\d files?, up to date")).wait_for()
        states = run.call("wait", seconds=600)["files"]
        assert states["done"] > 60
        assert states["failed"] >= 20
        run.clean("everything read")

        # A question, an answer that is shown with its passage, words that are typed and never sent.
        known = [word for word, kind in run.canaries.kinds.items() if kind == "text"]
        for word in known[:: len(known) // size(2, 12)]:
            assert word in ask(page, f"What is said of {word} and of {new('question')}?").lower()
        page.get_by_role("button", name="Open passage 1").first.click()
        page.get_by_test_id("passage-text").wait_for()
        page.get_by_placeholder(re.compile("Ask ")).press_sequentially(f"never sent {new('unsent question')}")
        page.wait_for_timeout(_BROWSER_KEEPS_MS)
        run.clean("typed, and not sent")
        page.get_by_role("link", name="Library").click()
        page.get_by_test_id("document").first.wait_for()
        say(page, "Find", new("words looked for"))
        page.get_by_role("link", name="Settings").click()
        say(page, "Write a backup to", f"/nonexistent/{new('path of a backup')}")
        page.reload()
        page.locator(".st-key-bar").wait_for()
        run.command("ask", f"Who pays {new('question in a terminal')} for {known[5]}?")
        run.command("search", f"{known[7]} {new('search in a terminal')}", "--json")
        run.command("history", "search", known[0])
        run.clean("asked")

        # In the middle of a large file; after its worker was killed at it; and after the engine was.
        pid = stop_worker(run, lambda: run.call("folders.add", path=str(large)))
        run.clean("in the middle of a large file")
        os.kill(pid, signal.SIGKILL)
        until(lambda: run.call("files", text=mailbox.name)["rows"][0]["state"] in {"failed", "partial"})
        run.clean("after its parser was killed")
        stop_worker(run, lambda: append(mailbox, b"\nFrom - Sat May  3 10:12:00 2025\n" + mail(run.canaries, 1)))
        zygote, engine, _ = run.roles()
        os.kill(engine, signal.SIGKILL)
        until(lambda: engine not in run.roles() and len(run.roles()) == 3 and zygote not in run.roles())
        run.clean("after kill -9 of the engine in the middle of a large file")
        unlock(page, run)
        run.call("wait", seconds=600)
        run.clean("after it was read at last")
        rows = vectors_and_postings(run)

        # Everything at once is killed, while a question is asked.
        page.get_by_role("link", name="Ask").click()
        page.get_by_placeholder(re.compile("Ask ")).fill(f"What of {known[9]} and {new('question that is cut off')}?")
        page.get_by_placeholder(re.compile("Ask ")).press("Enter")
        run.processes[-1].kill()
        run.processes[-1].wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (engine, zygote)))
        run.clean("after kill -9 of everything", wide=True)

        # Again; this time it is locked by hand, and ended in order.
        page.goto(run.serve())
        unlock(page, run)
        assert known[11] in ask(page, f"What is said of {known[11]}?").lower()
        run.command("backup", str(run.home / "backup"))
        page.get_by_role("button", name="Lock", exact=True).click()
        page.get_by_text("Strongroom is locked").wait_for()
        run.clean("locked")
        run.processes[-1].send_signal(signal.SIGTERM)
        assert run.processes[-1].wait(60) == 0
    run.command("search", known[13], secret=True)
    run.clean("ended, and the browser closed", wide=True)
    assert len(run.canaries.kinds) >= 1_000
    result(
        "Canaries",
        f"{len(run.canaries.kinds):,} words, {rows:,} vectors and stretches of the keyword index, and the keys, none of "
        f"them in any of {run.search.files:,} files ({run.search.bytes / 1e6:,.0f} MB) after ingesting, asking, kill -9 "
        "(of a parser in the middle of a file, of the engine, of everything), locking and ending",
    )


def vectors_and_postings(run: Run) -> int:
    """Add what the vault keeps as numbers to what is searched for: its vectors, as kept and as they are in memory, and
    its keyword index. Asked of a copy, as the vault itself is in use."""
    copy = run.papers / "copy"
    run.call("backup", target=str(run.state / "backup-of-a-test"))
    shutil.copytree(run.state / "backup-of-a-test", copy)
    shutil.rmtree(run.state / "backup-of-a-test")
    database, header = next(copy.glob("store-*.db")), read_header(copy)
    db = store.open_existing(database, keys.unlock_with_passphrase(header, run.passphrase).database)
    halves = [bytes(each) for (each,) in db.execute("SELECT value FROM vector LIMIT 5000")]
    bodies = [bytes(each) for (each,) in db.execute("SELECT body FROM segment")]
    db.close()
    singles = [np.frombuffer(each, dtype="<f2").astype("<f4").tobytes() for each in halves]
    stretches = [body[at : at + 64] for body in bodies for at in range(0, len(body) - 64, 512)]
    stretches = [each for each in stretches if len(set(each[32:48])) > 8]  # what is not zeros and small numbers,
    stretches = [each for each in stretches if max(each[32:48]) > 126]  # nor words, which any list of words has too
    assert len(halves) > 100
    assert stretches
    run.search.add_rows([*halves, *singles, *stretches])
    run.clean("its numbers")
    return len(halves) + len(stretches)


# --- what a browser keeps of a page that does not ask it not to ----------------------------------------------------


class _Careless(BaseHTTPRequestHandler):
    """A page as others are: it may be stored, and its field be remembered."""

    words = ""

    def do_GET(self) -> None:
        body = (
            f"<title>{self.words}</title><form action=/sent><input name=question id=q><button>Go</button></form>"
            f"<textarea name=more id=m></textarea><script>localStorage.setItem('kept', '{self.words}')</script>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=3600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_careless_page_is_found_in_the_browsers_profile(run: Run) -> None:
    """So the browser of these tests does keep what a page lets it keep, and the search does find it there."""
    _Careless.words = run.canaries.new("a careless page")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browsing(run.home) as page:
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.locator("#m").press_sequentially(unsent := run.canaries.new("a field"))
            page.wait_for_timeout(_BROWSER_KEEPS_MS)
            sessions = (run.home / ".config/chromium/Default/Sessions").glob("Session_*")
            assert any(unsent.encode("utf-16-le") in each.read_bytes() for each in sessions)
            page.locator("#q").press_sequentially(run.canaries.new("a form"))
            page.get_by_role("button").click()
            page.wait_for_url("**/sent*")
    finally:
        server.shutdown()
        server.server_close()
    found = run.search.tree(run.home)
    places = {place for each in found for place in Path(each.path).parts}
    print(sorted({(each.path, each.what, each.form) for each in found}))
    assert {"History", "Cache", "Local Storage", "Sessions"} <= places
