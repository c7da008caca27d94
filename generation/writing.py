"""What is asked of a model that writes, and what comes back: the values between the answer's maker and the model.

The model runs in a process of its own (`engine/writer.py`), or is a scripted stand-in where its checks are measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vault.errors import StrongroomError

LONGEST_STATEMENT = 320  # characters, without its citations


class WriterDiedError(StrongroomError):
    """The model's process ended, or was ended, before the answer was whole. The message is the reason, in words."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the dialogue so far, as the model's chat template gets it."""

    role: str
    """system, user or assistant"""
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to be written.

    The prompt is the model's own chat template over `turns` and one last message of the user: `before`, as many of
    `blocks` as the context has room for (whole ones, dropped from the end), and `after`, which holds the question.
    """

    turns: tuple[Turn, ...]
    """sent before, unchanged from request to request of one conversation, so that what was evaluated is used again"""
    before: str
    blocks: tuple[str, ...]
    """passages new to this conversation, best first, each with its number"""
    numbers: tuple[int, ...]
    """of `blocks`, in their order"""
    earlier: tuple[int, ...]
    """numbers of passages in `turns` that may be cited too"""
    after: str
    most_tokens: int = 400
    """of the answer"""
    seed: int = 0
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One statement as it was written: its words, and the numbers of the passages it names."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """How a request ended."""

    lines: tuple[Line, ...]
    refused: bool
    """the model said that the passages do not answer"""
    ended: str
    """stop, length (`most_tokens` or the context), or cancelled"""
    dropped: int
    """blocks for which the context had no room"""
    prompt_tokens: int
    evaluated_tokens: int
    """of the prompt; the rest was there from the request before"""
    tokens: int
    """of the answer"""
    seconds_to_first: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What comes while a model writes."""

    stage: str
    """loading, reading (the prompt), writing"""
    tokens: int
    """so far in this stage"""
    of: int
    """tokens of the prompt while reading, else 0"""
    line: Line | None = None
    """a statement that has just been completed"""


class Writer(Protocol):
    """A model that writes. Two exist: the one in a process of its own, and the scripted one of tests and benchmarks."""

    @property
    def name(self) -> str:
        """The model's name, for people."""

    def write(self, request: Request, heard: Callable[[Heard], None], cancelled: Callable[[], bool]) -> Written:
        """Write an answer; `heard` is told of progress, `cancelled` is asked at every token.

        Every number in the lines is one of the request's. Raises WriterDiedError with the reason in words.
        """
