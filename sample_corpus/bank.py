
"""A year of the household's money. Every payee and number is invented; the sums are computed, in whole pence."""

import datetime as dt
from collections.abc import Iterator

from write_office import Cell, xlsx
from write_pdf import pdf

ACCOUNT = "20-61-55 41287730"
_OPENING = 3_412_86  # balance on 31 December 2024, pence

Row = tuple[dt.date, str, str, int]
"""day, type, description, pence (negative: paid out)"""


def _day(month: int, day: int) -> dt.date:
    return dt.date(2025, month, day)


def card() -> list[Row]:
    """The card's purchases of 2025, oldest first."""
    rows: list[Row] = []
    shops = (
        "FRESHFIELD MARKET BRISTOL",
        "NORTH ST GREENGROCER",
        "FRESHFIELD MARKET BRISTOL",
        "SOUTHVILLE BAKERY",
    )
    for week in range(52):
        shop = shops[week % 4]
        pence = 1_180 + week * 37 % 610 if "BAKERY" in shop else 6_240 + week * 911 % 4_730
        rows.append((dt.date(2025, 1, 4) + dt.timedelta(weeks=week), "POS", shop, -pence))
    for month in range(1, 13):
        rows.append((_day(month, 6), "POS", "LUMEN STREAMING", -999 if month < 5 else -1299))
        rows.append((_day(month, 17), "POS", "HILLTOP FUELS A38", -(4_810 + month * 433 % 1_290)))
    rows += [
        (_day(2, 14), "POS", "TRATTORIA LUCIA BRISTOL", -7_240),
        (_day(3, 22), "POS", "DEAN LANE SHOES", -5_800),
        (_day(4, 29), "POS", "WINDMILL HILL VETS 88-4102", -43_950),
        (_day(5, 27), "POS", "AVONMOUTH OPTICIANS ELLA", -11_900),
        (_day(7, 28), "POS", "LLANFENNI INN", -6_385),
        (_day(8, 12), "POS", "GREAT WESTERN TENTS", -24_900),
        (_day(9, 3), "POS", "SCHOOLWEAR DIRECT", -8_745),
        (_day(10, 8), "POS", "REDCLIFFE DENTAL DEPOSIT", -15_000),
        (_day(10, 23), "POS", "REDCLIFFE DENTAL", -59_500),
        (_day(10, 31), "POS", "TWO WHEELS BRISTOL DEPOSIT", -10_000),
        (_day(11, 5), "POS", "TWO WHEELS BRISTOL 6127", -84_000),
        (_day(11, 19), "CREDIT", "GREAT WESTERN TENTS REFUND", 4_900),
        (_day(12, 6), "POS", "CORNER AND LANE BOOKSHOP", -3_769),
        (_day(12, 20), "POS", "HOLLY FARM TREES", -4_200),
    ]
    return sorted(rows, key=lambda row: row[0])


