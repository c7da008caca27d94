"""Nothing sent: the whole journey with every network call written down, and with no network at all."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from engine import rendezvous
from tests import tiny_gguf
from tests.torture.journey import journey

ROOT = Path(__file__).resolve().parents[2]
PAPERS = ROOT / "sample_corpus" / "papers"
JOURNEY = Path(__file__).with_name("journey.py")


@pytest.fixture
def sources(size, shared_data):
    """Papers of each kind: a few, or the whole household and some that strangers made."""
    few = [
        *(PAPERS / "Contracts" / "Cottage", PAPERS / "Contracts" / "Gym membership Ironbridge.pdf"),
        *(PAPERS / "Mail" / "Health", PAPERS / "Bank" / "Household budget 2025.xlsx"),
    ]
    return size(few, [PAPERS, *sorted((shared_data / "emails" / "fixtures").iterdir())[:40]])


@pytest.fixture
def model(tmp_path):
    return str(tiny_gguf.write(tmp_path / "tiny.gguf", context=2048))


def test_no_address_but_this_machine_and_no_name_looked_up_on_the_whole_journey(tmp_path, size, result, sources, model):
    logs = tmp_path / "calls"
    logs.mkdir()
    # The short form stops at network calls only, which is quicker, and shows few of those that the lock refuses.
    quick = size(["--seccomp-bpf"], [])

    def strace():  # a log for each, as two write over each other in one
        log = logs / str(len(list(logs.iterdir())))
        log.touch()
        return ["strace", "-f", "-qq", *quick, "-e", "trace=network", "-e", "signal=none", "-o", str(log)]

    (tmp_path / "home").mkdir()
    idle = size(3, 125)
    found = journey(strace, tmp_path / "home", sources=sources, idle_seconds=idle, model=model)
    _as_it_should(found)
    assert found["written"]["question"]
    assert found["search"]
    calls = [call for log in sorted(logs.iterdir()) for call in read(log.read_text())]
    assert {name for name, *_ in calls} >= {"socket", "bind", "listen", "accept4", "socketpair", "connect"}
    state = tmp_path / "home" / ".local"
    own = rendezvous.socket_path(state / "share" / "strongroom" / "vault", state / "state" / "strongroom")
    assert list(outside(calls, own)) == []
    # As docs/how-to/look-from-outside.md has it: of internet sockets, the page's own is what is left.
    left = subprocess.run(
        r"cat * | grep -E 'AF_INET|AF_NETLINK' | grep -vE '127\.0\.0\.1|EPERM'", shell=True, cwd=logs, check=True,
        capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    whole = [each for each in left if "<unfinished" not in each]
    assert [each.split(maxsplit=1)[1].partition(",")[0] for each in whole] == ["socket(AF_INET"]
    made = Counter(name for name, _, outcome in calls if outcome == "ok")
    tried = Counter(name for name, _, outcome in calls if outcome == "EPERM")
    result(
        "the whole journey under strace",
        f"{len(calls)} network calls of first run, ingest, answers, page, purge and {idle} idle seconds: "
        f"{made['connect']} connections made, all to Strongroom's own Unix socket; {sum(tried.values())} calls refused by "
        "the lock, all of them its own tries; no address but 127.0.0.1, no name looked up",
    )


def test_the_whole_journey_works_where_there_is_no_network(tmp_path, size, result, sources, model):
    (tmp_path / "home").mkdir()
    given = {
        "home": str(tmp_path / "home"), "sources": [str(each) for each in sources], "model": size(None, model),
        "browser": size(False, True),
    }  # fmt: skip
    apart = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--net"]
    done = subprocess.run(
        [*apart, sys.executable, str(JOURNEY), json.dumps(given)], capture_output=True, text=True, timeout=3600,
        env={**{k: v for k, v in os.environ.items() if k != "CI"}, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["interfaces"] == ["lo"]
    _as_it_should(found)
    result("the whole journey without a network", "first run, ingest, answers, page and purge work")


def _as_it_should(found):
    assert found["ask"]["statements"]
    assert found["page"]["words"]
    assert found["page"]["elsewhere"] == []
    assert "read back" in found["purge"] or "purged" in found["purge"]
    assert "search" not in found or found["search"][0]["quote"]
    assert "unexpectedly" not in found["messages"]


# --- strace's log ----------------------------------------------------------------------------------------------------


def read(text):
    """Yield each call as (name, arguments, outcome): `ok`, or the name of the error. Calls are put together again
    where strace wrote down another thread's in between."""
    begun = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
            rest = begun.pop(pid, "") + resumed[1]
        call = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?)(?: (\w+))?", rest)
        if call:
            yield call[1], call[2].rstrip(), call[4] if call[3].startswith("-") else "ok"
    for pid, rest in begun.items():  # never came back: still counts
        yield rest.partition("(")[0], rest.partition("(")[2], f"unfinished in {pid}"


