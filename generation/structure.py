"""What a model may write: statements that end in the numbers of offered passages, or that there is no answer.

The format, which the prompt has to ask for in these words or like them, and which the constraint below enforces
character by character, whatever the model:

    answer    = refusal / 1*12 statement
    refusal   = "NONE" *"."                           ; alone, and only as the first thing
    statement = text citations [stop] (newline / " ")
    text      = 1 to 320 characters on one line, beginning with a letter, a digit, a quotation mark, a parenthesis or a
                sign such as € and §, holding a letter or digit; no brackets, no control characters, no double spaces,
                no "<" before a letter or one of / ! ? |
    citations = 1*( [" "] "[" number *( "," [" "] number ) "]" )
    number    = one that was offered, without leading zeros, once in a statement
    stop      = "." / ";" / "。"

So that this is an answer of two lines:

    The notice period is three months to the end of a quarter. [2]
    It was shortened to one month in March 2024. [1][4]

Small models follow it best when it is said so: "Write one short statement a line. End every statement with the number
of the passage it rests on in square brackets, such as [1], or [1][3]. If the passages do not answer the question,
write only NONE." A model that says in a sentence that the passages do not answer has to end that one in a citation
too: whoever reads the lines has to notice such sentences.

From 240 characters on, a sentence that ends has to be followed by its citations; at 320 nothing else may follow. A
statement that is cut there ends in "…", at a word. A statement without its citations at the end of an answer was never
there.
"""

import codecs
import contextlib
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from generation.writing import LONGEST_STATEMENT, Line

REFUSAL = "NONE"
MOST_STATEMENTS = 12
_LONG = 240  # characters: from here on a statement ends with its sentence
_BLANKS = 3  # characters between two statements, or before the first

_STOPS = ".;。"
_OPENINGS = "\"'“”„«»‹›‘’‚(€$£¥§¿¡+−№"  # beside letters and digits
_JOINERS = "\u200c\u200d"  # without which Persian and Hindi are misspelt
_MARKUP = "/!?|"


class Mode(Enum):
    """What the character before was."""

    START = "nothing of a statement yet"
    TEXT = "in its text"
    CITE = "in a bracket, in or before a number"
    LIST = "behind a comma in a bracket"
    AFTER = "behind a bracket"
    SPACED = "behind a bracket and a space"
    STOPPED = "behind a bracket and its full stop"
    END = "nothing may follow"


@dataclass(frozen=True, slots=True)
class State:
    """Where an answer stands after a character."""

    mode: Mode = Mode.START
    text: str = ""
    """of the statement that is being written"""
    cited: tuple[int, ...] = ()
    """by it, so far"""
    digits: str = ""
    """of a number that is being written; while in START, the blanks before it"""
    lines: tuple[Line, ...] = ()
    refused: bool = False

    @property
    def may_end(self) -> bool:
        """Whether the answer is whole if nothing follows."""
        if self.mode == Mode.START:
            return bool(self.lines)
        done = self.mode in (Mode.AFTER, Mode.SPACED, Mode.STOPPED, Mode.END)
        return done or (self.mode == Mode.TEXT and _is_refusal(self))


def step(state: State, character: str, offered: Collection[int]) -> State | None:
    """Return the state after this character, or None where it may not stand. The whole format is here."""
    match state.mode:
        case Mode.START:
            return _start(state, character)
        case Mode.TEXT:
            return _text(state, character, offered)
        case Mode.CITE:
            return _cite(state, character, offered)
        case Mode.LIST:
            if character == " " and not state.digits:
                return replace(state, digits=" ")
            return _cite(replace(state, mode=Mode.CITE, digits=""), character, offered)
        case Mode.AFTER:
            if character == " ":
                return replace(state, mode=Mode.SPACED)
            if character == "[":
                return _bracket(state, offered)
            if character in _STOPS:
                return replace(state, mode=Mode.STOPPED)
            return complete(state) if character == "\n" else None
        case Mode.SPACED:
            if character == "[":
                return _bracket(state, offered)
            if character == "\n":
                return complete(state)
            # A capital begins the next statement on the same line; a small letter would go on with this one.
            return _start(complete(state), character) if character.isupper() else None
        case Mode.STOPPED:
            return complete(state) if character in " \n" else None
    return None


