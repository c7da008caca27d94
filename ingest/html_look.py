"""What an element of a page looks like, as far as that decides whether its text can be seen.

Read are `style` attributes, the old attributes for colours, and those rules of the page's own style sheets whose
selectors name one element by its tag, classes or id (CSS 2.2 and what mail programs know of later levels). Not read:
selectors that speak of several elements, conditions (`@media` with a width, `@supports`), style sheets in files of
their own (nothing is fetched), and what a script would do. Where a background cannot be told (a picture, a gradient),
no colour is taken for hidden on it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ingest.markup import unescape

Colour = tuple[float, float, float]

_ROOT_SIZE = 16.0  # pixels of a page that says nothing
_TINY = 2.0  # pixels; print that can be read at all begins at about five
_CONTRAST = 1.15  # ratio of luminances (WCAG 2.2) below which two colours are one to an eye; light grey on white is 1.6
_FAR = 400.0  # pixels beyond an edge from which what is moved away is out of sight
_MOST_CSS = 300_000  # characters of a page's style sheets that are read
_MOST_RULES = 5_000
_MOST_STYLE = 5_000  # characters of one style attribute

# Each begins where a word does and gives nothing back: on a long run of letters or digits it would be quadratic else.
_ATTRIBUTE = re.compile(r"([a-zA-Z][\w:-]*+)(?:\s*+=\s*+(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]++)))?")
_DECLARATION = re.compile(r"(?<![a-zA-Z-])([a-zA-Z-]++)\s*+:\s*+([^;]*+)")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_BRACE = re.compile(r"[{}]")
_COMPOUND = re.compile(r"(\*|[a-zA-Z][\w-]*+)?((?:[.#][\w-]++)*+)")
_PART = re.compile(r"[.#][\w-]+")
_WIDE_MEDIA = re.compile(r"@media\s+(?:only\s+)?(?:all|screen)\s*$", re.IGNORECASE)
_LENGTH = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*(px|pt|pc|in|cm|mm|r?em|ex|ch|vw|vh|vmin|vmax|%)?")
_PIXELS = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "em": 16.0, "rem": 16.0,
    "ex": 8.0, "ch": 8.0, "vw": 12.8, "vh": 8.0, "vmin": 8.0, "vmax": 12.8, "%": 8.0,
}  # fmt: skip
_NAMED_SIZES = {
    "xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0, "xx-large": 32.0,
    "initial": 16.0,
}  # fmt: skip
# The size in the shorthand `font: italic 700 12px/1.5 Arial`: the first number with a unit, or a bare nought.
_FONT_SIZE = re.compile(r"(?:^|\s)(0|(?:\d++\.?+\d*+|\.\d++)(?:px|pt|pc|in|cm|mm|r?em|ex|ch|vw|vh|%))(?=[\s/]|$)")
_COLOURS = {
    "white": (255, 255, 255), "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255), "whitesmoke": (245, 245, 245), "floralwhite": (255, 250, 240),
    "azure": (240, 255, 255), "mintcream": (245, 255, 250), "seashell": (255, 245, 238), "honeydew": (240, 255, 240),
    "aliceblue": (240, 248, 255), "lightyellow": (255, 255, 224), "gray": (128, 128, 128), "grey": (128, 128, 128),
    "silver": (192, 192, 192), "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "navy": (0, 0, 128),
    "yellow": (255, 255, 0), "initial": (0, 0, 0), "canvas": (255, 255, 255), "canvastext": (0, 0, 0),
}  # fmt: skip
_PLACING = frozenset("repeat no scroll fixed center top left right bottom cover x y".split())  # noqa: SIM905
_URL = re.compile(r"url\([^()]*+\)")
_NUMBERS = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(%?)")
_AWAY = re.compile(r"translate(?:x|y|3d)?\(([^)]{0,200})\)", re.IGNORECASE)
_CLIPPED = re.compile(
    r"inset\(\s*(?:50|[6-9]\d|100)(?:\.0*)?%|circle\(\s*0|polygon\(\s*+(?:0\w*+\s++0\w*+[\s,]*+)++\)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Look:
    """How text in an element is drawn."""

    gone: bool = False
    """nothing in the element is drawn, whatever it says of itself"""
    unseen: bool = False
    """`visibility: hidden`, which an element in it can take back"""
    size: float = _ROOT_SIZE
    """of the font, in CSS pixels"""
    colour: Colour | None = (0, 0, 0)
    """None where it cannot be told"""
    clear: bool = False
    """the colour is transparent"""
    paper: Colour | None = (255, 255, 255)
    """what is behind it; None where that cannot be told"""

    @property
    def hidden(self) -> bool:
        """Whether a reader of the page sees nothing of its text."""
        if self.gone or self.unseen or self.clear or self.size < _TINY:
            return True
        return self.colour is not None and self.paper is not None and alike(self.colour, self.paper)


@dataclass(slots=True)
class Sheet:
    """A page's own style sheets."""

    rules: dict[str, list[tuple[str, frozenset[str], str, int]]] = field(default_factory=dict)
    """by tag, `.class` or `#id`: what else must fit (tag, classes and id), the declarations, and how much they weigh"""
    pictures: bool = True
    """backgrounds may be pictures; mail programs fetch none unasked, so in a mail text stands on what is behind them"""
    _read: int = 0
    _count: int = 0

    def add(self, css: str) -> None:
        """Read a `style` element."""
        room = _MOST_CSS - self._read
        if room <= 0:
            return
        self._read += len(css)
        for selectors, body in _rules(_COMMENT.sub(" ", css[:room])):
            for selector in selectors.split(","):
                found = _COMPOUND.fullmatch(selector.strip())
                if found is None or not found[0] or self._count >= _MOST_RULES:
                    continue
                tag, parts = (found[1] or "*").lower(), _PART.findall(found[2])
                self._count += 1
                weight = 100 * sum(each[0] == "#" for each in parts) + 10 * len(parts) + (tag != "*")
                self.rules.setdefault(parts[-1] if parts else tag, []).append((tag, frozenset(parts), body, weight))

    def of(self, name: str, classes: str, identity: str) -> Iterator[tuple[int, str]]:
        """Yield weight and declarations of the rules that fit an element."""
        if not self.rules:
            return
        own = {f".{each}" for each in classes.split()[:50]}
        if identity:
            own.add(f"#{identity.strip()}")
        for key in (*own, name, "*"):
            for tag, parts, body, weight in self.rules.get(key, ()):
                if tag in ("*", name) and parts <= own:
                    yield weight, body


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of each rule that holds on a wide screen; runs forward only."""
    at = 0
    while (opened := css.find("{", at)) >= 0:
        selectors = css[at:opened].rpartition(";")[2].rpartition("}")[2].strip().removeprefix("<!--").strip()
        if selectors.startswith("@"):
            at = opened + 1
            if _WIDE_MEDIA.match(selectors):
                continue  # its rules count like the others; its closing brace is passed over
            depth = 1
            for brace in _BRACE.finditer(css, at):
                depth += 1 if brace[0] == "{" else -1
                at = brace.end()
                if not depth:
                    break
            else:
                return
            continue
        closed = css.find("}", opened)
        if closed < 0:
            closed = len(css)
        yield selectors, css[opened + 1 : closed]
        at = closed + 1


def attributes_of(written: str) -> dict[str, str]:
    """An element's attributes; the first of two with one name counts (WHATWG HTML, 13.2.5.33)."""
    said: dict[str, str] = {}
    if written and ("=" in written or "hidden" in written):
        for each in _ATTRIBUTE.finditer(written[:20000]):
            said.setdefault(each[1].lower(), unescape(each[2] or each[3] or each[4] or ""))
    return said


