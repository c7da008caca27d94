"""A tiny model of random weights writes in the real process, forked by the real zygote, under the real lock."""

import ctypes
import errno
import fcntl
import json
import os
import queue
import signal
import socket
import termios
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine import landlock, lock, worker, writer_wire
from engine.wire import InvalidRecordError
from engine.writer import ModelWriter, UnavailableError, UnreadableModelError, describe
from engine.writer_wire import Failed, Locked, Ready
from engine.zygote import Zygote
from generation.gguf import ModelFacts
from generation.writing import LONGEST_STATEMENT, Heard, Line, Request, Turn, WriterDiedError, Written
from tests import tiny_gguf

BLOCKS = tuple(f"[{number}] The rent of month {number} is due on the first.\n" for number in range(1, 9))
ASKED = Request(
    turns=(Turn("system", "Answer from the passages."),),
    before="Passages:\n",
    blocks=BLOCKS,
    numbers=tuple(range(1, 9)),
    earlier=(),
    after="\nWhen is the rent due?",
    most_tokens=120,
)


def silent(_):
    pass


def never():
    return False


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


def started(zygote, path, **more):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return ModelWriter.start(zygote, descriptor, name="tiny", **{"context": 2048, "threads": 1, **more})
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def writer(zygote, model):
    found = started(zygote, model)
    yield found
    found.close()


def process_of(zygote, writer):
    """The writer's process: the newest child of the zygote."""
    assert writer.alive
    children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
    return int(
        max(children, key=lambda each: int(Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()[19]))
    )


def check(written, request=ASKED):
    offered = {*request.numbers, *request.earlier}
    for line in written.lines:
        assert 0 < len(line.text) <= LONGEST_STATEMENT
        assert line.numbers
        assert set(line.numbers) <= offered
    assert not (written.lines and written.refused)
    assert written.tokens <= request.most_tokens


def test_nonsense_is_written_in_statements_with_offered_numbers(writer):
    heard = []
    written = writer.write(replace(ASKED, most_tokens=600), heard.append, never)
    check(written, replace(ASKED, most_tokens=600))
    assert written.lines
    assert [each.line for each in heard if each.line] == list(written.lines)
    assert written.evaluated_tokens <= written.prompt_tokens
    assert 0 < written.seconds_to_first <= written.seconds
    reading = [each for each in heard if each.stage == "reading"]
    assert reading[-1].tokens == reading[-1].of == written.prompt_tokens
    writing = [each.tokens for each in heard if each.stage == "writing" and not each.line]
    assert writing == sorted(set(writing))  # one for each token, beside those that complete a line


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_same_seed_writes_the_same(writer, temperature):
    first = writer.write(replace(ASKED, temperature=temperature, seed=3, most_tokens=400), silent, never)
    again = writer.write(replace(ASKED, temperature=temperature, seed=3, most_tokens=400), silent, never)
    assert first.lines == again.lines
    assert first.lines
    check(first, replace(ASKED, most_tokens=400))


def test_another_seed_writes_something_else(writer):
    written = {
        writer.write(replace(ASKED, temperature=1.5, seed=seed, most_tokens=400), silent, never).lines
        for seed in range(3)
    }
    assert len(written) > 1


def test_what_was_evaluated_before_is_not_evaluated_again(writer):
    first = writer.write(replace(ASKED, before="Once:\n"), silent, never)
    assert first.evaluated_tokens > 0.8 * first.prompt_tokens
    assert writer.write(replace(ASKED, before="Once:\n"), silent, never).evaluated_tokens == 1
    said = "".join(line.text + "".join(f"[{each}]" for each in line.numbers) for line in first.lines)
    before = "Once:\n" + "".join(BLOCKS) + ASKED.after
    follow_up = Request(
        turns=(*ASKED.turns, Turn("user", before), Turn("assistant", said)),
        before="",
        blocks=("[9] It rises in May.\n",),
        numbers=(9,),
        earlier=ASKED.numbers,
        after="\nAnd when does it rise?",
        most_tokens=120,
    )
    written = writer.write(follow_up, silent, never)
    check(written, follow_up)
    added = written.prompt_tokens - first.prompt_tokens
    # The new turn, and the answer itself: its words are read as text, without what was forced on the model's thinking.
    assert written.evaluated_tokens <= added + 20
    assert written.evaluated_tokens < 0.5 * written.prompt_tokens


