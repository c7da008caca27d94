"""What sort of paper a document is, by its format and by words in its name, title and opening.

Only rules: a wrong guess costs a filter hit, never a document.
"""

import re

_BY_FORMAT = {
    "mail": "mail",
    "mbox": "mail",
    "emlx": "mail",
    "msg": "mail",
    "pptx": "slides",
    "ppt": "slides",
    "odp": "slides",
    "epub": "book",
    "ofx": "statement",
    "qif": "statement",
    "html": "web",
    "mht": "web",
    "csv": "table",
    "tsv": "table",
    "xlsx": "table",
    "xlsb": "table",
    "xls": "table",
    "ods": "table",
    "markdown": "note",
}
_OPENING = 2000  # characters: a page's upper half, where papers say what they are

# In order: the first that fits in the name or title decides, then the first that fits in the opening.
_NAMED = (
    ("invoice", r"invoices?|rechnung(en)?|factures?|fattura|factura|receipts?|quittung|bills?"),
    ("statement", r"(bank |account |card )?statements?|kontoauszug|kontoauszüge|relevé|transactions|umsätze"),
    ("contract", r"contracts?|agreements?|nda|lease|(miet|arbeits)?vertrag|verträge|terms|policy|amendment"),
    ("letter", r"letters?|brief|schreiben|lettre"),
)
_OPENED = (
    (
        "invoice",
        (
            r"\b(invoice (no|number|date|#)|tax invoice|amount due|rechnungs(nummer|datum|nr)"
            r"|numéro de facture|factuurnummer)"
        ),
    ),
    (
        "statement",
        (
            r"\b((account|bank) statement|statement (period|date|of account)|(opening|closing) balance"
            r"|kontoauszug|(alter|neuer) kontostand)"
        ),
    ),
    (
        "contract",
        (
            r"\b(this (\w+ ){0,4}(agreement|contract|lease|amendment)\b.{0,200}\b(made|entered|dated|effective)"
            r"|by and (between|among)|hereinafter|whereas\b|the parties (hereby )?agree|non-disclosure agreement"
            r"|vertrag zwischen|wird folgender vertrag|master services agreement)"
        ),
    ),
    (
        "letter",
        (
            r"(^|\n)\s*(dear (sir|madam|mr|ms|mrs|dr|customer|\w+)\b|to whom it may concern|sehr geehrte"
            r"|lieber? \w+,|madame, monsieur|yours sincerely|kind regards)"
        ),
    ),
)


# Titles that programs make up. A file's name says as much, and the reader's own words are in it.
_MADE_UP = re.compile(
    r"untitled.*|title|document ?\d*|slide \d+|(microsoft )?word.*|powerpoint.*|presentation ?\d*|[\W\d_]*"
    r"|.*\.(docx?|pdf|rtf|odt|qxd|indd|xlsx?|pptx?|txt|html?|tex|dvi|ps|png|jpe?g|tiff?)|about:.*",
    re.IGNORECASE,
)


def own_title(stated: str) -> str:
    """Return the title that a file's metadata states, or empty if a program made it up."""
    title = " ".join(stated.split()).removeprefix("Microsoft Word - ").removeprefix("Microsoft PowerPoint - ")
    sensible = len(title) > 3 and not _MADE_UP.fullmatch(title) and re.search(r"[^\W\d_]{3}", title)
    return title[:300] if sensible else ""


def tell(format_name: str, name: str, title: str, text: str) -> str:
    """Return one of the kinds that `Document.kind` lists.

    `format_name` is the registry's, `name` the file's base name; of `text` only the opening is read.
    """
    fixed = _BY_FORMAT.get(format_name, "")
    if fixed in ("mail", "slides", "book", "statement", "web"):
        return fixed
    label = re.sub(r"[_\W]+", " ", f"{name} {title}").casefold()
    found = _first(_NAMED, label)
    if fixed == "table":
        return "statement" if found == "statement" else "table"
    opening = text[:_OPENING].casefold()
    found = found or _first(_OPENED, opening, loose=True)
    if found:
        return found
    if fixed:
        return fixed
    return "note" if format_name == "text" and len(text) < 4 * _OPENING else "document"


def _first(rules: tuple[tuple[str, str], ...], text: str, *, loose: bool = False) -> str:
    for found, pattern in rules:
        if re.search(pattern if loose else rf"\b({pattern})\b", text, re.DOTALL):
            return found
    return ""
