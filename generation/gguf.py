"""What a GGUF file says of its model, read within bounds. Nothing is loaded, and nothing in the file is believed.

The format (ggml's docs/gguf.md), all little-endian: "GGUF", version u32, number of tensors u64, number of pairs u64;
each pair a key, a type u32 and a value; each tensor a name, number of dimensions u32, dimensions u64, type u32, offset
u64 into the data, which begins at the next multiple of `general.alignment`. A string is its length u64 and its bytes;
an array its type u32, its length u64 and its values.
"""

import io
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from generation.writing import WriterDiedError

Value = int | float | bool | str | list[Any] | None

_MOST_PAIRS, _MOST_TENSORS = 1 << 16, 1 << 18
_LONGEST_KEY, _LONGEST_TEXT = 1 << 16, 1 << 20  # bytes; a chat template may have 30,000
_KEPT = 4096  # values of an array that are kept: one for each layer
_SHOWN = 200  # characters of a name or licence

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9

# Of a tensor's type: its name, the values in a block, the bytes of a block. Source: ggml.h and ggml-common.h.
# fmt: off
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}
# `general.file_type`: the mixture by the name that it is published under. Source: enum llama_ftype of llama.h.
_MIXTURES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}
# fmt: on
_READERS = (
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "neo-bert",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "eurobert",
    "t5encoder",
    "gemma-embedding",
    "wavtokenizer-dec",
)  # fmt: skip


class UnreadableModelError(WriterDiedError):
    """The file is no model that can write here. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What people are told of a model before they use it, as its file says it. Texts are printable and short."""

    name: str
    architecture: str
    parameters: int
    quantisation: str
    licence: str
    """empty where the file does not say"""
    context: int
    """tokens it was trained for"""
    bytes: int
    """of the file"""
    has_template: bool
    """of its own for a dialogue"""
    vocabulary: int
    """tokens"""
    weights: int
    """bytes of memory for them"""
    per_token: int
    """bytes of memory for each token of the context"""

    def memory(self, context: int) -> int:
        """Return about how many bytes the model needs with a context of so many tokens."""
        # Working memory: the logits, and what 512 tokens at once need; seen from 60 MB (0.6 B) to 350 MB (8 B).
        working = (64 << 20) + self.weights // 24
        return self.weights + self.per_token * min(context, self.context or context) + working

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the weights."""

    metadata: Mapping[str, Value]
    lengths: Mapping[str, int]
    """of the arrays, of which not all values are kept, of texts none"""
    tensors: int
    parameters: int
    weights: int
    """bytes"""
    types: Mapping[str, int]
    """bytes by the name of the type"""
    size: int
    """bytes of the file"""

    def integer(self, key: str) -> int:
        """Return a whole number that is not negative, 0 where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and value > 0 else 0

    def text(self, key: str) -> str:
        """Return a text, empty where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self.size = os.fstat(file.fileno()).st_size
        file.seek(0)
        self.file = io.BufferedReader(io.FileIO(os.dup(file.fileno())), 1 << 20)
        self.at = 0

    def take(self, count: int) -> bytes:
        found = self.file.read(count) if count <= self.size - self.at else b""
        if len(found) < count:
            raise UnreadableModelError(f"the file ends early, after {self.size} bytes", "download it again")
        self.at += count
        return found

    def skip(self, count: int) -> None:
        if count > self.size - self.at:
            self.take(count)
        self.file.seek(self.at + count)
        self.at += count

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self, longest: int, *, of: str) -> str:
        length = self.number("Q")
        if length > longest:
            raise UnreadableModelError(f"the file is damaged: {of} of {length} bytes", "download it again")
        return self.take(length).decode("utf-8", "replace")

    def value(self, kind: int, key: str) -> tuple[Value, int]:
        """Return the value, and its length where it is an array."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind]), 0
        if kind == _TEXT:
            return self.text(_LONGEST_TEXT, of="a text"), 0
        if kind != _ARRAY:
            raise UnreadableModelError(f"the file is damaged: {shown(key)} is of the unknown type {kind}")
        inner, length = self.number("I"), self.number("Q")
        if inner in _SCALARS:
            code = _SCALARS[inner]
            width = struct.calcsize(f"<{code}")
            self._bound(length, width, key)
            kept = min(length, _KEPT)
            values = list(struct.unpack(f"<{kept}{code}", self.take(kept * width)))
            self.skip((length - kept) * width)
            return values, length
        if inner != _TEXT:
            raise UnreadableModelError(f"the file is damaged: {shown(key)} is an array of the unknown type {inner}")
        self._bound(length, 8, key)
        for _ in range(length):
            size = self.number("Q")
            if size > _LONGEST_TEXT:
                raise UnreadableModelError(f"the file is damaged: a text of {size} bytes in {shown(key)}")
            self.take(size)
        return None, length

    def _bound(self, length: int, width: int, key: str) -> None:
        if length > (self.size - self.at) // width:
            raise UnreadableModelError(f"the file is damaged: {shown(key)} has {length} values", "download it again")


def shown(text: str) -> str:
    """Return a text of the file as people may see it: printable, on one line, short."""
    printable = "".join(each if each.isprintable() else " " for each in text[: 4 * _SHOWN])
    return " ".join(printable.split())[:_SHOWN]


def read_header(file: BinaryIO) -> Header:
    """Return what stands before the weights. Raises UnreadableModelError, which names what is wrong."""
    reader = _Reader(file)
    with reader.file:
        return _header(reader)


