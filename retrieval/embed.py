"""Text to vectors: all-MiniLM-L6-v2 with 8-bit weights, run by OpenVINO without torch.

The model folder is a sentence-transformers folder; the pooling that sentence-transformers does after the transformer
(mean over the tokens, then unit length; Reimers & Gurevych 2019) is added to the graph when it is loaded, so that no
token's vector is copied out of OpenVINO.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from retrieval.embedder import Facts, ModelError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["WINDOW", "Embedder", "ModelError"]

WINDOW = 256
"""Tokens that the model reads, with [CLS] and [SEP]; what comes after is cut off."""

_BATCH_TOKENS = 1024  # a batch's rows times its longest text: 4,096 is no faster, and a question waits for a batch
_FEW = 4  # texts that do not wait for a longer list of another thread
_BATCH_TEXTS = 64
_WIDTHS = 16  # a batch is as wide as the next multiple
_GROUP = 1024  # texts sorted by length together; bounds memory for tokens and keeps padding under 3 %

_MODEL_FILE = Path("openvino") / "openvino_model_qint8.xml"

# The commonest words of English and of languages that share its letters. The model was trained on English text only:
# its vectors for other languages rank little better than by chance.
_ENGLISH = frozenset(
    """
    the of and to in is you that it for on are as with his they at be this have from or had by but not what
    all were we when your can said there an each which she do how their if will up other about out many then
    them these so some her would make like him into has look two more no could my than been who its now our
    shall any may such party under between upon please thank thanks dear i a am me us was
    """.split()  # noqa: SIM905 - word lists read better as text
)
_OTHER = (
    frozenset(
        """
    der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat
    dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur
    bis mehr durch le la les de des du et en un une que qui dans pour pas sur au avec ce il sont aux par plus
    est ou nous vous leur el los las del y a se por con para como su al lo más pero sus o este ya sí porque
    esta entre cuando muy sin sobre il lo gli che di e da una per non è sono con si dei nel alla della più
    anche ha ma come al o os as um uma do da dos das no na em que para com não mais por se de het een van en
    in is dat op te zijn voor met niet aan er om ook als bij maar dan nog uit naar och att det som en på är av
    för med till den har de inte om ett men var jag sig från vi så kan i w na z do nie się że to jest jak za
    po od tak dla
    """.split()  # noqa: SIM905 - word lists read better as text
    )
    - _ENGLISH
)
# Texts whose split into words needs no Unicode tables: ASCII and common typographic marks, no control characters.
_PLAIN = re.compile(r"[\t\n\r -~‘’“”–—…•§]*")
_PIECE = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_MOST_WORDS = 200_000
_WORD = re.compile(r"[^\W\d_]+")


class _WordTokens(dict[str, int]):
    """Lower-case word or punctuation mark → number of tokens, filled as words are met."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> int:
        count = self[word] = len(self._tokenizer.encode(word, add_special_tokens=False))
        return count


