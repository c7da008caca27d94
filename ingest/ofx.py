"""What banks export for finance programs: OFX, QFX and QIF. Transactions become rows, amounts stay as written.

OFX 1 is SGML without most end tags (Open Financial Exchange 1.6, 1.3), OFX 2 is XML; one tolerant reader serves both,
because banks' files often follow neither. QFX is OFX with fields of Quicken's.
"""

import html
import re
from collections.abc import Iterator
from typing import BinaryIO

from ingest import kind
from ingest.decode import LIMIT, decode
from ingest.registry import MAX_BLOCKS, Context, UnreadableError, digest, recognise
from vault.records import Block, Document, Problem

_TAG = re.compile(r"<(/?)([A-Za-z][\w.]*)(?:\s[^>]*)?>([^<]*)")
_COLUMNS = "date\tamount\tpayee\tmemo\tid\ttype"
_LISTS = {  # a transaction's element and where its amount stands
    "STMTTRN": "TRNAMT",
    "INVBUY": "TOTAL",
    "INVSELL": "TOTAL",
    "INCOME": "TOTAL",
    "REINVEST": "TOTAL",
}
# Lists of transactions; categories, classes and memorized ones are Quicken's own.
_QIF_SECTIONS = ("type:bank", "type:cash", "type:ccard", "type:invst", "type:oth")
_DATES = ("DTPOSTED", "DTTRADE", "DTUSER", "DTSETTLE")


class _Text:
    """Gathers lines and their blocks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.blocks: list[Block] = []
        self.position = 0

    def add(self, line: str, block_kind: str, level: int = 0) -> None:
        self.blocks.append(Block(self.position, self.position + len(line), block_kind, level))
        self.lines.append(line)
        self.position += len(line) + 1


def parse(file: BinaryIO, name: str, context: Context) -> Iterator[Document | Problem]:
    """Yield the one document: for each account a heading, a header row, its transactions and its balance.

    Raises UnreadableError when there is neither an account nor a transaction.
    """
    found = recognise(file, name)
    identity = digest(file)
    data = file.read(LIMIT)
    declared = re.search(rb"(?:CHARSET:|encoding=[\"'])\s*([\w-]+)", data[:1000])
    charset = declared[1].decode() if declared else ""
    text, _ = decode(data, f"cp{charset}" if charset.isdecimal() else charset)
    made = _Text()
    metadata = _qif(text, made) if found.name == "qif" else _ofx(text, made)
    if not made.blocks:
        said = re.search(r"<MESSAGE>\s*([^<\r\n]+)", text)  # a bank's refusal to an accounting program
        reason = f"no account and no transaction in this {found.name.upper()} file"
        raise UnreadableError(f"{reason}; it says: {said[1].strip()[:200]}" if said else reason)
    joined = "\n".join(made.lines)
    yield Document(
        id=identity,
        kind=kind.tell(found.name, name, "", joined),
        title="",
        text=joined,
        blocks=tuple(made.blocks),
        metadata=metadata,
        part=context.part,
        parent=context.parent,
        media_type=found.media_type,
    )


def _ofx(text: str, made: _Text) -> dict[str, str]:
    """Read OFX into rows. Returns metadata: accounts, currency, institution."""
    metadata: dict[str, str] = {}
    accounts: list[str] = []
    fields: dict[str, str] = {}  # of the transaction being read, or of the account
    account: dict[str, str] = {}
    inside = ""
    headed = False

    def head() -> None:
        nonlocal headed
        if headed:
            return
        number = account.get("ACCTID", "")
        words = [account.get("ACCTTYPE", "").lower().replace("creditline", "credit line"), "account", number]
        words.append(f"in {account['CURDEF']}" if account.get("CURDEF") else "")
        bank = " ".join(filter(None, (metadata.get("institution"), account.get("BANKID"))))
        made.add(" ".join(filter(None, (*words, f"at {bank}" if bank else ""))).strip(), "heading", 1)
        if account.get("DTSTART") or account.get("DTEND"):
            span = f"from {_day(account.get('DTSTART', ''))} to {_day(account.get('DTEND', ''))}"
            made.add(f"transactions {span}", "paragraph")
        made.add(_COLUMNS, "header")
        headed = True

    for close, tag, raw in _TAG.findall(text):
        name, value = tag.upper(), html.unescape(" ".join(raw.split()))
        if name in ("STMTRS", "CCSTMTRS", "INVSTMTRS") and not close:
            account, headed, inside, fields = {}, False, "", {}
        elif name in _LISTS:
            if inside and fields:  # an end tag may be missing: the next beginning ends it too
                head()
                _row(fields, _LISTS[inside], made)
            inside, fields = ("", {}) if close else (name, {})
        elif close:
            if name in ("BANKTRANLIST", "INVTRANLIST") and inside and fields:
                head()
                _row(fields, _LISTS[inside], made)
                inside, fields = "", {}
            elif name in ("LEDGERBAL", "AVAILBAL") and account.get("BALAMT"):
                head()
                which = "ledger" if name == "LEDGERBAL" else "available"
                day = _day(account.get("DTASOF", ""))
                made.add(f"{which} balance\t{account.pop('BALAMT')}\t{day}".rstrip(), "row")
        elif inside:
            if value:
                fields.setdefault(name, value)
        elif value:
            if name == "ORG":
                metadata["institution"] = value
            elif name == "ACCTID":
                accounts.append(value)
            elif name == "CURDEF":
                metadata["currency"] = value
            account[name] = value
    if inside and fields:
        head()
        _row(fields, _LISTS[inside], made)
    if accounts:
        if not made.blocks:
            head()
        metadata["accounts"] = ", ".join(dict.fromkeys(accounts))[:500]
    return metadata


def _row(fields: dict[str, str], amount: str, made: _Text) -> None:
    if len(made.blocks) >= MAX_BLOCKS:
        return
    date = next((_day(fields[each]) for each in _DATES if each in fields), "")
    payee = fields.get("NAME") or fields.get("PAYEE") or fields.get("SECNAME") or fields.get("UNIQUEID", "")
    kind_of = fields.get("TRNTYPE", "").lower()
    number = fields.get("FITID", "")
    if fields.get("CHECKNUM"):
        kind_of = f"{kind_of} {fields['CHECKNUM']}".strip()
    cells = (date, fields.get(amount, fields.get("TRNAMT", "")), payee, fields.get("MEMO", ""), number, kind_of)
    made.add("\t".join(cells).rstrip("\t"), "row")


def _day(value: str) -> str:
    """Return the ISO date of OFX's `20130525225731.123[-5:EST]`, in its own zone; what is no date, as it is."""
    match = re.match(r"(\d{4})(\d\d)(\d\d)", value)
    return "-".join(match.groups()) if match else value


