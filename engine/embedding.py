"""Choosing the model that finds, and saying which it is: the methods."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.engine import Engine, Notify, silent
from engine.models import NotEnoughMemoryError, available_memory
from retrieval import scale
from retrieval import sentence_transformers_folder as folders
from retrieval import sentence_transformers_model as sentence_transformers
from retrieval.embedder import ModelError
from vault.shelves import Kept

_FOLD = 3
"""of its files' size is what a model needs while it is loaded: 16-bit weights are computed in 32 bits"""
DEFAULT = "default"
"""the word for the model that comes with Strongroom"""


def embedding(engine: Engine) -> dict[str, Any]:
    """The embedding model in use, then every one that the vault has vectors of (`models`), what is in the way of the
    one that was chosen (`problem`), and whether another can be chosen here (`available`, else `why`)."""
    opened = engine.opened(used=False)
    serving = opened.models.serving.embedder
    why = sentence_transformers.missing()
    return {
        "name": serving.facts.name,
        "dimensions": serving.facts.dimensions,
        "window": serving.facts.window,
        "sha256": serving.digest,
        "licence": serving.facts.licence or "not said",
        "languages": list(serving.facts.languages) or ["not said"],
        "device": opened.models.device(),
        "models": opened.models.rows(),
        "problem": opened.models.problem(),
        "available": not why,
        "why": f"{why}: {sentence_transformers.HINT}" if why else "",
    }


def embedding_use(engine: Engine, path: str, *, notify: Notify = silent) -> dict[str, Any]:
    """Choose the embedding model: a sentence-transformers folder, or `default` for the one that comes with Strongroom.

    It is read and loaded at once; `progress` notifications say how far. The passages are then embedded anew in the
    background, and the old vectors serve until the new ones are complete.
    """
    opened = engine.opened()
    own = engine.own_embedder()
    if path == DEFAULT:
        kept = Kept("", own.digest, None, "", own.facts.to_json(), "", stands_in=False)
        return {"state": opened.models.choose(kept, None), **kept.facts, "sha256": own.digest, "path": ""}
    if not os.path.isabs(os.path.expanduser(path)):
        raise ModelError(f"{path!r} is not a whole path", "give it from the root on: /home/…")
    if why := sentence_transformers.missing():
        raise ModelError(why, sentence_transformers.HINT)
    raw = os.path.realpath(os.path.expanduser(os.fsencode(path)))
    folder = folders.look(Path(os.fsdecode(raw)))
    digest = folders.digest(folder, lambda read, of: notify("progress", {"read": read, "of": of}))
    free = available_memory()
    if free is not None and _FOLD * folder.bytes > free:
        raise NotEnoughMemoryError(
            f"the model {folder.name} needs about {_FOLD * folder.bytes / 1e9:.1f} GB of memory,"
            f" and {free / 1e9:.1f} GB are free",
            "close other programs, or use a smaller model",
        )
    model = sentence_transformers.Model(folder, digest, gpu=engine.settings.embedding_gpu)
    if folders.digest(folders.look(folder.path)) != digest:
        raise ModelError(f"{folder.path} changed while it was read", "wait until it is there whole")
    unrelated, related = scale.apart(model)
    slope, offset = scale.line(scale.apart(own), (unrelated, related))
    model.facts = replace(model.facts, slope=slope, offset=offset, told_apart=related - unrelated)
    shown = raw.decode(errors="replace")
    kept = Kept("", digest, raw, shown, model.facts.to_json(), "", stands_in=False)
    return {"state": opened.models.choose(kept, model), **kept.facts, "sha256": digest, "path": shown}