class Embedder:
    """Turns texts into unit vectors. Threads may share one: long lists wait for each other, a question hardly waits."""

    dimensions = 384
    digest: str
    """SHA-256 of the model file's weights and of the tokenizer, hex: vectors of another digest are not comparable"""
    facts = Facts("all-MiniLM-L6-v2, 8-bit weights", dimensions, WINDOW, ("English",), "Apache-2.0")

    def __init__(self, folder: Path | None = None, threads: int = 0) -> None:
        """Load from `folder` (default: beside this file) onto `threads` cores (0: the physical ones, at most 8).

        Raises ModelError where a file is missing.
        """
        from tokenizers import Tokenizer

        folder = folder or Path(__file__).parent / "minilm"
        weights = (folder / _MODEL_FILE).with_suffix(".bin")
        for path in (folder / _MODEL_FILE, weights, folder / "tokenizer.json"):
            if not path.is_file():
                raise ModelError(f"the embedding model lacks {path}", "install strongroom again")
        digest = hashlib.sha256()
        for path in (weights, folder / "tokenizer.json"):
            digest.update(path.read_bytes())
        self.digest = digest.hexdigest()

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self._cls = vocabulary["[CLS]"]
        self._sep = vocabulary["[SEP]"]

        self._word_tokens = _WordTokens(self._tokenizer)
        self.threads = threads or physical_cores()
        model = _compile(folder / _MODEL_FILE, self.threads)
        self._requests = [model.create_infer_request() for _ in range(self.threads)]
        self._lock = Lock()
        self._request = model.create_infer_request()
        self._asking = Lock()

    def embed(self, texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Unit vectors, float32 (len(texts), 384), in the order of `texts`; what is beyond 256 tokens is cut off."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if len(texts) <= _FEW:
            with self._asking:
                self._run(self._tokens(texts), vectors, [self._request])
            return vectors
        for first in range(0, len(texts), _GROUP):
            tokens = self._tokens(texts[first : first + _GROUP])
            with self._lock:
                self._run(tokens, vectors[first : first + _GROUP], self._requests)
        return vectors

    def embed_question(self, text: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """The unit vector of a question, float32 (384,): to this model a text as any other."""
        vector: np.ndarray[Any, np.dtype[np.float32]] = self.embed([text])[0]
        return vector

    def on_scale(self, cosines: "np.ndarray[Any, np.dtype[np.float32]]") -> "np.ndarray[Any, np.dtype[np.float32]]":
        """The cosines as they are: this model's scale is the one that others are brought onto."""
        return cosines

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of the model's tokens in each text, without [CLS] and [SEP] and not cut off.

        BERT's tokens do not reach across words, so the counts of known words are added up; that is several times as
        fast as the tokenizer, which sees only words that are new and texts with unusual letters.
        """
        if len(self._word_tokens) > _MOST_WORDS:
            self._word_tokens.clear()
        counts = [-1] * len(texts)
        unusual = []
        for row, text in enumerate(texts):
            if _PLAIN.fullmatch(text):
                counts[row] = sum(map(self._word_tokens.__getitem__, _PIECE.findall(text.lower())))
            else:
                unusual.append(row)
        if unusual:
            some = [texts[row] for row in unusual]
            for row, encoding in zip(
                unusual, self._tokenizer.encode_batch_fast(some, add_special_tokens=False), strict=True
            ):
                counts[row] = len(encoding)
        return counts

    def knows_language(self, text: str) -> bool:
        """Whether vectors can be trusted to find this text: false where it is not mostly English."""
        return mostly_english(text)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [[self._cls, *encoding.ids[: WINDOW - 2], self._sep] for encoding in encodings]

    def _run(self, tokens: list[list[int]], out: "np.ndarray[Any, np.dtype[np.float32]]", requests: list[Any]) -> None:
        """Write the vectors of `tokens` to `out`, one batch on each infer request at a time."""
        waiting: list[tuple[Any, list[int]]] = []
        free = list(requests)
        for rows, inputs in _batches(tokens):
            if not free:
                request, done = waiting.pop(0)
                request.wait()
                out[done] = request.get_output_tensor(0).data
                free.append(request)
            request = free.pop()
            request.start_async(inputs)
            waiting.append((request, rows))
        for request, done in waiting:
            request.wait()
            out[done] = request.get_output_tensor(0).data


def _batches(
    tokens: list[list[int]],
) -> "Iterator[tuple[list[int], list[np.ndarray[Any, np.dtype[np.int64]]]]]":
    """Row numbers and [input_ids, attention_mask, token_type_ids] of each batch: of like length, longest first."""
    import numpy as np

    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    at = 0
    while at < len(order):
        # OpenVINO prepares itself anew for every shape, and keeps what it prepared: few widths are faster and smaller
        width = min(WINDOW, -(-len(tokens[order[at]]) // _WIDTHS) * _WIDTHS)
        rows = order[at : at + max(1, min(_BATCH_TEXTS, _BATCH_TOKENS // width))]
        at += len(rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for line, row in enumerate(rows):
            ids[line, : len(tokens[row])] = tokens[row]
            mask[line, : len(tokens[row])] = 1
        yield rows, [ids, mask, np.zeros_like(ids)]


def _compile(path: Path, threads: int) -> Any:
    """The model of `path` with mean pooling and unit length behind it, compiled for `threads` parallel streams."""
    # OpenVINO's Python package reports its import to a statistics server, by a separate package: with this entry
    # that one cannot be imported, and OpenVINO takes its own stub instead.
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    core = ov.Core()
    model = core.read_model(path)
    hidden = model.output(0).node.input_value(0)
    (mask,) = (port.node for port in model.inputs if "attention_mask" in port.names)
    weights = op.convert(op.unsqueeze(mask, np.int64(2)), "f32")
    total = op.reduce_sum(op.multiply(hidden, weights), np.int64(1), keep_dims=False)
    # The length is taken out anyway, so the sum does for the mean.
    unit = op.normalize_l2(total, np.array([1], dtype=np.int64), 1e-12, "max")
    pooled = ov.Model([unit], [port.node for port in model.inputs], "minilm")
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": threads,  # one text after the other on each core: 15 % faster than both cores on one text
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # or bfloat16 would be used where the CPU has it, for no gain
        "CACHE_DIR": "",  # nothing is written
        "CPU_RUNTIME_CACHE_CAPACITY": 64,  # shapes kept ready: the default of 5,000 grew to 4 GB
    }
    return core.compile_model(pooled, "CPU", settings)


def mostly_english(text: str) -> bool:
    """Whether a text is mostly English.

    A cheap rule on the first 4,000 characters: at most a tenth of the words may be unknown to the vocabulary or in
    letters outside Latin script, and English function words must not be fewer than those of eight other languages.
    Text without running words (tables, numbers, names) counts as known.
    """
    words = [word.lower() for word in _WORD.findall(text[:4000])]
    if not words:
        return True
    foreign_letters = sum(1 for word in words if not _latin(word))
    if foreign_letters > len(words) / 10:
        return False
    english = sum(1 for word in words if word in _ENGLISH)
    other = sum(1 for word in words if word in _OTHER)
    return english >= other or other < max(3, len(words) / 20)


def _latin(word: str) -> bool:
    return all(ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 for letter in word)


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads not counted where the kernel tells; 1 to 8."""
    import os

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    siblings = set()
    for cpu in allowed:
        try:
            text = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii")
        except OSError:
            text = str(cpu)
        siblings.add(text.strip())
    return max(1, min(8, len(siblings)))
