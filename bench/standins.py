"""Stand-ins for a model that writes, with errors that are known beforehand; for tests and for measuring the checks."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from generation.writing import Heard, Line, Request, WriterDiedError, Written

_PASSAGE = re.compile(r"===== \w+ passage (\d+) =====\n([^\n]*)\n(.*?)\n===== \w+ end of passage \1 =====\n", re.DOTALL)


@dataclass
class Scripted:
    """Writes what `script` says to a request: lines, or none for a refusal."""

    script: Callable[[Request], Sequence[Line]]
    name: str = "scripted"
    dies_after: int | None = None
    """lines, after which its process is gone"""
    room: int | None = None
    """blocks that its context has room for"""
    requests: list[Request] = field(default_factory=list)
    """all that was asked of it"""

    def write(self, request: Request, heard: Callable[[Heard], None], cancelled: Callable[[], bool]) -> Written:
        """As a model in a process of its own does it."""
        self.requests.append(request)
        words = len(prompt(request).split())
        heard(Heard("reading", words, words))
        lines = list(self.script(request))
        said: list[Line] = []
        ended = "stop"
        for line in lines:
            if self.dies_after is not None and len(said) >= self.dies_after:
                raise WriterDiedError("the model's process ran out of memory")
            if cancelled():
                ended = "cancelled"
                break
            said.append(line)
            heard(Heard("writing", 10 * len(said), 0, line))
        dropped = 0 if self.room is None else max(0, len(request.blocks) - self.room)
        return Written(tuple(said), not lines, ended, dropped, words, words, 10 * len(said), 0.0, 0.0)


def prompt(request: Request) -> str:
    """Everything that a request sends, without a template."""
    sent = [turn.content for turn in request.turns]
    return "\n".join([*sent, request.before + "".join(request.blocks) + request.after])


def offered(request: Request) -> dict[int, str]:
    """The texts of the passages of a request by number, as a model sees them."""
    return {int(found[1]): found[3] for found in _PASSAGE.finditer(prompt(request))}


# --- what models do to a true statement


def digits_as_letters(text: str) -> str:
    """Vowels as figures, as some injected instructions ask for."""
    return text.translate(str.maketrans("aeiouAEIOU", "1234512345"))


def symbols(text: str) -> str:
    """Vowels as signs."""
    return text.translate(str.maketrans("aeiouAEIOU", "@#$%&@#$%&"))


def misspelt(text: str, rng: random.Random) -> str:
    """Letters inside of longer words in another order."""

    def scrambled(match: re.Match[str]) -> str:
        inside = list(match.group()[1:-1])
        rng.shuffle(inside)
        return match.group()[0] + "".join(inside) + match.group()[-1]

    return re.sub(r"[^\W\d_]{5,}", scrambled, text)


def without_spaces(text: str) -> str:
    """All words as one."""
    return text.replace(" ", "")
