"""Killed, or without power, or on a disk that is full or fails, at any moment: the vault is as before or as after.

What is done and looked at stands in `drivers.py`, where it is crashed in `crashing.py`, what a power cut may leave in
`disk.py`.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SEED = 1
ENGINE = ("ingest", "reindex", "remove")
OPERATIONS = (
    "create", "settings", "purge", "shred", "passphrase", "recovery", "revoke", "backup", "restore",
    "restore-over", "destroy", "migrate", *ENGINE,
)  # fmt: skip


@pytest.fixture(scope="session")
def layer(tmp_path_factory):
    """disk.c, compiled."""
    library = tmp_path_factory.mktemp("layer") / "disk.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, HERE / "disk.c", "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def crash(layer, tmp_path):
    """crash(operation, "power:10", …) runs a campaign; returns what it printed."""

    def run(*arguments, before=(), **environment):
        environment = {**os.environ, "LD_PRELOAD": str(layer), **environment}
        campaign = [sys.executable, "-m", "tests.torture.crashing", tmp_path / "disk", *arguments, "--seed", str(SEED)]
        done = subprocess.run(
            [*before, *campaign], cwd=HERE.parents[1], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
        found = json.loads(done.stdout)
        print(arguments, found["points"], found["found"], found["wrong"], done.stderr[-4000:], sep="\n")
        return found

    return run


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_crash_leaves_what_was_before_or_after_and_all_that_was_acknowledged(crash, operation, size, result):
    threads = operation in ENGINE  # slow, and every run has its calls in another order
    some = 100 if threads else 0  # 0: each call
    power, kills, faults = size(16, 1200), size(2 if threads else 4, some), size(2, some)
    found = crash(operation, f"power:{power}", f"kill:{kills}", f"ENOSPC:{faults}", f"EIO:{faults}")
    assert not found["wrong"]
    points = found["points"]
    assert points["power"] >= min(power, 12), points
    assert points["kill"] >= min(kills, 2), points
    told = {"power": "power cuts", "kill": "kill -9", "ENOSPC": "with a full disk", "EIO": "with I/O errors"}
    result(
        f"crash of {operation}",
        f"{sum(points.values()):,} points ({', '.join(f'{points[kind]:,} {name}' for kind, name in told.items())}): "
        "as before or as after, nothing acknowledged missing",
    )


@pytest.mark.parametrize(
    ("without", "operation"),
    [
        ("synchronous", "settings"),  # synchronous=OFF
        ("anchor", "settings"),  # the anchor's fdatasync
        ("anchoring", "settings"),  # the anchor itself
        ("folder", "passphrase"),  # the folder's fsync after a rename
        ("folder", "backup"),
        ("file", "passphrase"),  # the fsync of what is renamed
    ],
)
def test_it_is_noticed_when_what_the_promise_rests_on_is_left_out(crash, without, operation):
    found = crash(operation, "power:80", "--without", without)
    assert found["wrong"], f"nobody noticed that {without} was missing"


@pytest.mark.parametrize("operation", ["create", "passphrase", "restore-over"])
def test_a_power_cut_about_a_change_of_names_leaves_all_of_them_or_none(crash, operation):
    """The moments at which the disk may keep one name and lose another: few, so that a choice of points misses them."""
    found = crash(operation, "power:150", "--after", "RENAME")
    assert found["points"]["power"] >= 10
    assert not found["wrong"]


def test_a_point_that_was_printed_can_be_repeated(crash):
    told = crash("passphrase", "power:80", "--without", "folder")["wrong"][0]
    point = re.search(r"--only (\S+): (.*)", told)
    again = crash("passphrase", "power:1", "--without", "folder", "--only", point[1])
    assert re.sub(r"\d\d:\d\d:\d\d", "", again["wrong"][0]) == re.sub(r"\d\d:\d\d:\d\d", "", told)


def test_no_call_that_changes_the_disk_goes_past_the_layer(crash, tmp_path):
    """The kernel's own list of calls, by strace, against the layer's record."""
    trace = tmp_path / "trace"
    calls = (
        "openat,open,creat,write,pwrite64,pwritev,pwritev2,writev,ftruncate,truncate,fallocate,fsync,fdatasync,msync"
    )
    calls += ",rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat"
    calls += ",copy_file_range,sendfile,splice,sync_file_range,io_uring_setup"
    watching = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={calls}", "-o", trace]
    found = crash("shred", "count:1", before=watching)
    root = str(tmp_path / "disk" / "root")
    seen: dict[str, int] = {}
    armed = False
    for line in trace.read_text().splitlines():
        if "the layer is armed" in line or "/armed" in line:
            armed = "armed-end" not in line
        elif line.partition("(")[0].endswith(("open", "openat")) and not re.search("O_RDWR|O_WRONLY", line):
            continue  # to be read
        elif armed and root in line and " = -1 " not in line and (name := re.match(r"\d+ +(\w+)\(", line)):
            seen[name[1]] = seen.get(name[1], 0) + 1
    recorded = found["calls"]
    assert seen.pop("pwrite64", 0) + seen.pop("write", 0) == recorded["WRITE"] > 20
    assert seen.pop("fsync", 0) + seen.pop("fdatasync", 0) == recorded["SYNC"] > 10
    assert seen.pop("openat", 0) + seen.pop("open", 0) == recorded["OPEN"]
    assert seen.pop("ftruncate", 0) == recorded.get("TRUNCATE", 0)
    assert sum(seen.pop(name, 0) for name in ("rename", "renameat", "renameat2")) == recorded["RENAME"]
    assert sum(seen.pop(name, 0) for name in ("unlink", "unlinkat", "rmdir")) == recorded["UNLINK"] + recorded.get(
        "RMDIR", 0
    )
    assert sum(seen.pop(name, 0) for name in ("mkdir", "mkdirat")) == recorded.get("MKDIR", 0)
    assert not seen, "calls that the layer does not know"
