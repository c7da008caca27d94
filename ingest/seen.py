"""What of a document's text its reader sees: all but the blocks of kind `hidden`."""

from collections.abc import Iterable, Sequence

from vault.records import Block

_WORTH_SAYING = 300  # characters; most newsletters hide a line that mail programs show in the list of messages


def hidden(blocks: Iterable[Block]) -> list[tuple[int, int]]:
    """The ranges that are hidden, in order."""
    return [(each.start, each.end) for each in blocks if each.kind == "hidden"]


def seen(text: str, blocks: Sequence[Block]) -> str:
    """`text` without what is hidden in it: shorter, so for looking at, not for offsets."""
    ranges = hidden(blocks)
    if not ranges:
        return text
    at, pieces = 0, []
    for start, end in ranges:
        pieces.append(text[at:start])
        at = end
    return "".join((*pieces, text[at:])).strip()


def note(blocks: Iterable[Block]) -> list[str]:
    """What the user should know of it, as a list of one or none."""
    number = sum(end - start for start, end in hidden(blocks))
    return [f"{number} characters that it hides from its reader are not searched"] if number > _WORTH_SAYING else []
