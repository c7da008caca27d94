"""Measured figures as an SVG picture, without a library: panels side by side, a line for each thing that was measured.

Both axes may be logarithmic. Lines differ by their marks too, so that colours need not be told apart; on a dark page the
picture is dark.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 300, 220  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 34  # around what is drawn in it
_A_ROW = 3
_COLOURS = (("#0b6e4f", "#5fd3a8"), ("#b4540a", "#f2a65a"), ("#3b4ba3", "#9aa8ff"), ("#8a1c5c", "#f08cc4"))
_SHAPES = ("circle", "square", "triangle", "diamond")
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #33312c }
.head { font-size: 13px; font-weight: 600 }
.paper { fill: #fdfcf9 } .axis { stroke: #8b877c } .grid { stroke: #e4e0d5 }
path { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e2d8 } .paper { fill: #1c1b19 } .axis { stroke: #8b877c } .grid { stroke: #38362f }
}
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity over another."""

    title: str
    lines: Mapping[str, Points]
    """points by name, each with x ascending"""
    logarithmic: bool = True
    """whether y is; x always is"""
    least: float = 0.0
    """where y begins, where it is not logarithmic"""


def picture(title: str, panels: Sequence[Panel], across: str) -> str:
    """The panels as SVG; `across` says what x is. Names of lines have the same colour and mark in every panel."""
    names = list(dict.fromkeys(name for each in panels for name in each.lines))
    columns = min(_A_ROW, len(panels))
    width, height = columns * _WIDTH, -(-len(panels) // columns) * _HEIGHT + 40
    style = _STYLE + "".join(_coloured(number) for number in range(len(names)))
    size = f'width="{width}" height="{height}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{style}</style>",
        f'<rect class="paper" {size}/>',
    ]
    for number, name in enumerate(names):
        x = 20 + number * 200
        drawn.append(f"{_mark(number, x, 20)}<text x='{x + 12}' y='24'>{escape(name)}</text>")
    for number, panel in enumerate(panels):
        x, y = number % columns * _WIDTH, number // columns * _HEIGHT + 36
        drawn.append(f'<g transform="translate({x} {y})">{_panel(panel, names, across)}</g>')
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _panel(panel: Panel, names: Sequence[str], across: str) -> str:
    points = [each for line in panel.lines.values() for each in line]
    xs = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT, logarithmic=True)
    ys = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP, logarithmic=panel.logarithmic, foot=panel.least)
    parts = [f"<text class='head' x='{_LEFT}' y='20'>{escape(panel.title)}</text>"]
    for value in ys.marks():
        y = ys.place(value)
        parts.append(f"<line class='grid' x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>")
        parts.append(f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{_short(value)}</text>")
    for value in xs.marks():
        x = xs.place(value)
        parts.append(f"<text x='{x:.1f}' y='{_HEIGHT - _BOTTOM + 15}' text-anchor='middle'>{_short(value)}</text>")
    foot = _HEIGHT - _BOTTOM
    parts.append(f"<line class='axis' x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{foot}' y2='{foot}'/>")
    parts.append(
        f"<text x='{(_LEFT + _WIDTH - _RIGHT) / 2}' y='{foot + 29}' text-anchor='middle'>{escape(across)}</text>"
    )
    for name, line in panel.lines.items():
        number = names.index(name)
        places = [(xs.place(x), ys.place(y)) for x, y in line]
        parts.append(f"<path class='c{number}' d='M{' L'.join(f'{x:.1f} {y:.1f}' for x, y in places)}'/>")
        parts += [_mark(number, x, y) for x, y in places]
    return "".join(parts)


class _Axis:
    """Values as places between two ends, in pixels."""

    def __init__(
        self, values: Sequence[float], begin: float, end: float, *, logarithmic: bool, foot: float = 0.0
    ) -> None:
        self._begin, self._end, self._logarithmic = begin, end, logarithmic
        if logarithmic:
            least = min((each for each in values if each > 0), default=1.0)
            self._least = 10.0 ** math.floor(math.log10(least))
            self._most = 10.0 ** max(math.ceil(math.log10(max(*values, least))), math.log10(self._least) + 1)
        else:
            self._least, self._most = foot, max(*values, foot + 1e-9)

    def place(self, value: float) -> float:
        """Where a value is; what is less than the least is there."""
        value = max(value, self._least)
        if self._logarithmic:
            share = math.log10(value / self._least) / math.log10(self._most / self._least)
        else:
            share = (value - self._least) / (self._most - self._least)
        return self._begin + share * (self._end - self._begin)

    def marks(self) -> list[float]:
        """Values to be named."""
        if self._logarithmic:
            powers = range(round(math.log10(self._least)), round(math.log10(self._most)) + 1)
            return [10.0**each for each in powers]
        return [self._least + (self._most - self._least) * part / 4 for part in range(5)]


def _mark(number: int, x: float, y: float) -> str:
    match _SHAPES[number % len(_SHAPES)]:
        case "circle":
            return f"<circle class='m{number}' cx='{x:.1f}' cy='{y:.1f}' r='4'/>"
        case "square":
            return f"<rect class='m{number}' x='{x - 4:.1f}' y='{y - 4:.1f}' width='8' height='8'/>"
        case "triangle":
            points = f"{x:.1f},{y - 5:.1f} {x - 5:.1f},{y + 4:.1f} {x + 5:.1f},{y + 4:.1f}"
        case _:
            points = f"{x:.1f},{y - 5:.1f} {x - 5:.1f},{y:.1f} {x:.1f},{y + 5:.1f} {x + 5:.1f},{y:.1f}"
    return f"<polygon class='m{number}' points='{points}'/>"


def _coloured(number: int) -> str:
    light, dark = _COLOURS[number % len(_COLOURS)]
    return (
        f".c{number} {{ stroke: {light} }} .m{number} {{ fill: {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ .c{number} {{ stroke: {dark} }} .m{number} {{ fill: {dark} }} }}\n"
    )


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if value >= 1_000 else f"{value:g}"