def _header(reader: _Reader) -> Header:
    if reader.size < 24 or reader.take(4) != b"GGUF":
        raise UnreadableModelError("the file is no GGUF model", "choose a file whose name ends in .gguf")
    version = reader.number("I")
    if version & 0xFFFF == 0:
        raise UnreadableModelError("the file was made for big-endian machines", "choose another one of this model")
    if version not in (2, 3):
        raise UnreadableModelError(f"the file is GGUF version {version}; 2 and 3 can be read", "convert the model anew")
    tensors, pairs = reader.number("Q"), reader.number("Q")
    if tensors > _MOST_TENSORS or pairs > _MOST_PAIRS:
        raise UnreadableModelError(f"the file is damaged: {tensors} tensors, {pairs} fields", "download it again")
    metadata: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(pairs):
        key = reader.text(_LONGEST_KEY, of="a key")
        if key in metadata:
            raise UnreadableModelError(f"the file is damaged: {shown(key)} stands in it twice")
        metadata[key], lengths[key] = reader.value(reader.number("I"), key)
    parameters, types, end = _tensors(reader, tensors)
    header = Header(metadata, lengths, tensors, parameters, sum(types.values()), types, reader.size)
    alignment = header.integer("general.alignment") or 32
    begin = -(-reader.at // alignment) * alignment
    if begin + end > reader.size:
        raise UnreadableModelError(
            f"the file ends early: it has {reader.size} of {begin + end} bytes", "download it again"
        )
    return header


def _tensors(reader: _Reader, count: int) -> tuple[int, dict[str, int], int]:
    """Return the number of parameters, the bytes of each type, and where the last tensor ends in the data."""
    parameters = end = 0
    types: dict[str, int] = {}
    for _ in range(count):
        name = reader.text(_LONGEST_KEY, of="a tensor's name")
        dimensions = reader.number("I")
        if dimensions > 4:
            raise UnreadableModelError(f"the file is damaged: {shown(name)} has {dimensions} dimensions")
        values = 1
        for _ in range(dimensions):
            values *= reader.number("Q")
        kind, offset = reader.number("I"), reader.number("Q")
        # A type that is newer than this list: llama.cpp may know it, and its size is then not checked here.
        title, block, width = _TYPES.get(kind, (f"type {kind}", 1, 0))
        bytes_ = values // block * width
        if bytes_ > reader.size or offset > reader.size:
            raise UnreadableModelError(
                f"the file ends early: {shown(name)} has {bytes_} bytes from {offset} on", "download it again"
            )
        parameters += values
        types[title] = types.get(title, 0) + bytes_
        end = max(end, offset + bytes_)
    return parameters, types, end


def facts(header: Header) -> ModelFacts:
    """Return what people are told of the model. Raises UnreadableModelError where it is none that writes."""
    architecture = shown(header.text("general.architecture"))
    _refuse_others(header, architecture)
    mixture = _MIXTURES.get(header.integer("general.file_type"), "")
    if not mixture or "general.file_type" not in header.metadata:
        mixture = max(header.types, key=lambda each: header.types[each])
    return ModelFacts(
        name=shown(header.text("general.name")) or shown(header.text("general.basename")) or "unnamed model",
        architecture=architecture,
        parameters=header.parameters,
        quantisation=mixture,
        licence=shown(header.text("general.license.name") or header.text("general.license")),
        context=header.integer(f"{architecture}.context_length"),
        bytes=header.size,
        has_template="tokenizer.chat_template" in header.metadata,
        vocabulary=header.lengths["tokenizer.ggml.tokens"],
        weights=header.weights,
        per_token=_per_token(header, architecture),
    )


def _refuse_others(header: Header, architecture: str) -> None:
    if not architecture:
        raise UnreadableModelError("the file does not say of which architecture its model is")
    kind = shown(header.text("general.type"))
    if kind not in ("", "model"):
        raise UnreadableModelError(f"the file holds no whole model, but: {kind}", "choose the model itself")
    if header.integer("split.count") > 1:
        number, count = header.integer("split.no") + 1, header.integer("split.count")
        raise UnreadableModelError(
            f"the file is part {number} of {count} of a model", "join them with llama-gguf-split --merge"
        )
    if architecture in ("clip", "mmproj"):
        raise UnreadableModelError("the file holds the part of a model that sees pictures", "choose the model itself")
    if architecture in _READERS:
        raise UnreadableModelError(f"{architecture} models do not write: they turn texts into vectors")
    if not header.tensors or not header.weights:
        raise UnreadableModelError("the file holds no weights", "choose the whole model")
    if not header.lengths.get("tokenizer.ggml.tokens"):
        raise UnreadableModelError("the file holds no vocabulary", "choose another one of this model")


def _per_token(header: Header, architecture: str) -> int:
    """Return the bytes of keys and values that the context keeps for a token, 16 bits for each value."""

    def of(key: str) -> int:
        return header.integer(f"{architecture}.{key}")

    layers, heads = of("block_count"), of("attention.head_count")
    head = of("embedding_length") // heads if heads else 0
    width = (of("attention.key_length") or head) + (of("attention.value_length") or head)
    each = header.metadata.get(f"{architecture}.attention.head_count_kv")
    if isinstance(each, list):  # a number for each layer
        kept = sum(value for value in each if isinstance(value, int) and 0 < value < 1 << 16)
    else:
        kept = layers * (of("attention.head_count_kv") or heads)
    return min(kept * width * 2, 1 << 30)
