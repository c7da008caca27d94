"""The sample's 36 questions: how many are answered from the right passage, and how many rightly not at all.

python -m bench.sample [-v]
"""

import statistics
import sys
import time

from bench.household import Household, answering, cited, questions
from generation.answer import Answer
from retrieval.embed import Embedder


def main() -> None:
    house = Household(Embedder())
    right = found = silent = again = 0
    times = []
    asked = questions()
    for question in asked:
        began = time.perf_counter()
        passages = house.search(question["question"])
        searched = time.perf_counter()
        answer = house.ask(question["question"])
        times.append((searched - began, time.perf_counter() - searched - (searched - began)))
        if question["answerable"]:
            place = house.ids[question["file"], question["part"]]
            rank = next((n for n, each in enumerate(passages, start=1) if each.document == place), 0)
            found += 0 < rank <= 3
            hit = cited(house, question, answer)
            right += hit
            with house.without(answering(house, question)):
                counter = house.ask(question["question"])
            again += counter.abstained
            show(question["id"], answer, "right" if hit else "WRONG", f"document {rank or 'not'} in passages")
            if not counter.abstained:
                show("  counter-test", counter, "SPOKE", "")
        else:
            silent += answer.abstained
            show(question["id"], answer, "silent" if answer.abstained else "SPOKE", "")
    answerable = sum(each["answerable"] for each in asked)
    print(f"right passage among the first three citations: {right} of {answerable}")
    print(f"right document among the first three passages: {found} of {answerable}")
    print(f"unanswerable, abstained: {silent} of {len(asked) - answerable}")
    print(f"abstained once what answers is gone: {again} of {answerable} ({again / answerable:.2f})")
    for name, each in zip(("search", "answer"), zip(*times, strict=True), strict=True):
        print(f"{name}: median {statistics.median(each) * 1000:.0f} ms, most {max(each) * 1000:.0f} ms")


def show(name: str, answer: Answer, verdict: str, more: str) -> None:
    if "-v" not in sys.argv[1:] and verdict not in ("WRONG", "SPOKE"):
        return
    print(f"{verdict:6} {name}: {answer.question}  {more}")
    for statement in answer.statements:
        text = " ".join(statement.text.split())
        places = ", ".join(c.passage.path.rsplit("/", 1)[-1] + "#" + c.passage.part for c in statement.citations)
        print(f"         {text}  [{places}] {statement.note}")
    if answer.missing:
        print(f"         missing: {answer.missing}")


if __name__ == "__main__":
    main()
