"""Thousands of damaged files through the real zygote and its workers, and on through what the engine does with what
comes back: each ends in documents that are what they must be, or in a reason; the engine and the zygote go on.

A case is made from the seed and its number alone; `python -m tests.torture.mutate` writes any one of them to a file.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import re
import threading
import time

import pytest

from engine import job as jobs
from engine import wire
from engine.zygote import WorkerDiedError, Zygote, ZygoteDiedError
from ingest import chunk as chunking
from ingest.registry import UnreadableError, UnsupportedError
from tests.torture import mutate
from tests.torture.targets import SURPRISED
from vault.errors import StrongroomError
from vault.records import Document

SEED = 20261122
MOST_MEMORY = 1 << 30  # bytes that a worker may take

# A worker that meets one of its limits is what the limits are for: one file that is said not to be read. Counted, named.
LIMITS = re.compile(r"ran out of memory|took longer than|held more than|output was too large|was killed, probably")
CRASH = re.compile(r"crashed \(signal")


@dataclasses.dataclass
class Outcome:
    """How one file ended."""

    how: str
    """read, in part, refused, limit, crash"""
    reasons: tuple[str, ...]
    seconds: float
    peak: int
    """bytes of the worker's own"""
    wrong: str = ""
    """what must not be"""


@contextlib.contextmanager
def watching(zygote):
    """The engine's handle, keeping for each worker the pipe on which its end is told."""
    kept, begin = threading.local(), zygote.begin

    def kept_begin(*arguments, **options):
        job = begin(*arguments, **options)
        kept.status = os.dup(job.status)
        return job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zygote, "begin", kept_begin)
        patch.setattr(zygote, "kept", kept, raising=False)
        yield zygote


@pytest.fixture(scope="module")
def watched(zygote):
    """The suite's own: one that is forked now would be born with all that is in this process by now."""
    with watching(zygote):
        yield zygote


