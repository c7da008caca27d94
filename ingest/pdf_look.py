"""Which text of a PDF's page nobody sees: drawn in no ink, in the paper's colour, too small, off the page, covered.

A page is painted in order (ISO 32000-2, 8.2), so what is behind a text is what was painted before it at its place, and
what hides it may be painted after. Only rectangles of one plain colour count for that; pictures, shadings, patterns,
curved shapes and what is partly clear make the paper one that cannot be told, and no colour is taken for hidden on it.

Text in no ink (rendering mode 3) over or under a picture is what a scanner's program read in that picture, and is no
hidden text, whatever the picture shows: that cannot be told without reading it. Not noticed either: layers that are
switched off, glyphs that look unlike the letters they stand for, soft masks, what a frame cuts off, and what hides
behind more shapes than are compared with each other. Print too small to read, and what lies off the page, is told line
by line in `ingest.pdf`.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.html_look import Colour, alike

Box = tuple[float, float, float, float]
"""left, bottom, right, top, in the page's own units before rotation"""
Matrix = tuple[float, float, float, float, float, float]

_TEXT, _PATH, _IMAGE, _SHADING, _FORM = 1, 2, 3, 4, 5  # FPDF_PAGEOBJ_*
_NO_INK, _STROKED = 3, (1, 2, 5, 6)  # rendering modes (9.3.6); 7 makes the letters a frame for what comes after
_WHITE: Colour = (255.0, 255.0, 255.0)
_CLEAR = 13  # of 255
_THIN = 3.0  # units; thinner rectangles are rules, not paper
_MOST = 200_000  # objects of a page that are looked at; forms may hold forms
_DEEP = 8  # forms in forms
_BANDS = 128  # of a page's height, so that a text is compared with what is painted at its height only
_COMPARED = 2_000_000  # of a page: about two seconds
_SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Painted:
    """What was painted before or after a text."""

    at: int
    box: Box
    colour: Colour | None
    """of a plain rectangle; None where it cannot be told"""
    picture: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """A text that may be hidden."""

    at: int
    key: int
    box: Box
    colour: Colour | None
    no_ink: bool


def unseen(pdfium: Any, page: Any, shown: Box) -> frozenset[int]:
    """Return the addresses of the page's text objects that nobody sees; `shown` is the part of it that is shown.

    Some files draw each letter by itself, 2,500 a page: bounds are asked for where ink or order make them matter.
    """
    found: set[int] = set()
    reader = _Reader(pdfium)
    texts: dict[tuple[int, Colour | None], list[tuple[int, Any, Matrix]]] = {}
    painted: list[_Painted] = []
    mode_of, fill_of, references, alpha = (
        pdfium.FPDFTextObj_GetTextRenderMode, pdfium.FPDFPageObj_GetFillColor, reader.references, reader.alpha
    )  # fmt: skip
    red, green, blue = reader.red, reader.green, reader.blue
    clear: bool
    colour: Colour | None
    for at, (handle, kind, matrix) in enumerate(reader.objects(page)):
        if kind == _TEXT:
            mode = mode_of(handle)
            if mode == 0 and fill_of(handle, *references) and alpha.value > _CLEAR:  # nearly always
                clear, colour = False, (red.value, green.value, blue.value)
            else:
                clear, colour = reader.ink(handle, mode)
            if clear:
                found.add(_key(handle))
            elif (of_colour := texts.get((mode, colour))) is not None:
                of_colour.append((at, handle, matrix))
            else:
                texts[mode, colour] = [(at, handle, matrix)]
        elif kind in (_PATH, _IMAGE, _SHADING) and (each := reader.painted(at, handle, kind, matrix)) is not None:
            painted.append(each)
    covers = [each for each in painted if each.colour is not None]
    last = max((each.at for each in covers), default=-1)
    papers = {_WHITE, *(each.colour for each in covers if each.colour is not None)}
    many = len(texts) * len(papers) > _COMPARED // 20
    written: list[_Written] = []
    for (mode, colour), drawn in texts.items():
        doubtful = mode == _NO_INK or (colour is not None and (many or any(alike(colour, paper) for paper in papers)))
        if not doubtful and drawn[0][0] > last:
            continue
        for place, handle, matrix in drawn:
            if (doubtful or place < last) and (box := reader.box(handle, matrix)) is not None:
                written.append(_Written(place, _key(handle), box, colour, mode == _NO_INK))
    written.sort(key=lambda each: each.at)
    return frozenset(found | _concealed(written, painted, shown)) if found or written else frozenset()