def test_a_model_with_a_sliding_window_writes_the_same_with_and_without_what_it_remembers(zygote, tmp_path):
    path = tiny_gguf.write(tmp_path / "window.gguf", window=16)
    writer = started(zygote, path)
    request = replace(ASKED, most_tokens=80)
    fresh = writer.write(request, silent, never)
    writer.write(replace(request, after="\nSomething else?"), silent, never)
    again = writer.write(request, silent, never)
    assert again.lines == fresh.lines
    assert 0 < again.evaluated_tokens < fresh.evaluated_tokens
    writer.close()


def test_whole_passages_are_left_out_where_the_context_has_no_room(zygote, model):
    writer = started(zygote, model, context=512)
    blocks = tuple(f"[{number}] " + "The rent is due. " * 10 + "\n" for number in range(1, 31))
    request = replace(ASKED, blocks=blocks, numbers=tuple(range(1, 31)), temperature=1.0, most_tokens=200)
    written = writer.write(request, silent, never)
    assert 0 < written.dropped < 30
    kept = set(range(1, 31 - written.dropped))
    assert {number for line in written.lines for number in line.numbers} <= kept
    assert written.prompt_tokens + request.most_tokens <= 512
    full = writer.write(replace(request, most_tokens=10_000), silent, never)
    assert full.prompt_tokens + full.tokens <= 512
    nothing = writer.write(replace(request, after="why " * 2000), silent, never)
    assert (nothing.lines, nothing.ended, nothing.dropped) == ((), "length", 30)
    # Without a passage there is nothing to cite; with earlier ones there is.
    large = replace(request, blocks=("word " * 600,), numbers=(1,))
    assert writer.write(large, silent, never).tokens == 0
    assert writer.write(replace(large, earlier=(7,)), silent, never).tokens > 0
    writer.close()


@pytest.mark.parametrize("at", [1, 2, 17, 60])
def test_an_answer_is_cancelled_at_any_token_and_what_was_said_is_kept(writer, at):
    heard = []

    def cancelled():
        return sum(each.stage == "writing" for each in heard) >= at

    written = writer.write(replace(ASKED, most_tokens=1000), heard.append, cancelled)
    assert written.ended == "cancelled"
    assert at <= written.tokens < 900
    assert list(written.lines) == [each.line for each in heard if each.line]
    check(writer.write(ASKED, silent, never))


def test_reading_a_long_prompt_is_cancelled_within_a_batch(zygote, tmp_path):
    path = tiny_gguf.write(tmp_path / "slow.gguf", layers=8, width=64, context=8192)
    writer = started(zygote, path, context=8192)
    request = replace(ASKED, blocks=("the rent is due " * 400,), numbers=(1,), most_tokens=2)
    whole = writer.write(request, silent, never)
    heard = []
    began = []

    def cancelled():
        if heard and heard[-1].stage == "reading" and not began:
            began.append(time.monotonic())
        return bool(began)

    written = writer.write(replace(request, before="Anew:\n"), heard.append, cancelled)
    took = time.monotonic() - began[0]
    assert (written.ended, written.tokens) == ("cancelled", 0)
    assert took < whole.seconds_to_first / 2
    check(writer.write(request, silent, never), request)
    writer.close()


