"""Shredding in the background: a purge's second stage, while questions are answered and files are read."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from vault import shred
from vault.failures import VaultFullError, VaultUnusableError
from vault.vault import Vault

QUIET_SECONDS = 20.0
"""after a purge, so that several in a row cost one copy"""
_LOOK_SECONDS = 1.0
_ROOM_SECONDS = 10.0  # until it is looked again whether there is space
_FAILED_SECONDS = 3600.0
_STEP_PAGES = 64  # some milliseconds of work at a time
_SHARE = 0.5  # of the time; the rest is left to others


class Shredding:
    """The thread that shreds one open vault when it is due, and what it has to say. Thread-safe."""

    def __init__(
        self,
        vault: Vault,
        *,
        wanted: Callable[[], bool],
        give_way: Callable[[], object] = lambda: None,
        quiet_seconds: float | None = None,
    ) -> None:
        """`wanted` is the setting, read anew at each turn; `give_way` returns when nobody waits for an answer."""
        self._vault, self._wanted, self._give_way = vault, wanted, give_way
        self._quiet_seconds = QUIET_SECONDS if quiet_seconds is None else quiet_seconds
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._at_once = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="shred", daemon=True)

    def start(self) -> None:
        """Begin to look for what is to be shredded; a copy that was begun before goes on."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; a copy in the making stays, for the next time that the vault is opened."""
        self._ended.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def at_once(self) -> None:
        """Do not wait for another purge to come, and look again for space."""
        self._at_once, self._failure = True, ""
        self._woken.set()

    def look(self) -> None:
        """Something was purged, or a setting changed."""
        self._woken.set()

    def status(self) -> dict[str, Any]:
        """Where it is: `stage` is none, off, soon, room, copying or failed; `covers` the last receipt that the copy in
        the making serves, `done_to` the last that is shredded."""
        found = shred.state(self._vault)
        if not found.pending:
            stage, why = "none", ""
        elif not self._wanted():
            stage, why = "off", "the setting `shred` is no"
        elif self._failure:
            stage, why = "failed", self._failure
        elif found.covers and self._vault.copy is not None:
            stage, why = "copying", ""
        elif found.free_bytes < found.needed_bytes:
            stage, why = "room", shred.NoRoomError(self._vault.folder, found.needed_bytes, found.free_bytes).message
        else:
            stage, why = "soon", ""
        return {
            "stage": stage,
            "why": why,
            "pending": found.pending,
            "covers": found.covers,
            "done_to": found.done_to,
            "pages": found.pages,
            "done": found.done if stage == "copying" else 0,
            "percent": 100 * found.done // max(found.pages, 1) if stage == "copying" else 0,
            "needed_bytes": found.needed_bytes,
            "free_bytes": found.free_bytes,
            "folder": str(self._vault.folder),
        }

    def wait(self, heard: Callable[[Mapping[str, Any]], object], ended: threading.Event) -> dict[str, Any]:
        """Return when nothing is left to shred, or it cannot go on: `stage` says which."""
        self.at_once()
        while True:
            found = self.status()
            heard(found)
            if found["stage"] in ("none", "off", "room", "failed"):
                return found
            if ended.wait(0.1) or self._ended.is_set():
                return found

    def _run(self) -> None:
        while not self._ended.is_set():
            pause = self._turn()
            if pause:
                self._woken.wait(pause)
                self._woken.clear()

    def _turn(self) -> float:
        """Do a little; returns for how many seconds to do nothing then."""
        try:
            if not self._wanted():
                return self._stand_down()
            if self._vault.copy is None and not self._due():
                return _LOOK_SECONDS
            return self._work()
        except (shred.NoRoomError, VaultFullError):
            self._at_once = False
            return _ROOM_SECONDS
        except VaultUnusableError:  # closed meanwhile
            return _LOOK_SECONDS
        except Exception as error:  # noqa: BLE001 - the status says it, and the next try comes in an hour or when asked
            self._failure, self._at_once = str(error) or type(error).__name__, False
            return _FAILED_SECONDS

    def _due(self) -> bool:
        found = shred.state(self._vault)
        if not found.pending:
            self._at_once = False
            return False
        quiet = not 0 <= time.time() - found.newest < self._quiet_seconds  # a clock that was set back waits for nothing
        return bool(self._at_once or found.covers or quiet)

    def _work(self) -> float:
        self._give_way()
        began = time.monotonic()
        if not shred.begin(self._vault):
            return _LOOK_SECONDS
        self._failure = ""
        if shred.step(self._vault, _STEP_PAGES):
            return _LOOK_SECONDS
        return 0.0 if self._at_once else (time.monotonic() - began) * (1 - _SHARE) / _SHARE

    def _stand_down(self) -> float:
        """The setting says no: the copy's space is given back."""
        if shred.state(self._vault).covers:
            shred.abandon(self._vault)
        self._failure, self._at_once = "", False
        return _LOOK_SECONDS