def account() -> list[Row]:
    """The joint account's transactions of 2025, oldest first."""
    rows: list[Row] = []
    spent = card()
    for month in range(1, 13):
        rows += [
            (_day(month, 1), "SO", "A WHITCOMBE RENT FLAT 2", -1_150_00 if month < 9 else -1_265_00),
            (_day(month, 3), "DD", "ALBION MUTUAL AM-HC-7729041", -16_90 if month == 1 else -17_70),
            (_day(month, 9), "DD", "IRONBRIDGE FITNESS 30417", -49_90 if month == 1 else -29_90),
            (_day(month, 11), "DD", "KESTREL BROADBAND KB-558120-7", -34_50),
            (_day(month, 15), "DD", "GREENMOOR ENERGY", -80_00),
            (_day(month, 28), "SO", "TO SAVINGS 41287749", -950_00),
            (_day(month, 20), "DD", "AVONVALE WATER", -31_40),
            (_day(month, 25), "BGC", "FENWICK CARTOGRAPHIC SALARY", 2_187_35),
        ]
        if month not in (2, 3):
            council = {1: -198_20, 4: -204_60}.get(month, -204_44)
            rows.append((_day(month, 1), "DD", "BRISTOL HARBOURSIDE COUNCIL TAX", council))
        if month >= 9:
            rows.append((_day(month, 5), "DD", "ST BRANNOCKS AFTER SCHOOL CLUB", -114_00))
        if month > 1:
            bill = sum(pence for day, _, _, pence in spent if day.month == month - 1)
            rows.append((_day(month, 27), "DD", "HARROW CARD", bill))
    rows += [
        (_day(1, 27), "DD", "HARROW CARD", -412_77),
        (_day(1, 30), "FPO", "INLAND REVENUE SELF ASSESSMENT", -2_846_20),
        (_day(7, 30), "FPO", "INLAND REVENUE SELF ASSESSMENT", -1_910_00),
        (_day(1, 14), "BGC", "HALCYON THEATRE VS-2024-019", 1_960_00),
        (_day(2, 18), "BGC", "HALCYON THEATRE VS-2025-002", 2_240_00),
        (_day(3, 21), "BGC", "LANTERN FESTIVAL VS-2025-005", 1_875_00),
        (_day(4, 8), "DD", "MARLOW DIRECT MD/482-19937", -431_90),
        (_day(4, 16), "BGC", "HALCYON THEATRE VS-2025-008", 2_610_00),
        (_day(4, 28), "FPO", "PRITCHARD ROOFING PR-2417 DEPOSIT", -2_592_00),
        (_day(5, 22), "BGC", "LANTERN FESTIVAL VS-2025-011", 3_120_00),
        (_day(6, 12), "TFR", "FROM SAVINGS 41287749", 3_000_00),
        (_day(6, 23), "FPO", "PRITCHARD ROOFING PR-2417 SECOND", -3_456_00),
        (_day(7, 18), "BGC", "HALCYON THEATRE VS-2025-014", 2_040_00),
        (_day(7, 29), "TFR", "FROM SAVINGS 41287749", 2_000_00),
        (_day(7, 31), "FPO", "PRITCHARD ROOFING PR-2417 FINAL", -2_880_00),
        (_day(8, 20), "BGC", "LANTERN FESTIVAL VS-2025-017", 2_755_00),
        (_day(9, 19), "BGC", "HALCYON THEATRE VS-2025-021", 1_640_00),
        (_day(9, 24), "FPO", "HUW BEVAN CHIMNEY SWEEP", -68_00),
        (_day(10, 14), "FPO", "FENNI HEATING OIL 640 L", -454_40),
        (_day(10, 22), "BGC", "HALCYON THEATRE VS-2025-026", 2_320_00),
        (_day(11, 21), "BGC", "LANTERN FESTIVAL VS-2025-030", 1_980_00),
        (_day(12, 1), "BGC", "ALBION MUTUAL CLAIM AM-C-250917", 650_00),
        (_day(12, 12), "BGC", "HALCYON THEATRE VS-2025-033", 1_700_00),
        (_day(12, 15), "FPO", "SHELTER FOR CATS KNOWLE DONATION", -50_00),
    ]
    return sorted(rows, key=lambda row: row[0])


def _balances() -> Iterator[tuple[Row, int]]:
    balance = _OPENING
    for row in account():
        balance += row[3]
        yield row, balance


def _pounds(pence: int) -> str:
    return f"{abs(pence) // 100}.{abs(pence) % 100:02d}"


def account_csv() -> bytes:
    """As the bank's download has it: CRLF, day first, paid out and paid in apart."""
    lines = ["Date,Type,Description,Paid out,Paid in,Balance"]
    for (day, kind, text, pence), balance in _balances():
        out, paid_in = (_pounds(pence), "") if pence < 0 else ("", _pounds(pence))
        lines.append(
            f"{day:%d/%m/%Y},{kind},{text},{out},{paid_in},{'-' if balance < 0 else ''}{_pounds(balance)}"
        )
    return ("\r\n".join(lines) + "\r\n").encode()


def card_ofx() -> bytes:
    """OFX 1.02, as banks still offer it."""
    rows = card()
    total = sum(row[3] for row in rows if row[0].month == 12)
    items = "".join(
        f"<STMTTRN>\n<TRNTYPE>{kind}\n<DTPOSTED>{day:%Y%m%d}120000\n<TRNAMT>{'-' if pence < 0 else ''}{_pounds(pence)}\n"
        f"<FITID>HC{day:%y%m%d}{number:03d}\n<NAME>{text}\n</STMTTRN>\n"
        for number, (day, kind, text, pence) in enumerate(rows, start=1)
    )
    return (
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\nCOMPRESSION:NONE\n"
        "OLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX>\n<SIGNONMSGSRSV1>\n<SONRS>\n<STATUS>\n<CODE>0\n<SEVERITY>INFO\n</STATUS>\n"
        "<DTSERVER>20260102080000\n<LANGUAGE>ENG\n<FI>\n<ORG>Harrow Card\n<FID>7731\n</FI>\n</SONRS>\n</SIGNONMSGSRSV1>\n"
        "<CREDITCARDMSGSRSV1>\n<CCSTMTTRNRS>\n<TRNUID>1\n<STATUS>\n<CODE>0\n<SEVERITY>INFO\n</STATUS>\n<CCSTMTRS>\n"
        "<CURDEF>GBP\n<CCACCTFROM>\n<ACCTID>XXXXXXXXXXXX4471\n</CCACCTFROM>\n<BANKTRANLIST>\n<DTSTART>20250101\n"
        f"<DTEND>20251231\n{items}</BANKTRANLIST>\n<LEDGERBAL>\n<BALAMT>-{_pounds(total)}\n<DTASOF>20251231\n</LEDGERBAL>\n"
        "</CCSTMTRS>\n</CCSTMTTRNRS>\n</CREDITCARDMSGSRSV1>\n</OFX>\n"
    ).encode("cp1252")


