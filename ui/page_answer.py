"""One question with its answer: statements with numbered marks, the passages they rest on, and what to know of both."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import streamlit as st

from engine.export import place, sources_of
from ui import look, page_passage
from ui.named import KINDS, sender, title
from ui.shown import count, date, escape, line, marked, tag

_NEAREST = 5
_QUOTED = 600
"""characters of a passage on its card, of which three lines are shown"""


class Moving(Protocol):
    """A question under way, whose fragment has to be told that a click changed the page around it."""

    moved: bool


def show(number: int, turn: Mapping[str, Any]) -> None:
    """Draw the answer of turn `number`; its question stands above it already."""
    if turn.get("fell_back"):
        what = "the model did not answer; these are the papers' own sentences"
        look.notice("warn", what, str(turn["fell_back"]))
    if turn.get("cancelled"):
        look.notice("faint", "stopped; this is what there was by then")
    if turn["abstained"]:
        _abstention(number, turn)
    else:
        sources, numbers = sources_of(turn["statements"])
        for n, each in enumerate(turn["statements"]):
            statement(number, n, each, sources, numbers)
        _left_out(turn.get("left_out") or (), numbers)
        if sources:
            st.html(tag("div.label", "Sources"))
        _cards(number, sources)
    st.html(tag("div.after.how", escape(how(turn))))


def question(asked: str, full: str) -> None:
    """Draw the question, and how it was understood if that is not how it was typed."""
    understood = tag("div.readas", f"understood as: {line(full, 300)}") if full and full != asked else ""
    st.html(tag("div.question", escape(asked), dir="auto", data_testid="question") + understood)


def _abstention(number: int, turn: Mapping[str, Any]) -> None:
    if turn.get("cancelled") and not turn["missing"]:
        return
    st.html(
        tag("div.abstain", "I found nothing in your papers that answers this.", data_testid="abstained")
        + (tag("div.lead", escape(look.sentence(turn["missing"]))) if turn["missing"] else "")
    )
    nearest = turn["nearest"][:_NEAREST]
    if nearest:
        st.html(tag("div.label", "What comes nearest"))
        _cards(number, nearest)


def statement(
    turn: int,
    n: int,
    said: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    numbers: Mapping[tuple[str, int, int], int],
    *,
    moved: Moving | None = None,
) -> None:
    """Draw statement `n` of turn `turn` with its numbered marks; a click on one opens its passage."""
    with st.container(key=f"say-{turn}-{n}"):
        st.html(
            tag(
                "div.say",
                marked(said["text"], said.get("marks") or ()),
                "" if said["supported"] else tag("span.unsupported", "not supported by its passage"),
                dir="auto",
                data_testid="statement",
            )
        )
        for number in dict.fromkeys(numbers[place(citation)] for citation in said["citations"]):
            look.pick(
                f"mark-{turn}-{n}-{number}",
                tag("sup", str(number)),
                "Open passage",
                number,
                chosen=_is_open(sources[number - 1]),
                on_click=_open,
                args=(sources, number - 1, moved),
            )
        if said.get("note"):
            st.html(tag("div.after", escape(look.sentence(said["note"]))))


def _open(sources: Sequence[Mapping[str, Any]], at: int, moved: Moving | None) -> None:
    if moved is not None:
        moved.moved = True
    page_passage.open_source(sources, at)


def _left_out(statements: Sequence[Mapping[str, Any]], numbers: Mapping[tuple[str, int, int], int]) -> None:
    if not statements:
        return
    rows = []
    for each in statements:
        cited = [tag("sup", str(numbers[place(c)])) for c in each["citations"] if place(c) in numbers]
        titles = ", ".join(dict.fromkeys(title(c) for c in each["citations"]))
        why = look.sentence(each.get("note") or "it does not stand in its passage")
        named = f" {tag('span.faint', line(titles, 120))}" if titles and not cited else ""
        rows.append(
            tag("li", tag("span", escape(each["text"]), dir="auto"), *cited, named, tag("div.why", escape(why)))
        )
    words = f"{count(len(statements), 'statement')} left out"
    st.html(
        tag(
            "details.leftout",
            tag("summary", tag("span", escape(words)), tag("span.faint", " · not in the passages")),
            tag("ul", *rows),
            data_testid="left-out",
        )
    )


def _cards(turn: int, sources: Sequence[Mapping[str, Any]]) -> None:
    for n, source in enumerate(sources):
        look.pick(
            f"source-{turn}-{n}",
            card(source, n + 1),
            "Open passage",
            n + 1,
            chosen=_is_open(source),
            on_click=page_passage.open_source,
            args=(sources, n),
        )


def _is_open(source: Mapping[str, Any]) -> bool:
    state = page_passage.opened()
    return state is not None and bool(state["sources"]) and place(state["sources"][state["at"]]) == place(source)


def about(hit: Mapping[str, Any]) -> str:
    """`Contract · page 1 · Kestrel contract.pdf`, as HTML."""
    words = [KINDS.get(hit.get("kind") or "", "Document"), sender(hit.get("sender") or ""), date(hit.get("date"))]
    if hit.get("page"):
        words.append(f"page {int(hit['page'])}")
    folder, _, file = str(hit["path"]).rpartition("/")
    words.append(file if hit.get("title") else folder)
    # Each by itself: letters that run to the left would put what stands beside them elsewhere.
    return " · ".join(tag("bdi", line(word, 90)) for word in words if word)


def card(hit: Mapping[str, Any], number: int) -> str:
    """A passage in short, as HTML: number, document, where it is from, and its words."""
    return tag(
        "div.card",
        tag("div.top", tag("span.n", str(number)), tag("span.name", line(title(hit)), dir="auto")),
        tag("div.meta", about(hit)),
        tag("div.quote", marked(hit["quote"][:_QUOTED], _relative(hit)), dir="auto"),
        data_testid="source",
    )


def source_line(hit: Mapping[str, Any]) -> str:
    """A passage in two lines, as HTML, for while its answer is being made."""
    short = [KINDS.get(hit.get("kind") or "", "Document"), sender(hit.get("sender") or "", 60), date(hit.get("date"))]
    short.append(f"page {int(hit['page'])}" if hit.get("page") else "")
    return tag(
        "div.row.found",
        tag("div.name.asked", line(title(hit)), dir="auto"),
        tag("div.right.faint", " · ".join(tag("bdi", line(word, 60)) for word in short if word)),
        tag("div.why.faint", line(hit["quote"], 140), dir="auto"),
        data_testid="found",
    )


def _relative(hit: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(start - hit["start"], end - hit["start"]) for start, end in hit.get("marks") or ()]


def how(turn: Mapping[str, Any]) -> str:
    """How an answer came about: `written by Qwen3 1.7B · 12.3 s · 210 tokens · 2 passages had no room`."""
    verbatim = turn["mode"] == "extractive"
    words = ["verbatim from your papers" if verbatim else f"written by {turn['mode']}, checked against the passages"]
    words.append(f"{turn['seconds'].get('total', 0):.2f} s")
    if not verbatim and (tokens := (turn.get("tokens") or {}).get("written")):
        words.append(count(int(tokens), "token"))
    if turn.get("dropped"):
        words.append(f"{count(int(turn['dropped']), 'passage')} had no room in the model's context")
    return " · ".join(words)
