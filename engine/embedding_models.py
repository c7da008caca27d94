"""Models that find: the one that comes with Strongroom, and sentence-transformers folders that the user chose.

Which model serves, and which is to follow, are rows of the vault (`vault/shelves.py`). This joins them with what is
loaded: it says whose vectors a search uses, has those of the next one made (`ingest/embedding.py`), and where the
serving one cannot be had any more (its folder is gone, it was changed, the extra was uninstalled) lets the one that
comes with Strongroom stand in, without deleting a vector.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.loading import Arriving
from ingest import languages
from ingest.work import Making, Work
from retrieval import sentence_transformers_folder as folders
from retrieval import sentence_transformers_model as sentence_transformers
from retrieval.embed import Embedder as Own
from retrieval.embedder import Embedder, Facts, ModelError
from retrieval.index import Index
from vault import shelves
from vault.errors import StrongroomError
from vault.shelves import Kept
from vault.vault import Vault


class EmbeddingModels:
    """Those of one open vault. Thread-safe."""

    def __init__(self, vault: Vault, own: Own, *, gpu: Callable[[], bool] = lambda: False) -> None:
        """`gpu` says whether a graphics card may be used."""
        self._vault = vault
        self._own = own
        self._gpu = gpu
        self._lock = threading.RLock()
        self._loaded: dict[str, Arriving] = {}  # by digest
        self._failed: dict[str, StrongroomError] = {}
        self._told: dict[str, bool] = {}  # whether the languages that it knows were told of
        self._work: Work | None = None
        self._index: Index | None = None
        with vault.write() as db:
            shelves.begin(db, self._own_kept())
        with self._lock:  # a model that cannot be loaded may be told of before this ends
            self.serving, self.coming = self._arranged()

    def attach(self, work: Work, index: Index, given: Making) -> None:
        """Begin to steer what is made, and what a search uses; `given` is what the index began with."""
        with self._lock:
            work.serving, work.coming = self.serving, self.coming
            work.all_there, work.left = self._all_there, self._left
            self._work, self._index = work, index
            if given is not self.serving:  # it failed to load since
                index.serve(self.serving.embedder, self.serving.shelf)

    def for_answers(self) -> Embedder:
        """The model that compares sentences: the serving one, or its stand-in while that one is not there."""
        serving = self.serving
        return serving.embedder if serving.ready() else self._own

    def choose(self, kept: Kept, loaded: sentence_transformers.Model | None) -> str:
        """Have a model serve as soon as its vectors are there; returns its state: serving, coming or waiting."""
        with self._lock:
            if loaded is not None:
                self._failed.pop(kept.digest, None)
                self._loaded[kept.digest] = Arriving(kept.digest, Facts.from_json(kept.facts), lambda: loaded, _nobody)
            with self._vault.write() as db:
                state = shelves.choose(db, kept)
            self._arrange()
        if self._work:
            self._work.wake()
        return state

    def rows(self) -> list[dict[str, Any]]:
        """Every model that the vault has vectors of, or that waits, the serving one first."""
        with self._vault.read() as db:
            kept = shelves.all_kept(db)
            chunks = int(db.execute("SELECT count(*) FROM chunk").get)
            there = {each.digest: chunks - shelves.missing(db, each.shelf) if each.shelf else 0 for each in kept}
        return [
            {
                "sha256": each.digest,
                "name": each.facts["name"],
                "path": each.shown,
                "own": each.path is None,
                "state": "standing in" if each.stands_in else each.state,
                "used": each.digest == self.serving.embedder.digest,
                "vectors": there[each.digest],
                "chunks": chunks,
                "problem": _words(self._failed.get(each.digest)),
                **{key: each.facts[key] for key in ("dimensions", "window", "languages", "licence")},
            }
            for each in kept
        ]

    def progress(self) -> dict[str, Any]:
        """What a status shows: the name in use, what follows and how many chunks lack its vector, what is wrong."""
        with self._vault.read() as db:
            kept = {each.state: each for each in shelves.all_kept(db)}
            follows = kept.get("waiting") or kept.get("coming")
            left = shelves.missing(db, follows.shelf) if follows and follows.shelf else None
        return {
            "name": self.serving.embedder.facts.name,
            "loading": not self.serving.ready() and self.serving.embedder.digest not in self._failed,
            "coming": follows.facts["name"] if follows else "",
            "stands_in": bool(follows and follows.stands_in),
            "left": left,
            "problem": self.problem(),
        }

    def problem(self) -> str:
        """What stands in the way of the model that is to be used, in words; empty where nothing does."""
        with self._vault.read() as db:
            kept = [each for each in shelves.all_kept(db) if each.state in ("serving", "coming")]
        return next((_words(self._failed[each.digest]) for each in kept if each.digest in self._failed), "")

    def device(self) -> str:
        """What the serving model computes on: cpu, or cuda for a graphics card; empty where it is not loaded."""
        serving = self.serving.embedder
        return serving.device if isinstance(serving, Arriving) else "cpu"

    # --- within -----------------------------------------------------------------------------------------------------

    def _own_kept(self) -> Kept:
        return Kept("", self._own.digest, None, "", self._own.facts.to_json(), "", stands_in=False)

    def _arrange(self) -> None:
        """Bring what is used, and what is made, in line with the rows and with what can be loaded."""
        with self._lock:
            serving, coming = self._arranged()
            changed = (serving.embedder, serving.shelf) != (self.serving.embedder, self.serving.shelf)
            if changed and self._work is not None and self._index is not None:
                self._work.serving = serving
                self._index.serve(serving.embedder, serving.shelf)
            self.serving, self.coming = serving, coming  # after the index: a status says what a search uses
            if self._work is None:
                return
            self._work.coming = coming
        self._work.wake()

    def _arranged(self) -> tuple[Making, Making | None]:
        """Whose vectors serve, and whose are made to follow them."""
        with self._vault.read() as db:
            kept = {each.state: each for each in shelves.all_kept(db)}
        serving, coming = kept["serving"], kept.get("coming")
        made = self._making(serving)
        if serving.digest not in self._failed:
            if coming is not None and coming.stands_in:  # it is back
                with self._vault.write() as db:
                    shelves.choose(db, serving)
                coming = None
            return made, self._making(coming) if coming else None
        if coming is None and "waiting" not in kept:
            with self._vault.write() as db:
                # One that came with an earlier Strongroom will not come back.
                shelves.choose(db, replace(self._own_kept(), stands_in=serving.path is not None))
                coming = next((each for each in shelves.all_kept(db) if each.state == "coming"), None)
        if coming is None:
            return made, None
        next_ = self._making(coming)
        if coming.digest in self._failed:
            return made, None
        return next_, None if coming.stands_in else next_

    def _making(self, kept: Kept) -> Making:
        """The row's model; its loading begins where it has not."""
        if kept.digest == self._own.digest:
            return Making(self._own, kept.shelf)
        facts = Facts.from_json(kept.facts)
        if kept.digest not in self._loaded:
            why = _at_a_glance(kept)
            if why:
                self._failed[kept.digest] = why
            self._loaded[kept.digest] = Arriving(kept.digest, facts, lambda: self._load(kept, facts, why),
                                                 lambda error: self._not_there(kept.digest, error))  # fmt: skip
        arriving = self._loaded[kept.digest]
        return Making(arriving, kept.shelf, arriving.ready)

    def _load(self, kept: Kept, facts: Facts, why: ModelError | None) -> sentence_transformers.Model:
        if why or kept.path is None:
            raise why or ModelError(f"{kept.shown} has no folder")
        return sentence_transformers.load(
            Path(os.fsdecode(kept.path)), digest=kept.digest, facts=facts, gpu=self._gpu()
        )

    def _not_there(self, digest: str, error: StrongroomError) -> None:
        """A model could not be loaded: told in the thread that tried."""
        if digest in self._failed:
            return
        self._failed[digest] = error
        with contextlib.suppress(StrongroomError):  # a full disk, say: tried again with the next change
            self._arrange()

    def _all_there(self) -> None:
        """Every chunk has its vector of the coming model: it serves from now on."""
        coming = self.coming
        if coming is None:
            return
        if not self._told.get(coming.embedder.digest):
            languages.tell(self._vault, coming.embedder)
            self._told = {coming.embedder.digest: True}
        with self._lock:
            with self._vault.write() as db:
                kept = next((each for each in shelves.all_kept(db) if each.digest == coming.embedder.digest), None)
                done = kept is not None and shelves.change_over(db, kept)
            if done:
                self._arrange()

    def _left(self) -> None:
        """Some vectors of a former model went; perhaps the last, for which another waited."""
        self._arrange()


def _at_a_glance(kept: Kept) -> ModelError | None:
    """What can be told without loading: whether there is a model, and what runs it."""
    if kept.path is None:
        return ModelError("the vectors so far are of the model of another Strongroom", "they are being made anew")
    if why := sentence_transformers.missing():
        return ModelError(why, sentence_transformers.HINT)
    try:
        folders.look(Path(os.fsdecode(kept.path)))
    except ModelError as error:
        return ModelError(error.message, "put the model back, or `strongroom model embed` chooses another")
    return None


def _words(error: StrongroomError | None) -> str:
    return "" if error is None else f"{error.message}; {error.hint}" if error.hint else error.message


def _nobody(_error: StrongroomError) -> None:
    """For a model that is loaded already."""
