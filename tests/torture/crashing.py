"""Crash one operation at many points, and look each time at what is left. Run with `disk.so` preloaded:

    LD_PRELOAD=disk.so python -m tests.torture.crashing FOLDER OPERATION KIND:N … [--seed S] [--without WHAT] [--only P] [--after CALL]

KIND:N is how, and at how many points (0: at each call). KIND is `power` (power cuts: the operation is recorded once, and from the recording are made the disks that may be
there after each call), `kill` (kill -9 before each call, and in the middle of it), or `ENOSPC` and `EIO` (the call
fails, once or from then on, whole or after half of what it was to write; then the disk works again, the process goes on,
and at the end comes kill -9 or a power cut). Prints one JSON object. `--without` leaves out what the promise rests on,
to see that it is noticed. `--only` repeats one point as it was printed. With `--after`, the power is cut after calls of
that name alone (`RENAME`), in so many more ways.
"""

import argparse
import ctypes
import errno
import gc
import hashlib
import json
import os
import pickle
import random
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from retrieval.embedder import Facts
from tests.torture import afterwards, copies, disk, reading
from tests.torture.afterwards import Known, Place, WrongError
from tests.torture.drivers import DRIVERS, Driver
from vault import keys, store
from vault.errors import StrongroomError

VARIANTS = 6  # of a power cut after one call, see Disk.after_power_cut
ENDED, REFUSED, STUCK, UNEXPECTED = 0, 10, 20, 30
"""how a child ended: well; with a message for the user, and then it went on; it could not go on; with another error"""
ALARM_SECONDS = 240  # of a child: it hangs


class Rehearsed:
    """The embedding model's answers, as it gave them in a rehearsal: its threads do not survive a fork. A text that did
    not come up there (a file may be read at another moment) gets numbers drawn from it."""

    dimensions = 384
    digest = "rehearsed"
    facts = Facts("rehearsed", dimensions, 256, ("English",))

    def __init__(self, real: Any = None) -> None:
        self.real = real
        self.memo: dict[tuple[str, str], Any] = {}

    def _each(self, what: str, texts: Any) -> list[Any]:
        missing = [text for text in texts if (what, text) not in self.memo]
        if missing:
            answers = [_drawn(what, t) for t in missing] if self.real is None else getattr(self.real, what)(missing)
            self.memo.update(((what, text), answer) for text, answer in zip(missing, answers, strict=True))
        return [self.memo[what, text] for text in texts]

    def embed(self, texts: Any) -> Any:
        import numpy as np

        return np.array(self._each("embed", texts), dtype=np.float32).reshape(len(texts), self.dimensions)

    def on_scale(self, cosines: Any) -> Any:
        return cosines

    def count_tokens(self, texts: Any) -> list[int]:
        return self._each("count_tokens", texts)

    def knows_language(self, text: str) -> bool:
        key = ("knows_language", text)
        if key not in self.memo:
            self.memo[key] = self.real is None or self.real.knows_language(text)
        return bool(self.memo[key])


def _drawn(what: str, text: str) -> Any:
    if what == "count_tokens":
        return len(text) // 4 + 1
    chance = random.Random(text)
    return [chance.uniform(-0.09, 0.09) for _ in range(Rehearsed.dimensions)]


