"""Statements that are true of their passages, and wrong ones made of them with one thing changed.

True ones are sentences of the CUAD contracts as they stand, and reworded without a change of what they say: dates and
numbers in other forms, clauses in another order, parentheses left out; the answers that lawyers wrote into CUAD's
table; and the questions of SQuAD 2, which people wrote in words of their own, with their answers. What is changed in
the wrong ones is found by patterns of this file and by CUAD's annotations, not by those of the checker. Contracts and
articles are halved by a hash of their name. Seed 20261122. The passages are the chunks that the search would give.
"""

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.files import shared_data
from generation.sentences import sentences
from ingest import chunk as chunking
from retrieval.embed import Embedder
from retrieval.passage import Passage
from vault.records import Document

SEED = 20261122
SENTENCES = 40  # of one contract
DATED = 15  # of these, if it has so many with a whole date
QUESTIONS = 40  # of one article

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DATE = re.compile(rf"\b({'|'.join(_MONTHS)}) (\d{{1,2}}), (\d{{4}})\b")
_MONEY = re.compile(r"\$ ?(\d{1,3}(?:,\d{3})+|\d+)(\.\d\d)?(?! ?(?:million|billion|[\d,.]*\d))")
_PERCENT = re.compile(r"\b(\d{1,2}(?:\.\d+)?) ?(?:%|percent\b)")
_TWICE = re.compile(r"\b([a-z]+(?:-[a-z]+)?) \((\d{1,3})\)", re.IGNORECASE)
_MEASURE = re.compile(r"\b(\d{1,3}\)? |(?:two|three|five|ten|thirty|sixty|ninety) )(days|months|years|weeks|hours)\b")
_FIGURE = re.compile(r"(?<![\w.,$/-])(\$?)(\d{1,3}(?:,\d{3})+|\d{1,6})(\.\d+)?(?![\w/-]|[.,]\d)")
_MODAL = re.compile(r"\b(shall|may|will|must|does|is|are)( not)?\b")
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45, "sixty": 60, "ninety": 90,
}  # fmt: skip
_STATES = (
    "Delaware|California|New York|Texas|Nevada|Florida|Illinois|Massachusetts|Georgia|Virginia|Ontario|Israel|Japan"
)


@dataclass(frozen=True)
class Case:
    """A statement, the passages it cites, and what was done to it."""

    kind: str
    true: bool
    tune: bool
    text: str
    cited: tuple[Passage, ...]


def half(name: str) -> bool:
    # With a word before it: the public files here are themselves a half by the hash of their names.
    return hashlib.sha256(f"checker {name}".encode()).digest()[0] % 2 == 0


def passages(name: str, title: str, text: str, embedder: Embedder) -> list[Passage]:
    document = Document(name, "contract", title, text)
    found = chunking.chunk(document, embedder.count_tokens, chunking.prefix(document, title))
    return [
        Passage(
            n, name, 1, "contract", title, f"/papers/{title}.txt", b"", "", (), None, each.start, each.end,
            text[each.start : each.end], each.heading, None, None, None, None, 1.0, 1.0, 0.5, "words",
        )
        for n, each in enumerate(found)
    ]  # fmt: skip


# --- true statements


def other_forms(text: str, rng: random.Random) -> str:
    """Dates and numbers as others write them."""

    def date(match: re.Match[str]) -> str:
        month, day, year = _MONTHS.index(match[1]) + 1, int(match[2]), match[3]
        return rng.choice(
            (
                f"{day} {match[1]} {year}",
                f"{year}-{month:02}-{day:02}",
                f"{match[1][:3]}. {day}, {year}",
                f"{month}/{day}/{year}",
                f"{day}.{month}.{year}",
            )
        )

    def money(match: re.Match[str]) -> str:
        whole, cents = match[1].replace(",", ""), match[2] or ""
        forms = [f"USD {match[1]}{cents}", f"{match[1]}{cents} dollars", f"${whole}{cents or '.00'}"]
        if int(whole) % 100_000 == 0 and int(whole) and not cents:
            forms.append(f"${int(whole) / 1e6:g} million")
        return rng.choice(forms)

    text = _DATE.sub(date, text)
    text = _MONEY.sub(money, text)
    text = _PERCENT.sub(lambda m: rng.choice((f"{m[1]} percent", f"{m[1]} per cent", f"{m[1]}%")), text)
    return _TWICE.sub(lambda m: m[2] if rng.random() < 0.7 else m[1], text)


