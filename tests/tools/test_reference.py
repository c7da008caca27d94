"""The published reference is what the parser says."""

import re
import shlex

from tools import reference
from ui.command import COMMANDS, parser

DESIGN = (
    "demo init open serve add remove pause status ask search list show purge passwd recovery backup restore folders"
    " settings verify unlock lock destroy"
)


def test_the_reference_is_up_to_date():
    assert reference.TARGET.read_text(encoding="utf-8") == reference.reference(), "run make reference"


def test_every_command_is_there_and_described():
    assert set(DESIGN.split()) <= {each.name for each in COMMANDS}
    page = reference.TARGET.read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", page, re.MULTILINE) == [each.name for each in COMMANDS]


def test_commands_that_read_take_json():
    for name in ("status", "ask", "search", "list", "show", "folders", "settings", "verify", "purge"):
        words = {"show": ["show", "x"], "ask": ["ask", "x"], "search": ["search", "x"]}.get(name, [name])
        assert parser().parse_args([*words, "--json"]).json is True


def test_the_vault_can_be_named_before_and_after_the_command():
    for words in (["--vault", "/v", "status"], ["status", "--vault", "/v"]):
        assert parser().parse_args(words).vault == "/v"
    assert not hasattr(parser().parse_args(["status"]), "vault")


def _written_commands():
    """Every command line that the documentation shows in a block of code."""
    pages = [reference.ROOT / "README.md", *(reference.ROOT / "docs").rglob("*.md")]
    for page in pages:
        if page == reference.TARGET:
            continue
        for block in re.findall(
            r"```[a-z]*\n(.*?)```|((?:^    .*\n)+)", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            for line in "".join(block).splitlines():
                if found := re.match(r"\s*(?:\$ )?strongroom( [^|#]*)", line):
                    yield page.name, found[1].split("||")[0].split("&&")[0].strip()


def test_every_command_line_in_the_documentation_can_be_typed():
    shown = list(_written_commands())
    assert len(shown) > 10
    for page, line in shown:
        try:
            parser().parse_args(shlex.split(line))
        except SystemExit as ended:
            raise AssertionError(f"{page}: strongroom {line}") from ended