OWN_TRIES = {
    # what lock.probe() tries, made without the flags that every library gives
    ("socket", "AF_INET, SOCK_STREAM, IPPROTO_IP"),
    ("socket", "AF_INET, SOCK_DGRAM, IPPROTO_IP"),
    ("socket", "AF_UNIX, SOCK_STREAM, 0"),
    ("socket", "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE"),
    ("connect", "-1, NULL, 0"),
    ("bind", "-1, NULL, 0"),
    ("socketpair", "AF_UNIX, SOCK_DGRAM, 0, NULL"),
}


def outside(calls, own):
    """Yield each call that reaches, or tries to reach, anything but Strongroom's own sockets on this machine.

    `own` is the engine's Unix socket, which is reached through its folder's descriptor where its path is too long.
    """
    for name, arguments, outcome in calls:
        what = f"{name}({arguments}) {outcome}"
        if outcome == "EPERM":
            if (name, arguments) not in OWN_TRIES and not arguments.startswith("-1, NULL, 0, 0, "):
                yield f"tried: {what}"
            continue
        if name == "socket" and not arguments.startswith(("AF_UNIX, SOCK_STREAM", "AF_INET, SOCK_STREAM")):
            yield f"made: {what}"
        if "sa_family=" in arguments and not _own(name, arguments, own):
            yield f"reached: {what}"


def _own(name, arguments, own):
    if "sa_family=AF_UNIX" in arguments:
        path = re.search(r'sun_path=@?"([^"]*)"', arguments)
        # None: the nameless end of a pair
        ways = rf"{re.escape(str(own))}|/proc/self/fd/\d+/{re.escape(own.name)}"
        return path is None or re.fullmatch(ways, path[1]) is not None
    port = re.search(r"sin6?_port=htons\((\d+)\)", arguments)
    at_home = 'inet_addr("127.0.0.1")' in arguments
    return bool(at_home and port and port[1] != "53" and name not in ("connect", "sendto", "sendmsg"))


def test_the_reading_of_the_log_finds_what_it_should(tmp_path):
    """A connection, a lookup and a try that was refused, made on purpose."""
    script = (
        "import socket, contextlib\n"
        "with contextlib.suppress(OSError): socket.create_connection(('192.0.2.1', 80), timeout=0.1)\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.53', 53))\n"
        "with contextlib.suppress(OSError): socket.getaddrinfo('example.invalid', 80)\n"
        "from engine import lock; lock.lock('engine')\n"
        "with contextlib.suppress(OSError): socket.socket()\n"
    )
    log = tmp_path / "calls"
    subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(log), sys.executable, "-c", script], check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    found = "\n".join(outside(read(log.read_text()), Path("/run/engine-0.sock")))
    for each in ("reached: connect(", "192.0.2.1", "made: socket(AF_INET, SOCK_DGRAM", "htons(53)", "tried: socket("):
        assert each in found
    assert found.count("tried:") == 1  # the lock's own are known
