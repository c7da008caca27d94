"""Twelve tasks that a newcomer would do, in a real browser on the sample's papers: clicks and seconds of each.

    python -m bench.tasks

Each task is a function that does what its name says as a person would, and waits until the person would see it done. A
click is a click, or a key that sends; typing is none. tests/ui/test_tasks.py does them all.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.browser import browser, launched

PAPERS = Path(__file__).resolve().parents[1] / "sample_corpus" / "papers"
PASSPHRASE = "seven copper kettles whistle"


@dataclass
class Person:
    """Somebody before the page, whose clicks are counted."""

    page: Any
    papers: Path
    clicks: int = 0

    def click(self, what: Any) -> None:
        what.click()
        self.clicks += 1

    def type(self, what: Any, words: str, *, send: bool = False) -> None:
        what.fill(words)
        if send:
            what.press("Enter")
            self.clicks += 1

    def button(self, name: str, *, exact: bool = True) -> Any:
        return self.page.get_by_role("button", name=name, exact=exact)

    def go(self, screen: str) -> None:
        self.click(self.page.get_by_role("link", name=screen, exact=True))

    def ask(self, question: str) -> Any:
        """Type a question and send it; the element of its answer, once it is whole."""
        before = self.page.locator("[class*='st-key-turn-']").count()
        self.type(self.page.get_by_placeholder(re.compile("Ask ")), question, send=True)
        newest = self.page.locator(f".st-key-turn-{before}")
        newest.get_by_test_id("statement").or_(newest.get_by_test_id("abstained")).first.wait_for()
        return newest

    def reads(self, where: Any, words: str) -> None:
        where.filter(has_text=words).first.wait_for()


def make_a_vault(person: Person) -> None:
    page = person.page
    page.get_by_label("Passphrase", exact=True).wait_for()
    person.type(page.get_by_label("Passphrase", exact=True), PASSPHRASE)
    person.type(page.get_by_label("The same again"), PASSPHRASE)
    person.click(person.button("Create the vault"))
    code = page.get_by_test_id("recovery-code").inner_text()
    person.type(page.get_by_label("Type the code"), code)
    person.click(person.button("I have it on paper"))
    page.get_by_text("Where are your papers?").wait_for()


def add_the_papers(person: Person) -> None:
    person.type(person.page.get_by_label("Folder"), str(person.papers))
    person.click(person.button("Add and begin"))
    person.page.get_by_text(re.compile(r"\d+ files?, up to date")).wait_for(timeout=120_000)


def ask_a_question(person: Person) -> None:
    answer = person.ask("when does the flat tenancy end?")
    person.reads(answer.get_by_test_id("statement"), "31 August 2027")


def see_it_on_its_page(person: Person) -> None:
    answer = person.page.locator(".st-key-turn-0")
    source = answer.get_by_test_id("source").filter(has_text="Tenancy agreement 2023.pdf")
    number = source.locator(".n").first.inner_text()
    person.click(answer.get_by_role("button", name=f"Open passage {number}").first)
    person.page.get_by_test_id("page-picture").wait_for()


def ask_on(person: Person) -> None:
    answer = person.ask("and how much is the rent?")
    person.reads(answer.get_by_test_id("statement"), "1,295")


def ask_one_person(person: Person) -> None:
    answer = person.ask("what did Anna write about the boiler?")
    person.reads(answer.get_by_test_id("statement"), "Dean Tregear")
    person.click(answer.get_by_role("button", name="Open passage 1").first)
    person.reads(person.page.locator(".st-key-passage"), "anna@whitcombe-homes.example")


def find_a_payment(person: Person) -> None:
    answer = person.ask("how much did the boiler repair by Tregear Heating cost?")
    person.click(answer.get_by_role("button", name="Open passage 1").first)
    person.page.get_by_test_id("passage-text").or_(person.page.get_by_test_id("page-picture")).first.wait_for()


def browse_a_kind(person: Person) -> None:
    person.go("Library")
    person.type(person.page.get_by_label("Find"), "septic", send=True)
    person.reads(person.page.get_by_test_id("document"), "Emptying the septic tank")
    person.click(person.button("Open document 1"))
    person.page.get_by_test_id("document-head").wait_for()


def see_what_failed(person: Person) -> None:
    person.click(person.button("Back to the list", exact=False))
    person.click(person.page.get_by_text(re.compile(r"^Needs attention")))
    person.click(person.button("Show files").first)
    person.page.get_by_test_id("attention").first.wait_for()


def keep_an_answer(person: Person) -> None:
    person.go("Ask")
    answer = person.page.locator(".st-key-turn-3")  # the one about the repair
    person.click(answer.get_by_role("button", name="Copy or export"))
    with person.page.expect_download() as download:
        person.click(person.button("Save as Markdown"))
    assert "Tregear" in Path(download.value.path()).read_text(encoding="utf-8")
    person.page.keyboard.press("Escape")
    person.clicks += 1


def purge_and_prove(person: Person) -> None:
    answer = person.ask("where is the will kept?")
    person.click(answer.get_by_role("button", name="Open passage 1").first)
    person.click(person.button("Purge…"))
    person.click(person.page.get_by_text("Yes, remove it from the vault"))
    person.click(person.button("Purge"))
    person.reads(person.page.get_by_test_id("receipt"), "read back")
    person.page.locator(".st-key-turn-0").wait_for(state="detached")  # what was shown of it goes too
    again = person.ask("where is the will kept?")
    assert "solicitor" not in again.inner_text()


def check_and_lock(person: Person) -> None:
    person.go("Privacy")
    person.click(person.button("Check again now"))
    person.reads(person.page.get_by_test_id("privacy-facts"), "4 of 4")
    person.click(person.button("Lock"))
    person.page.get_by_text("Strongroom is locked").wait_for(timeout=40_000)
    person.type(person.page.get_by_label("Passphrase or recovery code"), PASSPHRASE, send=True)
    person.page.locator(".st-key-bar").wait_for()


Task = Callable[[Person], None]
TASKS: tuple[tuple[str, Task], ...] = (
    ("make a vault and keep its recovery code", make_a_vault),
    ("add the folder of papers, wait until all is read", add_the_papers),
    ("ask when the tenancy ends", ask_a_question),
    ("see the cited lines on the page of the PDF", see_it_on_its_page),
    ("ask on: and how much is the rent?", ask_on),
    ("ask what one person wrote, open the mail", ask_one_person),
    ("find what a repair cost, see the row or line", find_a_payment),
    ("find a document in the library, open it", browse_a_kind),
    ("see which files need attention, and what to do", see_what_failed),
    ("keep a conversation as Markdown", keep_an_answer),
    ("find the clause, purge the file, prove it", purge_and_prove),
    ("check the protection, lock, unlock", check_and_lock),
)


def papers_in(folder: Path) -> Path:
    """The sample's papers, with a damaged file and one of a kind that is not read."""
    papers = Path(shutil.copytree(PAPERS, folder / "Papers"))
    (papers / "Insurance policy.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)))
    (papers / "Photos 2019.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(64))
    return papers


@dataclass(frozen=True, slots=True)
class Done:
    task: str
    clicks: int
    seconds: float


def do(page: Any, url: str, papers: Path) -> list[Done]:
    """Do all of them, one after the other, on a Strongroom without a vault; raises where one cannot be done."""
    page.goto(url)
    done = []
    person = Person(page, papers)
    for name, task in TASKS:
        person.clicks = 0
        began = time.perf_counter()
        task(person)
        done.append(Done(name, person.clicks, time.perf_counter() - began))
    return done


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        with launched(folder) as url, browser() as opened:
            page = opened.new_page(viewport={"width": 1280, "height": 860})
            page.set_default_timeout(90_000)
            done = do(page, url, papers_in(folder))
    print("clicks  seconds  task")
    for each in done:
        print(f"{each.clicks:6d}  {each.seconds:7.1f}  {each.task}")
    print(f"{sum(each.clicks for each in done):6d}  {sum(each.seconds for each in done):7.1f}  all twelve")


if __name__ == "__main__":
    main()
