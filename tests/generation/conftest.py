from dataclasses import replace

import pytest

from bench.household import Household
from retrieval.embed import Embedder
from retrieval.passage import Passage

LEASE = (
    "Tenancy Agreement of 22 July 2025 between Anna Whitcombe (the Landlord) and Marta Hollis and Tom Verhoeven.\n"
    "2.1 The rent is £1,265.00 a month, payable in advance by standing order.\n"
    "2.2 The deposit is £1,450.00 and is held by the Tenancy Deposit Scheme under reference TDS-2025-0917.\n"
    "6.1 Either party may end the tenancy with two months' notice in writing.\n"
    "6.2 The tenants may not keep a dog. They may keep one cat."
)
POLICY = (
    "Albion Home Contents. The excess is £100 for theft and £350 for escape of water. The premium rises by 4.5 % on"
    " 05/03/2026. Call +44 (0)20 7946 0991 at any time. Claims are paid within thirty (30) days."
)
MAIL = "Dear Marta,\nthe engineer comes on Tuesday at 10.20. His name is Dean Tregear.\nRegards, Jörg Müller"


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder(threads=2)


@pytest.fixture(scope="session")
def house(embedder) -> Household:
    return Household(embedder)


class Papers(dict):
    """Three short documents by name, and passages of them: the whole text, or the part between two places."""

    def passage(self, name: str, chunk: int = 1, start: int = 0, end: int | None = None, **changes) -> Passage:
        text = self[name][start:end]
        made = Passage(
            chunk, name, chunk, "contract", f"The {name}", f"/papers/{name}.pdf", b"", "", (), 2, start,
            start + len(text), text, "", None, None, None, None, 1.0, 1.0, 0.6, "words",
        )  # fmt: skip
        if name == "mail":
            made = replace(made, kind="mail", sender="Jörg Müller <j@tregear.example>", date="2025-12-09T08:00:00Z")
        return replace(made, **changes)

    def text_of(self, document: str) -> str:
        return self.get(document, "")


@pytest.fixture
def papers() -> Papers:
    return Papers(lease=LEASE, policy=POLICY, mail=MAIL)