def statement_pdf() -> bytes:
    """The December statement on paper."""
    rows = [(row, balance) for row, balance in _balances() if row[0].month == 12]
    first = rows[0][1] - rows[0][0][3]
    paid_in = sum(row[3] for row, _ in rows if row[3] > 0)
    paid_out = -sum(row[3] for row, _ in rows if row[3] < 0)
    table = "\n".join(
        f"| {day:%d %b} | {kind} {text} | {'' if pence > 0 else f'{-pence / 100:,.2f}'} | "
        f"{f'{pence / 100:,.2f}' if pence > 0 else ''} | {balance / 100:,.2f} |"
        for (day, kind, text, pence), balance in rows
    )
    text = f"""
# Severn Bank – Statement of account
> Ms M Hollis and Mr T Verhoeven
> Joint current account, sort code 20-61-55, account number 41287730
> IBAN GB45 SVRN 2061 5541 2877 30
> Statement number 12/2025, 1 December to 31 December 2025
## Summary
| Balance on 30 November 2025 | £{first / 100:,.2f} |
| Paid in | £{paid_in / 100:,.2f} |
| Paid out | £{paid_out / 100:,.2f} |
| Balance on 31 December 2025 | £{rows[-1][1] / 100:,.2f} |
## Transactions
| Date | Details | Paid out | Paid in | Balance |
{table}
## Good to know
The arranged overdraft of this account is £1,000. Interest on it is 19.9 % a year (variable). From 1 March 2026 a payment
to an account outside the United Kingdom costs £3 instead of £2.50.
Lost or stolen card: 01632 960 911, at any hour.
"""
    return pdf(
        text,
        title="Statement of account 12/2025",
        author="Severn Bank",
        date="20260102",
        footer="Severn Bank",
    )


def savings_csv() -> bytes:
    """Tom's old Dutch savings account: semicolons, decimal commas, Windows-1252."""
    lines = [
        "Datum;Omschrijving;Bij/Af;Bedrag (€);Saldo (€)",
        "02-01-2025;Rente 2024;Bij;61,18;4.140,55",
        "15-03-2025;Spaaropdracht;Bij;100,00;4.240,55",
        "15-06-2025;Spaaropdracht;Bij;100,00;4.340,55",
        "21-07-2025;Fietsverhuur Texel;Af;186,00;4.154,55",
        "15-09-2025;Spaaropdracht;Bij;100,00;4.254,55",
        "04-11-2025;Cadeau Oma (80 jaar) – koffiehuis Zürich;Af;142,50;4.112,05",
        "15-12-2025;Spaaropdracht;Bij;100,00;4.212,05",
    ]
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")


def budget_xlsx() -> bytes:
    """The family's own budget, two sheets."""
    budget: list[list[Cell]] = [
        ["Category", "Planned a month", "Note"],
        ["Rent", 1265.0, "from September"],
        ["Groceries", 420.0, "market and bakery"],
        ["Energy and water", 111.4, "Greenmoor, Avonvale"],
        ["Council tax", 204.44, "ten instalments"],
        ["Insurance", 53.69, "Albion and a twelfth of Marlow"],
        ["Children", 190.0, "club, shoes, pocket money"],
        ["Car", 95.0, "fuel, MOT, tyres"],
        ["Cottage", 160.0, "oil, sweep, roof reserve"],
        ["Leisure", 150.0, "gym, streaming, meals out"],
        ["Savings", 250.0, "emergency fund, goal 9,000"],
    ]
    cottage: list[list[Cell]] = [
        ["Date", "What", "Who", "Amount"],
        [dt.date(2023, 8, 22), "Septic tank emptied", "Fenni Drains", 222.0],
        [dt.date(2024, 10, 10), "Chimney swept", "Huw Bevan", 65.0],
        [dt.date(2025, 4, 28), "Roof, deposit", "Pritchard Roofing", 2592.0],
        [dt.date(2025, 6, 23), "Roof, second payment", "Pritchard Roofing", 3456.0],
        [dt.date(2025, 7, 31), "Roof, final bill", "Pritchard Roofing", 2880.0],
        [dt.date(2025, 9, 24), "Chimney swept", "Huw Bevan", 68.0],
        [dt.date(2025, 10, 14), "Heating oil, 640 litres", "Fenni Heating Oil", 454.4],
        [dt.date(2025, 11, 30), "Buildings insurance of the cottage", "Cambrian Rural Insurance", 318.75],
    ]
    return xlsx(
        {"Budget 2025": budget, "Cottage": cottage},
        title="Household budget 2025",
        author="Marta Hollis",
        date="20251230",
    )
