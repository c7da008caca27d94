"""A model in memory, through llama.cpp's own interface: text to tokens, tokens to the likelihood of the next.

Only the binding's plain module is used (`llama_cpp.llama_cpp`, which mirrors llama.h), not its classes: those bring a
cache on disk, a sampler in Python and templates of their own.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import os
import re
import sys
import types
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.ctypeslib  # see generation.sampling

from generation.gguf import UnreadableModelError, shown
from generation.sampling import Logits, Vocabulary
from generation.writing import WriterDiedError

BATCH = 512  # tokens of a prompt that are evaluated at once
_GRAPHICS = {
    "ggml-cuda": "CUDA",
    "ggml-hip": "ROCm",
    "ggml-vulkan": "Vulkan",
    "ggml-sycl": "SYCL",
    "ggml-metal": "Metal",
}
_ERROR = 4  # GGML_LOG_LEVEL_ERROR
_ABORTED = 2  # of llama_decode
_OF_ITS_MAKER = 16  # LLAMA_TOKEN_ATTR_USER_DEFINED


class UnavailableError(WriterDiedError):
    """No model can write here, because what runs it is not installed."""


def missing() -> str:
    """Return why no model can run here, empty where one can. Imports nothing."""
    if importlib.util.find_spec("llama_cpp") is None:
        return "answers by a model need the extra `llm`"
    return "" if importlib.util.find_spec("jinja2") else "answers by a model need jinja2, of the extra `llm`"


def graphics() -> tuple[str, ...]:
    """Return what the installed llama.cpp is built to use a graphics card with, by the names of its files; empty for
    the processor alone. Imports nothing."""
    found = importlib.util.find_spec("llama_cpp")
    folders = [Path(each) for each in (found.submodule_search_locations or ())] if found else []
    return tuple(name for part, name in _GRAPHICS.items() if any(any(each.glob(f"lib/*{part}*")) for each in folders))


class Library:
    """llama.cpp, loaded and silenced. Make it before the lock: it opens the shared libraries."""

    def __init__(self) -> None:
        """Raises UnavailableError."""
        if why := missing():
            raise UnavailableError(why, "install it: make install EXTRAS=llm")
        try:
            self.c = _bare_binding()
        except (ImportError, OSError, RuntimeError) as error:
            raise UnavailableError(
                f"llama.cpp does not load: {shown(str(error))}", "install llama-cpp-python anew"
            ) from error
        self.errors: deque[str] = deque(maxlen=4)
        self._log = self.c.llama_log_callback(self._note)  # kept: the library has only its address
        self.c.llama_log_set(self._log, ctypes.c_void_p(0))
        self.c.llama_backend_init()

    def _note(self, level: int, text: bytes, _: object) -> None:
        # Whatever llama.cpp says goes nowhere else: it may quote the prompt.
        if level == _ERROR:
            self.errors.append(shown(text.decode("utf-8", "replace")))

    def why(self) -> str:
        """Return the last thing that went wrong, in llama.cpp's words."""
        return next(iter(self.errors), "no reason given")


def _bare_binding() -> Any:
    """Import `llama_cpp.llama_cpp` without its package's own module, which would import all the rest."""
    if "llama_cpp" not in sys.modules:
        found = importlib.util.find_spec("llama_cpp")
        if found is None or found.submodule_search_locations is None:
            raise ImportError("llama_cpp is no package")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["llama_cpp"] = package
    binding = importlib.import_module("llama_cpp.llama_cpp")
    # Builds with backends in files of their own find them here.
    with contextlib.suppress(AttributeError, ImportError, OSError, RuntimeError, FileNotFoundError):
        importlib.import_module("llama_cpp._ggml").libggml.ggml_backend_load_all()
    return binding


def physical_cores() -> int:
    """Return how many cores this process may use, two threads of one counted once."""
    cores = set()
    for each in os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1):
        folder = Path(f"/sys/devices/system/cpu/cpu{each}/topology")
        try:
            core = ((folder / "physical_package_id").read_text(), (folder / "core_id").read_text())
        except OSError:
            core = ("", str(each))
        cores.add(core)
    return len(cores)


