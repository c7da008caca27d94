"""A whole Strongroom made for nothing but being tried: real processes, a throwaway vault, papers full of canaries.

They are read and asked about; the engine is killed at work; a paper is purged; all is locked. In between, every file
is searched for the canaries, and afterwards the vault's files are tampered with. `strongroom verify` runs this in a
process of its own, which is not locked and has nothing of the user's.
"""

import contextlib
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import canaries as words
from engine import client as clients
from engine import looking, spoiling
from engine.spoiling import Place
from engine.verdict import CHANGED, PURGED, READABLE, SENT, Row, judged
from vault.errors import StrongroomError

_START_SECONDS = 90.0  # the engine has this long to answer, on a slow machine
_SEARCH_SECONDS = 15.0

_SEARCH = (
    "grep -rac 'a word from your papers' ~/.local/share/strongroom ~/.local/state/strongroom /tmp /var/tmp /dev/shm"
)


def rehearse(folder: Path, elsewhere: Sequence[Path]) -> list[Row]:
    """Try it all in `folder`, which is empty; `elsewhere` is searched too, for what was written meanwhile.

    Call it in a process with one thread, because others are forked from it. Raises StrongroomError where Strongroom
    does not start.
    """
    drawn = words.drawn()
    passphrase = f"{drawn.words['passphrase']} {secrets.token_hex(8)}"
    purged = words.write_papers(folder / "papers", drawn)
    place = Place(folder, tuple(elsewhere), time.time() - 2, drawn, purged, passphrase)
    for name in ("state", "home", "temporary"):
        (folder / name).mkdir(mode=0o700)
    with _launched(place) as launcher:
        rows = _life(place, launcher)
    return [*rows, *spoiling.tampered(place)]


