import io

import pytest

from ingest.registry import Context, UnreadableError, parse

SGML = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
ENCODING:USASCII
CHARSET:1252

<OFX><SIGNONMSGSRSV1><SONRS><FI><ORG>Sparbank</FI></SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR
<BANKACCTFROM><BANKID>370<ACCTID>12345678<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20250101<DTEND>20250131
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20250103120000.000[+1:CET]<TRNAMT>-4.20<FITID>A1
<NAME>B\xe4cker &amp; Sohn<MEMO>Br\xf6tchen
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20250104<TRNAMT>+1,000.00<FITID>A2<PAYEE><NAME>Employer</PAYEE></STMTTRN>
</BANKTRANLIST><LEDGERBAL><BALAMT>995.80<DTASOF>20250131</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
"""


def read(data, name):
    (document,) = parse(io.BytesIO(data), name, Context())
    return document, [(each.kind, document.text[each.start : each.end]) for each in document.blocks]


def test_transactions_are_rows_with_amounts_as_they_are_written():
    document, blocks = read(SGML.encode("cp1252"), "a.ofx")
    assert blocks == [
        ("heading", "checking account 12345678 in EUR at Sparbank 370"),
        ("paragraph", "transactions from 2025-01-01 to 2025-01-31"),
        ("header", "date\tamount\tpayee\tmemo\tid\ttype"),
        ("row", "2025-01-03\t-4.20\tBäcker & Sohn\tBrötchen\tA1\tdebit"),
        ("row", "2025-01-04\t+1,000.00\tEmployer\t\tA2\tcredit"),
        ("row", "ledger balance\t995.80\t2025-01-31"),
    ]
    assert document.kind == "statement"
    assert document.metadata == {"institution": "Sparbank", "currency": "EUR", "accounts": "12345678"}


def test_version_two_in_xml_reads_the_same():
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200"?>\n<OFX><STMTRS><CURDEF>EUR</CURDEF>'
        "<ACCTID>1</ACCTID><BANKTRANLIST><STMTTRN><DTPOSTED>20250103</DTPOSTED><TRNAMT>-4.20</TRNAMT>"
        "<NAME>Bäcker</NAME></STMTTRN></BANKTRANLIST></STMTRS></OFX>"
    )
    _, blocks = read(xml.encode(), "download.xml")
    assert ("row", "2025-01-03\t-4.20\tBäcker") in blocks


def test_what_a_bank_answers_instead_of_transactions_is_the_reason():
    data = b"OFXHEADER:100\n\n<OFX><STATUS><CODE>15500<MESSAGE>Invalid password.</STATUS></OFX>"
    with pytest.raises(UnreadableError, match=r"no account and no transaction .* it says: Invalid password\."):
        read(data, "a.qfx")


QIF = """!Account
NChecking
^
!Type:Bank
D{first}
T-1,234.56
PRoofer
MInvoice 12
LHouse:Repairs
^
D1/25'05
T10.00
SFood
$6.00
SBooks
$4.00
^
!Type:Cat
NHouse
^
"""


def test_qif_dates_are_turned_only_where_the_file_shows_their_order():
    _, blocks = read(QIF.format(first="3/ 4'05").encode(), "a.qif")
    assert blocks == [
        ("heading", "bank account Checking"),
        ("header", "date\tamount\tpayee\tmemo\tid\ttype"),
        ("row", "2005-03-04\t-1,234.56\tRoofer\tInvoice 12\t\tHouse:Repairs"),
        ("row", "2005-01-25\t10.00\t\tFood; 6.00; Books; 4.00"),
    ]
    both = QIF.replace("D1/25'05", "D1/2'05").format(first="3/ 4'05")
    assert "3/ 4'05\t-1,234.56" in read(both.encode(), "a.qif")[0].text.replace("3/4", "3/ 4")


def test_every_transaction_of_real_exports_becomes_a_row(shared_data):
    checked = 0
    for path in sorted((shared_data / "finance" / "ofx").rglob("*.ofx")):
        data = path.read_bytes()
        expected = data.upper().count(b"<TRNAMT>")
        try:
            _, blocks = read(data, path.name)
        except UnreadableError:
            blocks = []
        rows = [text for kind, text in blocks if kind == "row" and "balance\t" not in text]
        assert len(rows) >= expected, path
        checked += expected
    assert checked > 200