def reordered(text: str) -> str | None:
    """The first clause moved to the end, parentheses left out."""
    plain = re.sub(r"\s*\([^()]{0,80}\)", "", text).rstrip(".")
    plain = re.sub(r"^(?:\(?[\w.]{1,6}[.)]|\d[\d.]*)\s+", "", plain)  # a clause's own number
    first, comma, rest = plain.partition(", ")
    if not comma or not 15 <= len(first) <= 160 or len(rest) < 40 or not rest[0].islower():
        return None
    return f"{rest[0].upper()}{rest[1:]}, {first[0].lower() if not first.isupper() else first[0]}{first[1:]}."


def shortened(text: str) -> str | None:
    """The part up to a clause's end that still holds a figure."""
    for match in re.finditer(r"[,;] (?:and|provided|which|unless|except|subject)\b", text):
        if match.start() >= 50 and re.search(r"\d", text[: match.start()]):
            return text[: match.start()] + "."
    return None


# --- wrong statements: one thing changed, or None


def wrong_number(text: str, rng: random.Random) -> str | None:
    dated = [m.span() for m in _DATE.finditer(text)]
    found = [m for m in _FIGURE.finditer(text) if not any(a <= m.start() < b for a, b in dated)]
    if not found:
        return None
    match = rng.choice(found)
    value = int(match[2].replace(",", ""))
    new = rng.choice([v for v in (value + rng.randint(1, 9), value * 10, max(1, value // 2), value + 10) if v != value])
    return (
        text[: match.start()] + f"{match[1]}{new:,}{match[3] or ''}" + text[match.end() :]
        if not _said_twice(text, match)
        else (_both(text, match, new))
    )


def _said_twice(text: str, match: re.Match[str]) -> bool:
    """`thirty (30)`: the figure alone changed would leave the right one standing in words."""
    return text[: match.start()].endswith("(") and bool(re.search(r"[a-z]+(?:-[a-z]+)? \($", text[: match.start()]))


def _both(text: str, match: re.Match[str], new: int) -> str:
    before = re.sub(r"[A-Za-z]+(?:-[A-Za-z]+)? \($", "", text[: match.start()])
    return before + f"{new:,}" + text[match.end() :].removeprefix(")")


def wrong_date(text: str, what: int, rng: random.Random) -> str | None:
    """Another month, day or year, in one of its forms."""
    found = list(_DATE.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    month, day, year = match.groups()
    if what == 0:
        month = rng.choice([m for m in _MONTHS if m != month])
    elif what == 1:
        day = str(rng.choice([d for d in range(1, 29) if d != int(day)]))
    else:
        year = str(int(year) + rng.choice((-2, -1, 1, 2, 10)))
    return text[: match.start()] + other_forms(f"{month} {day}, {year}", rng) + text[match.end() :]


def wrong_name(text: str, parties: list[str], others: list[str], rng: random.Random) -> str | None:
    here = [p for p in parties if re.search(rf"(?<!\w){re.escape(p)}(?!\w)", text)]
    states = re.findall(rf"\b(?:{_STATES})\b", text)
    if here:
        old = max(here, key=len)
        return text.replace(old, rng.choice([o for o in others if o.split()[0].lower() != old.split()[0].lower()]), 1)
    if states:
        return text.replace(states[0], rng.choice([s for s in _STATES.split("|") if s not in states]), 1)
    return None


def wrong_measure(text: str, rng: random.Random) -> str | None:
    found = [*_MEASURE.finditer(text)]
    if found:
        match = rng.choice(found)
        unit = rng.choice([u for u in ("days", "months", "years", "weeks", "hours") if u != match[2]])
        return text[: match.start(2)] + unit + text[match.end(2) :]
    if match := _PERCENT.search(text):
        return text[: match.start()] + f"${match[1]}" + text[match.end() :]
    if match := _MONEY.search(text):
        return text[: match.start()] + "€" + text[match.start() + 1 :]
    return None


def swapped(text: str, passage: Passage, rng: random.Random) -> str | None:
    """Two numbers or dates of the sentence exchanged, or one exchanged for another of the passage."""
    for pattern in (_DATE, _MONEY, _PERCENT, _TWICE):
        here = list({m.group(): m for m in pattern.finditer(text)}.values())
        if len(here) >= 2:
            one, other = here[:2]
            return (
                text[: one.start()]
                + other.group()
                + text[one.end() : other.start()]
                + one.group()
                + text[other.end() :]
            )
        there = {m.group() for m in pattern.finditer(passage.text)} - {m.group() for m in here}
        if here and there:
            return text.replace(here[0].group(), rng.choice(sorted(there)), 1)
    return None


def negated(text: str, rng: random.Random) -> str | None:
    found = list(_MODAL.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + match[1] + ("" if match[2] else " not") + text[match.end() :]


# --- cases


def contracts(embedder: Embedder) -> Iterator[Case]:
    root = shared_data() / "contracts/cuad"
    asked = defaultdict(list)
    for line in (root / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        asked[each["contract"]].append(each)
    parties = {
        name: sorted(
            {
                " ".join(s["text"].split())
                for q in some
                if q["category"] == "Parties"
                for s in q["spans"]
                if len(s["text"].split()) > 1 and s["text"][0].isupper()
            }
        )
        for name, some in asked.items()
    }
    for name, some in sorted(asked.items()):
        rng = random.Random(f"{SEED}{name}")
        text = (root / some[0]["txt"]).read_text(encoding="utf-8")
        chunks = passages(name, Path(some[0]["txt"]).stem.split("_")[-1], text, embedder)
        others = [p for other, ps in sorted(parties.items()) if other != name for p in ps]
        yield from _of_sentences(name, chunks, parties[name], others, rng)
        yield from _of_lawyers(name, some, chunks)


def _of_sentences(
    name: str, chunks: list[Passage], parties: list[str], others: list[str], rng: random.Random
) -> Iterator[Case]:
    tune = half(name)
    found = [
        (n, " ".join(each.text[a:b].split()))
        for n, each in enumerate(chunks)
        for a, b in sentences(each.text)
        if 50 <= b - a <= 320 and each.text[b - 1] == "."
    ]
    dated = [each for each in found if _DATE.search(each[1])][:DATED]
    telling = [
        each
        for each in found
        if each not in dated and (re.search(r"\d", each[1]) or any(p in each[1] for p in parties))
    ]
    for n, sentence in dated + rng.sample(telling, min(SENTENCES - len(dated), len(telling))):
        cited = (chunks[n],)
        yield Case("verbatim", True, tune, sentence, cited)
        forms = other_forms(sentence, rng)
        if forms != sentence:
            yield Case("other forms", True, tune, forms, cited)
        for kind, made in (("reordered", reordered(sentence)), ("shortened", shortened(sentence))):
            if made:
                yield Case(kind, True, tune, made, cited)
        # What is wrong stands in a reworded statement as often as in a verbatim one.
        base = rng.choice([sentence, forms, *(filter(None, (reordered(sentence), shortened(sentence))))])
        for kind, made in (
            ("wrong number", wrong_number(base, rng)),
            *(("wrong date", wrong_date(sentence, what, rng)) for what in range(3)),
            ("wrong name", wrong_name(base, parties, others, rng)),
            ("wrong measure", wrong_measure(base, rng)),
            ("swapped", swapped(sentence, chunks[n], rng)),
            ("negated", negated(base, rng)),
        ):
            if made and made != base:
                yield Case(kind, False, tune, made, cited)
        far = [each for m, each in enumerate(chunks) if abs(m - n) > 1]
        if far:
            yield Case("wrong passage", False, tune, sentence, (rng.choice(far),))


_LAWYERS: dict[str, Callable[[str], str]] = {
    "Agreement Date": lambda a: f"The agreement is dated {a}.",
    "Effective Date": lambda a: f"The agreement is effective as of {a}.",
    "Governing Law": lambda a: f"The agreement is governed by the laws of {a}.",
    "Document Name": lambda a: f"The document is a {a}.",
}


def _of_lawyers(name: str, asked: list[dict], chunks: list[Passage]) -> Iterator[Case]:
    """Answers that lawyers wrote into CUAD's table, and the passages they marked for them."""
    for each in asked:
        answer = each["short_answer"]
        if (
            each["category"] not in _LAWYERS
            or not each["spans"]
            or "[" in answer
            or not answer.strip()
            or answer == "No"
        ):
            continue
        cited = tuple(c for c in chunks if any(c.start < s["end"] and s["start"] < c.end for s in each["spans"]))
        yield Case("a lawyer's", True, half(name), _LAWYERS[each["category"]](answer), cited)


def articles(embedder: Embedder) -> Iterator[Case]:
    """Questions with their answers, in the words of those who asked: `Who ruled …? Rollo`."""
    for article in json.loads((shared_data() / "general/squad2/dev-v2.0.json").read_text())["data"]:
        title = article["title"].replace("_", " ")
        rng = random.Random(f"{SEED}{title}")
        asked = [(p["context"], qa) for p in article["paragraphs"] for qa in p["qas"] if qa["answers"]]
        for n, (context, qa) in enumerate(rng.sample(asked, min(QUESTIONS, len(asked)))):
            answer = qa["answers"][0]["text"]
            statement = f"{qa['question'].rstrip(' ?')}: {answer}."
            cited = tuple(passages(f"{title} {n}", title, context, embedder))
            yield Case("a reader's", True, half(title), statement, cited)
