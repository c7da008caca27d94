"""Models that write answers: files that the user chose, known by their SHA-256. Nothing is ever downloaded.

A file is looked into in a locked process only (`engine.writer.describe`). It is hashed when it is added, and again
before its first use in the life of an engine and whenever its size, time or place changed; what is loaded is the very
descriptor that was hashed, so that nothing can be put in its place between the two.
"""

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from engine import settings
from engine.engine import Engine, Notify, silent
from engine.writer import ModelFacts, ModelWriter, describe, graphics, missing
from vault.errors import StrongroomError

CONTEXT = 8192
"""tokens, of prompt and answer together: eight passages, three questions on from there"""
_LEAST_CONTEXT = 4096  # where memory is short; below that a question with its passages has no room
_BLOCK = 4 << 20  # bytes read at a time
_TELL_SECONDS = 0.1
_HINT = "docs/how-to/choose-a-model.md names some, and how to get them"


class NoModelError(StrongroomError):
    """No model is chosen, or none of this name was added."""


class ModelGoneError(StrongroomError):
    """The chosen model's file is not there, or is another than the one that was added."""


class NotEnoughMemoryError(StrongroomError):
    """The model needs more memory than there is."""


@dataclass(frozen=True, slots=True)
class Model:
    """One that was added."""

    sha256: str
    path: bytes
    shown: str
    size: int
    mtime_ns: int
    inode: int
    facts: ModelFacts


# --- methods --------------------------------------------------------------------------------------------------------


def models(engine: Engine) -> dict[str, Any]:
    """The models that were added. `available` is whether one can run here, else `why` says what is missing. `gpu` is
    about the graphics card: `built` (what llama.cpp has code for), `chosen` (the setting `model_gpu`), `used` (null
    where no model is loaded), `words`."""
    with engine.opened(used=False).vault.read() as db:
        rows = _all(db)
    why = missing()
    return {
        "available": not why,
        "why": _with_way_out(why),
        "rows": [_row(engine, each) for each in rows],
        "gpu": _gpu(graphics(), chosen=engine.settings.model_gpu, used=engine.answering.gpu()),
    }


def add(engine: Engine, path: str, *, notify: Notify = silent) -> dict[str, Any]:
    """Add a GGUF file, or say that one that was added lies elsewhere now. It is read once through, for its SHA-256;
    `progress` notifications say how far. The first model is used at once."""
    opened = engine.opened()
    raw = os.path.realpath(os.path.expanduser(os.fsencode(path)))
    if not os.path.isabs(os.path.expanduser(path)):
        raise StrongroomError(f"{path!r} is not a whole path", "give it from the root on: /home/…")
    with _file(raw) as descriptor:
        facts = describe(opened.pipeline.zygote, descriptor)
        before = os.fstat(descriptor)
        sha256 = _hash(descriptor, before.st_size, notify)
        found = os.fstat(descriptor)
    if _signature(found) != _signature(before):
        raise StrongroomError(f"{_shown(raw)} changed while it was read", "wait until it is downloaded whole")
    engine.answering.verified[sha256] = _signature(found)
    with opened.vault.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO model (sha256, path, shown, size, mtime_ns, inode, facts, added)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (sha256, raw, _shown(raw), found.st_size, found.st_mtime_ns, found.st_ino, json.dumps(facts.to_json()),
             time.time()),
        )  # fmt: skip
        if not engine.settings.model and not missing():
            engine.settings = settings.choose_model(db, engine.settings, sha256)
        model = _named(db, sha256)
    return _row(engine, model)


