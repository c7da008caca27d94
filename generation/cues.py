"""What kind of expression would answer a question: dates, amounts, durations, names and the like, found by pattern.

Patterns say where an answer may stand, never what it is worth: nothing is parsed or computed here.
"""

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_NUMBER = r"\d{1,3}(?:[,.'\u00a0\u202f ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_COUNTED = (
    r"(?:\d+(?:[.,]\d+)?|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|twenty|thirty"
    r"|forty|sixty|ninety|several|half an?)"
)
_UNIT = r"(?:(?:working|business|calendar)[ -])?(?:second|minute|hour|day|week|fortnight|month|quarter|term|year|decade|centur(?=y|ies))"

PATTERNS: dict[str, re.Pattern[str]] = {
    "date": re.compile(
        rf"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?(?:the\s+)?{_DAY}(?:\s+of)?\s+{_MONTH}\b\.?(?:,?\s+\d{{4}})?"
        rf"(?:,?\s+(?:at\s+)?\d{{1,2}}[.:]\d\d)?"
        rf"|\b{_MONTH}\s+{_DAY}(?:,\s*\d{{4}})?\b|\b{_MONTH}\.?,?\s+\d{{4}}\b"
        r"|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d)\b"
        r"|\b(?:1[0-9]|20)\d\d\b|\b\d{3,4}s\b|\b\d{1,2}(?:st|nd|rd|th)\s+century\b"
        rf"|\b(?:in|since|until|by|every|each|of)\s+{_MONTH}\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
        re.IGNORECASE,
    ),
    "amount": re.compile(
        rf"(?:[£€$¥]|\b(?:EUR|GBP|USD|CHF)\b)\s?(?:{_NUMBER})(?:\s?(?:million|billion|k\b|m\b))?"
        rf"|\b(?:{_NUMBER})\s?(?:[£€$¥]|(?:euros?|pounds?|dollars?|cents?|pence|EUR|GBP|USD|CHF|p)\b)"
        r"|(?<![\w.,:/-])-?\d+[.,]\d\d(?![\w:/-]|[.,]\d)",
        re.IGNORECASE,
    ),
    "percent": re.compile(rf"\b(?:{_NUMBER})\s?(?:%|per ?cent\b|percentage)", re.IGNORECASE),
    "duration": re.compile(rf"\b{_COUNTED}(?:\s+|-)(?:\(\d+\)\s+)?{_UNIT}(?:s|ies|y)?\b", re.IGNORECASE),
    "time": re.compile(r"\b\d{1,2}[.:]\d\d(?:\s?[ap]\.?m\b)?|\b\d{1,2}\s?(?:[ap]\.?m\b|o['’]clock)", re.IGNORECASE),
    "number": re.compile(
        rf"\b(?:{_NUMBER})\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
        r"|sixteen|twenty|thirty|forty|fifty|hundred|thousand|million|billion|dozen)\b",
        re.IGNORECASE,
    ),
    "name": re.compile(
        r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Lady|Lord|King|Queen|Pope|President)\.?\s+)?"
        r"\b[A-ZÀ-ÖØ-Þ][\w'’&-]*(?:\s+(?:of|de|van|von|del|di|la|&)\s+(?=[A-ZÀ-Þ])|\s+[A-ZÀ-ÖØ-Þ][\w'’&-]*)*"
    ),
    "place": re.compile(
        r"\b(?:in|at|on|under|behind|above|below|near|inside|outside|from|to|next to|by)\s+(?:the\s+)?"
        r"[\w'’-]+(?:\s+[\w'’-]+){0,3}",
        re.IGNORECASE,
    ),
    "reason": re.compile(r"\b(?:because|since|due to|owing to|so that|in order to|the reason|therefore|as a result)\b", re.IGNORECASE),
}

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("percent", r"\b(?:what|which) (?:percentage|percent|per cent|interest)\b|\bhow many per ?cent\b|\b(?:interest|tax) rate\b"),
        ("duration", r"\bhow long\b|\bfor how (?:long|many (?:days|weeks|months|years))\b|\bnotice period\b"
                     r"|\bhow many (?:\w+ )?(?:days|weeks|months|years|hours)\b|\bhow much notice\b|\bwhat notice\b|\bhow late\b"),
        ("time", r"\b(?:what|which) time\b|\bwhen (?:exactly )?(?:does|do) .*\b(?:open|close|start|depart|leave)s?\b"),
        ("date", r"\bwhen\b|\b(?:what|which|on which|on what) (?:dates?|days?|year|years|month|century|decade)\b|\bhow old\b|\bby which date\b"
                 r"|\bwhat (?:is|was) the (?:[\w-]+ )?(?:date|deadline|year)\b|\bsince when\b|\bexpir"),
        ("amount", r"\bhow much (?:(?:does|did|do|is|was|were|will|would|has|have|can|are|money|rent|tax|interest)\b)|\bhow (?:expensive|dear)\b"
                   r"|\b(?:what|which)\b.{0,60}\b(?:cost|costs|price|prices|fees?|rent|salary|charges?|premium|excess|balance|total|deposit|amount|worth"
                   r"|pay|paid|refund(?:ed)?)\b|^(?:the )?(?:price|cost|amount|total|rent|salary|fee)\b"),
        ("number", r"\bhow (?:many|much|often|far|tall|high|large|big|wide|deep|fast|heavy|hot)\b|\bwhat (?:number|size|quantity)\b"),
        ("name", r"\bwho(?:m|se)?\b|\b(?:what|which) (?:\w+ ){0,2}(?:person|people|company|firm|name|names|author|king|queen|team|group"
                 r"|organi[sz]ation|institution|party|country|countries|city|cities|doctor|dentist)\b|\bwhat (?:is|was|were) .{0,40}\b(?:name|called)\b"),
        ("place", r"\bwhere\b|\bwhat (?:is|was) .{0,40}\baddress\b|\b(?:what|which) (?:place|street|town|room)\b"),
        ("reason", r"\bwhy\b|\bfor what reason\b|\bwhat (?:caused|is the reason|was the reason)\b"),
    )
)  # fmt: skip


def expected(question: str) -> str:
    """The kind of expression that would answer `question`, a key of `PATTERNS`, or empty where it does not say."""
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    return ""


def found(kind: str, text: str) -> list[tuple[int, int]]:
    """Where expressions of `kind` stand in `text`, half-open."""
    return [match.span() for match in PATTERNS[kind].finditer(text)] if kind else []