def _key(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _concealed(written: list[_Written], painted: list[_Painted], shown: Box) -> set[int]:
    """The texts that what was painted before or after them hides, or that are drawn in no ink."""
    high = max(shown[3] - shown[1], 1.0) / _BANDS

    def band(y: float) -> int:
        return min(max(int((y - shown[1]) / high), 0), _BANDS - 1)

    bands: list[list[_Painted]] = [[] for _ in range(_BANDS)]
    for paint in painted:
        for number in range(band(paint.box[1]), band(paint.box[3]) + 1):
            bands[number].append(paint)
    found = set()
    compared = 0
    for text in written:
        middle = ((text.box[0] + text.box[2]) / 2, (text.box[1] + text.box[3]) / 2)
        near = bands[band(middle[1])]
        compared += len(near)
        if compared > _COMPARED:
            break
        if _is_hidden(text, middle, near):
            found.add(text.key)
    return found


def _is_hidden(text: _Written, middle: tuple[float, float], painted: list[_Painted]) -> bool:
    if text.no_ink:
        return not any(each.picture and _holds(each.box, middle) for each in painted)
    paper: Colour | None = _WHITE
    for each in painted:
        if each.at > text.at:
            if each.colour is not None and not each.picture and _covers(each.box, text.box):
                return True
        elif _holds(each.box, middle):
            paper = each.colour
    return text.colour is not None and paper is not None and alike(text.colour, paper)


class _Reader:
    """Reads objects through PDFium, with buffers that are used again."""

    def __init__(self, pdfium: Any) -> None:
        self.pdfium = pdfium
        self.floats = [ctypes.c_float() for _ in range(4)]
        self.red, self.green, self.blue, self.alpha = (ctypes.c_uint() for _ in range(4))
        self.references = [ctypes.byref(each) for each in (self.red, self.green, self.blue, self.alpha)]
        self.number = ctypes.c_int()
        self.stroke = ctypes.c_int()
        self.matrix = pdfium.FS_MATRIX()

    def objects(self, page: Any) -> Iterator[tuple[Any, int, Matrix]]:
        """Yield the page's objects in the order of painting, forms gone into, with the matrix of what they are in."""
        pdfium = self.pdfium
        stack = [(pdfium.FPDFPage_GetObject, page, iter(range(pdfium.FPDFPage_CountObjects(page))), _SAME)]
        seen = 0
        while stack and seen < _MOST:
            get, parent, places, matrix = stack[-1]
            place = next(places, None)
            if place is None:
                stack.pop()
                continue
            seen += 1
            handle = get(parent, place)
            if not handle:
                continue
            kind = pdfium.FPDFPageObj_GetType(handle)
            if kind != _FORM:
                yield handle, kind, matrix
            elif len(stack) <= _DEEP and pdfium.FPDFPageObj_GetMatrix(handle, self.matrix):
                m = self.matrix
                inner = iter(range(max(0, pdfium.FPDFFormObj_CountObjects(handle))))
                own = _times((m.a, m.b, m.c, m.d, m.e, m.f), matrix)
                stack.append((pdfium.FPDFFormObj_GetObject, handle, inner, own))

    def box(self, handle: Any, matrix: Matrix) -> Box | None:
        """An object's bounds on the page."""
        a, b, c, d = self.floats
        if not self.pdfium.FPDFPageObj_GetBounds(handle, a, b, c, d):
            return None
        return _moved((a.value, b.value, c.value, d.value), matrix)

    def ink(self, handle: Any, mode: int) -> tuple[bool, Colour | None]:
        """Whether a text is drawn in nothing, and its colour where that is one and plain."""
        if mode == _NO_INK or mode > 6:
            return False, None
        inks = []
        if mode not in (1, 5):
            inks.append(self.colour(self.pdfium.FPDFPageObj_GetFillColor(handle, *self.references)))
        if mode in _STROKED:
            inks.append(self.colour(self.pdfium.FPDFPageObj_GetStrokeColor(handle, *self.references)))
        return all(clear for clear, _ in inks), inks[0][1] if len(set(inks)) == 1 else None

    def colour(self, known: int) -> tuple[bool, Colour | None]:
        """Whether the colour that was just read is clear, and what it is; a pattern's is not known."""
        if not known:
            return False, None
        if self.alpha.value <= _CLEAR:
            return True, None
        return False, (self.red.value, self.green.value, self.blue.value)

    def painted(self, at: int, handle: Any, kind: int, matrix: Matrix) -> _Painted | None:
        """What a path, picture or shading paints; None where that is nothing that text could stand on."""
        pdfium = self.pdfium
        box = self.box(handle, matrix)
        if box is None:
            return None
        if kind != _PATH:
            return _Painted(at, box, None, picture=kind == _IMAGE)
        if not pdfium.FPDFPath_GetDrawMode(handle, self.number, self.stroke) or not self.number.value:
            return None
        if min(box[2] - box[0], box[3] - box[1]) < _THIN:
            return None
        plain = 4 <= pdfium.FPDFPath_CountSegments(handle) <= 5 and not pdfium.FPDFPageObj_HasTransparency(handle)
        plain = plain and pdfium.FPDFPageObj_GetFillColor(handle, *self.references) and self._upright(matrix)
        if plain and pdfium.FPDFClipPath_CountPaths(pdfium.FPDFPageObj_GetClipPath(handle)) > 0:
            clip = self.clip(handle, matrix)
            if clip is None:
                return _Painted(at, box, None, picture=False)
            box = (max(box[0], clip[0]), max(box[1], clip[1]), min(box[2], clip[2]), min(box[3], clip[3]))
        if not plain:
            return _Painted(at, box, None, picture=False)
        return _Painted(at, box, self.colour(1)[1], picture=False)

    def clip(self, handle: Any, matrix: Matrix) -> Box | None:
        """The rectangle that an object is cut to; None where there is none, or its shape is another."""
        pdfium = self.pdfium
        path = pdfium.FPDFPageObj_GetClipPath(handle)
        count = pdfium.FPDFClipPath_CountPaths(path) if path else 0
        box: Box | None = None
        x, y = self.floats[:2]
        for number in range(min(max(count, 0), 20)):
            segments = pdfium.FPDFClipPath_CountPathSegments(path, number)
            if not 4 <= segments <= 5:
                return None
            points = set()
            for place in range(segments):
                segment = pdfium.FPDFClipPath_GetPathSegment(path, number, place)
                if not segment or not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
                    return None
                points.add((round(x.value, 2), round(y.value, 2)))
            xs, ys = {each[0] for each in points}, {each[1] for each in points}
            if len(xs) > 2 or len(ys) > 2:
                return None
            one = _moved((min(xs), min(ys), max(xs), max(ys)), matrix)
            box = one if box is None else (
                max(box[0], one[0]), max(box[1], one[1]), min(box[2], one[2]), min(box[3], one[3])
            )  # fmt: skip
        return box

    @staticmethod
    def _upright(matrix: Matrix) -> bool:
        return matrix[1] == matrix[2] == 0.0 or matrix[0] == matrix[3] == 0.0


def _times(one: Matrix, two: Matrix) -> Matrix:
    """The matrix that does `one`, then `two` (8.3.4)."""
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)


def _moved(box: Box, matrix: Matrix) -> Box:
    if matrix is _SAME:
        return box
    a, b, c, d, e, f = matrix
    points = [(x * a + y * c + e, x * b + y * d + f) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _touch(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _covers(box: Box, other: Box) -> bool:
    """Whether one box hides another, but for a hair at its edges."""
    return box[0] <= other[0] + 1 and box[1] <= other[1] + 1 and box[2] >= other[2] - 1 and box[3] >= other[3] - 1