def about(texts):
    """As many tokens as a text of that length may have: the model's own counting takes ten times as long as all else."""
    return [len(each) // 4 + 1 for each in texts]


def ended(zygote, data, name, count_tokens=about):
    """Read the file as the engine does, and take what comes of it as far as the vault."""
    descriptor = os.memfd_create("case")
    os.write(descriptor, data) if len(data) < 1 << 20 else os.fdopen(os.dup(descriptor), "wb").write(data)
    documents, problems, peak, wrong = [], [], 0, ""
    zygote.kept.status = None
    began = time.monotonic()
    try:
        for each in zygote.parse(descriptor, name):
            (documents if isinstance(each, Document) else problems).append(each)
            if isinstance(each, Document):
                wrong = wrong or unsound(each, name, count_tokens)
        if not documents and not problems:
            wrong = "nothing was said of it"
        how = "in part" if problems and documents else "read" if documents else "refused"
    except (UnreadableError, UnsupportedError) as error:
        how, problems = "refused", [*problems, error]
    except WorkerDiedError as error:
        problems.append(error)
        how = "limit" if LIMITS.match(error.message) else "crash" if CRASH.match(error.message) else ""
        wrong = wrong or ("" if how else f"{error.message}: {error.hint}")
    finally:
        seconds = time.monotonic() - began
        if zygote.kept.status is not None:
            try:
                peak = (jobs.how_it_ended(zygote.kept.status) or (0, 0))[1]
            except ZygoteDiedError:
                peak = 0  # told already to whoever asked why the lines stopped
            os.close(zygote.kept.status)
        os.close(descriptor)
    reasons = tuple(getattr(each, "reason", None) or getattr(each, "message", "") for each in problems)
    for each in reasons:
        if not each or SURPRISED.search(each):
            wrong = wrong or f"a reason that is none: {each!r}"
    if peak > MOST_MEMORY:
        wrong = wrong or f"{peak} bytes of memory"
    return Outcome(how, reasons, seconds, peak, wrong)


def unsound(document, name, count_tokens):
    """What is wrong with the chunks that the engine would make of it, or nothing."""
    end = 0
    for each in chunking.chunk(document, count_tokens, chunking.prefix(document, name)):
        if not end <= each.start < each.end <= len(document.text):
            return f"a chunk from {each.start} to {each.end}, after {end}, of a text of {len(document.text)}"
        end = each.end
    return ""


def run(zygote, embedder, cases):
    """Run the cases on as many readers as the engine has; returns the outcomes by number, prints what is remarkable."""
    found = {}

    def one(case):
        outcome = ended(zygote, case.data, case.name, embedder.count_tokens if case.number % 20 == 0 else about)
        if outcome.wrong or outcome.how in ("limit", "crash") or outcome.seconds > 30:
            text = outcome.wrong and f"WRONG {outcome.wrong}"
            print(f"{case}: {outcome.how} {outcome.seconds:.1f} s {outcome.reasons[-1:]} {text}", flush=True)
        return case.number, dataclasses.replace(outcome, reasons=outcome.reasons[:3])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = set()
        for case in cases:
            waiting.add(pool.submit(one, case))
            if len(waiting) >= 8:
                done, waiting = concurrent.futures.wait(waiting, return_when="FIRST_COMPLETED")
                found.update(each.result() for each in done)
                if len(found) % 1000 < len(done):
                    print(
                        f"{len(found)} files: {dict(collections.Counter(each.how for each in found.values()))}",
                        flush=True,
                    )
        found.update(each.result() for each in waiting)
    return found


def wrong(outcomes):
    return {number: each.wrong for number, each in outcomes.items() if each.wrong}


@pytest.mark.filterwarnings("ignore:Duplicate name")  # a zip with a member twice is meant
def test_no_damaged_file_stops_the_engine_or_ends_without_a_reason(watched, embedder, shared_data, size, result):
    count = size(250, 50_000)
    families = mutate.by_family(shared_data)
    print(f"seed {SEED}")
    began = time.monotonic()
    outcomes = run(watched, embedder, (mutate.case(shared_data, families, SEED, number) for number in range(count)))
    ways = collections.Counter(each.how for each in outcomes.values())
    peak = max(each.peak for each in outcomes.values())
    slowest = max(each.seconds for each in outcomes.values())
    died = collections.Counter(each.reasons[-1] for each in outcomes.values() if each.how in ("limit", "crash"))
    result(
        "damaged files",
        f"{count} of seed {SEED} from {sum(map(len, families.values()))} files, in {(time.monotonic() - began) / 60:.0f} min:"
        f" {ways['read']} read, {ways['in part']} in part, {ways['refused']} refused with a reason,"
        f" {ways['limit']} stopped by a limit, {ways['crash']} ended by a crash of their own worker"
        f" ({'; '.join(f'{number}× {why}' for why, number in sorted(died.items())) or 'none'});"
        f" at most {peak >> 20} MiB and {slowest:.0f} s; {len(wrong(outcomes))} without a reason",
    )
    assert not wrong(outcomes)
    assert len(outcomes) == count
    # Some of each kind, or the damage is none, or is total.
    assert min(ways["read"], ways["in part"], ways["refused"]) > count // 50
    # The same zygote still reads.
    assert ended(watched, b"a sound note", "note.txt").how == "read"
    os.kill(watched.pid, 0)


def test_a_case_is_the_same_bytes_each_time(shared_data):
    families = mutate.by_family(shared_data)
    for number in range(40):
        first, again = (mutate.case(shared_data, families, SEED, number) for _ in range(2))
        assert first == again
    assert len({mutate.case(shared_data, families, SEED, number).data for number in range(40)}) > 35
    assert mutate.case(shared_data, families, SEED + 1, 0) != mutate.case(shared_data, families, SEED, 0)


def odd():
    """In the zygote: a parser that does what the file says."""
    from ingest import registry
    from vault.records import Block

    def parse(file, name, context):
        match file.read():
            case b"surprised":
                raise registry.UnreadableError("damaged: KeyError: 'x'")
            case b"no reason":
                raise registry.UnreadableError("")
            case b"out of order":
                yield Document(registry.digest(file), "note", "", "ab", (Block(1, 2), Block(0, 1)))
            case b"an error":
                raise KeyError
            case b"crash":
                os.abort()
            case b"much":
                yield Document(registry.digest(file), "note", "", "x" * len(bytearray(os.urandom(1)) * (300 << 20)))
            case b"refused":
                raise registry.UnreadableError("needs a password")

    return parse


def test_what_must_not_be_is_told_from_what_may(monkeypatch):
    with contextlib.closing(Zygote.start(odd)) as started, watching(started) as zygote:
        for data in (b"surprised", b"no reason", b"out of order", b"an error", b"silent"):
            assert ended(zygote, data, "x").wrong, data
        assert ended(zygote, b"crash", "x").how == "crash"
        refused = ended(zygote, b"refused", "x")
        assert (refused.how, refused.wrong, refused.reasons) == ("refused", "", ("needs a password",))
        monkeypatch.setattr("tests.torture.test_mutations.MOST_MEMORY", 200 << 20)
        much = ended(zygote, b"much", "x", lambda texts: [1] * len(texts))
        assert much.peak > 250 << 20 or much.how == "limit"
        assert much.wrong or much.how == "limit"


def test_a_damaged_page_is_drawn_or_refused_with_a_reason(watched, shared_data, size, result):
    """The picture that the page shows beside a citation is drawn by such a worker too."""
    count = size(25, 2_500)
    families = mutate.by_family(shared_data)
    only = {kind: paths if kind in ("pdf", "picture") else [] for kind, paths in families.items()}
    ways = collections.Counter()
    odd = []
    for number in range(count):
        case = mutate.case(shared_data, only, SEED, number)
        descriptor = os.memfd_create("case")
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(case.data)
            options = {"part": "", "page": 1, "width": 600}
            for line in watched.run("picture", descriptor, case.name, options, wall_seconds=90):
                wire.decode_picture(line)
                ways["drawn"] += 1
        except (UnreadableError, UnsupportedError, WorkerDiedError) as error:
            expected = isinstance(error, StrongroomError) and error.message and not SURPRISED.search(error.message)
            known = not isinstance(error, WorkerDiedError) or LIMITS.match(error.message) or CRASH.match(error.message)
            ways[f"ended: {error.message}" if isinstance(error, WorkerDiedError) else "refused"] += 1
            if not (expected and known):
                odd.append(f"{case}: {error.message}")
        except wire.InvalidRecordError as error:
            odd.append(f"{case}: {error}")
        finally:
            os.close(descriptor)
    told = ", ".join(f"{number} {way}" for way, number in sorted(ways.items()))
    result("damaged pages drawn", f"{count} of seed {SEED}: {told}; {len(odd)} without a reason")
    assert not odd
    assert ways["drawn"] > count // 5
