"""The numbers of Word's lists, counted as Word counts them (ECMA-376-1, 17.9)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.ooxml import below, child, value

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(slots=True)
class Level:
    """How one level of a list is numbered."""

    start: int = 1
    form: str = "decimal"
    pattern: str = ""
    legal: bool = False


@dataclass(slots=True)
class Numbers:
    """Word's automatic numbers (ECMA-376-1, 17.9): counters for each abstract list."""

    levels: dict[str, dict[int, Level]] = field(default_factory=dict)
    """of each list (numId)"""
    abstract: dict[str, str] = field(default_factory=dict)
    counters: dict[str, dict[int, int]] = field(default_factory=dict)
    restarted: set[str] = field(default_factory=set)
    overridden: set[str] = field(default_factory=set)

    def next(self, number: str, depth: int) -> str:
        """Count on and return the label, such as `4.2` or `•`; empty if the list has none."""
        levels = self.levels.get(number)
        if not levels or depth not in levels:
            return ""
        counters = self.counters.setdefault(self.abstract.get(number, number), {})
        if number in self.overridden and number not in self.restarted:
            counters.clear()
        self.restarted.add(number)
        level = levels[depth]
        counters[depth] = counters.get(depth, level.start - 1) + 1
        for deeper in [each for each in counters if each > depth]:
            del counters[deeper]
        if level.form == "bullet":
            return "•"
        if level.form == "none" and "%" not in level.pattern:
            return level.pattern
        label = level.pattern
        for each in range(depth + 1):
            used = levels.get(each, Level())
            form = "decimal" if level.legal else used.form
            label = label.replace(f"%{each + 1}", counted(counters.get(each, used.start), form))
        return label


def levels_of(parent: "Element") -> dict[int, Level]:
    """Return the levels that a list, or an override of one, states."""
    found = {}
    for each in below(parent, "lvl"):
        depth, start = value(each, "ilvl"), value(child(each, "start"))
        legal = child(each, "isLgl")
        found[int(depth) if depth.isdecimal() else 0] = Level(
            int(start) if start.isdecimal() else 1,
            value(child(each, "numFmt")) or "decimal",
            value(child(each, "lvlText")),
            legal is not None and value(legal) not in ("0", "false"),
        )
    return found


def counted(number: int, form: str) -> str:
    """Return the number in the list's form (17.18.59); forms of other scripts are shown as decimals."""
    if form in ("lowerLetter", "upperLetter") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, 10)
        return letter.upper() if form == "upperLetter" else letter
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for amount, sign in zip(
            (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
            ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
            strict=True,
        ):
            roman += sign * (number // amount)
            number %= amount
        return roman.upper() if form == "upperRoman" else roman
    if form == "decimalZero":
        return f"{number:02}"
    return "" if form == "none" else str(number)
