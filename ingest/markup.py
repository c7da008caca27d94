"""HTML to tokens: text, tags, titles.

A tokenizer of its own instead of `html.parser`, which is quadratic on unclosed comments and tags (CVE-2025-6069) and
would let one mail hold up a mailbox; every pattern here runs forward only. It follows the WHATWG rules as far as text
is concerned: raw text elements, comments, attributes in quotes.
"""

import html as entities
import re
from collections.abc import Iterator

_ATTRIBUTES = re.compile(r"(?:=\s*+(?:\"[^\"]*\"|'[^']*'|)|[^>=])*+>")
_NAME = re.compile(r"/?[a-zA-Z][^\s/>]*+")
_RAW = frozenset(("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"))


def tokens(markup: str) -> Iterator[tuple[str, str, str]]:
    """Yield (`text`, text, ''), (`start`, name, attributes), (`end`, name, ''), (`title`, text, '') and
    (`style`, css, '')."""
    at, size = 0, len(markup)
    sloppy = False  # quotation marks once ran to the end: from there on the next `>` ends a tag, so each scan is short
    while at < size:
        opened = markup.find("<", at)
        if opened < 0:
            opened = size
        if opened > at:
            yield "text", unescape(markup[at:opened]), ""
        if opened == size:
            return
        at = opened + 1
        name = _NAME.match(markup, at)
        if not name:
            if markup.startswith(("!", "?", "/"), at):
                after = _comment(markup, at)
                if after < 0:
                    return
                at = after
            else:
                yield "text", "<", ""
            continue
        attributes = None if sloppy else _ATTRIBUTES.match(markup, name.end())
        end = attributes.end() if attributes else markup.find(">", name.end()) + 1
        if not attributes:
            sloppy = True
        if not end:
            return  # cut short within a tag
        value = name[0].lower()
        inside, at = markup[name.end() : end - 1], end
        if value.startswith("/"):
            yield "end", value[1:], ""
            continue
        if value in _RAW:
            closing = re.compile(rf"</{value}(?=[\s/>])", re.IGNORECASE).search(markup, at)
            content, at = markup[at : closing.start() if closing else size], closing.start() if closing else size
            if value == "title":
                yield "title", unescape(content), ""
            elif value == "style":
                yield "style", content, ""
            elif value in ("textarea", "xmp"):
                yield "text", unescape(content), ""
            continue
        yield "start", value, inside


def _comment(markup: str, at: int) -> int:
    """Return where the comment, declaration or bogus tag at `at` (behind its `<`) ends, or -1 when it never does."""
    if markup.startswith("!--", at):
        if markup.startswith((">", "->"), at + 3):
            return markup.index(">", at) + 1
        end = markup.find("-->", at + 3)
        return end + 3 if end >= 0 else -1
    end = markup.find(">", at)
    return end + 1 if end >= 0 else -1


def unescape(raw: str) -> str:
    """Return `raw` with its character references (`&amp;`, `&#8364;`) replaced."""
    return entities.unescape(raw) if "&" in raw else raw
