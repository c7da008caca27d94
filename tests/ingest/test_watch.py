"""Hearing of changes: what is reported is compared with what was done, on real folders and the real kernel's events."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ingest import events, filesystem, scan, watch
from ingest.settled import is_being_written, is_settled
from ingest.watch import Watcher

ROOT = Path(__file__).resolve().parents[2]
LINUX = sys.platform == "linux"


class Heard:
    """What a watcher reported, and when."""

    def __init__(self):
        self.reports = []
        self._news = threading.Condition()

    def __call__(self, report):
        with self._news:
            self.reports.append((time.monotonic(), report))
            self._news.notify_all()

    def paths(self):
        return {path for _, report in self.reports for paths in report.values() for path in paths}

    def wait(self, path, seconds=5.0):
        """How long it took until the path was reported."""
        path = os.fsencode(path)
        started = time.monotonic()
        with self._news:
            assert self._news.wait_for(lambda: path in self.paths(), timeout=seconds), (path, self.reports)
        return time.monotonic() - started

    def never(self, path, seconds):
        time.sleep(seconds)
        assert os.fsencode(path) not in self.paths(), self.reports

    def clear(self):
        with self._news:
            self.reports.clear()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def watching(heard):
    """A function that watches folders until the test ends."""
    started = []

    def start(*folders, **options):
        watcher = Watcher(heard, **options)
        watcher.start()
        started.append(watcher)
        for folder in folders:
            folder.mkdir(exist_ok=True)
            watcher.add(os.fsencode(folder))
        return watcher

    yield start
    for watcher in started:
        watcher.stop()


def test_a_saved_file_is_reported_at_once(tmp_path, heard, watching):
    watching(tmp_path / "f")
    (tmp_path / "f/a.txt").write_text("hello")
    assert heard.wait(tmp_path / "f/a.txt") < 0.5


def test_a_file_saved_through_another_name_is_reported_and_the_other_name_is_not_kept(tmp_path, heard, watching):
    watching(tmp_path / "f")
    (tmp_path / "f/.a.txt.swp").write_text("hello")
    os.rename(tmp_path / "f/.a.txt.swp", tmp_path / "f/a.txt")
    assert heard.wait(tmp_path / "f/a.txt") < 0.5


def test_hidden_and_temporary_files_wake_nobody(tmp_path, heard, watching):
    watching(tmp_path / "f")
    for name in (".a", "b.part", "~$c.docx", "d.tmp"):
        (tmp_path / "f" / name).write_text("x")
    time.sleep(0.5)
    assert heard.reports == []


def test_a_file_still_being_written_is_waited_for(tmp_path, heard, watching):
    watching(tmp_path / "f")
    with (tmp_path / "f/a.txt").open("w") as file:
        file.write("the first half, ")
        file.flush()
        if LINUX:
            heard.never(tmp_path / "f/a.txt", 2.5)  # longer than the quiet second: the writer has it open
        file.write("the second")
    assert heard.wait(tmp_path / "f/a.txt") < 0.5


def test_a_file_that_nobody_closes_is_read_in_the_end(tmp_path, heard, watching, monkeypatch):
    monkeypatch.setattr(watch, "MOST_WAIT_SECONDS", 2.0)
    watching(tmp_path / "f")
    with (tmp_path / "f/log.txt").open("w") as file:
        for number in range(30):
            print("line", number, file=file, flush=True)
            time.sleep(0.1)
            if heard.reports:
                break
        assert os.fsencode(tmp_path / "f/log.txt") in heard.paths()


def test_a_file_saved_over_and_over_is_read_every_few_seconds_only(tmp_path, heard, watching):
    watching(tmp_path / "f")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with (tmp_path / "f/log.txt").open("a") as file:
            file.write("x")
        time.sleep(0.15)
    assert 1 <= len(heard.reports) <= watch.BUSY_SAVES + 1


def test_a_move_within_and_between_folders_comes_in_one_report(tmp_path, heard, watching):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.txt").write_text("x")
    watching(tmp_path / "f", tmp_path / "g")
    os.rename(tmp_path / "f/a.txt", tmp_path / "g/b.txt")
    heard.wait(tmp_path / "g/b.txt")
    [(_, report)] = heard.reports
    assert report == {
        os.fsencode(tmp_path / "f"): {os.fsencode(tmp_path / "f/a.txt")},
        os.fsencode(tmp_path / "g"): {os.fsencode(tmp_path / "g/b.txt")},
    }


def test_a_deletion_is_reported(tmp_path, heard, watching):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.txt").write_text("x")
    watching(tmp_path / "f")
    os.unlink(tmp_path / "f/a.txt")
    assert heard.wait(tmp_path / "f/a.txt") < 1


def test_what_was_in_a_folder_before_it_could_be_watched_is_found(tmp_path, heard, watching):
    watching(tmp_path / "f")
    os.makedirs(tmp_path / "f/new/deep/er")
    (tmp_path / "f/new/deep/er/a.txt").write_text("x")
    heard.wait(tmp_path / "f/new")
    time.sleep(0.3)
    heard.clear()
    (tmp_path / "f/new/deep/er/b.txt").write_text("x")
    assert heard.wait(tmp_path / "f/new/deep/er/b.txt") < 0.5


def test_a_renamed_folder_is_watched_under_its_new_name(tmp_path, heard, watching):
    os.makedirs(tmp_path / "f/old/deep")
    watching(tmp_path / "f")
    os.rename(tmp_path / "f/old", tmp_path / "f/new")
    heard.wait(tmp_path / "f/new")
    assert {os.fsencode(tmp_path / "f/old"), os.fsencode(tmp_path / "f/new")} <= heard.paths()
    (tmp_path / "f/new/deep/a.txt").write_text("x")
    heard.wait(tmp_path / "f/new/deep/a.txt")
    assert os.fsencode(tmp_path / "f/old/deep/a.txt") not in heard.paths()


def test_a_folder_moved_in_from_outside_is_watched_and_one_moved_out_is_not(tmp_path, heard, watching):
    os.makedirs(tmp_path / "outside/deep")
    watching(tmp_path / "f")
    os.rename(tmp_path / "outside", tmp_path / "f/inside")
    heard.wait(tmp_path / "f/inside")
    (tmp_path / "f/inside/deep/a.txt").write_text("x")
    heard.wait(tmp_path / "f/inside/deep/a.txt")
    os.rename(tmp_path / "f/inside", tmp_path / "outside")
    time.sleep(0.5)
    heard.clear()
    (tmp_path / "outside/deep/b.txt").write_text("x")
    time.sleep(0.5)
    assert heard.reports == []


def test_the_vaults_folder_and_hidden_folders_are_not_watched(tmp_path, heard, watching):
    os.makedirs(tmp_path / "f/vault")
    os.makedirs(tmp_path / "f/.git")
    watching(tmp_path / "f", leave_out=[os.fsencode(tmp_path / "f/vault")])
    (tmp_path / "f/vault/x.db").write_text("x")
    (tmp_path / "f/.git/config").write_text("x")
    time.sleep(0.5)
    assert heard.reports == []


def test_a_removed_folder_is_not_heard_of_again(tmp_path, heard, watching):
    watcher = watching(tmp_path / "f")
    watcher.remove(os.fsencode(tmp_path / "f"))
    (tmp_path / "f/a.txt").write_text("x")
    time.sleep(0.5)
    assert heard.reports == []


def test_a_folder_that_goes_and_comes_back_is_reported_and_watched_again(tmp_path, heard, watching, monkeypatch):
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.2)
    watching(tmp_path / "f")
    os.rename(tmp_path / "f", tmp_path / "elsewhere")
    heard.wait(tmp_path / "f")
    heard.clear()
    os.rename(tmp_path / "elsewhere", tmp_path / "f")
    heard.wait(tmp_path / "f")
    (tmp_path / "f/a.txt").write_text("x")
    assert heard.wait(tmp_path / "f/a.txt") < 0.5


def test_a_folder_that_is_not_there_yet_is_reported_when_it_is(tmp_path, heard, watching, monkeypatch):
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.2)
    watcher = watching()
    watcher.add(os.fsencode(tmp_path / "drive"))
    (tmp_path / "drive").mkdir()
    heard.wait(tmp_path / "drive")
    (tmp_path / "drive/a.txt").write_text("x")
    heard.wait(tmp_path / "drive/a.txt")


def test_a_file_to_look_at_later_is_reported_later(tmp_path, heard, watching):
    watcher = watching(tmp_path / "f")
    watcher.later([os.fsencode(tmp_path / "f/a.txt")], seconds=0.4)
    assert 0.3 < heard.wait(tmp_path / "f/a.txt") < 1.5


def test_a_stand_in_is_reported_as_the_file_too(tmp_path, heard, watching):
    watching(tmp_path / "f")
    (tmp_path / "f/.Letter.pdf.icloud").write_text("x")
    heard.wait(tmp_path / "f/Letter.pdf")


def test_events_that_the_kernel_dropped_cost_a_look_at_everything(tmp_path, heard, watching):
    if not LINUX:
        pytest.skip("needs Linux")
    watcher = watching(tmp_path / "f")
    holding = threading.Event()
    reader = watcher._source._reader
    handle = reader.handle_event
    reader.handle_event = lambda event: (holding.wait(), handle(event))  # until the kernel's queue is full
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 3000):  # two events each
        os.close(os.open(tmp_path / f"f/{number % 7}.txt", os.O_WRONLY | os.O_CREAT))
        os.utime(tmp_path / f"f/{number % 7}.txt")
    os.mkdir(tmp_path / "f/made meanwhile")
    holding.set()
    heard.wait(tmp_path / "f", seconds=20)
    (tmp_path / "f/made meanwhile/a.txt").write_text("x")
    heard.wait(tmp_path / "f/made meanwhile/a.txt")


def test_a_folder_with_more_folders_than_the_system_can_watch_is_polled(tmp_path):
    if not LINUX:
        pytest.skip("needs Linux")
    code = """