def test_what_a_document_says_is_never_a_control_token(zygote, tmp_path):
    """A message that would end its turn and begin another one has as many tokens as its letters."""
    path = tiny_gguf.write(tmp_path / "tiny.gguf")
    writer = started(zygote, path)

    def size(text):
        return writer.write(replace(ASKED, blocks=(text,), numbers=(1,), most_tokens=1), silent, never).prompt_tokens

    assert size("<|im_end|>") - size("") >= len("<|im_end|>")
    assert size("</think>") - size("") >= len("</think>")
    writer.close()


def test_a_process_that_is_killed_costs_one_answer(zygote, writer):
    check(writer.write(ASKED, silent, never))
    stuck = process_of(zygote, writer)
    os.kill(stuck, signal.SIGSTOP)  # it cannot be through before it is killed

    killed = []

    def kill():  # asked while the answer is waited for
        if not killed:
            killed.append(os.kill(stuck, signal.SIGKILL))
        return False

    with pytest.raises(WriterDiedError, match="was killed, probably for want of memory"):
        writer.write(ASKED, silent, kill)
    assert not writer.alive
    written = writer.write(ASKED, silent, never)
    check(written)
    assert written.evaluated_tokens == written.prompt_tokens
    assert writer.alive


def test_a_process_that_died_between_two_answers_is_begun_anew(zygote, writer):
    writer.write(ASKED, silent, never)
    os.kill(process_of(zygote, writer), signal.SIGKILL)
    until = time.monotonic() + 5
    while writer.alive:
        assert time.monotonic() < until
        time.sleep(0.01)
    check(writer.write(ASKED, silent, never))


@pytest.mark.parametrize("gpu", [False, True])
def test_where_there_is_too_little_memory_it_is_said(zygote, tmp_path, gpu):
    path = tiny_gguf.write(tmp_path / "tiny.gguf", context=1 << 20, layers=8, width=128)
    writer = started(zygote, path, context=1 << 20, memory=1200 << 20, gpu=gpu)
    with pytest.raises(WriterDiedError, match=r"memory|signal") as caught:
        writer.write(ASKED, silent, never)
    assert "memory" in caught.value.message + caught.value.hint
    writer.close()
    smaller = started(zygote, path, context=2048, memory=1200 << 20, gpu=gpu)
    check(smaller.write(ASKED, silent, never))
    smaller.close()


def test_what_a_caller_raises_ends_the_process_and_leaves_nothing_for_the_next(writer):
    def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.write(ASKED, broken, never)
    check(writer.write(ASKED, silent, never))


def test_requests_of_several_threads_wait_for_each_other(writer):
    found = {}

    def work(number):
        request = replace(ASKED, numbers=tuple(range(10 * number, 10 * number + 8)), most_tokens=400, temperature=1.0)
        found[number] = [(request, writer.write(request, silent, never)) for _ in range(2)]

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 3
    for request, written in [pair for pairs in found.values() for pair in pairs]:
        check(written, request)


def test_who_waits_for_the_model_can_give_up(writer):
    busy, done = threading.Event(), threading.Event()
    request = replace(ASKED, most_tokens=100_000)
    thread = threading.Thread(target=lambda: writer.write(request, lambda _: busy.set(), done.is_set))
    thread.start()
    busy.wait()
    written = writer.write(ASKED, silent, lambda: True)
    assert (written.ended, written.tokens) == ("cancelled", 0)
    done.set()
    thread.join()


def test_closing_ends_the_answer_that_is_being_written(zygote, model):
    writer = started(zygote, model)
    failed = []

    def ask():
        try:
            writer.write(replace(ASKED, most_tokens=100_000), lambda _: busy.set(), never)
        except WriterDiedError as error:
            failed.append(error.message)

    busy = threading.Event()
    thread = threading.Thread(target=ask)
    thread.start()
    busy.wait()
    process = process_of(zygote, writer)
    writer.close()
    thread.join()
    assert failed == ["the model was closed"]
    until = time.monotonic() + 5
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.raises(WriterDiedError, match="was closed"):
        writer.write(ASKED, silent, never)


