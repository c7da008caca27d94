"""Whether a run of a Word document can be seen: `vanish`, print too small to read, ink of the paper's colour.

Properties are looked for where Word looks (ECMA-376-1, 17.7.2), nearest first: the run, its style and those that it is
based on, the paragraph's, the defaults. Paper is the shading of run, paragraph, cell or table, or the page's colour. In
a table whose style has shading, in a text box and on a theme's colour the paper cannot be told here, and no ink is
taken for hidden. What a picture or a shape covers is not seen either.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ingest.html_look import Colour, alike
from ingest.ooxml import below, child, local, value

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

WHITE: Colour = (255.0, 255.0, 255.0)
_SMALLEST = 3  # half-points
_OFF = ("0", "false", "off")
_HIGHLIGHTS: dict[str, Colour] = {"white": WHITE, "black": (0.0, 0.0, 0.0)}
_HEX = re.compile("[0-9a-fA-F]{6}")
_DEEPEST = 20  # styles that one is based on


@dataclass(frozen=True, slots=True)
class Ink:
    """What is said of a run's letters; None where nothing is."""

    vanish: bool | None = None
    size: int | None = None
    """half-points"""
    colour: str | None = None
    paper: str | None = None
    """hexadecimal, or a word where the colour cannot be told"""

    def over(self, other: "Ink") -> "Ink":
        """What is said here, and where nothing is, what `other` says."""
        return Ink(
            self.vanish if self.vanish is not None else other.vanish,
            self.size if self.size is not None else other.size,
            self.colour or other.colour,
            self.paper or other.paper,
        )


@dataclass(slots=True)
class Looks:
    """The document's styles, as far as they decide whether letters are seen."""

    page: Colour | None = WHITE
    inks: dict[str, Ink] = field(default_factory=dict)
    based_on: dict[str, str] = field(default_factory=dict)
    shaded: set[str] = field(default_factory=set)
    """styles of tables with shading anywhere in them"""
    common: str = ""
    """the style of paragraphs that name none"""
    defaults: Ink = Ink()
    _known: dict[tuple[str, str], Ink] = field(default_factory=dict)

    def read(self, styles: "Element") -> None:
        """Take in a part of styles."""
        for each in below(styles, "style"):
            name = value(each, "styleId")
            self.inks[name] = _ink(child(each, "rPr")).over(Ink(paper=_shade(child(each, "pPr", "shd"))))
            self.based_on[name] = value(child(each, "basedOn"))
            if value(each, "type") == "table" and any(_shade(shd) for shd in below(each, "shd")):
                self.shaded.add(name)
            if value(each, "type") == "paragraph" and value(each, "default") not in ("", *_OFF):
                self.common = name
        self.defaults = _ink(next((child(each, "rPr") for each in below(styles, "rPrDefault")), None))

    def background(self, root: "Element") -> None:
        """Take the page's colour from the document's root."""
        stated = value(child(root, "background"), "color")
        if stated and stated != "auto":
            self.page = _colour(stated)

    def hides(self, run: "Element", paragraph: "Element | None", paper: Colour | None) -> bool:
        """Whether nothing of a run is seen on `paper`; None is paper that cannot be told."""
        own = child(run, "rPr")
        properties = child(paragraph, "pPr")
        styled = self._styled(value(child(properties, "pStyle")) or self.common, value(child(own, "rStyle")))
        ink = _ink(own) if own is not None else Ink()
        ink = replace(ink, paper=ink.paper or _shade(child(properties, "shd"))).over(styled)
        if ink.vanish or (ink.size is not None and ink.size <= _SMALLEST):
            return True
        colour = _colour(ink.colour or "")
        behind = _colour(ink.paper) if ink.paper else paper
        return colour is not None and behind is not None and alike(colour, behind)

    def paper(self, table: "Element", cell: "Element", behind: Colour | None) -> Colour | None:
        """What is behind the text of a table's cell."""
        properties = child(table, "tblPr")
        stated = _shade(child(cell, "tcPr", "shd")) or _shade(child(properties, "shd"))
        if stated:
            return _colour(stated)
        return (
            None if any(each in self.shaded for each in self._chain(value(child(properties, "tblStyle")))) else behind
        )

    def _styled(self, of_paragraph: str, of_run: str) -> Ink:
        key = (of_paragraph, of_run)
        if key not in self._known:
            ink = Ink()
            for each in (*self._chain(of_run), *self._chain(of_paragraph)):
                ink = ink.over(self.inks[each])
            self._known[key] = ink.over(self.defaults)
        return self._known[key]

    def _chain(self, name: str) -> Iterator[str]:
        for _ in range(_DEEPEST):
            if name not in self.inks:
                return
            yield name
            name = self.based_on[name]


def _ink(properties: "Element | None") -> Ink:
    vanish: bool | None = None
    size: int | None = None
    colour = paper = None
    for each in properties if properties is not None else ():
        name = local(each)
        if name in ("vanish", "specVanish"):
            vanish = value(each).lower() not in _OFF
        elif name == "sz" and value(each).isdecimal():
            size = int(value(each)[:6])
        elif name == "color":
            colour = value(each) or None
        elif name == "shd":
            paper = _shade(each) or paper
        elif name == "highlight" and value(each) != "none":
            paper = value(each)
    return Ink(vanish, size, colour, paper)


def _shade(shading: "Element | None") -> str | None:
    """A shading's fill, or None where it has none."""
    if shading is None or value(shading) == "nil":
        return None
    if value(shading) not in ("", "clear"):
        return "pattern"
    fill = value(shading, "fill")
    return fill if fill and fill != "auto" else "theme" if value(shading, "themeFill") else None


def _colour(stated: str) -> Colour | None:
    if _HEX.fullmatch(stated):
        return float(int(stated[:2], 16)), float(int(stated[2:4], 16)), float(int(stated[4:], 16))
    return _HIGHLIGHTS.get(stated)