def use(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002 - the protocol's word
    """Choose the model that writes answers, by SHA-256, the start of it, or name; empty: none."""
    opened = engine.opened()
    if not id:
        chosen = ""
    else:
        with opened.vault.read() as db:
            model = _named(db, id)
        with _verified(engine, model):  # so that a changed file is told of here and not at the first question
            chosen = model.sha256
    with opened.vault.write() as db:
        engine.settings = settings.choose_model(db, engine.settings, chosen)
        if chosen:
            # Whoever chooses a model wants it to write.
            engine.settings = settings.change(db, engine.settings, "answer_mode", "model")
    return {"model": chosen}


def remove(engine: Engine, id: str) -> dict[str, Any]:  # noqa: A002
    """Forget a model; its file stays where it is."""
    opened = engine.opened()
    with opened.vault.write() as db:
        model = _named(db, id)
        db.execute("DELETE FROM model WHERE sha256 = ?", (model.sha256,))
        if engine.settings.model == model.sha256:
            engine.settings = settings.choose_model(db, engine.settings, "")
    engine.answering.end(model.sha256)
    return {"removed": model.sha256, "path": model.shown}


# --- for answers ----------------------------------------------------------------------------------------------------


def chosen(engine: Engine, mode: str | None) -> Model | None:
    """The model that is to write this answer, None where the documents' own sentences are to stand.

    Raises NoModelError where a model is asked for by `mode` and none is chosen.
    """
    if mode not in (None, "extractive", "model"):
        raise StrongroomError(f"no way of answering is called {mode!r}", "it is extractive or model")
    wanted = mode or engine.settings.answer_mode
    if wanted == "extractive":
        return None
    if not engine.settings.model:
        if mode == "model":
            raise NoModelError("no model is chosen", "`strongroom model add FILE` adds one")
        return None
    with engine.opened().vault.read() as db:
        return _named(db, engine.settings.model)


def writer(engine: Engine, model: Model) -> ModelWriter:
    """The model's process, started where it is not there.

    Raises StrongroomError, in words for people, where the model cannot be used.
    """
    if why := missing():
        raise StrongroomError(_with_way_out(why))
    minutes = engine.settings.model_idle_minutes
    engine.answering.idle_seconds = minutes * 60

    def make() -> ModelWriter:
        with _verified(engine, model) as descriptor:
            context = fitting(model.facts, available_memory())
            return ModelWriter.start(
                engine.opened(used=False).pipeline.zygote,
                descriptor,
                name=model.facts.name,
                context=context,
                gpu=engine.settings.model_gpu,
            )

    if not engine.answering.holds(model.sha256):
        engine.answering.end(model.sha256)  # one that died: what it needs is looked at anew
    return engine.answering.writer(model.sha256, make)


def fitting(facts: ModelFacts, available: int | None) -> int:
    """The context, in tokens, that there is memory for. Raises NotEnoughMemoryError. `available` None is not known."""
    longest = min(CONTEXT, facts.context or CONTEXT)
    if available is None or facts.memory(longest) <= available:
        return longest
    shorter = min(longest, _LEAST_CONTEXT)
    if facts.memory(shorter) <= available:
        return shorter
    raise NotEnoughMemoryError(
        f"the model {facts.name} needs about {_gigabytes(facts.memory(shorter))} of memory,"
        f" and {_gigabytes(available)} are free",
        "close other programs, or use a smaller model",
    )


def available_memory() -> int | None:
    """Bytes that programs could still get without swapping, as the kernel estimates it (proc(5)); None where it does
    not say. A limit that this process is under (control group, version 2) counts too."""
    free = None
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/meminfo", encoding="ascii") as lines:
        free = int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as line:
            limit = int(line.read())  # "max" is no number
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as line:
            left = max(0, limit - int(line.read()))
        free = left if free is None else min(free, left)
    return free


# --- within ---------------------------------------------------------------------------------------------------------


def _all(db: apsw.Connection) -> list[Model]:
    rows: list[Any] = db.execute(
        "SELECT sha256, path, shown, size, mtime_ns, inode, facts FROM model ORDER BY added"
    ).fetchall()
    return [
        Model(sha256, path, shown, size, mtime_ns, inode, ModelFacts(**json.loads(facts)))
        for sha256, path, shown, size, mtime_ns, inode, facts in rows
    ]


def _named(db: apsw.Connection, name: str) -> Model:
    """The one model that is meant by a SHA-256, the start of one, its name or its file's name."""
    added = _all(db)
    found = [each for each in added if each.sha256 == name]
    if not found and len(name) >= 6 and set(name) <= set("0123456789abcdef"):
        found = [each for each in added if each.sha256.startswith(name)]
    if not found:
        wanted = name.casefold()
        found = [
            each
            for each in added
            if wanted in (each.facts.name.casefold(), each.shown.casefold(), os.path.basename(each.shown).casefold())
        ]
    if not found:
        names = ", ".join(each.facts.name for each in added)
        raise NoModelError(f"no model is called {name!r}", f"there are {names}" if names else _HINT)
    if len(found) > 1:
        raise StrongroomError(f"{len(found)} models are called {name!r}", "give the first digits of its SHA-256")
    return found[0]


def _row(engine: Engine, model: Model) -> dict[str, Any]:
    facts = model.facts
    return {
        "id": model.sha256,
        "name": facts.name or os.path.basename(model.shown),
        "path": model.shown,
        "size": model.size,
        "quantisation": facts.quantisation,
        "licence": facts.licence,
        "context": facts.context,
        "memory": facts.memory(min(CONTEXT, facts.context or CONTEXT)),
        "parameters": facts.parameters,
        "architecture": facts.architecture,
        "template": facts.has_template,
        "used": engine.settings.model == model.sha256,
        "state": _state(engine, model),
    }


def _gpu(built: Sequence[str], *, chosen: bool, used: bool | None) -> dict[str, Any]:
    match (bool(built), chosen, used):
        case (False, _, _):
            words = "the installed llama.cpp is not built for one"
        case (_, False, _):
            words = "not used"
        case (_, _, None):
            words = "looked for when the model is loaded next"
        case (_, _, True):
            words = "in use"
        case _:
            words = "none was found that can be used; the processor computes"
    return {"built": list(built), "chosen": chosen, "used": used, "words": words}


def _state(engine: Engine, model: Model) -> str:
    """Ready, missing or changed, at a glance: without reading the file."""
    try:
        found = os.stat(model.path)
    except OSError:
        return "missing"
    as_added = (found.st_size, found.st_mtime_ns, found.st_ino) == (model.size, model.mtime_ns, model.inode)
    return "ready" if as_added or engine.answering.verified.get(model.sha256) == _signature(found) else "changed"


@contextlib.contextmanager
def _verified(engine: Engine, model: Model) -> Iterator[int]:
    """The descriptor of the model's file, whose bytes are those that were added. Raises ModelGoneError."""
    with contextlib.ExitStack() as held:
        try:
            descriptor = held.enter_context(_file(model.path))
        except StrongroomError as error:
            raise ModelGoneError(
                f"the model's file {model.shown} is not there", "put it back, or add it from where it is now"
            ) from error
        found = os.fstat(descriptor)
        if engine.answering.verified.get(model.sha256) != _signature(found):
            if found.st_size != model.size or _hash(descriptor, found.st_size, silent) != model.sha256:
                raise ModelGoneError(
                    f"the model's file {model.shown} was changed since it was added",
                    "download it again, or, if you changed it yourself, add it anew",
                )
            if _signature(os.fstat(descriptor)) != _signature(found):
                raise ModelGoneError(f"the model's file {model.shown} is being written to", "wait until that is done")
            engine.answering.verified[model.sha256] = _signature(found)
        yield descriptor


@contextlib.contextmanager
def _file(path: bytes) -> Iterator[int]:
    """The descriptor of a plain file, open for reading."""
    try:
        # Not blocking: somebody may name a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StrongroomError(f"{_shown(path)} cannot be read: {reason}", "give the path of a .gguf file") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StrongroomError(f"{_shown(path)} is not a file", "give the path of a .gguf file")
        yield descriptor
    finally:
        os.close(descriptor)


def _hash(descriptor: int, size: int, notify: Notify) -> str:
    digest = hashlib.sha256()
    at = 0
    told = 0.0
    while block := os.pread(descriptor, _BLOCK, at):
        digest.update(block)
        at += len(block)
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            notify("progress", {"read": at, "of": max(size, at)})
    notify("progress", {"read": at, "of": at})
    return digest.hexdigest()


def _signature(found: os.stat_result) -> tuple[int, int, int, int]:
    # The time of change too: setting the time of modification back is easy, that one's not.
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns


def _shown(path: bytes) -> str:
    return path.decode(errors="replace")


def _with_way_out(why: str) -> str:
    return f"{why}: `make install EXTRAS=llm`, see docs/how-to/choose-a-model.md" if why else ""


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB"