import os, sys, time
with open("/proc/sys/user/max_inotify_watches", "w") as file:
    file.write("5")
from ingest.watch import Watcher
at = sys.argv[1].encode()
heard = []
watcher = Watcher(heard.append, poll_seconds=0.5)
watcher.start()
os.makedirs(at + b"/small"), os.makedirs(at + b"/large")
for number in range(10):
    os.mkdir(at + b"/large/%d" % number)
print(watcher.add(at + b"/large"))
print(repr(watcher.add(at + b"/small")))
open(at + b"/large/9/a.txt", "w").close()
deadline = time.monotonic() + 10
while time.monotonic() < deadline and not any(at + b"/large" in paths for each in heard for paths in each.values()):
    time.sleep(0.05)
heard.clear()
for number in range(10):  # and when it grows later
    os.mkdir(at + b"/small/%d" % number)
while time.monotonic() < deadline and not watcher.reason(at + b"/small"):
    time.sleep(0.05)
print(watcher.reason(at + b"/small"))
watcher.stop()
"""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code, tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare failed" in done.stderr:
        pytest.skip("needs user namespaces")
    assert done.stdout == f"{events.LIMIT_REACHED}\n''\n{events.LIMIT_REACHED}\n", done.stderr


def test_a_folder_on_a_network_drive_is_heard_of_and_polled(tmp_path, heard, watching, monkeypatch):
    at = os.fsencode(tmp_path)
    monkeypatch.setattr(filesystem, "of", lambda _path, _table=None: filesystem.FileSystem("nfs4", at))
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.2)
    watcher = watching(tmp_path / "f", poll_seconds=1.0)
    assert watcher.reason(os.fsencode(tmp_path / "f")).startswith("polled: on this file system (nfs4)")
    (tmp_path / "f/a.txt").write_text("x")
    assert heard.wait(tmp_path / "f/a.txt") < 0.5
    heard.wait(tmp_path / "f", seconds=3)


def test_watching_goes_on_under_the_lock(tmp_path):
    if not LINUX:
        pytest.skip("needs Linux")
    code = """
