"""The pages that people read, held to what is there: links, commands, tests and packages that they name."""

import argparse
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from ui.command import parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
# The reference is written from the parser, and the format's page names keys `strongroom seal` and the like.
DOCUMENTED = [page for page in PAGES if page.parent.name != "reference" and page.name != "vault-format.md"]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def names(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    for line in page.read_text().splitlines():
        if heading := re.match(r"#+ (.*)", line):
            yield re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")


def dead_links(page):
    dead = []
    for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", page.read_text()))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        if not file.exists() or not file.is_relative_to(ROOT) or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


def commands(text):
    """What is typed after `strongroom`, from indented lines and from code within sentences."""
    text = _FENCE.sub("", text)
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    for each in indented + [" ".join(code.split()) for code in _CODE.findall(text)]:
        # In front may stand a prompt, settings or a pipe; behind, a pipe or a remark.
        found = re.match(r"(?:\$ |[A-Z_]+=\S+ |(?:echo|printf) .*\| )*strongroom(?: (.*))?$", each)
        if found and found[1]:
            yield re.split(r" +(?:\||\|\||&&|#)(?: |$)", found[1])[0]


def subparsers():
    return next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)).choices


def wrong_words(typed):
    """The words of a typed command that the parser has no place for."""
    words = shlex.split(typed)
    shared = {"--vault": 1, "--accept-older": 0, "--help": 0, "--version": 0}
    while words and words[0] in shared:
        words = words[1 + shared[words[0]] :]
    if not words:
        return []
    if words[0] not in subparsers():
        return words[:1]
    known = {option for action in subparsers()[words[0]]._actions for option in action.option_strings} | set(shared)
    return [word for word in words[1:] if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]


@pytest.mark.parametrize("name", names(PAGES))
def test_every_link_leads_somewhere(name):
    assert dead_links(ROOT / name) == []


def test_a_dead_link_is_seen(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](page.md) [b](gone.md) [c](#here) [d](#there) [e](https://example.org)")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert dead_links(page) == ["gone.md", "#there"]


@pytest.mark.parametrize("name", names(DOCUMENTED))
def test_every_command_that_is_shown_is_one_with_its_options(name):
    shown = list(commands((ROOT / name).read_text()))
    assert {each: wrong_words(each) for each in shown if wrong_words(each)} == {}


def test_commands_are_found_where_people_read_them():
    text = "`strongroom lock` and\n    $ strongroom ask --jsom 'x' | jq .\n    X=1 strongroom frobnicate\n`strongroom`"
    assert list(commands(text)) == ["ask --jsom 'x'", "frobnicate", "lock"]
    assert [wrong_words(each) for each in commands(text)] == [["--jsom"], ["frobnicate"], []]
    assert sum(len(list(commands(page.read_text()))) for page in DOCUMENTED) > 50


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = (unquote(each.partition("#")[0]) for each in _LINK.findall(page.read_text()))
        waiting += [(page.parent / each).resolve() for each in targets if each.endswith(".md") and "://" not in each]
    assert [each for each in names(PAGES) if ROOT / each not in reached] == []


@pytest.mark.parametrize("name", names(DOCUMENTED))
def test_files_of_ours_that_are_named_exist(name):
    folders = "vault|ingest|retrieval|generation|engine|ui|tests|tools|bench|docs|sample_corpus"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", (ROOT / name).read_text())
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_each_claim_of_the_threat_model_names_a_test():
    claims = (ROOT / "docs/threat-model.md").read_text().partition("## The claims")[2].partition("## What is not")[0]
    sections = re.split(r"^### ", claims, flags=re.MULTILINE)[1:]
    assert len(sections) >= 9
    assert [each.splitlines()[0] for each in sections if not re.search(r"`tests/[\w/]+\.py`", each)] == []


def test_every_pinned_package_has_one_row_and_no_other_has():
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    page = (ROOT / "docs/dependencies.md").read_text()
    installed = page.partition("## Chosen")[2].partition("## In the repository")[0]
    rows = re.findall(r"^\| ([a-z][a-z0-9._-]*) \|", installed, flags=re.MULTILINE)
    assert sorted(each for each in rows if each != "package") == sorted(pinned)
    assert f"{len(pinned)}, pinned" in page


@pytest.mark.parametrize("extra", ["llm", "ocr", "card"])
def test_every_package_of_an_extra_has_one_row(extra):
    pinned = re.findall(r"^([a-z0-9._-]+)==", (ROOT / f"requirements-{extra}.txt").read_text(), flags=re.MULTILINE)
    page = (ROOT / "docs/dependencies.md").read_text().partition("## Extras")[2].partition("## Left out")[0]
    part = page.partition(f"**`{extra}`:")[2].partition("\n**`")[0]
    rows = re.findall(r"^\| ([a-z][a-z0-9._-]*) \|", part, flags=re.MULTILINE)
    assert sorted(each for each in rows if each != "package") == sorted(set(pinned))


def test_packages_that_are_left_out_are_named_with_the_reason():
    lines = (ROOT / "tools/left-out.txt").read_text().splitlines()
    left_out = {line.split()[0] for line in lines if line and not line.startswith("#")}
    page = (ROOT / "docs/dependencies.md").read_text().partition("## Left out on purpose")[2]
    assert {each for each in left_out if f"\n| {each} |" not in page} == set()


def test_the_benchmarks_page_has_a_place_for_every_part():
    from bench.__main__ import PARTS

    page = (ROOT / "docs/benchmarks.md").read_text()
    assert [each for each in PARTS if page.count(f"<!-- {each} -->") != 1 or page.count(f"<!-- /{each} -->") != 1] == []


def test_every_target_of_make_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    text = "\n".join(page.read_text() for page in DOCUMENTED)
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", text, flags=re.MULTILINE))
    assert len(named) >= 5
    assert named <= targets
