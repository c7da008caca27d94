"""A Strongroom as `strongroom serve` starts it, and in each of its processes every way out, tried by the process itself.

What tries is within.py, brought into the real processes through PYTHONPATH: with the descriptors that they hold, from
the main thread, from one that is older than the lock, and later, when the vault is open and the page is served.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from engine import landlock
from engine.client import connect
from tests import tiny_gguf
from tests.engine.test_lock import WAYS

ROOT = Path(__file__).resolve().parents[2]
WITHIN = Path(__file__).with_name("within")
PAPERS = ROOT / "sample_corpus" / "papers"

# These need descriptors that the stand-ins of test_lock.py are given; here the process's own are tried instead.
_BY_DESCRIPTOR = (
    *("reconnect", "bind_anew", "listen_anew", "fast_open_sendto", "fast_open_sendmsg", "fast_open_sendmmsg"),
    *("fast_open_option", "accept", "passed_descriptor", "signal_by_socket"),
)
TRIED = [each for each in WAYS if each.escape not in _BY_DESCRIPTOR]
SHARED = (Path("/tmp/strongroom-escape"), Path("/dev/shm/strongroom-escape"))
KINDS = {  # what a process was started as, from which threads it tried
    ("engine", ""): {"main", "older", "later"},
    ("page", ""): {"main", "older", "later"},
    ("zygote", ""): {"main", "older", "child"},
    ("worker", "parse"): {"main", "older"},
    ("worker", "picture"): {"main", "older"},
    ("worker", "ocr"): {"main", "older"},
    ("writer", "describe"): {"main", "older"},
    ("writer", "write"): {"main", "older"},
}


class Tried:
    """What the processes said."""

    def __init__(self):
        self.rows = []
        self.server = socket.create_server(("127.0.0.1", 0))

    def of(self, key, what, thread=None):
        return [
            each
            for each in self.rows
            if (each["profile"], each["kind"]) == key and each["what"] == what and thread in {None, each["thread"]}
        ]

    def until(self, condition, seconds=300):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / ".bashrc").write_text("# a shell's start\n")
    (folder / ".config" / "autostart").mkdir(parents=True)
    (folder / "papers").mkdir()
    (folder / "papers" / "lease.txt").write_text("The lease of the flat ends on 3 May 2027.\n")
    for name in ("Insurance/Albion home contents policy 2025.pdf", "Mail/Family/2026-02-08 Zomer.eml"):
        (folder / "papers" / Path(name).name).write_bytes((PAPERS / name).read_bytes())
    return folder


def _writes(home):
    vault, papers = home / "vault", home / "papers"
    return {
        "append to ~/.bashrc": ("append", home / ".bashrc"),
        "cut ~/.bashrc": ("cut", home / ".bashrc"),
        "remove ~/.bashrc": ("remove", home / ".bashrc"),
        "a file that is run at login": ("create", home / ".config" / "autostart" / "new.desktop"),
        "a file in the home folder": ("create", home / "new"),
        "a folder in the home folder": ("folder", home / "new-folder"),
        "a file in /tmp": ("create", SHARED[0]),
        "a file in /dev/shm": ("create", SHARED[1]),
        "a document": ("append", papers / "lease.txt"),
        "a document removed": ("remove", papers / "lease.txt"),
        "a file moved out of the vault": ("move out", home / "moved"),
        "a link out of the vault": ("link out", home / "linked"),
        "a link into the vault": ("link in", home / ".bashrc"),
        "through a link in the vault": ("through a link", home / ".bashrc"),
        "a pipe in the vault": ("pipe", vault / "pipe"),
        "a socket in the vault": ("socket", vault / "socket"),
        "a document, read": ("read", papers / "lease.txt"),
        "the state folder, read": ("read", home / "state" / "strongroom" / "probe"),
        "the system's users, read": ("read", "/etc/passwd"),
        "the launcher's memory": ("append", "/proc/{parent}/mem"),
        "the launcher's memory, read": ("read", "/proc/{parent}/mem"),
        "the launcher's environment, read": ("read", "/proc/{parent}/environ"),
        "the program": ("append", ROOT / "engine" / "lock.py"),
    }


@pytest.fixture(scope="module")
def running(home):
    """A Strongroom in whose processes everything is tried; yields what they said while it was used."""
    found = Tried()
    report, report_end = os.pipe()
    engine, engine_end = os.pipe()
    page, page_end = os.pipe()
    victim = subprocess.Popen(
        [sys.executable, "-c", "import ctypes; b = ctypes.create_string_buffer(8); print(ctypes.addressof(b), flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    given = {
        "report": report_end, "again": {"engine": engine, "page": page},
        "ways": {
            profile: [each.escape for each in TRIED if profile in each.profiles]
            for profile in ("engine", "page", "zygote", "worker", "writer")
        },
        "writes": {name: (how, str(path)) for name, (how, path) in _writes(home).items()},
        "inside": str(home / "state" / "strongroom" / "probe"), "port": found.server.getsockname()[1], "terminal": -1,
        "stream": str(home / "stream"), "datagram": str(home / "datagram"), "text": str(home / ".bashrc"),
        "victim": victim.pid, "address": int(victim.stdout.readline()),
    }  # fmt: skip
    threading.Thread(target=_listen, args=(report, found), daemon=True).start()
    (home / "vault").mkdir(mode=0o700)
    (home / "state" / "strongroom").mkdir(mode=0o700, parents=True)
    (home / "state" / "strongroom" / "probe").write_text("")  # an engine may write there, and leaves it alone
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(home), "PYTHONPATH": f"{WITHIN}:{ROOT}", "STRONGROOM_TRY": json.dumps(given)}
    environment |= {"XDG_STATE_HOME": str(home / "state")}
    with open(home / "errors", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui.command", "--vault", str(home / "vault"), "serve"], cwd=home, env=environment,
            stdout=subprocess.PIPE, stderr=errors, text=True, pass_fds=[report_end, engine, page],
        )  # fmt: skip
    for each in (report_end, engine, page):
        os.close(each)
    found.engine, found.page, found.process, found.home = engine_end, page_end, process, home
    try:
        found.url = process.stdout.readline().split()[-1]
        _use(found)
        yield found
    finally:
        process.terminate()
        process.wait(60)
        for each in SHARED:
            each.unlink(missing_ok=True)  # of a lock that did not hold
        process.stdout.close()
        victim.kill()
        victim.wait()
        victim.stdin.close()
        victim.stdout.close()
        found.server.close()
        os.close(engine_end)
        os.close(page_end)


def _listen(report, found):
    with open(report, encoding="utf-8") as lines:
        for line in lines:
            found.rows.append(json.loads(line))


def _call(found, method, **more):
    with connect(found.home / "vault", found.home / "state" / "strongroom") as client:
        return client.call(method, **more)


def _use(found):
    """Have each process at work once."""
    home = found.home
    _call(found, "create", passphrase="a passphrase of a test")
    _call(found, "folders.add", path=str(home / "papers"))
    _call(found, "wait", seconds=300)
    rows = {Path(each["paths"][0]).suffix: each["id"] for each in _call(found, "documents", limit=10)["rows"]}
    _call(found, "document.picture", id=rows[".pdf"], page=1, width=400)
    model = tiny_gguf.write(home / "tiny.gguf", context=2048)
    _call(found, "models.use", id=_call(found, "models.add", path=str(model))["id"])
    _call(found, "ask", question="When does the lease of the flat end?")
    _picture(home / "papers" / "scan.png")
    # The page, as a browser begins with it.
    host = found.url.split("/")[2]
    asked = http.client.HTTPConnection("127.0.0.1", int(host.split(":")[1]), timeout=300)
    asked.request("GET", "/" + found.url.split("/", 3)[3], headers={"Host": host})
    assert asked.getresponse().status == 200
    asked.close()
    found.until(lambda: found.of(("worker", "ocr"), "state", "older"))
    for end, key in ((found.engine, ("engine", "")), (found.page, ("page", ""))):
        os.write(end, b"1")
        found.until(lambda key=key: found.of(key, "state", "later"))


def _picture(path):
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (600, 120), "white")
    ImageDraw.Draw(image).text((20, 40), "The boiler was serviced on 4 March 2026", fill="black")
    image.save(path)


@pytest.mark.parametrize("key", KINDS, ids=lambda key: " ".join(key).strip())
def test_every_way_out_is_refused_inside_the_real_process(running, key):
    profile = key[0]
    wanted = {each.escape: f"refused {each.error}" for each in TRIED if profile in each.profiles}
    by_process = defaultdict(dict)
    for each in running.of(key, "way"):
        by_process[each["pid"], each["thread"]][each["name"]] = each["found"]
    assert {thread for _, thread in by_process} == KINDS[key]
    for found in by_process.values():
        assert found == wanted


@pytest.mark.parametrize("key", KINDS, ids=lambda key: " ".join(key).strip())
def test_every_call_that_is_refused_altogether_is_refused_inside_the_real_process(running, key):
    rows = running.of(key, "lines")
    assert {each["thread"] for each in rows} == KINDS[key] - {"child"}
    assert [each["found"] for each in rows] == [{}] * len(rows)


@pytest.mark.parametrize("key", KINDS, ids=lambda key: " ".join(key).strip())
def test_no_descriptor_that_a_process_holds_leads_to_another(running, key):
    rows = running.of(key, "descriptor")
    held = {each["name"] for each in rows if each["name"].startswith("socket")}
    # The page holds the one internet socket, which listens; workers hold none of any kind.
    assert held <= {
        "engine": {"socket AF_UNIX SOCK_STREAM", "socket AF_UNIX SOCK_STREAM listening"},
        "page": {"socket AF_UNIX SOCK_STREAM", "socket AF_INET SOCK_STREAM listening", "socket AF_INET SOCK_STREAM"},
        "zygote": {"socket AF_UNIX SOCK_STREAM"},
    }.get(key[0], set())
    assert held or key[0] in ("worker", "writer")
    for each in rows:
        assert set(each["found"].values()) <= {-1}, each  # EPERM


@pytest.mark.parametrize("key", KINDS, ids=lambda key: " ".join(key).strip())
def test_no_process_writes_outside_the_vault_or_reads_what_is_not_its_own(running, key):
    assert landlock.version() > 0, "this kernel has no Landlock"
    rows = running.of(key, "file")
    assert {each["name"] for each in rows} == set(_writes(running.home))
    refused = {"refused EACCES", "refused EPERM", "refused EXDEV"}
    through = {each["name"] for each in rows if each["found"] not in refused}
    # root may read every environment since Linux 6.15, Landlock or not (CAP_PERFMON, in the kernel's may_access_mm)
    through -= {"the launcher's environment, read"} if os.getuid() == 0 else set()
    reads = {"a document, read", "the state folder, read", "the system's users, read"}
    assert through == {"engine": reads, "page": {"the system's users, read"}, "zygote": {"the system's users, read"}}.get(
        key[0], set()
    )


@pytest.mark.parametrize("key", KINDS, ids=lambda key: " ".join(key).strip())
def test_each_real_process_has_a_filter_and_leaves_no_core_and_cannot_be_looked_into(running, key):
    rows = running.of(key, "state")
    assert {each["thread"] for each in rows} == KINDS[key] - {"child"}
    for each in rows:
        assert each["found"] == {"dumpable": 0, "core": [0, 0], "no new privileges": 1, "seccomp": 2}


def test_nobody_was_reached_and_nothing_changed_by_all_of_that(running):
    running.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        running.server.accept()
    assert not any(each.exists() for each in SHARED)
    assert (running.home / ".bashrc").read_text() == "# a shell's start\n"
    assert not list(running.home.glob("new*"))


def test_a_call_of_32_bits_ends_the_process_that_makes_it_and_what_it_held(running):
    """Last, as it ends engine and page: socketcall, one number for all that a socket can do, through int 0x80."""
    assert [each["found"] for each in running.of(("zygote", ""), "32 bits")][:1] == [-31]  # SIGSYS
    (running.home / "papers" / "hostile.txt").write_text("call of 32 bits, from inside a parser\n")
    running.until(lambda: "hostile.txt" in str(_call(running, "files", limit=50)))
    _call(running, "wait", seconds=300)
    [row] = [each for each in _call(running, "files", limit=50)["rows"] if each["path"].endswith("hostile.txt")]
    assert "another architecture" in row["reason"]
    errors = running.home / "errors"
    os.write(running.page, b"x")
    running.until(lambda: "the page ended unexpectedly" in errors.read_text())
    os.write(running.engine, b"x")
    running.until(lambda: "the engine ended unexpectedly by signal 31" in errors.read_text())