class Stage:
    """One operation, the disk before it, and the children that do it."""

    def __init__(self, work: Path, name: str, without: str) -> None:
        self.driver: Driver = DRIVERS[name]
        self.layer = ctypes.CDLL(None)
        self.layer.disk_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_int]
        self.layer.disk_mark.argtypes = [ctypes.c_char_p, ctypes.c_long]
        self.layer.disk_lazy(1)
        self.work = work
        self.without = without
        self.outside = False
        self.place = Place(work / "root")
        self.log = work / "log"
        keys.derive = quickly
        afterwards.watch(lambda text: self.place.mark(text))  # noqa: PLW0108 - it changes
        self._prepare()

    def _prepare(self) -> None:
        """Make the disk of before in a child, and rehearse: what is slow is known then."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        if self.driver.engine:
            from engine.zygote import Zygote

            self.place.zygote = Zygote.start()
            self.place.zygote.report()

        def make() -> None:
            if self.driver.engine:
                from retrieval.embed import Embedder

                self.place.embedder = Rehearsed(Embedder())
            self.driver.make(self.place)
            made = disk.tree_of(self.place.root)
            vault = self.place.open() if self.driver.check is not copies.check_migrate and self.place.code else None
            start = afterwards.state_now(vault) if vault else Known()
            if vault:
                vault.close()
            if self.driver.engine:
                reading.put_papers(self.place)
                self.driver.do(self.place)
            memo = self.place.embedder.memo if self.driver.engine else {}
            (self.work / "before").write_bytes(pickle.dumps((made, self.place.code, start, memo)))

        status = self._child(make)
        if status:
            raise SystemExit(f"the disk of before could not be made: {status}")
        self.before, self.place.code, self.start, memo = pickle.loads((self.work / "before").read_bytes())
        if self.driver.engine:
            import numpy as np  # noqa: F401 - before forking

            from engine import engine  # noqa: F401
            from ingest import work

            work.PAUSE_SECONDS = 0.1
            self.place.embedder = Rehearsed()
            self.place.embedder.memo = memo
        gc.freeze()

    def _child(self, action: Callable[[], None]) -> int:
        pid = os.fork()
        if pid == 0:
            import signal

            signal.alarm(ALARM_SECONDS)
            status = UNEXPECTED
            try:
                action()
                status = ENDED
            except SystemExit as error:
                status = int(error.code or 0)
            except BaseException:  # noqa: BLE001 - whatever it is, the parent sees the status
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def run(self, how: int = disk.NOTHING, at: int = 0, error: int = 0) -> tuple[int, list[disk.Call]]:
        """Do the operation on a fresh disk; returns how it ended and what was recorded."""
        disk.put_tree(self.place.root, self.before)
        if self.driver.engine:
            reading.put_papers(self.place)
        descriptor = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_TRUNC)

        def act() -> None:
            place = self.place
            place.mark = lambda text: self.layer.disk_mark(text.encode(), len(text.encode()))
            place.mended = self.layer.disk_mend
            place.faulty = bool(error)
            leave_out(self.without)
            if self.outside:
                (self.work / "armed").touch()
            self.layer.disk_arm(os.fsencode(place.root), descriptor, how, at, error)
            try:
                self.driver.do(place)
                if self.outside:
                    (self.work / "armed-end").touch()
            except StrongroomError as refusal:
                if not error:
                    raise
                self.layer.disk_mend()
                place.mark(f"refused {type(refusal).__name__} {refusal.message}")
                go_on(place)
                raise SystemExit(REFUSED) from None
            if place.faulty:
                self.layer.disk_mend()

        status = self._child(act)
        os.close(descriptor)
        return status, disk.read_log(self.log.read_bytes())

    def count(self) -> Counter[str]:
        """The calls of one run, by name; fsync is really done. For whoever watches from outside, the run is between the
        making of two files."""
        self.layer.disk_lazy(0)
        self.outside = True
        return Counter(disk.NAMES[call.op] for call in self.run()[1] if call.op != disk.OPEN or call.flags & 4)

    def look(self, tree: "disk.Tree | None", said: list[str]) -> str:
        """What is found on this disk (None: the one that is there)."""
        if tree is not None:
            disk.put_tree(self.place.root, tree)
        self.place.vault = None
        return self.driver.check(self.place, afterwards.known(self.start, said))


def quickly(passphrase: str, salt: bytes, cost: keys.KdfCost) -> bytes:
    """In the place of Argon2id, whose slowness has no part in this."""
    return hashlib.sha256(b"\0".join([passphrase.encode(), salt, repr(cost).encode()])).digest()


def go_on(place: Place) -> None:
    """After the disk works again: what is open can be written to and closed."""
    if place.engine is not None:
        place.engine.close()
        return
    vault = place.vault
    if vault is None or vault._db is None:
        return
    try:
        with vault.write() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES ('went on', '1')")
        vault.close()
    except BaseException:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
        raise SystemExit(STUCK) from None


def leave_out(what: str) -> None:
    """Break what the promise rests on."""
    from vault import files
    from vault.anchor import Anchor

    if what == "synchronous":
        store._STRICT = tuple(("synchronous", "OFF", 0) if each[0] == "synchronous" else each for each in store._STRICT)
    elif what == "folder":
        afterwards.replace_everywhere(files.sync_folder, lambda _: None)
    elif what == "file":
        real = os.fsync
        os.fsync = lambda fd: real(fd) if os.path.isdir(f"/proc/self/fd/{fd}") else None
    elif what == "anchor":
        os.fdatasync = lambda _: None
    elif what == "anchoring":
        Anchor.write = lambda *_: None


def power(stage: Stage, points: int, seed: int, only: str, after: str) -> Iterator[tuple[str, str]]:
    """Disks that may be there after a power cut."""
    status, calls = stage.run()
    if status:
        raise SystemExit(f"without any fault, the operation ended with {status}")
    whole = disk.Disk(stage.place.root, stage.before)
    for call in calls:
        whole.apply(call)
    if whole.now() != disk.tree_of(stage.place.root):
        raise SystemExit("the recording does not yield what is on the disk: a call was not seen")
    places = [
        n
        for n, call in enumerate(calls, 1)
        if (disk.NAMES[call.op] == after if after else call.counts or call.op == disk.MARK)
    ]
    wanted = {(n, v) for n in places for v in range(VARIANTS)}
    if only:
        point, variant = map(int, only.split("."))
        wanted = {(point, variant)}
    elif len(wanted) > points:
        # after what was acknowledged first: there most is promised
        acknowledged = [
            n for n in places if calls[n - 1].op == disk.MARK and not calls[n - 1].data.startswith(b"about")
        ]
        first = [(n, v) for n in acknowledged for v in range(3)]
        chance = random.Random(f"{seed} choice")
        chance.shuffle(first)
        wanted = set(first[: points // 2])
        rest = sorted({(n, v) for n in places for v in range(VARIANTS)} - wanted)
        wanted |= set(chance.sample(rest, points - len(wanted)))
    elif (extra := points - len(wanted) if after else min(points - len(wanted), len(places) * VARIANTS)) > 0:
        wanted |= {(places[i % len(places)], VARIANTS + i // len(places)) for i in range(extra)}
    at_point: dict[int, list[int]] = {}
    for n, v in sorted(wanted):
        at_point.setdefault(n, []).append(v)
    model = disk.Disk(stage.place.root, stage.before)
    seen = set()
    for n, call in enumerate(calls, 1):
        model.apply(call)
        for variant in at_point.get(n, ()):
            tree = model.after_power_cut(random.Random(f"{seed} {n} {variant}"), variant)
            said = disk.marks(calls[:n])
            key = hash((pickle.dumps(sorted(tree.items())), len(said)))
            if key in seen:
                continue
            seen.add(key)
            yield f"{n}.{variant}", judged(lambda: stage.look(tree, said))  # noqa: B023


def kills(stage: Stage, points: int, seed: int, only: str) -> Iterator[tuple[str, str]]:
    """Kill -9 before the n-th call, and in the middle of it."""
    _, calls = stage.run()
    wanted = [(n, how) for n in range(1, counted(calls) + 1) for how in (disk.KILL, disk.KILL_HALFWAY)]
    for n, how in chosen(wanted, points, seed, only):
        status, told = stage.run(how, n)
        if status == ENDED:
            continue  # this time it had fewer calls
        found = judged(lambda: stage.look(None, disk.marks(told)))  # noqa: B023
        yield f"{n}.{how}", found if status == -9 else f"WRONG it was to be killed and ended with {status}"


def faults(stage: Stage, number: int, points: int, seed: int, only: str) -> Iterator[tuple[str, str]]:
    """The n-th call fails; then the process goes on, ends, and the power is cut."""
    _, calls = stage.run()
    hows = (disk.FAIL_ONCE, disk.FAIL_ON, disk.SHORT_THEN_FAIL)
    wanted = [(n, how) for n in range(1, counted(calls) + 1) for how in hows]
    for n, how in chosen(wanted, points, seed, only):
        status, told = stage.run(how, n, number)
        if status not in (ENDED, REFUSED):
            what = {STUCK: "it could not go on", UNEXPECTED: "another error than the user's"}.get(status, "it ended")
            yield f"{n}.{how}", f"WRONG {what} ({status}): {disk.marks(told)[-1:]}"
            continue
        said = disk.marks(told)
        found = judged(lambda: stage.look(None, said))  # noqa: B023
        yield f"{n}.{how}", f"{'refused' if status else 'went through'}, {found}" if found[:5] != "WRONG" else found
        model = disk.Disk(stage.place.root, stage.before)
        for call in told:
            model.apply(call)
        if model.pending():
            tree = model.after_power_cut(random.Random(f"{seed} {n} {how}"), 0)
            yield f"{n}.{how}.power", judged(lambda: stage.look(tree, said))  # noqa: B023


def counted(calls: list[disk.Call]) -> int:
    """How many places there are to kill or fail."""
    return sum(call.counts for call in calls)


def chosen(wanted: list[tuple[int, int]], points: int, seed: int, only: str) -> list[tuple[int, int]]:
    """Some of them, in order."""
    if only:
        n, how = map(int, only.split(".")[:2])
        return [(n, how)]
    return sorted(random.Random(f"{seed} choice").sample(wanted, min(points, len(wanted))))


def judged(look: Callable[[], str]) -> str:
    """What was found, or WRONG and why."""
    try:
        return look()
    except WrongError as error:
        return f"WRONG {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        traceback.print_exc()
        return f"WRONG {type(error).__name__}: {error}"


def main() -> None:
    """One campaign; see the module's docstring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("operation", choices=DRIVERS)
    parser.add_argument("kinds", nargs="+", metavar="KIND:N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--after", default="")
    args = parser.parse_args()
    stage = Stage(args.work.resolve(), args.operation, args.without)
    points: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong = []
    for asked in args.kinds:
        kind, _, number = asked.partition(":")
        most = int(number or 1) or sys.maxsize
        if kind == "count":
            print(json.dumps({"points": {}, "found": {}, "wrong": [], "calls": stage.count()}))
            return
        if kind == "power":
            each = power(stage, most, args.seed, args.only, args.after)
        elif kind == "kill":
            each = kills(stage, most, args.seed, args.only)
        else:
            each = faults(stage, getattr(errno, kind), most, args.seed, args.only)
        for point, what in each:
            points[kind] += 1
            found["WRONG" if what.startswith("WRONG") else what] += 1
            if what.startswith("WRONG"):
                wrong.append(f"{args.operation} {kind}:1 --seed {args.seed} --only {point}: {what[6:]}")
    print(json.dumps({"points": points, "found": found, "wrong": wrong}))


if __name__ == "__main__":
    main()
