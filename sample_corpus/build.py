"""Write the sample's files: `python sample_corpus/build.py [FOLDER]` (by default into sample_corpus/papers).

The texts stand in contracts.py, letters.py, mails.py and bank.py; the write_*.py make files of them. Nothing
but the standard library is needed, and every run gives the same bytes.
"""

import sys
from pathlib import Path

import bank
import contracts
import letters
import mails
from write_mail import mail_bytes
from write_office import docx
from write_pdf import pdf


def files() -> dict[str, bytes]:
    """Every file as relative path and bytes."""
    return {**_contracts(), **_letters(), **_bank(), **_mail()}


def _contracts() -> dict[str, bytes]:
    return {
        "Contracts/Flat/Tenancy agreement 2023.pdf": pdf(
            contracts.TENANCY_2023, title="Tenancy Agreement", author="Anna Whitcombe", date="20230814"
        ),
        "Contracts/Flat/Tenancy agreement 2025.docx": docx(
            contracts.TENANCY_2025,
            title="Tenancy Agreement (renewal)",
            author="Anna Whitcombe",
            date="20250722",
        ),
        "Contracts/Employment contract Fenwick.docx": docx(
            contracts.EMPLOYMENT, title="Contract of Employment", author="Priya Nair", date="20240212"
        ),
        "Contracts/Kestrel Broadband contract.pdf": pdf(
            contracts.BROADBAND, title="Your contract summary", author="Kestrel Broadband", date="20241028"
        ),
        "Contracts/Gym membership Ironbridge.pdf": pdf(
            contracts.GYM, title="Membership agreement", author="Ironbridge Fitness Club", date="20250109"
        ),
        "Contracts/Cottage/Roof contract PR-2417.docx": docx(
            contracts.ROOF, title="Contract for roof works PR-2417", author="Gwyn Pritchard", date="20250428"
        ),
        "Insurance/Albion home contents policy 2025.pdf": pdf(
            contracts.HOME_POLICY, title="Home contents insurance", author="Albion Mutual", date="20250115",
            footer="Albion Mutual, policy AM-HC-7729041",
        ),
    }  # fmt: skip


def _letters() -> dict[str, bytes]:
    def letter(text: str, title: str, author: str, date: str) -> bytes:
        return pdf(text, title=title, author=author, date=date)

    def word(text: str, title: str, author: str, date: str) -> bytes:
        return docx(text, title=title, author=author, date=date)

    def plain(text: str) -> bytes:
        return text.encode()

    return {
        "Insurance/2025-12-18 Albion renewal.pdf": letter(
            letters.HOME_RENEWAL, "Renewal of your home contents policy", "Albion Mutual", "20251218"
        ),
        "Insurance/2025-11-26 Albion claim bicycle.pdf": letter(
            letters.CLAIM, "Claim AM-C-250917: theft of a bicycle", "Albion Mutual", "20251126"
        ),
        "Insurance/2026-03-03 Marlow car renewal.docx": word(
            letters.CAR_RENEWAL,
            "Your motor insurance is due for renewal",
            "Marlow Direct Insurance",
            "20260303",
        ),
        "Medical/2025-05-21 Eye clinic Ella.pdf": letter(
            letters.EYE_CLINIC, "Ella Hollis, AEC-209914", "Avonmouth Eye Clinic", "20250521"
        ),
        "Medical/Vaccinations Jonas.txt": plain(letters.VACCINATION),
        "Medical/Dentist estimate crown.md": plain(letters.DENTIST),
        "Medical/2025-04-29 Vet invoice Biscuit.pdf": letter(
            letters.VET, "Invoice 88-4102", "Windmill Hill Veterinary Practice", "20250429"
        ),
        "School/Ella report Year 5.docx": word(
            letters.SCHOOL_REPORT,
            "Report for Ella Hollis, Year 5",
            "St Brannock's Primary School",
            "20250718",
        ),
        "School/After-school club Jonas.txt": plain(letters.AFTER_SCHOOL),
        "Letters/Council tax bill 2025-26.pdf": letter(
            letters.COUNCIL_TAX, "Council tax bill 2025/26", "Bristol Harbourside Borough", "20250314"
        ),
        "Letters/2026-03-24 Tregear boiler service.pdf": letter(
            letters.BOILER, "Service report and invoice TH-26-0388", "Tregear Heating Ltd", "20260324"
        ),
        "Letters/2026-01-09 Greenmoor electricity.docx": word(
            letters.ELECTRICITY, "Your electricity statement", "Greenmoor Energy", "20260109"
        ),
        "Notes/Will.md": plain(letters.WILL_NOTES),
        "Notes/Pea soup.md": plain(letters.RECIPES),
        "Notes/Orchard Cottage.txt": plain(letters.COTTAGE_NOTES),
    }


def _bank() -> dict[str, bytes]:
    return {
        "Bank/Severn joint account 2025.csv": bank.account_csv(),
        "Bank/Harrow card 2025.ofx": bank.card_ofx(),
        "Bank/Severn statement 2025-12.pdf": bank.statement_pdf(),
        "Bank/Spaarrekening 2025.csv": bank.savings_csv(),
        "Bank/Household budget 2025.xlsx": bank.budget_xlsx(),
    }


def _mail() -> dict[str, bytes]:
    single = {f"Mail/{name}": mail_bytes(mail) for name, mail in mails.MAILS.items()}
    return {
        **single,
        "Mail/Cottage roof.mbox": _mbox(mails.ROOF_THREAD),
        "Mail/Neighbours.mbox": _mbox(mails.NEIGHBOURS),
    }


def _mbox(messages: list[mails.Mail]) -> bytes:
    """mboxrd: a From line before each message, LF line ends, `From ` at a line's start quoted with `>`."""
    out = b""
    for message in messages:
        raw = mail_bytes(message).replace(b"\r\n", b"\n")
        lines = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in raw.split(b"\n")]
        stamp = mails.envelope_date(message)
        sender = message.sender.rsplit("<", 1)[-1].rstrip(">")
        out += f"From {sender} {stamp}\n".encode() + b"\n".join(lines).rstrip(b"\n") + b"\n\n"
    return out


def main() -> None:
    """Write every file, and name it."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "papers"
    for name, data in files().items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):>8}  {name}")


if __name__ == "__main__":
    main()
