"""What an engine has to have at work in the background: its embedding model, and whether there is power for it."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from retrieval.embed import Embedder


class Loading:
    """The embedding model, loaded in the background from the start, because the passphrase takes a second too."""

    def __init__(self, make: Callable[[], Embedder]) -> None:
        self._result: queue.Queue[Embedder | BaseException] = queue.Queue()
        self._value: Embedder | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._load, args=(make,), name="load-model", daemon=True).start()

    def _load(self, make: Callable[[], Embedder]) -> None:
        try:
            self._result.put(make())
        except BaseException as error:  # noqa: BLE001 - it is raised where the model is asked for
            self._result.put(error)

    def get(self) -> Embedder:
        """The model; waits until it is loaded, and raises what its loading raised."""
        with self._lock:
            if self._value is None:
                result = self._result.get()
                if isinstance(result, BaseException):
                    self._result.put(result)
                    raise result
                self._value = result
            return self._value


def on_battery() -> bool:
    """Whether Linux says that no mains supply is on line. False where there is none to ask (a desktop, a server)."""
    mains = []
    with contextlib.suppress(OSError):
        for supply in os.scandir("/sys/class/power_supply"):
            with contextlib.suppress(OSError):
                if Path(supply.path, "type").read_text().strip() in ("Mains", "USB"):
                    mains.append(Path(supply.path, "online").read_text().strip() == "1")
    return bool(mains) and not any(mains)