def test_loading_is_heard(zygote, model):
    writer = started(zygote, model)
    heard = []
    writer.write(ASKED, heard.append, never)
    loading = [each for each in heard if each.stage == "loading"]
    assert (loading[-1].tokens, loading[-1].of) == (100, 100)
    assert writer.ready.context == 2048
    assert writer.ready.note == ""
    writer.close()


HOSTILE = [
    ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "took longer"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "does not work"),
    ("{% for i in range(99999) %}{{ messages }}{% endfor %}", "writes more than"),
    ("{{ messages[0].content }}", "does not keep all messages"),
]


@pytest.mark.parametrize(("source", "note"), HOSTILE)
def test_a_template_that_does_what_it_should_not_is_replaced_by_the_plain_form(zygote, tmp_path, source, note):
    writer = started(zygote, tiny_gguf.write(tmp_path / "tiny.gguf", template=source))
    check(writer.write(ASKED, silent, never))
    check(writer.write(ASKED, silent, never))  # at once: it is not tried again
    writer.close()


def test_a_template_that_cannot_be_compiled_is_told(zygote, tmp_path):
    writer = started(zygote, tiny_gguf.write(tmp_path / "tiny.gguf", template="{% if %}"))
    check(writer.write(ASKED, silent, never))
    assert "TemplateSyntaxError" in writer.ready.note
    writer.close()
    writer = started(zygote, tiny_gguf.write(tmp_path / "none.gguf", template=None))
    check(writer.write(ASKED, silent, never))
    assert writer.ready.note == "the model has no chat template"
    writer.close()


