"""A model of random weights with the shape of a real one: ours beside llama.cpp's own library, driven directly.

    python -m bench.generation [FOLDER]

The model is made once, in FOLDER (otherwise below the system's folder for temporary files): some minutes. What it
writes is nonsense, at the speed of sense. Rounds of each kind take turns, so that all have the machine as it is.
"""

import ctypes
import os
import platform
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.random_model import random_model
from engine import seccomp, writer_wire
from engine.writer import ModelWriter
from engine.zygote import Zygote
from generation.decode import Teller
from generation.gguf import facts, read_header
from generation.llama import BATCH, Library, Model, physical_cores
from generation.structure import Structure
from generation.writing import Heard, Line, Request, Turn, Written
from tests import tiny_gguf

CONTEXT, PROMPT, ANSWER, ROUNDS = 4096, 1024, 96, 5
PASSAGE = "The rent is due on the first of the month, and the notice pays each year. "


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()) / "strongroom-bench"
    zygote = Zygote.start()  # before anything heavy is here
    without_matrix_unit()
    library = Library()
    path = random_model(folder, library)
    threads = physical_cores()
    with path.open("rb") as file:
        found = facts(read_header(file))
        print(
            f"{found.name}: {found.parameters / 1e6:.0f} million parameters, {found.quantisation},"
            f" {found.bytes / 1e6:.0f} MB, about {found.memory(CONTEXT) / 1e6:.0f} MB of memory for a context of"
            f" {CONTEXT}; {threads} threads, batches of {BATCH}"
        )
        beside(library, file.fileno(), path, threads)
        follow_up(zygote, file.fileno())
    zygote.close()


def without_matrix_unit() -> None:
    """Refuse AMX to this process, as the lock does to the writing process (see `engine.lock`): with it, llama.cpp
    crashes on some machines.
    """
    if platform.machine() in seccomp.ARCHITECTURES:
        rule = {"arch_prctl": [[seccomp.Check(0, "ne", 0x1023)]]}
        seccomp.install(seccomp.compile_filter(platform.machine(), (), (), rule))


class Free(Structure):
    """No constraint: whatever the model chooses comes."""

    def __init__(self) -> None:
        super().__init__((1,))

    def accepts(self, piece: bytes) -> bool:  # noqa: ARG002
        """Everything may come."""
        return True

    def take(self, piece: bytes) -> tuple[Line, ...]:  # noqa: ARG002
        """Take the piece; no statement is ever complete."""
        return ()


class Directly:
    """llama.cpp's own library in a loop of its own calls: model, context, sampler, decode."""

    def __init__(self, library: Library, path: Path, threads: int) -> None:
        c = self.c = library.c
        self.model = c.llama_model_load_from_file(bytes(path), c.llama_model_default_params())
        parameters = c.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = CONTEXT, BATCH, BATCH
        parameters.n_outputs_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = c.llama_init_from_model(self.model, parameters)
        self.sampler = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        c.llama_sampler_chain_add(self.sampler, c.llama_sampler_init_greedy())

    def write(self, tokens: Sequence[int]) -> tuple[float, float]:
        """Return the seconds to the first token, and tokens a second after it."""
        c, began = self.c, time.perf_counter()
        vocabulary, buffer = c.llama_model_get_vocab(self.model), ctypes.create_string_buffer(256)
        c.llama_memory_clear(c.llama_get_memory(self.context), False)
        for start in range(0, len(tokens), BATCH):
            values = (ctypes.c_int32 * len(tokens[start : start + BATCH]))(*tokens[start : start + BATCH])
            c.llama_decode(self.context, c.llama_batch_get_one(values, len(values)))
        one = (ctypes.c_int32 * 1)()
        first = 0.0
        for _ in range(ANSWER):
            one[0] = c.llama_sampler_sample(self.sampler, self.context, -1)
            first = first or time.perf_counter()
            c.llama_token_to_piece(vocabulary, one[0], buffer, 256, 0, False)
            c.llama_decode(self.context, c.llama_batch_get_one(one, 1))
        return first - began, ANSWER / (time.perf_counter() - first)