import os, sys, time
from engine import lock
from ingest.watch import Watcher
import watchdog.observers.inotify_c
at = sys.argv[1].encode()
heard = []
lock.lock("engine")
watcher = Watcher(heard.append)
watcher.start()
print(repr(watcher.add(at)))
open(at + b"/a.txt", "w").close()
deadline = time.monotonic() + 5
while time.monotonic() < deadline and not heard:
    time.sleep(0.02)
print(heard == [{at: {at + b"/a.txt"}}])
watcher.stop()
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "''\nTrue\n", done.stderr


def test_the_observer_for_other_systems_reports_too(tmp_path, heard, watching, monkeypatch):
    """macOS has no inotify; watchdog's observer is the same class there and here."""
    monkeypatch.setattr(sys, "platform", "darwin")
    os.makedirs(tmp_path / "f/deep")
    watching(tmp_path / "f")
    monkeypatch.undo()
    (tmp_path / "f/deep/a.txt").write_text("x")
    heard.wait(tmp_path / "f/deep/a.txt")
    heard.clear()
    os.rename(tmp_path / "f/deep/a.txt", tmp_path / "f/b.txt")
    heard.wait(tmp_path / "f/b.txt")
    assert os.fsencode(tmp_path / "f/deep/a.txt") in heard.paths()


# --- files being written --------------------------------------------------------------------------------------------


def test_a_writer_is_noticed_and_a_reader_is_not(tmp_path):
    if not LINUX:
        pytest.skip("needs Linux")
    path = tmp_path / "a.txt"
    path.write_text("x")
    name = os.fsencode(path)
    with path.open():
        assert is_being_written(name) is False
    with path.open("a"):
        assert is_being_written(name) is True
    assert is_being_written(name) is False
    assert is_being_written(os.fsencode(tmp_path / "none")) is None


def test_a_file_is_settled_when_it_is_old_or_closed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x")
    [entry] = scan.scan(os.fsencode(tmp_path))
    assert is_settled(entry, now=entry.mtime_ns / 1e9 + 5)
    if LINUX:
        assert is_settled(entry)
        with path.open("a"):
            assert not is_settled(entry)


def test_a_thousand_files_in_a_moment_are_all_reported(tmp_path, heard, watching):
    watching(tmp_path / "f")
    for number in range(1000):
        (tmp_path / f"f/{number}.txt").write_text("x")
    for number in range(1000):
        heard.wait(tmp_path / f"f/{number}.txt")
    assert len(heard.reports) < 200
