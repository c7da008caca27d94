"""A model of random weights with the shape of Qwen3-0.6B, quantised by llama.cpp to Q4_K_M. Made once, then kept."""

from pathlib import Path

import numpy as np

from generation.llama import Library
from tests import tiny_gguf

LAYERS, WIDTH, HEADS, KEPT_HEADS, HEAD, INNER, VOCABULARY = 28, 1024, 16, 8, 128, 3072, 151_936
CONTEXT = 40_960
_Q4_K_M = 15  # LLAMA_FTYPE_MOSTLY_Q4_K_M


def random_model(folder: Path, library: Library) -> Path:
    """Return the model's file, made in `folder` where it is not there yet: some minutes, 1.6 GB of disk meanwhile."""
    made = folder / "qwen3-0.6b-random-q4_k_m.gguf"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        whole, part = folder / "f16.gguf.part", folder / "q4_k_m.gguf.part"
        _write(whole)
        parameters = library.c.llama_model_quantize_default_params()
        parameters.ftype = _Q4_K_M
        if library.c.llama_model_quantize(bytes(whole), bytes(part), parameters) != 0:
            raise RuntimeError(f"llama.cpp did not quantise the model: {library.why()}")
        whole.unlink()
        part.rename(made)
    return made


def _write(path: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("random weights in the shape of Qwen3-0.6B")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEPT_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tiny_gguf.add_tokenizer(writer, size=VOCABULARY)
    for name, shape in _shapes().items():
        kind = np.float32 if len(shape) == 1 else np.float16
        writer.add_tensor_info(name, shape, np.dtype(kind), int(np.prod(shape)) * np.dtype(kind).itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    noise = np.random.default_rng(0).normal(0, 0.02, 1_000_003).astype(np.float16)  # a prime: rows differ
    for name, shape in _shapes().items():
        if len(shape) == 1:
            values = np.ones(shape, np.float32)
        else:
            values = np.resize(noise, shape)
            if name == "token_embd.weight":
                values[-tiny_gguf.RESERVED :] = 0  # an answer goes on as long as it may
        writer.write_tensor_data(values)
    writer.close()


def _shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors; the embedding is also the output, as in the real one."""
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (VOCABULARY, WIDTH), "output_norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        each = {
            "attn_norm": (WIDTH,),
            "ffn_norm": (WIDTH,),
            "attn_q_norm": (HEAD,),
            "attn_k_norm": (HEAD,),
            "attn_q": (HEADS * HEAD, WIDTH),
            "attn_k": (KEPT_HEADS * HEAD, WIDTH),
            "attn_v": (KEPT_HEADS * HEAD, WIDTH),
            "attn_output": (WIDTH, HEADS * HEAD),
            "ffn_gate": (INNER, WIDTH),
            "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in each.items()}
    return shapes
