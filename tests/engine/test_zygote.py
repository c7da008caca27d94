"""Workers are real: each file is parsed in a locked child, and what hostile ones do is done by the parser below."""

import ctypes
import hashlib
import json
import os
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from engine import wire
from engine.zygote import WorkerDiedError, Zygote, ZygoteDiedError, sha256_of
from vault.records import Block, Document, Line, Problem


def load():
    """In the zygote: returns a parser that does what the file's name says."""
    from ingest import registry

    def parse(file, name, context):
        data = file.read()
        own = Document(hashlib.sha256(data).hexdigest(), "note", "", data.decode("latin-1"), (Block(0, len(data)),))
        match name:
            case "abort":
                os.abort()
            case "crash":
                ctypes.string_at(8)
            case "hang":
                time.sleep(600)
            case "spin":
                resource.setrlimit(resource.RLIMIT_CPU, (1, 20))
                while True:
                    pass
            case "memory":
                bytearray(2 << 30)
            case "leave":
                os._exit(3)
            case "raise":
                raise RuntimeError("a document's words")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "unsupported":
                raise registry.UnsupportedError("no parser for .xyz files", "convert it")
            case "unreadable":
                raise registry.UnreadableError("needs a password")
            case "quiet end":
                os.close(4)
                time.sleep(600)
            case "endless line":
                block = b"x" * (1 << 20)
                while True:
                    os.write(4, block)
            case "endless records":
                line = wire.encode(Problem("1", "no"))
                while True:
                    os.write(4, line * 1000)
            case "other hash":
                yield Document("0" * 64, "note", "", "another file's")
            case "twice":
                yield own
                yield own
            case "raw":  # the file is what the worker writes
                os.write(4, data + b"\n")
            case "slow":
                for number in range(8):
                    time.sleep(0.3)
                    yield Problem(str(number), "slow")
            case "probe":
                yield Problem("", json.dumps(probe()))
            case "limits":
                names = ("CPU", "AS", "FSIZE", "NOFILE", "CORE")
                limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
                yield Problem("", json.dumps(limits))
            case "half":
                yield own
                os.abort()
            case "broken text":
                yield Document(own.id, "note", "a\ud83d\ude00b\ud800", "text", metadata={"sender": "\udc80"})
            case _:
                yield own

    return parse


def probe():
    """What a worker can see and do."""
    found = {"descriptors": [each for each in range(64) if is_open(each)]}
    found["standard error"] = os.fstat(2).st_rdev == os.fstat(0).st_rdev == os.makedev(1, 3)  # /dev/null
    for name, attempt in {
        "fork": os.fork,
        "socket": lambda: socket.socket(socket.AF_UNIX),
        "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "own file": lambda: os.open("/proc/self/fd/3", os.O_RDONLY),
        "write": lambda: os.open("/tmp/out", os.O_WRONLY | os.O_CREAT),
        "write to the file": lambda: os.write(3, b"x"),
        "pipe": os.pipe,
        "a vault's header": lambda: os.open(HEADER, os.O_RDONLY),
        "the engine's memory": lambda: os.open(f"/proc/{ENGINE}/mem", os.O_RDONLY),
        "the engine's words": lambda: os.open(f"/proc/{ENGINE}/environ", os.O_RDONLY),
        "the zygote's descriptors": lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
        "the folder's other files": lambda: os.listdir(HEADER.parent),
        "through its own descriptor": lambda: os.open("..", os.O_RDONLY, dir_fd=3),
        "a program": lambda: os.execv("/bin/true", ["true"]),
        "a thread's fork": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "a signal to the engine": lambda: os.kill(ENGINE, signal.SIGUSR1),
        "a server on this machine": lambda: socket.create_connection(("127.0.0.1", 1)),
        "ptrace": lambda: called("ptrace", 16, ENGINE, 0, 0),
        "process_vm_readv": lambda: called("process_vm_readv", ENGINE, 0, 0, 0, 0, 0),
        "another's descriptor": lambda: called("syscall", 438, 0, 3, 0),  # pidfd_getfd
        "shared memory": lambda: called("shmget", 0, 4096, 0o1600),
    }.items():
        try:
            attempt()
            found[name] = "through"
        except OSError as error:
            found[name] = error.strerror
    found["nice"] = os.nice(0)
    found["address space"] = resource.getrlimit(resource.RLIMIT_AS)[0]
    return found


ENGINE = os.getpid()  # of the process that starts the zygote, and which in an engine has the keys
HEADER = Path(__file__).parents[2] / "README.md"  # any file will do: what a worker may open is nothing