def look(parent: Look, name: str, attributes: Mapping[str, str], sheet: Sheet) -> Look:
    """How an element in one that looks like `parent` is drawn; `attributes` by lower-case name."""
    wanted: dict[str, str] = {}
    important: dict[str, str] = {}
    for _, body in sorted(sheet.of(name, attributes.get("class", ""), attributes.get("id", "")), key=lambda e: e[0]):
        plain, strong = _declarations(body)
        wanted.update(plain)
        important.update(strong)
    style = attributes.get("style", "")
    own, own_important = _declarations(style[:_MOST_STYLE]) if style else ({}, {})
    wanted = {**_attributes(name, attributes), **wanted, **own, **important, **own_important}
    if "hidden" in attributes:
        wanted.setdefault("display", "none")
    return _applied(parent, wanted, pictures=sheet.pictures) if wanted else parent


def _attributes(name: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """What the attributes of HTML before style sheets say."""
    found = {}
    if attributes.get("bgcolor"):
        found["background-color"] = attributes["bgcolor"]
    if attributes.get("background"):
        found["background-image"] = "url()"
    colour = (
        attributes.get("color") if name in ("font", "basefont") else attributes.get("text") if name == "body" else ""
    )
    if colour:
        found["color"] = colour
    return found


@lru_cache(maxsize=512)
def _declarations(body: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the declarations by property, and those that are `!important`."""
    plain: dict[str, str] = {}
    important: dict[str, str] = {}
    for found in _DECLARATION.finditer(body):
        said = found[2].strip().lower()
        head, bang, tail = said.rpartition("!")
        strong = bang and tail.strip() == "important"
        (important if strong else plain)[found[1].lower()] = head.strip() if strong else said
    return plain, important


def _applied(parent: Look, said: Mapping[str, str], *, pictures: bool) -> Look:
    look = parent
    size = _size(parent.size, said)
    if size != parent.size:
        look = replace(look, size=size)
    for name in ("background", "background-color", "background-image"):
        if name in said:
            look = replace(look, paper=_paper(look.paper, said[name] if pictures else _URL.sub("", said[name])))
    for name in ("color", "-webkit-text-fill-color"):
        if name in said and said[name] not in ("inherit", "unset", "currentcolor"):
            colour, clear = _colour(said[name])
            look = replace(look, colour=colour, clear=clear)
    if "visibility" in said:
        look = replace(look, unseen=said["visibility"] in ("hidden", "collapse"))
    if not look.gone and _gone(said):
        look = replace(look, gone=True)
    return look


def _gone(said: Mapping[str, str]) -> bool:
    """Whether nothing of the element is drawn."""
    if said.get("display") == "none" or said.get("mso-hide") == "all" or said.get("content-visibility") == "hidden":
        return True
    for name in ("opacity", "zoom"):
        if name in said and 0 <= _length(said[name], 1.0) <= (0.05 if "%" not in said[name] else 0.4):
            return True
    if "opacity(0" in said.get("filter", "") and not re.search(r"opacity\(0?\.[1-9]", said["filter"]):
        return True
    placed = said.get("position") in ("absolute", "fixed")
    edges = ("left", "top", "right", "bottom") if placed else ("margin-left", "margin-top")
    moved = [said[name] for name in (*edges, "text-indent", "margin-left", "margin-top") if name in said]
    moved += [part for found in _AWAY.findall(said.get("transform", "")) for part in found.split(",")]
    if any(_length(each, 0.0) <= -_FAR or (placed and _length(each, 0.0) >= 25 * _FAR) for each in moved):
        return True
    if re.search(r"scale(?:x|y|3d)?\(\s*0?\.?0*\s*[,)]", said.get("transform", "")):
        return True
    if placed and re.match(r"rect\(", said.get("clip", "")) and all(_length(n, 9) <= 1 for n in _corners(said["clip"])):
        return True
    if _CLIPPED.search(said.get("clip-path", "")):
        return True
    boxed = any(
        name in said and 0 <= _length(said[name], 9.0) <= 1 for name in ("height", "width", "max-height", "max-width")
    )
    return boxed and said.get("overflow", said.get("overflow-y", "")).split(" ")[0] in ("hidden", "clip")


def _corners(clip: str) -> list[str]:
    return re.split(r"[\s,]+", clip[clip.find("(") + 1 :].rstrip(") "))


def _length(said: str, unknown: float) -> float:
    """A length in pixels, roughly; `unknown` where it is none."""
    found = _LENGTH.match(said.strip())
    return unknown if found is None else float(found[1]) * _PIXELS[found[2] or ""]


def _size(parent: float, said: Mapping[str, str]) -> float:
    asked = said.get("font-size")
    if asked is None:
        short = _FONT_SIZE.search(said.get("font", ""))
        if short is None:
            return parent
        asked = short[1]
    if asked in _NAMED_SIZES:
        return _NAMED_SIZES[asked]
    found = _LENGTH.fullmatch(asked)
    if found is None:
        return parent if asked in ("inherit", "unset", "smaller", "larger") else _ROOT_SIZE
    number, unit = float(found[1]), found[2] or ""
    if unit in ("em", "ex", "ch", "%"):
        # Of an invisible frame nothing can be a share; the sizes that newsletters set inside are absolute.
        return number * parent * {"em": 1.0, "ex": 0.5, "ch": 0.5, "%": 0.01}[unit]
    return number * _PIXELS[unit]


def _paper(behind: Colour | None, said: str) -> Colour | None:
    """What is behind text after a background was set on what was `behind`."""
    if "url(" in said or "gradient(" in said or "var(" in said:
        return None
    for word in re.findall(r"#[0-9a-f]+|(?:rgb|hsl)a?\([^)]*\)|[a-z]+", said):
        if word in ("none", "transparent", "inherit", "unset", "initial"):
            continue
        colour, clear = _colour(word)
        if clear:
            return behind
        if colour is not None:
            return colour
        if word not in _PLACING:
            return None
    return behind


@lru_cache(maxsize=512)
def _colour(said: str) -> tuple[Colour | None, bool]:
    """Return a colour's red, green and blue (0 to 255), None where it is not known, and whether it is clear."""
    said = said.strip()
    if said == "transparent":
        return None, True
    if said in _COLOURS:
        return _COLOURS[said], False
    digits = said.removeprefix("#")
    if re.fullmatch(r"[0-9a-f]{3,8}", digits) and (said[:1] == "#" or len(digits) == 6):
        if len(digits) in (3, 4):
            digits = "".join(2 * each for each in digits)
        if len(digits) == 8 and int(digits[6:], 16) < 13:
            return None, True
        if len(digits) in (6, 8):
            return (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)), False
    if said.startswith(("rgb", "hsl")):
        numbers = _NUMBERS.findall(said)
        if len(numbers) >= 4 and float(numbers[3][0]) <= (5 if numbers[3][1] else 0.05):
            return None, True
        if len(numbers) >= 3 and said.startswith("rgb"):
            red, green, blue = (float(n) * (2.55 if percent else 1) for n, percent in numbers[:3])
            return (red, green, blue), False
        if len(numbers) >= 3 and float(numbers[2][0]) >= 98:
            return (255, 255, 255), False
        if len(numbers) >= 3 and float(numbers[2][0]) <= 2:
            return (0, 0, 0), False
    return None, False


@lru_cache(maxsize=512)
def alike(one: Colour, other: Colour) -> bool:
    """Whether text of one colour cannot be seen on the other: by their contrast ratio, 1 to 21 (WCAG 2.2, 1.4.3)."""
    a, b = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05) < _CONTRAST


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (min(max(each, 0.0), 255.0) / 255 for each in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
