"""A dialogue in the form that a model was trained on, by the template in its file, which is a program.

The program runs in Jinja's sandbox, in the model's own locked process, within limits on time and size; and it never
sees a word of what is said. It gets a mark in the place of each message, and what it writes is cut at the marks: so a
message cannot be altered, and what a document says cannot pass for the template's own control tokens, whatever it is.
"""

import contextlib
import faulthandler
import json
import re
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from generation.writing import Request, Turn
from vault.errors import StrongroomError

_SECONDS = 2.0  # for a template to be done in; a real one takes a millisecond
_LONGEST_SOURCE = 1 << 18  # characters; the longest seen have 30,000
_LONGEST = 1 << 16  # characters that a template writes, or has in one value
_MARK = "message0{:04d}mark"  # plain letters and digits, which no template has a reason to change


class BadTemplateError(StrongroomError):
    """A model's chat template cannot be used. The message says why."""


class _TooMuchError(BadTemplateError):
    """It takes more than it may, however it is asked."""


def last_message(request: Request, kept: int) -> str:
    """Return the last message of the request's dialogue with its first `kept` blocks, as it is sent to the model."""
    return (request.before + "".join(request.blocks[:kept]) + request.after).strip()


def plain(turns: Sequence[Turn]) -> list[str]:
    """Return the dialogue in a form that most models understand, for one that has no template.

    As all forms here, the texts between the messages and around them, one more than there are messages.
    """
    titles = {"system": "Instructions", "user": "Question", "assistant": "Answer"}
    around = [f"\n\n{titles.get(each.role, 'Question')}:\n" for each in turns]
    return [around[0].lstrip(), *around[1:], "\n\nAnswer:\n"]


class Template:
    """A model's chat template. Import it before the lock: it opens Jinja's files."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        """Compile the template. Raises BadTemplateError."""
        self._given = {"bos_token": bos, "eos_token": eos}
        if len(source) > _LONGEST_SOURCE:
            raise BadTemplateError(f"the model's chat template has {len(source)} characters")
        with _held():
            self._template = _environment().from_string(source)

    def around(self, turns: Sequence[Turn]) -> list[str]:
        """Return what the template writes before the first message, between messages, and after the last.

        A template that takes no system message gets it before the user's first. Raises BadTemplateError.
        """
        marked = [{"role": each.role, "content": _MARK.format(number)} for number, each in enumerate(turns)]
        try:
            written = self._write(marked)
        except _TooMuchError:
            raise
        except BadTemplateError:
            if len(turns) < 2 or turns[0].role != "system":
                raise
            joined = f"{marked[0]['content']}\n\n{marked[1]['content']}"
            written = self._write([{"role": turns[1].role, "content": joined}, *marked[2:]])
        return _closed(_cut(written, len(turns)))

    def _write(self, messages: list[dict[str, str]]) -> str:
        given = {
            **self._given,
            "messages": messages,
            "add_generation_prompt": True,
            "enable_thinking": False,
            "tools": None,
            "documents": None,
        }
        found: list[str] = []
        size = 0
        with _held():
            for each in self._template.generate(given):
                size += len(each)
                if size > _LONGEST:
                    raise _TooMuchError(f"the model's chat template writes more than {_LONGEST} characters")
                found.append(each)
        return "".join(found)


def _cut(written: str, count: int) -> list[str]:
    around = re.split("message0[0-9]{4}mark", written)
    if re.findall("message0([0-9]{4})mark", written) != [f"{number:04d}" for number in range(count)]:
        raise BadTemplateError("the model's chat template does not keep all messages in their order")
    return around


def _closed(around: list[str]) -> list[str]:
    """Return the same, with the thinking ended where the template has the answer begin with it."""
    if around[-1].rstrip().endswith("<think>"):
        around = [*around[:-1], around[-1].rstrip() + "\n\n</think>\n\n"]
    return around


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Hold what runs here to its time, and turn whatever it raises into BadTemplateError. Main thread only."""

    def late(*_: object) -> None:
        raise _TooMuchError(f"the model's chat template took longer than {_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    # One operation of the interpreter is not interrupted: then the process ends, which costs an answer.
    faulthandler.dump_traceback_later(2 * _SECONDS, exit=True, file=2)
    try:
        yield
    except BadTemplateError:
        raise
    except MemoryError as error:
        raise _TooMuchError("the model's chat template takes too much memory") from error
    except Exception as error:
        # Whatever a foreign program does wrong. Its own words are not passed on: they may be a document's.
        raise BadTemplateError(f"the model's chat template does not work ({type(error).__name__})") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def _environment() -> Any:
    import jinja2.debug  # which Jinja would load at the first error
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        """As models' templates expect it, with values of bounded size."""

        intercepted_binops = frozenset(["*", "**", "+", "%"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            _bounded(operator, left, right)
            return super().call_binop(context, operator, left, right)

    assert jinja2.debug
    environment = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False, extensions=[loopcontrols])
    environment.globals.update(raise_exception=_refuse, strftime_now=_now)
    environment.filters["tojson"] = _to_json
    return environment


def _bounded(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result could be large: one step of it could take all memory, or hours."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if numbers and (operator == "%" or max(abs(left), abs(right)) < (64 if operator == "**" else 1 << 40)):
        return
    sizes = [len(each) if hasattr(each, "__len__") else each for each in (left, right)]
    small = all(isinstance(each, int | float) and abs(each) <= _LONGEST for each in sizes)
    if numbers or not small or (operator == "*" and sizes[0] * sizes[1] > _LONGEST) or operator == "**":
        raise _TooMuchError("the model's chat template computes with too large values")
    if operator == "%" and isinstance(left, str) and re.search(r"%[^a-zA-Z%]*([0-9]{4}|\*)", left):
        raise _TooMuchError("the model's chat template computes with too large values")


def _refuse(*_: object) -> None:
    raise BadTemplateError("the model's chat template refuses such a dialogue")


def _now(form: object) -> str:
    return time.strftime(str(form)[:100])


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
    # Jinja's own escapes what HTML would misread.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=min(indent, 8) if indent else None)