class Ours:
    """What the writing process does for an answer, in this process: it tells each token, and asks whether to go on."""

    def __init__(self, library: Library, descriptor: int, threads: int) -> None:
        self.model = Model(library, descriptor, context=CONTEXT, threads=threads, told=lambda _: None)
        self.teller = Teller(self.model, tiny_gguf.TEMPLATE)
        self._null = os.open(os.devnull, os.O_WRONLY)
        self._asked, _ = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._asked, select.POLLIN)

    def write(self, tokens: Sequence[int], structure: Structure) -> tuple[float, float]:
        """Return the seconds to the first token, and tokens a second after it."""
        began = time.perf_counter()
        self.model.read([0], lambda _: None, self._cancelled)  # forget the prompt before
        began = time.perf_counter()
        self.model.read(tokens, lambda done: self._heard(Heard("reading", done, len(tokens))), self._cancelled)
        request = Request((), "", (), (1,), (), "", ANSWER)
        _, count, first = self.teller.write(request, structure, ANSWER, self._heard, self._cancelled)
        return first - began, count / (time.perf_counter() - first)

    def _heard(self, heard: Heard) -> None:
        os.write(self._null, writer_wire.encode(heard))

    def _cancelled(self) -> bool:
        return bool(self._poll.poll(0))


def beside(library: Library, descriptor: int, path: Path, threads: int) -> None:
    """Ours without and with the structure, and the library directly, in turns."""
    ours, directly = Ours(library, descriptor, threads), Directly(library, path, threads)
    tokens = ours.model.tokens(PASSAGE * PROMPT, special=False)[:PROMPT]
    found: dict[str, list[tuple[float, float]]] = {"directly": [], "ours": [], "ours, held to the structure": []}
    for number in range(ROUNDS + 1):
        round_ = {
            "directly": directly.write(tokens),
            "ours": ours.write(tokens, Free()),
            "ours, held to the structure": ours.write(tokens, Structure((1, 2, 3, 4, 5, 6, 7, 8))),
        }
        if number:  # the first one warms up
            for name, value in round_.items():
                found[name].append(value)
    print(f"{PROMPT} tokens of prompt, {ANSWER} of answer; medians of {ROUNDS} rounds in turns:")
    medians = {}
    for name, values in found.items():
        first, rate = (statistics.median(each) for each in zip(*values, strict=True))
        medians[name] = first, rate
        print(f"  {name}: first token after {first:.2f} s, then {rate:.1f} tokens/s")
    first, rate = medians["ours"]
    ratio = medians["directly"][0] / first, rate / medians["directly"][1]
    print(f"ours to directly: first token {ratio[0]:.3f}, tokens/s {ratio[1]:.3f} (asked for: at least .97 each)")
    cost = 1000 / medians["ours, held to the structure"][1] - 1000 / rate
    print(f"the structure costs {cost:.2f} ms a token ({100 * cost * rate / 1000:.1f} %)")


def follow_up(zygote: Zygote, descriptor: int) -> None:
    """What of a follow-up's prompt is evaluated, through the locked process, with new passages and without."""
    writer = ModelWriter.start(zygote, descriptor, name="random", context=CONTEXT)

    def ask(request: Request) -> tuple[Written, float]:
        began = time.perf_counter()
        written = writer.write(request, lambda _: None, lambda: False)
        return written, time.perf_counter() - began

    blocks = tuple(f"[{number}] {number} {PASSAGE * 9}\n" for number in range(1, 13))
    system = Turn("system", "Answer from the passages alone. " * 8)
    first = Request((system,), "Passages:\n", blocks[:8], tuple(range(1, 9)), (), "\nWhen is the rent due?", ANSWER)
    ask(first)  # loads the model
    writer.write(Request((), "x", ("y",), (1,), (), "z", 1), lambda _: None, lambda: False)
    written, seconds = ask(first)
    print(
        f"through the locked process: {written.prompt_tokens} tokens of prompt, first token after"
        f" {written.seconds_to_first:.2f} s, {written.tokens} tokens in {seconds:.2f} s"
    )
    said = " ".join(line.text + "".join(f"[{each}]" for each in line.numbers) for line in written.lines)
    before = "Passages:\n" + "".join(blocks[:8]) + "\nWhen is the rent due?"
    turns = (system, Turn("user", before), Turn("assistant", said or "NONE"))
    for new in (0, 1, 2):
        request = Request(
            turns, "", blocks[8 : 8 + new], tuple(range(9, 9 + new)), tuple(range(1, 9)), "\nAnd the notice?", ANSWER
        )
        answer, seconds = ask(request)
        share = answer.evaluated_tokens / answer.prompt_tokens
        print(
            f"a follow-up with {new} new passages: {answer.evaluated_tokens} of {answer.prompt_tokens} tokens evaluated,"
            f" {share:.2f} (asked for: at most .20), first token after {answer.seconds_to_first:.2f} s"
        )
        ask(first)  # so that each follows the first question
    writer.close()


if __name__ == "__main__":
    main()
