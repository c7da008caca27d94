"""From a request to the statements that a model writes: prompt, evaluation, token by token, under the structure."""

from collections.abc import Callable
from time import perf_counter

from generation import template
from generation.llama import Model
from generation.sampling import END, Sampler
from generation.structure import Structure
from generation.template import BadTemplateError, Template, last_message
from generation.writing import Heard, Request, Turn, Written


class Teller:
    """Writes answers with one model, one at a time."""

    def __init__(self, model: Model, source: str) -> None:
        """Take the model with its chat template's source, empty where it has none."""
        self.model = model
        self.note = ""
        """why the model's own template is not used; empty where it is"""
        self._template: Template | None = None
        if not source:
            self.note = "the model has no chat template"
            return
        try:
            self._template = Template(source, bos=model.bos, eos=model.eos)
        except BadTemplateError as error:
            self.note = error.message

    def answer(self, request: Request, heard: Callable[[Heard], None], cancelled: Callable[[], bool]) -> Written:
        """Write an answer as `generation.writing.Writer` says; `cancelled` is asked at every token.

        Where the context has room for no passage that may be cited, nothing is written (`ended` is length).
        """
        began = perf_counter()
        most = min(request.most_tokens, self.model.context // 2)
        tokens, kept = self._fitting(request, most)
        offered = {*request.numbers[:kept], *request.earlier}
        dropped = len(request.blocks) - kept
        if tokens is None or not offered:
            return Written((), False, "length", dropped, 0, 0, 0, 0.0, perf_counter() - began)
        evaluated = self.model.read(tokens, lambda done: heard(Heard("reading", done, len(tokens))), cancelled)
        if evaluated is None:
            seconds = perf_counter() - began
            return Written((), False, "cancelled", dropped, len(tokens), 0, 0, 0.0, seconds)
        structure = Structure(offered)
        ended, count, first = self.write(request, structure, most, heard, cancelled)
        for line in structure.end():
            heard(Heard("writing", count, 0, line))
        state = structure.state
        return Written(
            lines=state.lines,
            refused=state.refused,
            ended=ended,
            dropped=dropped,
            prompt_tokens=len(tokens),
            evaluated_tokens=evaluated,
            tokens=count,
            seconds_to_first=first - began,
            seconds=perf_counter() - began,
        )

    def write(
        self,
        request: Request,
        structure: Structure,
        most: int,
        heard: Callable[[Heard], None],
        cancelled: Callable[[], bool],
    ) -> tuple[str, int, float]:
        """Write into the structure; return how it ended, the number of tokens, and when the first was there."""
        vocabulary = self.model.vocabulary
        sampler = Sampler(vocabulary, seed=request.seed, temperature=request.temperature)
        first = 0.0
        for count in range(most):
            if cancelled():
                return "cancelled", count, first or perf_counter()
            token = sampler.choose(self.model.likelihood(), structure)
            first = first or perf_counter()
            if token is None or token == END:
                return "stop", count, first
            lines = structure.take(vocabulary.pieces[token])
            for line in lines:
                heard(Heard("writing", count + 1, 0, line))
            if not lines:
                heard(Heard("writing", count + 1, 0))
            if structure.must_end:
                return "stop", count + 1, first
            self.model.write(token)
        return "length", most, first

    def _fitting(self, request: Request, most: int) -> tuple[list[int] | None, int]:
        """Return the prompt with as many blocks as there is room for beside the answer, and how many those are."""
        for kept in range(len(request.blocks), -1, -1):
            turns = (*request.turns, Turn("user", last_message(request, kept)))
            tokens = self._prompt(turns)
            if len(tokens) + most <= self.model.context:
                return tokens, kept
        return None, 0

    def _prompt(self, turns: tuple[Turn, ...]) -> list[int]:
        tokens: list[int] = []
        around = self._around(turns)
        for text, turn in zip(around, [*turns, None], strict=True):
            tokens += self.model.tokens(text, special=True)
            if turn:
                tokens += self.model.tokens(turn.content.strip(), special=False)
        return self.model.beginning(tokens)

    def _around(self, turns: tuple[Turn, ...]) -> list[str]:
        if self._template:
            try:
                return self._template.around(turns)
            except BadTemplateError as error:
                self._template, self.note = None, error.message
        return template.plain(turns)