def _qif(text: str, made: _Text) -> dict[str, str]:
    """Read QIF (Quicken Interchange Format, 1993): a letter a line, `^` ends a transaction."""
    days = re.findall(r"(?m)^D\s*(\d{1,2})[/.-]\s*(\d{1,2})[/.' -]", text)
    first = any(int(each) > 12 for each, _ in days)
    second = any(int(each) > 12 for _, each in days)
    order = "dmy" if first and not second else "mdy" if second and not first else ""
    section, account, headed = "", "", False
    fields: dict[str, str] = {}
    splits: list[str] = []
    for line in text.splitlines():
        code, value = line[:1], " ".join(line[1:].split())
        if code == "!":
            section, headed, fields = value, False, {}
        elif code == "^":
            if section.lower().startswith("account"):
                account = fields.get("N", "")
            elif fields and section.lower().startswith(_QIF_SECTIONS):
                if not headed:
                    words = (section.partition(":")[2].strip().lower(), "account", account)
                    made.add(" ".join(filter(None, words)), "heading", 1)
                    made.add(_COLUMNS, "header")
                    headed = True
                memo = "; ".join(filter(None, (fields.get("M", ""), *splits)))
                row = (
                    _qif_day(fields.get("D", ""), order),
                    fields.get("T") or fields.get("U", ""),
                    fields.get("P") or fields.get("Y", ""),
                    memo,
                    fields.get("N", ""),
                    fields.get("L", ""),
                )
                made.add("\t".join(row).rstrip("\t"), "row")
            fields, splits = {}, []
        elif code in ("S", "E", "$"):
            splits.append(value)
        elif code and value:
            fields[code] = value
    return {"accounts": account} if account else {}


def _qif_day(value: str, order: str) -> str:
    """Return the ISO date if the file's dates show which number is the month; else the date as it is written."""
    match = re.fullmatch(r"(\d{1,2})[/.-]\s*(\d{1,2})([/.' -])\s*(\d{2,4})", value)
    iso = re.match(r"\d{4}-\d\d-\d\d", value)
    if iso:
        return iso[0]
    if not match or not order:
        return value
    day, month = (match[1], match[2]) if order == "dmy" else (match[2], match[1])
    year = int(match[4])
    if year < 100:
        year += 2000 if match[3] == "'" or year < 70 else 1900  # an apostrophe says 2000 and later
    return f"{year:04}-{int(month):02}-{int(day):02}"
