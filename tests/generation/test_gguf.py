"""A GGUF file is read within bounds, whatever it claims, and what is wrong with it is said."""

import io
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generation.gguf import UnreadableModelError, facts, read_header
from tests import tiny_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


ARCHITECTURE = pair("general.architecture", 8, text("llama"))
TOKENS = pair("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 1) + text("a"))
TENSOR = text("t") + struct.pack("<IQIQ", 1, 4, 0, 0)


def file(*pairs, tensors=(TENSOR,), data=bytes(64), count=None, version=3, tensor_count=None):
    head = struct.pack("<4sIQQ", b"GGUF", version, len(tensors) if tensor_count is None else tensor_count,
                       len(pairs) if count is None else count)  # fmt: skip
    body = head + b"".join(pairs) + b"".join(tensors)
    return body + bytes(-len(body) % 32) + data


def told(path, content):
    path = path / "model.gguf"
    path.write_bytes(content)
    with path.open("rb") as opened:
        return facts(read_header(opened))


def test_facts_are_what_the_file_says(tiny):
    with tiny.open("rb") as opened:
        found = facts(read_header(opened))
    assert (found.name, found.architecture, found.quantisation, found.licence) == ("Tiny", "qwen3", "F32", "apache-2.0")
    assert found.context == 2048
    assert found.has_template
    assert found.vocabulary == len(tiny_gguf.vocabulary()[0]) + 5
    assert found.bytes == tiny.stat().st_size
    assert found.weights == 4 * found.parameters
    assert found.per_token == 2 * 1 * (16 + 16) * 2  # layers, heads, keys and values, bytes
    assert found.memory(2048) - found.memory(1024) == 1024 * found.per_token
    assert found.memory(1 << 30) == found.memory(2048)


def test_the_smallest_file_that_passes(tmp_path):
    assert told(tmp_path, file(ARCHITECTURE, TOKENS)).name == "unnamed model"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no GGUF model"),
        (b"GGUF", "no GGUF model"),
        (b"PK\x03\x04" + bytes(100), "no GGUF model"),
        (file(version=1), "version 1; 2 and 3"),
        (file(version=99), "version 99"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 1, 1) + bytes(64), "big-endian"),
        (file(count=1 << 40), "1099511627776 fields"),
        (file(tensor_count=1 << 60), "damaged: 1152921504606846976 tensors"),
        (file(ARCHITECTURE, count=9, tensors=()), "damaged|ends early"),
        (file(struct.pack("<Q", 1 << 62)), "a key of 4611686018427387904 bytes"),
        (file(pair("a", 8, struct.pack("<Q", 1 << 40))), "a text of 1099511627776 bytes"),
        (file(pair("a", 9, struct.pack("<IQ", 4, 1 << 61))), "a has 2305843009213693952 values"),
        (file(pair("a", 9, struct.pack("<IQ", 8, 1 << 61))), "a has 2305843009213693952 values"),
        (file(pair("a", 9, struct.pack("<IQ", 9, 1))), "array of the unknown type 9"),
        (file(pair("a", 13, b"")), "unknown type 13"),
        (file(ARCHITECTURE, ARCHITECTURE), "stands in it twice"),
        (file(ARCHITECTURE, TOKENS, tensors=(text("t") + struct.pack("<I", 9),)), "9 dimensions"),
        (file(ARCHITECTURE, TOKENS, data=b"")[:-1], "ends early"),
        (file(ARCHITECTURE, TOKENS, tensors=(text("t") + struct.pack("<IQQIQ", 2, 1 << 63, 1 << 63, 0, 0),)), "ends early"),
        (file(TOKENS), "which architecture"),
        (file(ARCHITECTURE, pair("general.type", 8, text("adapter")), TOKENS), "no whole model, but: adapter"),
        (file(ARCHITECTURE, TOKENS, pair("split.count", 2, struct.pack("<H", 3))), "part 1 of 3"),
        (file(pair("general.architecture", 8, text("clip")), TOKENS), "sees pictures"),
        (file(pair("general.architecture", 8, text("bert")), TOKENS), "bert models do not write"),
        (file(ARCHITECTURE), "no vocabulary"),
        (file(ARCHITECTURE, TOKENS, tensors=()), "no weights"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, content, message):
    with pytest.raises(UnreadableModelError, match=message):
        told(tmp_path, content)


def test_texts_of_the_file_are_shown_on_one_line_without_control_characters(tmp_path):
    name = pair("general.name", 8, text(b"a\x1b[31m\n\xff\xe2\x80\xae" + b"b" * 500))
    found = told(tmp_path, file(ARCHITECTURE, TOKENS, name)).name
    assert found.isprintable()
    assert len(found) <= 200


def test_a_real_file_cut_anywhere_is_refused_and_never_read_for_long(tiny, tmp_path):
    content = tiny.read_bytes()
    began = time.monotonic()
    for size in range(0, len(content) - 1, 997):
        with pytest.raises(UnreadableModelError):
            told(tmp_path, content[:size])
    assert time.monotonic() - began < 10


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_that_are_changed_lead_to_facts_or_to_a_reason(tiny, tmp_path, data):
    content = bytearray(tiny.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 12_000))
        content[at] = data.draw(st.integers(0, 255))
    try:
        found = told(tmp_path, bytes(content))
        assert found.memory(8192) > 0
        said = found.name + found.architecture + found.licence
    except UnreadableModelError as error:
        said = error.message
    assert said.isprintable()


def test_the_file_stays_open_and_is_read_from_its_start(tiny):
    with tiny.open("rb") as opened:
        opened.seek(100)
        read_header(opened)
        assert read_header(opened).tensors
        assert isinstance(opened, io.BufferedReader)