def called(name, *arguments):
    """Call a C function; raises what the kernel says."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def zygote():
    found = Zygote.start(load)
    yield found
    found.close()


def parse(zygote, folder, name, data=b"some text", **more):
    path = folder / "file"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list(zygote.parse(descriptor, name, **more))
    finally:
        os.close(descriptor)


def test_a_file_becomes_a_document_whose_id_is_its_hash(zygote, tmp_path):
    heard = []
    (found,) = parse(zygote, tmp_path, "plain", b"R\xe9sum\xe9", on_hash=heard.append)
    assert found == Document(hashlib.sha256(b"R\xe9sum\xe9").hexdigest(), "note", "", "Résumé", (Block(0, 6),))
    assert heard == [found.id]


def test_a_file_is_read_from_its_start_wherever_the_descriptor_stands(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, 5, os.SEEK_SET)
    assert sha256_of(descriptor) == hashlib.sha256(b"0123456789").hexdigest()
    assert [each.text for each in zygote.parse(descriptor, "plain")] == ["0123456789"]
    os.close(descriptor)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("abort", "crashed (signal 6)"),
        ("crash", "crashed (signal 11)"),
        ("memory", "ran out of memory"),
        ("leave", "ended early (exit status 3)"),
        ("raise", "stopped on an error in its parser"),
        ("killed", "was killed, probably for want of memory"),
        ("spin", "took longer than 120 s of processor time"),
        ("other hash", "the parser's output was not valid"),
        ("twice", "the parser's output was not valid"),
        ("endless records", "held more than 200000 parts"),
    ],
)
def test_a_worker_that_dies_or_lies_costs_its_own_file_and_says_why(zygote, tmp_path, name, reason):
    with pytest.raises(WorkerDiedError) as caught:
        parse(zygote, tmp_path, name)
    assert caught.value.message == reason
    assert len(parse(zygote, tmp_path, "plain")) == 1


def test_a_worker_has_limits_before_it_reads_anything(zygote, tmp_path):
    """Of the processor too: a time that passes on the wall says nothing of how many cores were busy meanwhile."""
    (told,) = parse(zygote, tmp_path, "limits")
    assert json.loads(told.reason) == {
        "CPU": [120, 125], "AS": [1 << 30, 1 << 30], "FSIZE": [0, 0], "NOFILE": [64, 64], "CORE": [0, 0],
    }  # fmt: skip


def test_a_line_without_end_is_cut_off(zygote, tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "MAX_LINE", 8 << 20)
    with pytest.raises(WorkerDiedError, match="too large"):
        parse(zygote, tmp_path, "endless line")


def test_a_worker_that_hangs_is_killed_when_its_time_is_over(zygote, tmp_path):
    began = time.monotonic()
    with pytest.raises(WorkerDiedError, match="took longer than 1 s"):
        parse(zygote, tmp_path, "hang", wall_seconds=1)
    assert time.monotonic() - began < 3
    wait_until_no_worker(zygote)


def test_a_worker_that_closes_its_output_and_goes_on_is_killed(zygote, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.job._AFTER_END", 0.2)
    with pytest.raises(WorkerDiedError, match="closed its output"):
        parse(zygote, tmp_path, "quiet end")
    wait_until_no_worker(zygote)


def test_the_time_a_caller_takes_between_records_is_its_own(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    descriptor = os.open(path, os.O_RDONLY)
    count = 0
    for _ in zygote.parse(descriptor, "slow", wall_seconds=3):
        time.sleep(0.4)
        count += 1
    os.close(descriptor)
    assert count == 8


def test_all_records_together_have_a_limit_too(zygote, tmp_path):
    with pytest.raises(WorkerDiedError, match="took longer than 1 s"):
        parse(zygote, tmp_path, "slow", wall_seconds=1)


def test_what_came_before_a_crash_is_kept(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"text")
    descriptor = os.open(path, os.O_RDONLY)
    records = zygote.parse(descriptor, "half")
    assert next(records).text == "text"
    with pytest.raises(WorkerDiedError, match="crashed"):
        next(records)
    os.close(descriptor)


def test_abandoning_the_records_kills_the_worker(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    descriptor = os.open(path, os.O_RDONLY)
    records = zygote.parse(descriptor, "slow")
    next(records)
    records.close()
    wait_until_no_worker(zygote)
    os.close(descriptor)


def test_what_a_parser_says_of_a_file_is_raised_as_it_said_it(zygote, tmp_path):
    from ingest.registry import UnreadableError, UnsupportedError

    with pytest.raises(UnsupportedError) as caught:
        parse(zygote, tmp_path, "unsupported")
    assert (caught.value.message, caught.value.hint) == ("no parser for .xyz files", "convert it")
    with pytest.raises(UnreadableError, match="needs a password"):
        parse(zygote, tmp_path, "unreadable")


def test_half_surrogate_pairs_never_reach_the_engine(zygote, tmp_path):
    (found,) = parse(zygote, tmp_path, "broken text")
    assert found.title == "a😀b�"
    assert found.metadata["sender"] == "�"


def test_a_worker_has_two_descriptors_and_can_open_write_start_and_ask_nothing(zygote, tmp_path):
    (found,) = parse(zygote, tmp_path, "probe")
    seen = json.loads(found.reason)
    assert seen["descriptors"] == [0, 1, 2, 3, 4]
    assert seen["fork"] == seen["socket"] == "Operation not permitted"
    assert seen["open"] == seen["own file"] == seen["write"] == "Permission denied"
    assert seen["write to the file"] == "Bad file descriptor"
    refused = {"Operation not permitted", "Permission denied"}
    for each in (
        "a vault's header", "the engine's memory", "the engine's words", "the zygote's descriptors",
        "the folder's other files", "a program", "a thread's fork", "a signal to the engine", "a server on this machine",
        "ptrace", "process_vm_readv", "another's descriptor", "shared memory",
    ):  # fmt: skip
        # Born with much of a long test run in its memory, a worker has no room left to prepare the spawning of a program.
        also = {"Cannot allocate memory"} if each == "a thread's fork" else set()
        assert seen[each] in refused | also, each
    assert seen["through its own descriptor"] == "Not a directory"
    assert seen["nice"] >= 10
    assert seen["address space"] == 1 << 30
    assert seen["pipe"] == "through"
    assert seen["standard error"]


def test_a_worker_of_any_kind_is_run_for_its_lines_as_they_are(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some text")
    descriptor = os.open(path, os.O_RDONLY)
    (line,) = zygote.run("parse", descriptor, "plain", {"any": 1})
    assert wire.decode(line).text == "some text"
    with pytest.raises(WorkerDiedError, match="crashed"):
        list(zygote.run("parse", descriptor, "half", {}))
    from ingest.registry import UnsupportedError

    with pytest.raises(UnsupportedError, match=r"no parser for \.xyz"):
        list(zygote.run("parse", descriptor, "unsupported", {}))
    os.close(descriptor)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"document":{}}',
        b'{"problem":["1"]}',
        b'{"problem":["1",2]}',
        b'{"problem":["1","\\ud800"]}',
        b'{"end":true}',
        b'{"end":-1}',
        b'{"failed":["worse","",""]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 10_000,
    ],
)
def test_a_line_that_no_sound_worker_writes_ends_it(zygote, tmp_path, line):
    with pytest.raises(WorkerDiedError) as caught:
        parse(zygote, tmp_path, "raw", line)
    assert caught.value.message == "the parser's output was not valid"


def test_several_threads_parse_at_once(zygote, tmp_path):
    results = {}

    def work(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        results[number] = [parse(zygote, folder, "plain", f"{number}/{turn}".encode())[0].text for turn in range(25)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == {number: [f"{number}/{turn}" for turn in range(25)] for number in range(4)}


def test_no_descriptor_is_lost_over_many_files(zygote, tmp_path):
    parse(zygote, tmp_path, "plain")
    time.sleep(0.2)

    def descriptors():
        found = [len(os.listdir("/proc/self/fd"))]
        if os.getuid() == 0:  # nobody else can look into a locked process
            found.append(len(os.listdir(f"/proc/{zygote.pid}/fd")))
        return found

    before = descriptors()
    for _ in range(50):
        parse(zygote, tmp_path, "plain")
        with pytest.raises(WorkerDiedError):
            parse(zygote, tmp_path, "abort")
    wait_until_no_worker(zygote)
    time.sleep(0.2)
    assert descriptors() == before


def test_a_zygote_that_is_gone_is_noticed(tmp_path):
    zygote = Zygote.start(load)
    parse(zygote, tmp_path, "plain")
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_RDONLY)
    records = zygote.parse(descriptor, "slow")
    next(records)
    (worker,) = workers(zygote)
    os.kill(zygote.pid, signal.SIGKILL)
    with pytest.raises(ZygoteDiedError):
        list(records)
    with pytest.raises(ZygoteDiedError):
        list(zygote.parse(descriptor, "plain"))
    os.close(descriptor)
    zygote.close()
    wait_until_gone(worker)


def test_a_zygote_that_cannot_load_the_parsers_says_so(capfd):
    def broken():
        raise ImportError("no such parser")

    zygote = Zygote.start(broken)
    with pytest.raises(ZygoteDiedError, match="did not start"):
        zygote.report()
    zygote.close()
    assert "no such parser" in capfd.readouterr().err


def test_the_zygote_is_locked_and_reports_it(zygote):
    report = zygote.report()
    assert report["profile"] == "zygote"
    assert "internet socket" in report["refused"]
    status = Path(f"/proc/{zygote.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert "Threads:\t1" in status


def test_the_zygote_ends_with_the_process_that_holds_it(tmp_path):
    read, write = os.pipe()
    middle = os.fork()
    if middle == 0:
        zygote = Zygote.start(load)
        os.write(write, zygote.pid.to_bytes(4, "little"))
        time.sleep(600)
        os._exit(0)
    pid = int.from_bytes(os.read(read, 4), "little")
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)
    wait_until_gone(pid)
    os.close(read)
    os.close(write)


def test_a_file_that_changes_while_it_is_read_ends_the_records_without_blame(zygote, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    descriptor = os.open(path, os.O_RDONLY)
    records = zygote.parse(descriptor, "plain", on_hash=lambda _: path.write_bytes(b"after and longer"))
    assert list(records) == []
    os.close(descriptor)


def test_every_field_arrives_as_it_was_sent():
    document = Document(
        "a" * 64, "mail", "Ünïcode", "text\u2028 with\x00 odd \U0001f600 characters",
        (Block(0, 4, "heading", 2, 1, (Line(0, 2, 1.5, 2, 3.25, 4), Line(2, 4, 0, 0, 1, 1))), Block(5, 9)),
        {"sender": "a@b"}, "3/contract.pdf", "b" * 64, "message/rfc822", 3, 1, "note",
    )  # fmt: skip
    for each in (document, Problem("1", "broken"), wire.Failed("unreadable", "m", "h"), wire.End(7)):
        line = wire.encode(each)
        assert line.count(b"\n") == 1
        assert wire.decode(line) == each


FIELDS = json.loads(wire.encode(Document("a" * 64, "note", "", "0123456789")))["document"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "A" * 64},
        {"id": "a" * 63},
        {"kind": "virus"},
        {"title": None},
        {"title": "x" * 4001},
        {"text": 1},
        {"blocks": {}},
        {"blocks": [[0, 11, "paragraph", 0, None, []]]},
        {"blocks": [[-1, 3, "paragraph", 0, None, []]]},
        {"blocks": [[4, 3, "paragraph", 0, None, []]]},
        {"blocks": [[0, 5, "paragraph", 0, None, []], [4, 6, "paragraph", 0, None, []]]},
        {"blocks": [[0.0, 5, "paragraph", 0, None, []]]},
        {"blocks": [[False, 5, "paragraph", 0, None, []]]},
        {"blocks": [[0, 5, "script", 0, None, []]]},
        {"blocks": [[0, 5, "paragraph", -1, None, []]]},
        {"blocks": [[0, 5, "paragraph", 0, 0, []]]},
        {"blocks": [[0, 5, "paragraph", 0, None, None]]},
        {"blocks": [[0, 5, "paragraph", 0, None, [[0, 6, 0, 0, 0, 0]]]]},
        {"blocks": [[0, 5, "paragraph", 0, None, [[0, 5, 1e300, 0, 0, 0]]]]},
        {"blocks": [[0, 5, "paragraph", 0, None, [[0, 5, "1", 0, 0, 0]]]]},
        {"blocks": [[0, 5, "paragraph", 0, None, [[0, 5, True, 0, 0, 0]]]]},
        {"metadata": {"sender": 1}},
        {"metadata": {str(each): "" for each in range(201)}},
        {"part": ["1"]},
        {"parent": "x"},
        {"pages": -1},
        {"pages": 1.5},
        {"picture_pages": None},
        {"note": 0},
        {"more": ""},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_field_that_is_not_as_it_must_be_is_refused(change):
    assert wire.decode(json.dumps({"document": FIELDS}).encode())
    with pytest.raises(wire.InvalidRecordError):
        wire.decode(json.dumps({"document": {**FIELDS, **change}}).encode())


def test_numbers_that_are_not_numbers_are_refused():
    line = json.dumps({"document": {**FIELDS, "blocks": [[0, 5, "paragraph", 0, None, [[0, 5, 7, 7, 7, 7]]]]}})
    for odd in ("NaN", "Infinity", "-Infinity", "1e999"):
        with pytest.raises(wire.InvalidRecordError):
            wire.decode(line.replace("7, 7, 7, 7", f"7, {odd}, 7, 7").encode())


def workers(zygote):
    return [int(each) for each in Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()]


def wait_until_no_worker(zygote):
    until = time.monotonic() + 5
    while workers(zygote):
        assert time.monotonic() < until, "a worker is left"
        time.sleep(0.02)


def wait_until_gone(pid):
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < until, f"process {pid} is left"
        time.sleep(0.02)
