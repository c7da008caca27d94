"""The real processes: launcher, zygote, engine and page, as `strongroom open` starts them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from engine import life, rendezvous, wishes
from engine.client import EngineGoneError, connect
from vault.errors import LockedError, StrongroomError

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase of a test"

LAUNCH = """
import json, sys
from pathlib import Path
from engine import launcher
from vault.errors import StrongroomError
given = json.loads(sys.argv[1])
try:
    launcher.launch(
        Path(given["folder"], "vault"), Path(given["folder"], "state"),
        page=given["page"], port=given["port"], browser=given["browser"], on_ready=lambda url: print("ready", url),
    )
except StrongroomError as error:
    print("error", error)
    sys.exit(1)
print("ended")
"""


class Running:
    """A launcher and what it started."""

    def __init__(self, folder, *, page=False, port=None, browser=False):
        given = {"folder": str(folder), "page": page, "port": port, "browser": browser}
        bin_folder = folder / "bin"
        self.folder = folder
        self.errors = folder / "errors"
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, json.dumps(given)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin_folder}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=self.errors.open("w"), text=True,
        )  # fmt: skip
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        self.word, self.url = word, rest

    def client(self):
        found = connect(self.folder / "vault", self.folder / "state")
        assert found is not None
        return found

    def call(self, method, **params):
        with self.client() as client:
            return client.call(method, **params)

    def children(self):
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def roles(self):
        """Process numbers of zygote, engine and page: forked in this order."""
        return self.children()[: 3 if self.url else 2]

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path):
    (tmp_path / "bin").mkdir()
    opener = tmp_path / "bin" / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/opened\ncp "$1" {tmp_path}/opened-file\n')
    opener.chmod(0o755)
    started = []

    def begin(**more):
        found = Running(tmp_path, **more)
        started.append(found)
        return found

    yield begin
    for each in started:
        left = each.children() if each.process.poll() is None else []
        each.process.terminate()
        try:
            each.process.wait(20)
        finally:
            each.process.kill()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def gone(pids):
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


def fetch(url):
    """Fetch from the page as a browser would: `*.localhost` is this machine."""
    _, _, host = url.split("/", 3)[:3]
    request = urllib.request.Request(url.replace(host, f"127.0.0.1:{host.split(':')[1]}"), headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_vault_is_made_locked_and_opened_again_and_a_lock_leaves_nothing_in_memory(start, tmp_path):
    running = start(page=True)
    assert running.call("status")["state"] == "none"
    assert fetch(running.url) == 200
    assert fetch(running.url) == 403  # its token opens once
    running.call("create", passphrase=PASSPHRASE)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lease.txt").write_text("The lease of the flat ends on 3 May 2027.\n")
    running.call("folders.add", path=str(tmp_path / "papers"))
    assert running.call("wait", seconds=30)["files"] == {"done": 1}
    assert running.call("search", query="when does the lease end")["hits"][0]["quote"].startswith("The lease")
    before = running.roles()
    running.call("lock", mode="all")
    assert gone(before)
    assert until(lambda: len(running.roles()) == 3)
    assert running.call("status")["state"] == "locked"
    with pytest.raises(LockedError):
        running.call("search", query="lease")
    running.call("unlock", passphrase=PASSPHRASE)
    assert running.call("search", query="lease")["hits"]
    address = running.call("page.open")["url"]
    assert address.split("?")[0] == running.url.split("?")[0]  # the same page, so that an open tab comes back
    assert fetch(address) == 200
    assert "unexpectedly" not in running.errors.read_text()


def test_engine_page_and_zygote_are_locked_and_hold_no_more_than_they_need(start):
    running = start(page=True)
    zygote, engine, page = running.roles()
    for pid in (zygote, engine, page):
        until(lambda pid=pid: "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text())
        for task in Path(f"/proc/{pid}/task").iterdir():
            assert "Seccomp:\t2" in (task / "status").read_text()
    found = running.call("protection")
    assert found["engine"]["profile"] == "engine"
    assert found["zygote"]["profile"] == "zygote"
    assert found["engine"]["landlock"] > 0
    if os.getuid() != 0:  # nobody but root can look into them, not even their own user
        for pid in (zygote, engine, page):
            with pytest.raises(PermissionError):
                sockets(pid)
        return
    # The page has no way to the zygote and none to the launcher but the one on which it gets tokens.
    assert sockets(page) & sockets(zygote) == set()
    assert sockets(page) & sockets(engine) == set()
    for pid in (zygote, engine, page):
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def sockets(pid):
    links = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a file that was closed meanwhile
            links.add(os.readlink(each))
    return {each for each in links if each.startswith("socket:")}


def test_an_engine_that_crashes_is_started_again_locked(start):
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    zygote, engine = running.roles()
    client = running.client()
    client.call("status")
    os.kill(engine, signal.SIGKILL)
    with pytest.raises(EngineGoneError):
        client.call("status")
    assert gone([zygote, engine])
    assert running.call("status")["state"] == "locked"
    assert "the engine ended unexpectedly by signal 9" in running.errors.read_text()


def test_without_its_zygote_the_engine_is_started_again(start):
    running = start()
    zygote, engine = running.roles()
    os.kill(zygote, signal.SIGKILL)
    assert gone([zygote, engine])
    assert running.call("status")["state"] == "none"
    assert "starts the parsers ended unexpectedly" in running.errors.read_text()


def test_a_page_that_crashes_is_started_again_and_the_vault_stays_open(start):
    running = start(page=True)
    running.call("create", passphrase=PASSPHRASE)
    zygote, engine, page = running.roles()
    os.kill(page, signal.SIGKILL)
    assert gone([page])
    assert until(lambda: len(set(running.children()) - {zygote, engine}) == 1)
    assert running.call("status")["state"] == "open"
    assert fetch(running.call("page.open")["url"]) == 200
    assert running.roles()[:2] == [zygote, engine]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_and_removes_the_socket(start, tmp_path, number):
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    children = running.children()
    assert running.stop(number) == 0
    assert gone(children)
    assert not rendezvous.socket_path(tmp_path / "vault", tmp_path / "state").exists()
    assert running.process.stdout.read().strip() == "ended"
    assert running.errors.read_text() == ""


def test_a_launcher_that_is_killed_leaves_no_process_behind_and_another_can_start(start):
    running = start(page=True)
    children = running.children()
    running.process.kill()
    running.process.wait()
    assert gone(children)
    assert start().word == "ready"


def test_a_backup_that_was_being_written_when_its_engine_was_killed_does_not_stay(start, tmp_path):
    own = rendezvous.socket_path(tmp_path / "vault", tmp_path / "state").stem.removeprefix("engine-")[:8]
    left = [f"backup-{own}01234567", f".backup-{own}01234567.89ab.new"]
    other = "backup-0123456789abcdef"  # another vault's, perhaps at it now
    for each in (*left, other):
        (tmp_path / "state" / each).mkdir(parents=True)
        (tmp_path / "state" / each / "store-1.db").write_text("x")
    running = start()
    assert running.call("status")["state"] == "none"
    assert [each.name for each in (tmp_path / "state").glob("*backup*")] == [other]


def test_a_second_launcher_for_the_same_vault_is_refused(start):
    start()
    second = start()
    assert (second.word, second.process.wait(20)) == ("error", 1)
    assert "already at work" in second.url


def test_a_port_that_is_taken_is_an_error(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = start(page=True, port=taken.getsockname()[1])
        assert (running.word, running.process.wait(20)) == ("error", 1)
        assert "cannot be used: address already in use" in running.url


def test_the_browser_gets_the_token_by_a_file_that_only_this_user_can_read(start, tmp_path):
    running = start(page=True, browser=True)
    until((tmp_path / "opened-file").exists)
    (argument,) = (tmp_path / "opened").read_text().split()
    path = Path(argument)
    assert path.parent == tmp_path / "state-page"  # where no engine may write: it would choose what the browser opens
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    address = path.read_text().split("url=")[1].split('"')[0]
    assert address.split("token=")[1] not in argument
    assert fetch(address) == 200
    assert address != running.url  # which is another, for the terminal
    running.stop()
    assert not path.parent.exists()


def test_a_documents_file_is_opened_by_the_launcher_when_the_vault_is_open(start, tmp_path):
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "note.txt").write_text("A note on the garden.\n")
    (papers / "script.txt").write_text("A script about the cellar.\n")
    (papers / "script.txt").chmod(0o755)
    running.call("folders.add", path=str(papers))
    running.call("wait", seconds=30)
    ids = {each["paths"][0].rsplit("/")[-1]: each["id"] for each in running.call("documents", limit=10)["rows"]}
    assert running.call("document.open", id=ids["note.txt"])["done"]
    until((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text().strip() == str(papers / "note.txt")
    assert not running.call("document.open", id=ids["script.txt"])["done"]  # it might run
    (papers / "note.txt").unlink()
    with pytest.raises(StrongroomError):
        running.call("document.open", id=ids["note.txt"])
    running.call("lock", mode="page")
    with pytest.raises(LockedError):
        running.call("document.open", id=ids["script.txt"])


@pytest.mark.parametrize("said", [b"{}\n" * 20_000, b"[" * 60_000 + b"\n"], ids=["never listens", "nests deep"])
def test_an_engine_cannot_make_the_launcher_wait_or_fall(said):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        told = life.Life(0, 0, None, ours, None, None)
        heard = []
        reader = threading.Thread(target=lambda: heard.append(wishes.listen(None, told)), daemon=True)
        reader.start()
        reader.join(20)
        assert heard == [True]


def test_what_is_told_when_it_is_ready_runs_apart_from_the_launcher(tmp_path):
    script = """
