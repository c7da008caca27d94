"""The engine: one vault, its indexes, its pipeline, and the methods through which page and commands reach them.

`Engine` is the same in the engine's own process, where `serve` offers its `METHODS` over sockets, and in a command that
found no engine running and opens the vault itself. Values in and out are JSON. What it can be asked stands in
`engine/methods.py`: its own methods, and the functions of `reading`, `asking`, `history` and `erasing`.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from engine import code_kept, listing, looks, settings, vector_index
from engine.answering import Answering
from engine.drawn import Drawn
from engine.embedding_models import EmbeddingModels
from engine.loading import Loading, on_battery
from engine.shredding import Shredding
from engine.sleeping import Sleep, boot_seconds
from engine.zygote import Zygote
from generation import check
from ingest import readers
from ingest.follow import Follower
from ingest.pipeline import Pipeline
from retrieval import keyword
from retrieval.embed import Embedder
from retrieval.embedder import Embedder as Model
from retrieval.index import Index
from vault import attempts, purge, purge_list, remembered
from vault.errors import LockedError, StrongroomError
from vault.failures import KeyringAloneError
from vault.keys import KdfCost, as_keyring
from vault.vault import HEADER_NAME, Vault

if TYPE_CHECKING:
    from engine.at_server import Elsewhere

Notify = Callable[[str, Mapping[str, Any]], None]

_BECAUSE = {"idle": ", it was not used for a while", "sleep": ", the machine was asleep", "hand": "", "": ""}


def silent(_method: str, _params: Mapping[str, Any]) -> None:
    """For callers who do not want to hear of progress."""


@dataclass(frozen=True)
class Open:
    """What exists only while the vault is open."""

    vault: Vault
    index: Index
    pipeline: Pipeline
    follower: Follower
    shredding: Shredding
    models: EmbeddingModels


class Engine:
    """One vault: closed, then open, then closed for good. Thread-safe."""

    def __init__(
        self,
        folder: Path,
        state: Path,
        zygote: Zygote,
        *,
        now: Callable[[], float] = boot_seconds,
        sleep: Sleep | None = None,
        cost: KdfCost | None = None,
        load: Callable[[], Embedder] = Embedder,
    ) -> None:
        """`now` counts seconds on through sleep, so that a laptop that was closed is locked when it opens; `sleep`
        tells of sleep itself. `cost` is that of a new vault's passphrase (None: measured, about a second); `load`
        makes the embedding model."""
        self.folder = folder
        self.state = state
        self.ended = threading.Event()
        """set when the process should end, which is how the memory of an open vault is given back"""
        self.zygote = zygote
        self.elsewhere: Elsewhere | None = None
        """a server of the user's that may hold vectors: see engine/vector_index.py"""
        self.lasts = True
        """false in a command that has an engine of its own, which ends with it"""
        self.held: dict[str, dict[str, Any]] = {}
        """what holds this process and those it asks, by name: see engine/privacy.py"""
        self._now = now
        self._sleep = sleep or Sleep()
        self._cost = cost
        self._opening = threading.Lock()
        self._open: Open | None = None
        self.settings = settings.Settings()
        self._active = self._now()
        self._page_locked = False
        self._locked_by = ""
        self._looking = threading.Lock()
        self._embedder = Loading(load)
        self.answering = Answering()
        self.drawn = Drawn()
        self.backup_places = remembered.Places()

    # --- life -------------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What goes on. Never counts as use, and tells nothing about documents while locked."""
        self._lock_if_idle()
        # An engine that ends is neither open nor locked to its user: what is asked of it now would be lost with it.
        there = "locked" if (self.folder / HEADER_NAME).exists() else "none"
        life = "ending" if self.ended.is_set() else "open" if self._open else there
        shown: dict[str, Any] = {
            "version": _version(),
            "vault": str(self.folder),
            "state": life,
            "idle_locked": self._page_locked,
            "locked_by": self._locked_by if self._page_locked else "",
            "appearance": looks.read(self.state),
            "free_bytes": shutil.disk_usage(_existing(self.folder)).free,
        }
        if self._open is None or self._page_locked or life == "ending":
            return shown
        pipeline = self._open.pipeline
        with self._open.vault.read() as db:
            states = listing.states(db)
            found = db.execute("SELECT count(*) FROM document").get
            folders = self._folder_rows(db)
            purges = purge_list.serial(db)
            code_confirmed = code_kept.confirmed(db)
        to_do = pipeline.to_do()
        progress = pipeline.progress
        elapsed = time.monotonic() - progress.started if progress.started else 0.0
        rate = progress.finished / elapsed if elapsed > 1 and progress.finished else None
        return {
            **shown,
            "auto_lock_minutes": self.settings.auto_lock_minutes,
            "lock_ends_engine": self.settings.lock_ends_engine,
            "folders": folders,
            "files": states,
            "documents": found,
            "purges": purges,
            "code_confirmed": code_confirmed,
            "shredding": self._open.shredding.status(),
            "chunks": self._open.index.chunks,
            "vectors": self._open.index.vectors,
            "index": vector_index.status(self, self._open.index),
            "to_do": to_do,
            "scanning": self._open.follower.scanning(),
            "current": sorted(progress.current.values()),
            "rate_files_s": rate if to_do else None,
            "seconds_left": round(to_do / rate) if rate and to_do else None,
            "embedding_paused": bool(progress.paused),
            "reason": pipeline.failure or progress.paused,
            "disk_full": pipeline.work.full,
            "embedding": self._open.models.progress(),
        }

    def create(self, passphrase: str, *, to_confirm: bool = False) -> dict[str, Any]:
        """Make the vault and open it. The recovery code is in the answer, and nowhere else; `to_confirm` if
        `recovery.confirmed` is to follow."""
        with self._opening:
            self._refuse_if_ending()
            if self._open:
                raise StrongroomError("the vault is open already", "`strongroom destroy` removes it first")
            vault, code = Vault.create(self.folder, passphrase, state=self.state, cost=self._cost)
            self._start(vault)
            with vault.write() as db:
                for kind in ("passphrase", "recovery code"):
                    remembered.set_secret(db, kind, time.time())
                code_kept.remember(db, confirmed=not to_confirm)
        return {"recovery_code": code}

    def unlock(self, passphrase: str, *, accept_older: bool = False) -> dict[str, Any]:
        """Open the vault with the passphrase or the recovery code, or open it to its user again after a while."""
        with self._opening:
            self._refuse_if_ending()
            if self._open is None:
                vault = Vault.open(self.folder, passphrase, state=self.state, accept_older=accept_older)
                if vault.was_behind:  # accepted, put back or restored halfway: what was purged since is in it again
                    purge.reapply(vault, keyword.remove, index_holds=keyword.held)
                self._start(vault)
            elif as_keyring(passphrase):
                raise KeyringAloneError("does not open what was locked")
            else:
                attempts.unlock(self._open.vault.header, passphrase, self._open.vault.state)
            self._begin_use()
        return self.status()

    def lock(self, *, mode: str = "all") -> dict[str, Any]:
        """`all` ends this process, and with it all that it has in memory; `page` asks for the passphrase again."""
        self._hide()
        if mode == "page":
            self._page_locked, self._locked_by = True, "hand"
        else:
            self.ended.set()
        return {}

    def _refuse_if_ending(self) -> None:
        if self.ended.is_set():
            raise StrongroomError("the engine is ending, as it was asked to", "the next one takes its place at once")

    def touch(self) -> dict[str, Any]:
        """The user is there."""
        self.opened()
        return {}

    def close(self) -> None:
        """Stop the work and close the vault."""
        with self._opening:
            opened, self._open = self._open, None
        self._hide()
        if opened:
            opened.follower.stop()
            opened.shredding.stop()
            opened.pipeline.stop()
            opened.index.use(None)
            opened.vault.close()

    # --- folders and files ------------------------------------------------------------------------------------------

    def folders(self) -> dict[str, Any]:
        """The watched folders."""
        with self.opened().vault.read() as db:
            return {"rows": self._folder_rows(db)}

    def folders_add(self, path: str) -> dict[str, Any]:
        """Watch a folder; its files are read from now on."""
        opened = self.opened()
        return self._folder(opened, opened.follower.add(Path(path)))

    def folders_remove(self, path: str, *, keep: bool = False) -> dict[str, Any]:
        """Stop watching a folder. What was read from it leaves the vault, unless it is to be kept."""
        opened = self.opened()
        return {"removed": opened.follower.remove(Path(path), keep=keep)}

    def folders_pause(self, path: str) -> dict[str, Any]:
        """Leave a folder as it is until it is resumed."""
        opened = self.opened()
        return self._folder(opened, opened.follower.pause(Path(path), paused=True))

    def folders_resume(self, path: str) -> dict[str, Any]:
        """Follow a paused folder again."""
        opened = self.opened()
        return self._folder(opened, opened.follower.pause(Path(path), paused=False))

    def folders_relocate(self, path: str, to: str) -> dict[str, Any]:
        """Say where a folder lies now; what was read from it stays, nothing is parsed or embedded again."""
        opened = self.opened()
        return self._folder(opened, opened.follower.relocate(Path(path), Path(to)))

    def wait(self, *, seconds: float | None = None, notify: Notify = silent) -> dict[str, Any]:
        """Return when every file has reached its final state; `progress` notifications say how far it is."""
        opened = self.opened()
        until = None if seconds is None else time.monotonic() + seconds
        while not self.ended.is_set():
            # scanning first: a scan that ends between the two looks has by then added to what is to do
            scanning, to_do = opened.follower.scanning(), opened.pipeline.to_do()
            with opened.vault.read() as db:
                total = db.execute("SELECT count(*) FROM file").get
            notify(
                "progress",
                {
                    "to_do": to_do,
                    "files": total,
                    "scanning": scanning,
                    # Whoever waits may do so for longer than the page is open to its user.
                    "current": [] if self._page_locked else sorted(opened.pipeline.progress.current.values()),
                    "reason": opened.pipeline.failure or opened.pipeline.progress.paused,
                },
            )
            if not scanning and not to_do:
                break
            if opened.pipeline.broken:
                raise StrongroomError(opened.pipeline.failure, "`strongroom lock` starts the engine anew")
            if until is not None and time.monotonic() > until:
                break
            self._active = self._now()
            self.ended.wait(min(1.0, 0.1 + total / 100_000))  # counting has its cost
        with opened.vault.read() as db:
            return {"files": listing.states(db)}

    # --- within -----------------------------------------------------------------------------------------------------

    def _start(self, vault: Vault) -> None:
        try:
            with vault.read() as db:
                self.settings = settings.load(db)
            self.zygote.readers = readers.chosen(self.settings.readers)
            embedder = self._embedder.get()
            models = EmbeddingModels(vault, embedder, gpu=lambda: self.settings.embedding_gpu)
            serving = models.serving
            index = Index(vault, serving.embedder, serving.shelf)
            vector_index.begin(self, vault, index)
            index.refresh()
            pipeline = Pipeline(vault, index, embedder, self.zygote, pause=self._reason_to_pause)
            models.attach(pipeline.work, index, serving)
            follower = Follower(vault, pipeline, kept_out=(self.folder, self.state))
            pipeline.start()
            follower.start()
            shredding = Shredding(vault, wanted=lambda: self.settings.shred, give_way=pipeline.work.give_way)
            shredding.start()
        except BaseException:
            vault.close()
            raise
        self._open = Open(vault, index, pipeline, follower, shredding, models)
        self._begin_use()
        threading.Thread(target=self._watch_the_clock, name="auto-lock", daemon=True).start()

    def _begin_use(self) -> None:
        """The user has just shown who they are: what was slept before that counts no more."""
        with self._looking:
            self._sleep.slept()
            self._page_locked, self._locked_by = False, ""
            self._active = self._now()

    def opened(self, *, used: bool = True) -> Open:
        """What is open, or LockedError. A user's action keeps it open for a while longer."""
        self._lock_if_idle()
        if self._open is None:
            if not (self.folder / HEADER_NAME).exists():
                raise StrongroomError(f"there is no vault at {self.folder}", "`strongroom init` makes one")
            raise LockedError("the vault is locked", "`strongroom unlock` opens it")
        if self._page_locked:
            raise LockedError(f"the vault is locked{_BECAUSE[self._locked_by]}", "give the passphrase again")
        if used:
            self._active = self._now()
        return self._open

    def _lock_if_idle(self) -> None:
        """Lock where nobody used it for as long as the setting says, or the machine slept; before anything is
        answered, and once a second."""
        with self._looking:
            slept = self._sleep.slept()
            if not self._open or self._page_locked:
                return
            minutes = self.settings.auto_lock_minutes
            if slept and self.settings.lock_on_sleep:
                by = "sleep"
            elif minutes and self._now() - self._active > minutes * 60:
                by = "idle"
            else:
                return
            self._page_locked, self._locked_by = True, by
        self._hide()
        if self.settings.lock_ends_engine:
            self.ended.set()

    def _hide(self) -> None:
        """Let go of what would still hold a document's words after locking."""
        self.answering.close()
        self.forget()

    def forget(self) -> None:
        """Drop what is in memory of documents beside the indexes, and what a model has read: some were purged."""
        self.answering.forget_all()
        self.drawn.forget()
        check.forget()

    def _watch_the_clock(self) -> None:
        while not self.ended.wait(1.0) and self._open:
            self._lock_if_idle()

    def embedder(self) -> Model:
        """The embedding model that serves, or what stands in for it."""
        opened = self._open
        return opened.models.for_answers() if opened else self._embedder.get()

    def own_embedder(self) -> Embedder:
        """The embedding model that comes with Strongroom; waits until it is loaded."""
        return self._embedder.get()

    def _reason_to_pause(self) -> str:
        return (
            ""
            if self.settings.embed_on_battery or not on_battery()
            else "on battery; embedding goes on when plugged in"
        )

    @staticmethod
    def _folder(opened: Open, folder: int) -> dict[str, Any]:
        with opened.vault.read() as db:
            return next(row for row in Engine._folder_rows(db) if row["id"] == folder)

    @staticmethod
    def _folder_rows(db: apsw.Connection) -> list[dict[str, Any]]:
        names = ("id", "path", "state", "reason", "paused", "added", "files", "to_do", "failed")
        return [
            dict(zip(names, row, strict=True))
            for row in db.execute(
                "SELECT folder.id, folder.shown, folder.state, folder.reason, paused, added, count(file.id),"
                " count(*) FILTER (WHERE file.state IN ('waiting', 'embedding')),"
                " count(*) FILTER (WHERE file.state = 'failed')"
                " FROM folder LEFT JOIN file ON file.folder = folder.id GROUP BY folder.id ORDER BY folder.shown"
            )
        ]


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _version() -> str:
    try:
        return version("strongroom")
    except PackageNotFoundError:
        return "0"


@contextlib.contextmanager
def opened(folder: Path, state: Path, zygote: Zygote) -> Iterator[Engine]:
    """An engine for one command: closed in the end whatever happens."""
    engine = Engine(folder, state, zygote)
    try:
        yield engine
    finally:
        engine.close()
