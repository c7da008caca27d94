"""What an engine has to have at work in the background: its embedding models, and whether there is power for it."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from retrieval import sentence_transformers_model as sentence_transformers
from retrieval.embedder import Facts
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from retrieval.embedder import Vectors

T = TypeVar("T")


class Loading(Generic[T]):
    """A model, loaded in the background from the start, because the passphrase takes a second too."""

    def __init__(self, make: Callable[[], T], *, failed: Callable[[StrongroomError], None] | None = None) -> None:
        """`failed` is told, in the thread that loads, where `make` raised what the user can mend."""
        self._result: queue.Queue[T | BaseException] = queue.Queue()
        self._value: T | None = None
        self._lock = threading.Lock()
        self._failed = failed
        self.there = threading.Event()
        """set when it is loaded"""
        threading.Thread(target=self._load, args=(make,), name="load-model", daemon=True).start()

    def _load(self, make: Callable[[], T]) -> None:
        try:
            self._result.put(make())
            self.there.set()
        except BaseException as error:  # noqa: BLE001 - it is raised where the model is asked for
            self._result.put(error)
            if self._failed and isinstance(error, StrongroomError):
                self._failed(error)

    def get(self) -> T:
        """The model; waits until it is loaded, and raises what its loading raised."""
        with self._lock:
            if self._value is None:
                result = self._result.get()
                if isinstance(result, BaseException):
                    self._result.put(result)
                    raise result
                self._value = result
            return self._value


class Arriving:
    """A model of the user's choice that is being loaded: an Embedder that waits for it where it is needed."""

    def __init__(
        self,
        digest: str,
        facts: Facts,
        make: Callable[[], sentence_transformers.Model],
        failed: Callable[[StrongroomError], None],
    ) -> None:
        """`failed` is told why it cannot be loaded; what is asked of it then raises the same."""
        self.digest = digest
        self.facts = facts
        self._loading = Loading(make, failed=failed)

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        return self.facts.dimensions

    @property
    def device(self) -> str:
        """What computes: cpu or cuda; empty while it is not loaded."""
        return self._loading.get().device if self.ready() else ""

    def ready(self) -> bool:
        """Whether it is loaded."""
        return self._loading.there.is_set()

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Unit vectors of passages; waits for the model. Raises ModelError where it cannot be loaded."""
        return self._loading.get().embed(texts)

    def embed_question(self, text: str) -> "Vectors":
        """The unit vector of a question; waits for the model. Raises ModelError where it cannot be loaded."""
        return self._loading.get().embed_question(text)

    def on_scale(self, cosines: "Vectors") -> "Vectors":
        """Its cosines on the scale of the model that comes with Strongroom."""
        return sentence_transformers.on_scale(self.facts, cosines)

    def knows_language(self, text: str) -> bool:
        """Whether its vectors can be trusted to find this text."""
        return sentence_transformers.knows_language(self.facts, text)


def on_battery() -> bool:
    """Whether Linux says that no mains supply is on line. False where there is none to ask (a desktop, a server)."""
    mains = []
    with contextlib.suppress(OSError):
        for supply in os.scandir("/sys/class/power_supply"):
            with contextlib.suppress(OSError):
                if Path(supply.path, "type").read_text().strip() in ("Mains", "USB"):
                    mains.append(Path(supply.path, "online").read_text().strip() == "1")
    return bool(mains) and not any(mains)