class Model:
    """A model and one context, whose memory of the last prompt is used again."""

    def __init__(
        self,
        library: Library,
        descriptor: int,
        *,
        context: int,
        threads: int,
        told: Callable[[int], None],
        gpu: bool = False,
    ) -> None:
        """Load the model from the open file, with `gpu` onto a graphics card where one can be used; `told` gets the
        percentage. Raises UnreadableModelError."""
        self._library, self._c = library, library.c
        self.gpu = gpu and bool(self._c.llama_supports_gpu_offload())  # a device is there, and not only the code
        """whether the weights are on a graphics card"""
        self._model = self._load(descriptor, told)
        c = self._c
        self._vocabulary_handle = c.llama_model_get_vocab(self._model)
        self._size = int(c.llama_vocab_n_tokens(self._vocabulary_handle))
        trained = int(c.llama_model_n_ctx_train(self._model))
        self._context = self._make_context(min(context, trained or context), threads)
        self._memory = c.llama_get_memory(self._context)
        self.context = int(c.llama_n_ctx(self._context))
        """tokens, prompt and answer together"""
        self.threads = threads
        self._never = c.ggml_abort_callback()
        self._evaluated: list[int] = []  # what the context remembers
        self.vocabulary, self._marks = self._read_vocabulary()
        self.bos = self._text(c.llama_vocab_bos(self._vocabulary_handle))
        self.eos = self._text(c.llama_vocab_eos(self._vocabulary_handle))

    def _load(self, descriptor: int, told: Callable[[int], None]) -> Any:
        c = self._c
        parameters = c.llama_model_default_params()
        parameters.n_gpu_layers = -1 if self.gpu else 0
        last = [-1]

        def progress(share: float, _: object) -> bool:
            if (percent := int(share * 100)) != last[0]:
                last[0] = percent
                told(percent)
            return True

        kept = c.llama_progress_callback(progress)
        parameters.progress_callback = kept
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fdopen.restype = ctypes.c_void_p
        os.lseek(descriptor, 0, os.SEEK_SET)
        file = libc.fdopen(os.dup(descriptor), b"rb")
        if not file:
            raise UnreadableModelError("the model's file cannot be read")
        model = c.llama_model_load_from_file_ptr(file, parameters)
        libc.fclose.argtypes = [ctypes.c_void_p]
        libc.fclose(file)
        if not model:
            raise UnreadableModelError(f"llama.cpp does not load the model: {self._library.why()}")
        if (
            c.llama_model_has_encoder(model)
            or not c.llama_model_has_decoder(model)
            or c.llama_model_is_diffusion(model)
        ):
            raise UnreadableModelError("the model is not of a kind that writes on from a text")
        return model

    def _make_context(self, size: int, threads: int) -> Any:
        c = self._c
        parameters = c.llama_context_default_params()
        parameters.n_ctx = size
        parameters.n_batch = parameters.n_ubatch = BATCH
        parameters.n_outputs_max = 1  # only the last token's logits are ever asked for: saves 300 MB
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.swa_full = True  # a window's keys are kept, so that a prompt's beginning can be used again
        context = c.llama_init_from_model(self._model, parameters)
        if not context:
            raise UnreadableModelError(
                f"there is not enough memory for the model with a context of {size} tokens ({self._library.why()})",
                "choose a smaller model, or a smaller context",
            )
        return context

    def _read_vocabulary(self) -> tuple[Vocabulary, re.Pattern[str] | None]:
        """Return the vocabulary, and what finds its tokens that look like <think>."""
        c, handle = self._c, self._vocabulary_handle
        buffer = ctypes.create_string_buffer(512)
        pieces, ends, marks = [], [], []
        to_piece, is_control, is_end = c.llama_token_to_piece, c.llama_vocab_is_control, c.llama_vocab_is_eog
        for token in range(self._size):
            if is_end(handle, token):
                ends.append(token)
                pieces.append(b"")
                continue
            size = 0 if is_control(handle, token) else to_piece(handle, token, buffer, 512, 0, False)
            piece = buffer.raw[:size] if size > 0 else b""
            pieces.append(piece)
            if piece[:1] == b"<" and piece[-1:] == b">" and c.llama_vocab_get_attr(handle, token) & _OF_ITS_MAKER:
                marks.append(re.escape(piece.decode("utf-8", "replace")))
        if not ends:
            raise UnreadableModelError("the model has no token that ends an answer")
        return Vocabulary(pieces, frozenset(ends)), re.compile("|".join(marks)) if marks else None

    def _text(self, token: int) -> str:
        found = self._c.llama_vocab_get_text(self._vocabulary_handle, token) if token >= 0 else b""
        return (found or b"").decode("utf-8", "replace")

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Return the text's tokens. `special` reads control tokens in it as such: only for a template's own text.

        Without it, no token has a meaning beyond the text's letters, whatever a document says.
        """
        if special or not self._marks:
            return self._tokens(text, special)
        # llama.cpp reads <think> and the like as such in any text: cut them apart behind their first letter.
        cuts = [0, *(found.start() + 1 for found in self._marks.finditer(text)), len(text)]
        parts = (text[start:end] for start, end in pairwise(cuts))
        return [token for part in parts for token in self._tokens(part, False)]

    def _tokens(self, text: str, special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        if not data:
            return []
        count = len(data) + 8
        while True:
            found = (ctypes.c_int32 * count)()
            size = self._c.llama_tokenize(self._vocabulary_handle, data, len(data), found, count, False, special)
            if size >= 0:
                return found[:size]
            if size < -(1 << 30):
                raise WriterDiedError("the text is too long for the model's vocabulary")
            count = -size

    def beginning(self, tokens: list[int]) -> list[int]:
        """Return the tokens with the one before them with which this model wants a prompt to begin."""
        bos = int(self._c.llama_vocab_bos(self._vocabulary_handle))
        wanted = bos >= 0 and self._c.llama_vocab_get_add_bos(self._vocabulary_handle)
        return [bos, *tokens] if wanted and tokens[:1] != [bos] else tokens

    def read(self, tokens: Sequence[int], told: Callable[[int], None], cancelled: Callable[[], bool]) -> int | None:
        """Evaluate a prompt; what the one before began with too is not evaluated again.

        `told` gets how many of the prompt's tokens are there, `cancelled` is asked all the while. Returns how many were
        evaluated, or None when cancelled; `likelihood` then has nothing to say.
        """
        common = self._keep(tokens)
        asked = self._c.ggml_abort_callback(lambda _: cancelled())
        # It is asked at each of a network's operations, hundreds of times: nothing beside a batch of a prompt, but
        # much beside a single token. `write` does without.
        self._c.llama_set_abort_callback(self._context, asked, None)
        try:
            for start in range(common, len(tokens), BATCH):
                told(start)
                if cancelled() or not self._evaluate(tokens[start : start + BATCH]):
                    return None
        finally:
            self._c.llama_set_abort_callback(self._context, self._never, None)
        told(len(tokens))
        return len(tokens) - common

    def _keep(self, tokens: Sequence[int]) -> int:
        """Forget what differs from these tokens; return how many of them need no evaluation."""
        common = 0
        for ours, theirs in zip(self._evaluated, tokens, strict=False):
            if ours != theirs:
                break
            common += 1
        common = min(common, len(tokens) - 1)  # the last one's logits are wanted
        if common < len(self._evaluated) or not common:
            c = self._c
            # A recurrent model cannot take a part back, and a window that has slid on does not have all of it.
            kept = common and c.llama_memory_seq_rm(self._memory, 0, common, -1)
            if not kept or c.llama_memory_seq_pos_min(self._memory, 0) > 0:
                c.llama_memory_clear(self._memory, False)
                common = 0
            del self._evaluated[common:]
        return common

    def write(self, token: int) -> None:
        """Evaluate one token that was chosen."""
        self._evaluate([token])

    def _evaluate(self, tokens: Sequence[int]) -> bool:
        """Evaluate a batch after what is there; return False when it was cancelled. Raises WriterDiedError."""
        values = (ctypes.c_int32 * len(tokens))(*tokens)
        result = self._c.llama_decode(self._context, self._c.llama_batch_get_one(values, len(tokens)))
        if result == 0:
            self._evaluated += tokens
            return True
        # Whether a part of the batch is in memory is not known for sure: none of it is from here on.
        self._c.llama_memory_clear(self._memory, False)
        self._evaluated.clear()
        if result == _ABORTED:
            return False
        raise WriterDiedError(f"llama.cpp could not evaluate the prompt ({result}: {self._library.why()})")

    def likelihood(self) -> Logits:
        """Return the logits of the next token, one for each of the vocabulary. Good until the next evaluation."""
        pointer = self._c.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._size,))