@contextlib.contextmanager
def _launched(place: Place) -> Iterator[int]:
    from engine import launcher

    pid = os.fork()
    if pid == 0:
        try:
            # What it has to say is kept, in case that it does not start.
            said = os.open(place.folder / "messages", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            # What a library leaves in a home or temporary folder is found there, among nothing else.
            os.environ |= {"HOME": str(place.folder / "home"), "TMPDIR": str(place.folder / "temporary")}
            for name in [each for each in os.environ if each.startswith("XDG_")]:
                del os.environ[name]
            launcher.launch(place.vault, place.state, page=True)
        except BaseException as error:  # noqa: BLE001 - told to the one who waits for it
            os.write(2, f"{getattr(error, 'message', type(error).__name__)}\n".encode())
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _life(place: Place, launcher: int) -> list[Row]:
    """From the first start to the last lock."""
    asked, unanswered = words.questions(place.canaries)
    with _asked(place, launcher, "none") as client:
        client.call("create", passphrase=place.passphrase)
        client.call("folders.add", path=str(place.folder / "papers"))
        client.call("wait", seconds=_START_SECONDS)
        answer = client.call("ask", question=asked)
        client.call("ask", question=unanswered)
        documents = client.call("status")["documents"]
        held = client.call("protection", check=True)
        pids = _processes(launcher, held)
        rows = [
            _inside(held),
            looking.from_outside(pids),
            _memory(pids["engine"]),
        ]
        os.kill(pids["engine"], signal.SIGKILL)
    _await(lambda: not _runs(pids["engine"]))
    # As the kill left it: the log is full, nothing was tidied up.
    shutil.copytree(place.vault, place.folder / "older")
    after_kill = _search(place)
    with _asked(place, launcher, "locked") as client:
        rows.append(_wrong(client))
        client.call("unlock", passphrase=place.passphrase)
        client.call("wait", seconds=_START_SECONDS)
        there = client.call("status")["documents"]
        again = client.call("ask", question=asked)
        rows.append(_survived(documents, there, answer, again))
        rows.append(_purged(client, place))
        pids = _processes(launcher, client.call("protection"))
        client.call("lock")
    _await(lambda: not any(_runs(each) for each in pids.values()))
    gone = [name for name, pid in pids.items() if not _runs(pid)]
    rows.append(_locked(pids, gone))
    control = words.search([place.folder / "papers"], [], place.canaries, since=0, seconds=_SEARCH_SECONDS)
    for moment, when, found in (
        ("kill", "killed at work", after_kill),
        ("lock", "locked", _search(place)),
    ):
        rows.append(_canaries(f"canaries.{moment}", when, found, control))
    return rows


# --- its processes ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _asked(place: Place, launcher: int, state: str) -> Iterator[clients.Client]:
    """A client of the engine, once it answers and its vault is in this state."""
    until = time.monotonic() + _START_SECONDS
    while True:
        ended, _ = os.waitpid(launcher, os.WNOHANG)
        if ended or time.monotonic() > until:
            said = (place.folder / "messages").read_text(errors="replace").strip().splitlines()
            raise StrongroomError(f"Strongroom did not start: {said[0] if said else 'it said nothing'}")
        client = clients.connect(place.vault, place.state)
        if client is not None:
            with contextlib.suppress(clients.EngineGoneError):
                if client.call("status")["state"] == state:
                    break
            client.close()
        time.sleep(0.05)
    with client:
        yield client


def _processes(launcher: int, held: Any) -> dict[str, int]:
    """The processes by name; the page is the child of the launcher that the engine does not know of."""
    found = {name: int(held[name]["pid"]) for name in ("engine", "zygote")}
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    if children.exists():
        others = {int(each) for each in children.read_text().split()} - set(found.values())
        found["page"] = max(others)
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return True


def _await(done: Callable[[], bool]) -> None:
    until = time.monotonic() + _START_SECONDS
    while not done() and time.monotonic() < until:
        time.sleep(0.02)


def _inside(held: Any) -> Row:
    failed = [f"{name}: {each['failed']}" for name, each in held.items() if each.get("failed")]
    tried = sum(len(each.get("refused", ())) for each in held.values())
    return Row(
        "processes.inside", SENT, "Each of them, at work, tries to get out and is refused", judged(not failed),
        f"had {', '.join(held)} of a Strongroom made for this try {tried} ways out, while it was open",
        "; ".join(failed) or "none went through",
        "sudo strace -f -e trace=socket,connect,bind,execve -p PID", "no line with a call, until Ctrl-C",
        linux_only=True,
    )  # fmt: skip


def _memory(pid: int) -> Row:
    ok: bool | None = None
    if os.geteuid() == 0:
        found = "this runs as root, whom nothing keeps from that"
    else:
        try:
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
            ok, found = False, "it could be opened"
        except OSError as error:
            ok, found = isinstance(error, PermissionError), (error.strerror or "it failed").lower()
    return Row(
        "processes.memory", READABLE, "Another program of yours cannot simply read the engine's memory", judged(ok),
        "tried to open it from an ordinary process of the same user", found,
        f"head -c 1 /proc/{pid}/mem", "Permission denied (with the number of an engine that runs now; not as root)",
        linux_only=True,
    )  # fmt: skip


def _locked(pids: dict[str, int], gone: Sequence[str]) -> Row:
    left = sorted(set(pids) - set(gone))
    return Row(
        "lock.ends", READABLE, "Locking ends every process that had keys or words in memory", judged(not left),
        f"locked, and waited for {', '.join(pids)} to be gone",
        f"still there: {', '.join(left)}" if left else "they are",
        "strongroom lock; ls /proc/PID", "no such file, for each number that you wrote down before",
    )  # fmt: skip


# --- what is on the disk ----------------------------------------------------------------------------------------------


def _search(place: Place) -> words.Searched:
    return words.search(
        [place.folder], place.elsewhere, place.canaries,
        since=place.since, seconds=_SEARCH_SECONDS, leave_out=[place.folder / "papers"],
    )  # fmt: skip


def _canaries(name: str, when: str, found: words.Searched, control: words.Searched) -> Row:
    there = {hit.split()[0] for hit in control.hits}
    sure = there == set(words.PLACES) - {"question", "passphrase"}  # which no paper has
    ok = (sure and found.whole) or None
    told = f"{'; '.join(found.hits[:4])}" if found.hits else f"none in {found.files:,} files, {found.size:,} bytes"
    if not found.whole:
        told += ", and not all could be read in the time"
    return Row(
        name, READABLE, f"No word of your papers or questions lies on the disk after it is {when}",
        judged(ok if not found.hits else False),
        f"had papers with {len(words.PLACES)} made-up words read and asked about (in text, names, sender, subject,"
        " attachment, question, passphrase), then searched each file of the vault, of the home and temporary folder"
        " that it was given, and what was written meanwhile to this system's temporary folders; the same search finds"
        f" {len(there)} of them in the papers themselves",
        told, _SEARCH, "0 for each file (your own papers' folder aside)",
    )  # fmt: skip


def _wrong(client: clients.Client) -> Row:
    try:
        client.call("unlock", passphrase=secrets.token_hex(8))
        ok, found = False, "it was taken"
    except StrongroomError as error:
        ok, found = error.message.startswith("the passphrase is wrong"), error.message
    return Row(
        "unlock.wrong", READABLE, "A locked engine opens for nothing but the passphrase", judged(ok),
        "gave it another one", found, "strongroom unlock", "a wrong one is refused, and after some the wait grows",
    )  # fmt: skip


# --- what survives, what does not -------------------------------------------------------------------------------------


def _survived(documents: int, there: int, answer: Any, again: Any) -> Row:
    before, after = (
        [[statement["text"], [each["quote"] for each in statement["citations"]]] for statement in found["statements"]]
        for found in (answer, again)
    )
    ok = documents == there > 0 and before == after and bool(before)
    return Row(
        "crash.survives", CHANGED, "What was read survives an engine that is killed", judged(ok),
        "killed the engine at work (signal 9), waited until it was started again, unlocked it and asked the same",
        f"{there} of {documents} documents, {'the same answer' if before == after else 'another answer'}",
        "kill -9 PID (of a demo's engine: `strongroom demo`), then ask again", "the same answer",
    )  # fmt: skip


def _purged(client: clients.Client, place: Place) -> Row:
    word = place.canaries.words["purged"]
    before = client.call("search", query=word, k=5)
    receipt = client.call("purge", names=[str(place.purged)], confirm=True)
    after = client.call("search", query=word, k=5)
    found = (_holds(before, word), _holds(after, word))
    ok = bool(receipt["confirmed"]) and found == (True, False)
    client.call("shred")
    return Row(
        "purge.found", PURGED, "A purged paper is found by no search any more", judged(ok),
        f"searched for a word of it, purged it, searched again; its receipt made {len(receipt['checks'])} searches",
        "found before, not after, and the receipt confirms" if ok else f"found before and after: {found}",
        "strongroom search WORD", "nothing, once its paper was purged",
    )  # fmt: skip


def _holds(found: Any, word: str) -> bool:
    return word in str(found)
