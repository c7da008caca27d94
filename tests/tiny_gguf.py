"""Makes a tiny model: random weights, a vocabulary of its own, a chat template. It talks nonsense, in milliseconds.

`python tests/tiny_gguf.py FILE` writes one.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
OWN = ["<think>", "</think>"]
RESERVED = len(CONTROL) + len(OWN)
SPACE = "\u0120"  # stands for a space in a byte-level vocabulary
WORDS = ["the", "rent", "is", "due", "on", "first", "of", "month", "notice", "pays", "year", "The", "It", "We", "NONE"]


def characters() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in plain}
    for number, byte in enumerate(each for each in range(256) if each not in plain):
        table[byte] = chr(256 + number)
    return table


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and merges: every byte, and some words with a space before them."""
    table = characters()
    tokens = [table[each] for each in range(256)]
    merges: list[str] = []
    for word in [*WORDS, *(f" {each}" for each in WORDS), " [", "].", "][", "\n\n"]:
        spelt = [table[each] for each in word.encode()]
        while len(spelt) > 1:
            if (merge := f"{spelt[0]} {spelt[1]}") not in merges:
                merges.append(merge)
                tokens.append(spelt[0] + spelt[1])
            spelt = [spelt[0] + spelt[1], *spelt[2:]]
    return tokens, merges


def add_tokenizer(writer: Any, size: int = 0) -> list[str]:
    """Add the vocabulary, filled up with made-up words to `size`; return its tokens, control tokens last."""
    import gguf

    tokens, merges = vocabulary()
    tokens += [f"{SPACE}w{number}" for number in range(size - len(tokens) - len(CONTROL) - len(OWN))]
    plain = len(tokens)
    tokens += [*CONTROL, *OWN]
    normal, control, own = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([*[normal] * plain, *[control] * len(CONTROL), *[own] * len(OWN)])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    return tokens


def write(
    path: Path, *, template: str | None = TEMPLATE, name: str = "Tiny", context: int = 2048, layers: int = 2,
    width: int = 32, seed: int = 0, window: int = 0, **fields: object,
) -> Path:  # fmt: skip
    """Write the model to `path`. With `window`, its layers look only so many tokens back (architecture gemma3)."""
    import gguf

    random = np.random.default_rng(seed)
    heads, head, inner = 2, width // 2, 2 * width
    architecture = "gemma3" if window else "qwen3"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(1)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    if window:
        writer.add_sliding_window(window)
    tokens = add_tokenizer(writer)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in fields.items():
        getattr(writer, key)(value)

    def add(tensor: str, *shape: int, scale: float = 0.3) -> None:
        writer.add_tensor(tensor, random.normal(0, scale, shape).astype(np.float32))

    def norm(tensor: str, size: int) -> None:
        writer.add_tensor(tensor, np.ones(size, np.float32))

    embedding = random.normal(0, 1, (len(tokens), width)).astype(np.float32)
    # It never refuses, and ends an answer only where nothing else may follow.
    embedding[[number for number, token in enumerate(tokens) if token in CONTROL + OWN or "NO" in token]] = 0
    writer.add_tensor("token_embd.weight", embedding)
    norm("output_norm.weight", width)
    for layer in range(layers):
        at = f"blk.{layer}"
        for each in ("attn_norm", "ffn_norm", *(("post_attention_norm", "post_ffw_norm") if window else ())):
            norm(f"{at}.{each}.weight", width)
        for each in ("attn_q_norm", "attn_k_norm"):
            norm(f"{at}.{each}.weight", head)
        add(f"{at}.attn_q.weight", heads * head, width)
        add(f"{at}.attn_k.weight", head, width)
        add(f"{at}.attn_v.weight", head, width)
        add(f"{at}.attn_output.weight", width, heads * head)
        add(f"{at}.ffn_gate.weight", inner, width)
        add(f"{at}.ffn_up.weight", inner, width)
        add(f"{at}.ffn_down.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