import os, sys
from pathlib import Path
from engine import launcher
secret = []
def ready(url):
    secret.append("told")
    print(os.getpid(), os.getppid(), flush=True)
    os.kill(os.getppid(), 15)
launcher.launch(Path(sys.argv[1], "vault"), Path(sys.argv[1], "state"), page=False, on_ready=ready)
print(os.getpid(), secret)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    inner, outer = done.stdout.splitlines()
    assert inner.split()[1] == outer.split()[0]
    assert outer.endswith("[]")


def test_the_launcher_imports_little(tmp_path):
    heavy = [
        "numpy",
        "streamlit",
        "openvino",
        "apsw",
        "python_calamine",
        "uvicorn",
        "cryptography",
        "retrieval",
        "ingest",
    ]
    script = (
        "import sys, engine.launcher, threading\n"
        f"print([each for each in {heavy} if each in sys.modules], threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[] 1"


IN_PROCESS = """
import json, socket, subprocess, sys
from pathlib import Path
from engine import client
from vault.errors import StrongroomError
folder = Path(sys.argv[1])
def tried(what):
    try:
        what()
    except (OSError, StrongroomError) as error:
        return type(error).__name__
    return "through"
with client.in_process(folder / "data" / "vault", folder / "state", writable=[folder / "target"]) as local:
    found = {"state": local.call("status")["state"]}
    if found["state"] == "none":
        local.call("create", passphrase="a passphrase of a test")
    else:
        local.call("unlock", passphrase="a passphrase of a test")
    local.call("folders.add", path=str(folder / "papers"))
    local.call("wait", seconds=30)
    found["hits"] = [each["quote"] for each in local.call("search", query="lease")["hits"]]
    found["socket"] = tried(lambda: socket.socket())
    found["run"] = tried(lambda: subprocess.run(["true"]))
    found["write"] = tried(lambda: (folder / "papers" / "new").write_text("x"))
    found["target"] = tried(lambda: (folder / "target" / "new").write_text("x"))
    print(json.dumps(found), flush=True)
"""


def test_a_command_without_an_engine_has_one_in_its_own_process_equally_locked(tmp_path):
    for each in ("papers", "target"):
        (tmp_path / each).mkdir()
    (tmp_path / "papers" / "lease.txt").write_text("The lease ends on 3 May 2027.\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for state in ("none", "locked"):
        done = subprocess.run(
            [sys.executable, "-c", IN_PROCESS, str(tmp_path)], env=environment, capture_output=True, text=True,
            timeout=120, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert found == {
            "state": state, "hits": ["The lease ends on 3 May 2027."], "socket": "PermissionError",
            "run": "PermissionError", "write": "PermissionError", "target": "through",
        }  # fmt: skip


def test_a_command_at_work_on_a_vault_excludes_a_launcher(tmp_path, start):
    for each in ("papers", "target"):
        (tmp_path / each).mkdir()
    holding = (
        "import sys; from pathlib import Path; from engine import rendezvous\n"
        "with rendezvous.claim(Path(sys.argv[1], 'vault'), Path(sys.argv[1], 'state')):\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert command.stdout.readline() == "held\n"
    second = start()
    assert (second.word, second.process.wait(20)) == ("error", 1)
    command.communicate("\n")
    assert start().word == "ready"


def go_to(running, name):
    """Switch, and wait until the other vault's engine answers."""
    before = running.roles()
    running.call("vaults.switch", name=name)
    assert gone(before)
    running.vault = name
    return until(lambda: connect(running.folder / name, running.folder / "state"))


def test_another_vault_beside_this_one_is_opened_by_its_name_in_the_next_life(start, tmp_path):
    running = start(page=True)
    running.call("create", passphrase=PASSPHRASE)
    assert running.call("vaults") == {
        "current": "vault", "folder": str(tmp_path), "rows": [{"name": "vault", "path": str(tmp_path / "vault")}],
    }  # fmt: skip
    with go_to(running, "Client Öhm") as client:
        assert client.call("status")["state"] == "none"  # a name that has no vault begins one
        assert client.call("status")["vault"] == str(tmp_path / "Client Öhm")
        client.call("create", passphrase="another passphrase of a test")
        assert [each["name"] for each in client.call("vaults")["rows"]] == ["Client Öhm", "vault"]
        address = client.call("page.open")["url"]
        assert address.split("?")[0] == running.url.split("?")[0]  # an open tab comes back, at the other vault's door
        assert until(lambda: fetch(address)) == 200
        client.call("vaults.switch", name="vault")
    assert until(lambda: connect(tmp_path / "vault", tmp_path / "state")).call("status")["state"] == "locked"
    with pytest.raises(StrongroomError):
        running.call("unlock", passphrase="another passphrase of a test")
    assert running.call("unlock", passphrase=PASSPHRASE)["state"] == "open"
    assert "unexpectedly" not in running.errors.read_text()


def test_a_vault_that_was_left_is_free_for_others_and_one_in_use_is_not_entered(start, tmp_path):
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    with rendezvous.claim(tmp_path / "other", tmp_path / "state"):
        with pytest.raises(StrongroomError, match="already at work"):
            running.call("vaults.switch", name="other")
        assert running.call("status")["state"] == "open"  # nothing changed
    with go_to(running, "other"), rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        assert not rendezvous.socket_path(tmp_path / "vault", tmp_path / "state").exists()
    assert running.stop() == 0
    assert not (tmp_path / "other").exists()  # no vault was made in it
    assert not rendezvous.socket_path(tmp_path / "other", tmp_path / "state").exists()
    assert running.errors.read_text() == ""


def test_the_launcher_goes_to_nothing_but_a_vault_beside_this_one(start, tmp_path):
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "note.txt").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "vault")
    (tmp_path / "file").write_text("strongrm")
    before = running.roles()
    names = [
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a/b",
        "a\0b",
        ".hidden",
        "papers",
        "link",
        "file",
        "state",
        "vault",
        "x" * 61,
    ]
    for name in names:
        with pytest.raises(StrongroomError):
            running.call("vaults.switch", name=name)
    assert running.roles() == before
    assert running.call("status")["state"] == "open"
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_dir()) == [
        "bin",
        "link",
        "papers",
        "state",
        "vault",
    ]


def test_a_file_in_another_vaults_folder_is_not_opened_either(start, tmp_path):
    """What one vault's engine wrote must not reach the browser by way of another's."""
    running = start()
    running.call("create", passphrase=PASSPHRASE)
    (tmp_path / "vault" / "page.html").write_text("<p>A note on the garden.</p>")
    with go_to(running, "other") as client:
        client.call("create", passphrase=PASSPHRASE)
        client.call("folders.add", path=str(tmp_path / "vault"))
        client.call("wait", seconds=30)
        (found,) = client.call("documents", text="page.html", limit=10)["rows"]
        assert not client.call("document.open", id=found["id"])["done"]
    assert not (tmp_path / "opened").exists()
