"""The whole evaluation of a model that writes, for whoever has one.

    python -m bench.answers MODEL.gguf [--most N] [--context TOKENS] [-v]

The sample's questions over its papers, and questions of SQuAD 2 and ContractNLI over theirs (N of each, 60 unless said
otherwise), go the way they go in the program: search, the verbatim answer, the model in its locked process, the check.
Counted are, of questions that have an answer: answered, abstained from, those whose first statement holds the gold
answer or cites where it stands; of those that have none: abstained from. Of what was written: supported and left out.
Speed is told, but is no timing unless nothing else runs. Seed 20261122.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.files import shared_data
from bench.household import Household, Papers, cited, questions
from generation import extractive, written
from generation.answer import Answer
from generation.prompt import Dialogue
from generation.writing import Writer
from retrieval.embed import Embedder
from vault.records import Document

SEED = 20261122
PASSAGES = 20  # as the program asks the search for

Right = Callable[[Answer], bool]


@dataclass(frozen=True)
class Asked:
    """A question, and how to see whether an answer is right; None where the papers have no answer."""

    question: str
    right: Right | None


@dataclass
class Tally:
    """What came of a set of questions."""

    answers: list[tuple[Asked, Answer]] = field(default_factory=list)
    seconds: float = 0.0

    def lines(self, name: str) -> Iterator[str]:
        """The figures, for people."""
        answerable = [(asked, answer) for asked, answer in self.answers if asked.right]
        others = [answer for asked, answer in self.answers if not asked.right]
        said = [(asked, answer) for asked, answer in answerable if not answer.abstained]
        right = sum(asked.right(answer) for asked, answer in said if asked.right)
        yield f"{name}: {len(self.answers)} questions"
        if answerable:
            yield (
                f"  with an answer: {len(said)} of {len(answerable)} answered, the first statement right in {right}"
                f" ({right / max(1, len(said)):.2f} of what was answered)"
            )
        if others:
            yield f"  without one: {sum(each.abstained for each in others)} of {len(others)} abstained from"
        model = [answer for _, answer in self.answers if answer.tokens]
        kept = sum(len(answer.statements) for answer in model if not answer.fell_back)
        left_out = sum(len(answer.left_out) for answer in model)
        fell_back = sum(bool(answer.fell_back) for _, answer in self.answers)
        refused = sum(answer.abstained for answer in model)
        yield (
            f"  the model was asked {len(model)} times: {kept} statements supported, {left_out} left out,"
            f" {refused} refusals, {fell_back} times the verbatim answer stood in"
        )
        tokens = sum(answer.tokens["written"] for answer in model)
        writing = sum(answer.seconds["write"] - answer.seconds["first_token"] for answer in model)
        if tokens and writing > 0:
            first = sorted(answer.seconds["first_token"] for answer in model)[len(model) // 2]
            yield f"  {tokens / writing:.1f} tokens a second, first token after {first:.1f} s (median)"


def evaluate(papers: Papers, asked: Sequence[Asked], writer: Writer, *, loud: bool = False) -> Tally:
    """Ask everything, each question in a conversation of its own."""
    tally = Tally()
    for each in asked:
        began = time.perf_counter()
        passages = papers.search(each.question, PASSAGES)
        verbatim = extractive.answer(each.question, passages, papers.embedder, papers.text_of)
        answer = written.answer(
            each.question,
            passages,
            writer,
            Dialogue(),
            extractive=verbatim,
            text_of=papers.text_of,
            heard=lambda _: None,
            cancelled=lambda: False,
            on_statement=lambda _statement, _left_out: None,
        )
        tally.seconds += time.perf_counter() - began
        tally.answers.append((each, answer))
        if loud:
            print(f"{each.question}  {answer.missing if answer.abstained else answer.fell_back}", flush=True)
            for statement in answer.statements:
                print(f"    + {statement.text}")
            for statement in answer.left_out:
                print(f"    - {statement.text}  ({statement.note})")
    return tally


def sample(embedder: Embedder) -> tuple[Papers, list[Asked]]:
    """The made-up household; right is an answer that cites the right passage among its first three citations."""
    house = Household(embedder)

    def right(question: dict) -> Right:
        return lambda answer: cited(house, question, answer)

    return house, [Asked(each["question"], right(each) if each["answerable"] else None) for each in questions()]


def squad(embedder: Embedder, most: int) -> tuple[Papers, list[Asked]]:
    """SQuAD 2: right when the first statement holds one of the gold answers; half of them have none."""
    papers = Papers(embedder)
    rng = random.Random(SEED)
    some: dict[bool, list[Asked]] = {True: [], False: []}
    for article in json.loads((shared_data() / "general/squad2/dev-v2.0.json").read_text())["data"]:
        title = article["title"].replace("_", " ")
        for n, paragraph in enumerate(article["paragraphs"]):
            name = f"{title} {n}"
            papers.add(f"squad/{name}.txt", [Document(name, "document", title, paragraph["context"])])
            for qa in paragraph["qas"]:
                gold = [_plain(each["text"]) for each in qa["answers"]]
                some[bool(gold)].append(Asked(qa["question"], _holds(gold) if gold else None))
    papers.index.refresh()
    return papers, [*rng.sample(some[True], most // 2), *rng.sample(some[False], most - most // 2)]


def contracts(embedder: Embedder, most: int) -> tuple[Papers, list[Asked]]:
    """ContractNLI: right when the first statement cites a place that annotators marked."""
    papers = Papers(embedder)
    root = shared_data() / "contracts/legalbench_rag"
    asked = []
    seen = set()
    for test in json.loads((root / "contractnli.json").read_text())["tests"]:
        gold = [(each["file_path"], *each["span"]) for each in test["snippets"]]
        asked.append(Asked(test["query"], _cites(gold)))
        for file in {file for file, _, _ in gold} - seen:
            seen.add(file)
            text = (root / "corpus" / file).read_text(encoding="utf-8")
            papers.add(f"nda/{Path(file).name}", [Document(file, "contract", Path(file).stem.replace("_", " "), text)])
    papers.index.refresh()
    return papers, random.Random(SEED).sample(asked, min(most, len(asked)))


def _holds(gold: Sequence[str]) -> Right:
    return lambda answer: any(each in _plain(answer.statements[0].text) for each in gold)


def _cites(gold: Sequence[tuple[str, int, int]]) -> Right:
    return lambda answer: any(
        each.passage.document == document and each.start < end and start < each.end
        for each in answer.statements[0].citations
        for document, start, end in gold
    )


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.answers")
    parser.add_argument("model", type=Path)
    parser.add_argument("--most", type=int, default=60, help="questions of SQuAD 2 and of ContractNLI")
    parser.add_argument("--context", type=int, default=8192, help="tokens")
    parser.add_argument("-v", action="store_true", help="every question with what was written")
    given = parser.parse_args()

    from engine.writer import ModelWriter, describe
    from engine.zygote import Zygote

    zygote = Zygote.start()  # before anything heavy is in this process: what is forked counts what it was born with
    descriptor = os.open(given.model, os.O_RDONLY)
    try:
        facts = describe(zygote, descriptor)
        print(facts)
        writer = ModelWriter.start(zygote, descriptor, name=facts.name or given.model.name, context=given.context)
        embedder = Embedder()
        for name, (papers, asked) in (
            ("sample", sample(embedder)),
            *(
                (("SQuAD 2", squad(embedder, given.most)), ("ContractNLI", contracts(embedder, given.most)))
                if given.most
                else ()
            ),
        ):
            print("\n".join(evaluate(papers, asked, writer, loud=given.v).lines(name)), flush=True)
        writer.close()
    finally:
        os.close(descriptor)
        zygote.close()


if __name__ == "__main__":
    sys.exit(main())
