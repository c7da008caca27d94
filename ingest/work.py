"""What the threads of the pipeline share: the vault and its indexes, when to stop, when to give way, what is shown."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import apsw

from engine.zygote import Zygote
from retrieval.embed import Embedder
from retrieval.embedder import Embedder as Model
from retrieval.index import Index
from vault.errors import StrongroomError
from vault.failures import VaultFullError
from vault.shelves import SHELVES
from vault.vault import Vault

HISTORY = "history"
"""who waits where an answer was given and not kept; nobody tries that again, so any commit says that there is room"""
PAUSE_SECONDS = 5.0  # until what failed is tried again, on a full disk say
GIVE_WAY_SECONDS = 1.0  # at most, so that many questions one after the other do not stop the work


@dataclass
class Progress:
    """What the page and the terminal show of the work going on."""

    current: dict[int, str] = field(default_factory=dict)
    """names of the files being parsed, by file id"""
    started: float = 0.0
    """when the present stretch of work began (monotonic seconds)"""
    finished: int = 0
    """files that reached a final state since then"""
    paused: str = ""
    """why embedding waits, or empty"""


@dataclass(frozen=True, slots=True)
class Making:
    """A model whose vectors are made, and where they lie."""

    embedder: Model
    shelf: str
    """one of vault.shelves.SHELVES"""
    ready: Callable[[], bool] = lambda: True
    """whether it is loaded; chunks that wait for it are found by their words"""


class Work:
    """One vault's work in progress."""

    def __init__(
        self, vault: Vault, index: Index, embedder: Embedder, zygote: Zygote, pause: Callable[[], str]
    ) -> None:
        """`pause` says why what takes long should wait (on battery, say), or returns an empty string."""
        self.vault = vault
        self.index = index
        self.embedder = embedder
        """the one that comes with Strongroom: it measures chunks, whichever embeds"""
        self.serving = Making(embedder, SHELVES[0])
        """whose vectors a search uses"""
        self.coming: Making | None = None
        """whose vectors are made beside those, to take their place"""
        self.all_there: Callable[[], None] = lambda: None
        """told when every chunk has its vector of the coming model"""
        self.left: Callable[[], None] = lambda: None
        """told when some vectors of a former model were deleted"""
        self.zygote = zygote
        self.pause = pause
        self.progress = Progress()
        self.stop = threading.Event()
        self.changed = threading.Condition()
        """notified when the rows are worth another look"""
        self.publishing = 0
        """commits that the indexes may not show yet"""
        self.broken = False
        """whether it cannot go on until the engine is started anew"""
        self._end = ""  # why it broke
        self._waits: dict[str, StrongroomError] = {}  # what failed and is tried again, by who does it
        self._asking = 0

    @property
    def failure(self) -> str:
        """Why the work does not go on, in words; empty while it does."""
        if self._end:
            return self._end
        for error in list(self._waits.values()):
            if isinstance(error, VaultFullError):
                return f"paused: the disk of {error.folder} is full; it goes on by itself when there is room"
            said = f"{error.message}; {error.hint}" if error.hint else error.message
            return f"paused: {said}; it is tried again every {PAUSE_SECONDS:g} seconds"
        return ""

    @property
    def full(self) -> bool:
        """Whether the work waits for room on the vault's disk."""
        return any(isinstance(error, VaultFullError) for error in list(self._waits.values()))

    def failed(self, error: StrongroomError, who: str = "") -> None:
        """Say that this thread (or `who`) waits because of something that the user can mend."""
        self._waits[who or threading.current_thread().name] = error

    def went_well(self, who: str = "") -> None:
        """Say that it waits no longer."""
        self._waits.pop(who or threading.current_thread().name, None)

    def wake(self) -> None:
        """Look at the rows again: something was added or changed."""
        with self.changed:
            self.changed.notify_all()

    def rest(self, seconds: float = 1.0) -> None:
        """Wait until there may be something to do."""
        self.went_well()
        with self.changed:
            self.changed.wait(timeout=seconds)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Hold the work back while a question is answered, so that it has the processor."""
        with self.changed:
            self._asking += 1
        try:
            yield
        finally:
            with self.changed:
                self._asking -= 1
                self.changed.notify_all()

    def give_way(self) -> None:
        """Wait while a question is answered."""
        until = time.monotonic() + GIVE_WAY_SECONDS
        with self.changed:
            while self._asking and not self.stop.is_set() and (left := until - time.monotonic()) > 0:
                self.changed.wait(left)

    @contextlib.contextmanager
    def writing(self) -> Iterator[tuple[apsw.Connection, set[int]]]:
        """A commit that is in the indexes too when the block ends; the set takes ids of chunks that were removed."""
        removed: set[int] = set()
        with self.changed:
            self.publishing += 1
        try:
            with self.vault.write() as db:
                yield db, removed
            self.index.refresh(removed)
            self.went_well()
            self.went_well(HISTORY)
        finally:
            with self.changed:
                self.publishing -= 1

    def guarded(self, work: Callable[[], None]) -> None:
        """Run one thread's loop, or one piece of work.

        What the user can mend (a full disk) is said and tried again; the rest ends the thread and is said too, never
        silently.
        """
        while not self.stop.is_set():
            try:
                work()
            except StrongroomError as error:
                self.failed(error)
                self.stop.wait(PAUSE_SECONDS)
            except Exception as error:
                self.broken = True
                self._end = f"stopped by an error in Strongroom: {type(error).__name__}"
                raise
            else:
                self.went_well()
                return
