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
_UNIT = (
    r"(?:(?:working|business|calendar)[ -])?"
    r"(?:second|minute|hour|day|week|fortnight|month|quarter|term|year|decade|centur(?=y|ies))"
)

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
        # Without a sign of its currency, and not a time of day.
        r"|(?<![\w.,:/-])-?(?!(?:[01]?\d|2[0-3])\.[0-5]\d\b)\d+[.,]\d\d(?![\w:/-]|[.,]\d)",
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
        r"\b[A-ZÀ-ÖØ-Þ][\w'’&-]*(?:\s+(?:(?:of|de|van|von|del|di|la|&)\s+)?[A-ZÀ-ÖØ-Þ][\w'’&-]*)*"
    ),
    "place": re.compile(
        r"\b(?:in|at|on|under|behind|above|below|near|inside|outside|from|to|next to|by)\s+(?:the\s+)?"
        r"[\w'’-]+(?:\s+[\w'’-]+){0,3}",
        re.IGNORECASE,
    ),
    "reason": re.compile(
        r"\b(?:because|since|due to|owing to|so that|in order to|the reason|therefore|as a result)\b", re.IGNORECASE
    ),
}

_CELL = re.compile(rf"(?:^|[\t|,;])\s*(-?(?:{_NUMBER}))\s*(?=$|[\t|;]|,(?! ))")

# In the order of asking: the first kind of which a pattern is found in the question.
_ASKED: dict[str, tuple[str, ...]] = {
    "percent": (
        r"(?:what|which) (?:percentage|percent|per cent|interest)", r"how many per ?cent", r"(?:interest|tax) rate",
    ),
    "duration": (
        r"how long", r"for how long", r"how late", r"notice period", r"(?:how much|what) notice",
        r"(?:for )?how many (?:\w+ )?(?:days|weeks|months|years|hours)",
    ),
    "time": (r"(?:what|which) time", r"when (?:exactly )?(?:does|do) .*\b(?:open|close|start|depart|leave)s?"),
    "date": (
        r"(?:since )?when", r"how old", r"expir\w*",
        r"(?:by |on )?(?:what|which) (?:dates?|days?|years?|month|century|decade)",
        r"what (?:is|was) the (?:[\w-]+ )?(?:date|deadline|year)",
    ),
    "amount": (
        r"how much (?:does|did|do|is|was|were|will|would|has|have|can|are|money|rent|tax|interest)",
        r"how (?:expensive|dear)",
        r"(?:what|which)\b.{0,60}\b(?:costs?|prices?|fees?|rent|salary|charges?|premium|excess|balance|total|deposit|amount)",
        r"(?:what|which)\b.{0,60}\b(?:worth|pay|paid|refund(?:ed)?)",
        r"^(?:the )?(?:price|cost|amount|total|rent|salary|fee)",
    ),
    "number": (
        r"how (?:many|much|often|far|tall|high|large|big|wide|deep|fast|heavy|hot)", r"what (?:number|size|quantity)",
    ),
    "name": (
        r"who(?:m|se)?", r"what (?:is|was|were) .{0,40}\b(?:name|called)",
        r"(?:what|which) (?:\w+ ){0,2}(?:person|people|company|firm|names?|author|king|queen|team|group)",
        r"(?:what|which) (?:\w+ ){0,2}(?:organi[sz]ation|institution|party|country|city|cities|doctor|dentist)",
    ),
    "place": (r"where", r"what (?:is|was) .{0,40}\baddress", r"(?:what|which) (?:place|street|town|room)"),
    "reason": (r"why", r"for what reason", r"what (?:caused|is the reason|was the reason)"),
}  # fmt: skip


def expected(question: str) -> str:
    """The kind of expression that would answer `question`, a key of `PATTERNS`, or empty where it does not say."""
    for kind, patterns in _ASKED.items():
        if any(re.search(rf"\b(?:{pattern})\b", question, re.IGNORECASE) for pattern in patterns):
            return kind
    return ""


def found(kind: str, text: str) -> list[tuple[int, int]]:
    """Where expressions of `kind` stand in `text`, half-open."""
    return [match.span() for match in PATTERNS[kind].finditer(text)] if kind else []


def cells(row: str) -> list[tuple[int, int]]:
    """The cells of a table's row that are nothing but a number: amounts there often lack their sign and decimals."""
    return [match.span(1) for match in _CELL.finditer(row)]
