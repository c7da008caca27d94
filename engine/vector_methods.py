"""Choosing the index that says what vectors are near: the methods behind `strongroom vectors` and the settings."""

from typing import Any

from engine import settings, vector_index
from engine.engine import Engine
from vault.errors import StrongroomError

_KINDS = ("exact", "chroma")


def vectors(engine: Engine) -> dict[str, Any]:
    """Which index is asked, whether it answers, and why not."""
    return vector_index.status(engine, engine.opened(used=False).index)


def use(engine: Engine, kind: str) -> dict[str, Any]:
    """Choose exact search or Chroma in memory. What a server has of this vault is deleted there first; where that
    cannot be done, `left` says so in words, and the vectors stay there.

    Raises StrongroomError for what is no index, and where Chroma is not installed.
    """
    opened = engine.opened()
    if kind not in _KINDS:
        raise StrongroomError(f"no index is called {kind!r}", "exact, chroma, or `strongroom vectors server ADDRESS`")
    if kind == "chroma":
        from importlib.util import find_spec

        if find_spec("chromadb") is None:
            raise StrongroomError("Chroma is not installed", "`make install EXTRAS=chroma` adds it")
    left = vector_index.leave(engine, opened.index)
    with opened.vault.write() as db:
        engine.settings = settings.choose_index(db, engine.settings, kind)
    vector_index.begin(engine, opened.vault, opened.index)
    return {**vector_index.status(engine, opened.index), **left}