def complete(state: State) -> State:
    """Return the state with the statement, which has its citations, put to those before."""
    text = state.text.strip()
    if len(text) >= LONGEST_STATEMENT and text[-1] not in ".!?。":
        cut = text.rfind(" ", LONGEST_STATEMENT // 2, LONGEST_STATEMENT - 1)
        text = text[: cut if cut > 0 else LONGEST_STATEMENT - 1].rstrip() + "…"
    lines = (*state.lines, Line(text, state.cited))
    return State(Mode.END if len(lines) == MOST_STATEMENTS else Mode.START, lines=lines)


def _start(state: State, character: str) -> State | None:
    if state.mode != Mode.START:
        return None
    if character in " \n":
        return replace(state, digits=state.digits + " ") if len(state.digits) < _BLANKS else None
    if character.isalnum() or character in _OPENINGS:
        return replace(state, mode=Mode.TEXT, text=character, digits="")
    return None


def _text(state: State, character: str, offered: Collection[int]) -> State | None:
    text = state.text
    if character == "[":
        told = any(each.isalnum() for each in text) and text.rstrip(" .") != REFUSAL
        return _bracket(state, offered) if told else None
    if character == "\n":
        return replace(state, mode=Mode.END, refused=True) if _is_refusal(state) else None
    if character == " ":
        full = len(text) > LONGEST_STATEMENT
        return None if text[-1] == " " or full else replace(state, text=text + " ")
    if len(text.rstrip()) >= LONGEST_STATEMENT or (len(text) >= _LONG and text[-2:] in (". ", "! ", "? ")):
        return None
    if len(text) >= LONGEST_STATEMENT or character == "]" or not _is_written(character):
        return None
    if text[-1] == "<" and (character.isalpha() or character in _MARKUP):
        return None
    return replace(state, text=text + character)


def _is_written(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _is_refusal(state: State) -> bool:
    return not state.lines and state.text.rstrip(" .") == REFUSAL


def _bracket(state: State, offered: Collection[int]) -> State | None:
    return replace(state, mode=Mode.CITE, digits="") if len(state.cited) < len(offered) else None


def _cite(state: State, character: str, offered: Collection[int]) -> State | None:
    left = [str(each) for each in offered if each not in state.cited]
    if character in "0123456789":
        digits = state.digits + character
        return replace(state, digits=digits) if any(each.startswith(digits) for each in left) else None
    if state.digits not in left:
        return None
    cited = (*state.cited, int(state.digits))
    if character == "]":
        return replace(state, mode=Mode.AFTER, cited=cited, digits="")
    if character == "," and len(left) > 1:
        return replace(state, mode=Mode.LIST, cited=cited, digits="")
    return None


class Structure:
    """One answer as it is written, piece by piece. Pieces are bytes: a character may be split over several."""

    def __init__(self, offered: Collection[int]) -> None:
        self._offered = frozenset(offered)
        self._pending = b""
        self.state = State()

    def accepts(self, piece: bytes) -> bool:
        """Whether the piece may come next. A piece without bytes may not: nothing would come of it."""
        return self._after(piece) is not None

    def take(self, piece: bytes) -> tuple[Line, ...]:
        """Take the piece; return the statements that it completed. Raises ValueError where it may not come next."""
        after = self._after(piece)
        if after is None:
            raise ValueError(f"{piece!r} may not come next")
        before = len(self.state.lines)
        self.state, self._pending = after
        return self.state.lines[before:]

    @property
    def may_end(self) -> bool:
        """Whether the answer is whole if nothing follows."""
        return self.state.may_end and not self._pending

    @property
    def must_end(self) -> bool:
        """Whether nothing may follow."""
        return self.state.mode == Mode.END

    def end(self) -> tuple[Line, ...]:
        """Take the end of the answer; return the last statement if it had its citations. What has none is dropped."""
        before = len(self.state.lines)
        if self.may_end and self.state.mode == Mode.TEXT:
            self.state = replace(self.state, mode=Mode.END, refused=True)
        elif self.state.mode in (Mode.AFTER, Mode.SPACED, Mode.STOPPED):
            self.state = complete(self.state)
        return self.state.lines[before:]

    def openings(self) -> bytes | None:
        """Return the bytes with which the next piece has to begin, where they are few; None where they are many."""
        if self._pending:
            return None
        match self.state.mode:
            case Mode.CITE | Mode.LIST:
                return b"0123456789], "
            case Mode.AFTER:
                return b"[ \n.;\xe3"
            case Mode.STOPPED:
                return b" \n"
            case Mode.END:
                return b""
            case Mode.TEXT if step(self.state, "5", self._offered) is None:
                return b"[ \n"
        return None

    def _after(self, piece: bytes) -> tuple[State, bytes] | None:
        if not piece:
            return None
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            characters = decoder.decode(self._pending + piece)
        except UnicodeDecodeError:
            return None
        pending = decoder.getstate()[0]
        state = self.state
        for each in characters:
            following = step(state, each, self._offered)
            if following is None:
                return None
            state = following
        if pending and not any(step(state, each, self._offered) for each in _beginning_with(pending)):
            return None
        return state, pending


def _beginning_with(pending: bytes) -> Iterator[str]:
    """Yield characters whose UTF-8 begins so: all where one byte is missing, else 64 of them, evenly spread.

    The first of each block is among them, so that what made a beginning acceptable is there when the next byte comes.
    """
    missing = {0xC0: 1, 0xE0: 2, 0xF0: 3}[0xF0 if pending[0] >= 0xF0 else 0xE0 if pending[0] >= 0xE0 else 0xC0]
    missing -= len(pending) - 1
    yield from (each for each in _STOPS if each.encode().startswith(pending))
    for each in range(64):
        with contextlib.suppress(UnicodeDecodeError):
            yield (pending + bytes([0x80 + each]) + bytes([0x80] * (missing - 1))).decode()