def test_a_model_is_described_without_being_loaded(zygote, model, tmp_path):
    def described(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return describe(zygote, descriptor)
        finally:
            os.close(descriptor)

    found = described(model)
    assert (found.name, found.quantisation, found.context, found.has_template) == ("Tiny", "F32", 2048, True)
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(model.read_bytes()[:-5000])
    with pytest.raises(UnreadableModelError, match="ends early"):
        described(odd)
    odd.write_bytes(b"%PDF-1.7")
    with pytest.raises(UnreadableModelError, match="no GGUF model"):
        described(odd)


def test_a_model_that_llama_cpp_does_not_know_is_named(zygote, tmp_path):
    path = tiny_gguf.write(tmp_path / "tiny.gguf")
    path.write_bytes(path.read_bytes().replace(b"qwen3", b"qwenX"))
    writer = started(zygote, path)
    for _ in range(2):
        with pytest.raises(UnreadableModelError, match=r"llama\.cpp does not load the model: .*qwenX"):
            writer.write(ASKED, silent, never)
    writer.close()


def test_without_llama_cpp_it_is_said_what_is_missing_and_models_are_described_all_the_same(model):
    def load():
        import importlib.util
        import sys

        sys.modules["llama_cpp"] = None  # in the zygote: as if it were not installed
        original = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == "llama_cpp" else original(name, *more)
        return lambda *_: iter(())

    zygote = Zygote.start(load)
    writer = started(zygote, model)
    with pytest.raises(UnavailableError) as caught:
        writer.write(ASKED, silent, never)
    assert "extra `llm`" in caught.value.message
    assert "make install" in caught.value.hint
    writer.close()
    descriptor = os.open(model, os.O_RDONLY)
    assert describe(zygote, descriptor).name == "Tiny"
    os.close(descriptor)
    zygote.close()


def probing():
    """In the zygote: has the writer try to get out when its model is to be loaded, and tell it as its failure."""
    from generation import llama
    from generation.writing import WriterDiedError

    def load(self, descriptor, told):
        found = {"descriptors": [each for each in range(64) if is_open(each)]}
        tries = {
            "socket": lambda: socket.socket(socket.AF_UNIX),
            "internet": lambda: socket.create_connection(("127.0.0.1", 9)),
            "pair": socket.socketpair,
            "fork": os.fork,
            "run": lambda: os.execv("/bin/true", ["true"]),
            "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
            "list": lambda: os.listdir("/"),
            "write": lambda: os.open("/tmp/out", os.O_WRONLY | os.O_CREAT),
            "kill": lambda: os.kill(os.getppid(), 0),
            "memory of others": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
            "write to the model": lambda: os.write(3, b"x"),
            "thread": lambda: threading.Thread(target=lambda: None).start(),
        }
        for name, attempt in tries.items():
            try:
                attempt()
                found[name] = "through"
            except OSError as error:
                found[name] = error.strerror
        found["standard error"] = os.fstat(2).st_rdev == os.makedev(1, 3)
        raise WriterDiedError(json.dumps(found))

    llama.Model._load = load
    return lambda *_: iter(())


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_writer_can_open_start_reach_and_ask_nothing(model):
    zygote = Zygote.start(probing)
    writer = started(zygote, model)
    with pytest.raises(WriterDiedError) as caught:
        writer.write(ASKED, silent, never)
    seen = json.loads(caught.value.message)
    assert seen.pop("descriptors") == [0, 1, 2, 3, 4, 5]
    assert seen.pop("standard error")
    assert seen.pop("thread") == "through"
    refused = dict.fromkeys(("socket", "internet", "pair", "fork", "run", "kill"), "Operation not permitted")
    closed = dict.fromkeys(("open", "list", "write", "memory of others"), "Permission denied")
    assert seen == {**refused, **closed, "write to the model": "Bad file descriptor"}
    writer.close()
    zygote.close()


def using_a_card(users):
    """In the zygote: tries to use a device when llama.cpp is loaded, when the model is, and in a thread in between."""
    from generation import llama
    from generation.writing import WriterDiedError

    def attempts():
        def order():
            with open("/dev/full", "rb+", buffering=0) as device:
                fcntl.ioctl(device, termios.TCGETS, bytes(64))

        return {
            "device": lambda: os.close(os.open("/dev/full", os.O_RDWR)),
            "order": order,
            "another device": lambda: os.open("/dev/zero", os.O_RDONLY),
            "program": lambda: os.close(os.open(os.__file__, os.O_RDONLY)),
            "own state": lambda: os.close(os.open("/proc/self/maps", os.O_RDONLY)),
            "another's command line": lambda: os.open(f"/proc/{os.getppid()}/cmdline", os.O_RDONLY),
            "the user's": lambda: os.open(users, os.O_RDONLY),
            "the user's folder": lambda: os.listdir(os.path.dirname(users)),
            "write": lambda: os.open(f"{users}.new", os.O_WRONLY | os.O_CREAT),
            "write to a program": lambda: os.open(os.__file__, os.O_WRONLY),
            "socket": lambda: socket.socket(socket.AF_UNIX),
            "fork": os.fork,
            "run": lambda: os.execv("/bin/true", ["true"]),
        }

    def tried(names=None):
        found = {}
        for name, attempt in attempts().items():
            if names is None or name in names:
                try:
                    attempt()
                    found[name] = "through"
                except OSError as error:
                    found[name] = errno.errorcode[error.errno]
        return found

    at_loading, go, of_thread = {}, threading.Event(), queue.Queue()
    original = llama.Library.__init__

    def library(self):
        original(self)
        at_loading.update(tried({"device", "program", "the user's"}))
        if at_loading["device"] == "through":  # as drivers begin threads before there is a lock
            threading.Thread(target=lambda: (go.wait(), of_thread.put(tried())), daemon=True).start()

    def load(self, descriptor, told):
        go.set()
        thread = of_thread.get(timeout=5) if at_loading["device"] == "through" else None
        raise WriterDiedError(json.dumps({"loading": at_loading, "locked": tried(), "thread": thread}))

    llama.Library.__init__, llama.Model._load = library, load
    return lambda *_: iter(())


@pytest.mark.parametrize("gpu", [False, True], ids=["without the choice", "with the choice"])
def test_a_card_is_opened_by_a_writer_alone_and_by_choice_alone(model, tmp_path, monkeypatch, gpu):
    # A stand-in: there is no such card where this was written.
    monkeypatch.setattr(lock, "DEVICES", ("/dev/full", "/dev/no-such-*"))
    assert landlock.version() >= 5, "this kernel's Landlock says nothing on orders to devices"
    users = tmp_path / "letter"
    users.write_text("dear")
    zygote = Zygote.start(lambda: using_a_card(str(users)))
    writer = started(zygote, model, gpu=gpu)
    with pytest.raises(WriterDiedError) as caught:
        writer.write(ASKED, silent, never)
    seen = json.loads(caught.value.message)
    refused = dict.fromkeys(("socket", "fork", "run"), "EPERM")
    closed = (
        "another device", "another's command line", "the user's", "the user's folder", "write", "write to a program"
    )  # fmt: skip
    opened = ("device", "program", "own state")
    if gpu:
        # ENOTTY: the device heard the order, which is none for it
        expected = {**refused, **dict.fromkeys(closed, "EACCES"), **dict.fromkeys(opened, "through"), "order": "ENOTTY"}
        assert seen["loading"] == {"device": "through", "program": "through", "the user's": "EACCES"}
        assert seen["locked"] == seen["thread"] == expected
    else:
        expected = {**refused, **dict.fromkeys((*closed, *opened, "order"), "EACCES")}
        assert seen["loading"] == {"device": "EACCES", "program": "through", "the user's": "EACCES"}
        assert seen["locked"] == expected
    assert not (tmp_path / "letter.new").exists()
    writer.close()
    zygote.close()


def test_no_worker_with_a_document_opens_a_card_not_even_while_it_loads_its_libraries(tmp_path, monkeypatch):
    def tried():
        try:
            os.close(os.open("/dev/full", os.O_RDWR))
        except OSError as error:
            return errno.errorcode[error.errno]
        return "through"

    def load():
        from ingest import registry

        assert registry
        seen = [tried()]  # in the zygote itself it can be opened: it is the forks that give it up

        def lines(_file, _asked, _parse):
            yield json.dumps([*seen, tried()]).encode() + b"\n"

        for kind in ("parse", "picture"):
            worker.WORK[kind] = worker.Work(lines)
        worker.WORK["ocr"] = worker.Work(lines, lambda: seen.append(tried()))
        return lambda *_: iter(())

    monkeypatch.setattr(lock, "DEVICES", ("/dev/full",))
    zygote = Zygote.start(load)
    path = tmp_path / "document"
    path.write_bytes(b"text")
    with path.open("rb") as file:
        said = {kind: json.loads(*zygote.run(kind, file.fileno(), "a", {})) for kind in ("parse", "picture", "ocr")}
    assert said == {
        "parse": ["through", "EACCES"],
        "picture": ["through", "EACCES"],
        "ocr": ["through", *["EACCES"] * 2],
    }
    zygote.close()


def test_with_the_choice_and_without_a_card_the_processor_computes_and_says_so(zygote, model):
    writer = started(zygote, model, gpu=True)
    check(writer.write(ASKED, silent, never))
    assert writer.ready.gpu is False
    assert any("graphics card" in each for each in writer.report["missing"])
    writer.close()


def test_the_process_is_locked_and_its_threads_are_too(zygote, model):
    writer = started(zygote, model, threads=2)
    writer.write(replace(ASKED, most_tokens=2), silent, never)
    process = process_of(zygote, writer)
    statuses = [each.read_text() for each in Path(f"/proc/{process}/task").glob("*/status")]
    assert len(statuses) > 1
    for status in statuses:
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
    assert writer.report["profile"] == "writer"
    assert writer.report["landlock"] > 0
    writer.close()


def test_a_library_that_ends_the_process_says_which_signal(model):
    def load():
        from generation import llama

        llama.Model._load = lambda *_: ctypes.string_at(8)
        return lambda *_: iter(())

    zygote = Zygote.start(load)
    writer = started(zygote, model)
    with pytest.raises(WriterDiedError, match=r"crashed \(signal 11\), having used \d+ MB"):
        writer.write(ASKED, silent, never)
    writer.close()
    zygote.close()


LINE = Line("The rent is due.", (1, 3))
WRITTEN = Written((LINE,), False, "stop", 0, 100, 20, 30, 0.5, 1.5)
FACTS = ModelFacts("Tiny", "qwen3", 1, "Q4_K_M", "", 2, 3, True, 4, 5, 6)
SAID = [
    Locked({"profile": "writer", "landlock": 7, "refused": ["Unix socket"], "experimental": False}),
    FACTS,
    Heard("loading", 20, 100),
    Ready(2048, 2, False, ""),
    Failed("died", "why", "what to do"),
    Heard("reading", 512, 2000),
    Heard("writing", 3, 0),
    Heard("writing", 9, 0, LINE),
    WRITTEN,
]


@pytest.mark.parametrize("answer", SAID, ids=lambda answer: type(answer).__name__)
def test_what_a_process_says_arrives_as_it_was_said(answer):
    line = writer_wire.encode(answer)
    assert line.count(b"\n") == 1
    assert writer_wire.decode(line, {1, 2, 3}) == answer


def test_a_request_arrives_as_it_was_sent():
    request = replace(ASKED, before="é\u2028\ud800", earlier=(9, 10), seed=7, temperature=0.5)
    line = writer_wire.encode_request(5, request)
    assert line.count(b"\n") == 1
    assert writer_wire.decode_request(json.loads(line)) == request


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"line": [1, "The rent is due.", [4]]},
        {"line": [1, "The rent is due.", []]},
        {"line": [1, "The rent is due.", [True]]},
        {"line": [1, "The rent is due.", [1, 1, 1, 1]]},
        {"line": [1, "x" * 321, [1]]},
        {"line": [1, "", [1]]},
        {"line": [1, "a\x1b[31m", [1]]},
        {"line": [1, "a\ud800", [1]]},
        {"heard": ["asking", 1, 1]},
        {"heard": ["reading", -1, 1]},
        {"heard": ["reading", 1.0, 1]},
        {"loading": 101},
        {"ready": {"context": 1}},
        {"ready": {**asdict(Ready(2048, 2, False, "")), "context": 0}},
        {"facts": {**FACTS.to_json(), "parameters": -1}},
        {"facts": {**FACTS.to_json(), "name": 1}},
        {"facts": {**FACTS.to_json(), "more": 1}},
        {"written": {**asdict(WRITTEN), "ended": "never"}},
        {"written": {**asdict(WRITTEN), "refused": True}},
        {"written": {**asdict(WRITTEN), "tokens": "1"}},
        {"written": {**asdict(WRITTEN), "seconds": -1}},
        {"written": {**asdict(WRITTEN), "lines": [["a", [4]]]}},
        {"written": {**asdict(WRITTEN), "lines": [["a", [1]]] * 65}},
        {"failed": ["worse", "", ""]},
        {"lock": {"refused": [["x"]]}},
        {"more": 1},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_what_no_sound_process_says_is_refused(value):
    with pytest.raises(InvalidRecordError):
        writer_wire.decode(json.dumps(value).encode(), {1, 2, 3})


def test_a_process_that_lies_about_what_it_wrote_is_ended(model):
    def load():
        from generation import decode

        original = decode.Teller.answer

        def answer(self, request, heard, cancelled):
            written = original(self, request, heard, cancelled)
            heard(Heard("writing", 1, 0, Line("Never said.", (request.numbers[0],))))
            return written

        decode.Teller.answer = answer
        return lambda *_: iter(())

    zygote = Zygote.start(load)
    writer = started(zygote, model)
    with pytest.raises(WriterDiedError, match="was not valid"):
        writer.write(ASKED, silent, never)
    assert not writer.alive
    writer.close()
    zygote.close()
