"""A sentence-transformers model, run by that library with torch: dimensions, longest text, prompts, pooling and
normalisation are as its folder says.

Importing the library takes 8 to 30 s, and half a gigabyte of memory: that belongs into a thread of its own. It runs
under the engine's lock: see `_import` for what it would otherwise write, start or call.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from retrieval import embed as own
from retrieval import sentence_transformers_folder as folders
from retrieval.embedder import Facts, ModelError

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

_AT_ONCE = 4  # texts of a longer list: a question waits for as many
_MOST_DIMENSIONS = 8192
_LONGEST = 8192  # tokens, where the folder sets no limit: a chunk has some 250
_ENGLISH = frozenset({"en", "eng", "english"})
_DAMAGED = "its files may be damaged: copy them anew"
HINT = "`make install EXTRAS=sentence-transformers` adds what runs it"


def missing() -> str:
    """Why no sentence-transformers model can run here; empty where one can."""
    absent = [each for each in ("torch", "sentence_transformers") if find_spec(each) is None]
    return f"the extra sentence-transformers is not installed (no {' and no '.join(absent)})" if absent else ""


class Model:
    """A loaded model. Threads may share one: a question waits for four texts of a longer list at most."""

    def __init__(self, folder: folders.Folder, digest: str, *, gpu: bool = False, facts: Facts | None = None) -> None:
        """Load it; `digest` is what `folders.digest` said of the folder, `facts` what was found before, if it was.

        `gpu` uses a graphics card where torch finds one. Raises ModelError where it cannot be loaded.
        """
        if why := missing():
            raise ModelError(why, HINT)
        self.digest = digest
        library = _import()
        torch: Any = import_module("torch")
        torch.set_num_threads(own.physical_cores())
        self.device = "cuda" if gpu and torch.cuda.is_available() else "cpu"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._model = library.SentenceTransformer(
                    str(folder.path),
                    device=self.device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True, "dtype": torch.float32},
                )
        except Exception as error:  # the libraries raise anything for a folder that is not right
            raise ModelError(f"the model in {folder.path} cannot be loaded: {_short(error)}", _DAMAGED) from error
        self._model.eval()
        self._next, self._turn = Lock(), Lock()
        self._width = 0
        self.facts = self._found(folder) if facts is None else facts
        self._width = self.facts.dimensions

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        return self.facts.dimensions

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Unit vectors of passages, float32 (len(texts), dimensions), with the folder's prompt for passages before."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for at in range(0, len(texts), _AT_ONCE):
            some = list(texts[at : at + _AT_ONCE])
            with self._taken():
                vectors[at : at + len(some)] = self._unit(self._model.encode_document, some)
        return vectors

    def embed_question(self, text: str) -> "Vectors":
        """The unit vector of a question, float32 (dimensions,), with the folder's prompt for questions before it."""
        with self._taken():
            vector: Vectors = self._unit(self._model.encode_query, [text])[0]
        return vector

    def on_scale(self, cosines: "Vectors") -> "Vectors":
        """Its cosines on the scale of the model that comes with Strongroom."""
        return on_scale(self.facts, cosines)

    def knows_language(self, text: str) -> bool:
        """Whether its vectors can be trusted to find this text."""
        return knows_language(self.facts, text)

    @contextmanager
    def _taken(self) -> Iterator[None]:
        """The model for oneself: whoever waits is next, so that a long list lets a question in between."""
        with self._next:
            self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    def _unit(self, encode: Any, texts: list[str]) -> "Vectors":
        import numpy as np

        try:
            found = encode(texts, batch_size=_AT_ONCE, convert_to_numpy=True, show_progress_bar=False)
        except Exception as error:  # torch raises RuntimeError for nearly all
            raise ModelError(f"the embedding model failed: {_short(error)}") from error
        vectors: Vectors = np.array(found, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if vectors.ndim != 2 or (self._width and vectors.shape[1] != self._width) or not np.isfinite(lengths).all():
            raise ModelError("the embedding model gave no vector", _DAMAGED)
        vectors /= np.maximum(lengths, 1e-12)
        return vectors

    def _found(self, folder: folders.Folder) -> Facts:
        """What the loaded model is."""
        dimensions = self._unit(self._model.encode_document, ["one text"]).shape[1]
        if not 1 < dimensions <= _MOST_DIMENSIONS:
            raise ModelError(f"the model's vectors have {dimensions} dimensions", f"at most {_MOST_DIMENSIONS} do here")
        prompts = self._model.prompts or {}
        passage = next((prompts[each] for each in ("document", "passage", "corpus") if prompts.get(each)), "")
        pooling = next((each.pooling_mode for each in self._model if hasattr(each, "pooling_mode")), "")
        return Facts(
            name=folder.name,
            dimensions=dimensions,
            window=min(int(self._model.max_seq_length or _LONGEST), 1 << 20),
            languages=folder.languages,
            licence=folder.licence,
            prompts=(bool(prompts.get("query")), bool(passage)),
            pooling=pooling if isinstance(pooling, str) else " and ".join(pooling),
            bytes=folder.bytes,
        )


def load(path: Path, *, digest: str, facts: Facts, gpu: bool = False) -> Model:
    """Load a model that was chosen before. Raises ModelError where the folder is gone or holds another model now."""
    folder = folders.look(path)
    if folders.digest(folder) != digest:
        raise ModelError(
            f"the model in {path} is another than the one that was chosen",
            "put the old one back, or choose it anew: `strongroom model embed FOLDER`",
        )
    model = Model(folder, digest, gpu=gpu, facts=facts)
    if model.embed(["one text"]).shape[1] != facts.dimensions:
        raise ModelError(f"the model in {path} has not {facts.dimensions} dimensions any more", "choose it anew")
    return model


def on_scale(facts: Facts, cosines: "Vectors") -> "Vectors":
    """Cosines of a model's vectors on the scale of the one that comes with Strongroom."""
    import numpy as np

    if (facts.slope, facts.offset) == (1.0, 0.0):
        return cosines
    scaled: Vectors = np.clip(cosines * np.float32(facts.slope) + np.float32(facts.offset), -1, 1)
    return scaled


def knows_language(facts: Facts, text: str) -> bool:
    """Whether a model's vectors can be trusted to find this text: one for English alone reads nothing else."""
    if facts.languages and all(each.lower() in _ENGLISH for each in facts.languages):
        return own.mostly_english(text)
    return True


def _import() -> Any:
    """The library, with what it must not do switched off; the lock refuses all of it in any case."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
        TOKENIZERS_PARALLELISM="false",
        JOBLIB_MULTIPROCESSING="0",  # scikit-learn's helper would make a semaphore in /dev/shm, and complain
        # torch makes this folder when it is imported: one that is there, and that the lock keeps it from writing to.
        TORCHINDUCTOR_CACHE_DIR=os.sep,
        TRITON_CACHE_DIR=os.sep,
    )
    with _no_temporary_folder(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # What counts progress would make a semaphore in /dev/shm; a lock of this process is enough.
            import_module("tqdm").tqdm.set_lock(RLock())
            library: Any = import_module("sentence_transformers")
            logging: Any = import_module("transformers.utils.logging")
        except Exception as error:  # a half-installed torch raises OSError, AttributeError and others
            raise ModelError(f"sentence-transformers does not start: {_short(error)}", HINT) from error
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return library


@contextmanager
def _no_temporary_folder() -> Iterator[None]:
    """filelock, which the model hub's client imports, tries out links in one when it is imported, and would look for a
    folder that can be written to. It goes on without."""
    before = tempfile.tempdir
    tempfile.tempdir = os.devnull  # in which nothing can be made
    try:
        yield
    finally:
        tempfile.tempdir = before


def _short(error: BaseException) -> str:
    """The first line of what a library said, or its kind where it said nothing."""
    lines = str(error).strip().splitlines()
    return (lines[0][:200] if lines else type(error).__name__).rstrip(".")
